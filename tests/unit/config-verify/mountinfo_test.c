/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/mountinfo: the kernel's table, and nothing that only looks like it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/alloc.h"
#include "tests/unit/config-verify/mounts_rig.h"

#define INFO SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *

static void
expect_refused(const char *text, int code)
{
	int r = 0;
	INFO info = rig_parse(text, &r);

	cr_expect_eq(r, code, "%s", text);
	cr_expect_null(info);
}

static void
expect_line_refused(const char *line)
{
	expect_refused(rig_with(rig_plain, line), SEAL_E_FORMAT);
}

Test(mountinfo, every_field_is_there)
{
	INFO info = rig_parse("36 35 98:0 /mnt1 / rw,noatime master:1 shared:4294967295 "
			      "propagate_from:7 unbindable - ext3 /dev/root rw,errors=continue\n",
			      NULL);
	const struct verify_mount *mount = verify_mountinfo_at(info, 0);

	cr_assert_not_null(mount);
	cr_expect_eq(verify_mountinfo_count(info), 1);
	cr_expect_null(verify_mountinfo_at(info, 1));
	cr_expect_eq(mount->line, 1);
	cr_expect_eq(mount->id, 36);
	cr_expect_eq(mount->parent, 35);
	cr_expect_eq(mount->major, 98);
	cr_expect_eq(mount->minor, 0);
	cr_expect_str_eq(mount->root, "/mnt1");
	cr_expect_str_eq(mount->point, "/");
	cr_expect_str_eq(mount->options, "rw,noatime");
	cr_expect_eq(mount->master, 1);
	cr_expect_eq(mount->shared, 4294967295U);
	cr_expect_eq(mount->propagate_from, 7);
	cr_expect(mount->is_unbindable);
	cr_expect_null(mount->unknown);
	cr_expect_str_eq(mount->type, "ext3");
	cr_expect_str_eq(mount->source, "/dev/root");
	cr_expect_str_eq(mount->super, "rw,errors=continue");
	cr_expect_null(mount->on);
	cr_expect_null(mount->above);
	cr_expect_null(mount->same);
}

Test(mountinfo, escapes_of_paths_and_sources_are_undone)
{
	INFO info = rig_parse("1 0 0:1 /a\\040b /t\\011n\\012s\\134h\\043#\xff\x01 rw - x "
			      "a\\040-\\040b rw,lowerdir=/a\\054b\n",
			      NULL);
	const struct verify_mount *mount = verify_mountinfo_at(info, 0);

	cr_expect_str_eq(mount->root, "/a b");
	cr_expect_str_eq(mount->point, "/t\tn\ns\\h##\xff\x01");
	cr_expect_str_eq(mount->source, "a - b");
	cr_expect_str_eq(mount->super, "rw,lowerdir=/a\\054b", "these are not ours to undo");
}

Test(mountinfo, a_source_may_be_empty_and_a_root_may_be_anything)
{
	INFO info = rig_parse("1 0 0:1 net:[4026531840] /a rw - nsfs  rw\n"
			      "2 0 0:1 /../.. /b rw - cgroup2 none rw\n"
			      "3 0 0:1 /f//deleted /c rw - ext4 /dev/a rw\n",
			      NULL);

	cr_expect_str_eq(verify_mountinfo_at(info, 0)->source, "");
	cr_expect_str_eq(verify_mountinfo_at(info, 1)->root, "/../..");
	cr_expect_str_eq(verify_mountinfo_at(info, 2)->root, "/f//deleted");
}

Test(mountinfo, an_optional_field_nobody_knows_is_kept)
{
	INFO info = rig_parse("1 0 0:1 / / rw future:7 other shared:2 - x y rw\n", NULL);

	cr_expect_str_eq(verify_mountinfo_at(info, 0)->unknown, "future:7");
	cr_expect_eq(verify_mountinfo_at(info, 0)->shared, 2);
}

Test(mountinfo, lines_know_what_they_lie_on_and_below)
{
	INFO info = rig_parse("5 4 0:1 / /a/b/c rw - x y rw\n"
			      "4 3 0:1 / /a/b rw - x y rw\n"
			      "6 3 0:1 / /a/bc rw - x y rw\n"
			      "7 3 0:1 / /a/b-c rw - x y rw\n"
			      "8 5 0:1 / /a/b/c rw - x y rw\n"
			      "8 2 0:1 / /b rw - x y rw\n"
			      "3 2 0:1 / /a rw - x y rw\n"
			      "2 1 0:1 / / rw - x y rw\n",
			      NULL);
	const struct verify_mount *at[8];

	for (size_t i = 0; i < SEAL_COUNT(at); i++)
		at[i] = verify_mountinfo_at(info, i);
	cr_expect_eq(at[0]->above, at[1]);
	cr_expect_eq(at[0]->on, at[1]);
	cr_expect_eq(at[1]->above, at[6]);
	cr_expect_eq(at[2]->above, at[6]);
	cr_expect_eq(at[3]->above, at[6]);
	cr_expect_eq(at[4]->above, at[1]);
	cr_expect_eq(at[4]->on, at[0]);
	cr_expect_eq(at[4]->same, at[0]);
	cr_expect(at[0]->is_covered);
	cr_expect_not(at[4]->is_covered);
	cr_expect(at[5]->is_id_twice);
	cr_expect_not(at[4]->is_id_twice);
	cr_expect_eq(at[6]->above, at[7]);
	cr_expect_null(at[7]->above);
	cr_expect_eq(verify_mountinfo_find(info, "/a/b"), at[1]);
	cr_expect_eq(verify_mountinfo_find(info, "/a/b/c"), at[4]);
	cr_expect_null(verify_mountinfo_find(info, "/a/"));
	cr_expect_null(verify_mountinfo_find(info, ""));
}

