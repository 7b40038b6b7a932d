/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where peers and arrows stand.
 *
 * In columns (after Sugiyama, Tagawa, Toda 1981): cycles are opened by turning arrows around, a node stands right of all
 * that call it, arrows that pass a column get a point there, points of a column are ordered by the middle of their
 * neighbours, and then moved towards these as far as the others let them.
 *
 * On a circle: in the order in which a walk along the arrows meets them.
 */
#include "rot/server/graph_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN       24
#define ORDER_SWEEPS 12
#define MOVE_SWEEPS  24
#define BOX_GAP      18
#define POINT_HEIGHT 6
#define LOOP_HEIGHT  22 /* of the arrow from a node to itself */
#define COLUMN_GAP   84
#define BOX_PADDING  26
#define LETTER_WIDTH 8
#define CIRCLE_STEP  22 /* between neighbours */
#define CIRCLE_MIN   170
#define LABEL_GAP    26 /* from the rim to the letters, and from these to the edge */
#define PI           3.14159265358979323846

/* An arrow's part between two neighbouring columns. */
struct link {
	size_t left;
	size_t right;
};

struct layout {
	struct graph *graph;
	struct link links[GRAPH_POINTS_MAX + GRAPH_EDGES_MAX];
	size_t link_count;
	size_t order[GRAPH_POINTS_MAX]; /* the points of one layer, from above */
	double wanted[GRAPH_POINTS_MAX];
	int layer_count;
};

static size_t
left_of(const struct graph_edge *edge)
{
	return edge->is_backward ? edge->to : edge->from;
}

static size_t
right_of(const struct graph_edge *edge)
{
	return edge->is_backward ? edge->from : edge->to;
}

/* ---- Layers ---- */

enum seen { UNSEEN, ON_THE_WAY, SEEN };

static void
open_cycles(struct graph *graph, enum seen *seen, size_t node)
{
	seen[node] = ON_THE_WAY;
	for (size_t i = 0; i < graph->edge_count; i++) {
		struct graph_edge *edge = &graph->edges[i];

		if (edge->from != node)
			continue;
		if (seen[edge->to] == ON_THE_WAY)
			edge->is_backward = true;
		else if (seen[edge->to] == UNSEEN)
			open_cycles(graph, seen, edge->to);
	}
	seen[node] = SEEN;
}

/* Those whom nobody calls are the first to be left of others. */
static void
break_cycles(struct graph *graph)
{
	enum seen seen[GRAPH_NODES_MAX] = { UNSEEN };

	for (size_t i = 0; i < graph->node_count; i++)
		if (!graph->nodes[i].is_server)
			open_cycles(graph, seen, i);
	for (size_t i = 0; i < graph->node_count; i++)
		if (seen[i] == UNSEEN)
			open_cycles(graph, seen, i);
}

static void
push_right(struct graph *graph)
{
	for (size_t round = 0; round < graph->node_count; round++) {
		for (size_t i = 0; i < graph->edge_count; i++) {
			const struct graph_edge *edge = &graph->edges[i];
			int after = graph->points[left_of(edge)].layer + 1;

			if (graph->points[right_of(edge)].layer < after)
				graph->points[right_of(edge)].layer = after;
		}
	}
}

/* Who is called by nobody stands right before the first it calls. */
static void
pull_sources(struct graph *graph)
{
	for (size_t node = 0; node < graph->node_count; node++) {
		int first = -1;
		bool is_source = true;

		for (size_t i = 0; i < graph->edge_count; i++) {
			const struct graph_edge *edge = &graph->edges[i];
			int layer = graph->points[right_of(edge)].layer;

			is_source = is_source && right_of(edge) != node;
			if (left_of(edge) == node && (first < 0 || layer < first))
				first = layer;
		}
		if (is_source && first > 0)
			graph->points[node].layer = first - 1;
	}
}

static void
add_link(struct layout *layout, size_t left, size_t right)
{
	layout->links[layout->link_count++] = (struct link){ left, right };
}

/* A point in each column that an arrow passes. */
static void
lead_through(struct layout *layout, struct graph_edge *edge)
{
	struct graph *graph = layout->graph;
	size_t last = left_of(edge);

	edge->first_point = graph->point_count;
	for (int layer = graph->points[last].layer + 1; layer < graph->points[right_of(edge)].layer;
	     layer++) {
		graph->points[graph->point_count].layer = layer;
		add_link(layout, last, graph->point_count);
		last = graph->point_count++;
	}
	edge->point_count = graph->point_count - edge->first_point;
	add_link(layout, last, right_of(edge));
}

static void
make_layers(struct layout *layout)
{
	struct graph *graph = layout->graph;

	break_cycles(graph);
	push_right(graph);
	pull_sources(graph);
	for (size_t i = 0; i < graph->edge_count; i++)
		lead_through(layout, &graph->edges[i]);
	for (size_t i = 0; i < graph->node_count; i++)
		if (graph->points[i].layer >= layout->layer_count)
			layout->layer_count = graph->points[i].layer + 1;
}

