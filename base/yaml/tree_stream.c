/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of documents: where each begins and ends in the text, byte for byte.  The library counts
 * characters, so a cursor walks the bytes beside it.  A document begins where the one before it ended: at its
 * "---" line, or behind the "..." line of the one before; what stands in front of the first belongs to the
 * first, and what comes after the last to the last.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml/tree_build.h"
#include "base/yaml/tree_pairs.h"

#define BOM     "\xef\xbb\xbf"
#define BOM_LEN 3
/* Each costs the library a look at all before it. */
#define TAG_DIRECTIVES_MAX 100

struct seal_tree_stream {
	char *name;
	const char *text;
	size_t len;
	size_t bom_len;
	struct tree_pairs pairs; /* what the library reads instead, behind the byte order mark */
	yaml_parser_t parser;
	yaml_event_t held; /* the start of the next document, or the end of the stream */
	size_t char_at;    /* the cursor: so many characters are so many bytes of what is read */
	size_t byte_at;
	size_t begin; /* of the next document, in bytes of the text */
	size_t document_count;
	int failed;
};

int
tree_err_at(const char *name, const yaml_mark_t *mark, struct seal_err *err, enum seal_code code,
	    const char *fmt, ...)
{
	char what[SEAL_ERR_TEXT_LEN];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(what, sizeof(what), fmt, args) < 0)
		what[0] = '\0';
	va_end(args);
	return seal_fail(err, code, "%.128s:%zu:%zu: %s", name, mark->line + 1, mark->column + 1,
			 what);
}

/* What the library reads. */
static const char *
input_of(const struct seal_tree_stream *stream, size_t *ret_len)
{
	bool is_own = stream->pairs.text != NULL;

	*ret_len = is_own ? stream->pairs.len : stream->len - stream->bom_len;
	return is_own ? stream->pairs.text : stream->text + stream->bom_len;
}

