/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over a stream: documents, lists in them, and who knows each object's kind.  Documents in which
 * nothing changes are copied byte for byte.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

enum family { FAMILY_UNKNOWN, FAMILY_OBJECT, FAMILY_POD };

/* Group and version are apart from the kind: others have a Secret and a Job, too, which are not ours. */
static enum family
family_of(const char *kind, const char *api)
{
	bool is_core = api[0] == '\0' || strcmp(api, "v1") == 0;

	if (is_core && (strcmp(kind, "ConfigMap") == 0 || strcmp(kind, "Secret") == 0))
		return FAMILY_OBJECT;
	return inject_is_pod_kind(kind, api) ? FAMILY_POD : FAMILY_UNKNOWN;
}

static int
work_on(struct inject_item *item, struct seal_err *err)
{
	bool restore = item->run->restore;
	int r = 0;

	if (item->run->visit != NULL)
		return item->run->visit(item, err);
	switch (family_of(item->kind, item->api)) {
	case FAMILY_OBJECT:
		r = restore ? inject_restore_object(item, err) : inject_object(item, err);
		break;
	case FAMILY_POD:
		r = restore ? inject_restore_pod(item, err) : inject_pod(item, err);
		break;
	default:
		r = restore ? 0 : inject_unknown(item, err);
	}
	return r;
}

/* ---- Objects and lists of them ---- */

/* What the items of a ConfigMapList are when they do not say it themselves. */
struct family_name {
	char kind[VERIFY_KIND_MAX + 1];
	const char *api;
};

static int walk_node(struct inject_run *run, struct seal_tree *tree, struct seal_tree_node *node,
		     const struct family_name *inherited, unsigned depth, bool *ret_changed,
		     struct seal_err *err);

static int
walk_list(const struct inject_item *list, struct seal_tree_node *items, unsigned depth,
	  bool *ret_changed, struct seal_err *err)
{
	struct family_name name = { .api = list->api };
	size_t len = strlen(list->kind) - strlen("List");
	int r = 0;

	if (depth >= INJECT_MAX_NESTING)
		return inject_fail(list, items, err, SEAL_E_LIMIT, "lists in lists in lists");
	if (strcmp(list->api, "v1") == 0)
		r = inject_check_shape(list, list->root, INJECT_SHAPE_LIST, err);
	(void)snprintf(name.kind, sizeof(name.kind), "%.*s", (int)len, list->kind);
	for (struct seal_tree_node *at = seal_tree_first(items); r == 0 && at != NULL;
	     at = seal_tree_next_of(at))
		r = walk_node(list->run, list->tree, at, &name, depth + 1, ret_changed, err);
	return r;
}

static bool
is_list(const char *kind)
{
	size_t len = strlen(kind);

	return len >= 4 && strcmp(kind + len - 4, "List") == 0;
}

static int
read_kind(struct inject_item *item, const struct family_name *inherited, struct seal_err *err)
{
	item->kind = inherited != NULL ? inherited->kind : "";
	item->api = inherited != NULL ? inherited->api : "";
	if (seal_tree_kind(item->root) != SEAL_TREE_MAP)
		return inject_fail(item, item->root, err, SEAL_E_FORMAT,
				   "%s where an object of Kubernetes should be",
				   seal_tree_kind_name(seal_tree_kind(item->root)));
	if (inject_member_text(item, item->root, "kind", &item->kind, err) < 0 ||
	    inject_member_text(item, item->root, "apiVersion", &item->api, err) < 0)
		return SEAL_E_FORMAT;
	if (item->kind[0] == '\0' || strlen(item->kind) > VERIFY_KIND_MAX)
		return inject_fail(item, item->root, err, SEAL_E_FORMAT,
				   "an object without a kind, or with none that Kubernetes has: is "
				   "this a manifest?");
	return 0;
}

static int
walk_node(struct inject_run *run, struct seal_tree *tree, struct seal_tree_node *node,
	  const struct family_name *inherited, unsigned depth, bool *ret_changed,
	  struct seal_err *err)
{
	struct inject_item item = { .run = run, .tree = tree, .root = node, .object = SIZE_MAX };
	struct seal_tree_node *items;
	int r = read_kind(&item, inherited, err);

	if (r < 0)
		return r;
	run->report->objects++;
	items = inject_get(node, "items");
	if (is_list(item.kind) && items != NULL && seal_tree_kind(items) == SEAL_TREE_LIST)
		return walk_list(&item, items, depth, ret_changed, err);
	r = work_on(&item, err);
	if (r == 0 && !run->restore)
		r = inject_plan_room(&item, err);
	*ret_changed = *ret_changed || item.changed;
	return r;
}

/* ---- Documents ---- */

