/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics in the Prometheus text format 0.0.4: base units, _total for what only grows, and all
 * samples of a name together.  Labels are addresses the owner configured and words of ours.  What a
 * peer can choose (its name, its address, a server name) is never a label: it could make as many
 * series as it likes.
 *
 * Everything that grows carries its listener, so that a listener removed by a reload takes its series
 * along: in a sum over listeners its end would look like a counter that began again.
 */
#include "proxy/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/metrics/metrics.h"

/* An address, every letter of which may have to be escaped as \\xNN, and the labels' own letters. */
#define ADDRESS_MAX (5 * (SEAL_HOSTNAME_MAX + 16))
#define LABELS_MAX  (2 * ADDRESS_MAX + 64)

/* more: further labels with a comma before them, or "". */
static void
label_listener(char labels[static LABELS_MAX], const struct proxy_listener *listener,
	       const char *more)
{
	char name[ADDRESS_MAX];

	seal_metrics_escape(name, sizeof(name), listener->name);
	(void)snprintf(labels, LABELS_MAX, "listener=\"%s\",direction=\"%s\"%s", name,
		       proxy_direction_name(listener->config->direction), more);
}

static void
label_target(char labels[static LABELS_MAX], const struct proxy_listener *listener,
	     const struct seal_endpoint *target)
{
	char text[SEAL_HOSTNAME_MAX + 16];
	char address[ADDRESS_MAX];
	char name[ADDRESS_MAX];

	seal_endpoint_format(target, text);
	seal_metrics_escape(address, sizeof(address), text);
	seal_metrics_escape(name, sizeof(name), listener->name);
	(void)snprintf(labels, LABELS_MAX, "listener=\"%s\",target=\"%s\"", name, address);
}

/* Rows of the same name follow each other. */
static const struct {
	const char *name;
	const char *type;
	const char *more; /* further labels */
	const char *help;
	size_t offset; /* in struct proxy_counters */
} counters[] = {
#define AT(field) offsetof(struct proxy_counters, field)
	{ "seal_accept_total", "counter", "", "Connections accepted.", AT(accepted) },
	{ "seal_admitted_total", "counter", "", "Connections whose peer was verified and allowed.",
	  AT(admitted) },
	{ "seal_bytes_total", "counter", ",to=\"app\"", "Bytes relayed.", AT(bytes_to_app) },
	{ "seal_bytes_total", "counter", ",to=\"wire\"", "Bytes relayed.", AT(bytes_to_wire) },
	{ "seal_connection_failures_total", "counter", "",
	  "Connections that broke, before or after their peer was admitted.", AT(failed) },
	{ "seal_connections", "gauge", "", "Connections open now.", AT(open) },
	{ "seal_deadline_total", "counter", "", "Connections ended for missing a deadline.",
	  AT(slow) },
	{ "seal_finished_total", "counter", "", "Connections that ended in order.", AT(finished) },
	{ "seal_handshake_resumed_total", "counter", "", "Handshakes that resumed a session.",
	  AT(resumed) },
	{ "seal_limited_total", "counter", "", "Connections turned away by a limit.", AT(limited) },
	{ "seal_no_identity_total", "counter", "",
	  "Connections turned away for want of a valid certificate of our own.", AT(no_identity) },
	{ "seal_peer_denied_total", "counter", "", "Peers refused by verification or policy.",
	  AT(refused) },
	{ "seal_retries_total", "counter", "", "Further targets tried after a handshake failed.",
	  AT(retried) },
	{ "seal_withdrawn_total", "counter", "",
	  "Connections closed because they were no longer allowed.", AT(withdrawn) },
#undef AT
};

static uint64_t
counter_at(const struct proxy_counters *of, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)of + offset, sizeof(value));
	return value;
}

static void
put_counters(struct seal_metrics *page, const struct proxy_view *view)
{
	char labels[LABELS_MAX];

	for (size_t i = 0; i < SEAL_COUNT(counters); i++) {
		if (i == 0 || strcmp(counters[i].name, counters[i - 1].name) != 0)
			seal_metrics_head(page, counters[i].name, counters[i].type,
					  counters[i].help);
		for (size_t at = 0; at < view->listener_count; at++) {
			const struct proxy_listener *listener = view->listeners[at].listener;

			label_listener(labels, listener, counters[i].more);
			seal_metrics_sample(page, counters[i].name, labels,
					    counter_at(&listener->counters, counters[i].offset));
		}
	}
}

static void
put_handshakes(struct seal_metrics *page, const struct proxy_listener *listener)
{
	const struct seal_histogram histogram = { .bounds = proxy_handshake_bounds_us,
						  .bound_count = PROXY_HANDSHAKE_BUCKETS - 1,
						  .buckets = listener->counters.handshakes,
						  .sum = listener->counters.handshake_us };
	char labels[LABELS_MAX];

	label_listener(labels, listener, "");
	seal_metrics_histogram(page, "seal_handshake_seconds", labels, &histogram);
}

