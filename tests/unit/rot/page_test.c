/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/page: what the documents say, that they stay within their bounds, and who is shown them. */
#include "rot/server/page.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/rot/rig.h"

#define NOW INT64_C(1800000000)

/* ---- The documents ---- */

static char dir[PATH_MAX];
static char where[PATH_MAX + 32];
static struct rot_store *store;
static struct rot_expiries expiries;
static struct seal_bytes out;
static struct seal_err err;

static void
setup(void)
{
	(void)alarm(120);
	rig_dir_make(dir);
	(void)snprintf(where, sizeof(where), "sqlite:%s/db", dir);
	store = rig_store(&(struct rot_kv_config){ .where = where }, NOW);
	memset(&expiries, 0, sizeof(expiries));
	seal_bytes_init(&out, ROT_PAGE_DOCUMENT_MAX);
}

static void
teardown(void)
{
	rot_store_close(store);
	rig_dir_remove(dir);
	seal_bytes_release(&out);
}

TestSuite(page, .init = setup, .fini = teardown);

static int
try_page(enum rot_page_kind kind, const char *name)
{
	const struct rot_page_facts facts = { .trust_domain = "rot.example.com",
					      .version = "9.9",
					      .now = NOW + 60,
					      .started = NOW,
					      .expiries = &expiries };

	seal_bytes_reset(&out);
	return rot_page_write(store, &facts, kind, name, &out, &err);
}

static const char *
page(enum rot_page_kind kind, const char *name)
{
	cr_assert_eq(try_page(kind, name), 0, "%s", err.text);
	return seal_bytes_str(&out);
}

static void
expect_text(const char *text)
{
	cr_expect_not_null(strstr(seal_bytes_str(&out), text), "no '%s'", text);
}

static void
expect_no_text(const char *text)
{
	cr_expect_null(strstr(seal_bytes_str(&out), text), "'%s' is there", text);
}

static void
add_egg(unsigned n, const char *workload, const char *peer, uint64_t max, int64_t not_after)
{
	struct rot_egg egg = { .created_at = NOW, .not_after = not_after, .max_hatches = max };

	(void)snprintf(egg.id, sizeof(egg.id), "%032x", n);
	(void)snprintf(egg.serial, sizeof(egg.serial), "%032x", n);
	(void)snprintf(egg.workload, sizeof(egg.workload), "%s", workload);
	(void)snprintf(egg.peer, sizeof(egg.peer), "%s", peer);
	memcpy(egg.key_id, &n, sizeof(n));
	cr_assert_eq(rot_store_add_egg(store, &egg, &err), 0, "%s", err.text);
}

static void
add_cert(unsigned n, const char *workload, const char *hostname, int64_t not_after)
{
	struct rot_cert cert = {
		.peer = "web", .created_at = NOW, .not_before = NOW, .not_after = not_after
	};

	(void)snprintf(cert.serial, sizeof(cert.serial), "%032x", 0x40000000u + n);
	(void)snprintf(cert.workload, sizeof(cert.workload), "%s", workload);
	if (hostname != NULL)
		cr_assert_eq(seal_strv_add(&cert.hostnames, hostname, &err), 0);
	cr_assert_eq(rot_store_add_cert(store, &cert, &err), 0, "%s", err.text);
	rot_cert_release(&cert);
}

static void
allow(const char *workload, const char *client, const char *server)
{
	uint64_t epoch;

	cr_assert_eq(rot_store_add_pair(store, workload, client, server, &epoch, &err), 0, "%s",
		     err.text);
}

static void
add_name(char name[static 16], unsigned n)
{
	(void)snprintf(name, 16, "w-%05u", n);
	rig_add_workload(store, name, false, NOW);
}

Test(page, of_an_empty_store_says_how_to_begin)
{
	page(ROT_PAGE_HOME, "");
	expect_text("<!DOCTYPE html>");
	expect_text("seal workload create NAME");
	expect_text("</html>");
	expect_no_text("<svg");
	expect_no_text("Needs attention");
}

