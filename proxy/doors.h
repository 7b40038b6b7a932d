/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_DOORS_H
#define SEAL_PROXY_DOORS_H

/*
 * The listening sockets that a configuration asks for.  The next configuration takes over the sockets
 * whose addresses stay, so that a reload refuses nobody; what it needs besides is made first, and
 * only when all of it stands is anything given up.
 */

#include <stdbool.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "proxy/conn.h"

struct proxy_listener *proxy_listener_ref(struct proxy_listener *listener);
void proxy_listener_unref(struct proxy_listener *listener);

struct proxy_doors;

struct proxy_door {
	struct proxy_doors *doors;
	struct proxy_listener *listener; /* referenced; NULL for a door of the capture */
	const struct seal_endpoint *endpoint;
	int fd; /* -1: captured, or closed */
	struct seal_socket_file file;
	struct seal_watch *watch;
	struct seal_timer *rest; /* runs while the door rests after a failure */
	size_t adopts;           /* the old door whose socket this one takes; SIZE_MAX: none */
	bool is_lost;            /* it was ours until it should rest: bound anew when it opens */
};

/* Somebody is at the door. */
typedef void (*proxy_door_fn)(void *arg, struct proxy_door *door);

struct proxy_doors_config {
	struct seal_loop *loop;
	struct proxy_config *config;
	struct proxy_counters *gone; /* where listeners that end leave their totals */
	proxy_door_fn on_knock;
	void *arg;
};

/*
 * Make the doors of a configuration: what can fail is done here.  Addresses that old (may be NULL) holds
 * are left there for now; others are bound, and listening when open is set.
 */
SEAL_CHECKED int proxy_doors_new(struct proxy_doors **ret_doors,
				 const struct proxy_doors_config *config,
				 const struct proxy_doors *old, bool open, struct seal_err *err);
/* Take over from old what was left there, close the rest of it, and free it; open as above. */
void proxy_doors_take_over(struct proxy_doors *doors, struct proxy_doors *old, bool open);
void proxy_doors_free(struct proxy_doors *doors);

/* From here on peers and applications can connect. */
SEAL_CHECKED int proxy_doors_open(struct proxy_doors *doors, struct seal_err *err);
/*
 * Nobody new for now, and those who wait to be accepted are turned away; the addresses stay ours.  What
 * cannot be kept is closed: proxy_doors_open takes it anew.
 */
void proxy_doors_rest(struct proxy_doors *doors);
/* Nobody new: none from the wire, or none at all. */
void proxy_doors_close(struct proxy_doors *doors, bool all);
/* Look away for a moment. */
void proxy_door_rest(struct proxy_door *door, uint32_t rest_ms);

struct proxy_config *proxy_doors_config(const struct proxy_doors *doors);
size_t proxy_doors_count(const struct proxy_doors *doors);
struct proxy_door *proxy_doors_at(const struct proxy_doors *doors, size_t index);
bool proxy_door_is_capture(const struct proxy_door *door);

#endif
