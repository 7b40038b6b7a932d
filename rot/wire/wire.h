/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_WIRE_H
#define SEAL_ROT_WIRE_H

/*
 * The messages pods exchange with the root of trust, in both directions.  The format is specified in
 * docs/ROT-PROTOCOL.md.
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/secret/secret.h"

#define ROT_MAX_BODY      (64u * 1024)       /* of a request, but those that seal and unseal: */
#define ROT_MAX_SEAL_BODY (4u * 1024 * 1024) /* of them */
#define ROT_MAX_SEAL_OBJECTS                                                                       \
	4096 /* of a request: a second of the server, which serves one at a time */
#define ROT_MAX_SEALED    (7u * 1024 * 1024) /* bytes of their answers; a stream keeps 8 MiB */
#define ROT_MAX_HOSTNAMES 32
#define ROT_MAX_PEERS     1024
#define ROT_MIN_LIFETIME  60          /* seconds a pod certificate lives, at least */
#define ROT_MAX_LIFETIME  (7 * 86400) /* and at most */
#define ROT_LIFETIME      86400
#define ROT_BACKDATE      300 /* not-before lies this far back */

/* POST /v1/hatch; with statement NULL it is the body of POST /v1/renew. */
struct rot_request {
	char *statement;
	char *csr; /* PEM */
	struct seal_strv hostnames;
};

void rot_request_release(struct rot_request *request);
SEAL_CHECKED int rot_request_encode(const struct rot_request *request, struct seal_bytes *out,
				    struct seal_err *err);
/* want_statement: a hatch, where it is required; otherwise a renewal, where it is refused. */
SEAL_CHECKED int rot_request_parse(struct rot_request *ret_request, bool want_statement,
				   const void *body, size_t body_len, struct seal_err *err);

#define ROT_KEY_LEN         32
#define ROT_KEY_ID_MAX      191
#define ROT_OBJECT_MAX      511
#define ROT_MAX_GEN         (UINT64_C(1) << 53)
#define ROT_MAX_KEYS        256                /* of all purposes and generations, in one answer */
#define ROT_MAX_FLOOR       16384              /* objects */
#define ROT_MAX_CREDENTIALS (4u * 1024 * 1024) /* bytes of the answer */

/* A derived key of ROT_KEY_LEN bytes: id as in config-verify/ring.h ("shop/config/web/3"). */
struct rot_key {
	char *id;
	struct seal_secret *key;
};

/* An object's newest generation: "shop/ConfigMap/app" and nothing older. */
struct rot_floor {
	char *object;
	uint64_t gen;
};

/* What a pod gets for it. */
struct rot_credentials {
	char *certificate; /* PEM, leaf first */
	char *ca_bundle;   /* PEM */
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	struct seal_strv clients; /* may call me; "*" is every peer */
	struct seal_strv servers; /* I may call */
	struct rot_key *keys;
	size_t key_count;
	struct rot_floor *floor; /* sorted by object */
	size_t floor_count;
	uint64_t epoch;
	int64_t renew_after; /* seconds since the epoch */
};

void rot_floor_free(struct rot_floor *floor, size_t count);
void rot_credentials_release(struct rot_credentials *credentials);
SEAL_CHECKED int rot_credentials_encode(const struct rot_credentials *credentials,
					struct seal_bytes *out, struct seal_err *err);
/* Unknown members are ignored: later versions add some.  What key ids mean is the caller's to check. */
SEAL_CHECKED int rot_credentials_parse(struct rot_credentials *ret_credentials, const void *body,
				       size_t body_len, struct seal_err *err);

#define ROT_MAX_REVOKED  16384
#define ROT_MAX_SYNC     (4u * 1024 * 1024) /* bytes of the answer */
#define ROT_SYNC_SECONDS 55                 /* an answer to GET /v1/sync comes no later */

/*
 * What a pod is told between two certificates; whole each time, not what has changed.  Nothing in it is
 * secret: keys are named, and come with the renewal.
 */
struct rot_sync {
	uint64_t epoch;
	struct seal_strv clients;
	struct seal_strv servers;
	char *ca_bundle;          /* PEM */
	char *former_cas;         /* PEM; NULL: none */
	struct seal_strv revoked; /* serials, sorted */
	struct rot_floor *floor;  /* sorted by object */
	size_t floor_count;
	struct seal_strv keys; /* ids, sorted */
	bool renew;
};

void rot_sync_release(struct rot_sync *sync);
/* Lists in any order; they are read back in order. */
SEAL_CHECKED int rot_sync_encode(const struct rot_sync *sync, struct seal_bytes *out,
				 struct seal_err *err);
/* Unknown members are ignored, like those of credentials. */
SEAL_CHECKED int rot_sync_parse(struct rot_sync *ret_sync, const void *body, size_t body_len,
				struct seal_err *err);

/* {"error":{"code","message"}}; message is the empty string when body is something else. */
#define ROT_ERROR_TEXT_MAX 256
void rot_error_parse(const void *body, size_t body_len, char code[static 64],
		     char message[static ROT_ERROR_TEXT_MAX]);
SEAL_CHECKED int rot_error_encode(const char *code, const char *message, struct seal_bytes *out,
				  struct seal_err *err);

#endif
