/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of one document become nodes.  A stack of our own keeps what is open, so that depth costs no
 * recursion and the parse stops where a limit is met; an alias becomes a copy of what it names, counted
 * before it is made.
 */
#include "base/yaml/tree_build.h"

#include <assert.h>
#include <search.h>
#include <string.h>

#define CORE "tag:yaml.org,2002:"
/* Neither tags nor aliases are quoted: a secret without quotes may look like one. */
#define TAG_REFUSED "a tag that is not supported: text that begins with ! needs quotes"

struct anchor {
	const char *name;
	struct seal_tree_node *node;
};

static int
compare_anchors(const void *a, const void *b)
{
	return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

static void
free_nothing(void *anchor)
{
	(void)anchor; /* it belongs to the document */
}

void
tree_build_init(struct tree_build *build, struct seal_tree *tree)
{
	build->tree = tree;
	build->depth = 0;
	build->anchors = NULL;
	build->is_json = true;
}

void
tree_build_release(struct tree_build *build)
{
	tdestroy(build->anchors, free_nothing);
	build->anchors = NULL;
}

#define fail(build, mark, err, code, ...)                                                          \
	tree_fail_at((build)->tree->name, (mark), (err), (code), __VA_ARGS__)

/* ---- Limits ---- */

static int
count_text(struct tree_build *build, size_t len, const yaml_mark_t *mark, struct seal_err *err)
{
	build->tree->text_len += len; /* each is below the limit, so it cannot wrap */
	if (build->tree->text_len > SEAL_TREE_MAX_LEN)
		return fail(build, mark, err, SEAL_E_LIMIT,
			    "more than %u bytes, what aliases stand for counted each time",
			    SEAL_TREE_MAX_LEN);
	return 0;
}

static int
new_node(struct tree_build *build, enum seal_tree_kind kind, const yaml_mark_t *mark,
	 struct seal_tree_node **ret_node, struct seal_err *err)
{
	struct seal_tree_node *node;

	if (build->tree->node_count >= SEAL_TREE_MAX_NODES)
		return fail(build, mark, err, SEAL_E_LIMIT, "more than %d values in a document",
			    SEAL_TREE_MAX_NODES);
	node = tree_new_node(build->tree, kind);
	if (node == NULL)
		return seal_fail_memory(err);
	node->line = (uint32_t)mark->line + 1; /* the text is shorter than that */
	node->column = (uint32_t)mark->column + 1;
	*ret_node = node;
	return 0;
}

static int
check_depth(const struct tree_build *build, size_t depth, const yaml_mark_t *mark,
	    struct seal_err *err)
{
	if (depth < SEAL_TREE_MAX_DEPTH)
		return 0;
	return fail(build, mark, err, SEAL_E_LIMIT, "deeper than %d levels", SEAL_TREE_MAX_DEPTH);
}

/* ---- Places ---- */

static bool
is_key_next(const struct tree_build *build)
{
	const struct tree_frame *top = &build->frames[build->depth - (build->depth > 0)];

	return build->depth > 0 && top->node->kind == SEAL_TREE_MAP && top->key == NULL;
}

/* Give a node its place: the root, or the next in the innermost list or map. */
static void
place(struct tree_build *build, struct seal_tree_node *node)
{
	struct tree_frame *top;

	if (build->depth == 0) {
		build->tree->root = node;
		return;
	}
	top = &build->frames[build->depth - 1];
	if (top->node->kind == SEAL_TREE_MAP) {
		node->key = top->key;
		node->key_style = top->key_style;
		node->key_kind = top->key_kind;
		top->key = NULL;
	}
	tree_append(top->node, node);
}

/* ---- Anchors and aliases ---- */

static int
keep_anchor(struct tree_build *build, const yaml_char_t *name, struct seal_tree_node *node,
	    struct seal_err *err)
{
	const struct anchor **found;
	struct anchor *anchor;

	if (name == NULL)
		return 0;
	build->is_json = false;
	anchor = tree_new_room(build->tree, sizeof(*anchor));
	if (anchor == NULL)
		return seal_fail_memory(err);
	anchor->node = node;
	anchor->name = tree_new_text(build->tree, (const char *)name, strlen((const char *)name));
	if (anchor->name == NULL)
		return seal_fail_memory(err);
	found = tsearch(anchor, &build->anchors, compare_anchors);
	if (found == NULL)
		return seal_fail_memory(err);
	*found = anchor; /* a later one takes the name over */
	return 0;
}

static bool
is_open(const struct tree_build *build, const struct seal_tree_node *node)
{
	for (size_t i = 0; i < build->depth; i++) {
		if (build->frames[i].node == node)
			return true;
	}
	return false;
}

static int
find_anchor(const struct tree_build *build, const yaml_event_t *event,
	    const struct seal_tree_node **ret_node, struct seal_err *err)
{
	struct anchor wanted = { .name = (const char *)event->data.alias.anchor };
	struct anchor **found = tfind(&wanted, &build->anchors, compare_anchors);

	if (found == NULL)
		return fail(build, &event->start_mark, err, SEAL_E_FORMAT,
			    "an alias that names nothing: text that begins with * needs quotes");
	if (is_open(build, (*found)->node))
		return fail(build, &event->start_mark, err, SEAL_E_FORMAT,
			    "an alias that lies inside what it names");
	*ret_node = (*found)->node;
	return 0;
}

/* Recursive as deep as the limit; texts are shared, since they never change. */
static int
copy_node(struct tree_build *build, const struct seal_tree_node *from, size_t depth,
	  const yaml_mark_t *mark, struct seal_tree_node **ret_node, struct seal_err *err)
{
	struct seal_tree_node *node = NULL, *child = NULL;
	int r = new_node(build, (enum seal_tree_kind)from->kind, mark, &node, err);

	if (r < 0 || node == NULL)
		return r;
	node->line = from->line;
	node->column = from->column;
	node->style = from->style;
	*ret_node = node;
	if (!tree_is_parent(from)) {
		node->text = from->text;
		node->len = from->len;
		return count_text(build, from->len, mark, err);
	}
	r = check_depth(build, depth, mark, err);
	for (const struct seal_tree_node *at = seal_tree_first(from); at != NULL && r == 0;
	     at = seal_tree_next_of(at)) {
		r = copy_node(build, at, depth + 1, mark, &child, err);
		if (r < 0 || child == NULL)
			return r;
		child->key = at->key;
		child->key_style = at->key_style;
		child->key_kind = at->key_kind;
		tree_append(node, child);
		if (at->key != NULL)
			r = count_text(build, strlen(at->key), mark, err);
	}
	return r;
}

/* ---- Keys ---- */

/* A number or boolean as a key: what all readers turn into the same string. */
static bool
is_sure_key(const struct seal_tree_node *scalar)
{
	if (scalar->kind == SEAL_TREE_NUMBER)
		return tree_is_canonical_number(scalar->text, scalar->len);
	return strcmp(scalar->text, "true") == 0 || strcmp(scalar->text, "false") == 0;
}

/* To Kubernetes' tools, alone, a lone y is the key "true": quotes make it one thing to all. */
static enum tree_style
key_style(const struct seal_tree_node *scalar)
{
	bool is_letter = scalar->len == 1 && strchr("yYnN", scalar->text[0]) != NULL;

	return is_letter || scalar->kind == SEAL_TREE_NUMBER || scalar->kind == SEAL_TREE_BOOL
		       ? TREE_QUOTED
		       : scalar->style;
}

static int
set_key(struct tree_build *build, const struct seal_tree_node *scalar, const yaml_mark_t *mark,
	struct seal_err *err)
{
	struct tree_frame *top = &build->frames[build->depth - 1];

	switch ((enum seal_tree_kind)scalar->kind) {
	case SEAL_TREE_STRING:
	case SEAL_TREE_TIME:
		if (memchr(scalar->text, '\0', scalar->len) != NULL)
			return fail(build, mark, err, SEAL_E_FORMAT, "a key with a NUL inside");
		break;
	case SEAL_TREE_NUMBER:
	case SEAL_TREE_BOOL:
		if (!is_sure_key(scalar))
			return fail(build, mark, err, SEAL_E_FORMAT,
				    "readers differ on key '%.64s': put it in quotes",
				    scalar->text);
		break;
	default:
		return fail(build, mark, err, SEAL_E_FORMAT, "a key that is no string but %s",
			    seal_tree_kind_name(scalar->kind));
	}
	top->key = scalar->text;
	top->key_kind = scalar->kind == SEAL_TREE_TIME ? SEAL_TREE_STRING : scalar->kind;
	top->key_style = key_style(scalar);
	return 0;
}

static bool
is_merge(const yaml_event_t *event)
{
	const char *tag = (const char *)event->data.scalar.tag;

	return event->data.scalar.length == 2 && memcmp(event->data.scalar.value, "<<", 2) == 0 &&
	       (tag == NULL ? event->data.scalar.plain_implicit : strcmp(tag, CORE "merge") == 0);
}

/* ---- Scalars ---- */

struct core_tag {
	const char *name;
	enum tree_type type;
};

static const struct core_tag core_tags[] = {
	{ CORE "int", TREE_T_INT },   { CORE "float", TREE_T_FLOAT },
	{ CORE "bool", TREE_T_BOOL }, { CORE "null", TREE_T_NULL },
	{ CORE "str", TREE_T_STR },   { CORE "timestamp", TREE_T_TIME },
};

static int
decode_binary(struct tree_build *build, struct seal_tree_node *node, const yaml_mark_t *mark,
	      struct seal_err *err)
{
	char *bytes = tree_new_room(build->tree, node->len / 4 * 3 + 4);
	size_t len = 0;

	if (bytes == NULL)
		return seal_fail_memory(err);
	if (!tree_base64_decode(node->text, node->len, bytes, &len))
		return fail(build, mark, err, SEAL_E_FORMAT, "!!binary is not base64");
	bytes[len] = '\0';
	node->kind = SEAL_TREE_BINARY;
	node->style = TREE_QUOTED;
	node->text = bytes;
	node->len = (uint32_t)len;
	return 0;
}

/* An explicit type must be what the text would be anyway; an integer is a float too. */
static int
apply_tag(struct tree_build *build, const char *tag, struct seal_tree_node *node,
	  const yaml_mark_t *mark, struct seal_err *err)
{
	enum tree_type is = tree_resolve(node->text, node->len);

	if (strcmp(tag, CORE "binary") == 0)
		return decode_binary(build, node, mark, err);
	for (size_t i = 0; i < SEAL_COUNT(core_tags); i++) {
		enum tree_type wanted = core_tags[i].type;

		if (strcmp(tag, core_tags[i].name) != 0)
			continue;
		if (wanted == TREE_T_STR)
			return 0; /* as it is, and quoted from now on */
		if (wanted != is && !(wanted == TREE_T_FLOAT && is == TREE_T_INT))
			return fail(build, mark, err, SEAL_E_FORMAT, "this is no !!%s",
				    tag + strlen(CORE));
		node->kind = tree_kind_of(is);
		node->style = TREE_PLAIN;
		return 0;
	}
	return fail(build, mark, err, SEAL_E_FORMAT, TAG_REFUSED);
}

static bool
is_json_scalar(const struct tree_build *build, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (event->data.scalar.tag != NULL || event->data.scalar.anchor != NULL)
		return false;
	if (event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE)
		return !event->data.scalar.plain_implicit &&
		       (!is_key_next(build) || tree_quoted_len(text, len) <= TREE_SIMPLE_KEY_MAX);
	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_key_next(build) &&
	       tree_is_json_literal(text, len);
}

/* What the node says: its text and what that means. */
static int
fill_scalar(struct tree_build *build, const yaml_event_t *event, struct seal_tree_node *node,
	    struct seal_err *err)
{
	const char *text = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	size_t len = event->data.scalar.length;
	int r = count_text(build, len, &event->start_mark, err);

	if (r < 0)
		return r;
	build->is_json = build->is_json && is_json_scalar(build, event);
	node->text = tree_new_text(build->tree, text, len);
	node->len = (uint32_t)len;
	if (node->text == NULL)
		return seal_fail_memory(err);
	if (tag != NULL)
		return apply_tag(build, tag, node, &event->start_mark, err);
	if (event->data.scalar.plain_implicit) {
		node->kind = tree_kind_of(tree_resolve(text, len));
		node->style = TREE_PLAIN;
	}
	return 0;
}

static int
on_key(struct tree_build *build, const yaml_event_t *event, struct seal_err *err)
{
	struct seal_tree_node key = { .kind = SEAL_TREE_STRING }, *named = &key;
	const yaml_mark_t *mark = &event->start_mark;
	int r = 0;

	if (is_merge(event)) {
		build->is_json = false;
		build->frames[build->depth - 1].key = tree_merge_key;
		build->frames[build->depth - 1].key_kind = SEAL_TREE_STRING;
		return 0;
	}
	if (event->data.scalar.anchor != NULL) /* it may be named later: it must stay */
		r = new_node(build, SEAL_TREE_STRING, mark, &named, err);
	if (r == 0)
		r = fill_scalar(build, event, named, err);
	if (r == 0)
		r = keep_anchor(build, event->data.scalar.anchor, named, err);
	return r < 0 ? r : set_key(build, named, mark, err);
}

static int
on_scalar(struct tree_build *build, const yaml_event_t *event, struct seal_err *err)
{
	struct seal_tree_node *node = NULL;
	int r;

	if (is_key_next(build))
		return on_key(build, event, err);
	r = new_node(build, SEAL_TREE_STRING, &event->start_mark, &node, err);
	if (r == 0)
		r = fill_scalar(build, event, node, err);
	if (r == 0)
		r = keep_anchor(build, event->data.scalar.anchor, node, err);
	if (r == 0)
		place(build, node);
	return r;
}

static int
on_alias(struct tree_build *build, const yaml_event_t *event, struct seal_err *err)
{
	const struct seal_tree_node *named = NULL;
	struct seal_tree_node *node = NULL;
	int r = find_anchor(build, event, &named, err);

	build->is_json = false;
	if (r == 0 && is_key_next(build)) {
		r = count_text(build, named->len, &event->start_mark, err);
		return r < 0 ? r : set_key(build, named, &event->start_mark, err);
	}
	if (r == 0)
		r = copy_node(build, named, build->depth, &event->start_mark, &node, err);
	if (r == 0)
		place(build, node);
	return r;
}

/* ---- Lists and maps ---- */

static int
on_open(struct tree_build *build, enum seal_tree_kind kind, const yaml_event_t *event,
	const yaml_char_t *tag, const yaml_char_t *anchor, struct seal_err *err)
{
	const char *own = kind == SEAL_TREE_MAP ? CORE "map" : CORE "seq";
	struct seal_tree_node *node = NULL;
	int r = check_depth(build, build->depth, &event->start_mark, err);

	if (r == 0 && is_key_next(build))
		r = fail(build, &event->start_mark, err, SEAL_E_FORMAT,
			 "a key that is no string but %s", seal_tree_kind_name(kind));
	if (r == 0 && tag != NULL && strcmp((const char *)tag, own) != 0)
		r = fail(build, &event->start_mark, err, SEAL_E_FORMAT, TAG_REFUSED);
	if (r == 0)
		r = new_node(build, kind, &event->start_mark, &node, err);
	if (r == 0)
		r = keep_anchor(build, anchor, node, err);
	if (r < 0)
		return r;
	build->is_json = build->is_json && tag == NULL;
	place(build, node);
	build->frames[build->depth++] = (struct tree_frame){ .node = node };
	return 0;
}

static int
on_close(struct tree_build *build, struct seal_err *err)
{
	struct seal_tree_node *node;

	assert(build->depth > 0); /* the library closes only what it opened */
	node = build->frames[--build->depth].node;
	return node->kind == SEAL_TREE_MAP ? tree_finish_map(build->tree, node, err) : 0;
}

int
tree_build_event(struct tree_build *build, const yaml_event_t *event, struct seal_err *err)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(build, event, err);
	case YAML_ALIAS_EVENT:
		return on_alias(build, event, err);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.style != YAML_FLOW_SEQUENCE_STYLE)
			build->is_json = false;
		return on_open(build, SEAL_TREE_LIST, event, event->data.sequence_start.tag,
			       event->data.sequence_start.anchor, err);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.style != YAML_FLOW_MAPPING_STYLE)
			build->is_json = false;
		return on_open(build, SEAL_TREE_MAP, event, event->data.mapping_start.tag,
			       event->data.mapping_start.anchor, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(build, err);
	default:
		return seal_fail(err, SEAL_E_BUG, "an event outside of its place");
	}
}

/* Nothing behind "---" is a document without a root. */
void
tree_build_finish(struct tree_build *build)
{
	struct seal_tree *tree = build->tree;

	if (seal_tree_kind(tree->root) == SEAL_TREE_NULL && tree->root != NULL &&
	    tree->root->len == 0)
		tree->root = NULL;
	tree->is_json = build->is_json && tree_is_parent(tree->root);
}
