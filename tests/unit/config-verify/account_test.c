/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/account: namespace, ca.crt and token of a service account. */
#include "tests/support/pki.h"
#include "tests/unit/config-verify/judge_rig.h"

#define FILE_NAME VERIFY_ACCOUNT_DIR "/file"
#define BYTES     SEAL_SCOPED(seal_bytes_release) struct seal_bytes

/* ---- The namespace ---- */

static struct verify_findings *
judge_namespace(const char *text, size_t len, const struct verify_policy *policy)
{
	struct verify_findings *findings = judge_none();

	verify_namespace_judge(FILE_NAME, text, len, policy, findings);
	return findings;
}

Test(verify_namespace, is_the_pods)
{
	const struct verify_policy policy = { .pod = { .ns = "shop" } };
	FINDINGS any = judge_namespace("0-shop-1", 8, NULL);
	FINDINGS own = judge_namespace("shop", 4, &policy);
	FINDINGS other = judge_namespace("kube-system", 11, &policy);
	FINDINGS longer = judge_namespace("shop2", 5, &policy);

	judge_expect_clean(any, "0-shop-1");
	judge_expect_clean(own, "shop");
	judge_expect(other, VERIFY_RULE_ACCOUNT_NAMESPACE, 0, "kube-system");
	judge_expect(longer, VERIFY_RULE_ACCOUNT_NAMESPACE, 0, "shop2");
	cr_expect_str_eq(verify_findings_at(other, 0)->file, FILE_NAME);
}

Test(verify_namespace, is_one_label_and_nothing_behind)
{
	static const char *const odd[] = { "",        "shop\n", "Shop",   "a.b",  "-shop", "shop-",
					   "my_shop", "shop ",  "shop\r", "../x", "a/b" };
	static const char large[VERIFY_ACCOUNT_NS_MAX + 1];
	FINDINGS nul = judge_namespace("shop\0x", 6, NULL);
	FINDINGS of_size = judge_namespace(large, sizeof(large), NULL);

	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		FINDINGS findings = judge_namespace(odd[i], strlen(odd[i]), NULL);

		judge_expect(findings, VERIFY_RULE_ACCOUNT_NAMESPACE, 0, odd[i]);
	}
	judge_expect(nul, VERIFY_RULE_ACCOUNT_NAMESPACE, 0, "NUL");
	judge_expect(of_size, VERIFY_RULE_FILE_SIZE, 0, "too large");
}

/* ---- ca.crt ---- */

struct ca {
	struct pki_id id;
	struct seal_bytes pem;
	uint8_t pin[1][SEAL_HASH_LEN];
};

static struct ca
make_ca(const char *name)
{
	struct ca ca = { .id = pki_ca(name), .pem = SEAL_BYTES(65536) };

	cr_assert_eq(seal_certs_to_pem(ca.id.chain, &ca.pem, NULL), 0);
	cr_assert_eq(seal_cert_fingerprint(seal_certs_at(ca.id.chain, 0), ca.pin[0], NULL), 0);
	return ca;
}

static void
ca_release(struct ca *ca)
{
	pki_id_release(&ca->id);
	seal_bytes_release(&ca->pem);
}

#define CA SEAL_SCOPED(ca_release) struct ca

static void
join(struct seal_bytes *out, const char *a, const char *b, const char *c)
{
	seal_bytes_reset(out);
	cr_assert_eq(seal_bytes_append_fmt(out, NULL, "%s%s%s", a, b, c), 0);
}

static struct verify_findings *
judge_ca(const struct seal_bytes *text, const struct verify_policy *policy)
{
	struct verify_findings *findings = judge_none();

	verify_ca_judge(FILE_NAME, text->data, text->len, policy, findings);
	return findings;
}

