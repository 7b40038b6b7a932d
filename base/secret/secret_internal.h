/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_SECRET_INTERNAL_H
#define SEAL_BASE_SECRET_INTERNAL_H

/* For this room only. */

#include "base/secret/secret.h"

/* Before the crypto library allocates anything; failing leaves it with the common heap. */
void seal_slots_setup(void);
/* Give the pages of free slots back, but for a few. */
void seal_slots_tidy(void);

#endif
