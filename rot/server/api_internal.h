/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_API_INTERNAL_H
#define SEAL_ROT_API_INTERNAL_H

/*
 * Between the files of the API: api.c finds out who wants what and answers, batch.c does it in the store's
 * thread, request.c reads and writes JSON, issue.c gets certificates made, and one file per group holds the
 * handlers.  Handlers, store and signer are the worker's thread's; requests' beginnings and ends the loop's.
 */

#include <stdatomic.h>

#include "base/json/json.h"
#include "base/log/log.h"
#include "base/secret/secret.h"
#include "base/x509/x509.h"
#include "rot/audit/entry.h"
#include "rot/audit/head.h"
#include "rot/server/api.h"
#include "rot/server/caller.h"
#include "rot/server/expiry.h"
#include "rot/server/limits.h"
#include "rot/server/metrics.h"
#include "rot/server/worker.h"
#include "rot/wire/wire.h"

#define ROT_PAGE_MAX             500
#define ROT_PAGE_DEFAULT         100
#define ROT_MAX_HATCHES          UINT64_C(1000000000)
#define ROT_EGG_SECONDS          UINT64_C(2592000)  /* 30 days */
#define ROT_EGG_MAX_SECONDS      UINT64_C(31622400) /* 366 days */
#define ROT_OPERATOR_SECONDS     UINT64_C(7776000)  /* 90 days */
#define ROT_OPERATOR_MIN_SECONDS 60
#define ROT_OPERATOR_MAX_SECONDS UINT64_C(31622400) /* 366 days */
#define ROT_BUNDLE_MAX           (256u * 1024)      /* PEM of all generations of a CA */
#define ROT_REPLY_MAX            (8u * 1024 * 1024) /* a page of 500 eggs with 32 host names each */
#define ROT_FINGERPRINT_LEN      (2 * SEAL_HASH_LEN)
#define ROT_PATH_PARAM_MAX       128

/* What has to be known of a pod to say later whether it still counts. */
struct rot_standing {
	char peer[SEAL_PEER_MAX + 1];
	char serial[SEAL_SERIAL_LEN + 1];
	char egg[SEAL_ID_LEN + 1];     /* "" when not born of one */
	uint8_t anchor[SEAL_HASH_LEN]; /* the CA that certified it (base/x509/verify.h) */
	int64_t not_before;
	int64_t not_after;
	uint64_t ca; /* generation, as in struct rot_cert */
};

struct rot_news;
struct rot_call;
/* A handler fills the reply; its failure's code becomes the status, its sentence the message. */
typedef int (*rot_handler_fn)(struct rot_call *call, struct seal_err *err);

struct rot_route {
	const char *method;
	const char *path; /* * stands for one part: a parameter */
	unsigned rights;
	bool is_big;  /* its body and its answer may be long */
	bool changes; /* the store */
	rot_handler_fn run;
	const char *const *members; /* of the body, ending with NULL; NULL: no body is read */
	const char *refusal; /* the one sentence for every refusal, or NULL: say what it is */
	const char *event;   /* in the log, of a refusal or of a change */
	enum audit_kind
		kind; /* in the audit log, of what changes or hands out something; AUDIT_OTHER: refusals alone */
};

/* Refusals of one kind, the worker's. */
struct rot_refusals {
	uint64_t since_ms; /* when their minute began, monotonic; 0: never */
	unsigned told;     /* of that minute, each with an entry of its own */
	uint64_t count;    /* of the others, that no entry tells of yet */
};

struct rot_audit {
	struct rot_audit_log log;
	struct seal_timer *timer; /* the loop's */
	/* The worker's: */
	struct rot_refusals refusals[AUDIT_KIND_COUNT];
	uint64_t signed_at; /* rot_store_audit_written, when a head was last kept */
	bool must_sign;     /* whatever that says */
};