Test(mountinfo, lines_the_kernel_does_not_write_are_refused)
{
	static const char *const lines[] = {
		"",
		" ",
		"1",
		"1 2",
		"1 2 0:1",
		"1 2 0:1 /",
		"1 2 0:1 / /x",
		"1 2 0:1 / /x rw",
		"1 2 0:1 / /x rw -",
		"1 2 0:1 / /x rw - tmpfs",
		"1 2 0:1 / /x rw - tmpfs tmpfs",
		"1 2 0:1 / /x rw - tmpfs tmpfs ",
		"1 2 0:1 / /x rw tmpfs tmpfs rw",
		"1 2 0:1 / /x rw - tmpfs tmpfs rw extra",
		"1 2 0:1 / /x rw - tmpfs tmpfs rw ",
		" 1 2 0:1 / /x rw - tmpfs tmpfs rw",
		"1  2 0:1 / /x rw - tmpfs tmpfs rw",
		"1 2 0:1  /x rw - tmpfs tmpfs rw",
		"1 2 0:1 /  rw - tmpfs tmpfs rw",
		"1 2 0:1 / /x  - tmpfs tmpfs rw",
		"1 2 0:1 / /x rw  - tmpfs tmpfs rw",
		"1 2 0:1 / /x rw -  tmpfs rw",
		"1 2 0:1 / /x rw\t- tmpfs tmpfs rw",
		"1 2 0:1 / /x\ty rw - tmpfs tmpfs rw",
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++)
		expect_line_refused(lines[i]);
}

