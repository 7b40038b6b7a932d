/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses without blocking: literals and localhost here, then the hosts file, all else by
 * libevent's resolver.  What the answers mean is not decided here: they are the host's word, and
 * whoever connects verifies the peer.
 *
 *   ask ─▶ both families of one name ─both came back─▶ addresses? ─yes─▶ answered
 *    ▲                │ RESOLVE_MS, or one family       │ no
 *    │                │ keeps the other waiting         ▼
 *    │                └──────────────▶ answered     next name of the search list
 *    └─────────────────────────────────────────────────┘ (none left: answered)
 *
 * A query belongs to its servers until the resolver calls back, and knows its question as long as there
 * is one.  Queries are forgotten rather than cancelled: when memory is short the resolver loses calls
 * back, and its handle of a lost one is not to be touched again.
 */

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/loop/loop_internal.h"
#include "base/names/names.h"

/* The end of patience, whatever the resolver does: all tries at a dead server are over by then. */
#define RESOLVE_MS 5000
/*
 * How long a family that has addresses waits for the other.  RFC 8305 section 3 gives 50 ms to an AAAA
 * answer that comes second.  A late A answer gets longer: IPv6 often leads nowhere, and to have nothing
 * else to try is worse than to begin late.
 */
#define WAIT_FOR_V6_MS 50
#define WAIT_FOR_V4_MS 500
/* How long the hosts file's word holds, and an answer that lacks a family for no good reason. */
#define HOSTS_TTL_S      5
#define INCOMPLETE_TTL_S 5
#define TTL_MIN_S        1

enum family { FAMILY_V6, FAMILY_V4, FAMILY_COUNT };

/* Why there is no address, in the order of what is worth telling. */
enum reason { WHY_NO_NAME, WHY_NO_ADDRESS, WHY_TOO_LONG, WHY_NO_ANSWER, WHY_NO_MEMORY };

struct seal_resolve {
	struct seal_loop *loop;
	seal_resolve_fn fn;
	void *arg;
	uint16_t port;
	char host[SEAL_HOSTNAME_MAX + 1];
	struct seal_servers *servers; /* NULL: nobody is asked */
	unsigned step;                /* in the search list */
	struct seal_timer *timer;
	uint64_t deadline_ms;
	struct seal_query *queries[FAMILY_COUNT]; /* NULL: not under way */
	struct seal_found found;
	uint32_t ttl_s;
	bool incomplete; /* one family of this name is not known */
	enum reason reason;
};

static void ask(struct seal_resolve *resolve);

static const char *
reason_text(enum reason reason)
{
	switch (reason) {
	case WHY_NO_NAME:
		return "no such name";
	case WHY_NO_ADDRESS:
		return "the name has no address";
	case WHY_TOO_LONG:
		return "no address: the name servers' answer is too long for a datagram";
	case WHY_NO_MEMORY:
		return "out of memory";
	case WHY_NO_ANSWER:
	default: /* the library does not tell a failure from silence */
		return "no address from the name servers";
	}
}

static void
forget_queries(struct seal_resolve *resolve)
{
	for (enum family family = 0; family < FAMILY_COUNT; family++) {
		if (resolve->queries[family] != NULL)
			resolve->queries[family]->resolve = NULL;
		resolve->queries[family] = NULL;
	}
}

/* The one place that calls fn, which may free the question: nothing may follow. */
static void
answer(struct seal_resolve *resolve, const struct seal_addresses *found, const char *why)
{
	forget_queries(resolve);
	if (resolve->timer != NULL)
		seal_timer_disarm(resolve->timer);
	resolve->fn(resolve->arg, found, why);
}

static void
answer_failure(struct seal_resolve *resolve, const char *why)
{
	const struct seal_addresses none = { .count = 0, .ttl_s = TTL_MIN_S };

	answer(resolve, &none, why);
}

/* The TTL is a stranger's word: no answer holds for ever, and none is asked for at every turn. */
static void
answer_found(struct seal_resolve *resolve)
{
	struct seal_addresses addresses = { 0 };
	uint32_t ttl_s = resolve->ttl_s;

	if (resolve->incomplete && ttl_s > INCOMPLETE_TTL_S)
		ttl_s = INCOMPLETE_TTL_S;
	if (ttl_s > SEAL_RESOLVE_TTL_MAX_S)
		ttl_s = SEAL_RESOLVE_TTL_MAX_S;
	addresses.ttl_s = ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s;
	seal_found_order(&resolve->found, true, resolve->port, &addresses);
	answer(resolve, &addresses, NULL);
}

static bool
has_found(const struct seal_resolve *resolve)
{
	return resolve->found.v4_count + resolve->found.v6_count > 0;
}

