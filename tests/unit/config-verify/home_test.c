/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/home: a user's home from a list of users that anybody may have written. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config-verify/environment.h"

static void
expect_home(const char *passwd, size_t len, unsigned uid, const char *want)
{
	char path[] = "/tmp/seal-passwd-XXXXXX";
	char home[32];
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, passwd, len), (ssize_t)len);
	(void)close(fd);
	verify_home_of(home, sizeof(home), path, uid);
	cr_expect_str_eq(home, want, "%s: %u: %s", passwd, uid, home);
	(void)unlink(path);
}

Test(verify_home, is_the_sixth_field_of_the_users_line)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
				     "app:x:1000:1000::/home/app:/bin/sh\n"
				     "again:x:1000:1000::/home/again:/bin/sh\n"
				     "last:x:65534:65534:x:/nonexistent:";

	expect_home(passwd, sizeof(passwd) - 1, 0, "/root");
	expect_home(passwd, sizeof(passwd) - 1, 1000, "/home/app");
	expect_home(passwd, sizeof(passwd) - 1, 65534, "/nonexistent");
	expect_home(passwd, sizeof(passwd) - 1, 1001, "/");
}

Test(verify_home, a_line_that_says_nothing_usable_gives_the_root)
{
	static const char *const lines[] = {
		"",
		"\n\n",
		"app",
		"app:x",
		"app:x:7",
		"app:x:7:7:gecos",
		"app:x:7:7:gecos:",
		"app:x:7:7:gecos::/bin/sh",
		"app:x:7:7:gecos:relative:/bin/sh",
		"app:x: 7:7:gecos:/home:/bin/sh",
		"app:x:-7:7:gecos:/home:/bin/sh",
		"app:x:4294967303:7:gecos:/home:/bin/sh",
		"app:x:99999999999999999999:7:gecos:/home:/bin/sh",
		"app:x::7:gecos:/home:/bin/sh",
		"7:7:x:7:gecos:/home:/bin/sh",
		"app:x:7:7:x:/a/home/that/is/longer/than/the/place/for/it/and/so/is/none:",
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++)
		expect_home(lines[i], strlen(lines[i]), 7, "/");
}

Test(verify_home, a_field_does_not_reach_into_the_next_line)
{
	static const char passwd[] = "a:x:7\nb:x:8:8:x:/home/b:/bin/sh\n";

	expect_home(passwd, sizeof(passwd) - 1, 7, "/");
	expect_home(passwd, sizeof(passwd) - 1, 8, "/home/b");
}

Test(verify_home, without_a_list_nobody_has_one)
{
	char home[32] = "x";

	verify_home_of(home, sizeof(home), "/nonexistent/passwd", 0);
	cr_expect_str_eq(home, "/");
	verify_home_of(home, sizeof(home), "/dev/zero", 0);
	cr_expect_str_eq(home, "/");
	verify_home_of(home, sizeof(home), "/proc", 0);
	cr_expect_str_eq(home, "/");
}
