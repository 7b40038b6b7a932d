/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/sync: what a pod has to know besides its certificate, and whether it still counts.  What all pods of a
 * workload, or of a peer, are told is put together once for all that are answered at the same time.
 *
 * A refusal ends a pod.  It is given for what the store says of its certificate and egg, or for a path to no CA of
 * ours; never for a clock, for a store that fails, or for a malformed question.
 */

#include "rot/server/news.h"

#include <inttypes.h>

void
rot_text_unref(struct rot_text *text)
{
	if (text == NULL || --text->refs > 0)
		return;
	seal_bytes_release(&text->bytes);
	free(text);
}

/* ---- What is the same for all pods of a workload ---- */

struct part {
	const char *workload;
	uint64_t epoch;
	struct seal_bytes bundle;
	struct seal_bytes former; /* empty: none */
	struct seal_certs *anchors;
	struct seal_strv revoked; /* sorted */
	uint64_t generations[ROT_MAX_ROOTS];
	size_t generation_count;
	struct rot_ca_numbers cas;
	bool is_partial; /* revoked does not say all: some are not marked yet, or there are too many */
};

static void
release_part(struct part *part)
{
	seal_bytes_release(&part->bundle);
	seal_bytes_release(&part->former);
	seal_certs_free(part->anchors);
	seal_strv_release(&part->revoked);
}

static int
add_serial(void *arg, const char *serial, struct seal_err *err)
{
	struct seal_strv *list = arg;

	if (list->count == ROT_MAX_REVOKED)
		return seal_fail(err, SEAL_E_BUG, "more revoked certificates than can be told");
	return seal_strv_add(list, serial, err);
}

static int
find_generations(struct rot_store *store, struct part *part, struct seal_err *err)
{
	SEAL_SCOPED(rot_roots_release) struct rot_roots roots = { .count = 0 };
	int r = rot_store_roots(store, part->workload, &roots, err);

	for (size_t i = 0; r == 0 && i < roots.count; i++)
		part->generations[part->generation_count++] = roots.items[i].generation;
	return r;
}

static int
find_part(struct rot_store *store, const char *workload, int64_t now, struct part *part,
	  struct seal_err *err)
{
	int r;

	part->workload = workload;
	seal_bytes_init(&part->bundle, ROT_BUNDLE_MAX);
	seal_bytes_init(&part->former, ROT_BUNDLE_MAX);
	r = rot_store_epoch(store, workload, &part->epoch, err);
	if (r == 0)
		r = rot_store_ca_bundle(store, workload, &part->bundle, err);
	if (r == 0)
		r = rot_store_former_cas(store, workload, &part->former, err);
	if (r == 0)
		r = seal_certs_from_pem(&part->anchors, seal_bytes_str(&part->bundle),
					part->bundle.len, ROT_BUNDLE_MAX, err);
	if (r == 0)
		r = find_generations(store, part, err);
	if (r == 0)
		r = rot_store_ca_numbers(store, workload, &part->cas, err);
	if (r == 0)
		r = rot_store_each_revoked(store, workload, now, add_serial, &part->revoked, err);
	if (r == 0)
		r = rot_store_is_revoking(store, workload, &part->is_partial, err);
	part->is_partial = part->is_partial || part->revoked.count == ROT_MAX_REVOKED;
	seal_strv_sort(&part->revoked);
	return r;
}

/* ---- What is the same for all pods of a peer ---- */

static int
add_key_ids(const struct part *part, const char *peer, struct seal_strv *ids, struct seal_err *err)
{
	struct verify_key_id id = { 0 };
	int r = 0;

	(void)snprintf(id.workload, sizeof(id.workload), "%s", part->workload);
	(void)snprintf(id.peer, sizeof(id.peer), "%s", peer);
	for (size_t i = 0; i < part->generation_count; i++) {
		id.generation = part->generations[i];
		for (unsigned p = 0; r == 0 && p < VERIFY_N_PURPOSES; p++) {
			char text[VERIFY_KEY_ID_MAX];

			id.purpose = (enum verify_purpose)p;
			verify_key_id_format(&id, text);
			r = seal_strv_add(ids, text, err);
		}
	}
	return r;
}

static int
fill_sync(struct rot_store *store, const struct part *part, const char *peer, struct rot_sync *sync,
	  struct seal_err *err)
{
	uint64_t epoch = 0;
	int r;

