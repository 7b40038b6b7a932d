/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads YAML: one document becomes one tree of lists, maps with distinct string keys, and
 * scalars that know how they were written; everything clever in the language (aliases, tags, merge
 * keys, several documents) is refused.  The tree is built from the library's events with a stack of
 * our own, so depth costs no recursion and the parse stops where a limit is met.
 */

#include "base/yaml/yaml_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <yaml.h>

/* A value takes at least two bytes of text but a hundred of memory: bounds what a text can cost. */
#define NODE_COUNT_MAX (1024u * 1024)
#define CORE_TAG       "tag:yaml.org,2002:"

/* A list or map whose end has not come yet, and where its items begin among those waiting. */
struct open_node {
	struct seal_yaml_node *node;
	size_t first;
};

struct build {
	yaml_parser_t parser;
	struct seal_yaml *yaml;
	struct open_node open[SEAL_YAML_MAX_DEPTH];
	size_t depth;
	const struct seal_yaml_node **waiting; /* finished items of unfinished nodes */
	size_t waiting_count;
	size_t waiting_cap;
	size_t node_count;
	size_t document_count;
	bool ended;
};

static void
release_build(struct build *build)
{
	yaml_parser_delete(&build->parser);
	free(build->waiting);
	seal_yaml_free(build->yaml);
}

#define fail_at(yaml, mark, code, err, ...)                                                        \
	seal_negative(put_at((yaml), (mark), (code), (err), __VA_ARGS__))

static int SEAL_PRINTF(5, 6) put_at(const struct seal_yaml *yaml, const yaml_mark_t *mark,
				    enum seal_code code, struct seal_err *err, const char *fmt, ...)
{
	char what[SEAL_ERR_TEXT_LEN];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return seal_fail(err, code, "%s:%zu:%zu: %s", yaml->name, mark->line + 1, mark->column + 1,
			 what);
}

/* The library's sentences are fixed and quote nothing. */
static int
fail_parser(const struct build *build, struct seal_err *err)
{
	const yaml_parser_t *parser = &build->parser;
	const char *problem = parser->problem == NULL ? "not valid YAML" : parser->problem;

	if (parser->error == YAML_MEMORY_ERROR)
		return seal_fail_memory(err);
	if (parser->error == YAML_READER_ERROR)
		return fail_at(build->yaml, &parser->mark, SEAL_E_FORMAT, err, "%s", problem);
	return fail_at(build->yaml, &parser->problem_mark, SEAL_E_FORMAT, err, "%s", problem);
}

static int
new_node(struct build *build, enum seal_yaml_kind kind, const yaml_mark_t *mark,
	 struct seal_yaml_node **ret_node, struct seal_err *err)
{
	struct seal_yaml_node *node;

	if (build->node_count >= NODE_COUNT_MAX)
		return fail_at(build->yaml, mark, SEAL_E_LIMIT, err, "more than %u values",
			       NODE_COUNT_MAX);
	node = calloc(1, sizeof(*node));
	if (node == NULL)
		return seal_fail_memory(err);
	node->yaml = build->yaml;
	node->kind = kind;
	node->line = mark->line + 1;
	node->column = mark->column + 1;
	node->older = build->yaml->newest;
	build->yaml->newest = node;
	build->node_count++;
	*ret_node = node;
	return 0;
}

/* In a map, keys and values come by turns. */
static bool
is_key_next(const struct build *build)
{
	const struct open_node *in;

	if (build->depth == 0)
		return false;
	in = &build->open[build->depth - 1];
	return in->node->kind == SEAL_YAML_MAP && (build->waiting_count - in->first) % 2 == 0;
}

static int
check_key(const struct seal_yaml_node *key, struct seal_err *err)
{
	if (key->kind != SEAL_YAML_SCALAR || (key->is_plain && key->len == 0))
		return seal_yaml_fail(key, err, "a key that is no string");
	if (memchr(key->text, '\0', key->len) != NULL)
		return seal_yaml_fail(key, err, "a key with a NUL inside");
	if (key->is_plain && strcmp(key->text, "<<") == 0)
		return seal_yaml_fail(key, err, "merge keys are not supported");
	return 0;
}

