/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/program: which file runs, from where, and with which words.  As root: it mounts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config-verify/program.h"

static char *const no_variables[] = { NULL };
static char dir[64];

static void
write_file(const char *name, mode_t mode, const char *text)
{
	char path[256];
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	cr_assert_not_null(out, "%s", path);
	cr_assert_geq(fputs(text, out), 0);
	cr_assert_eq(fclose(out), 0);
	cr_assert_eq(chmod(path, mode), 0);
}

static void
setup(void)
{
	(void)alarm(120); /* Criterion's own timeouts leak, which counts as ours */
	(void)snprintf(dir, sizeof(dir), "/var/tmp/program-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void
clean(void)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "umount %s/mnt %s/bound 2>/dev/null; rm -rf %s",
		       dir, dir, dir);
	cr_expect_eq(system(command), 0);
}

static const char *
in_dir(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % SEAL_COUNT(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

/* A root that is the test's, to mount on; skipped for who may not. */
static void
own_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("needs root, to mount");
}

static int
open_words(struct verify_executable **executable, const char *const *words,
	   struct verify_program *program, int *ret_exit)
{
	char *argv[16] = { NULL };

	for (size_t i = 0; words[i] != NULL; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	program->argv = argv;
	program->environment = no_variables;
	if (program->path == NULL)
		program->path = "/usr/bin:/bin";
	if (program->cwd == NULL)
		program->cwd = "/";
	return verify_executable_open(executable, program, ret_exit, NULL);
}

/* What a program writes to its standard output; its exit code, or the errno of execution + 1000. */
static int
run(const char *const *words, struct verify_program *program, char *out, size_t size)
{
	SEAL_SCOPED(verify_executable_freep) struct verify_executable *executable = NULL;
	int code = -1;
	int status = 0;
	int ends[2];
	ssize_t n;
	size_t len = 0;
	pid_t child;

	out[0] = '\0';
	if (open_words(&executable, words, program, &code) < 0)
		return code;
	cr_assert_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		_exit(verify_executable_enter(executable) != 0
			      ? 99
			      : verify_executable_execute(executable, no_variables));
	}
	(void)close(ends[1]);
	while ((n = read(ends[0], out + len, size - len - 1)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	(void)close(ends[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
expect_run(const char *const *words, const char *want)
{
	struct verify_program program = { .cwd = dir };
	char out[1024];
	int code = run(words, &program, out, sizeof(out));

	cr_expect_eq(code, 0, "%s: %d", words[0], code);
	cr_expect_str_eq(out, want);
}

TestSuite(verify_program, .init = setup, .fini = clean);

Test(verify_program, programs_and_links_to_them_run_with_their_words)
{
	char here[128];

	cr_assert_eq(symlink("/bin/sh", in_dir("link")), 0);
	expect_run((const char *const[]){ "/bin/sh", "-c", "echo $0 $1", "a", "b", NULL }, "a b\n");
	expect_run((const char *const[]){ "sh", "-c", "echo $0", NULL }, "sh\n");
	expect_run((const char *const[]){ "./link", "-c", "echo $0", NULL }, "./link\n");
	(void)snprintf(here, sizeof(here), "%s\n", dir);
	expect_run((const char *const[]){ "pwd", NULL }, here);
}

Test(verify_program, the_application_gets_no_descriptor_of_ours_and_its_own_name)
{
	struct verify_program program = { .cwd = "/" };
	char out[1024];

	cr_assert_eq(
		run(
			(const char *const[]){
				"/bin/sh", "-c",
				"for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done; true",
				NULL },
			&program, out, sizeof(out)),
		0);
	for (const char *line = out; *line != '\0'; line = strchr(line, '\n') + 1) {
		const long fd = strtol(line, NULL, 10);

		cr_expect(fd <= 2 || fcntl((int)fd, F_GETFD) >= 0, "descriptor %ld is new", fd);
	}
	(void)run((const char *const[]){ "cat", "/proc/self/comm", NULL }, &program, out,
		  sizeof(out));
	/* Before Linux 6.14 it is a number. */
	cr_expect(strcmp(out, "cat\n") == 0 || strspn(out, "0123456789\n") == strlen(out) ||
			  strcmp(out, "coreutils\n") == 0,
		  "%s", out);
}

Test(verify_program, a_script_is_handed_to_its_interpreter_as_the_kernel_does_it)
{
	char want[512];

	write_file("show", 0755, "#!/bin/sh\necho \"$0\"; for a; do echo \"[$a]\"; done\n");
	write_file("one", 0755, "#! /bin/sh -e  \necho \"$0 $* $-\" | tr -d 'hB'\n");
	(void)snprintf(want, sizeof(want), "%s/show\n[a]\n[b c]\n", dir);
	expect_run((const char *const[]){ in_dir("show"), "a", "b c", NULL }, want);
	expect_run((const char *const[]){ "./show", NULL }, "./show\n");
	expect_run((const char *const[]){ "./one", "x", NULL }, "./one x e\n");
	/* Scripts of scripts: each puts its own in front. */
	(void)snprintf(want, sizeof(want), "#!%s/show -a  b \n", dir);
	write_file("two", 0755, want);
	(void)snprintf(want, sizeof(want), "%s/show\n[-a  b]\n[./two]\n[x]\n", dir);
	expect_run((const char *const[]){ "./two", "x", NULL }, want);
	(void)snprintf(want, sizeof(want), "#!%s/two\n", dir);
	write_file("three", 0755, want);
	(void)snprintf(want, sizeof(want), "%s/show\n[-a  b]\n[%s/two]\n[./three]\n", dir, dir);
	expect_run((const char *const[]){ "./three", NULL }, want);
}

Test(verify_program, the_first_line_is_read_as_the_kernel_reads_it)
{
	static const struct {
		const char *head;
		int r;
		const char *interpreter, *argument;
	} rows[] = {
		{ "\177ELF", 0, "", NULL },
		{ "", 0, "", NULL },
		{ "#", 0, "", NULL },
		{ "# !/bin/sh\n", 0, "", NULL },
		{ "#!/bin/sh\n", 1, "/bin/sh", NULL },
		{ "#!/bin/sh", 1, "/bin/sh", NULL },
		{ "#!\t /bin/sh \t\nx", 1, "/bin/sh", NULL },
		{ "#!/bin/sh -a  -b \n", 1, "/bin/sh", "-a  -b" },
		{ "#!/usr/bin/env\tpython3", 1, "/usr/bin/env", "python3" },
		{ "#!/bin/sh\r\n", 1, "/bin/sh\r", NULL },
		{ "#!\n", -ENOEXEC, "", NULL },
		{ "#!", -ENOEXEC, "", NULL },
		{ "#!  \t \n/bin/sh\n", -ENOEXEC, "", NULL },
	};
	char longest[VERIFY_SHEBANG_LEN + 64];
	struct verify_shebang got;

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		int r = verify_shebang_parse(&got, rows[i].head, strlen(rows[i].head));

		cr_expect_eq(r, rows[i].r, "%s: %d", rows[i].head, r);
		if (r != 1)
			continue;
		cr_expect_str_eq(got.interpreter, rows[i].interpreter);
		cr_expect_eq(got.has_argument, rows[i].argument != NULL, "%s", rows[i].head);
		cr_expect_str_eq(got.argument, rows[i].argument == NULL ? "" : rows[i].argument);
	}
	/* A name that may go on behind what is looked at is none; an argument is cut. */
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "#!/", 3);
	cr_expect_eq(verify_shebang_parse(&got, longest, sizeof(longest)), -ENOEXEC);
	longest[20] = ' ';
	cr_expect_eq(verify_shebang_parse(&got, longest, sizeof(longest)), 1);
	cr_expect_eq(strlen(got.interpreter), 18);
	cr_expect_eq(strlen(got.argument), VERIFY_SHEBANG_LEN - 1 - 21);
}

static void
expect_refused(const char *const *words, const char *cwd, int want)
{
	SEAL_SCOPED(verify_executable_freep) struct verify_executable *executable = NULL;
	struct verify_program program = { .cwd = cwd };
	int code = -1;

	cr_expect_lt(open_words(&executable, words, &program, &code), 0, "%s in %s", words[0], cwd);
	cr_expect_eq(code, want, "%s in %s: %d", words[0], cwd, code);
	cr_expect_null(executable);
}

Test(verify_program, what_cannot_be_executed_has_the_codes_of_a_shell)
{
	write_file("plain", 0644, "#!/bin/sh\n");
	write_file("lost", 0755, "#!/nonexistent\n");
	write_file("empty", 0755, "#!\n");
	write_file("self", 0755, "");
	cr_assert_eq(mkfifo(in_dir("fifo"), 0755), 0);
	expect_refused((const char *const[]){ NULL }, "/", VERIFY_EXIT_NOT_FOUND);
	expect_refused((const char *const[]){ "/nonexistent", NULL }, "/", VERIFY_EXIT_NOT_FOUND);
	expect_refused((const char *const[]){ "nonexistent", NULL }, "/", VERIFY_EXIT_NOT_FOUND);
	expect_refused((const char *const[]){ "/etc", NULL }, "/", VERIFY_EXIT_CANNOT);
	expect_refused((const char *const[]){ in_dir("plain"), NULL }, "/", VERIFY_EXIT_CANNOT);
	expect_refused((const char *const[]){ in_dir("fifo"), NULL }, "/", VERIFY_EXIT_CANNOT);
	expect_refused((const char *const[]){ in_dir("lost"), NULL }, "/", VERIFY_EXIT_NOT_FOUND);
	expect_refused((const char *const[]){ in_dir("empty"), NULL }, "/", VERIFY_EXIT_CANNOT);
	expect_refused((const char *const[]){ "/bin/sh", NULL }, "/nonexistent",
		       VERIFY_EXIT_REFUSED);
	expect_refused((const char *const[]){ "/bin/sh", NULL }, "/etc/passwd",
		       VERIFY_EXIT_REFUSED);
}

Test(verify_program, scripts_that_lead_in_a_circle_end)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "#!%s/circle\n", dir);
	write_file("circle", 0755, text);
	expect_refused((const char *const[]){ in_dir("circle"), NULL }, "/", VERIFY_EXIT_CANNOT);
}

/* ---- Mounts ---- */

static int
judge(const char *program_path, const char *cwd, const struct verify_policy *policy,
      struct verify_findings **ret_findings)
{
	SEAL_SCOPED(verify_executable_freep) struct verify_executable *executable = NULL;
	struct verify_program program = { .cwd = cwd, .policy = policy };
	int code = -1;

	cr_assert_eq(verify_findings_new(ret_findings, NULL), 0);
	program.findings = *ret_findings;
	return open_words(&executable, (const char *const[]){ program_path, NULL }, &program,
			  &code);
}

static void
expect_finding(const char *program_path, const char *cwd, const struct verify_policy *policy,
	       enum verify_rule rule)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	int r = judge(program_path, cwd, policy, &findings);

	cr_expect_eq(r, policy != NULL && policy->mode == VERIFY_AUDIT ? 0 : SEAL_E_REFUSED,
		     "%s in %s: %d", program_path, cwd, r);
	cr_assert_eq(verify_findings_count(findings), 1, "%s in %s", program_path, cwd);
	cr_expect_eq(verify_findings_at(findings, 0)->rule, rule);
	cr_expect_null(strstr(verify_findings_at(findings, 0)->found, dir));
}

static void
expect_none(const char *program_path, const char *cwd, const struct verify_policy *policy)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

	cr_expect_eq(judge(program_path, cwd, policy, &findings), 0, "%s in %s", program_path, cwd);
	cr_expect_eq(verify_findings_count(findings), 0);
}

