/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status for people: a headline, a few lines, and tables.  Made from the JSON a proxy answered with,
 * none of which is believed: what is missing is an error.  How cells and lines look is table.c's.
 */
#include "proxy/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/table.h"

#define CELL_MAX PROXY_TABLE_CELL_MAX

/* Getters whose first failure sticks, so that a text can be made in one go and judged at its end. */
struct source {
	struct seal_err *err;
	int failed;
};

static const char *
get_str(struct source *source, const struct seal_json *object, const char *name)
{
	const char *value = "";

	if (source->failed == 0)
		source->failed = seal_json_get_str(object, name, &value, source->err);
	return value;
}

static uint64_t
get_u64(struct source *source, const struct seal_json *object, const char *name)
{
	uint64_t value = 0;

	if (source->failed == 0)
		source->failed = seal_json_get_u64(object, name, INT64_MAX, &value, source->err);
	return value;
}

static bool
get_bool(struct source *source, const struct seal_json *object, const char *name)
{
	bool value = false;

	if (source->failed == 0)
		source->failed = seal_json_get_bool(object, name, &value, source->err);
	return value;
}

static const struct seal_json *
get_object(struct source *source, const struct seal_json *object, const char *name)
{
	const struct seal_json *value = NULL;

	if (source->failed == 0)
		source->failed = seal_json_get_object(object, name, &value, source->err);
	return value;
}

/* 0 for null, too. */
static uint64_t
get_u64_or_null(struct source *source, const struct seal_json *object, const char *name)
{
	const struct seal_json *value = source->failed == 0 ? seal_json_member(object, name) : NULL;

	if (value != NULL && seal_json_kind(value) == SEAL_JSON_NULL)
		return 0;
	return get_u64(source, object, name);
}

/* NULL after a failure: an array of no elements to seal_json_count. */
static const struct seal_json *
get_array(struct source *source, const struct seal_json *object, const char *name)
{
	const struct seal_json *value = NULL;

	if (source->failed == 0)
		source->failed = seal_json_get_array(object, name, &value, source->err);
	return value;
}

static size_t
count_of(const struct seal_json *array)
{
	return array != NULL ? seal_json_count(array) : 0;
}

/* "web,db", or what stands for none; cut at the end of a name when there are too many. */
static void
format_list(char out[static CELL_MAX], const struct seal_json *array, const char *none)
{
	const size_t room = CELL_MAX - sizeof(",...");
	size_t len = 0;

	(void)snprintf(out, CELL_MAX, "%s", none);
	for (size_t i = 0; i < count_of(array); i++) {
		const char *item = seal_json_str(seal_json_at(array, i));
		size_t item_len = item != NULL ? strlen(item) : 0;

		if (item_len == 0)
			continue;
		if (len + 1 + item_len > room) {
			(void)snprintf(out + len, CELL_MAX - len, "%s...", len > 0 ? "," : "");
			return;
		}
		len += (size_t)snprintf(out + len, CELL_MAX - len, "%s%s", len > 0 ? "," : "",
					item);
	}
}

static void
print_validity(FILE *out, struct source *source, const struct seal_json *of, const char *label,
	       const char *prefix)
{
	uint64_t left = get_u64(source, of, "expires_in_seconds");
	const char *until = get_str(source, of, "not_after");
	char text[CELL_MAX];
	char duration[32];

	proxy_format_duration(duration, left);
	if (left > 0)
		(void)snprintf(text, sizeof(text), "%svalid until %s (in %s)", prefix, until,
			       duration);
	else
		(void)snprintf(text, sizeof(text), "%sEXPIRED at %s", prefix, until);
	proxy_print_line(out, label, text);
}

static bool
is_null(const struct seal_json *object, const char *name)
{
	const struct seal_json *value = object != NULL ? seal_json_member(object, name) : NULL;

	return value != NULL && seal_json_kind(value) == SEAL_JSON_NULL;
}

