/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "proxy/announce.h"

#define SIG "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"

static const struct seal_peer web = {
	.name = "web",
	.uri = "spiffe://seal.test/workload/shop/peer/web",
};
static struct seal_bytes out;
static struct seal_err err;

static void
enter(void)
{
	seal_bytes_init(&out, 4096);
}

static void
leave(void)
{
	seal_bytes_release(&out);
}

TestSuite(proxy_announce, .init = enter, .fini = leave);

static struct sockaddr_storage
ip(const char *text, uint16_t port)
{
	struct sockaddr_storage addr = { 0 };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(&addr, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&addr, &in6, sizeof(in6));
	return addr;
}

static struct proxy_announcement
between(const struct sockaddr_storage *from, const struct sockaddr_storage *to)
{
	return (struct proxy_announcement){
		.from = (const struct sockaddr *)from,
		.from_len = sizeof(*from),
		.to = (const struct sockaddr *)to,
		.to_len = sizeof(*to),
		.tls = { .version = "TLSv1.3",
			 .cipher = "TLS_AES_128_GCM_SHA256",
			 .alpn = "",
			 .server_name = "" },
	};
}

static void
expect(const struct proxy_announcement *a, const char *bytes, size_t len)
{
	char want[2 * 2048];
	char got[2 * 2048];

	cr_assert_eq(proxy_announce(&out, a, &err), 0, "%s", err.text);
	seal_hex_encode(want, bytes, len);
	seal_hex_encode(got, out.data, out.len);
	cr_expect_str_eq(got, want);
}
#define EXPECT(a, bytes) expect((a), (bytes), sizeof(bytes) - 1)

static void
expect_refused(const struct proxy_announcement *a, int code)
{
	struct seal_bytes before = { 0 };

	cr_assert_eq(seal_bytes_append_str(&out, "kept", &err), 0);
	before = out;
	cr_expect_eq(proxy_announce(&out, a, &err), code, "%s", err.text);
	cr_expect_eq(out.len, before.len, "half a header");
	seal_bytes_reset(&out);
}

/* The specification's section 2.2, by hand. */
#define SSL_OF_WEB(flags)                                                                          \
	"\x20\x00\x2e" flags "\x00\x00\x00\x00"                                                    \
	"\x21\x00\x07TLSv1.3"                                                                      \
	"\x22\x00\x03web"                                                                          \
	"\x23\x00\x16TLS_AES_128_GCM_SHA256"
#define ID_OF_WEB "\xe0\x00\x29spiffe://seal.test/workload/shop/peer/web"

Test(proxy_announce, a_peer_over_ipv4)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct sockaddr_storage to = ip("192.0.2.1", 8443);
	struct proxy_announcement a = between(&from, &to);

	a.peer = &web;
	a.tls.alpn = "h2";
	a.tls.server_name = "db.shop.svc";
	EXPECT(&a, SIG "\x21\x11\x00\x7c"
		       "\x0a\x00\x00\x07\xc0\x00\x02\x01\xc7\xa7\x20\xfb"
		       "\x01\x00\x02h2"
		       "\x02\x00\x0b"
		       "db.shop.svc" SSL_OF_WEB("\x07") ID_OF_WEB);
}

Test(proxy_announce, a_peer_over_ipv6_without_alpn_and_server_name)
{
	struct sockaddr_storage from = ip("2001:db8::7", 1);
	struct sockaddr_storage to = ip("::1", 65535);
	struct proxy_announcement a = between(&from, &to);

	a.peer = &web;
	EXPECT(&a, SIG "\x21\x21\x00\x81"
		       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
		       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
		       "\x00\x01\xff\xff" SSL_OF_WEB("\x07") ID_OF_WEB);
}

Test(proxy_announce, a_resumed_peer_showed_its_certificate_in_an_earlier_connection)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct sockaddr_storage to = ip("192.0.2.1", 8443);
	struct proxy_announcement a = between(&from, &to);

	a.peer = &web;
	a.tls.resumed = true;
	EXPECT(&a,
	       SIG "\x21\x11\x00\x69"
		   "\x0a\x00\x00\x07\xc0\x00\x02\x01\xc7\xa7\x20\xfb" SSL_OF_WEB("\x05") ID_OF_WEB);
}

Test(proxy_announce, ipv4_on_an_ipv6_socket_is_ipv4_when_both_ends_are)
{
	struct sockaddr_storage from = ip("::ffff:10.0.0.7", 51111);
	struct sockaddr_storage to = ip("::ffff:192.0.2.1", 8443);
	struct sockaddr_storage other = ip("2001:db8::1", 8443);
	struct proxy_announcement a = between(&from, &to);

	cr_assert_eq(proxy_announce(&out, &a, &err), 0);
	cr_expect_eq(memcmp(out.data + 13, "\x11\x00\x37\x0a\x00\x00\x07\xc0\x00\x02\x01", 11), 0);
	seal_bytes_reset(&out);

	a = between(&from, &other);
	cr_assert_eq(proxy_announce(&out, &a, &err), 0);
	cr_expect_eq(out.data[13], 0x21);
	cr_expect_eq(memcmp(out.data + 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x00\x00\x07", 16), 0);
}

#define SSL_OF_NOBODY                                                                              \
	"\x20\x00\x28\x01\x00\x00\x00\x01"                                                         \
	"\x21\x00\x07TLSv1.3"                                                                      \
	"\x23\x00\x16TLS_AES_128_GCM_SHA256"

Test(proxy_announce, a_public_client_without_a_certificate_is_not_verified)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct sockaddr_storage to = ip("192.0.2.1", 8443);
	struct proxy_announcement a = between(&from, &to);
	struct seal_peer nobody = { 0 };

	EXPECT(&a, SIG "\x21\x11\x00\x37"
		       "\x0a\x00\x00\x07\xc0\x00\x02\x01\xc7\xa7\x20\xfb" SSL_OF_NOBODY);
	seal_bytes_reset(&out);
	a.peer = &nobody; /* what a stream says of a client that is no peer */
	a.tls.resumed = true;
	EXPECT(&a, SIG "\x21\x11\x00\x37"
		       "\x0a\x00\x00\x07\xc0\x00\x02\x01\xc7\xa7\x20\xfb" SSL_OF_NOBODY);
}

Test(proxy_announce, a_public_client_with_a_certificate_has_its_common_name_and_no_spiffe_id)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct sockaddr_storage to = ip("192.0.2.1", 8443);
	struct proxy_announcement a = between(&from, &to);

	a.common_name = "Jo Doe";
	a.tls.version = "TLSv1.2";
	EXPECT(&a, SIG "\x21\x11\x00\x40"
		       "\x0a\x00\x00\x07\xc0\x00\x02\x01\xc7\xa7\x20\xfb"
		       "\x20\x00\x31\x07\x00\x00\x00\x00"
		       "\x21\x00\x07TLSv1.2"
		       "\x22\x00\x06Jo Doe"
		       "\x23\x00\x16TLS_AES_128_GCM_SHA256");
}

