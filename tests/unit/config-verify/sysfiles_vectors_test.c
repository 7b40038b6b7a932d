/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/: every vector of system files gets the verdict its index demands. */
#include "tests/support/pki.h"
#include "tests/unit/config-verify/judge_rig.h"

#define NOW 1850000000 /* within the tokens' time */

/* Where the index leaves the verdict to us: what we chose. */
static const struct {
	const char *file;
	bool is_accepted;
} choices[] = {
	{ "hostname/cr.txt", false },        { "hosts/k8s-crlf.txt", false },
	{ "hosts/under.txt", false },        { "resolv.conf/search-evil.txt", true },
	{ "resolv.conf/domain.txt", false }, { "resolv.conf/public-ns.txt", true },
	{ "resolv.conf/debug.txt", false },
};

static void
judge(const char *kind, const char *name, const char *text, size_t len,
      struct verify_findings *findings)
{
	/* Nothing is pinned. */
	const struct verify_policy policy = { .hosts = { .has_others = true } };
	const struct verify_self self = { .now = NOW };

	if (strcmp(kind, "hosts") == 0)
		verify_hosts_judge(text, len, &policy, &self, findings);
	else if (strcmp(kind, "resolv.conf") == 0)
		verify_resolv_judge(text, len, &policy, findings);
	else if (strcmp(kind, "hostname") == 0)
		verify_hostname_judge(text, len, &policy, &self, findings);
	else if (strstr(name, "token") != NULL)
		verify_token_judge(name, text, len, &policy, &self, findings);
	else if (strstr(name, "namespace") != NULL)
		verify_namespace_judge(name, text, len, &policy, findings);
	else
		verify_ca_judge(name, text, len, &policy, findings);
}

static char *
read_vector(const char *root, const char *name, size_t *ret_len)
{
	char path[1024];
	FILE *file;
	char *text;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	file = fopen(path, "re");
	cr_assert_not_null(file, "%s", path);
	text = malloc(4u << 20);
	cr_assert_not_null(text);
	*ret_len = fread(text, 1, 4u << 20, file);
	cr_assert_eq(fclose(file), 0);
	text = realloc(text, *ret_len == 0 ? 1 : *ret_len); /* reading behind it is seen */
	cr_assert_not_null(text);
	return text;
}

/* 1: to be accepted, 0: refused, -1: either, as long as it ends. */
static int
wanted(const char *name, const char *verdict)
{
	if (strcmp(verdict, "accept") == 0)
		return 1;
	if (strncmp(verdict, "reject", strlen("reject")) == 0)
		return 0;
	for (size_t i = 0; i < SEAL_COUNT(choices); i++)
		if (strcmp(choices[i].file, name) == 0)
			return choices[i].is_accepted ? 1 : 0;
	return -1;
}

static void
try_vector(const char *root, char *line)
{
	char *save = NULL;
	const char *kind = strtok_r(line, "\t", &save);
	const char *name = strtok_r(NULL, "\t", &save);
	const char *bytes = strtok_r(NULL, "\t", &save);
	const char *verdict = strtok_r(NULL, "\t", &save);
	FINDINGS findings = judge_none();
	size_t len;
	char *text;
	int want;

	cr_assert(kind != NULL && name != NULL && bytes != NULL && verdict != NULL);
	want = wanted(name, verdict);
	text = read_vector(root, name, &len);
	judge(kind, name, text, len, findings);
	if (want == 1)
		judge_expect_clean(findings, name);
	else if (want == 0)
		cr_expect_gt(verify_findings_count(findings), 0, "%s: %s, and was accepted", name,
			     verdict);
	free(text);
}

Test(verify_sysfiles, vectors_get_their_verdicts)
{
	char root[512];
	char path[600];
	char line[2048];
	size_t count = 0;
	FILE *index;

	if (pki_vectors("sysfiles", root, sizeof(root)) == NULL)
		cr_skip_test("no vectors");
	(void)snprintf(path, sizeof(path), "%s/INDEX.tsv", root);
	index = fopen(path, "re");
	cr_assert_not_null(index, "%s", path);
	cr_assert_not_null(fgets(line, sizeof(line), index)); /* the heading */
	while (fgets(line, sizeof(line), index) != NULL) {
		try_vector(root, line);
		count++;
	}
	cr_assert_eq(fclose(index), 0);
	cr_expect_gt(count, 50);
	fprintf(stderr, "sysfiles: %zu vectors\n", count);
}