static void
print_identity(FILE *out, struct source *source, const struct seal_json *status)
{
	const struct seal_json *identity;
	char text[2 * CELL_MAX];
	char prefix[64];

	if (is_null(status, "identity")) {
		proxy_print_line(out, "identity", "none yet: nothing is served");
		return;
	}
	identity = get_object(source, status, "identity");
	(void)snprintf(text, sizeof(text), "spiffe://%s/workload/%s/peer/%s",
		       get_str(source, identity, "trust_domain"),
		       get_str(source, identity, "workload"), get_str(source, identity, "peer"));
	proxy_print_line(out, "identity", text);
	(void)snprintf(prefix, sizeof(prefix), "generation %" PRIu64 ", ",
		       get_u64(source, identity, "generation"));
	if (is_null(identity, "not_after"))
		proxy_print_line(out, "certificate", "none: it was withdrawn");
	else
		print_validity(out, source, identity, "certificate", prefix);
	format_list(text, get_array(source, identity, "clients"), "nobody");
	proxy_print_line(out, "called by", text);
	format_list(text, get_array(source, identity, "servers"), "nobody");
	proxy_print_line(out, "may call", text);
}

/* Of those that ask for news. */
static void
print_news(FILE *out, struct source *source, const struct seal_json *status)
{
	const struct seal_json *news;
	char text[CELL_MAX];
	char age[32];

	if (!seal_json_has(status, "sync"))
		return;
	news = get_object(source, status, "sync");
	proxy_format_duration(age, get_u64(source, news, "age_seconds"));
	if (get_bool(source, news, "withdrawn"))
		(void)snprintf(text, sizeof(text), "WITHDRAWN: nothing is served");
	else if (!get_bool(source, news, "answered"))
		(void)snprintf(text, sizeof(text), "NO ANSWER for %s", age);
	else
		(void)snprintf(
			text, sizeof(text),
			"epoch %" PRIu64 ", answered %s ago, %" PRIu64 " certificates revoked",
			get_u64(source, news, "epoch"), age, get_u64(source, news, "revoked"));
	proxy_print_line(out, "sync", text);
}

static void
print_suspicions(FILE *out, struct source *source, const struct seal_json *sealed)
{
	const struct seal_json *list = get_array(source, sealed, "suspicions");

	for (size_t i = 0; i < count_of(list); i++) {
		const struct seal_json *suspect = seal_json_at(list, i);
		char text[2 * CELL_MAX];

		(void)snprintf(text, sizeof(text), "%s, %s, %" PRIu64 " times: %s",
			       get_str(source, suspect, "container"),
			       get_bool(source, suspect, "suspends") ? "SUSPENDS ALL" : "reported",
			       get_u64(source, suspect, "reports"),
			       get_str(source, suspect, "reason"));
		proxy_print_line(out, "suspicion", text);
	}
}

/* Of those that have a sealed configuration. */
static void
print_sealed(FILE *out, struct source *source, const struct seal_json *status)
{
	const struct seal_json *sealed;
	const struct seal_json *list;
	char text[CELL_MAX];

	if (!seal_json_has(status, "sealed"))
		return;
	sealed = get_object(source, status, "sealed");
	(void)snprintf(text, sizeof(text), "%s/%s/%s, generation %" PRIu64,
		       get_str(source, sealed, "namespace"), get_str(source, sealed, "kind"),
		       get_str(source, sealed, "name"), get_u64(source, sealed, "generation"));
	proxy_print_line(out, "sealed", text);
	list = get_array(source, sealed, "containers");
	if (count_of(list) == 0)
		proxy_print_line(out, "container", "none has asked for anything");
	for (size_t i = 0; i < count_of(list); i++) {
		const struct seal_json *container = seal_json_at(list, i);

		(void)snprintf(text, sizeof(text), "%s, %s, %" PRIu64 " connections",
			       get_str(source, container, "name"),
			       get_bool(source, container, "running") ? "running" : "not running",
			       get_u64(source, container, "connections"));
		proxy_print_line(out, "container", text);
	}
	print_suspicions(out, source, sealed);
}

static void
print_connections(FILE *out, struct source *source, const struct seal_json *status)
{
	const struct seal_json *of = get_object(source, status, "connections");
	char text[CELL_MAX];
	char kept[32];

	proxy_format_size(kept, get_u64(source, of, "kept_bytes"));
	(void)snprintf(text, sizeof(text),
		       "%" PRIu64 " open: %" PRIu64 " in handshake, %" PRIu64 " dialling, %" PRIu64
		       " relaying, %" PRIu64 " draining; %s held for slow readers",
		       get_u64(source, of, "open"),
		       get_u64(source, of, "handshake") + get_u64(source, of, "admit"),
		       get_u64(source, of, "dial"), get_u64(source, of, "relay"),
		       get_u64(source, of, "drain"), kept);
	proxy_print_line(out, "connections", text);
}

