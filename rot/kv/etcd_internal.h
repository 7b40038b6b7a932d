/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KV_ETCD_INTERNAL_H
#define SEAL_ROT_KV_ETCD_INTERNAL_H

/*
 * Between the files of the etcd engine: etcd_http.c carries requests (the only door to libcurl), etcd_call.c
 * speaks etcd's JSON, etcd_journal.c remembers what a transaction has read and written, etcd_commit.c makes one
 * request of that and finds out what became of it, etcd_range.c walks, kv_etcd.c is the engine.
 */

#include "base/json/json.h"
#include "rot/kv/kv_internal.h"

#define ETCD_CONNECT_MS 1000
#define ETCD_REQUEST_MS 2000
#define ETCD_CALL_MS    5000 /* all attempts of one call */
#define ETCD_MAX_HOSTS  16
#define ETCD_MAX_OPS    128 /* etcd's --max-txn-ops, unless somebody has raised it */
#define ETCD_ANSWER_MAX (32u * 1024 * 1024)
#define ETCD_BODY_MAX   (16u * 1024 * 1024)
#define ETCD_PAGE       256

/* ---- etcd_http.c ---- */

struct etcd_http;

int etcd_http_new(struct etcd_http **ret_http, const struct rot_kv_config *config,
		  struct seal_err *err);
void etcd_http_free(struct etcd_http *http);
/* As rot_kv_reread; connections are left alone when nothing is new. */
int etcd_http_reread(struct etcd_http **http, struct seal_err *err);
/*
 * POST body to url; its answer is appended to what answer holds.  *ret_sent: the request, or a part of it, may
 * have arrived although the call failed.
 */
int etcd_http_post(struct etcd_http *http, const char *url, const struct seal_bytes *body,
		   uint64_t timeout_ms, struct seal_bytes *answer, long *ret_status, bool *ret_sent,
		   struct seal_err *err);

/* ---- etcd_answer.c: what etcd says, taken apart strictly ---- */

#define ETCD_PREFIX_MAX  128
#define ETCD_CLUSTER_MAX 24

struct etcd_names {
	char prefix[ETCD_PREFIX_MAX + 1];   /* of all keys */
	char cluster[ETCD_CLUSTER_MAX + 1]; /* whose answers are believed: the first one's */
};

/* Keys are without the prefix here. */
struct etcd_kv {
	char *key;
	struct seal_bytes value;
	uint64_t mod;
};
struct etcd_page {
	struct etcd_kv *items;
	size_t count;
	uint64_t total;    /* of the range */
	uint64_t revision; /* the store's, when it was asked */
};
void etcd_page_release(struct etcd_page *page);

struct etcd_outcome {
	bool known;        /* else it may have happened, or happen yet */
	bool succeeded;    /* the comparisons held, and it was done */
	uint64_t revision; /* the store's, afterwards */
	/* When they did not hold: the key that the other branch read. */
	bool has_kv;
	struct seal_bytes value;
	uint64_t mod;
};

/* SEAL_E_REFUSED for an answer of another cluster. */
int etcd_answer_parse(struct etcd_names *names, const void *text, size_t len,
		      struct seal_json **ret_json, uint64_t *ret_revision, struct seal_err *err);
/* All of a page but its revision, of a transaction's outcome but that and known. */
int etcd_answer_page(const struct etcd_names *names, const struct seal_json *json,
		     struct etcd_page *page, struct seal_err *err);
int etcd_answer_outcome(const struct etcd_names *names, const struct seal_json *json,
			struct etcd_outcome *outcome, struct seal_err *err);

/* ---- etcd_call.c ---- */

struct etcd_client;

int etcd_client_new(struct etcd_client **ret_client, const struct rot_kv_config *config,
		    const char *endpoints, struct seal_err *err);
void etcd_client_free(struct etcd_client *client);
/* As rot_kv_reread. */
int etcd_client_reread(struct etcd_client *client, struct seal_err *err);
/* The cluster's id, "" before its first answer. */
const char *etcd_client_cluster(const struct etcd_client *client);

uint64_t etcd_now_ms(void);

struct etcd_ask {
	const char *from;
	const char *to;    /* NULL: the one key */
	uint64_t revision; /* 0: the newest there is, by the agreement of the majority */
	uint64_t limit;
	bool backwards;
	bool keys_only;
};
int etcd_range(struct etcd_client *client, const struct etcd_ask *ask, uint64_t deadline_ms,
	       struct etcd_page *ret_page, struct seal_err *err);

/* Parts of a transaction's text; a comma stands before every part but the first of a list. */
int etcd_put_key(struct etcd_client *client, struct seal_bytes *body, const char *name,
		 const char *key, struct seal_err *err);
