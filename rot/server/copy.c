/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a store in as many transactions as the target's engine needs, and proves that it has arrived. */

#include "rot/server/copy.h"

#include <inttypes.h>

/* For SQLite, a second's work; etcd says itself how many it takes, of so many bytes (its limit is 1.5 MiB). */
#define STEP_RECORDS 10000u
#define STEP_BYTES   (384u * 1024)

/* ---- Sums ---- */

struct summing {
	struct seal_digest *digest;
	uint64_t records;
};

static void
release_summing(struct summing *summing)
{
	seal_digest_free(summing->digest);
}

static void
put_number(uint8_t *out, size_t len, size_t number)
{
	for (size_t i = len; i-- > 0; number >>= 8)
		out[i] = (uint8_t)number;
}

static int
add_to_sum(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct summing *summing = arg;
	uint8_t head[ROT_RECORD_HEAD], number[ROT_RECORD_LEN];
	int r;

	put_number(head, sizeof(head), strlen(key));
	put_number(number, sizeof(number), len);
	summing->records++;
	r = seal_digest_add(summing->digest, head, sizeof(head), err);
	if (r == 0)
		r = seal_digest_add(summing->digest, key, strlen(key), err);
	if (r == 0)
		r = seal_digest_add(summing->digest, number, sizeof(number), err);
	return r < 0 ? r : seal_digest_add(summing->digest, value, len, err);
}

int
rot_sum_source(const struct rot_source *source, struct rot_sum *ret_sum, struct seal_err *err)
{
	SEAL_SCOPED(release_summing) struct summing summing = { .digest = NULL };
	struct rot_sum sum;
	int r = seal_digest_new(&summing.digest, err);

	if (r == 0)
		r = source->each(source->arg, add_to_sum, &summing, err);
	if (r == 0)
		r = seal_digest_end(summing.digest, sum.digest, err);
	if (r < 0)
		return r;
	sum.records = summing.records;
	*ret_sum = sum;
	return 0;
}

int
rot_source_kv(void *arg, rot_kv_fn fn, void *fn_arg, struct seal_err *err)
{
	/* Loose: nothing is decided by it, and there is no end to what could be compared. */
	const struct rot_kv_range all = { .loose = true };
	struct rot_kv *kv = arg;
	int r = rot_kv_begin(kv, err);

	if (r == 0)
		r = rot_kv_each(kv, &all, fn, fn_arg, err);
	rot_kv_rollback(kv);
	return r;
}

/* ---- Copying ---- */

struct copying {
	struct rot_kv *to;
	struct summing sum;
	uint64_t records; /* in this transaction */
	uint64_t bytes;
};

static int
end_step(struct copying *copying, struct seal_err *err)
{
	int r = rot_kv_is_open(copying->to) ? rot_kv_commit(copying->to, err) : 0;

	copying->records = copying->bytes = 0;
	return r;
}

static int
copy_one(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct copying *copying = arg;
	struct rot_kv *to = copying->to;
	int r = add_to_sum(&copying->sum, key, value, len, err);

	if (r == 0 && rot_kv_is_open(to) &&
	    (copying->records >= STEP_RECORDS || rot_kv_room(to) < 2 ||
	     (copying->records > 0 && rot_kv_room(to) != UINT64_MAX &&
	      copying->bytes + len > STEP_BYTES)))
		r = end_step(copying, err);
	if (r == 0 && !rot_kv_is_open(to))
		r = rot_kv_begin(to, err);
	if (r == 0)
		r = rot_kv_put(to, key, value, len, err);
	copying->records++;
	copying->bytes += strlen(key) + len;
	return r;
}

static int
copy_all(const struct rot_source *source, struct rot_kv *to, struct rot_sum *sum,
	 struct seal_err *err)
{
	struct copying copying = { .to = to };
	int r = seal_digest_new(&copying.sum.digest, err);

	if (r == 0)
		r = source->each(source->arg, copy_one, &copying, err);
	if (r == 0)
		r = end_step(&copying, err);
	rot_kv_rollback(to);
	if (r == 0)
		r = seal_digest_end(copying.sum.digest, sum->digest, err);
	sum->records = copying.sum.records;
	release_summing(&copying.sum);
	return r;
}

int
rot_copy(const struct rot_source *source, struct rot_kv *to, struct rot_sum *ret_sum,
	 struct seal_err *err)
{
	const struct rot_source back = { .each = rot_source_kv, .arg = to };
	struct rot_sum sum = { .records = 0 }, arrived = { .records = 0 };
	int r = copy_all(source, to, &sum, err);

	if (r == 0)
		r = rot_sum_source(&back, &arrived, err);
	if (r < 0)
		return r;
	if (sum.records != arrived.records ||
	    memcmp(sum.digest, arrived.digest, sizeof(sum.digest)) != 0)
		return seal_fail(err, SEAL_E_SYSTEM,
				 "what was copied is not what was read: %" PRIu64
				 " records instead of %" PRIu64,
				 arrived.records, sum.records);
	*ret_sum = sum;
	return 0;
}
