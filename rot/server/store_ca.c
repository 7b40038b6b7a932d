/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CAs and their rotation.  All generations of a CA that are in use are one record, the newest last; "active" is the
 * one that signs (absent: the last), a newer one is introduced, those before it are old.  A retired one keeps its
 * certificate in a record of its own, and its key is forgotten.  No generation is given twice.
 *
 *   introduced ──switch──▶ active ──switch to the next──▶ old
 *        └───────────────── retire ───────────────────────┘
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define READ_MAX   64 /* generations in a record; more is damage */
#define FORMER_MAX 8  /* retired ones that pods are told: years, as a rule */

struct ca_entry {
	struct rot_ca ca;
	int64_t created_at;
};

struct cas {
	struct ca_entry items[READ_MAX]; /* the newest last */
	size_t count;
	uint64_t active; /* generations: that signs, */
	uint64_t newest; /* and the newest ever given */
	uint64_t epoch;  /* from which on pods know the newest; 0: from the beginning */
};

static void
release_cas(struct cas *cas)
{
	for (size_t i = 0; i < cas->count; i++)
		rot_ca_release(&cas->items[i].ca);
	cas->count = 0;
}

const char *
rot_phase_name(enum rot_phase phase)
{
	static const char *const names[] = { [ROT_PHASE_INTRODUCED] = "introduced",
					     [ROT_PHASE_ACTIVE] = "active",
					     [ROT_PHASE_OLD] = "old",
					     [ROT_PHASE_RETIRED] = "retired" };

	return names[phase];
}

enum rot_phase
rot_phase_of(uint64_t generation, uint64_t active)
{
	if (generation == active)
		return ROT_PHASE_ACTIVE;
	return generation > active ? ROT_PHASE_INTRODUCED : ROT_PHASE_OLD;
}

/* ---- The record ---- */

static struct rot_path
ca_key(const char *workload)
{
	return rot_path("ca/%s", workload[0] == '\0' ? "-" : workload);
}

static struct rot_path
retired_key(const char *workload, uint64_t generation)
{
	return rot_path("ca-retired/%s/%016" PRIx64, workload, generation);
}

static int
read_entry(const char *key, const char *workload, const struct seal_json *json,
	   struct ca_entry *entry, struct seal_err *err)
{
	static const char *const members[] = { "generation", "created_at", "cert", "wrapped",
					       NULL };
	struct rot_fields fields = { .key = key, .record = json };
	struct rot_ca *ca = &entry->ca;
	const char *cert = NULL;
	int r;

	(void)snprintf(ca->workload, sizeof(ca->workload), "%s", workload);
	seal_bytes_init(&ca->cert, ROT_BLOB_MAX);
	seal_bytes_init(&ca->wrapped, ROT_BLOB_MAX);
	rot_field_u64(&fields, "generation", &ca->generation);
	rot_field_time(&fields, "created_at", &entry->created_at);
	rot_field_bytes(&fields, "wrapped", &ca->wrapped);
	r = seal_json_get_str(json, "cert", &cert, NULL);
	if (r == 0)
		r = seal_bytes_append_str(&ca->cert, cert, NULL);
	if (r < 0)
		fields.failed = r;
	return rot_fields_done(&fields, members, err);
}

static struct ca_entry *
find(struct cas *cas, uint64_t generation)
{
	for (size_t i = 0; i < cas->count; i++) {
		if (cas->items[i].ca.generation == generation)
			return &cas->items[i];
	}
	return NULL;
}

static int
parse_cas(const struct seal_json *record, const char *key, const char *workload, struct cas *cas,
	  struct seal_err *err)
{
	static const char *const members[] = { "generations", "active", "newest", "epoch", NULL };
	struct rot_fields fields = { .key = key, .record = record };
	const struct seal_json *list = NULL;
	int r = 0;

