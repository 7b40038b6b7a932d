/* SPDX-License-Identifier: Apache-2.0 */
/* base/loop, names: literals, ourselves, the hosts file, and a name server that is played here. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop/loop_internal.h"
#include "tests/support/alloc.h"
#include "tests/support/dns.h"

/* Nothing here should take so long; a test that hangs fails with this. */
#define TOO_LONG_MS 8000

struct rig {
	struct seal_loop *loop;
	struct seal_timer *patience;
	struct seal_resolve *resolve;
	unsigned fired;
	bool out_of_patience;
	struct seal_addresses found;
	char why[128];
	struct dns dns;
};

static void
lose_patience(void *arg)
{
	struct rig *rig = arg;

	rig->out_of_patience = true;
	seal_loop_stop(rig->loop);
}

static void
stop(void *arg)
{
	struct rig *rig = arg;

	rig->fired++;
	seal_loop_stop(rig->loop);
}

static void
setup(struct rig *rig)
{
	*rig = (struct rig){ 0 };
	cr_assert_eq(seal_loop_new(&rig->loop, NULL), 0);
	cr_assert_eq(seal_timer_new(&rig->patience, rig->loop, lose_patience, rig, NULL), 0);
	seal_timer_arm(rig->patience, TOO_LONG_MS);
	dns_start(&rig->dns, rig->loop);
}

static void
run(struct rig *rig)
{
	cr_assert_eq(seal_loop_run(rig->loop, NULL), 0);
	cr_assert_not(rig->out_of_patience, "nothing happened");
}

/* Run for a while, to see what does not happen. */
static void
run_for(struct rig *rig, uint64_t ms)
{
	struct seal_timer *enough = NULL;

	cr_assert_eq(seal_timer_new(&enough, rig->loop, stop, rig, NULL), 0);
	seal_timer_arm(enough, ms);
	run(rig);
	rig->fired--;
	seal_timer_free(enough);
}

static void
teardown(struct rig *rig)
{
	seal_resolve_free(rig->resolve);
	seal_timer_free(rig->patience);
	dns_stop(&rig->dns);
	seal_loop_freep(&rig->loop);
}

static void
answered(void *arg, const struct seal_addresses *found, const char *why)
{
	struct rig *rig = arg;

	rig->found = *found;
	cr_expect_leq(found->count, SEAL_RESOLVE_MAX);
	cr_expect((found->count == 0) == (why != NULL));
	(void)snprintf(rig->why, sizeof(rig->why), "%s", why != NULL ? why : "");
	stop(rig);
}

/* Returns how long it took. */
static uint64_t
resolve(struct rig *rig, const char *host)
{
	uint64_t before = seal_loop_now_ms(rig->loop);

	rig->fired = 0;
	cr_assert_eq(seal_resolve_new(&rig->resolve, rig->loop, host, 443, answered, rig, NULL), 0);
	cr_assert_not_null(rig->resolve);
	run(rig);
	cr_expect_eq(rig->fired, 1);
	seal_resolve_free(rig->resolve);
	rig->resolve = NULL;
	return seal_loop_now_ms(rig->loop) - before;
}

/* The addresses found, in their order, are exactly these: "192.0.2.9 2001:db8::9". */
static void
expect_found(const struct rig *rig, const char *expected)
{
	char text[SEAL_RESOLVE_MAX * (INET6_ADDRSTRLEN + 1)] = "";

	for (unsigned i = 0; i < rig->found.count; i++) {
		const struct sockaddr_storage *at = &rig->found.at[i];
		char ip[INET6_ADDRSTRLEN] = "?";
		struct sockaddr_in6 in6;
		struct sockaddr_in in;

		memcpy(&in6, at, sizeof(in6));
		memcpy(&in, at, sizeof(in));
		if (at->ss_family == AF_INET)
			(void)inet_ntop(AF_INET, &in.sin_addr, ip, sizeof(ip));
		else
			(void)inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof(ip));
		cr_expect_eq(ntohs(at->ss_family == AF_INET ? in.sin_port : in6.sin6_port), 443);
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			       i > 0 ? " " : "", ip);
	}
	cr_expect_str_eq(text, expected, "%s", rig->why);
}

