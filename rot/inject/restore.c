/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening: all sealed values of a document at once, before it is looked at, so that a root of trust far
 * away is asked once.  A value counts only where it was sealed for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/secret/secret.h"
#include "rot/inject/inject_internal.h"

void
inject_opened_release(struct inject_opened *opened)
{
	for (size_t i = 0; i < opened->count; i++) {
		free(opened->values[i].text);
		if (opened->values[i].plain != NULL)
			seal_wipe(opened->values[i].plain, opened->values[i].plain_len);
		free(opened->values[i].plain);
	}
	free(opened->values);
	*opened = (struct inject_opened){ 0 };
}

/* ---- Collecting ---- */

static int
add(struct inject_opened *opened, const char *text, size_t len, struct seal_err *err)
{
	const size_t count = opened->count;
	struct inject_sealed *grown = opened->values;

	if (count == 0 || (count & (count - 1)) == 0)
		grown = reallocarray(grown, count == 0 ? 1 : 2 * count, sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	opened->values = grown;
	grown[count] = (struct inject_sealed){ .text = seal_strndup(text, len), .len = len };
	if (grown[count].text == NULL)
		return seal_fail_memory(err);
	opened->count++;
	return 0;
}

/* Sealed texts begin with an encoded brace and quote; in base64 once more, with what that becomes. */
static int
look(struct inject_opened *opened, const char *text, size_t len, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes inner = SEAL_BYTES(SEAL_TREE_MAX_LEN);

	if (len > 4 && memcmp(text, "ZXlK", 4) == 0 &&
	    inject_base64_decode(&inner, text, len, NULL) == 0) {
		text = seal_bytes_str(&inner);
		len = inner.len;
	}
	if (len < 3 || memcmp(text, "eyJ", 3) != 0 || !verify_is_sealed(text, len))
		return 0;
	return add(opened, text, len, err);
}

/* Trees are at most 64 deep. */
static int
collect(struct inject_opened *opened, const struct seal_tree_node *node, struct seal_err *err)
{
	enum seal_tree_kind kind = seal_tree_kind(node);
	size_t len = 0;
	int r = 0;

	if (kind == SEAL_TREE_STRING) {
		const char *text = seal_tree_text(node, &len);

		return look(opened, text, len, err);
	}
	if (kind != SEAL_TREE_MAP && kind != SEAL_TREE_LIST)
		return 0;
	for (const struct seal_tree_node *at = seal_tree_first(node); r == 0 && at != NULL;
	     at = seal_tree_next_of(at))
		r = collect(opened, at, err);
	return r;
}

int
inject_open_all(struct inject_run *run, const struct seal_tree_node *root, struct seal_err *err)
{
	struct inject_opened *opened = &run->opened;
	int r;

	inject_opened_release(opened);
	r = collect(opened, root, err);
	if (r < 0 || opened->count == 0)
		return r;
	return run->options->open(run->options->arg, opened->values, opened->count, err);
}

/* ---- Finding ---- */

/* They are asked for nearly in the order in which they stand. */
static struct inject_sealed *
find(struct inject_opened *opened, const char *text, size_t len)
{
	for (size_t i = 0; i < opened->count; i++) {
		size_t at = (opened->next + i) % opened->count;
		struct inject_sealed *value = &opened->values[at];

		if (value->len == len && memcmp(value->text, text, len) == 0) {
			opened->next = at + 1;
			return value;
		}
	}
	return NULL;
}

int
inject_open(const struct inject_item *item, const char *key, const char *container,
	    const char *text, size_t len, const struct inject_sealed **ret_value,
	    struct seal_err *err)
{
	const struct inject_sealed *value = find(&item->run->opened, text, len);
	const struct verify_binding *is;

	if (value == NULL || value->plain == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "%s: %s: this is no sealed value", item->label,
				 key);
	is = &value->binding;
	if (strcmp(is->ns, item->binding.ns) != 0 || strcmp(is->kind, item->binding.kind) != 0 ||
	    strcmp(is->name, item->binding.name) != 0 || strcmp(is->key, key) != 0 ||
	    strcmp(is->container, container) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "%s: %s: sealed for %s/%s/%s key %s%s%s, and does not belong here",
				 item->label, key, is->ns, is->kind, is->name, is->key,
				 is->container[0] != '\0' ? " container " : "", is->container);
	*ret_value = value;
	return 0;
}
