/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-verify: the checks of seal-wrap as a command, on any container that runs here or on files saved from
 * one.  It changes nothing; what it finds it prints, and says by its exit status.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs/fs.h"
#include "config-verify/deadline.h"
#include "config-verify/inspect.h"
#include "config-verify/judge.h"
#include "config-verify/learn.h"
#include "config-verify/mounts.h"
#include "config-verify/policy_file.h"
#include "config-verify/report.h"
#include "config-verify/target.h"

enum exit_code { EXIT_CLEAN = 0, EXIT_FOUND = 1, EXIT_UNJUDGED = 2 };

/* ---- What is printed ---- */

static int
print(const struct seal_bytes *text, struct seal_err *err)
{
	if (fwrite(seal_bytes_str(text), 1, text->len, stdout) != text->len || fflush(stdout) != 0)
		return seal_fail_errno(err, errno, "standard output");
	return 0;
}

static void
say(const char *what)
{
	(void)fprintf(stderr, "seal-verify: %s\n", what);
}

static const char *
plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* For people, on standard error: that nothing was found is worth more when one sees where. */
static void
summarize(const struct verify_policy *policy, const struct verify_findings *findings, size_t mounts,
	  size_t files)
{
	const size_t found = verify_findings_count(findings);

	if (policy == NULL)
		say("no policy: judged by the rules of the system alone");
	(void)fprintf(stderr, "%zu finding%s, %zu mount%s, %zu file%s looked at\n", found,
		      plural(found), mounts, plural(mounts), files, plural(files));
}

static const char *
mode_of(const struct verify_policy *policy)
{
	if (policy == NULL)
		return NULL;
	return policy->mode == VERIFY_AUDIT ? "audit" : "enforce";
}

/* With --quiet only what nobody asked to be left out. */
static void
say_unjudged(const struct judge_options *options, const struct verify_unjudged *unjudged)
{
	for (size_t i = 0; i < unjudged->count; i++)
		if (!options->quiet || unjudged->list[i].lack == VERIFY_AS_FAILED)
			(void)fprintf(stderr, "not judged: %s: %s\n", unjudged->list[i].name,
				      unjudged->list[i].reason);
}

static int
report(const struct judge_options *options, const struct verify_policy *policy,
       const struct verify_findings *findings, struct verify_unjudged *unjudged,
       struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	int r;

	if (policy == NULL && options->task != JUDGE_TABLE)
		verify_unjudged_add(unjudged, VERIFY_ACCOUNT_DIR, VERIFY_AS_ASKED,
				    "no policy says what it should be");
	verify_unjudged_add_missing(unjudged, findings);
	say_unjudged(options, unjudged);
	r = options->format == JUDGE_JSON
		    ? verify_report_json(findings, unjudged, mode_of(policy), &text, err)
		    : verify_report_text(findings, &text, err);
	if (r == 0)
		r = print(&text, err);
	if (r < 0)
		return r;
	if (verify_findings_count(findings) > 0)
		return EXIT_FOUND;
	return verify_unjudged_has_failed(unjudged) ? EXIT_UNJUDGED : EXIT_CLEAN;
}

/* ---- What is judged ---- */

static int
load_policy(struct verify_policy **ret_policy, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_POLICY_FILE_MAX);
	int r;

	if (path == NULL)
		return 0;
	r = verify_policy_file_read(&text, path, err);
	if (r == 0)
		r = verify_policy_file_parse(ret_policy, path, seal_bytes_str(&text), text.len,
					     err);
	return r < 0 ? seal_note(err, r, "the policy") : 0;
}

static size_t
count_mounts(const void *text, size_t len)
{
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = NULL;

	if (verify_mountinfo_parse(&info, text, len, NULL) < 0)
		return 0;
	return verify_mountinfo_count(info);
}

