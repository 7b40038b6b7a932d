/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets and listeners from one configuration to the next.  A listener that stays (the same address,
 * the same direction) stays the same object, so that its connections see what it says now.
 */
#include "proxy/doors.h"

#include <assert.h>

#include "base/fs/fs.h"

#define NOT_ADOPTED SIZE_MAX
/*
 * Every process of the pod may connect to a loopback port; a unix socket is open to the same ones,
 * and its directory can narrow that.
 */
#define UNIX_MODE 0666

struct proxy_doors {
	struct seal_loop *loop;
	struct proxy_config *config; /* referenced */
	struct proxy_counters *gone;
	proxy_door_fn on_knock;
	void *arg;
	struct proxy_door
		*doors; /* of the listeners, in their order, then the capture's one or two */
	size_t listener_count;
	size_t count;
};

/* ---- Listeners ---- */

void
proxy_counters_add(struct proxy_counters *sum, const struct proxy_counters *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	static_assert(sizeof(*sum) % sizeof(*to) == 0, "counters are nothing but numbers");
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

struct proxy_listener *
proxy_listener_ref(struct proxy_listener *listener)
{
	listener->refs++;
	return listener;
}

void
proxy_listener_unref(struct proxy_listener *listener)
{
	if (listener == NULL || --listener->refs > 0)
		return;
	if (listener->gone != NULL)
		proxy_counters_add(listener->gone, &listener->counters);
	proxy_pool_unref(listener->pool);
	proxy_public_unref(listener->public);
	proxy_config_free(listener->origin);
	free(listener);
}

static int
new_listener(struct proxy_listener **ret_listener, struct proxy_doors *doors, size_t at,
	     struct seal_err *err)
{
	const struct proxy_listener_config *config = &doors->config->listeners[at];
	struct proxy_listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (listener == NULL)
		return seal_fail_memory(err);
	listener->refs = 1;
	listener->origin = proxy_config_ref(doors->config);
	listener->config = config;
	seal_endpoint_format(&config->listen, listener->name);
	r = proxy_pool_new(&listener->pool, doors->loop, config->targets, config->target_count,
			   err);
	if (r == 0 && config->direction == PROXY_PUBLIC)
		r = proxy_public_load(&listener->public, config, NULL, seal_clock_now(), err);
	if (r < 0) {
		proxy_listener_unref(listener);
		return r;
	}
	listener->gone = doors->gone; /* from here on it counts */
	*ret_listener = listener;
	return 0;
}

#define SWAP(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) swap_ = (a);                                                         \
		(a) = (b);                                                                         \
		(b) = swap_;                                                                       \
	} while (0)

/* The old object goes on, with all that the new one says. */
static void
keep_listener(struct proxy_door *door, struct proxy_door *old)
{
	struct proxy_listener *fresh = door->listener;
	struct proxy_listener *kept = old->listener;

	SWAP(kept->origin, fresh->origin);
	SWAP(kept->config, fresh->config);
	SWAP(kept->pool, fresh->pool);
	SWAP(kept->public, fresh->public);
	SWAP(door->listener, old->listener);
}

/* ---- Doors ---- */

bool
proxy_door_is_capture(const struct proxy_door *door)
{
	return door->listener == NULL;
}

static void
close_door(struct proxy_door *door)
{
	seal_timer_free(SEAL_TAKE(door->rest));
	seal_watch_free(SEAL_TAKE(door->watch));
	seal_socket_file_remove(&door->file, door->endpoint);
	seal_closep(&door->fd);
}

static void
on_acceptable(void *arg, bool readable, bool writable)
{
	struct proxy_door *door = arg;

	(void)readable;
	(void)writable;
	door->doors->on_knock(door->doors->arg, door);
}

static void
on_rested(void *arg)
{
	struct proxy_door *door = arg;

	seal_watch_want(door->watch, true, false);
}

