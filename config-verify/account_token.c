/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of a service account's token: a JWS in compact form (RFC 7515 section 7.1) with the claims
 * of a token that kubelet asked for.  The host could have it made by a key of its own, and nobody here
 * could tell.  What is shown of it is who it is for, never the token.
 */

#include <string.h>

#include "base/json/json.h"
#include "config-verify/sysfiles_internal.h"

#define NUMBER_MAX (UINT64_C(1) << 53) /* seconds: what every reader of JSON keeps whole */
#define LEEWAY     60                  /* seconds between the cluster's clocks and ours */

struct judge {
	const char *file;
	const struct verify_policy *policy;
	const struct verify_self *self;
	struct verify_findings *findings;
	const struct seal_json *claims;
	const char *ns; /* as the subject has them */
	size_t ns_len;
	const char *name;
};

#define SUSPECT(judge, rule, ...)                                                                  \
	verify_suspect((judge)->findings, VERIFY_RULE_##rule, (judge)->file, 0, __VA_ARGS__)

/* ---- Claims ---- */

static void
judge_issuer(struct judge *judge)
{
	static const char scheme[] = "https://";
	const char *wanted = judge->policy == NULL ? NULL : judge->policy->account.issuer;
	const char *issuer;

	if (seal_json_get_str(judge->claims, "iss", &issuer, NULL) < 0)
		SUSPECT(judge, TOKEN_ISSUER, wanted == NULL ? "an issuer" : wanted, "none");
	else if (wanted != NULL && strcmp(issuer, wanted) != 0)
		SUSPECT(judge, TOKEN_ISSUER, wanted, "%.200s", issuer);
	else if (wanted == NULL && (strncmp(issuer, scheme, sizeof(scheme) - 1) != 0 ||
				    issuer[sizeof(scheme) - 1] == '\0'))
		SUSPECT(judge, TOKEN_ISSUER, "an https URL", "%.200s", issuer);
}

static bool
is_wanted_audience(const struct verify_policy *policy, const char *audience)
{
	if (policy == NULL || policy->account.audience_count == 0)
		return true;
	for (size_t i = 0; i < policy->account.audience_count; i++)
		if (strcmp(policy->account.audiences[i], audience) == 0)
			return true;
	return false;
}

/* RFC 7519 section 4.1.3: one string, or several. */
static void
judge_audience(struct judge *judge)
{
	const struct seal_json *aud = seal_json_member(judge->claims, "aud");
	const bool is_list = aud != NULL && seal_json_kind(aud) == SEAL_JSON_ARRAY;
	const size_t count = is_list ? seal_json_count(aud) : 1;
	const char *first = NULL;
	bool is_wanted = false;

	for (size_t i = 0; i < count; i++) {
		const struct seal_json *one = is_list ? seal_json_at(aud, i) : aud;
		const char *audience = one == NULL ? NULL : seal_json_str(one);

		if (audience == NULL || audience[0] == '\0') {
			SUSPECT(judge, TOKEN_AUDIENCE, "texts", "an audience that is none");
			return;
		}
		first = first == NULL ? audience : first;
		is_wanted |= is_wanted_audience(judge->policy, audience);
	}
	if (first == NULL)
		SUSPECT(judge, TOKEN_AUDIENCE, "an audience", "none");
	else if (!is_wanted)
		SUSPECT(judge, TOKEN_AUDIENCE, judge->policy->account.audiences[0], "%.200s",
			first);
}

/* system:serviceaccount:NAMESPACE:NAME */
static bool
read_subject(struct judge *judge, const char *subject)
{
	static const char prefix[] = "system:serviceaccount:";
	char name[VERIFY_NAME_MAX + 1];
	struct verify_words word;
	const char *colon;

	if (strncmp(subject, prefix, sizeof(prefix) - 1) != 0)
		return false;
	judge->ns = subject + sizeof(prefix) - 1;
	colon = strchr(judge->ns, ':');
	if (colon == NULL)
		return false;
	judge->ns_len = (size_t)(colon - judge->ns);
	judge->name = colon + 1;
	word = (struct verify_words){ judge->ns, judge->ns_len };
	if (!verify_word_name(&word, name) || !verify_word_is(&word, name) ||
	    strchr(name, '.') != NULL)
		return false;
	word = (struct verify_words){ judge->name, strlen(judge->name) };
	return verify_word_name(&word, name) && verify_word_is(&word, name);
}

static bool
is_namespace(const struct judge *judge, const char *ns)
{
	return strlen(ns) == judge->ns_len && memcmp(ns, judge->ns, judge->ns_len) == 0;
}

static void
judge_subject(struct judge *judge)
{
	const struct verify_policy *policy = judge->policy;
	const char *subject = "none";

	if (seal_json_get_str(judge->claims, "sub", &subject, NULL) < 0 ||
	    !read_subject(judge, subject)) {
		judge->ns = NULL;
		SUSPECT(judge, TOKEN_SUBJECT, "system:serviceaccount:NAMESPACE:NAME", "%.200s",
			subject);
		return;
	}
	if (policy != NULL && policy->pod.ns != NULL && !is_namespace(judge, policy->pod.ns))
		SUSPECT(judge, TOKEN_SUBJECT, policy->pod.ns, "%.200s", subject);
	if (policy != NULL && policy->account.name != NULL &&
	    strcmp(policy->account.name, judge->name) != 0)
		SUSPECT(judge, TOKEN_SUBJECT, policy->account.name, "%.200s", subject);
}

/* False, with a finding: there, and no time. */
static bool
read_time(struct judge *judge, const char *claim, uint64_t *ret_time)
{
	if (seal_json_get_u64(judge->claims, claim, NUMBER_MAX, ret_time, NULL) == 0)
		return true;
	SUSPECT(judge, TOKEN_TIME, "seconds since 1970", "no such %s", claim);
	return false;
}

/* Times are told as they are in the token: how long ago would be another finding each time. */
static const char unexpired[] = "a token that has not expired";

bool
verify_token_has_expired(const struct verify_finding *finding)
{
	return finding->rule == VERIFY_RULE_TOKEN_TIME && strcmp(finding->expected, unexpired) == 0;
}

/* Those of Secrets, which never expired, are no longer made; kubelet's are replaced at 80 % of their time. */
static void
judge_times(struct judge *judge)
{
	static const char *const begins[] = { "nbf", "iat" };
	const uint64_t now = judge->self == NULL ? 0 : judge->self->now;
	uint64_t begin;
	uint64_t end;

	if (!read_time(judge, "exp", &end))
		return;
	if (now > 0 && end <= now)
		SUSPECT(judge, TOKEN_TIME, unexpired, "exp %llu", (unsigned long long)end);
	for (size_t i = 0; i < SEAL_COUNT(begins); i++) {
		if (!seal_json_has(judge->claims, begins[i]) ||
		    !read_time(judge, begins[i], &begin))
			continue;
		if (begin >= end)
			SUSPECT(judge, TOKEN_TIME, "an end behind the beginning",
				"exp %llu, %s %llu", (unsigned long long)end, begins[i],
				(unsigned long long)begin);
		else if (now > 0 && begin > now + LEEWAY)
			SUSPECT(judge, TOKEN_TIME, "a token that is valid already", "%s %llu",
				begins[i], (unsigned long long)begin);
	}
}

/* ---- What Kubernetes adds ---- */

static const char *
member_name(const struct seal_json *bound, const char *member)
{
	const struct seal_json *object;
	const char *name;

	if (seal_json_get_object(bound, member, &object, NULL) < 0 ||
	    seal_json_get_str(object, "name", &name, NULL) < 0)
		return "";
	return name;
}

/*
 * A pod's name is its host name unless the pod says another; so where the policy knows only that, the
 * pod's name is not known.
 */
static bool
is_pod(const struct judge *judge, const char *pod)
{
	const struct verify_policy *policy = judge->policy;
	const char *own = judge->self == NULL ? NULL : judge->self->hostname;

	if (policy != NULL && policy->pod.name != NULL)
		return strcmp(pod, policy->pod.name) == 0;
	if (policy == NULL || policy->pod.has_host_network || policy->pod.hostname != NULL)
		return true;
	if (policy->pod.hostname_prefix != NULL &&
	    (strncmp(pod, policy->pod.hostname_prefix, strlen(policy->pod.hostname_prefix)) != 0 ||
	     pod[strlen(policy->pod.hostname_prefix)] == '\0'))
		return false;
	/* Longer ones were cut to be a host name. */
	return own == NULL || strlen(pod) > VERIFY_LABEL_MAX ||
	       verify_name_is_own(policy, pod, strlen(pod), own);
}

static void
judge_bound(struct judge *judge)
{
	const struct seal_json *bound;
	const char *ns = "";
	const char *account;
	const char *pod;

	if (seal_json_get_object(judge->claims, "kubernetes.io", &bound, NULL) < 0) {
		SUSPECT(judge, TOKEN_POD, "the claim kubernetes.io", "none");
		return;
	}
	(void)(seal_json_get_str(bound, "namespace", &ns, NULL) < 0); /* then it differs */
	account = member_name(bound, "serviceaccount");
	pod = member_name(bound, "pod");
	if (judge->ns != NULL && (!is_namespace(judge, ns) || strcmp(account, judge->name) != 0))
		SUSPECT(judge, TOKEN_SUBJECT, "the same in sub and in kubernetes.io",
			"%.100s of %.100s in kubernetes.io", account, ns);
	if (pod[0] == '\0' || !is_pod(judge, pod))
		SUSPECT(judge, TOKEN_POD, "this pod's name",
			pod[0] == '\0' ? "a token of no pod" : "%.200s", pod);
}

static void
judge_claims(struct judge *judge)
{
	judge_issuer(judge);
	judge_audience(judge);
	judge_subject(judge);
	judge_times(judge);
	judge_bound(judge);
}

/* ---- The envelope ---- */

/* Signatures that others can check; RFC 7518 section 3.1, RFC 8037. */
static bool
is_asymmetric(const char *alg)
{
	static const char *const known[] = { "RS256", "RS384", "RS512", "ES256", "ES384",
					     "ES512", "PS256", "PS384", "PS512", "EdDSA" };

	for (size_t i = 0; i < SEAL_COUNT(known); i++)
		if (strcmp(alg, known[i]) == 0)
			return true;
	return false;
}

static void
judge_header(struct judge *judge, const struct seal_json *header)
{
	const char *alg = "none";

	if (seal_json_get_str(header, "alg", &alg, NULL) < 0 || !is_asymmetric(alg))
		SUSPECT(judge, TOKEN_FORMAT, "a public-key signature", "algorithm %.64s", alg);
	if (seal_json_has(header, "crit")) /* RFC 7515 section 4.1.11 */
		SUSPECT(judge, TOKEN_FORMAT, "no extension that must be understood", "crit");
}

/* One part as an object; the text it was is wiped. */
static bool
open_part(const char *text, size_t len, struct seal_json **ret_json)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(VERIFY_TOKEN_MAX);

	return seal_base64url_decode(&plain, text, len, NULL) == 0 && plain.len > 0 &&
	       seal_json_parse(ret_json, plain.data, plain.len, VERIFY_TOKEN_MAX, NULL) == 0;
}

