/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/http: the parser.  A stream of requests, cut in three ways, must come to the same end; and what
 * is accepted must keep the promises that handlers build on.
 */
#include <assert.h>
#include <string.h>

#include "base/http/http_internal.h"

#define MAX_BODY 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
	for (; *text != '\0'; text++)
		assert(*text >= 0x20 && *text <= 0x7e);
}

/* What a handler may rely on. */
static void
check_promises(const struct http_parse *parse, const uint8_t *data, size_t used)
{
	const char *path = parse->target.path;

	assert(used >= parse->head.len && parse->head.len <= SEAL_HTTP_HEAD_MAX);
	assert(used - parse->head.len == parse->body.len);
	assert(parse->body.len == parse->length && parse->length <= MAX_BODY);
	assert(memcmp(data + parse->head.len - 4, "\r\n\r\n", 4) == 0);
	if (parse->body.len > 0)
		assert(memcmp(data + parse->head.len, parse->body.data, parse->body.len) == 0);
	assert(strspn(parse->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(parse->method));
	assert(parse->method[0] != '\0' && path[0] == '/');
	check_text(path);
	assert(strstr(path, "//") == NULL && strstr(path, "/./") == NULL &&
	       strstr(path, "/../") == NULL);
	for (size_t i = 0; i < parse->target.param_count; i++) {
		assert(parse->target.params[i].name[0] != '\0');
		check_text(parse->target.params[i].name);
		check_text(parse->target.params[i].value);
	}
}

/* Parse one request from pieces; returns how much of data it took. */
static size_t
parse_pieces(struct http_parse *parse, const uint8_t *data, size_t size, size_t piece)
{
	size_t used = 0;

	http_parse_init(parse, MAX_BODY);
	while (used < size && parse->stage < HTTP_STAGE_DONE) {
		size_t some = size - used < piece ? size - used : piece;
		size_t taken = http_parse_feed(parse, data + used, some);

		assert(taken <= some);
		assert(taken == some || parse->stage >= HTTP_STAGE_DONE);
		used += taken;
	}
	return used;
}

static void
check_same(const struct http_parse *a, const struct http_parse *b)
{
	assert(a->stage == b->stage && a->status == b->status);
	if (a->stage != HTTP_STAGE_DONE)
		return;
	assert(strcmp(a->method, b->method) == 0);
	assert(strcmp(a->target.path, b->target.path) == 0);
	assert(a->target.param_count == b->target.param_count);
	assert(a->body.len == b->body.len && a->wants_close == b->wants_close);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t pieces[] = { 1, size > 0 ? 2 + data[0] % 61u : 2 };
	struct http_parse whole;
	size_t used;
	bool done;

	do {
		used = parse_pieces(&whole, data, size, size + 1);
		done = whole.stage == HTTP_STAGE_DONE;
		if (done)
			check_promises(&whole, data, used);
		for (size_t i = 0; i < SEAL_COUNT(pieces); i++) {
			struct http_parse cut;
			size_t used_cut = parse_pieces(&cut, data, size, pieces[i]);

			check_same(&whole, &cut);
			assert(!done || used == used_cut);
			http_parse_release(&cut);
		}
		http_parse_release(&whole);
		data += used;
		size -= used;
	} while (done && size > 0);
	return 0;
}
