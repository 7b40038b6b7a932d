/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server: what a root of trust that is left alone renews by itself, and what it does when its clock jumps. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/x509/verify.h"
#include "tests/unit/rot/rig.h"

#define DAY   INT64_C(86400)
#define YEAR  (365 * DAY)
#define STEPS 5000 /* of 2 ms, to wait for something */

static struct rig rig;
static _Atomic int64_t today, signers_today;

static int64_t
fake_clock(void)
{
	return today;
}

static int64_t
signers_clock(void)
{
	return signers_today;
}

static void
set_clock(int64_t time)
{
	signers_today = time;
	today = time;
}

static void
change(struct rot_server_config *config)
{
	config->clock = fake_clock;
	config->tick_ms = 5;
	config->has_health = true;
	config->health.is_unix = true;
	(void)snprintf(config->health.host, sizeof(config->health.host), "%.240s-health",
		       config->local.host);
}

static void
setup(void)
{
	struct seal_json *body = rig_json("{'name':'shop'}");

	(void)alarm(120);
	set_clock(seal_clock_now());
	rig_start(&rig, change);
	rig.signer.state.clock = signers_clock;
	rig_expect(&rig, 201, "POST", "/v1/workloads", body);
	seal_json_free(body);
}

static void
teardown(void)
{
	rig_stop(&rig);
}

TestSuite(rot_upkeep, .init = setup, .fini = teardown);

static struct seal_json *
status(void)
{
	struct seal_json *reply = NULL;

	cr_assert_eq(rig_call(rig.local, "GET", "/v1/status", NULL, &reply), 200);
	return reply;
}

static int64_t
number(const struct seal_json *object, const char *name)
{
	uint64_t value = 0;

	cr_assert_eq(seal_json_get_u64(object, name, INT64_MAX, &value, NULL), 0, "no '%s'", name);
	return (int64_t)value;
}

static const struct seal_json *
array_of(const struct seal_json *object, const char *name)
{
	const struct seal_json *array = NULL;

	cr_assert_eq(seal_json_get_array(object, name, &array, NULL), 0, "no '%s'", name);
	return array;
}

/* When what is called so ends. */
static int64_t
end_of(const char *what)
{
	struct seal_json *shown = status();
	const struct seal_json *expires = array_of(shown, "expires");
	int64_t end = 0;

	for (size_t i = 0; i < seal_json_count(expires); i++) {
		const char *text = NULL;

		cr_assert_eq(seal_json_get_str(seal_json_at(expires, i), "what", &text, NULL), 0);
		if (strcmp(text, what) == 0)
			end = number(seal_json_at(expires, i), "not_after");
	}
	seal_json_free(shown);
	return end;
}

/* The first warning that holds this, or "" when none does. */
static void
find_warning(const char *part, char *out, size_t size)
{
	struct seal_json *shown = status();
	const struct seal_json *warnings = array_of(shown, "warnings");

	out[0] = '\0';
	for (size_t i = 0; i < seal_json_count(warnings) && out[0] == '\0'; i++) {
		const char *text = seal_json_str(seal_json_at(warnings, i));

		if (strstr(text, part) != NULL)
			(void)snprintf(out, size, "%s", text);
	}
	seal_json_free(shown);
}

static void
wait_for_own(int64_t end)
{
	unsigned i = 0;

	while (end_of("rot_certificate") != end && i++ < STEPS)
		(void)usleep(2000);
	cr_assert_eq(end_of("rot_certificate"), end);
}

/* Time goes by, in steps that are no jumps; the upkeep follows. */
static void
live_on(int64_t seconds)
{
	int64_t end = today + seconds;

	while (today < end) {
		int64_t step = end - today < 300 * DAY ? end - today : 300 * DAY;

		set_clock(today + step);
		wait_for_own(today + 7 * DAY);
	}
}

Test(rot_upkeep, makes_its_own_certificate_anew_each_day)
{
	int64_t begin = today;

	wait_for_own(begin + 7 * DAY);
	set_clock(begin + DAY - 10);
	(void)usleep(100000);
	cr_expect_eq(end_of("rot_certificate"), begin + 7 * DAY, "not before");
	set_clock(begin + DAY + 10);
	wait_for_own(begin + 8 * DAY + 10);
}

Test(rot_upkeep, makes_it_anew_after_days_that_failed_and_warns_of_these)
{
	int64_t begin = today;
	char text[512];

	wait_for_own(begin + 7 * DAY);
	find_warning("", text, sizeof(text));
	cr_expect_str_empty(text, "%s", text);
	today = begin + 5 * DAY; /* the signer takes that for a lie */
	(void)usleep(100000);
	cr_expect_eq(end_of("rot_certificate"), begin + 7 * DAY);
	find_warning("own certificate expires", text, sizeof(text));
	cr_expect_not_null(strstr(text, "in 2 day(s)"), "%s", text);
	signers_today = begin + 5 * DAY;
	wait_for_own(begin + 12 * DAY);
	find_warning("", text, sizeof(text));
	cr_expect_str_empty(text, "%s", text);
}

