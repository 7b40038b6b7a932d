/* SPDX-License-Identifier: Apache-2.0 */
/* base/loop, names: literals, ourselves, and a name server that is played here. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop/loop_internal.h"

/* Nothing here should take so long; a test that hangs fails with this. */
#define TOO_LONG_MS 8000

/* A server's answers, by the type of the question. */
struct dns_script {
	int a; /* a response code, or one of those below */
	int aaaa;
};
#define DNS_ADDRESS 100 /* 192.0.2.9 or 2001:db8::9 */
#define DNS_SILENCE 101

struct rig {
	struct seal_loop *loop;
	struct seal_timer *patience;
	struct seal_resolve *resolve;
	unsigned fired;
	bool out_of_patience;
	struct sockaddr_storage addrs[SEAL_RESOLVE_MAX];
	unsigned count;
	char why[128];
	int dns;
	struct seal_watch *dns_watch;
	struct dns_script script;
	unsigned asked;
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
	rig->dns = -1;
	cr_assert_eq(seal_loop_new(&rig->loop, NULL), 0);
	cr_assert_eq(seal_timer_new(&rig->patience, rig->loop, lose_patience, rig, NULL), 0);
	seal_timer_arm(rig->patience, TOO_LONG_MS);
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
	seal_watch_free(rig->dns_watch);
	if (rig->dns >= 0)
		close(rig->dns);
	seal_timer_free(rig->patience);
	seal_loop_freep(&rig->loop);
}

static void
answered(void *arg, const struct sockaddr_storage *addrs, unsigned count, const char *why)
{
	struct rig *rig = arg;

	rig->count = count;
	if (count > 0)
		memcpy(rig->addrs, addrs, count * sizeof(addrs[0]));
	cr_expect((count == 0) == (why != NULL));
	(void)snprintf(rig->why, sizeof(rig->why), "%s", why != NULL ? why : "");
	stop(rig);
}

static void
resolve(struct rig *rig, const char *host)
{
	rig->fired = 0;
	cr_assert_eq(seal_resolve_new(&rig->resolve, rig->loop, host, 443, answered, rig, NULL), 0);
	cr_assert_not_null(rig->resolve);
	run(rig);
	cr_expect_eq(rig->fired, 1);
	seal_resolve_free(rig->resolve);
	rig->resolve = NULL;
}

static struct sockaddr_in
v4_at(const struct rig *rig, unsigned i)
{
	struct sockaddr_in in;

	cr_assert_lt(i, rig->count);
	cr_assert_eq(rig->addrs[i].ss_family, AF_INET);
	memcpy(&in, &rig->addrs[i], sizeof(in));
	return in;
}

static void
expect_v6_loopback(const struct rig *rig, unsigned i)
{
	struct sockaddr_in6 in6;

	cr_assert_lt(i, rig->count);
	cr_assert_eq(rig->addrs[i].ss_family, AF_INET6);
	memcpy(&in6, &rig->addrs[i], sizeof(in6));
	cr_expect(IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr));
	cr_expect_eq(ntohs(in6.sin6_port), 443);
}

/* The length of the header and the one question of a query, or 0. */
static size_t
question_len(const uint8_t *query, size_t len)
{
	size_t at = 12;

	while (at < len && query[at] != 0)
		at += query[at] + 1u;
	return at + 5 <= len ? at + 5 : 0;
}

/* RFC 1035 section 4: turn the query into its answer; returns its length, 0 for silence. */
static size_t
play_answer(uint8_t *packet, size_t len, const struct dns_script *script)
{
	static const uint8_t a[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 9 };
	static const uint8_t aaaa[] = { 0xc0, 12,   0, 28, 0, 1, 0, 0, 0, 1, 0, 16, 0x20, 0x01,
					0x0d, 0xb8, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,  0,    9 };
	size_t end = question_len(packet, len);
	bool is_a = end > 0 && packet[end - 3] == 1;
	int what = is_a ? script->a : script->aaaa;

	if (end == 0 || what == DNS_SILENCE)
		return 0;
	packet[2] = 0x81; /* a response, recursion desired */
	packet[3] = 0x80; /* recursion available */
	packet[7] = what == DNS_ADDRESS ? 1 : 0;
	packet[11] = 0;
	if (what != DNS_ADDRESS) {
		packet[3] |= (uint8_t)what;
		return end;
	}
	memcpy(packet + end, is_a ? a : aaaa, is_a ? sizeof(a) : sizeof(aaaa));
	return end + (is_a ? sizeof(a) : sizeof(aaaa));
}

static void
serve_dns(void *arg, bool readable, bool writable)
{
	struct rig *rig = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[1024];
	ssize_t len = recvfrom(rig->dns, packet, sizeof(packet) - 64, 0, (struct sockaddr *)&from,
			       &from_len);

	(void)readable;
	(void)writable;
	if (len <= 0)
		return;
	rig->asked++;
	len = (ssize_t)play_answer(packet, (size_t)len, &rig->script);
	if (len > 0)
		cr_expect_eq(sendto(rig->dns, packet, (size_t)len, 0, (struct sockaddr *)&from,
				    from_len),
			     len);
}

