/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/dial over loopback: who is reached, by which way, and what is left behind when nobody is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/alloc.h"
#include "tests/unit/proxy/dial_rig.h"

#define LOCAL "127.0.0.1"

/* The dial reached target, at this address; one connection is counted for it until released. */
static void
expect_reached(struct dial_rig *rig, unsigned target, const char *address)
{
	cr_assert_geq(rig->result.fd, 0, "%s", rig->result.why.text);
	cr_expect_eq(rig->result.target, target);
	cr_expect_str_eq(rig->result.address, address);
	cr_expect_eq(dial_rig_status(rig, target).connections, 1);
	proxy_pool_release(rig->pool, target);
	close(rig->result.fd);
	for (unsigned i = 0; i < proxy_pool_count(rig->pool); i++)
		cr_expect_eq(dial_rig_status(rig, i).connections, 0, "target %u", i);
}

static void
expect_failed(struct dial_rig *rig, int code, const char *text)
{
	cr_assert_eq(rig->result.fd, -1);
	cr_expect_eq(rig->result.why.code, code, "%s", rig->result.why.text);
	cr_expect_not_null(strstr(rig->result.why.text, text), "'%s' is not in '%s'", text,
			   rig->result.why.text);
	for (unsigned i = 0; i < proxy_pool_count(rig->pool); i++)
		cr_expect_eq(dial_rig_status(rig, i).connections, 0, "target %u", i);
}

static const char *
at_port(uint16_t port)
{
	static char text[64];

	(void)snprintf(text, sizeof(text), LOCAL ":%u", port);
	return text;
}

/* ---- Reached ---- */

Test(proxy_dial, reaches_a_literal_address)
{
	DIAL_RIG(rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);

	dial_rig_pool(&rig, LOCAL, port, NULL);
	dial_rig_dial(&rig, 0, 2000);
	cr_expect_eq(dial_rig_status(&rig, 0).connections, 1);
	dial_rig_finish(&rig);
	expect_reached(&rig, 0, at_port(port));
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 0);
}

Test(proxy_dial, reaches_a_unix_socket)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	DIAL_RIG(rig);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%.60s/socket", rig.dns.dir);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	dial_rig_pool_unix(&rig, un.sun_path);
	dial_rig_dial(&rig, 0, 2000);
	dial_rig_finish(&rig);
	expect_reached(&rig, 0, "unix"); /* the kernel gives a client no address */
	close(fd);
	unlink(un.sun_path);
}

Test(proxy_dial, reaches_a_name)
{
	static const char hosts[] = LOCAL " db.seal.test\n";
	static const struct dns_row row = {
		.family = AF_INET, .what = DNS_ADDRESS, .ttl_s = 10, .addresses = { LOCAL }
	};
	static const char *const names[] = { "localhost", "db.seal.test", "remote.seal.test" };
	DIAL_RIG(rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);

	dns_write_hosts(&rig.dns, hosts, strlen(hosts));
	dns_set(&rig.dns, &row, 1);
	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		proxy_pool_unref(rig.pool);
		dial_rig_pool(&rig, names[i], port, NULL);
		dial_rig_dial(&rig, 0, 2000);
		dial_rig_finish(&rig);
		expect_reached(&rig, 0, at_port(port));
	}
}

Test(proxy_dial, goes_on_to_the_next_address_of_a_name_that_refuses)
{
	static const char hosts[] = "127.0.0.2 both.seal.test\n" LOCAL " both.seal.test\n";
	DIAL_RIG(rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);
	unsigned quick = 0;

	dns_write_hosts(&rig.dns, hosts, strlen(hosts));
	dial_rig_pool(&rig, "both.seal.test", port, NULL);
	for (int i = 0; i < 8; i++) { /* each address is the first one four times */
		uint64_t begin = seal_loop_now_ms(rig.loop);

		dial_rig_dial(&rig, 0, 4000);
		dial_rig_finish(&rig);
		expect_reached(&rig, 0, at_port(port));
		quick += seal_loop_now_ms(rig.loop) - begin < 200 ? 1 : 0;
	}
	cr_expect_gt(quick, 4, "it waits"); /* a busy machine may */
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 0, "a target that answers");
}

