/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KV_LOG_H
#define SEAL_ROT_KV_LOG_H

#include "base/err/err.h"

/*
 * Before the SQLite file at path is opened, by whoever has its lock: SEAL_E_SYSTEM when its log would be given up
 * with acknowledged transactions in it.
 */
SEAL_CHECKED int rot_log_check(const char *path, struct seal_err *err);

#endif