	r = rot_store_policy(store, part->workload, peer, &sync->clients, &sync->servers, &epoch,
			     err);
	if (r == 0)
		r = rot_store_floor(store, part->workload, peer, &sync->floor, &sync->floor_count,
				    err);
	if (r == 0)
		r = add_key_ids(part, peer, &sync->keys, err);
	if (r == 0)
		r = seal_strv_copy(&sync->revoked, &part->revoked, err);
	if (r < 0)
		return r;
	sync->epoch = part->epoch;
	sync->ca_bundle = seal_strndup(seal_bytes_str(&part->bundle), part->bundle.len);
	if (part->former.len > 0)
		sync->former_cas = seal_strndup(seal_bytes_str(&part->former), part->former.len);
	return sync->ca_bundle == NULL || (part->former.len > 0 && sync->former_cas == NULL)
		       ? seal_fail_memory(err)
		       : 0;
}

static int
write_answer(struct rot_store *store, const struct part *part, const char *peer, bool renew,
	     struct seal_bytes *out, struct seal_err *err)
{
	struct rot_sync sync = { .renew = renew };
	int r = fill_sync(store, part, peer, &sync, err);

	if (r == 0)
		r = rot_sync_encode(&sync, out, err);
	rot_sync_release(&sync);
	/* It is not the pod's fault. */
	return r == SEAL_E_LIMIT || r == SEAL_E_FORMAT ? seal_note(err, SEAL_E_BUG, "news") : r;
}

/* Is its certificate of a CA that signs no more? */
static bool
should_renew(const struct part *part, const struct rot_standing *standing)
{
	return (standing->ca != 0 ? standing->ca : part->cas.oldest) < part->cas.active;
}

/* ---- Who still counts ---- */

/* NULL: it does; or why not. */
static int
judge_egg(struct rot_store *store, const char *id, const char **ret_reason, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = 0;

	*ret_reason = NULL;
	if (id[0] == '\0')
		return 0;
	r = rot_store_get_egg(store, id, &egg, err);
	if (r == SEAL_E_MISSING)
		*ret_reason = "the egg is gone";
	else if (r == 0 && egg.revoked_at != 0)
		*ret_reason = "the egg is revoked";
	return r == SEAL_E_MISSING ? 0 : r;
}

static int
refuse(const char *reason, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_REFUSED, "%s", reason);
}

/* By its record, which is the caller's to release; it has been confirmed. */
static int
find_cert(const struct rot_call *call, struct rot_cert *cert, struct seal_err *err)
{
	struct rot_store *store = call->api->config.store;
	const struct rot_caller *caller = call->caller;
	const char *reason = NULL;
	int r;

	r = rot_store_get_cert(store, caller->serial, cert, err);
	if (r == SEAL_E_MISSING)
		return refuse("the certificate is gone", err);
	if (r < 0)
		return r;
	if (strcmp(cert->workload, caller->identity.workload) != 0 ||
	    strcmp(cert->peer, caller->identity.peer) != 0)
		return refuse("the certificate differs from its record", err);
	if (cert->revoked_at != 0)
		return refuse("the certificate is revoked", err);
	r = judge_egg(store, cert->egg, &reason, err);
	return r == 0 && reason != NULL ? refuse(reason, err) : r;
}

static void
set_standing(struct rot_standing *standing, const struct rot_cert *cert,
	     const struct seal_peer *peer)
{
	memcpy(standing->peer, cert->peer, sizeof(standing->peer));
	memcpy(standing->serial, cert->serial, sizeof(standing->serial));
	memcpy(standing->egg, cert->egg, sizeof(standing->egg));
	memcpy(standing->anchor, peer->anchor, sizeof(standing->anchor));
	standing->not_before = peer->not_before;
	standing->not_after = peer->not_after;
	standing->ca = cert->ca;
}

/* ---- The call ---- */

static int
read_epoch(const struct rot_call *call, uint64_t *ret_epoch, struct seal_err *err)
{
	const char *text = seal_http_query(call->request, "epoch");
	int r;

	*ret_epoch = 0;
	if (text == NULL)
		return 0;
	r = seal_number_parse(text, 0, UINT64_MAX, ret_epoch, err);
	return r < 0 ? seal_note(err, r, "query parameter 'epoch'") : 0;
}

static int
answer_now(struct rot_call *call, struct seal_err *err)
{
	struct rot_store *store = call->api->config.store;
	SEAL_SCOPED(release_part) struct part part = { 0 };
	int r;

	r = find_part(store, call->caller->identity.workload, call->now, &part, err);
	if (r < 0)
		return r;
	return write_answer(store, &part, call->standing.peer, should_renew(&part, &call->standing),
			    &call->raw, err);
}

