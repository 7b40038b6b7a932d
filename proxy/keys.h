/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_KEYS_H
#define SEAL_PROXY_KEYS_H

/*
 * The keys that came with the identity, and how old a sealed object may be: not older than the root of
 * trust said at the hatch or a renewal, and not older than what was opened in this pod's life.  That
 * bound of an object never goes down.  The identity's thread brings news while the worker's thread
 * opens: every call below is safe from any thread.
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/secret/secret.h"
#include "config-verify/sealed.h"
#include "config-verify/token.h"
#include "rot/wire/wire.h"

/* Objects whose bound is remembered: all that one answer can name, and as many that it did not. */
#define PROXY_KEYS_OBJECTS_MAX (2u * ROT_MAX_FLOOR)

struct proxy_keys;

SEAL_CHECKED int proxy_keys_new(struct proxy_keys **ret_keys, struct seal_err *err);
void proxy_keys_free(struct proxy_keys *keys);
void proxy_keys_freep(struct proxy_keys **keys);

/*
 * What the root of trust answered: its keys take the place of those before, so that retired ones are
 * gone; its floor raises bounds and lowers none.  Keys of another workload or peer are SEAL_E_REFUSED; a
 * failure changes nothing.
 */
SEAL_CHECKED int proxy_keys_update(struct proxy_keys *keys,
				   const struct rot_credentials *credentials, struct seal_err *err);

/*
 * What the root of trust said since: the floor raises bounds as above, keys not among ids (sorted) are
 * forgotten.  *ret_lacks: there is an id of a key that is not here.
 */
SEAL_CHECKED int proxy_keys_sync(struct proxy_keys *keys, const struct rot_sync *sync,
				 bool *ret_lacks, struct seal_err *err);
/* The root of trust has withdrawn what we are: nothing opens until the next update. */
void proxy_keys_forget(struct proxy_keys *keys);

/*
 * verify_open, with expect's gen raised to the object's bound; what was opened becomes the bound.
 * SEAL_E_UNAUTH before the first update, as without the key.
 */
SEAL_CHECKED int proxy_keys_open(struct proxy_keys *keys, struct seal_secret **ret_plain,
				 struct verify_binding *ret_binding,
				 const struct verify_binding *expect, const char *text,
				 size_t text_len, struct seal_err *err);
/*
 * The same for a part of the object this pod was started from: of expect's gen exactly, whatever has
 * been sealed for the pods that come after it.
 */
SEAL_CHECKED int proxy_keys_open_own(struct proxy_keys *keys, struct seal_secret **ret_plain,
				     struct verify_binding *ret_binding,
				     const struct verify_binding *expect, const char *text,
				     size_t text_len, struct seal_err *err);

/*
 * The same for what an application that still runs was given when it started, at least expect's gen: whatever
 * has been sealed since is for those who start after it.  No bound changes.
 */
SEAL_CHECKED int proxy_keys_open_again(struct proxy_keys *keys, struct seal_secret **ret_plain,
				       struct verify_binding *ret_binding,
				       const struct verify_binding *expect, const char *text,
				       size_t text_len, struct seal_err *err);

/* verify_token_make; SEAL_E_MISSING for generation 0 and for one that is retired or unknown. */
SEAL_CHECKED int proxy_keys_token(struct proxy_keys *keys, struct verify_token *ret_token,
				  const char *container, uint64_t generation, struct seal_err *err);

/*
 * Data of the application, sealed under the newest key for data: a JWE whose kid names the key, and
 * which is bound to nothing else.  Opening refuses what other purposes have sealed.
 */
SEAL_CHECKED int proxy_keys_encrypt(struct proxy_keys *keys, struct seal_bytes *out,
				    const void *plain, size_t plain_len, struct seal_err *err);
SEAL_CHECKED int proxy_keys_decrypt(struct proxy_keys *keys, struct seal_secret **ret_plain,
				    const char *text, size_t text_len, struct seal_err *err);

/* Whose keys they are; two empty strings before the first update. */
void proxy_keys_owner(struct proxy_keys *keys, char workload[static SEAL_WORKLOAD_MAX + 1],
		      char peer[static SEAL_PEER_MAX + 1]);

#endif
