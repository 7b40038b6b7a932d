/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/confine: the filter says what its list says, for every number; a confined process is refused
 * what it gave up and keeps the rest; older kernels are asked for what they know.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/confine/confine_internal.h"
#include "tests/support/child.h"
#include "tests/support/place.h"

#define ARCH      0xc0de0001u
#define PATH_ROOM 96
#define REFUSED   ((uint32_t)(SECCOMP_RET_ERRNO | EPERM))
#define ALLOWED   ((uint32_t)SECCOMP_RET_ALLOW)

/* ---- the filter as a program -------------------------------------------------------------------- */

static uint32_t
load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word = 0;

	cr_assert_leq(offset, sizeof(*data) - sizeof(word));
	memcpy(&word, (const uint8_t *)data + offset, sizeof(word));
	return word;
}

/* What the kernel would say; *ret_steps counts instructions. */
static uint32_t
judge(const struct seal_filter *filter, const struct seccomp_data *data, unsigned *ret_steps)
{
	uint32_t a = 0;
	unsigned steps = 0;

	for (size_t pc = 0; pc < filter->len; pc++) {
		const struct sock_filter *at = &filter->code[pc];

		steps++;
		switch (at->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(data, at->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= at->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += at->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == at->k ? at->jt : at->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= at->k ? at->jt : at->jf;
			break;
		case BPF_RET | BPF_K:
			if (ret_steps != NULL)
				*ret_steps = steps;
			return at->k;
		default:
			cr_assert_fail("instruction %#x", at->code);
		}
	}
	cr_assert_fail("fell off the end");
	return 0;
}

static uint32_t
say(const struct seal_filter *filter, uint32_t number, uint64_t arg0, uint64_t arg1)
{
	const struct seccomp_data data = { .nr = (int)number,
					   .arch = ARCH,
					   .args = { arg0, arg1 } };

	return judge(filter, &data, NULL);
}

static struct seal_filter
build(const struct seal_call *calls, size_t count)
{
	struct seal_filter filter = { .len = 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(seal_filter_build(&filter, ARCH, calls, count, &err), 0, "%s", err.text);
	return filter;
}

Test(confine_filter, allows_exactly_the_numbers_listed_however_many_and_in_whatever_order)
{
	for (size_t count = 1; count <= 120; count++) {
		struct seal_call calls[120] = { 0 };
		bool listed[512] = { false };
		struct seal_filter filter;

		for (size_t i = 0; i < count; i++) {
			calls[i].number = (uint32_t)(i * 211 + count * 17) % 509;
			listed[calls[i].number] = true;
		}
		filter = build(calls, count);
		for (uint32_t n = 0; n < SEAL_COUNT(listed); n++)
			cr_assert_eq(say(&filter, n, 0, 0), listed[n] ? ALLOWED : REFUSED,
				     "number %u of a list of %zu", n, count);
		cr_assert_eq(say(&filter, 0x40000000u | calls[0].number, 0, 0), REFUSED);
		cr_assert_eq(say(&filter, UINT32_MAX, 0, 0), REFUSED);
	}
}

Test(confine_filter, finds_any_of_a_hundred_numbers_in_few_steps)
{
	struct seal_call calls[100] = { 0 };
	struct seal_filter filter;
	unsigned most = 0;

	for (uint32_t i = 0; i < SEAL_COUNT(calls); i++)
		calls[i].number = 3 * i;
	filter = build(calls, SEAL_COUNT(calls));
	for (uint32_t n = 0; n < 300; n++) {
		const struct seccomp_data data = { .nr = (int)n, .arch = ARCH };
		unsigned steps = 0;

		(void)judge(&filter, &data, &steps);
		most = steps > most ? steps : most;
	}
	cr_expect_leq(most, 20u, "%u steps", most);
}

Test(confine_filter, ends_a_process_that_calls_in_another_architectures_numbers)
{
	const struct seal_call calls[] = { { .number = 1 } };
	const struct seal_filter filter = build(calls, 1);
	const struct seccomp_data data = { .nr = 1, .arch = ARCH ^ 1 };

	cr_expect_eq(judge(&filter, &data, NULL), (uint32_t)SECCOMP_RET_KILL_PROCESS);
}

Test(confine_filter, wants_every_test_of_one_row_and_one_row_of_several)
{
	const struct seal_call calls[] = {
		{ .number = 7, .tests = { { 0, UINT32_MAX, 2 }, { 1, 0xf, 1 } } },
		{ .number = 3 },
		{ .number = 7, .tests = { { 0, UINT32_MAX, 10 } } },
		{ .number = 9 },
	};
	const struct seal_filter filter = build(calls, SEAL_COUNT(calls));

	cr_expect_eq(say(&filter, 7, 2, 1), ALLOWED);
	cr_expect_eq(say(&filter, 7, 2, 0x80801), ALLOWED, "bits outside the mask count");
	cr_expect_eq(say(&filter, 7, 10, 99), ALLOWED, "the second row is not looked at");
	cr_expect_eq(say(&filter, 7, 2, 3), REFUSED);
	cr_expect_eq(say(&filter, 7, 1, 1), REFUSED);
	cr_expect_eq(say(&filter, 7, 0, 0), REFUSED);
	cr_expect_eq(say(&filter, 3, 99, 99), ALLOWED);
	cr_expect_eq(say(&filter, 9, 99, 99), ALLOWED);
}

Test(confine_filter, wants_a_bit_to_be_clear_and_judges_the_lower_half)
{
	const struct seal_call calls[] = { { .number = 7, .tests = { { 1, 4, 0 } } } };
	const struct seal_filter filter = build(calls, 1);

	cr_expect_eq(say(&filter, 7, 4, 3), ALLOWED);
	cr_expect_eq(say(&filter, 7, 0, UINT64_C(0x400000003)), ALLOWED);
	cr_expect_eq(say(&filter, 7, 0, 4), REFUSED);
	cr_expect_eq(say(&filter, 7, 0, 7), REFUSED);
}

Test(confine_filter, refuses_with_the_rows_own_errno)
{
	const struct seal_call calls[] = {
		{ .number = 7, .refusal = ENOSYS },
		{ .number = 8, .refusal = EAGAIN, .tests = { { 0, UINT32_MAX, 1 } } },
	};
	const struct seal_filter filter = build(calls, SEAL_COUNT(calls));

	cr_expect_eq(say(&filter, 7, 0, 0), (uint32_t)(SECCOMP_RET_ERRNO | ENOSYS));
	cr_expect_eq(say(&filter, 8, 1, 0), (uint32_t)(SECCOMP_RET_ERRNO | EAGAIN));
	cr_expect_eq(say(&filter, 8, 2, 0), REFUSED);
}

Test(confine_filter, refuses_a_list_that_cannot_be_meant)
{
	static const struct seal_call wrong[] = {
		{ .number = 1, .refusal = -1 },
		{ .number = 1, .refusal = 4096 },
		{ .number = 1, .tests = { { 6, 1, 1 } } },
		{ .number = 1, .tests = { { 0, 1, 2 } } },
		{ .number = 1, .tests = { { 0, 0, 2 } } },
	};
	static struct seal_call many[SEAL_CALLS_MAX + 1];
	struct seal_filter filter = { .len = 77 };

	for (size_t i = 0; i < SEAL_COUNT(wrong); i++)
		cr_expect_eq(seal_filter_build(&filter, ARCH, &wrong[i], 1, NULL), SEAL_E_BUG,
			     "row %zu", i);
	cr_expect_eq(seal_filter_build(&filter, ARCH, many, 0, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_filter_build(&filter, ARCH, many, SEAL_COUNT(many), NULL), SEAL_E_LIMIT);
	for (uint32_t i = 0; i < SEAL_CALLS_MAX; i++)
		many[i] = (struct seal_call){ .number = i, .tests = { { 0, 1, 1 }, { 1, 1, 1 } } };
	cr_expect_eq(seal_filter_build(&filter, ARCH, many, SEAL_CALLS_MAX, NULL), SEAL_E_LIMIT);
	cr_expect_eq(filter.len, 77, "the output changed");
}

/* ---- the filter in force ------------------------------------------------------------------------ */

#ifdef SEAL_CONFINE_ARCH

static const struct seal_call few[] = {
	SEAL_CALL(write),
	SEAL_CALL(exit_group),
	SEAL_CALL(exit),
	SEAL_CALL(futex),
	SEAL_CALL(munmap),
	SEAL_CALL(mmap), /* a sanitizer's way of ending a thread */
	SEAL_CALL(mprotect),
	SEAL_CALL(sigaltstack),
	SEAL_CALL(madvise),
	SEAL_CALL(rt_sigprocmask),
	SEAL_CALL(getpid),
	{ .number = __NR_getppid, .refusal = ENOSYS },
	{ .number = __NR_socket, .tests = { { 0, UINT32_MAX, AF_UNIX }, { 1, 0xf, SOCK_STREAM } } },
};

static void
a_process_with_a_few_calls(void *arg)
{
	bool applied = false;
	int fd;

	(void)arg;
	MUST(seal_confine_calls(few, SEAL_COUNT(few), &applied, NULL) == 0);
	if (!applied)
		_exit(77);
	MUST(getpid() > 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(fd >= 0);
	MUST(socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EPERM);
	MUST(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
	MUST(syscall(SYS_getppid) < 0 && errno == ENOSYS);
	MUST(open("/dev/null", O_RDONLY) < 0 && errno == EPERM);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0 && errno == EPERM);
	MUST(syscall(SYS_gettid) < 0 && errno == EPERM);
}

Test(confine_calls, what_is_not_listed_fails_and_what_is_listed_works)
{
	int r = child_run(a_process_with_a_few_calls, NULL);

	if (r == 77)
		cr_skip_test("no system call filter on this machine");
	cr_expect_eq(r, 0);
}

struct bystander {
	atomic_int stage;
	bool refused;
};

static void *
stand_by(void *arg)
{
	struct bystander *bystander = arg;

	atomic_store(&bystander->stage, 1);
	while (atomic_load(&bystander->stage) != 2)
		continue;
	bystander->refused = syscall(SYS_gettid) < 0 && errno == EPERM;
	return NULL;
}

static void
a_process_with_two_threads(void *arg)
{
	struct bystander bystander = { 0 };
	bool applied = false;
	pthread_t thread;

	(void)arg;
	MUST(pthread_create(&thread, NULL, stand_by, &bystander) == 0);
	while (atomic_load(&bystander.stage) != 1)
		continue;
	MUST(seal_confine_calls(few, SEAL_COUNT(few), &applied, NULL) == 0);
	if (!applied)
		_exit(77);
	atomic_store(&bystander.stage, 2);
	MUST(pthread_join(thread, NULL) == 0);
	MUST(bystander.refused);
}

Test(confine_calls, reach_the_threads_that_run_already)
{
	int r = child_run(a_process_with_two_threads, NULL);

	if (r == 77)
		cr_skip_test("no system call filter on this machine");
	cr_expect_eq(r, 0);
}

static void
a_process_whose_kernel_knows_no_filters(void *arg)
{
	struct seal_call without[SEAL_COUNT(few) + 1] = { SEAL_CALL(prctl) };
	bool applied = false;

	(void)arg;
	memcpy(&without[1], few, sizeof(few));
	MUST(seal_confine_calls(without, SEAL_COUNT(without), &applied, NULL) == 0);
	if (!applied)
		_exit(77);
	/* seccomp(2) itself is refused now, as it is on a machine that has none. */
	MUST(seal_confine_calls(few, SEAL_COUNT(few), &applied, NULL) == 0);
	MUST(!applied);
}

Test(confine_calls, an_absent_filter_is_told_and_is_no_failure)
{
	int r = child_run(a_process_whose_kernel_knows_no_filters, NULL);

	if (r == 77)
		cr_skip_test("no system call filter on this machine");
	cr_expect_eq(r, 0);
}

#endif

/* ---- files -------------------------------------------------------------------------------------- */

TestSuite(confine_files, .init = place_enter, .fini = place_leave);

struct files {
	char dir[32];
	struct seal_strv read;
	struct seal_strv remove;
	char inside[PATH_ROOM];
	char alone[PATH_ROOM];
	char outside[PATH_ROOM];
};

static void
add(struct seal_strv *list, const char *path)
{
	cr_assert_eq(seal_strv_add(list, path, NULL), 0);
}

static void
touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	(void)close(fd);
}

#define AT(buffer, files, name)                                                                    \
	((void)snprintf((buffer), sizeof(buffer), "%s/%s", (files)->dir, (name)), (buffer))

/* read/ and its file, the file alone, which stands beside another; run/ for sockets. */
static struct files *
make_files(void)
{
	static struct files files;
	static unsigned count;
	char path[PATH_ROOM];

	(void)snprintf(files.dir, sizeof(files.dir), "%s/%u", place_path, count++);
	cr_assert_eq(mkdir(files.dir, 0700), 0);
	cr_assert_eq(mkdir(AT(path, &files, "read"), 0700), 0);
	add(&files.read, path);
	cr_assert_eq(mkdir(AT(path, &files, "run"), 0700), 0);
	add(&files.remove, path);
	touch(AT(files.inside, &files, "read/inside"));
	touch(AT(files.alone, &files, "alone"));
	touch(AT(files.outside, &files, "outside"));
	touch(AT(path, &files, "run/old"));
	add(&files.read, files.alone);
	add(&files.read, AT(path, &files, "nothing-there"));
	add(&files.read, AT(path, &files, "alone/nothing-there-either"));
	return &files;
}

static void
free_files(struct files *files)
{
	seal_strv_release(&files->read);
	seal_strv_release(&files->remove);
}

static int
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

static int
makes_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	MUST(fd >= 0 && strlen(path) < sizeof(addr.sun_path));
	memcpy(addr.sun_path, path, strlen(path) + 1);
	r = bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? errno : 0;
	(void)close(fd);
	return r;
}

static void
expect_files_are_kept(struct files *files)
{
	char path[PATH_ROOM];

	MUST(opens(files->inside, O_RDONLY) == 0);
	MUST(opens(AT(path, files, "read"), O_RDONLY | O_DIRECTORY) == 0);
	MUST(opens(files->alone, O_RDONLY) == 0);
	MUST(makes_socket(AT(path, files, "run/new")) == 0);
	MUST(unlink(path) == 0);
	MUST(unlink(AT(path, files, "run/old")) == 0);
}

static void
expect_files_are_refused(struct files *files)
{
	char path[PATH_ROOM];

	MUST(opens(files->outside, O_RDONLY) == EACCES);
	MUST(opens(files->dir, O_RDONLY | O_DIRECTORY) == EACCES);
	MUST(opens("/etc/passwd", O_RDONLY) == EACCES);
	MUST(opens(files->inside, O_WRONLY) == EACCES);
	MUST(opens(AT(path, files, "read/new"), O_WRONLY | O_CREAT) == EACCES);
	MUST(opens(AT(path, files, "run/file"), O_WRONLY | O_CREAT) == EACCES);
	MUST(opens(AT(path, files, "run"), O_RDONLY | O_DIRECTORY) == EACCES);
	MUST(makes_socket(AT(path, files, "read/socket")) == EACCES);
	MUST(unlink(files->inside) < 0 && errno == EACCES);
	MUST(unlink(files->outside) < 0 && errno == EACCES);
	MUST(mkdir(AT(path, files, "run/folder"), 0700) < 0 && errno == EACCES);
	MUST(symlink("/etc/passwd", AT(path, files, "run/link")) < 0 && errno == EACCES);
	MUST(mkfifo(AT(path, files, "run/fifo"), 0600) < 0 && errno == EACCES);
	MUST(rename(files->inside, AT(path, files, "run/moved")) < 0);
}

static void
a_process_with_a_few_files(void *arg)
{
	struct files *files = arg;
	const struct seal_confine_files rules = { &files->read, &files->remove };
	struct seal_err err = { 0 };
	int abi = -1;

	MUST(seal_confine_files(&rules, &abi, &err) == 0);
	MUST(abi >= 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	expect_files_are_kept(files);
	if (abi == 0)
		_exit(77);
	expect_files_are_refused(files);
	if (abi >= 6) /* inside from outside */
		MUST(kill(getppid(), 0) < 0 && errno == EPERM);
	MUST(kill(getpid(), 0) == 0);
}

Test(confine_files, what_is_not_listed_fails_and_what_is_listed_works)
{
	struct files *files = make_files();
	int r = child_run(a_process_with_a_few_files, files);

	free_files(files);
	if (r == 77)
		cr_skip_test("this kernel has no Landlock");
	cr_expect_eq(r, 0);
}

static void
a_process_whose_file_is_replaced(void *arg)
{
	struct files *files = arg;
	const struct seal_confine_files rules = { &files->read, &files->remove };
	char path[PATH_ROOM];
	int abi = -1;
	pid_t other;

	/* Somebody who is not confined replaces both files, once told. */
	int go[2];
	int done[2];
	char byte = 0;

	MUST(pipe(go) == 0 && pipe(done) == 0);
	other = fork();
	if (other == 0) {
		MUST(read(go[0], &byte, 1) == 1);
		touch(AT(path, files, "read/next"));
		MUST(rename(path, files->inside) == 0);
		touch(AT(path, files, "next"));
		MUST(rename(path, files->alone) == 0);
		MUST(write(done[1], &byte, 1) == 1);
		_exit(0);
	}
	MUST(seal_confine_files(&rules, &abi, NULL) == 0);
	if (abi == 0)
		_exit(77);
	MUST(write(go[1], &byte, 1) == 1);
	MUST(read(done[0], &byte, 1) == 1);
	MUST(opens(files->inside, O_RDONLY) == 0);
	MUST(opens(files->alone, O_RDONLY) == EACCES);
}

Test(confine_files, a_folder_keeps_what_is_put_there_later_and_a_file_is_that_file)
{
	struct files *files = make_files();
	int r = child_run(a_process_whose_file_is_replaced, files);

	free_files(files);
	if (r == 77)
		cr_skip_test("this kernel has no Landlock");
	cr_expect_eq(r, 0);
}

/* Kernels that are not this one. */
static struct {
	int version;
	int version_errno;
	int creates;
	int allows;
	int restricts;
	struct seal_landlock_rules rules;
	size_t size;
	uint64_t granted;
	int fail_at; /* 1: create, 2: allow, 3: restrict */
} fake;

static int
fake_version(void)
{
	errno = fake.version_errno;
	return fake.version;
}

static int
fake_create(const struct seal_landlock_rules *rules, size_t size)
{
	fake.creates++;
	fake.rules = *rules;
	fake.size = size;
	errno = ENOMSG;
	return fake.fail_at == 1 ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int
fake_allow(int ruleset, int fd, uint64_t access)
{
	cr_assert_geq(ruleset, 0);
	cr_assert_geq(fd, 0);
	fake.allows++;
	fake.granted |= access;
	errno = EBADFD;
	return fake.fail_at == 2 ? -1 : 0;
}

static int
fake_restrict(int ruleset)
{
	cr_assert_geq(ruleset, 0);
	fake.restricts++;
	errno = E2BIG;
	return fake.fail_at == 3 ? -1 : 0;
}

static const struct seal_landlock fake_kernel = { fake_version, fake_create, fake_allow,
						  fake_restrict };

static int
apply_fake(int *abi, struct seal_err *err)
{
	struct files *files = make_files();
	const struct seal_confine_files rules = { &files->read, &files->remove };
	int r = seal_landlock_apply(&fake_kernel, &rules, abi, err);

	free_files(files);
	return r;
}

Test(confine_files, a_kernel_without_landlock_is_told_and_is_no_failure)
{
	static const int errnums[] = { ENOSYS, EOPNOTSUPP, EPERM };

	for (size_t i = 0; i < SEAL_COUNT(errnums); i++) {
		int abi = -1;

		fake.version = -1;
		fake.version_errno = errnums[i];
		cr_expect_eq(apply_fake(&abi, NULL), 0);
		cr_expect_eq(abi, 0);
		cr_expect_eq(fake.creates + fake.allows + fake.restricts, 0);
	}
}

Test(confine_files, each_kernel_is_asked_for_the_rights_it_knows_and_no_others)
{
	static const struct {
		int abi;
		uint64_t files;
		uint64_t scopes;
		size_t size;
	} known[] = {
		{ 1, 0x1fff, 0, 8 },  { 2, 0x3fff, 0, 8 },   { 3, 0x7fff, 0, 8 },
		{ 4, 0x7fff, 0, 16 }, { 5, 0xffff, 0, 16 },  { 6, 0xffff, 3, 24 },
		{ 7, 0xffff, 3, 24 }, { 99, 0xffff, 3, 24 },
	};

	for (size_t i = 0; i < SEAL_COUNT(known); i++) {
		int abi = -1;

		memset(&fake, 0, sizeof(fake));
		fake.version = known[i].abi;
		cr_expect_eq(apply_fake(&abi, NULL), 0);
		cr_expect_eq(abi, known[i].abi);
		cr_expect_eq(fake.rules.files, known[i].files, "ABI %d", abi);
		cr_expect_eq(fake.rules.scopes, known[i].scopes, "ABI %d", abi);
		cr_expect_eq(fake.rules.net, 0);
		cr_expect_eq(fake.size, known[i].size, "ABI %d", abi);
		cr_expect_eq(fake.allows, 3,
			     "the two paths that do not exist were not passed over");
		cr_expect_eq(fake.granted & ~fake.rules.files, 0);
		cr_expect_eq(fake.restricts, 1);
	}
}

Test(confine_files, a_kernel_that_fails_is_a_failure_and_nothing_is_told)
{
	for (int step = 1; step <= 3; step++) {
		struct seal_err err = { 0 };
		int abi = -1;

		memset(&fake, 0, sizeof(fake));
		fake.version = 3;
		fake.fail_at = step;
		cr_expect_eq(apply_fake(&abi, &err), SEAL_E_SYSTEM, "step %d", step);
		cr_expect_eq(abi, -1);
		cr_expect_eq(fake.restricts, step == 3);
		cr_expect_not_null(strstr(err.text, "giv"), "%s", err.text);
	}
}

static int older_abi;

static int
older_version(void)
{
	return older_abi;
}

static void
a_process_on_an_older_kernel(void *arg)
{
	struct files *files = arg;
	const struct seal_confine_files rules = { &files->read, &files->remove };
	struct seal_landlock kernel = seal_landlock_kernel;
	int abi = kernel.version();

	if (abi < older_abi)
		_exit(77);
	kernel.version = older_version;
	MUST(seal_landlock_apply(&kernel, &rules, &abi, NULL) == 0);
	MUST(abi == older_abi);
	expect_files_are_kept(files);
	expect_files_are_refused(files);
}

Test(confine_files, every_abi_up_to_this_kernels_is_in_force_with_its_own_structure)
{
	for (older_abi = 1; older_abi <= 6; older_abi++) {
		struct files *files = make_files();
		int r = child_run(a_process_on_an_older_kernel, files);

		free_files(files);
		if (r == 77)
			cr_skip_test("Landlock's ABI %d is not in this kernel", older_abi);
		cr_expect_eq(r, 0, "ABI %d", older_abi);
	}
}

/* ---- capabilities ------------------------------------------------------------------------------- */

static uint64_t
held(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct halves[2] = { 0 };

	MUST(syscall(SYS_capget, &head, halves) == 0);
	return (uint64_t)(halves[0].effective | halves[0].permitted | halves[0].inheritable) |
	       (uint64_t)(halves[1].effective | halves[1].permitted | halves[1].inheritable) << 32;
}

static int
binds_low_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(1),
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? errno : 0;

	(void)close(fd);
	return r;
}

static void
a_root_process_that_keeps_one(void *arg)
{
	const uint64_t keep = UINT64_C(1) << CAP_NET_BIND_SERVICE;

	(void)arg;
	MUST(held() != 0);
	MUST(seal_confine_capabilities(keep, NULL) == 0);
	MUST((held() & ~keep) == 0);
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		MUST(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == (cap == CAP_NET_BIND_SERVICE));
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_BIND_SERVICE, 0, 0) == 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	MUST(setuid(65534) < 0 && errno == EPERM);
	MUST(sethostname("taken", 5) < 0 && errno == EPERM);
	MUST(binds_low_port() != EACCES);
}

Test(confine_capabilities, all_are_given_up_but_what_is_kept)
{
	if (!child_may_be_root("all_are_given_up_but_what_is_kept"))
		cr_skip_test("needs root");
	cr_expect_eq(child_run(a_root_process_that_keeps_one, NULL), 0);
}

static void
a_root_process_that_keeps_none(void *arg)
{
	(void)arg;
	MUST(seal_confine_capabilities(0, NULL) == 0);
	MUST(held() == 0);
	MUST(seal_confine_capabilities(UINT64_MAX, NULL) == 0);
	MUST(held() == 0); /* what is gone does not come back */
}

Test(confine_capabilities, what_is_given_up_does_not_come_back)
{
	if (!child_may_be_root("what_is_given_up_does_not_come_back"))
		cr_skip_test("needs root");
	cr_expect_eq(child_run(a_root_process_that_keeps_none, NULL), 0);
}

static void
a_process_that_has_none(void *arg)
{
	(void)arg;
	if (geteuid() == 0)
		child_become_nobody();
	MUST(held() == 0);
	MUST(seal_confine_capabilities(UINT64_C(1) << CAP_NET_BIND_SERVICE, NULL) == 0);
	MUST(held() == 0);
}

Test(confine_capabilities, who_has_none_has_none_to_give_up)
{
	cr_expect_eq(child_run(a_process_that_has_none, NULL), 0);
}
