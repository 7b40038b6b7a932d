/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who depends on which generation.  Under cert-of/, where a workload's certificates lie by their end, stands beside
 * each what its holder has: so that one walk tells who is to be waited for.
 *
 *   CA NEWEST-CA NEWEST-KEY REPLACED PEER EGG      numbers; 1 when it was renewed; "-" when not born of an egg
 *
 * Empty in stores of before there was a rotation: then it is known to have nothing new.  A certificate that was renewed
 * is nobody's any more: whoever did not get the new one asks again.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define NO_EGG    "-"
#define VALUE_MAX (4 * 21 + SEAL_PEER_MAX + SEAL_ID_LEN + 8)
#define PARTS     6

static struct rot_path
holder_key(const struct rot_cert *cert)
{
	return rot_path("cert-of/%s/" ROT_TIME "/%s", cert->workload,
			rot_path_time(cert->not_after), cert->serial);
}

/* ---- What stands there ---- */

static int
write_holder(struct rot_store *store, const struct rot_cert *cert, bool replaced,
	     struct seal_err *err)
{
	char value[VALUE_MAX];
	int n = snprintf(value, sizeof(value), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %d %s %s",
			 cert->ca, cert->newest_ca, cert->newest_key, replaced ? 1 : 0, cert->peer,
			 cert->egg[0] != '\0' ? cert->egg : NO_EGG);

	if (n < 0 || (size_t)n >= sizeof(value))
		return seal_fail(err, SEAL_E_BUG, "a holder that cannot be written");
	return rot_kv_put(store->kv, holder_key(cert).text, value, (size_t)n, err);
}

int
rot_store_put_holder(struct rot_store *store, const struct rot_cert *cert, struct seal_err *err)
{
	return write_holder(store, cert, false, err);
}

int
rot_store_replace_holder(struct rot_store *store, const struct rot_cert *cert, struct seal_err *err)
{
	return write_holder(store, cert, true, err);
}

static bool
take_number(const char *text, uint64_t *ret_number)
{
	return seal_number_parse(text, 0, INT64_MAX, ret_number, NULL) == 0;
}

static bool
take_parts(char *const parts[static PARTS], struct rot_cert *cert, bool *ret_replaced)
{
	if (!take_number(parts[0], &cert->ca) || !take_number(parts[1], &cert->newest_ca) ||
	    !take_number(parts[2], &cert->newest_key) || strlen(parts[4]) > SEAL_PEER_MAX ||
	    strlen(parts[5]) > SEAL_ID_LEN)
		return false;
	*ret_replaced = strcmp(parts[3], "1") == 0;
	memcpy(cert->peer, parts[4], strlen(parts[4]) + 1);
	cert->egg[0] = '\0';
	if (strcmp(parts[5], NO_EGG) != 0)
		memcpy(cert->egg, parts[5], strlen(parts[5]) + 1);
	return true;
}

static int
parse_holder(const char *key, const void *value, size_t len, struct rot_cert *cert,
	     bool *ret_replaced, struct seal_err *err)
{
	char text[VALUE_MAX], *parts[PARTS], *rest = text;
	size_t count = 0;

	if (len == 0 || len >= sizeof(text))
		return rot_fail_damaged(key, err);
	memcpy(text, value, len);
	text[len] = '\0';
	while (rest != NULL && count < PARTS)
		parts[count++] = strsep(&rest, " ");
	if (rest != NULL || count != PARTS || !take_parts(parts, cert, ret_replaced))
		return rot_fail_damaged(key, err);
	return 0;
}

/* ---- One of them has taken in a CA ---- */

