/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_TREE_RIG_H
#define SEAL_TESTS_TREE_RIG_H

/*
 * Short words for tests of base/yaml/tree; every text is called t.yaml.
 */

#include "base/yaml/tree.h"

#define BYTES  SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define JSON   SEAL_SCOPED(seal_json_freep) struct seal_json *
#define STREAM SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *
#define TREE   SEAL_SCOPED(seal_tree_freep) struct seal_tree *

struct seal_tree_stream *stream_of(const char *text);
/* NULL at the end. */
struct seal_tree *next_tree(struct seal_tree_stream *stream);
/* The first document of a text. */
struct seal_tree *only_tree(const char *text);
/* Refused, with a sentence that begins so, and nothing is left behind. */
void expect_refused(const char *text, int code, const char *where);
/* Its root is, as compact JSON. */
void expect_json(struct seal_tree *tree, const char *json);
/* It is written so. */
void expect_written(const struct seal_tree *tree, const char *text);
/* A JSON object. */
struct seal_json *json_of(const char *text);

#endif
