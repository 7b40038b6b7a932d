/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_TOKEN_H
#define SEAL_VERIFY_TOKEN_H

/*
 * The container token: what a container's image and the agent of its pod know, and nobody else.  One
 * line of text, "seal-token.1." and base64url of {"workload","peer","container","generation","key"}.
 * Its key is derived (HKDF, info "seal/1/token/CONTAINER") from the peer's key for containers, so the
 * agent knows the token of every name and keeps none.  Format: docs/SEALED.md.
 */

#include "base/err/err.h"
#include "base/secret/secret.h"
#include "config-verify/ring.h"
#include "config-verify/sealed.h"

#define VERIFY_TOKEN_MAX_LEN 1024
#define VERIFY_TOKEN_PREFIX  "seal-token.1."

struct verify_token {
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	char container[VERIFY_CONTAINER_MAX + 1];
	uint64_t generation;
	struct seal_secret *key;
};

void verify_token_release(struct verify_token *token);
/* The token of a container, with the ring's key of that generation (0: newest) for VERIFY_CONTAINER. */
SEAL_CHECKED int verify_token_make(struct verify_token *ret_token, const struct verify_ring *ring,
				   const char *container, uint64_t generation,
				   struct seal_err *err);
/* The line, without a newline. */
SEAL_CHECKED int verify_token_encode(const struct verify_token *token,
				     struct seal_secret **ret_text, struct seal_err *err);
/* One newline at the end is allowed. */
SEAL_CHECKED int verify_token_parse(struct verify_token *ret_token, const char *text,
				    size_t text_len, struct seal_err *err);

#endif
