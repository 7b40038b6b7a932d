/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "proxy/options.h"

#define MAX_WORDS 16

/* Parse and configure a command line; the code of the first failure. */
static int
try_words(const char *line, struct proxy_config **ret_config, struct seal_err *err)
{
	struct proxy_options options = { 0 };
	char *argv[MAX_WORDS] = { NULL };
	struct seal_strv words = { 0 };
	enum seal_level level;
	bool json;
	int r;

	cr_assert_eq(seal_strv_split(&words, line, ' ', err), 0);
	for (size_t i = 0; i < words.count; i++)
		argv[i] = words.items[i];
	r = proxy_options_parse(&options, (int)words.count, argv, err);
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

Test(proxy_options, read_the_file_and_add_the_flags)
{
	static const char text[] = "inbound:\n- {listen: 8443, forward: 8080}\n";
	char path[] = "/tmp/seal-proxy-test-XXXXXX";
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };
	char line[256];
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	close(fd);
	(void)snprintf(line, sizeof(line), "seal-proxy --config %s --outbound 5432=db:8443", path);
	cr_expect_eq(try_words(line, &config, &err), 0, "%s", err.text);
	cr_expect_eq(config->listener_count, 2);
	proxy_config_free(config);
	config = NULL;
	(void)snprintf(line, sizeof(line), "seal-proxy --config %s --inbound 8443=8081", path);
	cr_expect_eq(try_words(line, &config, &err), SEAL_E_CONFLICT);
	unlink(path);
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

Test(proxy_options, accept_the_example_of_the_manual)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(256u * 1024);
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };
	const char *start;
	const char *end;

	read_page(&page, "seal-proxy.yaml.5");
	start = strstr(seal_bytes_str(&page), ".Bd -literal -offset indent\n");
	cr_assert_not_null(start);
	start = strchr(start, '\n') + 1;
	end = strstr(start, ".Ed");
	cr_assert_eq(proxy_config_new(&config, &err), 0);
	cr_expect_eq(proxy_config_add_yaml(config, "example", start, (size_t)(end - start), &err),
		     0, "%s", err.text);
	cr_expect_eq(config->listener_count, 2);
	proxy_config_free(config);
}