Test(rot_upkeep, makes_it_anew_when_the_clock_was_set)
{
	int64_t begin = today;

	wait_for_own(begin + 7 * DAY);
	set_clock(begin + 20 * DAY); /* a machine that slept */
	wait_for_own(begin + 27 * DAY);
	set_clock(begin + 20 * DAY - 250); /* set back a little */
	wait_for_own(begin + 27 * DAY - 250);
}

static struct seal_certs *
system_ca(void)
{
	struct seal_json *shown = status();
	struct seal_certs *certs = NULL;
	const char *pem = NULL;

	cr_assert_eq(seal_json_get_str(shown, "ca", &pem, NULL), 0);
	cr_assert_eq(seal_certs_from_pem(&certs, pem, strlen(pem), SEAL_CHAIN_MAX_LEN, NULL), 0);
	seal_json_free(shown);
	return certs;
}

static int
verify(const struct seal_certs *anchors, const struct seal_certs *chain)
{
	const struct seal_chain_opts opts = { .now = today, .side = SEAL_SIDE_CLIENT };

	return seal_chain_verify(anchors, chain, &opts, NULL);
}

Test(rot_upkeep, certifies_the_system_ca_again_long_before_its_end_and_not_earlier)
{
	int64_t end = end_of("system_ca");

	cr_assert_gt(end, today + 3640 * DAY);
	live_on(6 * YEAR);
	cr_expect_eq(end_of("system_ca"), end, "two thirds of its life are not over");
	live_on(YEAR);
	cr_expect_gt(end_of("system_ca"), end + 6 * YEAR);
}

Test(rot_upkeep,
     what_either_certificate_of_the_system_ca_is_kept_with_verifies_what_the_other_has_certified)
{
	struct seal_certs *old = system_ca(), *new;
	struct rig_egg before, after;

	live_on(2420 * DAY);
	rig_mint(&rig, "{'workload':'shop','peer':'web'}", &before);
	live_on(20 * DAY);
	new = system_ca();
	rig_mint(&rig, "{'workload':'shop','peer':'web'}", &after);
	cr_expect_eq(verify(old, before.cert), 0);
	cr_expect_eq(verify(new, before.cert), 0);
	cr_expect_eq(verify(old, after.cert), 0);
	cr_expect_eq(verify(new, after.cert), 0);
	set_clock(today + 31 * DAY);
	cr_expect_eq(verify(new, before.cert), SEAL_E_UNAUTH, "that has expired");
	rig_egg_release(&before);
	rig_egg_release(&after);
	seal_certs_free(old);
	seal_certs_free(new);
}

Test(rot_upkeep, certifies_the_cas_of_workloads_again_and_tells_their_pods)
{
	struct seal_json *before = NULL, *after = NULL;
	int64_t end = end_of("workload_ca");

	cr_assert_eq(rig_call(rig.local, "GET", "/v1/workloads/shop", NULL, &before), 200);
	live_on(7 * YEAR);
	cr_assert_eq(rig_call(rig.local, "GET", "/v1/workloads/shop", NULL, &after), 200);
	cr_expect_gt(end_of("workload_ca"), end + 6 * YEAR);
	cr_expect_gt(number(after, "epoch"), number(before, "epoch"));
	cr_expect_eq(number(after, "ca_generation"), 1);
	cr_expect_eq(seal_json_count(array_of(after, "cas")), 1);
	seal_json_free(before);
	seal_json_free(after);
}

/* ---- Clocks that jump ---- */

static unsigned
ready(void)
{
	const struct rot_client_config config = { .unix_path = rig.config.health.host };
	struct rot_client *client = NULL;
	struct seal_bytes reply = SEAL_BYTES(4096);
	unsigned got = 0;

	cr_assert_eq(rot_client_new(&client, &config, NULL), 0);
	cr_assert_eq(rot_client_call(client, "GET", "/readyz", NULL, 0, &got, &reply, NULL), 0);
	rot_client_free(client);
	seal_bytes_release(&reply);
	return got;
}

/* An answer is the last question's. */
static void
expect_ready(unsigned wanted)
{
	unsigned i = 0;

	while (ready() != wanted && i++ < STEPS)
		(void)usleep(2000);
	cr_expect_eq(ready(), wanted);
}

