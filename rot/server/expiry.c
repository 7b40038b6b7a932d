/* SPDX-License-Identifier: Apache-2.0 */
/* What ends when.  One walk over CAs and operators, which is kept for a minute: metrics ask more often than these change. */

#include "rot/server/expiry.h"

#include <inttypes.h>
#include <time.h>

#include "rot/server/api_internal.h"

#define KEPT_SECONDS 60
#define DAY          INT64_C(86400)

const char *
rot_expiry_kind_name(enum rot_expiry_kind kind)
{
	static const char *const names[ROT_EXPIRY_KINDS] = {
		[ROT_EXPIRY_SYSTEM_CA] = "system_ca",
		[ROT_EXPIRY_WORKLOAD_CA] = "workload_ca",
		[ROT_EXPIRY_ROT] = "rot_certificate",
		[ROT_EXPIRY_OPERATOR] = "operator",
	};

	return names[kind];
}

/* ---- Gathering ---- */

struct gathering {
	struct rot_expiries *all;
	int64_t now;
};

static void
take(struct gathering *gathering, const struct rot_expiry *expiry)
{
	struct rot_expiries *all = gathering->all;
	struct rot_expiry *next = &all->next[expiry->kind];

	if (next->not_after == 0 || expiry->not_after < next->not_after)
		*next = *expiry;
	if (gathering->now < expiry->warn_at)
		return;
	if (all->warned_count < ROT_EXPIRY_WARNINGS)
		all->warned[all->warned_count++] = *expiry;
	all->warnings++;
}

static void
set_times(struct rot_expiry *expiry, int64_t not_before, int64_t not_after)
{
	int64_t third = (not_after - not_before) / 3;

	expiry->not_after = not_after;
	expiry->warn_at = not_after - (third < ROT_EXPIRY_WARN ? third : ROT_EXPIRY_WARN);
}

static int
take_ca(void *arg, const struct rot_ca_info *ca, struct seal_err *err)
{
	struct rot_expiry expiry = { .kind = ca->workload[0] != '\0' ? ROT_EXPIRY_WORKLOAD_CA
								     : ROT_EXPIRY_SYSTEM_CA,
				     .generation = ca->generation };
	int64_t not_before = 0, not_after = 0;
	int r = rot_ca_times(ca->cert, &not_before, &not_after, err);

	if (r < 0)
		return r;
	(void)snprintf(expiry.name, sizeof(expiry.name), "%s", ca->workload);
	set_times(&expiry, not_before, not_after);
	take(arg, &expiry);
	return 0;
}

/* Those who have left and were not revoked are nobody's worry. */
static int
take_operator(void *arg, const struct rot_operator *holder, struct seal_err *err)
{
	struct rot_expiry expiry = { .kind = ROT_EXPIRY_OPERATOR };
	struct gathering *gathering = arg;

	(void)err;
	if (holder->revoked_at != 0 || holder->not_after <= gathering->now)
		return 0;
	(void)snprintf(expiry.name, sizeof(expiry.name), "%s/%s", holder->role, holder->name);
	set_times(&expiry, holder->not_after - (int64_t)holder->ttl, holder->not_after);
	take(gathering, &expiry);
	return 0;
}

static int
gather(struct rot_api *api, int64_t now, struct rot_expiries *all, struct seal_err *err)
{
	struct gathering gathering = { .all = all, .now = now };

	int r;

	memset(all, 0, sizeof(*all));
	r = rot_store_every_ca(api->config.store, take_ca, &gathering, err);
	return r < 0 ? r
		     : rot_store_each_operator(api->config.store, "", 0, take_operator, &gathering,
					       err);
}

int
rot_expiries(struct rot_api *api, int64_t now, struct rot_expiries *ret_expiries,
	     struct seal_err *err)
{
	struct gathering gathering = { .all = ret_expiries, .now = now };
	struct rot_expiry own = { .kind = ROT_EXPIRY_ROT };
	int r;