static bool
is_under_way(const struct seal_resolve *resolve)
{
	return resolve->queries[FAMILY_V6] != NULL || resolve->queries[FAMILY_V4] != NULL;
}

static uint64_t
left_ms(const struct seal_resolve *resolve)
{
	uint64_t now = seal_loop_now_ms(resolve->loop);

	return resolve->deadline_ms > now ? resolve->deadline_ms - now : 0;
}

/* RFC 2181 section 8: a TTL with the highest bit set means zero. */
static void
take_addresses(struct seal_resolve *resolve, enum family family, int count, int ttl,
	       const char *addresses)
{
	uint32_t ttl_s = ttl < 0 ? 0 : (uint32_t)ttl;
	struct in6_addr ip6;
	struct in_addr ip;

	for (int i = 0; i < count; i++) {
		if (family == FAMILY_V6) {
			memcpy(&ip6, addresses + (size_t)i * sizeof(ip6), sizeof(ip6));
			seal_found_add_v6(&resolve->found, &ip6);
		} else {
			memcpy(&ip, addresses + (size_t)i * sizeof(ip), sizeof(ip));
			seal_found_add_v4(&resolve->found, &ip);
		}
	}
	if (ttl_s < resolve->ttl_s)
		resolve->ttl_s = ttl_s;
}

static void
take_failure(struct seal_resolve *resolve, int result)
{
	enum reason reason = WHY_NO_ANSWER;

	switch (result) {
	case DNS_ERR_NONE: /* an answer of nothing */
	case DNS_ERR_NODATA:
		reason = WHY_NO_ADDRESS;
		break;
	case DNS_ERR_NOTEXIST:
		reason = WHY_NO_NAME;
		break;
	case DNS_ERR_TRUNCATED:
		reason = WHY_TOO_LONG;
		resolve->incomplete = true;
		break;
	default:
		resolve->incomplete = true;
		break;
	}
	if (reason > resolve->reason)
		resolve->reason = reason;
}

/*
 * One family is known, the other is not.  "No such name" is no reason not to wait: RFC 4074 section 4.2
 * tells of servers that say so of an AAAA for a name that has an A.
 */
static void
wait_for_other(struct seal_resolve *resolve, enum family known)
{
	uint64_t wait_ms = known == FAMILY_V4 ? WAIT_FOR_V6_MS : WAIT_FOR_V4_MS;
	uint64_t left = left_ms(resolve);

	if (has_found(resolve))
		seal_timer_arm(resolve->timer, wait_ms < left ? wait_ms : left);
}

/* Comes once for every query, unless memory is short: then perhaps never. */
static void
came_back(struct seal_query *query, enum family family, int result, int count, int ttl,
	  const void *addresses)
{
	struct seal_resolve *resolve = query->resolve;

	LIST_REMOVE(query, link);
	free(query);
	if (resolve == NULL)
		return;
	resolve->queries[family] = NULL;
	if (result == DNS_ERR_NONE && count > 0)
		take_addresses(resolve, family, count, ttl, addresses);
	else
		take_failure(resolve, result);
	if (is_under_way(resolve)) {
		wait_for_other(resolve, family);
	} else if (has_found(resolve)) {
		answer_found(resolve);
	} else {
		resolve->step++;
		ask(resolve);
	}
}

static void
came_back_v4(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	(void)type;
	came_back(arg, FAMILY_V4, result, count, ttl, addresses);
}

static void
came_back_v6(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	(void)type;
	came_back(arg, FAMILY_V6, result, count, ttl, addresses);
}

/* The end of the question's patience, or of one family's with the other. */
static void
out_of_patience(void *arg)
{
	struct seal_resolve *resolve = arg;

	resolve->incomplete = true;
	if (has_found(resolve))
		answer_found(resolve);
	else
		answer_failure(resolve, reason_text(WHY_NO_ANSWER));
}

static void
begin_query(struct seal_resolve *resolve, enum family family, const char *name)
{
	struct evdns_base *dns = resolve->servers->dns;
	struct seal_query *query = calloc(1, sizeof(*query));
	const struct evdns_request *request;

	if (query == NULL) {
		resolve->incomplete = true;
		resolve->reason = WHY_NO_MEMORY;
		return;
	}
	if (family == FAMILY_V6)
		request = evdns_base_resolve_ipv6(dns, name, DNS_QUERY_NO_SEARCH, came_back_v6,
						  query);
	else
		request = evdns_base_resolve_ipv4(dns, name, DNS_QUERY_NO_SEARCH, came_back_v4,
						  query);
	if (request == NULL) { /* not a name that DNS can be asked for */
		free(query);
		return;
	}
	query->resolve = resolve;
	resolve->queries[family] = query;
	LIST_INSERT_HEAD(&resolve->servers->queries, query, link);
}