void
proxy_door_rest(struct proxy_door *door, uint32_t rest_ms)
{
	seal_watch_want(door->watch, false, false);
	seal_timer_arm(door->rest, rest_ms);
}

static bool
same_endpoint(const struct seal_endpoint *a, const struct seal_endpoint *b)
{
	return a->is_unix == b->is_unix && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static size_t
find_old(const struct proxy_doors *old, const struct seal_endpoint *endpoint)
{
	for (size_t i = 0; old != NULL && i < old->count; i++)
		if (old->doors[i].fd >= 0 && same_endpoint(old->doors[i].endpoint, endpoint))
			return i;
	return NOT_ADOPTED;
}

/* Its watch and timer are made even when the socket comes later: taking over cannot fail. */
static int
make_watch(struct proxy_door *door, int fd, struct seal_err *err)
{
	int r = seal_watch_new(&door->watch, door->doors->loop, fd, on_acceptable, door, err);

	if (r == 0)
		r = seal_timer_new(&door->rest, door->doors->loop, on_rested, door, err);
	return r;
}

static int
bind_door(struct proxy_door *door, bool open, struct seal_err *err)
{
	int r;

	door->fd = seal_bind(door->endpoint, UNIX_MODE, err);
	if (door->fd < 0)
		return door->fd;
	seal_socket_file_note(&door->file, door->endpoint);
	r = make_watch(door, door->fd, err);
	if (r == 0 && open)
		r = seal_bind_listen(door->endpoint, door->fd, err);
	return r;
}

static int
make_door(struct proxy_doors *doors, size_t at, const struct proxy_doors *old, bool open,
	  struct seal_err *err)
{
	struct proxy_door *door = &doors->doors[at];
	const struct proxy_config *config = doors->config;
	bool is_capture = at >= doors->listener_count;
	int r = is_capture ? 0 : new_listener(&door->listener, doors, at, err);

	if (r < 0)
		return r;
	if (is_capture)
		door->endpoint = at == doors->listener_count ? &config->capture.listen
							     : &config->capture.listen6;
	else
		door->endpoint = &config->listeners[at].listen;
	if (!is_capture && config->listeners[at].captured)
		return 0;
	door->adopts = find_old(old, door->endpoint);
	if (door->adopts != NOT_ADOPTED)
		return make_watch(door, old->doors[door->adopts].fd, err);
	return bind_door(door, open, err);
}

static bool
has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	seal_close(fd);
	return true;
}

static int
make_doors(struct proxy_doors *doors, const struct proxy_doors *old, bool open,
	   struct seal_err *err)
{
	const struct proxy_config *config = doors->config;
	size_t count = config->listener_count;

	if (config->capture.enabled)
		count += config->capture.has_listen6 ? 2 : 1;

	doors->doors = calloc(count, sizeof(*doors->doors));
	if (doors->doors == NULL)
		return seal_fail_memory(err);
	doors->listener_count = config->listener_count;
	doors->count = count;
	for (size_t i = 0; i < count; i++)
		doors->doors[i] =
			(struct proxy_door){ .doors = doors, .fd = -1, .adopts = NOT_ADOPTED };
	for (size_t i = 0; i < count; i++) {
		const char *origin = i < config->listener_count ? config->listeners[i].origin
								: config->capture.origin;
		struct seal_err why = { 0 };
		int r = make_door(doors, i, old, open, &why);

		/* A machine without IPv6 has nothing to be captured there. */
		if (r < 0 && i == config->listener_count + 1 && !has_ipv6())
			continue;
		if (r < 0) {
			*err = why;
			return origin == NULL ? r : seal_note(err, r, "%s", origin);
		}
	}
	return 0;
}

