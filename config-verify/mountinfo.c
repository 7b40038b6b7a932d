/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's mount table, read strictly: what the kernel would not have written is no mount table, and
 * then nothing of it is believed.  Fields are undone in place, in one copy of the text.  What the mounts
 * mean is judged elsewhere (mounts.h); here is only how the lines hang together.
 */

#include <stdlib.h>
#include <string.h>

#include "config-verify/mountinfo.h"

struct verify_mountinfo {
	char *text;
	struct verify_mount *mounts;
	struct verify_mount **by_id;
	struct verify_mount **by_point;
	size_t count;
};

void
verify_mountinfo_free(struct verify_mountinfo *info)
{
	if (info == NULL)
		return;
	free(info->text);
	free(info->mounts);
	free(info->by_id);
	free(info->by_point);
	free(info);
}

void
verify_mountinfo_freep(struct verify_mountinfo **info)
{
	verify_mountinfo_free(SEAL_TAKE(*info));
}

size_t
verify_mountinfo_count(const struct verify_mountinfo *info)
{
	return info->count;
}

const struct verify_mount *
verify_mountinfo_at(const struct verify_mountinfo *info, size_t index)
{
	return index < info->count ? &info->mounts[index] : NULL;
}

/* ---- Fields ---- */

static int
fail_field(const struct verify_mount *mount, const char *field, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_FORMAT, "line %zu: %s", mount->line, field);
}

/* The next field, ended in place; NULL after the last one.  *at is NULL when nothing is left. */
static char *
take(char **at)
{
	char *field = *at;
	char *end;

	if (field == NULL)
		return NULL;
	end = strchr(field, ' ');
	if (end != NULL)
		*end = '\0';
	*at = end != NULL ? end + 1 : NULL;
	return field;
}

/* A decimal number as the kernel writes one; ends at end. */
static bool
read_number(uint32_t *ret_number, const char **at, char end)
{
	const char *digit = *at;
	uint64_t number = 0;

	if (*digit < '0' || *digit > '9' || (digit[0] == '0' && digit[1] != end))
		return false;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		number = number * 10 + (uint64_t)(*digit - '0');
		if (number > UINT32_MAX)
			return false;
	}
	if (*digit != end)
		return false;
	*at = digit + (end != '\0');
	*ret_number = (uint32_t)number;
	return true;
}

static bool
take_number(uint32_t *ret_number, char **at)
{
	const char *field = take(at);

	return field != NULL && read_number(ret_number, &field, '\0');
}

/* Undo the kernel's escapes: these five and no others, so that a path is written in one way only. */
static bool
undo(char *field)
{
	static const char escapes[][5] = { "040 ", "011\t", "012\n", "134\\", "043#" };
	char *out = field;

	for (const char *in = field; *in != '\0';) {
		size_t i = 0;

		if (*in != '\\') {
			*out++ = *in++;
			continue;
		}
		while (i < SEAL_COUNT(escapes) && strncmp(in + 1, escapes[i], 3) != 0)
			i++;
		if (i == SEAL_COUNT(escapes))
			return false;
		*out++ = escapes[i][3];
		in += 4;
	}
	*out = '\0';
	return true;
}

static const char *
take_text(char **at)
{
	char *field = take(at);

	return field != NULL && field[0] != '\0' && undo(field) ? field : NULL;
}

/* The kernel begins every list of options with one of these two. */
static const char *
take_options(char **at)
{
	const char *field = take(at);

	if (field == NULL || (strncmp(field, "ro", 2) != 0 && strncmp(field, "rw", 2) != 0) ||
	    (field[2] != '\0' && field[2] != ','))
		return NULL;
	return field;
}

static bool
is_canonical(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	while (*path == '/') {
		size_t len = strcspn(path + 1, "/");

		if (len == 0 || (path[1] == '.' && (len == 1 || (len == 2 && path[2] == '.'))))
			return false;
		path += 1 + len;
	}
	return true;
}

/* ---- A line ---- */

static int
read_group(const char *text, const char *name, uint32_t *group, struct verify_mount *mount,
	   struct seal_err *err)
{
	uint32_t number;

	if (!read_number(&number, &text, '\0') || number == 0 || *group != 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "line %zu: '%s' must be followed by one number, once", mount->line,
				 name);
	*group = number;
	return 0;
}

