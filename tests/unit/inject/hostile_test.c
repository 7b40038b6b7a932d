/* SPDX-License-Identifier: Apache-2.0 */
/* rot/inject against manifests written to hurt: each has its verdict, in little time and memory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/support/vectors.h"
#include "tests/unit/inject/rig.h"

#define FOLDER      "hostile-manifests"
#define MOST_S      10
#define MOST_KIB    (256L * 1024)
#define VERDICT_MAX 32

/* What is ours to decide: accepted with what in the report, or refused. */
static const struct {
	const char *name;
	enum seal_code code; /* SEAL_OK: accepted */
	enum inject_verdict verdict;
	const char *what;
} policies[] = {
	{ "bool-value.yaml", SEAL_E_FORMAT, 0, NULL },
	{ "null-value.yaml", SEAL_E_FORMAT, 0, NULL },
	{ "dup-container.yaml", SEAL_E_FORMAT, 0, NULL },
	{ "hostpath.yaml", SEAL_OK, INJECT_WARNED, "hostPath" },
	{ "int-key.yaml", SEAL_OK, INJECT_SEALED, "data.1" },
	{ "kustom.yaml", SEAL_OK, INJECT_LEFT, "Kustomization" },
	{ "lifecycle.yaml", SEAL_OK, INJECT_SEALED, "command of postStart" },
	{ "rollout.yaml", SEAL_E_REFUSED, 0, NULL },
	{ "secret-sat.yaml", SEAL_OK, INJECT_LEFT, "service-account-token" },
	{ "unknown-kind.yaml", SEAL_E_REFUSED, 0, NULL },
	{ "cmlist.yaml", SEAL_OK, INJECT_SEALED, "data.x" },
};

struct tally {
	const char *index; /* the text of INDEX.tsv */
	size_t index_len;
	size_t seen;
};

static void
verdict_of(const struct tally *tally, const char *name, char out[static VERDICT_MAX])
{
	const char *at = memmem(tally->index, tally->index_len, name, strlen(name));

	cr_assert_not_null(at, "%s has no verdict", name);
	at = strchr(strchr(at, '\t') + 1, '\t') + 1;
	(void)snprintf(out, VERDICT_MAX, "%.*s", (int)strcspn(at, "\t\n"), at);
}

static void
expect_refused(const struct rig *rig, const char *name, int r)
{
	cr_expect_lt(r, 0, "%s was accepted", name);
	cr_expect_eq(rig->out.len, 0, "%s: something came out", name);
	cr_expect_eq(rig->seal_calls, 0, "%s: something was sealed", name);
	cr_expect_eq(strncmp(rig->err.text, "in.yaml:", 8), 0, "%s: where? %s", name,
		     rig->err.text);
}

static void
expect_policy(const struct rig *rig, const char *name, int r)
{
	for (size_t i = 0; i < SEAL_COUNT(policies); i++) {
		if (strcmp(policies[i].name, name) != 0)
			continue;
		cr_expect_eq(r, (int)policies[i].code, "%s: %d %s", name, r, rig->err.text);
		if (r < 0)
			expect_refused(rig, name, r);
		else
			cr_expect(rig_reports(rig, policies[i].verdict, policies[i].what),
				  "%s: not in the report", name);
		return;
	}
	cr_expect(false, "%s: no policy", name);
}

static void
each(void *arg, const char *name, const char *text, size_t len)
{
	struct tally *tally = arg;
	SEAL_SCOPED(rig_release) struct rig rig;
	struct rusage usage;
	char verdict[VERDICT_MAX];
	clock_t before = clock();
	int r;

	tally->seen++;
	rig_init(&rig);
	verdict_of(tally, name, verdict);
	r = rig_inject(&rig, text, len);
	if (strcmp(verdict, "accept") == 0)
		cr_expect_eq(r, 0, "%s: %s", name, rig.err.text);
	else if (strncmp(verdict, "reject", 6) == 0 && strstr(verdict, "policy") == NULL)
		expect_refused(&rig, name, r);
	else if (strcmp(verdict, "bounded") != 0)
		expect_policy(&rig, name, r);
	cr_expect_eq(getrusage(RUSAGE_SELF, &usage), 0);
	cr_expect_lt((clock() - before) / CLOCKS_PER_SEC, MOST_S, "%s took too long", name);
	cr_expect_lt(usage.ru_maxrss, MOST_KIB, "%s took too much", name);
}

static void
with_index(void *arg, const char *name, const char *text, size_t len)
{
	struct tally *tally = arg;

	(void)name;
	tally->index = text;
	tally->index_len = len;
	cr_expect_gt(vectors_each(FOLDER, ".yaml", each, tally), 0);
	cr_expect_gt(vectors_each(FOLDER, ".json", each, tally), 0);
}

Test(hostile, manifests_have_their_verdict, .timeout = 120)
{
	struct tally tally = { 0 };

	if (vectors_each(FOLDER, ".tsv", with_index, &tally) == 0)
		return;
	cr_expect_geq(tally.seen, 52);
}

Test(hostile, letters_that_some_take_for_booleans_are_text)
{
	SEAL_SCOPED(rig_release) struct rig rig;
	SEAL_SCOPED(seal_json_freep) struct seal_json *back = NULL;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(65536);

	rig_init(&rig);
	(void)rig_must(&rig,
		       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {x: y}\n");
	cr_assert_eq(seal_bytes_append(&sealed, rig.out.data, rig.out.len, NULL), 0);
	cr_assert_eq(rig_restore(&rig, seal_bytes_str(&sealed), sealed.len), 0);
	back = rig_json(seal_bytes_str(&rig.out), rig.out.len);
	cr_expect_str_eq(seal_json_str(rig_at(back, "0.data.x")), "y");
}
