/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SERVE_H
#define SEAL_PROXY_SERVE_H

/*
 * Serving, from the egg to the last connection.  With a sealed configuration the egg is hatched first, in
 * this thread and behind a first wall (sandbox.h); otherwise by the identity's thread once the doors are
 * there.
 */

#include "proxy/source.h"

/*
 * Serve until told to end.  config is the one in clear, of which a reference is taken; NULL with a sealed
 * one.
 */
SEAL_CHECKED int proxy_serve(const struct proxy_options *options, const struct proxy_room *room,
			     struct proxy_config *config, struct seal_err *err);

#endif
