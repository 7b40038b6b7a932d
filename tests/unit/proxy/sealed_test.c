/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/sealed: from a sealed argument to a configuration, and nothing said of what is in it. */
#include <criterion/criterion.h>

#include "config-verify/agent.h"
#include "proxy/sealed.h"
#include "tests/unit/proxy/sealed_rig.h"

#define BOTH (SEALED_GEN(1) | SEALED_GEN(2))
#define GOOD                                                                                       \
	"{\"version\":1,\"config\":{\"inbound\":[{\"listen\":\"127.0.0.1:8443\","                  \
	"\"forward\":\"127.0.0.1:8080\",\"peers\":[\"ops\"]}],\"limits\":{\"sessions\":7}},"       \
	"\"pod\":{\"anything\":1}}"

static struct verify_binding
at_sidecar(uint64_t gen)
{
	struct verify_binding at = sealed_at("Deployment", "web", "proxy", gen);

	(void)snprintf(at.container, sizeof(at.container), "seal-proxy");
	return at;
}

/* What the sidecar of shop/web makes of a value; the rest as of proxy_sealed_open. */
static int
open_value(const char *value, uint64_t floor, struct proxy_config **ret_config,
	   struct verify_binding *ret_binding, struct seal_err *err)
{
	const struct proxy_options options = { .sealed_config = value };
	struct rot_credentials answer = sealed_answer("shop", "web", BOTH);
	struct proxy_keys *keys = NULL;
	int r;

	if (floor > 0)
		sealed_add_floor(&answer, "shop/Deployment/web", floor);
	cr_assert_eq(proxy_keys_new(&keys, NULL), 0);
	cr_assert_eq(proxy_keys_update(keys, &answer, NULL), 0);
	r = proxy_sealed_open(&options, keys, ret_config, ret_binding, err);
	proxy_keys_free(keys);
	rot_credentials_release(&answer);
	return r;
}

/* The same for a plaintext sealed where it should be. */
static int
open_text(const char *text, struct proxy_config **ret_config, struct seal_err *err)
{
	struct verify_ring *ring = sealed_ring("shop", "web", BOTH);
	struct verify_binding at = at_sidecar(3);
	struct verify_binding binding = { .gen = 0 };
	char *value = sealed_value(ring, &at, text);
	int r = open_value(value, 0, ret_config, &binding, err);

	cr_expect_eq(binding.gen, r == 0 ? 3 : 0);
	free(value);
	verify_ring_free(ring);
	return r;
}

Test(proxy_sealed, is_the_whole_configuration)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(setenv("XDG_RUNTIME_DIR", "/run/chosen-by-the-host", 1), 0);
	cr_assert_eq(open_text(GOOD, &config, &err), 0, "%s", err.text);
	cr_assert_eq(config->listener_count, 1);
	cr_expect_eq(config->listeners[0].listen.port, 8443);
	cr_expect_eq(config->limits.sessions, 7);
	cr_expect(config->has_agent);
	cr_expect_str_eq(config->agent.host, VERIFY_AGENT_PATH);
	cr_expect(config->has_control);
	cr_expect_str_eq(config->control.host, "/run/seal/proxy.sock",
			 "the host names no place for it");
	proxy_config_free(config);
}

Test(proxy_sealed, may_name_the_agents_socket_or_have_none)
{
	static const char *const texts[] = {
		"{\"version\":1,\"config\":{\"agent\":\"unix:/run/x/a.sock\"}}",
		("{\"version\":1,\"config\":{\"agent\":\"off\",\"inbound\":[{\"listen\":8443,"
		 "\"forward\":8080}]}}"),
		"{\"version\":1,\"config\":{}}",
	};
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(open_text(texts[0], &config, &err), 0, "%s", err.text);
	cr_expect_str_eq(config->agent.host, "/run/x/a.sock");
	proxy_config_freep(&config);
	cr_assert_eq(open_text(texts[1], &config, &err), 0, "%s", err.text);
	cr_expect_not(config->has_agent);
	proxy_config_freep(&config);
	cr_assert_eq(open_text(texts[2], &config, &err), 0, "an agent alone is of use: %s",
		     err.text);
	cr_expect_eq(config->listener_count, 0);
	proxy_config_freep(&config);
}

Test(proxy_sealed, is_refused_when_it_cannot_be_served_without_a_word_of_it)
{
	static const char *const texts[] = {
		"marker",
		"[]",
		"{}",
		"{\"version\":2,\"config\":{\"inbound\":[]},\"marker\":1}",
		"{\"version\":2,\"config\":{}}",
		"{\"version\":1}",
		"{\"version\":1,\"config\":\"marker\"}",
		"{\"version\":1,\"config\":{},\"marker\":1}",
		"{\"version\":1,\"config\":{\"marker\":1}}",
		"{\"version\":1,\"config\":{\"inbound\":[{\"listen\":\"marker\",\"forward\":1}]}}",
		"{\"version\":1,\"config\":{\"agent\":\"off\"}}",
		"{\"version\":1,\"config\":{\"agent\":\"127.0.0.1:99\"}}",
		("{\"version\":1,\"config\":{\"outbound\":[{\"listen\":1,\"connect\":\"marker:1\"},"
		 "{\"listen\":1,\"connect\":\"marker:1\"}]}}"),
		("{\"version\":1,\"config\":{\"inbound\":[{\"listen\":1,"
		 "\"forward\":\"unix:/run/seal/agent.sock\"}]}}"),
		"{\"version\":1,\"config\":{\"control\":\"unix:/run/seal/agent.sock\"}}",
	};

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		struct proxy_config *config = NULL;
		struct seal_err err = { 0 };

		cr_expect_lt(open_text(texts[i], &config, &err), 0, "row %zu", i);
		cr_expect_null(config, "row %zu", i);
		cr_expect_null(strstr(err.text, "marker"), "row %zu says: %s", i, err.text);
		cr_expect(strstr(err.text, "--sealed-config") != NULL ||
				  strstr(err.text, "the sealed configuration") != NULL,
			  "row %zu says: %s", i, err.text);
	}
}