Test(verify_program, a_program_on_a_mount_is_refused_and_so_is_its_interpreter)
{
	const struct verify_policy audit = { .mode = VERIFY_AUDIT };
	const struct verify_policy enforce = { .mode = VERIFY_ENFORCE };
	char command[512];

	own_mounts();
	cr_assert_eq(mkdir(in_dir("mnt"), 0755), 0);
	cr_assert_eq(mount("tmpfs", in_dir("mnt"), "tmpfs", 0, NULL), 0);
	(void)snprintf(command, sizeof(command),
		       "cp /bin/sh %s/mnt/sh && ln -s mnt/sh %s/away && ln -s /bin/sh %s/mnt/back "
		       "&& touch %s/bound",
		       dir, dir, dir, dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(mount("/bin/true", in_dir("bound"), NULL, MS_BIND, NULL), 0);
	(void)snprintf(command, sizeof(command), "#!%s/mnt/sh\n", dir);
	write_file("script", 0755, command);
	expect_none("/bin/sh", "/", &enforce);
	expect_finding(in_dir("mnt/sh"), "/", &enforce, VERIFY_RULE_PROGRAM_PLACE);
	expect_finding(in_dir("away"), "/", &enforce, VERIFY_RULE_PROGRAM_PLACE);
	expect_finding(in_dir("bound"), "/", &enforce, VERIFY_RULE_PROGRAM_PLACE);
	expect_finding(in_dir("script"), "/", &enforce, VERIFY_RULE_PROGRAM_PLACE);
	/* A mount must not choose which of the image's programs it is, either. */
	expect_finding(in_dir("mnt/back"), "/", &enforce, VERIFY_RULE_PROGRAM_PLACE);
	expect_finding("/proc/self/exe", "/", &enforce, VERIFY_RULE_PROGRAM_PLACE);
	expect_finding(in_dir("mnt/sh"), "/", &audit, VERIFY_RULE_PROGRAM_PLACE);
	expect_finding(in_dir("script"), "/", NULL, VERIFY_RULE_PROGRAM_PLACE);
}

Test(verify_program, a_directory_is_the_images_or_declared)
{
	struct verify_declared_mount declared = { .source = VERIFY_FROM_VOLUME };
	struct verify_policy policy = { .mode = VERIFY_ENFORCE,
					.mounts = &declared,
					.mount_count = 1 };
	const struct verify_policy none = { .mode = VERIFY_ENFORCE };
	char path[128];

	own_mounts();
	cr_assert_eq(mkdir(in_dir("mnt"), 0755), 0);
	cr_assert_eq(mkdir(in_dir("other"), 0755), 0);
	cr_assert_eq(mount("tmpfs", in_dir("mnt"), "tmpfs", 0, NULL), 0);
	cr_assert_eq(mkdir(in_dir("mnt/deep"), 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/mnt", dir);
	declared.path = path;
	expect_none("/bin/sh", dir, &none);
	expect_none("/bin/sh", in_dir("mnt"), &policy);
	expect_none("/bin/sh", in_dir("mnt/deep"), &policy);
	expect_none("/bin/sh", in_dir("mnt"), NULL);
	expect_finding("/bin/sh", in_dir("mnt"), &none, VERIFY_RULE_DIRECTORY_PLACE);
	expect_finding("/bin/sh", in_dir("mnt/deep"), &none, VERIFY_RULE_DIRECTORY_PLACE);
	/* What is declared elsewhere, or within, explains nothing. */
	(void)snprintf(path, sizeof(path), "%s/other", dir);
	expect_finding("/bin/sh", in_dir("mnt"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
	(void)snprintf(path, sizeof(path), "%s/mnt/deep", dir);
	expect_finding("/bin/sh", in_dir("mnt/deep"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
}

/* The host may put a link into a volume, and must not choose by it which of all directories it is. */
Test(verify_program, links_lead_to_a_directory_of_the_image_or_within_one_volume)
{
	char mnt[128];
	char two[128];
	struct verify_declared_mount declared[] = { { .path = mnt, .source = VERIFY_FROM_VOLUME },
						    { .path = two, .source = VERIFY_FROM_VOLUME } };
	const struct verify_policy policy = { .mode = VERIFY_ENFORCE,
					      .mounts = declared,
					      .mount_count = SEAL_COUNT(declared) };
	const struct verify_policy audit = { .mode = VERIFY_AUDIT };
	char command[1024];

	own_mounts();
	(void)snprintf(mnt, sizeof(mnt), "%s/mnt", dir);
	(void)snprintf(two, sizeof(two), "%s/mnt/two", dir);
	(void)snprintf(
		command, sizeof(command),
		"cd %s && mkdir mnt other && mount -t tmpfs tmpfs mnt && mkdir mnt/two mnt/deep && "
		"mount -t tmpfs tmpfs mnt/two && mkdir mnt/two/deep && ln -s other image && "
		"ln -s $PWD/other absolute && ln -s mnt/deep volume && ln -s deep mnt/within && "
		"ln -s ../other mnt/out && ln -s $PWD/other mnt/absolute && ln -s two/deep "
		"mnt/next && "
		"ln -s ../mnt/deep mnt/round",
		dir);
	cr_assert_eq(system(command), 0);
	expect_none("/bin/sh", in_dir("image"), &policy);
	expect_none("/bin/sh", in_dir("absolute"), &policy);
	expect_none("/bin/sh", in_dir("mnt/within"), &policy);
	expect_none("/bin/sh", in_dir("mnt/two/deep"), &policy);
	expect_finding("/bin/sh", in_dir("mnt/out"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
	expect_finding("/bin/sh", in_dir("mnt/out"), &audit, VERIFY_RULE_DIRECTORY_PLACE);
	expect_finding("/bin/sh", in_dir("mnt/absolute"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
	expect_finding("/bin/sh", in_dir("mnt/next"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
	expect_finding("/bin/sh", in_dir("mnt/round"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
	expect_finding("/bin/sh", in_dir("mnt/../other"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
	/* Nor is the image's own link into a volume the name that was declared. */
	expect_finding("/bin/sh", in_dir("volume"), &policy, VERIFY_RULE_DIRECTORY_PLACE);
	cr_expect_eq(umount(two), 0);
}

/* ---- Between check and use ---- */

static atomic_bool is_over;

static void *
swap(void *unused)
{
	char a[256];
	char b[256];

	(void)unused;
	(void)snprintf(a, sizeof(a), "%s/program", dir);
	(void)snprintf(b, sizeof(b), "%s/mnt-link", dir);
	while (!atomic_load(&is_over))
		(void)renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	return NULL;
}

/* One name is the image's program, then a link onto a mount, 10^4 times: what was accepted is the image's. */
Test(verify_program, what_is_swapped_between_check_and_use_is_never_used)
{
	pthread_t swapper;
	struct stat good;
	unsigned accepted = 0;
	unsigned refused = 0;
	char command[512];

	own_mounts();
	cr_assert_eq(mkdir(in_dir("mnt"), 0755), 0);
	cr_assert_eq(mount("tmpfs", in_dir("mnt"), "tmpfs", 0, NULL), 0);
	(void)snprintf(command, sizeof(command),
		       "cp /bin/true %s/program && cp /bin/false %s/mnt/evil && ln -s mnt/evil "
		       "%s/mnt-link",
		       dir, dir, dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(stat(in_dir("program"), &good), 0);
	cr_assert_eq(pthread_create(&swapper, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < 10000; i++) {
		SEAL_SCOPED(verify_executable_freep) struct verify_executable *executable = NULL;
		struct verify_program program = { .cwd = "/" };
		int code = -1;
		int status = 0;
		pid_t child;

		if (open_words(&executable, (const char *const[]){ in_dir("program"), NULL },
			       &program, &code) < 0) {
			refused++;
			continue;
		}
		accepted++;
		child = fork();
		if (child == 0)
			_exit(verify_executable_execute(executable, no_variables));
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0,
			  "round %u: the other one ran", i);
	}
	atomic_store(&is_over, true);
	cr_assert_eq(pthread_join(swapper, NULL), 0);
	(void)fprintf(stderr, "%u accepted, %u refused\n", accepted, refused);
	cr_expect_gt(accepted, 10, "%u accepted", accepted);
	cr_expect_gt(refused, 10, "%u refused", refused);
}