static int
judge_table(const struct judge_options *options, const struct verify_policy *policy,
	    struct verify_findings *findings, struct verify_unjudged *unjudged,
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_MOUNTINFO_MAX);
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = NULL;
	struct seal_err why = { 0 };
	int r = seal_fs_read(&text, AT_FDCWD, options->mountinfo, VERIFY_MOUNTINFO_MAX, err);

	if (r < 0)
		return r;
	r = verify_mountinfo_parse(&info, text.data, text.len, &why);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r < 0)
		verify_suspect(findings, VERIFY_RULE_MOUNT_FORMAT, VERIFY_MOUNTINFO_FILE, 0,
			       verify_rule_demand(VERIFY_RULE_MOUNT_FORMAT), "%s", why.text);
	else
		verify_mounts_judge(info, policy, VERIFY_LINKS_ALL, findings);
	verify_unjudged_add(unjudged, "files, devices, environment", VERIFY_AS_ASKED,
			    "a mount table alone");
	if (!options->quiet)
		summarize(policy, findings, info != NULL ? verify_mountinfo_count(info) : 0, 1);
	return 0;
}

static int
open_target(struct verify_target **ret_target, const struct judge_options *options,
	    struct seal_err *err)
{
	if (options->task == JUDGE_DIRECTORY)
		return verify_target_of_directory(ret_target, options->root, err);
	return verify_target_of_process(ret_target, (pid_t)options->pid, !options->no_env, err);
}

static void
summarize_target(const struct verify_target *target, const struct verify_policy *policy,
		 const struct verify_findings *findings)
{
	static const char *const files[] = {
		VERIFY_HOSTS_FILE,
		VERIFY_RESOLV_FILE,
		VERIFY_HOSTNAME_FILE,
		VERIFY_ACCOUNT_DIR "/namespace",
		VERIFY_ACCOUNT_DIR "/ca.crt",
		VERIFY_ACCOUNT_DIR "/token",
	};
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_MOUNTINFO_MAX);
	size_t seen = 0;
	size_t mounts = 0;

	for (size_t i = 0; i < SEAL_COUNT(files); i++) {
		seal_bytes_reset(&text);
		if (verify_target_read(target, files[i], text.max, &text, NULL) == 0)
			seen++;
	}
	seal_bytes_reset(&text);
	if (verify_target_mountinfo(target, &text, NULL) == 0)
		mounts = count_mounts(text.data, text.len);
	summarize(policy, findings, mounts, seen + (mounts > 0 ? 1 : 0));
}

/* A policy that takes any, and files of which nobody knows whether there was one. */
static void
note_account(const struct judge_options *options, const struct verify_policy *policy,
	     const struct verify_target *target, struct verify_unjudged *unjudged)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_TOKEN_MAX);

	if (options->task == JUDGE_DIRECTORY && policy != NULL &&
	    policy->account.mounted == VERIFY_ANY &&
	    verify_target_read(target, VERIFY_ACCOUNT_DIR "/token", text.max, &text, NULL) < 0)
		verify_unjudged_add(unjudged, VERIFY_ACCOUNT_DIR, VERIFY_AS_ASKED,
				    "not in saved files");
}

static int
judge_target(const struct judge_options *options, const struct verify_policy *policy,
	     struct verify_findings *findings, struct verify_unjudged *unjudged,
	     struct seal_err *err)
{
	SEAL_SCOPED(verify_target_freep) struct verify_target *target = NULL;
	int r = open_target(&target, options, err);

	if (r == 0)
		r = verify_inspect(verify_target_scene(target), policy, findings, err);
	if (r < 0)
		return r;
	*unjudged = *verify_target_unjudged(target);
	note_account(options, policy, target, unjudged);
	if (!options->quiet)
		summarize_target(target, policy, findings);
	return 0;
}

static int
judge(const struct judge_options *options, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	struct verify_unjudged unjudged = { .count = 0 };
	int r = load_policy(&policy, options->policy, err);

	if (r == 0)
		r = verify_findings_new(&findings, err);
	if (r < 0)
		return r;
	r = options->task == JUDGE_TABLE ? judge_table(options, policy, findings, &unjudged, err)
					 : judge_target(options, policy, findings, &unjudged, err);
	return r < 0 ? r : report(options, policy, findings, &unjudged, err);
}

/* ---- Other tasks ---- */