struct rot_api {
	struct rot_api_config config;
	struct rot_worker *worker;
	struct rot_news *news; /* the loop's */
	struct rot_meta meta;
	struct rot_ca system_ca;
	struct seal_certs *system_certs;
	struct seal_secret *statement_key;
	struct rot_limits *per_egg;
	struct rot_limits *per_address;
	struct rot_limits *per_est_address;
	struct rot_limits *per_enrolment;
	struct rot_caller local;
	struct rot_audit audit;
	struct seal_log_limit refusals; /* of requests */
	struct seal_log_limit failures; /* of ours */
	struct seal_log_limit est_refusals;
	struct seal_log_limit unknown; /* clients that were refused in the handshake */
	int64_t started_at;
	struct rot_work_counters work;
	/* The worker's: */
	atomic_bool
		must_sweep;  /* a workload was deleted, or something revoked; the loop reads it */
	int64_t recorded_at; /* the store's clock as it was read last; 0: not yet */
	int64_t horizon;     /* of what is forgotten, */
	int64_t horizon_at;  /* and when it was chosen; 0: not yet */
	int64_t own_not_before; /* of our own certificate */
	int64_t own_not_after;
	struct rot_expiries *expiries; /* of CAs, as they were: */
	int64_t gathered_at;
	/* The loop's: */
	uint64_t
		asked_ms; /* when the store was last asked whether it answers, monotonic; 0: it is not being asked */
	bool is_sweeping; /* a task for it is on its way */
	bool is_well;     /* it did, */
	bool has_time;    /* and by what it has written down the clock can be right */
	struct rot_totals totals;
	struct rot_expiry next[ROT_EXPIRY_KINDS]; /* what ends next, as far as is known */
	uint64_t count_after_ms;                  /* when to count again */
	struct rot_counters counters;
};

/* What the store's thread does; first of what is done. */
struct rot_task {
	struct rot_job job;
	/* In the store's thread, outside a batch; NULL: it is a call. */
	void (*run)(struct rot_task *task);
	void (*done)(struct rot_task *task); /* then in the loop's, which frees it */
	void (*drop)(struct rot_task *task); /* or there, when the end came first */
};

/* What the audit log gets of a refusal; decided once, however often the call is run. */
enum rot_refusal { ROT_REFUSAL_NEW, ROT_REFUSAL_TOLD, ROT_REFUSAL_COUNTED };

/* Whose rate a call has been counted for. */
enum { ROT_COUNTED_ADDRESS = 1, ROT_COUNTED_SUBJECT = 2 /* an egg, or an enrolment */ };

/* One request on its way through a handler. */
struct rot_call {
	struct rot_task task;
	const struct rot_route *route;
	int result;
	struct seal_err err;
	struct rot_cert issued;   /* to be logged once it is in the store, without its host names */
	const char *issued_event; /* NULL: nothing */
	struct rot_api *api;
	struct seal_http_request *request;
	const struct rot_caller *caller;
	char param[ROT_PATH_PARAM_MAX];       /* the part of the path for the route's first *, */
	char param2[ROT_PATH_PARAM_MAX];      /* and for its second */
	struct seal_json *body;               /* the request's, where the route wants one */
	struct seal_json *reply;              /* the answer's members */
	struct seal_bytes raw;                /* or the answer as text */
	char subject[AUDIT_SUBJECT_MAX];      /* for the logs: what was changed or handed out */
	char workload[SEAL_WORKLOAD_MAX + 1]; /* that it is about, for the audit log; "" for none */
	struct seal_peer peer;                /* a pod, once it is confirmed */
	struct rot_standing standing;         /* of a pod that asks for news: */
	bool unchanged;                       /* it could have changed something, and has not */
	bool waits;                           /* there are none, */
	uint64_t epoch;                       /* since this one, */
	char word[ROT_STORE_WORD_LEN + 1];    /* which was found under this word */
	enum rot_refusal refusal;
	const char *type;     /* of the answer; NULL: JSON */
	unsigned status;      /* of success */
	unsigned retry_after; /* > 0: too many requests */
	unsigned counted;     /* ROT_COUNTED_…: once, however often the call is run */
	uint64_t began_us;    /* when the request was whole, monotonic */
	int64_t now;
};

