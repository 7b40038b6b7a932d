/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections of the page.  Each reads a bounded number of records, and says how many it does not show.
 */
#include "rot/server/page_internal.h"

#include <string.h>

#include "rot/server/graph.h"

#define WARNINGS_SHOWN  20
#define HOSTNAMES_SHOWN 3

static void
open_section(struct page *page, const char *id, const char *heading)
{
	html_put(&page->html,
		 "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n", id, id,
		 id, heading);
}

/* A region that scrolls by itself, also with the keyboard. */
static void
open_table(struct page *page, const char *caption)
{
	html_put(&page->html,
		 "<div class=\"scroll\" role=\"region\" aria-label=\"%s\" tabindex=\"0\"><table>\n"
		 "<caption>%s</caption>\n<thead><tr>",
		 caption, caption);
}

static void
close_table(struct page *page)
{
	html_put(&page->html, "</tbody></table></div>\n");
}

static void
put_more(struct page *page, uint64_t more)
{
	if (more > 0)
		html_put(&page->html, "<p class=\"more\">and %llu more</p>\n", N(more));
}

static void
put_workload_link(struct page *page, const char *name)
{
	html_put(&page->html, "<a href=\"/workload/%s\">%s</a>", name, name);
}

/* ---- Warnings ---- */

void
page_put_warnings(struct page *page)
{
	const struct rot_expiries *all = page->facts->expiries;
	struct html *html = &page->html;

	if (all->warnings == 0)
		return;
	html_put(html, "<section class=\"warnings\" aria-labelledby=\"warnings-h\">\n"
		       "<h2 id=\"warnings-h\">Needs attention</h2>\n<ul>\n");
	for (size_t i = 0; i < all->warned_count && i < WARNINGS_SHOWN; i++) {
		char text[ROT_EXPIRY_TEXT];

		rot_expiry_say(&all->warned[i], page->facts->now, text);
		html_put(html, "<li>%s</li>\n", text);
	}
	html_put(html, "</ul>\n");
	if (all->warnings > WARNINGS_SHOWN)
		html_put(html, "<p>and %llu more</p>\n", N(all->warnings - WARNINGS_SHOWN));
	html_put(html, "</section>\n");
}

/* ---- Figures ---- */

static void
put_figure(struct page *page, const char *name, uint64_t value)
{
	html_put(&page->html, "<div><dt>%s</dt><dd>%llu</dd></div>\n", name, N(value));
}

static void
put_moment(struct page *page, const char *name, int64_t time)
{
	html_put(&page->html, "<div><dt>%s</dt><dd>", name);
	html_time(&page->html, time, page->facts->now);
	html_put(&page->html, "</dd></div>\n");
}

void
page_put_figures(struct page *page)
{
	const struct rot_expiry *next = page->facts->expiries->next;

	html_put(&page->html, "<section aria-label=\"Figures\"><dl class=\"figures\">\n");
	put_figure(page, "Workloads", page->totals.workloads);
	put_figure(page, "Eggs that can hatch", page->totals.eggs);
	put_figure(page, "Certificates in force", page->totals.certificates);
	put_moment(page, "System CA ends", next[ROT_EXPIRY_SYSTEM_CA].not_after);
	put_moment(page, "Own certificate ends", next[ROT_EXPIRY_ROT].not_after);
	put_moment(page, "Started", page->facts->started);
	html_put(&page->html, "</dl></section>\n");
}

/* ---- Workloads ---- */

struct rows {
	struct page *page;
	bool of_all;
	uint64_t count;
	uint64_t in_force;
	char last[SEAL_WORKLOAD_MAX + 1];
};

static int
put_workload_row(void *arg, const struct rot_workload *workload, struct seal_err *err)
{
	struct rows *rows = arg;
	struct html *html = &rows->page->html;

	(void)err;
	rows->count++;
	(void)snprintf(rows->last, sizeof(rows->last), "%s", workload->name);
	html_put(html, "<tr><th scope=\"row\">");
	put_workload_link(rows->page, workload->name);
	html_put(html,
		 "</th><td class=\"n\">%llu</td><td class=\"n\">%llu</td>"
		 "<td class=\"n\">%llu</td><td class=\"minor\">",
		 N(workload->pairs), N(workload->certificates), N(workload->eggs_live));
	html_time(html, workload->created_at, rows->page->facts->now);
	html_put(html, "</td></tr>\n");
	return html->failed;
}