static int
put_check(const struct judge_options *options, const char *why, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(4096);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r;

	if (options->format == JUDGE_JSON) {
		json = seal_json_new();
		seal_json_set_bool(json, "ok", why == NULL);
		if (why != NULL)
			seal_json_set_str(json, "error", why);
		r = seal_json_dump(json, true, &text, err);
	} else {
		r = seal_bytes_append_str(&text, why != NULL ? why : "ok", err);
	}
	if (r == 0)
		r = seal_bytes_append_str(&text, "\n", err);
	return r < 0 ? r : print(&text, err);
}

static int
check_policy(const struct judge_options *options, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_POLICY_FILE_MAX);
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	struct seal_err why = { 0 };
	bool is_good;
	int r = verify_policy_file_read(&text, options->check_policy, err);

	if (r < 0)
		return r;
	r = verify_policy_file_parse(&policy, options->check_policy, seal_bytes_str(&text),
				     text.len, &why);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	is_good = r == 0;
	r = put_check(options, is_good ? NULL : why.text, err);
	if (r < 0)
		return r;
	return is_good ? EXIT_CLEAN : EXIT_FOUND;
}

static int
list_rules(const struct judge_options *options, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	int r = verify_report_rules(options->format == JUDGE_JSON, &text, err);

	return r < 0 ? r : print(&text, err);
}

/* What a container should not be is not learned: it is found again, and said. */
static int
say_unlearned(const struct verify_target *target, const struct verify_policy *policy,
	      struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	int r = verify_findings_new(&findings, err);

	if (r == 0)
		r = verify_inspect(verify_target_scene(target), policy, findings, err);
	if (r == 0)
		r = verify_report_text(findings, &text, err);
	if (r < 0)
		return r;
	if (verify_findings_count(findings) == 0)
		return EXIT_CLEAN;
	say("not learned, for it is against the rules of the system:");
	(void)fputs(seal_bytes_str(&text), stderr);
	return EXIT_FOUND;
}

static int
learn(const struct judge_options *options, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	SEAL_SCOPED(verify_target_freep) struct verify_target *target = NULL;
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r = open_target(&target, options, err);

	if (r == 0)
		r = verify_learn_target(&json, target, err);
	if (r == 0)
		r = verify_policy_parse(&policy, json, err);
	if (r == 0)
		r = verify_learn_write(json, options->format == JUDGE_YAML, &text, err);
	if (r == 0)
		r = print(&text, err);
	if (r < 0)
		return r;
	say_unjudged(options, verify_target_unjudged(target));
	r = say_unlearned(target, policy, err);
	return r == EXIT_CLEAN && verify_unjudged_has_failed(verify_target_unjudged(target))
		       ? EXIT_UNJUDGED
		       : r;
}

/* What somebody may stall. */
static int
look(const void *arg)
{
	const struct judge_options *options = arg;
	struct seal_err err = { 0 };
	int r = options->task == JUDGE_LEARN ? learn(options, &err) : judge(options, &err);

	if (r >= 0)
		return r;
	say(err.text);
	return EXIT_UNJUDGED;
}

static int
run(const struct judge_options *options, struct seal_err *err)
{
	switch (options->task) {
	case JUDGE_CHECK:
		return check_policy(options, err);
	case JUDGE_RULES:
		return list_rules(options, err);
	case JUDGE_HELP:
		judge_options_help(stdout);
		return fflush(stdout) == 0 ? EXIT_CLEAN : EXIT_UNJUDGED;
	case JUDGE_VERSION:
		(void)puts("seal-verify " SEAL_VERSION);
		return fflush(stdout) == 0 ? EXIT_CLEAN : EXIT_UNJUDGED;
	case JUDGE_PROCESS:
	case JUDGE_DIRECTORY:
	case JUDGE_TABLE:
	case JUDGE_LEARN:
		break;
	}
	return verify_within(options->timeout, look, options, err);
}

int
main(int argc, char **argv)
{
	struct judge_options options;
	struct seal_err err = { 0 };
	int r = judge_options_parse(&options, argc, argv, &err);

	if (r == 0)
		r = run(&options, &err);
	if (r >= 0)
		return r;
	say(err.text);
	return EXIT_UNJUDGED;
}