Test(verify_ca, holds_certificates)
{
	CA one = make_ca("one");
	CA two = make_ca("two");
	BYTES text = SEAL_BYTES(65536);
	FINDINGS alone = judge_ca(&one.pem, NULL);

	judge_expect_clean(alone, "one");
	join(&text, "# the first\n", seal_bytes_str(&one.pem), seal_bytes_str(&two.pem));
	FINDINGS both = judge_ca(&text, NULL);

	judge_expect_clean(both, "two, and text");
}

#define FOREIGN "-----BEGIN TRUSTED CERTIFICATE-----\nMC4CAQ==\n-----END TRUSTED CERTIFICATE-----\n"

Test(verify_ca, holds_nothing_else)
{
	static const char *const odd[] = {
		"",
		"text\n",
		"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n",
		FOREIGN,
		"-----BEGIN CERTIFICATE-----\nMC4CAQ==\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n",
		"-----END CERTIFICATE-----\n",
		" -----BEGIN CERTIFICATE-----\n",
	};
	CA one = make_ca("one");
	BYTES text = SEAL_BYTES(65536);

	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		join(&text, odd[i], "", "");
		FINDINGS alone = judge_ca(&text, NULL);

		judge_expect(alone, VERIFY_RULE_ACCOUNT_CA,
			     verify_findings_at(alone, 0) == NULL
				     ? 0
				     : verify_findings_at(alone, 0)->line,
			     odd[i]);
		cr_expect_null(strstr(verify_findings_at(alone, 0)->found, "MC4C"));
		if (i < 2) /* text beside certificates is allowed (RFC 7468 section 5.2) */
			continue;
		join(&text, seal_bytes_str(&one.pem), odd[i], "");
		FINDINGS behind = judge_ca(&text, NULL);

		cr_expect_gt(verify_findings_count(behind), 0, "behind: %s", odd[i]);
		join(&text, odd[i], seal_bytes_str(&one.pem), "");
		FINDINGS front = judge_ca(&text, NULL);

		cr_expect_gt(verify_findings_count(front), 0, "in front: %s", odd[i]);
	}
}

Test(verify_ca, cut_anywhere_is_refused)
{
	CA one = make_ca("one");

	for (size_t len = 0; len + 1 < one.pem.len; len++) { /* the line end may be missing */
		const struct seal_bytes part = { .data = one.pem.data, .len = len };
		FINDINGS findings = judge_ca(&part, NULL);

		cr_expect_gt(verify_findings_count(findings), 0, "%zu bytes", len);
	}
}

Test(verify_ca, holds_pinned_certificates_only)
{
	CA one = make_ca("one");
	CA two = make_ca("two");
	BYTES text = SEAL_BYTES(65536);
	uint8_t pins[2][SEAL_HASH_LEN];
	struct verify_policy policy = { .account = { .cas = pins, .ca_count = 1 } };

	memcpy(pins[0], one.pin, SEAL_HASH_LEN);
	memcpy(pins[1], two.pin, SEAL_HASH_LEN);
	FINDINGS pinned = judge_ca(&one.pem, &policy);
	FINDINGS other = judge_ca(&two.pem, &policy);

	judge_expect_clean(pinned, "pinned");
	judge_expect(other, VERIFY_RULE_ACCOUNT_CA, 0, "not pinned");
	join(&text, seal_bytes_str(&one.pem), seal_bytes_str(&two.pem), "");
	FINDINGS beside = judge_ca(&text, &policy);

	judge_expect(beside, VERIFY_RULE_ACCOUNT_CA, 0, "one that is not pinned beside");
	policy.account.ca_count = 2;
	FINDINGS both = judge_ca(&text, &policy);

	judge_expect_clean(both, "both pinned");
}

Test(verify_ca, beyond_a_mebibyte_is_refused_whole)
{
	static uint8_t text[VERIFY_CA_MAX + 1];
	const struct seal_bytes all = { .data = text, .len = sizeof(text) };

	memset(text, '\n', sizeof(text));
	FINDINGS findings = judge_ca(&all, NULL);

	judge_expect(findings, VERIFY_RULE_FILE_SIZE, 0, "too large");
}

