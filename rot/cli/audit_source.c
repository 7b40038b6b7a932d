/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log, from the root of trust or from a file, as one stream: entries in order, each head where it belongs.
 * Judges nothing: who is handed the stream does.
 *
 * The log grows while it is read.  A head beyond what was read is a reason to read on; only when there is nothing
 * more to read is it handed over, and then entries are missing.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rot/audit/head.h"
#include "rot/cli/cli.h"

#define HEAD_LINES 7
#define PAGE_MAX   (4u * 1024 * 1024)

size_t
cli_audit_head_len(const char *text, size_t len)
{
	const char *at = text;

	for (int i = 0; i < HEAD_LINES; i++) {
		const char *end = memchr(at, '\n', len - (size_t)(at - text));

		if (end == NULL)
			return 0;
		at = end + 1;
	}
	return (size_t)(at - text);
}

int
cli_audit_fresh_head(struct cli *cli, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	const char *text = NULL;
	int r = cli_call(cli, "GET", "/v1/audit/head", NULL, &reply, err);

	if (r == 0)
		r = seal_json_get_str(reply, "head", &text, err);
	return r < 0 ? r : seal_bytes_append_str(out, text, err);
}

/* ---- From the root of trust ---- */

struct walk {
	struct cli *cli;
	const struct cli_audit_fn *fn;
	uint64_t n;              /* entries so far */
	struct seal_bytes heads; /* a page of them */
	size_t at;               /* in it */
	uint64_t next_head;      /* sizes below were asked for */
	bool dry;                /* there were no more when we asked */
};

static void
release_walk(struct walk *walk)
{
	seal_bytes_release(&walk->heads);
}

static int
get_page(struct walk *walk, const char *path, uint64_t from, struct seal_bytes *page,
	 struct seal_err *err)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "%s?from=%" PRIu64, path, from);
	return cli_call_text(walk->cli, text, page, err);
}

/* The head that comes next; *ret_len 0: there is none. */
static int
peek_head(struct walk *walk, struct audit_head *ret_head, size_t *ret_len, struct seal_err *err)
{
	int r;

	if (walk->at == walk->heads.len && !walk->dry) {
		walk->at = 0;
		seal_bytes_reset(&walk->heads);
		r = get_page(walk, "/v1/audit/heads", walk->next_head, &walk->heads, err);
		if (r < 0)
			return r;
		walk->dry = walk->heads.len == 0;
	}
	*ret_len = 0;
	if (walk->at == walk->heads.len)
		return 0;
	*ret_len = cli_audit_head_len(seal_bytes_str(&walk->heads) + walk->at,
				      walk->heads.len - walk->at);
	if (*ret_len == 0)
		return seal_fail(err, SEAL_E_REFUSED, "a kept head is cut off");
	r = audit_head_parse(ret_head, seal_bytes_str(&walk->heads) + walk->at, *ret_len, err);
	if (r < 0)
		return seal_note(err, SEAL_E_REFUSED, "a kept head, of size %" PRIu64 " or more",
				 walk->next_head);
	if (ret_head->size < walk->next_head)
		return seal_fail(err, SEAL_E_REFUSED,
				 "a kept head of size %" PRIu64 " stands in another's place",
				 ret_head->size);
	return 0;
}

static void
skip_head(struct walk *walk, const struct audit_head *head, size_t len)
{
	walk->at += len;
	walk->next_head = head->size + 1;
}

static int
take_head(struct walk *walk, const struct audit_head *head, size_t len, struct seal_err *err)
{
	const char *text = seal_bytes_str(&walk->heads) + walk->at;

	skip_head(walk, head, len);
	return walk->fn->head(walk->fn->arg, text, len, err);
}

/* Heads for the size that the log has now. */
static int
take_due(struct walk *walk, struct seal_err *err)
{
	for (;;) {
		struct audit_head head = { 0 };
		size_t len = 0;
		int r = peek_head(walk, &head, &len, err);

		if (r < 0 || len == 0 || head.size > walk->n)
			return r;
		if (head.size == walk->n)
			r = take_head(walk, &head, len, err);
		else
			skip_head(walk, &head, len); /* signed behind our back, while we read */
		if (r < 0)
			return r;
	}
}

