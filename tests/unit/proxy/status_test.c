/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/status: the JSON, and the table made of it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log/log.h"
#include "tests/support/alloc.h"
#include "tests/unit/proxy/sample.h"

static struct seal_json *
status_of(const struct proxy_view *view, bool with_conns)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PROXY_STATUS_MAX);
	struct seal_json *status = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_status_write(view, with_conns, &text, &err), 0, "%s", err.text);
	cr_assert_eq(
		seal_json_parse(&status, seal_bytes_str(&text), text.len, PROXY_STATUS_MAX, &err),
		0, "%s", err.text);
	return status;
}

static uint64_t
number(const struct seal_json *object, const char *name)
{
	uint64_t value = 0;

	cr_assert_eq(seal_json_get_u64(object, name, INT64_MAX, &value, NULL), 0, "no %s", name);
	return value;
}

static const char *
text(const struct seal_json *object, const char *name)
{
	const char *value = NULL;

	cr_assert_eq(seal_json_get_str(object, name, &value, NULL), 0, "no %s", name);
	return value;
}

Test(status, has_these_members_and_no_others)
{
	static const char *const root_names[] = { "version",  "pid",       "uptime_seconds",
						  "ready",    "draining",  "log_level",
						  "identity", "listeners", "totals",
						  "limits",   "deadlines", "connections",
						  NULL };
	static const char *const identity_names[] = {
		"trust_domain", "workload",           "peer",    "generation", "not_before",
		"not_after",    "expires_in_seconds", "clients", "servers",    NULL
	};
	struct seal_json *status;
	struct proxy_view view;

	sample_small(&view);
	status = status_of(&view, true);
	cr_expect_eq(seal_json_only(status, root_names, NULL), 0);
	cr_expect_eq(seal_json_only(seal_json_member(status, "identity"), identity_names, NULL), 0);
	for (size_t i = 0; root_names[i] != NULL; i++)
		cr_expect(seal_json_has(status, root_names[i]), "no %s", root_names[i]);
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status, tells_who_we_are_and_until_when)
{
	const struct seal_json *identity;
	struct seal_json *status;
	struct proxy_view view;

	sample_small(&view);
	status = status_of(&view, false);
	identity = seal_json_member(status, "identity");
	cr_expect_str_eq(text(status, "version"), SEAL_VERSION);
	cr_expect_eq(number(status, "pid"), (uint64_t)getpid());
	cr_expect_eq(number(status, "uptime_seconds"), 3661);
	cr_expect_str_eq(text(status, "log_level"), "info");
	cr_expect_str_eq(text(identity, "trust_domain"), "seal.test");
	cr_expect_str_eq(text(identity, "workload"), "shop");
	cr_expect_str_eq(text(identity, "peer"), "db");
	cr_expect_eq(number(identity, "generation"), 3);
	cr_expect_str_eq(text(identity, "not_before"), "2027-01-15T07:55:00Z");
	cr_expect_str_eq(text(identity, "not_after"), "2027-01-15T13:10:00Z");
	cr_expect_eq(number(identity, "expires_in_seconds"), 18600);
	cr_expect_eq(seal_json_count(seal_json_member(identity, "clients")), 1);
	cr_expect_eq(seal_json_count(seal_json_member(identity, "servers")), 0);
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status, tells_of_no_identity_before_the_first)
{
	struct seal_json *status;
	struct proxy_view view;

	sample_small(&view);
	view.state = NULL;
	view.is_ready = false;
	status = status_of(&view, false);
	cr_expect_eq(seal_json_kind(seal_json_member(status, "identity")), SEAL_JSON_NULL);
	cr_expect_not(seal_json_bool(seal_json_member(status, "ready")));
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status, tells_of_listeners_and_targets)
{
	const struct seal_json *listener, *target;
	struct seal_json *status;
	struct proxy_view view;

	sample_large(&view);
	status = status_of(&view, false);
	cr_assert_eq(seal_json_count(seal_json_member(status, "listeners")), 3);
	listener = seal_json_at(seal_json_member(status, "listeners"), 0);
	cr_expect_str_eq(text(listener, "direction"), "inbound");
	cr_expect_str_eq(text(listener, "listen"), "0.0.0.0:8443");
	cr_expect_eq(number(listener, "accepted"), 120);
	cr_expect_eq(number(listener, "handshakes"), 7);
	cr_expect_str_eq(seal_json_str(seal_json_at(seal_json_member(listener, "peers"), 1)),
			 "ops");
	listener = seal_json_at(seal_json_member(status, "listeners"), 1);
	cr_expect_str_eq(text(listener, "listen"), "unix:/run/a \"b\"\\c/\?\?\?.sock");
	target = seal_json_at(seal_json_member(listener, "targets"), 0);
	cr_expect_str_eq(text(target, "address"), "db.shop.svc:8443");
	cr_expect_not(seal_json_bool(seal_json_member(target, "healthy")));
	cr_expect_eq(number(target, "failures"), 7);
	listener = seal_json_at(seal_json_member(status, "listeners"), 2);
	cr_expect_eq(number(listener, "expires_in_seconds"), 86400);
	cr_expect_eq(number(listener, "certificates"), 3);
	cr_expect_eq(number(listener, "certificates_expired"), 0);
	cr_expect_str_eq(text(listener, "not_after"), "2027-01-16T08:00:00Z");
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status, counts_connections_and_lists_them_only_on_demand)
{
	const struct seal_json *connections;
	struct seal_json *status;
	struct proxy_view view;

	sample_large(&view);
	status = status_of(&view, false);
	connections = seal_json_member(status, "connections");
	cr_expect_eq(number(connections, "open"), 3);
	cr_expect_eq(number(connections, "handshake"), 1);
	cr_expect_eq(number(connections, "relay"), 2);
	cr_expect_eq(number(connections, "kept_bytes"), 2048);
	cr_expect_not(seal_json_has(connections, "live"));
	seal_json_free(status);
	status = status_of(&view, true);
	connections = seal_json_member(status, "connections");
	cr_expect_eq(seal_json_count(seal_json_member(connections, "live")), 3);
	cr_expect_eq(number(connections, "more"), 0);
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status, lists_a_thousand_connections_and_counts_the_rest)
{
	const struct seal_json *connections;
	struct seal_json *status;
	struct proxy_view view;

	sample_large(&view);
	view.totals.open = PROXY_STATUS_CONNS_MAX + 500;
	status = status_of(&view, true);
	connections = seal_json_member(status, "connections");
	cr_expect_eq(seal_json_count(seal_json_member(connections, "live")),
		     PROXY_STATUS_CONNS_MAX);
	cr_expect_eq(number(connections, "more"), 500);
	cr_expect_eq(number(connections, "relay"), PROXY_STATUS_CONNS_MAX + 499);
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status, is_valid_whatever_a_peer_calls_itself)
{
	const struct seal_json *conn;
	struct seal_json *status;
	struct proxy_view view;

	sample_large(&view);
	status = status_of(&view, true);
	conn = seal_json_at(seal_json_member(seal_json_member(status, "connections"), "live"), 2);
	cr_expect_str_eq(text(conn, "peer"), "evil?[31m?\"");
	cr_expect_str_eq(text(conn, "state"), "relay");
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status, fails_cleanly_whichever_allocation_fails)
{
	struct proxy_view view;
	bool done = false;
	size_t n;

	sample_large(&view);
	for (n = 1; !done; n++) {
		SEAL_SCOPED(seal_bytes_release)
		struct seal_bytes page = SEAL_BYTES(PROXY_STATUS_MAX);
		int r;

		alloc_fail_at(n);
		r = proxy_status_write(&view, true, &page, NULL);
		done = !alloc_call_off();
		cr_assert_eq(r, done ? 0 : SEAL_E_MEMORY, "allocation %zu", n);
		cr_assert_lt(n, 10000);
	}
	cr_expect_gt(n, 50);
	proxy_view_release(&view);
}

