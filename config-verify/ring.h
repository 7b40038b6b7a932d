/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_RING_H
#define SEAL_VERIFY_RING_H

/*
 * The keys of one peer of one workload, by purpose and generation, and their names.  A pod gets them
 * when it hatches; the root of trust derives them from the workload's roots.  Format: docs/SEALED.md.
 */

#include <stdint.h>

#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/secret/secret.h"

/* What a key is for.  HKDF separates them, and peers, from each other. */
enum verify_purpose {
	VERIFY_CONFIG,    /* "config": sealed values */
	VERIFY_CONTAINER, /* "container": tokens of containers */
	VERIFY_DATA,      /* "data": what the application seals itself */
	VERIFY_N_PURPOSES
};
const char *verify_purpose_name(enum verify_purpose purpose);

/* A key's name: "shop/config/web/3" (workload, purpose, peer, generation from 1). */
struct verify_key_id {
	char workload[SEAL_WORKLOAD_MAX + 1];
	enum verify_purpose purpose;
	char peer[SEAL_PEER_MAX + 1];
	uint64_t generation;
};

#define VERIFY_KEY_ID_MAX         192
#define VERIFY_MAX_KEY_GENERATION UINT64_C(1000000)

/* The canonical text of a valid id. */
void verify_key_id_format(const struct verify_key_id *id, char out[static VERIFY_KEY_ID_MAX]);
/* Exactly one spelling: no leading zeros, no unknown purpose.  SEAL_E_FORMAT. */
SEAL_CHECKED int verify_key_id_parse(struct verify_key_id *ret_id, const char *text,
				     struct seal_err *err);

/*
 * A key from a root (SEAL_KEY_LEN bytes): HKDF-SHA-256 (RFC 5869) without salt, whose info is "seal/1/"
 * and the id's text.
 */
SEAL_CHECKED int verify_key_derive(struct seal_secret **ret_key, const struct seal_secret *root,
				   const struct verify_key_id *id, struct seal_err *err);

struct verify_ring;

SEAL_CHECKED int verify_ring_new(struct verify_ring **ret_ring, const char *workload,
				 const char *peer, struct seal_err *err);
void verify_ring_free(struct verify_ring *ring);
void verify_ring_freep(struct verify_ring **ring);
const char *verify_ring_workload(const struct verify_ring *ring);
const char *verify_ring_peer(const struct verify_ring *ring);

/* Take *key over.  SEAL_E_REFUSED for another workload or peer, SEAL_E_CONFLICT when the id is there. */
SEAL_CHECKED int verify_ring_add(struct verify_ring *ring, const struct verify_key_id *id,
				 struct seal_secret **key, struct seal_err *err);
/* Borrowed; NULL when there is none.  generation 0: the newest. */
const struct seal_secret *verify_ring_find(const struct verify_ring *ring,
					   enum verify_purpose purpose, uint64_t generation);
/* 0 when there is none. */
uint64_t verify_ring_newest(const struct verify_ring *ring, enum verify_purpose purpose);

#endif
