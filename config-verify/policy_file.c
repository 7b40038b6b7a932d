/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file to a policy: one document, of YAML or JSON, whose reader knows nothing of policies.  What the
 * members mean is policy.c's to say.
 */

#include "config-verify/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/yaml/tree.h"

static int
read_stdin(struct seal_bytes *out, struct seal_err *err)
{
	uint8_t piece[16 * 1024];
	ssize_t n;
	int r = 0;

	do {
		n = read(STDIN_FILENO, piece, sizeof(piece));
		if (n > 0 && out->len + (size_t)n > VERIFY_POLICY_FILE_MAX)
			return seal_fail(err, SEAL_E_LIMIT, "it is longer than %u bytes",
					 VERIFY_POLICY_FILE_MAX);
		if (n > 0)
			r = seal_bytes_append(out, piece, (size_t)n, err);
	} while (r == 0 && (n > 0 || (n < 0 && errno == EINTR)));
	if (r < 0)
		return r;
	return n < 0 ? seal_fail_errno(err, errno, "cannot read it") : 0;
}

int
verify_policy_file_read(struct seal_bytes *out, const char *path, struct seal_err *err)
{
	int r;

	if (strcmp(path, "-") != 0)
		return seal_fs_read(out, AT_FDCWD, path, VERIFY_POLICY_FILE_MAX, err);
	r = read_stdin(out, err);
	return r < 0 ? seal_note(err, r, "standard input") : 0;
}

/* The one document of the text: comments before or behind it are none. */
static int
read_document(struct seal_tree **ret_tree, struct seal_tree_stream *stream, const char *name,
	      struct seal_err *err)
{
	SEAL_SCOPED(seal_tree_freep) struct seal_tree *found = NULL;

	for (;;) {
		SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;
		int r = seal_tree_next(stream, &tree, err);

		if (r < 0)
			return r;
		if (tree == NULL)
			break;
		if (seal_tree_root(tree) == NULL)
			continue;
		if (found != NULL)
			return seal_tree_fail(tree, seal_tree_root(tree), err, SEAL_E_FORMAT,
					      "a second document: a policy is one");
		found = SEAL_TAKE(tree);
	}
	if (found == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "%s: there is nothing in it", name);
	*ret_tree = SEAL_TAKE(found);
	return 0;
}

/*
 * "mounts[1]: source: what": a step down the tree, and the text behind it.  NULL when the text does not begin
 * with a member, or element, that is there.
 */
static const struct seal_tree_node *
step_down(const struct seal_tree_node *node, const char **text)
{
	const char *colon = strstr(*text, ": ");
	const char *bracket = strchr(*text, '[');
	const size_t len = strcspn(*text, "[: ");
	char key[32];

	if (colon == NULL || len == 0 || len >= sizeof(key) ||
	    seal_tree_kind(node) != SEAL_TREE_MAP)
		return NULL;
	memcpy(key, *text, len);
	key[len] = '\0';
	node = seal_tree_get(node, key);
	if (node != NULL && bracket == *text + len) {
		size_t index = strtoul(bracket + 1, NULL, 10);

		for (node = seal_tree_first(node); node != NULL && index > 0; index--)
			node = seal_tree_next_of(node);
	} else if (colon != *text + len) {
		return NULL; /* words of a sentence */
	}
	if (node != NULL)
		*text = colon + 2;
	return node;
}

/* Whoever reads a policy says where in it: as a place in the text that is of more use. */
static int
say_place(const struct seal_tree *tree, const struct seal_tree_node *node, int r,
	  struct seal_err *err)
{
	char text[SEAL_ERR_TEXT_LEN];
	const char *at = text;

	(void)snprintf(text, sizeof(text), "%s", err->text);
	if (strncmp(at, "policy: ", 8) == 0)
		at += 8;
	for (const struct seal_tree_node *next = node; next != NULL;) {
		node = next;
		next = step_down(node, &at);
	}
	return seal_tree_fail(tree, node, err, (enum seal_code)r, "%s", at);
}

static int
parse_document(struct verify_policy **ret_policy, const struct seal_tree *tree,
	       const struct seal_tree_node *root, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	const struct seal_tree_node *policy;
	int r;

	if (seal_tree_kind(root) != SEAL_TREE_MAP)
		return seal_tree_fail(tree, root, err, SEAL_E_FORMAT, "a policy is a map, not %s",
				      seal_tree_kind_name(seal_tree_kind(root)));
	policy = seal_tree_get(root, "verify");
	if (policy == NULL)
		policy = root;
	if (seal_tree_kind(policy) != SEAL_TREE_MAP)
		return seal_tree_fail(tree, policy, err, SEAL_E_FORMAT, "a policy is a map, not %s",
				      seal_tree_kind_name(seal_tree_kind(policy)));
	r = seal_tree_to_json(tree, policy, &json, err);
	if (r < 0)
		return r;
	r = verify_policy_parse(ret_policy, json, err);
	return r < 0 && err != NULL ? say_place(tree, policy, r, err) : r;
}

int
verify_policy_file_parse(struct verify_policy **ret_policy, const char *name, const char *text,
			 size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;
	int r;

	name = strcmp(name, "-") == 0 ? "standard input" : name;
	r = seal_tree_stream_new(&stream, name, text, text_len, err);
	if (r == 0)
		r = read_document(&tree, stream, name, err);
	return r < 0 ? r : parse_document(ret_policy, tree, seal_tree_root(tree), err);
}