/* ---- The token ---- */

#define HEADER "{\"alg\":\"RS256\",\"kid\":\"k1\"}"
#define ISS    "\"iss\":\"https://kubernetes.default.svc.cluster.local\""
#define AUD    "\"aud\":[\"https://kubernetes.default.svc.cluster.local\"]"
#define SUB    "\"sub\":\"system:serviceaccount:shop:web\""
#define TIMES  "\"exp\":1900000000,\"iat\":1800000000,\"nbf\":1800000000"
#define BOUND                                                                                      \
	"\"kubernetes.io\":{\"namespace\":\"shop\",\"pod\":{\"name\":\"web-0\",\"uid\":\"6b1f\"}," \
	"\"serviceaccount\":{\"name\":\"web\",\"uid\":\"77aa\"}}"
#define CLAIMS "{" ISS "," AUD "," SUB "," TIMES "," BOUND "}"
#define NOW    1850000000

static void
append_part(struct seal_bytes *out, const char *text, const char *end)
{
	cr_assert_eq(seal_base64url_encode(out, text, strlen(text), NULL), 0);
	cr_assert_eq(seal_bytes_append_str(out, end, NULL), 0);
}

static struct verify_findings *
judge_text(const char *text, size_t len, const struct verify_policy *policy,
	   const struct verify_self *self)
{
	struct verify_findings *findings = judge_none();

	verify_token_judge(FILE_NAME, text, len, policy, self, findings);
	return findings;
}

static struct verify_findings *
judge_token(const char *header, const char *claims, const struct verify_policy *policy,
	    const struct verify_self *self)
{
	BYTES token = SEAL_BYTES(65536);

	append_part(&token, header, ".");
	append_part(&token, claims, ".");
	append_part(&token, "signature", "");
	return judge_text(seal_bytes_str(&token), token.len, policy, self);
}

static void
accepts(const char *claims, const struct verify_policy *policy, const struct verify_self *self)
{
	FINDINGS findings = judge_token(HEADER, claims, policy, self);

	judge_expect_clean(findings, claims);
}

static void
refuses(const char *claims, const struct verify_policy *policy, const struct verify_self *self,
	enum verify_rule rule)
{
	FINDINGS findings = judge_token(HEADER, claims, policy, self);

	judge_expect(findings, rule, 0, claims);
}

Test(verify_token, of_kubelet_passes)
{
	const struct verify_self self = { .hostname = "web-0", .now = NOW };

	accepts(CLAIMS, NULL, NULL);
	accepts(CLAIMS, NULL, &self);
	accepts("{" ISS ",\"aud\":\"api\"," SUB ",\"exp\":1900000000," BOUND "}", NULL, &self);
}

Test(verify_token, is_three_parts_of_base64url)
{
	static const char *const odd[] = { "",
					   "a.b",
					   "a.b.c",
					   "###.###.###",
					   "..",
					   "...",
					   "e30.e30.",
					   ".e30.c2ln",
					   "e30..c2ln",
					   "e30.e30.c2ln\n",
					   " e30.e30.c2ln",
					   "e30=.e30.c2ln",
					   "e30.e30.c2ln.c2ln",
					   "e30.W10.c2ln",
					   "W10.e30.c2ln",
					   "e30.e30.c2ln=" };
	static char large[VERIFY_TOKEN_MAX + 1];
	FINDINGS of_size = judge_text(large, sizeof(large), NULL, NULL);
	BYTES token = SEAL_BYTES(65536);

	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		FINDINGS findings = judge_text(odd[i], strlen(odd[i]), NULL, NULL);

		judge_expect(findings, VERIFY_RULE_TOKEN_FORMAT, 0, odd[i]);
	}
	judge_expect(of_size, VERIFY_RULE_FILE_SIZE, 0, "too large");
	append_part(&token, HEADER, ".");
	append_part(&token, CLAIMS, ".");
	append_part(&token, "s", "");
	for (size_t len = 0; len < token.len; len++) {
		FINDINGS findings = judge_text(seal_bytes_str(&token), len, NULL, NULL);

		cr_expect_gt(verify_findings_count(findings), 0, "%zu bytes", len);
		for (size_t i = 0; verify_findings_at(findings, i) != NULL; i++)
			cr_expect_null(strstr(verify_findings_at(findings, i)->found, "eyJ"));
	}
}

