/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal audit list and head.  The list is printed page by page: a log of years does not fit into memory.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs/fs.h"
#include "rot/audit/entry.h"
#include "rot/audit/head.h"
#include "rot/cli/cli.h"

#define POLL_S    1
#define QUERY_MAX 1024
#define PATH_ROOM (QUERY_MAX + 128)
#define TEXT_MAX  (64u * 1024)

/* ---- Times ---- */

static bool
read_utc(const char *text, const char *format, int64_t *ret_time)
{
	struct tm parts = { 0 }, back;
	const char *end = strptime(text, format, &parts);
	struct tm given = parts;
	time_t when;

	if (end == NULL || *end != '\0')
		return false;
	when = timegm(&parts);
	/* The 31st of February is somewhere in March: it was not meant. */
	if (when < 0 || gmtime_r(&when, &back) == NULL || back.tm_mday != given.tm_mday ||
	    back.tm_sec != given.tm_sec)
		return false;
	*ret_time = when;
	return true;
}

/* "2h" ago, a day, or a moment as RFC 3339 writes it in UTC. */
static int
read_time(const char *option, const char *text, int64_t *ret_time, struct seal_err *err)
{
	uint64_t ago = 0;

	if (read_utc(text, "%Y-%m-%d", ret_time) || read_utc(text, "%Y-%m-%dT%H:%M:%SZ", ret_time))
		return 0;
	if (seal_duration_parse(text, 0, INT32_MAX, &ago, NULL) == 0) {
		*ret_time = (int64_t)time(NULL) - (int64_t)ago;
		return 0;
	}
	return seal_fail(err, SEAL_E_USAGE,
			 "%s: '%s' is no time: 2h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z", option,
			 text);
}

static int
add_time(struct seal_bytes *query, const char *name, const char *text, struct seal_err *err)
{
	char option[16];
	int64_t when = 0;
	int r;

	if (text == NULL)
		return 0;
	(void)snprintf(option, sizeof(option), "--%s", name);
	r = read_time(option, text, &when, err);
	return r < 0 ? r : seal_bytes_append_fmt(query, err, "&%s=%" PRId64, name, when);
}

/* ---- What is asked for ---- */

static int
add_kinds(struct seal_bytes *query, const struct seal_strv *kinds, struct seal_err *err)
{
	enum audit_kind kind;
	int r = 0;

	for (size_t i = 0; r == 0 && i < kinds->count; i++) {
		if (audit_kind_parse(kinds->items[i], &kind, NULL) < 0)
			return seal_fail(err, SEAL_E_USAGE,
					 "--kind: there are no entries of kind '%s': see seal(1)",
					 kinds->items[i]);
		r = seal_bytes_append_fmt(query, err, "%s%s", i == 0 ? "&kind=" : ",",
					  kinds->items[i]);
	}
	return r;
}

static int
make_query(const struct cli *cli, struct seal_bytes *query, struct seal_err *err)
{
	int r = 0;

	if (cli->opt.workload != NULL) {
		r = seal_workload_check(cli->opt.workload, err);
		if (r == 0)
			r = seal_bytes_append_fmt(query, err, "&workload=%s", cli->opt.workload);
	}
	if (r == 0)
		r = add_kinds(query, &cli->opt.kinds, err);
	if (r == 0)
		r = add_time(query, "since", cli->opt.since, err);
	if (r == 0)
		r = add_time(query, "until", cli->opt.until, err);
	if (r == 0 && cli->opt.refused)
		r = seal_bytes_append_str(query, "&refused=1", err);
	return r;
}

/* ---- One entry ---- */

struct list {
	struct cli *cli;
	struct seal_bytes out;
	uint64_t count; /* printed so far */
};

static const char *
text_of(const struct seal_json *entry, const char *name)
{
	const char *text = seal_json_str(seal_json_member(entry, name));

	return text != NULL ? text : "";
}

static int
put_line(struct list *list, const struct seal_json *entry, struct seal_err *err)
{
	time_t when = (time_t)seal_json_u64(seal_json_member(entry, "time"));
	uint64_t count = seal_json_u64(seal_json_member(entry, "count"));
	const char *reason = text_of(entry, "reason"), *subject = text_of(entry, "subject");
	char stamp[32] = "-", times[32] = "";
	size_t start = list->out.len;
	struct tm parts;
	int r;

	if (gmtime_r(&when, &parts) != NULL)
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (count > 1)
		(void)snprintf(times, sizeof(times), " (%" PRIu64 " times)", count);
	r = seal_bytes_append_fmt(
		&list->out, err, "%-8" PRIu64 "  %s  %-15s  %-36s  %-22s  %-12s  %s%s%s%s%s",
		seal_json_u64(seal_json_member(entry, "n")), stamp, text_of(entry, "kind"),
		text_of(entry, "actor"), text_of(entry, "address"), text_of(entry, "workload"),
		subject, reason[0] != '\0' && subject[0] != '\0' ? ": " : "",
		reason[0] != '\0' ? "refused: " : "", reason, times);
	/* Text from afar must not move the terminal's cursor. */
	for (size_t i = start; r == 0 && i < list->out.len; i++) {
		if (list->out.data[i] < ' ' || list->out.data[i] > '~')
			list->out.data[i] = '?';
	}
	return r < 0 ? r : seal_bytes_append_str(&list->out, "\n", err);
}