static void
write_hosts(const struct rig *rig, const char *text)
{
	dns_write_hosts(&rig->dns, text, strlen(text));
}

/* What the server says about every name. */
static void
play(struct rig *rig, int a, int aaaa)
{
	static struct dns_row rows[2];

	rows[0] = (struct dns_row){ NULL, AF_INET, a, 60, { "192.0.2.9" } };
	rows[1] = (struct dns_row){ NULL, AF_INET6, aaaa, 90, { "2001:db8::9" } };
	dns_set(&rig->dns, rows, SEAL_COUNT(rows));
	/* Patience that resolv.conf asks for is not granted. */
	dns_write_resolv_conf(&rig->dns, false, "options timeout:30 attempts:9\n");
}

Test(resolve, literals_need_no_resolver)
{
	struct rig rig;

	setup(&rig);
	resolve(&rig, "192.0.2.7");
	expect_found(&rig, "192.0.2.7");
	cr_expect_eq(rig.found.ttl_s, 0);
	resolve(&rig, "::1");
	expect_found(&rig, "::1");
	cr_expect_eq(rig.found.ttl_s, 0);
	cr_expect_eq(rig.dns.asked, 0);
	teardown(&rig);
}

Test(resolve, localhost_is_always_ourselves)
{
	static const char *const names[] = { "localhost", "localhost.", "LocalHost",
					     "app.localhost" };
	struct rig rig;

	setup(&rig);
	write_hosts(&rig, "192.0.2.1 localhost app.localhost\n");
	play(&rig, DNS_ADDRESS, DNS_ADDRESS);
	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		resolve(&rig, names[i]);
		expect_found(&rig, "127.0.0.1 ::1");
		cr_expect_eq(rig.found.ttl_s, 0);
	}
	cr_expect_eq(rig.dns.asked, 0);
	resolve(&rig, "notlocalhost");
	expect_found(&rig, "2001:db8::9 192.0.2.9");
	teardown(&rig);
}

Test(resolve, takes_addresses_of_both_families)
{
	struct rig rig;

	setup(&rig);
	play(&rig, DNS_ADDRESS, DNS_ADDRESS);
	resolve(&rig, "db.shop.seal.test");
	expect_found(&rig, "2001:db8::9 192.0.2.9");
	cr_expect_eq(rig.found.ttl_s, 60, "the shorter time");
	cr_expect_eq(rig.dns.asked, 2);
	resolve(&rig, "db");
	cr_expect_eq(rig.found.count, 2);
	teardown(&rig);
}

Test(resolve, families_take_turns_and_there_are_eight_addresses_at_most)
{
	static const struct dns_row rows[] = {
		{ "many.test",
		  AF_INET,
		  DNS_ADDRESS,
		  9,
		  { "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6",
		    "192.0.2.7", "192.0.2.8", "192.0.2.9" } },
		{ "many.test", AF_INET6, DNS_ADDRESS, 9, { "2001:db8::1", "2001:db8::2" } },
		{ "one.test", AF_INET, DNS_ADDRESS, 9, { "192.0.2.1" } },
		{ "one.test",
		  AF_INET6,
		  DNS_ADDRESS,
		  9,
		  { "2001:db8::1", "2001:db8::2", "2001:db8::1", "2001:db8::3" } },
	};
	struct rig rig;

	setup(&rig);
	dns_set(&rig.dns, rows, SEAL_COUNT(rows));
	resolve(&rig, "many.test");
	expect_found(&rig, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3 192.0.2.4 "
			   "192.0.2.5 192.0.2.6");
	resolve(&rig, "one.test");
	expect_found(&rig, "2001:db8::1 192.0.2.1 2001:db8::2 2001:db8::3");
	teardown(&rig);
}

