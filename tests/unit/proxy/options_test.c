/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "proxy/config_internal.h"
#include "proxy/options.h"

#define MAX_WORDS 64

/* The words of a line as argv, borrowed from words. */
static int
parse_words(struct proxy_options *options, struct seal_strv *words, const char *line,
	    struct seal_err *err)
{
	char *argv[MAX_WORDS] = { NULL };

	cr_assert_eq(seal_strv_split(words, line, ' ', err), 0);
	cr_assert_lt(words->count, MAX_WORDS);
	for (size_t i = 0; i < words->count; i++)
		argv[i] = words->items[i];
	return proxy_options_parse(options, (int)words->count, argv, err);
}

/* Parse and configure a command line; the code of the first failure. */
static int
try_words(const char *line, struct proxy_config **ret_config, struct seal_err *err)
{
	struct proxy_options options = { 0 };
	struct seal_strv words = { 0 };
	enum seal_level level;
	bool json;
	int r;

	r = parse_words(&options, &words, line, err);
	if (r == 0)
		r = proxy_options_log(&options, &level, &json, err);
	if (r == 0)
		r = proxy_options_configure(&options, ret_config, err);
	proxy_options_release(&options);
	seal_strv_release(&words);
	return r;
}

Test(proxy_options, make_a_configuration)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(try_words("seal-proxy --inbound 8443=8080 --inbound=8444=8081/web --outbound "
			       "5432=db:8443 --health 9901 --idle-timeout 5m --drain-timeout 7",
			       &config, &err),
		     0, "%s", err.text);
	cr_expect_eq(config->listener_count, 3);
	cr_expect_eq(config->idle_ms, 300000);
	cr_expect_eq(config->drain_ms, 7000);
	cr_expect_eq(config->handshake_ms, PROXY_HANDSHAKE_MS);
	cr_expect(config->has_health);
	cr_expect_str_eq(config->health.host, "127.0.0.1");
	cr_expect_eq(config->health.port, 9901);
	proxy_config_free(config);
}

/* What a hostile machine may say beside a sealed configuration, and what not: every option there is. */
Test(proxy_options, beside_a_sealed_configuration_choose_how_to_log_and_nothing_else)
{
	static const char *const allowed[] = { "check",     "help",          "log-format",
					       "log-level", "sealed-config", "version" };
	static const char *const of_others[] = { "connections", "output" };
	const struct seal_option *table;
	size_t count;

	table = proxy_options_table(&count);
	for (size_t i = 0; i < count; i++) {
		struct proxy_options options = { 0 };
		struct seal_strv words = { 0 };
		struct seal_err err = { 0 };
		bool is_allowed = false;
		bool is_of_others = false;
		char line[128];
		int r;

		for (size_t k = 0; k < SEAL_COUNT(allowed); k++)
			is_allowed |= strcmp(allowed[k], table[i].name) == 0;
		for (size_t k = 0; k < SEAL_COUNT(of_others); k++)
			is_of_others |= strcmp(of_others[k], table[i].name) == 0;
		(void)snprintf(line, sizeof(line), "seal-proxy --sealed-config x --%s%s",
			       table[i].name,
			       table[i].type == SEAL_OPT_FLAG             ? ""
			       : strcmp(table[i].name, "log-level") == 0  ? " debug"
			       : strcmp(table[i].name, "log-format") == 0 ? " json"
									  : " 7");
		if (strcmp(table[i].name, "sealed-config") == 0)
			(void)snprintf(line, sizeof(line), "seal-proxy --sealed-config x");
		r = parse_words(&options, &words, line, &err);
		cr_expect_eq(r, is_allowed ? 0 : SEAL_E_USAGE, "%s: %s", line, err.text);
		if (!is_allowed && !is_of_others)
			cr_expect_not_null(strstr(err.text, "beside --sealed-config"), "%s: %s",
					   line, err.text);
		proxy_options_release(&options);
		seal_strv_release(&words);
	}
}

Test(proxy_options, have_the_documented_defaults)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(try_words("seal-proxy --inbound 8443=8080", &config, &err), 0);
	cr_expect_eq(config->idle_ms, 0);
	cr_expect_eq(config->drain_ms, 30000);
	cr_expect_not(config->has_health);
	proxy_config_free(config);
}

