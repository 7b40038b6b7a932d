/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one listener may look like: which ends are the wire and which are the application's, and that
 * plaintext never leaves this machine.  Knows nothing of the syntax it was written in.
 */
#include "proxy/config_internal.h"

#include <arpa/inet.h>

static const char *
default_listen_host(enum proxy_direction direction)
{
	return direction == PROXY_INBOUND ? "0.0.0.0" : "127.0.0.1";
}

void
proxy_listener_release(struct proxy_listener_config *listener)
{
	free(listener->targets);
	seal_strv_release(&listener->peers);
	free(listener->server_name);
	free(listener->origin);
	*listener = (struct proxy_listener_config){ 0 };
}

static int
parse_endpoint(struct seal_endpoint *ret_endpoint, const char *text, const char *default_host,
	       struct seal_err *err)
{
	struct seal_endpoint endpoint = { 0 };
	int r = seal_endpoint_parse(&endpoint, text, default_host, err);

	if (r < 0)
		return r;
	if (!endpoint.is_unix && endpoint.port == 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%s': port 0 cannot be meant", text);
	*ret_endpoint = endpoint;
	return 0;
}

static bool
is_literal(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

int
proxy_listener_set_listen(struct proxy_listener_config *listener, const char *text,
			  struct seal_err *err)
{
	struct seal_endpoint endpoint = { 0 };
	int r = parse_endpoint(&endpoint, text, default_listen_host(listener->direction), err);

	if (r < 0)
		return seal_note(err, r, "listen");
	if (!endpoint.is_unix && !is_literal(endpoint.host))
		return seal_fail(err, SEAL_E_FORMAT,
				 "listen: '%s' is a name; give the address to bind", text);
	if (listener->direction == PROXY_OUTBOUND && !seal_endpoint_is_local(&endpoint))
		return seal_fail(err, SEAL_E_REFUSED,
				 "listen: outbound listeners take plaintext and must be loopback "
				 "or unix:, '%s' is neither",
				 text);
	if (listener->direction == PROXY_INBOUND && endpoint.is_unix)
		return seal_fail(err, SEAL_E_REFUSED,
				 "listen: inbound listeners face the network, '%s' does not", text);
	listener->listen = endpoint;
	return 0;
}

int
proxy_listener_add_target(struct proxy_listener_config *listener, const char *text,
			  struct seal_err *err)
{
	bool inbound = listener->direction == PROXY_INBOUND;
	const char *what = inbound ? "forward" : "connect";
	struct seal_endpoint endpoint = { 0 };
	struct seal_endpoint *grown;
	int r;

	if (listener->target_count >= PROXY_MAX_TARGETS)
		return seal_fail(err, SEAL_E_LIMIT, "%s: more than %d targets", what,
				 PROXY_MAX_TARGETS);
	r = parse_endpoint(&endpoint, text, inbound ? "127.0.0.1" : NULL, err);
	if (r < 0)
		return seal_note(err, r, "%s", what);
	if (inbound && !seal_endpoint_is_local(&endpoint))
		return seal_fail(err, SEAL_E_REFUSED,
				 "forward: plaintext stays on this machine, '%s' is neither "
				 "loopback nor unix:",
				 text);
	if (!inbound && endpoint.is_unix)
		return seal_fail(err, SEAL_E_REFUSED, "connect: '%s' is not on the network", text);
	grown = realloc(listener->targets, (listener->target_count + 1) * sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	grown[listener->target_count] = endpoint;
	listener->targets = grown;
	listener->target_count++;
	return 0;
}

int
proxy_listener_add_peer(struct proxy_listener_config *listener, const char *name,
			struct seal_err *err)
{
	int r = seal_peer_or_every_check(name, err);

	if (r < 0)
		return seal_note(err, r, "peers");
	if (listener->peers.count >= PROXY_MAX_PEERS)
		return seal_fail(err, SEAL_E_LIMIT, "peers: more than %d", PROXY_MAX_PEERS);
	if (seal_strv_contains(&listener->peers, name))
		return seal_fail(err, SEAL_E_CONFLICT, "peers: '%s' is named twice", name);
	return seal_strv_add(&listener->peers, name, err);
}

int
proxy_listener_set_server_name(struct proxy_listener_config *listener, const char *name,
			       struct seal_err *err)
{
	struct seal_endpoint endpoint = { 0 };
	struct seal_bytes text = SEAL_BYTES(SEAL_HOSTNAME_MAX + 16);
	char *copy;
	int r;

	if (listener->direction == PROXY_INBOUND)
		return seal_fail(err, SEAL_E_FORMAT,
				 "server-name: only outbound listeners send it");
	/* RFC 6066 section 3: a DNS host name, never a literal address. */
	r = seal_bytes_append_fmt(&text, err, "%s:1", name);
	if (r == 0)
		r = seal_endpoint_parse(&endpoint, seal_bytes_str(&text), NULL, err);
	seal_bytes_release(&text);
	if (r < 0 || endpoint.is_unix || is_literal(endpoint.host) || name[0] == '[')
		return seal_fail(err, SEAL_E_FORMAT, "server-name: '%s' is no host name", name);
	copy = seal_strndup(endpoint.host, strlen(endpoint.host));
	if (copy == NULL)
		return seal_fail_memory(err);
	free(listener->server_name);
	listener->server_name = copy;
	return 0;
}
