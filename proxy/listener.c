/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one listener may look like: which ends are the wire and which are the application's, and that
 * plaintext leaves this machine only when somebody said so.  Knows nothing of the syntax it was
 * written in.
 */
#include "config-verify/sealed.h"
#include "proxy/config_internal.h"

#define MAX_PATH_LEN 4095
#define MAX_ALPN_LEN 255 /* RFC 7301 section 3.1 */

const char *
proxy_direction_name(enum proxy_direction direction)
{
	static const char *const names[] = {
		[PROXY_INBOUND] = "inbound",
		[PROXY_OUTBOUND] = "outbound",
		[PROXY_PUBLIC] = "public",
	};

	return (size_t)direction < SEAL_COUNT(names) ? names[direction] : "?";
}

void
proxy_listener_release(struct proxy_listener_config *listener)
{
	free(listener->targets);
	seal_strv_release(&listener->peers);
	seal_strv_release(&listener->alpn);
	free(listener->server_name);
	for (size_t i = 0; i < listener->certificate_count; i++) {
		free(listener->certificates[i].certificate);
		free(listener->certificates[i].key);
		free(listener->certificates[i].secret);
	}
	free(listener->certificates);
	free(listener->client_ca);
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

int
proxy_listener_set_listen(struct proxy_listener_config *listener, const char *text,
			  struct seal_err *err)
{
	bool outbound = listener->direction == PROXY_OUTBOUND;
	struct seal_endpoint endpoint = { 0 };
	int r = parse_endpoint(&endpoint, text, outbound ? "127.0.0.1" : "0.0.0.0", err);

	if (r < 0)
		return seal_note(err, r, "listen");
	if (!endpoint.is_unix && !proxy_host_is_literal(endpoint.host))
		return seal_fail(err, SEAL_E_FORMAT,
				 "listen: '%s' is a name; give the address to bind", text);
	if (outbound && !listener->unsafe && !seal_endpoint_is_local(&endpoint))
		return seal_fail(err, SEAL_E_REFUSED,
				 "listen: outbound listeners take plaintext and must be loopback "
				 "or unix:, '%s' is neither; 'unsafe-listen: true' in a file "
				 "allows it",
				 text);
	listener->listen = endpoint;
	return 0;
}

/* The kernel redirects what comes from outside, by TCP. */
int
proxy_listener_set_captured(struct proxy_listener_config *listener, bool captured,
			    struct seal_err *err)
{
	if (captured && seal_endpoint_is_local(&listener->listen))
		return seal_fail(err, SEAL_E_FORMAT,
				 "captured: nothing from outside reaches the address of 'listen': "
				 "write the port alone");
	listener->captured = captured;
	return 0;
}

/* What leads back to ourselves would go round for ever. */
static int
refuse_loop(const struct proxy_listener_config *listener, const struct seal_endpoint *target,
	    const char *text, struct seal_err *err)
{
	if (listener->captured || !proxy_endpoints_collide(&listener->listen, target))
		return 0;
	return seal_fail(err, SEAL_E_CONFLICT,
			 "'%s' is where this listener listens itself: name the %s instead", text,
			 listener->direction == PROXY_OUTBOUND ? "peer's address"
							       : "application's address");
}

static int
check_target(const struct proxy_listener_config *listener, const struct seal_endpoint *target,
	     const char *text, struct seal_err *err)
{
	if (listener->target_count >= PROXY_MAX_TARGETS)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d targets", PROXY_MAX_TARGETS);
	if (listener->direction != PROXY_OUTBOUND && !listener->unsafe &&
	    !seal_endpoint_is_local(target))
		return seal_fail(err, SEAL_E_REFUSED,
				 "plaintext stays on this machine, '%s' is neither loopback nor "
				 "unix:; 'unsafe-forward: true' in a file allows it",
				 text);
	if (proxy_endpoint_is_wildcard(target))
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is no address to connect to", text);
	for (size_t i = 0; i < listener->target_count; i++) {
		const struct seal_endpoint *other = &listener->targets[i];

		if (other->is_unix == target->is_unix && other->port == target->port &&
		    strcmp(other->host, target->host) == 0)
			return seal_fail(err, SEAL_E_CONFLICT, "'%s' is named twice", text);
	}
	return refuse_loop(listener, target, text, err);
}

int
proxy_listener_add_target(struct proxy_listener_config *listener, const char *text,
			  struct seal_err *err)
{
	bool outbound = listener->direction == PROXY_OUTBOUND;
	struct seal_endpoint endpoint = { 0 };
	struct seal_endpoint *grown;
	int r = parse_endpoint(&endpoint, text, outbound ? NULL : "127.0.0.1", err);

	if (r == 0)
		r = check_target(listener, &endpoint, text, err);
	if (r < 0)
		return seal_note(err, r, "%s", outbound ? "connect" : "forward");
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

static int
replace_str(char **str, const char *by, struct seal_err *err)
{
	char *copy = seal_strndup(by, strlen(by));

	if (copy == NULL)
		return seal_fail_memory(err);
	free(*str);
	*str = copy;
	return 0;
}

int
proxy_listener_set_server_name(struct proxy_listener_config *listener, const char *name,
			       struct seal_err *err)
{
	struct seal_endpoint endpoint = { 0 };
	char text[SEAL_HOSTNAME_MAX + sizeof(":1")];
	int len = snprintf(text, sizeof(text), "%s:1", name);

	/* RFC 6066 section 3: a DNS host name, never a literal address. */
	if (len < 0 || (size_t)len >= sizeof(text) || name[0] == '[' ||
	    seal_endpoint_parse(&endpoint, text, NULL, NULL) < 0 || endpoint.is_unix ||
	    proxy_host_is_literal(endpoint.host))
		return seal_fail(err, SEAL_E_FORMAT, "server-name: '%s' is no host name", name);
	return replace_str(&listener->server_name, endpoint.host, err);
}

int
proxy_listener_set_verify(struct proxy_listener_config *listener, const char *word,
			  struct seal_err *err)
{
	bool hostname = strcmp(word, "hostname") == 0;
	char text[SEAL_HOSTNAME_MAX + 16];

	if (!hostname && strcmp(word, "peer") != 0)
		return seal_fail(err, SEAL_E_FORMAT, "verify: '%s' is neither peer nor hostname",
				 word);
	for (size_t i = 0; hostname && listener->server_name == NULL && i < listener->target_count;
	     i++) {
		const struct seal_endpoint *target = &listener->targets[i];

		if (!target->is_unix && !proxy_host_is_literal(target->host))
			continue;
		seal_endpoint_format(target, text);
		return seal_fail(err, SEAL_E_FORMAT,
				 "verify: '%s' has no host name to look for in the certificate: "
				 "give a 'server-name'",
				 text);
	}
	listener->verify_hostname = hostname;
	return 0;
}

int
proxy_listener_set_proxy_protocol(struct proxy_listener_config *listener, const char *word,
				  struct seal_err *err)
{
	bool on = strcmp(word, "v2") == 0;

	if (!on && strcmp(word, "off") != 0)
		return seal_fail(err, SEAL_E_FORMAT, "proxy-protocol: '%s' is neither v2 nor off",
				 word);
	listener->proxy_protocol = on;
	return 0;
}

int
proxy_listener_add_alpn(struct proxy_listener_config *listener, const char *name,
			struct seal_err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > MAX_ALPN_LEN)
		return seal_fail(err, SEAL_E_FORMAT, "alpn: a protocol's name has 1 to %d letters",
				 MAX_ALPN_LEN);
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return seal_fail(err, SEAL_E_FORMAT,
					 "alpn: '%s' is no protocol's name, like h2 or http/1.1",
					 name);
	}
	if (listener->alpn.count >= PROXY_MAX_ALPN)
		return seal_fail(err, SEAL_E_LIMIT, "alpn: more than %d", PROXY_MAX_ALPN);
	if (seal_strv_contains(&listener->alpn, name))
		return seal_fail(err, SEAL_E_CONFLICT, "alpn: '%s' is named twice", name);
	return seal_strv_add(&listener->alpn, name, err);
}

