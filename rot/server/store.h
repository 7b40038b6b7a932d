/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_STORE_H
#define SEAL_ROT_STORE_H

/*
 * What the root of trust remembers, durably: a change that returned 0 survives the loss of power,
 * one that failed left nothing behind.  Values are taken as they come: the API has checked them.
 * Times are seconds since the epoch and always handed in.
 *
 * SEAL_E_MISSING and SEAL_E_CONFLICT speak of the thing named, SEAL_E_REFUSED of a rule of the
 * store; all other failures are the store's own (rot/kv/kv.h): SEAL_E_TIMEOUT as well when other
 * processes changed the same again and again.
 *
 * A call is a transaction of its own, or a part of the one that rot_store_begin opened: a batch.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "rot/audit/entry.h"
#include "rot/audit/tree.h"
#include "rot/kv/kv.h"
#include "rot/server/kek.h"
#include "rot/signer/signer.h"
#include "rot/wire/wire.h"

#define ROT_STORE_SCHEMA    3
#define ROT_STORE_MAX_PAIRS 512 /* per workload: so many peers fit into one answer */

struct rot_store;

/* What holds for the whole root of trust. */
struct rot_meta {
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	struct seal_strv urls;
	struct seal_bytes statement_key; /* wrapped by the signer */
	int64_t created_at;
};
void rot_meta_release(struct rot_meta *meta);

/* Create the store, where there must not be one yet.  admin is the first operator; NULL: none. */
struct rot_operator;
SEAL_CHECKED int rot_store_create(const struct rot_kv_config *config, const struct rot_meta *meta,
				  const struct rot_ca *system_ca, const struct rot_operator *admin,
				  struct seal_err *err);
/* Open an existing store, upgrading an older one.  SEAL_E_REFUSED, with the remedy, when a newer version has written it. */
SEAL_CHECKED int rot_store_open(struct rot_store **ret_store, const struct rot_kv_config *config,
				struct seal_err *err);
void rot_store_close(struct rot_store *store);
void rot_store_closep(struct rot_store **store);
/* Read the files again with which etcd is spoken to (rot_kv_reread). */
SEAL_CHECKED int rot_store_reread(struct rot_store *store, struct seal_err *err);
/* Does it answer? */
SEAL_CHECKED int rot_store_ping(struct rot_store *store, struct seal_err *err);
/*
 * The same as rot_store_create, unfinished: nobody can open the store before rot_store_filled has returned 0
 * (rot_kv_fill); whatever else has to be made is made in between.
 */
SEAL_CHECKED int rot_store_begin_new(struct rot_store **ret_store,
				     const struct rot_kv_config *config,
				     const struct rot_meta *meta, const struct rot_ca *system_ca,
				     const struct rot_operator *admin,
				     const struct rot_kek_scheme *scheme, struct seal_err *err);
SEAL_CHECKED int rot_store_filled(struct rot_store *store, struct seal_err *err);
/* Which key it is under.  SEAL_E_REFUSED, with the remedy, while that is being changed. */
SEAL_CHECKED int rot_store_kek(struct rot_store *store, struct rot_kek_scheme *ret_scheme,
			       struct seal_err *err);
/* Of a store that came from a backup; restored_at 0: it did not. */
struct rot_restored {
	char store[SEAL_ID_LEN + 64]; /* the backup's */
	int64_t backup_at;
	int64_t restored_at;
};
SEAL_CHECKED int rot_store_restored(struct rot_store *store, struct rot_restored *ret_restored,
				    struct seal_err *err);
/* Which store it is (rot_kv_id). */
const char *rot_store_id(const struct rot_store *store);

/*
 * Batches: many requests, one commit.  Each request is put between _mark and _keep, or _undo when it failed or has
 * only read; no answer may leave before _commit has returned 0.  SEAL_E_CONFLICT from _commit: another process was
 * faster: run all of it again.  SEAL_E_LIMIT: etcd takes less at once; keep an eye on _room, which a hatch takes
 * ROT_STORE_HATCH_ROOM of.  After a failed _commit, or _rollback, nothing of the batch has happened.
 */