Test(verify_token, is_signed_so_that_others_can_check)
{
	static const char *const good[] = { "RS256", "RS384", "RS512", "ES256", "ES384",
					    "ES512", "PS256", "PS384", "PS512", "EdDSA" };
	static const char *const odd[] = {
		"{\"alg\":\"none\"}",
		"{\"alg\":\"None\"}",
		"{\"alg\":\"HS256\"}",
		"{\"alg\":\"HS512\"}",
		"{\"alg\":\"\"}",
		"{\"alg\":\"rs256\"}",
		"{\"alg\":256}",
		"{\"kid\":\"k1\"}",
		"{\"alg\":\"RS256 \"}",
		"{\"alg\":\"dir\"}",
		"{\"alg\":\"RS256\",\"crit\":[\"b64\"]}",
		"{\"alg\":\"RS256\",\"alg\":\"none\"}",
	};
	char header[64];

	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		(void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", good[i]);
		FINDINGS findings = judge_token(header, CLAIMS, NULL, NULL);

		judge_expect_clean(findings, header);
	}
	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		FINDINGS findings = judge_token(odd[i], CLAIMS, NULL, NULL);

		judge_expect(findings, VERIFY_RULE_TOKEN_FORMAT, 0, odd[i]);
	}
}

#define WITH_ISS(iss) "{" iss AUD "," SUB "," TIMES "," BOUND "}"

Test(verify_token, is_of_the_issuer)
{
	const struct verify_policy policy = { .account = { .issuer = "https://issuer.example" } };

	accepts(WITH_ISS("\"iss\":\"https://issuer.example\","), &policy, NULL);
	refuses(CLAIMS, &policy, NULL, VERIFY_RULE_TOKEN_ISSUER);
	refuses(WITH_ISS("\"iss\":\"https://issuer.example/\","), &policy, NULL,
		VERIFY_RULE_TOKEN_ISSUER);
	refuses(WITH_ISS(""), &policy, NULL, VERIFY_RULE_TOKEN_ISSUER);
	refuses(WITH_ISS(""), NULL, NULL, VERIFY_RULE_TOKEN_ISSUER);
	refuses(WITH_ISS("\"iss\":\"kubernetes/serviceaccount\","), NULL, NULL,
		VERIFY_RULE_TOKEN_ISSUER);
	refuses(WITH_ISS("\"iss\":\"http://a.example\","), NULL, NULL, VERIFY_RULE_TOKEN_ISSUER);
	refuses(WITH_ISS("\"iss\":\"https://\","), NULL, NULL, VERIFY_RULE_TOKEN_ISSUER);
	refuses(WITH_ISS("\"iss\":[\"https://a.example\"],"), NULL, NULL, VERIFY_RULE_TOKEN_ISSUER);
}

#define WITH_AUD(aud) "{" ISS "," aud SUB "," TIMES "," BOUND "}"