	if (seal_json_get_array(record, "generations", &list, NULL) < 0 ||
	    seal_json_count(list) == 0 || seal_json_count(list) > READ_MAX)
		return rot_fail_damaged(key, err);
	for (size_t i = 0; r == 0 && i < seal_json_count(list); i++)
		r = read_entry(key, workload, seal_json_at(list, i), &cas->items[cas->count++],
			       err);
	if (r < 0)
		return r;
	/* Records of before there was a rotation: the last one signs. */
	cas->active = cas->items[cas->count - 1].ca.generation;
	cas->newest = cas->active;
	rot_field_u64_or(&fields, "active", &cas->active);
	rot_field_u64_or(&fields, "newest", &cas->newest);
	rot_field_u64_or(&fields, "epoch", &cas->epoch);
	r = rot_fields_done(&fields, members, err);
	return r == 0 && find(cas, cas->active) == NULL ? rot_fail_damaged(key, err) : r;
}

static int
read_cas(struct rot_store *store, const char *workload, struct cas *cas, struct seal_err *err)
{
	const struct rot_path key = ca_key(workload);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	int r = 0;

	if (workload[0] != '\0')
		r = rot_store_need_workload(store, workload, err);
	if (r == 0)
		r = rot_record_get(store, key.text, &record, err);
	if (r == SEAL_E_MISSING)
		return rot_store_no_workload(workload, err);
	if (r == 0)
		r = parse_cas(record, key.text, workload, cas, err);
	return r;
}

static void
set_entry(struct seal_json *json, const struct rot_ca *ca, int64_t created_at)
{
	seal_json_set_u64(json, "generation", ca->generation);
	seal_json_set_i64(json, "created_at", created_at);
	seal_json_set_str(json, "cert", seal_bytes_str(&ca->cert));
}

/* With one more, or NULL, and without one, or 0. */
static int
write_cas(struct rot_store *store, const char *workload, const struct cas *cas,
	  const struct ca_entry *fresh, uint64_t without, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	struct seal_json *list = seal_json_set_array(record, "generations");
	size_t count = cas->count + (fresh != NULL ? 1 : 0);

	for (size_t i = 0; i < count; i++) {
		const struct ca_entry *entry = i < cas->count ? &cas->items[i] : fresh;
		struct seal_json *json;

		if (entry->ca.generation == without)
			continue;
		json = seal_json_add_object(list);
		set_entry(json, &entry->ca, entry->created_at);
		rot_set_bytes(json, "wrapped", entry->ca.wrapped.data, entry->ca.wrapped.len);
	}
	seal_json_set_u64(record, "active", cas->active);
	seal_json_set_u64(record, "newest", cas->newest);
	seal_json_set_u64(record, "epoch", cas->epoch);
	return rot_record_put(store, ca_key(workload).text, record, ROT_RECORD_PUT, err);
}

/* ---- Adding one ---- */

static int
check_next(const struct cas *cas, const struct rot_ca *ca, struct seal_err *err)
{
	if (cas->count > 0 && ca->generation != cas->newest + 1)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "the newest CA generation of '%s' is %" PRIu64 " by now",
				 ca->workload, cas->newest);
	if (cas->count >= ROT_MAX_CAS)
		return seal_fail(err, SEAL_E_LIMIT,
				 "'%s' has %d CA generations: retire old ones first", ca->workload,
				 ROT_MAX_CAS);
	return 0;
}

/* The record of one CA more, which owns nothing of it. */
static int
write_with(struct rot_store *store, struct cas *cas, const struct rot_ca *ca, int64_t created_at,
	   struct seal_err *err)
{
	const struct ca_entry fresh = { .ca = *ca, .created_at = created_at };

	cas->newest = ca->generation;
	return write_cas(store, ca->workload, cas, &fresh, 0, err);
}

int
rot_store_put_ca(struct rot_store *store, const struct rot_ca *ca, int64_t created_at,
		 struct seal_err *err)
{
	const struct rot_path key = ca_key(ca->workload);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = rot_record_get(store, key.text, &record, err);