static void
print_limits(FILE *out, struct source *source, const struct seal_json *status)
{
	static const struct {
		const char *name;
		const char *words;
	} limits[] = {
		{ "connections", "connections" }, { "per_peer", "per peer" },
		{ "per_source", "per source" },   { "handshakes", "handshakes" },
		{ "memory_bytes", "memory" },
	};
	const struct seal_json *of = get_object(source, status, "limits");
	char text[CELL_MAX] = "none";
	size_t len = 0;

	for (size_t i = 0; i < SEAL_COUNT(limits); i++) {
		uint64_t value = get_u64_or_null(source, of, limits[i].name);
		char number[32];

		(void)snprintf(number, sizeof(number), "%" PRIu64, value);
		if (strcmp(limits[i].name, "memory_bytes") == 0)
			proxy_format_size(number, value);
		if (value > 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s",
						len > 0 ? ", " : "", limits[i].words, number);
	}
	proxy_print_line(out, "limits", text);
}

static bool
is_suspended(struct source *source, const struct seal_json *status)
{
	return seal_json_has(status, "sealed") &&
	       get_bool(source, get_object(source, status, "sealed"), "suspended");
}

static void
print_headline(FILE *out, struct source *source, const struct seal_json *status)
{
	const char *ready = get_bool(source, status, "ready") ? "ready"
			    : is_suspended(source, status)    ? "SUSPENDED"
							      : "NOT READY";
	const char *doing = get_bool(source, status, "draining") ? "draining" : ready;
	char text[CELL_MAX];
	char up[32];

	proxy_format_duration(up, get_u64(source, status, "uptime_seconds"));
	(void)snprintf(text, sizeof(text), "%s, up %s, version %s, pid %" PRIu64, doing, up,
		       get_str(source, status, "version"), get_u64(source, status, "pid"));
	proxy_print_line(out, "seal-proxy", text);
	proxy_print_line(out, "log level", get_str(source, status, "log_level"));
}

/* ---- tables ---- */

static void
finish_table(FILE *out, struct source *source, struct proxy_table *table)
{
	int r = proxy_table_print(table, out, source->err);

	if (source->failed == 0)
		source->failed = r;
	proxy_table_release(table);
}

static void
add_listener(struct proxy_table *table, struct source *source, const struct seal_json *listener)
{
	static const char *const numbers[] = { "open",    "accepted", "admitted", "refused",
					       "limited", "failed",   "resumed" };
	char peers[CELL_MAX];

	proxy_table_add(table, get_str(source, listener, "direction"));
	proxy_table_add(table, get_str(source, listener, "listen"));
	format_list(peers, get_array(source, listener, "peers"), "");
	proxy_table_add(table, peers);
	for (size_t i = 0; i < SEAL_COUNT(numbers); i++)
		proxy_table_add_number(table, get_u64(source, listener, numbers[i]));
	proxy_table_add_size(table, get_u64(source, listener, "bytes_to_app"));
	proxy_table_add_size(table, get_u64(source, listener, "bytes_to_wire"));
}

static void
print_listeners(FILE *out, struct source *source, const struct seal_json *listeners)
{
	static const char *const heads[] = { "DIRECTION", "LISTEN",    "PEERS",    ">OPEN",
					     ">ACCEPTED", ">ADMITTED", ">REFUSED", ">LIMITED",
					     ">FAILED",   ">RESUMED",  ">TO APP",  ">TO WIRE" };
	struct proxy_table table = { .heads = heads, .columns = SEAL_COUNT(heads) };

	_Static_assert(SEAL_COUNT(heads) <= PROXY_TABLE_COLUMNS_MAX, "columns");
	for (size_t i = 0; i < count_of(listeners); i++)
		add_listener(&table, source, seal_json_at(listeners, i));
	finish_table(out, source, &table);
}

static void
add_targets(struct proxy_table *table, struct source *source, const struct seal_json *listener)
{
	const struct seal_json *targets = get_array(source, listener, "targets");
	const char *listen = get_str(source, listener, "listen");

	for (size_t i = 0; i < count_of(targets); i++) {
		const struct seal_json *target = seal_json_at(targets, i);

		proxy_table_add(table, listen);
		proxy_table_add(table, get_str(source, target, "address"));
		proxy_table_add(table, get_bool(source, target, "healthy") ? "up" : "DOWN");
		proxy_table_add_number(table, get_u64(source, target, "connections"));
		proxy_table_add_number(table, get_u64(source, target, "failures"));
	}
}

