/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/graph: every pair is in the drawing, nothing stands on anything else, callers stand left. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "rot/server/graph_internal.h"

static struct graph *graph;
static struct seal_bytes out;
static struct seal_err err;

static void
setup(void)
{
	err = (struct seal_err){ 0 };
	seal_bytes_init(&out, 1024 * 1024);
	cr_assert_eq(graph_new(&graph, &err), 0);
}

static void
teardown(void)
{
	graph_free(graph);
	seal_bytes_release(&out);
}

TestSuite(graph, .init = setup, .fini = teardown);

static void
add(const char *client, const char *server)
{
	cr_assert_eq(graph_add(graph, client, server, &err), 0, "%s", err.text);
}

static const char *
draw(void)
{
	struct html html = { .out = &out, .err = &err };

	graph_write(graph, &html, "g0", "shop");
	cr_assert_eq(html.failed, 0, "%s", err.text);
	return seal_bytes_str(&out);
}

static size_t
find(const char *name)
{
	for (size_t i = 0; i < graph->node_count; i++)
		if (strcmp(graph->nodes[i].name, name) == 0)
			return i;
	cr_assert_fail("no node %s", name);
	return 0;
}

static void
expect_drawn(const char *text)
{
	cr_expect_not_null(strstr(seal_bytes_str(&out), text), "no '%s'", text);
}

/* Boxes, and the points at which arrows pass columns. */
static void
expect_apart(void)
{
	for (size_t i = 0; i < graph->point_count; i++) {
		const struct graph_point *a = &graph->points[i];

		cr_expect(a->x >= 0 && a->x <= graph->width && a->y >= 0 && a->y <= graph->height);
		for (size_t j = 0; j < i; j++) {
			const struct graph_point *b = &graph->points[j];
			double least = (i < graph->node_count ? GRAPH_BOX_HEIGHT / 2.0 : 0) +
				       (j < graph->node_count ? GRAPH_BOX_HEIGHT / 2.0 : 0) + 4;

			if (graph->in_columns && a->layer != b->layer)
				continue;
			if (graph->in_columns)
				cr_expect_geq(fabs(a->y - b->y), least, "points %zu and %zu", i, j);
			else
				cr_expect_geq(hypot(a->x - b->x, a->y - b->y), 2.0 * GRAPH_DOT);
		}
	}
}

Test(graph, two_peers_stand_side_by_side_with_an_arrow)
{
	add("web", "db");
	draw();
	cr_expect(graph->in_columns);
	cr_expect_lt(graph->points[find("web")].x, graph->points[find("db")].x);
	cr_expect_eq((int)graph->points[find("web")].y, (int)graph->points[find("db")].y);
	expect_drawn("<title>web may call db</title>");
	expect_drawn("marker-end=\"url(#g0-arrow)\"");
	expect_drawn("role=\"img\"");
	expect_drawn("<title id=\"g0-title\">Who may call whom in shop</title>");
	cr_expect_null(strstr(seal_bytes_str(&out), "marker-start"));
}

Test(graph, pairs_in_both_directions_are_one_line_with_two_points)
{
	add("web", "db");
	add("db", "web");
	draw();
	cr_expect_eq(graph->edge_count, 1);
	cr_expect_eq(graph_pair_count(graph), 2);
	expect_drawn("<title>web may call db, and db may call web</title>");
	expect_drawn("marker-start");
}

Test(graph, twelve_peers_stand_in_columns_and_callers_left_of_whom_they_call)
{
	static const char *const pairs[][2] = {
		{ "web", "api" },     { "mobile", "api" },    { "api", "orders" },
		{ "api", "catalog" }, { "orders", "db" },     { "orders", "queue" },
		{ "catalog", "db" },  { "catalog", "cache" }, { "worker", "queue" },
		{ "worker", "db" },   { "api", "cache" },     { "cron", "worker" },
		{ "metrics", "api" }, { "billing", "db" },
	};

	for (size_t i = 0; i < SEAL_COUNT(pairs); i++)
		add(pairs[i][0], pairs[i][1]);
	draw();
	cr_expect(graph->in_columns);
	cr_expect_eq(graph->node_count, 12);
	expect_apart();
	for (size_t i = 0; i < SEAL_COUNT(pairs); i++) {
		char title[256];

		cr_expect_lt(graph->points[find(pairs[i][0])].x,
			     graph->points[find(pairs[i][1])].x);
		(void)snprintf(title, sizeof(title), "<title>%s may call %s</title>", pairs[i][0],
			       pairs[i][1]);
		expect_drawn(title);
	}
}