int
proxy_doors_new(struct proxy_doors **ret_doors, const struct proxy_doors_config *config,
		const struct proxy_doors *old, bool open, struct seal_err *err)
{
	struct proxy_doors *doors = calloc(1, sizeof(*doors));
	int r;

	if (doors == NULL)
		return seal_fail_memory(err);
	doors->loop = config->loop;
	doors->config = proxy_config_ref(config->config);
	doors->gone = config->gone;
	doors->on_knock = config->on_knock;
	doors->arg = config->arg;
	r = make_doors(doors, old, open, err);
	if (r < 0) {
		proxy_doors_free(doors);
		return r;
	}
	*ret_doors = doors;
	return 0;
}

void
proxy_doors_take_over(struct proxy_doors *doors, struct proxy_doors *old, bool open)
{
	for (size_t i = 0; i < doors->count; i++) {
		struct proxy_door *door = &doors->doors[i];
		struct proxy_door *from;

		if (door->adopts == NOT_ADOPTED) {
			if (door->fd >= 0)
				seal_watch_want(door->watch, open, false);
			continue;
		}
		from = &old->doors[door->adopts];
		seal_watch_want(from->watch, false,
				false); /* one watch of a descriptor at a time */
		door->fd = from->fd;
		from->fd = -1;
		door->file = from->file;
		from->file = (struct seal_socket_file){ 0 };
		seal_watch_want(door->watch, open, false);
		if (door->listener != NULL && from->listener != NULL &&
		    door->listener->config->direction == from->listener->config->direction)
			keep_listener(door, from);
	}
	proxy_doors_free(old);
}

void
proxy_doors_free(struct proxy_doors *doors)
{
	if (doors == NULL)
		return;
	for (size_t i = 0; i < doors->count; i++) {
		close_door(&doors->doors[i]);
		if (doors->doors[i].listener != NULL)
			doors->doors[i].listener->removed = true;
		proxy_listener_unref(doors->doors[i].listener);
	}
	proxy_config_free(doors->config);
	free(doors->doors);
	free(doors);
}

int
proxy_doors_open(struct proxy_doors *doors, struct seal_err *err)
{
	for (size_t i = 0; i < doors->count; i++) {
		struct proxy_door *door = &doors->doors[i];
		int r = door->is_lost ? bind_door(door, false, err) : 0;

		if (r < 0) {
			close_door(door);
			return r;
		}
		door->is_lost = false;
		if (door->fd < 0)
			continue;
		r = seal_bind_listen(door->endpoint, door->fd, err);
		if (r < 0)
			return r;
		seal_watch_want(door->watch, true, false);
	}
	return 0;
}

/* A unix socket gets a new one in its place, which nobody can connect to yet. */
static int
rest_door(struct proxy_door *door, struct seal_err *err)
{
	if (!door->endpoint->is_unix)
		return seal_bind_rest(door->endpoint, door->fd, err);
	close_door(door);
	return bind_door(door, false, err);
}

void
proxy_doors_rest(struct proxy_doors *doors)
{
	for (size_t i = 0; i < doors->count; i++) {
		struct proxy_door *door = &doors->doors[i];
		struct seal_err err = { 0 };

		if (door->fd < 0)
			continue;
		seal_timer_disarm(door->rest);
		seal_watch_want(door->watch, false, false);
		if (rest_door(door, &err) == 0)
			continue;
		seal_log(SEAL_LOG_WARN, "listener_lost", SEAL_STR("reason", err.text));
		close_door(door);
		door->is_lost = true;
	}
}

void
proxy_doors_close(struct proxy_doors *doors, bool all)
{
	for (size_t i = 0; i < doors->count; i++) {
		const struct proxy_listener *listener = doors->doors[i].listener;

		if (all || listener == NULL || listener->config->direction != PROXY_OUTBOUND) {
			close_door(&doors->doors[i]);
			doors->doors[i].is_lost = false;
		}
	}
}

struct proxy_config *
proxy_doors_config(const struct proxy_doors *doors)
{
	return doors->config;
}

size_t
proxy_doors_count(const struct proxy_doors *doors)
{
	return doors->listener_count;
}

struct proxy_door *
proxy_doors_at(const struct proxy_doors *doors, size_t index)
{
	return &doors->doors[index];
}