/* ---- the table ---- */

/* What is printed; NULL with the code in *ret_code when nothing may be. */
static char *
print(const struct seal_json *status, int *ret_code)
{
	struct seal_err err = { 0 };
	char *page = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&page, &len);

	cr_assert_not_null(out);
	*ret_code = proxy_status_print(status, out, &err);
	cr_assert_eq(fclose(out), 0);
	if (*ret_code < 0)
		cr_expect_eq(len, 0, "printed something before it failed: %s", page);
	return page;
}

static char *
print_view(const struct proxy_view *view, bool with_conns)
{
	struct seal_json *status = status_of(view, with_conns);
	int r;
	char *page = print(status, &r);

	cr_assert_eq(r, 0);
	seal_json_free(status);
	return page;
}

Test(status_table, is_aligned_and_says_it_in_words)
{
	static const char wanted[] =
#include "tests/unit/proxy/status_golden.inc"
		;
	struct proxy_view view;
	char pid[16];
	char *page, *at;

	sample_large(&view);
	page = print_view(&view, true);
	(void)snprintf(pid, sizeof(pid), "pid %d\n", (int)getpid());
	at = strstr(page, pid);
	cr_assert_not_null(at);
	memmove(at + 4, at + strlen(pid) - 1, strlen(at + strlen(pid) - 1) + 1);
	cr_expect_str_eq(page, wanted, "got:\n%s", page);
	free(page);
	proxy_view_release(&view);
}

