/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents.  What they show is read from the store as they are written; a failure of that leaves no document.
 */
#include "rot/server/page_internal.h"

#include <string.h>

#define HOME_WORKLOADS 50
#define HOME_GRAPHS    12
#define LIST_WORKLOADS 200
#define ROWS           50 /* of eggs, of certificates */

static void
put_head(struct page *page, const char *title)
{
	struct html *html = &page->html;

	html_put(html,
		 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		 "<meta name=\"color-scheme\" content=\"light dark\">\n"
		 "<title>%s%s%s</title>\n<link rel=\"icon\" href=\"%s\">\n<style>",
		 title, title[0] != '\0' ? " - " : "", page->facts->trust_domain, page_icon);
	/* The one text that is put in as it is: our own style. */
	if (html->failed == 0)
		html->failed = seal_bytes_append_str(html->out, page_style, html->err);
	html_put(html,
		 "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to content</a>\n"
		 "<header>\n<p class=\"brand\"><a href=\"/\">%s</a> <span>root of "
		 "trust</span></p>\n",
		 page->facts->trust_domain);
}

static void
put_foot(struct page *page)
{
	char time[HTML_TIME_MAX];

	html_format_time(time, page->facts->now);
	html_put(
		&page->html,
		"</main>\n<footer><p>As of %s. seal-rot %s. This page only shows: changes are made "
		"with the command seal.</p></footer>\n</body>\n</html>\n",
		time, page->facts->version);
}

/* ---- The front page ---- */

struct graphs {
	struct page *page;
	unsigned count;
};

static int
put_one_graph(void *arg, const struct rot_workload *workload, struct seal_err *err)
{
	struct graphs *graphs = arg;
	struct html *html = &graphs->page->html;
	char id[16];
	int r;

	(void)snprintf(id, sizeof(id), "g%u", graphs->count++);
	html_put(html,
		 "<article class=\"card\" aria-labelledby=\"%s-h\">\n<h3 id=\"%s-h\">"
		 "<a href=\"/workload/%s\">%s</a></h3>\n",
		 id, id, workload->name, workload->name);
	r = page_put_graph(graphs->page, workload->name, id, err);
	html_put(html, "</article>\n");
	return r;
}

static int
put_graphs(struct page *page, struct seal_err *err)
{
	struct graphs graphs = { .page = page };
	int r;

	if (page->totals.workloads == 0)
		return 0;
	html_put(&page->html,
		 "<section id=\"peers\" aria-labelledby=\"peers-h\">\n<h2 "
		 "id=\"peers-h\">Peers</h2>\n"
		 "<p class=\"hint\">An arrow leads from who may call to who may be called. "
		 "What has no arrow is denied. The peer <b>any</b> is every pod without a peer "
		 "name.</p>\n<div class=\"graphs\">\n");
	r = rot_store_each_workload(page->store, "", HOME_GRAPHS, page->facts->now, put_one_graph,
				    &graphs, err);
	html_put(&page->html, "</div>\n");
	if (page->totals.workloads > HOME_GRAPHS)
		html_put(&page->html,
			 "<p class=\"more\">and %llu more, each on the page of its workload</p>\n",
			 N(page->totals.workloads - HOME_GRAPHS));
	html_put(&page->html, "</section>\n");
	return r;
}

static int
put_home(struct page *page, struct seal_err *err)
{
	int r;

	put_head(page, "");
	html_put(&page->html, "<nav aria-label=\"Sections\"><a href=\"#workloads\">Workloads</a>"
			      "<a href=\"#peers\">Peers</a><a href=\"#eggs\">Eggs</a>"
			      "<a href=\"#certificates\">Certificates</a>"
			      "<a href=\"#audit\">Audit log</a></nav>\n"
			      "</header>\n<main id=\"main\">\n"
			      "<h1 class=\"unseen\">Root of trust</h1>\n");
	page_put_warnings(page);
	page_put_figures(page);
	r = put_graphs(page, err);
	if (r == 0)
		r = page_put_workloads(page, "", HOME_WORKLOADS, err);
	if (r == 0)
		r = page_put_certs(page, "", ROWS, err);
	if (r == 0)
		r = page_put_eggs(page, "", ROWS, err);
	if (r == 0)
		r = page_put_audit(page, "", err);
	return r;
}

/* ---- The others ---- */

static int
put_list(struct page *page, const char *after, struct seal_err *err)
{
	put_head(page, "Workloads");
	html_put(&page->html,
		 "<nav aria-label=\"Pages\"><a href=\"/\">Overview</a></nav>\n</header>\n"
		 "<main id=\"main\">\n<h1 class=\"unseen\">Workloads</h1>\n");
	return page_put_workloads(page, after, LIST_WORKLOADS, err);
}

static void
put_workload_figures(struct page *page, const struct rot_workload *workload)
{
	html_put(&page->html,
		 "<section aria-label=\"Figures\"><dl class=\"figures\">\n"
		 "<div><dt>Pairs</dt><dd>%llu</dd></div>\n"
		 "<div><dt>Certificates in force</dt><dd>%llu</dd></div>\n"
		 "<div><dt>Eggs that can hatch</dt><dd>%llu</dd></div>\n<div><dt>Created</dt><dd>",
		 N(workload->pairs), N(workload->certificates), N(workload->eggs_live));
	html_time(&page->html, workload->created_at, page->facts->now);
	html_put(&page->html, "</dd></div>\n</dl></section>\n");
}

static int
put_workload(struct page *page, const char *name, struct seal_err *err)
{
	struct rot_workload workload = { 0 };
	int r = rot_store_get_workload(page->store, name, page->facts->now, &workload, err);

	if (r < 0)
		return r;
	put_head(page, name);
	html_put(&page->html,
		 "<nav aria-label=\"Pages\"><a href=\"/\">Overview</a><a href=\"#pairs\">Pairs</a>"
		 "<a href=\"#certificates\">Certificates</a><a href=\"#eggs\">Eggs</a><a "
		 "href=\"#audit\">Audit log</a></nav>\n"
		 "</header>\n<main id=\"main\">\n<h1>Workload %s</h1>\n",
		 name);
	put_workload_figures(page, &workload);
	html_put(&page->html, "<section class=\"card\" aria-label=\"Peers\">\n");
	r = page_put_graph(page, name, "g0", err);
	html_put(&page->html, "</section>\n");
	if (r == 0)
		r = page_put_pairs(page, name, err);
	if (r == 0)
		r = page_put_certs(page, name, ROWS, err);
	if (r == 0)
		r = page_put_eggs(page, name, ROWS, err);
	if (r == 0)
		r = page_put_audit(page, name, err);
	return r;
}

int
rot_page_write(struct rot_store *store, const struct rot_page_facts *facts, enum rot_page_kind kind,
	       const char *name, struct seal_bytes *out, struct seal_err *err)
{
	struct page page = { .html = { .out = out, .err = err }, .store = store, .facts = facts };
	int r = rot_store_totals(store, facts->now, &page.totals, err);

	if (r < 0)
		return r;
	switch (kind) {
	case ROT_PAGE_HOME:
		r = put_home(&page, err);
		break;
	case ROT_PAGE_WORKLOADS:
		r = put_list(&page, name, err);
		break;
	case ROT_PAGE_WORKLOAD:
		r = put_workload(&page, name, err);
		break;
	}
	if (r == 0)
		put_foot(&page);
	return r < 0 ? r : page.html.failed;
}