static int
take_lines(struct walk *walk, const struct seal_bytes *page, struct seal_err *err)
{
	const char *at = seal_bytes_str(page), *end = at + page->len;
	int r = 0;

	while (r == 0 && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (stop == NULL)
			return seal_fail(err, SEAL_E_REFUSED,
					 "entry %" PRIu64 ": cut off on its way", walk->n);
		r = walk->fn->entry(walk->fn->arg, at, (size_t)(stop - at), err);
		walk->n++;
		if (r == 0)
			r = take_due(walk, err);
		at = stop + 1;
	}
	return r;
}

/* Up to a size at least; *ret_ended: there are no more. */
static int
take_entries(struct walk *walk, uint64_t size, bool *ret_ended, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(PAGE_MAX);
	int r = 0;

	*ret_ended = false;
	while (r == 0 && walk->n < size && !*ret_ended) {
		seal_bytes_reset(&page);
		r = get_page(walk, "/v1/audit/log", walk->n, &page, err);
		if (r == 0)
			r = take_lines(walk, &page, err);
		*ret_ended = page.len == 0;
	}
	return r;
}

int
cli_audit_walk(struct cli *cli, uint64_t size, const struct cli_audit_fn *fn, struct seal_err *err)
{
	SEAL_SCOPED(release_walk)
	struct walk walk = { .cli = cli, .fn = fn, .heads = SEAL_BYTES(PAGE_MAX) };
	struct audit_head head = { 0 };
	bool ended = false;
	size_t len = 0;
	int r = take_due(&walk, err);

	while (r == 0) {
		r = take_entries(&walk, size, &ended, err);
		walk.dry = false; /* ask once more */
		if (r == 0)
			r = take_due(&walk, err);
		if (r == 0)
			r = peek_head(&walk, &head, &len, err);
		if (r < 0 || len == 0)
			return r;
		if (ended)
			return take_head(&walk, &head, len, err);
		size = head.size;
	}
	return r;
}

/* ---- From a file ---- */

static int
walk_stream(FILE *in, char **line, const struct cli_audit_fn *fn, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes head = SEAL_BYTES(PAGE_MAX);
	size_t room = 0;
	ssize_t len;
	int r = 0, lines = 0;

	while (r == 0 && (len = getline(line, &room, in)) > 0) {
		if ((*line)[len - 1] != '\n')
			return seal_fail(err, SEAL_E_REFUSED, "its last line is cut off");
		if (lines == 0 && (*line)[0] == '{') {
			r = fn->entry(fn->arg, *line, (size_t)len - 1, err);
			continue;
		}
		r = seal_bytes_append(&head, *line, (size_t)len, err);
		if (r == 0 && ++lines == HEAD_LINES) {
			r = fn->head(fn->arg, seal_bytes_str(&head), head.len, err);
			seal_bytes_reset(&head);
			lines = 0;
		}
	}
	if (r == 0 && ferror(in))
		return seal_fail(err, SEAL_E_SYSTEM, "it cannot be read");
	if (r == 0 && lines > 0)
		return seal_fail(err, SEAL_E_REFUSED, "its last head is cut off");
	return r;
}

int
cli_audit_walk_file(const char *path, const struct cli_audit_fn *fn, struct seal_err *err)
{
	char first[sizeof(CLI_AUDIT_FILE)] = "";
	FILE *in = fopen(path, "re");
	char *line = NULL;
	int r;

	if (in == NULL)
		return seal_fail_errno(err, errno, "'%s'", path);
	if (fgets(first, sizeof(first), in) == NULL || strcmp(first, CLI_AUDIT_FILE) != 0)
		r = seal_fail(err, SEAL_E_FORMAT, "not what seal audit export writes");
	else
		r = walk_stream(in, &line, fn, err);
	free(line);
	(void)fclose(in); /* only read */
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}