Test(status_table, tells_of_what_was_sealed_and_who_runs)
{
	struct proxy_view view;
	char *page;

	sample_small(&view);
	page = print_view(&view, false);
	cr_expect_null(strstr(page, "sealed"));
	free(page);
	view.agent = &sample_agent;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "\nsealed        shop/Deployment/web, generation 7\n"),
			   "%s", page);
	cr_expect_not_null(strstr(page, "\ncontainer     app, running, 2 connections\n"));
	cr_expect_not_null(strstr(page, "\ncontainer     place, not running, 1 connections\n"));
	cr_expect_not_null(strstr(page, "\nsuspicion     app, SUSPENDS ALL, 2 times: /etc/hosts "
					"changed\nsuspicion     db, reported, 1 times: a mount\n"),
			   "%s", page);
	cr_expect_null(strstr(page, "SUSPENDED"));
	free(page);
	view.is_ready = false;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "SUSPENDED, up "));
	free(page);
	proxy_view_release(&view);
}

Test(status_table, tells_of_the_latest_news)
{
	struct proxy_sync_view news = sample_news;
	struct proxy_identity_state state;
	struct proxy_view view;
	char *page;

	sample_small(&view);
	page = print_view(&view, false);
	cr_expect_null(strstr(page, "\nsync"), "of one that never asks");
	free(page);
	view.news = &news;
	page = print_view(&view, false);
	cr_expect_not_null(
		strstr(page,
		       "\nsync          epoch 17, answered 1m1s ago, 0 certificates revoked\n"),
		"%s", page);
	free(page);
	news.has_answer = false;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "\nsync          NO ANSWER for 1m1s\n"), "%s", page);
	free(page);
	memcpy(&state, view.state, sizeof(state));
	state.not_after = 0;
	view.state = &state;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "\nsync          WITHDRAWN: nothing is served\n"), "%s",
			   page);
	cr_expect_not_null(strstr(page, "\ncertificate   none: it was withdrawn\n"), "%s", page);
	free(page);
	proxy_view_release(&view);
}

Test(status_table, says_what_is_wrong)
{
	struct proxy_view view;
	char *page;

	sample_large(&view);
	view.is_ready = false;
	view.now = SAMPLE_NOW + 86400;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "NOT READY"));
	cr_expect_not_null(strstr(page, "EXPIRED at 2027-01-15T13:10:00Z"));
	cr_expect_not_null(strstr(page, "[::]:443 EXPIRED at 2027-01-16T08:00:00Z"));
	cr_expect_not_null(strstr(page, "DOWN"));
	cr_expect_null(strstr(page, "10.0.0.7"), "connections nobody asked for");
	free(page);
	view.state = NULL;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "none yet: nothing is served"));
	free(page);
	view.is_draining = true;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "draining, up 1h1m"));
	free(page);
	proxy_view_release(&view);
}

Test(status_table, passes_over_limits_that_nobody_chose)
{
	struct proxy_config config = { .limits = { .connections = UINT32_MAX } };
	struct proxy_view view;
	char *page;

	sample_small(&view);
	view.config = &config;
	page = print_view(&view, false);
	cr_expect_not_null(strstr(page, "limits        none\n"));
	free(page);
	proxy_view_release(&view);
}

Test(status_table, tells_how_many_connections_are_not_shown)
{
	struct proxy_view view;
	char *page;

	sample_large(&view);
	view.totals.open = PROXY_STATUS_CONNS_MAX + 1;
	page = print_view(&view, true);
	cr_expect_not_null(strstr(page, "... and 1 more\n"));
	free(page);
	proxy_view_release(&view);
}

/* The JSON of a status with one place replaced, printed. */
static int
print_spoilt(const char *json, size_t at, const char *with, size_t len)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *status = NULL;
	char *copy = strdup(json);
	char *page;
	int r;

	cr_assert_not_null(copy);
	memcpy(copy + at, with, len);
	r = seal_json_parse(&status, copy, strlen(copy), PROXY_STATUS_MAX, NULL);
	free(copy);
	if (r < 0)
		return r;
	page = print(status, &r);
	free(page);
	return r;
}

