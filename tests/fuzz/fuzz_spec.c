/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/: any text as a container spec, and what is made of one that passes. */
#include <assert.h>

#include "config-verify/environment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A host that gives every sealed variable, and an agent that opens them all. */
static int
open_anything(void *arg, const struct verify_object *object, const char *key, const char *text,
	      size_t text_len, struct seal_secret **ret_plain, struct verify_binding *ret_binding,
	      struct seal_err *err)
{
	(void)arg;
	(void)object;
	*ret_binding = (struct verify_binding){ .gen = 1, .of = 1 };
	(void)snprintf(ret_binding->key, sizeof(ret_binding->key), "%s", key);
	return text_len == 0 ? 0 : seal_secret_from(ret_plain, text, text_len, err);
}

static void
use(const struct verify_spec *spec)
{
	static const char *const host[] = { "SEAL_ENV_0=$(A)", "SEAL_ENV_1=b", "SEAL_FROM_0_k=v",
					    "A=host", NULL };
	const struct verify_surroundings around = { .host = host, .home = "/", .hostname = "h" };
	const struct verify_opener opener = { .open = open_anything };
	SEAL_SCOPED(verify_environment_freep) struct verify_environment *environment = NULL;
	struct verify_command command = { 0 };

	if (verify_environment_new(&environment, spec, &around, &opener, NULL) < 0)
		return;
	if (verify_command_make(&command, spec, "livenessProbe", environment, NULL) == 0)
		assert(command.count == verify_spec_argv(spec)->count);
	verify_command_release(&command);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(verify_spec_freep) struct verify_spec *spec = NULL;

	if (verify_spec_parse(&spec, data, size, NULL) < 0)
		return 0;
	if (verify_spec_place(spec)->count > 0)
		return 0;
	assert(verify_spec_argv(spec)->count > 0 && verify_spec_cwd(spec)[0] == '/');
	use(spec);
	if (verify_spec_forget(&spec, NULL) == 0)
		assert(verify_spec_env_count(spec) == 0);
	return 0;
}