static int
check_path(const char *what, const char *path, struct seal_err *err)
{
	size_t len = strlen(path);

	if (len == 0)
		return seal_fail(err, SEAL_E_FORMAT, "%s: the name of a PEM file is expected",
				 what);
	if (len > MAX_PATH_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "%s: a path of more than %d bytes", what,
				 MAX_PATH_LEN);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return seal_fail(err, SEAL_E_FORMAT, "%s: control character in a path",
					 what);
	}
	return 0;
}

int
proxy_listener_add_certificate(struct proxy_listener_config *listener, const char *path,
			       struct seal_err *err)
{
	struct proxy_certificate_files *grown;
	char *copy = NULL;
	int r = check_path("certificate", path, err);

	if (r == 0 && listener->certificate_count >= PROXY_MAX_CERTIFICATES)
		r = seal_fail(err, SEAL_E_LIMIT, "more than %d certificates",
			      PROXY_MAX_CERTIFICATES);
	if (r == 0)
		r = replace_str(&copy, path, err);
	if (r < 0)
		return r;
	grown = realloc(listener->certificates, (listener->certificate_count + 1) * sizeof(*grown));
	if (grown == NULL) {
		free(copy);
		return seal_fail_memory(err);
	}
	grown[listener->certificate_count] =
		(struct proxy_certificate_files){ .certificate = copy };
	listener->certificates = grown;
	listener->certificate_count++;
	return 0;
}

int
proxy_listener_set_key(struct proxy_listener_config *listener, const char *path,
		       struct seal_err *err)
{
	int r = check_path("key", path, err);

	if (r < 0)
		return r;
	if (listener->certificate_count == 0)
		return seal_fail(err, SEAL_E_BUG, "a key before its certificate");
	return replace_str(&listener->certificates[listener->certificate_count - 1].key, path, err);
}

int
proxy_listener_set_secret(struct proxy_listener_config *listener, const char *name,
			  struct seal_err *err)
{
	struct verify_binding place = {
		.ns = "x", .kind = "Secret", .key = "x", .gen = 1, .of = 1
	};
	int r = 0;

	if (listener->certificate_count == 0)
		return seal_fail(err, SEAL_E_BUG, "a secret before its certificate");
	if (strlen(name) >= sizeof(place.name))
		return seal_fail(err, SEAL_E_LIMIT, "secret: a name has at most %zu letters",
				 sizeof(place.name) - 1);
	(void)snprintf(place.name, sizeof(place.name), "%s", name);
	r = verify_binding_check(&place, err);
	if (r < 0)
		return seal_note(err, r, "secret");
	return replace_str(&listener->certificates[listener->certificate_count - 1].secret, name,
			   err);
}

int
proxy_listener_set_client_ca(struct proxy_listener_config *listener, const char *path,
			     struct seal_err *err)
{
	int r = check_path("client-ca", path, err);

	return r < 0 ? r : replace_str(&listener->client_ca, path, err);
}
