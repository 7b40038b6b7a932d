/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_PLACE_H
#define SEAL_TESTS_PLACE_H

/*
 * A folder of its own for each test: TestSuite(x, .init = place_enter, .fini = place_leave).
 */

#include <stddef.h>
#include <sys/types.h>

extern int place_dir;
extern char place_path[];

void place_enter(void);
void place_leave(void);

/* Make a file, and look at one. */
void place_put(const char *name, const char *text, mode_t mode);
void place_expect(const char *name, const char *text);
/* How many entries a folder has. */
size_t place_count(int dirfd);

/* One of each thing that is no regular file; the last is a link to one. */
#define PLACE_THING_COUNT 4
extern const char *const place_things[PLACE_THING_COUNT];
void place_put_things(void);

#endif
