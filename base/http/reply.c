/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as bytes on a stream.  An answer leaves in one write wherever it fits the staging area, so
 * that it costs one record and one system call.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/http/http_internal.h"
#include "base/secret/secret.h"

#define ANSWER_HEAD_MAX (512 + SEAL_HTTP_HEADERS_MAX)

/* What we answer with, and the words of the fixed refusals. */
static const struct status {
	unsigned status;
	const char *phrase; /* RFC 9110 section 15 */
	const char *code;
} statuses[] = {
	{ 200, "OK", NULL },
	{ 201, "Created", NULL },
	{ 202, "Accepted", NULL },
	{ 204, "No Content", NULL },
	{ 400, "Bad Request", "invalid" },
	{ 401, "Unauthorized", NULL },
	{ 403, "Forbidden", NULL },
	{ 404, "Not Found", NULL },
	{ 405, "Method Not Allowed", NULL },
	{ 408, "Request Timeout", "timeout" },
	{ 409, "Conflict", NULL },
	{ 413, "Content Too Large", "too_large" },
	{ 415, "Unsupported Media Type", NULL },
	{ 417, "Expectation Failed", "refused" },
	{ 421, "Misdirected Request", NULL },
	{ 422, "Unprocessable Content", NULL },
	{ 429, "Too Many Requests", NULL },
	{ 431, "Request Header Fields Too Large", "too_large" },
	{ 500, "Internal Server Error", NULL },
	{ 501, "Not Implemented", "refused" },
	{ 503, "Service Unavailable", "unavailable" },
	{ 505, "HTTP Version Not Supported", "refused" },
};

static const struct status *
find_status(unsigned status)
{
	/* The phrase of a status not listed is free (RFC 9112 section 4). */
	static const struct status other = { 0, "Other", "refused" };

	for (size_t i = 0; i < SEAL_COUNT(statuses); i++) {
		if (statuses[i].status == status)
			return &statuses[i];
	}
	return &other;
}

/* IMF-fixdate (RFC 9110 section 5.6.7), whatever the locale; empty without a readable clock. */
static void
format_date(char *out, size_t size)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = (time_t)seal_clock_now();
	struct tm tm;

	out[0] = '\0';
	if (now != 0 && gmtime_r(&now, &tm) != NULL)
		(void)snprintf(out, size, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
			       days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
			       tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Append to head; *len passes size when it does not fit. */
static void SEAL_PRINTF(3, 4)
	add(char head[static ANSWER_HEAD_MAX], size_t *len, const char *fmt, ...)
{
	va_list args;
	int n;

	if (*len >= ANSWER_HEAD_MAX)
		return;
	va_start(args, fmt);
	n = vsnprintf(head + *len, ANSWER_HEAD_MAX - *len, fmt, args);
	va_end(args);
	*len = n < 0 ? ANSWER_HEAD_MAX : *len + (size_t)n;
}

static size_t
format_head(char head[static ANSWER_HEAD_MAX], const struct http_answer *answer)
{
	char date[64];
	size_t len = 0;

	format_date(date, sizeof(date));
	add(head, &len, "HTTP/1.1 %u %s\r\n%sCache-Control: no-store\r\n", answer->status,
	    find_status(answer->status)->phrase, date);
	if (answer->content_type != NULL)
		add(head, &len, "Content-Type: %s\r\n", answer->content_type);
	if (answer->status != 204) /* RFC 9110 section 8.6 */
		add(head, &len, "Content-Length: %zu\r\n", answer->body_len);
	if (answer->more != NULL)
		add(head, &len, "%s", answer->more);
	if (answer->retry_after > 0)
		add(head, &len, "Retry-After: %u\r\n", answer->retry_after);
	if (answer->headers != NULL)
		add(head, &len, "%s", answer->headers);
	add(head, &len, "%s\r\n", answer->keep_alive ? "" : "Connection: close\r\n");
	return len;
}

enum seal_io
http_answer_write(struct seal_stream *stream, struct seal_staging *staging,
		  const struct http_answer *answer)
{
	uint8_t *plain = seal_staging_plain(staging);
	bool bodyless = answer->is_head || answer->status == 204;
	size_t body_len = bodyless ? 0 : answer->body_len;
	char head[ANSWER_HEAD_MAX];
	size_t head_len = format_head(head, answer);
	enum seal_io io;

	if (head_len >= sizeof(head))
		return SEAL_IO_FAIL; /* a content type of that length is our own mistake */
	if (body_len > SEAL_STAGING_LEN - head_len) {
		if (seal_stream_write(stream, head, head_len, NULL) == SEAL_IO_FAIL)
			return SEAL_IO_FAIL;
		return seal_stream_write(stream, answer->body, body_len, NULL);
	}
	if (body_len > 0)
		memmove(plain + head_len, answer->body, body_len); /* it may lie in there */
	memcpy(plain, head, head_len);
	io = seal_stream_write(stream, plain, head_len + body_len, NULL);
	seal_wipe(plain, head_len + body_len); /* it may have been keys */
	return io;
}

enum seal_io
http_refusal_write(struct seal_stream *stream, struct seal_staging *staging, unsigned status,
		   const char *headers)
{
	const struct status *words = find_status(status);
	char body[128];
	int len = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n",
			   words->code != NULL ? words->code : "refused", words->phrase);
	struct http_answer answer = { .status = status,
				      .content_type = "application/json",
				      .headers = headers,
				      .body = body,
				      .body_len = (size_t)len };

	return http_answer_write(stream, staging, &answer);
}
