/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules between the parts of a configuration: no two things on one address, nothing left open that the
 * capture should close, and what a reload may change.
 */
#include "proxy/config_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>

bool
proxy_host_is_literal(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

/* An address in one spelling: ::1 has many, and ::ffff:127.0.0.1 is an IPv4 address. */
static int
canonical_host(const struct seal_endpoint *endpoint, struct in6_addr *ret_addr)
{
	struct in6_addr addr = { 0 };

	*ret_addr = (struct in6_addr){ 0 };
	if (endpoint->is_unix)
		return AF_UNSPEC;
	if (inet_pton(AF_INET, endpoint->host, ret_addr) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, endpoint->host, &addr) != 1)
		return AF_UNSPEC;
	if (IN6_IS_ADDR_V4MAPPED(&addr)) {
		memcpy(ret_addr->s6_addr, addr.s6_addr + 12, sizeof(struct in_addr));
		return AF_INET;
	}
	*ret_addr = addr;
	return AF_INET6;
}

static bool
is_zero(const struct in6_addr *addr)
{
	static const struct in6_addr zero = { 0 };

	return memcmp(addr, &zero, sizeof(zero)) == 0;
}

bool
proxy_endpoint_is_wildcard(const struct seal_endpoint *endpoint)
{
	struct in6_addr addr;

	return canonical_host(endpoint, &addr) != AF_UNSPEC && is_zero(&addr);
}

bool
proxy_endpoints_collide(const struct seal_endpoint *a, const struct seal_endpoint *b)
{
	struct in6_addr addr_a;
	struct in6_addr addr_b;
	int family;

	if (a->is_unix != b->is_unix)
		return false;
	if (a->is_unix)
		return strcmp(a->host, b->host) == 0;
	family = canonical_host(a, &addr_a);
	if (a->port != b->port || family == AF_UNSPEC || family != canonical_host(b, &addr_b))
		return false;
	return is_zero(&addr_a) || is_zero(&addr_b) ||
	       memcmp(&addr_a, &addr_b, sizeof(addr_a)) == 0;
}

/* What others can reach because we are bound to it is what the rules of the capture leave alone. */
static bool
bypasses_capture(const struct seal_endpoint *bound, const struct seal_endpoint *captured)
{
	return !seal_endpoint_is_local(bound) && proxy_endpoints_collide(bound, captured);
}

int
proxy_listeners_check_pair(const struct proxy_listener_config *earlier,
			   const struct proxy_listener_config *later, struct seal_err *err)
{
	const struct seal_endpoint *a = &earlier->listen;
	const struct seal_endpoint *b = &later->listen;
	char text[SEAL_HOSTNAME_MAX + 16];

	if (earlier->captured != later->captured) {
		if (!bypasses_capture(earlier->captured ? b : a, earlier->captured ? a : b))
			return 0;
		return seal_fail(err, SEAL_E_CONFLICT,
				 "listen: port %u cannot be both captured and listened on, see %s",
				 b->port, earlier->origin);
	}
	if (!proxy_endpoints_collide(a, b))
		return 0;
	seal_endpoint_format(b, text);
	return seal_fail(err, SEAL_E_CONFLICT, "listen: %s is already %s %s", text,
			 earlier->captured ? "captured for" : "taken by", earlier->origin);
}

/* An address that is no listener's. */
struct place {
	const struct seal_endpoint *endpoint;
	const char *key;
	const char *origin;
};

#define MAX_PLACES 6

static size_t
list_places(const struct proxy_config *config, struct place places[static MAX_PLACES])
{
	const struct proxy_capture_config *capture = &config->capture;
	size_t count = 0;

	if (capture->enabled)
		places[count++] = (struct place){ &capture->listen, "capture", capture->origin };
	if (capture->enabled && capture->has_listen6)
		places[count++] = (struct place){ &capture->listen6, "capture", capture->origin };
	if (config->has_health)
		places[count++] =
			(struct place){ &config->health, "health", config->health_origin };
	if (config->has_metrics)
		places[count++] =
			(struct place){ &config->metrics, "metrics", config->metrics_origin };
	if (config->has_control)
		places[count++] =
			(struct place){ &config->control, "control", config->control_origin };
	if (config->has_agent)
		places[count++] = (struct place){ &config->agent, "agent", config->agent_origin };
	return count;
}

static int
fail_taken(const struct place *place, const char *by, struct seal_err *err)
{
	char text[SEAL_HOSTNAME_MAX + 16];

	seal_endpoint_format(place->endpoint, text);
	return seal_fail(err, SEAL_E_CONFLICT,
			 "%s: %s: %s is already taken by %s: choose another address", place->origin,
			 place->key, text, by);
}

/* One address of ours against one listener: its own address, and where it sends what it takes. */
static int
check_place(const struct place *place, const struct proxy_listener_config *listener,
	    struct seal_err *err)
{
	bool is_for_us = strcmp(place->key, "capture") == 0 || strcmp(place->key, "control") == 0 ||
			 strcmp(place->key, "agent") == 0;

