/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_YAML_TREE_PAIRS_H
#define SEAL_BASE_YAML_TREE_PAIRS_H

#include "base/yaml/tree_internal.h"

/* All zero to begin with, and when nothing had to be replaced. */
struct tree_pairs {
	char *text; /* the whole text with letters for pairs; NULL: the text itself will do */
	size_t len;
	size_t text_size;
	size_t *at; /* where each letter is in it */
	size_t count;
	size_t cap;
	size_t passed;
};

SEAL_CHECKED int tree_pairs_replace(struct tree_pairs *pairs, const char *text, size_t len,
				    struct seal_err *err);
void tree_pairs_release(struct tree_pairs *pairs);
/* The place in the text of a place in what replaced it; places asked for only grow. */
size_t tree_pairs_find(struct tree_pairs *pairs, size_t at);

#endif
