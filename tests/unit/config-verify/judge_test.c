/* SPDX-License-Identifier: Apache-2.0 */
/* seal-verify's command line, its reports, and policies as files. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/json/json.h"
#include "config-verify/deadline.h"
#include "config-verify/judge.h"
#include "config-verify/policy_file.h"
#include "config-verify/report.h"

/* ---- The command line ---- */

static int
parse(struct judge_options *options, struct seal_err *err, const char *const *words)
{
	char *argv[8] = { (char *)(uintptr_t) "seal-verify" };
	int argc = 1;

	while (argc < 7 && words[argc - 1] != NULL) {
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
		argc++;
	}
	return judge_options_parse(options, argc, argv, err);
}

Test(verify_options, say_what_is_judged_and_how_it_is_shown)
{
	static const struct {
		const char *words[6];
		enum judge_task task;
		enum judge_format format;
	} lines[] = {
		{ { "--pid", "1" }, JUDGE_PROCESS, JUDGE_TEXT },
		{ { "--pid=1", "--policy", "p", "-o", "json" }, JUDGE_PROCESS, JUDGE_JSON },
		{ { "--pid", "1", "--no-env", "-q" }, JUDGE_PROCESS, JUDGE_TEXT },
		{ { "--root", "/x", "-o", "text" }, JUDGE_DIRECTORY, JUDGE_TEXT },
		{ { "--root", "/x", "--timeout", "86400" }, JUDGE_DIRECTORY, JUDGE_TEXT },
		{ { "--mountinfo", "/x", "--policy", "-" }, JUDGE_TABLE, JUDGE_TEXT },
		{ { "--learn", "--pid", "1" }, JUDGE_LEARN, JUDGE_YAML },
		{ { "--learn", "--pid", "1", "-o", "json" }, JUDGE_LEARN, JUDGE_JSON },
		{ { "--check-policy", "p" }, JUDGE_CHECK, JUDGE_TEXT },
		{ { "--rules", "-o", "json" }, JUDGE_RULES, JUDGE_JSON },
		{ { "--help" }, JUDGE_HELP, JUDGE_TEXT },
		{ { "--version" }, JUDGE_VERSION, JUDGE_TEXT },
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		struct judge_options options = { .quiet = false };
		struct seal_err err = { 0 };

		cr_expect_eq(parse(&options, &err, lines[i].words), 0, "line %zu: %s", i, err.text);
		cr_expect_eq(options.task, lines[i].task, "line %zu", i);
		cr_expect_eq(options.format, lines[i].format, "line %zu", i);
		cr_expect_gt(options.timeout, 0, "line %zu: no deadline", i);
	}
}

Test(verify_options, that_cannot_be_meant_are_usage_errors_and_change_nothing)
{
	static const char *const lines[][6] = {
		{ NULL },
		{ "--policy", "p" },
		{ "--pid" },
		{ "--pid", "0" },
		{ "--pid", "-1" },
		{ "--pid", "4194305" },
		{ "--pid", "1x" },
		{ "--pid", "1", "--pid", "2" },
		{ "--pid", "1", "--root", "/" },
		{ "--root", "/", "--mountinfo", "m" },
		{ "--rules", "--pid", "1" },
		{ "--rules", "--policy", "p" },
		{ "--check-policy", "p", "--policy", "p" },
		{ "--learn" },
		{ "--learn", "--root", "/" },
		{ "--learn", "--rules" },
		{ "--learn", "--pid", "1", "--policy", "p" },
		{ "--learn", "--pid", "1", "-o", "text" },
		{ "--pid", "1", "-o", "yaml" },
		{ "--root", "/", "--no-env" },
		{ "--root", "/", "surplus" },
		{ "--pid", "1", "--timeout", "0" },
		{ "--pid", "1", "--timeout", "86401" },
		{ "--rules", "--timeout", "5" },
		{ "--check-policy", "p", "--timeout", "5" },
		{ "--colour" },
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		struct judge_options options = { .pid = 77 };
		struct seal_err err = { 0 };

		cr_expect_eq(parse(&options, &err, lines[i]), SEAL_E_USAGE, "took line %zu", i);
		cr_expect_neq(err.text[0], '\0', "no sentence for line %zu", i);
		cr_expect_eq(options.pid, 77, "line %zu changed something", i);
	}
}

