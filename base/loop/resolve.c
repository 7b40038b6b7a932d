/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses without blocking: literals and localhost here, all else by libevent's resolver
 * (/etc/hosts, then the servers of /etc/resolv.conf).  What the answers mean is not decided here: they
 * are the host's word, and whoever connects verifies the peer.
 *
 * A question has up to three holders: the caller, the resolver (which calls back even after a
 * cancellation, later), and the function that is just asking (because the answer may come at once,
 * and the caller may free the question in its callback).  The last one out frees it.
 */

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop/loop_internal.h"
#include "base/names/names.h"

/* The end of patience, whatever the resolver does: all tries at a dead server are over by then. */
#define RESOLVE_MS  5000
#define RESOLV_CONF "/etc/resolv.conf"
/* Turns of the loop after which every cancelled question has come back: one, and one more in case. */
#define FLUSH_TURNS 2

struct seal_resolve {
	struct seal_loop *loop;
	seal_resolve_fn fn; /* NULL: answered or forgotten */
	void *arg;
	uint16_t port;
	struct seal_timer *deadline;
	struct evdns_getaddrinfo_request *request; /* NULL: the resolver is not at work */
	unsigned holders;
};

/* The resolver's options, set last: what resolv.conf says about them must not make us wait longer. */
static const struct {
	const char *name;
	const char *value;
} dns_options[] = {
	{ "timeout:", "1.5" },                /* per try */
	{ "attempts:", "3" },                 /* three tries fit into RESOLVE_MS */
	{ "randomize-case:", "0" },           /* some servers answer in their own spelling */
	{ "getaddrinfo-allow-skew:", "0.5" }, /* A without AAAA, or the reverse, is answer enough */
};

static void
let_go(struct seal_resolve *resolve)
{
	if (--resolve->holders > 0)
		return;
	seal_timer_free(resolve->deadline);
	free(resolve);
}

/* The one place that calls fn.  The caller of this function must hold the question. */
static void
answer(struct seal_resolve *resolve, const struct sockaddr_storage *addrs, unsigned count,
       const char *why)
{
	seal_resolve_fn fn = resolve->fn;

	if (fn == NULL)
		return;
	resolve->fn = NULL;
	if (resolve->deadline != NULL)
		seal_timer_disarm(resolve->deadline);
	fn(resolve->arg, addrs, count, why);
}

static void
set_v4(struct sockaddr_storage *addr, struct in_addr ip, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip };

	memset(addr, 0, sizeof(*addr));
	memcpy(addr, &in, sizeof(in));
}

static void
set_v6(struct sockaddr_storage *addr, struct in6_addr ip, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port),
				    .sin6_addr = ip };

	memset(addr, 0, sizeof(*addr));
	memcpy(addr, &in6, sizeof(in6));
}

/*
 * What needs no resolver; returns how many addresses.  localhost is always ourselves (RFC 6761
 * section 6.3): a hosts file from an untrusted host has no say in it.
 */
static unsigned
known_addrs(struct sockaddr_storage addrs[static SEAL_RESOLVE_MAX], const char *host, uint16_t port)
{
	const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	struct in6_addr ip6;
	struct in_addr ip;

	if (inet_pton(AF_INET, host, &ip) == 1) {
		set_v4(&addrs[0], ip, port);
		return 1;
	}
	if (inet_pton(AF_INET6, host, &ip6) == 1) {
		set_v6(&addrs[0], ip6, port);
		return 1;
	}
	if (strcmp(host, "localhost") == 0) {
		set_v4(&addrs[0], loopback, port);
		set_v6(&addrs[1], in6addr_loopback, port);
		return 2;
	}
	return 0;
}

static const char *
reason(int code)
{
	switch (code) {
	case EVUTIL_EAI_NONAME:
	case EVUTIL_EAI_NODATA:
		return "no such name";
	case EVUTIL_EAI_MEMORY:
		return "out of memory";
	default: /* the library does not tell a failure from silence reliably */
		return "no address from the name servers";
	}
}

static unsigned
copy_addrs(struct sockaddr_storage addrs[static SEAL_RESOLVE_MAX],
	   const struct evutil_addrinfo *list, uint16_t port)
{
	unsigned count = 0;

	for (; list != NULL && count < SEAL_RESOLVE_MAX; list = list->ai_next) {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;

		if (list->ai_family == AF_INET && list->ai_addrlen >= sizeof(in)) {
			memcpy(&in, list->ai_addr, sizeof(in));
			set_v4(&addrs[count++], in.sin_addr, port);
		} else if (list->ai_family == AF_INET6 && list->ai_addrlen >= sizeof(in6)) {
			memcpy(&in6, list->ai_addr, sizeof(in6));
			set_v6(&addrs[count++], in6.sin6_addr, port);
		}
	}
	return count;
}

