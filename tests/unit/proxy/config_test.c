/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "proxy/proxy.h"

static struct proxy_config *
new_config(void)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_config_new(&config, &err), 0, "%s", err.text);
	return config;
}

static int
add_flag(struct proxy_config *config, enum proxy_direction direction, const char *spec,
	 struct seal_err *err)
{
	switch (direction) {
	case PROXY_INBOUND:
		return proxy_config_add_inbound(config, spec, err);
	case PROXY_OUTBOUND:
		return proxy_config_add_outbound(config, spec, err);
	default:
		return proxy_config_add_public(config, spec, "/tls.crt", "/tls.key", NULL, err);
	}
}

static int
add_yaml(struct proxy_config *config, const char *text, struct seal_err *err)
{
	return proxy_config_add_yaml(config, "p.yaml", text, strlen(text), err);
}

/* A listener in one line: "listen > target, target [peers]", for comparing. */
static void
describe(const struct proxy_listener_config *listener, char *out, size_t size)
{
	char text[SEAL_HOSTNAME_MAX + 16];
	size_t at;

	seal_endpoint_format(&listener->listen, text);
	at = (size_t)snprintf(out, size, "%s >", text);
	for (size_t i = 0; i < listener->target_count; i++) {
		seal_endpoint_format(&listener->targets[i], text);
		at += (size_t)snprintf(out + at, size - at, " %s", text);
	}
	for (size_t i = 0; i < listener->peers.count; i++)
		at += (size_t)snprintf(out + at, size - at, " /%s", listener->peers.items[i]);
	if (listener->server_name != NULL)
		(void)snprintf(out + at, size - at, " @%s", listener->server_name);
}