Test(verify_token, is_for_the_audience)
{
	static const char *const audiences[] = { "vault", "api" };
	const struct verify_policy policy = { .account = { .audiences = audiences,
							   .audience_count = 2 } };

	accepts(WITH_AUD("\"aud\":\"api\","), &policy, NULL);
	accepts(WITH_AUD("\"aud\":[\"other\",\"vault\"],"), &policy, NULL);
	refuses(WITH_AUD("\"aud\":\"other\","), &policy, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
	refuses(WITH_AUD("\"aud\":[\"other\"],"), &policy, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
	refuses(WITH_AUD(""), NULL, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
	refuses(WITH_AUD("\"aud\":[],"), NULL, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
	refuses(WITH_AUD("\"aud\":[\"api\",1],"), &policy, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
	refuses(WITH_AUD("\"aud\":[\"\"],"), NULL, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
	refuses(WITH_AUD("\"aud\":{},"), NULL, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
	refuses(WITH_AUD("\"aud\":null,"), NULL, NULL, VERIFY_RULE_TOKEN_AUDIENCE);
}

#define WITH_SUB(sub) "{" ISS "," AUD "," sub TIMES "," BOUND "}"

Test(verify_token, is_of_the_pods_account)
{
	static const char *const odd[] = {
		WITH_SUB(""),
		WITH_SUB("\"sub\":\"system:serviceaccount:shop\","),
		WITH_SUB("\"sub\":\"system:serviceaccount::web\","),
		WITH_SUB("\"sub\":\"system:serviceaccount:shop:\","),
		WITH_SUB("\"sub\":\"system:serviceaccount:shop:web:x\","),
		WITH_SUB("\"sub\":\"system:serviceaccount:SHOP:web\","),
		WITH_SUB("\"sub\":\"system:node:n1\","),
		WITH_SUB("\"sub\":\"admin\","),
		WITH_SUB("\"sub\":1,"),
		WITH_SUB(
			"\"sub\":\"system:serviceaccount:shop:other\","), /* than in kubernetes.io */
		WITH_SUB("\"sub\":\"system:serviceaccount:other:web\","),
	};
	const struct verify_policy own = { .pod = { .ns = "shop" }, .account = { .name = "web" } };
	const struct verify_policy elsewhere = { .pod = { .ns = "kube-system" } };
	const struct verify_policy other = { .account = { .name = "admin" } };

	for (size_t i = 0; i < SEAL_COUNT(odd); i++)
		refuses(odd[i], NULL, NULL, VERIFY_RULE_TOKEN_SUBJECT);
	accepts(CLAIMS, &own, NULL);
	refuses(CLAIMS, &elsewhere, NULL, VERIFY_RULE_TOKEN_SUBJECT);
	refuses(CLAIMS, &other, NULL, VERIFY_RULE_TOKEN_SUBJECT);
}

#define WITH_TIMES(times) "{" ISS "," AUD "," SUB "," times BOUND "}"

static void
expect_expiry(const struct verify_self *self, bool want)
{
	FINDINGS findings = judge_token(HEADER, CLAIMS, NULL, self);

	cr_assert_neq(verify_findings_count(findings), 0);
	cr_expect_eq(verify_token_has_expired(verify_findings_at(findings, 0)), want);
}

Test(verify_token, is_valid_now)
{
	const struct verify_self last = { .now = 1899999999 };
	const struct verify_self expired = { .now = 1900000000 };
	const struct verify_self skewed = { .now = 1799999940 };
	const struct verify_self early = { .now = 1799999939 };

	accepts(CLAIMS, NULL, &last);
	refuses(CLAIMS, NULL, &expired, VERIFY_RULE_TOKEN_TIME);
	accepts(CLAIMS, NULL, &skewed);
	refuses(CLAIMS, NULL, &early, VERIFY_RULE_TOKEN_TIME);
	expect_expiry(&expired, true);
	expect_expiry(&early, false);
	refuses(WITH_TIMES(""), NULL, NULL, VERIFY_RULE_TOKEN_TIME);
	refuses(WITH_TIMES("\"exp\":1,\"iat\":1800000000,"), NULL, NULL, VERIFY_RULE_TOKEN_TIME);
	refuses(WITH_TIMES("\"exp\":1800000000,\"nbf\":1800000000,"), NULL, NULL,
		VERIFY_RULE_TOKEN_TIME);
	refuses(WITH_TIMES("\"exp\":\"1900000000\","), NULL, NULL, VERIFY_RULE_TOKEN_TIME);
	refuses(WITH_TIMES("\"exp\":-1,"), NULL, NULL, VERIFY_RULE_TOKEN_TIME);
	refuses(WITH_TIMES("\"exp\":1.9e9,"), NULL, NULL, VERIFY_RULE_TOKEN_TIME);
	refuses(WITH_TIMES("\"exp\":9223372036854775807,"), NULL, NULL, VERIFY_RULE_TOKEN_TIME);
	refuses(WITH_TIMES("\"exp\":1900000000,\"iat\":null,"), NULL, NULL, VERIFY_RULE_TOKEN_TIME);
}

#define WITH_BOUND(bound) "{" ISS "," AUD "," SUB "," TIMES bound "}"
#define KUBERNETES(ns, pod, account)                                                               \
	WITH_BOUND(",\"kubernetes.io\":{\"namespace\":" ns ",\"pod\":" pod                         \
		   ",\"serviceaccount\":" account "}")
#define NAMED(name) "{\"name\":\"" name "\"}"

Test(verify_token, is_bound_to_this_pod)
{
	const struct verify_self self = { .hostname = "web-0", .now = NOW };
	const struct verify_self other = { .hostname = "web-1", .now = NOW };
	struct verify_policy policy = { .pod = { .hostname_prefix = "web-" } };

	accepts(CLAIMS, &policy, &self);
	refuses(CLAIMS, &policy, &other, VERIFY_RULE_TOKEN_POD);
	policy.pod.hostname_prefix = "db-";
	refuses(CLAIMS, &policy, &self, VERIFY_RULE_TOKEN_POD);
	policy.pod.hostname_prefix = NULL;
	refuses(CLAIMS, &policy, &other, VERIFY_RULE_TOKEN_POD);
	policy.pod.hostname = "web-1"; /* perhaps spec.hostname: the pod's own name is not known */
	accepts(CLAIMS, &policy, &other);
	policy.pod.name = "web-0";
	accepts(CLAIMS, &policy, &other);
	policy.pod.name = "web-00";
	refuses(CLAIMS, &policy, &other, VERIFY_RULE_TOKEN_POD);
	policy.pod.name = "web-1"; /* another pod of this account */
	refuses(CLAIMS, &policy, &other, VERIFY_RULE_TOKEN_POD);
	refuses(WITH_BOUND(""), NULL, NULL, VERIFY_RULE_TOKEN_POD);
	refuses(WITH_BOUND(",\"kubernetes.io\":[]"), NULL, NULL, VERIFY_RULE_TOKEN_POD);
	refuses(KUBERNETES("\"shop\"", "null", NAMED("web")), NULL, NULL, VERIFY_RULE_TOKEN_POD);
	refuses(KUBERNETES("\"shop\"", NAMED(""), NAMED("web")), NULL, NULL, VERIFY_RULE_TOKEN_POD);
	refuses(KUBERNETES("\"evil\"", NAMED("web-0"), NAMED("web")), NULL, NULL,
		VERIFY_RULE_TOKEN_SUBJECT);
	refuses(KUBERNETES("\"shop\"", NAMED("web-0"), NAMED("admin")), NULL, NULL,
		VERIFY_RULE_TOKEN_SUBJECT);
	refuses(KUBERNETES("null", NAMED("web-0"), NAMED("web")), NULL, NULL,
		VERIFY_RULE_TOKEN_SUBJECT);
}

Test(verify_token, of_a_secret_is_refused)
{
	FINDINGS findings = judge_token(
		HEADER,
		"{\"iss\":\"kubernetes/serviceaccount\","
		"\"kubernetes.io/serviceaccount/namespace\":\"shop\","
		"\"kubernetes.io/serviceaccount/service-account.name\":\"web\"," SUB "}",
		NULL, NULL);

	cr_expect(judge_has(findings, VERIFY_RULE_TOKEN_TIME, 0));
	cr_expect(judge_has(findings, VERIFY_RULE_TOKEN_POD, 0));
	cr_expect(judge_has(findings, VERIFY_RULE_TOKEN_AUDIENCE, 0));
}