#define ROT_STORE_HATCH_ROOM 9
SEAL_CHECKED int rot_store_begin(struct rot_store *store, struct seal_err *err);
SEAL_CHECKED int rot_store_commit(struct rot_store *store, struct seal_err *err);
void rot_store_rollback(struct rot_store *store);
SEAL_CHECKED int rot_store_mark(struct rot_store *store, uint64_t *ret_mark, struct seal_err *err);
SEAL_CHECKED int rot_store_keep(struct rot_store *store, uint64_t mark, struct seal_err *err);
SEAL_CHECKED int rot_store_undo(struct rot_store *store, uint64_t mark, struct seal_err *err);
uint64_t rot_store_room(const struct rot_store *store);
/*
 * Run fn within the transaction that is open, or within one of its own: all of what it changes is kept, or nothing.
 * Who was overtaken by another process begins again: fn may be called several times.
 */
typedef int (*rot_change_fn)(struct rot_store *store, void *arg, struct seal_err *err);
SEAL_CHECKED int rot_store_change(struct rot_store *store, rot_change_fn change, void *arg,
				  struct seal_err *err);

/*
 * A word that is another one after every change that pods have to hear of: policy, CAs, roots, revocations, floors.
 * "" before the first.
 */
#define ROT_STORE_WORD_LEN 16
SEAL_CHECKED int rot_store_word(struct rot_store *store,
				char ret_word[static ROT_STORE_WORD_LEN + 1], struct seal_err *err);

/*
 * The epoch of what a workload's pods are told: another one after every change of that, and never one that stood for
 * something else before; below 2^53.  SEAL_E_MISSING without the workload.
 */
SEAL_CHECKED int rot_store_epoch(struct rot_store *store, const char *workload, uint64_t *ret_epoch,
				 struct seal_err *err);
/* All of them, by name, but those of workloads that nothing has changed since before there were epochs of their own. */
typedef int (*rot_epoch_fn)(void *arg, const char *workload, uint64_t epoch, struct seal_err *err);
SEAL_CHECKED int rot_store_each_epoch(struct rot_store *store, rot_epoch_fn fn, void *arg,
				      struct seal_err *err);

/* Outputs of the following must be zeroed and are released by the caller after success. */
SEAL_CHECKED int rot_store_meta(struct rot_store *store, struct rot_meta *ret_meta,
				struct seal_err *err);

/* ---- CAs and their rotation (store_ca.c); workload "" is the system CA ---- */

/* Of a generation of a CA, or of keys. */
enum rot_phase {
	ROT_PHASE_INTRODUCED, /* pods get it; it signs, or seals, nothing yet */
	ROT_PHASE_ACTIVE,     /* signs, or seals */
	ROT_PHASE_OLD,        /* what it signed, or sealed, is good */
	ROT_PHASE_RETIRED,
};
const char *rot_phase_name(enum rot_phase phase);
/* Of one in use. */
enum rot_phase rot_phase_of(uint64_t generation, uint64_t active);

#define ROT_MAX_CAS 16 /* generations in use */

/* The CA that signs; and the newest generation in its bundle. */
SEAL_CHECKED int rot_store_ca(struct rot_store *store, const char *workload, struct rot_ca *ret_ca,
			      struct seal_err *err);
SEAL_CHECKED int rot_store_signing_ca(struct rot_store *store, const char *workload,
				      struct rot_ca *ret_ca, uint64_t *ret_newest,
				      struct seal_err *err);
/* Append the certificates of all generations in use, newest first. */
SEAL_CHECKED int rot_store_ca_bundle(struct rot_store *store, const char *workload,
				     struct seal_bytes *out, struct seal_err *err);

/*
 * Append the certificates of those that were retired in good order, the newest few of them, newest first: nobody is
 * certified by these any more, and connections of before may go on.  Not of those that were retired by force.
 */
SEAL_CHECKED int rot_store_former_cas(struct rot_store *store, const char *workload,
				      struct seal_bytes *out, struct seal_err *err);
/* Generations in use: the oldest, the one that signs, and the newest. */
struct rot_ca_numbers {
	uint64_t oldest;
	uint64_t active;
	uint64_t newest;
};
SEAL_CHECKED int rot_store_ca_numbers(struct rot_store *store, const char *workload,
				      struct rot_ca_numbers *ret_numbers, struct seal_err *err);
/* What the next generation's number is.  SEAL_E_CONFLICT while one is introduced. */
SEAL_CHECKED int rot_store_next_ca(struct rot_store *store, const char *workload,
				   uint64_t *ret_generation, struct seal_err *err);
