/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_JWE_H
#define SEAL_BASE_JWE_H

/*
 * JWE compact serialization (RFC 7516 section 7.1) with alg "dir" and enc "A256GCM" (RFC 7518
 * sections 4.5 and 5.3), and nothing else: no zip, no crit, no key wrapping.  The protected header is
 * authenticated; what it says beyond alg, enc and kid belongs to the caller.
 */

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/json/json.h"
#include "base/secret/secret.h"

#define SEAL_JWE_HEADER_MAX 4096

/*
 * Seal plain under key (SEAL_KEY_LEN bytes).  kid names the key; extra, when not NULL, becomes the
 * header member "seal".  Appends the five parts to out.  A fresh random nonce is used.
 */
SEAL_CHECKED int seal_jwe_seal(struct seal_bytes *out, const struct seal_secret *key,
			       const char *kid, const struct seal_json *extra, const void *plain,
			       size_t plain_len, struct seal_err *err);

/*
 * The protected header of a value, parsed and checked for alg and enc, but NOT yet authenticated:
 * good for choosing the key by kid, for nothing else.
 */
SEAL_CHECKED int seal_jwe_header(struct seal_json **ret_header, const char *text, size_t text_len,
				 struct seal_err *err);

/*
 * Open a value.  On success *ret_plain and, when asked for, *ret_header belong to the caller; the
 * header is authenticated.  SEAL_E_FORMAT for what is no such JWE, SEAL_E_UNAUTH, one dull sentence,
 * for a wrong key or any altered bit.
 */
SEAL_CHECKED int seal_jwe_open(struct seal_secret **ret_plain, struct seal_json **ret_header,
			       const struct seal_secret *key, const char *text, size_t text_len,
			       struct seal_err *err);

#endif
