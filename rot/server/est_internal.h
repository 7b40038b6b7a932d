/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_EST_INTERNAL_H
#define SEAL_ROT_EST_INTERNAL_H

/* Between est_serve.c, which takes requests and answers them, and est_enrol.c, which does what they ask for. */

#include "rot/server/api_internal.h"
#include "rot/server/est.h"

/* A call (api_internal.h) of this listener. */
struct rot_est_call {
	struct rot_call call; /* first */
	struct rot_est_target target;
	bool has_user;
	struct rot_est_user user;
	char enrolment[SEAL_ID_LEN + 1]; /* that this is about, once it is known */
	struct rot_caller anybody; /* who has shown no certificate, or one that does not matter */
};

/* The handlers, in the store's thread; the answer goes into raw. */
int rot_est_cacerts(struct rot_call *call, struct seal_err *err);
/* SEAL_E_UNAUTH: the credential is no good, whatever the reason. */
int rot_est_enroll(struct rot_call *call, struct seal_err *err);
int rot_est_reenroll(struct rot_call *call, struct seal_err *err);

#endif