	if (listener->captured ? bypasses_capture(place->endpoint, &listener->listen)
			       : proxy_endpoints_collide(place->endpoint, &listener->listen))
		return fail_taken(place, listener->origin, err);
	/*
	 * Forwarded to the capture it would go round; to the control socket it would be us who asks; the
	 * agent is for the pod alone.
	 */
	for (size_t i = 0; is_for_us && i < listener->target_count; i++) {
		if (proxy_endpoints_collide(place->endpoint, &listener->targets[i]))
			return seal_fail(err, SEAL_E_REFUSED,
					 "%s: a target is the address of '%s' (%s), which is not "
					 "for others: name the application's",
					 listener->origin, place->key, place->origin);
	}
	return 0;
}

static int
check_places(const struct proxy_config *config, struct seal_err *err)
{
	struct place places[MAX_PLACES];
	size_t count = list_places(config, places);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		for (size_t j = 0; r == 0 && j < config->listener_count; j++)
			r = check_place(&places[i], &config->listeners[j], err);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (proxy_endpoints_collide(places[i].endpoint, places[j].endpoint))
				r = fail_taken(&places[i], places[j].key, err);
	}
	return r;
}

static int
check_captured(const struct proxy_capture_config *capture,
	       const struct proxy_listener_config *listener, struct seal_err *err)
{
	uint16_t port = listener->listen.port;

	if (!listener->captured)
		return 0;
	if (!capture->enabled)
		return seal_fail(err, SEAL_E_FORMAT,
				 "%s: captured: no connection can come without 'capture': add "
				 "'capture: {listen: PORT}'",
				 listener->origin);
	if (port == capture->listen.port)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "%s: listen: port %u is the capture's own (%s)", listener->origin,
				 port, capture->origin);
	for (size_t i = 0; i < capture->allow_count; i++)
		if (capture->allow[i] == port)
			return seal_fail(
				err, SEAL_E_CONFLICT,
				"%s: listen: port %u is captured here, but %s allows it to "
				"be reached in plaintext",
				listener->origin, port, capture->origin);
	return 0;
}

static int
check_listener(const struct proxy_config *config, const struct proxy_listener_config *listener,
	       bool need_peers, struct seal_err *err)
{
	if (need_peers && listener->direction != PROXY_PUBLIC && listener->peers.count == 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "%s: with --credentials every listener must name its peers",
				 listener->origin);
	return check_captured(&config->capture, listener, err);
}

int
proxy_config_check(const struct proxy_config *config, bool need_peers, struct seal_err *err)
{
	int r = 0;

	if (config->listener_count == 0 && !config->has_agent) /* which alone is of use */
		return seal_fail(err, SEAL_E_FORMAT,
				 "no listener: give --inbound, --outbound, --public or --config");
	for (size_t i = 0; r == 0 && i < config->listener_count; i++)
		r = check_listener(config, &config->listeners[i], need_peers, err);
	if (r == 0 && config->has_metrics && !config->unsafe_metrics &&
	    !seal_endpoint_is_local(&config->metrics))
		r = seal_fail(err, SEAL_E_REFUSED,
			      "%s: metrics: only loopback, others could read them: "
			      "'unsafe-metrics: true' in a file allows it",
			      config->metrics_origin);
	return r == 0 ? check_places(config, err) : r;
}

/* An address that was or is not there is equal to none. */
static bool
is_same(bool has_a, const struct seal_endpoint *a, bool has_b, const struct seal_endpoint *b)
{
	if (!has_a || !has_b)
		return has_a == has_b;
	return a->is_unix == b->is_unix && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool
is_same_capture(const struct proxy_capture_config *a, const struct proxy_capture_config *b)
{
	size_t allow_len = a->allow_count * sizeof(*a->allow);

	return is_same(a->enabled, &a->listen, b->enabled, &b->listen) &&
	       is_same(a->has_listen6, &a->listen6, b->has_listen6, &b->listen6) &&
	       a->allow_count == b->allow_count &&
	       (allow_len == 0 || memcmp(a->allow, b->allow, allow_len) == 0);
}

int
proxy_config_check_reload(const struct proxy_config *running, const struct proxy_config *next,
			  struct seal_err *err)
{
	const char *key = NULL;

	if (!is_same_capture(&running->capture, &next->capture))
		key = "capture";
	else if (!is_same(running->has_agent, &running->agent, next->has_agent, &next->agent))
		key = "agent";
	else if (!is_same(running->has_control, &running->control, next->has_control,
			  &next->control))
		key = "control";
	else if (!is_same(running->has_health, &running->health, next->has_health, &next->health))
		key = "health";
	else if (!is_same(running->has_metrics, &running->metrics, next->has_metrics,
			  &next->metrics))
		key = "metrics";
	else if (running->log_json != next->log_json)
		key = "log format";
	if (key == NULL)
		return 0;
	return seal_fail(err, SEAL_E_REFUSED,
			 "the setting '%s' is read at start only: put it back, or restart", key);
}
