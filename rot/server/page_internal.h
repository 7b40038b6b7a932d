/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_PAGE_INTERNAL_H
#define SEAL_ROT_PAGE_INTERNAL_H

/* Between the files of the page. */

#include "rot/server/html.h"
#include "rot/server/page.h"

#define N(value) ((unsigned long long)(value))

struct page {
	struct html html;
	struct rot_store *store;
	const struct rot_page_facts *facts;
	struct rot_totals totals;
};

/* ---- page_style.c ---- */

extern const char *const page_style;
extern const char *const page_icon; /* a data: URL */

/* ---- page_parts.c: a section each, with its heading and id; workload "": of all ---- */

void page_put_warnings(struct page *page);
void page_put_figures(struct page *page);
/* Workloads behind the one named, and a link to those that are left. */
int page_put_workloads(struct page *page, const char *after, uint64_t limit, struct seal_err *err);
/* The drawing of a workload's policy; and the list of its pairs. */
int page_put_graph(struct page *page, const char *workload, const char *id, struct seal_err *err);
int page_put_pairs(struct page *page, const char *workload, struct seal_err *err);
int page_put_eggs(struct page *page, const char *workload, uint64_t limit, struct seal_err *err);
int page_put_certs(struct page *page, const char *workload, uint64_t limit, struct seal_err *err);

/* ---- page_audit.c ---- */

int page_put_audit(struct page *page, const char *workload, struct seal_err *err);

#endif
