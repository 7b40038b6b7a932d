/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal audit verify and export.  The log is read whole, from the root of trust or from a file, and held against every
 * head there is (rot/audit/check.c): those that were kept elsewhere, the one that was seen here last, those in the
 * store, and one signed now.
 *
 * Whose key signs heads has to come from somewhere: --key, else a head that was kept, else the one seen last, else
 * it is believed, and that is said.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/audit/head.h"
#include "rot/cli/cli.h"

#define KEY_DIGITS     (2 * SEAL_HASH_LEN)
#define KEPT_MAX       (4u * 1024 * 1024) /* a file of heads */
#define ROOT_TEXT      48
#define COLUMNS(table) table, SEAL_COUNT(table)

struct verify {
	struct audit_check *check;
	uint8_t key_id[SEAL_HASH_LEN];
	char trust[PATH_MAX + 32]; /* where that comes from; "" as long as there is none */
	char log[SEAL_ID_LEN + 1];
	uint64_t kept;   /* heads that were given, or seen */
	uint64_t stored; /* heads in the log itself */
	uint64_t entries;
	struct audit_head newest; /* of all */
	struct audit_head fresh;  /* signed now; held against the log where that has its size */
	bool is_due;
};

static void
release_verify(struct verify *verify)
{
	audit_check_free(verify->check);
}

static void
trust_key(struct verify *verify, const uint8_t *key_id, const char *from, const char *name)
{
	memcpy(verify->key_id, key_id, sizeof(verify->key_id));
	(void)snprintf(verify->trust, sizeof(verify->trust), "%s%s", from, name);
}

/* ---- One head ---- */

/* Is it by the key we trust, of the log we know?  The first one tells. */
static int
read_head(struct verify *verify, const char *text, size_t len, const char *what, const char *trust,
	  struct audit_head *head, struct seal_err *err)
{
	int r = audit_head_parse(head, text, len, err);

	if (r < 0)
		return seal_note(err, SEAL_E_REFUSED, "%s", what);
	if (verify->trust[0] == '\0')
		trust_key(verify, head->key_id, trust, "");
	if (memcmp(verify->key_id, head->key_id, sizeof(head->key_id)) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "%s, of size %" PRIu64 ": signed with another key than that of %s",
				 what, head->size, verify->trust);
	if (verify->log[0] == '\0')
		memcpy(verify->log, head->log, sizeof(verify->log));
	if (strcmp(verify->log, head->log) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "%s is of another log, %s instead of %s",
				 what, head->log, verify->log);
	if (head->size >= verify->newest.size)
		verify->newest = *head;
	return 0;
}

static int
add_head(struct verify *verify, const char *text, size_t len, const char *what, const char *trust,
	 struct seal_err *err)
{
	struct audit_head head = { 0 };
	int r = read_head(verify, text, len, what, trust, &head, err);

	if (r < 0)
		return r;
	r = audit_check_head(verify->check, &head, err);
	return r < 0 ? seal_note(err, r, "%s", what) : 0;
}

/* A file may hold several, one behind the other. */
static int
add_heads(struct verify *verify, const struct seal_bytes *text, const char *what,
	  struct seal_err *err)
{
	const char *at = seal_bytes_str(text);
	size_t left = text->len;
	int r = 0;

	if (left == 0)
		return seal_fail(err, SEAL_E_FORMAT, "%s: it is empty", what);
	while (r == 0 && left > 0) {
		size_t len = cli_audit_head_len(at, left);

		if (len == 0)
			return seal_fail(err, SEAL_E_FORMAT, "%s: not a whole head", what);
		r = add_head(verify, at, len, what, what, err);
		at += len;
		left -= len;
		verify->kept++;
	}
	return r;
}

static int
add_kept_files(struct verify *verify, const struct cli *cli, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < cli->opt.heads.count; i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(KEPT_MAX);
		char what[PATH_MAX + 32];

		(void)snprintf(what, sizeof(what), "the head in '%.*s'", PATH_MAX,
			       cli->opt.heads.items[i]);
		r = cli_read_input(&text, cli->opt.heads.items[i], err);
		if (r == 0)
			r = add_heads(verify, &text, what, err);
	}
	return r;
}

