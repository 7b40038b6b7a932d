/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONTROL_INTERNAL_H
#define SEAL_PROXY_CONTROL_INTERNAL_H

/*
 * For control_client.c and its tests: an answer, as it came to its end.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"

struct control_answer {
	unsigned status;
	const char *body; /* borrowed from the text */
	size_t body_len;
};

/*
 * Read one whole HTTP/1.1 answer that the end of the connection ended.  Only the framing our own server
 * uses is understood: one Content-Length, or 204; nothing before, between or behind.
 */
SEAL_CHECKED int control_answer_parse(struct control_answer *ret_answer, const char *text,
				      size_t len, struct seal_err *err);

#endif