/* The elements of one document, as it grows; of a list without end, a line each. */
static int
put_json(struct list *list, const struct seal_json *entry, struct seal_err *err)
{
	const char *before = "";
	int r;

	if (!list->cli->opt.follow)
		before = list->count == 0 ? "\n    " : ",\n    ";
	r = seal_bytes_append_str(&list->out, before, err);
	if (r == 0)
		r = seal_json_dump(entry, false, &list->out, err);
	if (r == 0 && list->cli->opt.follow)
		r = seal_bytes_append_str(&list->out, "\n", err);
	return r;
}

static int
put_yaml(struct list *list, const struct seal_json *entry, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(TEXT_MAX);
	const char *at;
	int r = cli_yaml(entry, &text, err);

	for (at = seal_bytes_str(&text); r == 0 && *at != '\0';) {
		size_t len = strcspn(at, "\n");

		r = seal_bytes_append_fmt(&list->out, err, "%s%.*s\n",
					  at == seal_bytes_str(&text) ? "- " : "  ", (int)len, at);
		at += len + (at[len] == '\n');
	}
	return r;
}

static int
print_entry(struct list *list, const struct seal_json *entry, struct seal_err *err)
{
	int r;

	seal_bytes_reset(&list->out);
	switch (list->cli->format) {
	case CLI_JSON:
		r = put_json(list, entry, err);
		break;
	case CLI_YAML:
		r = put_yaml(list, entry, err);
		break;
	default:
		r = put_line(list, entry, err);
		break;
	}
	list->count++;
	if (r == 0 && fwrite(list->out.data, 1, list->out.len, stdout) != list->out.len)
		r = seal_fail(err, SEAL_E_SYSTEM, "standard output cannot be written");
	return r;
}

/* ---- The pages ---- */

static int
print_text(const char *text, struct seal_err *err)
{
	return cli_write_out(text, strlen(text), err);
}

static int
print_heading(const struct list *list, struct seal_err *err)
{
	char text[256];

	switch (list->cli->format) {
	case CLI_JSON:
		return list->cli->opt.follow ? 0 : print_text("{\n  \"entries\": [", err);
	case CLI_YAML:
		return list->cli->opt.follow ? 0 : print_text("entries:\n", err);
	default:
		(void)snprintf(text, sizeof(text), "%-8s  %-20s  %-15s  %-36s  %-22s  %-12s  %s\n",
			       "ENTRY", "TIME", "KIND", "ACTOR", "ADDRESS", "WORKLOAD", "SUBJECT");
		return print_text(text, err);
	}
}

static int
print_ending(const struct list *list, struct seal_err *err)
{
	switch (list->cli->format) {
	case CLI_JSON:
		return print_text(list->count == 0 ? "]\n}\n" : "\n  ]\n}\n", err);
	case CLI_YAML:
		return list->count > 0 ? 0 : print_text("  []\n", err);
	default:
		return 0;
	}
}

/* One page; *after becomes the last entry that was looked at, *ret_more: there is more now. */
static int
print_page(struct list *list, const char *query, char *after, size_t size, bool *ret_more,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *page = NULL;
	const struct seal_json *entries = NULL;
	char path[PATH_ROOM];
	uint64_t last = 0;
	int r;

	(void)snprintf(path, sizeof(path), "/v1/audit?limit=500%s%s", after, query);
	r = cli_call(list->cli, "GET", path, NULL, &page, err);
	if (r == 0)
		r = seal_json_get_array(page, "entries", &entries, err);
	for (size_t i = 0; r == 0 && i < seal_json_count(entries); i++)
		r = print_entry(list, seal_json_at(entries, i), err);
	if (r == 0 && seal_json_has(page, "last")) {
		r = seal_json_get_u64(page, "last", INT64_MAX, &last, err);
		(void)snprintf(after, size, "&after=%" PRIu64, last);
	}
	if (r < 0)
		return r;
	*ret_more = seal_json_has(page, "next");
	if (fflush(stdout) != 0)
		return seal_fail(err, SEAL_E_SYSTEM, "standard output cannot be written");
	return 0;
}

int
cli_audit_list(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes query = SEAL_BYTES(QUERY_MAX);
	struct list list = { .cli = cli, .out = SEAL_BYTES(TEXT_MAX) };
	char after[40] = "";
	bool more = true;
	int r = make_query(cli, &query, err);

	if (r == 0)
		r = print_heading(&list, err);
	while (r == 0 && (more || cli->opt.follow)) {
		const struct timespec pause = { .tv_sec = POLL_S };

		if (!more)
			(void)nanosleep(&pause, NULL); /* ended early, it asks early */
		r = print_page(&list, seal_bytes_str(&query), after, sizeof(after), &more, err);
	}
	if (r == 0)
		r = print_ending(&list, err);
	seal_bytes_release(&list.out);
	return r;
}

/* ---- head ---- */

int
cli_audit_head(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	struct audit_head head = { 0 };
	int r = 0;

	if (cli->opt.file != NULL)
		r = cli_place_new(&place, cli->opt.file, err);
	if (r == 0)
		r = cli_audit_fresh_head(cli, &text, err);
	if (r == 0)
		r = audit_head_parse(&head, seal_bytes_str(&text), text.len, err);
	if (r < 0)
		return r;
	if (cli->opt.file == NULL)
		return cli_write_out(seal_bytes_str(&text), text.len, err);
	return seal_fs_write(place.dirfd, place.name, text.data, text.len, 0644, false, err);
}