static void
print_targets(FILE *out, struct source *source, const struct seal_json *listeners)
{
	static const char *const heads[] = { "LISTEN", "TARGET", "STATE", ">OPEN", ">FAILURES" };
	struct proxy_table table = { .heads = heads, .columns = SEAL_COUNT(heads) };

	for (size_t i = 0; i < count_of(listeners); i++)
		add_targets(&table, source, seal_json_at(listeners, i));
	finish_table(out, source, &table);
}

static void
print_public(FILE *out, struct source *source, const struct seal_json *listeners)
{
	for (size_t i = 0; i < count_of(listeners); i++) {
		const struct seal_json *listener = seal_json_at(listeners, i);
		char prefix[CELL_MAX / 2];
		uint64_t over;

		if (strcmp(get_str(source, listener, "direction"), "public") != 0)
			continue;
		over = get_u64(source, listener, "certificates_expired");
		(void)snprintf(prefix, sizeof(prefix), "%s ", get_str(source, listener, "listen"));
		if (over > 0)
			(void)snprintf(prefix, sizeof(prefix), "%s %" PRIu64 " of %" PRIu64 " ",
				       get_str(source, listener, "listen"), over,
				       get_u64(source, listener, "certificates"));
		print_validity(out, source, listener, "public", prefix);
	}
}

static void
add_conn(struct proxy_table *table, struct source *source, const struct seal_json *conn)
{

	proxy_table_add_number(table, get_u64(source, conn, "id"));
	proxy_table_add(table, get_str(source, conn, "direction"));
	proxy_table_add(table, get_str(source, conn, "listener"));
	proxy_table_add(table, get_str(source, conn, "peer"));
	proxy_table_add(table, get_str(source, conn, "address"));
	proxy_table_add(table, get_str(source, conn, "state"));
	proxy_table_add_size(table, get_u64(source, conn, "bytes_up"));
	proxy_table_add_size(table, get_u64(source, conn, "bytes_down"));
	proxy_table_add_duration(table, get_u64(source, conn, "age_ms") / 1000);
}

static void
print_live(FILE *out, struct source *source, const struct seal_json *connections)
{
	static const char *const heads[] = { ">ID",   "DIRECTION", "LISTENER", "PEER", "ADDRESS",
					     "STATE", ">UP",       ">DOWN",    ">AGE" };
	struct proxy_table table = { .heads = heads, .columns = SEAL_COUNT(heads) };
	const struct seal_json *live = get_array(source, connections, "live");
	uint64_t more = get_u64(source, connections, "more");

	for (size_t i = 0; i < count_of(live); i++)
		add_conn(&table, source, seal_json_at(live, i));
	finish_table(out, source, &table);
	if (more > 0)
		(void)fprintf(out, "... and %" PRIu64 " more\n", more);
}

static void
print_all(FILE *out, struct source *source, const struct seal_json *status)
{
	const struct seal_json *listeners = get_array(source, status, "listeners");
	const struct seal_json *connections = get_object(source, status, "connections");

	print_headline(out, source, status);
	print_identity(out, source, status);
	print_news(out, source, status);
	print_sealed(out, source, status);
	print_public(out, source, listeners);
	print_connections(out, source, status);
	print_limits(out, source, status);
	print_listeners(out, source, listeners);
	print_targets(out, source, listeners);
	if (connections != NULL && seal_json_has(connections, "live"))
		print_live(out, source, connections);
}

int
proxy_status_print(const struct seal_json *status, FILE *out, struct seal_err *err)
{
	struct source source = { .err = err };
	char *text = NULL;
	size_t len = 0;
	FILE *page = open_memstream(&text, &len);
	int r = 0;

	if (page == NULL)
		return seal_fail_memory(err);
	print_all(page, &source, status);
	if (fclose(page) != 0)
		r = seal_fail_memory(err); /* nothing else can happen to it */
	else if (source.failed < 0)
		r = seal_note(err, SEAL_E_FORMAT, "this is no status of a seal-proxy");
	else
		(void)fwrite(text, 1, len, out); /* the stream keeps its error for who closes it */
	free(text);
	return r;
}