Test(verify_options, each_stand_in_the_manual_and_no_others_do)
{
	struct seal_bytes page = SEAL_BYTES(65536);
	struct seal_err err = { 0 };
	size_t listed = 0;

	cr_assert_eq(seal_fs_read(&page, AT_FDCWD, SEAL_SOURCE_DIR "/docs/man/seal-verify.1",
				  page.max, &err),
		     0, "%s", err.text);
	for (size_t i = 0; i < judge_options_count; i++) {
		const struct seal_option *option = &judge_options_table[i];
		char item[128];

		(void)snprintf(item, sizeof(item), "-%s%s%s\n", option->name,
			       option->arg != NULL ? " Ar " : "",
			       option->arg != NULL ? option->arg : "");
		cr_expect_not_null(strstr(seal_bytes_str(&page), item), "--%s is not described",
				   option->name);
		cr_expect(i == 0 || strcmp(judge_options_table[i - 1].name, option->name) < 0,
			  "--%s is out of order", option->name);
	}
	for (const char *at = seal_bytes_str(&page); (at = strstr(at, "\n.It Fl ")) != NULL; at++)
		listed++;
	cr_expect_eq(listed, judge_options_count);
	seal_bytes_release(&page);
}

/* ---- Reports ---- */

static struct verify_findings *
find(size_t count)
{
	struct verify_findings *findings = NULL;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	for (size_t i = 0; i < count; i++)
		verify_suspect(findings, VERIFY_RULE_HOSTS_LOCALHOST, "/etc/hosts", i, "loopback",
			       "\x1b[2J\"%zu\"\n", i);
	return findings;
}

static struct seal_json *
read_json(const struct seal_bytes *text)
{
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_json_parse(&json, text->data, text->len, text->len, &err), 0, "%s",
		     err.text);
	return json;
}

static size_t
count_lines(const struct seal_bytes *text)
{
	size_t count = 0;

	for (size_t i = 0; i < text->len; i++)
		count += text->data[i] == '\n';
	return count;
}

Test(report, has_a_printable_line_for_each_finding_and_none_for_none)
{
	struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	struct verify_findings *findings = find(0);

	cr_assert_eq(verify_report_text(findings, &text, NULL), 0);
	cr_expect_eq(text.len, 0);
	verify_findings_freep(&findings);
	findings = find(3);
	cr_assert_eq(verify_report_text(findings, &text, NULL), 0);
	cr_expect_eq(count_lines(&text), 3);
	cr_expect_not_null(strstr(seal_bytes_str(&text),
				  "/etc/hosts:2: hosts.localhost: found \\x1b[2J\"2\"\\x0a, "
				  "expected loopback\n"));
	for (size_t i = 0; i < text.len; i++)
		cr_expect(text.data[i] == '\n' || (text.data[i] >= ' ' && text.data[i] < 0x7f));
	verify_findings_freep(&findings);
	seal_bytes_release(&text);
}

Test(report, counts_what_was_too_much_to_keep_in_both_forms)
{
	struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	struct verify_findings *findings = find(VERIFY_MAX_FINDINGS + 5);
	struct seal_json *json;
	const struct verify_unjudged nothing = { .count = 0 };
	const struct seal_json *list = NULL;
	uint64_t more = 0;

	cr_assert_eq(verify_report_text(findings, &text, NULL), 0);
	cr_expect_eq(count_lines(&text), VERIFY_MAX_FINDINGS + 1);
	cr_expect_not_null(strstr(seal_bytes_str(&text), "\nand 5 more\n"));
	seal_bytes_reset(&text);
	cr_assert_eq(verify_report_json(findings, &nothing, "audit", &text, NULL), 0);
	json = read_json(&text);
	cr_expect_eq(seal_json_get_array(json, "findings", &list, NULL), 0);
	cr_expect_eq(seal_json_count(list), VERIFY_MAX_FINDINGS);
	cr_expect_eq(seal_json_get_u64(json, "more", UINT64_MAX, &more, NULL), 0);
	cr_expect_eq(more, 5);
	seal_json_free(json);
	verify_findings_freep(&findings);
	seal_bytes_release(&text);
}

