/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for a folder in which one test may do what it likes. */

#include "tests/support/place.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs/fs.h"

int place_dir = -1;
char place_path[] = "/tmp/seal-test-XXXXXX";
const char *const place_things[PLACE_THING_COUNT] = { "fifo", "socket", "folder", "null" };

void
place_enter(void)
{
	cr_assert_not_null(mkdtemp(place_path));
	cr_assert_eq(chmod(place_path, 0755), 0);
	place_dir = open(place_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(place_dir, 0);
}

void
place_leave(void)
{
	char command[64];

	seal_closep(&place_dir);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", place_path);
	cr_expect_eq(system(command), 0);
}

void
place_put(const char *name, const char *text, mode_t mode)
{
	SEAL_SCOPED(seal_closep)
	int fd = openat(place_dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
}

void
place_expect(const char *name, const char *text)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(100000);

	cr_expect_eq(seal_fs_read(&out, place_dir, name, 100000, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&out), text);
}

size_t
place_count(int dirfd)
{
	DIR *entries = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t count = 0;

	cr_assert_not_null(entries);
	while (readdir(entries) != NULL)
		count++;
	(void)closedir(entries);
	return count - 2; /* . and .. */
}

void
place_put_things(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	SEAL_SCOPED(seal_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(mkfifoat(place_dir, "fifo", 0600), 0);
	cr_assert_eq(mkdirat(place_dir, "folder", 0700), 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", place_path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(symlinkat("/dev/null", place_dir, "null"), 0);
}