int etcd_put_value(struct seal_bytes *body, const void *value, size_t len, struct seal_err *err);

/* A failure that is no answer leaves known false and returns 0; what etcd refuses for good is an error. */
int etcd_txn(struct etcd_client *client, const struct seal_bytes *body, uint64_t deadline_ms,
	     struct etcd_outcome *outcome, struct seal_err *err);

/* ---- etcd_journal.c: entries in the order they came, and the newest of each key in the order of keys ---- */

struct etcd_entry {
	char *key;
	struct seal_bytes value;
	uint64_t mod;   /* read: when it was changed last; 0: it is not there */
	bool has_value; /* read: and not only the key */
	bool gone;      /* written: deleted */
	bool add;       /* written: may not have been there */
	size_t before;  /* 1 + the entry this one took the place of; 0: none */
};
struct etcd_journal {
	struct etcd_entry *entries;
	size_t count;
	size_t *heads; /* by key */
	size_t head_count;
	size_t cap;
};
void etcd_journal_release(struct etcd_journal *journal);
/* The newest entry of a key; NULL: none. */
struct etcd_entry *etcd_journal_find(const struct etcd_journal *journal, const char *key);
/* The first place among heads whose key is not less. */
size_t etcd_journal_place(const struct etcd_journal *journal, const char *key);
struct etcd_entry *etcd_journal_head(const struct etcd_journal *journal, size_t place);
/* A new entry, which takes the key's place. */
int etcd_journal_add(struct etcd_journal *journal, const char *key, struct etcd_entry **ret_entry,
		     struct seal_err *err);
/* Forget the entries from count on. */
void etcd_journal_cut(struct etcd_journal *journal, size_t count);

/* ---- The engine's state ---- */

struct etcd_span {
	char *from;
	char *to;
};

struct etcd_mark {
	size_t reads;
	size_t writes;
	size_t spans;
	bool wide;
};

struct etcd_store {
	struct etcd_client *client;
	/*
	 * Our key of its own in etcd, which every commit changes and compares: a commit whose answer was lost is
	 * found again by it, and one that is still on its way can be made to fail.
	 */
	char fence[ROT_KV_ID_LEN + 16];
	uint64_t fence_mod;   /* its revision; 0: not there */
	uint64_t fence_count; /* what was tried to be written last */
	bool unsettled;       /* nobody knows what became of that */
	/*
	 * What the store says of itself was changed last then: every commit compares it, so that who moves the store,
	 * or fills it, or changes its key-encryption key, shuts out whoever has it open.  0: not known yet.
	 */
	uint64_t self_mod;
	bool is_open;
	uint64_t revision; /* all reads are of it; 0: none was made */
	bool wide;         /* has read more than could be compared */
	struct etcd_journal reads;
	struct etcd_journal writes;
	struct etcd_span *spans; /* ranges that were read */
	size_t span_count;
	struct etcd_mark marks[ROT_KV_MARKS_MAX + 1];
};

/* ---- kv_etcd.c ---- */

/* Ask at the transaction's revision, which the first question decides. */
int etcd_read(struct etcd_store *store, struct etcd_ask *asked, struct etcd_page *page,
	      struct seal_err *err);
/* Remember what a key was: to be compared, and not to be asked for again.  kv NULL: it is not there. */
int etcd_note_read(struct etcd_store *store, const char *key, const struct etcd_kv *kv,
		   bool has_value, struct seal_err *err);

/* ---- etcd_range.c ---- */

int etcd_each(void *state, const struct rot_kv_range *range, rot_kv_stored_fn fn, void *arg,
	      struct seal_err *err);
int etcd_count(void *state, const char *from, const char *to, uint64_t *ret_count,
	       struct seal_err *err);

/* ---- etcd_commit.c ---- */

int etcd_fence_new(struct etcd_store *store, struct seal_err *err);
/* Take ours away, and those that crashed processes left more than a day ago.  As far as possible. */
void etcd_fence_end(struct etcd_store *store);
void etcd_fence_purge(struct etcd_store *store);
/* Make sure that nothing of an earlier transaction is still on its way. */
int etcd_settle(struct etcd_store *store, struct seal_err *err);
int etcd_commit(struct etcd_store *store, struct seal_err *err);
uint64_t etcd_room(const struct etcd_store *store);
/* SEAL_E_REFUSED when the store's word of itself, changed last at mod, is not the one that we opened. */
int etcd_check_self(const struct etcd_store *store, uint64_t mod, struct seal_err *err);

#endif