Test(proxy_options, refuse_what_cannot_be_meant)
{
	static const struct {
		const char *line;
		int code;
	} rows[] = {
		{ "seal-proxy", SEAL_E_USAGE },
		{ "seal-proxy --check", SEAL_E_USAGE },
		{ "seal-proxy --frobnicate", SEAL_E_USAGE },
		{ "seal-proxy word --inbound 8443=8080", SEAL_E_USAGE },
		{ "seal-proxy --inbound", SEAL_E_USAGE },
		{ "seal-proxy --health 1 --health 2 --inbound 8443=8080", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --drain-timeout 0", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --idle-timeout never", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --log-level loud", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --log-format xml", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --idle-timeout 31d", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --max-memory 1", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --max-memory lots", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --max-connections -1", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --max-connections 4294967295", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --handshake-timeout 0", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --connect-timeout 6m", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --output json", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --certificate a", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --key a", SEAL_E_USAGE },
		{ "seal-proxy --inbound 8443=8080 --client-ca a", SEAL_E_USAGE },
		{ "seal-proxy --public 443=8080", SEAL_E_USAGE },
		{ "seal-proxy --public 443=8080 --certificate a", SEAL_E_USAGE },
		{ "seal-proxy --public 443=8080 --key a", SEAL_E_USAGE },
		{ "seal-proxy --public 443=8080/web --key a --certificate b", SEAL_E_FORMAT },
		{ "seal-proxy --public 443=10.0.0.1:80 --key a --certificate b", SEAL_E_REFUSED },
		{ "seal-proxy --inbound 8443=8080 --metrics 0.0.0.0:9090", SEAL_E_REFUSED },
		{ "seal-proxy --inbound 8443=8080 --metrics 8443", SEAL_E_CONFLICT },
		{ "seal-proxy --inbound 8443=8080 --health 9 --metrics 9", SEAL_E_CONFLICT },
		{ "seal-proxy --inbound 8443=8080 --health 8443", SEAL_E_CONFLICT },
		{ "seal-proxy --inbound 8443=8080 --control 9090", SEAL_E_FORMAT },
		{ "seal-proxy --inbound 8443=8080 --control unix:a.sock", SEAL_E_FORMAT },
		{ "seal-proxy --inbound 8443=8080 --capture 127.0.0.1:15006", SEAL_E_FORMAT },
		{ "seal-proxy --inbound 8443=8080 --capture 8443", SEAL_E_CONFLICT },
		{ "seal-proxy capture-rules --inbound 8443=8080", SEAL_E_FORMAT },
		{ "seal-proxy --inbound 8443=8080 --health nowhere", SEAL_E_FORMAT },
		{ "seal-proxy --inbound 8443=8080 --health 0", SEAL_E_FORMAT },
		{ "seal-proxy --inbound 8443=8080 --health example.com:80", SEAL_E_FORMAT },
		{ "seal-proxy --inbound 8443=10.0.0.1:80", SEAL_E_REFUSED },
		{ "seal-proxy --inbound 8443=8080 --credentials /x", SEAL_E_REFUSED },
		{ "seal-proxy --config /nowhere/seal-proxy.yaml", SEAL_E_MISSING },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct proxy_config *config = NULL;
		struct seal_err err = { 0 };

		cr_expect_eq(try_words(rows[i].line, &config, &err), rows[i].code, "%s: %s",
			     rows[i].line, err.text);
		cr_expect_null(config);
		cr_expect_str_neq(err.text, "", "%s is refused silently", rows[i].line);
	}
}

/* A file of its own for one text; the caller unlinks it. */
static void
put_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(close(fd), 0);
}

/* The configuration of "seal-proxy --config FILE" and more. */
static int
try_file(const char *text, const char *more, struct proxy_config **ret_config, struct seal_err *err)
{
	char path[] = "/tmp/seal-proxy-test-XXXXXX";
	char line[512];
	int r;

	put_file(path, text);
	(void)snprintf(line, sizeof(line), "seal-proxy --config %s%s", path, more);
	r = try_words(line, ret_config, err);
	cr_assert_eq(unlink(path), 0);
	return r;
}

Test(proxy_options, in_clear_have_no_agent)
{
	static const char text[] = "inbound: [{listen: 8443, forward: 8080}]\n"
				   "agent: unix:/run/seal/agent.sock\n";
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(try_file(text, "", &config, &err), SEAL_E_REFUSED);
	cr_expect_null(config);
	cr_expect_not_null(strstr(err.text, "sealed configuration only"), "%s", err.text);
	cr_expect_eq(try_file("inbound: [{listen: 8443, forward: 8080}]\nagent: off\n", "", &config,
			      &err),
		     0);
	proxy_config_freep(&config);
	cr_expect_eq(try_file("agent: 9000\n", "", &config, &err), SEAL_E_FORMAT);
}