/* Comes exactly once for every question the resolver took, cancelled or not. */
static void
resolved(int code, struct evutil_addrinfo *list, void *arg)
{
	struct seal_resolve *resolve = arg;
	struct sockaddr_storage addrs[SEAL_RESOLVE_MAX];
	unsigned count = 0;

	resolve->request = NULL;
	if (code == 0)
		count = copy_addrs(addrs, list, resolve->port);
	if (list != NULL)
		evutil_freeaddrinfo(list);
	if (count > 0)
		answer(resolve, addrs, count, NULL);
	else
		answer(resolve, NULL, 0, reason(code == 0 ? EVUTIL_EAI_NODATA : code));
	let_go(resolve);
}

static void
out_of_patience(void *arg)
{
	struct seal_resolve *resolve = arg;

	resolve->holders++;
	if (resolve->request != NULL)
		evdns_getaddrinfo_cancel(resolve->request);
	answer(resolve, NULL, 0, "no address from the name servers");
	let_go(resolve);
}

/*
 * The resolver's sockets are in the loop only while it waits for an answer.  A missing or empty
 * resolv.conf leaves it with /etc/hosts alone; to ask whatever listens on our own port 53 instead
 * would be a guess.
 */
int
seal_resolve_setup(struct seal_loop *loop, const char *resolv_conf, struct seal_err *err)
{
	struct evdns_base *dns = evdns_base_new(loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);

	if (dns == NULL)
		return seal_fail(err, SEAL_E_SYSTEM, "cannot start the resolver");
	(void)evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL | DNS_OPTION_NAMESERVERS_NO_DEFAULT,
					   resolv_conf);
	for (size_t i = 0; i < SEAL_COUNT(dns_options); i++) {
		if (evdns_base_set_option(dns, dns_options[i].name, dns_options[i].value) != 0) {
			evdns_base_free(dns, 0);
			return seal_fail(err, SEAL_E_BUG, "resolver option '%s'",
					 dns_options[i].name);
		}
	}
	loop->dns = dns;
	return 0;
}

static void
ask(struct seal_resolve *resolve, const char *host)
{
	const struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
					       .ai_socktype = SOCK_STREAM,
					       .ai_protocol = IPPROTO_TCP };
	struct evdns_getaddrinfo_request *request;

	seal_timer_arm(resolve->deadline, RESOLVE_MS);
	resolve->holders++; /* the resolver, until its callback */
	request = evdns_getaddrinfo(resolve->loop->dns, host, NULL, &hints, resolved, resolve);
	if (request == NULL)
		return; /* answered already, from the hosts file or by a failure */
	resolve->request = request;
	if (evdns_base_count_nameservers(resolve->loop->dns) == 0) {
		evdns_getaddrinfo_cancel(request);
		answer(resolve, NULL, 0, "not in /etc/hosts, and no name server in resolv.conf");
	}
}

int
seal_resolve_new(struct seal_resolve **ret_resolve, struct seal_loop *loop, const char *host,
		 uint16_t port, seal_resolve_fn fn, void *arg, struct seal_err *err)
{
	struct sockaddr_storage addrs[SEAL_RESOLVE_MAX];
	unsigned count = known_addrs(addrs, host, port);
	struct seal_resolve *resolve;
	int r = 0;

	if (host[0] == '\0' || strlen(host) > SEAL_HOSTNAME_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "a host name has 1 to %d letters",
				 SEAL_HOSTNAME_MAX);
	resolve = calloc(1, sizeof(*resolve));
	if (resolve == NULL)
		return seal_fail_memory(err);
	*resolve = (struct seal_resolve){ .loop = loop, .fn = fn, .arg = arg, .port = port };
	if (count == 0)
		r = seal_timer_new(&resolve->deadline, loop, out_of_patience, resolve, err);
	if (r == 0 && count == 0 && loop->dns == NULL)
		r = seal_resolve_setup(loop, RESOLV_CONF, err);
	if (r < 0) {
		seal_timer_free(resolve->deadline);
		free(resolve);
		return r;
	}

	resolve->holders = 2; /* the caller, and this function while the answer may come at once */
	*ret_resolve = resolve;
	if (count > 0)
		answer(resolve, addrs, count, NULL);
	else
		ask(resolve, host);
	let_go(resolve);
	return 0;
}

void
seal_resolve_free(struct seal_resolve *resolve)
{
	if (resolve == NULL)
		return;
	resolve->fn = NULL;
	if (resolve->deadline != NULL)
		seal_timer_disarm(resolve->deadline);
	if (resolve->request != NULL)
		evdns_getaddrinfo_cancel(resolve->request);
	let_go(resolve);
}

void
seal_resolve_shutdown(struct seal_loop *loop)
{
	/*
	 * What was cancelled, by us or by the resolver itself (the family that was too slow), is
	 * handed back in a later turn; the resolver must not go before.
	 */
	for (int turn = 0; loop->dns != NULL && turn < FLUSH_TURNS; turn++)
		(void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
	if (loop->dns != NULL)
		evdns_base_free(loop->dns, 0);
	loop->dns = NULL;
}