static int
read_optional(const char *field, struct verify_mount *mount, struct seal_err *err)
{
	const struct {
		const char *name;
		uint32_t *group;
	} groups[] = {
		{ "shared:", &mount->shared },
		{ "master:", &mount->master },
		{ "propagate_from:", &mount->propagate_from },
	};

	if (field[0] == '\0')
		return fail_field(mount, "an empty field", err);
	for (size_t i = 0; i < SEAL_COUNT(groups); i++) {
		size_t len = strlen(groups[i].name);

		if (strncmp(field, groups[i].name, len) == 0)
			return read_group(field + len, groups[i].name, groups[i].group, mount, err);
	}
	if (strcmp(field, "unbindable") == 0 && mount->is_unbindable)
		return fail_field(mount, "'unbindable' twice", err);
	if (strcmp(field, "unbindable") == 0)
		mount->is_unbindable = true;
	else if (mount->unknown == NULL)
		mount->unknown = field;
	return 0;
}

static int
read_optionals(char **at, struct verify_mount *mount, struct seal_err *err)
{
	const char *field;
	int r;

	while ((field = take(at)) != NULL) {
		if (strcmp(field, "-") == 0)
			return 0;
		r = read_optional(field, mount, err);
		if (r < 0)
			return r;
	}
	return fail_field(mount, "no '-' between the optional fields and the file system", err);
}

/* What stands before the optional fields. */
static int
read_mount(char **at, struct verify_mount *mount, struct seal_err *err)
{
	const char *device;

	if (!take_number(&mount->id, at) || !take_number(&mount->parent, at))
		return fail_field(mount,
				  "a mount begins with two numbers, its own and its parent's", err);
	device = take(at);
	if (device == NULL || !read_number(&mount->major, &device, ':') ||
	    !read_number(&mount->minor, &device, '\0'))
		return fail_field(mount, "a device is two numbers with ':' between them", err);
	mount->root = take_text(at);
	if (mount->root == NULL)
		return fail_field(mount, "the root is missing or badly written", err);
	mount->point = take_text(at);
	if (mount->point == NULL || !is_canonical(mount->point))
		return fail_field(mount,
				  "the mount point is not an absolute path in canonical form", err);
	mount->options = take_options(at);
	if (mount->options == NULL)
		return fail_field(mount, "options of a mount begin with ro or rw", err);
	return 0;
}

static int
read_system(char **at, struct verify_mount *mount, struct seal_err *err)
{
	char *source;

	mount->type = take_text(at);
	if (mount->type == NULL)
		return fail_field(mount, "the file system's type is missing or badly written", err);
	/* The one field that may be empty: mount(2) takes any text. */
	source = take(at);
	if (source == NULL || !undo(source))
		return fail_field(mount, "the source is missing or badly written", err);
	mount->source = source;
	mount->super = take_options(at);
	if (mount->super == NULL)
		return fail_field(mount, "options of a file system begin with ro or rw", err);
	if (*at != NULL)
		return fail_field(mount, "more fields than a mount has", err);
	return 0;
}

static int
read_line(char *line, struct verify_mount *mount, struct seal_err *err)
{
	char *at = line;
	int r;

	if (strchr(line, '\t') != NULL)
		return fail_field(mount, "a tab, which the kernel writes as \\011", err);
	r = read_mount(&at, mount, err);
	if (r == 0)
		r = read_optionals(&at, mount, err);
	if (r == 0)
		r = read_system(&at, mount, err);
	return r;
}

static int
read_lines(struct verify_mountinfo *info, struct seal_err *err)
{
	char *line = info->text;
	int r;

	for (size_t i = 0; i < info->count; i++) {
		char *end = strchr(line, '\n');

		*end = '\0';
		info->mounts[i].line = i + 1;
		r = read_line(line, &info->mounts[i], err);
		if (r < 0)
			return r;
		line = end + 1;
	}
	return 0;
}

/* ---- The lines together ---- */

static int
compare_lines(const struct verify_mount *a, const struct verify_mount *b)
{
	return (a->line > b->line) - (a->line < b->line);
}

static int
compare_ids(const void *left, const void *right)
{
	const struct verify_mount *a = *(struct verify_mount *const *)left;
	const struct verify_mount *b = *(struct verify_mount *const *)right;

	if (a->id != b->id)
		return a->id > b->id ? 1 : -1;
	return compare_lines(a, b);
}