/* The n-th of all routes; NULL beyond the last. */
const struct rot_route *rot_api_route(size_t n);

/* ---- api.c ---- */

/* For metrics: method and path as the table has them; NULL beyond the last. */
const char *rot_endpoint_name(size_t n);
size_t rot_endpoint_of(const struct rot_route *route);

/* ---- look.c ---- */

/* In the loop's thread, once for each request that is answered. */
void rot_api_count(const struct rot_call *call, unsigned status);
/* From any thread, for a certificate that was handed out otherwise. */
void rot_api_count_certified(struct rot_api *api, enum rot_certified whom);

/* ---- batch.c ---- */

/* A worker's batch: tasks on their own, calls in as few transactions as may be. */
void rot_batch_run(void *arg, struct rot_job *first);
/* In the loop's thread: sweep, and go on as long as there is more. */
void rot_batch_sweep(struct rot_api *api);

/* ---- audit_note.c: all in the store's thread, but for _open, _start, _stop and _stranger ---- */

/* Find the log, or begin it. */
SEAL_CHECKED int rot_audit_open(struct rot_api *api, struct seal_err *err);
SEAL_CHECKED int rot_audit_start(struct rot_api *api, struct seal_err *err);
/* The worker has ended: write what was counted, sign a last head. */
void rot_audit_stop(struct rot_api *api);
void rot_audit_release(struct rot_api *api);
/* The entry for what the call has done; for one that was refused (nothing when it was not).  Within its transaction. */
SEAL_CHECKED int rot_audit_done(struct rot_call *call, struct seal_err *err);
SEAL_CHECKED int rot_audit_refused(struct rot_call *call, struct seal_err *err);
/* The call's transaction was committed. */
void rot_audit_settle(struct rot_call *call);
/* The entry for what the root of trust has done by itself; workload "" for none. */
SEAL_CHECKED int rot_audit_own(struct rot_api *api, enum audit_kind kind, const char *workload,
			       const char *subject, struct seal_err *err);
/* In the loop's thread: somebody who was refused before there was a call; request may be NULL. */
void rot_audit_stranger(struct rot_api *api, const struct seal_http_request *request, int code);
/* A head for all that is committed. */
SEAL_CHECKED int rot_audit_sign(struct rot_api *api, struct seal_bytes *out, uint64_t *ret_size,
				struct seal_err *err);

/* The workload that a call is about, once its name was checked. */
void rot_call_about(struct rot_call *call, const char *workload);
/* Append a name to the subject; or, without room for it, how many are left, and false: that was the last. */
bool rot_call_name(struct rot_call *call, const char *separator, const char *name, size_t left);
/* Its subject is a pod certificate that was issued. */
void rot_call_issued(struct rot_call *call, const struct rot_cert *cert);

