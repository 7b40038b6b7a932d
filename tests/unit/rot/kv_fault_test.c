/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rot/kv under what happens to machines: processes killed at any moment, disks that fill up, files whose bytes
 * change.  SEAL_KV_KILLS and SEAL_KV_FLIPS: how often (make check-store); SEAL_SEED: the dice.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rot/kv/kv_internal.h"
#include "tests/support/child.h"
#include "tests/unit/rot/kv_rig.h"

TestSuite(kv_fault);

static struct kv_rig rig;

static void
teardown(void)
{
	kv_rig_release(&rig);
}

static unsigned
number_from(const char *variable, unsigned fallback)
{
	const char *text = getenv(variable);

	return text != NULL ? (unsigned)strtoul(text, NULL, 10) : fallback;
}

static void
throw_dice(const char *test)
{
	unsigned seed = number_from("SEAL_SEED", (unsigned)time(NULL) ^ (unsigned)getpid());

	(void)fprintf(stderr, "%s: SEAL_SEED=%u\n", test, seed);
	srandom(seed);
}

static unsigned
dice(unsigned below)
{
	return (unsigned)random() % below;
}

/* ---- Processes that are killed ---- */

#define KEPT 10

/* The n-th change: one number, a line of a log, and another line that goes. */
static int
write_one(struct rot_kv *kv, unsigned n, struct seal_err *err)
{
	char key[32], text[32];
	int r = rot_kv_begin(kv, err);

	(void)snprintf(text, sizeof(text), "%u", n);
	if (r == 0)
		r = rot_kv_put(kv, "n", text, strlen(text), err);
	(void)snprintf(key, sizeof(key), "log/%08u", n);
	if (r == 0)
		r = rot_kv_add(kv, key, text, strlen(text), err);
	if (n > KEPT) {
		(void)snprintf(key, sizeof(key), "log/%08u", n - KEPT);
		if (r == 0)
			r = rot_kv_delete(kv, key, err);
	}
	if (r == 0)
		r = rot_kv_commit(kv, err);
	else
		rot_kv_rollback(kv);
	return r;
}

static void
write_on(unsigned n, int out)
{
	struct rot_kv *kv = NULL;
	struct seal_err err = { 0 };
	int r = rot_kv_open(&kv, &rig.config, false, &err);

	while (r == 0) {
		r = write_one(kv, ++n, &err);
		if (r == 0 && write(out, &n, sizeof(n)) != sizeof(n))
			_exit(2);
	}
	(void)fprintf(stderr, "the writer: %s\n", err.text);
	_exit(1);
}

struct seen {
	unsigned n;     /* the number */
	unsigned lines; /* of the log */
	unsigned first;
	unsigned last;
};

static int
see(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct seen *seen = arg;
	unsigned n = (unsigned)strtoul(key + strlen("log/"), NULL, 10);
	char text[32];

	(void)snprintf(text, sizeof(text), "%u", n);
	if (len != strlen(text) || memcmp(value, text, len) != 0)
		return seal_fail(err, SEAL_E_SYSTEM, "%s holds something else", key);
	if (seen->lines++ == 0)
		seen->first = n;
	seen->last = n;
	return 0;
}

/* Everything that was acknowledged is there, and whatever is there is there whole. */
static unsigned
check(unsigned acknowledged)
{
	const struct rot_kv_range log = { .from = "log/", .to = "log0" };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(64);
	struct seen seen = { 0 };
	struct rot_kv *kv = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_begin(kv, &err), 0, "%s", err.text);
	if (rot_kv_get(kv, "n", &value, &err) == 0)
		seen.n = (unsigned)strtoul(seal_bytes_str(&value), NULL, 10);
	cr_assert_eq(rot_kv_each(kv, &log, see, &seen, &err), 0, "%s", err.text);
	rot_kv_close(kv);
	cr_assert_geq(seen.n, acknowledged, "%u was acknowledged, %u is there", acknowledged,
		      seen.n);
	cr_assert_eq(seen.last, seen.n, "half of a change is there");
	cr_assert_eq(seen.lines, seen.n < KEPT ? seen.n : KEPT, "%u lines after %u", seen.lines,
		     seen.n);
	cr_assert(seen.n == 0 || seen.first == seen.n - seen.lines + 1);
	return seen.n;
}