static bool
same_target(const struct proxy_target_status *a, const struct proxy_target_status *b)
{
	return a->endpoint->is_unix == b->endpoint->is_unix &&
	       a->endpoint->port == b->endpoint->port &&
	       strcmp(a->endpoint->host, b->endpoint->host) == 0;
}

/*
 * A target may be named more than once, to get more of the connections; a series may not.  Returns
 * false for all but the first, whose numbers become those of all.
 */
static bool
merge_target(const struct proxy_listener_view *of, size_t at, struct proxy_target_status *ret_sum)
{
	*ret_sum = of->targets[at];
	for (size_t i = 0; i < of->target_count; i++) {
		if (i == at || !same_target(&of->targets[i], &of->targets[at]))
			continue;
		if (i < at)
			return false;
		ret_sum->connections += of->targets[i].connections;
		ret_sum->failures += of->targets[i].failures;
		ret_sum->healthy |= of->targets[i].healthy;
	}
	return true;
}

enum target_metric { TARGET_CONNECTIONS, TARGET_FAILURES, TARGET_UP, TARGET_N_METRICS };

static const struct {
	const char *name;
	const char *type;
	const char *help;
} target_metrics[TARGET_N_METRICS] = {
	[TARGET_CONNECTIONS] = { "seal_target_connections", "gauge",
				 "Connections a target holds now." },
	[TARGET_FAILURES] = { "seal_target_failures_total", "counter",
			      "Attempts to use a target that failed." },
	[TARGET_UP] = { "seal_target_up", "gauge", "1 unless the target failed last time." },
};

static uint64_t
target_value(const struct proxy_target_status *target, enum target_metric metric)
{
	switch (metric) {
	case TARGET_CONNECTIONS:
		return target->connections;
	case TARGET_FAILURES:
		return target->failures;
	case TARGET_UP:
	case TARGET_N_METRICS:
		break;
	}
	return target->healthy;
}

static void
put_targets_of(struct seal_metrics *page, const struct proxy_listener_view *of,
	       enum target_metric metric)
{
	struct proxy_target_status sum;
	char labels[LABELS_MAX];

	for (size_t i = 0; i < of->target_count; i++) {
		if (!merge_target(of, i, &sum))
			continue;
		label_target(labels, of->listener, sum.endpoint);
		seal_metrics_sample(page, target_metrics[metric].name, labels,
				    target_value(&sum, metric));
	}
}

static void
put_targets(struct seal_metrics *page, const struct proxy_view *view)
{
	for (enum target_metric metric = 0; metric < TARGET_N_METRICS; metric++) {
		seal_metrics_head(page, target_metrics[metric].name, target_metrics[metric].type,
				  target_metrics[metric].help);
		for (size_t at = 0; at < view->listener_count; at++)
			put_targets_of(page, &view->listeners[at], metric);
	}
}

/* Nothing is left of a certificate when the clock cannot be read: nothing is served then. */
static uint64_t
seconds_left(int64_t not_after, int64_t now)
{
	return now > 0 && not_after > now ? (uint64_t)(not_after - now) : 0;
}

static void
put_public(struct seal_metrics *page, const struct proxy_view *view, const char *name, bool over)
{
	char labels[LABELS_MAX];

	for (size_t at = 0; at < view->listener_count; at++) {
		const struct proxy_listener_view *of = &view->listeners[at];

		if (of->listener->config->direction != PROXY_PUBLIC)
			continue;
		label_listener(labels, of->listener, "");
		seal_metrics_sample(page, name, labels,
				    over ? of->public_over
					 : seconds_left(of->public_not_after, view->now));
	}
}

static void
put_identity(struct seal_metrics *page, const struct proxy_view *view)
{
	const struct proxy_identity_state *state = view->state;

	seal_metrics_alone(page, "seal_cert_expiry_seconds", "gauge",
			   "Time until our certificate ends; 0 without one.",
			   state != NULL ? seconds_left(state->not_after, view->now) : 0);
	seal_metrics_alone(page, "seal_identity_generation", "gauge",
			   "Which state of identity and policy is in force; 0 before the first.",
			   state != NULL ? state->generation : 0);
	seal_metrics_head(page, "seal_public_cert_expiry_seconds", "gauge",
			  "Time until the first certificate of a public listener ends.");
	put_public(page, view, "seal_public_cert_expiry_seconds", false);
	seal_metrics_head(page, "seal_public_certs_expired", "gauge",
			  "Certificates of a public listener that have expired.");
	put_public(page, view, "seal_public_certs_expired", true);
}

