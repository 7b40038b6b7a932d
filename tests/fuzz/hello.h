/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_HELLO_H
#define SEAL_TESTS_HELLO_H

/*
 * ClientHello and ServerHello messages taken apart, changed where it hurts, and put together again
 * with lengths that mostly fit, so that mutants reach behind the first length check.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * Change the flight of TLS records in data (len of at most max bytes) in place: a message, its
 * extensions, or the way it is cut into records.  Returns the new length; 0 when this is not a flight
 * that can be taken apart.
 */
size_t hello_mutate(uint8_t *data, size_t len, size_t max, unsigned seed);

#endif
