/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for SPIFFE IDs: exactly four shapes are ours, each with exactly one spelling, and whatever
 * else a certificate may carry is nobody's.  Verifies nothing about who presents one.
 */

#include "base/names/names.h"

#include <assert.h>

#include "base/names/names_internal.h"

#define SCHEME       "spiffe://"
#define SEGMENT_MAX  4
#define NOT_IDENTITY "not a SPIFFE ID of this system"

/* The parts between the slashes; parts[0] is the trust domain. */
struct parts {
	char text[SEAL_IDENTITY_URI_MAX];
	const char *part[SEGMENT_MAX + 1];
	size_t count;
};

static bool
split(struct parts *parts, const char *uri, size_t len)
{
	size_t skip = strlen(SCHEME);
	char *at = parts->text;

	if (len <= skip || len >= sizeof(parts->text) || memchr(uri, '\0', len) != NULL ||
	    memcmp(uri, SCHEME, skip) != 0)
		return false;
	memcpy(at, uri + skip, len - skip);
	at[len - skip] = '\0';

	for (;;) {
		char *slash = strchrnul(at, '/');
		bool last = *slash == '\0';

		if (slash == at || parts->count == SEAL_COUNT(parts->part))
			return false;
		*slash = '\0';
		parts->part[parts->count++] = at;
		if (last)
			return true;
		at = slash + 1;
	}
}

/* Every check below bounds the length, so what passed fits. */
static void
copy(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);

	assert(len < size);
	memcpy(to, from, len + 1);
}

static bool
is_egg(struct seal_identity *id, const struct parts *parts)
{
	if (parts->count != 3 || strcmp(parts->part[1], "egg") != 0 ||
	    seal_id_check(parts->part[2], NULL) < 0)
		return false;
	id->role = SEAL_ROLE_EGG;
	copy(id->egg, sizeof(id->egg), parts->part[2]);
	return true;
}

static bool
is_operator(struct seal_identity *id, const struct parts *parts)
{
	if (parts->count != 4 || strcmp(parts->part[1], "operator") != 0 ||
	    !seal_names_like_peer(parts->part[2]) || !seal_names_like_peer(parts->part[3]))
		return false;
	id->role = SEAL_ROLE_OPERATOR;
	copy(id->operator_role, sizeof(id->operator_role), parts->part[2]);
	copy(id->operator_name, sizeof(id->operator_name), parts->part[3]);
	return true;
}

static bool
is_pod(struct seal_identity *id, const struct parts *parts)
{
	if (parts->count != 5 || strcmp(parts->part[1], "workload") != 0 ||
	    strcmp(parts->part[3], "peer") != 0 || seal_workload_check(parts->part[2], NULL) < 0 ||
	    seal_peer_check(parts->part[4], NULL) < 0)
		return false;
	id->role = SEAL_ROLE_POD;
	copy(id->workload, sizeof(id->workload), parts->part[2]);
	copy(id->peer, sizeof(id->peer), parts->part[4]);
	return true;
}

static bool
is_rot(struct seal_identity *id, const struct parts *parts)
{
	if (parts->count != 2 || strcmp(parts->part[1], "rot") != 0)
		return false;
	id->role = SEAL_ROLE_ROT;
	return true;
}

int
seal_identity_parse(struct seal_identity *ret_identity, const char *uri, size_t uri_len,
		    struct seal_err *err)
{
	struct seal_identity id = { 0 };
	struct parts parts = { 0 };

	if (!split(&parts, uri, uri_len) || seal_trust_domain_check(parts.part[0], NULL) < 0)
		return seal_fail(err, SEAL_E_FORMAT, NOT_IDENTITY);
	if (!is_rot(&id, &parts) && !is_egg(&id, &parts) && !is_operator(&id, &parts) &&
	    !is_pod(&id, &parts))
		return seal_fail(err, SEAL_E_FORMAT, NOT_IDENTITY);
	copy(id.trust_domain, sizeof(id.trust_domain), parts.part[0]);
	*ret_identity = id;
	return 0;
}

void
seal_identity_format(const struct seal_identity *id, char uri[static SEAL_IDENTITY_URI_MAX])
{
	const char *domain = id->trust_domain;
	int n = 0;

	uri[0] = '\0';
	switch (id->role) {
	case SEAL_ROLE_ROT:
		n = snprintf(uri, SEAL_IDENTITY_URI_MAX, SCHEME "%s/rot", domain);
		break;
	case SEAL_ROLE_EGG:
		n = snprintf(uri, SEAL_IDENTITY_URI_MAX, SCHEME "%s/egg/%s", domain, id->egg);
		break;
	case SEAL_ROLE_OPERATOR:
		n = snprintf(uri, SEAL_IDENTITY_URI_MAX, SCHEME "%s/operator/%s/%s", domain,
			     id->operator_role, id->operator_name);
		break;
	case SEAL_ROLE_POD:
		n = snprintf(uri, SEAL_IDENTITY_URI_MAX, SCHEME "%s/workload/%s/peer/%s", domain,
			     id->workload, id->peer);
		break;
	case SEAL_ROLE_NONE:
		break;
	}
	assert(n >= 0 && n < SEAL_IDENTITY_URI_MAX); /* the fields are shorter than their sum */
}
