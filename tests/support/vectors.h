/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_VECTORS_H
#define SEAL_TESTS_VECTORS_H

/*
 * The files of one folder of vectors, which lie outside this tree.
 */

#include <stddef.h>
#include <stdint.h>

#define VECTORS_MOST (4u * 1024 * 1024) /* bytes of one file */

/*
 * Call fn for each file of the folder whose name ends in suffix; text is a block of exactly len
 * bytes, so that reading behind it is seen.  Returns the number of files; 0, aloud, when the folder
 * is missing.  Failures abort the test.
 */
size_t vectors_each(const char *folder, const char *suffix,
		    void (*fn)(void *arg, const char *name, const char *text, size_t len),
		    void *arg);

/* Is there a file of the same name with another suffix?  Its text goes to *ret_text (free it). */
size_t vectors_sibling(const char *folder, const char *name, const char *suffix, char **ret_text);

#endif
