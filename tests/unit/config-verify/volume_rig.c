/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for volumes of which tests may do what they like. */

#include "tests/unit/config-verify/volume_rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "tests/support/place.h"

#define NO_MOUNTS 77
#define FILES     4
#define UNIT      8 /* bytes: the version's number */

char rig_volume[64];
char rig_outside[64];
int rig_top;

struct job {
	const char *options;
	void (*fn)(void *arg);
};

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void
set_up_and_run(void *arg)
{
	const struct job *job = arg;
	char options[128];

	if (unshare(CLONE_NEWNS) < 0)
		_exit(NO_MOUNTS);
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	(void)snprintf(rig_volume, sizeof(rig_volume), "%s/volume", place_path);
	(void)snprintf(rig_outside, sizeof(rig_outside), "%s/outside", place_path);
	MUST(mkdir(rig_volume, 0755) == 0 || errno == EEXIST);
	MUST(mkdir(rig_outside, 0777) == 0 || errno == EEXIST);
	put(rig_path(rig_outside, "canary"), "sings");
	(void)snprintf(options, sizeof(options), "mode=0777%s%s", *job->options == '\0' ? "" : ",",
		       job->options);
	MUST(mount("none", rig_volume, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0);
	rig_top = open(rig_volume, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(rig_top >= 0);
	job->fn(NULL);
	rig_must_be_untouched();
}

void
rig_run(const char *test, const char *options, void (*fn)(void *arg))
{
	struct job job = { options, fn };
	int status;

	if (!child_may_be_root(test))
		return;
	status = child_run(set_up_and_run, &job);
	if (status == NO_MOUNTS)
		fprintf(stderr, "SKIP: %s needs a mount namespace\n", test);
	else
		cr_expect_eq(status, 0, "%s: the child ended with %d", test, status);
}

const char *
rig_path(const char *dir, const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % SEAL_COUNT(paths)];

	(void)snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

void
rig_must_be_untouched(void)
{
	int dir = open(rig_outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[16] = "";
	int fd = openat(dir, "canary", O_RDONLY | O_CLOEXEC);
	struct stat st;

	MUST(place_count(dir) == 1);
	MUST(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0644 && st.st_nlink == 1);
	MUST(read(fd, text, sizeof(text)) == 5 && strcmp(text, "sings") == 0);
	MUST(close(fd) == 0 && close(dir) == 0);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *
rig_list(void)
{
	static char list[4096];
	char *names[64];
	size_t count = 0;
	size_t len = 0;
	DIR *entries = fdopendir(openat(rig_top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	MUST(entries != NULL);
	while ((entry = readdir(entries)) != NULL && count < SEAL_COUNT(names)) {
		bool version = strncmp(entry->d_name, "..2", 3) == 0;

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			names[count++] = strdup(version ? "..V" : entry->d_name);
	}
	(void)closedir(entries);
	qsort(names, count, sizeof(*names), by_name);
	list[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s ", names[i]);
		free(names[i]);
	}
	return list;
}

struct seal_secret *
rig_secret(const char *text, size_t len)
{
	struct seal_secret *secret = NULL;

	MUST(seal_secret_from(&secret, text, len, NULL) == 0);
	return secret;
}

/* How often its number stands in a file of version n: what is cut off, or left from another, shows. */
static size_t
units(unsigned n, size_t file)
{
	return 1 + (n * 7 + file * 131) % 700;
}

static const char *
file_name(unsigned n, size_t file)
{
	static const char *const names[FILES - 1] = { "a", "b", "dir/deep/c" };

	return file < FILES - 1 ? names[file] : n % 2 == 0 ? "even" : "odd";
}

static struct seal_secret *
make_content(unsigned n, size_t file)
{
	struct seal_secret *secret = NULL;
	char unit[UNIT + 1];

	(void)snprintf(unit, sizeof(unit), "%0*u", UNIT, n % 100000000);
	MUST(seal_secret_new(&secret, units(n, file) * UNIT, NULL) == 0);
	for (size_t i = 0; i < units(n, file); i++)
		memcpy(seal_secret_bytes(secret) + i * UNIT, unit, UNIT);
	return secret;
}

int
rig_publish_in(struct verify_volume *volume, unsigned n)
{
	struct verify_file files[FILES];
	struct seal_err err = { 0 };
	int r;

	for (size_t i = 0; i < FILES; i++)
		files[i] = (struct verify_file){ file_name(n, i), make_content(n, i), 0400 };
	r = verify_volume_publish(volume, files, FILES, &err);
	MUST(r == err.code);
	if (r < 0 && getenv("SEAL_DEBUG") != NULL)
		fprintf(stderr, "%s\n", err.text);
	for (size_t i = 0; i < FILES; i++)
		seal_secret_free((struct seal_secret *)files[i].content);
	return r;
}

int
rig_publish(unsigned n)
{
	struct verify_volume *volume = NULL;
	int r = verify_volume_open(&volume, rig_volume, NULL);

	if (r == 0)
		r = rig_publish_in(volume, n);
	verify_volume_close(volume);
	return r;
}

const char *
rig_listing(unsigned n)
{
	if (n == 0)
		return "";
	return n % 2 == 0 ? "..V ..data a b dir even " : "..V ..data a b dir odd ";
}

/* The number in a file, all of which must be there; 0 when it is gone. */
static unsigned
read_number(int dir, const char *name, size_t file)
{
	static char text[701 * UNIT];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	unsigned n = 0;
	ssize_t len;
	struct stat st;

	if (fd < 0) {
		MUST(errno == ENOENT);
		return 0;
	}
	len = read(fd, text, sizeof(text));
	MUST(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0400);
	MUST(close(fd) == 0 && len >= UNIT && len % UNIT == 0);
	for (size_t i = 0; i < UNIT; i++)
		n = n * 10 + (unsigned)(text[i] - '0');
	MUST((size_t)len == units(n, file) * UNIT);
	for (ssize_t at = UNIT; at < len; at += UNIT)
		MUST(memcmp(text, text + at, UNIT) == 0);
	return n;
}

unsigned
rig_read(void)
{
	int dir = openat(rig_top, "..data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned n, other;

	if (dir < 0) {
		MUST(errno == ENOENT);
		return 0;
	}
	n = read_number(dir, "a", 0);
	for (size_t i = 1; n != 0 && i < FILES; i++) {
		other = read_number(dir, file_name(n, i), i);
		MUST(other == 0 || other == n);
		n = other;
	}
	MUST(close(dir) == 0);
	return n;
}

unsigned
rig_read_name(const char *name)
{
	return read_number(rig_top, name, name[0] == 'a' ? 0 : 1);
}

struct verify_volume *
rig_open(void)
{
	struct verify_volume *volume = NULL;
	struct seal_err err = { 0 };

	if (verify_volume_open(&volume, rig_volume, &err) < 0)
		fprintf(stderr, "open: %s\n", err.text);
	MUST(volume != NULL);
	return volume;
}

int
rig_publish_one(struct verify_volume *volume, const char *path, const char *text, mode_t mode,
		struct seal_err *err)
{
	struct seal_secret *content = text[0] == '\0' ? NULL : rig_secret(text, strlen(text));
	const struct verify_file file = { path, content, mode };
	int r = verify_volume_publish(volume, &file, 1, err);

	seal_secret_free(content);
	return r;
}

void
rig_must_hold(const char *path, const char *text)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(100000);

	MUST(seal_fs_read(&out, rig_top, path, 100000, NULL) == 0);
	MUST(strcmp(seal_bytes_str(&out), text) == 0);
}
