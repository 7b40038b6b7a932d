/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_EGG_H
#define SEAL_EGG_H

/*
 * The egg: one line of text that lets a pod prove to its root of trust which image it was started
 * from.  Format: docs/man/seal-egg.5.  No network, no files here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/x509/x509.h"

#define EGG_MAX_LEN       (16u * 1024) /* the whole line, prefix included */
#define EGG_PREFIX        "seal-egg.1."
#define EGG_MAX_URLS      16
#define EGG_MAX_HOSTNAMES 32

struct egg;

/* Everything an egg holds, borrowed by egg_new for the call. */
struct egg_fields {
	const char *id;               /* SEAL_ID_LEN hexadecimal digits */
	const struct seal_strv *urls; /* the root of trust, in order */
	const struct seal_certs *ca;  /* the system CA */
	const struct seal_certs *cert;
	const struct seal_key *key;
	const char *statement; /* opaque */
	bool plain_config;
};

SEAL_CHECKED int egg_new(struct egg **ret_egg, const struct egg_fields *fields,
			 struct seal_err *err);
/*
 * Parse an egg from its textual form; one newline at the end is allowed.  The text may come from an
 * untrusted disk: no field is believed before all have been checked, among them that the key belongs
 * to the certificate and the certificate names this egg's id.  On success *ret_egg belongs to the
 * caller; on failure it is untouched.  SEAL_E_FORMAT, or SEAL_E_LIMIT beyond EGG_MAX_LEN.
 */
SEAL_CHECKED int egg_parse(struct egg **ret_egg, const char *text, size_t text_len,
			   struct seal_err *err);
/* The line, without a newline. */
SEAL_CHECKED int egg_encode(const struct egg *egg, struct seal_secret **ret_text,
			    struct seal_err *err);
void egg_free(struct egg *egg);
void egg_freep(struct egg **egg);

/* Borrowed views. */
const char *egg_id(const struct egg *egg);
const struct seal_strv *egg_urls(const struct egg *egg);
const struct seal_certs *egg_ca(const struct egg *egg);
const struct seal_certs *egg_cert(const struct egg *egg);
const struct seal_key *egg_key(const struct egg *egg);
const char *egg_statement(const struct egg *egg);
bool egg_plain_config(const struct egg *egg);

#endif