/* The library reads ahead of what it has understood, so its mark is not the place of a bad byte. */
static yaml_mark_t
find_bad_byte(const struct seal_tree_stream *stream)
{
	size_t len = 0;
	const char *text = input_of(stream, &len);
	yaml_mark_t mark = { 0 };

	for (size_t at = 0; at < len && at < stream->parser.problem_offset; at++) {
		if (text[at] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)text[at] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* The library's sentences are fixed and quote nothing. */
static int
fail_parser(const struct seal_tree_stream *stream, struct seal_err *err)
{
	const yaml_parser_t *parser = &stream->parser;
	const char *problem = parser->problem == NULL ? "not valid YAML" : parser->problem;
	yaml_mark_t mark = parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return seal_fail_memory(err);
	if (parser->error == YAML_READER_ERROR)
		mark = find_bad_byte(stream);
	if (parser->error == YAML_READER_ERROR || parser->context == NULL)
		return tree_fail_at(stream->name, &mark, err, SEAL_E_FORMAT, "%s", problem);
	return tree_fail_at(stream->name, &mark, err, SEAL_E_FORMAT, "%s, %s", problem,
			    parser->context);
}

static int
next_event(struct seal_tree_stream *stream, yaml_event_t *event, struct seal_err *err)
{
	return yaml_parser_parse(&stream->parser, event) ? 0 : fail_parser(stream, err);
}

/* The byte of the text at which the character begins; the marks of documents only grow. */
static size_t
find_byte(struct seal_tree_stream *stream, size_t index)
{
	size_t len = 0;
	const char *input = input_of(stream, &len);

	while (stream->byte_at < len) {
		if (((unsigned char)input[stream->byte_at] & 0xc0) != 0x80) {
			if (stream->char_at == index)
				break;
			stream->char_at++;
		}
		stream->byte_at++;
	}
	return stream->bom_len + tree_pairs_find(&stream->pairs, stream->byte_at);
}

/* Behind the next line break; CR, LF, both, or one of Unicode's three. */
static size_t
find_line_end(const struct seal_tree_stream *stream, size_t at)
{
	const char *text = stream->text;

	for (; at < stream->len; at++) {
		size_t left = stream->len - at;

		if (text[at] == '\n')
			return at + 1;
		if (text[at] == '\r')
			return at + (left > 1 && text[at + 1] == '\n' ? 2 : 1);
		if (left > 1 && memcmp(text + at, "\xc2\x85", 2) == 0)
			return at + 2;
		if (left > 2 && (memcmp(text + at, "\xe2\x80\xa8", 3) == 0 ||
				 memcmp(text + at, "\xe2\x80\xa9", 3) == 0))
			return at + 3;
	}
	return at;
}

/* ---- One document ---- */

/* All events up to the document's end, which is *ret_end. */
static int
read_content(struct seal_tree_stream *stream, struct tree_build *build, yaml_event_t *ret_end,
	     struct seal_err *err)
{
	for (;;) {
		yaml_event_t event = { 0 };
		int r = next_event(stream, &event, err);

		if (r < 0)
			return r;
		if (event.type == YAML_DOCUMENT_END_EVENT) {
			*ret_end = event; /* owns nothing */
			return 0;
		}
		r = tree_build_event(build, &event, err);
		if (event.type == YAML_SCALAR_EVENT)
			explicit_bzero(event.data.scalar.value, event.data.scalar.length);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	}
}

static int
check_start(struct seal_tree_stream *stream, size_t at, struct seal_err *err)
{
	bool has_separator = stream->held.type == YAML_DOCUMENT_START_EVENT &&
			     !stream->held.data.document_start.implicit;

	if (!has_separator || (stream->len - at >= 1 && stream->text[at] == '%') ||
	    (stream->len - at >= 3 && memcmp(stream->text + at, "---", 3) == 0))
		return 0;
	return seal_fail(err, SEAL_E_BUG, "%.128s: lost the place of a document", stream->name);
}

/* Where the document ends and the next begins, which the next event tells. */
static int
find_end(struct seal_tree_stream *stream, const yaml_event_t *end, size_t *ret_at,
	 struct seal_err *err)
{
	size_t at = stream->len, next;
	int r;

	if (!end->data.document_end.implicit)
		at = find_line_end(stream, find_byte(stream, end->end_mark.index));
	yaml_event_delete(&stream->held);
	r = next_event(stream, &stream->held, err);
	if (r < 0)
		return r;
	if (stream->held.type == YAML_STREAM_END_EVENT) {
		*ret_at = stream->len;
		return 0;
	}
	next = find_byte(stream, stream->held.start_mark.index);
	*ret_at = at < next ? at : next;
	return check_start(stream, next, err);
}

static int
read_document(struct seal_tree_stream *stream, struct seal_tree *tree, struct seal_err *err)
{
	SEAL_SCOPED(tree_build_release) struct tree_build build;
	yaml_event_t end = { 0 };
	size_t at = 0;
	int r;

	tree_build_init(&build, tree);
	tree->has_start = !stream->held.data.document_start.implicit;
	r = read_content(stream, &build, &end, err);
	if (r < 0)
		return r;
	tree_build_finish(&build);
	tree->has_end = !end.data.document_end.implicit;
	r = find_end(stream, &end, &at, err);
	if (r < 0)
		return r;
	tree->source = stream->text + stream->begin;
	tree->source_len = at - stream->begin;
	stream->begin = at;
	return 0;
}

/* Comments alone, or blank lines, are a document too, so that they can be copied. */
static void
take_rest(struct seal_tree_stream *stream, struct seal_tree *tree)
{
	tree->source = stream->text + stream->begin;
	tree->source_len = stream->len - stream->begin;
	stream->begin = stream->len;
}

static int
read_next(struct seal_tree_stream *stream, struct seal_tree **ret_tree, struct seal_err *err)
{
	SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;
	bool is_end = stream->held.type == YAML_STREAM_END_EVENT;
	int r = 0;

	if (is_end && (stream->document_count > 0 || stream->len == 0)) {
		*ret_tree = NULL;
		return 0;
	}
	tree = tree_new(stream->name);
	if (tree == NULL)
		return seal_fail_memory(err);
	stream->document_count++;
	if (is_end)
		take_rest(stream, tree);
	else
		r = read_document(stream, tree, err);
	if (r < 0)
		return r;
	*ret_tree = SEAL_TAKE(tree);
	return 0;
}

int
seal_tree_next(struct seal_tree_stream *stream, struct seal_tree **ret_tree, struct seal_err *err)
{
	int r;

	if (stream->failed < 0)
		return seal_fail(err, stream->failed, "%.128s: not read any further", stream->name);
	r = read_next(stream, ret_tree, err);
	stream->failed = r;
	return r;
}

/* ---- The stream ---- */

static bool
has_many_directives(const char *text, size_t len)
{
	const char *end = text + len, *at = text;
	size_t count = 0;

	while ((at = memmem(at, (size_t)(end - at), "%TAG", 4)) != NULL) {
		/* At the beginning of a line only; white space and line breaks are below '!'. */
		if (at == text || (unsigned char)at[-1] < ' ' || (unsigned char)at[-1] >= 0x80)
			count++;
		at += 4;
	}
	return count > TAG_DIRECTIVES_MAX;
}

static int
begin(struct seal_tree_stream *stream, struct seal_err *err)
{
	bool has_bom = stream->len >= BOM_LEN && memcmp(stream->text, BOM, BOM_LEN) == 0;
	yaml_event_t event = { 0 };
	const char *input;
	size_t len = 0;
	int r;

	stream->bom_len = has_bom ? BOM_LEN : 0;
	r = tree_pairs_replace(&stream->pairs, stream->text + stream->bom_len,
			       stream->len - stream->bom_len, err);
	if (r < 0)
		return seal_note(err, r, "%.128s", stream->name);
	if (!yaml_parser_initialize(&stream->parser))
		return seal_fail_memory(err);
	yaml_parser_set_encoding(&stream->parser, YAML_UTF8_ENCODING);
	input = input_of(stream, &len);
	yaml_parser_set_input_string(&stream->parser, (const unsigned char *)input, len);
	r = next_event(stream, &event, err); /* the stream's start, which owns nothing */
	if (r == 0)
		r = next_event(stream, &stream->held, err);
	return r;
}

int
seal_tree_stream_new(struct seal_tree_stream **ret_stream, const char *name, const char *text,
		     size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	int r;

	if (text_len > SEAL_TREE_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "%.128s: longer than %u bytes", name,
				 SEAL_TREE_MAX_LEN);
	if (has_many_directives(text, text_len))
		return seal_fail(err, SEAL_E_LIMIT, "%.128s: more than %d %%TAG directives", name,
				 TAG_DIRECTIVES_MAX);
	stream = calloc(1, sizeof(*stream));
	if (stream == NULL)
		return seal_fail_memory(err);
	stream->text = text;
	stream->len = text_len;
	stream->name = seal_strndup(name, strlen(name));
	if (stream->name == NULL)
		return seal_fail_memory(err);
	r = begin(stream, err);
	if (r < 0)
		return r;
	*ret_stream = SEAL_TAKE(stream);
	return 0;
}

void
seal_tree_stream_free(struct seal_tree_stream *stream)
{
	if (stream == NULL)
		return;
	yaml_event_delete(&stream->held);
	yaml_parser_delete(&stream->parser);
	tree_pairs_release(&stream->pairs);
	free(stream->name);
	free(stream);
}

void
seal_tree_stream_freep(struct seal_tree_stream **stream)
{
	seal_tree_stream_free(*stream);
	*stream = NULL;
}