Test(proxy_options, read_the_file_and_add_the_flags)
{
	static const char text[] = "inbound:\n- {listen: 8443, forward: 8080}\n";
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(try_file(text, " --outbound 5432=db:8443", &config, &err), 0, "%s", err.text);
	cr_expect_eq(config->listener_count, 2);
	proxy_config_free(config);
	config = NULL;
	cr_expect_eq(try_file(text, " --inbound 8443=8081", &config, &err), SEAL_E_CONFLICT);
	cr_expect_null(config);
}

static const char full_file[] = "inbound:\n- {listen: 8443, forward: 8080}\n"
				"health: 9001\n"
				"metrics: 9002\n"
				"control: unix:/file.sock\n"
				"capture: {listen: 15006}\n"
				"limits: {connections: 11, per-peer: 12, per-source: 13, "
				"handshakes: 14, memory: 15MiB}\n"
				"timeouts: {handshake: 16, connect: 17, drain: 18, idle: 19}\n"
				"log: {level: debug, format: json}\n";

Test(proxy_options, leave_the_file_alone_where_they_say_nothing)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(try_file(full_file, "", &config, &err), 0, "%s", err.text);
	cr_expect_eq(config->health.port, 9001);
	cr_expect_eq(config->metrics.port, 9002);
	cr_expect_str_eq(config->control.host, "/file.sock");
	cr_expect_eq(config->capture.listen.port, 15006);
	cr_expect_eq(config->limits.connections, 11);
	cr_expect_eq(config->limits.per_peer, 12);
	cr_expect_eq(config->limits.per_source, 13);
	cr_expect_eq(config->limits.handshakes, 14);
	cr_expect_eq(config->limits.memory, 15u << 20);
	cr_expect_eq(config->handshake_ms, 16000);
	cr_expect_eq(config->connect_ms, 17000);
	cr_expect_eq(config->drain_ms, 18000);
	cr_expect_eq(config->idle_ms, 19000);
	cr_expect_eq(config->log_level, SEAL_LOG_DEBUG);
	cr_expect(config->log_json);
	proxy_config_free(config);
}

Test(proxy_options, have_the_last_word_over_the_file)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(try_file(full_file,
			      " --health 9101 --metrics 9102 --control off --capture 15106"
			      " --max-connections 0 --max-per-peer 112 --max-per-source 113"
			      " --max-handshakes 114 --max-memory 115MiB --handshake-timeout 116"
			      " --connect-timeout 117 --drain-timeout 118 --idle-timeout off"
			      " --log-level warn --log-format text",
			      &config, &err),
		     0, "%s", err.text);
	cr_expect_eq(config->health.port, 9101);
	cr_expect_eq(config->metrics.port, 9102);
	cr_expect_not(config->has_control);
	cr_expect(config->control_explicit);
	cr_expect_eq(config->capture.listen.port, 15106);
	cr_expect_eq(config->capture.listen6.port, 15106);
	cr_expect_eq(config->limits.connections, 0);
	cr_expect_eq(config->limits.per_peer, 112);
	cr_expect_eq(config->limits.per_source, 113);
	cr_expect_eq(config->limits.handshakes, 114);
	cr_expect_eq(config->limits.memory, 115u << 20);
	cr_expect_eq(config->handshake_ms, 116000);
	cr_expect_eq(config->connect_ms, 117000);
	cr_expect_eq(config->drain_ms, 118000);
	cr_expect_eq(config->idle_ms, 0);
	cr_expect_eq(config->log_level, SEAL_LOG_WARN);
	cr_expect_not(config->log_json);
	proxy_config_free(config);
}

Test(proxy_options, replace_an_address_of_the_file_that_is_in_the_way)
{
	static const char text[] = "inbound:\n- {listen: 8443, forward: 8080}\nhealth: 8443\n";
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(try_file(text, "", &config, &err), SEAL_E_CONFLICT);
	cr_expect_null(config);
	cr_expect_eq(try_file(text, " --health 9000", &config, &err), 0, "%s", err.text);
	proxy_config_free(config);
}

