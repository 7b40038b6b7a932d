/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A race of addresses: who is tried when, and who was first.  Which target they belong to, how long it
 * may take and what follows is dial.c's.
 */
#include "proxy/race.h"

#include <netinet/in.h>
#include <string.h>

#include "base/fs/fs.h"

/* RFC 8305 section 8, the recommended Connection Attempt Delay. */
#define ATTEMPT_DELAY_MS 250

static socklen_t
addr_len(const struct sockaddr_storage *addr)
{
	switch (addr->ss_family) {
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	case AF_INET:
		return sizeof(struct sockaddr_in);
	default:
		return sizeof(struct sockaddr_un);
	}
}

static void
format_address(const struct proxy_race *race, unsigned at, char text[static SEAL_ADDR_TEXT_MAX])
{
	const struct sockaddr_storage *addr = &race->addresses.at[at];

	seal_addr_format((const struct sockaddr *)addr, addr_len(addr), text);
}

void
proxy_race_init(struct proxy_race *race, struct seal_loop *loop, proxy_race_fn fn, void *arg,
		struct seal_err *why)
{
	*race = (struct proxy_race){ .loop = loop, .fn = fn, .arg = arg, .why = why };
}

static void
end_attempt(struct proxy_attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	seal_watch_free(SEAL_TAKE(attempt->watch));
	seal_closep(&attempt->fd);
	attempt->race->under_way--;
}

void
proxy_race_end(struct proxy_race *race)
{
	for (unsigned i = 0; i < race->begun; i++)
		end_attempt(&race->attempts[i]);
	race->begun = 0;
	race->winner = NULL;
}

bool
proxy_race_is_reflection(int fd, const struct sockaddr_storage *remote)
{
	struct sockaddr_storage local = { 0 };
	socklen_t len = sizeof(local);
	struct sockaddr_in6 in6[2];
	struct sockaddr_in in[2];

	if (remote->ss_family == AF_UNIX || getsockname(fd, (struct sockaddr *)&local, &len) < 0)
		return false;
	memcpy(&in6[0], remote, sizeof(in6[0]));
	memcpy(&in6[1], &local, sizeof(in6[1]));
	memcpy(&in[0], remote, sizeof(in[0]));
	memcpy(&in[1], &local, sizeof(in[1]));
	if (remote->ss_family == AF_INET)
		return in[0].sin_port == in[1].sin_port &&
		       in[0].sin_addr.s_addr == in[1].sin_addr.s_addr;
	return in6[0].sin6_port == in6[1].sin6_port &&
	       memcmp(&in6[0].sin6_addr, &in6[1].sin6_addr, sizeof(in6[0].sin6_addr)) == 0;
}

/* A target that is an address already says where it is. */
static bool
is_one_of_a_name(const struct proxy_race *race)
{
	return race->addresses.count > 1 || race->addresses.ttl_s > 0;
}

static int
outcome(struct proxy_race *race, unsigned at)
{
	char text[SEAL_ADDR_TEXT_MAX];
	int fd = race->attempts[at].fd;
	int r = seal_connect_result(fd, race->why);

	if (r == 0 && proxy_race_is_reflection(fd, &race->addresses.at[at]))
		r = seal_fail(race->why, SEAL_E_CLOSED, "nobody listens");
	if (r < 0 && is_one_of_a_name(race)) {
		format_address(race, at, text);
		r = seal_note(race->why, r, "%s", text);
	}
	return r;
}

static void
on_writable(void *arg, bool readable, bool writable)
{
	struct proxy_attempt *attempt = arg;
	struct proxy_race *race = attempt->race;

	(void)readable;
	(void)writable; /* either way the outcome is known */
	if (outcome(race, (unsigned)(attempt - race->attempts)) == 0)
		race->winner = attempt;
	else
		end_attempt(attempt);
	race->fn(race->arg);
}

static int
try_address(struct proxy_race *race, unsigned at)
{
	const struct sockaddr_storage *addr = &race->addresses.at[at];
	struct proxy_attempt *attempt = &race->attempts[at];
	int fd = seal_connect((const struct sockaddr *)addr, addr_len(addr), race->why);
	int r;

	if (fd < 0)
		return fd;
	r = seal_watch_new(&attempt->watch, race->loop, fd, on_writable, attempt, race->why);
	if (r < 0) {
		seal_close(fd);
		return r;
	}
	attempt->fd = fd;
	race->under_way++;
	seal_watch_want(attempt->watch, false, true);
	return 0;
}

bool
proxy_race_on(struct proxy_race *race)
{
	while (race->begun < race->addresses.count) {
		unsigned at = race->begun++;

		race->attempts[at] = (struct proxy_attempt){ .race = race, .fd = -1 };
		if (try_address(race, at) < 0)
			continue;
		race->next_ms = seal_loop_now_ms(race->loop) + ATTEMPT_DELAY_MS;
		break;
	}
	return race->under_way > 0;
}

uint64_t
proxy_race_next_ms(const struct proxy_race *race)
{
	return race->begun < race->addresses.count ? race->next_ms : UINT64_MAX;
}

bool
proxy_race_is_won(const struct proxy_race *race)
{
	return race->winner != NULL;
}

int
proxy_race_take(struct proxy_race *race, char address[static SEAL_ADDR_TEXT_MAX])
{
	struct proxy_attempt *winner = SEAL_TAKE(race->winner);
	int fd = winner->fd;

	format_address(race, (unsigned)(winner - race->attempts), address);
	winner->fd = -1;
	seal_watch_free(SEAL_TAKE(winner->watch));
	race->under_way--;
	return fd;
}

void
proxy_race_format_silent(const struct proxy_race *race, char text[static SEAL_ADDR_TEXT_MAX])
{
	for (unsigned i = 0; i < race->begun; i++) {
		if (race->attempts[i].fd >= 0)
			format_address(race, i, text);
	}
}
