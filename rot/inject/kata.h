/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KATA_H
#define SEAL_ROT_KATA_H

/*
 * An injected manifest in, what Kata Containers' agent is to allow in that pod out: a policy in Rego, which the
 * agent asks before it does what the host says, and the initdata document that carries it into the enclave
 * and whose digest attestation can see.  No network and no files here.  What it closes: docs/kata.md.
 */

#include "rot/inject/inject.h"

enum kata_algorithm { KATA_SHA256, KATA_SHA384, KATA_N_ALGORITHMS };
/* "sha256", as the document writes it. */
const char *kata_algorithm_name(enum kata_algorithm algorithm);

struct kata_options {
	const char *ns; /* of objects that name none */
	const char
		*proxy_path; /* what the image of the sidecar starts, unless the manifest says it */
	bool allow_host_images; /* or else each is pulled in the enclave, and named by digest */
	bool allow_logs;        /* let the host read standard output and standard error */
	enum kata_algorithm algorithm;
};

#define KATA_HEX_MAX (2 * 48 + 1)
struct kata_result {
	char object[VERIFY_OBJECT_MAX]; /* whose pod it is: "shop/Deployment/web" */
	struct seal_bytes policy;
	struct seal_bytes initdata;
	struct seal_bytes
		annotation; /* of the pod: the document as gzip (not made smaller) in base64 */
	char digest[KATA_HEX_MAX]; /* of the document, hexadecimal */
};
void kata_result_release(struct kata_result *result);
/* The annotation that initdata comes in. */
#define KATA_ANNOTATION "io.katacontainers.config.hypervisor.cc_init_data"

/*
 * Exactly one object in the streams has a pod, and all of it was injected: SEAL_E_MISSING, SEAL_E_CONFLICT,
 * SEAL_E_REFUSED with the name of the container.  The same input gives the same output, byte for byte.
 */
SEAL_CHECKED int inject_kata(const struct kata_options *options, const struct inject_input *inputs,
			     size_t input_count, struct kata_result *ret_result,
			     struct seal_err *err);

#endif