static int
add_waiting(struct build *build, const struct seal_yaml_node *node, struct seal_err *err)
{
	if (build->waiting_count == build->waiting_cap) {
		size_t cap = build->waiting_cap == 0 ? 64 : build->waiting_cap * 2;
		const struct seal_yaml_node **bigger =
			reallocarray(build->waiting, cap, sizeof(*bigger));

		if (bigger == NULL)
			return seal_fail_memory(err);
		build->waiting = bigger;
		build->waiting_cap = cap;
	}
	build->waiting[build->waiting_count++] = node;
	return 0;
}

/* Give a node its place: the root, or an item of the innermost open one. */
static int
place(struct build *build, const struct seal_yaml_node *node, struct seal_err *err)
{
	int r;

	if (build->depth == 0) {
		build->yaml->root = node;
		return 0;
	}
	if (is_key_next(build)) {
		r = check_key(node, err);
		if (r < 0)
			return r;
	}
	return add_waiting(build, node, err);
}

static int
check_tag(const struct build *build, const yaml_mark_t *mark, const yaml_char_t *tag,
	  const char *allowed, struct seal_err *err)
{
	if (tag == NULL || strcmp((const char *)tag, allowed) == 0)
		return 0;
	return fail_at(build->yaml, mark, SEAL_E_FORMAT, err, "tags are not supported");
}

static int
on_scalar(struct build *build, yaml_event_t *event, struct seal_err *err)
{
	struct seal_yaml_node *node = NULL;
	int r;

	r = check_tag(build, &event->start_mark, event->data.scalar.tag, CORE_TAG "str", err);
	if (r < 0)
		return r;
	r = new_node(build, SEAL_YAML_SCALAR, &event->start_mark, &node, err);
	if (r < 0)
		return r;
	/* Taken over and not copied: the library would free its own without wiping. */
	node->text = (char *)event->data.scalar.value; /* NOLINT: r is 0 only with a node */
	node->len = event->data.scalar.length;
	event->data.scalar.value = NULL;
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
			 event->data.scalar.tag == NULL;
	return place(build, node, err);
}

static int
on_open(struct build *build, enum seal_yaml_kind kind, const yaml_event_t *event,
	struct seal_err *err)
{
	struct seal_yaml_node *node = NULL;
	int r;

	if (build->depth == SEAL_YAML_MAX_DEPTH)
		return fail_at(build->yaml, &event->start_mark, SEAL_E_LIMIT, err,
			       "deeper than %d levels", SEAL_YAML_MAX_DEPTH);
	r = new_node(build, kind, &event->start_mark, &node, err);
	if (r < 0)
		return r;
	r = place(build, node, err);
	if (r < 0)
		return r;
	build->open[build->depth++] = (struct open_node){ node, build->waiting_count };
	return 0;
}

struct numbered_key {
	const struct seal_yaml_node *node;
	size_t index;
};