static void
expect_issuing(unsigned wanted)
{
	static unsigned serial;
	struct seal_json *body, *reply = NULL;
	char text[64];

	(void)snprintf(text, sizeof(text), "{'name':'bank-%u'}", serial++);
	body = rig_json(text);
	cr_expect_eq(rig_call(rig.local, "POST", "/v1/workloads", body, &reply), wanted);
	seal_json_free(body);
	seal_json_free(reply);
	cr_assert_eq(rig_call(rig.local, "POST", "/v1/workloads/shop/cas", NULL, &reply),
		     wanted == 201 ? 201 : wanted);
	seal_json_free(reply);
	if (wanted == 201) {
		struct seal_json *shown = NULL;

		cr_assert_eq(rig_call(rig.local, "GET", "/v1/workloads/shop", NULL, &shown), 200);
		(void)snprintf(
			text, sizeof(text), "/v1/workloads/shop/cas/%lld",
			(long long)number(seal_json_at(array_of(shown, "cas"), 0), "generation"));
		rig_expect(&rig, 200, "DELETE", text, NULL);
		seal_json_free(shown);
	}
}

static void
expect_stopped(int64_t jump)
{
	int64_t begin = today, own;
	struct seal_json *body = rig_json("{'name':'none'}");
	char text[512];

	wait_for_own(begin + 7 * DAY);
	own = end_of("rot_certificate");
	set_clock(begin + jump);
	rig_expect_error(rig.local, 503, "unavailable", "the clock has jumped", "POST",
			 "/v1/workloads", body);
	rig_expect_error(rig.local, 503, "unavailable", "--accept-clock", "POST", "/v1/workloads",
			 body);
	expect_issuing(503);
	expect_ready(503);
	find_warning("the clock has jumped", text, sizeof(text));
	cr_expect_not_null(strstr(text, "--accept-clock"), "%s", text);
	cr_expect_eq(end_of("rot_certificate"), own, "what is good is kept");
	set_clock(begin + 60);
	expect_issuing(201);
	expect_ready(200);
	find_warning("", text, sizeof(text));
	cr_expect_str_empty(text, "%s", text);
	seal_json_free(body);
}

Test(rot_upkeep, issues_nothing_by_a_clock_that_is_ten_years_ahead)
{
	expect_stopped(10 * YEAR);
}

Test(rot_upkeep, issues_nothing_by_a_clock_that_is_ten_years_behind)
{
	/* Before the oldest time that a clock may show at all: that is another refusal. */
	expect_stopped(-(today - SEAL_CLOCK_FLOOR) + DAY);
}

Test(rot_upkeep, issues_nothing_by_a_clock_that_is_six_minutes_behind)
{
	expect_stopped(-360);
}

Test(rot_upkeep, issues_by_a_clock_that_is_a_little_behind_or_a_year_ahead)
{
	int64_t begin = today;

	expect_issuing(201);
	set_clock(begin - 240);
	expect_issuing(201);
	set_clock(begin + 364 * DAY);
	expect_issuing(201);
}

Test(rot_upkeep, a_clock_that_was_wrong_and_is_right_again_takes_nothing_with_it)
{
	static const char order[] = "{'workload':'shop','peer':'web'}";
	int64_t begin = today;
	struct rig_egg egg;

	rig_mint(&rig, order, &egg);
	wait_for_own(begin + 7 * DAY);
	set_clock(begin + 10 * YEAR);
	(void)usleep(200000); /* dozens of looks */
	set_clock(begin + 30);
	expect_issuing(201);
	cr_expect_eq(rig_count(rig.db, "egg/"), 1);
	rig_egg_release(&egg);
}

Test(rot_upkeep, a_clock_that_jumps_by_months_is_believed_a_day_later)
{
	struct seal_json *body = rig_json("{'workload':'shop','ttl':3600}");
	struct seal_json *reply = NULL;
	struct seal_key *key = NULL;
	int64_t begin = today, certs;
	char *csr;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	seal_json_set_str(body, "csr", csr);
	cr_assert_eq(rig_call(rig.local, "POST", "/v1/certs", body, &reply), 201);
	wait_for_own(begin + 7 * DAY);
	certs = rig_count(rig.db, "cert/");
	cr_assert_geq(certs, 1);
	set_clock(begin + 200 * DAY);
	wait_for_own(begin + 207 * DAY);
	(void)usleep(100000); /* in which it may look again */
	cr_expect_eq(rig_count(rig.db, "cert/"), certs);
	set_clock(begin + 201 * DAY + 10);
	wait_for_own(begin + 208 * DAY + 10);
	for (unsigned i = 0; rig_count(rig.db, "cert/") >= certs && i < STEPS; i++)
		(void)usleep(2000);
	cr_expect_lt(rig_count(rig.db, "cert/"), certs);
	free(csr);
	seal_key_freep(&key);
	seal_json_free(body);
	seal_json_free(reply);
}