/* Into every pod's bundle, without signing.  SEAL_E_CONFLICT as above, or when the number is another by now. */
SEAL_CHECKED int rot_store_introduce_ca(struct rot_store *store, const struct rot_ca *ca,
					int64_t now, struct seal_err *err);
/*
 * Let one sign that was introduced; again changes nothing.  SEAL_E_MISSING when it is not in use; SEAL_E_CONFLICT when
 * it is old, and, unless forced, saying whose, while there are certificates whose holders are not known to have it.
 */
SEAL_CHECKED int rot_store_switch_ca(struct rot_store *store, const char *workload,
				     uint64_t generation, bool force, int64_t now,
				     struct seal_err *err);
/*
 * Out of the bundle, for good; again changes nothing.  SEAL_E_CONFLICT for the one that signs, and, unless forced,
 * saying whose, while there are certificates of it.  An introduced one may be retired as well.
 */
SEAL_CHECKED int rot_store_retire_ca(struct rot_store *store, const char *workload,
				     uint64_t generation, bool force, int64_t now,
				     struct seal_err *err);
/* Another certificate for the same generation and key: ca's.  SEAL_E_MISSING when it is not in use any more. */
SEAL_CHECKED int rot_store_renew_ca(struct rot_store *store, const struct rot_ca *ca,
				    struct seal_err *err);

struct rot_ca_info {
	const char *workload;
	uint64_t generation;
	enum rot_phase phase;
	int64_t created_at;
	int64_t retired_at; /* 0: in use */
	bool forced;        /* it was retired while certificates of it could be used, perhaps */
	const char *cert;   /* PEM */
	const struct rot_ca *ca; /* NULL when retired */
};
typedef int (*rot_ca_fn)(void *arg, const struct rot_ca_info *ca, struct seal_err *err);
/* All of a workload, newest first, those in use before the retired; all in use of everyone, the system's included. */
SEAL_CHECKED int rot_store_each_ca(struct rot_store *store, const char *workload, rot_ca_fn fn,
				   void *arg, struct seal_err *err);
SEAL_CHECKED int rot_store_every_ca(struct rot_store *store, rot_ca_fn fn, void *arg,
				    struct seal_err *err);

struct rot_workload {
	char name[SEAL_WORKLOAD_MAX + 1];
	int64_t created_at;
	uint64_t epoch;
	uint64_t pairs;
	uint64_t eggs;
	uint64_t eggs_live;    /* can still hatch */
	uint64_t certificates; /* neither expired nor revoked */
};

/* Add a workload with its CA, its first root and its first pair: any to any, or, open, every to every. */
SEAL_CHECKED int rot_store_add_workload(struct rot_store *store, const struct rot_ca *ca,
					const struct rot_root *root, bool open, int64_t now,
					struct seal_err *err);
SEAL_CHECKED int rot_store_get_workload(struct rot_store *store, const char *name, int64_t now,
					struct rot_workload *ret_workload, struct seal_err *err);
/* Workloads behind after ("" for the first), by name; fn ends the walk by failing. */
typedef int (*rot_workload_fn)(void *arg, const struct rot_workload *workload,
			       struct seal_err *err);
SEAL_CHECKED int rot_store_each_workload(struct rot_store *store, const char *after, uint64_t limit,
					 int64_t now, rot_workload_fn fn, void *arg,
					 struct seal_err *err);
/*
 * Remove a workload and everything of it.  It is gone at once; what it leaves behind is swept away in steps, here, or
 * (within a batch, or after a crash) by rot_store_sweep.  Until then its name is not free.
 */
SEAL_CHECKED int rot_store_delete_workload(struct rot_store *store, const char *name,
					   struct seal_err *err);
/* Sweep away what deleted workloads have left, one step of it: 1 when there is more, 0 when all is done. */
SEAL_CHECKED int rot_store_sweep(struct rot_store *store, struct seal_err *err);

typedef int (*rot_pair_fn)(void *arg, const char *client, const char *server, struct seal_err *err);
SEAL_CHECKED int rot_store_each_pair(struct rot_store *store, const char *workload, rot_pair_fn fn,
				     void *arg, struct seal_err *err);
/* SEAL_E_CONFLICT when the pair is there, SEAL_E_LIMIT beyond ROT_STORE_MAX_PAIRS. */
SEAL_CHECKED int rot_store_add_pair(struct rot_store *store, const char *workload,
				    const char *client, const char *server, uint64_t *ret_epoch,
				    struct seal_err *err);