Test(page, shows_workloads_pairs_eggs_and_certificates)
{
	rig_add_workload(store, "shop", false, NOW);
	allow("shop", "web", "db");
	add_egg(1, "shop", "web", 3, NOW + 86400 * 30);
	add_cert(1, "shop", "web.example.com", NOW + 60 + 86400 * 2);
	page(ROT_PAGE_HOME, "");
	expect_text("<a href=\"/workload/shop\">shop</a>");
	expect_text("<title>web may call db</title>");
	expect_text("0 of 3");
	expect_text("web.example.com");
	expect_text(">in 2 days</time>");
	expect_text("00000000000000000000000040000001");
	expect_text("<th scope=\"col\">");
	expect_text("lang=\"en\"");
	expect_no_text("<script");
	expect_no_text("style=\"");
	expect_no_text("src=");
	expect_no_text("href=\"http");
	expect_no_text("@import");
	expect_no_text("https:");
}

Test(page, eggs_have_the_state_that_keeps_them_from_hatching)
{
	struct rot_cert cert = {
		.peer = "web", .created_at = NOW, .not_before = NOW, .not_after = NOW + 600
	};
	char id[SEAL_ID_LEN + 1];

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", "one", 1, NOW + 600);
	(void)snprintf(cert.egg, sizeof(cert.egg), "%032x", 1);
	(void)snprintf(cert.serial, sizeof(cert.serial), "%032x", 0x40000001);
	(void)snprintf(cert.workload, sizeof(cert.workload), "shop");
	cr_assert_eq(rot_store_hatch(store, &cert, NOW, &err), 0, "%s", err.text);
	page(ROT_PAGE_WORKLOAD, "shop");
	expect_text("<span class=\"state spent\">spent</span>");
	add_egg(2, "shop", "two", 0, NOW + 30);
	page(ROT_PAGE_WORKLOAD, "shop");
	expect_text("<span class=\"state expired\">expired</span>");
	expect_no_text("state revoked");
	(void)snprintf(id, sizeof(id), "%032x", 1);
	cr_assert_eq(rot_store_revoke_egg(store, id, NOW, NULL, &err), 0);
	page(ROT_PAGE_WORKLOAD, "shop");
	expect_text("<span class=\"state revoked\">revoked</span>");
}

Test(page, hostile_texts_of_the_store_stay_texts)
{
	rig_add_workload(store, "shop", false, NOW);
	allow("shop", "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>");
	add_egg(1, "shop", "<b onmouseover=alert(1)>", 0, NOW + 600);
	add_cert(1, "shop", "</td><script src=//evil.example>", NOW + 600);
	for (int i = 0; i < 2; i++) {
		page(i == 0 ? ROT_PAGE_HOME : ROT_PAGE_WORKLOAD, i == 0 ? "" : "shop");
		expect_no_text("<script");
		expect_no_text("<img");
		expect_no_text("<b on");
		expect_text("&lt;script&gt;");
	}
}

static void
add_entry(const char *workload, const char *subject, const char *reason)
{
	struct audit_entry entry = {
		.time = NOW, .kind = AUDIT_HATCH, .actor = "egg/<i>", .count = 1
	};

	(void)snprintf(entry.workload, sizeof(entry.workload), "%s", workload);
	(void)snprintf(entry.subject, sizeof(entry.subject), "%s", subject);
	(void)snprintf(entry.reason, sizeof(entry.reason), "%s", reason);
	entry.refused = reason[0] != '\0';
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_store_audit_add(store, &entry, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
}

Test(page, shows_the_newest_entries_of_the_audit_log_and_what_is_in_them_as_text)
{
	struct rot_audit_log log = { .id = "0123456789abcdef0123456789abcdef" };
	char subject[16];

	page(ROT_PAGE_HOME, "");
	expect_text("Nothing of late.");
	seal_bytes_init(&log.key, 64);
	cr_assert_eq(seal_bytes_append_str(&log.key, "wrapped", &err), 0);
	cr_assert_eq(rot_store_audit_begin(store, &log, "x", NOW, &err), 0, "%s", err.text);
	rot_audit_log_release(&log);
	rig_add_workload(store, "shop", false, NOW);
	add_entry("bank", "of-the-bank", "<script>alert(1)</script>");
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(subject, sizeof(subject), "n-%02u-", i);
		add_entry("shop", subject, "");
	}
	page(ROT_PAGE_HOME, "");
	expect_text("n-39-");
	expect_text("n-10-");
	expect_no_text("n-09-");
	cr_expect_lt(strstr(seal_bytes_str(&out), "n-39-"), strstr(seal_bytes_str(&out), "n-38-"),
		     "the newest first");
	page(ROT_PAGE_WORKLOAD, "shop");
	expect_text("n-39-");
	expect_no_text("of-the-bank");
	add_entry("shop", "last", "<script>alert(1)</script>");
	page(ROT_PAGE_HOME, "");
	expect_text("last: &lt;script&gt;");
	expect_text("egg/&lt;i&gt;");
	expect_text("<span class=\"state refused\">refused</span>");
	expect_no_text("<script");
	expect_no_text("wrapped");
}