	if (r == 0)
		r = parse_cas(record, key.text, ca->workload, &cas, err);
	else if (r == SEAL_E_MISSING)
		r = 0;
	if (r == 0)
		r = check_next(&cas, ca, err);
	if (r < 0)
		return r;
	cas.active = ca->generation;
	return write_with(store, &cas, ca, created_at, err);
}

struct ca_change {
	const char *workload;
	const struct rot_ca *ca;
	uint64_t generation;
	bool force;
	int64_t now;
};

static int
check_no_other(const char *workload, const struct cas *cas, struct seal_err *err)
{
	uint64_t last = cas->items[cas->count - 1].ca.generation;

	if (last <= cas->active)
		return 0;
	return seal_fail(err, SEAL_E_CONFLICT,
			 "CA generation %" PRIu64
			 " of '%s' is introduced already: switch to it, or retire it",
			 last, workload);
}

static int
introduce_ca(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_change *change = arg;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = read_cas(store, change->workload, &cas, err);

	if (r == 0)
		r = check_no_other(change->workload, &cas, err);
	if (r == 0)
		r = check_next(&cas, change->ca, err);
	if (r == 0)
		r = rot_store_news(store, change->workload, err);
	if (r == 0)
		r = rot_store_epoch(store, change->workload, &cas.epoch, err);
	return r < 0 ? r : write_with(store, &cas, change->ca, change->now, err);
}

int
rot_store_introduce_ca(struct rot_store *store, const struct rot_ca *ca, int64_t now,
		       struct seal_err *err)
{
	struct ca_change change = { .workload = ca->workload, .ca = ca, .now = now };

	return rot_store_change(store, introduce_ca, &change, err);
}

struct ca_look {
	const char *workload;
	struct rot_ca *ret_ca;
	uint64_t *ret_newest;
	uint64_t *ret_generation;
	struct rot_ca_numbers *ret_numbers;
	struct seal_bytes *bundle;
	rot_ca_fn fn;
	void *arg;
};

static int
look_at_next(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_look *look = arg;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = read_cas(store, look->workload, &cas, err);

	if (r == 0)
		r = check_no_other(look->workload, &cas, err);
	if (r == 0)
		*look->ret_generation = cas.newest + 1;
	return r;
}

static int
look_at_numbers(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_look *look = arg;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = read_cas(store, look->workload, &cas, err);

	if (r == 0)
		*look->ret_numbers = (struct rot_ca_numbers){
			.oldest = cas.items[0].ca.generation,
			.active = cas.active,
			.newest = cas.items[cas.count - 1].ca.generation,
		};
	return r;
}

int
rot_store_ca_numbers(struct rot_store *store, const char *workload,
		     struct rot_ca_numbers *ret_numbers, struct seal_err *err)
{
	struct ca_look look = { .workload = workload, .ret_numbers = ret_numbers };

	return rot_store_look(store, look_at_numbers, &look, err);
}

int
rot_store_next_ca(struct rot_store *store, const char *workload, uint64_t *ret_generation,
		  struct seal_err *err)
{
	struct ca_look look = { .workload = workload, .ret_generation = ret_generation };

	return rot_store_look(store, look_at_next, &look, err);
}

/* ---- Switching ---- */

static int
no_such(const struct ca_change *change, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_MISSING,
			 "workload '%s' has no CA generation %" PRIu64 " in use", change->workload,
			 change->generation);
}

static int
check_known(struct rot_store *store, const struct ca_change *change, struct seal_err *err)
{
	struct rot_holders waiting = { .which = ROT_WITHOUT_CA, .generation = change->generation };
	int r;

	if (change->force)
		return 0;
	r = rot_store_find_holders(store, change->workload, change->now, &waiting, err);
	if (r < 0 || waiting.total == 0)
		return r;
	return rot_store_fail_holders(&waiting, "have not taken in CA",
				      "wait, revoke them, or force it", err);
}