int
rot_store_holder_knows(struct rot_store *store, const struct rot_cert *cert, uint64_t generation,
		       bool *ret_written, struct seal_err *err)
{
	const struct rot_path key = holder_key(cert);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(ROT_KV_VALUE_MAX);
	struct rot_cert holder = *cert; /* its list is lent */
	bool replaced = false;
	int r = rot_kv_get(store->kv, key.text, &value, err);

	if (r == SEAL_E_MISSING)
		return 0; /* it is being forgotten */
	if (r == 0 && value.len > 0)
		r = parse_holder(key.text, value.data, value.len, &holder, &replaced, err);
	if (r < 0 || replaced || holder.newest_ca >= generation)
		return r;
	holder.newest_ca = generation;
	*ret_written = true;
	return write_holder(store, &holder, false, err);
}

/* ---- Walking them ---- */

struct walk {
	struct rot_store *store;
	const char *workload;
	const char *prefix;
	int64_t now;
	bool all;                 /* those that were replaced, too */
	struct seal_strv revoked; /* "TIME/SERIAL", in order */
	size_t passed;            /* of these */
	rot_holder_fn fn;
	void *arg;
};

static int
note_revoked(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct walk *walk = arg;

	(void)value;
	(void)len;
	return seal_strv_add(&walk->revoked, key + strlen("revoked/") + strlen(walk->workload) + 1,
			     err);
}

/* Both lists have one order. */
static bool
is_revoked(struct walk *walk, const char *at)
{
	const struct seal_strv *list = &walk->revoked;

	while (walk->passed < list->count && strcmp(list->items[walk->passed], at) < 0)
		walk->passed++;
	return walk->passed < list->count && strcmp(list->items[walk->passed], at) == 0;
}

struct found {
	struct rot_cert *cert;
	bool any;
};

static int
take_old(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct found *found = arg;
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	const char *peer = NULL, *egg = NULL;
	int r = rot_record_parse(key, value, len, &record, err);

	if (r < 0)
		return r;
	if (seal_json_get_str(record, "peer", &peer, NULL) < 0 ||
	    seal_json_get_str(record, "egg", &egg, NULL) < 0 || strlen(peer) > SEAL_PEER_MAX ||
	    strlen(egg) > SEAL_ID_LEN)
		return rot_fail_damaged(key, err);
	memcpy(found->cert->peer, peer, strlen(peer) + 1);
	memcpy(found->cert->egg, egg, strlen(egg) + 1);
	found->any = true;
	return 0;
}

/* Of before there was a rotation: whose it is stands in its record. */
static int
read_old(struct walk *walk, struct rot_cert *cert, struct seal_err *err)
{
	const struct rot_path from = rot_path("cert/%s", cert->serial);
	const struct rot_path to = rot_path("cert/%s!", cert->serial);
	const struct rot_kv_range range = { .from = from.text, .to = to.text, .loose = true };
	struct found found = { .cert = cert };
	int r = rot_kv_each(walk->store->kv, &range, take_old, &found, err);

	return r < 0 || found.any ? r : rot_fail_damaged(from.text, err);
}

static int
give_holder(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct walk *walk = arg;
	struct rot_cert cert = { 0 };
	const char *serial = NULL;
	bool replaced = false;
	int r;

	if (!rot_path_parts(key, walk->prefix, &cert.not_after, &serial) ||
	    strlen(serial) > SEAL_SERIAL_LEN)
		return rot_fail_damaged(key, err);
	if (is_revoked(walk, key + strlen(walk->prefix)))
		return 0;
	memcpy(cert.serial, serial, strlen(serial) + 1);
	(void)snprintf(cert.workload, sizeof(cert.workload), "%s", walk->workload);
	r = len == 0 ? read_old(walk, &cert, err)
		     : parse_holder(key, value, len, &cert, &replaced, err);
	return r < 0 || (replaced && !walk->all) ? r : walk->fn(walk->arg, &cert, err);
}