static void
kill_writers(unsigned kills)
{
	unsigned n = 0;

	for (unsigned i = 0; i < kills; i++) {
		const struct timespec moment = { .tv_nsec = 5000000 + (long)dice(60) * 1000000 };
		unsigned acknowledged = n;
		int fds[2];
		pid_t pid;

		cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
		pid = fork();
		cr_assert_geq(pid, 0);
		if (pid == 0)
			write_on(n, fds[1]);
		(void)close(fds[1]);
		(void)nanosleep(&moment, NULL);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
		while (read(fds[0], &acknowledged, sizeof(acknowledged)) > 0)
			;
		(void)close(fds[0]);
		n = check(acknowledged);
	}
	cr_expect_gt(n, kills / 2, "hardly anything was written: %u", n);
}

Test(kv_fault, sqlite_keeps_what_it_acknowledged_when_it_is_killed, .fini = teardown)
{
	(void)alarm(3600);
	throw_dice("kills");
	kv_rig_sqlite(&rig);
	rot_kv_close(kv_rig_create(&rig));
	kill_writers(number_from("SEAL_KV_KILLS", 25));
}

Test(kv_fault, etcd_keeps_what_it_acknowledged_when_we_are_killed, .fini = teardown)
{
	(void)alarm(3600);
	throw_dice("kills");
	kv_rig_etcd(&rig);
	rot_kv_close(kv_rig_create(&rig));
	kill_writers(number_from("SEAL_KV_KILLS", 25));
}

/* etcd itself, as if the power had gone, and back on what it had written. */
Test(kv_fault, etcd_keeps_what_it_acknowledged_when_its_members_are_killed_in_turn,
     .fini = teardown)
{
	struct rot_kv *kv = NULL;
	struct seal_err err = { 0 };
	struct etcd own;
	unsigned done = 0;

	(void)alarm(300);
	kv_rig_etcd(&rig);
	cr_assert(etcd_start(&own, 3));
	kv_rig_use(&rig, &own);
	kv = kv_rig_create(&rig);
	for (unsigned i = 1; i <= 60; i++) {
		if (i % 10 == 0)
			cr_assert_eq(kill(own.members[i / 10 % 3], i % 20 == 0 ? SIGCONT : SIGSTOP),
				     0);
		if (i % 20 == 0)
			for (unsigned j = 0; j < 3; j++)
				cr_assert_eq(kill(own.members[j], SIGCONT), 0);
		cr_assert_eq(write_one(kv, i, &err), 0, "%u: %s", i, err.text);
		done = i;
	}
	rot_kv_close(kv);
	cr_expect_eq(check(done), 60);
	etcd_stop(&own);
}

/* ---- A disk that fills up ---- */

static void
fill_disk(void *arg)
{
	static uint8_t block[20000];
	struct rot_kv *kv = NULL;
	struct seal_err err = { 0 };
	unsigned done = 0;
	uint64_t count = 0;
	char path[PATH_MAX];
	int r = 0;

	(void)arg;
	MUST(unshare(CLONE_NEWNS) == 0);
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	MUST(mount("tmpfs", rig.dir, "tmpfs", 0, "size=1m,mode=700") == 0);
	(void)snprintf(path, sizeof(path), "%.1000s/filler", rig.dir);
	r = open(path, O_WRONLY | O_CREAT, 0600);
	MUST(r >= 0 && write(r, block, sizeof(block)) == sizeof(block) && close(r) == 0);
	MUST(rot_kv_open(&kv, &rig.config, true, &err) == 0);
	for (r = 0; r == 0 && done < 1000; done += r == 0) {
		char key[32];

		(void)snprintf(key, sizeof(key), "k%05u", done);
		r = rot_kv_begin(kv, &err);
		if (r == 0)
			r = rot_kv_put(kv, key, block, sizeof(block), &err);
		if (r == 0)
			r = rot_kv_commit(kv, &err);
		else
			rot_kv_rollback(kv);
	}
	MUST(r == SEAL_E_SYSTEM);
	MUST(strstr(err.text, "full") != NULL);
	MUST(done > 5);
	MUST(rot_kv_begin(kv, &err) == 0);
	MUST(rot_kv_count(kv, "k", "l", &count, &err) == 0);
	MUST(count == done);
	rot_kv_rollback(kv);
	/* Somebody makes room. */
	MUST(unlink(path) == 0);
	MUST(mount("tmpfs", rig.dir, "tmpfs", MS_REMOUNT, "size=4m") == 0);
	MUST(rot_kv_begin(kv, &err) == 0);
	MUST(rot_kv_put(kv, "k99999", block, sizeof(block), &err) == 0);
	MUST(rot_kv_commit(kv, &err) == 0);
	MUST(rot_kv_check(kv, &count, &err) == 0);
	MUST(count == done + 1);
	rot_kv_close(kv);
}

