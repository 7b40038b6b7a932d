/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who knocks is let in, turned away or told to wait.  Whether there is room is for conns.c to say and whom
 * a captured connection is for is capture.c's; who the caller is nobody knows yet.
 */
#include "proxy/porter.h"

#include <fcntl.h>

#include "base/fs/fs.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "proxy/capture.h"

/* Accepted per readiness: a flood of arrivals must not starve the connections there are. */
#define ACCEPT_BATCH 16
/* How long a door rests when accepting fails (no descriptors, no memory). */
#define ACCEPT_REST_MS 100

void
proxy_porter_init(struct proxy_porter *porter, struct proxy_counters *gone)
{
	*porter = (struct proxy_porter){
		.gone = gone,
		.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC),
	};
}

void
proxy_porter_release(struct proxy_porter *porter)
{
	seal_closep(&porter->reserve);
}

static const char *
door_name(const struct proxy_door *door)
{
	return proxy_door_is_capture(door) ? "capture" : door->listener->name;
}

/* A connection that is not taken is reset: its peer knows at once, and nothing lingers. */
static void
turn_away(struct proxy_porter *porter, struct proxy_door *door, int fd, const char *event,
	  const char *why)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char from[SEAL_ADDR_TEXT_MAX] = "";
	uint64_t missed;

	if (getpeername(fd, (struct sockaddr *)&addr, &len) == 0)
		seal_addr_format((const struct sockaddr *)&addr, len, from);
	seal_reset(fd);
	if (seal_log_may(&porter->turned_limit, 5, &missed))
		seal_log(SEAL_LOG_WARN, event, SEAL_STR("listener", door_name(door)),
			 SEAL_STR("address", from), SEAL_STR("reason", why),
			 SEAL_U64("missed", missed));
}

/*
 * No descriptor is left.  The one in reserve is given up to accept and turn away whoever waits, so that
 * nobody hangs in the queue; then the door rests.
 */
static void
accept_in_shortage(struct proxy_porter *porter, struct proxy_door *door, const struct seal_err *why)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	int fd;

	seal_closep(&porter->reserve);
	fd = seal_accept(door->fd, &addr, &len, NULL);
	if (fd >= 0) {
		if (door->listener != NULL)
			door->listener->counters.limited++;
		turn_away(porter, door, fd, "limit_reached", why->text);
	}
	porter->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
fail_accept(struct proxy_porter *porter, struct proxy_door *door, const struct seal_err *err)
{
	uint64_t missed;

	if (porter->reserve >= 0)
		accept_in_shortage(porter, door, err);
	if (seal_log_may(&porter->accept_limit, 1, &missed))
		seal_log(SEAL_LOG_WARN, "accept_failed", SEAL_STR("listener", door_name(door)),
			 SEAL_STR("reason", err->text), SEAL_U64("missed", missed));
	proxy_door_rest(door, ACCEPT_REST_MS);
}

/* Whom a connection is for; NULL when it was turned away. */
static struct proxy_listener *
route(struct proxy_porter *porter, struct proxy_door *door, int fd)
{
	struct seal_err err = { 0 };
	size_t at = 0;

	if (!proxy_door_is_capture(door))
		return door->listener;
	if (proxy_capture_route(proxy_doors_config(door->doors), fd, &at, &err) == 0)
		return proxy_doors_at(door->doors, at)->listener;
	porter->gone->accepted++;
	porter->gone->refused++;
	turn_away(porter, door, fd, "capture_refused", err.text);
	return NULL;
}

static void
let_in(struct proxy_porter *porter, struct proxy_conns *conns, struct proxy_door *door, int fd,
       const struct sockaddr_storage *addr, socklen_t len)
{
	struct proxy_listener *listener = route(porter, door, fd);
	const char *why = NULL;

	if (listener == NULL)
		return;
	/* Fail closed: without a valid certificate of our own nobody is served, and nobody waits. */
	if (!proxy_state_is_valid(proxy_conns_state(conns), seal_clock_now())) {
		listener->counters.no_identity++;
		turn_away(porter, door, fd, "no_identity", "our certificate is not valid now");
		return;
	}
	if (!proxy_conns_make_room(conns, &why)) {
		listener->counters.limited++;
		turn_away(porter, door, fd, "limit_reached", why);
		return;
	}
	proxy_conns_accept(conns, listener, fd, (const struct sockaddr *)addr, len);
}

void
proxy_porter_answer(struct proxy_porter *porter, struct proxy_conns *conns, struct proxy_door *door)
{
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage addr;
		socklen_t len = sizeof(addr);
		struct seal_err err = { 0 };
		int fd = seal_accept(door->fd, &addr, &len, &err);

		if (fd == SEAL_E_TIMEOUT)
			return;
		if (fd < 0) {
			fail_accept(porter, door, &err);
			return;
		}
		let_in(porter, conns, door, fd, &addr, len);
	}
}