Test(proxy_sealed, older_than_the_floor_is_refused)
{
	static const struct {
		uint64_t gen;
		int code;
	} rows[] = { { 4, SEAL_E_CONFLICT }, { 5, 0 }, { 6, 0 } };
	struct verify_ring *ring = sealed_ring("shop", "web", BOTH);

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_binding at = at_sidecar(rows[i].gen);
		char *value = sealed_value(ring, &at, GOOD);
		struct verify_binding binding = { .gen = 0 };
		struct proxy_config *config = NULL;
		struct seal_err err = { 0 };

		cr_expect_eq(open_value(value, 5, &config, &binding, &err), rows[i].code, "%s",
			     err.text);
		cr_expect_eq(binding.gen, rows[i].code == 0 ? rows[i].gen : 0);
		proxy_config_free(config);
		free(value);
	}
	verify_ring_free(ring);
}

Test(proxy_sealed, of_somebody_else_or_for_something_else_is_refused)
{
	static const struct {
		const char *workload;
		const char *peer;
		const char *key;
		const char *container;
		int code;
	} rows[] = {
		{ "shop", "db", "proxy", "seal-proxy", SEAL_E_UNAUTH },
		{ "bank", "web", "proxy", "seal-proxy", SEAL_E_UNAUTH },
		{ "shop", "web", "spec", "seal-proxy", SEAL_E_REFUSED },
		{ "shop", "web", "proxy", "app", SEAL_E_REFUSED },
		{ "shop", "web", "proxy", "", SEAL_E_REFUSED },
		{ "shop", "web", "proxy", "seal-proxy", 0 },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_ring *ring = sealed_ring(rows[i].workload, rows[i].peer, BOTH);
		struct verify_binding at = sealed_at("Deployment", "web", rows[i].key, 3);
		struct verify_binding binding = { .gen = 0 };
		struct proxy_config *config = NULL;
		struct seal_err err = { 0 };
		char *value;

		(void)snprintf(at.container, sizeof(at.container), "%s", rows[i].container);
		value = sealed_value(ring, &at, GOOD);
		cr_expect_eq(open_value(value, 0, &config, &binding, &err), rows[i].code,
			     "row %zu: %s", i, err.text);
		cr_expect_eq(config != NULL, rows[i].code == 0);
		cr_expect_eq(proxy_sealed_peek(value, &binding, NULL),
			     rows[i].code == SEAL_E_REFUSED ? SEAL_E_REFUSED : 0, "row %zu", i);
		proxy_config_free(config);
		free(value);
		verify_ring_free(ring);
	}
}

Test(proxy_sealed, with_any_bit_turned_or_cut_anywhere_is_refused)
{
	struct verify_ring *ring = sealed_ring("shop", "web", BOTH);
	struct verify_binding at = at_sidecar(3);
	char *value = sealed_value(ring, &at, GOOD);
	struct verify_binding binding = { .gen = 0 };
	struct proxy_config *config = NULL;
	size_t len = strlen(value);

	for (size_t i = 0; i < len; i++) {
		for (unsigned bit = 0; bit < 7; bit++) {
			value[i] = (char)(value[i] ^ (1 << bit));
			if (value[i] != '\0')
				cr_expect_lt(open_value(value, 0, &config, &binding, NULL), 0,
					     "bit %u of byte %zu", bit, i);
			value[i] = (char)(value[i] ^ (1 << bit));
		}
	}
	for (size_t i = 0; i < len; i++) {
		char cut = value[i];

		value[i] = '\0';
		cr_expect_lt(open_value(value, 0, &config, &binding, NULL), 0, "%zu bytes", i);
		value[i] = cut;
	}
	cr_expect_null(config);
	cr_expect_eq(binding.gen, 0);
	free(value);
	verify_ring_free(ring);
}

Test(proxy_sealed, as_long_as_an_argument_can_be_is_looked_at_and_longer_is_not)
{
	struct verify_binding claimed = { .gen = 0 };
	char *text = malloc(PROXY_SEALED_MAX + 2);

	cr_assert_not_null(text);
	memset(text, 'a', PROXY_SEALED_MAX + 1);
	text[PROXY_SEALED_MAX + 1] = '\0';
	cr_expect_eq(proxy_sealed_peek(text, &claimed, NULL), SEAL_E_LIMIT);
	text[PROXY_SEALED_MAX] = '\0';
	cr_expect_eq(proxy_sealed_peek(text, &claimed, NULL), SEAL_E_FORMAT);
	free(text);
}
