/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CREDENTIALS_H
#define SEAL_PROXY_CREDENTIALS_H

/*
 * An identity from a folder that holds ca.pem, cert.pem and key.pem (seal cert issue), for machines
 * the owner trusts.  There is no policy in it: every listener names its peers instead.
 */

#include "proxy/proxy.h"

/* Read and check the three files. */
SEAL_CHECKED int proxy_credentials_load(struct proxy_identity_state **ret_state, const char *dir,
					uint32_t max_sessions, uint64_t generation,
					struct seal_err *err);

/* Following the files as they change. */
struct proxy_credentials;
SEAL_CHECKED int proxy_credentials_new(struct proxy_credentials **ret_credentials, const char *dir,
				       uint32_t max_sessions, struct seal_err *err);
void proxy_credentials_free(struct proxy_credentials *credentials);
/*
 * Look once.  The first look, and one after a change, yields a new state; files that do not fit
 * together yield none, once with a warning, and are looked at again.  Returns the milliseconds until
 * the next look.
 */
uint64_t proxy_credentials_turn(struct proxy_credentials *credentials,
				struct proxy_identity_state **ret_state);

#endif
