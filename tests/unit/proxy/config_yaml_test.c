/* SPDX-License-Identifier: Apache-2.0 */
/* The whole YAML of a configuration: what each key becomes, and the place of every mistake. */
#include <criterion/criterion.h>

#include "proxy/proxy.h"

/* Parse and check; NULL with the code in err. */
static struct proxy_config *
read_yaml(const char *text, struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;

	cr_assert_eq(proxy_config_new(&config, err), 0);
	if (proxy_config_add_yaml(config, "p.yaml", text, strlen(text), err) < 0 ||
	    proxy_config_check(config, false, err) < 0)
		return NULL;
	return SEAL_TAKE(config);
}

#define INBOUND "inbound:\n  - listen: 8443\n    forward: 80\n" /* lines 1 to 3 */

static const char whole[] =
	"inbound:\n"
	"  - listen: '[::]:8443'\n"
	"    forward: [10.0.0.7:8080, 'unix:/run/app.sock']\n"
	"    unsafe-forward: true\n"
	"    peers: [web, ops]\n"
	"    proxy-protocol: v2\n"
	"    alpn: [h2, http/1.1]\n"
	"  - {listen: 8080, forward: 8080, captured: true, proxy-protocol: off}\n"
	"outbound:\n"
	"  - listen: 10.0.0.1:5432\n"
	"    unsafe-listen: true\n"
	"    connect: [db.shop.svc:8443, 'unix:/run/mesh.sock']\n"
	"    server-name: db.example.com\n"
	"    verify: hostname\n"
	"    peers: db\n"
	"    alpn: h2\n"
	"  - {listen: 6379, connect: cache:8443, verify: peer}\n"
	"public:\n"
	"  - listen: 443\n"
	"    forward: 127.0.0.1:8081\n"
	"    certificate: /run/seal/public/tls.crt\n"
	"    key: /run/seal/public/tls.key\n"
	"    certificates:\n"
	"      - {certificate: /run/seal/public/b.crt, key: /run/seal/public/b.key}\n"
	"      - key: c.key\n"
	"        certificate: c.crt\n"
	"    client-ca: /run/seal/public/clients.pem\n"
	"    proxy-protocol: v2\n"
	"    alpn: [http/1.1]\n"
	"  - {listen: 8090, forward: 8090, captured: true, certificate: a, key: b}\n"
	"capture:\n"
	"  listen: 15006\n"
	"  allow: [9100, 22]\n"
	"limits:\n"
	"  connections: 10000\n"
	"  per-peer: 100\n"
	"  per-source: 50\n"
	"  handshakes: 0\n"
	"  memory: 32MiB\n"
	"timeouts:\n"
	"  handshake: 5s\n"
	"  connect: 7\n"
	"  drain: 1m\n"
	"  idle: 1h\n"
	"health: 0.0.0.0:8081\n"
	"metrics: 0.0.0.0:9090\n"
	"unsafe-metrics: true\n"
	"control: unix:/run/seal/proxy.sock\n"
	"log:\n"
	"  level: debug\n"
	"  format: json\n";

static void
expect_inbound(const struct proxy_listener_config *listener)
{
	cr_expect_eq(listener->direction, PROXY_INBOUND);
	cr_expect_str_eq(listener->listen.host, "::");
	cr_expect_eq(listener->target_count, 2);
	cr_expect_str_eq(listener->targets[0].host, "10.0.0.7");
	cr_expect(listener->targets[1].is_unix);
	cr_expect(listener->unsafe);
	cr_expect(listener->proxy_protocol);
	cr_expect_not(listener->captured);
	cr_expect_eq(listener->peers.count, 2);
	cr_assert_eq(listener->alpn.count, 2);
	cr_expect_str_eq(listener->alpn.items[0], "h2");
	cr_expect_str_eq(listener->alpn.items[1], "http/1.1");
	cr_expect_str_eq(listener->origin, "p.yaml:2:5");
}

static void
expect_outbound(const struct proxy_listener_config *listener)
{
	cr_expect_eq(listener->direction, PROXY_OUTBOUND);
	cr_expect_str_eq(listener->listen.host, "10.0.0.1");
	cr_expect(listener->unsafe);
	cr_expect_eq(listener->target_count, 2);
	cr_expect_str_eq(listener->server_name, "db.example.com");
	cr_expect(listener->verify_hostname);
	cr_expect_eq(listener->alpn.count, 1);
}

