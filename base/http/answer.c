/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An incremental parser for one HTTP/1.1 answer (RFC 9112).  It takes any pieces, and how the bytes were
 * cut never changes the result.  It knows nothing of sockets.  Where an answer ends must be beyond doubt:
 * a length, no body at all, or the end of the connection.
 */
#include <string.h>
#include <strings.h>

#include "base/http/http_internal.h"

void
http_answer_init(struct http_answer_parse *parse, size_t max_body, bool needs_length)
{
	*parse = (struct http_answer_parse){ .needs_length = needs_length };
	seal_bytes_init(&parse->head.line, HTTP_ANSWER_HEAD_MAX);
	seal_bytes_init(&parse->body, max_body);
}

void
http_answer_release(struct http_answer_parse *parse)
{
	seal_bytes_release(&parse->head.line);
	seal_bytes_release(&parse->body);
}

/* HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 section 4) */
static int
take_status_line(struct http_answer_parse *parse, const char *line, struct seal_err *err)
{
	static const char version[] = "HTTP/1.1 ";
	const char *digits = line + strlen(version);

	if (strncmp(line, version, strlen(version)) != 0 || strspn(digits, "0123456789") != 3 ||
	    digits[3] != ' ')
		return seal_fail(err, SEAL_E_FORMAT, "the answer is not HTTP/1.1");
	parse->status = (unsigned)(digits[0] - '0') * 100 + (unsigned)(digits[1] - '0') * 10 +
			(unsigned)(digits[2] - '0');
	if (parse->status < 200 || parse->status > 599)
		return seal_fail(err, SEAL_E_FORMAT, "answered with the status %.3s", digits);
	parse->stage = HTTP_ANSWER_HEADERS;
	return 0;
}

static int
take_header(struct http_answer_parse *parse, char *line, struct seal_err *err)
{
	const char *name;
	const char *value;

	if (++parse->header_count > HTTP_HEADERS_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the answer has more than %d headers",
				 HTTP_HEADERS_MAX);
	if (!http_header_split(line, &name, &value))
		return seal_fail(err, SEAL_E_FORMAT, "a header of the answer is malformed");
	if (strcasecmp(name, "transfer-encoding") == 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "the answer has a transfer coding (chunked), which is not spoken");
	if (strcasecmp(name, "content-length") != 0)
		return 0;
	if (parse->has_length || !http_length_parse(value, &parse->length))
		return seal_fail(err, SEAL_E_FORMAT, "the answer's length is malformed");
	parse->has_length = true;
	return 0;
}

/* RFC 9112 section 6.3: 204 and 304 have no body, and then a length is a contradiction. */
static int
end_head(struct http_answer_parse *parse, struct seal_err *err)
{
	bool is_bare = parse->status == 204 || parse->status == 304;

	seal_bytes_release(&parse->head.line);
	if (is_bare && parse->length > 0)
		return seal_fail(err, SEAL_E_FORMAT, "a body was promised with the status %u",
				 parse->status);
	if (parse->length > parse->body.max)
		return seal_fail(err, SEAL_E_LIMIT,
				 "the answer is longer than the limit of %zu bytes",
				 parse->body.max);
	if (!is_bare && !parse->has_length && parse->needs_length)
		return seal_fail(err, SEAL_E_FORMAT, "the answer does not say how long it is");
	if (is_bare || (parse->has_length && parse->length == 0))
		parse->stage = HTTP_ANSWER_DONE;
	else
		parse->stage = parse->has_length ? HTTP_ANSWER_BODY : HTTP_ANSWER_TO_END;
	return 0;
}

static int
take_line(struct http_answer_parse *parse, struct seal_err *err)
{
	char *line = (char *)parse->head.line.data;
	int r;

	if (parse->stage == HTTP_ANSWER_STATUS)
		r = take_status_line(parse, line, err);
	else if (line[0] == '\0')
		r = end_head(parse, err);
	else
		r = take_header(parse, line, err);
	seal_bytes_reset(&parse->head.line);
	return r;
}

static int
take_head_bytes(struct http_answer_parse *parse, const uint8_t *data, size_t len, size_t *ret_used,
		struct seal_err *err)
{
	switch (http_head_feed(&parse->head, data, len, ret_used)) {
	case HTTP_LINE_MORE:
		return 0;
	case HTTP_LINE_WHOLE:
		return take_line(parse, err);
	case HTTP_LINE_TOO_LONG:
		return seal_fail(err, SEAL_E_LIMIT,
				 "the answer's headers do not end within %u bytes",
				 HTTP_ANSWER_HEAD_MAX);
	case HTTP_LINE_NO_MEMORY:
		return seal_fail_memory(err);
	case HTTP_LINE_BAD:
	default:
		return seal_fail(err, SEAL_E_FORMAT, "the answer is not HTTP/1.1");
	}
}

/* The buffer grows with what has come, not with what was promised. */
static int
take_body_bytes(struct http_answer_parse *parse, const uint8_t *data, size_t len, size_t *ret_used,
		struct seal_err *err)
{
	int r;

	if (parse->stage == HTTP_ANSWER_BODY && len > parse->length - parse->body.len)
		len = (size_t)parse->length - parse->body.len;
	r = seal_bytes_append(&parse->body, data, len, err);
	if (r == SEAL_E_LIMIT)
		return seal_note(err, r, "the answer");
	if (r < 0)
		return r;
	*ret_used = len;
	if (parse->stage == HTTP_ANSWER_BODY && parse->body.len == parse->length)
		parse->stage = HTTP_ANSWER_DONE;
	return 0;
}

static int
take_bytes(struct http_answer_parse *parse, const uint8_t *data, size_t len, size_t *ret_used,
	   struct seal_err *err)
{
	switch (parse->stage) {
	case HTTP_ANSWER_STATUS:
	case HTTP_ANSWER_HEADERS:
		return take_head_bytes(parse, data, len, ret_used, err);
	case HTTP_ANSWER_BODY:
	case HTTP_ANSWER_TO_END:
		return take_body_bytes(parse, data, len, ret_used, err);
	case HTTP_ANSWER_DONE:
		return seal_fail(err, SEAL_E_FORMAT, "more came than the answer");
	case HTTP_ANSWER_BAD:
	default:
		return seal_fail(err, SEAL_E_BUG, "an answer that was refused goes on");
	}
}

int
http_answer_feed(struct http_answer_parse *parse, const uint8_t *data, size_t len,
		 struct seal_err *err)
{
	while (len > 0) {
		size_t used = 0;
		int r = take_bytes(parse, data, len, &used, err);

		if (r < 0) {
			parse->stage = HTTP_ANSWER_BAD;
			return r;
		}
		data += used;
		len -= used;
	}
	return 0;
}

int
http_answer_end(struct http_answer_parse *parse, struct seal_err *err)
{
	if (parse->stage == HTTP_ANSWER_TO_END)
		parse->stage = HTTP_ANSWER_DONE;
	if (parse->stage == HTTP_ANSWER_DONE)
		return 0;
	if (parse->stage == HTTP_ANSWER_STATUS && parse->head.len == 0)
		return seal_fail(err, SEAL_E_CLOSED, "the connection was closed without an answer");
	return seal_fail(err, SEAL_E_CLOSED, "the answer was cut short");
}
