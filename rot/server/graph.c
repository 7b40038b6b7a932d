/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drawing.  Colours and strokes are the page's style, by classes; what is seen is also told: each node and each
 * arrow has a title, the whole a title and a description.
 */
#include "rot/server/graph_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIBED_MAX 40 /* pairs in the description: the table has them all */
#define PATH_MAX_LEN  4096
#define ARROW         7 /* how far before its end a line stops, for the point */

int
graph_new(struct graph **ret_graph, struct seal_err *err)
{
	struct graph *graph = calloc(1, sizeof(*graph));

	if (graph == NULL)
		return seal_fail_memory(err);
	*ret_graph = graph;
	return 0;
}

void
graph_free(struct graph *graph)
{
	free(graph);
}

void
graph_freep(struct graph **graph)
{
	graph_free(*graph);
	*graph = NULL;
}

size_t
graph_node_count(const struct graph *graph)
{
	return graph->node_count;
}

size_t
graph_pair_count(const struct graph *graph)
{
	return graph->pair_count;
}

/* ---- Building ---- */

/* GRAPH_NODES_MAX when there is no room for another. */
static size_t
node_of(struct graph *graph, const char *name)
{
	for (size_t i = 0; i < graph->node_count; i++)
		if (strcmp(graph->nodes[i].name, name) == 0)
			return i;
	if (graph->node_count == GRAPH_NODES_MAX)
		return GRAPH_NODES_MAX;
	(void)snprintf(graph->nodes[graph->node_count].name, SEAL_PEER_MAX + 1, "%s", name);
	return graph->node_count++;
}

static void
add_edge(struct graph *graph, size_t from, size_t to)
{
	graph->nodes[from].is_client = true;
	graph->nodes[to].is_server = true;
	for (size_t i = 0; i < graph->edge_count; i++) {
		struct graph_edge *edge = &graph->edges[i];

		if (edge->from == to && edge->to == from) {
			edge->both = true;
			return;
		}
	}
	graph->edges[graph->edge_count++] = (struct graph_edge){ .from = from, .to = to };
}

int
graph_add(struct graph *graph, const char *client, const char *server, struct seal_err *err)
{
	size_t from, to;

	if (strlen(client) > SEAL_PEER_MAX || strlen(server) > SEAL_PEER_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the name of a peer is too long");
	graph->pair_count++;
	from = node_of(graph, client);
	to = node_of(graph, server);
	if (from == GRAPH_NODES_MAX || to == GRAPH_NODES_MAX ||
	    graph->edge_count == GRAPH_EDGES_MAX)
		graph->is_full = true;
	else if (from == to)
		graph->nodes[from].calls_itself = true;
	else
		add_edge(graph, from, to);
	return 0;
}

/* ---- Names ---- */

static bool
is_every(const struct graph_node *node)
{
	return strcmp(node->name, SEAL_PEER_EVERY) == 0;
}

static bool
is_any(const struct graph_node *node)
{
	return strcmp(node->name, SEAL_PEER_ANY) == 0;
}

const char *
graph_label(const struct graph_node *node)
{
	static _Thread_local char label[GRAPH_LABEL_MAX + 1];

	if (is_every(node))
		return "every peer";
	if (strlen(node->name) <= GRAPH_LABEL_MAX)
		return node->name;
	(void)snprintf(label, sizeof(label), "%.*s...", GRAPH_LABEL_MAX - 3, node->name);
	return label;
}

/* What a name means, where it is not just a name. */
static const char *
meaning(const struct graph_node *node)
{
	if (is_every(node))
		return " (*): all peers of the workload";
	return is_any(node) ? ": pods without a peer name of their own" : "";
}

static const char *
kind(const struct graph_node *node)
{
	if (is_every(node))
		return "every";
	return is_any(node) ? "any" : "peer";
}

/* ---- Lines ---- */

struct line {
	char text[PATH_MAX_LEN];
	size_t len;
};

static void SEAL_PRINTF(2, 3) draw(struct line *line, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->len, sizeof(line->text) - line->len, format, args);
	va_end(args);
	/* What does not fit is left out: the title says it. */
	if (n > 0 && (size_t)n < sizeof(line->text) - line->len)
		line->len += (size_t)n;
	else
		line->text[line->len] = '\0';
}