/* There with an egg only: who has credentials from a folder asks nobody. */
static void
put_news(struct seal_metrics *page, const struct proxy_view *view)
{
	char labels[LABELS_MAX];

	if (view->news == NULL)
		return;
	seal_metrics_head(page, "seal_sync_total", "counter",
			  "Questions for news, by what became of them.");
	for (enum proxy_sync_result i = 0; i < PROXY_SYNC_ABORTED; i++) {
		(void)snprintf(labels, sizeof(labels), "result=\"%s\"", proxy_sync_result_name(i));
		seal_metrics_sample(page, "seal_sync_total", labels, view->news->results[i]);
	}
	seal_metrics_alone(
		page, "seal_sync_age_seconds", "gauge",
		"Time since the root of trust last answered; until it did, since it was asked.",
		view->news->age_s);
	seal_metrics_alone(page, "seal_sync_epoch", "gauge",
			   "The epoch of policy that was applied last; 0 before the first.",
			   view->news->epoch);
	seal_metrics_alone(page, "seal_revoked_serials", "gauge",
			   "Certificates known to be revoked.",
			   view->state != NULL ? view->state->revoked.count : 0);
}

static const struct {
	const char *name;
	const char *labels;
	const char *help;
	size_t offset; /* in struct proxy_agent_counters */
} agent_counters[] = {
#define AT(field) offsetof(struct proxy_agent_counters, field)
	{ "seal_agent_connections_total", "result=\"limited\"",
	  "Connections to the agent, by what became of them.", AT(limited) },
	{ "seal_agent_connections_total", "result=\"refused\"", "", AT(refused) },
	{ "seal_agent_connections_total", "result=\"served\"", "", AT(served) },
	{ "seal_unseal_total", "result=\"opened\"",
	  "Sealed values that containers brought to be opened.", AT(opened) },
	{ "seal_unseal_total", "result=\"refused\"", "", AT(unopened) },
#undef AT
};

/* Names of containers, which have proved that they are the owner's. */
static void
put_suspects(struct seal_metrics *page, const struct proxy_agent_view *agent)
{
	char labels[VERIFY_CONTAINER_MAX + 32];

	seal_metrics_alone(
		page, "seal_suspended", "gauge",
		"1 while nothing is served because a container is not what it should be.",
		agent->is_suspended);
	seal_metrics_head(page, "seal_suspicions_total", "counter",
			  "Times a container said that it is not what it should be.");
	for (size_t i = 0; i < agent->suspect_count; i++) {
		(void)snprintf(labels, sizeof(labels), "container=\"%s\"", agent->suspects[i].name);
		seal_metrics_sample(page, "seal_suspicions_total", labels,
				    agent->suspects[i].reports);
	}
}

static void
put_agent(struct seal_metrics *page, const struct proxy_agent_view *agent)
{
	if (agent == NULL)
		return;
	seal_metrics_alone(page, "seal_agent_connections", "gauge",
			   "Containers' connections to the agent open now.", agent->callers);
	for (size_t i = 0; i < SEAL_COUNT(agent_counters); i++) {
		uint64_t value;

		if (agent_counters[i].help[0] != '\0')
			seal_metrics_head(page, agent_counters[i].name, "counter",
					  agent_counters[i].help);
		memcpy(&value, (const char *)&agent->counters + agent_counters[i].offset,
		       sizeof(value));
		seal_metrics_sample(page, agent_counters[i].name, agent_counters[i].labels, value);
	}
	put_suspects(page, agent);
	seal_metrics_alone(
		page, "seal_sealed_config_generation", "gauge",
		"Which generation of its sealed configuration the proxy was started with.",
		agent->own.gen);
}

static uint64_t
open_on_removed(const struct proxy_view *view)
{
	uint64_t open = view->totals.open;

	for (size_t at = 0; at < view->listener_count; at++) {
		uint64_t of = view->listeners[at].listener->counters.open;

		open -= of < open ? of : open;
	}
	return open;
}

static void
put_whole(struct seal_metrics *page, const struct proxy_view *view)
{
	seal_metrics_head(page, "seal_build_info", "gauge", "Always 1; the version is its label.");
	seal_metrics_sample(page, "seal_build_info", "version=\"" SEAL_VERSION "\"", 1);
	seal_metrics_alone(page, "seal_draining", "gauge", "1 while connections are only let end.",
			   view->is_draining);
	seal_metrics_alone(page, "seal_kept_bytes", "gauge", "Bytes held for slow readers.",
			   view->kept_bytes);
	seal_metrics_alone(page, "seal_ready", "gauge",
			   "1 while listening with a valid certificate.", view->is_ready);
	seal_metrics_alone(page, "seal_removed_listener_connections", "gauge",
			   "Connections still open on listeners that a reload removed.",
			   open_on_removed(view));
}

int
proxy_metrics_write(const struct proxy_view *view, struct seal_bytes *out, struct seal_err *err)
{
	struct seal_metrics page = { .out = out, .err = err };

	put_counters(&page, view);
	seal_metrics_head(&page, "seal_handshake_seconds", "histogram",
			  "Time a TLS handshake took, of those that were finished.");
	for (size_t at = 0; at < view->listener_count; at++)
		put_handshakes(&page, view->listeners[at].listener);
	put_targets(&page, view);
	put_identity(&page, view);
	put_news(&page, view);
	put_agent(&page, view->agent);
	put_whole(&page, view);
	seal_metrics_process(&page, &view->usage, view->started);
	return page.failed < 0 ? seal_note(err, page.failed, "metrics") : 0;
}