static void
expect_public(const struct proxy_listener_config *listener)
{
	static const char *const files[][2] = {
		{ "/run/seal/public/tls.crt", "/run/seal/public/tls.key" },
		{ "/run/seal/public/b.crt", "/run/seal/public/b.key" },
		{ "c.crt", "c.key" },
	};

	cr_expect_eq(listener->direction, PROXY_PUBLIC);
	cr_expect_str_eq(listener->listen.host, "0.0.0.0");
	cr_assert_eq(listener->certificate_count, SEAL_COUNT(files));
	for (size_t i = 0; i < SEAL_COUNT(files); i++) {
		cr_expect_str_eq(listener->certificates[i].certificate, files[i][0]);
		cr_expect_str_eq(listener->certificates[i].key, files[i][1]);
	}
	cr_expect_str_eq(listener->client_ca, "/run/seal/public/clients.pem");
	cr_expect(listener->proxy_protocol);
	cr_expect_eq(listener->peers.count, 0);
}

Test(proxy_config_yaml, reads_every_key_of_a_listener)
{
	struct seal_err err = { 0 };
	struct proxy_config *config = read_yaml(whole, &err);

	cr_assert_not_null(config, "%s", err.text);
	cr_assert_eq(config->listener_count, 6);
	expect_inbound(&config->listeners[0]);
	cr_expect(config->listeners[1].captured);
	cr_expect_not(config->listeners[1].proxy_protocol);
	expect_outbound(&config->listeners[2]);
	cr_expect_not(config->listeners[3].verify_hostname);
	cr_expect_not(config->listeners[3].unsafe);
	expect_public(&config->listeners[4]);
	cr_expect(config->listeners[5].captured);
	proxy_config_free(config);
}

Test(proxy_config_yaml, reads_every_setting)
{
	struct seal_err err = { 0 };
	struct proxy_config *config = read_yaml(whole, &err);

	cr_assert_not_null(config, "%s", err.text);
	cr_expect(config->capture.enabled);
	cr_expect_str_eq(config->capture.listen.host, "0.0.0.0");
	cr_expect_eq(config->capture.listen.port, 15006);
	cr_expect(config->capture.has_listen6);
	cr_expect_str_eq(config->capture.listen6.host, "::");
	cr_expect_eq(config->capture.listen6.port, 15006);
	cr_assert_eq(config->capture.allow_count, 2);
	cr_expect_eq(config->capture.allow[0], 9100);
	cr_expect_eq(config->capture.allow[1], 22);
	cr_expect_eq(config->limits.connections, 10000);
	cr_expect_eq(config->limits.per_peer, 100);
	cr_expect_eq(config->limits.per_source, 50);
	cr_expect_eq(config->limits.handshakes, 0);
	cr_expect_eq(config->limits.memory, UINT64_C(32) << 20);
	cr_expect_eq(config->handshake_ms, 5000);
	cr_expect_eq(config->connect_ms, 7000);
	cr_expect_eq(config->drain_ms, 60000);
	cr_expect_eq(config->idle_ms, 3600000);
	cr_expect(config->has_health);
	cr_expect_str_eq(config->health.host, "0.0.0.0");
	cr_expect(config->has_metrics);
	cr_expect_eq(config->metrics.port, 9090);
	cr_expect(config->has_control);
	cr_expect(config->control_explicit);
	cr_expect_str_eq(config->control.host, "/run/seal/proxy.sock");
	cr_expect_eq(config->log_level, SEAL_LOG_DEBUG);
	cr_expect(config->log_json);
	proxy_config_free(config);
}

Test(proxy_config_yaml, has_the_documented_defaults)
{
	struct seal_err err = { 0 };
	struct proxy_config *config = read_yaml(INBOUND, &err);

	cr_assert_not_null(config, "%s", err.text);
	cr_expect_eq(config->limits.connections, PROXY_LIMIT_UNSET);
	cr_expect_eq(config->limits.per_peer, 0);
	cr_expect_eq(config->limits.per_source, 0);
	cr_expect_eq(config->limits.handshakes, PROXY_LIMIT_UNSET);
	cr_expect_eq(config->limits.memory, PROXY_LIMIT_UNSET_BYTES);
	cr_expect_eq(config->limits.sessions, PROXY_SESSIONS);
	cr_expect_eq(config->handshake_ms, 10000);
	cr_expect_eq(config->connect_ms, 5000);
	cr_expect_eq(config->drain_ms, 30000);
	cr_expect_eq(config->idle_ms, 0);
	cr_expect_not(config->has_health);
	cr_expect_not(config->has_metrics);
	cr_expect_not(config->has_control);
	cr_expect_not(config->control_explicit);
	cr_expect_not(config->capture.enabled);
	cr_expect_eq(config->log_level, SEAL_LOG_INFO);
	cr_expect_not(config->log_json);
	proxy_config_free(config);
}

