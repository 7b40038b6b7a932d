/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for terminals: lines with a label, and tables whose columns are as wide as what is in them.
 * Letters that could move a cursor are shown as '?'.  No colours: the words say it.
 */
#include "proxy/table.h"

#include <inttypes.h>
#include <string.h>

#define GAP 3 /* blanks between columns */

static char
shown(char letter)
{
	return (char)(letter >= ' ' && letter <= '~' ? letter : '?');
}

void
proxy_format_size(char out[static 32], uint64_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t tenths = size;
	size_t unit = 0;

	if (size < 1024) {
		(void)snprintf(out, 32, "%" PRIu64 "B", size);
		return;
	}
	while (tenths >= UINT64_C(1024) * 1024 && unit < SEAL_COUNT(units) - 1) {
		tenths /= 1024;
		unit++;
	}
	tenths = tenths * 10 / 1024;
	(void)snprintf(out, 32, "%" PRIu64 ".%u%s", tenths / 10, (unsigned)(tenths % 10),
		       units[unit]);
}

void
proxy_format_duration(char out[static 32], uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;
	uint64_t rest;

	while (i < SEAL_COUNT(units) - 1 && seconds < units[i].seconds)
		i++;
	rest = i < SEAL_COUNT(units) - 1 ? seconds % units[i].seconds / units[i + 1].seconds : 0;
	if (rest > 0)
		(void)snprintf(out, 32, "%" PRIu64 "%c%" PRIu64 "%c", seconds / units[i].seconds,
			       units[i].letter, rest, units[i + 1].letter);
	else
		(void)snprintf(out, 32, "%" PRIu64 "%c", seconds / units[i].seconds,
			       units[i].letter);
}

void
proxy_print_line(FILE *out, const char *label, const char *text)
{
	(void)fprintf(out, "%-14s", label);
	for (; *text != '\0'; text++)
		(void)fputc(shown(*text), out);
	(void)fputc('\n', out);
}

void
proxy_table_add(struct proxy_table *table, const char *text)
{
	char clean[PROXY_TABLE_CELL_MAX];
	size_t len = 0;

	for (; len < sizeof(clean) - 1 && text[len] != '\0'; len++)
		clean[len] = shown(text[len]);
	clean[len] = '\0';
	if (seal_strv_add(&table->cells, len > 0 ? clean : "-", NULL) < 0)
		table->is_cut = true;
}

void
proxy_table_add_number(struct proxy_table *table, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	proxy_table_add(table, text);
}

void
proxy_table_add_size(struct proxy_table *table, uint64_t size)
{
	char text[32];

	proxy_format_size(text, size);
	proxy_table_add(table, text);
}

void
proxy_table_add_duration(struct proxy_table *table, uint64_t seconds)
{
	char text[32];

	proxy_format_duration(text, seconds);
	proxy_table_add(table, text);
}

static const char *
head_of(const struct proxy_table *table, size_t column)
{
	return table->heads[column] + (table->heads[column][0] == '>' ? 1 : 0);
}

static size_t
width_of(const struct proxy_table *table, size_t column)
{
	size_t width = strlen(head_of(table, column));

	for (size_t i = column; i < table->cells.count; i += table->columns) {
		size_t len = strlen(table->cells.items[i]);

		width = len > width ? len : width;
	}
	return width;
}

static void
print_cell(FILE *out, const struct proxy_table *table, size_t column, const char *text,
	   size_t width)
{
	bool last = column + 1 == table->columns;
	int pad = (int)(width + (column > 0 ? GAP : 0));

	if (table->heads[column][0] == '>')
		(void)fprintf(out, "%*s", pad, text);
	else
		(void)fprintf(out, "%*s%-*s", column > 0 ? GAP : 0, "", last ? 0 : (int)width,
			      text);
	if (last)
		(void)fputc('\n', out);
}

int
proxy_table_print(const struct proxy_table *table, FILE *out, struct seal_err *err)
{
	size_t widths[PROXY_TABLE_COLUMNS_MAX];

	if (table->is_cut)
		return seal_fail_memory(err);
	if (table->columns == 0 || table->columns > PROXY_TABLE_COLUMNS_MAX)
		return seal_fail(err, SEAL_E_BUG, "a table of %zu columns", table->columns);
	(void)fputc('\n', out);
	for (size_t column = 0; column < table->columns; column++) {
		widths[column] = width_of(table, column);
		print_cell(out, table, column, head_of(table, column), widths[column]);
	}
	for (size_t i = 0; i < table->cells.count; i++) {
		size_t column = i % table->columns;

		print_cell(out, table, column, table->cells.items[i], widths[column]);
	}
	return 0;
}

void
proxy_table_release(struct proxy_table *table)
{
	seal_strv_release(&table->cells);
}