Test(resolve, a_time_to_live_is_believed_within_bounds)
{
	static const struct {
		uint32_t said;
		uint32_t believed;
	} rows[] = { { 0, 1 },       { 1, 1 },           { 30, 30 },        { 3600, 3600 },
		     { 3601, 3600 }, { 86400000, 3600 }, { 0x80000000, 1 }, { 0xfffffffe, 1 } };

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		const struct dns_row answers[] = {
			{ NULL, AF_INET, DNS_ADDRESS, rows[i].said, { "192.0.2.9" } },
			{ NULL, AF_INET6, 0, 0, { NULL } },
		};
		struct rig rig;

		setup(&rig);
		dns_set(&rig.dns, answers, SEAL_COUNT(answers));
		resolve(&rig, "db.seal.test");
		expect_found(&rig, "192.0.2.9");
		cr_expect_eq(rig.found.ttl_s, rows[i].believed, "%u: %u", rows[i].said,
			     rig.found.ttl_s);
		teardown(&rig);
	}
}

Test(resolve, one_family_is_answer_enough)
{
	static const struct {
		int a;
		int aaaa;
		uint64_t within_ms;
		uint32_t ttl_s;
	} rows[] = {
		{ DNS_ADDRESS, 0, 50, 60 },
		{ DNS_ADDRESS, 3, 50, 60 },
		{ 0, DNS_ADDRESS, 50, 90 },
		/* What is not known well is asked for again soon. */
		{ DNS_ADDRESS, 2, 50, 5 },
		{ DNS_ADDRESS, DNS_SILENCE, 300, 5 },
		{ DNS_SILENCE, DNS_ADDRESS, 800, 5 },
		{ DNS_ADDRESS, DNS_TRUNCATED, 50, 5 },
		{ DNS_GARBAGE, DNS_ADDRESS, 50, 5 },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct rig rig;

		setup(&rig);
		play(&rig, rows[i].a, rows[i].aaaa);
		cr_expect_leq(resolve(&rig, "db.seal.test"), rows[i].within_ms, "row %zu", i);
		expect_found(&rig, rows[i].a == DNS_ADDRESS ? "192.0.2.9" : "2001:db8::9");
		cr_expect_eq(rig.found.ttl_s, rows[i].ttl_s, "row %zu: %u", i, rig.found.ttl_s);
		teardown(&rig);
	}
}