/* SEAL_E_MISSING, or SEAL_E_CONFLICT naming the pair with * that allows this one. */
SEAL_CHECKED int rot_store_delete_pair(struct rot_store *store, const char *workload,
				       const char *client, const char *server, uint64_t *ret_epoch,
				       struct seal_err *err);
/* Who may call peer, and whom it may call; just "*" when that is every peer. */
SEAL_CHECKED int rot_store_policy(struct rot_store *store, const char *workload, const char *peer,
				  struct seal_strv *ret_clients, struct seal_strv *ret_servers,
				  uint64_t *ret_epoch, struct seal_err *err);

/* ---- Roots of workloads' keys, and the objects sealed with these ---- */

struct rot_roots {
	struct rot_root items[ROT_MAX_ROOTS];
	size_t count;
	size_t active;   /* which of them seals */
	uint64_t newest; /* generation ever given; 0: none */
};
void rot_roots_release(struct rot_roots *roots);

/* The roots that are not retired, newest first; none for a workload made before there were any. */
SEAL_CHECKED int rot_store_roots(struct rot_store *store, const char *workload,
				 struct rot_roots *ret_roots, struct seal_err *err);
/*
 * Add a root that seals from now on.  SEAL_E_CONFLICT when its generation is not the one after the newest: somebody
 * else has added one.  SEAL_E_LIMIT with ROT_MAX_ROOTS in use.
 */
SEAL_CHECKED int rot_store_add_root(struct rot_store *store, const struct rot_root *root,
				    int64_t now, struct seal_err *err);
/* Add one that pods get and that seals nothing yet.  SEAL_E_CONFLICT also while there is such a one. */
SEAL_CHECKED int rot_store_introduce_root(struct rot_store *store, const struct rot_root *root,
					  int64_t now, struct seal_err *err);
/* As rot_store_switch_ca, of pods that have not got its keys. */
SEAL_CHECKED int rot_store_switch_root(struct rot_store *store, const char *workload,
				       uint64_t generation, bool force, int64_t now,
				       struct seal_err *err);
/*
 * Retire a root for good; again changes nothing.  SEAL_E_MISSING without it; SEAL_E_CONFLICT for the one that
 * seals, and, unless forced, saying how many, while objects were sealed with its keys last.
 */
SEAL_CHECKED int rot_store_retire_root(struct rot_store *store, const char *workload,
				       uint64_t generation, bool force, int64_t now,
				       struct seal_err *err);

struct rot_root_info {
	uint64_t generation;
	enum rot_phase phase;
	int64_t created_at;
	int64_t retired_at; /* 0: not retired */
	uint64_t objects;   /* whose latest sealing used its keys */
};
/* Newest first: the ones in use, and the newest of the others, limit at most. */
typedef int (*rot_root_fn)(void *arg, const struct rot_root_info *root, struct seal_err *err);
SEAL_CHECKED int rot_store_each_root(struct rot_store *store, const char *workload, uint64_t limit,
				     rot_root_fn fn, void *arg, struct seal_err *err);

/* Objects ("ns/Kind/name") to be sealed with keys of one generation. */
struct rot_sealing {
	const char *workload;
	const char *peer;
	uint64_t key_generation;
	const char *const *objects;
	size_t count;
	int64_t now;
};
/*
 * Give each object its next generation, then call fn, which uses them; when that, or anything, fails
 * it was as if nothing had been asked.  After success the generations are never given again.  fn may be called
 * again, with other generations, when another process was faster: only the last call counts.
 * SEAL_E_CONFLICT when the root is retired, SEAL_E_LIMIT when the peer has too many objects.
 */
typedef int (*rot_sealing_fn)(void *arg, const uint64_t *gens, struct seal_err *err);
SEAL_CHECKED int rot_store_seal(struct rot_store *store, const struct rot_sealing *sealing,
				rot_sealing_fn fn, void *arg, struct seal_err *err);
/* The newest generation of every object of the peer that can still be opened, sorted. */
SEAL_CHECKED int rot_store_floor(struct rot_store *store, const char *workload, const char *peer,
				 struct rot_floor **ret_floor, size_t *ret_count,
				 struct seal_err *err);

/* ---- Eggs ---- */