Test(proxy_config_yaml, tells_no_limit_from_a_limit_nobody_chose)
{
	struct seal_err err = { 0 };
	struct proxy_config *config =
		read_yaml(INBOUND "limits: {connections: 0, memory: 0}\ncontrol: off\n", &err);

	cr_assert_not_null(config, "%s", err.text);
	cr_expect_eq(config->limits.connections, 0);
	cr_expect_eq(config->limits.memory, 0);
	cr_expect_not(config->has_control);
	cr_expect(config->control_explicit);
	proxy_config_free(config);
}

Test(proxy_config_yaml, a_captured_listener_may_have_the_port_of_its_application)
{
	struct seal_err err = { 0 };
	struct proxy_config *config =
		read_yaml("inbound:\n- {listen: 8080, forward: 8080, captured: true}\n"
			  "capture: {listen: '[::]:15006'}\n",
			  &err);

	cr_assert_not_null(config, "%s", err.text);
	cr_expect_str_eq(config->capture.listen.host, "::");
	cr_expect_not(config->capture.has_listen6);
	proxy_config_free(config);
}

Test(proxy_config_yaml, both_families_of_a_port_may_be_captured)
{
	struct seal_err err = { 0 };
	struct proxy_config *config =
		read_yaml("inbound:\n"
			  "- {listen: 8080, forward: 8080, captured: true}\n"
			  "- {listen: '[::]:8080', forward: 8080, captured: true}\n"
			  "outbound:\n- {listen: 127.0.0.1:8080, connect: db:8443}\n"
			  "capture: {listen: 15006}\n",
			  &err);

	cr_assert_not_null(config, "%s", err.text);
	cr_expect_eq(config->listener_count, 3);
	proxy_config_free(config);
}

Test(proxy_config_yaml, an_inbound_may_feed_an_outbound)
{
	struct seal_err err = { 0 };
	struct proxy_config *config = read_yaml("inbound:\n- {listen: 8443, forward: 5432}\n"
						"outbound:\n- {listen: 5432, connect: db:8443}\n",
						&err);

	cr_assert_not_null(config, "%s", err.text);
	proxy_config_free(config);
}

struct mistake {
	const char *text;
	int code;
	const char *begins; /* the sentence */
};

static void
expect_mistakes(const struct mistake *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct seal_err err = { 0 };
		struct proxy_config *config = read_yaml(rows[i].text, &err);

		cr_expect_null(config, "accepted:\n%s", rows[i].text);
		cr_expect_eq(err.code, rows[i].code, "%d: %s\nfor:\n%s", err.code, err.text,
			     rows[i].text);
		cr_expect_eq(strncmp(err.text, rows[i].begins, strlen(rows[i].begins)), 0,
			     "expected: %s\ngot:      %s\nfor:\n%s", rows[i].begins, err.text,
			     rows[i].text);
		proxy_config_free(config);
	}
}

#define OUTBOUND "outbound:\n  - listen: 5432\n    connect: db:1\n" /* lines 1 to 3 */
#define PUBLIC   "public:\n  - listen: 443\n    forward: 80\n"      /* lines 1 to 3 */
#define PAIR     "    certificate: a.crt\n    key: a.key\n"         /* lines 4 and 5 */

