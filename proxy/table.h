/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_TABLE_H
#define SEAL_PROXY_TABLE_H

/*
 * What people are shown on a terminal.  Texts may come from anywhere: nothing in them controls it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

#define PROXY_TABLE_COLUMNS_MAX 12
/* A cell's text, with the zero at its end; what is longer is cut. */
#define PROXY_TABLE_CELL_MAX 512

/* Begins with heads and columns (at most PROXY_TABLE_COLUMNS_MAX) set, the rest zero. */
struct proxy_table {
	const char *const *heads; /* a leading '>' aligns to the right */
	size_t columns;
	struct seal_strv cells;
	bool is_cut; /* memory ran out */
};

/* The next cell, from left to right and row by row; nothing is shown as "-". */
void proxy_table_add(struct proxy_table *table, const char *text);
void proxy_table_add_number(struct proxy_table *table, uint64_t number);
void proxy_table_add_size(struct proxy_table *table, uint64_t size);
void proxy_table_add_duration(struct proxy_table *table, uint64_t seconds);

/* An empty line, the heads, the rows.  Fails, and prints nothing, when a cell could not be kept. */
SEAL_CHECKED int proxy_table_print(const struct proxy_table *table, FILE *out,
				   struct seal_err *err);
void proxy_table_release(struct proxy_table *table);

/* A label and a text. */
void proxy_print_line(FILE *out, const char *label, const char *text);
/* "812B", "1.5KiB", "3.2GiB" */
void proxy_format_size(char out[static 32], uint64_t size);
/* The two largest units: "3d4h", "5h10m", "12s". */
void proxy_format_duration(char out[static 32], uint64_t seconds);

#endif