Test(proxy_dial, does_not_wait_for_an_address_that_keeps_silent)
{
	static const char hosts[] = "127.0.0.2 both.seal.test\n" LOCAL " both.seal.test\n";
	DIAL_RIG(rig);
	uint16_t port = dial_rig_silent(&rig, "127.0.0.2");
	unsigned waited = 0;

	cr_assert_eq(dial_rig_listener(&rig, NULL, port), port);
	dns_write_hosts(&rig.dns, hosts, strlen(hosts));
	dial_rig_pool(&rig, "both.seal.test", port, NULL);
	for (int i = 0; i < 2; i++) {
		uint64_t begin = seal_loop_now_ms(rig.loop);
		size_t before = dial_rig_descriptors();
		uint64_t ms;

		dial_rig_dial(&rig, 0, 4000);
		dial_rig_finish(&rig);
		expect_reached(&rig, 0, at_port(port));
		ms = seal_loop_now_ms(rig.loop) - begin;
		cr_expect_lt(ms, 900);
		waited += ms >= 200 ? 1 : 0;
		cr_expect_eq(dial_rig_descriptors(), before, "the silent attempt goes on");
	}
	cr_expect_eq(waited, 1, "the silent address was the first one once");
}

/* ---- The next target ---- */

Test(proxy_dial, goes_on_to_the_next_target_and_blames_the_one_that_refused)
{
	DIAL_RIG(rig);
	uint16_t refusing = dial_rig_refusing(&rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);

	dial_rig_pool(&rig, LOCAL, refusing, LOCAL, port, NULL);
	dial_rig_dial(&rig, 0, 2000);
	dial_rig_finish(&rig);
	expect_reached(&rig, 1, at_port(port));
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 1);
	cr_expect_not(dial_rig_status(&rig, 0).healthy);
	cr_expect(dial_rig_status(&rig, 1).healthy);
}

Test(proxy_dial, goes_on_from_a_target_that_keeps_silent_within_its_time)
{
	DIAL_RIG(rig);
	uint16_t silent = dial_rig_silent(&rig, NULL);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);

	dial_rig_pool(&rig, LOCAL, silent, LOCAL, port, NULL);
	dial_rig_dial(&rig, 0, 600);
	dial_rig_finish(&rig);
	expect_reached(&rig, 1, at_port(port));
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 1);
}

Test(proxy_dial, goes_on_from_a_name_that_nobody_answers_for)
{
	static const struct dns_row rows[] = { { .family = AF_INET, .what = DNS_SILENCE },
					       { .family = AF_INET6, .what = DNS_SILENCE } };
	DIAL_RIG(rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);

	dns_set(&rig.dns, rows, 2);
	dial_rig_pool(&rig, "db.seal.test", 1, LOCAL, port, NULL);
	dial_rig_dial(&rig, 0, 400);
	dial_rig_finish(&rig);
	expect_reached(&rig, 1, at_port(port));
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 1);
}

Test(proxy_dial, tries_what_was_tried_before_only_when_the_others_fail)
{
	DIAL_RIG(rig);
	uint16_t first = dial_rig_listener(&rig, NULL, 0);
	uint16_t second = dial_rig_listener(&rig, NULL, 0);

	dial_rig_pool(&rig, LOCAL, first, LOCAL, second, NULL);
	for (int i = 0; i < 3; i++) {
		dial_rig_dial(&rig, 1, 2000);
		dial_rig_finish(&rig);
		expect_reached(&rig, 1, at_port(second));
	}
	proxy_pool_unref(rig.pool);
	dial_rig_pool(&rig, LOCAL, first, LOCAL, dial_rig_refusing(&rig), NULL);
	dial_rig_dial(&rig, 1, 2000);
	dial_rig_finish(&rig);
	expect_reached(&rig, 0, at_port(first));
	dial_rig_dial(&rig, 3, 2000); /* all of them */
	dial_rig_finish(&rig);
	cr_expect_geq(rig.result.fd, 0);
	close(rig.result.fd);
}

static void
open_now(void *arg)
{
	dial_rig_open(arg);
}