Test(proxy_config_yaml, refuses_keys_that_are_not_of_their_map)
{
	static const struct mistake rows[] = {
		{ "inbund: []\n", SEAL_E_FORMAT,
		  "p.yaml:1:1: unknown key 'inbund': the file has inbound, outbound, public," },
		{ INBOUND "    server-name: a.b\n", SEAL_E_FORMAT,
		  "p.yaml:4:5: unknown key 'server-name': an inbound listener has" },
		{ INBOUND "    verify: hostname\n", SEAL_E_FORMAT, "p.yaml:4:5: unknown key" },
		{ INBOUND "    certificate: a\n", SEAL_E_FORMAT, "p.yaml:4:5: unknown key" },
		{ INBOUND "    unsafe-listen: true\n", SEAL_E_FORMAT, "p.yaml:4:5: unknown key" },
		{ OUTBOUND "    proxy-protocol: v2\n", SEAL_E_FORMAT,
		  "p.yaml:4:5: unknown key 'proxy-protocol': an outbound listener has" },
		{ OUTBOUND "    captured: true\n", SEAL_E_FORMAT,
		  "p.yaml:4:5: unknown key 'captured': an outbound listener has" },
		{ OUTBOUND "    unsafe-forward: true\n", SEAL_E_FORMAT, "p.yaml:4:5: unknown key" },
		{ OUTBOUND "    forward: 80\n", SEAL_E_FORMAT, "p.yaml:4:5: unknown key" },
		{ PUBLIC PAIR "    peers: [web]\n", SEAL_E_FORMAT,
		  "p.yaml:6:5: unknown key 'peers': a public listener has" },
		{ PUBLIC PAIR "    server-name: a.b\n", SEAL_E_FORMAT, "p.yaml:6:5: unknown key" },
		{ PUBLIC PAIR "    certificates:\n    - {certificate: b, key: c, client-ca: d}\n",
		  SEAL_E_FORMAT, "p.yaml:7:32: unknown key 'client-ca': a certificate has" },
		{ INBOUND "capture: {listen: 15006, deny: [1]}\n", SEAL_E_FORMAT,
		  "p.yaml:4:26: unknown key 'deny': 'capture' has listen, allow" },
		{ INBOUND "limits: {connection: 1}\n", SEAL_E_FORMAT, "p.yaml:4:10: unknown key" },
		{ INBOUND "timeouts: {read: 1}\n", SEAL_E_FORMAT, "p.yaml:4:12: unknown key" },
		{ INBOUND "log: {file: x}\n", SEAL_E_FORMAT, "p.yaml:4:7: unknown key" },
		{ INBOUND "health: 1\nhealth: 2\n", SEAL_E_FORMAT, "p.yaml:5:1: key 'health'" },
		{ INBOUND "limits:\n", SEAL_E_FORMAT, "p.yaml:4:8: 'limits' is a map of" },
		{ INBOUND "limits: [1]\n", SEAL_E_FORMAT, "p.yaml:4:9: 'limits' is a map of" },
		{ "inbound: 8443\n", SEAL_E_FORMAT, "p.yaml:1:10: a list of listeners" },
		{ "[]\n", SEAL_E_FORMAT, "p.yaml:1:1: the file is a map of inbound" },
		{ "inbound: []\n", SEAL_E_FORMAT, "no listener" },
	};

	expect_mistakes(rows, SEAL_COUNT(rows));
}

Test(proxy_config_yaml, refuses_plaintext_that_leaves_the_machine_unless_told_so)
{
	static const struct mistake rows[] = {
		{ "inbound:\n  - listen: 8443\n    forward: [80, app:80]\n", SEAL_E_REFUSED,
		  "p.yaml:3:19: forward: plaintext stays on this machine" },
		{ "inbound:\n  - {listen: 8443, forward: 10.0.0.1:80, unsafe-forward: false}\n",
		  SEAL_E_REFUSED, "p.yaml:2:29: forward: plaintext" },
		{ "inbound:\n  - {listen: 8443, forward: app:80, unsafe-forward: yes}\n",
		  SEAL_E_FORMAT, "p.yaml:2:53: true or false" },
		{ "inbound:\n  - {listen: 8443, forward: 0.0.0.0:80, unsafe-forward: true}\n",
		  SEAL_E_FORMAT, "p.yaml:2:29: forward: '0.0.0.0:80' is no address" },
		{ "public:\n  - {listen: 443, forward: 10.0.0.1:80, certificate: a, key: b}\n",
		  SEAL_E_REFUSED, "p.yaml:2:28: forward: plaintext" },
		{ "outbound:\n  - {listen: 0.0.0.0:5432, connect: db:1}\n", SEAL_E_REFUSED,
		  "p.yaml:2:14: listen: outbound listeners take plaintext" },
		{ "outbound:\n  - {listen: '[::]:5432', connect: db:1, unsafe-listen: false}\n",
		  SEAL_E_REFUSED, "p.yaml:2:14: listen: outbound listeners take plaintext" },
		{ INBOUND "metrics: 0.0.0.0:9090\n", SEAL_E_REFUSED,
		  "p.yaml:4:10: metrics: only loopback" },
		{ INBOUND "metrics: 10.0.0.1:9090\nunsafe-metrics: false\n", SEAL_E_REFUSED,
		  "p.yaml:4:10: metrics: only loopback" },
	};

	expect_mistakes(rows, SEAL_COUNT(rows));
}

