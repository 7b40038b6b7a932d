/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML spelling of the configuration, from one table of keys: docs/man/seal-proxy.yaml.5 is compared
 * with it by a test.  Every failure names file, line and column.
 */
#include "proxy/config_yaml.h"

static const struct {
	enum proxy_section section;
	const char *name;
	const char *what; /* for sentences */
} sections[] = {
	{ IN_TOP, "", "the file" },
	{ IN_INBOUND, "inbound", "an inbound listener" },
	{ IN_OUTBOUND, "outbound", "an outbound listener" },
	{ IN_PUBLIC, "public", "a public listener" },
	{ IN_CERTIFICATES, "certificates", "a certificate" },
	{ IN_CAPTURE, "capture", "'capture'" },
	{ IN_LIMITS, "limits", "'limits'" },
	{ IN_TIMEOUTS, "timeouts", "'timeouts'" },
	{ IN_LOG, "log", "'log'" },
};

static const struct proxy_key *find_keys(size_t *ret_count);

static const char *
what_is(enum proxy_section section)
{
	for (size_t i = 0; i < SEAL_COUNT(sections); i++)
		if (sections[i].section == section)
			return sections[i].what;
	return "a map";
}

#define MAX_KEYS 32

/* What may stand here, NULL-terminated, and the same as a sentence. */
static void
list_keys(enum proxy_section section, const char *names[static MAX_KEYS],
	  struct seal_bytes *sentence)
{
	size_t count;
	const struct proxy_key *keys = find_keys(&count);
	size_t n = 0;

	for (size_t i = 0; i < count && n < MAX_KEYS - 1; i++) {
		if ((keys[i].sections & section) == 0)
			continue;
		names[n] = keys[i].name;
		/* A sentence that was cut short is one that still helps. */
		if (seal_bytes_append_fmt(sentence, NULL, "%s%s", n == 0 ? "" : ", ", names[n]) < 0)
			seal_bytes_reset(sentence);
		n++;
	}
	names[n] = NULL;
}

static int
check_keys(enum proxy_section section, const struct seal_yaml_node *map, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sentence = SEAL_BYTES(SEAL_ERR_TEXT_LEN);
	const char *names[MAX_KEYS];
	struct seal_err inner = { 0 };
	int r;

	list_keys(section, names, &sentence);
	if (seal_yaml_kind(map) != SEAL_YAML_MAP)
		return seal_yaml_fail(map, err, "%s is a map of %s", what_is(section),
				      seal_bytes_str(&sentence));
	r = seal_yaml_only(map, names, &inner);
	return r < 0 ? seal_fail(err, r, "%s: %s has %s", inner.text, what_is(section),
				 seal_bytes_str(&sentence))
		     : 0;
}

static int
read_keys(const struct proxy_key_target *target, enum proxy_section section,
	  const struct seal_yaml_node *map, struct seal_err *err)
{
	size_t count;
	const struct proxy_key *keys = find_keys(&count);
	int r = check_keys(section, map, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct seal_yaml_node *node = seal_yaml_get(map, keys[i].name);

		if ((keys[i].sections & section) == 0)
			continue;
		if (node != NULL)
			r = keys[i].read(target, &keys[i], node, err);
		else if (keys[i].is_required)
			r = seal_yaml_fail(map, err, "no '%s': %s needs one", keys[i].name,
					   what_is(section));
	}
	return r;
}

static int
read_map(const struct proxy_key_target *target, const struct proxy_key *key,
	 const struct seal_yaml_node *node, struct seal_err *err)
{
	return read_keys(target, key->inner, node, err);
}

static int
read_certificates(const struct proxy_key_target *target, const struct proxy_key *key,
		  const struct seal_yaml_node *node, struct seal_err *err)
{
	int r = 0;

	if (seal_yaml_kind(node) != SEAL_YAML_LIST)
		return seal_yaml_fail(node, err, "a list of {certificate, key} is expected");
	for (size_t i = 0; r == 0 && i < seal_yaml_count(node); i++)
		r = read_keys(target, key->inner, seal_yaml_at(node, i), err);
	return r;
}

static int
read_listener(struct proxy_config *config, const struct proxy_key *key,
	      enum proxy_direction direction, const struct seal_yaml_node *node,
	      struct seal_err *err)
{
	SEAL_SCOPED(proxy_listener_release)
	struct proxy_listener_config listener = { .direction = direction };
	const struct proxy_key_target target = { config, &listener };
	struct seal_err inner = { 0 };
	int r;

	listener.origin = proxy_place_of(node);
	if (listener.origin == NULL)
		return seal_fail_memory(err);
	r = read_keys(&target, key->inner, node, err);
	if (r < 0)
		return r;
	r = proxy_config_add(config, &listener, &inner);
	return r < 0 ? proxy_fail_at(node, &inner, err) : 0;
}

