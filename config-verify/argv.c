/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a command.  Who would have expanded them, had nobody sealed them, is told by what they are
 * of; here they are expanded the same way.
 */

#include <string.h>

#include "config-verify/environment.h"

/*
 * What the kubelet knows where it runs a probe: what the owner wrote, unexpanded; nothing that comes
 * from elsewhere, of which it knows the name but sees an empty value.
 */
static const char *
lookup_written(const void *arg, const char *name, size_t name_len)
{
	const struct verify_spec *spec = arg;

	for (size_t i = verify_spec_env_count(spec); i-- > 0;) {
		const struct verify_env *env = verify_spec_env(spec, i);

		if (env->kind == VERIFY_ENV_FROM || verify_spec_env_is_literal(spec, i))
			break; /* these come before the owner's */
		if (strlen(env->name) == name_len && memcmp(env->name, name, name_len) == 0)
			return env->value != NULL ? env->value : "";
	}
	return NULL;
}

static bool
is_probe(const char *key)
{
	return strcmp(key, "livenessProbe") == 0 || strcmp(key, "readinessProbe") == 0 ||
	       strcmp(key, "startupProbe") == 0;
}

static int
make_word(struct seal_secret **ret_word, const struct verify_spec *spec, const char *key,
	  size_t index, const struct verify_environment *environment, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_TEXT_MAX);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *word = NULL;
	const char *from = verify_spec_argv(spec)->items[index];
	int r;

	if (index < verify_spec_argv_literals(spec) ||
	    (verify_spec_is_exec(spec) && !is_probe(key)))
		r = seal_bytes_append_str(&text, from, err);
	else if (verify_spec_is_exec(spec))
		r = verify_expand(&text, from, lookup_written, spec, err);
	else
		r = verify_expand(&text, from, verify_environment_lookup, environment, err);
	if (r == 0) /* with its NUL, since a secret is not empty */
		r = seal_secret_from(&word, seal_bytes_str(&text), text.len + 1, err);
	if (r < 0)
		return seal_note(err, r, "word %zu of the command", index);
	*ret_word = SEAL_TAKE(word);
	return 0;
}

int
verify_command_make(struct verify_command *ret_command, const struct verify_spec *spec,
		    const char *key, const struct verify_environment *environment,
		    struct seal_err *err)
{
	SEAL_SCOPED(verify_command_release) struct verify_command command = { 0 };
	const size_t count = verify_spec_argv(spec)->count;
	int r = 0;

	command.words = calloc(count + 1, sizeof(struct seal_secret *));
	command.argv = calloc(count + 1, sizeof(char *));
	if (command.words == NULL || command.argv == NULL)
		return seal_fail_memory(err);
	for (; r == 0 && command.count < count; command.count++) {
		struct seal_secret *word = NULL;

		r = make_word(&word, spec, key, command.count, environment, err);
		if (r < 0)
			return r;
		command.words[command.count] = word;
		command.argv[command.count] = (char *)seal_secret_bytes(word);
	}
	*ret_command = command;
	command = (struct verify_command){ 0 };
	return 0;
}

void
verify_command_release(struct verify_command *command)
{
	for (size_t i = 0; i < command->count; i++)
		seal_secret_free(command->words[i]);
	free(command->words);
	free(command->argv);
	*command = (struct verify_command){ 0 };
}
