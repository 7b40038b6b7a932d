/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can the clock be right?  The store keeps when something was last issued, to the minute.  A clock that is before
 * that, or more than a year behind it, has jumped, and nothing is issued until it is set right or an operator says that it is:
 * certificates of a wrong time are refused by everyone, or outlive what they were meant for.
 */

#include <inttypes.h>
#include <time.h>

#include "rot/server/api_internal.h"

/* Replicas' clocks differ a little, and are set back a little. */
#define BACK_SECONDS 300
/* A root of trust that runs writes it down each day: it was off for so long, or the clock is wrong. */
#define AHEAD_SECONDS (INT64_C(366) * 86400)
#define WRITE_SECONDS 60

static bool
can_be(int64_t recorded, int64_t now)
{
	return recorded == 0 || (now >= recorded - BACK_SECONDS && now <= recorded + AHEAD_SECONDS);
}

static void
say_time(int64_t time, char text[static 32])
{
	struct tm tm = { 0 };
	time_t seconds = (time_t)time;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(text, 32, "%" PRId64, time);
}

static int
fail(int64_t recorded, int64_t now, struct seal_err *err)
{
	char then[32], today[32];

	say_time(recorded, then);
	say_time(now, today);
	return seal_fail(
		err, SEAL_E_SYSTEM,
		"the clock has jumped: it is %s here, and something was issued at %s: set the "
		"clock right, or, if it is, restart seal-rot with --accept-clock",
		today, then);
}

int
rot_clock_check(struct rot_api *api, int64_t now, struct seal_err *err)
{
	int64_t recorded = 0;
	int r;

	if (now < SEAL_CLOCK_FLOOR)
		return seal_fail(err, SEAL_E_SYSTEM, "the clock of this machine is not set");
	if (api->recorded_at != 0 && can_be(api->recorded_at, now))
		return 0;
	/* Perhaps another replica, or an operator, has said so. */
	r = rot_store_clock(api->config.store, &recorded, err);
	if (r < 0)
		return r;
	if (recorded != 0)
		api->recorded_at = recorded;
	/* A store of before this was kept still knows when it was made. */
	if (now < api->meta.created_at - BACK_SECONDS)
		return fail(api->meta.created_at, now, err);
	return can_be(recorded, now) ? 0 : fail(recorded, now, err);
}

int
rot_clock_use(struct rot_api *api, int64_t now, struct seal_err *err)
{
	int64_t recorded = 0;
	int r = rot_clock_check(api, now, err);

	if (r < 0)
		return r;
	if (api->recorded_at != 0 && now < api->recorded_at + WRITE_SECONDS)
		return 0;
	r = rot_store_clock(api->config.store, &recorded, err);
	if (r < 0)
		return r;
	/* What is remembered here is what was committed: a batch may fail yet. */
	if (recorded != 0)
		api->recorded_at = recorded;
	return now < recorded + WRITE_SECONDS ? 0
					      : rot_store_set_clock(api->config.store, now, err);
}