Test(proxy_config_yaml, refuses_values_that_cannot_be_meant)
{
	static const struct mistake rows[] = {
		{ INBOUND "    proxy-protocol: v1\n", SEAL_E_FORMAT,
		  "p.yaml:4:21: proxy-protocol: 'v1' is neither v2 nor off" },
		{ INBOUND "    proxy-protocol: [v2]\n", SEAL_E_FORMAT, "p.yaml:4:21: a single" },
		{ INBOUND "    captured: 1\n", SEAL_E_FORMAT, "p.yaml:4:15: true or false" },
		{ INBOUND "    alpn: []\n", SEAL_E_FORMAT, "p.yaml:4:11: alpn: the list is empty" },
		{ INBOUND "    alpn: [h2, h2]\n", SEAL_E_CONFLICT, "p.yaml:4:16: alpn: 'h2' is" },
		{ INBOUND "    alpn: [h 2]\n", SEAL_E_FORMAT, "p.yaml:4:12: alpn: 'h 2' is no" },
		{ INBOUND "    alpn: ''\n", SEAL_E_FORMAT, "p.yaml:4:11: alpn: a protocol's" },
		{ INBOUND "    peers: [Web]\n", SEAL_E_FORMAT, "p.yaml:4:13: peers:" },
		{ INBOUND "    peers: [web, web]\n", SEAL_E_CONFLICT, "p.yaml:4:18: peers:" },
		{ INBOUND "    peers:\n", SEAL_E_FORMAT, "p.yaml:4:11: peers:" },
		{ OUTBOUND "    verify: host\n", SEAL_E_FORMAT,
		  "p.yaml:4:13: verify: 'host' is neither peer nor hostname" },
		{ OUTBOUND "    verify: off\n", SEAL_E_FORMAT, "p.yaml:4:13: verify:" },
		{ OUTBOUND "    server-name: '*.a.b'\n", SEAL_E_FORMAT,
		  "p.yaml:4:18: server-name: '*.a.b' is no host name" },
		{ OUTBOUND "    server-name: '[::1]'\n", SEAL_E_FORMAT, "p.yaml:4:18: server-n" },
		{ OUTBOUND "    server-name: unix:/a\n", SEAL_E_FORMAT, "p.yaml:4:18: server-n" },
		{ "outbound:\n  - listen: 5432\n    connect: [a.b:1, 10.0.0.1:1]\n"
		  "    verify: hostname\n",
		  SEAL_E_FORMAT, "p.yaml:4:13: verify: '10.0.0.1:1' has no host name" },
		{ "outbound:\n  - listen: 5432\n    connect: unix:/a.sock\n"
		  "    verify: hostname\n",
		  SEAL_E_FORMAT, "p.yaml:4:13: verify: 'unix:/a.sock' has no host name" },
		{ INBOUND "limits: {connections: -1}\n", SEAL_E_FORMAT, "p.yaml:4:23: '-1'" },
		{ INBOUND "limits: {per-peer: many}\n", SEAL_E_FORMAT, "p.yaml:4:20: 'many'" },
		{ INBOUND "limits: {connections: 4294967295}\n", SEAL_E_LIMIT, "p.yaml:4:23: 42" },
		{ INBOUND "limits: {memory: 64MB}\n", SEAL_E_FORMAT,
		  "p.yaml:4:18: '64MB' is no size" },
		{ INBOUND "limits: {memory: 1KiB}\n", SEAL_E_LIMIT, "p.yaml:4:18: '1KiB'" },
		{ INBOUND "timeouts: {handshake: 0}\n", SEAL_E_LIMIT, "p.yaml:4:23: '0' is not" },
		{ INBOUND "timeouts: {handshake: off}\n", SEAL_E_FORMAT, "p.yaml:4:23: 'off' is" },
		{ INBOUND "timeouts: {connect: 1h}\n", SEAL_E_LIMIT, "p.yaml:4:21: '1h'" },
		{ INBOUND "timeouts: {drain: 2h}\n", SEAL_E_LIMIT, "p.yaml:4:19: '2h'" },
		{ INBOUND "timeouts: {idle: never}\n", SEAL_E_FORMAT, "p.yaml:4:18: off, or a" },
		{ INBOUND "timeouts: {idle: 31d}\n", SEAL_E_LIMIT, "p.yaml:4:18: off, or a" },
		{ INBOUND "health: localhost:80\n", SEAL_E_FORMAT, "p.yaml:4:9: 'localhost:80'" },
		{ INBOUND "health: 0\n", SEAL_E_FORMAT, "p.yaml:4:9: '0': port 0" },
		{ INBOUND "health: [80]\n", SEAL_E_FORMAT, "p.yaml:4:9: a single value" },
		{ INBOUND "control: 127.0.0.1:90\n", SEAL_E_FORMAT,
		  "p.yaml:4:10: '127.0.0.1:90' is neither unix:/path nor off" },
		{ INBOUND "control: false\n", SEAL_E_FORMAT, "p.yaml:4:10:" },
		{ INBOUND "log: {level: loud}\n", SEAL_E_FORMAT, "p.yaml:4:14:" },
		{ INBOUND "log: {format: xml}\n", SEAL_E_FORMAT,
		  "p.yaml:4:15: 'xml' is neither text nor json" },
	};

	expect_mistakes(rows, SEAL_COUNT(rows));
}

