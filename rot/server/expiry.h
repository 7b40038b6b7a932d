/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_EXPIRY_H
#define SEAL_ROT_EXPIRY_H

/*
 * What the root of trust lives by, and when each of it ends: for GET /v1/status, for metrics, and for whoever warns.
 * All but operators' certificates renew by themselves, long before: what comes near its end has not.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/json/json.h"

struct rot_api;

enum rot_expiry_kind {
	ROT_EXPIRY_SYSTEM_CA,
	ROT_EXPIRY_WORKLOAD_CA,
	ROT_EXPIRY_ROT, /* the root of trust's own certificate, of this process */
	ROT_EXPIRY_OPERATOR,
	ROT_EXPIRY_KINDS
};
/* "system_ca", "workload_ca", "rot_certificate", "operator": in JSON and as a label of metrics. */
const char *rot_expiry_kind_name(enum rot_expiry_kind kind);

struct rot_expiry {
	enum rot_expiry_kind kind;
	char name[128];      /* a workload; an operator, "admin/alice"; "" otherwise */
	uint64_t generation; /* of a CA; 0 otherwise */
	int64_t not_after;   /* 0: there is none */
	/* From when on it is worth a warning: 30 days before, or in the last third of a life shorter than 90 days. */
	int64_t warn_at;
};

#define ROT_EXPIRY_WARN     (30 * INT64_C(86400))
#define ROT_EXPIRY_WARNINGS 100 /* that are listed */
struct rot_expiries {
	struct rot_expiry next[ROT_EXPIRY_KINDS]; /* of each kind the one that ends first */
	struct rot_expiry warned[ROT_EXPIRY_WARNINGS];
	size_t warned_count; /* of these */
	uint64_t warnings;   /* all, listed or not */
};

/* In the store's thread.  What was read a minute ago may be told again, but for the RoT's own. */
SEAL_CHECKED int rot_expiries(struct rot_api *api, int64_t now, struct rot_expiries *ret_expiries,
			      struct seal_err *err);

/* One sentence: what ends when, and what to do. */
#define ROT_EXPIRY_TEXT 400
void rot_expiry_say(const struct rot_expiry *expiry, int64_t now,
		    char text[static ROT_EXPIRY_TEXT]);

/* The members expires and warnings of a status. */
SEAL_CHECKED int rot_expiry_set(struct rot_api *api, int64_t now, struct seal_json *status,
				struct seal_err *err);

#endif
