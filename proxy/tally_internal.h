/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_TALLY_INTERNAL_H
#define SEAL_PROXY_TALLY_INTERNAL_H

/* For tally.c and its test only. */

#include <stddef.h>
#include <stdint.h>

#define PROXY_TALLY_SEED_LEN 16

/* SipHash-2-4. */
uint64_t proxy_tally_hash(const uint8_t seed[static PROXY_TALLY_SEED_LEN], const uint8_t *key,
			  size_t key_len);
/* Slots in the table: what it costs besides its entries. */
struct proxy_tally;
size_t proxy_tally_slots(const struct proxy_tally *tally);

#endif