Test(proxy_config, reads_every_spelling_of_a_flag)
{
	static const struct {
		enum proxy_direction direction;
		const char *spec;
		const char *means;
	} rows[] = {
		{ PROXY_INBOUND, "8443=8080", "0.0.0.0:8443 > 127.0.0.1:8080" },
		{ PROXY_INBOUND, "10.0.0.1:8443=127.0.0.2:8080/web",
		  "10.0.0.1:8443 > 127.0.0.2:8080 /web" },
		{ PROXY_INBOUND, "[::]:8443=[::1]:8080/web,ops",
		  "[::]:8443 > [::1]:8080 /web /ops" },
		{ PROXY_INBOUND, "8443=unix:/run/app.sock", "0.0.0.0:8443 > unix:/run/app.sock" },
		{ PROXY_INBOUND, "8443=unix:/run/app.sock/web,any",
		  "0.0.0.0:8443 > unix:/run/app.sock /web /any" },
		{ PROXY_INBOUND, "8443=unix:/run/a.sock/b.sock/web",
		  "0.0.0.0:8443 > unix:/run/a.sock/b.sock /web" },
		{ PROXY_INBOUND, "8443=unix:/run/app/web", "0.0.0.0:8443 > unix:/run/app/web" },
		{ PROXY_INBOUND, "8443=8080,8081/*",
		  "0.0.0.0:8443 > 127.0.0.1:8080 127.0.0.1:8081 /*" },
		{ PROXY_OUTBOUND, "5432=db.shop.svc:8443/db",
		  "127.0.0.1:5432 > db.shop.svc:8443 /db" },
		{ PROXY_OUTBOUND, "5432=db:8443", "127.0.0.1:5432 > db:8443" },
		{ PROXY_OUTBOUND, "[::1]:5432=10.0.0.2:8443,[fd00::1]:8443/db",
		  "[::1]:5432 > 10.0.0.2:8443 [fd00::1]:8443 /db" },
		{ PROXY_OUTBOUND, "unix:/run/db.sock=db:8443/db",
		  "unix:/run/db.sock > db:8443 /db" },
		{ PROXY_OUTBOUND, "5432=unix:/run/mesh.sock/db",
		  "127.0.0.1:5432 > unix:/run/mesh.sock /db" },
		{ PROXY_INBOUND, "unix:/run/mesh.sock=8080/web",
		  "unix:/run/mesh.sock > 127.0.0.1:8080 /web" },
		{ PROXY_PUBLIC, "443=8080", "0.0.0.0:443 > 127.0.0.1:8080" },
		{ PROXY_PUBLIC, "[::]:443=[::1]:8080,unix:/run/app.sock",
		  "[::]:443 > [::1]:8080 unix:/run/app.sock" },
		{ PROXY_PUBLIC, "unix:/run/public.sock=8080",
		  "unix:/run/public.sock > 127.0.0.1:8080" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct proxy_config *config = new_config();
		struct seal_err err = { 0 };
		char text[1024] = "";

		cr_assert_eq(add_flag(config, rows[i].direction, rows[i].spec, &err), 0, "%s: %s",
			     rows[i].spec, err.text);
		cr_assert_eq(config->listener_count, 1);
		describe(&config->listeners[0], text, sizeof(text));
		cr_expect_str_eq(text, rows[i].means, "%s reads as %s", rows[i].spec, text);
		cr_expect_eq(config->listeners[0].direction, rows[i].direction);
		proxy_config_free(config);
	}
}

Test(proxy_config, refuses_flags_that_cannot_be_meant)
{
	static const struct {
		enum proxy_direction direction;
		const char *spec;
		int code;
	} rows[] = {
		{ PROXY_INBOUND, "", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "=8080", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=8080=9090", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "0=8080", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=0", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=127.0.0.1:0", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "65536=8080", 0 },
		{ PROXY_INBOUND, "-1=8080", 0 },
		{ PROXY_INBOUND, "8443x=8080", 0 },
		{ PROXY_INBOUND, "8443=8080/", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=8080/web,", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=8080/Web", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=8080/rot", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=8080/web,web", SEAL_E_CONFLICT },
		{ PROXY_INBOUND, "8443=8080,,8081", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "8443=unix:relative.sock", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "web.example.com:8443=8080", SEAL_E_FORMAT },
		{ PROXY_INBOUND, "fd00::1:8443=8080", SEAL_E_FORMAT },
		/* Plaintext stays on this machine. */
		{ PROXY_INBOUND, "8443=10.0.0.1:8080", SEAL_E_REFUSED },
		{ PROXY_INBOUND, "8443=0.0.0.0:8080", SEAL_E_REFUSED },
		{ PROXY_INBOUND, "8443=localhost:8080", SEAL_E_REFUSED },
		{ PROXY_INBOUND, "8443=127.0.0.1.example.com:8080", SEAL_E_REFUSED },
		{ PROXY_INBOUND, "8443=[::ffff:10.0.0.1]:8080", SEAL_E_REFUSED },
		{ PROXY_PUBLIC, "443=10.0.0.1:8080", SEAL_E_REFUSED },
		{ PROXY_PUBLIC, "443=8080/web", SEAL_E_FORMAT },
		{ PROXY_PUBLIC, "443", SEAL_E_FORMAT },
		{ PROXY_PUBLIC, "example.com:443=8080", SEAL_E_FORMAT },
		{ PROXY_OUTBOUND, "0.0.0.0:5432=db:8443", SEAL_E_REFUSED },
		{ PROXY_OUTBOUND, "[::]:5432=db:8443", SEAL_E_REFUSED },
		{ PROXY_OUTBOUND, "10.0.0.1:5432=db:8443", SEAL_E_REFUSED },
		{ PROXY_OUTBOUND, "5432=8443", SEAL_E_FORMAT },
		{ PROXY_OUTBOUND, "5432=db", SEAL_E_FORMAT },
		{ PROXY_OUTBOUND, "5432=unix:run/db.sock", SEAL_E_FORMAT },
		{ PROXY_OUTBOUND, "5432=0.0.0.0:8443", SEAL_E_FORMAT },
		{ PROXY_OUTBOUND, "5432=[::]:8443", SEAL_E_FORMAT },
		/* The same target twice. */
		{ PROXY_INBOUND, "8443=8080,127.0.0.1:8080", SEAL_E_CONFLICT },
		{ PROXY_OUTBOUND, "5432=db:8443,db:8443", SEAL_E_CONFLICT },
		/* A circle. */
		{ PROXY_INBOUND, "8443=8443", SEAL_E_CONFLICT },
		{ PROXY_INBOUND, "8443=8080,127.0.0.2:8443", SEAL_E_CONFLICT },
		{ PROXY_INBOUND, "127.0.0.1:8443=127.0.0.1:8443", SEAL_E_CONFLICT },
		{ PROXY_INBOUND, "unix:/a.sock=unix:/a.sock", SEAL_E_CONFLICT },
		{ PROXY_PUBLIC, "[::]:443=[::1]:443", SEAL_E_CONFLICT },
		{ PROXY_OUTBOUND, "5432=127.0.0.1:5432", SEAL_E_CONFLICT },
		{ PROXY_OUTBOUND, "5432=[::ffff:127.0.0.1]:5432", SEAL_E_CONFLICT },
		{ PROXY_OUTBOUND, "unix:/a.sock=unix:/a.sock", SEAL_E_CONFLICT },
		{ PROXY_OUTBOUND, "localhost:5432=db:8443", SEAL_E_FORMAT },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct proxy_config *config = new_config();
		struct seal_err err = { 0 };
		int r = add_flag(config, rows[i].direction, rows[i].spec, &err);

		cr_expect_lt(r, 0, "accepted '%s'", rows[i].spec);
		if (rows[i].code != 0)
			cr_expect_eq(r, rows[i].code, "'%s': %d: %s", rows[i].spec, r, err.text);
		cr_expect_eq(config->listener_count, 0, "'%s' left a listener", rows[i].spec);
		cr_expect_eq(strncmp(err.text, "--", 2), 0, "'%s' is not named: %s", rows[i].spec,
			     err.text);
		proxy_config_free(config);
	}
}

Test(proxy_config, refuses_two_listeners_on_one_address)
{
	static const struct {
		const char *first;
		const char *second;
		bool ok;
	} rows[] = {
		{ "8443=8080", "8443=8081", false },
		{ "8443=8080", "127.0.0.1:8443=8081", false },
		{ "127.0.0.1:8443=8080", "0.0.0.0:8443=8081", false },
		{ "[::1]:8443=8080", "[0:0:0:0:0:0:0:1]:8443=8081", false },
		{ "[::]:8443=8080", "[::1]:8443=8081", false },
		{ "[::]:8443=8080", "0.0.0.0:8443=8081", true },
		{ "[::ffff:127.0.0.1]:8443=8080", "127.0.0.1:8443=8080", false },
		{ "unix:/a.sock=8080", "unix:/a.sock=8081", false },
		{ "unix:/a.sock=8080", "unix:/b.sock=8080", true },
		{ "127.0.0.1:8443=8080", "127.0.0.2:8443=8080", true },
		{ "8443=8080", "8444=8080", true },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct proxy_config *config = new_config();
		struct seal_err err = { 0 };
		int r;

		cr_assert_eq(proxy_config_add_inbound(config, rows[i].first, &err), 0);
		r = proxy_config_add_inbound(config, rows[i].second, &err);
		cr_expect_eq(r, rows[i].ok ? 0 : SEAL_E_CONFLICT, "%s and %s: %d %s", rows[i].first,
			     rows[i].second, r, err.text);
		proxy_config_free(config);
	}
}

Test(proxy_config, refuses_the_same_address_in_both_directions_and_for_unix_paths)
{
	struct proxy_config *config = new_config();
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_config_add_inbound(config, "5432=8080", &err), 0);
	cr_expect_eq(proxy_config_add_outbound(config, "5432=db:8443", &err), SEAL_E_CONFLICT);
	cr_assert_eq(proxy_config_add_outbound(config, "unix:/a.sock=db:8443", &err), 0);
	cr_expect_eq(proxy_config_add_outbound(config, "unix:/a.sock=db:8444", &err),
		     SEAL_E_CONFLICT);
	cr_expect_eq(config->listener_count, 2);
	proxy_config_free(config);
}

static const char good_yaml[] = "inbound:\n"
				"  - listen: 0.0.0.0:8443\n"
				"    forward: 127.0.0.1:8080\n"
				"    peers: [web]\n"
				"  - listen: 8444\n"
				"    forward: [8081, 'unix:/run/app.sock']\n"
				"outbound:\n"
				"  - listen: 127.0.0.1:5432\n"
				"    connect: [db.shop.svc:8443, db.example.com:443]\n"
				"    server-name: db.example.com\n"
				"    peers: db\n";

Test(proxy_config, reads_yaml)
{
	static const char *const means[] = {
		"0.0.0.0:8443 > 127.0.0.1:8080 /web",
		"0.0.0.0:8444 > 127.0.0.1:8081 unix:/run/app.sock",
		"127.0.0.1:5432 > db.shop.svc:8443 db.example.com:443 /db @db.example.com",
	};
	struct proxy_config *config = new_config();
	struct seal_err err = { 0 };

	cr_assert_eq(add_yaml(config, good_yaml, &err), 0, "%s", err.text);
	cr_assert_eq(config->listener_count, SEAL_COUNT(means));
	for (size_t i = 0; i < SEAL_COUNT(means); i++) {
		char text[1024] = "";

		describe(&config->listeners[i], text, sizeof(text));
		cr_expect_str_eq(text, means[i]);
	}
	cr_expect_str_eq(config->listeners[1].origin, "p.yaml:5:5");
	proxy_config_free(config);
}

Test(proxy_config, names_the_place_of_every_mistake_in_yaml)
{
	static const struct {
		const char *text;
		const char *place;
	} rows[] = {
		{ "", "p.yaml:1:1:" },
		{ "- a\n", "p.yaml:1:1:" },
		{ "inbound: {}\n", "p.yaml:1:10:" },
		{ "inbound:\n  - 8443\n", "p.yaml:2:5:" },
		{ "inbound:\n  - forward: 8080\n", "p.yaml:2:5:" },
		{ "inbound:\n  - listen: 8443\n", "p.yaml:2:5:" },
		{ "inbound:\n  - listen: 8443\n    forward: []\n", "p.yaml:3:14:" },
		{ "inbound:\n  - listen: 8443\n    forward: 10.0.0.1:80\n", "p.yaml:3:14:" },
		{ "inbound:\n  - listen: [8443]\n    forward: 80\n", "p.yaml:2:13:" },
		{ "inbound:\n  - listen: 0\n    forward: 80\n", "p.yaml:2:13:" },
		{ "inbound:\n  - listen: 8443\n    forward: 80\n    peers: []\n", "p.yaml:4:12:" },
		{ "inbound:\n  - listen: 8443\n    forward: 80\n    peers: [web, egg]\n",
		  "p.yaml:4:18:" },
		{ "inbound:\n  - listen: 8443\n    forward: 80\n    connect: db:1\n",
		  "p.yaml:4:5:" },
		{ "inbound:\n  - listen: 8443\n    forward: 80\n    server-name: a.b\n",
		  "p.yaml:4:5:" },
		{ "inbound:\n  - listen: 8443\n    forward: 80\n    listen: 8444\n",
		  "p.yaml:4:5:" },
		{ "inbound:\n  - listen: 8443\n    forward: 80\n"
		  "  - listen: 8443\n    forward: 81\n",
		  "p.yaml:4:5:" },
		{ "outbound:\n  - listen: 0.0.0.0:5432\n    connect: db:1\n", "p.yaml:2:13:" },
		{ "outbound:\n  - listen: 5432\n    connect: db\n", "p.yaml:3:14:" },
		{ "outbound:\n  - listen: 5432\n    connect: db:1\n    server-name: 10.0.0.1\n",
		  "p.yaml:4:18:" },
		{ "outbound:\n  - listen: 5432\n    connect: db:1\n    server-name: [a.b, c.d]\n",
		  "p.yaml:4:18:" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct proxy_config *config = new_config();
		struct seal_err err = { 0 };

		cr_expect_lt(add_yaml(config, rows[i].text, &err), 0, "accepted:\n%s",
			     rows[i].text);
		cr_expect_eq(strncmp(err.text, rows[i].place, strlen(rows[i].place)), 0,
			     "expected %s, got: %s\nfor:\n%s", rows[i].place, err.text,
			     rows[i].text);
		cr_expect_eq(config->listener_count, 0, "left a listener behind:\n%s",
			     rows[i].text);
		proxy_config_free(config);
	}
}

Test(proxy_config, survives_every_truncation_of_yaml)
{
	for (size_t n = 0; n < sizeof(good_yaml) - 1; n++) {
		struct proxy_config *config = new_config();
		struct seal_err err = { 0 };
		int r = proxy_config_add_yaml(config, "p.yaml", good_yaml, n, &err);

		if (r < 0)
			cr_expect_eq(config->listener_count, 0, "kept some of %zu bytes", n);
		proxy_config_free(config);
	}
}

Test(proxy_config, keeps_what_it_had_when_yaml_is_bad)
{
	struct proxy_config *config = new_config();
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_config_add_inbound(config, "9443=9080", &err), 0);
	cr_expect_lt(add_yaml(config, "inbound:\n- {listen: 8443, forward: 80}\n- bad\n", &err), 0);
	cr_expect_eq(config->listener_count, 1);
	cr_expect_eq(add_yaml(config,
			      "inbound:\n- {listen: 8443, forward: 80}\n"
			      "- {listen: 9443, forward: 80}\n",
			      &err),
		     SEAL_E_CONFLICT);
	cr_expect_eq(
		strncmp(err.text, "p.yaml:3:3: listen: 0.0.0.0:9443 is already taken by --inb", 58),
		0, "%s", err.text);
	cr_expect_eq(config->listener_count, 1);
	cr_expect_eq(config->listeners[0].listen.port, 9443);
	proxy_config_free(config);
}

Test(proxy_config, refuses_yaml_beyond_its_limits)
{
	struct proxy_config *config = new_config();
	char *text = calloc(1, PROXY_MAX_CONFIG + 1);
	struct seal_err err = { 0 };

	memset(text, '#', PROXY_MAX_CONFIG + 1);
	cr_expect_eq(proxy_config_add_yaml(config, "p.yaml", text, PROXY_MAX_CONFIG + 1, &err),
		     SEAL_E_LIMIT);
	free(text);
	for (int port = 1; port <= PROXY_MAX_LISTENERS; port++) {
		char spec[32];

		(void)snprintf(spec, sizeof(spec), "%d=8080", port);
		cr_assert_eq(proxy_config_add_inbound(config, spec, &err), 0, "%s", err.text);
	}
	cr_expect_eq(proxy_config_add_inbound(config, "9000=8080", &err), SEAL_E_LIMIT);
	proxy_config_free(config);
}

Test(proxy_config, demands_a_listener_and_with_credentials_its_peers)
{
	struct proxy_config *config = new_config();
	struct seal_err err = { 0 };

	cr_expect_lt(proxy_config_check(config, false, &err), 0);
	cr_assert_eq(proxy_config_add_inbound(config, "8443=8080/web", &err), 0);
	cr_expect_eq(proxy_config_check(config, true, &err), 0);
	cr_assert_eq(proxy_config_add_outbound(config, "5432=db:8443", &err), 0);
	cr_expect_eq(proxy_config_check(config, false, &err), 0);
	cr_expect_eq(proxy_config_check(config, true, &err), SEAL_E_REFUSED);
	cr_expect(strstr(err.text, "5432=db:8443") != NULL, "%s", err.text);
	proxy_config_free(config);
}

Test(proxy_config, asks_no_peers_of_public_listeners)
{
	struct proxy_config *config = new_config();
	struct seal_err err = { 0 };

	cr_assert_eq(add_flag(config, PROXY_PUBLIC, "443=8080", &err), 0, "%s", err.text);
	cr_expect_eq(proxy_config_check(config, true, &err), 0, "%s", err.text);
	cr_expect_str_eq(config->listeners[0].certificates[0].certificate, "/tls.crt");
	cr_expect_str_eq(config->listeners[0].certificates[0].key, "/tls.key");
	cr_expect_null(config->listeners[0].client_ca);
	proxy_config_free(config);
}

Test(proxy_config, lives_until_the_last_reference_is_given_back)
{
	struct proxy_config *config = new_config();
	struct proxy_config *again = proxy_config_ref(config);

	cr_assert_eq(proxy_config_add_inbound(config, "8443=8080", NULL), 0);
	cr_expect_eq(again, config);
	proxy_config_freep(&config);
	cr_expect_null(config);
	cr_expect_eq(again->listener_count, 1);
	cr_expect_eq(again->listeners[0].listen.port, 8443);
	proxy_config_free(again);
	cr_expect_null(proxy_config_ref(NULL));
	proxy_config_free(NULL);
}

Test(proxy_config, names_its_directions)
{
	cr_expect_str_eq(proxy_direction_name(PROXY_INBOUND), "inbound");
	cr_expect_str_eq(proxy_direction_name(PROXY_OUTBOUND), "outbound");
	cr_expect_str_eq(proxy_direction_name(PROXY_PUBLIC), "public");
}