Test(page, shows_nothing_of_a_secret)
{
	rig_add_workload(store, "shop", false, NOW);
	page(ROT_PAGE_HOME, "");
	expect_no_text("wrapped");
	expect_no_text("BEGIN");
	page(ROT_PAGE_WORKLOAD, "shop");
	expect_no_text("wrapped");
	expect_no_text("BEGIN");
}

Test(page, says_on_top_what_needs_attention)
{
	expiries.warnings = expiries.warned_count = 1;
	expiries.warned[0] = (struct rot_expiry){ .kind = ROT_EXPIRY_WORKLOAD_CA,
						  .name = "shop",
						  .generation = 2,
						  .not_after = NOW + 86400 };
	page(ROT_PAGE_HOME, "");
	expect_text("Needs attention");
	expect_text("CA generation 2 of workload &#39;shop&#39; expires at");
	expiries.warnings = 40;
	page(ROT_PAGE_HOME, "");
	expect_text("and 20 more");
}

Test(page, of_a_workload_that_is_not_there_is_none)
{
	cr_expect_eq(try_page(ROT_PAGE_WORKLOAD, "shop"), SEAL_E_MISSING);
}

Test(page, of_many_workloads_says_how_many_more_there_are_and_leads_there)
{
	char name[16];

	for (unsigned i = 0; i < 60; i++)
		add_name(name, i);
	page(ROT_PAGE_HOME, "");
	expect_text("and <a href=\"/workloads?after=w-00049\">10 more</a>");
	expect_no_text("<a href=\"/workload/w-00050\"");
	page(ROT_PAGE_WORKLOADS, "w-00049");
	expect_text("<a href=\"/workload/w-00050\">");
	expect_text("<a href=\"/workload/w-00059\">");
	expect_no_text("<a href=\"/workload/w-00049\">");
}

static uint64_t
milliseconds(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Under SEAL_LONG with a million of them. */
Test(page, of_very_much_is_made_soon_and_is_not_long)
{
	const unsigned certs = getenv("SEAL_LONG") != NULL ? 1000 : 10;
	uint64_t began;

	(void)alarm(600);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		cr_assert_eq(rot_store_begin(store, &err), 0);
		add_name(name, i);
		for (unsigned j = 0; i < 20 && j < 100; j++) {
			char client[16], server[16];

			(void)snprintf(client, sizeof(client), "p%u", j);
			(void)snprintf(server, sizeof(server), "p%u", (j * 7 + 1) % 100);
			allow(name, client, server);
		}
		for (unsigned j = 0; j < certs; j++)
			add_cert(i * certs + j, name, "a-host-name.example.com", NOW + 86400 + j);
		cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	}
	began = milliseconds();
	page(ROT_PAGE_HOME, "");
	began = milliseconds() - began;
	(void)fprintf(stderr, "page: %u certificates, %zu bytes, %llu ms\n", 1000 * certs, out.len,
		      (unsigned long long)began);
	cr_expect_lt(out.len, ROT_PAGE_DOCUMENT_MAX);
	cr_expect_lt(began, 1000);
	expect_text("950 more");
	expect_text("988 more");
}

/* ---- The listener ---- */

static struct rig rig;

static void
with_page(struct rot_server_config *config)
{
	config->has_page = true;
	config->page.is_unix = true;
	(void)snprintf(config->page.host, sizeof(config->page.host), "%.200s/page", rig.home);
}

static void
listener_setup(void)
{
	(void)alarm(60);
	seal_bytes_init(&out, ROT_PAGE_DOCUMENT_MAX);
	rig_start(&rig, with_page);
}

static void
listener_teardown(void)
{
	rig_stop(&rig);
	seal_bytes_release(&out);
}

TestSuite(page_listener, .init = listener_setup, .fini = listener_teardown);