Test(kv_fault, a_full_disk_is_said_and_forgives, .fini = teardown)
{
	(void)alarm(60);
	if (!child_may_be_root("a full disk"))
		cr_skip_test("needs root");
	kv_rig_sqlite(&rig);
	cr_expect_eq(child_run(fill_disk, NULL), 0);
}

/* ---- Bytes that change on the disk ---- */

#define RECORDS 500

static void
make_value(unsigned n, char out[static 200])
{
	(void)snprintf(out, 200, "the value of %u: %0*u", n, 20 + (int)(n % 100), n * 7919);
}

static int
expect_value(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	unsigned *count = arg;
	char want[200];

	make_value((unsigned)strtoul(key + 1, NULL, 10), want);
	++*count;
	if (len != strlen(want) || memcmp(value, want, len) != 0)
		return seal_fail(err, SEAL_E_BUG, "a wrong value under %s", key);
	return 0;
}

static bool
is_said(int r, const struct seal_err *err)
{
	return (r == SEAL_E_SYSTEM || r == SEAL_E_REFUSED) && err->text[0] != '\0';
}

/* Whatever the store says of one key is true, or that it is damaged.  How often it said so. */
static unsigned
ask_keys(struct rot_kv *kv)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < 20; i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(1024);
		struct seal_err err = { 0 };
		unsigned n = dice(RECORDS);
		char key[32], want[200];
		int r = rot_kv_begin(kv, &err);

		(void)snprintf(key, sizeof(key), "k%05u", n);
		make_value(n, want);
		if (r == 0)
			r = rot_kv_get(kv, key, &value, &err);
		rot_kv_rollback(kv);
		cr_assert(r == 0 || is_said(r, &err), "%s: %d %s", key, r, err.text);
		if (r == 0)
			cr_assert_str_eq(seal_bytes_str(&value), want, "a wrong value under %s",
					 key);
		refused += r < 0;
	}
	return refused;
}

static bool
ask_all(struct rot_kv *kv)
{
	const struct rot_kv_range all = { .from = "k", .to = "l" };
	struct seal_err err = { 0 };
	unsigned seen = 0;
	uint64_t count = 0;
	int r = rot_kv_begin(kv, &err);

	if (r == 0)
		r = rot_kv_each(kv, &all, expect_value, &seen, &err);
	if (r == 0)
		cr_assert_eq(seen, RECORDS, "%u of the records are there", seen);
	if (r == 0)
		r = rot_kv_count(kv, "k", "l", &count, &err);
	if (r == 0)
		cr_assert_eq(count, RECORDS);
	rot_kv_rollback(kv);
	cr_assert(r == 0 || is_said(r, &err), "%d %s", r, err.text);
	return r == 0;
}