/* ---- Order within a layer ---- */

/* The points of a layer, by place; how many there are. */
static size_t
collect(struct layout *layout, int layer)
{
	struct graph *graph = layout->graph;
	size_t count = 0;

	for (size_t i = 0; i < graph->point_count; i++) {
		size_t at = count;

		if (graph->points[i].layer != layer)
			continue;
		for (;
		     at > 0 && graph->points[layout->order[at - 1]].place > graph->points[i].place;
		     at--)
			layout->order[at] = layout->order[at - 1];
		layout->order[at] = i;
		count++;
	}
	return count;
}

/* The middle of a point's neighbours, by place, on one side (-1, 1); its own without any. */
static double
middle_place(const struct layout *layout, size_t point, int side)
{
	const struct graph *graph = layout->graph;
	double sum = 0;
	int count = 0;

	for (size_t i = 0; i < layout->link_count; i++) {
		const struct link *link = &layout->links[i];

		if ((side < 0 ? link->right : link->left) != point)
			continue;
		sum += graph->points[side < 0 ? link->left : link->right].place;
		count++;
	}
	return count > 0 ? sum / count : graph->points[point].place;
}

static void
order_layer(struct layout *layout, int layer, int side)
{
	size_t count = collect(layout, layer);

	for (size_t i = 0; i < count; i++)
		layout->wanted[layout->order[i]] = middle_place(layout, layout->order[i], side);
	for (size_t i = 1; i < count; i++) {
		size_t point = layout->order[i], at = i;

		for (; at > 0 && layout->wanted[layout->order[at - 1]] > layout->wanted[point];
		     at--)
			layout->order[at] = layout->order[at - 1];
		layout->order[at] = point;
	}
	for (size_t i = 0; i < count; i++)
		layout->graph->points[layout->order[i]].place = (int)i;
}

static void
order_layers(struct layout *layout)
{
	struct graph *graph = layout->graph;

	for (int layer = 0; layer < layout->layer_count; layer++) {
		int place = 0;

		for (size_t i = 0; i < graph->point_count; i++)
			if (graph->points[i].layer == layer)
				graph->points[i].place = place++;
	}
	for (int sweep = 0; sweep < ORDER_SWEEPS; sweep++) {
		for (int layer = 1; layer < layout->layer_count; layer++)
			order_layer(layout, layer, -1);
		for (int layer = layout->layer_count - 2; layer >= 0; layer--)
			order_layer(layout, layer, 1);
	}
}

/* ---- Heights ---- */

static double
height_of(const struct graph *graph, size_t point)
{
	if (point >= graph->node_count)
		return POINT_HEIGHT;
	return GRAPH_BOX_HEIGHT + (graph->nodes[point].calls_itself ? LOOP_HEIGHT : 0);
}

static double
gap(const struct graph *graph, size_t above, size_t below)
{
	return (height_of(graph, above) + height_of(graph, below)) / 2 + BOX_GAP;
}

static double
middle_height(const struct layout *layout, size_t point)
{
	const struct graph *graph = layout->graph;
	double sum = 0;
	int count = 0;

	for (size_t i = 0; i < layout->link_count; i++) {
		const struct link *link = &layout->links[i];

		if (link->left != point && link->right != point)
			continue;
		sum += graph->points[link->left == point ? link->right : link->left].y;
		count++;
	}
	return count > 0 ? sum / count : graph->points[point].y;
}

/* As near to what is wanted as the neighbours allow, the middle of looking from above and from below. */
static void
move_layer(struct layout *layout, int layer)
{
	struct graph *graph = layout->graph;
	size_t count = collect(layout, layer);
	double down[GRAPH_POINTS_MAX] = { 0 };
	double up = 0;

	for (size_t i = 0; i < count; i++) {
		double wanted = middle_height(layout, layout->order[i]);
		double least =
			i == 0 ? wanted
			       : down[i - 1] + gap(graph, layout->order[i - 1], layout->order[i]);

		layout->wanted[layout->order[i]] = wanted;
		down[i] = wanted > least ? wanted : least;
	}
	for (size_t i = count; i-- > 0;) {
		size_t point = layout->order[i];
		double most = i == count - 1 ? layout->wanted[point]
					     : up - gap(graph, point, layout->order[i + 1]);

		up = layout->wanted[point] < most ? layout->wanted[point] : most;
		graph->points[point].y = (down[i] + up) / 2;
	}
}

static void
stack_layer(struct layout *layout, int layer)
{
	struct graph *graph = layout->graph;
	size_t count = collect(layout, layer);
	double y = 0;

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			y += gap(graph, layout->order[i - 1], layout->order[i]);
		graph->points[layout->order[i]].y = y;
	}
	for (size_t i = 0; i < count; i++)
		graph->points[layout->order[i]].y -= y / 2;
}

