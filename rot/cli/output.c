/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results, for people as aligned text and for programs as JSON or YAML.  What the root of trust said
 * is printed as it said it; only the text for people is chosen, shortened to what helps.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rot/cli/cli.h"

#define MAX_COLUMNS 16
#define MAX_TEXT    (16u * 1024 * 1024) /* a whole list */
#define GAP         2                   /* blanks between columns */

int
cli_format_parse(enum cli_format *ret_format, const char *name, struct seal_err *err)
{
	static const char *const names[] = {
		[CLI_TABLE] = "table",
		[CLI_JSON] = "json",
		[CLI_YAML] = "yaml",
	};

	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_format = (enum cli_format)i;
			return 0;
		}
	}
	return seal_fail(err, SEAL_E_USAGE, "'%s' is no output format: table, json or yaml", name);
}

/* ---- One cell ---- */

static int
put_time(struct seal_bytes *out, uint64_t seconds, struct seal_err *err)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[32];

	if (seconds > INT32_MAX * UINT64_C(100) || gmtime_r(&when, &parts) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return seal_bytes_append_fmt(out, err, "%llu", (unsigned long long)seconds);
	return seal_bytes_append_str(out, text, err);
}

static int
put_number(struct seal_bytes *out, uint64_t number, enum cli_column_kind kind, struct seal_err *err)
{
	if (kind == CLI_TIME)
		return put_time(out, number, err);
	if (kind == CLI_LIMIT && number == 0)
		return seal_bytes_append_str(out, "unlimited", err);
	return seal_bytes_append_fmt(out, err, "%llu", (unsigned long long)number);
}

/* Text from afar must not move the terminal's cursor or break the line. */
static int
put_text(struct seal_bytes *out, const char *text, struct seal_err *err)
{
	size_t start = out->len;
	int r;

	r = seal_bytes_append_str(out, text, err);
	for (size_t i = start; r == 0 && i < out->len; i++) {
		if (out->data[i] < ' ' || out->data[i] > '~')
			out->data[i] = '?';
	}
	return r;
}

static int
put_list(struct seal_bytes *out, const struct seal_json *list, struct seal_err *err)
{
	size_t count = seal_json_count(list);
	int r = 0;

	if (count == 0)
		return seal_bytes_append_str(out, "-", err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *text = seal_json_str(seal_json_at(list, i));

		if (i > 0)
			r = seal_bytes_append_str(out, ",", err);
		if (r == 0)
			r = put_text(out, text != NULL ? text : "?", err);
	}
	return r;
}

/* A small object of texts, {"role": "admin", "name": "first"}, as admin/first. */
static int
put_object(struct seal_bytes *out, const struct seal_json *object, struct seal_err *err)
{
	const char *name = NULL;
	size_t start = out->len;
	int r = 0;

	while (r == 0 && (name = seal_json_next(object, name)) != NULL) {
		const char *text = seal_json_str(seal_json_member(object, name));

		if (out->len > start)
			r = seal_bytes_append_str(out, "/", err);
		if (r == 0)
			r = put_text(out, text != NULL ? text : "?", err);
	}
	return r;
}

static int
put_cell(struct seal_bytes *out, const struct seal_json *object, const struct cli_column *column,
	 struct seal_err *err)
{
	const struct seal_json *value = seal_json_member(object, column->member);

	if (value == NULL)
		return seal_bytes_append_str(out, "-", err);
	switch (seal_json_kind(value)) {
	case SEAL_JSON_STRING:
		return put_text(out, seal_json_str(value), err);
	case SEAL_JSON_NUMBER:
		return put_number(out, seal_json_u64(value), column->kind, err);
	case SEAL_JSON_BOOL:
		return seal_bytes_append_str(out, seal_json_bool(value) ? "yes" : "no", err);
	case SEAL_JSON_ARRAY:
		return put_list(out, value, err);
	case SEAL_JSON_OBJECT:
		return put_object(out, value, err);
	case SEAL_JSON_NULL:
		break;
	}
	return seal_bytes_append_str(out, "-", err);
}

/* ---- Aligned text ---- */

static int
put_blanks(struct seal_bytes *out, size_t count, struct seal_err *err)
{
	int r = 0;

	while (r == 0 && count-- > 0)
		r = seal_bytes_append_str(out, " ", err);
	return r;
}

static int
measure(size_t *widths, const struct seal_json *rows, const struct cli_column *columns,
	size_t column_count, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes cell = SEAL_BYTES(MAX_TEXT);
	int r = 0;

	for (size_t c = 0; c < column_count; c++) {
		widths[c] = strlen(columns[c].title);
		for (size_t i = 0; r == 0 && i < seal_json_count(rows); i++) {
			seal_bytes_reset(&cell);
			r = put_cell(&cell, seal_json_at(rows, i), &columns[c], err);
			if (cell.len > widths[c])
				widths[c] = cell.len;
		}
	}
	return r;
}