static int
walk_all(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct walk *walk = arg;
	const uint64_t time = rot_path_time(walk->now + 1);
	const struct rot_path revoked = rot_path("revoked/%s/" ROT_TIME "/", walk->workload, time);
	const struct rot_path revoked_to = rot_path("revoked/%s0", walk->workload);
	const struct rot_path prefix = rot_path("cert-of/%s/", walk->workload);
	const struct rot_path from = rot_path("cert-of/%s/" ROT_TIME "/", walk->workload, time);
	const struct rot_path to = rot_path("cert-of/%s0", walk->workload);
	const struct rot_kv_range bad = {
		.from = revoked.text, .to = revoked_to.text, .keys_only = true, .loose = true
	};
	const struct rot_kv_range all = { .from = from.text, .to = to.text, .loose = true };
	int r;

	/*
	 * Loose: whoever gets a certificate later reads the CAs and roots that are decided about here, and so comes
	 * before or after the decision.
	 */
	seal_strv_release(&walk->revoked);
	walk->store = store;
	walk->prefix = prefix.text;
	walk->passed = 0;
	r = rot_kv_each(store->kv, &bad, note_revoked, walk, err);
	return r < 0 ? r : rot_kv_each(store->kv, &all, give_holder, walk, err);
}

int
rot_store_each_holder(struct rot_store *store, const char *workload, int64_t now, rot_holder_fn fn,
		      void *arg, struct seal_err *err)
{
	struct walk walk = { .workload = workload, .now = now, .fn = fn, .arg = arg };
	int r = rot_store_look(store, walk_all, &walk, err);

	seal_strv_release(&walk.revoked);
	return r;
}

int
rot_store_each_valid(struct rot_store *store, const char *workload, int64_t now, rot_holder_fn fn,
		     void *arg, struct seal_err *err)
{
	struct walk walk = { .workload = workload, .now = now, .all = true, .fn = fn, .arg = arg };
	int r = rot_store_look(store, walk_all, &walk, err);

	seal_strv_release(&walk.revoked);
	return r;
}

/* ---- Those that matter ---- */

bool
rot_holder_matters(const struct rot_cert *cert, enum rot_which which, uint64_t generation,
		   uint64_t oldest_ca)
{
	switch (which) {
	case ROT_SIGNED_BY:
		return (cert->ca != 0 ? cert->ca : oldest_ca) == generation;
	case ROT_WITHOUT_CA:
		return cert->newest_ca < generation;
	case ROT_WITHOUT_KEY:
		/* Only what is born of an egg gets keys. */
		return cert->egg[0] != '\0' && cert->newest_key < generation;
	}
	return true;
}

static int
collect(void *arg, const struct rot_cert *cert, struct seal_err *err)
{
	struct rot_holders *holders = arg;

	(void)err;
	if (!rot_holder_matters(cert, holders->which, holders->generation, holders->oldest_ca))
		return 0;
	if (holders->count < SEAL_COUNT(holders->items))
		holders->items[holders->count++] = *cert; /* without host names */
	holders->total++;
	return 0;
}

int
rot_store_find_holders(struct rot_store *store, const char *workload, int64_t now,
		       struct rot_holders *holders, struct seal_err *err)
{
	struct rot_ca_numbers numbers = { 0 };
	int r = rot_store_ca_numbers(store, workload, &numbers, err);

	holders->oldest_ca = numbers.oldest;
	holders->count = 0;
	holders->total = 0;
	return r < 0 ? r : rot_store_each_holder(store, workload, now, collect, holders, err);
}

#define NAMED 3 /* in a sentence */

int
rot_store_fail_holders(const struct rot_holders *holders, const char *what, const char *remedy,
		       struct seal_err *err)
{
	char names[NAMED * (SEAL_PEER_MAX + SEAL_SERIAL_LEN + 32)] = "";
	size_t len = 0;

	for (size_t i = 0; i < holders->count && i < NAMED; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s %s%s",
					i > 0 ? ", " : "", holders->items[i].peer,
					holders->items[i].serial,
					holders->items[i].egg[0] == '\0' ? " (in files)" : "");
	return seal_fail(err, SEAL_E_CONFLICT,
			 "%" PRIu64 " certificate(s) %s generation %" PRIu64 ": %s (%s%s)",
			 holders->total, what, holders->generation, remedy, names,
			 holders->total > NAMED ? ", ..." : "");
}