Test(proxy_options, read_the_file_anew_for_every_configuration)
{
	char path[] = "/tmp/seal-proxy-test-XXXXXX";
	struct proxy_options options = { 0 };
	struct proxy_config *first = NULL;
	struct proxy_config *second = NULL;
	struct proxy_config *third = NULL;
	struct seal_strv words = { 0 };
	struct seal_err err = { 0 };
	char line[256];
	FILE *file;

	put_file(path, "inbound:\n- {listen: 8443, forward: 8080}\n");
	(void)snprintf(line, sizeof(line), "seal-proxy --outbound 5432=db:8443 --config %s", path);
	cr_assert_eq(parse_words(&options, &words, line, &err), 0, "%s", err.text);
	cr_assert_eq(proxy_options_configure(&options, &first, &err), 0, "%s", err.text);
	file = fopen(path, "we");
	cr_assert_geq(fputs("inbound:\n- {listen: 8444, forward: 8080}\n", file), 0);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(proxy_options_configure(&options, &second, &err), 0, "%s", err.text);
	cr_expect_eq(first->listener_count, 2);
	cr_expect_eq(first->listeners[0].listen.port, 8443);
	cr_expect_eq(second->listener_count, 2);
	cr_expect_eq(second->listeners[0].listen.port, 8444);
	cr_assert_eq(truncate(path, 5), 0);
	cr_expect_eq(proxy_options_configure(&options, &third, &err), SEAL_E_FORMAT);
	cr_expect_null(third);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(proxy_options_configure(&options, &third, &err), SEAL_E_MISSING);
	cr_expect_null(third);
	proxy_config_free(first);
	proxy_config_free(second);
	proxy_options_release(&options);
	seal_strv_release(&words);
}

Test(proxy_options, make_public_listeners)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(try_words("seal-proxy --public 443=8080 --public 444=8081,8082 --certificate "
			       "tls.crt --key tls.key --client-ca ca.pem",
			       &config, &err),
		     0, "%s", err.text);
	cr_assert_eq(config->listener_count, 2);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(config->listeners[i].direction, PROXY_PUBLIC);
		cr_assert_eq(config->listeners[i].certificate_count, 1);
		cr_expect_str_eq(config->listeners[i].certificates[0].certificate, "tls.crt");
		cr_expect_str_eq(config->listeners[i].certificates[0].key, "tls.key");
		cr_expect_str_eq(config->listeners[i].client_ca, "ca.pem");
	}
	cr_expect_eq(config->listeners[1].target_count, 2);
	proxy_config_free(config);
}

Test(proxy_options, know_their_commands)
{
	static const struct {
		const char *line;
		enum proxy_command command;
		const char *output;
		const char *level_word;
	} rows[] = {
		{ "seal-proxy", PROXY_SERVE, "text", NULL },
		{ "seal-proxy status", PROXY_STATUS, "text", NULL },
		{ "seal-proxy status -o json", PROXY_STATUS, "json", NULL },
		{ "seal-proxy --output=text status --control unix:/a", PROXY_STATUS, "text", NULL },
		{ "seal-proxy log-level debug", PROXY_LOG_LEVEL, "text", "debug" },
		{ "seal-proxy log-level --control unix:/a warn", PROXY_LOG_LEVEL, "text", "warn" },
		{ "seal-proxy capture-rules --capture 15006 --inbound 8443=8080 --health 9000",
		  PROXY_CAPTURE_RULES, "text", NULL },
		{ "seal-proxy capture-rules --config f", PROXY_CAPTURE_RULES, "text", NULL },
		{ "seal-proxy sandbox-test", PROXY_SANDBOX_TEST, "text", NULL },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct proxy_options options = { 0 };
		struct seal_strv words = { 0 };
		struct seal_err err = { 0 };

		cr_expect_eq(parse_words(&options, &words, rows[i].line, &err), 0, "%s: %s",
			     rows[i].line, err.text);
		cr_expect_eq(options.command, rows[i].command, "%s", rows[i].line);
		cr_expect_str_eq(options.output, rows[i].output);
		if (rows[i].level_word == NULL)
			cr_expect_null(options.level_word);
		else
			cr_expect_str_eq(options.level_word, rows[i].level_word);
		proxy_options_release(&options);
		seal_strv_release(&words);
	}
}