static int
switch_ca(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_change *change = arg;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = read_cas(store, change->workload, &cas, err);

	if (r < 0)
		return r;
	if (find(&cas, change->generation) == NULL)
		return no_such(change, err);
	if (change->generation == cas.active)
		return 0;
	if (change->generation < cas.active)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "CA generation %" PRIu64 " is old: introduce a new one",
				 change->generation);
	r = check_known(store, change, err);
	if (r == 0)
		r = rot_store_news(store, change->workload, err);
	cas.active = change->generation;
	return r < 0 ? r : write_cas(store, change->workload, &cas, NULL, 0, err);
}

int
rot_store_switch_ca(struct rot_store *store, const char *workload, uint64_t generation, bool force,
		    int64_t now, struct seal_err *err)
{
	struct ca_change change = {
		.workload = workload, .generation = generation, .force = force, .now = now
	};

	return rot_store_change(store, switch_ca, &change, err);
}

/* ---- Retiring ---- */

static int
check_idle(struct rot_store *store, const struct ca_change *change, struct seal_err *err)
{
	struct rot_holders holders = { .which = ROT_SIGNED_BY, .generation = change->generation };
	int r;

	if (change->force)
		return 0;
	r = rot_store_find_holders(store, change->workload, change->now, &holders, err);
	if (r < 0 || holders.total == 0)
		return r;
	return rot_store_fail_holders(
		&holders, "are certified by CA",
		"wait until they have renewed or expired, revoke them, or force it", err);
}

/* The certificate is kept, and the key is not. */
static int
keep_retired(struct rot_store *store, const struct ca_change *change, const struct ca_entry *entry,
	     struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	set_entry(record, &entry->ca, entry->created_at);
	seal_json_set_i64(record, "retired_at", change->now);
	seal_json_set_bool(record, "forced", change->force);
	return rot_record_put(store, retired_key(change->workload, change->generation).text, record,
			      ROT_RECORD_PUT, err);
}

static int
retire_ca(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_change *change = arg;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	const struct ca_entry *entry;
	int r = read_cas(store, change->workload, &cas, err);

	if (r < 0)
		return r;
	if (change->generation == 0 || change->generation > cas.newest)
		return no_such(change, err);
	if (change->generation == cas.active)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "CA generation %" PRIu64
				 " is the one that signs: introduce a new one and switch to it "
				 "first",
				 change->generation);
	entry = find(&cas, change->generation);
	if (entry == NULL)
		return 0; /* it is retired */
	r = check_idle(store, change, err);
	if (r == 0)
		r = keep_retired(store, change, entry, err);
	if (r == 0)
		r = rot_store_news(store, change->workload, err);
	return r < 0 ? r : write_cas(store, change->workload, &cas, NULL, change->generation, err);
}

int
rot_store_retire_ca(struct rot_store *store, const char *workload, uint64_t generation, bool force,
		    int64_t now, struct seal_err *err)
{
	struct ca_change change = {
		.workload = workload, .generation = generation, .force = force, .now = now
	};

	return rot_store_change(store, retire_ca, &change, err);
}

/* ---- Certifying one again ---- */

static int
renew_ca(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_change *change = arg;
	const struct rot_ca *ca = change->ca;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	struct ca_entry *entry;
	int r = read_cas(store, ca->workload, &cas, err);

	if (r < 0)
		return r;
	entry = find(&cas, ca->generation);
	if (entry == NULL)
		return seal_fail(err, SEAL_E_MISSING, "that CA is retired by now");
	seal_bytes_reset(&entry->ca.cert);
	r = seal_bytes_append(&entry->ca.cert, ca->cert.data, ca->cert.len, err);
	if (r == 0)
		r = ca->workload[0] != '\0' ? rot_store_news(store, ca->workload, err)
					    : rot_store_touch(store, err);
	return r < 0 ? r : write_cas(store, ca->workload, &cas, NULL, 0, err);
}