struct rot_egg {
	char id[SEAL_ID_LEN + 1];
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	struct seal_strv hostnames; /* patterns */
	int64_t created_at;
	int64_t not_after;
	uint64_t max_hatches; /* 0: unlimited */
	uint64_t hatches;
	bool plain_config;
	uint8_t key_id[SEAL_HASH_LEN];
	char serial[SEAL_SERIAL_LEN + 1]; /* of its certificate */
	int64_t revoked_at;               /* 0: not revoked */
	uint64_t order;                   /* the store's: among those of the same second */
};
void rot_egg_release(struct rot_egg *egg);

/* SEAL_E_MISSING without the workload; SEAL_E_CONFLICT when its key was used for an egg before. */
SEAL_CHECKED int rot_store_add_egg(struct rot_store *store, const struct rot_egg *egg,
				   struct seal_err *err);
SEAL_CHECKED int rot_store_get_egg(struct rot_store *store, const char *id, struct rot_egg *ret_egg,
				   struct seal_err *err);
/* Eggs minted after the egg named by after ("" for the first), oldest first; workload "": all. */
typedef int (*rot_egg_fn)(void *arg, const struct rot_egg *egg, struct seal_err *err);
SEAL_CHECKED int rot_store_each_egg(struct rot_store *store, const char *workload,
				    const char *after, uint64_t limit, rot_egg_fn fn, void *arg,
				    struct seal_err *err);

/* A pod certificate that was issued. */
struct rot_cert {
	char serial[SEAL_SERIAL_LEN + 1];
	char workload[SEAL_WORKLOAD_MAX + 1];
	char egg[SEAL_ID_LEN + 1]; /* "" when not born of an egg */
	char peer[SEAL_PEER_MAX + 1];
	struct seal_strv hostnames;
	int64_t created_at;
	int64_t not_before;
	int64_t not_after;
	int64_t revoked_at; /* 0: not revoked */
	uint64_t
		ca; /* generation that signed it; 0: the oldest in use, of before there were others */
	char from[SEAL_SERIAL_LEN + 1]; /* the one it was renewed from; "" for none, or not known */
	uint64_t newest_ca;  /* what its holder got with it: the newest CA, and the newest key, */
	uint64_t newest_key; /* generations; 0: none.  Known to rot_store_each_holder alone */
};
void rot_cert_release(struct rot_cert *cert);

/*
 * Record a certificate before it is handed out.  _hatch spends one of the egg's budget in the same
 * transaction; SEAL_E_REFUSED when it is revoked, expired, spent or gone.  _renew takes egg, peer and
 * host names from the certificate old_serial; SEAL_E_REFUSED when that, or its egg, is revoked, not
 * there, or not born of an egg.
 */
SEAL_CHECKED int rot_store_hatch(struct rot_store *store, const struct rot_cert *cert, int64_t now,
				 struct seal_err *err);
SEAL_CHECKED int rot_store_renew(struct rot_store *store, const char *old_serial,
				 const struct rot_cert *cert, struct seal_err *err);
SEAL_CHECKED int rot_store_add_cert(struct rot_store *store, const struct rot_cert *cert,
				    struct seal_err *err);
SEAL_CHECKED int rot_store_get_cert(struct rot_store *store, const char *serial,
				    struct rot_cert *ret_cert, struct seal_err *err);
/*
 * The serials of a workload's certificates that are revoked and not expired; of more than ROT_MAX_REVOKED those that
 * live longest.
 */
typedef int (*rot_serial_fn)(void *arg, const char *serial, struct seal_err *err);
SEAL_CHECKED int rot_store_each_revoked(struct rot_store *store, const char *workload, int64_t now,
					rot_serial_fn fn, void *arg, struct seal_err *err);
/* The certificates born of an egg. */
SEAL_CHECKED int rot_store_each_born(struct rot_store *store, const char *egg, rot_serial_fn fn,
				     void *arg, struct seal_err *err);
/* ---- Enrolments: credentials that clients outside use once, and what came of them ---- */

#define ROT_ENROLMENT_CERTS 16 /* of one that have not expired */

/* A certificate that came of one. */
struct rot_enrolled {
	char serial[SEAL_SERIAL_LEN + 1];
	int64_t not_after;
};

