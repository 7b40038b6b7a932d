/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as a whole, and its short spelling on the command line.  One listener's own rules
 * are in listener.c, the YAML spelling in config_yaml.c.
 */
#include "proxy/config_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>

int
proxy_config_new(struct proxy_config **ret_config, struct seal_err *err)
{
	struct proxy_config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		return seal_fail_memory(err);
	config->handshake_ms = PROXY_HANDSHAKE_MS;
	config->connect_ms = PROXY_CONNECT_MS;
	config->drain_ms = PROXY_DRAIN_MS;
	*ret_config = config;
	return 0;
}

void
proxy_config_free(struct proxy_config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->listener_count; i++)
		proxy_listener_release(&config->listeners[i]);
	free(config->listeners);
	free(config);
}

void
proxy_config_freep(struct proxy_config **config)
{
	proxy_config_free(*config);
	*config = NULL;
}

/* The bind address in one spelling: ::1 has many. */
static int
canonical_host(const struct seal_endpoint *endpoint, struct in6_addr *ret_addr)
{
	*ret_addr = (struct in6_addr){ 0 };
	if (inet_pton(AF_INET, endpoint->host, ret_addr) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, endpoint->host, ret_addr) == 1)
		return AF_INET6;
	return AF_UNSPEC;
}

static bool
is_wildcard(const struct in6_addr *addr)
{
	static const struct in6_addr zero = { 0 };

	return memcmp(addr, &zero, sizeof(zero)) == 0;
}

/* Would the second bind fail?  A wildcard takes the port on every address of its family. */
static bool
endpoints_collide(const struct seal_endpoint *a, const struct seal_endpoint *b)
{
	struct in6_addr addr_a;
	struct in6_addr addr_b;

	if (a->is_unix != b->is_unix)
		return false;
	if (a->is_unix)
		return strcmp(a->host, b->host) == 0;
	if (a->port != b->port || canonical_host(a, &addr_a) != canonical_host(b, &addr_b))
		return false;
	return is_wildcard(&addr_a) || is_wildcard(&addr_b) ||
	       memcmp(&addr_a, &addr_b, sizeof(addr_a)) == 0;
}

static int
refuse_collision(const struct proxy_config *config, const struct seal_endpoint *endpoint,
		 struct seal_err *err)
{
	char text[SEAL_HOSTNAME_MAX + 16];

	for (size_t i = 0; i < config->listener_count; i++) {
		if (!endpoints_collide(&config->listeners[i].listen, endpoint))
			continue;
		seal_endpoint_format(endpoint, text);
		return seal_fail(err, SEAL_E_CONFLICT, "listen: %s is already taken by %s", text,
				 config->listeners[i].origin);
	}
	return 0;
}

int
proxy_config_add(struct proxy_config *config, struct proxy_listener_config *listener,
		 struct seal_err *err)
{
	struct proxy_listener_config *grown;
	int r;

	if (config->listener_count >= PROXY_MAX_LISTENERS)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d listeners", PROXY_MAX_LISTENERS);
	r = refuse_collision(config, &listener->listen, err);
	if (r < 0)
		return r;
	grown = realloc(config->listeners, (config->listener_count + 1) * sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	grown[config->listener_count] = *listener;
	*listener = (struct proxy_listener_config){ 0 };
	config->listeners = grown;
	config->listener_count++;
	return 0;
}

/*
 * Where the peers of a spec begin, or NULL: behind the first slash, but a unix path has slashes of
 * its own and ends at ".sock/".
 */
static char *
find_peers(char *targets)
{
	char *at = NULL;

	if (strstr(targets, "unix:") == NULL)
		return strchr(targets, '/');
	for (char *next = strstr(targets, ".sock/"); next != NULL;
	     next = strstr(next + 1, ".sock/"))
		at = next + strlen(".sock");
	return at;
}

static int
read_targets(struct proxy_listener_config *listener, const char *text, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv targets = { 0 };
	int r = seal_strv_split(&targets, text, ',', err);

	if (r == 0 && targets.count == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "no target");
	for (size_t i = 0; r == 0 && i < targets.count; i++)
		r = proxy_listener_add_target(listener, targets.items[i], err);
	return r;
}

static int
read_peers(struct proxy_listener_config *listener, const char *text, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv peers = { 0 };
	int r = seal_strv_split(&peers, text, ',', err);

	if (r == 0 && peers.count == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "no peer behind the '/'");
	for (size_t i = 0; r == 0 && i < peers.count; i++)
		r = proxy_listener_add_peer(listener, peers.items[i], err);
	return r;
}

/* Takes text apart in place. */
static int
read_spec(struct proxy_listener_config *listener, char *text, struct seal_err *err)
{
	char *targets = strchr(text, '=');
	char *peers;
	int r;

	if (targets == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "no '=' between where to listen and %s",
				 listener->direction == PROXY_INBOUND ? "where to forward"
								      : "where to connect");
	*targets++ = '\0';
	peers = find_peers(targets);
	if (peers != NULL)
		*peers++ = '\0';
	r = proxy_listener_set_listen(listener, text, err);
	if (r == 0)
		r = read_targets(listener, targets, err);
	if (r == 0 && peers != NULL)
		r = read_peers(listener, peers, err);
	return r;
}

static void
free_strp(char **str)
{
	free(*str);
}

static int
add_spec(struct proxy_config *config, enum proxy_direction direction, const char *spec,
	 struct seal_err *err)
{
	const char *flag = direction == PROXY_INBOUND ? "--inbound" : "--outbound";
	SEAL_SCOPED(proxy_listener_release)
	struct proxy_listener_config listener = { .direction = direction };
	SEAL_SCOPED(free_strp) char *text = seal_strndup(spec, strlen(spec));
	struct seal_bytes origin = SEAL_BYTES(4096);
	int r;

	if (text == NULL)
		return seal_fail_memory(err);
	r = seal_bytes_append_fmt(&origin, err, "%s '%s'", flag, spec);
	if (r == 0) {
		listener.origin = seal_strndup(seal_bytes_str(&origin), origin.len);
		r = listener.origin == NULL ? seal_fail_memory(err) : 0;
	}
	seal_bytes_release(&origin);
	if (r == 0)
		r = read_spec(&listener, text, err);
	if (r == 0)
		r = proxy_config_add(config, &listener, err);
	return r < 0 ? seal_note(err, r, "%s '%s'", flag, spec) : 0;
}

int
proxy_config_add_inbound(struct proxy_config *config, const char *spec, struct seal_err *err)
{
	return add_spec(config, PROXY_INBOUND, spec, err);
}

int
proxy_config_add_outbound(struct proxy_config *config, const char *spec, struct seal_err *err)
{
	return add_spec(config, PROXY_OUTBOUND, spec, err);
}

int
proxy_config_check(const struct proxy_config *config, bool need_peers, struct seal_err *err)
{
	if (config->listener_count == 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "no listener: give --inbound, --outbound or --config");
	for (size_t i = 0; need_peers && i < config->listener_count; i++)
		if (config->listeners[i].peers.count == 0)
			return seal_fail(
				err, SEAL_E_REFUSED,
				"%s: with --credentials every listener must name its peers",
				config->listeners[i].origin);
	return 0;
}
