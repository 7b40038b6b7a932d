/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back of ConfigMaps and Secrets.
 */
#include <string.h>

#include "rot/inject/inject_internal.h"

static int
put_base64(struct inject_item *item, struct seal_tree_node *node,
	   const struct inject_sealed *opened, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(2 * VERIFY_SEALED_MAX);
	int r = inject_base64_encode(&text, opened->plain, opened->plain_len, err);

	if (r < 0)
		return r;
	seal_tree_make_str(item->tree, node, seal_bytes_str(&text), text.len);
	return 0;
}

static int
restore_value(struct inject_item *item, struct seal_tree_node *node, bool is_base64,
	      struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(SEAL_TREE_MAX_LEN);
	const struct inject_sealed *opened = NULL;
	int r = inject_object_value(item, node, is_base64, &text, err);

	if (r < 0)
		return r;
	if (!verify_is_sealed(seal_bytes_str(&text), text.len)) {
		inject_note(item, node, INJECT_LEFT, "it is not sealed", "%s", seal_tree_key(node));
		return 0;
	}
	r = inject_open(item, seal_tree_key(node), "", seal_bytes_str(&text), text.len, &opened,
			err);
	if (r < 0)
		return r;
	item->changed = true;
	inject_note(item, node, INJECT_CHANGED, "opened", "%s", seal_tree_key(node));
	if (is_base64)
		return put_base64(item, node, opened, err);
	seal_tree_make_str(item->tree, node, opened->plain, opened->plain_len);
	return 0;
}

int
inject_restore_object(struct inject_item *item, struct seal_err *err)
{
	const struct inject_member *members = inject_members(item);
	int r = inject_item_identify(item, err);

	for (size_t i = 0; r == 0 && members[i].name != NULL; i++) {
		struct seal_tree_node *map = NULL;

		r = inject_member_map(item, item->root, members[i].name, &map, err);
		for (struct seal_tree_node *at = map != NULL ? seal_tree_first(map) : NULL;
		     r == 0 && at != NULL; at = seal_tree_next_of(at))
			r = restore_value(item, at, members[i].is_base64, err);
	}
	return r;
}
