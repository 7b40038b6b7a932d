/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_SEALED_H
#define SEAL_VERIFY_SEALED_H

/*
 * Sealed values: JWE compact serialization (RFC 7516), dir and A256GCM, whose protected header says
 * in its member "seal" where the value belongs.  The header is authenticated, so it is the binding:
 * the reader says where it found the value, and everything else is refused.  Format: docs/SEALED.md.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/secret/secret.h"
#include "config-verify/ring.h"

#define VERIFY_NAMESPACE_MAX 63
#define VERIFY_KIND_MAX      63
#define VERIFY_NAME_MAX      253 /* of an object, and of a key in it */
#define VERIFY_CONTAINER_MAX 63
#define VERIFY_PLAIN_MAX     (1024u * 1024) /* bytes of a value, and of an object's values together */
#define VERIFY_SEALED_MAX    (1536u * 1024) /* characters of a sealed one */
#define VERIFY_OBJECT_MAX    512            /* characters of verify_object_format */
#define VERIFY_MAX_GEN       (UINT64_C(1) << 53)
#define VERIFY_MAX_VALUES    16384 /* in one object */

/* Where a value belongs. */
struct verify_binding {
	char ns[VERIFY_NAMESPACE_MAX + 1];
	char kind[VERIFY_KIND_MAX + 1];
	char name[VERIFY_NAME_MAX + 1];
	char key[VERIFY_NAME_MAX + 1];
	char container[VERIFY_CONTAINER_MAX + 1]; /* "": not of one container */
	uint64_t gen;                             /* of the object: grows with every sealing */
	uint64_t of; /* how many values the object has: one that is left out is noticed */
};

/* The grammar of every member (Kubernetes names; gen and of at least 1).  SEAL_E_FORMAT, SEAL_E_LIMIT. */
SEAL_CHECKED int verify_binding_check(const struct verify_binding *binding, struct seal_err *err);
/* "shop/ConfigMap/app": the object of a binding, as floors and messages name it. */
void verify_object_format(const struct verify_binding *binding, char out[static VERIFY_OBJECT_MAX]);

/* Append the sealed value, under the ring's newest key for VERIFY_CONFIG. */
SEAL_CHECKED int verify_seal(struct seal_bytes *out, const struct verify_ring *ring,
			     const struct verify_binding *binding, const void *plain,
			     size_t plain_len, struct seal_err *err);

/*
 * What a value says of itself, NOT authenticated: for choosing keys and for seeing that something is
 * sealed already, for nothing else.  SEAL_E_FORMAT for what is no sealed value.
 */
SEAL_CHECKED int verify_peek(const char *text, size_t text_len, struct verify_key_id *ret_id,
			     struct verify_binding *ret_binding, struct seal_err *err);
/* True when verify_peek would succeed. */
bool verify_is_sealed(const char *text, size_t text_len);

/*
 * Open a value that was found where expect says: ns, kind, name and container must be the same; so
 * must key, unless expect's is "" (the caller looks at what it is); gen must be at least expect's;
 * expect's of is not looked at.  On success *ret_plain is the caller's and *ret_binding, when asked
 * for, is authenticated.  An empty value gives a secret of length 0.
 *
 * SEAL_E_FORMAT for what is no sealed value; SEAL_E_UNAUTH, one dull sentence, for a key that is not
 * in the ring and for any altered bit; SEAL_E_REFUSED, saying what differs, for an authentic value in
 * the wrong place; SEAL_E_CONFLICT for an older generation than expected.
 */
SEAL_CHECKED int verify_open(struct seal_secret **ret_plain, struct verify_binding *ret_binding,
			     const struct verify_ring *ring, const struct verify_binding *expect,
			     const char *text, size_t text_len, struct seal_err *err);
/* The same for whoever may open everything (the root of trust): no place is expected. */
SEAL_CHECKED int verify_open_any(struct seal_secret **ret_plain, struct verify_binding *ret_binding,
				 const struct verify_ring *ring, const char *text, size_t text_len,
				 struct seal_err *err);

#endif