int
page_put_workloads(struct page *page, const char *after, uint64_t limit, struct seal_err *err)
{
	struct rows rows = { .page = page };
	int r;

	open_section(page, "workloads", "Workloads");
	if (page->totals.workloads == 0) {
		html_put(&page->html, "<p class=\"none\">None yet: seal workload create NAME makes "
				      "the first.</p>\n</section>\n");
		return 0;
	}
	open_table(page, "Workloads");
	html_put(&page->html,
		 "<th scope=\"col\">Name</th><th scope=\"col\" class=\"n\">Pairs</th>"
		 "<th scope=\"col\" class=\"n\">Certificates</th>"
		 "<th scope=\"col\" class=\"n\">Live eggs</th>"
		 "<th scope=\"col\" class=\"minor\">Created</th></tr></thead>\n<tbody>\n");
	r = rot_store_each_workload(page->store, after, limit, page->facts->now, put_workload_row,
				    &rows, err);
	close_table(page);
	if (rows.count == limit && after[0] == '\0' && page->totals.workloads > limit)
		html_put(
			&page->html,
			"<p class=\"more\">and <a href=\"/workloads?after=%s\">%llu more</a></p>\n",
			rows.last, N(page->totals.workloads - limit));
	else if (rows.count == limit)
		html_put(&page->html,
			 "<p class=\"more\"><a href=\"/workloads?after=%s\">those behind "
			 "%s</a></p>\n",
			 rows.last, rows.last);
	html_put(&page->html, "</section>\n");
	return r;
}

/* ---- Peers ---- */

struct pairs {
	struct page *page;
	char client[SEAL_PEER_MAX + 1]; /* whose row is open; "": none */
};

static int
add_pair(void *arg, const char *client, const char *server, struct seal_err *err)
{
	return graph_add(arg, client, server, err);
}

int
page_put_graph(struct page *page, const char *workload, const char *id, struct seal_err *err)
{
	SEAL_SCOPED(graph_freep) struct graph *graph = NULL;
	int r = graph_new(&graph, err);

	if (r == 0)
		r = rot_store_each_pair(page->store, workload, add_pair, graph, err);
	if (r < 0)
		return r;
	html_put(&page->html,
		 "<div class=\"scroll figure\" role=\"region\" aria-label=\"Peers of %s\" "
		 "tabindex=\"0\">\n",
		 workload);
	graph_write(graph, &page->html, id, workload);
	html_put(&page->html, "</div>\n");
	return page->html.failed;
}

static const char *
peer_text(const char *peer)
{
	if (strcmp(peer, SEAL_PEER_EVERY) == 0)
		return "every peer (*)";
	return strcmp(peer, SEAL_PEER_ANY) == 0 ? "any (pods without a peer name)" : peer;
}

/* They come sorted by client: a row for each of these. */
static int
put_pair(void *arg, const char *client, const char *server, struct seal_err *err)
{
	struct pairs *pairs = arg;
	struct html *html = &pairs->page->html;

	(void)err;
	if (strcmp(pairs->client, client) == 0) {
		html_put(html, ", %s", peer_text(server));
		return html->failed;
	}
	if (pairs->client[0] != '\0')
		html_put(html, "</td></tr>\n");
	(void)snprintf(pairs->client, sizeof(pairs->client), "%s", client);
	html_put(html, "<tr><th scope=\"row\">%s</th>", peer_text(client));
	html_put(html, "<td class=\"wrap\">%s", peer_text(server));
	return html->failed;
}

int
page_put_pairs(struct page *page, const char *workload, struct seal_err *err)
{
	struct pairs pairs = { .page = page };
	int r;

	open_section(page, "pairs", "Who may call whom");
	open_table(page, "Pairs");
	html_put(&page->html, "<th scope=\"col\">Client</th><th scope=\"col\">may call</th></tr>"
			      "</thead>\n<tbody>\n");
	r = rot_store_each_pair(page->store, workload, put_pair, &pairs, err);
	if (pairs.client[0] != '\0')
		html_put(&page->html, "</td></tr>\n");
	close_table(page);
	html_put(&page->html, "</section>\n");
	return r;
}

/* ---- Eggs ---- */

static const char *
egg_state(const struct rot_egg *egg, int64_t now)
{
	if (egg->revoked_at != 0)
		return "revoked";
	if (egg->not_after <= now)
		return "expired";
	return egg->max_hatches != 0 && egg->hatches >= egg->max_hatches ? "spent" : "live";
}

static void
put_state(struct page *page, const char *state)
{
	html_put(&page->html, "<td><span class=\"state %s\">%s</span></td>", state, state);
}

/* Of what, on a page that shows all workloads. */
static void
put_owner(const struct rows *rows, const char *workload)
{
	if (!rows->of_all)
		return;
	html_put(&rows->page->html, "<td>");
	put_workload_link(rows->page, workload);
	html_put(&rows->page->html, "</td>");
}

static void
put_owner_head(const struct rows *rows)
{
	if (rows->of_all)
		html_put(&rows->page->html, "<th scope=\"col\">Workload</th>");
}

static void
put_id(struct page *page, const char *id)
{
	html_put(&page->html, "<td class=\"id\"><code title=\"%s\">%s</code></td>", id, id);
}