Test(graph, cycles_are_drawn_whole)
{
	add("one", "two");
	add("two", "three");
	add("three", "one");
	draw();
	expect_apart();
	expect_drawn("one may call two");
	expect_drawn("two may call three");
	expect_drawn("three may call one");
	expect_drawn("marker-start");
}

Test(graph, sixty_peers_stand_on_a_circle)
{
	for (unsigned i = 0; i < 60; i++) {
		char client[16], server[16];

		(void)snprintf(client, sizeof(client), "svc-%u", i);
		(void)snprintf(server, sizeof(server), "svc-%u", (i * 7 + 3) % 60);
		add(client, server);
		(void)snprintf(server, sizeof(server), "svc-%u", (i * 13 + 11) % 60);
		add(client, server);
	}
	draw();
	cr_expect(!graph->in_columns);
	cr_expect_eq(graph->node_count, 60);
	expect_apart();
	expect_drawn("svc-0 may call svc-3");
	expect_drawn("svc-59 may call svc-58");
}

Test(graph, every_number_of_peers_has_a_layout)
{
	for (unsigned count = 1; count <= GRAPH_NODES_MAX; count++) {
		graph_free(graph);
		cr_assert_eq(graph_new(&graph, &err), 0);
		for (unsigned i = 0; i < count; i++) {
			char client[16], server[16];

			(void)snprintf(client, sizeof(client), "p%u", i);
			(void)snprintf(server, sizeof(server), "p%u", (i * 5 + 1) % count);
			add(client, server);
		}
		seal_bytes_reset(&out);
		draw();
		expect_apart();
		expect_drawn("</svg>");
	}
}

Test(graph, the_worst_of_what_fits_columns_fits)
{
	/* Every peer calls those behind it, as far as the table of edges goes. */
	for (unsigned i = 0; i < GRAPH_COLUMNS_MAX && graph->edge_count < GRAPH_COLUMN_EDGES_MAX;
	     i++) {
		for (unsigned j = GRAPH_COLUMNS_MAX; j-- > i + 1;) {
			char client[16], server[16];

			if (j != i + 1 && j < GRAPH_COLUMNS_MAX - 2)
				continue;
			if (graph->edge_count == GRAPH_COLUMN_EDGES_MAX)
				break;
			(void)snprintf(client, sizeof(client), "p%u", i);
			(void)snprintf(server, sizeof(server), "p%u", j);
			add(client, server);
		}
	}
	draw();
	cr_expect(graph->in_columns);
	cr_expect_leq(graph->point_count, GRAPH_POINTS_MAX);
	expect_apart();
}

Test(graph, every_and_any_are_said_in_words)
{
	add("any", "any");
	add("metrics", "*");
	draw();
	expect_drawn(">every peer</text>");
	expect_drawn("every peer (*): all peers of the workload");
	expect_drawn("any: pods without a peer name of their own; any may call any");
	expect_drawn("class=\"node every\"");
	expect_drawn("class=\"node any\"");
}

Test(graph, hostile_names_stay_names)
{
	add("<script>alert(1)</script>", "\" onload=\"x");
	draw();
	cr_expect_null(strstr(seal_bytes_str(&out), "<script"));
	cr_expect_null(strstr(seal_bytes_str(&out), "\" onload"));
}

Test(graph, a_long_name_is_cut_in_the_drawing_and_whole_in_its_title)
{
	char name[SEAL_PEER_MAX + 1];

	memset(name, 'x', SEAL_PEER_MAX);
	name[SEAL_PEER_MAX] = '\0';
	add(name, "db");
	draw();
	expect_drawn(name);
	expect_drawn("xxx...</text>");
}

Test(graph, without_pairs_nobody_may_call_anybody)
{
	draw();
	expect_drawn("Nobody may call anybody");
	cr_expect_null(strstr(seal_bytes_str(&out), "<svg"));
}

Test(graph, too_many_peers_are_said_instead_of_drawn)
{
	for (unsigned i = 0; i <= GRAPH_NODES_MAX; i++) {
		char client[16];

		(void)snprintf(client, sizeof(client), "p%u", i);
		add(client, "db");
	}
	draw();
	expect_drawn("Too many peers for a drawing: 121 pairs");
	cr_expect_null(strstr(seal_bytes_str(&out), "<svg"));
}