static void
set_heights(struct layout *layout)
{
	struct graph *graph = layout->graph;
	double top = 0, bottom = 0;

	for (int layer = 0; layer < layout->layer_count; layer++)
		stack_layer(layout, layer);
	for (int sweep = 0; sweep < MOVE_SWEEPS; sweep++)
		for (int layer = 0; layer < layout->layer_count; layer++)
			move_layer(layout,
				   sweep % 2 == 0 ? layer : layout->layer_count - 1 - layer);
	for (size_t i = 0; i < graph->point_count; i++) {
		double half = height_of(graph, i) / 2;

		if (i == 0 || graph->points[i].y - half < top)
			top = graph->points[i].y - half;
		/* Below there is no loop. */
		if (i < graph->node_count)
			half = GRAPH_BOX_HEIGHT / 2.0;
		if (i == 0 || graph->points[i].y + half > bottom)
			bottom = graph->points[i].y + half;
	}
	for (size_t i = 0; i < graph->point_count; i++)
		graph->points[i].y += MARGIN - top;
	graph->height = (int)(bottom - top) + 2 * MARGIN;
}

/* ---- Columns ---- */

static int
column_width(const struct graph *graph, int layer)
{
	int width = 0;

	for (size_t i = 0; i < graph->node_count; i++)
		if (graph->points[i].layer == layer && graph->nodes[i].width > width)
			width = graph->nodes[i].width;
	return width;
}

/* Boxes of a column are of one width. */
static void
set_columns(struct layout *layout)
{
	struct graph *graph = layout->graph;
	int x = MARGIN;

	for (int layer = 0; layer < layout->layer_count; layer++) {
		int width = column_width(graph, layer);

		for (size_t i = 0; i < graph->point_count; i++) {
			if (graph->points[i].layer != layer)
				continue;
			graph->points[i].half = width / 2.0;
			graph->points[i].x = x + graph->points[i].half;
			if (i < graph->node_count)
				graph->nodes[i].width = width;
		}
		x += width + COLUMN_GAP;
	}
	graph->width = x - COLUMN_GAP + MARGIN;
}

static bool
fits_columns(const struct graph *graph)
{
	return graph->node_count <= GRAPH_COLUMNS_MAX &&
	       graph->edge_count <= GRAPH_COLUMN_EDGES_MAX;
}

/* ---- The circle ---- */

static void
walk(const struct graph *graph, bool *met, size_t *order, size_t *count, size_t node)
{
	met[node] = true;
	order[(*count)++] = node;
	for (size_t i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *edge = &graph->edges[i];

		if (edge->from == node && !met[edge->to])
			walk(graph, met, order, count, edge->to);
	}
}

static int
longest_label(const struct graph *graph)
{
	int longest = 0;

	for (size_t i = 0; i < graph->node_count; i++) {
		int len = (int)strlen(graph_label(&graph->nodes[i])) * LETTER_WIDTH;

		longest = len > longest ? len : longest;
	}
	return longest;
}

static void
stand_on_circle(struct graph *graph)
{
	bool met[GRAPH_NODES_MAX] = { false };
	size_t order[GRAPH_NODES_MAX] = { 0 };
	size_t count = 0;
	double radius = graph->node_count * CIRCLE_STEP / (2 * PI);

	if (radius < CIRCLE_MIN)
		radius = CIRCLE_MIN;
	for (size_t i = 0; i < graph->node_count; i++)
		if (!met[i] && !graph->nodes[i].is_server)
			walk(graph, met, order, &count, i);
	for (size_t i = 0; i < graph->node_count; i++)
		if (!met[i])
			walk(graph, met, order, &count, i);
	graph->width = graph->height = 2 * ((int)radius + longest_label(graph) + LABEL_GAP);
	for (size_t i = 0; i < count; i++) {
		double angle = 2 * PI * (double)i / (double)count - PI / 2;

		graph->nodes[order[i]].angle = angle;
		graph->points[order[i]].x = graph->width / 2.0 + radius * cos(angle);
		graph->points[order[i]].y = graph->height / 2.0 + radius * sin(angle);
	}
}

void
graph_layout(struct graph *graph)
{
	struct layout *layout;

	graph->point_count = graph->node_count;
	for (size_t i = 0; i < graph->node_count; i++)
		graph->nodes[i].width =
			(int)strlen(graph_label(&graph->nodes[i])) * LETTER_WIDTH + BOX_PADDING;
	layout = fits_columns(graph) ? calloc(1, sizeof(*layout)) : NULL;
	graph->in_columns = layout != NULL;
	if (layout == NULL) {
		stand_on_circle(graph);
		return;
	}
	layout->graph = graph;
	make_layers(layout);
	order_layers(layout);
	set_heights(layout);
	set_columns(layout);
	free(layout);
}