static int
put_egg_row(void *arg, const struct rot_egg *egg, struct seal_err *err)
{
	struct rows *rows = arg;
	struct page *page = rows->page;
	struct html *html = &page->html;

	(void)err;
	rows->count++;
	html_put(html, "<tr>");
	put_id(page, egg->id);
	put_owner(rows, egg->workload);
	html_put(html, "<td>%s</td>", egg->peer);
	put_state(page, egg_state(egg, page->facts->now));
	if (egg->max_hatches != 0)
		html_put(html, "<td class=\"n\">%llu of %llu</td>", N(egg->hatches),
			 N(egg->max_hatches));
	else
		html_put(html, "<td class=\"n\">%llu</td>", N(egg->hatches));
	html_put(html, "<td>");
	html_time(html, egg->not_after, page->facts->now);
	html_put(html, "</td><td class=\"minor\">");
	html_time(html, egg->created_at, page->facts->now);
	html_put(html, "</td></tr>\n");
	return html->failed;
}

int
page_put_eggs(struct page *page, const char *workload, uint64_t limit, struct seal_err *err)
{
	struct rows rows = { .page = page, .of_all = workload[0] == '\0' };
	uint64_t count = 0;
	int r;

	open_section(page, "eggs", "Eggs");
	open_table(page, "Eggs, the newest first");
	html_put(&page->html, "<th scope=\"col\">Egg</th>");
	put_owner_head(&rows);
	html_put(&page->html, "<th scope=\"col\">Peer</th><th scope=\"col\">State</th>"
			      "<th scope=\"col\" class=\"n\">Hatches</th>"
			      "<th scope=\"col\">Expires</th>"
			      "<th scope=\"col\" class=\"minor\">Minted</th></tr></thead>\n"
			      "<tbody>\n");
	r = rot_store_newest_eggs(page->store, workload, limit, put_egg_row, &rows, &count, err);
	close_table(page);
	if (count == 0)
		html_put(&page->html, "<p class=\"none\">None: seal egg mint makes one.</p>\n");
	put_more(page, count - rows.count);
	html_put(&page->html, "</section>\n");
	return r;
}

/* ---- Certificates ---- */

static void
put_hostnames(struct page *page, const struct seal_strv *names)
{
	html_put(&page->html, "<td class=\"minor\">");
	for (size_t i = 0; i < names->count && i < HOSTNAMES_SHOWN; i++)
		html_put(&page->html, "%s%s", i > 0 ? ", " : "", names->items[i]);
	if (names->count > HOSTNAMES_SHOWN)
		html_put(&page->html, " and %llu more", N(names->count - HOSTNAMES_SHOWN));
	html_put(&page->html, "</td>");
}

static int
put_cert_row(void *arg, const struct rot_cert *cert, struct seal_err *err)
{
	struct rows *rows = arg;
	struct page *page = rows->page;
	struct html *html = &page->html;

	(void)err;
	rows->count++;
	rows->in_force += cert->revoked_at == 0;
	html_put(html, "<tr>");
	put_id(page, cert->serial);
	put_owner(rows, cert->workload);
	html_put(html, "<td>%s</td>", cert->peer);
	put_state(page, cert->revoked_at != 0 ? "revoked" : "live");
	html_put(html, "<td>");
	html_time(html, cert->not_after, page->facts->now);
	html_put(html, "</td>");
	put_hostnames(page, &cert->hostnames);
	html_put(html, "<td class=\"minor\">%s</td></tr>\n",
		 cert->egg[0] != '\0' ? "an egg" : "an operator");
	return html->failed;
}

static int
count_certs(struct page *page, const char *workload, uint64_t *ret_count, struct seal_err *err)
{
	struct rot_workload of = { 0 };
	int r;

	*ret_count = page->totals.certificates;
	if (workload[0] == '\0')
		return 0;
	r = rot_store_get_workload(page->store, workload, page->facts->now, &of, err);
	*ret_count = of.certificates;
	return r;
}

int
page_put_certs(struct page *page, const char *workload, uint64_t limit, struct seal_err *err)
{
	struct rows rows = { .page = page, .of_all = workload[0] == '\0' };
	uint64_t count = 0;
	int r = count_certs(page, workload, &count, err);

	if (r < 0)
		return r;
	open_section(page, "certificates", "Certificates");
	open_table(page, "Certificates, the next to expire first");
	html_put(&page->html, "<th scope=\"col\">Serial</th>");
	put_owner_head(&rows);
	html_put(&page->html, "<th scope=\"col\">Peer</th><th scope=\"col\">State</th>"
			      "<th scope=\"col\">Expires</th>"
			      "<th scope=\"col\" class=\"minor\">Host names</th>"
			      "<th scope=\"col\" class=\"minor\">Issued for</th></tr></thead>\n"
			      "<tbody>\n");
	r = rot_store_next_certs(page->store, workload, page->facts->now, limit, put_cert_row,
				 &rows, err);
	close_table(page);
	if (rows.count == 0)
		html_put(&page->html, "<p class=\"none\">None is in force.</p>\n");
	put_more(page, count > rows.in_force ? count - rows.in_force : 0);
	html_put(&page->html, "</section>\n");
	return r;
}
