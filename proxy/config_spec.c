/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short spelling of a listener, on the command line: LISTEN=TARGET[,TARGET][/PEERS].
 */
#include "proxy/config_internal.h"

typedef int (*add_fn)(struct proxy_listener_config *listener, const char *text,
		      struct seal_err *err);

/* One or more, separated by commas. */
static int
read_list(struct proxy_listener_config *listener, const char *text, add_fn add, const char *none,
	  struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv list = { 0 };
	int r = seal_strv_split(&list, text, ',', err);

	if (r == 0 && list.count == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "%s", none);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		r = add(listener, list.items[i], err);
	return r;
}

static int
read_peers(struct proxy_listener_config *listener, const char *text, struct seal_err *err)
{
	if (listener->direction == PROXY_PUBLIC)
		return seal_fail(err, SEAL_E_FORMAT,
				 "'/%s': the clients of a public listener are no peers", text);
	return read_list(listener, text, proxy_listener_add_peer, "no peer behind the '/'", err);
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
				 listener->direction == PROXY_OUTBOUND ? "where to connect"
								       : "where to forward");
	*targets++ = '\0';
	peers = seal_spec_peers(targets);
	if (peers != NULL)
		*peers++ = '\0';
	r = proxy_listener_set_listen(listener, text, err);
	if (r == 0)
		r = read_list(listener, targets, proxy_listener_add_target, "no target", err);
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
add_spec(struct proxy_config *config, struct proxy_listener_config *listener, const char *spec,
	 struct seal_err *err)
{
	const char *flag = proxy_direction_name(listener->direction);
	SEAL_SCOPED(free_strp) char *text = seal_strndup(spec, strlen(spec));
	struct seal_bytes origin = SEAL_BYTES(4096);
	int r;

	if (text == NULL)
		return seal_fail_memory(err);
	r = seal_bytes_append_fmt(&origin, err, "--%s '%s'", flag, spec);
	if (r == 0) {
		listener->origin = seal_strndup(seal_bytes_str(&origin), origin.len);
		r = listener->origin == NULL ? seal_fail_memory(err) : 0;
	}
	seal_bytes_release(&origin);
	if (r == 0)
		r = read_spec(listener, text, err);
	if (r == 0)
		r = proxy_config_add(config, listener, err);
	return r < 0 ? seal_note(err, r, "--%s '%s'", flag, spec) : 0;
}

int
proxy_config_add_inbound(struct proxy_config *config, const char *spec, struct seal_err *err)
{
	SEAL_SCOPED(proxy_listener_release)
	struct proxy_listener_config listener = { .direction = PROXY_INBOUND };

	return add_spec(config, &listener, spec, err);
}

int
proxy_config_add_outbound(struct proxy_config *config, const char *spec, struct seal_err *err)
{
	SEAL_SCOPED(proxy_listener_release)
	struct proxy_listener_config listener = { .direction = PROXY_OUTBOUND };

	return add_spec(config, &listener, spec, err);
}

int
proxy_config_add_public(struct proxy_config *config, const char *spec, const char *certificate,
			const char *key, const char *client_ca, struct seal_err *err)
{
	SEAL_SCOPED(proxy_listener_release)
	struct proxy_listener_config listener = { .direction = PROXY_PUBLIC };
	int r = proxy_listener_add_certificate(&listener, certificate, err);

	if (r == 0)
		r = proxy_listener_set_key(&listener, key, err);
	if (r == 0 && client_ca != NULL)
		r = proxy_listener_set_client_ca(&listener, client_ca, err);
	return r < 0 ? seal_note(err, r, "--public '%s'", spec)
		     : add_spec(config, &listener, spec, err);
}
