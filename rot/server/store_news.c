/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When did what pods of a workload are told last change?  Each change gives the workload another epoch, and all
 * processes another word.  No epoch may ever stand for two answers, not even after a backup was restored: it is the
 * clock's microseconds, which a store that went back in time does not go back to; and where the clock does not help (it
 * was ahead once, or stands), the one before and a random step, so that two histories do not meet.
 */

#include <inttypes.h>
#include <time.h>

#include "base/crypto/crypto.h"
#include "rot/server/store_internal.h"

/* What JSON readers keep exactly (RFC 8259 section 6). */
#define EPOCH_MAX ((UINT64_C(1) << 53) - 1)
/* A clock beyond this is wrong, and would use up what is left: the year 2220. */
#define CLOCK_MAX (EPOCH_MAX / 8 * 7)
/* 20 bits: whoever restores a store makes the same epoch again once in a million, should the clock be wrong as well. */
#define STEP_BYTES 3
#define STEP_MASK  0xfffffu

static struct rot_path
epoch_key(const char *workload)
{
	return rot_path("epoch/%s", workload);
}

static int
parse_epoch(const char *key, const void *value, size_t len, uint64_t *ret_epoch,
	    struct seal_err *err)
{
	char text[24];

	if (len >= sizeof(text))
		return rot_fail_damaged(key, err);
	memcpy(text, value, len);
	text[len] = '\0';
	return seal_number_parse(text, 1, EPOCH_MAX, ret_epoch, NULL) < 0
		       ? rot_fail_damaged(key, err)
		       : 0;
}

/* Of the workload's record: 0 for one made before there were epochs of their own. */
static int
read_epoch(struct rot_store *store, const char *workload, uint64_t *ret_epoch, struct seal_err *err)
{
	const struct rot_path key = epoch_key(workload);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ROT_KV_VALUE_MAX);
	int r = rot_kv_get(store->kv, key.text, &text, err);

	*ret_epoch = 0;
	if (r == SEAL_E_MISSING)
		return 0;
	return r < 0 ? r : parse_epoch(key.text, text.data, text.len, ret_epoch, err);
}

static uint64_t
clock_us(void)
{
	struct timespec now = { 0 };
	uint64_t us;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || now.tv_sec < 0)
		return 0;
	us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return us < CLOCK_MAX ? us : 0;
}

static int
draw_epoch(uint64_t before, uint64_t *ret_epoch, struct seal_err *err)
{
	uint8_t raw[STEP_BYTES];
	uint64_t clock = clock_us();
	int r = seal_random(raw, sizeof(raw), err);

	if (r < 0)
		return r;
	before += 1 + (((uint64_t)raw[0] << 16 | (uint64_t)raw[1] << 8 | raw[2]) & STEP_MASK);
	*ret_epoch = before > clock ? before : clock;
	return *ret_epoch <= EPOCH_MAX ? 0 : seal_fail(err, SEAL_E_SYSTEM, "no epochs are left");
}

int
rot_store_set_epoch(struct rot_store *store, const char *workload, uint64_t before,
		    uint64_t *ret_epoch, struct seal_err *err)
{
	char text[24];
	int r = draw_epoch(before, ret_epoch, err);

	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%" PRIu64, *ret_epoch);
	return rot_kv_put(store->kv, epoch_key(workload).text, text, strlen(text), err);
}

int
rot_store_news(struct rot_store *store, const char *workload, struct seal_err *err)
{
	uint64_t epoch = 0;
	int r = read_epoch(store, workload, &epoch, err);

	if (r == 0)
		r = rot_store_set_epoch(store, workload, epoch, &epoch, err);
	return r < 0 ? r : rot_store_touch(store, err);
}

/* ---- Reading ---- */

struct epoch_look {
	const char *workload;
	uint64_t epoch;
};

static int
look_at_epoch(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct epoch_look *look = arg;
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	int r = read_epoch(store, look->workload, &look->epoch, err);

	if (r < 0)
		return r;
	if (look->epoch != 0)
		return rot_store_need_workload(store, look->workload, err);
	r = rot_store_get_pairs(store, look->workload, &pairs, err);
	look->epoch = pairs.epoch;
	return r;
}

int
rot_store_epoch(struct rot_store *store, const char *workload, uint64_t *ret_epoch,
		struct seal_err *err)
{
	struct epoch_look look = { .workload = workload };
	int r = rot_store_look(store, look_at_epoch, &look, err);

	if (r == 0)
		*ret_epoch = look.epoch;
	return r;
}

struct epochs_look {
	rot_epoch_fn fn;
	void *arg;
};

static int
give_epoch(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	const struct epochs_look *look = arg;
	uint64_t epoch = 0;
	int r = parse_epoch(key, value, len, &epoch, err);

	return r < 0 ? r : look->fn(look->arg, key + strlen("epoch/"), epoch, err);
}

static int
look_at_epochs(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct rot_kv_range range = { .from = "epoch/", .to = "epoch0", .loose = true };

	return rot_kv_each(store->kv, &range, give_epoch, arg, err);
}

int
rot_store_each_epoch(struct rot_store *store, rot_epoch_fn fn, void *arg, struct seal_err *err)
{
	struct epochs_look look = { .fn = fn, .arg = arg };

	return rot_store_look(store, look_at_epochs, &look, err);
}
