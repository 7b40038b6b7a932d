/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_NAMES_INTERNAL_H
#define SEAL_BASE_NAMES_INTERNAL_H

/* The grammar without its reserved words, for the files of this room. */

#include <stdbool.h>
#include <stddef.h>

/* [a-z][a-z0-9-]{0,62}, no '-' at the end: what peers, operator roles and operator names look like. */
bool seal_names_like_peer(const char *name);
/* LDH labels (RFC 1123 section 2.1), lower case, one or more, at most SEAL_HOSTNAME_MAX in all. */
bool seal_names_like_host(const char *name, size_t len);
/* The last label is a number to some resolver: the name would be taken for an IPv4 address. */
bool seal_names_like_ipv4(const char *name, size_t len);

#endif
