/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_EST_SERVE_H
#define SEAL_ROT_EST_SERVE_H

/* EST (est.h) for a listener of its own; verify and free_client are the API's (api.h). */

#include "rot/server/api.h"

/* A callback of seal_http; arg is the struct rot_api. */
void rot_est_handle(void *arg, struct seal_http_request *request);

#endif
