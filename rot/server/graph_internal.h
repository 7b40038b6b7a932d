/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_GRAPH_INTERNAL_H
#define SEAL_ROT_GRAPH_INTERNAL_H

/* Between the drawing and its layout. */

#include "base/names/names.h"
#include "rot/server/graph.h"

#define GRAPH_BOX_HEIGHT 36
#define GRAPH_LABEL_MAX  22 /* letters of a name that are drawn; the whole is in its title */
#define GRAPH_DOT        5
/* Within columns: every edge may pass all of them. */
#define GRAPH_COLUMN_EDGES_MAX 72
#define GRAPH_POINTS_MAX       (GRAPH_NODES_MAX + GRAPH_COLUMN_EDGES_MAX * GRAPH_COLUMNS_MAX)

struct graph_node {
	char name[SEAL_PEER_MAX + 1];
	bool calls_itself;
	bool is_client;
	bool is_server;
	int width;    /* of its box */
	double angle; /* on the circle, from the right, clockwise */
};

/* One line, with a point at its end, or at both when either may call the other. */
struct graph_edge {
	size_t from;
	size_t to;
	bool both;
	/* In columns: */
	bool is_backward;   /* from right to left */
	size_t first_point; /* through which it passes between columns that are not neighbours */
	size_t point_count;
};

/* Of nodes first, then of edges on their way. */
struct graph_point {
	int layer;
	int place; /* in its layer, from above */
	double x;
	double y;
	double half; /* of its column's width */
};

struct graph {
	struct graph_node nodes[GRAPH_NODES_MAX];
	size_t node_count;
	bool is_full; /* there were more nodes */
	struct graph_edge edges[GRAPH_EDGES_MAX];
	size_t edge_count;
	size_t pair_count;
	/* What the layout fills in. */
	struct graph_point points[GRAPH_POINTS_MAX];
	size_t point_count;
	bool in_columns;
	int width;
	int height;
};

/* The letters drawn for a node. */
const char *graph_label(const struct graph_node *node);
void graph_layout(struct graph *graph);

#endif