/* A curve that begins and ends level. */
static void
draw_curve(struct line *line, double x, double y, double to_x, double to_y)
{
	double middle = (x + to_x) / 2;

	draw(line, "C%d %d %d %d %d %d", (int)middle, (int)y, (int)middle, (int)to_y, (int)to_x,
	     (int)to_y);
}

static void
draw_in_columns(const struct graph *graph, const struct graph_edge *edge, struct line *line)
{
	size_t left = edge->is_backward ? edge->to : edge->from;
	size_t right = edge->is_backward ? edge->from : edge->to;
	const struct graph_point *end = &graph->points[right];
	double x = graph->points[left].x + graph->points[left].half;
	double y = graph->points[left].y;

	if (edge->is_backward || edge->both)
		x += ARROW;
	draw(line, "M%d %d", (int)x, (int)y);
	for (size_t i = 0; i < edge->point_count; i++) {
		const struct graph_point *point = &graph->points[edge->first_point + i];

		draw_curve(line, x, y, point->x - point->half, point->y);
		x = point->x + point->half;
		y = point->y;
		draw(line, "H%d", (int)x);
	}
	draw_curve(line, x, y, end->x - end->half - (edge->is_backward && !edge->both ? 0 : ARROW),
		   end->y);
}

/* Bent towards the middle, so that lines between neighbours do not hide in the rim. */
static void
draw_on_circle(const struct graph *graph, const struct graph_edge *edge, struct line *line)
{
	const struct graph_point *from = &graph->points[edge->from];
	const struct graph_point *to = &graph->points[edge->to];
	double centre = graph->width / 2.0;
	double bend_x = (from->x + to->x + centre) / 3;
	double bend_y = (from->y + to->y + centre) / 3;
	double dx = to->x - bend_x, dy = to->y - bend_y;
	double far = sqrt(dx * dx + dy * dy);
	double stop = far > 0 ? (GRAPH_DOT + ARROW) / far : 0;
	double bx = from->x - bend_x, by = from->y - bend_y;
	double back = sqrt(bx * bx + by * by);
	double start = edge->both && back > 0 ? (GRAPH_DOT + ARROW) / back : 0;

	draw(line, "M%d %dQ%d %d %d %d", (int)(from->x - bx * start), (int)(from->y - by * start),
	     (int)bend_x, (int)bend_y, (int)(to->x - dx * stop), (int)(to->y - dy * stop));
}

static void
put_edge(const struct graph *graph, const struct graph_edge *edge, struct html *html,
	 const char *id)
{
	const char *client = graph->nodes[edge->from].name;
	const char *server = graph->nodes[edge->to].name;
	bool turned = graph->in_columns && edge->is_backward;
	struct line line = { .text = "" };

	if (graph->in_columns)
		draw_in_columns(graph, edge, &line);
	else
		draw_on_circle(graph, edge, &line);
	html_put(html, "<path class=\"edge\" d=\"%s\"", line.text);
	if (turned || edge->both)
		html_put(html, " marker-start=\"url(#%s-arrow)\"", id);
	if (!turned || edge->both)
		html_put(html, " marker-end=\"url(#%s-arrow)\"", id);
	html_put(html, "><title>%s may call %s", client, server);
	if (edge->both)
		html_put(html, ", and %s may call %s", server, client);
	html_put(html, "</title></path>\n");
}

/* ---- Nodes ---- */

static void
put_title(struct html *html, const struct graph_node *node)
{
	html_put(html, "<title>%s%s", is_every(node) ? "every peer" : node->name, meaning(node));
	if (node->calls_itself)
		html_put(html, "; %s may call %s", node->name, node->name);
	html_put(html, "</title>");
}

