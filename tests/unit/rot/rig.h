/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_RIG_H
#define SEAL_TESTS_RIG_H

/*
 * Roots of trust for tests: a store alone, a signer served by a thread, or a whole server in a fresh
 * directory with its loop in a thread.  Failures abort the test.
 */

#include <limits.h>
#include <pthread.h>

#include "base/json/json.h"
#include "rot/client/client.h"
#include "rot/server/server.h"
#include "rot/server/store.h"
#include "rot/signer/signer.h"
#include "rot/signer/signer_internal.h"

#define RIG_DOMAIN "rot.example.com"

/* A directory of its own, removed with all that is in it. */
void rig_dir_make(char path[static PATH_MAX]);
void rig_dir_remove(const char *path);

/* Run SQL on a database behind its owner's back. */
void rig_sql(const char *db_path, const char *sql);
/* The one number a query gives. */
int64_t rig_sql_number(const char *db_path, const char *sql);
/* How many keys begin so; the sum of a member of their records, or of its elements' number. */
int64_t rig_count(const char *db_path, const char *prefix);
int64_t rig_sum(const char *db_path, const char *prefix, const char *member);
/* Set a member of all records whose keys begin so; value: JSON, single quotes standing for double ones. */
void rig_edit(const char *db_path, const char *prefix, const char *member, const char *value);
void rig_remove(const char *db_path, const char *prefix);
/* Open the store in a file. */
int rig_open(struct rot_store **ret_store, const char *db_path, struct seal_err *err);

/* A fresh store with made-up CAs; now is when it was made. */
struct rot_store *rig_store(const struct rot_kv_config *config, int64_t now);
void rig_fake_ca(struct rot_ca *ca, const char *workload);
void rig_fake_root(struct rot_root *root, const char *workload, uint64_t generation);
void rig_add_workload(struct rot_store *store, const char *name, bool open, int64_t now);

/* A signer whose other end is a thread of this process. */
struct rig_signer {
	struct rot_signer signer;
	struct rot_signer_state state;
	int their_fd;
	int their_life;
	pthread_t thread;
};
void rig_signer_start(struct rig_signer *rig, uint8_t kek_byte, const char *trust_domain);
void rig_signer_stop(struct rig_signer *rig);

/* A running root of trust. */
struct rig {
	char dir[PATH_MAX];
	char home[PATH_MAX];
	char db[PATH_MAX];
	char socket[PATH_MAX];
	struct rot_server_config config;
	struct rot_store *store;
	struct rig_signer signer;
	struct seal_loop *loop;
	struct rot_server *server;
	struct seal_wake *stop;
	pthread_t thread;
	struct rot_client *local; /* admin, over the socket */
	struct seal_strv urls;
	struct seal_certs *ca;
	unsigned operators; /* made so far */
};
/* change may alter the configuration before the start; NULL: as it is. */
void rig_start(struct rig *rig, void (*change)(struct rot_server_config *config));
void rig_stop(struct rig *rig);
/* The parts of stopping: the loop's end, which somebody else has brought about; what is left then. */
void rig_ended(struct rig *rig);
void rig_release(struct rig *rig);

/* A call as the local operator; body NULL or JSON text.  The reply is parsed (NULL: no object). */
unsigned rig_call(struct rot_client *client, const char *method, const char *path,
		  const struct seal_json *body, struct seal_json **ret_reply);
/* The answer as it came, appended. */
unsigned rig_get(struct rot_client *client, const char *path, struct seal_bytes *reply);
/* The same, expecting the status, dropping the reply. */
void rig_expect(struct rig *rig, unsigned status, const char *method, const char *path,
		const struct seal_json *body);
/* Expect the status and the code and, unless NULL, a part of the message. */
void rig_expect_error(struct rot_client *client, unsigned status, const char *code,
		      const char *part, const char *method, const char *path,
		      const struct seal_json *body);
/* A JSON object from text; single quotes stand for double ones.  The caller frees it. */
struct seal_json *rig_json(const char *text);

/* An egg as the CLI would make it. */
struct rig_egg {
	char id[SEAL_ID_LEN + 1];
	struct seal_key *key;
	struct seal_certs *cert;
	char *statement;
};
/* order: the members of the request without csr. */
void rig_mint(struct rig *rig, const char *order, struct rig_egg *ret_egg);
void rig_egg_release(struct rig_egg *egg);

/* A client with a certificate; the caller frees it. */
struct rot_client *rig_client(struct rig *rig, const struct seal_certs *cert,
			      const struct seal_key *key);
/* The same for a new operator of the role, alice-1, alice-2 …; the caller frees the client. */
struct rot_client *rig_operator(struct rig *rig, const char *role);
struct rot_client *rig_operator_named(struct rig *rig, const char *role, const char *name);
/* The PEM of a request for key.  The caller frees it. */
char *rig_csr(const struct seal_key *key);

#endif
