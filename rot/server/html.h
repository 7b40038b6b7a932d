/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_HTML_H
#define SEAL_ROT_HTML_H

/*
 * Writing HTML and SVG that cannot be broken by what is shown.  Markup is a literal of ours, which the compiler demands;
 * whatever comes from elsewhere stands for a %s in it, and is escaped: as text between tags, or as the value of an
 * attribute in double quotes.  There is no way to put a string in otherwise.
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

/* A document in the making; the first failure sticks. */
struct html {
	struct seal_bytes *out;
	struct seal_err *err;
	int failed;
};

/*
 * %s: text, escaped; bytes beyond printable ASCII as \xNN.  %u: an unsigned.  %llu: an unsigned long long.  %d: an int.
 * %%.  Nothing else: it is our bug.
 */
#define html_put(html, ...) html_write((html), "" __VA_ARGS__)
void html_write(struct html *html, const char *format, ...) SEAL_PRINTF(2, 3);

/* "2026-05-04 13:37 UTC"; "never" for 0. */
#define HTML_TIME_MAX 32
void html_format_time(char out[static HTML_TIME_MAX], int64_t time);
/* A <time> element, with what it is from now: "in 3 days", "5 minutes ago". */
void html_time(struct html *html, int64_t time, int64_t now);
/* "3 days", "1 hour", "45 seconds": of an amount of seconds, rounded down. */
void html_format_span(char out[static HTML_TIME_MAX], uint64_t seconds);

#endif