/* Members that the table has no place for. */
static bool
is_untold(const char *name)
{
	static const char *const names[] = {
		"not_before",     "captured",     "alpn",       "server_name", "verify_hostname",
		"proxy_protocol", "no_identity",  "slow",       "withdrawn",   "finished",
		"retried",        "handshake_us", "handshakes", "live"
	};

	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* Misspell every member between two marks that the table tells of, one at a time. */
static unsigned
misspell(const char *json, const char *from, const char *to)
{
	const char *end = strstr(json, to);
	unsigned count = 0;

	for (const char *at = strstr(json, from); (at = strstr(at, "\":")) != NULL && at < end;
	     at++) {
		const char *name = at;
		char word[64];

		while (name[-1] != '"')
			name--;
		(void)snprintf(word, sizeof(word), "%.*s", (int)(at - name), name);
		if (is_untold(word))
			continue;
		cr_expect_eq(print_spoilt(json, (size_t)(at - json) - 1, "~", 1), SEAL_E_FORMAT,
			     "printed without %s", word);
		count++;
	}
	return count;
}

Test(status_table, fails_cleanly_whichever_allocation_fails)
{
	struct seal_json *status;
	struct proxy_view view;
	bool done = false;
	size_t n;

	sample_large(&view);
	status = status_of(&view, true);
	for (n = 1; !done; n++) {
		FILE *out = fopen("/dev/null", "w");
		int r;

		cr_assert_not_null(out);
		alloc_fail_at(n);
		r = proxy_status_print(status, out, NULL);
		done = !alloc_call_off();
		cr_assert_eq(r < 0, !done, "allocation %zu", n);
		(void)fclose(out);
		cr_assert_lt(n, 10000);
	}
	cr_expect_gt(n, 50);
	seal_json_free(status);
	proxy_view_release(&view);
}

Test(status_table, refuses_a_status_with_any_part_missing)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes json = SEAL_BYTES(PROXY_STATUS_MAX);
	struct proxy_view view;

	sample_small(&view);
	view.each_conn = sample_each_conn;
	view.source = &view;
	cr_assert_eq(proxy_status_write(&view, true, &json, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&json, " ", NULL), 0); /* the end, for strstr */
	cr_expect_eq(print_spoilt(seal_bytes_str(&json), json.len - 1, " ", 1), 0);
	cr_expect_gt(misspell(seal_bytes_str(&json), "\"version\"", "\"totals\""), 25);
	cr_expect_gt(misspell(seal_bytes_str(&json), "\"connections\":{\"live\"", "} "), 15);
	proxy_view_release(&view);
}

Test(status_table, does_not_believe_the_shape_of_an_answer)
{
	static const char *const bad[] = {
		"{}",
		"{\"identity\":1}",
		"{\"version\":1,\"pid\":\"x\"}",
		"{\"listeners\":{},\"connections\":[]}",
		"{\"listeners\":[1,null,\"x\",[]],\"connections\":{\"live\":[1]}}",
		"{\"version\":\"1\",\"pid\":1,\"uptime_seconds\":1,\"ready\":true,\"draining\":"
		"false,"
		"\"log_level\":\"info\",\"identity\":null,\"listeners\":[7],\"connections\":{}}",
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct seal_json *status = NULL;
		char *page;
		int r;

		cr_assert_eq(seal_json_parse(&status, bad[i], strlen(bad[i]), 4096, NULL), 0);
		page = print(status, &r);
		cr_expect_eq(r, SEAL_E_FORMAT, "row %zu", i);
		free(page);
		seal_json_free(status);
	}
}

Test(status_table, shows_nothing_that_moves_a_cursor)
{
	/* U+009B begins a control sequence as ESC [ does. */
	static const char *const places[] = { "\"seal.test\"", "\"0.0.0.0:8443\"",
					      "\"127.0.0.1:8080\"", "\"web\"" };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes json = SEAL_BYTES(PROXY_STATUS_MAX);
	struct proxy_view view;

	sample_small(&view);
	cr_assert_eq(proxy_status_write(&view, false, &json, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(places); i++) {
		SEAL_SCOPED(seal_bytes_release)
		struct seal_bytes spoilt = SEAL_BYTES(PROXY_STATUS_MAX);
		const char *at = strstr(seal_bytes_str(&json), places[i]);
		struct seal_json *status = NULL;
		char *page;
		int r;

		cr_assert_not_null(at, "%s", places[i]);
		cr_assert_eq(seal_bytes_append_fmt(&spoilt, NULL,
						   "%.*s\"\\u001b[2J\\u009b2J\\n\"%s",
						   (int)(at - seal_bytes_str(&json)),
						   seal_bytes_str(&json), at + strlen(places[i])),
			     0);
		cr_assert_eq(seal_json_parse(&status, seal_bytes_str(&spoilt), spoilt.len,
					     PROXY_STATUS_MAX, NULL),
			     0);
		page = print(status, &r);
		cr_assert_eq(r, 0);
		cr_expect_not_null(strstr(page, "?[2J"));
		for (const char *c = page; *c != '\0'; c++)
			cr_assert(*c == '\n' || (*c >= ' ' && *c <= '~'), "byte %02x",
				  (unsigned char)*c);
		free(page);
		seal_json_free(status);
	}
	proxy_view_release(&view);
}