static void
write_file(const uint8_t *data, size_t len)
{
	char beside[PATH_MAX + 8];
	int fd;

	(void)snprintf(beside, sizeof(beside), "%s-wal", rig.path);
	(void)unlink(beside);
	(void)snprintf(beside, sizeof(beside), "%s-shm", rig.path);
	(void)unlink(beside);
	fd = open(rig.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	cr_assert_eq(close(fd), 0);
}

static size_t
make_file(uint8_t **ret_data)
{
	struct rot_kv *kv = kv_rig_create(&rig);
	struct seal_err err = { 0 };
	struct stat st;
	int fd;

	cr_assert_eq(rot_kv_begin(kv, &err), 0);
	for (unsigned n = 0; n < RECORDS; n++) {
		char key[32], value[200];

		(void)snprintf(key, sizeof(key), "k%05u", n);
		make_value(n, value);
		cr_assert_eq(rot_kv_put(kv, key, value, strlen(value), &err), 0);
	}
	cr_assert_eq(rot_kv_commit(kv, &err), 0, "%s", err.text);
	rot_kv_close(kv); /* which brings all of it from the log into the file */
	fd = open(rig.path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fstat(fd, &st), 0);
	*ret_data = malloc((size_t)st.st_size);
	cr_assert_not_null(*ret_data);
	cr_assert_eq(read(fd, *ret_data, (size_t)st.st_size), st.st_size);
	(void)close(fd);
	return (size_t)st.st_size;
}

/* 1 it was noticed at once, 2 when something was asked, 0 it did no harm. */
static int
try_file(void)
{
	struct rot_kv *kv = NULL;
	struct seal_err err = { 0 };
	unsigned refused;
	bool whole;
	int r = rot_kv_open(&kv, &rig.config, false, &err);

	cr_assert(r == 0 || is_said(r, &err), "%d %s", r, err.text);
	if (r < 0)
		return 1;
	refused = ask_keys(kv);
	whole = ask_all(kv);
	rot_kv_close(kv);
	return refused > 0 || !whole ? 2 : 0;
}

Test(kv_fault, changed_bytes_are_said_and_never_served, .fini = teardown)
{
	unsigned flips = number_from("SEAL_KV_FLIPS", 400), verdicts[3] = { 0 };
	uint8_t *good = NULL, *bad;
	size_t len;

	(void)alarm(3600);
	throw_dice("flips");
	kv_rig_sqlite(&rig);
	len = make_file(&good);
	bad = malloc(len);
	cr_assert_not_null(bad);
	for (unsigned i = 0; i < flips; i++) {
		memcpy(bad, good, len);
		for (unsigned j = 0; j < 1 + i % 3; j++)
			bad[dice((unsigned)len)] ^= (uint8_t)(1 + dice(255));
		write_file(bad, len);
		verdicts[try_file()]++;
	}
	/* A page of another place, whole: its checksum says where it belongs. */
	for (unsigned i = 0; i < 10; i++) {
		unsigned from = 1 + dice((unsigned)(len / 4096) - 1),
			 to = 1 + dice((unsigned)(len / 4096) - 1);

		memcpy(bad, good, len);
		memcpy(bad + to * 4096, good + from * 4096, 4096);
		write_file(bad, len);
		cr_expect(from == to || try_file() != 0, "page %u in the place of %u", from, to);
	}
	write_file(good, len);
	cr_expect_eq(try_file(), 0, "the file as it was");
	(void)fprintf(
		stderr,
		"%u files with changed bytes: %u refused when opened, %u when asked, %u harmless\n",
		flips, verdicts[1], verdicts[2], verdicts[0]);
	cr_expect_eq(verdicts[0], 0, "every byte of this file is under a checksum");
	free(good);
	free(bad);
}

/* What a disk has lost reads as zeros, and a page that another tool has brought from the log has zeros for a checksum. */
Test(kv_fault, pages_whose_ends_are_zeros_are_said_or_whole, .fini = teardown)
{
	static const size_t lost[] = { 512, 1024, 4096 };
	uint8_t *good = NULL, *bad;
	unsigned said = 0, tried = 0;
	size_t len;

	(void)alarm(300);
	kv_rig_sqlite(&rig);
	len = make_file(&good);
	bad = malloc(len);
	cr_assert_not_null(bad);
	for (size_t end = 4096; end <= len; end += 4096) {
		for (size_t i = 0; i < SEAL_COUNT(lost); i++) {
			memcpy(bad, good, len);
			memset(bad + end - lost[i], 0, lost[i]);
			write_file(bad, len);
			said += try_file() != 0;
			tried++;
		}
	}
	/* Some page's end may be free. */
	cr_expect_geq(said, tried * 9 / 10, "%u of %u were said", said, tried);
	free(good);
	free(bad);
}

Test(kv_fault, pages_of_another_tool_get_checksums, .fini = teardown)
{
	uint8_t *good = NULL, *bad;
	struct seal_err err = { 0 };
	struct rot_kv *kv = NULL;
	ssize_t got;
	size_t len;
	int fd;

	(void)alarm(120);
	kv_rig_sqlite(&rig);
	len = make_file(&good);
	bad = malloc(len);
	cr_assert_not_null(bad);
	memcpy(bad, good, len);
	for (size_t end = 4096; end <= len; end += 4096)
		memset(bad + end - 8, 0, 8);
	write_file(bad, len);
	cr_expect_eq(try_file(), 0);
	fd = open(rig.path, O_RDONLY | O_CLOEXEC);
	got = read(fd, bad, len); /* it may have become shorter */
	cr_assert_gt(got, 4096);
	(void)close(fd);
	len = (size_t)got;
	for (size_t end = 4096; end <= len; end += 4096)
		cr_expect_neq(memcmp(bad + end - 8, "\0\0\0\0\0\0\0", 8), 0, "page %zu",
			      end / 4096);
	/* And while the file is in use there is no such page. */
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	fd = open(rig.path, O_WRONLY | O_CLOEXEC);
	for (size_t end = 2 * 4096; end <= len; end += 4096)
		cr_assert_eq(pwrite(fd, "\0\0\0\0\0\0\0", 8, (off_t)end - 8), 8);
	(void)close(fd);
	cr_expect_gt(ask_keys(kv), 0);
	rot_kv_close(kv);
	free(good);
	free(bad);
}

/* Every byte of the header, which SQLite looks at before any page. */
Test(kv_fault, a_changed_header_is_said, .fini = teardown)
{
	uint8_t *good = NULL, *bad;
	size_t len;

	(void)alarm(120);
	throw_dice("header");
	kv_rig_sqlite(&rig);
	len = make_file(&good);
	bad = malloc(len);
	cr_assert_not_null(bad);
	for (size_t at = 0; at < 100; at++) {
		memcpy(bad, good, len);
		bad[at] ^= (uint8_t)(1 << dice(8));
		write_file(bad, len);
		cr_expect_neq(try_file(), 0, "byte %zu", at);
	}
	free(good);
	free(bad);
}

/* ---- Bytes that change in the log that a crash has left ---- */

#define LOGGED 30

static size_t
read_whole(const char *path, uint8_t **ret_data)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(fstat(fd, &st), 0);
	*ret_data = malloc((size_t)st.st_size + 1);
	cr_assert_not_null(*ret_data);
	cr_assert_eq(read(fd, *ret_data, (size_t)st.st_size), st.st_size);
	(void)close(fd);
	return (size_t)st.st_size;
}

