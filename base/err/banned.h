/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_BANNED_H
#define SEAL_BASE_BANNED_H

/*
 * Included before everything else: calls that are easily misused become compile errors that name the
 * replacement.  System headers are pulled in first, so that only our own code is affected.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncat strtok sprintf vsprintf gets atoi atol atoll
/* use: seal_bytes_append_str, seal_strndup, snprintf, seal_strv_split, seal_number_parse */

#endif