/* Ask for the addresses of the next name that DNS can be asked for. */
static void
ask(struct seal_resolve *resolve)
{
	char name[SEAL_HOSTNAME_MAX + 1];

	resolve->incomplete = false;
	for (; seal_servers_name(resolve->servers, resolve->host, resolve->step, name);
	     resolve->step++) {
		begin_query(resolve, FAMILY_V6, name);
		begin_query(resolve, FAMILY_V4, name);
		if (is_under_way(resolve))
			return;
	}
	answer_failure(resolve, reason_text(resolve->reason));
}

/* RFC 6761 section 6.3. */
static bool
is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len < strlen(name) || strncasecmp(host + len - strlen(name), name, strlen(name)) != 0)
		return false;
	return len == strlen(name) || host[len - strlen(name) - 1] == '.';
}

/*
 * What needs no resolver.  localhost is always ourselves: a hosts file from an untrusted host has no
 * say in it.  IPv4 comes first there, because most of what listens on loopback listens on that.
 */
static bool
find_known(struct seal_addresses *known, const char *host, uint16_t port)
{
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	struct seal_found found = { 0 };
	struct in6_addr ip6;
	struct in_addr ip;

	if (inet_pton(AF_INET, host, &ip) == 1) {
		seal_found_add_v4(&found, &ip);
	} else if (inet_pton(AF_INET6, host, &ip6) == 1) {
		seal_found_add_v6(&found, &ip6);
	} else if (is_localhost(host)) {
		seal_found_add_v4(&found, &loopback);
		seal_found_add_v6(&found, &in6addr_loopback);
	}
	seal_found_order(&found, false, port, known);
	return known->count > 0;
}

/* What is needed before anybody can be asked. */
static int
prepare(struct seal_resolve *resolve, struct seal_err *err)
{
	int r = seal_timer_new(&resolve->timer, resolve->loop, out_of_patience, resolve, err);

	if (r < 0)
		return r;
	return seal_servers_get(resolve->loop, &resolve->servers, err);
}

static void
begin(struct seal_resolve *resolve)
{
	if (has_found(resolve)) { /* in the hosts file */
		answer_found(resolve);
	} else if (resolve->servers->count == 0) {
		answer_failure(resolve, "not in /etc/hosts, and no name server in resolv.conf");
	} else {
		resolve->ttl_s = SEAL_RESOLVE_TTL_MAX_S;
		resolve->deadline_ms = seal_loop_now_ms(resolve->loop) + RESOLVE_MS;
		seal_timer_arm(resolve->timer, RESOLVE_MS);
		ask(resolve);
	}
}

int
seal_resolve_new(struct seal_resolve **ret_resolve, struct seal_loop *loop, const char *host,
		 uint16_t port, seal_resolve_fn fn, void *arg, struct seal_err *err)
{
	struct seal_addresses known = { 0 };
	struct seal_resolve *resolve;
	bool is_known;
	int r = 0;

	if (host[0] == '\0' || strlen(host) > SEAL_HOSTNAME_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "a host name has 1 to %d letters",
				 SEAL_HOSTNAME_MAX);
	is_known = find_known(&known, host, port);
	resolve = calloc(1, sizeof(*resolve));
	if (resolve == NULL)
		return seal_fail_memory(err);
	*resolve = (struct seal_resolve){ .loop = loop, .fn = fn, .arg = arg, .port = port };
	memcpy(resolve->host, host, strlen(host) + 1);
	resolve->ttl_s = HOSTS_TTL_S;
	if (!is_known)
		seal_hosts_find(&resolve->found, loop->hosts, host);
	if (!is_known && !has_found(resolve))
		r = prepare(resolve, err);
	if (r < 0) {
		seal_resolve_free(resolve);
		return r;
	}

	*ret_resolve = resolve; /* before fn may want to free it */
	if (is_known)
		answer(resolve, &known, NULL);
	else
		begin(resolve);
	return 0;
}

void
seal_resolve_free(struct seal_resolve *resolve)
{
	if (resolve == NULL)
		return;
	forget_queries(resolve);
	if (resolve->servers != NULL)
		seal_servers_put(resolve->servers);
	seal_timer_free(resolve->timer);
	free(resolve);
}

void
seal_resolve_setup(struct seal_loop *loop, const char *resolv_conf, const char *hosts)
{
	loop->resolv_conf = resolv_conf;
	loop->hosts = hosts;
}

/*
 * What the resolver is about to call back is let come: it does so from the loop, whether its servers are
 * still there or not.
 */
void
seal_resolve_shutdown(struct seal_loop *loop)
{
	if (seal_servers_have_queries(loop))
		(void)event_base_loop(loop->base, EVLOOP_NONBLOCK); /* until nothing is due */
	seal_servers_shutdown(loop);
}
