/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_COLLECT_H
#define SEAL_VERIFY_COLLECT_H

/*
 * From the sealed files of a source to the unsealed files of a volume, by what the sealed spec says of
 * it: each file is explained by the spec and opens where it was found, and nothing is left out.
 */

#include <stddef.h>

#include "base/err/err.h"
#include "base/secret/secret.h"
#include "config-verify/sealed.h"
#include "config-verify/source.h"
#include "config-verify/spec.h"
#include "config-verify/volume.h"

/* Who opens values: the agent, or in tests a ring. */
struct verify_opener {
	/*
	 * Open a value of the object with this key ("": *ret_binding says which).  *ret_plain may be left
	 * NULL for an empty value.
	 */
	int (*open)(void *arg, const struct verify_object *object, const char *key,
		    const char *text, size_t text_len, struct seal_secret **ret_plain,
		    struct verify_binding *ret_binding, struct seal_err *err);
	void *arg;
};

struct verify_collection;

/*
 * Open what the source holds for files.  Fails, and gives nothing, when
 *   - a file belongs to no item, no object and is not plain: SEAL_E_REFUSED, or what open says of it as
 *     a value of the only object whose keys are not named;
 *   - a value does not open, or is of another object or key than its place says: as open says;
 *   - values of one object are of different generations, or differ in how many there are:
 *     SEAL_E_CONFLICT (the host may be at work: try again when something is told);
 *   - an object has other than all its values, or an item is not there: SEAL_E_MISSING.
 * An optional object that is wholly absent is no failure, but listed: only the root of trust's floor
 * knows whether it exists.  Of a mount of one file nothing but that file is looked at.
 */
SEAL_CHECKED int verify_collect(struct verify_collection **ret_collection,
				const struct verify_files *files,
				const struct verify_source *source,
				const struct verify_opener *opener, struct seal_err *err);
void verify_collection_free(struct verify_collection *collection);
void verify_collection_freep(struct verify_collection **collection);

/* For verify_volume_publish, or verify_volume_fill (then one at most). */
const struct verify_file *verify_collection_files(const struct verify_collection *collection,
						  size_t *ret_count);
/* Optional objects of which nothing is there; borrowed from the spec. */
size_t verify_collection_absent_count(const struct verify_collection *collection);
const struct verify_object *verify_collection_absent(const struct verify_collection *collection,
						     size_t index);

#endif