static bool
is_signature(const char *text, size_t len)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(VERIFY_TOKEN_MAX);

	return seal_base64url_decode(&plain, text, len, NULL) == 0 && plain.len > 0;
}

void
verify_token_judge(const char *file, const void *text, size_t len,
		   const struct verify_policy *policy, const struct verify_self *self,
		   struct verify_findings *findings)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *claims = NULL;
	struct judge judge = { .file = file, .policy = policy, .self = self, .findings = findings };
	const char *begin = len == 0 ? "" : text;
	const char *end = begin + len;
	const char *first = len == 0 ? NULL : memchr(begin, '.', len);
	const char *second =
		first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));

	if (len > VERIFY_TOKEN_MAX) {
		SUSPECT(&judge, FILE_SIZE, "no more than a token", "%zu bytes", len);
		return;
	}
	/* A third dot is no letter of base64url. */
	if (second == NULL || !open_part(begin, (size_t)(first - begin), &header) ||
	    !open_part(first + 1, (size_t)(second - first - 1), &claims) ||
	    !is_signature(second + 1, (size_t)(end - second - 1))) {
		SUSPECT(&judge, TOKEN_FORMAT, "three parts: two objects and a signature",
			"%zu bytes that are not", len);
		return;
	}
	judge.claims = claims;
	judge_header(&judge, header);
	judge_claims(&judge);
}