static int
compare_keys(const void *a, const void *b)
{
	const struct numbered_key *left = a, *right = b;
	int order = strcmp(left->node->text, right->node->text);

	if (order != 0)
		return order;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* Sorted, twins lie side by side: a map of many keys must not cost their square. */
static const struct seal_yaml_node *
find_twin(const struct numbered_key *keys, size_t count)
{
	const struct numbered_key *first = NULL;

	for (size_t i = 1; i < count; i++) {
		if (strcmp(keys[i - 1].node->text, keys[i].node->text) == 0 &&
		    (first == NULL || keys[i].index < first->index))
			first = &keys[i];
	}
	return first == NULL ? NULL : first->node;
}

static int
check_distinct(const struct seal_yaml_node *map, struct seal_err *err)
{
	size_t count = map->item_count / 2;
	const struct seal_yaml_node *twin;
	struct numbered_key *keys;

	if (count < 2)
		return 0;
	keys = calloc(count, sizeof(*keys));
	if (keys == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct numbered_key){ map->items[2 * i], i };
	qsort(keys, count, sizeof(*keys), compare_keys);
	twin = find_twin(keys, count);
	free(keys);
	return twin == NULL ? 0 : seal_yaml_fail(twin, err, "key '%.64s' occurs twice", twin->text);
}

static int
on_close(struct build *build, struct seal_err *err)
{
	const struct open_node *open = &build->open[build->depth - 1];
	struct seal_yaml_node *node = open->node;
	size_t count = build->waiting_count - open->first;

	assert(build->depth > 0); /* the library closes only what it opened */
	if (count > 0) {
		node->items = calloc(count, sizeof(*node->items));
		if (node->items == NULL)
			return seal_fail_memory(err);
		memcpy(node->items, build->waiting + open->first, count * sizeof(*node->items));
		node->item_count = count;
	}
	build->waiting_count = open->first;
	build->depth--;
	return node->kind == SEAL_YAML_MAP ? check_distinct(node, err) : 0;
}

static int
on_document(struct build *build, const yaml_event_t *event, struct seal_err *err)
{
	if (build->document_count++ == 0)
		return 0;
	return fail_at(build->yaml, &event->start_mark, SEAL_E_FORMAT, err,
		       "a second document, only one is expected");
}

static int
on_event(struct build *build, yaml_event_t *event, struct seal_err *err)
{
	const yaml_mark_t *mark = &event->start_mark;
	int r;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(build, event, err);
	case YAML_SEQUENCE_START_EVENT:
		r = check_tag(build, mark, event->data.sequence_start.tag, CORE_TAG "seq", err);
		return r < 0 ? r : on_open(build, SEAL_YAML_LIST, event, err);
	case YAML_MAPPING_START_EVENT:
		r = check_tag(build, mark, event->data.mapping_start.tag, CORE_TAG "map", err);
		return r < 0 ? r : on_open(build, SEAL_YAML_MAP, event, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(build, err);
	case YAML_ALIAS_EVENT:
		return fail_at(build->yaml, mark, SEAL_E_FORMAT, err, "aliases are not supported");
	case YAML_DOCUMENT_START_EVENT:
		return on_document(build, event, err);
	case YAML_STREAM_END_EVENT:
		build->ended = true;
		return 0;
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_NO_EVENT:
		break;
	}
	return 0;
}

static int
step(struct build *build, struct seal_err *err)
{
	yaml_event_t event = { 0 };
	int r;

	if (!yaml_parser_parse(&build->parser, &event))
		return fail_parser(build, err);
	r = on_event(build, &event, err);
	yaml_event_delete(&event);
	return r;
}

/* "---" and nothing behind it is an empty document too. */
static void
forget_empty_root(struct seal_yaml *yaml)
{
	if (yaml->root != NULL && yaml->root->kind == SEAL_YAML_SCALAR && yaml->root->is_plain &&
	    yaml->root->len == 0)
		yaml->root = NULL;
}

static int
begin(struct build *build, const char *name, const char *text, size_t text_len,
      struct seal_err *err)
{
	build->yaml = calloc(1, sizeof(*build->yaml));
	if (build->yaml == NULL)
		return seal_fail_memory(err);
	build->yaml->name = seal_strndup(name, strlen(name));
	if (build->yaml->name == NULL || !yaml_parser_initialize(&build->parser))
		return seal_fail_memory(err);
	yaml_parser_set_encoding(&build->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&build->parser, (const unsigned char *)text, text_len);
	return 0;
}

int
seal_yaml_parse(struct seal_yaml **ret_yaml, const char *name, const char *text, size_t text_len,
		struct seal_err *err)
{
	SEAL_SCOPED(release_build) struct build build = { 0 };
	int r;

	if (text_len > SEAL_YAML_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "%s: longer than %u bytes", name,
				 SEAL_YAML_MAX_LEN);
	r = begin(&build, name, text, text_len, err);
	while (r == 0 && !build.ended)
		r = step(&build, err);
	if (r < 0)
		return r;
	forget_empty_root(build.yaml);
	*ret_yaml = SEAL_TAKE(build.yaml);
	return 0;
}
