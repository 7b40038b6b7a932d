/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What EST's operations do.  Names and lifetime are the enrolment's; of a request only its key is used.
 *
 *   simpleenroll    rate ─▶ credential ─▶ label ─▶ key ─▶ signer ─▶ spent and recorded, in one transaction ─▶ answer
 *   simplereenroll  rate ─▶ certificate ─▶ label ─▶ key ─▶ signer ─▶ recorded ─▶ answer
 *
 * Nobody's request is parsed before the credential is known to be good: signing requests are the only ASN.1 here.
 */

#include "rot/server/est_internal.h"

static int
too_fast(struct rot_call *call, unsigned seconds, const char *whose, struct seal_err *err)
{
	call->retry_after = seconds;
	return seal_fail(err, SEAL_E_LIMIT, "too many requests from this %s", whose);
}

static int
check_address(struct rot_call *call, struct seal_err *err)
{
	char address[ROT_LIMITS_NAME_MAX];
	unsigned wait;

	if ((call->counted & ROT_COUNTED_ADDRESS) != 0)
		return 0;
	rot_limits_address(seal_http_peer_host(call->request), address);
	wait = rot_limits_take(call->api->per_est_address, address, seal_loop_now_us() / 1000);
	if (wait > 0)
		return too_fast(call, wait, "address", err);
	call->counted |= ROT_COUNTED_ADDRESS;
	return 0;
}

static int
check_rate(struct rot_call *call, const char *enrolment, struct seal_err *err)
{
	unsigned wait;

	if ((call->counted & ROT_COUNTED_SUBJECT) != 0)
		return 0;
	wait = rot_limits_take(call->api->per_enrolment, enrolment, seal_loop_now_us() / 1000);
	if (wait > 0)
		return too_fast(call, wait, "enrolment", err);
	call->counted |= ROT_COUNTED_SUBJECT;
	return 0;
}

/* A label that says another workload than the one this is about. */
static bool
label_differs(const struct rot_est_call *est, const char *workload)
{
	return est->target.label[0] != '\0' && strcmp(est->target.label, workload) != 0;
}

int
rot_est_cacerts(struct rot_call *call, struct seal_err *err)
{
	const struct rot_est_call *est = (const struct rot_est_call *)call;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes bundle = SEAL_BYTES(ROT_BUNDLE_MAX);
	int r = check_address(call, err);

	if (r == 0)
		r = rot_store_ca_bundle(call->api->config.store, est->target.label, &bundle, err);
	return r < 0 ? r : rot_est_answer(&call->raw, seal_bytes_str(&bundle), bundle.len, err);
}

/* What it is about, refused or not. */
static void
note_subject(struct rot_est_call *est, const struct rot_enrolment *enrolment)
{
	memcpy(est->enrolment, enrolment->id, sizeof(est->enrolment));
	rot_call_about(&est->call, enrolment->workload);
}

/* ---- With a credential ---- */

/* Which of them it was is for our log. */
static int
judge(const struct rot_est_call *est, const struct rot_enrolment *enrolment, struct seal_err *err)
{
	if (!seal_equal(enrolment->secret, est->user.hash, sizeof(enrolment->secret)))
		return seal_fail(err, SEAL_E_UNAUTH, "the secret is wrong");
	if (enrolment->revoked_at != 0)
		return seal_fail(err, SEAL_E_UNAUTH, "the enrolment is revoked");
	if (enrolment->spent_at != 0)
		return seal_fail(err, SEAL_E_UNAUTH, "the enrolment is spent");
	if (enrolment->not_after <= est->call.now)
		return seal_fail(err, SEAL_E_UNAUTH, "the enrolment has expired");
	if (label_differs(est, enrolment->workload))
		return seal_fail(err, SEAL_E_UNAUTH, "the enrolment is of another workload");
	return 0;
}

static int
authenticate(struct rot_est_call *est, struct rot_enrolment *enrolment, struct seal_err *err)
{
	struct rot_call *call = &est->call;
	int r;

	if (!est->has_user)
		return seal_fail(err, SEAL_E_UNAUTH, "no credential, or none of ours");
	r = check_rate(call, est->user.id, err);
	if (r == 0)
		r = rot_store_get_enrolment(call->api->config.store, est->user.id, enrolment, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_UNAUTH, "no such enrolment");
	if (r == 0)
		r = judge(est, enrolment, err);
	if (r < 0)
		return r;
	/* From here on it is known who this is. */
	memcpy(est->anybody.enrolment, enrolment->id, sizeof(est->anybody.enrolment));
	note_subject(est, enrolment);
	return 0;
}

static int
read_key(const struct rot_call *call, struct seal_key **ret_key, struct seal_err *err)
{
	size_t len = 0;
	const uint8_t *body = seal_http_body(call->request, &len);

	return rot_est_key(ret_key, seal_http_header(call->request, "content-type"), body, len,
			   err);
}

/* The certificate and the answer that holds it; what is left is to record it. */
static int
issue(struct rot_call *call, const struct rot_enrolment *enrolment, struct rot_cert *cert,
      struct seal_err *err)
{
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	int r = read_key(call, &key, err);

