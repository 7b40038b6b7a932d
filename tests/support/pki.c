/* SPDX-License-Identifier: Apache-2.0 */
/* See pki.h.  A failure here is a broken test, and ends the process with the sentence. */
#include "tests/support/pki.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FROM INT64_C(1704067201) /* just above the clock floor */
#define TO   INT64_C(2500000000)

static void
must(int r, const struct seal_err *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "test PKI: %s\n", err->text);
	abort();
}

void
pki_id_release(struct pki_id *id)
{
	seal_key_free(id->key);
	seal_certs_free(id->chain);
	*id = (struct pki_id){ 0 };
}

static struct pki_id
issue(const struct pki_id *ca, const struct seal_cert_spec *asked)
{
	struct seal_cert_spec spec = *asked;
	struct seal_cert *cert = NULL;
	struct seal_err err = { 0 };
	struct pki_id id = { 0 };

	if (spec.not_before == 0)
		spec.not_before = FROM;
	if (spec.not_after == 0)
		spec.not_after = TO;
	must(seal_key_new(&id.key, &err), &err);
	must(seal_cert_issue(&cert, &spec, id.key, ca != NULL ? seal_certs_at(ca->chain, 0) : NULL,
			     ca != NULL ? ca->key : id.key, &err),
	     &err);
	must(seal_certs_new(&id.chain, &err), &err);
	must(seal_certs_add(id.chain, cert, &err), &err);
	seal_cert_free(cert);
	return id;
}

struct pki_id
pki_ca(const char *name)
{
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_CA, .common_name = name };

	return issue(NULL, &spec);
}

struct pki_id
pki_issue(const struct pki_id *ca, const struct seal_cert_spec *spec)
{
	return issue(ca, spec);
}

struct pki_id
pki_pod(const struct pki_id *ca, const char *workload, const char *peer, const char *hostname)
{
	struct seal_strv dns = pki_strv(SEAL_PEER_ANY, NULL);
	char uri[SEAL_IDENTITY_URI_MAX];
	struct seal_err err = { 0 };
	struct seal_cert_spec spec = { .kind = SEAL_CERT_POD, .common_name = peer, .uri = uri };
	struct pki_id id;

	if (strcmp(peer, SEAL_PEER_ANY) != 0)
		must(seal_strv_add(&dns, peer, &err), &err);
	if (hostname != NULL)
		must(seal_strv_add(&dns, hostname, &err), &err);
	(void)snprintf(uri, sizeof(uri), "spiffe://%s/workload/%s/peer/%s", PKI_DOMAIN, workload,
		       peer);
	spec.dns = &dns;
	id = issue(ca, &spec);
	seal_strv_release(&dns);
	return id;
}

struct seal_strv
pki_strv(const char *first, ...)
{
	struct seal_strv list = { 0 };
	struct seal_err err = { 0 };
	va_list args;

	va_start(args, first);
	for (const char *at = first; at != NULL; at = va_arg(args, const char *))
		must(seal_strv_add(&list, at, &err), &err);
	va_end(args);
	return list;
}

const char *
pki_vectors(const char *name, char *path, size_t size)
{
	const char *root = getenv("SEAL_VECTORS");

	(void)snprintf(path, size, "%s/%s",
		       root != NULL && root[0] != '\0' ? root
						       : SEAL_SOURCE_DIR "/../shared/vectors",
		       name);
	if (access(path, R_OK) == 0)
		return path;
	fprintf(stderr, "SKIP: no vectors at %s (set SEAL_VECTORS)\n", path);
	return NULL;
}