Test(report, is_ok_in_json_only_when_nothing_was_found)
{
	const struct verify_unjudged nothing = { .count = 0 };

	for (size_t count = 0; count < 2; count++) {
		struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
		struct verify_findings *findings = find(count);
		struct seal_json *json;
		bool is_ok = count > 0;

		cr_assert_eq(verify_report_json(findings, &nothing, NULL, &text, NULL), 0);
		json = read_json(&text);
		cr_expect_eq(seal_json_get_bool(json, "ok", &is_ok, NULL), 0);
		cr_expect_eq(is_ok, count == 0);
		cr_expect_eq(seal_json_kind(seal_json_member(json, "mode")), SEAL_JSON_NULL);
		seal_json_free(json);
		verify_findings_freep(&findings);
		seal_bytes_release(&text);
	}
}

/* What was not judged, in JSON; whether that is ok. */
static bool
is_ok_without(const struct verify_unjudged *unjudged, const char *name, const char *reason)
{
	struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	struct verify_findings *findings = find(0);
	const struct seal_json *list = NULL;
	const struct seal_json *last;
	struct seal_json *json;
	bool is_ok = false;

	cr_assert_eq(verify_report_json(findings, unjudged, NULL, &text, NULL), 0);
	json = read_json(&text);
	cr_expect_eq(seal_json_get_bool(json, "ok", &is_ok, NULL), 0);
	cr_expect_eq(seal_json_get_array(json, "unjudged", &list, NULL), 0);
	cr_assert_eq(seal_json_count(list), unjudged->count);
	last = seal_json_at(list, unjudged->count - 1);
	cr_expect_str_eq(seal_json_str(seal_json_member(last, "name")), name);
	cr_expect_str_eq(seal_json_str(seal_json_member(last, "reason")), reason);
	seal_json_free(json);
	verify_findings_freep(&findings);
	seal_bytes_release(&text);
	return is_ok;
}

Test(report, names_what_was_not_judged_and_is_not_ok_when_it_should_have_been)
{
	struct verify_unjudged unjudged = { .count = 0 };

	verify_unjudged_add(&unjudged, "environment", VERIFY_AS_ASKED, "left out");
	cr_expect(is_ok_without(&unjudged, "environment", "left out"));
	verify_unjudged_add(&unjudged, "addresses", VERIFY_AS_FAILED, "not allowed");
	cr_expect_not(is_ok_without(&unjudged, "addresses", "not allowed"));
}

Test(report, says_of_files_that_are_not_there_that_they_were_not_judged)
{
	struct verify_unjudged unjudged = { .count = 0 };
	struct verify_findings *findings = find(2);

	verify_suspect(findings, VERIFY_RULE_FILE_MISSING, "/etc/hostname", 0, "a file", "nothing");
	verify_unjudged_add_missing(&unjudged, findings);
	cr_assert_eq(unjudged.count, 1);
	cr_expect_str_eq(unjudged.list[0].name, "/etc/hostname");
	cr_expect_str_eq(unjudged.list[0].reason, "nothing");
	cr_expect(verify_unjudged_has_failed(&unjudged));
	for (size_t i = 0; i < 2 * VERIFY_MAX_UNJUDGED; i++)
		verify_unjudged_add(&unjudged, "x", VERIFY_AS_ASKED, "y");
	cr_expect_eq(unjudged.count, VERIFY_MAX_UNJUDGED);
	verify_findings_freep(&findings);
}

/* ---- Deadlines ---- */

static int
be_done(const void *arg)
{
	return *(const int *)arg;
}

static int
never_end(const void *arg)
{
	sigset_t all;

	(void)arg;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all,
			  NULL); /* as one that waits in the kernel hears nothing */
	while (pause() < 0)
		;
	return 0;
}

static int
die(const void *arg)
{
	(void)arg;
	return raise(SIGKILL);
}

Test(deadline, passes_on_what_the_work_ended_with)
{
	for (int code = 0; code < 3; code++)
		cr_expect_eq(verify_within(30, be_done, &code, NULL), code);
}

