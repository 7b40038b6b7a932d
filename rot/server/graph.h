/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_GRAPH_H
#define SEAL_ROT_GRAPH_H

/*
 * A peer policy as a drawing: peers as nodes, an arrow from who may call to who may be called.  Few peers stand in
 * columns, callers left of those they call; many on a circle.
 *
 *   graph.c          what is drawn, as SVG
 *   graph_layout.c   where it stands
 *
 * Knows nothing of the store.  "*" is every peer, "any" a pod without a name: they are drawn as what they mean.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err/err.h"
#include "rot/server/html.h"

#define GRAPH_NODES_MAX   120 /* beyond it a list says more than a drawing */
#define GRAPH_EDGES_MAX   512
#define GRAPH_COLUMNS_MAX 24 /* nodes that stand in columns */

struct graph;

SEAL_CHECKED int graph_new(struct graph **ret_graph, struct seal_err *err);
void graph_free(struct graph *graph);
void graph_freep(struct graph **graph);
/* The names are copied. */
SEAL_CHECKED int graph_add(struct graph *graph, const char *client, const char *server,
			   struct seal_err *err);
size_t graph_node_count(const struct graph *graph);
size_t graph_pair_count(const struct graph *graph);

/*
 * The <svg> element, or a sentence when there is nothing to draw, or too much; name: of what it shows, id: letters and
 * digits, of nothing else in the document.
 */
void graph_write(struct graph *graph, struct html *html, const char *id, const char *name);

#endif
