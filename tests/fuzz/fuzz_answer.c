/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/http: the parser of answers.  An answer, cut in three ways, must come to the same end; and what is
 * accepted must keep the promises that callers build on.  The first byte says whether a length is needed.
 */
#include <assert.h>
#include <string.h>

#include "base/http/http_internal.h"

#define MAX_BODY 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a caller may rely on. */
static void
check_promises(const struct http_answer_parse *parse, const uint8_t *data, size_t size)
{
	bool is_bare = parse->status == 204 || parse->status == 304;

	assert(parse->status >= 200 && parse->status <= 599);
	assert(parse->head.len <= HTTP_ANSWER_HEAD_MAX && parse->head.line.data == NULL);
	assert(parse->head.len + parse->body.len == size && parse->body.len <= MAX_BODY);
	assert(memcmp(data, "HTTP/1.1 ", 9) == 0);
	assert(memcmp(data + parse->head.len - 4, "\r\n\r\n", 4) == 0);
	assert(!parse->has_length || parse->length == parse->body.len);
	assert(!is_bare || parse->body.len == 0);
	assert(is_bare || parse->has_length || !parse->needs_length);
	if (parse->body.len > 0)
		assert(memcmp(data + parse->head.len, parse->body.data, parse->body.len) == 0);
}

/* 0, or why the answer and its end were refused. */
static int
parse_pieces(struct http_answer_parse *parse, bool needs_length, const uint8_t *data, size_t size,
	     size_t piece)
{
	int r = 0;

	http_answer_init(parse, MAX_BODY, needs_length);
	for (size_t at = 0; r == 0 && at < size; at += piece)
		r = http_answer_feed(parse, data + at, size - at < piece ? size - at : piece, NULL);
	assert((r < 0) == (parse->stage == HTTP_ANSWER_BAD));
	if (r == 0)
		r = http_answer_end(parse, NULL);
	assert((r == 0) == (parse->stage == HTTP_ANSWER_DONE));
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool needs_length = size > 0 && data[0] % 2 == 1;
	size_t pieces[] = { 1, size > 0 ? 2 + data[0] % 61u : 2 };
	struct http_answer_parse whole;
	int r;

	if (size > 0) {
		data++;
		size--;
	}
	r = parse_pieces(&whole, needs_length, data, size, size + 1);
	if (r == 0)
		check_promises(&whole, data, size);
	for (size_t i = 0; i < SEAL_COUNT(pieces); i++) {
		struct http_answer_parse cut;

		assert(parse_pieces(&cut, needs_length, data, size, pieces[i]) == r);
		assert(r < 0 || (cut.status == whole.status && cut.body.len == whole.body.len));
		http_answer_release(&cut);
	}
	http_answer_release(&whole);
	return 0;
}