static void
put_beside(const char *end, const uint8_t *data, size_t len)
{
	char path[PATH_MAX + 8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s", rig.path, end);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	cr_assert_eq(close(fd), 0);
}

/* A store whose last changes are in its log alone. */
static void
crash(void)
{
	pid_t pid = fork();
	int status = 0;

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct rot_kv *kv = NULL;
		int r = rot_kv_open(&kv, &rig.config, false, NULL);

		for (unsigned n = 1; r == 0 && n <= LOGGED; n++)
			r = write_one(kv, n, NULL);
		_exit(r == 0 ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

Test(kv_fault, changed_bytes_in_the_log_are_said, .fini = teardown)
{
	unsigned flips = number_from("SEAL_KV_FLIPS", 200), said = 0, last = 0;
	uint8_t *file = NULL, *log = NULL;
	size_t file_len, log_len;
	char path[PATH_MAX + 8];

	(void)alarm(3600);
	throw_dice("log");
	kv_rig_sqlite(&rig);
	rot_kv_close(kv_rig_create(&rig));
	crash();
	(void)snprintf(path, sizeof(path), "%s-wal", rig.path);
	file_len = read_whole(rig.path, &file);
	log_len = read_whole(path, &log);
	cr_expect_eq(check(LOGGED), LOGGED, "the log as it was");
	for (unsigned i = 0; i < flips; i++) {
		size_t at = dice((unsigned)log_len);
		uint8_t mask = (uint8_t)(1 + dice(255));
		struct rot_kv *kv = NULL;
		struct seal_err err = { 0 };
		int r;

		log[at] ^= mask;
		(void)snprintf(path, sizeof(path), "%s-shm", rig.path);
		(void)unlink(path);
		put_beside("", file, file_len);
		put_beside("-wal", log, log_len);
		log[at] ^= mask;
		r = rot_kv_open(&kv, &rig.config, false, &err);
		rot_kv_close(kv);
		cr_assert(r == 0 || is_said(r, &err), "byte %zu: %d %s", at, r, err.text);
		said += r < 0;
		if (r < 0)
			continue;
		/* Only what a crash could have torn: it is not there, and all before it is. */
		cr_assert_geq(check(0), LOGGED - 2, "byte %zu", at);
		last++;
	}
	(void)fprintf(stderr, "%u changed logs: %u refused, %u without their last change\n", flips,
		      said, last);
	cr_expect_gt(said, flips / 2);
	free(file);
	free(log);
}
