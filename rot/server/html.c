/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A format of four letters.  Knows HTML's escapes and nothing of what is shown.
 */
#include "rot/server/html.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void
append(struct html *html, const void *data, size_t len)
{
	if (html->failed == 0 && len > 0)
		html->failed = seal_bytes_append(html->out, data, len, html->err);
}

/* What a byte is written as; NULL: as itself. */
static const char *
escape(unsigned char c, char scratch[static 8])
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		if (c >= ' ' && c <= '~')
			return NULL;
		/* Control characters, and letters that look like others or turn the line around. */
		(void)snprintf(scratch, 8, "\\x%02x", c);
		return scratch;
	}
}

static void
append_text(struct html *html, const char *text)
{
	const char *plain = text;
	char scratch[8];

	for (; *text != '\0'; text++) {
		const char *as = escape((unsigned char)*text, scratch);

		if (as == NULL)
			continue;
		append(html, plain, (size_t)(text - plain));
		append(html, as, strlen(as));
		plain = text + 1;
	}
	append(html, plain, (size_t)(text - plain));
}

static void
append_number(struct html *html, unsigned long long number)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%llu", number);

	append(html, digits, (size_t)len);
}

static void
append_signed(struct html *html, int number)
{
	if (number < 0)
		append(html, "-", 1);
	append_number(html,
		      number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number);
}

/* The letters of one conversion; 0: there is no such thing. */
static size_t
append_value(struct html *html, const char *at, va_list *args)
{
	if (strncmp(at, "%s", 2) == 0) {
		append_text(html, va_arg(*args, const char *));
		return 2;
	}
	if (strncmp(at, "%u", 2) == 0) {
		append_number(html, va_arg(*args, unsigned));
		return 2;
	}
	if (strncmp(at, "%d", 2) == 0) {
		append_signed(html, va_arg(*args, int));
		return 2;
	}
	if (strncmp(at, "%llu", 4) == 0) {
		append_number(html, va_arg(*args, unsigned long long));
		return 4;
	}
	if (strncmp(at, "%%", 2) == 0) {
		append(html, "%", 1);
		return 2;
	}
	return 0;
}

void
html_write(struct html *html, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	while (*format != '\0' && html->failed == 0) {
		size_t len = strcspn(format, "%");

		append(html, format, len);
		format += len;
		if (*format == '\0')
			break;
		len = append_value(html, format, &args);
		if (len == 0)
			html->failed =
				seal_fail(html->err, SEAL_E_BUG, "a format of HTML: %s", format);
		format += len;
	}
	va_end(args);
}

/* ---- Times ---- */

static bool
break_down(int64_t time, struct tm *ret_tm)
{
	time_t at = (time_t)time;

	return time > 0 && gmtime_r(&at, ret_tm) != NULL;
}

void
html_format_time(char out[static HTML_TIME_MAX], int64_t time)
{
	struct tm tm;

	if (!break_down(time, &tm) || strftime(out, HTML_TIME_MAX, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		(void)snprintf(out, HTML_TIME_MAX, "never");
}

/* For programs. */
static void
format_exactly(char out[static HTML_TIME_MAX], int64_t time)
{
	struct tm tm;

	if (!break_down(time, &tm) || strftime(out, HTML_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}

void
html_format_span(char out[static HTML_TIME_MAX], uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 365 * 86400, "year" },
		      { 86400, "day" },
		      { 3600, "hour" },
		      { 60, "minute" },
		      { 1, "second" } };
	size_t i = 0;
	uint64_t count;

	/* "13 months" says more as days, and "1 day" as hours. */
	while (i < SEAL_COUNT(units) - 1 && seconds < 2 * units[i].seconds)
		i++;
	count = seconds / units[i].seconds;
	(void)snprintf(out, HTML_TIME_MAX, "%llu %s%s", (unsigned long long)count, units[i].name,
		       count == 1 ? "" : "s");
}

void
html_time(struct html *html, int64_t time, int64_t now)
{
	char text[HTML_TIME_MAX], iso[HTML_TIME_MAX], span[HTML_TIME_MAX];

	if (time <= 0) {
		html_put(html, "never");
		return;
	}
	html_format_time(text, time);
	format_exactly(iso, time);
	if (time >= now) {
		html_format_span(span, (uint64_t)(time - now));
		html_put(html, "<time datetime=\"%s\" title=\"%s\">in %s</time>", iso, text, span);
	} else {
		html_format_span(span, (uint64_t)(now - time));
		html_put(html, "<time datetime=\"%s\" title=\"%s\">%s ago</time>", iso, text, span);
	}
}