static int
walk_document(struct inject_run *run, struct seal_tree *tree, struct seal_err *err)
{
	struct seal_tree_node *root = seal_tree_root(tree);
	bool changed = false;
	const char *source;
	size_t len = 0;
	int r = 0;

	run->report->documents++;
	if (root != NULL && run->restore)
		r = inject_open_all(run, root, err);
	if (r == 0 && root != NULL && seal_tree_kind(root) != SEAL_TREE_NULL)
		r = walk_node(run, tree, root, NULL, 0, &changed, err);
	if (r < 0)
		return r;
	if (changed) {
		run->report->changed++;
		return seal_tree_write(tree, &run->draft, err);
	}
	source = seal_tree_source(tree, &len);
	return seal_bytes_append(&run->draft, source, len, err);
}

/* What the parser says of "{{ .Values.x }}" helps nobody. */
static int
explain(int r, const char *text, size_t len, struct seal_err *err)
{
	struct seal_err told = { 0 };

	if (err == NULL || r != SEAL_E_FORMAT || memmem(text, len, "{{", 2) == NULL)
		return r;
	told = *err;
	return seal_fail(err, SEAL_E_FORMAT,
			 "%.400s: this looks like a template that was not rendered", told.text);
}

int
inject_walk(struct inject_run *run, const char *text, size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	int r = seal_tree_stream_new(&stream, run->name, text, text_len, err);

	while (r == 0) {
		SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;

		r = seal_tree_next(stream, &tree, err);
		if (r < 0)
			return explain(r, text, text_len, err);
		if (tree == NULL)
			break;
		r = walk_document(run, tree, err);
	}
	return r;
}

/* ---- Both directions ---- */

/* "---foo" is none. */
static bool
has_separator(const char *text, size_t len)
{
	return len >= 3 && memcmp(text, "---", 3) == 0 &&
	       (len == 3 || (text[3] != '\0' && strchr(" \t\r\n", text[3]) != NULL));
}

/* Where a stream ends and the next begins there must be a separator. */
static int
separate(struct inject_run *run, const struct inject_input *input, struct seal_err *err)
{
	const struct seal_bytes *draft = &run->draft;
	int r = 0;

	if (draft->len == 0)
		return 0;
	if (draft->data[draft->len - 1] != '\n')
		r = seal_bytes_append_str(&run->draft, "\n", err);
	if (r == 0 && !has_separator(input->text, input->len))
		r = seal_bytes_append_str(&run->draft, "---\n", err);
	return r;
}

static int
walk_all(struct inject_run *run, const struct inject_input *inputs, size_t input_count,
	 struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < input_count; i++) {
		struct inject_input input = inputs[i];

		run->name = input.name;
		/* A byte order mark belongs in front of all. */
		if (run->draft.len > 0 && input.len >= 3 &&
		    memcmp(input.text, "\xef\xbb\xbf", 3) == 0) {
			input.text += 3;
			input.len -= 3;
		}
		r = separate(run, &input, err);
		if (r == 0)
			r = inject_walk(run, input.text, input.len, err);
	}
	return r;
}

static void
run_release(struct inject_run *run)
{
	inject_plan_release(&run->plan);
	inject_seen_release(&run->seen);
	inject_opened_release(&run->opened);
	seal_json_free(run->pins);
	seal_bytes_release(&run->draft);
}

int
inject_manifests(const struct inject_options *options, const struct inject_input *inputs,
		 size_t input_count, struct seal_bytes *out, struct inject_report *report,
		 struct seal_err *err)
{
	SEAL_SCOPED(run_release)
	struct inject_run run = { .options = options,
				  .report = report,
				  .draft = SEAL_BYTES(INJECT_MAX_OUT) };
	int r = inject_plan_init(&run.plan, err);

	/* A mistake in it is one, whether or not there is a pod. */
	if (r == 0 && options->policy != NULL)
		r = inject_pins_read(&run.pins, options->policy, err);
	if (r == 0)
		r = walk_all(&run, inputs, input_count, err);
	for (size_t i = 0; r == 0 && i < run.plan.object_count; i++)
		report->sealed += run.plan.objects[i].value_count;
	if (r < 0 || options->seal == NULL)
		return r;
	return inject_plan_finish(&run.plan, options, &run.draft, out, err);
}

int
inject_restore(const struct inject_options *options, const struct inject_input *inputs,
	       size_t input_count, struct seal_bytes *out, struct inject_report *report,
	       struct seal_err *err)
{
	SEAL_SCOPED(run_release)
	struct inject_run run = { .options = options,
				  .report = report,
				  .draft = SEAL_BYTES(INJECT_MAX_OUT),
				  .restore = true };
	int r = walk_all(&run, inputs, input_count, err);

	return r < 0 ? r : seal_bytes_append(out, run.draft.data, run.draft.len, err);
}