Test(resolve, says_why_there_is_no_address)
{
	static const struct {
		int a;
		int aaaa;
		const char *why;
	} rows[] = {
		{ 3, 3, "no such name" },
		{ 0, 0, "has no address" },
		{ 2, 2, "no address from" },
		{ 5, 5, "no address from" },
		{ DNS_TRUNCATED, DNS_TRUNCATED, "too long" },
		{ DNS_GARBAGE, DNS_GARBAGE, "no address from" },
		{ DNS_TRUNCATED, 0, "too long" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct rig rig;

		setup(&rig);
		play(&rig, rows[i].a, rows[i].aaaa);
		cr_expect_leq(resolve(&rig, "db.seal.test"), 1000, "row %zu", i);
		cr_expect_eq(rig.found.count, 0);
		cr_expect_not_null(strstr(rig.why, rows[i].why), "row %zu: %s", i, rig.why);
		teardown(&rig);
	}
}

Test(resolve, a_dead_server_fails_within_five_seconds)
{
	struct rig rig;

	setup(&rig);
	play(&rig, DNS_SILENCE, DNS_SILENCE);
	cr_expect_leq(resolve(&rig, "db.seal.test"), 5100);
	cr_expect_eq(rig.found.count, 0);
	cr_expect_geq(rig.dns.asked, 4, "it tried again");
	cr_expect_not_null(strstr(rig.why, "no address"), "%s", rig.why);
	teardown(&rig);
}

Test(resolve, needs_a_server_for_names)
{
	static const char *const files[] = { "", "# nobody\n; here\n", "nameserver\n",
					     "nameserver nonsense\nsearch a b\n",
					     "Nameserver 127.0.0.1\n" };
	struct rig rig;

	setup(&rig);
	seal_resolve_setup(rig.loop, "/no/such/file", "/no/such/file");
	resolve(&rig, "db.seal.test");
	cr_expect_not_null(strstr(rig.why, "no name server"), "%s", rig.why);
	unlink(rig.dns.resolv_conf);
	cr_assert_eq(mkfifo(rig.dns.resolv_conf, 0600), 0);
	seal_resolve_setup(rig.loop, rig.dns.resolv_conf, rig.dns.hosts);
	cr_expect_leq(resolve(&rig, "db.seal.test"), 1000);
	cr_expect_not_null(strstr(rig.why, "no name server"), "%s", rig.why);
	seal_resolve_setup(rig.loop, rig.dns.resolv_conf, rig.dns.hosts);
	for (size_t i = 0; i < SEAL_COUNT(files); i++) {
		dns_write_resolv_conf(&rig.dns, true, files[i]);
		resolve(&rig, "db.seal.test");
		cr_expect_eq(rig.found.count, 0);
		cr_expect_not_null(strstr(rig.why, "no name server"), "file %zu: %s", i, rig.why);
	}
	teardown(&rig);
}

Test(resolve, files_that_are_no_files_stop_nobody)
{
	struct rig rig;

	setup(&rig);
	play(&rig, DNS_ADDRESS, 0);
	unlink(rig.dns.hosts);
	cr_assert_eq(mkfifo(rig.dns.hosts, 0600), 0);
	cr_expect_leq(resolve(&rig, "db.seal.test"), 1000);
	expect_found(&rig, "192.0.2.9");
	unlink(rig.dns.resolv_conf);
	cr_assert_eq(mkfifo(rig.dns.resolv_conf, 0600), 0);
	cr_expect_leq(resolve(&rig, "db.seal.test"), 1000);
	expect_found(&rig, "192.0.2.9"); /* from the servers there were */
	unlink(rig.dns.resolv_conf);
	resolve(&rig, "db.seal.test");
	expect_found(&rig, "192.0.2.9");
	dns_write_resolv_conf(&rig.dns, true, "# nobody\n");
	resolve(&rig, "db.seal.test");
	cr_expect_not_null(strstr(rig.why, "no name server"), "%s", rig.why);
	teardown(&rig);
}

Test(resolve, follows_a_changed_resolv_conf)
{
	struct rig rig;
	struct dns other;

	setup(&rig);
	play(&rig, DNS_ADDRESS, 0);
	resolve(&rig, "db.seal.test");
	cr_expect_eq(rig.dns.asked, 2);
	dns_start(&other, rig.loop); /* the loop reads its files now: back to ours */
	seal_resolve_setup(rig.loop, rig.dns.resolv_conf, rig.dns.hosts);
	dns_set(&other, rig.dns.rows, rig.dns.row_count);
	/* One question stays with the old server while another goes to the new one. */
	cr_assert_eq(seal_resolve_new(&rig.resolve, rig.loop, "old.seal.test", 443, answered, &rig,
				      NULL),
		     0);
	for (unsigned i = 0; i < 20; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\n#%u\n", other.port, i);
		dns_write_resolv_conf(&rig.dns, true, text);
		if (i == 0) {
			run(&rig);
			expect_found(&rig, "192.0.2.9");
			seal_resolve_free(rig.resolve);
			rig.resolve = NULL;
			cr_expect_eq(rig.dns.asked, 4);
		}
		resolve(&rig, "db.seal.test");
		expect_found(&rig, "192.0.2.9");
		cr_expect_eq(other.asked, 2 * (i + 1));
	}
	cr_expect_eq(rig.dns.asked, 4);
	cr_expect_null(rig.loop->servers->next, "old servers pile up");
	dns_stop(&other);
	teardown(&rig);
}

Test(resolve, searches_as_resolv_conf_says)
{
	static const struct dns_row rows[] = {
		{ "db.one.test", AF_INET, 0, 9, { NULL } },
		{ "db.one.test", AF_INET6, 0, 9, { NULL } },
		{ "db.two.test", AF_INET, DNS_ADDRESS, 9, { "192.0.2.2" } },
		{ "db.three.test", AF_INET6, DNS_ADDRESS, 9, { "2001:db8::3" } },
		{ "a.b", AF_INET, DNS_ADDRESS, 9, { "192.0.2.4" } },
		{ "a.b.two.test", AF_INET, DNS_ADDRESS, 9, { "192.0.2.5" } },
		{ "broken.one.test", AF_INET, 2, 9, { NULL } },
		{ "broken.one.test", AF_INET6, 2, 9, { NULL } },
		{ "broken", AF_INET, DNS_ADDRESS, 9, { "192.0.2.6" } },
	};
	struct rig rig;

	setup(&rig);
	dns_set(&rig.dns, rows, SEAL_COUNT(rows));
	dns_write_resolv_conf(&rig.dns, false,
			      "domain no.test\nsearch one.test .two.test. three.test\n");
	resolve(&rig, "db");
	expect_found(&rig, "192.0.2.2"); /* and not the AAAA of another name */
	resolve(&rig, "a.b");
	expect_found(&rig, "192.0.2.4");
	resolve(&rig, "db.");
	cr_expect_str_eq(rig.why, "no such name");
	cr_expect_str_eq(rig.dns.last, "db");
	resolve(&rig, "broken");
	expect_found(&rig, "192.0.2.6");
	resolve(&rig, "missing");
	cr_expect_str_eq(rig.why, "no such name");
	cr_expect_str_eq(rig.dns.last, "missing");
	dns_write_resolv_conf(&rig.dns, false,
			      "search one.test two.test\noptions rotate ndots:2\n");
	resolve(&rig, "a.b");
	expect_found(&rig, "192.0.2.5");
	teardown(&rig);
}

Test(resolve, the_hosts_file_comes_first_and_is_read_again)
{
	struct rig rig;

	setup(&rig);
	play(&rig, DNS_ADDRESS, 0);
	write_hosts(&rig, "# 192.0.2.1 db.test\n"
			  "\t192.0.2.2\tother db.test # db.test\r\n"
			  "not-an-address db.test\n"
			  "192.0.2.3 xdb.test db.testx #db.test\n"
			  "192.0.2.256 db.test\n"
			  "2001:db8::1 DB.test\n"
			  "192.0.2.2 db.test\n"
			  "fe80::1%lo db.test\n"
			  "192.0.2.4\n\n"
			  "192.0.2.5 db.test");
	resolve(&rig, "db.test");
	expect_found(&rig, "2001:db8::1 192.0.2.2 192.0.2.5");
	cr_expect_eq(rig.found.ttl_s, 5);
	cr_expect_eq(rig.dns.asked, 0);
	write_hosts(&rig, "192.0.2.7 db.test\n");
	resolve(&rig, "db.test");
	expect_found(&rig, "192.0.2.7");
	write_hosts(&rig, "192.0.2.8 db.test\n"); /* of the same length */
	resolve(&rig, "db.test");
	expect_found(&rig, "192.0.2.8");
	write_hosts(&rig, "\n");
	resolve(&rig, "db.test");
	expect_found(&rig, "192.0.2.9");
	cr_expect_eq(rig.dns.asked, 2);
	/* No servers are needed for what is in the file. */
	dns_write_resolv_conf(&rig.dns, true, "");
	write_hosts(&rig, "192.0.2.8 db.test\n");
	resolve(&rig, "db.test");
	expect_found(&rig, "192.0.2.8");
	teardown(&rig);
}

Test(resolve, a_hosts_file_that_is_too_long_says_nothing)
{
	static char text[SEAL_SYSTEM_FILE_MAX + 2];
	static const char line[] = "192.0.2.8 db.test\n";
	struct rig rig;

	setup(&rig);
	play(&rig, DNS_ADDRESS, 0);
	memset(text, '\n', sizeof(text));
	memcpy(text, line, strlen(line));
	text[100] = '\0'; /* nor does a NUL end it */
	memcpy(text + SEAL_SYSTEM_FILE_MAX - strlen(line), "192.0.2.6 db.test\n", strlen(line));
	dns_write_hosts(&rig.dns, text, SEAL_SYSTEM_FILE_MAX);
	resolve(&rig, "db.test");
	expect_found(&rig, "192.0.2.8 192.0.2.6");
	dns_write_hosts(&rig.dns, text, SEAL_SYSTEM_FILE_MAX + 1);
	resolve(&rig, "db.test");
	expect_found(&rig, "192.0.2.9");
	teardown(&rig);
}

Test(resolve, refuses_what_is_no_name)
{
	char name[300];
	struct rig rig;

	setup(&rig);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_expect_eq(seal_resolve_new(&rig.resolve, rig.loop, "", 1, answered, &rig, NULL),
		     SEAL_E_FORMAT);
	cr_expect_eq(seal_resolve_new(&rig.resolve, rig.loop, name, 1, answered, &rig, NULL),
		     SEAL_E_FORMAT);
	cr_expect_null(rig.resolve);
	cr_expect_eq(rig.fired, 0);
	teardown(&rig);
}

Test(resolve, a_forgotten_question_is_never_answered)
{
	static const int scripts[][2] = {
		{ DNS_SILENCE, DNS_SILENCE },
		{ DNS_ADDRESS, DNS_SILENCE },
		{ DNS_ADDRESS, DNS_ADDRESS },
		{ 3, 3 },
	};

	for (size_t i = 0; i < SEAL_COUNT(scripts) * 4; i++) {
		struct rig rig;

		setup(&rig);
		play(&rig, scripts[i / 4][0], scripts[i / 4][1]);
		dns_write_resolv_conf(&rig.dns, false, "search a.test b.test\n");
		cr_assert_eq(seal_resolve_new(&rig.resolve, rig.loop, "db.seal.test", 1, answered,
					      &rig, NULL),
			     0);
		/* Before anything was sent, and at several points of the exchange. */
		for (size_t turn = 0; turn < i % 4 && rig.fired == 0; turn++)
			run_for(&rig, 1);
		seal_resolve_free(rig.resolve);
		rig.resolve = NULL;
		rig.fired = 0;
		if (i % 2 == 0) /* else the loop goes while the resolver still holds it */
			run_for(&rig, 20);
		cr_expect_eq(rig.fired, 0);
		teardown(&rig);
		cr_expect_eq(rig.fired, 0);
	}
}

static void
free_own_question(void *arg, const struct seal_addresses *found, const char *why)
{
	struct rig *rig = arg;

	seal_resolve_free(rig->resolve);
	rig->resolve = NULL;
	answered(rig, found, why);
}

Test(resolve, may_be_freed_in_its_own_callback)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost", "in-the-file.test",
					     "no-such-name.seal.invalid" };
	struct rig rig;

	setup(&rig);
	write_hosts(&rig, "192.0.2.8 in-the-file.test\n");
	for (size_t i = 0; i < SEAL_COUNT(hosts); i++) {
		rig.fired = 0;
		cr_assert_eq(seal_resolve_new(&rig.resolve, rig.loop, hosts[i], 1,
					      free_own_question, &rig, NULL),
			     0);
		run(&rig);
		cr_expect_eq(rig.fired, 1, "%s", hosts[i]);
		cr_expect_null(rig.resolve);
	}
	seal_resolve_free(NULL);
	teardown(&rig);
}

Test(resolve, fails_cleanly_without_memory)
{
	static const char *const hosts[] = { "127.0.0.1", "db.seal.test" };

	for (size_t i = 0; i < SEAL_COUNT(hosts); i++) {
		bool failed = true;

		for (size_t n = 1; failed; n++) {
			struct seal_err err = { 0 };
			struct rig rig;
			int r;

			setup(&rig);
			play(&rig, DNS_ADDRESS, DNS_ADDRESS);
			alloc_fail_at(n);
			r = seal_resolve_new(&rig.resolve, rig.loop, hosts[i], 443, answered, &rig,
					     &err);
			failed = alloc_call_off();
			if (r < 0)
				cr_expect_null(rig.resolve);
			else if (rig.fired == 0)
				run(&rig);
			cr_expect_eq(rig.fired, r < 0 ? 0 : 1);
			teardown(&rig);
		}
	}
}