Test(deadline, ends_work_that_does_not)
{
	struct seal_err err = { 0 };

	cr_expect_eq(verify_within(1, never_end, NULL, &err), SEAL_E_TIMEOUT);
	cr_expect_not_null(strstr(err.text, "after 1 seconds"), "%s", err.text);
	/* Killed, and nothing is left of it. */
	cr_expect_gt(waitpid(-1, NULL, 0), 0);
	cr_expect_eq(waitpid(-1, NULL, 0), -1);
}

Test(deadline, takes_no_death_for_a_verdict)
{
	struct seal_err err = { 0 };

	cr_expect_eq(verify_within(30, die, NULL, &err), SEAL_E_CLOSED);
	cr_expect_not_null(strstr(err.text, "signal 9"), "%s", err.text);
}

Test(report, names_every_rule)
{
	struct seal_bytes text = SEAL_BYTES(VERIFY_REPORT_MAX);
	const struct seal_json *list = NULL;
	struct seal_json *json;

	cr_assert_eq(verify_report_rules(false, &text, NULL), 0);
	cr_expect_eq(count_lines(&text), VERIFY_RULE_COUNT);
	seal_bytes_reset(&text);
	cr_assert_eq(verify_report_rules(true, &text, NULL), 0);
	json = read_json(&text);
	cr_expect_eq(seal_json_get_array(json, "rules", &list, NULL), 0);
	cr_expect_eq(seal_json_count(list), VERIFY_RULE_COUNT);
	seal_json_free(json);
	seal_bytes_release(&text);
}

/* ---- Policies as files ---- */

static int
parse_file(const char *text, struct seal_err *err)
{
	struct verify_policy *policy = NULL;
	int r = verify_policy_file_parse(&policy, "p.yaml", text, strlen(text), err);

	cr_expect((r == 0) == (policy != NULL), "a policy and a failure, or neither");
	verify_policy_freep(&policy);
	return r;
}

Test(policy_file, is_yaml_or_json_alone_or_the_member_of_a_spec)
{
	static const char *const texts[] = {
		"version: 1",
		"{\"version\": 1}",
		"# first\n---\nversion: 1\n# last\n",
		"verify:\n  version: 1\nargv: [x]\n",
		"{\"verify\":{\"version\":1,\"mode\":\"audit\"}}",
	};

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		struct seal_err err = { 0 };

		cr_expect_eq(parse_file(texts[i], &err), 0, "%zu: %s", i, err.text);
	}
}

Test(policy_file, that_is_refused_says_where)
{
	static const struct {
		const char *text;
		const char *begin;
	} rows[] = {
		{ "", "p.yaml: there is nothing" },
		{ "# only a comment\n", "p.yaml: there is nothing" },
		{ "[]", "p.yaml:1:1: " },
		{ "version: 1\n---\nversion: 1\n", "p.yaml:3:1: " },
		{ "version: 1\nversion: 1\n", "p.yaml:2:" },
		{ "version: [", "p.yaml:" },
		{ "verify: 7\n", "p.yaml:1:9: $.verify: " },
		{ "version: 1\nmounts:\n- {path: /b, source: volume}\n- {path: /a, source: host}\n",
		  "p.yaml:4:22: $.mounts[1].source: 'host'" },
		{ "version: 1\nhosts:\n  names:\n  - name: a.example\n    networks: [10.0.0.1/8]\n",
		  "p.yaml:5:16: $.hosts.names[0].networks[0]: " },
		{ "argv: []\nverify:\n  version: 1\n  resolv: {nameservers: [x]}\n",
		  "p.yaml:4:26: $.verify.resolv.nameservers[0]: " },
		{ "version: 1\nsurprise: 1\n", "p.yaml:1:1: $: " },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct seal_err err = { 0 };

		cr_expect_lt(parse_file(rows[i].text, &err), 0, "took %zu", i);
		cr_expect_eq(strncmp(err.text, rows[i].begin, strlen(rows[i].begin)), 0,
			     "%zu says '%s'", i, err.text);
		cr_expect_lt(parse_file(rows[i].text, NULL), 0, "took %zu without a place", i);
	}
}