/* A row, or with object NULL the heading.  The last column is not padded. */
static int
put_row(struct seal_bytes *out, const struct seal_json *object, const size_t *widths,
	const struct cli_column *columns, size_t column_count, struct seal_err *err)
{
	int r = 0;

	for (size_t c = 0; r == 0 && c < column_count; c++) {
		size_t start = out->len;

		if (object == NULL)
			r = seal_bytes_append_str(out, columns[c].title, err);
		else
			r = put_cell(out, object, &columns[c], err);
		if (r == 0 && c + 1 < column_count)
			r = put_blanks(out, widths[c] + GAP - (out->len - start), err);
	}
	return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
}

static int
put_table(struct seal_bytes *out, const struct seal_json *rows, const struct cli_column *columns,
	  size_t column_count, struct seal_err *err)
{
	size_t widths[MAX_COLUMNS];
	int r;

	if (column_count > MAX_COLUMNS)
		return seal_fail(err, SEAL_E_BUG, "a table of %zu columns", column_count);
	r = measure(widths, rows, columns, column_count, err);
	if (r == 0)
		r = put_row(out, NULL, widths, columns, column_count, err);
	for (size_t i = 0; r == 0 && i < seal_json_count(rows); i++)
		r = put_row(out, seal_json_at(rows, i), widths, columns, column_count, err);
	return r;
}

/* One "TITLE  value" line per member that is there. */
static int
put_lines(struct seal_bytes *out, const struct seal_json *object, const struct cli_column *columns,
	  size_t column_count, struct seal_err *err)
{
	size_t width = 0;
	int r = 0;

	for (size_t c = 0; c < column_count; c++) {
		if (strlen(columns[c].title) > width)
			width = strlen(columns[c].title);
	}
	for (size_t c = 0; r == 0 && c < column_count; c++) {
		r = seal_bytes_append_str(out, columns[c].title, err);
		if (r == 0)
			r = put_blanks(out, width + GAP - strlen(columns[c].title), err);
		if (r == 0)
			r = put_cell(out, object, &columns[c], err);
		if (r == 0)
			r = seal_bytes_append_str(out, "\n", err);
	}
	return r;
}

/* ---- Whole results ---- */

static int
put_for_programs(enum cli_format format, const struct seal_json *json, struct seal_bytes *out,
		 struct seal_err *err)
{
	int r;

	if (format == CLI_YAML)
		return cli_yaml(json, out, err);
	r = seal_json_dump(json, true, out, err);
	return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
}

int
cli_render(enum cli_format format, const struct seal_json *object, const struct cli_column *columns,
	   size_t column_count, struct seal_bytes *out, struct seal_err *err)
{
	if (format != CLI_TABLE)
		return put_for_programs(format, object, out, err);
	return put_lines(out, object, columns, column_count, err);
}

int
cli_render_list(enum cli_format format, const struct seal_json *list, const char *member,
		const struct cli_column *columns, size_t column_count, struct seal_bytes *out,
		struct seal_err *err)
{
	const struct seal_json *rows = NULL;
	int r;

	if (format != CLI_TABLE)
		return put_for_programs(format, list, out, err);
	r = seal_json_get_array(list, member, &rows, err);
	return r < 0 ? r : put_table(out, rows, columns, column_count, err);
}

int
cli_write_out(const void *data, size_t len, struct seal_err *err)
{
	if (fwrite(data, 1, len, stdout) != len || fflush(stdout) != 0)
		return seal_fail_errno(err, errno, "standard output");
	return 0;
}

int
cli_print(const struct cli *cli, const struct seal_json *object, const struct cli_column *columns,
	  size_t column_count, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(MAX_TEXT);
	int r;

	r = cli_render(cli->format, object, columns, column_count, &out, err);
	return r < 0 ? r : cli_write_out(seal_bytes_str(&out), out.len, err);
}

int
cli_print_list(const struct cli *cli, const struct seal_json *list, const char *member,
	       const struct cli_column *columns, size_t column_count, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(MAX_TEXT);
	int r;

	r = cli_render_list(cli->format, list, member, columns, column_count, &out, err);
	return r < 0 ? r : cli_write_out(seal_bytes_str(&out), out.len, err);
}

/* ---- A question ---- */

bool
cli_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int
cli_confirm(const struct cli *cli, const char *what, struct seal_err *err)
{
	char answer[16] = "";

	if (cli->opt.yes)
		return 0;
	if (!cli_can_ask())
		return seal_fail(err, SEAL_E_REFUSED, "%s: there is nobody to ask; say --yes",
				 what);
	(void)fprintf(stderr, "%s? [y/N] ", what);
	if (fgets(answer, sizeof(answer), stdin) != NULL &&
	    (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
		return 0;
	return seal_fail(err, SEAL_E_REFUSED, "%s: not done", what);
}

void
cli_copy_members(struct seal_json *to, const struct seal_json *from, const char *const *names)
{
	for (; *names != NULL; names++)
		if (seal_json_has(from, *names))
			seal_json_set_copy(to, *names, seal_json_member(from, *names));
}