Test(proxy_dial, reaches_a_target_that_comes_up_while_there_is_time)
{
	struct seal_timer *timer = NULL;
	DIAL_RIG(rig);
	uint16_t other = dial_rig_refusing(&rig);
	uint16_t port = dial_rig_refusing(&rig);

	dial_rig_pool(&rig, LOCAL, other, LOCAL, port, NULL);
	cr_assert_eq(seal_timer_new(&timer, rig.loop, open_now, &rig, NULL), 0);
	seal_timer_arm(timer, 300);
	dial_rig_dial(&rig, 0, 4000);
	dial_rig_finish(&rig);
	expect_reached(&rig, 1, at_port(port));
	cr_expect_geq(dial_rig_status(&rig, 0).failures, 2, "it was asked once only");
	cr_expect_leq(dial_rig_status(&rig, 0).failures, 6, "it was hammered");
	seal_timer_free(timer);
}

/* ---- Nobody ---- */

Test(proxy_dial, says_which_target_refused_when_the_time_is_up)
{
	DIAL_RIG(rig);
	uint64_t begin = seal_loop_now_ms(rig.loop);
	uint16_t port = dial_rig_refusing(&rig);
	char text[64];

	(void)snprintf(text, sizeof(text), "connect to 127.0.0.1:%u", port);
	dial_rig_pool(&rig, LOCAL, port, NULL);
	dial_rig_dial(&rig, 0, 300);
	dial_rig_finish(&rig);
	cr_expect_eq(rig.result.fd, -1);
	cr_expect_not_null(strstr(rig.result.why.text, text), "%s", rig.result.why.text);
	cr_expect_not_null(strstr(rig.result.why.text, "refused"), "%s", rig.result.why.text);
	cr_expect_leq(seal_loop_now_ms(rig.loop) - begin, 1500);
	cr_expect_eq(dial_rig_status(&rig, 0).connections, 0);
}

Test(proxy_dial, says_which_target_kept_silent)
{
	DIAL_RIG(rig);
	uint16_t port = dial_rig_silent(&rig, NULL);
	uint64_t begin;
	char text[64];

	(void)snprintf(text, sizeof(text), "connect to 127.0.0.1:%u", port);
	dial_rig_pool(&rig, LOCAL, port, NULL);
	begin = seal_loop_now_ms(rig.loop);
	dial_rig_dial(&rig, 0, 300);
	dial_rig_finish(&rig);
	expect_failed(&rig, SEAL_E_TIMEOUT, text);
	expect_failed(&rig, SEAL_E_TIMEOUT, "no answer in time");
	cr_expect_geq(seal_loop_now_ms(rig.loop) - begin, 280);
	cr_expect_leq(seal_loop_now_ms(rig.loop) - begin, 1500);
}

Test(proxy_dial, says_that_there_is_no_such_name)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, "nobody.seal.test", 443, NULL);
	dial_rig_dial(&rig, 0, 300);
	dial_rig_finish(&rig);
	expect_failed(&rig, SEAL_E_MISSING, "connect to nobody.seal.test:443");
	cr_expect_gt(dial_rig_status(&rig, 0).failures, 0);
}

Test(proxy_dial, says_that_a_socket_is_missing)
{
	DIAL_RIG(rig);

	dial_rig_pool_unix(&rig, "/nonexistent/socket");
	dial_rig_dial(&rig, 0, 300); /* fails at once, and still not before this returns */
	dial_rig_finish(&rig);
	expect_failed(&rig, SEAL_E_MISSING, "/nonexistent/socket");
}

Test(proxy_dial, without_any_time_fails_at_once)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, LOCAL, dial_rig_listener(&rig, NULL, 0), NULL);
	dial_rig_dial(&rig, 0, 0);
	dial_rig_finish(&rig);
	expect_failed(&rig, SEAL_E_TIMEOUT, "");
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 0, "nobody asked it");
}

Test(proxy_dial, does_not_blame_a_target_for_descriptors_that_we_have_not)
{
	DIAL_RIG(rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);
	int lowest = dup(0);
	struct rlimit limit;

	dial_rig_pool(&rig, LOCAL, port, NULL);
	close(lowest);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)lowest;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	dial_rig_dial(&rig, 0, 200);
	dial_rig_finish(&rig);
	expect_failed(&rig, SEAL_E_LIMIT, at_port(port));
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 0);
	cr_expect(dial_rig_status(&rig, 0).healthy);
}

