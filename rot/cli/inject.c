/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal inject, and seal unseal -f: what the options mean.
 */
#include "rot/cli/inject.h"

#include <stdio.h>
#include <string.h>

#include "config-verify/spec.h"

#define DEFAULT_NAMESPACE "default"
#define DEFAULT_PROXY     "seal-proxy:" SEAL_VERSION
#define DEFAULT_WRAP      "/usr/bin/seal-wrap"

static int
parse_only(const char *text, enum inject_only *ret_only, struct seal_err *err)
{
	if (text == NULL)
		return 0;
	if (strcmp(text, "seal") == 0)
		*ret_only = INJECT_SEAL;
	else if (strcmp(text, "sidecar") == 0)
		*ret_only = INJECT_SIDECAR;
	else
		return seal_fail(err, SEAL_E_USAGE, "--only is seal or sidecar, not '%s'", text);
	return 0;
}

static int
check_format(const char *format, struct seal_err *err)
{
	if (strcmp(format, "table") == 0 || strcmp(format, "json") == 0)
		return 0;
	return seal_fail(err, SEAL_E_USAGE, "--explain-format is table or json, not '%s'", format);
}

static int
check_options(const struct cli *cli, struct seal_err *err)
{
	const struct cli_options *opt = &cli->opt;
	int r;

	if (opt->workload == NULL)
		return seal_fail(err, SEAL_E_USAGE, "say for which workload: --workload NAME");
	r = seal_workload_check(opt->workload, err);
	if (r == 0 && opt->peer != NULL)
		r = seal_peer_check(opt->peer, err);
	if (r == 0 && opt->wrap_path != NULL)
		r = verify_path_check(opt->wrap_path, err);
	if (r == 0 && opt->explain_format != NULL)
		r = check_format(opt->explain_format, err);
	if (r == 0 && opt->policy != NULL && strcmp(opt->policy, "-") == 0 &&
	    seal_strv_contains(&opt->filenames, "-"))
		r = seal_fail(err, SEAL_E_USAGE, "standard input cannot be both -f and --policy");
	for (size_t i = 0; r == 0 && i < opt->exempt.count; i++) {
		if (strchr(opt->exempt.items[i], '/') == NULL)
			r = seal_fail(err, SEAL_E_USAGE, "--exempt '%s' is not KIND/NAME",
				      opt->exempt.items[i]);
	}
	return r < 0 ? seal_note(err, SEAL_E_USAGE, "inject") : 0;
}

static bool
wants_report(const struct cli *cli)
{
	return cli->opt.explain || cli->opt.dry_run || cli->opt.explain_format != NULL;
}

static const char *
or_default(const char *text, const char *other)
{
	return text != NULL ? text : other;
}

/* Both are empty when there is none. */
static int
read_policy(const char *path, struct seal_bytes *text, struct inject_input *input,
	    struct seal_err *err)
{
	int r;

	if (path == NULL)
		return 0;
	r = cli_read_input(text, path, err);
	if (r < 0)
		return seal_note(err, r, "--policy");
	*input = (struct inject_input){ strcmp(path, "-") == 0 ? "standard input" : path,
					seal_bytes_str(text), text->len };
	return 0;
}

static int
set_options(struct cli *cli, const struct cli_images *images, struct inject_options *options,
	    struct seal_err *err)
{
	const struct cli_options *opt = &cli->opt;

	*options = (struct inject_options){
		.workload = opt->workload,
		.peer = opt->peer,
		.ns = or_default(opt->ns, DEFAULT_NAMESPACE),
		.proxy_image = or_default(opt->proxy_image, DEFAULT_PROXY),
		.wrap_path = or_default(opt->wrap_path, DEFAULT_WRAP),
		.images = images->images,
		.image_count = images->count,
		.exempt = &opt->exempt,
		.brief = !wants_report(cli),
		.seal = opt->dry_run ? NULL : cli_inject_seal,
		.open = cli_inject_open,
		.arg = cli,
	};
	return parse_only(opt->only, &options->only, err);
}

/* The manifest, if it goes to standard output, has that for itself. */
static int
report(const struct cli *cli, const struct inject_report *made, struct seal_err *err)
{
	bool has_stdout =
		!cli->opt.dry_run && (cli->opt.out == NULL || strcmp(cli->opt.out, "-") == 0);

	cli_report_notes(made);
	if (!wants_report(cli))
		return 0;
	return cli_report_explain(cli, made, has_stdout ? stderr : stdout, err);
}

/* Nothing is what a pipe carries whose other end failed. */
static int
check_any(const struct inject_report *made, struct seal_err *err)
{
	return made->objects > 0 ? 0
				 : seal_fail(err, SEAL_E_MISSING,
					     "there is no object in the manifests: did what wrote "
					     "them fail?");
}

static int
inject(struct cli *cli, const struct inject_options *options, const struct cli_manifests *manifests,
       struct inject_report *made, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(INJECT_MAX_OUT);
	int r = cli->opt.dry_run ? 0 : cli_manifests_check(cli, err);

	if (r == 0)
		r = inject_manifests(options, manifests->inputs, manifests->count, &out, made, err);
	if (r == 0)
		r = check_any(made, err);
	if (r < 0)
		return r;
	/* First the output: a report of what is not there would be no help. */
	if (!cli->opt.dry_run)
		r = cli_manifests_write(cli, &out, 0644, err);
	return r < 0 ? r : report(cli, made, err);
}

int
cli_inject(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_manifests_release) struct cli_manifests manifests = { 0 };
	SEAL_SCOPED(cli_images_release) struct cli_images images = { 0 };
	SEAL_SCOPED(inject_report_release) struct inject_report made = { 0 };
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(VERIFY_POLICY_MAX);
	struct inject_input policy = { 0 };
	struct inject_options options;
	int r = check_options(cli, err);

	if (r == 0)
		r = cli_images_read(&images, &cli->opt.image_configs, err);
	if (r == 0)
		r = set_options(cli, &images, &options, err);
	if (r == 0)
		r = read_policy(cli->opt.policy, &text, &policy, err);
	if (r == 0 && policy.name != NULL)
		options.policy = &policy;
	if (r == 0)
		r = cli_manifests_read(&manifests, &cli->opt.filenames, cli->opt.recursive, err);
	return r < 0 ? r : inject(cli, &options, &manifests, &made, err);
}

int
cli_unseal_manifests(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_manifests_release) struct cli_manifests manifests = { 0 };
	SEAL_SCOPED(inject_report_release) struct inject_report made = { 0 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(INJECT_MAX_OUT);
	const struct inject_options options = {
		.ns = or_default(cli->opt.ns, DEFAULT_NAMESPACE),
		.wrap_path = or_default(cli->opt.wrap_path, DEFAULT_WRAP),
		.open = cli_inject_open,
		.arg = cli,
	};
	int r;

	if (cli->arg_count > 0)
		return seal_fail(err, SEAL_E_USAGE, "one value, or manifests with -f: not both");
	r = cli_manifests_check(cli, err);
	if (r == 0)
		r = cli_manifests_read(&manifests, &cli->opt.filenames, cli->opt.recursive, err);
	if (r == 0)
		r = inject_restore(&options, manifests.inputs, manifests.count, &out, &made, err);
	if (r == 0)
		r = check_any(&made, err);
	if (r == 0) /* in clear: for its owner alone */
		r = cli_manifests_write(cli, &out, 0600, err);
	if (r == 0)
		cli_report_notes(&made);
	return r;
}
