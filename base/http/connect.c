/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name to a connected socket.  Addresses are tried in order, each a moment after the one before
 * or as soon as that one failed, and the first to connect wins (RFC 8305 section 5): one that leads
 * nowhere costs a moment, not the call.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/http/http_internal.h"

#define HEAD_START_MS 250u
/* A unix socket whose queue is full cannot be waited for: look again so often. */
#define QUEUE_MS 50u

/* ---- Names ---- */

struct lookup {
	struct http_wait *wait;
	const char *host;
	struct seal_addresses *found;
	struct seal_err *err;
	bool done;
	int r;
};

static void
on_found(void *arg, const struct seal_addresses *found, const char *why)
{
	struct lookup *lookup = arg;

	lookup->done = true;
	if (found->count > 0)
		*lookup->found = *found;
	else
		lookup->r = seal_fail(lookup->err, SEAL_E_MISSING, "cannot resolve '%s': %s",
				      lookup->host, why);
	http_wait_end(lookup->wait);
}

static int
find(struct http_wait *wait, const struct seal_endpoint *endpoint,
     struct seal_addresses *ret_addresses, struct seal_err *err)
{
	struct lookup lookup = {
		.wait = wait, .host = endpoint->host, .found = ret_addresses, .err = err
	};
	struct seal_resolve *resolve = NULL;
	int r = seal_resolve_new(&resolve, wait->loop, endpoint->host, endpoint->port, on_found,
				 &lookup, err);

	while (r == 0 && !lookup.done)
		r = http_wait_run(wait, UINT64_MAX, err);
	seal_resolve_free(resolve);
	return r < 0 ? r : lookup.r;
}

/* ---- Addresses ---- */

struct race;

struct attempt {
	struct race *race;
	int fd; /* -1: not begun, or over */
	struct seal_watch *watch;
	bool is_ready;
};

struct race {
	struct http_wait *wait;
	const struct seal_addresses *addresses;
	struct attempt attempts[SEAL_RESOLVE_MAX];
	unsigned begun;
	unsigned running;
	struct seal_err failure; /* the last one */
};

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct attempt *attempt = arg;

	(void)readable;
	(void)writable;
	attempt->is_ready = true;
	http_wait_end(attempt->race->wait);
}

static void
give_up(struct attempt *attempt)
{
	seal_watch_free(attempt->watch);
	attempt->watch = NULL;
	if (attempt->fd >= 0) {
		(void)close(attempt->fd); /* nothing was written that could be lost */
		attempt->race->running--;
	}
	attempt->fd = -1;
}

static void
begin_next(struct race *race)
{
	const struct sockaddr_storage *addr = &race->addresses->at[race->begun];
	struct attempt *attempt = &race->attempts[race->begun++];
	socklen_t len = addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in);
	int fd = seal_connect((const struct sockaddr *)addr, len, &race->failure);

	if (fd < 0)
		return;
	attempt->fd = fd;
	race->running++;
	if (seal_watch_new(&attempt->watch, race->wait->loop, fd, on_ready, attempt,
			   &race->failure) < 0)
		give_up(attempt);
	else
		seal_watch_want(attempt->watch, false, true);
}

/* The descriptor of the first to have connected, or -1. */
static int
take_winner(struct race *race)
{
	char text[SEAL_ADDR_TEXT_MAX];

	for (unsigned i = 0; i < race->begun; i++) {
		struct attempt *attempt = &race->attempts[i];
		const struct sockaddr *addr = (const struct sockaddr *)&race->addresses->at[i];
		int fd = attempt->fd;

		if (!attempt->is_ready)
			continue;
		attempt->is_ready = false;
		if (seal_connect_result(fd, &race->failure) == 0) {
			attempt->fd = -1;
			return fd;
		}
		seal_addr_format(addr, sizeof(race->addresses->at[i]), text);
		(void)seal_note(&race->failure, race->failure.code, "%s", text);
		give_up(attempt);
	}
	return -1;
}

/* Returns the descriptor; the failure is in err. */
static int
run_race(struct race *race, struct seal_err *err)
{
	for (;;) {
		bool is_more;
		int r;

		while (race->running == 0 && race->begun < race->addresses->count)
			begin_next(race);
		if (race->running == 0)
			return seal_fail(err, (enum seal_code)race->failure.code, "%s",
					 race->failure.text);
		is_more = race->begun < race->addresses->count;
		r = http_wait_run(race->wait, is_more ? HEAD_START_MS : UINT64_MAX, err);
		if (r < 0)
			return r;
		r = take_winner(race);
		if (r >= 0)
			return r;
		if (is_more)
			begin_next(race);
	}
}

static int
connect_tcp(struct http_wait *wait, const struct seal_endpoint *endpoint, struct seal_err *err)
{
	struct seal_addresses addresses = { 0 };
	struct race race = { .wait = wait, .addresses = &addresses };
	int r = find(wait, endpoint, &addresses, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < SEAL_RESOLVE_MAX; i++) {
		race.attempts[i].race = &race;
		race.attempts[i].fd = -1;
	}
	r = run_race(&race, err);
	for (unsigned i = 0; i < race.begun; i++)
		give_up(&race.attempts[i]);
	return r;
}

/* ---- Paths ---- */

static int
unix_failure(int errnum, struct seal_err *err)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case ENOTSOCK:
		return seal_fail(err, SEAL_E_MISSING, "nobody answers: %s", strerror(errnum));
	case EACCES:
	case EPERM:
		return seal_fail(err, SEAL_E_REFUSED, "it is not open to us: %s", strerror(errnum));
	default:
		return seal_fail_errno(err, errnum, "cannot connect");
	}
}

/* It connects at once, or not at all, or its queue is full. */
static int
connect_unix(struct http_wait *wait, const struct seal_endpoint *endpoint, struct seal_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int fd;
	int r = seal_endpoint_addr(endpoint, &addr, &len, err);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot make a socket");
	while (r == 0 && connect(fd, (const struct sockaddr *)&addr, len) < 0)
		r = errno == EAGAIN ? http_wait_run(wait, QUEUE_MS, err) : unix_failure(errno, err);
	if (r < 0) {
		(void)close(fd); /* nothing was written that could be lost */
		return r;
	}
	return fd;
}

int
http_connect(struct http_wait *wait, const struct seal_endpoint *endpoint, struct seal_err *err)
{
	return endpoint->is_unix ? connect_unix(wait, endpoint, err)
				 : connect_tcp(wait, endpoint, err);
}
