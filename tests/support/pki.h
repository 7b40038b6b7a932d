/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_PKI_H
#define SEAL_TESTS_PKI_H

/*
 * A throw-away PKI, made anew in every test process: nothing is stored.  Failures abort the test.
 */

#include <stdint.h>

#include "base/crypto/crypto.h"
#include "base/x509/verify.h"
#include "base/x509/x509.h"

#define PKI_NOW    INT64_C(1800000000) /* the clock most tests hand in */
#define PKI_DOMAIN "seal.test"

/* A key with its certificate, or a CA. */
struct pki_id {
	struct seal_key *key;
	struct seal_certs *chain; /* leaf first */
};

void pki_id_release(struct pki_id *id);
/* A CA named name, valid around PKI_NOW and around the real clock. */
struct pki_id pki_ca(const char *name);
/* Whatever spec says, issued by ca; spec->not_before 0 means "valid around all clocks". */
struct pki_id pki_issue(const struct pki_id *ca, const struct seal_cert_spec *spec);
/* A pod certificate as the RoT would issue it; hostname may be NULL. */
struct pki_id pki_pod(const struct pki_id *ca, const char *workload, const char *peer,
		      const char *hostname);
/* A list of strings from its arguments, ended by NULL. */
struct seal_strv pki_strv(const char *first, ...);

/* The folder of vectors, or NULL when it is not there (then the test says so and skips). */
const char *pki_vectors(const char *name, char *path, size_t size);

#endif