static int
read_listeners(const struct proxy_key_target *target, const struct proxy_key *key,
	       const struct seal_yaml_node *node, struct seal_err *err)
{
	enum proxy_direction direction = key->inner == IN_INBOUND    ? PROXY_INBOUND
					 : key->inner == IN_OUTBOUND ? PROXY_OUTBOUND
								     : PROXY_PUBLIC;
	int r = 0;

	if (seal_yaml_kind(node) != SEAL_YAML_LIST)
		return seal_yaml_fail(node, err, "a list of listeners is expected");
	for (size_t i = 0; r == 0 && i < seal_yaml_count(node); i++)
		r = read_listener(target->config, key, direction, seal_yaml_at(node, i), err);
	return r;
}

#define CONFIG(field) offsetof(struct proxy_config, field)

/* Setters look at what was set before them: see config_internal.h. */
static const struct proxy_key table[] = {
	{ "inbound", IN_TOP, read_listeners, .inner = IN_INBOUND },
	{ "outbound", IN_TOP, read_listeners, .inner = IN_OUTBOUND },
	{ "public", IN_TOP, read_listeners, .inner = IN_PUBLIC },
	{ "capture", IN_TOP, read_map, .inner = IN_CAPTURE },
	{ "limits", IN_TOP, read_map, .inner = IN_LIMITS },
	{ "timeouts", IN_TOP, read_map, .inner = IN_TIMEOUTS },
	{ "health", IN_TOP, proxy_read_address, .is_fixed = true, .address = PROXY_HEALTH },
	{ "metrics", IN_TOP, proxy_read_address, .is_fixed = true, .address = PROXY_METRICS },
	{ "unsafe-metrics", IN_TOP, proxy_read_unsafe },
	{ "control", IN_TOP, proxy_read_address, .is_fixed = true, .address = PROXY_CONTROL },
	{ "agent", IN_TOP, proxy_read_address, .is_fixed = true, .address = PROXY_AGENT },
	{ "log", IN_TOP, read_map, .inner = IN_LOG },

	{ "unsafe-forward", IN_FORWARDING, proxy_read_unsafe },
	{ "unsafe-listen", IN_OUTBOUND, proxy_read_unsafe },
	{ "listen", IN_LISTENERS, proxy_read_one, true, .set = proxy_listener_set_listen },
	{ "captured", IN_FORWARDING, proxy_read_captured },
	{ "forward", IN_FORWARDING, proxy_read_each, true, .set = proxy_listener_add_target },
	{ "connect", IN_OUTBOUND, proxy_read_each, true, .set = proxy_listener_add_target },
	{ "certificate", IN_PUBLIC | IN_CERTIFICATES, proxy_read_one, true,
	  .set = proxy_listener_add_certificate },
	{ "key", IN_PUBLIC | IN_CERTIFICATES, proxy_read_one, true, .set = proxy_listener_set_key },
	{ "secret", IN_PUBLIC | IN_CERTIFICATES, proxy_read_one, .set = proxy_listener_set_secret },
	{ "certificates", IN_PUBLIC, read_certificates, .inner = IN_CERTIFICATES },
	{ "client-ca", IN_PUBLIC, proxy_read_one, .set = proxy_listener_set_client_ca },
	{ "peers", IN_INBOUND | IN_OUTBOUND, proxy_read_each, .set = proxy_listener_add_peer },
	{ "server-name", IN_OUTBOUND, proxy_read_one, .set = proxy_listener_set_server_name },
	{ "verify", IN_OUTBOUND, proxy_read_one, .set = proxy_listener_set_verify },
	{ "proxy-protocol", IN_FORWARDING, proxy_read_one,
	  .set = proxy_listener_set_proxy_protocol },
	{ "alpn", IN_LISTENERS, proxy_read_each, .set = proxy_listener_add_alpn },

	{ "listen", IN_CAPTURE, proxy_read_address, true, .is_fixed = true,
	  .address = PROXY_CAPTURE },
	{ "allow", IN_CAPTURE, proxy_read_allow, .is_fixed = true },

	{ "connections", IN_LIMITS, proxy_read_count, .offset = CONFIG(limits.connections),
	  .max = PROXY_MAX_COUNT },
	{ "per-peer", IN_LIMITS, proxy_read_count, .offset = CONFIG(limits.per_peer),
	  .max = PROXY_MAX_COUNT },
	{ "per-source", IN_LIMITS, proxy_read_count, .offset = CONFIG(limits.per_source),
	  .max = PROXY_MAX_COUNT },
	{ "handshakes", IN_LIMITS, proxy_read_count, .offset = CONFIG(limits.handshakes),
	  .max = PROXY_MAX_COUNT },
	{ "memory", IN_LIMITS, proxy_read_memory },
	{ "sessions", IN_LIMITS, proxy_read_count, .offset = CONFIG(limits.sessions),
	  .max = PROXY_MAX_SESSIONS, .is_fixed = true },

	{ "handshake", IN_TIMEOUTS, proxy_read_time, .offset = CONFIG(handshake_ms),
	  .max = PROXY_MAX_DEADLINE_S },
	{ "connect", IN_TIMEOUTS, proxy_read_time, .offset = CONFIG(connect_ms),
	  .max = PROXY_MAX_DEADLINE_S },
	{ "drain", IN_TIMEOUTS, proxy_read_time, .offset = CONFIG(drain_ms),
	  .max = PROXY_MAX_DRAIN_S },
	{ "idle", IN_TIMEOUTS, proxy_read_idle },

	{ "level", IN_LOG, proxy_read_level },
	{ "format", IN_LOG, proxy_read_format, .is_fixed = true },
};