struct rot_enrolment {
	char id[SEAL_ID_LEN + 1];
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	struct seal_strv hostnames;
	uint8_t secret[SEAL_HASH_LEN]; /* the SHA-256 of it; itself is not kept */
	uint64_t lifetime;             /* of its certificates, seconds */
	int64_t created_at;
	int64_t not_after;  /* until then it can be spent */
	int64_t spent_at;   /* 0: not spent */
	int64_t revoked_at; /* 0: not revoked */
	/* Oldest first.  Those that have expired are forgotten when the next one is issued. */
	struct rot_enrolled certs[ROT_ENROLMENT_CERTS];
	size_t cert_count;
};
void rot_enrolment_release(struct rot_enrolment *enrolment);

/* SEAL_E_MISSING without the workload. */
SEAL_CHECKED int rot_store_add_enrolment(struct rot_store *store,
					 const struct rot_enrolment *enrolment,
					 struct seal_err *err);
SEAL_CHECKED int rot_store_get_enrolment(struct rot_store *store, const char *id,
					 struct rot_enrolment *ret_enrolment, struct seal_err *err);
/* The one that a certificate came of; SEAL_E_MISSING for a certificate of none. */
SEAL_CHECKED int rot_store_enrolment_of(struct rot_store *store, const char *serial,
					struct rot_enrolment *ret_enrolment, struct seal_err *err);
/* Enrolments made after the one named by after ("" for the first), oldest first; workload "": all. */
typedef int (*rot_enrolment_fn)(void *arg, const struct rot_enrolment *enrolment,
				struct seal_err *err);
SEAL_CHECKED int rot_store_each_enrolment(struct rot_store *store, const char *workload,
					  const char *after, uint64_t limit, rot_enrolment_fn fn,
					  void *arg, struct seal_err *err);
/*
 * Record a certificate before it is handed out, with the names of the enrolment.  _enrol spends it in the same
 * transaction; SEAL_E_REFUSED when it is revoked, expired, spent or gone.  _reenrol is for who has the certificate
 * old_serial; SEAL_E_REFUSED when that came of no enrolment, or it, or the enrolment, is revoked or not there;
 * SEAL_E_LIMIT with ROT_ENROLMENT_CERTS that have not expired.
 */
SEAL_CHECKED int rot_store_enrol(struct rot_store *store, const char *id,
				 const struct rot_cert *cert, int64_t now, struct seal_err *err);
SEAL_CHECKED int rot_store_reenrol(struct rot_store *store, const char *old_serial,
				   const struct rot_cert *cert, int64_t now, struct seal_err *err);
/* Revoke it and all certificates that came of it; again changes nothing. */
SEAL_CHECKED int rot_store_revoke_enrolment(struct rot_store *store, const char *id, int64_t now,
					    struct seal_err *err);
/* Forget one of which nothing was of use since the time given: 1 when there may be more. */
SEAL_CHECKED int rot_store_purge_enrolments(struct rot_store *store, int64_t before,
					    struct seal_err *err);

/* Forget certificates that expired before the time given, some of them: 1 when there may be more. */
SEAL_CHECKED int rot_store_purge(struct rot_store *store, int64_t before, struct seal_err *err);

/* Certificates by their end, of a state, behind the one named by after ("": from the first); workload "": all. */
enum rot_cert_state { ROT_CERT_ANY, ROT_CERT_LIVE, ROT_CERT_REVOKED, ROT_CERT_EXPIRED };
typedef int (*rot_cert_fn)(void *arg, const struct rot_cert *cert, struct seal_err *err);
SEAL_CHECKED int rot_store_each_cert(struct rot_store *store, const char *workload,
				     enum rot_cert_state state, const char *after, uint64_t limit,
				     int64_t now, rot_cert_fn fn, void *arg, struct seal_err *err);

/* ---- Revoking (store_revoke.c) ---- */

/*
 * An egg, a certificate, or all of a peer, and the certificates that come of it: born of it, renewed from it.  With
 * the first transaction nothing comes of it any more; the certificates are marked in steps, here, or (within a batch, or
 * after a crash) by rot_store_sweep.  *ret_count, unless NULL: how many certificates that makes, which were good before.
 * Again changes nothing.  SEAL_E_MISSING without it; a certificate: SEAL_E_CONFLICT when as many are revoked as pods can
 * be told.
 */
SEAL_CHECKED int rot_store_revoke_egg(struct rot_store *store, const char *id, int64_t now,
				      uint64_t *ret_count, struct seal_err *err);
SEAL_CHECKED int rot_store_revoke_cert(struct rot_store *store, const char *serial, int64_t now,
				       uint64_t *ret_count, struct seal_err *err);
