/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KATA_INTERNAL_H
#define SEAL_ROT_KATA_INTERNAL_H

/*
 * kata.c and kata_parts.c read the pod into what the policy has to know, kata_rego.c writes the rules of
 * kata_rules.c and that, kata_initdata.c puts it into a document.
 */

#include "base/json/json.h"
#include "rot/inject/inject_internal.h"
#include "rot/inject/kata.h"

/* Where we are in a pod. */
struct kata_place {
	struct kata_reader *reader;
	const struct kata_options *options;
	const struct inject_item *item;
	const struct seal_tree_node *pod; /* its spec */
	const struct seal_tree_node *node;
	const char *name; /* of the container */
};

/* ---- kata_parts.c ---- */

/* Set what the manifest says of the container at a place, but for its words. */
SEAL_CHECKED int kata_set_rest(const struct kata_place *place, struct seal_json *to,
			       struct seal_err *err);

/* ---- kata_rules.c ---- */

SEAL_CHECKED int kata_rules_write(struct seal_bytes *out, const struct kata_options *options,
				  struct seal_err *err);

/* ---- kata_rego.c ---- */

/* A text as a string of Rego: letters that mean anything anywhere (Rego, TOML, templates) are escaped. */
SEAL_CHECKED int kata_rego_string(struct seal_bytes *out, const char *text, struct seal_err *err);
SEAL_CHECKED int kata_rego_write(struct seal_bytes *out, const struct seal_json *data,
				 const struct kata_options *options, struct seal_err *err);

/* ---- kata_initdata.c ---- */

/* The document, its digest and the annotation of result->policy. */
SEAL_CHECKED int kata_initdata_write(struct kata_result *result, enum kata_algorithm algorithm,
				     struct seal_err *err);
/* RFC 1952 around stored blocks (RFC 1951 section 3.2.4): any reader takes it, nothing is compressed. */
SEAL_CHECKED int kata_gzip(struct seal_bytes *out, const void *data, size_t len,
			   struct seal_err *err);

#endif
