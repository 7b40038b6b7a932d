/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_TALLY_H
#define SEAL_PROXY_TALLY_H

/*
 * How many connections there are by name: of each source address, of each peer.  A hash table whose
 * keys a stranger may choose, so its order is salted; an entry exists only while it counts something.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err/err.h"

#define PROXY_TALLY_KEY_MAX 64

struct proxy_tally;
struct proxy_tally_entry; /* a name that counts at least one */

SEAL_CHECKED int proxy_tally_new(struct proxy_tally **ret_tally, struct seal_err *err);
void proxy_tally_free(struct proxy_tally *tally);
/*
 * Count one more under the key, of which no more than max (0: any number) may be.  SEAL_E_LIMIT when
 * that many are counted, SEAL_E_MEMORY; the entry is for proxy_tally_drop.
 */
SEAL_CHECKED int proxy_tally_take(struct proxy_tally *tally, const void *key, size_t key_len,
				  uint32_t max, struct proxy_tally_entry **ret_entry,
				  struct seal_err *err);
/* One less.  NULL is allowed. */
void proxy_tally_drop(struct proxy_tally *tally, struct proxy_tally_entry *entry);
size_t proxy_tally_names(const struct proxy_tally *tally);
/*
 * What an address counts as: an IPv4 address (mapped ones too), an IPv6 network of 64 bits.  Returns
 * the key's length; 0 for other families, which are not counted.
 */
size_t proxy_tally_source(uint8_t key[static PROXY_TALLY_KEY_MAX], const struct sockaddr *addr);

#endif
