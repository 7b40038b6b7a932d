/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/service: what the environment the host gives may hold. */
#include <time.h>

#include "tests/unit/config-verify/judge_rig.h"

#define MOST 32

/* The list without one of its variables, and with another behind it. */
static struct verify_findings *
judge_but(const char *const *list, size_t without, const char *with, const char *const *image)
{
	const char *all[MOST];
	size_t count = 0;
	struct verify_findings *findings = judge_none();

	for (size_t i = 0; list[i] != NULL; i++)
		if (i != without)
			all[count++] = list[i];
	if (with != NULL)
		all[count++] = with;
	cr_assert_lt(count, MOST);
	all[count] = NULL;
	verify_environment_judge(all, image, findings);
	return findings;
}

static const char *const kubelets[] = {
	"PATH=/bin",
	"HOSTNAME=web-0",
	"HTTP_PORT=8080",
	"REDIS_MAIN_SERVICE_HOST=10.0.0.11",
	"REDIS_MAIN_SERVICE_PORT=6379",
	"REDIS_MAIN_SERVICE_PORT_DB=6379",
	"REDIS_MAIN_SERVICE_PORT_SYNC=26379",
	"REDIS_MAIN_PORT=tcp://10.0.0.11:6379",
	"REDIS_MAIN_PORT_6379_TCP=tcp://10.0.0.11:6379",
	"REDIS_MAIN_PORT_6379_TCP_PROTO=tcp",
	"REDIS_MAIN_PORT_6379_TCP_PORT=6379",
	"REDIS_MAIN_PORT_6379_TCP_ADDR=10.0.0.11",
	"REDIS_MAIN_PORT_26379_UDP=udp://10.0.0.11:26379",
	"REDIS_MAIN_PORT_26379_UDP_PROTO=udp",
	"REDIS_MAIN_PORT_26379_UDP_PORT=26379",
	"REDIS_MAIN_PORT_26379_UDP_ADDR=10.0.0.11",
	"SIX_SERVICE_HOST=fd00::11",
	"SIX_SERVICE_PORT=80",
	"SIX_PORT=tcp://[fd00::11]:80",
	"SIX_PORT_80_TCP=tcp://[fd00::11]:80",
	NULL,
};
#define ALL SIZE_MAX

static void
accepts(const char *const *list, size_t without, const char *with)
{
	FINDINGS findings = judge_but(list, without, with, NULL);

	judge_expect_clean(findings, with == NULL ? "as it is" : with);
}

static void
refuses(const char *const *list, size_t without, const char *with, enum verify_rule rule)
{
	FINDINGS findings = judge_but(list, without, with, NULL);

	judge_expect(findings, rule, 0, with == NULL ? "without one" : with);
}

Test(verify_services, of_kubelet_agree)
{
	static const char *const none[] = { NULL };

	accepts(kubelets, ALL, NULL);
	accepts(none, ALL, NULL);
	accepts(kubelets, ALL, "not a variable");
	accepts(kubelets, ALL, "APP_PORT=8080");
	accepts(kubelets, ALL, "REDIS_MAIN_SERVICE_PORT=6379"); /* twice the same */
}

Test(verify_services, that_were_changed_do_not)
{
	/* Each of these takes the place of the variable of its name. */
	static const char *const changed[] = {
		"REDIS_MAIN_SERVICE_HOST=10.0.0.12",
		"REDIS_MAIN_SERVICE_HOST=redis.evil.example",
		"REDIS_MAIN_SERVICE_HOST=127.0.0.1",
		"REDIS_MAIN_SERVICE_HOST=0.0.0.0",
		"REDIS_MAIN_SERVICE_HOST=",
		"REDIS_MAIN_SERVICE_HOST=10.0.0.011",
		"REDIS_MAIN_SERVICE_PORT=6380",
		"REDIS_MAIN_SERVICE_PORT=0",
		"REDIS_MAIN_SERVICE_PORT=65536",
		"REDIS_MAIN_SERVICE_PORT=x",
		"REDIS_MAIN_SERVICE_PORT_DB=x",
		"REDIS_MAIN_SERVICE_PORT_DB=06379",
		"REDIS_MAIN_PORT=tcp://6.6.6.6:6379",
		"REDIS_MAIN_PORT=tcp://10.0.0.11:6380",
		"REDIS_MAIN_PORT=http://10.0.0.11:6379",
		"REDIS_MAIN_PORT=6379",
		"REDIS_MAIN_PORT_6379_TCP=udp://10.0.0.11:6379",
		"REDIS_MAIN_PORT_6379_TCP=tcp://10.0.0.11:6379/x",
		"REDIS_MAIN_PORT_6379_TCP_PROTO=udp",
		"REDIS_MAIN_PORT_6379_TCP_PORT=6380",
		"REDIS_MAIN_PORT_6379_TCP_ADDR=6.6.6.6",
		"REDIS_MAIN_PORT_26379_UDP=udp://10.0.0.11:26378",
		"SIX_PORT=tcp://fd00::11:80",
		"SIX_PORT_80_TCP=tcp://[fd00::12]:80",
	};

	for (size_t i = 0; i < SEAL_COUNT(changed); i++) {
		const size_t len = strcspn(changed[i], "=") + 1;
		size_t place = 0;

		while (kubelets[place] != NULL && strncmp(kubelets[place], changed[i], len) != 0)
			place++;
		cr_assert_not_null(kubelets[place], "%s", changed[i]);
		refuses(kubelets, place, changed[i], VERIFY_RULE_ENV_SERVICE);
	}
}