static void
put_box(const struct graph *graph, size_t i, struct html *html, const char *id)
{
	const struct graph_node *node = &graph->nodes[i];
	int x = (int)graph->points[i].x, y = (int)graph->points[i].y;
	int half = node->width / 2, top = y - GRAPH_BOX_HEIGHT / 2;

	html_put(html, "<g class=\"node %s\">", kind(node));
	put_title(html, node);
	html_put(html, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"9\"/>", x - half,
		 top, node->width, GRAPH_BOX_HEIGHT);
	html_put(html, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>", x, y + 5,
		 graph_label(node));
	if (node->calls_itself)
		html_put(html,
			 "<path class=\"edge\" d=\"M%d %dC%d %d %d %d %d %d\" "
			 "marker-end=\"url(#%s-arrow)\"/>",
			 x - 14, top, x - 20, top - 28, x + 20, top - 28, x + 14, top - ARROW, id);
	html_put(html, "</g>\n");
}

/* Its name stands outside, along the ray, and is never upside down. */
static void
put_dot(const struct graph *graph, size_t i, struct html *html)
{
	const struct graph_node *node = &graph->nodes[i];
	bool is_left = cos(node->angle) < -1e-9;
	int degrees = (int)lround(node->angle * 57.29577951308232);
	int x = (int)graph->points[i].x, y = (int)graph->points[i].y;

	html_put(html, "<g class=\"node %s\" transform=\"translate(%d %d) rotate(%d)\">",
		 kind(node), x, y, is_left ? degrees + 180 : degrees);
	put_title(html, node);
	if (node->calls_itself)
		html_put(html, "<circle class=\"ring\" r=\"%d\"/>", GRAPH_DOT + 4);
	html_put(html, "<circle r=\"%d\"/>", GRAPH_DOT);
	html_put(html, "<text x=\"%d\" y=\"5\" text-anchor=\"%s\">%s</text></g>\n",
		 is_left ? -14 : 14, is_left ? "end" : "start", graph_label(node));
}

/* ---- The whole ---- */

static void
describe(const struct graph *graph, struct html *html, const char *id, const char *name)
{
	html_put(html, "<title id=\"%s-title\">Who may call whom in %s</title>\n", id, name);
	html_put(html, "<desc id=\"%s-desc\">", id);
	for (size_t i = 0; i < graph->edge_count && i < DESCRIBED_MAX; i++) {
		const struct graph_edge *edge = &graph->edges[i];

		html_put(html, "%s may call %s. ", graph->nodes[edge->from].name,
			 graph->nodes[edge->to].name);
		if (edge->both)
			html_put(html, "%s may call %s. ", graph->nodes[edge->to].name,
				 graph->nodes[edge->from].name);
	}
	if (graph->edge_count > DESCRIBED_MAX)
		html_put(html, "And more: the list of pairs has them all.");
	html_put(html, "</desc>\n");
}

static void
put_marker(struct html *html, const char *id)
{
	html_put(html,
		 "<defs><marker id=\"%s-arrow\" class=\"arrow\" viewBox=\"0 0 8 8\" refX=\"1\" "
		 "refY=\"4\" "
		 "markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" "
		 "orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
		 id);
}

static void
put_drawing(struct graph *graph, struct html *html, const char *id, const char *name)
{
	graph_layout(graph);
	html_put(html, "<svg class=\"graph %s\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" ",
		 graph->in_columns ? "columns" : "circle", graph->width, graph->height,
		 graph->width, graph->height);
	html_put(html, "role=\"img\" aria-labelledby=\"%s-title %s-desc\">\n", id, id);
	describe(graph, html, id, name);
	put_marker(html, id);
	for (size_t i = 0; i < graph->edge_count; i++)
		put_edge(graph, &graph->edges[i], html, id);
	for (size_t i = 0; i < graph->node_count; i++) {
		if (graph->in_columns)
			put_box(graph, i, html, id);
		else
			put_dot(graph, i, html);
	}
	html_put(html, "</svg>\n");
}

void
graph_write(struct graph *graph, struct html *html, const char *id, const char *name)
{
	if (graph->pair_count == 0)
		html_put(html,
			 "<p class=\"none\">Nobody may call anybody: no pair is allowed.</p>\n");
	else if (graph->is_full)
		html_put(html,
			 "<p class=\"none\">Too many peers for a drawing: %llu pairs, in the "
			 "list.</p>\n",
			 (unsigned long long)graph->pair_count);
	else
		put_drawing(graph, html, id, name);
}