Test(proxy_config_yaml, refuses_public_listeners_without_their_certificates)
{
	static const struct mistake rows[] = {
		{ PUBLIC, SEAL_E_FORMAT,
		  "p.yaml:2:5: no 'certificate': a public listener needs one" },
		{ PUBLIC "    certificate: a\n", SEAL_E_FORMAT, "p.yaml:2:5: no 'key'" },
		{ PUBLIC "    key: a\n", SEAL_E_FORMAT, "p.yaml:2:5: no 'certificate'" },
		{ PUBLIC "    certificates: [{certificate: a, key: b}]\n", SEAL_E_FORMAT,
		  "p.yaml:2:5: no 'certificate'" },
		{ PUBLIC PAIR "    certificates: [{certificate: a}]\n", SEAL_E_FORMAT,
		  "p.yaml:6:20: no 'key': a certificate needs one" },
		{ PUBLIC PAIR "    certificates: [{key: a}]\n", SEAL_E_FORMAT,
		  "p.yaml:6:20: no 'certificate'" },
		{ PUBLIC PAIR "    certificates: {certificate: a, key: b}\n", SEAL_E_FORMAT,
		  "p.yaml:6:19: a list of" },
		{ PUBLIC PAIR "    certificates: [a]\n", SEAL_E_FORMAT,
		  "p.yaml:6:20: a certificate is a map of certificate, key" },
		{ PUBLIC "    certificate: ''\n    key: b\n", SEAL_E_FORMAT,
		  "p.yaml:4:18: certificate: the name" },
		{ PUBLIC "    certificate: [a, b]\n    key: b\n", SEAL_E_FORMAT,
		  "p.yaml:4:18: a single value" },
		{ PUBLIC "    certificate: \"a\\nb\"\n    key: b\n", SEAL_E_FORMAT,
		  "p.yaml:4:18: certificate: control character" },
		{ PUBLIC PAIR "    client-ca: ''\n", SEAL_E_FORMAT, "p.yaml:6:16: client-ca:" },
	};

	expect_mistakes(rows, SEAL_COUNT(rows));
}