int rot_audit_list(struct rot_call *call, struct seal_err *err);
int rot_audit_get_head(struct rot_call *call, struct seal_err *err);
int rot_audit_get_heads(struct rot_call *call, struct seal_err *err);
int rot_audit_get_log(struct rot_call *call, struct seal_err *err);
int rot_status_get(struct rot_call *call, struct seal_err *err);
int rot_workloads_create(struct rot_call *call, struct seal_err *err);
int rot_workloads_list(struct rot_call *call, struct seal_err *err);
int rot_workloads_get(struct rot_call *call, struct seal_err *err);
int rot_workloads_delete(struct rot_call *call, struct seal_err *err);
int rot_cas_introduce(struct rot_call *call, struct seal_err *err);
int rot_cas_switch(struct rot_call *call, struct seal_err *err);
int rot_cas_retire(struct rot_call *call, struct seal_err *err);
int rot_keys_rotate(struct rot_call *call, struct seal_err *err);
int rot_keys_switch(struct rot_call *call, struct seal_err *err);
int rot_keys_retire(struct rot_call *call, struct seal_err *err);
int rot_seal(struct rot_call *call, struct seal_err *err);
int rot_unseal(struct rot_call *call, struct seal_err *err);
int rot_operators_list(struct rot_call *call, struct seal_err *err);
int rot_operators_add(struct rot_call *call, struct seal_err *err);
int rot_operators_get(struct rot_call *call, struct seal_err *err);
int rot_operators_revoke(struct rot_call *call, struct seal_err *err);
int rot_operators_renew(struct rot_call *call, struct seal_err *err);
int rot_peers_list(struct rot_call *call, struct seal_err *err);
int rot_peers_allow(struct rot_call *call, struct seal_err *err);
int rot_peers_deny(struct rot_call *call, struct seal_err *err);
int rot_eggs_mint(struct rot_call *call, struct seal_err *err);
int rot_eggs_list(struct rot_call *call, struct seal_err *err);
int rot_eggs_get(struct rot_call *call, struct seal_err *err);
int rot_eggs_revoke(struct rot_call *call, struct seal_err *err);
int rot_peers_revoke(struct rot_call *call, struct seal_err *err);
int rot_certs_issue(struct rot_call *call, struct seal_err *err);
int rot_certs_list(struct rot_call *call, struct seal_err *err);
int rot_certs_get(struct rot_call *call, struct seal_err *err);
int rot_certs_revoke(struct rot_call *call, struct seal_err *err);
int rot_enrolments_create(struct rot_call *call, struct seal_err *err);
int rot_enrolments_list(struct rot_call *call, struct seal_err *err);
int rot_enrolments_revoke(struct rot_call *call, struct seal_err *err);
int rot_hatch(struct rot_call *call, struct seal_err *err);
int rot_renew(struct rot_call *call, struct seal_err *err);
int rot_sync(struct rot_call *call, struct seal_err *err);

/* ---- request.c: members of the body and of the query; faults are SEAL_E_FORMAT or _LIMIT ---- */

typedef int (*rot_check_fn)(const char *text, struct seal_err *err);

/* A string member that passes check; fallback when it is absent, NULL: required. */
SEAL_CHECKED int rot_body_name(const struct rot_call *call, const char *name, const char *fallback,
			       rot_check_fn check, const char **ret_text, struct seal_err *err);
/* A number within min..max; fallback when absent. */
SEAL_CHECKED int rot_body_number(const struct rot_call *call, const char *name, uint64_t fallback,
				 uint64_t min, uint64_t max, uint64_t *ret_value,
				 struct seal_err *err);
/* false when absent. */
SEAL_CHECKED int rot_body_flag(const struct rot_call *call, const char *name, bool *ret_value,
			       struct seal_err *err);
/* At most ROT_MAX_HOSTNAMES names that pass check, none twice; absent: none. */
SEAL_CHECKED int rot_body_names(const struct rot_call *call, const char *name, rot_check_fn check,
				struct seal_strv *ret_names, struct seal_err *err);
/* The public key of the member csr. */
SEAL_CHECKED int rot_body_key(const struct rot_call *call, struct seal_key **ret_key,
			      struct seal_err *err);
/* A query parameter that passes check; fallback as above. */
SEAL_CHECKED int rot_query_name(const struct rot_call *call, const char *name, const char *fallback,
				rot_check_fn check, const char **ret_text, struct seal_err *err);
/* A number within 0..max; fallback when absent. */
SEAL_CHECKED int rot_query_number(const struct rot_call *call, const char *name, uint64_t fallback,
				  uint64_t max, uint64_t *ret_value, struct seal_err *err);
/* "0" or "1"; false when absent. */
SEAL_CHECKED int rot_query_flag(const struct rot_call *call, const char *name, bool *ret_value,
				struct seal_err *err);
/* The query parameter limit. */
SEAL_CHECKED int rot_query_limit(const struct rot_call *call, uint64_t *ret_limit,
				 struct seal_err *err);

