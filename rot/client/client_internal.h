/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CLIENT_INTERNAL_H
#define SEAL_ROT_CLIENT_INTERNAL_H

#include "base/err/err.h"

/*
 * Ready libcurl for this process, once: memory that is wiped when freed, since replies carry keys, and
 * no file of TLS secrets, whatever the environment says.
 */
SEAL_CHECKED int rot_curl_setup(struct seal_err *err);

#endif
