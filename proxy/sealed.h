/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SEALED_H
#define SEAL_PROXY_SEALED_H

/*
 * The sidecar's configuration as a sealed value, which is the only one that an ordinary egg allows: the
 * host hands it over and can neither read nor change it, nor put an older one in its place.  The keys to
 * it come with the identity, so the egg is hatched before anything else is known.
 *
 * Plaintext: {"version":1,"config":{...},"pod":{...}}; config is seal-proxy.yaml(5) as JSON.
 */

#include <stdatomic.h>

#include "proxy/hatch.h"
#include "proxy/keys.h"
#include "proxy/options.h"

#define PROXY_SEALED_MAX (128u * 1024 - 1) /* characters: what one argument can be */

/*
 * What can be seen without a key: is it a sealed value, and does it say that it is a sidecar's
 * configuration?  *ret_claimed is what it says of itself, NOT authenticated.
 */
SEAL_CHECKED int proxy_sealed_peek(const char *value, struct verify_binding *ret_claimed,
				   struct seal_err *err);

/*
 * Turns of hatch until the first identity is there, waiting between them as it says.  SEAL_E_CLOSED when
 * *stop became true; no other failure.
 */
SEAL_CHECKED int proxy_sealed_hatch(struct proxy_hatch *hatch, const atomic_bool *stop,
				    struct proxy_identity_state **ret_state, struct seal_err *err);

/*
 * The configuration, and where it was sealed for.  SEAL_E_CONFLICT for an older generation than the root
 * of trust says.  No sentence quotes it.
 */
SEAL_CHECKED int proxy_sealed_open(const struct proxy_options *options, struct proxy_keys *keys,
				   struct proxy_config **ret_config,
				   struct verify_binding *ret_binding, struct seal_err *err);

/* Opens sealed files, whose place is a Secret of this namespace. */
struct proxy_opener {
	struct proxy_keys *keys;
	char ns[VERIFY_NAMESPACE_MAX + 1];
};

/* For all files of the configuration; the opener must outlive it. */
void proxy_sealed_set_opener(struct proxy_config *config, const struct proxy_opener *opener);

/*
 * Read a file that holds a sealed value of that Secret, whose key is the file's own name, and open it:
 * at most max bytes.  Nobody but the owner could have written it, so nothing else is asked of the file.
 * Without an opener, and for a file in clear, SEAL_E_REFUSED.
 */
SEAL_CHECKED int proxy_sealed_read(const struct proxy_opener *opener, const char *path,
				   const char *secret, size_t max, struct seal_secret **ret_plain,
				   struct seal_err *err);

#endif