/* ---- keys.c ---- */

/*
 * A peer's keys for the purposes (rot/signer/signer.h), of all generations in use or of the one that
 * seals alone.  A workload made before there were roots gets its first one here.
 */
SEAL_CHECKED int rot_ring(struct rot_call *call, const char *workload, const char *peer,
			  unsigned purposes, bool active_only, struct verify_ring **ret_ring,
			  struct seal_err *err);
/* What a pod gets of its workload's keys, into the credentials; and the newest generation of them. */
SEAL_CHECKED int rot_fill_keys(struct rot_call *call, struct rot_credentials *credentials,
			       uint64_t *ret_newest, struct seal_err *err);
/* The member keys of a workload. */
SEAL_CHECKED int rot_set_keys(struct rot_call *call, struct seal_json *object, const char *workload,
			      struct seal_err *err);
/* The names of containers in a body, and the tokens for them: the member tokens. */
SEAL_CHECKED int rot_set_tokens(struct rot_call *call, const char *workload, const char *peer,
				struct seal_err *err);

/* ---- clock.c ---- */

/* May something be issued at this time?  SEAL_E_SYSTEM, with the remedy, when the clock has jumped. */
SEAL_CHECKED int rot_clock_check(struct rot_api *api, int64_t now, struct seal_err *err);
/* The same for whoever issues something now, which is written down, once a minute. */
SEAL_CHECKED int rot_clock_use(struct rot_api *api, int64_t now, struct seal_err *err);

/* ---- cas.c ---- */

/* The member cas of a workload. */
SEAL_CHECKED int rot_set_cas(struct rot_call *call, struct seal_json *object, const char *workload,
			     struct seal_err *err);
/* How many certificates matter, as the member total; the first of them, as the member list. */
SEAL_CHECKED int rot_set_holders(struct rot_call *call, struct seal_json *object, const char *total,
				 const char *list, const char *workload, enum rot_which which,
				 uint64_t generation, struct seal_err *err);

/* ---- issue.c ---- */

struct rot_issued {
	struct seal_bytes pem;
	char serial[SEAL_SERIAL_LEN + 1];
	int64_t not_before;
	int64_t not_after;
	uint64_t ca;        /* of a pod: the generation that signed it, */
	uint64_t newest_ca; /* and the newest in the bundle */
};
void rot_issued_release(struct rot_issued *issued);

/*
 * Have a certificate made under ca that lives for seconds from now; names may be NULL.  The request
 * has been checked: a refusal by the signer is SEAL_E_BUG.
 */
struct rot_wish {
	const struct rot_ca *ca;
	const struct seal_identity *identity;
	const struct seal_strv *dns;
	const struct seal_strv *ips;
	const struct seal_key *key;
	uint64_t seconds;
};
SEAL_CHECKED int rot_issue_cert(struct rot_api *api, const struct rot_wish *wish, int64_t now,
				struct rot_issued *ret_issued, struct seal_err *err);
/* An identity of this trust domain. */
void rot_identity_pod(const struct rot_api *api, const char *workload, const char *peer,
		      struct seal_identity *ret_identity);
/* A pod certificate, by the workload's CA that signs. */
SEAL_CHECKED int rot_issue_pod(struct rot_api *api, const char *workload, const char *peer,
			       const struct seal_strv *hostnames, const struct seal_key *key,
			       uint64_t seconds, int64_t now, struct rot_issued *ret_issued,
			       struct seal_err *err);
/* Of a CA's certificate, PEM: from when until when; SHA-256 and expiry. */
SEAL_CHECKED int rot_ca_times(const char *pem, int64_t *ret_not_before, int64_t *ret_not_after,
			      struct seal_err *err);
SEAL_CHECKED int rot_ca_describe(const char *pem,
				 char ret_fingerprint[static ROT_FINGERPRINT_LEN + 1],
				 int64_t *ret_not_after, struct seal_err *err);

#endif
