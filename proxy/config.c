/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as a whole: its life, its defaults and the settings that are no listener's.  One
 * listener's own rules are in listener.c, those between parts in config_rules.c, the spellings in
 * config_spec.c and config_yaml.c.
 */
#include "proxy/config_internal.h"

int
proxy_config_new(struct proxy_config **ret_config, struct seal_err *err)
{
	struct proxy_config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		return seal_fail_memory(err);
	atomic_init(&config->refs, 1);
	config->limits = (struct proxy_limits){
		.connections = PROXY_LIMIT_UNSET,
		.handshakes = PROXY_LIMIT_UNSET,
		.sessions = PROXY_SESSIONS,
		.memory = PROXY_LIMIT_UNSET_BYTES,
	};
	config->log_level = SEAL_LOG_INFO;
	config->handshake_ms = PROXY_HANDSHAKE_MS;
	config->connect_ms = PROXY_CONNECT_MS;
	config->drain_ms = PROXY_DRAIN_MS;
	*ret_config = config;
	return 0;
}

struct proxy_config *
proxy_config_ref(struct proxy_config *config)
{
	if (config != NULL)
		(void)atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
	return config;
}

void
proxy_config_free(struct proxy_config *config)
{
	if (config == NULL)
		return;
	/* Release, so that what others did with it happened before; acquire, so that we see it. */
	if (atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < config->listener_count; i++)
		proxy_listener_release(&config->listeners[i]);
	free(config->listeners);
	free(config->capture.allow);
	free(config->capture.origin);
	free(config->health_origin);
	free(config->metrics_origin);
	free(config->control_origin);
	free(config->agent_origin);
	free(config);
}

void
proxy_config_freep(struct proxy_config **config)
{
	proxy_config_free(*config);
	*config = NULL;
}

int
proxy_config_add(struct proxy_config *config, struct proxy_listener_config *listener,
		 struct seal_err *err)
{
	struct proxy_listener_config *grown;
	int r = 0;

	if (config->listener_count >= PROXY_MAX_LISTENERS)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d listeners", PROXY_MAX_LISTENERS);
	for (size_t i = 0; r == 0 && i < config->listener_count; i++)
		r = proxy_listeners_check_pair(&config->listeners[i], listener, err);
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

/* Redirected connections arrive at the address of the interface, never at loopback. */
static int
check_address(enum proxy_address which, const struct seal_endpoint *endpoint, const char *text,
	      struct seal_err *err)
{
	if ((which == PROXY_CONTROL || which == PROXY_AGENT) && !endpoint->is_unix)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is neither unix:/path nor off", text);
	if (which == PROXY_CAPTURE && endpoint->is_unix)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is no TCP address", text);
	if (!endpoint->is_unix && endpoint->port == 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%s': port 0 cannot be meant", text);
	if (!endpoint->is_unix && !proxy_host_is_literal(endpoint->host))
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is a name; give the address to bind",
				 text);
	if (which == PROXY_CAPTURE && seal_endpoint_is_local(endpoint))
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%s' is loopback, where nothing is redirected to: write the port "
				 "alone",
				 text);
	return 0;
}

/* Where an address is kept. */
struct slot {
	bool *has;
	struct seal_endpoint *endpoint;
	char **origin;
};

static struct slot
find_slot(struct proxy_config *config, enum proxy_address which)
{
	struct slot slot = { &config->capture.enabled, &config->capture.listen,
			     &config->capture.origin };

	if (which == PROXY_HEALTH)
		slot = (struct slot){ &config->has_health, &config->health,
				      &config->health_origin };
	else if (which == PROXY_METRICS)
		slot = (struct slot){ &config->has_metrics, &config->metrics,
				      &config->metrics_origin };
	else if (which == PROXY_CONTROL)
		slot = (struct slot){ &config->has_control, &config->control,
				      &config->control_origin };
	else if (which == PROXY_AGENT)
		slot = (struct slot){ &config->has_agent, &config->agent, &config->agent_origin };
	return slot;
}

static void
set_listen6(struct proxy_capture_config *capture, bool has_listen6)
{
	capture->has_listen6 = has_listen6;
	capture->listen6 = (struct seal_endpoint){ .host = "::", .port = capture->listen.port };
}

/* The two sockets that are there by default, so that somebody may have chosen otherwise. */
static bool
is_default(enum proxy_address which)
{
	return which == PROXY_CONTROL || which == PROXY_AGENT;
}

static void
note_choice(struct proxy_config *config, enum proxy_address which)
{
	if (which == PROXY_CONTROL)
		config->control_explicit = true;
	else if (which == PROXY_AGENT)
		config->agent_explicit = true;
}

int
proxy_config_set_address(struct proxy_config *config, enum proxy_address which, const char *text,
			 const char *origin, struct seal_err *err)
{
	const char *default_host = which == PROXY_CAPTURE ? "0.0.0.0" : "127.0.0.1";
	struct slot slot = find_slot(config, which);
	struct seal_endpoint endpoint = { 0 };
	char *copy;
	int r;

	if (is_default(which) && strcmp(text, "off") == 0) {
		*slot.has = false;
		note_choice(config, which);
		return 0;
	}
	r = seal_endpoint_parse(&endpoint, text, default_host, err);
	if (r == 0)
		r = check_address(which, &endpoint, text, err);
	if (r < 0)
		return r;
	copy = seal_strndup(origin, strlen(origin));
	if (copy == NULL)
		return seal_fail_memory(err);
	*slot.has = true;
	*slot.endpoint = endpoint;
	free(*slot.origin);
	*slot.origin = copy;
	note_choice(config, which);
	if (which == PROXY_CAPTURE)
		set_listen6(&config->capture, strchr(text, ':') == NULL);
	return 0;
}

int
proxy_capture_add_allow(struct proxy_capture_config *capture, const char *text,
			struct seal_err *err)
{
	uint64_t port = 0;
	uint16_t *grown;
	int r = seal_number_parse(text, 1, UINT16_MAX, &port, err);

	if (r < 0)
		return seal_note(err, r, "allow");
	for (size_t i = 0; i < capture->allow_count; i++)
		if (capture->allow[i] == port)
			return seal_fail(err, SEAL_E_CONFLICT, "allow: %s is named twice", text);
	if (capture->allow_count >= PROXY_MAX_LISTENERS)
		return seal_fail(err, SEAL_E_LIMIT, "allow: more than %d ports",
				 PROXY_MAX_LISTENERS);
	grown = realloc(capture->allow, (capture->allow_count + 1) * sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	grown[capture->allow_count] = (uint16_t)port;
	capture->allow = grown;
	capture->allow_count++;
	return 0;
}

int
proxy_idle_parse(const char *text, uint32_t *ret_ms, struct seal_err *err)
{
	uint64_t seconds = 0;
	int r = 0;

	if (strcmp(text, "off") != 0)
		r = seal_duration_parse(text, 1, PROXY_MAX_IDLE_S, &seconds, err);
	if (r < 0)
		return seal_note(err, r, "off, or a time");
	*ret_ms = (uint32_t)(seconds * 1000);
	return 0;
}

int
proxy_memory_parse(const char *text, uint64_t *ret_bytes, struct seal_err *err)
{
	if (strcmp(text, "0") != 0)
		return seal_size_parse(text, PROXY_MIN_MEMORY, PROXY_MAX_MEMORY, ret_bytes, err);
	*ret_bytes = 0;
	return 0;
}
