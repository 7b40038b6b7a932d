/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of containers that come with an egg: which file each goes to, and that what came is what
 * the container will be able to read.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config-verify/token.h"
#include "rot/cli/cli.h"

#define FILE_PREFIX "token-"

void
cli_tokens_release(struct cli_tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++) {
		seal_wipe((void *)(uintptr_t)tokens->files[i].data, tokens->files[i].len);
		free((void *)(uintptr_t)tokens->files[i].data);
		free((void *)(uintptr_t)tokens->files[i].name);
	}
	free(tokens->files);
	*tokens = (struct cli_tokens){ 0 };
}

static int
check_name(const char *name, struct seal_err *err)
{
	struct verify_binding binding = {
		.ns = "x", .kind = "X", .name = "x", .key = "x", .gen = 1, .of = 1
	};

	if (name[0] == '\0' || strlen(name) > VERIFY_CONTAINER_MAX)
		return seal_fail(err, SEAL_E_USAGE, "a container's name has 1 to %u letters",
				 VERIFY_CONTAINER_MAX);
	(void)snprintf(binding.container, sizeof(binding.container), "%s", name);
	return verify_binding_check(&binding, err);
}

static int
check_absent(const struct cli_place *place, const char *container, struct seal_err *err)
{
	char name[sizeof(FILE_PREFIX) + VERIFY_CONTAINER_MAX];
	struct stat st;

	(void)snprintf(name, sizeof(name), FILE_PREFIX "%s", container);
	if (strcmp(name, place->name) == 0)
		return seal_fail(err, SEAL_E_USAGE, "'%s' would be both the egg and a token", name);
	if (fstatat(place->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "'%s' is there already, beside the egg: move it away", name);
	return errno == ENOENT ? 0 : seal_fail_errno(err, errno, "'%s'", name);
}

int
cli_tokens_check(const struct cli *cli, const struct cli_place *place, struct seal_err *err)
{
	const struct seal_strv *names = &cli->opt.containers;
	int r;

	if (names->count > CLI_MAX_CONTAINERS)
		return seal_fail(err, SEAL_E_LIMIT, "%zu containers are more than %d", names->count,
				 CLI_MAX_CONTAINERS);
	for (size_t i = 0; i < names->count; i++) {
		r = check_name(names->items[i], err);
		if (r == 0)
			r = check_absent(place, names->items[i], err);
		if (r < 0)
			return seal_note(err, r, "--container");
		for (size_t j = 0; j < i; j++) {
			if (strcmp(names->items[i], names->items[j]) == 0)
				return seal_fail(err, SEAL_E_USAGE,
						 "--container %s is given twice: leave one out",
						 names->items[i]);
		}
	}
	return 0;
}

/* A token that does not fit its container must not leave the house. */
static int
check_token(const char *container, const char *text, struct seal_err *err)
{
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	int r = verify_token_parse(&token, text, strlen(text), err);

	if (r == 0 && strcmp(token.container, container) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "it is the token of '%s'", token.container);
	return r;
}

static int
add_token(struct cli_tokens *tokens, const char *container, const struct seal_json *from,
	  struct seal_err *err)
{
	struct cli_file *file = &tokens->files[tokens->count];
	char name[sizeof(FILE_PREFIX) + VERIFY_CONTAINER_MAX];
	const char *text = NULL;
	char *line = NULL;
	int r;

	r = seal_json_get_str(from, container, &text, err);
	if (r == 0)
		r = check_token(container, text, err);
	if (r < 0)
		return seal_note(err, r, "the token of '%s'", container);
	(void)snprintf(name, sizeof(name), FILE_PREFIX "%s", container);
	file->len = strlen(text) + 1;
	line = malloc(file->len);
	file->name = seal_strndup(name, strlen(name));
	if (line == NULL || file->name == NULL) {
		free(line);
		free((void *)(uintptr_t)file->name);
		return seal_fail_memory(err);
	}
	memcpy(line, text, file->len - 1);
	line[file->len - 1] = '\n';
	file->data = line;
	tokens->count++;
	return 0;
}

int
cli_tokens_read(const struct cli *cli, const struct seal_json *reply, struct cli_tokens *ret_tokens,
		struct seal_err *err)
{
	SEAL_SCOPED(cli_tokens_release) struct cli_tokens tokens = { 0 };
	const struct seal_strv *names = &cli->opt.containers;
	const struct seal_json *from = NULL;
	int r;

	if (names->count == 0)
		return 0;
	r = seal_json_get_object(reply, "tokens", &from, err);
	if (r < 0)
		return r;
	tokens.files = calloc(names->count, sizeof(*tokens.files));
	if (tokens.files == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = add_token(&tokens, names->items[i], from, err);
	if (r < 0)
		return r;
	*ret_tokens = tokens;
	tokens = (struct cli_tokens){ 0 }; /* the caller owns it now */
	return 0;
}
