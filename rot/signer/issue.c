/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's judgement: issues certificates.  The server asks, and is not believed: identity, names,
 * key, serial number and times are checked here, common name, usages and the names that follow from the
 * identity are written here, and a CA's key serves its own workload only.
 */

#include <arpa/inet.h>
#include <inttypes.h>

#include "base/x509/verify.h"
#include "rot/signer/signer_internal.h"
#include "rot/wire/wire.h"

/* Roles of operators that exist. */
static const char *const operator_roles[] = { "admin", "auditor", "ci" };

/* How long a certificate of each role may live, in seconds, not counting the backdating. */
static const struct lifetime {
	int64_t min;
	int64_t max;
} lifetimes[] = {
	[SEAL_ROLE_ROT] = { 60, INT64_C(30) * 86400 },
	[SEAL_ROLE_EGG] = { 1, INT64_C(366) * 86400 },
	[SEAL_ROLE_OPERATOR] = { 60, INT64_C(366) * 86400 },
	[SEAL_ROLE_POD] = { ROT_MIN_LIFETIME, ROT_MAX_LIFETIME },
};

/* A request to issue; names are those the certificate will carry. */
struct wish {
	struct rot_signer_ca ca;
	struct seal_identity identity;
	char uri[SEAL_IDENTITY_URI_MAX];
	struct seal_strv dns;
	struct seal_strv ips;
	struct seal_key *key;
	uint8_t serial[16];
	int64_t not_before;
	int64_t not_after;
};

static int get_names(struct seal_reader *in, struct seal_strv *list, struct seal_err *err);
static int check_wish(const struct rot_signer_state *state, struct wish *wish,
		      struct seal_err *err);
static int write_cert(const struct wish *wish, struct seal_writer *out, struct seal_err *err);

static void
release_wish(struct wish *wish)
{
	rot_signer_ca_release(&wish->ca);
	seal_key_free(wish->key);
	seal_strv_release(&wish->dns);
	seal_strv_release(&wish->ips);
}

int
rot_signer_op_issue(const struct rot_signer_state *state, struct seal_reader *in,
		    struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(release_wish) struct wish wish = { 0 };
	const uint8_t *spki, *serial;
	size_t spki_len = 0, serial_len = 0;
	int r;

	r = rot_signer_get_ca(state, in, &wish.ca, err);
	if (r < 0)
		return r;
	seal_get_str(in, wish.uri, sizeof(wish.uri));
	r = get_names(in, &wish.dns, err);
	if (r < 0)
		return r;
	r = get_names(in, &wish.ips, err);
	if (r < 0)
		return r;
	spki = seal_get_block(in, &spki_len);
	serial = seal_get_block(in, &serial_len);
	r = rot_signer_get_time(in, &wish.not_before, err);
	if (r < 0)
		return r;
	r = rot_signer_get_time(in, &wish.not_after, err);
	if (r < 0)
		return r;
	r = seal_get_done(in, err);
	if (r < 0)
		return r;
	if (serial_len != sizeof(wish.serial))
		return seal_fail(err, SEAL_E_FORMAT, "a serial number has 16 bytes");
	memcpy(wish.serial, serial, serial_len);
	r = seal_key_from_spki(&wish.key, spki, spki_len, err);
	if (r < 0)
		return seal_note(err, r, "public key");
	r = check_wish(state, &wish, err);
	if (r < 0)
		return r;
	return write_cert(&wish, out, err);
}