	if (api->expiries == NULL) {
		api->expiries = calloc(1, sizeof(*api->expiries));
		if (api->expiries == NULL)
			return seal_fail_memory(err);
		api->gathered_at = INT64_MIN;
	}
	if (now < api->gathered_at || now - KEPT_SECONDS >= api->gathered_at) {
		r = gather(api, now, api->expiries, err);
		if (r < 0)
			return r;
		api->gathered_at = now;
	}
	*ret_expiries = *api->expiries;
	set_times(&own, api->own_not_before, api->own_not_after);
	if (own.not_after != 0)
		take(&gathering, &own);
	return 0;
}

/* ---- Telling ---- */

static void
say_day(int64_t time, char text[static 32])
{
	struct tm tm = { 0 };
	time_t seconds = (time_t)time;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(text, 32, "%" PRId64, time);
}

static void
say_what(const struct rot_expiry *expiry, char text[static 192])
{
	switch (expiry->kind) {
	case ROT_EXPIRY_SYSTEM_CA:
		(void)snprintf(text, 192, "the system CA");
		return;
	case ROT_EXPIRY_WORKLOAD_CA:
		(void)snprintf(text, 192, "CA generation %" PRIu64 " of workload '%s'",
			       expiry->generation, expiry->name);
		return;
	case ROT_EXPIRY_ROT:
		(void)snprintf(text, 192, "the root of trust's own certificate");
		return;
	case ROT_EXPIRY_OPERATOR:
		(void)snprintf(text, 192, "the certificate of operator '%s'", expiry->name);
		return;
	case ROT_EXPIRY_KINDS:
		break;
	}
	(void)snprintf(text, 192, "something");
}

void
rot_expiry_say(const struct rot_expiry *expiry, int64_t now, char text[static ROT_EXPIRY_TEXT])
{
	const char *remedy = expiry->kind == ROT_EXPIRY_OPERATOR
				     ? "it renews with its next request, or is added again"
				     : "it should have renewed by itself: see the log of seal-rot";
	int64_t days = (expiry->not_after - now) / DAY;
	char what[192], when[32];

	say_what(expiry, what);
	say_day(expiry->not_after, when);
	if (expiry->not_after <= now)
		(void)snprintf(text, ROT_EXPIRY_TEXT, "%s expired at %s: %s", what, when, remedy);
	else
		(void)snprintf(text, ROT_EXPIRY_TEXT, "%s expires at %s, in %" PRId64 " day(s): %s",
			       what, when, days, remedy);
}

static void
set_one(struct seal_json *entry, const struct rot_expiry *expiry)
{
	seal_json_set_str(entry, "what", rot_expiry_kind_name(expiry->kind));
	seal_json_set_str(entry, "name", expiry->name);
	if (expiry->generation != 0)
		seal_json_set_u64(entry, "generation", expiry->generation);
	else
		seal_json_set_null(entry, "generation");
	seal_json_set_u64(entry, "not_after", (uint64_t)expiry->not_after);
}

int
rot_expiry_set(struct rot_api *api, int64_t now, struct seal_json *status, struct seal_err *err)
{
	struct rot_expiries all;
	struct seal_json *list;
	struct seal_err why = { 0 };
	int r;

	api->gathered_at = INT64_MIN; /* who asks for a status has just done something */
	r = rot_expiries(api, now, &all, err);
	if (r < 0)
		return r;
	list = seal_json_set_array(status, "expires");
	for (size_t i = 0; i < ROT_EXPIRY_KINDS; i++) {
		if (all.next[i].not_after != 0)
			set_one(seal_json_add_object(list), &all.next[i]);
	}
	list = seal_json_set_array(status, "warnings");
	if (rot_clock_check(api, now, &why) < 0)
		seal_json_add_str(list, why.text);
	for (size_t i = 0; i < all.warned_count; i++) {
		char text[ROT_EXPIRY_TEXT];

		rot_expiry_say(&all.warned[i], now, text);
		seal_json_add_str(list, text);
	}
	return 0;
}