static const struct proxy_key *
find_keys(size_t *ret_count)
{
	*ret_count = SEAL_COUNT(table);
	return table;
}

const char *
proxy_config_key(const char *section, size_t index, bool *ret_is_fixed)
{
	unsigned mask = 0;

	for (size_t i = 0; i < SEAL_COUNT(sections); i++)
		if (strcmp(sections[i].name, section) == 0)
			mask = sections[i].section;
	for (size_t i = 0; i < SEAL_COUNT(table); i++) {
		if ((table[i].sections & mask) == 0 || index-- > 0)
			continue;
		*ret_is_fixed = table[i].is_fixed;
		return table[i].name;
	}
	return NULL;
}

static int
read_document(struct proxy_config *config, const struct seal_yaml *yaml, const char *name,
	      struct seal_err *err)
{
	const struct seal_yaml_node *root = seal_yaml_root(yaml);
	const struct proxy_key_target target = { .config = config };

	if (root == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "%s:1:1: the file is empty", name);
	return read_keys(&target, IN_TOP, root, err);
}

#define SWAP(a, b, field)                                                                          \
	do {                                                                                       \
		__typeof__((a)->field) swapped_ = (a)->field;                                      \
		(a)->field = (b)->field;                                                           \
		(b)->field = swapped_;                                                             \
	} while (0)

static void
swap_settings(struct proxy_config *a, struct proxy_config *b)
{
	SWAP(a, b, capture);
	SWAP(a, b, limits);
	SWAP(a, b, has_health);
	SWAP(a, b, health);
	SWAP(a, b, health_origin);
	SWAP(a, b, has_metrics);
	SWAP(a, b, unsafe_metrics);
	SWAP(a, b, metrics);
	SWAP(a, b, metrics_origin);
	SWAP(a, b, has_control);
	SWAP(a, b, control_explicit);
	SWAP(a, b, control);
	SWAP(a, b, control_origin);
	SWAP(a, b, has_agent);
	SWAP(a, b, agent_explicit);
	SWAP(a, b, agent);
	SWAP(a, b, agent_origin);
	SWAP(a, b, log_level);
	SWAP(a, b, log_json);
	SWAP(a, b, handshake_ms);
	SWAP(a, b, connect_ms);
	SWAP(a, b, drain_ms);
	SWAP(a, b, idle_ms);
}

/* All of the draft's listeners move over, or none. */
static int
take_listeners(struct proxy_config *config, struct proxy_config *draft, struct seal_err *err)
{
	size_t before = config->listener_count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < draft->listener_count; i++) {
		r = proxy_config_add(config, &draft->listeners[i], err);
		if (r < 0)
			r = seal_note(err, r, "%s", draft->listeners[i].origin);
	}
	while (r < 0 && config->listener_count > before)
		proxy_listener_release(&config->listeners[--config->listener_count]);
	return r;
}

int
proxy_config_add_yaml(struct proxy_config *config, const char *name, const char *text,
		      size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *draft = NULL;
	SEAL_SCOPED(seal_yaml_freep) struct seal_yaml *yaml = NULL;
	int r;

	if (text_len > PROXY_MAX_CONFIG)
		return seal_fail(err, SEAL_E_LIMIT, "%s: longer than %u bytes", name,
				 PROXY_MAX_CONFIG);
	r = seal_yaml_parse(&yaml, name, text, text_len, err);
	if (r == 0)
		r = proxy_config_new(&draft, err);
	if (r == 0)
		r = read_document(draft, yaml, name, err);
	if (r == 0)
		r = take_listeners(config, draft, err);
	if (r == 0)
		swap_settings(config, draft);
	return r;
}