int
rot_sync(struct rot_call *call, struct seal_err *err)
{
	struct rot_store *store = call->api->config.store;
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	uint64_t asked = 0;
	int r;

	r = read_epoch(call, &asked, err);
	if (r == 0)
		r = find_cert(call, &cert, err);
	if (r == 0)
		r = rot_store_epoch(store, cert.workload, &call->epoch, err);
	/* A newer one is of a store that was restored since: it stands for something else by now. */
	if (r == 0 && asked <= call->epoch)
		r = rot_store_hear_pod(store, &cert, asked, err);
	if (r < 0)
		return r;
	call->unchanged = r == 0;
	set_standing(&call->standing, &cert, &call->peer);
	call->waits = asked == call->epoch;
	if (!call->waits)
		return answer_now(call, err);
	call->status = 204;
	return rot_store_word(store, call->word, err);
}

/* ---- Those that wait ---- */

struct scan {
	struct rot_glance *glances;
	size_t count;
	size_t at;
};

/* Both go by name. */
static int
compare_epoch(void *arg, const char *workload, uint64_t epoch, struct seal_err *err)
{
	struct scan *scan = arg;

	(void)err;
	while (scan->at < scan->count && strcmp(scan->glances[scan->at].workload, workload) < 0)
		scan->at++;
	for (size_t i = scan->at;
	     i < scan->count && strcmp(scan->glances[i].workload, workload) == 0; i++)
		scan->glances[i].changed = scan->glances[i].epoch != epoch;
	return 0;
}

static int
look(struct rot_store *store, char *word, struct scan *scan, struct seal_err *err)
{
	char now[ROT_STORE_WORD_LEN + 1] = "";
	int r = rot_store_word(store, now, err);

	if (r < 0 || strcmp(now, word) == 0)
		return r;
	/* Whoever is not met has gone, or has no epoch of its own yet: it is looked at for itself. */
	for (size_t i = 0; i < scan->count; i++)
		scan->glances[i].changed = true;
	r = rot_store_each_epoch(store, compare_epoch, scan, err);
	if (r == 0)
		memcpy(word, now, sizeof(now));
	return r;
}

int
rot_sync_look(struct rot_api *api, char word[static ROT_STORE_WORD_LEN + 1],
	      struct rot_glance *glances, size_t count, struct seal_err *err)
{
	struct rot_store *store = api->config.store;
	struct scan scan = { .glances = glances, .count = count };
	int r = rot_store_begin(store, err);

	if (r == 0)
		r = look(store, word, &scan, err);
	rot_store_rollback(store);
	return r;
}

/* What was found out for the waiter before, which is of the same peer and egg more often than not. */
struct tale {
	struct rot_api *api;
	const struct part *part;
	struct seal_strv every;
	char egg[SEAL_ID_LEN + 1];
	const char *egg_reason;
	char peer[SEAL_PEER_MAX + 1];
	struct rot_text *texts[2]; /* without and with renewing */
};

static void
forget_texts(struct tale *tale)
{
	rot_text_unref(SEAL_TAKE(tale->texts[0]));
	rot_text_unref(SEAL_TAKE(tale->texts[1]));
}

static void
release_tale(struct tale *tale)
{
	forget_texts(tale);
	seal_strv_release(&tale->every);
}

static int
compose(struct tale *tale, const char *peer, bool renew, struct rot_text **ret_text,
	struct seal_err *err)
{
	struct rot_text *text;
	int r;

	if (strcmp(tale->peer, peer) != 0)
		forget_texts(tale);
	(void)snprintf(tale->peer, sizeof(tale->peer), "%s", peer);
	text = tale->texts[renew];
	if (text == NULL) {
		text = calloc(1, sizeof(*text));
		if (text == NULL)
			return seal_fail_memory(err);
		text->refs = 1;
		seal_bytes_init(&text->bytes, ROT_REPLY_MAX);
		tale->texts[renew] = text; /* released with it */
		r = write_answer(tale->api->config.store, tale->part, peer, renew, &text->bytes,
				 err);
		if (r < 0)
			return r;
	}
	text->refs++;
	*ret_text = text;
	return 0;
}