static void
serve_again(void *arg)
{
	(void)arg;
	dial_rig_fail_connects(0);
}

Test(proxy_dial, blames_no_target_for_what_we_ran_out_of_ourselves)
{
	static const struct {
		int errnum;
		const char *why;
	} rows[] = {
		{ EADDRNOTAVAIL, "no port or address of ours" },
		{ EMFILE, "no descriptor" },
		{ ENFILE, "no descriptor" },
		{ ENOBUFS, "no memory" },
		{ ENOMEM, "no memory" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		DIAL_RIG(rig);
		uint16_t port = dial_rig_listener(&rig, NULL, 0);

		dial_rig_pool(&rig, LOCAL, port, NULL);
		dial_rig_fail_connects(rows[i].errnum);
		dial_rig_dial(&rig, 0, 200);
		dial_rig_finish(&rig);
		expect_failed(&rig, SEAL_E_LIMIT, at_port(port));
		cr_expect_not_null(strstr(rig.result.why.text, rows[i].why), "%s",
				   rig.result.why.text);
		cr_expect_eq(dial_rig_status(&rig, 0).failures, 0, "%s", rows[i].why);
		cr_expect(dial_rig_status(&rig, 0).healthy);
	}
}

Test(proxy_dial, blames_a_target_for_what_is_not_our_shortage)
{
	static const int errnums[] = { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT };

	for (size_t i = 0; i < SEAL_COUNT(errnums); i++) {
		DIAL_RIG(rig);

		dial_rig_pool(&rig, LOCAL, dial_rig_listener(&rig, NULL, 0), NULL);
		dial_rig_fail_connects(errnums[i]);
		dial_rig_dial(&rig, 0, 200);
		dial_rig_finish(&rig);
		cr_expect_gt(dial_rig_status(&rig, 0).failures, 0, "%s", strerror(errnums[i]));
		cr_expect_not(dial_rig_status(&rig, 0).healthy);
	}
}

Test(proxy_dial, connects_as_soon_as_a_shortage_is_over)
{
	DIAL_RIG(rig);
	struct seal_timer *timer = NULL;

	dial_rig_pool(&rig, LOCAL, dial_rig_listener(&rig, NULL, 0), NULL);
	dial_rig_fail_connects(EADDRNOTAVAIL);
	cr_assert_eq(seal_timer_new(&timer, rig.loop, serve_again, NULL, NULL), 0);
	seal_timer_arm(timer, 150);
	dial_rig_dial(&rig, 0, 3000);
	dial_rig_finish(&rig);
	seal_timer_free(timer);
	cr_expect_geq(rig.result.fd, 0, "%s", rig.result.why.text);
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 0);
}

/* ---- Given up ---- */

/* Every phase is left at some moment; none may leave anything behind. */
static void
give_up_after(struct dial_rig *rig, uint64_t ms)
{
	size_t before = dial_rig_descriptors();

	dial_rig_dial(rig, 0, 5000);
	if (ms > 0)
		dial_rig_run_for(rig, ms);
	cr_assert_eq(rig->fired, 0);
	proxy_dial_free(SEAL_TAKE(rig->dial));
	cr_expect_eq(dial_rig_descriptors(), before, "after %d ms", (int)ms);
	cr_expect_eq(dial_rig_status(rig, 0).connections, 0);
	dial_rig_run_for(rig, 30);
	cr_expect_eq(rig->fired, 0, "called after it was given up");
}

Test(proxy_dial, given_up_while_connecting_leaves_nothing)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, LOCAL, dial_rig_silent(&rig, NULL), NULL);
	give_up_after(&rig, 0);
	give_up_after(&rig, 20);
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 0, "nobody knows");
}

Test(proxy_dial, given_up_before_an_outcome_is_seen_leaves_nothing)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, LOCAL, dial_rig_listener(&rig, NULL, 0), NULL);
	give_up_after(&rig, 0);
	proxy_pool_unref(rig.pool);
	dial_rig_pool(&rig, LOCAL, dial_rig_refusing(&rig), NULL);
	give_up_after(&rig, 0);
}