Test(proxy_options, refuse_commands_that_cannot_be_meant)
{
	static const char *const lines[] = {
		"seal-proxy stat",
		"seal-proxy serve",
		"seal-proxy STATUS",
		"seal-proxy status now",
		"seal-proxy status status",
		"seal-proxy status -o yaml",
		"seal-proxy status -o",
		"seal-proxy status --inbound 8443=8080",
		"seal-proxy status --config f",
		"seal-proxy status --check",
		"seal-proxy status --drain-timeout 5",
		"seal-proxy log-level",
		"seal-proxy log-level loud",
		"seal-proxy log-level debug info",
		"seal-proxy log-level debug -o json",
		"seal-proxy log-level debug --log-level debug",
		"seal-proxy capture-rules --check --config f",
		"seal-proxy capture-rules -o json --config f",
		"seal-proxy sandbox-test --config f",
		"seal-proxy sandbox-test twice",
		"seal-proxy -o json",
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		struct proxy_options options = { 0 };
		struct seal_strv words = { 0 };
		struct seal_err err = { 0 };

		cr_expect_eq(parse_words(&options, &words, lines[i], &err), SEAL_E_USAGE, "%s: %s",
			     lines[i], err.text);
		cr_expect_str_neq(err.text, "", "%s is refused silently", lines[i]);
		proxy_options_release(&options);
		seal_strv_release(&words);
	}
}

/* What a command line says about the socket to ask: "" for a usage error. */
static void
expect_control(const char *line, const char *expected)
{
	struct proxy_options options = { 0 };
	struct seal_endpoint control = { 0 };
	struct seal_strv words = { 0 };
	struct seal_err err = { 0 };
	int r;

	cr_assert_eq(parse_words(&options, &words, line, &err), 0, "%s: %s", line, err.text);
	r = proxy_options_control(&options, &control, &err);
	cr_expect_eq(r, expected[0] == '\0' ? SEAL_E_USAGE : 0, "%s: %s", line, err.text);
	cr_expect_str_eq(control.host, expected);
	proxy_options_release(&options);
	seal_strv_release(&words);
}

Test(proxy_options, know_the_control_socket)
{
	expect_control("seal-proxy status --control unix:/a.sock", "/a.sock");
	expect_control("seal-proxy status --control off", "");
	expect_control("seal-proxy status --control 127.0.0.1:80", "");
	cr_assert_eq(setenv("XDG_RUNTIME_DIR", "/run/user/1", 1), 0);
	if (geteuid() == 0) {
		expect_control("seal-proxy status", "/run/seal/proxy.sock");
		cr_assert_eq(seteuid(65534), 0); /* in a process of the test's own */
	}
	expect_control("seal-proxy status", "/run/user/1/seal-proxy.sock");
	cr_assert_eq(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
	expect_control("seal-proxy status", "");
	cr_assert_eq(unsetenv("XDG_RUNTIME_DIR"), 0);
	expect_control("seal-proxy status", "/run/seal/proxy.sock"); /* as in a pod */
}

Test(proxy_options, tell_a_control_socket_that_was_asked_for_from_the_default)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(setenv("XDG_RUNTIME_DIR", "/run/user/1", 1), 0);
	cr_assert_eq(try_words("seal-proxy --inbound 8443=8080", &config, &err), 0);
	cr_expect(config->has_control);
	cr_expect_not(config->control_explicit);
	proxy_config_freep(&config);
	cr_assert_eq(try_words("seal-proxy --inbound 8443=8080 --control unix:/a", &config, &err),
		     0);
	cr_expect(config->has_control);
	cr_expect(config->control_explicit);
	proxy_config_freep(&config);
}

/* A page of the manual. */
static void
read_page(struct seal_bytes *page, const char *name)
{
	struct seal_err err = { 0 };
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/docs/man/%s", SEAL_SOURCE_DIR, name);
	cr_assert_eq(seal_fs_read(page, AT_FDCWD, path, page->max, &err), 0, "%s", err.text);
}