static int
get_names(struct seal_reader *in, struct seal_strv *list, struct seal_err *err)
{
	char name[SEAL_HOSTNAME_MAX + 1];
	uint32_t count = seal_get_u32(in);
	int r;

	if (count > ROT_SIGNER_MAX_NAMES)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d names", ROT_SIGNER_MAX_NAMES);
	for (uint32_t i = 0; i < count; i++) {
		name[0] = '\0';
		seal_get_str(in, name, sizeof(name));
		if (in->failed)
			return seal_fail(err, SEAL_E_FORMAT, "a message cut short");
		if (seal_strv_contains(list, name))
			return seal_fail(err, SEAL_E_REFUSED, "a name given twice");
		r = seal_strv_add(list, name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
check_identity(const struct rot_signer_state *state, struct wish *wish, struct seal_err *err)
{
	bool known = false;
	int r;

	r = seal_identity_parse(&wish->identity, wish->uri, strlen(wish->uri), err);
	if (r < 0)
		return r;
	if (strcmp(wish->identity.trust_domain, state->trust_domain) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "an identity of another trust domain");
	if (wish->identity.role != SEAL_ROLE_OPERATOR)
		return 0;
	for (size_t i = 0; i < SEAL_COUNT(operator_roles); i++)
		known = known || strcmp(operator_roles[i], wish->identity.operator_role) == 0;
	if (!known)
		return seal_fail(err, SEAL_E_REFUSED, "no such operator role");
	return 0;
}

/* Pods come from their own workload's CA, everybody else from the system CA. */
static int
check_ca_fits(const struct wish *wish, struct seal_err *err)
{
	const char *wanted = "";

	if (wish->identity.role == SEAL_ROLE_POD)
		wanted = wish->identity.workload;
	if (strcmp(wish->ca.workload, wanted) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "this CA does not issue for that identity");
	if (seal_key_same_public(wish->key, wish->ca.key))
		return seal_fail(err, SEAL_E_REFUSED, "a CA's own key is not certified again");
	return 0;
}

static int
check_times(const struct rot_signer_state *state, const struct wish *wish, struct seal_err *err)
{
	const struct lifetime *limit = &lifetimes[wish->identity.role];
	int64_t ca_before = 0, ca_after = 0, life;
	int r;

	r = rot_signer_check_clock(state, wish->not_before + ROT_BACKDATE, err);
	if (r < 0)
		return r;
	life = wish->not_after - (wish->not_before + ROT_BACKDATE);
	if (life < limit->min || life > limit->max)
		return seal_fail(err, SEAL_E_REFUSED,
				 "a lifetime of %" PRId64 " s, where %" PRId64 " to %" PRId64
				 " s are allowed",
				 life, limit->min, limit->max);
	r = seal_cert_times(seal_certs_at(wish->ca.certs, 0), &ca_before, &ca_after, err);
	if (r < 0)
		return r;
	if (wish->not_after > ca_after)
		return seal_fail(err, SEAL_E_REFUSED, "the certificate would outlive its CA");
	return 0;
}

static int
check_serial(const uint8_t serial[static 16], struct seal_err *err)
{
	uint8_t any = 0;

	for (size_t i = 0; i < 16; i++)
		any |= serial[i];
	/* RFC 5280 section 4.1.2.2: positive. */
	if (any == 0 || (serial[0] & 0x80) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "a serial number must be positive");
	return 0;
}

static int
check_rot_names(const struct wish *wish, struct seal_err *err)
{
	unsigned char addr[sizeof(struct in6_addr)];
	int r;

	for (size_t i = 0; i < wish->dns.count; i++) {
		/* The RoT may be called by a bare host name, which is spelled like a trust domain. */
		r = seal_trust_domain_check(wish->dns.items[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < wish->ips.count; i++) {
		if (inet_pton(AF_INET, wish->ips.items[i], addr) != 1 &&
		    inet_pton(AF_INET6, wish->ips.items[i], addr) != 1)
			return seal_fail(err, SEAL_E_REFUSED, "not an IP address");
	}
	return 0;
}

/* Check the host names asked for, and put the names that follow from the identity in front. */
static int
derive_pod_names(struct wish *wish, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };
	const char *peer = wish->identity.peer;
	int r;

	r = seal_strv_add(&names, SEAL_PEER_ANY, err);
	if (r == 0 && strcmp(peer, SEAL_PEER_ANY) != 0)
		r = seal_strv_add(&names, peer, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < wish->dns.count; i++) {
		r = seal_hostname_check(wish->dns.items[i], err);
		if (r < 0)
			return r;
		r = seal_strv_add(&names, wish->dns.items[i], err);
		if (r < 0)
			return r;
	}
	return seal_strv_copy(&wish->dns, &names, err);
}

static int
check_names(struct wish *wish, struct seal_err *err)
{
	if (wish->identity.role == SEAL_ROLE_ROT)
		return check_rot_names(wish, err);
	if (wish->ips.count > 0)
		return seal_fail(err, SEAL_E_REFUSED, "no IP addresses for this identity");
	if (wish->identity.role != SEAL_ROLE_POD && wish->dns.count > 0)
		return seal_fail(err, SEAL_E_REFUSED, "no host names for this identity");
	if (wish->dns.count > ROT_MAX_HOSTNAMES)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d host names", ROT_MAX_HOSTNAMES);
	if (wish->identity.role == SEAL_ROLE_POD)
		return derive_pod_names(wish, err);
	return 0;
}

static int
check_wish(const struct rot_signer_state *state, struct wish *wish, struct seal_err *err)
{
	int r;

	r = check_identity(state, wish, err);
	if (r < 0)
		return r;
	r = check_ca_fits(wish, err);
	if (r < 0)
		return r;
	r = check_serial(wish->serial, err);
	if (r < 0)
		return r;
	r = check_times(state, wish, err);
	if (r < 0)
		return r;
	return check_names(wish, err);
}

static const char *
common_name(const struct seal_identity *identity)
{
	switch (identity->role) {
	case SEAL_ROLE_EGG:
		return identity->egg;
	case SEAL_ROLE_OPERATOR:
		return identity->operator_name;
	case SEAL_ROLE_POD:
		return identity->peer;
	case SEAL_ROLE_ROT:
	case SEAL_ROLE_NONE:
		break;
	}
	return "rot";
}

static enum seal_cert_kind
cert_kind(enum seal_role role)
{
	if (role == SEAL_ROLE_POD)
		return SEAL_CERT_POD;
	return role == SEAL_ROLE_ROT ? SEAL_CERT_SERVER : SEAL_CERT_CLIENT;
}

static int
write_cert(const struct wish *wish, struct seal_writer *out, struct seal_err *err)
{
	const struct seal_cert_spec spec = {
		.kind = cert_kind(wish->identity.role),
		.common_name = common_name(&wish->identity),
		.uri = wish->uri,
		.dns = wish->dns.count > 0 ? &wish->dns : NULL,
		.ips = wish->ips.count > 0 ? &wish->ips : NULL,
		.serial = wish->serial,
		.not_before = wish->not_before,
		.not_after = wish->not_after,
	};
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	int r;

	r = seal_cert_issue_pem(&pem, &spec, wish->key, seal_certs_at(wish->ca.certs, 0),
				wish->ca.key, err);
	if (r < 0)
		return r;
	seal_put_block(out, pem.data, pem.len);
	return 0;
}
