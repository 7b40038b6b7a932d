/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status as JSON: everything an operator may want to know of a running proxy, nothing that is
 * secret.  Text that came from elsewhere (a peer's name, a path) is made printable ASCII here, so the
 * object is valid whatever somebody calls himself.
 */
#include "proxy/status.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log/log.h"
#include "proxy/conn_internal.h"

/* The longest text shown whole; all of ours are shorter. */
#define TEXT_MAX 512

int
proxy_view_init(struct proxy_view *view, size_t listener_count, struct seal_err *err)
{
	*view = (struct proxy_view){ 0 };
	view->listeners = calloc(listener_count + 1, sizeof(*view->listeners));
	if (view->listeners == NULL)
		return seal_fail_memory(err);
	view->listener_count = listener_count;
	return 0;
}

void
proxy_view_release(struct proxy_view *view)
{
	for (size_t i = 0; i < view->listener_count; i++)
		free(view->listeners[i].targets);
	free(view->listeners);
	*view = (struct proxy_view){ 0 };
}

static const char *
printable(char out[static TEXT_MAX], const char *text)
{
	size_t len = 0;

	for (; len < TEXT_MAX - 1 && text[len] != '\0'; len++)
		out[len] = (char)(text[len] >= ' ' && text[len] <= '~' ? text[len] : '?');
	out[len] = '\0';
	return out;
}

static void
set_text(struct seal_json *object, const char *name, const char *text)
{
	char clean[TEXT_MAX];

	seal_json_set_str(object, name, printable(clean, text));
}

static void
set_texts(struct seal_json *object, const char *name, const struct seal_strv *list)
{
	struct seal_json *array = seal_json_set_array(object, name);
	char clean[TEXT_MAX];

	for (size_t i = 0; i < list->count; i++)
		seal_json_add_str(array, printable(clean, list->items[i]));
}

static void
set_endpoint(struct seal_json *object, const char *name, const struct seal_endpoint *endpoint)
{
	char text[SEAL_HOSTNAME_MAX + 16];

	seal_endpoint_format(endpoint, text);
	set_text(object, name, text);
}

/* RFC 3339, in UTC.  Null for what is no time. */
static void
set_time(struct seal_json *object, const char *name, int64_t when)
{
	const time_t at = (time_t)when;
	char text[64];
	struct tm tm;

	if (when <= 0 || gmtime_r(&at, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		seal_json_set_null(object, name);
	else
		seal_json_set_str(object, name, text);
}

static void
set_left(struct seal_json *object, const char *name, int64_t not_after, int64_t now)
{
	seal_json_set_u64(object, name,
			  now > 0 && not_after > now ? (uint64_t)(not_after - now) : 0);
}

static void
set_identity(struct seal_json *root, const struct proxy_view *view)
{
	const struct proxy_identity_state *state = view->state;
	struct seal_json *identity;

	if (state == NULL) {
		seal_json_set_null(root, "identity");
		return;
	}
	identity = seal_json_set_object(root, "identity");
	set_text(identity, "trust_domain", state->trust_domain);
	set_text(identity, "workload", state->workload);
	set_text(identity, "peer", state->peer);
	seal_json_set_u64(identity, "generation", state->generation);
	set_time(identity, "not_before", state->not_before);
	set_time(identity, "not_after", state->not_after);
	set_left(identity, "expires_in_seconds", state->not_after, view->now);
	set_texts(identity, "clients", &state->clients);
	set_texts(identity, "servers", &state->servers);
}

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
#define COUNTER(field)                                                                             \
	{                                                                                          \
#field, offsetof(struct proxy_counters, field)                                     \
	}
	COUNTER(open),         COUNTER(accepted),      COUNTER(admitted),     COUNTER(refused),
	COUNTER(limited),      COUNTER(no_identity),   COUNTER(failed),       COUNTER(slow),
	COUNTER(withdrawn),    COUNTER(finished),      COUNTER(resumed),      COUNTER(retried),
	COUNTER(bytes_to_app), COUNTER(bytes_to_wire), COUNTER(handshake_us),
#undef COUNTER
};

static void
set_counters(struct seal_json *object, const struct proxy_counters *of)
{
	uint64_t handshakes = 0;

	for (size_t i = 0; i < SEAL_COUNT(counters); i++) {
		uint64_t value;

		memcpy(&value, (const char *)of + counters[i].offset, sizeof(value));
		seal_json_set_u64(object, counters[i].name, value);
	}
	for (size_t i = 0; i < PROXY_HANDSHAKE_BUCKETS; i++)
		handshakes += of->handshakes[i];
	seal_json_set_u64(object, "handshakes", handshakes);
}

static void
add_target(struct seal_json *targets, const struct proxy_target_status *target)
{
	struct seal_json *object = seal_json_add_object(targets);

	set_endpoint(object, "address", target->endpoint);
	seal_json_set_bool(object, "healthy", target->healthy);
	seal_json_set_u64(object, "connections", target->connections);
	seal_json_set_u64(object, "failures", target->failures);
}

static void
add_listener(struct seal_json *list, const struct proxy_view *view,
	     const struct proxy_listener_view *of)
{
	const struct proxy_listener_config *config = of->listener->config;
	struct seal_json *object = seal_json_add_object(list);
	struct seal_json *targets;

	seal_json_set_str(object, "direction", proxy_direction_name(config->direction));
	set_text(object, "listen", of->listener->name);
	seal_json_set_bool(object, "captured", config->captured);
	targets = seal_json_set_array(object, "targets");
	for (size_t i = 0; i < of->target_count; i++)
		add_target(targets, &of->targets[i]);
	set_texts(object, "peers", &config->peers);
	set_texts(object, "alpn", &config->alpn);
	if (config->server_name != NULL)
		set_text(object, "server_name", config->server_name);
	if (config->direction == PROXY_OUTBOUND)
		seal_json_set_bool(object, "verify_hostname", config->verify_hostname);
	else
		seal_json_set_bool(object, "proxy_protocol", config->proxy_protocol);
	if (config->direction == PROXY_PUBLIC) {
		set_time(object, "not_after", of->public_not_after);
		set_left(object, "expires_in_seconds", of->public_not_after, view->now);
		seal_json_set_u64(object, "certificates", of->public_count);
		seal_json_set_u64(object, "certificates_expired", of->public_over);
	}
	set_counters(object, &of->listener->counters);
}

/* What the root of trust has said since, and when.  Nothing of those who never ask. */
static void
set_news(struct seal_json *root, const struct proxy_view *view)
{
	struct seal_json *object;

	if (view->news == NULL)
		return;
	object = seal_json_set_object(root, "sync");
	seal_json_set_u64(object, "epoch", view->news->epoch);
	seal_json_set_bool(object, "answered", view->news->has_answer);
	seal_json_set_u64(object, "age_seconds", view->news->age_s);
	seal_json_set_u64(object, "revoked", view->state != NULL ? view->state->revoked.count : 0);
	seal_json_set_bool(object, "withdrawn", view->state != NULL && view->state->not_after == 0);
	for (enum proxy_sync_result i = 0; i < PROXY_SYNC_ABORTED; i++)
		seal_json_set_u64(object, proxy_sync_result_name(i), view->news->results[i]);
}

/* What the sidecar was started from, and who was started by it. */
static void
set_agent(struct seal_json *root, const struct proxy_view *view)
{
	const struct proxy_agent_view *agent = view->agent;
	struct seal_json *object;
	struct seal_json *list;

	if (agent == NULL) /* as told by those that never had one */
		return;
	object = seal_json_set_object(root, "sealed");
	set_text(object, "namespace", agent->own.ns);
	set_text(object, "kind", agent->own.kind);
	set_text(object, "name", agent->own.name);
	seal_json_set_u64(object, "generation", agent->own.gen);
	seal_json_set_u64(object, "opened", agent->counters.opened);
	seal_json_set_u64(object, "refused", agent->counters.unopened);
	list = seal_json_set_array(object, "containers");
	for (size_t i = 0; i < agent->container_count; i++) {
		struct seal_json *container = seal_json_add_object(list);

		set_text(container, "name", agent->containers[i].name);
		seal_json_set_bool(container, "running", agent->containers[i].is_running);
		seal_json_set_u64(container, "connections", agent->containers[i].callers);
	}
	seal_json_set_bool(object, "suspended", agent->is_suspended);
	list = seal_json_set_array(object, "suspicions");
	for (size_t i = 0; i < agent->suspect_count; i++) {
		struct seal_json *suspect = seal_json_add_object(list);

		set_text(suspect, "container", agent->suspects[i].name);
		set_text(suspect, "reason", agent->suspects[i].reason);
		seal_json_set_u64(suspect, "reports", agent->suspects[i].reports);
		seal_json_set_bool(suspect, "suspends", agent->suspects[i].suspends);
	}
}

static void
set_deadlines(struct seal_json *root, const struct proxy_config *config)
{
	struct seal_json *deadlines = seal_json_set_object(root, "deadlines");

	seal_json_set_u64(deadlines, "handshake_ms", config->handshake_ms);
	seal_json_set_u64(deadlines, "connect_ms", config->connect_ms);
	seal_json_set_u64(deadlines, "drain_ms", config->drain_ms);
	seal_json_set_u64(deadlines, "idle_ms", config->idle_ms);
}

/* 0: no limit. */
static void
set_limits(struct seal_json *root, const struct proxy_config *config)
{
	struct seal_json *limits = seal_json_set_object(root, "limits");

	if (config->limits.connections == UINT32_MAX) /* nobody chose: what the machine grants */
		seal_json_set_null(limits, "connections");
	else
		seal_json_set_u64(limits, "connections", config->limits.connections);
	seal_json_set_u64(limits, "per_peer", config->limits.per_peer);
	seal_json_set_u64(limits, "per_source", config->limits.per_source);
	seal_json_set_u64(limits, "handshakes", config->limits.handshakes);
	seal_json_set_u64(limits, "memory_bytes", config->limits.memory);
}

/* What one walk over the connections gathers. */
struct census {
	uint64_t states[CONN_N_STATES];
	struct seal_json *live; /* NULL: they are only counted */
	uint64_t listed;
	uint64_t more;
};

static void
list_conn(struct census *census, const struct proxy_conn_info *info)
{
	const struct proxy_listener *listener = info->listener;
	struct seal_json *object = seal_json_add_object(census->live);

	seal_json_set_u64(object, "id", info->id);
	seal_json_set_str(object, "direction", proxy_direction_name(listener->config->direction));
	set_text(object, "listener", listener->name);
	seal_json_set_str(object, "state", proxy_conn_state_name(info->state));
	set_text(object, "peer", info->peer);
	set_text(object, "address", info->address);
	seal_json_set_u64(object, "bytes_up", info->bytes_up);
	seal_json_set_u64(object, "bytes_down", info->bytes_down);
	seal_json_set_u64(object, "age_ms", info->age_ms);
	census->listed++;
}

static void
count_conn(void *arg, const struct proxy_conn_info *info)
{
	struct census *census = arg;

	if (info->state >= CONN_N_STATES)
		return;
	census->states[info->state]++;
	if (census->live == NULL)
		return;
	if (census->listed < PROXY_STATUS_CONNS_MAX)
		list_conn(census, info);
	else
		census->more++;
}

static void
set_connections(struct seal_json *root, const struct proxy_view *view, bool with_conns)
{
	struct seal_json *object = seal_json_set_object(root, "connections");
	struct census census = { 0 };

	if (with_conns)
		census.live = seal_json_set_array(object, "live");
	if (view->each_conn != NULL)
		view->each_conn(view->source, count_conn, &census);
	seal_json_set_u64(object, "open", view->totals.open);
	for (enum proxy_conn_state state = CONN_HANDSHAKE; state < CONN_CLOSED; state++)
		seal_json_set_u64(object, proxy_conn_state_name(state), census.states[state]);
	seal_json_set_u64(object, "kept_bytes", view->kept_bytes);
	if (with_conns)
		seal_json_set_u64(object, "more", census.more);
}

int
proxy_status_write(const struct proxy_view *view, bool with_conns, struct seal_bytes *out,
		   struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *root = seal_json_new();
	struct seal_json *listeners;

	seal_json_set_str(root, "version", SEAL_VERSION);
	seal_json_set_u64(root, "pid", (uint64_t)getpid());
	seal_json_set_u64(root, "uptime_seconds", view->uptime_s);
	seal_json_set_bool(root, "ready", view->is_ready);
	seal_json_set_bool(root, "draining", view->is_draining);
	seal_json_set_str(root, "log_level", seal_level_name(seal_log_level()));
	set_identity(root, view);
	set_news(root, view);
	set_agent(root, view);
	listeners = seal_json_set_array(root, "listeners");
	for (size_t i = 0; i < view->listener_count; i++)
		add_listener(listeners, view, &view->listeners[i]);
	set_counters(seal_json_set_object(root, "totals"), &view->totals);
	set_limits(root, view->config);
	set_deadlines(root, view->config);
	set_connections(root, view, with_conns);
	return seal_json_dump(root, false, out, err);
}