Test(proxy_options, are_those_of_the_manual_in_its_order)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(256u * 1024);
	const struct seal_option *table;
	size_t found = 0;
	size_t count;

	read_page(&page, "seal-proxy.8");
	table = proxy_options_table(&count);
	for (const char *at = strstr(seal_bytes_str(&page), "\n.It Fl "); at != NULL;
	     at = strstr(at + 1, "\n.It Fl ")) {
		const char *name = strstr(at, "Fl -") + strlen("Fl -");
		size_t len = strcspn(name, " \n");

		cr_assert_lt(found, count, "the manual has more options than the table");
		cr_expect(strlen(table[found].name) == len &&
				  memcmp(name, table[found].name, len) == 0,
			  "expected --%s, the manual has --%.*s", table[found].name, (int)len,
			  name);
		if (table[found].arg != NULL)
			cr_expect_eq(strncmp(name + len + strlen(" Ar "), table[found].arg,
					     strlen(table[found].arg)),
				     0, "--%s takes %s", table[found].name, table[found].arg);
		found++;
	}
	cr_expect_eq(found, count, "the manual has %zu of %zu options", found, count);
	for (size_t i = 1; i < count; i++)
		cr_expect_lt(strcmp(table[i - 1].name, table[i].name), 0, "%s is out of order",
			     table[i].name);
}

#define EXAMPLE ".Bd -literal -offset indent\n"

Test(proxy_options, accept_the_examples_of_the_manual)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(256u * 1024);
	size_t found = 0;

	read_page(&page, "seal-proxy.yaml.5");
	for (const char *at = strstr(seal_bytes_str(&page), EXAMPLE); at != NULL;
	     at = strstr(at + 1, EXAMPLE)) {
		const char *start = at + strlen(EXAMPLE);
		struct proxy_config *config = NULL;
		struct seal_err err = { 0 };
		int r;

		cr_assert_eq(proxy_config_new(&config, &err), 0);
		r = proxy_config_add_yaml(config, "example", start,
					  (size_t)(strstr(start, ".Ed") - start), &err);
		cr_expect_eq(r, 0, "%s", err.text);
		cr_expect_eq(proxy_config_check(config, false, &err), 0, "%s", err.text);
		proxy_config_free(config);
		found++;
	}
	cr_expect_eq(found, 3);
}

/* The item of a key in a part of the page, up to the next item; NULL when there is none. */
static const char *
find_item(const char *part, size_t part_len, const char *name, size_t *ret_len)
{
	char item[64];
	const char *at;
	const char *next;

	(void)snprintf(item, sizeof(item), "\n.It Cm %s\n", name);
	at = memmem(part, part_len, item, strlen(item));
	if (at == NULL)
		return NULL;
	next = memmem(at + 1, part_len - (size_t)(at + 1 - part), "\n.It Cm ", strlen("\n.It Cm "));
	*ret_len = next == NULL ? part_len - (size_t)(at - part) : (size_t)(next - at);
	return at;
}

static size_t
count_items(const char *part, size_t part_len)
{
	size_t count = 0;

	for (const char *at = part;
	     (at = memmem(at, part_len - (size_t)(at - part), "\n.It Cm ", 8)) != NULL; at++)
		count++;
	return count;
}

/* Every key the parser knows, and no other, each saying whether a reload may change it. */
static void
expect_section(const char *page, const char *heading, const char *section)
{
	static const char fixed_word[] = "Read at start only.";
	const char *part = strstr(page, heading);
	const char *end;
	const char *key;
	bool is_fixed;
	size_t count = 0;
	size_t len;

	cr_assert_not_null(part, "the manual has no section '%s'", heading);
	end = strstr(part, ".El\n");
	cr_assert_not_null(end);
	for (; (key = proxy_config_key(section, count, &is_fixed)) != NULL; count++) {
		const char *item = find_item(part, (size_t)(end - part), key, &len);

		cr_expect_not_null(item, "the manual does not have '%s' in '%s'", key, section);
		if (item != NULL)
			cr_expect_eq(memmem(item, len, fixed_word, strlen(fixed_word)) != NULL,
				     is_fixed, "what does a reload do to '%s' of '%s'?", key,
				     section);
	}
	cr_expect_gt(count, 0, "there is no section '%s'", section);
	cr_expect_eq(count_items(part, (size_t)(end - part)), count,
		     "the manual has more keys in '%s'", section);
}

Test(proxy_options, every_key_of_the_file_is_in_the_manual)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(256u * 1024);
	static const char *const sections[] = { "inbound", "outbound", "public",   "certificates",
						"capture", "limits",   "timeouts", "log" };

	read_page(&page, "seal-proxy.yaml.5");
	expect_section(seal_bytes_str(&page), ".Ss top\n", "");
	for (size_t i = 0; i < SEAL_COUNT(sections); i++) {
		char heading[64];

		(void)snprintf(heading, sizeof(heading), ".Ss %s\n", sections[i]);
		expect_section(seal_bytes_str(&page), heading, sections[i]);
	}
}
