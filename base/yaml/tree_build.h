/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_YAML_TREE_BUILD_H
#define SEAL_BASE_YAML_TREE_BUILD_H

#include <yaml.h>

#include "base/yaml/tree_internal.h"

/* A list or map whose end has not come yet. */
struct tree_frame {
	struct seal_tree_node *node;
	/* A map's key that waits for its value. */
	const char *key; /* NULL: a key comes next */
	enum tree_style key_style;
	enum seal_tree_kind key_kind;
};

/* One document between its first event and its last. */
struct tree_build {
	struct seal_tree *tree;
	struct tree_frame frames[SEAL_TREE_MAX_DEPTH];
	size_t depth;
	void *anchors; /* a search tree of names */
	bool is_json;  /* so far */
};

void tree_build_init(struct tree_build *build, struct seal_tree *tree);
void tree_build_release(struct tree_build *build);
/* Any event between the document's start and its end. */
SEAL_CHECKED int tree_build_event(struct tree_build *build, const yaml_event_t *event,
				  struct seal_err *err);
/* The document's end has come. */
void tree_build_finish(struct tree_build *build);

/* A fresh failure at a mark of the library: "name:line:column: sentence". */
#define tree_fail_at(name, mark, err, code, ...)                                                   \
	seal_negative(tree_err_at((name), (mark), (err), (code), __VA_ARGS__))
int tree_err_at(const char *name, const yaml_mark_t *mark, struct seal_err *err,
		enum seal_code code, const char *fmt, ...) SEAL_PRINTF(5, 6);

#endif