/* *ret_eggs: how many could hatch before. */
SEAL_CHECKED int rot_store_revoke_peer(struct rot_store *store, const char *workload,
				       const char *peer, int64_t now, uint64_t *ret_eggs,
				       uint64_t *ret_count, struct seal_err *err);
/* Is there anything of a workload that is not marked yet? */
SEAL_CHECKED int rot_store_is_revoking(struct rot_store *store, const char *workload, bool *ret_is,
				       struct seal_err *err);

/* ---- The audit log (docs/AUDIT.md) ---- */

struct rot_audit_log {
	char id[SEAL_ID_LEN + 1];
	struct seal_bytes key; /* wrapped by the signer */
};
void rot_audit_log_release(struct rot_audit_log *log);
/* An id and a key for a log that is to begin. */
SEAL_CHECKED int rot_audit_log_new(struct rot_signer *signer, struct rot_audit_log *ret_log,
				   struct seal_err *err);

/* SEAL_E_MISSING: the store was made by an earlier version, and has no log yet. */
SEAL_CHECKED int rot_store_audit_log(struct rot_store *store, struct rot_audit_log *ret_log,
				     struct seal_err *err);
/* Begin the log with its entry 0, of kind init.  SEAL_E_CONFLICT when there is one already. */
SEAL_CHECKED int rot_store_audit_begin(struct rot_store *store, const struct rot_audit_log *log,
				       const char *subject, int64_t now, struct seal_err *err);
/* The same log with its key wrapped otherwise. */
SEAL_CHECKED int rot_store_audit_rewrap(struct rot_store *store, const struct seal_bytes *key,
					struct seal_err *err);
/*
 * Add an entry, whose n is not looked at: it gets its number when the transaction is committed, of which it is a
 * part: taken back with the mark it was added in.  SEAL_E_BUG for an entry that cannot be.
 */
SEAL_CHECKED int rot_store_audit_add(struct rot_store *store, const struct audit_entry *entry,
				     struct seal_err *err);
/* Entries that this process has committed so far. */
uint64_t rot_store_audit_written(const struct rot_store *store);
/* The log's tree as it is committed, within a batch, too. */
SEAL_CHECKED int rot_store_audit_tree(struct rot_store *store, struct audit_tree *ret_tree,
				      struct seal_err *err);
/* Keep a signed head of that size. */
SEAL_CHECKED int rot_store_audit_add_head(struct rot_store *store, uint64_t size, const char *text,
					  size_t len, struct seal_err *err);
/*
 * Entries as the bytes they were written as, in order, the first numbered from or later, limit at most (0: all); heads
 * by size.  fn ends the walk by failing.  Nothing is judged here but the store's checksums.
 */
typedef int (*rot_audit_fn)(void *arg, uint64_t n, const void *text, size_t len,
			    struct seal_err *err);
SEAL_CHECKED int rot_store_each_entry(struct rot_store *store, uint64_t from, uint64_t limit,
				      rot_audit_fn fn, void *arg, struct seal_err *err);
SEAL_CHECKED int rot_store_each_head(struct rot_store *store, uint64_t from, uint64_t limit,
				     rot_audit_fn fn, void *arg, struct seal_err *err);

/* ---- Who depends on which generation (store_holder.c) ---- */

/*
 * Certificates that somebody can still use: neither expired, nor revoked, nor replaced by renewing.  Without their
 * host names and times but not_after.
 */
typedef int (*rot_holder_fn)(void *arg, const struct rot_cert *cert, struct seal_err *err);
SEAL_CHECKED int rot_store_each_holder(struct rot_store *store, const char *workload, int64_t now,
				       rot_holder_fn fn, void *arg, struct seal_err *err);
/* The same with those that were replaced, which are as good to whoever has their key. */
SEAL_CHECKED int rot_store_each_valid(struct rot_store *store, const char *workload, int64_t now,
				      rot_holder_fn fn, void *arg, struct seal_err *err);
enum rot_which {
	ROT_SIGNED_BY,   /* certified by this CA */
	ROT_WITHOUT_CA,  /* not known to have this CA in their bundle */
	ROT_WITHOUT_KEY, /* of pods that have not got these keys */
};
bool rot_holder_matters(const struct rot_cert *cert, enum rot_which which, uint64_t generation,
			uint64_t oldest_ca);