Test(proxy_config_yaml, refuses_captures_that_would_not_hold)
{
	static const struct mistake rows[] = {
		{ INBOUND "    captured: true\n", SEAL_E_FORMAT,
		  "p.yaml:2:5: captured: no connection can come without 'capture'" },
		{ "inbound:\n  - {listen: 127.0.0.1:8443, forward: 80, captured: true}\n"
		  "capture: {listen: 15006}\n",
		  SEAL_E_FORMAT, "p.yaml:2:53: captured: nothing from outside" },
		{ "inbound:\n  - {listen: unix:/a, forward: 80, captured: true}\n"
		  "capture: {listen: 15006}\n",
		  SEAL_E_FORMAT, "p.yaml:2:46: captured:" },
		{ INBOUND
		  "    captured: true\n  - {listen: 10.0.0.1:8443, forward: 81, captured: true}\n"
		  "capture: {listen: 15006}\n",
		  SEAL_E_CONFLICT,
		  "p.yaml:5:5: listen: 10.0.0.1:8443 is already captured for p.yaml:2:5" },
		{ INBOUND "    captured: true\n  - {listen: 10.0.0.1:8443, forward: 81}\n"
			  "capture: {listen: 15006}\n",
		  SEAL_E_CONFLICT, "p.yaml:5:5: listen: port 8443 cannot be both" },
		{ INBOUND "  - {listen: 8443, forward: 81, captured: true}\n"
			  "capture: {listen: 15006}\n",
		  SEAL_E_CONFLICT, "p.yaml:4:5: listen: port 8443 cannot be both" },
		{ INBOUND "    captured: true\ncapture: {listen: 8443}\n", SEAL_E_CONFLICT,
		  "p.yaml:2:5: listen: port 8443 is the capture's own (p.yaml:5:19)" },
		{ INBOUND "    captured: true\ncapture: {listen: 15006, allow: 8443}\n",
		  SEAL_E_CONFLICT, "p.yaml:2:5: listen: port 8443 is captured here" },
		{ INBOUND "    captured: true\ncapture: {listen: 15006}\nhealth: 0.0.0.0:8443\n",
		  SEAL_E_CONFLICT,
		  "p.yaml:6:9: health: 0.0.0.0:8443 is already taken by p.yaml:2:5" },
		{ INBOUND "capture: {allow: [22]}\n", SEAL_E_FORMAT, "p.yaml:4:10: no 'listen'" },
		{ INBOUND "capture: {listen: 127.0.0.1:15006}\n", SEAL_E_FORMAT,
		  "p.yaml:4:19: '127.0.0.1:15006' is loopback" },
		{ INBOUND "capture: {listen: unix:/a}\n", SEAL_E_FORMAT, "p.yaml:4:19: 'unix:/a'" },
		{ INBOUND "capture: {listen: 15006, allow: [0]}\n", SEAL_E_LIMIT,
		  "p.yaml:4:34: allow: 0 is not" },
		{ INBOUND "capture: {listen: 15006, allow: [22, 65536]}\n", SEAL_E_LIMIT,
		  "p.yaml:4:38: allow: 65536" },
		{ INBOUND "capture: {listen: 15006, allow: [22, 22]}\n", SEAL_E_CONFLICT,
		  "p.yaml:4:38: allow: 22 is named twice" },
		{ "inbound:\n  - {listen: 8443, forward: 15006}\ncapture: {listen: 15006}\n",
		  SEAL_E_REFUSED,
		  "p.yaml:2:5: a target is the address of 'capture' (p.yaml:3:19)" },
	};

	expect_mistakes(rows, SEAL_COUNT(rows));
}

Test(proxy_config_yaml, refuses_two_things_on_one_address)
{
	static const struct mistake rows[] = {
		{ INBOUND "  - {listen: 127.0.0.1:8443, forward: 81}\n", SEAL_E_CONFLICT,
		  "p.yaml:4:5: listen: 127.0.0.1:8443 is already taken by p.yaml:2:5" },
		{ INBOUND "public:\n  - {listen: 8443, forward: 81, certificate: a, key: b}\n",
		  SEAL_E_CONFLICT, "p.yaml:5:5: listen: 0.0.0.0:8443 is already taken" },
		{ INBOUND "outbound:\n  - {listen: 8443, connect: db:1}\n", SEAL_E_CONFLICT,
		  "p.yaml:5:5: listen: 127.0.0.1:8443 is already taken" },
		{ INBOUND "health: 8443\n", SEAL_E_CONFLICT,
		  "p.yaml:4:9: health: 127.0.0.1:8443 is already taken by p.yaml:2:5" },
		{ INBOUND "metrics: 127.0.0.2:8443\n", SEAL_E_CONFLICT, "p.yaml:4:10: metrics:" },
		{ INBOUND "capture: {listen: 8443}\n", SEAL_E_CONFLICT, "p.yaml:4:19: capture:" },
		{ "inbound:\n  - {listen: '[::]:8443', forward: 80}\ncapture: {listen: 8443}\n",
		  SEAL_E_CONFLICT, "p.yaml:3:19: capture: [::]:8443 is already taken" },
		{ INBOUND "health: 9000\nmetrics: 9000\n", SEAL_E_CONFLICT,
		  "p.yaml:5:10: metrics: 127.0.0.1:9000 is already taken by health" },
		{ "outbound:\n  - {listen: unix:/a.sock, connect: db:1}\ncontrol: unix:/a.sock\n",
		  SEAL_E_CONFLICT, "p.yaml:3:10: control: unix:/a.sock is already taken" },
		{ "inbound:\n  - {listen: 8443, forward: unix:/a.sock}\ncontrol: unix:/a.sock\n",
		  SEAL_E_REFUSED, "p.yaml:2:5: a target is the address of 'control'" },
		{ "inbound:\n  - {listen: 8443, forward: 8443}\n", SEAL_E_CONFLICT,
		  "p.yaml:2:29: forward: '8443' is where this listener listens itself" },
		{ "outbound:\n  - {listen: 5432, connect: [db:1, 127.0.0.1:5432]}\n",
		  SEAL_E_CONFLICT, "p.yaml:2:36: connect: '127.0.0.1:5432' is where" },
	};

	expect_mistakes(rows, SEAL_COUNT(rows));
}