int
rot_store_renew_ca(struct rot_store *store, const struct rot_ca *ca, struct seal_err *err)
{
	struct ca_change change = { .ca = ca };

	return rot_store_change(store, renew_ca, &change, err);
}

/* ---- Reading ---- */

static int
read_active(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_look *look = arg;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	struct ca_entry *entry;
	int r = read_cas(store, look->workload, &cas, err);

	if (r < 0)
		return r;
	entry = find(&cas, cas.active);
	if (entry == NULL)
		return rot_fail_damaged(ca_key(look->workload).text, err);
	*look->ret_ca = entry->ca;
	memset(&entry->ca, 0, sizeof(entry->ca)); /* the caller owns it now */
	if (look->ret_newest != NULL)
		*look->ret_newest = cas.items[cas.count - 1].ca.generation;
	return 0;
}

int
rot_store_ca(struct rot_store *store, const char *workload, struct rot_ca *ret_ca,
	     struct seal_err *err)
{
	return rot_store_signing_ca(store, workload, ret_ca, NULL, err);
}

int
rot_store_signing_ca(struct rot_store *store, const char *workload, struct rot_ca *ret_ca,
		     uint64_t *ret_newest, struct seal_err *err)
{
	struct ca_look look = { .workload = workload, .ret_ca = ret_ca, .ret_newest = ret_newest };

	return rot_store_look(store, read_active, &look, err);
}

static int
read_bundle(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct ca_look *look = arg;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = read_cas(store, look->workload, &cas, err);

	for (size_t i = cas.count; r == 0 && i-- > 0;)
		r = seal_bytes_append(look->bundle, cas.items[i].ca.cert.data,
				      cas.items[i].ca.cert.len, err);
	return r;
}

int
rot_store_ca_bundle(struct rot_store *store, const char *workload, struct seal_bytes *out,
		    struct seal_err *err)
{
	struct ca_look look = { .workload = workload, .bundle = out };

	return rot_store_look(store, read_bundle, &look, err);
}

static int
read_retired(const char *key, const void *value, size_t len, struct rot_ca_info *info,
	     struct seal_json **ret_record, struct seal_err *err)
{
	static const char *const members[] = { "generation", "created_at", "cert",
					       "retired_at", "forced",     NULL };
	struct rot_fields fields = { .key = key };
	int r = rot_record_parse(key, value, len, ret_record, err);

	if (r < 0)
		return r;
	fields.record = *ret_record;
	info->phase = ROT_PHASE_RETIRED;
	rot_field_u64(&fields, "generation", &info->generation);
	rot_field_time(&fields, "created_at", &info->created_at);
	rot_field_time(&fields, "retired_at", &info->retired_at);
	rot_field_bool(&fields, "forced", &info->forced);
	if (seal_json_get_str(*ret_record, "cert", &info->cert, NULL) < 0)
		return rot_fail_damaged(key, err);
	return rot_fields_done(&fields, members, err);
}

static int
give_retired(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	const struct ca_look *look = arg;
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	struct rot_ca_info info = { .workload = look->workload };
	int r = read_retired(key, value, len, &info, &record, err);

	return r < 0 ? r : look->fn(look->arg, &info, err);
}

static int
give_in_use(const struct ca_look *look, const char *workload, const struct cas *cas,
	    struct seal_err *err)
{
	int r = 0;

	for (size_t i = cas->count; r == 0 && i-- > 0;) {
		const struct ca_entry *entry = &cas->items[i];
		const struct rot_ca_info info = {
			.workload = workload,
			.generation = entry->ca.generation,
			.phase = rot_phase_of(entry->ca.generation, cas->active),
			.created_at = entry->created_at,
			.cert = seal_bytes_str(&entry->ca.cert),
			.ca = &entry->ca,
		};

		r = look->fn(look->arg, &info, err);
	}
	return r;
}