Test(mountinfo, numbers_are_decimal_and_have_one_spelling)
{
	static const char *const numbers[] = {
		"-1",  "+1", "01", "00", "0x1", "1x", "", "4294967296", "99999999999999999999",
		"1.0",
	};
	char line[128];

	for (size_t i = 0; i < SEAL_COUNT(numbers); i++) {
		(void)snprintf(line, sizeof(line), "%s 2 0:1 / /x rw - t t rw", numbers[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 %s 0:1 / /x rw - t t rw", numbers[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 2 %s:1 / /x rw - t t rw", numbers[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 2 0:%s / /x rw - t t rw", numbers[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 2 0:1 / /x rw shared:%s - t t rw",
			       numbers[i]);
		expect_line_refused(line);
	}
	expect_line_refused("1 2 0 / /x rw - t t rw");
	expect_line_refused("1 2 0:1:2 / /x rw - t t rw");
	expect_line_refused("1 2 0:1 / /x rw shared:0 - t t rw");
}

Test(mountinfo, an_optional_field_stands_once)
{
	expect_line_refused("1 2 0:1 / /x rw shared:1 shared:2 - t t rw");
	expect_line_refused("1 2 0:1 / /x rw master:1 shared:1 master:1 - t t rw");
	expect_line_refused("1 2 0:1 / /x rw propagate_from:1 propagate_from:1 - t t rw");
	expect_line_refused("1 2 0:1 / /x rw unbindable unbindable - t t rw");
}

Test(mountinfo, other_escapes_than_the_kernels_are_refused)
{
	static const char *const escapes[] = {
		"\\057", "\\04", "\\0", "\\", "\\000", "\\101", "\\x2f", "\\40", "\\\\", "\\n",
	};
	char line[128];

	for (size_t i = 0; i < SEAL_COUNT(escapes); i++) {
		(void)snprintf(line, sizeof(line), "1 2 0:1 /%s /x rw - t t rw", escapes[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 2 0:1 / /x%s rw - t t rw", escapes[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 2 0:1 / /x rw - t%s t rw", escapes[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 2 0:1 / /x rw - t %s rw", escapes[i]);
		expect_line_refused(line);
	}
}

Test(mountinfo, a_mount_point_is_absolute_and_has_one_spelling)
{
	static const char *const points[] = {
		"usr/bin", "//",    "/x/",   "/x//y",   "/.",          "/..",
		"/x/.",    "/x/..", "/../x", "/x/../y", "/x//deleted", "\\040/x",
	};
	char line[128];

	for (size_t i = 0; i < SEAL_COUNT(points); i++) {
		(void)snprintf(line, sizeof(line), "1 2 0:1 / %s rw - t t rw", points[i]);
		expect_line_refused(line);
	}
}

Test(mountinfo, options_begin_with_ro_or_rw)
{
	static const char *const options[] = { "r", "rox", "nosuid", "nosuid,rw", ",rw", "RW" };
	char line[128];

	for (size_t i = 0; i < SEAL_COUNT(options); i++) {
		(void)snprintf(line, sizeof(line), "1 2 0:1 / /x %s - t t rw", options[i]);
		expect_line_refused(line);
		(void)snprintf(line, sizeof(line), "1 2 0:1 / /x rw - t t %s", options[i]);
		expect_line_refused(line);
	}
}

Test(mountinfo, a_table_that_is_empty_or_cut_off_is_refused)
{
	expect_refused("", SEAL_E_FORMAT);
	expect_refused("\n", SEAL_E_FORMAT);
	expect_refused("1 0 0:1 / / rw - t t rw", SEAL_E_FORMAT);
	expect_refused("1 0 0:1 / / rw - t t rw\n\n", SEAL_E_FORMAT);
	for (size_t n = 0; n < strlen(rig_plain); n++) {
		struct verify_mountinfo *info = NULL;
		int r = verify_mountinfo_parse(&info, rig_plain, n, NULL);

		if (n > 0 && rig_plain[n - 1] == '\n') {
			cr_expect_eq(r, 0, "%zu", n);
			verify_mountinfo_free(info);
		} else {
			cr_expect_eq(r, SEAL_E_FORMAT, "accepted %zu bytes", n);
			cr_expect_null(info);
		}
	}
}

Test(mountinfo, a_nul_byte_anywhere_is_refused)
{
	size_t len = strlen(rig_plain);
	char *text = strdup(rig_plain);

	cr_assert_not_null(text);
	for (size_t i = 0; i < len; i++) {
		struct verify_mountinfo *info = NULL;

		text[i] = '\0';
		cr_expect_eq(verify_mountinfo_parse(&info, text, len, NULL), SEAL_E_FORMAT,
			     "at %zu", i);
		cr_expect_null(info);
		text[i] = rig_plain[i];
	}
	free(text);
}

Test(mountinfo, a_refusal_names_the_line)
{
	struct verify_mountinfo *info = NULL;
	struct seal_err err = { 0 };
	const char *text = rig_with(rig_plain, "1 2 0:1 / x rw - t t rw");

	cr_expect_eq(verify_mountinfo_parse(&info, text, strlen(text), &err), SEAL_E_FORMAT);
	cr_expect_not_null(strstr(err.text, "line 12:"), "%s", err.text);
}

/* A table of count lines, each on the heap of the test. */
static char *
make_many(size_t count, size_t *ret_len)
{
	char *text = malloc(count * 64);
	size_t len = 0;

	cr_assert_not_null(text);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, 64, "%zu 1 0:1 / /%zu rw - t t rw\n", i + 2, i);
	*ret_len = len;
	return text;
}

Test(mountinfo, limits_are_kept)
{
	struct verify_mountinfo *info = NULL;
	size_t len;
	char *text = make_many(VERIFY_MOUNTS_MAX, &len);

	cr_expect_eq(verify_mountinfo_parse(&info, text, len, NULL), 0);
	cr_expect_eq(verify_mountinfo_count(info), VERIFY_MOUNTS_MAX);
	verify_mountinfo_freep(&info);
	free(text);
	text = make_many(VERIFY_MOUNTS_MAX + 1, &len);
	cr_expect_eq(verify_mountinfo_parse(&info, text, len, NULL), SEAL_E_LIMIT);
	cr_expect_null(info);
	free(text);
	text = calloc(1, VERIFY_MOUNTINFO_MAX + 1);
	cr_assert_not_null(text);
	cr_expect_eq(verify_mountinfo_parse(&info, text, VERIFY_MOUNTINFO_MAX + 1, NULL),
		     SEAL_E_LIMIT);
	cr_expect_eq(verify_mountinfo_parse(&info, text, VERIFY_MOUNTINFO_MAX, NULL),
		     SEAL_E_FORMAT);
	free(text);
}

Test(mountinfo, without_memory_nothing_is_left)
{
	bool failed = true;

	for (size_t n = 1; failed; n++) {
		INFO info = NULL;
		int r;

		alloc_fail_at(n);
		r = verify_mountinfo_parse(&info, rig_plain, strlen(rig_plain), NULL);
		failed = alloc_call_off();
		cr_expect_eq(r, failed ? SEAL_E_MEMORY : 0);
		cr_expect((info == NULL) == failed);
		cr_assert_lt(n, 20);
	}
}

Test(mountinfo, options_are_found_whole)
{
	cr_expect(verify_mount_has("ro,nosuid", "ro"));
	cr_expect(verify_mount_has("rw,ro", "ro"));
	cr_expect(verify_mount_has("rw,size=4k,mode=755", "size="));
	cr_expect(verify_mount_has("rw,size=4k", "size=4k"));
	cr_expect(verify_mount_has("rw,size=", "size="));
	cr_expect_not(verify_mount_has("rw,rox,xro,ro=1", "ro"));
	cr_expect_not(verify_mount_has("rw,xsize=4k,size", "size="));
	cr_expect_not(verify_mount_has("", "ro"));
	cr_expect_not(verify_mount_has("rw", ""));
	cr_expect_not(verify_mount_has("rw,errors=remount-ro", "ro"));
}
