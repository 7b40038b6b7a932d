/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KATA_INTERNAL_H
#define SEAL_ROT_KATA_INTERNAL_H

/*
 * kata.c reads the pod into what the policy has to know, kata_rego.c writes rules and that, kata_initdata.c
 * puts it into a document.
 */

#include "base/json/json.h"
#include "rot/inject/kata.h"

/* ---- kata_rego.c ---- */

/* A text as a string of Rego: letters that mean anything anywhere (Rego, TOML, templates) are escaped. */
SEAL_CHECKED int kata_rego_string(struct seal_bytes *out, const char *text, struct seal_err *err);
SEAL_CHECKED int kata_rego_write(struct seal_bytes *out, const struct seal_json *data,
				 bool allow_logs, struct seal_err *err);

/* ---- kata_initdata.c ---- */

/* The document, its digest and the annotation of result->policy. */
SEAL_CHECKED int kata_initdata_write(struct kata_result *result, enum kata_algorithm algorithm,
				     struct seal_err *err);
/* RFC 1952 around stored blocks (RFC 1951 section 3.2.4): any reader takes it, nothing is compressed. */
SEAL_CHECKED int kata_gzip(struct seal_bytes *out, const void *data, size_t len,
			   struct seal_err *err);

#endif
