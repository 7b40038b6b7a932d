/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_YAML_H
#define SEAL_BASE_YAML_H

/*
 * One YAML document as a tree, with limits: 16 MiB, depth 64, duplicate keys refused, aliases and
 * custom tags refused, one document only, string keys only.  Every node knows its line and column
 * (from 1), so that errors can name them.  The only door to libyaml.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

#define SEAL_YAML_MAX_LEN   (16u * 1024 * 1024)
#define SEAL_YAML_MAX_DEPTH 64

struct seal_yaml;      /* a document; owns its nodes */
struct seal_yaml_node; /* borrowed from the document */

enum seal_yaml_kind { SEAL_YAML_SCALAR, SEAL_YAML_LIST, SEAL_YAML_MAP };

/* name is what errors call the text ("proxy.yaml"): "name:line:column: what". */
SEAL_CHECKED int seal_yaml_parse(struct seal_yaml **ret_yaml, const char *name, const char *text,
				 size_t text_len, struct seal_err *err);
void seal_yaml_free(struct seal_yaml *yaml);
void seal_yaml_freep(struct seal_yaml **yaml);

/* The outermost node; NULL for an empty document. */
const struct seal_yaml_node *seal_yaml_root(const struct seal_yaml *yaml);
enum seal_yaml_kind seal_yaml_kind(const struct seal_yaml_node *node);

size_t seal_yaml_count(const struct seal_yaml_node *node); /* of a list or map; 0 for a scalar */
const struct seal_yaml_node *seal_yaml_at(const struct seal_yaml_node *node, size_t index);
/* The index-th key of a map. */
const char *seal_yaml_key(const struct seal_yaml_node *map, size_t index);
/* NULL when there is no such key. */
const struct seal_yaml_node *seal_yaml_get(const struct seal_yaml_node *map, const char *key);

/* A scalar's text; SEAL_E_FORMAT with the position for a list, a map or a NUL inside. */
SEAL_CHECKED int seal_yaml_str(const struct seal_yaml_node *node, const char **ret_str,
			       struct seal_err *err);
/* true or false, spelled so, unquoted. */
SEAL_CHECKED int seal_yaml_bool(const struct seal_yaml_node *node, bool *ret_value,
				struct seal_err *err);
/* Decimal, min <= value <= max. */
SEAL_CHECKED int seal_yaml_u64(const struct seal_yaml_node *node, uint64_t min, uint64_t max,
			       uint64_t *ret_value, struct seal_err *err);
/* A list of scalars, or one scalar standing for a list of one. */
SEAL_CHECKED int seal_yaml_strv(const struct seal_yaml_node *node, struct seal_strv *ret_list,
				struct seal_err *err);

/* A fresh failure at a node: "name:line:column: sentence". */
#define seal_yaml_fail(node, err, ...) seal_negative(seal_yaml_err((node), (err), __VA_ARGS__))
int seal_yaml_err(const struct seal_yaml_node *node, struct seal_err *err, const char *fmt, ...)
	SEAL_PRINTF(3, 4);
/* Refuse keys of a map that are not in names (NULL-terminated). */
SEAL_CHECKED int seal_yaml_only(const struct seal_yaml_node *map, const char *const *names,
				struct seal_err *err);

#endif
