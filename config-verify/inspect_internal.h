/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_INSPECT_INTERNAL_H
#define SEAL_VERIFY_INSPECT_INTERNAL_H

/* What is looked at beside mounts and files.  For inspect.c. */

#include "config-verify/finding.h"

/* Those of /dev below root, as far as they are there.  Fails as verify_inspect. */
SEAL_CHECKED int verify_inspect_devices(int root, struct verify_findings *findings,
					struct seal_err *err);

#endif
