/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_BANNED_H
#define SEAL_BASE_BANNED_H

/*
 * Included before everything else: calls that are easily misused become compile errors that name the
 * replacement.  System headers are pulled in first, so that only our own code is affected; which of
 * their extensions are visible is decided before that, here, for every file alike.
 */

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The fortified C library spells some as macros, which cannot be poisoned. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncat strtok sprintf vsprintf gets atoi atol atoll
/* use: seal_bytes_append_str, seal_strndup, snprintf, seal_strv_split, seal_number_parse */

#endif