Test(proxy_config_yaml, survives_every_truncation)
{
	struct seal_err err = { 0 };
	struct proxy_config *config = NULL;

	cr_assert_eq(proxy_config_new(&config, &err), 0);
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		struct proxy_config *draft = NULL;

		cr_assert_eq(proxy_config_new(&draft, &err), 0);
		if (proxy_config_add_yaml(draft, "p.yaml", whole, n, &err) < 0) {
			cr_expect_eq(draft->listener_count, 0, "kept some of %zu bytes", n);
			cr_expect_not(draft->has_health || draft->capture.enabled);
			cr_expect_eq(draft->handshake_ms, config->handshake_ms);
		}
		proxy_config_free(draft);
	}
	proxy_config_free(config);
}

Test(proxy_config_yaml, keeps_its_settings_when_the_text_is_bad)
{
	struct seal_err err = { 0 };
	struct proxy_config *config = read_yaml(whole, &err);
	const char bad[] =
		"health: 9999\ncapture: {listen: 9998}\nlimits: {connections: 1}\n"
		"inbound:\n- {listen: 8443, forward: 80}\n- {listen: 8443, forward: 81}\n";

	cr_assert_not_null(config, "%s", err.text);
	cr_expect_eq(proxy_config_add_yaml(config, "bad.yaml", bad, strlen(bad), &err),
		     SEAL_E_CONFLICT);
	cr_expect_eq(config->listener_count, 6);
	cr_expect_eq(config->health.port, 8081);
	cr_expect_eq(config->capture.listen.port, 15006);
	cr_expect_eq(config->limits.connections, 10000);
	proxy_config_free(config);
}

Test(proxy_config_yaml, a_reload_may_change_all_but_what_is_read_at_start)
{
	static const struct {
		const char *text;
		const char *key; /* NULL: may change */
	} rows[] = {
		{ INBOUND "health: 9000\ncapture: {listen: 15006, allow: [22]}\n", NULL },
		{ OUTBOUND "health: 9000\ncapture: {listen: 15006, allow: [22]}\n"
			   "limits: {connections: 5}\ntimeouts: {drain: 1}\nlog: {level: error}\n",
		  NULL },
		{ INBOUND "health: 9001\ncapture: {listen: 15006, allow: [22]}\n", "'health'" },
		{ INBOUND "capture: {listen: 15006, allow: [22]}\n", "'health'" },
		{ INBOUND "health: 9000\n", "'capture'" },
		{ INBOUND "health: 9000\ncapture: {listen: 15007, allow: [22]}\n", "'capture'" },
		{ INBOUND "health: 9000\ncapture: {listen: 15006, allow: [23]}\n", "'capture'" },
		{ INBOUND "health: 9000\ncapture: {listen: 15006}\n", "'capture'" },
		{ INBOUND "health: 9000\ncapture: {listen: 15006, allow: [22]}\n"
			  "metrics: 9090\n",
		  "'metrics'" },
		{ INBOUND "health: 9000\ncapture: {listen: 15006, allow: [22]}\n"
			  "control: unix:/a.sock\n",
		  "'control'" },
		{ INBOUND "health: 9000\ncapture: {listen: 15006, allow: [22]}\n"
			  "log: {format: json}\n",
		  "'log format'" },
	};
	struct seal_err err = { 0 };
	struct proxy_config *running = read_yaml(rows[0].text, &err);

	cr_assert_not_null(running, "%s", err.text);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct proxy_config *next = read_yaml(rows[i].text, &err);
		int r;

		cr_assert_not_null(next, "%s", err.text);
		r = proxy_config_check_reload(running, next, &err);
		cr_expect_eq(r, rows[i].key == NULL ? 0 : SEAL_E_REFUSED, "%s", rows[i].text);
		if (rows[i].key != NULL)
			cr_expect(strstr(err.text, rows[i].key) != NULL, "%s", err.text);
		proxy_config_free(next);
	}
	proxy_config_free(running);
}