Test(proxy_dial, given_up_while_two_addresses_race_leaves_nothing)
{
	static const char hosts[] = "127.0.0.2 both.seal.test\n127.0.0.3 both.seal.test\n";
	DIAL_RIG(rig);
	uint16_t port = dial_rig_silent(&rig, "127.0.0.2");

	(void)dial_rig_silent(&rig, "127.0.0.3");
	dns_write_hosts(&rig.dns, hosts, strlen(hosts));
	dial_rig_pool(&rig, "both.seal.test", port, NULL);
	give_up_after(&rig, 0);
	give_up_after(&rig, 150);
}

Test(proxy_dial, given_up_while_a_name_is_asked_for_leaves_nothing)
{
	static const struct dns_row rows[] = { { .family = AF_INET, .what = DNS_SILENCE },
					       { .family = AF_INET6, .what = DNS_SILENCE } };
	DIAL_RIG(rig);

	dns_set(&rig.dns, rows, 2);
	dial_rig_pool(&rig, "db.seal.test", 1, NULL);
	dial_rig_dial(&rig, 0, 5000); /* the resolver's own socket stays for the next question */
	dial_rig_run_for(&rig, 20);
	proxy_dial_free(SEAL_TAKE(rig.dial));
	give_up_after(&rig, 0);
	give_up_after(&rig, 20);
}

Test(proxy_dial, given_up_in_a_pause_leaves_nothing)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, LOCAL, dial_rig_refusing(&rig), NULL);
	give_up_after(&rig, 50);
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 1);
	give_up_after(&rig, 200);
}

Test(proxy_dial, given_up_before_its_failure_was_told_leaves_nothing)
{
	DIAL_RIG(rig);

	dial_rig_pool_unix(&rig, "/nonexistent/socket");
	dial_rig_dial(&rig, 0, 0);
	proxy_dial_free(SEAL_TAKE(rig.dial));
	dial_rig_run_for(&rig, 20);
	cr_expect_eq(rig.fired, 0);
	proxy_dial_free(NULL);
}

Test(proxy_dial, holds_the_pool_for_as_long_as_it_needs_it)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, LOCAL, dial_rig_refusing(&rig), NULL);
	dial_rig_dial(&rig, 0, 200);
	proxy_pool_unref(SEAL_TAKE(rig.pool));
	dial_rig_finish(&rig);
	cr_expect_eq(rig.result.fd, -1);
}

/* ---- Without memory ---- */

static void
on_dialled(void *arg, const struct proxy_dial_result *result)
{
	struct dial_rig *rig = arg;

	rig->fired++;
	rig->result = *result;
	seal_loop_stop(rig->loop);
}

/* One dial whose n-th allocation fails; true: there was one. */
static bool
dial_without_memory(const char *host, size_t n)
{
	static const char hosts[] = LOCAL " db.seal.test\n";
	DIAL_RIG(rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);
	struct proxy_dial_config config = { .timeout_ms = 1500 };
	bool is_name = strcmp(host, LOCAL) != 0;
	size_t before = dial_rig_descriptors();
	bool failed;
	int r;

	/* No name server: what libevent loses when its own allocations fail is not ours to find. */
	dns_write_hosts(&rig.dns, hosts, strlen(hosts));
	dial_rig_pool(&rig, host, port, NULL);
	config.pool = rig.pool;
	alloc_fail_at(n);
	r = proxy_dial_new(&rig.dial, rig.loop, &config, on_dialled, &rig, NULL);
	if (r == 0)
		dial_rig_run(&rig);
	failed = alloc_call_off();
	cr_expect_eq(rig.fired, r == 0 ? 1u : 0u);
	cr_expect_eq(rig.dial == NULL, r < 0);
	cr_expect(r == 0 || r == SEAL_E_MEMORY);
	cr_expect(failed || rig.result.fd >= 0, "%s", rig.result.why.text);
	if (r == 0 && rig.result.fd >= 0) {
		close(rig.result.fd);
		proxy_pool_release(rig.pool, 0);
	}
	proxy_dial_free(SEAL_TAKE(rig.dial));
	cr_expect_eq(dial_rig_status(&rig, 0).connections, 0);
	/* A resolver keeps its sockets, and what it could not read it takes for empty. */
	if (!is_name) {
		cr_expect_eq(dial_rig_descriptors(), before, "allocation %zu", n);
		cr_expect_eq(dial_rig_status(&rig, 0).failures, 0, "allocation %zu", n);
	}
	return failed;
}