/* NULL: it counts. */
static int
judge(struct tale *tale, const struct rot_standing *standing, const char **ret_reason,
      struct seal_err *err)
{
	const struct seal_peer_rules rules = { .anchors = tale->part->anchors,
					       .allowed = &tale->every,
					       .revoked = &tale->part->revoked };
	struct seal_peer peer = { .not_before = standing->not_before,
				  .not_after = standing->not_after };
	int r = 0;

	(void)snprintf(peer.name, sizeof(peer.name), "%s", standing->peer);
	(void)snprintf(peer.serial, sizeof(peer.serial), "%s", standing->serial);
	memcpy(peer.anchor, standing->anchor, sizeof(peer.anchor));
	/* Whether it has expired is for the next handshake to see. */
	if (seal_peer_check_policy(&peer, &rules, standing->not_before, NULL) < 0) {
		*ret_reason = "the certificate, or the CA that issued it, is trusted no more";
		return 0;
	}
	*ret_reason = NULL;
	if (!tale->part->is_partial)
		return 0;
	if (strcmp(tale->egg, standing->egg) != 0) {
		r = judge_egg(tale->api->config.store, standing->egg, &tale->egg_reason, err);
		(void)snprintf(tale->egg, sizeof(tale->egg), "%s", r == 0 ? standing->egg : "");
	}
	*ret_reason = standing->egg[0] != '\0' ? tale->egg_reason : NULL;
	return r;
}

static int
tell_one(struct tale *tale, struct rot_waiter *waiter, struct seal_err *err)
{
	const char *reason = NULL;
	int r = judge(tale, &waiter->standing, &reason, err);

	if (r == 0 && reason == NULL)
		r = compose(tale, waiter->standing.peer,
			    should_renew(tale->part, &waiter->standing), &waiter->text, err);
	if (r < 0)
		return r;
	waiter->reason = reason;
	waiter->hearing = reason != NULL ? ROT_HEARS_REFUSAL : ROT_HEARS_NEWS;
	return 0;
}

static int
by_peer_and_egg(const void *a, const void *b)
{
	const struct rot_waiter *const *left = a, *const *right = b;
	int order = strcmp((*left)->standing.peer, (*right)->standing.peer);

	return order != 0 ? order : strcmp((*left)->standing.egg, (*right)->standing.egg);
}

static int
tell_all(struct rot_api *api, struct rot_group *group, const struct part *part,
	 struct seal_err *err)
{
	SEAL_SCOPED(release_tale) struct tale tale = { .api = api, .part = part };
	struct rot_waiter **waiters = calloc(group->count + 1, sizeof(struct rot_waiter *));
	size_t count = 0;
	int r;

	if (waiters == NULL)
		return seal_fail_memory(err);
	for (struct rot_waiter *at = group->first; at != NULL; at = at->next)
		waiters[count++] = at;
	qsort(waiters, count, sizeof(struct rot_waiter *), by_peer_and_egg);
	r = seal_strv_add(&tale.every, SEAL_PEER_EVERY, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = tell_one(&tale, waiters[i], err);
	free(waiters);
	return r;
}

static void
refuse_all(struct rot_group *group, const char *reason)
{
	for (struct rot_waiter *at = group->first; at != NULL; at = at->next) {
		at->hearing = ROT_HEARS_REFUSAL;
		at->reason = reason;
	}
}

static void
hush(struct rot_group *group)
{
	for (struct rot_waiter *at = group->first; at != NULL; at = at->next) {
		rot_text_unref(SEAL_TAKE(at->text));
		at->hearing = ROT_HEARS_NOTHING;
	}
}

static int
tell(struct rot_api *api, struct rot_group *group, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(release_part) struct part part = { 0 };
	uint64_t epoch = 0;
	int r = rot_store_epoch(api->config.store, group->workload, &epoch, err);

	if (r == SEAL_E_MISSING) {
		refuse_all(group, "the workload is gone");
		return 0;
	}
	if (r < 0 || epoch == group->epoch)
		return r;
	r = find_part(api->config.store, group->workload, now, &part, err);
	if (r == 0)
		r = tell_all(api, group, &part, err);
	if (r < 0)
		hush(group);
	return r;
}

int
rot_sync_tell(struct rot_api *api, struct rot_group *group, int64_t now, struct seal_err *err)
{
	struct rot_store *store = api->config.store;
	int r = rot_store_begin(store, err);

	if (r == 0)
		r = tell(api, group, now, err);
	rot_store_rollback(store);
	return r;
}