static int
add_seen(struct verify *verify, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	char what[PATH_MAX + 64];
	int r = cli_seen_read(path, &text, err);

	if (r < 0 || text.len == 0)
		return r;
	(void)snprintf(what, sizeof(what), "the head seen here last ('%s')", path);
	return add_heads(verify, &text, what, err);
}

/* ---- The key ---- */

static int
read_key_file(struct verify *verify, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	struct audit_head head = { 0 };
	size_t len;
	int r = cli_read_input(&text, path, err);

	if (r < 0)
		return r;
	len = strcspn(seal_bytes_str(&text), "\n");
	if (len == KEY_DIGITS && text.len <= len + 1)
		r = seal_hex_decode(head.key_id, SEAL_HASH_LEN, seal_bytes_str(&text), len, err);
	else
		r = audit_head_parse(&head, seal_bytes_str(&text), text.len, err);
	if (r < 0)
		return seal_fail(
			err, SEAL_E_FORMAT,
			"--key: '%s' holds neither a SHA-256, %d hexadecimal digits, nor a "
			"head",
			path, KEY_DIGITS);
	trust_key(verify, head.key_id, "--key ", path);
	return 0;
}

static int
read_key(struct verify *verify, const struct cli *cli, struct seal_err *err)
{
	const char *text = cli->opt.key;
	uint8_t key_id[SEAL_HASH_LEN];

	if (text == NULL)
		return 0;
	if (strlen(text) != KEY_DIGITS ||
	    seal_hex_decode(key_id, sizeof(key_id), text, KEY_DIGITS, NULL) < 0)
		return read_key_file(verify, text, err);
	trust_key(verify, key_id, "--key", "");
	return 0;
}

/* ---- The stream ---- */

static int
on_entry(void *arg, const char *line, size_t len, struct seal_err *err)
{
	struct verify *verify = arg;
	int r = audit_check_entry(verify->check, line, len, err);

	verify->entries++;
	if (r < 0 || !verify->is_due || verify->entries < verify->fresh.size)
		return r;
	verify->is_due = false;
	return audit_check_head(verify->check, &verify->fresh, err);
}

static int
on_head(void *arg, const char *text, size_t len, struct seal_err *err)
{
	struct verify *verify = arg;

	verify->stored++;
	return add_head(verify, text, len, "a head kept with the log",
			"a head kept with the log itself", err);
}

static int
begin_verify(struct verify *verify, const struct cli *cli, struct seal_err *err)
{
	int r = audit_check_new(&verify->check, err);

	if (r == 0)
		r = read_key(verify, cli, err);
	return r < 0 ? r : add_kept_files(verify, cli, err);
}

static int
verify_file(struct verify *verify, struct cli *cli, struct seal_err *err)
{
	const struct cli_audit_fn fn = { .entry = on_entry, .head = on_head, .arg = verify };
	int r = cli_audit_walk_file(cli->opt.source, &fn, err);

	if (r == 0 && verify->kept + verify->stored == 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' holds no head, and none was given: nothing is proven",
				 cli->opt.source);
	return r;
}

static int
verify_online(struct verify *verify, struct cli *cli, struct seal_bytes *fresh,
	      struct seal_err *err)
{
	const struct cli_audit_fn fn = { .entry = on_entry, .head = on_head, .arg = verify };
	int r = cli_audit_fresh_head(cli, fresh, err);

	if (r == 0)
		r = read_head(verify, seal_bytes_str(fresh), fresh->len, "the head signed now",
			      "the root of trust itself", &verify->fresh, err);
	verify->is_due = true;
	if (r == 0)
		r = cli_audit_walk(cli, verify->fresh.size, &fn, err);
	if (r == 0 && verify->is_due) /* then its entries are missing */
		r = audit_check_head(verify->check, &verify->fresh, err);
	return r;
}

/* ---- What is said ---- */