/* Everything that is answered to a request on a connection of its own. */
static const char *
ask(const char *head)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char text[1024];
	uint8_t buffer[4096];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%.90s/page", rig.home);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	n = snprintf(text, sizeof(text), "%sConnection: close\r\n\r\n", head);
	cr_assert_eq(write(fd, text, (size_t)n), n);
	seal_bytes_reset(&out);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		cr_assert_eq(seal_bytes_append(&out, buffer, (size_t)n, NULL), 0);
	(void)close(fd);
	return seal_bytes_str(&out);
}

static void
expect_status(unsigned status, const char *head)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
	cr_expect_eq(strncmp(ask(head), line, strlen(line)), 0, "%s: %.60s", head,
		     seal_bytes_str(&out));
	/* Whatever the answer, nothing in it may do anything. */
	expect_text("Content-Security-Policy: default-src 'none'; style-src 'sha256-");
	expect_text("X-Content-Type-Options: nosniff\r\n");
	expect_text("Referrer-Policy: no-referrer\r\n");
	expect_text("Cache-Control: no-store\r\n");
	expect_no_text("Set-Cookie");
}

Test(page_listener, shows_the_page_to_names_of_this_machine)
{
	expect_status(200, "GET / HTTP/1.1\r\nHost: localhost\r\n");
	expect_text("Content-Type: text/html; charset=utf-8\r\n");
	expect_text("root of trust");
	expect_status(200, "GET / HTTP/1.1\r\nHost: LOCALHOST:9902\r\n");
	expect_status(200, "GET / HTTP/1.1\r\nHost: 127.0.0.1:9902\r\n");
	expect_status(200, "GET / HTTP/1.1\r\nHost: [::1]:9902\r\n");
	expect_status(200, "GET / HTTP/1.1\r\nHost: seal.localhost\r\n");
	expect_status(200, "HEAD / HTTP/1.1\r\nHost: localhost\r\n");
	expect_no_text("<html");
}

Test(page_listener, names_of_elsewhere_are_misdirected)
{
	expect_status(421, "GET / HTTP/1.1\r\nHost: evil.example\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost: evil.example:9902\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost: evillocalhost\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost: 0.0.0.0\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost: [::ffff:7f00:1]\r\n");
	expect_status(421, "GET / HTTP/1.1\r\nHost:\r\n");
	expect_status(400, "GET / HTTP/1.1\r\n");
	expect_status(400, "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n");
}

Test(page_listener, only_reads_and_only_what_there_is)
{
	expect_status(405, "POST / HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(405, "DELETE / HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(405, "OPTIONS / HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(404, "GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(404, "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(404, "GET /workload/ HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(404, "GET /workload/shop HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(404, "GET /workload/%3Cscript%3E HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(404, "GET /workloads?after=../x HTTP/1.1\r\nHost: localhost\r\n");
	expect_status(413, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n");
}

Test(page_listener, shows_what_has_changed_after_a_moment)
{
	struct seal_json *body = rig_json("{'name':'shop','open':false}");
	bool found = false;

	expect_status(404, "GET /workload/shop HTTP/1.1\r\nHost: localhost\r\n");
	rig_expect(&rig, 201, "POST", "/v1/workloads", body);
	seal_json_free(body);
	expect_status(200, "GET /workload/shop HTTP/1.1\r\nHost: localhost\r\n");
	expect_text("<h1>Workload shop</h1>");
	while (!found)
		found = strstr(ask("GET / HTTP/1.1\r\nHost: localhost\r\n"), "/workload/shop") !=
			NULL;
}

Test(page, is_for_this_machine_alone)
{
	static const struct {
		const char *where;
		int r;
	} rows[] = { { "127.0.0.1:9902", 0 },
		     { "127.8.8.8:9902", 0 },
		     { "[::1]:9902", 0 },
		     { "unix:/run/x", 0 },
		     { "0.0.0.0:9902", SEAL_E_USAGE },
		     { "10.0.0.1:9902", SEAL_E_USAGE },
		     { "[::]:9902", SEAL_E_USAGE },
		     { "localhost:9902", SEAL_E_USAGE } };

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct seal_endpoint endpoint = { 0 };

		cr_assert_eq(seal_endpoint_parse(&endpoint, rows[i].where, NULL, &err), 0);
		cr_expect_eq(rot_page_check(&endpoint, &err), rows[i].r, "%s", rows[i].where);
	}
}
