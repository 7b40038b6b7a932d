/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal policy: what others are to enforce around a sealed pod.  Offline: everything is in the manifest.
 */
#include <stdio.h>
#include <string.h>

#include "config-verify/spec.h"
#include "rot/cli/inject.h"
#include "rot/inject/kata.h"

#define DEFAULT_NAMESPACE  "default"
#define DEFAULT_PROXY_PATH "/usr/bin/seal-proxy"

static int
write_rego(const struct kata_result *result, struct seal_err *err)
{
	return cli_write_out(seal_bytes_str(&result->policy), result->policy.len, err);
}

static int
write_initdata(const struct kata_result *result, struct seal_err *err)
{
	return cli_write_out(seal_bytes_str(&result->initdata), result->initdata.len, err);
}

static int
write_json(const struct kata_result *result, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(4 * INJECT_MAX_OUT);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct seal_json *annotations;
	int r;

	seal_json_set_str(json, "object", result->object);
	seal_json_set_str(json, "policy", seal_bytes_str(&result->policy));
	seal_json_set_str(json, "initdata", seal_bytes_str(&result->initdata));
	seal_json_set_str(json, "digest", result->digest);
	annotations = seal_json_set_object(json, "annotations");
	seal_json_set_str(annotations, KATA_ANNOTATION, seal_bytes_str(&result->annotation));
	r = seal_json_dump(json, true, &text, err);
	if (r == 0)
		r = seal_bytes_append_str(&text, "\n", err);
	return r < 0 ? r : cli_write_out(seal_bytes_str(&text), text.len, err);
}

static const struct format {
	const char *name;
	int (*write)(const struct kata_result *result, struct seal_err *err);
} formats[] = {
	{ "rego", write_rego },
	{ "initdata", write_initdata },
	{ "json", write_json },
};

static int
find_format(const char *name, const struct format **ret_format, struct seal_err *err)
{
	for (size_t i = 0; i < SEAL_COUNT(formats); i++) {
		if (name == NULL || strcmp(name, formats[i].name) == 0) {
			*ret_format = &formats[i];
			return 0;
		}
	}
	return seal_fail(err, SEAL_E_USAGE, "policy kata: -o is rego, initdata or json, not '%s'",
			 name);
}

static int
find_algorithm(const char *name, enum kata_algorithm *ret_algorithm, struct seal_err *err)
{
	for (enum kata_algorithm i = KATA_SHA256; i < KATA_N_ALGORITHMS; i++) {
		if (name == NULL || strcmp(name, kata_algorithm_name(i)) == 0) {
			*ret_algorithm = i;
			return 0;
		}
	}
	return seal_fail(err, SEAL_E_USAGE,
			 "policy kata: --algorithm is sha256 or sha384, not '%s'", name);
}

static int
set_options(const struct cli *cli, struct kata_options *options, struct seal_err *err)
{
	const struct cli_options *opt = &cli->opt;
	int r = 0;

	*options = (struct kata_options){
		.ns = opt->ns != NULL ? opt->ns : DEFAULT_NAMESPACE,
		.proxy_path = opt->proxy_path != NULL ? opt->proxy_path : DEFAULT_PROXY_PATH,
		.allow_host_images = opt->allow_host_images,
		.allow_logs = opt->allow_logs,
	};
	if (opt->proxy_path != NULL)
		r = verify_path_check(opt->proxy_path, err);
	if (r < 0)
		return seal_note(err, SEAL_E_USAGE, "policy kata: --proxy-path");
	return find_algorithm(opt->algorithm, &options->algorithm, err);
}

/* What -f names, or the one argument, or standard input. */
static int
read_manifests(struct cli *cli, struct cli_manifests *manifests, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv one = { 0 };
	int r;

	if (cli->opt.filenames.count > 0) {
		if (cli->arg_count > 0)
			return seal_fail(err, SEAL_E_USAGE,
					 "policy kata: one FILE, or -f: not both");
		return cli_manifests_read(manifests, &cli->opt.filenames, cli->opt.recursive, err);
	}
	r = seal_strv_add(&one, cli->arg_count > 0 ? cli->args[0] : "-", err);
	return r < 0 ? r : cli_manifests_read(manifests, &one, cli->opt.recursive, err);
}

int
cli_policy_kata(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_manifests_release) struct cli_manifests manifests = { 0 };
	SEAL_SCOPED(kata_result_release) struct kata_result result = { .policy = SEAL_BYTES(0) };
	const struct format *format = NULL;
	struct kata_options options;
	int r = find_format(cli->opt.policy_format, &format, err);

	if (r == 0)
		r = set_options(cli, &options, err);
	if (r == 0)
		r = read_manifests(cli, &manifests, err);
	if (r == 0)
		r = inject_kata(&options, manifests.inputs, manifests.count, &result, err);
	return r < 0 ? r : format->write(&result, err);
}