static void
set_report(struct seal_json *object, const struct verify *verify, const struct audit_report *report,
	   const char *root)
{
	char key[KEY_DIGITS + 1];

	seal_hex_encode(key, verify->key_id, sizeof(verify->key_id));
	seal_json_set_str(object, "log", verify->log);
	seal_json_set_u64(object, "entries", report->size);
	seal_json_set_u64(object, "proven", report->covered);
	seal_json_set_u64(object, "heads", verify->stored);
	seal_json_set_u64(object, "kept_heads", verify->kept);
	seal_json_set_i64(object, "newest_head", verify->newest.time);
	seal_json_set_str(object, "root", root);
	seal_json_set_str(object, "key", key);
	seal_json_set_str(object, "key_from", verify->trust);
	seal_json_set_u64(object, "backward", report->backward);
	if (report->backward > 0)
		seal_json_set_u64(object, "first_backward", report->first_backward);
}

static int
print_report(const struct cli *cli, const struct verify *verify, const struct audit_report *report,
	     struct seal_err *err)
{
	static const struct cli_column columns[] = {
		{ "LOG", "log", CLI_TEXT },
		{ "ENTRIES", "entries", CLI_TEXT },
		{ "PROVEN", "proven", CLI_TEXT },
		{ "HEADS IN THE LOG", "heads", CLI_TEXT },
		{ "HEADS KEPT", "kept_heads", CLI_TEXT },
		{ "NEWEST HEAD", "newest_head", CLI_TIME },
		{ "ROOT", "root", CLI_TEXT },
		{ "KEY", "key", CLI_TEXT },
		{ "KEY FROM", "key_from", CLI_TEXT },
		{ "DATED BACK", "backward", CLI_TEXT },
	};
	SEAL_SCOPED(seal_json_freep) struct seal_json *object = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes root = SEAL_BYTES(ROOT_TEXT);
	int r = seal_base64url_encode(&root, report->root, sizeof(report->root), err);

	if (r < 0)
		return r;
	set_report(object, verify, report, seal_bytes_str(&root));
	return cli_print(cli, object, COLUMNS(columns), err);
}

/* What the report does not prove, for people. */
static void
print_doubts(const struct verify *verify, const struct audit_report *report)
{
	if (report->covered < report->size)
		(void)fprintf(stderr,
			      "seal: no head covers the last %" PRIu64
			      " entries: of these only the form is proven\n",
			      report->size - report->covered);
	if (report->backward > 0)
		(void)fprintf(stderr,
			      "seal: %" PRIu64
			      " entries or heads are dated before earlier ones, the "
			      "first at entry %" PRIu64 ": a clock was set, or look closer\n",
			      report->backward, report->first_backward);
	if (verify->kept == 0)
		(void)fputs("seal: no head that was kept elsewhere was given: a log replaced as a "
			    "whole, or cut off, by who has its key would pass; keep the output of "
			    "seal audit head\n",
			    stderr);
}

int
cli_audit_verify(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes fresh = SEAL_BYTES(AUDIT_HEAD_MAX);
	SEAL_SCOPED(release_verify) struct verify verify = { 0 };
	struct audit_report report = { 0 };
	char seen[PATH_MAX] = "";
	int r = begin_verify(&verify, cli, err);

	if (r == 0 && cli->opt.source != NULL) {
		r = verify_file(&verify, cli, err);
	} else if (r == 0) {
		r = cli_seen_path(cli, seen, sizeof(seen), err);
		if (r == 0)
			r = add_seen(&verify, seen, err);
		if (r == 0)
			r = verify_online(&verify, cli, &fresh, err);
	}
	if (r == 0)
		r = audit_check_end(verify.check, &report, err);
	if (r < 0)
		return seal_note(err, r, "the audit log is not proven");
	if (seen[0] != '\0')
		r = cli_seen_write(seen, &fresh, err);
	if (r == 0)
		r = print_report(cli, &verify, &report, err);
	print_doubts(&verify, &report);
	return r;
}

/* ---- Export ---- */