	if (r == 0)
		r = rot_issue_pod(call->api, enrolment->workload, enrolment->peer,
				  &enrolment->hostnames, key, enrolment->lifetime, call->now,
				  &issued, err);
	if (r == 0)
		r = rot_est_answer(&call->raw, seal_bytes_str(&issued.pem), issued.pem.len, err);
	if (r < 0)
		return r;
	(void)snprintf(cert->serial, sizeof(cert->serial), "%s", issued.serial);
	cert->created_at = call->now;
	cert->not_before = issued.not_before;
	cert->not_after = issued.not_after;
	cert->ca = issued.ca;
	cert->newest_ca =
		issued.newest_ca; /* which clients fetch whenever they enrol: docs/EST.md */
	return 0;
}

/* It is said when it is in the store for good. */
static void
note_issued(struct rot_call *call, const char *event, const struct rot_enrolment *enrolment,
	    const struct rot_cert *cert)
{
	struct rot_cert *issued = &call->issued;

	*issued = *cert;
	memcpy(issued->workload, enrolment->workload, sizeof(issued->workload));
	memcpy(issued->peer, enrolment->peer, sizeof(issued->peer));
	issued->hostnames = enrolment->hostnames; /* lent */
	rot_call_issued(call, issued);
	issued->hostnames = (struct seal_strv){ 0 };
	call->issued_event = event;
}

int
rot_est_enroll(struct rot_call *call, struct seal_err *err)
{
	struct rot_est_call *est = (struct rot_est_call *)call;
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	struct rot_cert cert = { 0 };
	int r;

	memset(est->anybody.enrolment, 0, sizeof(est->anybody.enrolment)); /* of a turn before */
	r = check_address(call, err);
	if (r == 0)
		r = authenticate(est, &enrolment, err);
	if (r == 0)
		r = issue(call, &enrolment, &cert, err);
	if (r == 0)
		r = rot_store_enrol(call->api->config.store, enrolment.id, &cert, call->now, err);
	/* What was there a moment ago is gone: the same to the client. */
	if (r == SEAL_E_REFUSED || r == SEAL_E_MISSING)
		return seal_note(err, SEAL_E_UNAUTH, "meanwhile");
	if (r == 0)
		note_issued(call, "enrolled", &enrolment, &cert);
	return r;
}

/* ---- With the certificate before ---- */

/* The store insists on it, too: here nothing has been signed yet. */
static int
check_standing(const struct rot_call *call, const struct rot_enrolment *enrolment,
	       struct seal_err *err)
{
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r;

	if (enrolment->revoked_at != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the enrolment is revoked");
	r = rot_store_get_cert(call->api->config.store, call->caller->serial, &cert, err);
	if (r == SEAL_E_MISSING)
		return SEAL_E_REFUSED; /* with that sentence */
	if (r == 0 && cert.revoked_at != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the certificate is revoked");
	return r;
}

/* The enrolment that the client's certificate came of, if another may follow it. */
static int
find_enrolment(struct rot_est_call *est, struct rot_enrolment *enrolment, struct seal_err *err)
{
	const struct rot_caller *caller = est->call.caller;
	int r;

	r = rot_store_enrolment_of(est->call.api->config.store, caller->serial, enrolment, err);
	if (r == SEAL_E_MISSING)
		return SEAL_E_REFUSED; /* with that sentence */
	if (r < 0)
		return r;
	if (strcmp(enrolment->workload, caller->identity.workload) != 0 ||
	    strcmp(enrolment->peer, caller->identity.peer) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the certificate differs from its record");
	if (label_differs(est, enrolment->workload))
		return seal_fail(err, SEAL_E_REFUSED, "the certificate is of another workload");
	note_subject(est, enrolment);
	return check_standing(&est->call, enrolment, err);
}

/* So many at a time, which the store insists on: here nothing has been signed yet. */
static int
check_room(struct rot_call *call, const struct rot_enrolment *enrolment, struct seal_err *err)
{
	int64_t wait = 3600;
	size_t count = 0;

	for (size_t i = 0; i < enrolment->cert_count; i++) {
		int64_t left = enrolment->certs[i].not_after - call->now;

		if (left <= 0)
			continue;
		count++;
		wait = left < wait ? left : wait;
	}
	return count == ROT_ENROLMENT_CERTS ? too_fast(call, (unsigned)wait, "enrolment", err) : 0;
}

int
rot_est_reenroll(struct rot_call *call, struct seal_err *err)
{
	struct rot_est_call *est = (struct rot_est_call *)call;
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	struct rot_cert cert = { 0 };
	int r;

	r = check_address(call, err);
	if (r == 0)
		r = find_enrolment(est, &enrolment, err);
	if (r == 0)
		r = check_rate(call, enrolment.id, err);
	if (r == 0)
		r = check_room(call, &enrolment, err);
	if (r == 0)
		r = issue(call, &enrolment, &cert, err);
	if (r == 0)
		r = rot_store_reenrol(call->api->config.store, call->caller->serial, &cert,
				      call->now, err);
	if (r == 0)
		note_issued(call, "reenrolled", &enrolment, &cert);
	return r;
}
