/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_PAGE_H
#define SEAL_ROT_PAGE_H

/*
 * The page for people: what the root of trust looks after, to be looked at in a browser on the same machine.
 *
 *   page_door.c    the listener: who is answered, by which headers, how often the store is asked
 *   page.c         the documents: /, /workloads, /workload/NAME
 *   page_parts.c   their tables
 *   page_audit.c   the newest entries of the audit log
 *   page_style.c   how they look
 *
 * Nothing can be changed through it, it runs no script, and it knows no secret: it reads records of the store that hold
 * none.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "base/stream/stream.h"
#include "rot/server/api.h"
#include "rot/server/expiry.h"

/* ---- The documents ---- */

#define ROT_PAGE_DOCUMENT_MAX (2u * 1024 * 1024)
#define ROT_PAGE_NAME_MAX     SEAL_WORKLOAD_MAX

enum rot_page_kind { ROT_PAGE_HOME, ROT_PAGE_WORKLOADS, ROT_PAGE_WORKLOAD };

struct rot_page_facts {
	const char *trust_domain;
	const char *version;
	int64_t now;
	int64_t started;
	const struct rot_expiries *expiries;
};

/*
 * Append a document; name: which workload, or behind which the list begins ("": at the first).  SEAL_E_MISSING without
 * the workload.
 */
SEAL_CHECKED int rot_page_write(struct rot_store *store, const struct rot_page_facts *facts,
				enum rot_page_kind kind, const char *name, struct seal_bytes *out,
				struct seal_err *err);

/* ---- The listener ---- */

struct rot_page;

/* SEAL_E_USAGE unless nobody but this machine can reach the endpoint.  The api is borrowed. */
SEAL_CHECKED int rot_page_open(struct rot_page **ret_page, struct seal_loop *loop,
			       struct seal_staging *staging, const struct seal_endpoint *endpoint,
			       struct rot_api *api, struct seal_err *err);
void rot_page_close(struct rot_page *page);
/* The check alone. */
SEAL_CHECKED int rot_page_check(const struct seal_endpoint *endpoint, struct seal_err *err);

#endif