Test(proxy_announce, a_verified_client_whose_certificate_has_no_common_name_is_still_verified)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct proxy_announcement a = between(&from, &from);

	a.common_name = "";
	cr_assert_eq(proxy_announce(&out, &a, &err), 0);
	cr_expect_eq(memcmp(out.data + 28, "\x20\x00\x28\x07\x00\x00\x00\x00\x21", 9), 0);
}

Test(proxy_announce, other_families_and_short_addresses_are_unspecified_and_the_tlvs_still_there)
{
	struct sockaddr_storage there = ip("10.0.0.7", 51111);
	struct sockaddr_storage local = { .ss_family = AF_UNIX };
	struct proxy_announcement cases[] = {
		between(&local, &local), between(&there, &local), between(&local, &there),
		between(&there, &there), between(&there, &there),
	};

	cases[3].from_len = sizeof(struct sockaddr_in) - 1;
	cases[4].to_len = 0;
	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		EXPECT(&cases[i], SIG "\x21\x00\x00\x2b" SSL_OF_NOBODY);
		seal_bytes_reset(&out);
	}
}

static void
fill(char *text, char letter, size_t len)
{
	memset(text, letter, len);
	text[len] = '\0';
}

Test(proxy_announce, the_longest_of_all_names_fit_together)
{
	struct sockaddr_storage from = ip("2001:db8::7", 1);
	struct proxy_announcement a = between(&from, &from);
	char alpn[256], authority[256], version[65], cipher[65];
	struct seal_peer peer = { 0 };

	fill(alpn, '\x81', 255);
	fill(authority, 'a', 255);
	fill(version, 'v', 64);
	fill(cipher, 'c', 64);
	fill(peer.name, 'p', SEAL_PEER_MAX);
	fill(peer.uri, 'u', SEAL_IDENTITY_URI_MAX - 1);
	a.tls = (struct seal_tls_facts){ version, cipher, alpn, authority, false };
	a.peer = &peer;
	cr_assert_eq(proxy_announce(&out, &a, &err), 0, "%s", err.text);
	cr_expect_eq(out.len, 16 + 36 + 258 + 258 + 8 + 67 + 66 + 67 + 514);
	cr_expect_leq(out.len, PROXY_ANNOUNCE_MAX);
	cr_expect_eq(out.data[14] << 8 | out.data[15], (int)out.len - 16);
}

Test(proxy_announce, a_longer_name_is_refused_and_not_shortened)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct proxy_announcement a = between(&from, &from);
	static char long_text[70000];

	fill(long_text, 'x', 256);
	a.tls.alpn = long_text;
	expect_refused(&a, SEAL_E_LIMIT);
	a.tls.alpn = "";
	a.tls.server_name = long_text;
	expect_refused(&a, SEAL_E_LIMIT);
	a.tls.server_name = "";
	a.tls.cipher = long_text;
	expect_refused(&a, SEAL_E_LIMIT);
	a.tls.cipher = "c";
	a.common_name = long_text;
	expect_refused(&a, SEAL_E_LIMIT);
	fill(long_text, 'x', 65536 + 5); /* a length that would look like 5 */
	expect_refused(&a, SEAL_E_LIMIT);
	a.common_name = NULL;
	a.tls.server_name = long_text;
	expect_refused(&a, SEAL_E_LIMIT);
}

Test(proxy_announce, a_name_that_is_not_printable_is_refused)
{
	static const char *const odd[] = { "a\nb", "a\x01", "\x7f", "\xc3\xa4", "a\tb", "a\r" };
	struct sockaddr_storage from = ip("10.0.0.7", 51111);

	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		struct proxy_announcement a = between(&from, &from);

		a.tls.server_name = odd[i];
		expect_refused(&a, SEAL_E_FORMAT);
		a.tls.server_name = "";
		a.common_name = odd[i];
		expect_refused(&a, SEAL_E_FORMAT);
	}
}

Test(proxy_announce, what_did_not_come_over_tls_is_not_announced)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct proxy_announcement a = between(&from, &from);

	a.tls.version = NULL;
	expect_refused(&a, SEAL_E_BUG);
	a.tls.version = "";
	expect_refused(&a, SEAL_E_BUG);
}

Test(proxy_announce, a_full_buffer_is_a_failure_and_holds_no_half_header)
{
	struct sockaddr_storage from = ip("10.0.0.7", 51111);
	struct proxy_announcement a = between(&from, &from);

	out.max = 40;
	expect_refused(&a, SEAL_E_LIMIT);
}