Test(verify_services, that_are_incomplete_or_double_do_not)
{
	refuses(kubelets, 3, NULL, VERIFY_RULE_ENV_SERVICE); /* no host */
	refuses(kubelets, 4, NULL, VERIFY_RULE_ENV_SERVICE); /* no port */
	refuses(kubelets, ALL, "REDIS_MAIN_SERVICE_HOST=10.0.0.12", VERIFY_RULE_ENV_SERVICE);
	refuses(kubelets, ALL, "REDIS_MAIN_PORT_6380_TCP=tcp://6.6.6.6:6380",
		VERIFY_RULE_ENV_SERVICE);
	refuses(kubelets, ALL, "OTHER_PORT=tcp://6.6.6.6:80", VERIFY_RULE_ENV_SERVICE);
	refuses(kubelets, ALL, "OTHER_PORT_80_TCP_ADDR=6.6.6.6", VERIFY_RULE_ENV_SERVICE);
	refuses(kubelets, ALL, "OTHER_SERVICE_PORT=80", VERIFY_RULE_ENV_SERVICE);
	refuses(kubelets, ALL, "OTHER_SERVICE_HOST=10.0.0.1", VERIFY_RULE_ENV_SERVICE);
}

Test(verify_services, whose_names_can_be_read_in_two_ways_agree_in_one)
{
	static const char *const list[] = {
		"FOO_SERVICE_SERVICE_HOST=10.0.0.1",
		"FOO_SERVICE_SERVICE_PORT=80",
		"FOO_SERVICE_PORT=tcp://10.0.0.1:80",
		"FOO_SERVICE_PORT_80_TCP=tcp://10.0.0.1:80",
		"FOO_SERVICE_PORT_80_TCP_ADDR=10.0.0.1",
		NULL,
	};

	accepts(list, ALL, NULL);
	refuses(list, 2, "FOO_SERVICE_PORT=tcp://6.6.6.6:80", VERIFY_RULE_ENV_SERVICE);
}

Test(verify_services, of_the_image_are_its_own)
{
	static const char *const image[] = { "DB_SERVICE_HOST=db.example",
					     "LD_LIBRARY_PATH=/opt/lib", NULL };
	FINDINGS same = judge_but(kubelets, ALL, "DB_SERVICE_HOST=db.example", image);
	FINDINGS other = judge_but(kubelets, ALL, "DB_SERVICE_HOST=evil.example", image);

	judge_expect_clean(same, "the image's");
	judge_expect(other, VERIFY_RULE_ENV_SERVICE, 0, "not the image's");
}

Test(verify_loaders, of_the_host_are_refused)
{
	static const char *const odd[] = { "LD_PRELOAD=/evil.so",
					   "LD_LIBRARY_PATH=/evil",
					   "LD_AUDIT=",
					   "BASH_ENV=/x",
					   "NODE_OPTIONS=-r x",
					   "PYTHONPATH=/x",
					   "GLIBC_TUNABLES=x",
					   "LD_X",
					   "JAVA_TOOL_OPTIONS=-javaagent:x" };
	static const char *const image[] = { "LD_LIBRARY_PATH=/opt/lib", NULL };

	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		FINDINGS findings = judge_but(kubelets, ALL, odd[i], image);

		judge_expect(findings, VERIFY_RULE_ENV_LOADER, 0, odd[i]);
	}
	FINDINGS own = judge_but(kubelets, ALL, "LD_LIBRARY_PATH=/opt/lib", image);
	FINDINGS alike = judge_but(kubelets, ALL, "PYTHONPATHS=/x", NULL);

	judge_expect_clean(own, "the image's");
	judge_expect_clean(alike, "another name");
}

Test(verify_services, by_the_thousand_are_judged_in_time)
{
	enum { SERVICES = 5000 };
	static char text[3 * SERVICES][64];
	static const char *list[3 * SERVICES + 1];
	struct timespec start, end;
	double took;
	FINDINGS findings = judge_none();

	for (unsigned i = 0; i < SERVICES; i++) {
		(void)snprintf(text[3 * i], 64, "S%u_SERVICE_HOST=10.0.%u.%u", i, i / 250,
			       i % 250 + 1);
		(void)snprintf(text[3 * i + 1], 64, "S%u_SERVICE_PORT=80", i);
		(void)snprintf(text[3 * i + 2], 64, "S%u_PORT=tcp://10.0.%u.%u:80", i, i / 250,
			       i % 250 + 1);
	}
	for (size_t i = 0; i < SEAL_COUNT(text); i++)
		list[i] = text[i];
	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &start), 0);
	verify_environment_judge(list, NULL, findings);
	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &end), 0);
	took = (double)(end.tv_sec - start.tv_sec) * 1e3 +
	       (double)(end.tv_nsec - start.tv_nsec) / 1e6;
	fprintf(stderr, "environment: %d services: %.2f ms\n", SERVICES, took);
	judge_expect_clean(findings, "5000 services");
	cr_expect_lt(took, 1000.0);
}