/* '/' before all other bytes: whatever lies below a path follows it without a gap. */
static int
compare_paths(const char *a, const char *b)
{
	for (; *a == *b && *a != '\0'; a++, b++)
		;
	if (*a == *b)
		return 0;
	if (*a == '\0' || *b == '\0')
		return *a == '\0' ? -1 : 1;
	if (*a == '/' || *b == '/')
		return *a == '/' ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int
compare_points(const void *left, const void *right)
{
	const struct verify_mount *a = *(struct verify_mount *const *)left;
	const struct verify_mount *b = *(struct verify_mount *const *)right;
	int order = compare_paths(a->point, b->point);

	return order != 0 ? order : compare_lines(a, b);
}

static bool
is_above(const char *path, const char *below)
{
	size_t len = strlen(path);

	if (len == 1)
		return below[1] != '\0';
	return strncmp(path, below, len) == 0 && below[len] == '/';
}

/* In the order of mount points, whatever lies above a mount is the mount before, or above that. */
static void
link_points(struct verify_mountinfo *info)
{
	qsort(info->by_point, info->count, sizeof(*info->by_point), compare_points);
	for (size_t i = 1; i < info->count; i++) {
		struct verify_mount *mount = info->by_point[i];
		const struct verify_mount *before = info->by_point[i - 1];

		if (strcmp(before->point, mount->point) == 0)
			mount->same = before;
		while (before != NULL && !is_above(before->point, mount->point))
			before = before->above;
		mount->above = before;
	}
}

static struct verify_mount *
find_id(const struct verify_mountinfo *info, uint32_t id)
{
	size_t low = 0;
	size_t high = info->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (info->by_id[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < info->count && info->by_id[low]->id == id ? info->by_id[low] : NULL;
}

static void
link_ids(struct verify_mountinfo *info)
{
	qsort(info->by_id, info->count, sizeof(*info->by_id), compare_ids);
	for (size_t i = 1; i < info->count; i++)
		info->by_id[i]->is_id_twice = info->by_id[i]->id == info->by_id[i - 1]->id;
	for (size_t i = 0; i < info->count; i++) {
		struct verify_mount *on = find_id(info, info->mounts[i].parent);

		info->mounts[i].on = on;
		if (on != NULL && on != &info->mounts[i] &&
		    strcmp(on->point, info->mounts[i].point) == 0)
			on->is_covered = true;
	}
}

static void
link_mounts(struct verify_mountinfo *info)
{
	for (size_t i = 0; i < info->count; i++)
		info->by_id[i] = info->by_point[i] = &info->mounts[i];
	link_points(info);
	link_ids(info);
}

/* The last of those at one point, which sort by line. */
const struct verify_mount *
verify_mountinfo_find(const struct verify_mountinfo *info, const char *point)
{
	const struct verify_mount *found = NULL;
	size_t low = 0;
	size_t high = info->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_paths(info->by_point[middle]->point, point);

		if (order == 0)
			found = info->by_point[middle];
		if (order <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return found;
}

/* ---- The table ---- */

static int
check_text(const char *text, size_t len, size_t *ret_lines, struct seal_err *err)
{
	size_t lines = 0;

	if (len > VERIFY_MOUNTINFO_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a mount table of more than %u bytes",
				 VERIFY_MOUNTINFO_MAX);
	if (len == 0)
		return seal_fail(err, SEAL_E_FORMAT, "an empty mount table");
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0')
			return seal_fail(err, SEAL_E_FORMAT, "line %zu: a NUL byte", lines + 1);
		lines += text[i] == '\n';
	}
	if (text[len - 1] != '\n')
		return seal_fail(err, SEAL_E_FORMAT, "line %zu: cut off: it has no end", lines + 1);
	if (lines > VERIFY_MOUNTS_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d mounts", VERIFY_MOUNTS_MAX);
	*ret_lines = lines;
	return 0;
}

int
verify_mountinfo_parse(struct verify_mountinfo **ret_info, const void *text, size_t len,
		       struct seal_err *err)
{
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = NULL;
	size_t count = 0;
	int r = check_text(text, len, &count, err);

	if (r < 0)
		return r;
	info = calloc(1, sizeof(*info));
	if (info == NULL)
		return seal_fail_memory(err);
	info->count = count;
	info->text = malloc(len + 1);
	info->mounts = calloc(count, sizeof(*info->mounts));
	info->by_id = calloc(count, sizeof(struct verify_mount *));
	info->by_point = calloc(count, sizeof(struct verify_mount *));
	if (info->text == NULL || info->mounts == NULL || info->by_id == NULL ||
	    info->by_point == NULL)
		return seal_fail_memory(err);
	memcpy(info->text, text, len);
	info->text[len] = '\0';
	r = read_lines(info, err);
	if (r < 0)
		return r;
	link_mounts(info);
	*ret_info = SEAL_TAKE(info);
	return 0;
}

bool
verify_mount_has(const char *options, const char *option)
{
	size_t len = strlen(option);
	bool is_name = len > 0 && option[len - 1] == '=';

	while (*options != '\0') {
		size_t part = strcspn(options, ",");

		if (is_name ? part >= len && strncmp(options, option, len) == 0
			    : part == len && strncmp(options, option, len) == 0)
			return true;
		options += part;
		options += *options == ',';
	}
	return false;
}