static int
write_entry(void *arg, const char *line, size_t len, struct seal_err *err)
{
	if (fwrite(line, 1, len, arg) != len || fputc('\n', arg) == EOF)
		return seal_fail_errno(err, errno, "cannot write");
	return 0;
}

static int
write_head(void *arg, const char *text, size_t len, struct seal_err *err)
{
	if (fwrite(text, 1, len, arg) != len)
		return seal_fail_errno(err, errno, "cannot write");
	return 0;
}

/* The fresh head goes where the log has its size; entries beyond it are left out. */
struct export
{
	FILE *out;
	struct seal_bytes fresh;
	uint64_t size;
	uint64_t n;
};

static int
export_entry(void *arg, const char *line, size_t len, struct seal_err *err)
{
	struct export *export = arg;
	int r;

	if (export->n == export->size)
		return 0;
	r = write_entry(export->out, line, len, err);
	if (r == 0 && ++export->n == export->size)
		r = write_head(export->out, seal_bytes_str(&export->fresh), export->fresh.len, err);
	return r;
}

static int
export_head(void *arg, const char *text, size_t len, struct seal_err *err)
{
	struct export *export = arg;
	struct audit_head head = { 0 };
	int r = audit_head_parse(&head, text, len, err);

	if (r < 0)
		return r;
	return head.size >= export->size ? 0 : write_head(export->out, text, len, err);
}

static int
export_all(struct cli *cli, FILE *out, struct seal_err *err)
{
	struct export export = { .out = out, .fresh = SEAL_BYTES(AUDIT_HEAD_MAX) };
	const struct cli_audit_fn fn = { export_entry, export_head, &export };
	struct audit_head head = { 0 };
	int r = cli_audit_fresh_head(cli, &export.fresh, err);

	if (r == 0)
		r = audit_head_parse(&head, seal_bytes_str(&export.fresh), export.fresh.len, err);
	export.size = head.size;
	if (r == 0)
		r = write_head(out, CLI_AUDIT_FILE, sizeof(CLI_AUDIT_FILE) - 1, err);
	if (r == 0)
		r = cli_audit_walk(cli, head.size, &fn, err);
	if (r == 0 && export.n < export.size) /* the check will say what is missing */
		r = write_head(out, seal_bytes_str(&export.fresh), export.fresh.len, err);
	seal_bytes_release(&export.fresh);
	return r;
}

/* Give the finished file its name: what was cut off never has it. */
static int
publish(const struct cli_place *place, const char *draft, const char *path, struct seal_err *err)
{
	if (linkat(place->dirfd, draft, place->dirfd, place->name, 0) < 0)
		return errno == EEXIST ? seal_fail(err, SEAL_E_CONFLICT,
						   "'%s' is there already: choose another name, or "
						   "move it away",
						   path)
				       : seal_fail_errno(err, errno, "'%s'", path);
	return fsync(place->dirfd) < 0 ? seal_fail_errno(err, errno, "'%s'", path) : 0;
}

int
cli_audit_export(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	char draft[256];
	FILE *out;
	int fd, r;

	if (cli->opt.file == NULL)
		return seal_fail(err, SEAL_E_USAGE, "say where to write it: -o FILE");
	r = cli_place_new(&place, cli->opt.file, err);
	if (r == 0)
		r = cli_draft_name(draft, sizeof(draft), place.name, err);
	if (r < 0)
		return r;
	fd = openat(place.dirfd, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return seal_fail_errno(err, errno, "'%s'", cli->opt.file);
	out = fdopen(fd, "we");
	if (out == NULL) {
		seal_close(fd);
		r = seal_fail_memory(err);
	} else {
		r = export_all(cli, out, err);
		if (r == 0 && (fflush(out) != 0 || fsync(fd) < 0))
			r = seal_fail_errno(err, errno, "'%s'", cli->opt.file);
		(void)fclose(out); /* all of it is written, or is removed */
	}
	if (r == 0)
		r = publish(&place, draft, cli->opt.file, err);
	(void)unlinkat(place.dirfd, draft, 0);
	return r;
}