#define ROT_HOLDERS_MAX 100
struct rot_holders {
	enum rot_which which; /* given */
	uint64_t generation;
	uint64_t oldest_ca;
	uint64_t total;
	struct rot_cert items[ROT_HOLDERS_MAX]; /* the first of them */
	size_t count;
};
SEAL_CHECKED int rot_store_find_holders(struct rot_store *store, const char *workload, int64_t now,
					struct rot_holders *holders, struct seal_err *err);
/*
 * The pod that holds cert has applied what the epoch stands for, which is not newer than the workload's: 1 when that was
 * worth recording (a CA is being introduced, and it was not known to have it), 0 when nothing was changed.
 */
SEAL_CHECKED int rot_store_hear_pod(struct rot_store *store, const struct rot_cert *cert,
				    uint64_t epoch, struct seal_err *err);

/* ---- The clock (store_clock.c): when something was last issued, about; 0: that was not written down yet ---- */

SEAL_CHECKED int rot_store_clock(struct rot_store *store, int64_t *ret_time, struct seal_err *err);
SEAL_CHECKED int rot_store_set_clock(struct rot_store *store, int64_t time, struct seal_err *err);

/* ---- Operators ---- */

struct rot_operator {
	char name[SEAL_PEER_MAX + 1];
	char role[SEAL_PEER_MAX + 1];
	char serial[SEAL_SERIAL_LEN + 1];   /* of its certificate */
	char previous[SEAL_SERIAL_LEN + 1]; /* that it was renewed with, good as well; "": none */
	bool is_adopted; /* of a store that did not note which certificate: no serial */
	uint64_t ttl;    /* seconds a certificate of its lives */
	int64_t created_at;
	int64_t not_after;  /* of the newest certificate */
	int64_t renewed_at; /* 0: never */
	int64_t revoked_at; /* 0: not revoked */
};
/* Is this the serial number of a certificate that counts?  Whether it was revoked is another question. */
bool rot_operator_holds(const struct rot_operator *holder, const char *serial);
/* "live", "revoked" or "expired". */
const char *rot_operator_state(const struct rot_operator *holder, int64_t now);

/* SEAL_E_CONFLICT while somebody live has the name; an earlier holder's certificates stay refused. */
SEAL_CHECKED int rot_store_add_operator(struct rot_store *store, const struct rot_operator *holder,
					int64_t now, struct seal_err *err);
SEAL_CHECKED int rot_store_get_operator(struct rot_store *store, const char *name,
					struct rot_operator *ret_operator, struct seal_err *err);
/* Those behind after ("" for the first), by name, limit at most (0: all); fn ends the walk by failing. */
typedef int (*rot_operator_fn)(void *arg, const struct rot_operator *holder, struct seal_err *err);
SEAL_CHECKED int rot_store_each_operator(struct rot_store *store, const char *after, uint64_t limit,
					 rot_operator_fn fn, void *arg, struct seal_err *err);
/* Revoking again changes nothing. */
SEAL_CHECKED int rot_store_revoke_operator(struct rot_store *store, const char *name, int64_t now,
					   struct seal_err *err);
/*
 * Another certificate for the holder of old_serial, which stays good until it ends or the next renewal; all others
 * do not.  SEAL_E_REFUSED when that is not a certificate that counts.
 */
SEAL_CHECKED int rot_store_renew_operator(struct rot_store *store, const char *name,
					  const char *old_serial, const char *serial,
					  int64_t not_after, int64_t now,
					  struct rot_operator *ret_operator, struct seal_err *err);

/* ---- For who looks at the whole (store_watch.c) ---- */

/* The newest eggs, newest first; workload "": of all; and how many there are. */
SEAL_CHECKED int rot_store_newest_eggs(struct rot_store *store, const char *workload,
				       uint64_t limit, rot_egg_fn fn, void *arg,
				       uint64_t *ret_count, struct seal_err *err);
/* The certificates that expire next, from now on; workload "": of all.  Revoked ones are among them. */
SEAL_CHECKED int rot_store_next_certs(struct rot_store *store, const char *workload, int64_t now,
				      uint64_t limit, rot_cert_fn fn, void *arg,
				      struct seal_err *err);

struct rot_totals {
	uint64_t workloads;
	uint64_t eggs;         /* that can still hatch */
	uint64_t certificates; /* neither expired nor revoked */
};
SEAL_CHECKED int rot_store_totals(struct rot_store *store, int64_t now,
				  struct rot_totals *ret_totals, struct seal_err *err);

#endif