Test(proxy_dial, without_memory_tries_again_or_fails_and_leaves_nothing)
{
	static const char *const hosts[] = { LOCAL, "db.seal.test" };

	for (size_t i = 0; i < SEAL_COUNT(hosts); i++)
		for (size_t n = 1; dial_without_memory(hosts[i], n); n++)
			cr_assert_lt(n, 1000);
}

/* ---- At once ---- */

Test(proxy_dial, reaches_a_target_on_this_machine_at_once)
{
	DIAL_RIG(rig);
	uint16_t port = dial_rig_listener(&rig, NULL, 0);

	dial_rig_pool(&rig, LOCAL, port, NULL);
	cr_assert(proxy_dial_at_once(rig.pool, 0, &rig.result));
	expect_reached(&rig, 0, at_port(port));
}

Test(proxy_dial, leaves_everybody_else_to_the_long_way)
{
	DIAL_RIG(rig);
	uint16_t refusing = dial_rig_refusing(&rig);
	uint16_t silent = dial_rig_silent(&rig, NULL);
	size_t before = dial_rig_descriptors();

	dial_rig_pool(&rig, LOCAL, refusing, NULL);
	cr_expect_not(proxy_dial_at_once(rig.pool, 0, &rig.result), "refused");
	cr_expect_eq(dial_rig_status(&rig, 0).connections, 0);
	cr_expect_not(proxy_dial_at_once(rig.pool, 1, &rig.result), "tried already");
	proxy_pool_unref(rig.pool);
	dial_rig_pool(&rig, LOCAL, silent, NULL);
	cr_expect_not(proxy_dial_at_once(rig.pool, 0, &rig.result), "silent");
	cr_expect_eq(dial_rig_status(&rig, 0).connections, 0);
	proxy_pool_unref(rig.pool);
	dial_rig_pool(&rig, "localhost", refusing, NULL);
	cr_expect_not(proxy_dial_at_once(rig.pool, 0, &rig.result), "a name");
	cr_expect_eq(dial_rig_descriptors(), before, "a descriptor is left behind");
}

/* What a connection does: at once if that is possible, else the long way. */
static unsigned
dial_both_ways(struct dial_rig *rig)
{
	rig->result = (struct proxy_dial_result){ .fd = -1 };
	if (!proxy_dial_at_once(rig->pool, 0, &rig->result)) {
		rig->fired = 0;
		dial_rig_dial(rig, 0, 2000);
		dial_rig_finish(rig);
	}
	cr_assert_geq(rig->result.fd, 0, "%s", rig->result.why.text);
	close(rig->result.fd);
	proxy_pool_release(rig->pool, rig->result.target);
	return rig->result.target;
}

Test(proxy_dial, takes_equals_in_turn_when_they_cannot_be_reached_at_once)
{
	DIAL_RIG(rig);
	unsigned taken[2] = { 0 };

	dial_rig_pool(&rig, "localhost", dial_rig_listener(&rig, NULL, 0), "localhost",
		      dial_rig_listener(&rig, NULL, 0), NULL);
	for (int i = 0; i < 6; i++)
		taken[dial_both_ways(&rig)]++;
	cr_expect_eq(taken[0], 3, "%u to %u", taken[0], taken[1]);
}

Test(proxy_dial, blames_a_target_that_refused_at_once)
{
	DIAL_RIG(rig);
	uint16_t refusing = dial_rig_refusing(&rig);

	dial_rig_pool(&rig, LOCAL, dial_rig_listener(&rig, NULL, 0), LOCAL, refusing, LOCAL,
		      dial_rig_listener(&rig, NULL, 0), NULL);
	for (int i = 0; i < 3; i++)
		cr_expect_neq(dial_both_ways(&rig), 1);
	cr_expect_not(dial_rig_status(&rig, 1).healthy, "nobody noticed");
	cr_expect_eq(dial_rig_status(&rig, 1).failures, 1);
}