static int
look_at_cas(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct ca_look *look = arg;
	const struct rot_path from = rot_path("ca-retired/%s/", look->workload);
	const struct rot_path to = rot_path("ca-retired/%s0", look->workload);
	const struct rot_kv_range range = {
		.from = from.text, .to = to.text, .backwards = true, .loose = true
	};
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = read_cas(store, look->workload, &cas, err);

	if (r == 0)
		r = give_in_use(look, look->workload, &cas, err);
	if (r == 0 && look->workload[0] != '\0')
		r = rot_kv_each(store->kv, &range, give_retired, look, err);
	return r;
}

int
rot_store_each_ca(struct rot_store *store, const char *workload, rot_ca_fn fn, void *arg,
		  struct seal_err *err)
{
	struct ca_look look = { .workload = workload, .fn = fn, .arg = arg };

	return rot_store_look(store, look_at_cas, &look, err);
}

struct former_look {
	const char *workload;
	struct seal_bytes *out;
};

static int
add_former(void *arg, const struct rot_ca_info *ca, struct seal_err *err)
{
	return ca->forced ? 0 : seal_bytes_append_str(arg, ca->cert, err);
}

static int
look_at_former(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct former_look *former = arg;
	struct ca_look look = { .workload = former->workload,
				.fn = add_former,
				.arg = former->out };
	const struct rot_path from = rot_path("ca-retired/%s/", look.workload);
	const struct rot_path to = rot_path("ca-retired/%s0", look.workload);
	const struct rot_kv_range range = { .from = from.text,
					    .to = to.text,
					    .limit = FORMER_MAX,
					    .backwards = true,
					    .loose = true };

	return rot_kv_each(store->kv, &range, give_retired, &look, err);
}

int
rot_store_former_cas(struct rot_store *store, const char *workload, struct seal_bytes *out,
		     struct seal_err *err)
{
	struct former_look look = { .workload = workload, .out = out };

	return rot_store_look(store, look_at_former, &look, err);
}

/* "ca/-" is the system's. */
static int
give_record(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	const struct ca_look *look = arg;
	const char *name = key + strlen("ca/");
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	int r = rot_record_parse(key, value, len, &record, err);

	if (strcmp(name, "-") == 0)
		name = "";
	if (strlen(name) > SEAL_WORKLOAD_MAX)
		return rot_fail_damaged(key, err);
	if (r == 0)
		r = parse_cas(record, key, name, &cas, err);
	return r < 0 ? r : give_in_use(look, name, &cas, err);
}

static int
look_at_all(struct rot_store *store, void *arg, struct seal_err *err)
{
	static const struct rot_kv_range range = { .from = "ca/", .to = "ca0", .loose = true };

	return rot_kv_each(store->kv, &range, give_record, arg, err);
}

int
rot_store_every_ca(struct rot_store *store, rot_ca_fn fn, void *arg, struct seal_err *err)
{
	struct ca_look look = { .fn = fn, .arg = arg };

	return rot_store_look(store, look_at_all, &look, err);
}

/* ---- What pods say ---- */

struct pod_word {
	const struct rot_cert *cert;
	uint64_t epoch;
	bool written;
};

static int
hear_pod(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct pod_word *word = arg;
	const struct rot_cert *cert = word->cert;
	SEAL_SCOPED(release_cas) struct cas cas = { .count = 0 };
	uint64_t newest;
	int r = read_cas(store, cert->workload, &cas, err);

	word->written = false;
	if (r < 0)
		return r;
	/* Only while there is one that is introduced, and only who has heard of it. */
	newest = cas.items[cas.count - 1].ca.generation;
	if (newest <= cas.active || word->epoch < cas.epoch)
		return 0;
	return rot_store_holder_knows(store, cert, newest, &word->written, err);
}

int
rot_store_hear_pod(struct rot_store *store, const struct rot_cert *cert, uint64_t epoch,
		   struct seal_err *err)
{
	struct pod_word word = { .cert = cert, .epoch = epoch };
	int r = rot_store_change(store, hear_pod, &word, err);

	return r < 0 ? r : word.written;
}