/* The loop's resolver asks the server played here, which follows the script. */
static void
play_dns(struct rig *rig, struct dns_script script)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	char path[] = "/tmp/seal-resolv-XXXXXX";
	int fd = mkstemp(path);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rig->script = script;
	rig->dns = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_geq(rig->dns, 0);
	cr_assert_eq(bind(rig->dns, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(getsockname(rig->dns, (struct sockaddr *)&in, &len), 0);
	cr_assert_eq(seal_watch_new(&rig->dns_watch, rig->loop, rig->dns, serve_dns, rig, NULL), 0);
	seal_watch_want(rig->dns_watch, true, false);
	cr_assert_geq(fd, 0);
	/* Patience that resolv.conf asks for is not granted. */
	dprintf(fd, "nameserver 127.0.0.1:%u\noptions timeout:30 attempts:9\n", ntohs(in.sin_port));
	close(fd);
	cr_assert_eq(seal_resolve_setup(rig->loop, path, NULL), 0);
	unlink(path);
}

Test(resolve, literals_need_no_resolver)
{
	struct rig rig;

	setup(&rig);
	resolve(&rig, "192.0.2.7");
	cr_assert_eq(rig.count, 1);
	cr_expect_eq(v4_at(&rig, 0).sin_addr.s_addr, inet_addr("192.0.2.7"));
	cr_expect_eq(ntohs(v4_at(&rig, 0).sin_port), 443);
	resolve(&rig, "::1");
	cr_assert_eq(rig.count, 1);
	expect_v6_loopback(&rig, 0);
	teardown(&rig);
}

Test(resolve, localhost_is_always_ourselves)
{
	struct rig rig;

	setup(&rig);
	resolve(&rig, "localhost");
	cr_assert_eq(rig.count, 2);
	cr_expect_eq(v4_at(&rig, 0).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	expect_v6_loopback(&rig, 1);
	teardown(&rig);
}

#define ADDRESS(a, aaaa) ((struct dns_script){ (a), (aaaa) })

Test(resolve, takes_addresses_of_both_families)
{
	struct rig rig;

	setup(&rig);
	play_dns(&rig, ADDRESS(DNS_ADDRESS, DNS_ADDRESS));
	resolve(&rig, "db.shop.seal.test");
	cr_expect_eq(rig.count, 2);
	cr_expect_eq(rig.asked, 2);
	for (unsigned i = 0; i < rig.count; i++) {
		if (rig.addrs[i].ss_family == AF_INET)
			cr_expect_eq(v4_at(&rig, i).sin_addr.s_addr, inet_addr("192.0.2.9"));
	}
	resolve(&rig, "db");
	cr_expect_eq(rig.count, 2);
	teardown(&rig);
}

Test(resolve, one_family_is_answer_enough)
{
	static const struct dns_script scripts[] = {
		{ DNS_ADDRESS, 0 },
		{ DNS_ADDRESS, 3 },
		{ DNS_ADDRESS, DNS_SILENCE },
		{ 0, DNS_ADDRESS },
	};

	for (size_t i = 0; i < SEAL_COUNT(scripts); i++) {
		struct rig rig;
		uint64_t before;

		setup(&rig);
		play_dns(&rig, scripts[i]);
		before = seal_loop_now_ms(rig.loop);
		resolve(&rig, "db.seal.test");
		cr_expect_eq(rig.count, 1, "script %zu: %s", i, rig.why);
		cr_expect_lt(seal_loop_now_ms(rig.loop) - before, 2000, "script %zu", i);
		teardown(&rig);
	}
}

Test(resolve, says_why_there_is_no_address)
{
	static const struct {
		struct dns_script script;
		const char *why;
	} rows[] = {
		{ { 3, 3 }, "no such name" },
		{ { 0, 0 }, "no address" },
		{ { 2, 2 }, "no address" },
		{ { 5, 5 }, "no address" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct rig rig;

		setup(&rig);
		play_dns(&rig, rows[i].script);
		resolve(&rig, "db.seal.test");
		cr_expect_eq(rig.count, 0);
		cr_expect_not_null(strstr(rig.why, rows[i].why), "row %zu: %s", i, rig.why);
		teardown(&rig);
	}
}

Test(resolve, a_dead_server_fails_within_five_seconds)
{
	struct rig rig;
	uint64_t before, after;

	setup(&rig);
	play_dns(&rig, ADDRESS(DNS_SILENCE, DNS_SILENCE));
	before = seal_loop_now_ms(rig.loop);
	resolve(&rig, "db.seal.test");
	after = seal_loop_now_ms(rig.loop);
	cr_expect_eq(rig.count, 0);
	cr_expect_geq(rig.asked, 4, "it tried again");
	cr_expect_not_null(strstr(rig.why, "no address"), "%s", rig.why);
	cr_expect_leq(after - before, 5100);
	teardown(&rig);
}

Test(resolve, needs_a_server_for_names)
{
	struct rig rig;

	setup(&rig);
	cr_assert_eq(seal_resolve_setup(rig.loop, "/no/such/file", NULL), 0);
	resolve(&rig, "db.seal.test");
	cr_expect_eq(rig.count, 0);
	cr_expect_not_null(strstr(rig.why, "no name server"), "%s", rig.why);
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
	static const struct dns_script scripts[] = {
		{ DNS_SILENCE, DNS_SILENCE },
		{ DNS_ADDRESS, DNS_SILENCE },
		{ DNS_ADDRESS, DNS_ADDRESS },
	};

	for (size_t i = 0; i < SEAL_COUNT(scripts) * 4; i++) {
		struct rig rig;

		setup(&rig);
		play_dns(&rig, scripts[i / 4]);
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
free_own_question(void *arg, const struct sockaddr_storage *addrs, unsigned count, const char *why)
{
	struct rig *rig = arg;

	seal_resolve_free(rig->resolve);
	rig->resolve = NULL;
	answered(rig, addrs, count, why);
}

Test(resolve, may_be_freed_in_its_own_callback)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost",
					     "no-such-name.seal.invalid" };
	struct rig rig;

	setup(&rig);
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
