/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_MOUNTINFO_H
#define SEAL_VERIFY_MOUNTINFO_H

/*
 * The mount table as the kernel shows it (proc_pid_mountinfo(5)), whole or not at all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"

#define VERIFY_MOUNTINFO_MAX (1024u * 1024) /* bytes */
#define VERIFY_MOUNTS_MAX    8192           /* lines */

struct verify_mount {
	size_t line; /* from 1 */
	uint32_t id;
	uint32_t parent;
	uint32_t major;
	uint32_t minor;
	const char *root;    /* of the mount within its file system; octal escapes undone */
	const char *point;   /* likewise: where it is; absolute, in canonical form */
	const char *options; /* of the mount: "ro,nosuid" */
	uint32_t shared;     /* peer groups, 0: none */
	uint32_t master;
	uint32_t propagate_from;
	bool is_unbindable;
	const char *unknown; /* the first optional field that nobody knows; NULL */
	const char *type;
	const char *source; /* undone; "" and "none" occur */
	const char *super;  /* options of the file system, as the kernel escaped them */

	/* What follows is not in the line, but follows from the lines together. */
	const struct verify_mount *on;    /* that of the id parent; NULL: not in this table */
	const struct verify_mount *above; /* that with the longest mount point above; NULL: none */
	const struct verify_mount *same;  /* one at the same point, of a line before; NULL: none */
	bool is_id_twice;                 /* a line before has the same id */
	bool is_covered;                  /* another at the same point lies on it */
};

struct verify_mountinfo;

/*
 * Parse all lines.  Refused (SEAL_E_FORMAT with the line; SEAL_E_LIMIT): NUL bytes, a last line without
 * its end, too few or empty fields, numbers that are none, escapes other than the kernel's (\040, \011,
 * \012, \134, and \043 for '#'), bytes the kernel would have escaped, options that do not begin with ro
 * or rw, an optional field twice, a mount point that is not absolute or not canonical, an empty table.
 * An optional field nobody knows is no error here, but a finding (mounts.h).
 */
SEAL_CHECKED int verify_mountinfo_parse(struct verify_mountinfo **ret_info, const void *text,
					size_t len, struct seal_err *err);
void verify_mountinfo_free(struct verify_mountinfo *info);
void verify_mountinfo_freep(struct verify_mountinfo **info);
size_t verify_mountinfo_count(const struct verify_mountinfo *info);
/* The mount of line index + 1: every line is one. */
const struct verify_mount *verify_mountinfo_at(const struct verify_mountinfo *info, size_t index);
/* The mount at this very point, of several the last line, from which same leads to the others; NULL: none. */
const struct verify_mount *verify_mountinfo_find(const struct verify_mountinfo *info,
						 const char *point);

/* Is option one of a comma-separated list, or, when it ends with '=', the name of one? */
bool verify_mount_has(const char *options, const char *option);

#endif
