/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table from which the command line of seal-verify is parsed and --help printed, and with which a test
 * compares the manual; and which options go with each other.
 */

#include "config-verify/judge.h"

#include <string.h>

#define PID_MAX         4194304 /* the kernel's PID_MAX_LIMIT */
#define TIMEOUT_DEFAULT 30
#define TIMEOUT_MAX     86400

#define AT(field) offsetof(struct judge_options, field)

const struct seal_option judge_options_table[] = {
	{ "check-policy", 0, SEAL_OPT_STR, AT(check_policy), "FILE",
	  "say whether the file is a policy, and judge nothing", 0, 0 },
	{ "help", 'h', SEAL_OPT_FLAG, AT(help), NULL, "print this help", 0, 0 },
	{ "learn", 0, SEAL_OPT_FLAG, AT(learn), NULL,
	  "propose a policy from the container of --pid", 0, 0 },
	{ "mountinfo", 0, SEAL_OPT_STR, AT(mountinfo), "FILE", "judge a saved mount table alone", 0,
	  0 },
	{ "no-env", 0, SEAL_OPT_FLAG, AT(no_env), NULL, "leave out the environment of --pid", 0,
	  0 },
	{ "output", 'o', SEAL_OPT_STR, AT(output), "FORMAT",
	  "text or json; with --learn yaml or json (default: the first)", 0, 0 },
	{ "pid", 0, SEAL_OPT_NUMBER, AT(pid), "PID", "judge the container of a running process", 1,
	  PID_MAX },
	{ "policy", 0, SEAL_OPT_STR, AT(policy), "FILE",
	  "the policy, YAML or JSON; - for standard input (default: system rules alone)", 0, 0 },
	{ "quiet", 'q', SEAL_OPT_FLAG, AT(quiet), NULL, "print findings and nothing else", 0, 0 },
	{ "root", 0, SEAL_OPT_STR, AT(root), "DIR", "judge saved files: DIR/etc/hosts and so on", 0,
	  0 },
	{ "rules", 0, SEAL_OPT_FLAG, AT(rules), NULL, "list the rules and what they demand", 0, 0 },
	{ "timeout", 0, SEAL_OPT_NUMBER, AT(timeout), "SECONDS",
	  "give up when a file system does not answer (default: 30)", 1, TIMEOUT_MAX },
	{ "version", 0, SEAL_OPT_FLAG, AT(version), NULL, "print the version", 0, 0 },
};

const size_t judge_options_count = SEAL_COUNT(judge_options_table);

/* Of things that exclude each other, one is said. */
static int
choose_task(struct judge_options *options, struct seal_err *err)
{
	const struct {
		bool is_said;
		enum judge_task task;
		const char *name;
	} choices[] = {
		{ options->rules, JUDGE_RULES, "--rules" },
		{ options->check_policy != NULL, JUDGE_CHECK, "--check-policy" },
		{ options->root != NULL, JUDGE_DIRECTORY, "--root" },
		{ options->mountinfo != NULL, JUDGE_TABLE, "--mountinfo" },
		{ options->pid != 0, options->learn ? JUDGE_LEARN : JUDGE_PROCESS, "--pid" },
	};
	const char *said = NULL;

	for (size_t i = 0; i < SEAL_COUNT(choices); i++) {
		if (!choices[i].is_said)
			continue;
		if (said != NULL)
			return seal_fail(err, SEAL_E_USAGE, "%s and %s: say one of them", said,
					 choices[i].name);
		said = choices[i].name;
		options->task = choices[i].task;
	}
	if (options->learn && options->task != JUDGE_LEARN)
		return seal_fail(err, SEAL_E_USAGE,
				 "--learn looks at a running container: --pid PID");
	if (said == NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "say what to judge: --pid PID, --root DIR or --mountinfo FILE");
	return 0;
}

static int
check_company(const struct judge_options *options, struct seal_err *err)
{
	const bool is_of_process = options->task == JUDGE_PROCESS || options->task == JUDGE_LEARN;
	const bool is_judged = options->task == JUDGE_PROCESS || options->task == JUDGE_DIRECTORY ||
			       options->task == JUDGE_TABLE;

	if (options->policy != NULL && options->task == JUDGE_LEARN)
		return seal_fail(err, SEAL_E_USAGE, "--learn proposes a policy: --policy is none");
	if (options->policy != NULL && !is_judged)
		return seal_fail(err, SEAL_E_USAGE,
				 "--policy goes with --pid, --root or --mountinfo");
	if (options->timeout > 0 && !is_judged && !is_of_process)
		return seal_fail(err, SEAL_E_USAGE,
				 "--timeout goes with --pid, --root or --mountinfo");
	if (options->no_env && !is_of_process)
		return seal_fail(err, SEAL_E_USAGE,
				 "--no-env goes with --pid: there is no environment otherwise");
	return 0;
}

static int
choose_format(struct judge_options *options, struct seal_err *err)
{
	const bool is_learning = options->task == JUDGE_LEARN;
	const char *first = is_learning ? "yaml" : "text";

	options->format = is_learning ? JUDGE_YAML : JUDGE_TEXT;
	if (options->output == NULL || strcmp(options->output, first) == 0)
		return 0;
	if (strcmp(options->output, "json") != 0)
		return seal_fail(err, SEAL_E_USAGE, "--output is %s or json here, not '%s'", first,
				 options->output);
	options->format = JUDGE_JSON;
	return 0;
}

int
judge_options_parse(struct judge_options *ret_options, int argc, char **argv, struct seal_err *err)
{
	struct judge_options options = { .task = JUDGE_HELP };
	size_t positional = 0;
	int r = seal_options_parse(judge_options_table, judge_options_count, argc, argv, &options,
				   NULL, 0, &positional, err);

	if (r == 0 && !options.help && !options.version) {
		r = choose_task(&options, err);
		if (r == 0)
			r = check_company(&options, err);
		if (r == 0)
			r = choose_format(&options, err);
	} else if (r == 0) {
		options.task = options.help ? JUDGE_HELP : JUDGE_VERSION;
	}
	if (r < 0)
		return r;
	if (options.timeout == 0)
		options.timeout = TIMEOUT_DEFAULT;
	*ret_options = options;
	return 0;
}

void
judge_options_help(FILE *out)
{
	(void)fputs("usage: seal-verify [--policy FILE] --pid PID|--root DIR|--mountinfo FILE [-o "
		    "text|json]\n"
		    "       seal-verify --learn --pid PID [-o yaml|json]\n"
		    "       seal-verify --check-policy FILE | --rules [-o text|json]\n"
		    "\n"
		    "Say in what a container is not what it should be: its mounts, the files that\n"
		    "kubelet and runtime write into it, and its environment.\n"
		    "\n",
		    out);
	seal_options_help(out, judge_options_table, judge_options_count);
	(void)fputs(
		"\nEnds with 0 when nothing was found, 1 when something was, 2 when nothing was\n"
		"found and not all could be judged.  See seal-verify(1).\n",
		out);
}
