/* SPDX-License-Identifier: Apache-2.0 */
/* base/names: the whole grammar of names, as tables of what is accepted and what is refused. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/names/names.h"

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X57 X50 "xxxxxxx"
#define X59 X50 "xxxxxxxxx"
#define X60 X50 X10
#define X63 X60 "xxx"
#define HEX "0123456789abcdef0123456789abcdef"
/* 4 * 63 + 3 dots = 255; without two letters, 253. */
#define H253 X63 "." X63 "." X63 "." X59 "xx"
#define H254 X63 "." X63 "." X63 "." X60 "xx"

typedef int check_fn(const char *name, struct seal_err *err);

static void
expect_accepted(check_fn *check, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct seal_err err = { 0 };

		cr_expect_eq(check(names[i], &err), 0, "'%s': %s", names[i], err.text);
	}
}

/* Refused, with a sentence that is one line and never the whole of a long text. */
static void
expect_refused(check_fn *check, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct seal_err err = { 0 };

		cr_expect_eq(check(names[i], &err), SEAL_E_FORMAT, "'%s'", names[i]);
		cr_expect_eq(err.code, SEAL_E_FORMAT);
		cr_expect_gt(strlen(err.text), 10);
		cr_expect_eq(check(names[i], NULL), SEAL_E_FORMAT);
	}
}

#define ACCEPTED(check, names) expect_accepted(check, names, SEAL_COUNT(names))
#define REFUSED(check, names)  expect_refused(check, names, SEAL_COUNT(names))

/* All bytes that ok does not hold make a name of them refused: first, in the middle and last. */
static void
expect_only_letters(check_fn *check, const char *ok, const char *name)
{
	size_t len = strlen(name);
	char copy[128];

	for (int c = 1; c < 256; c++) {
		for (size_t at = 0; at < len; at++) {
			memcpy(copy, name, len + 1);
			copy[at] = (char)c;
			if (strchr(ok, c) == NULL)
				cr_expect_eq(check(copy, NULL), SEAL_E_FORMAT, "byte %d at %zu", c,
					     at);
		}
	}
}

#define LDH "abcdefghijklmnopqrstuvwxyz0123456789-"

Test(names_workload, is_three_to_sixty_letters_digits_and_dashes)
{
	static const char *const good[] = { "abc", "shop",  "a-1",  "a--", "a1-",  "a-b-c",
					    "any", "x" X59, "rots", "ci2", "eggs", "localhosts" };
	static const char *const bad[] = {
		"",    "a",    "ab",    "x" X60, "1abc",      "-abc", "Abc",  "aBc", "a_c",
		"a.c", "a c",  " abc",  "abc ",  "abc\n",     "a/c",  "a\tc", "*",   "ab\xc3\xa9",
		"rot", "init", "admin", "egg",   "localhost", "ci",   "ABC",  "a:c", "abc\"",
	};

	ACCEPTED(seal_workload_check, good);
	REFUSED(seal_workload_check, bad);
	expect_only_letters(seal_workload_check, LDH, "shop");
}

Test(names_peer, is_one_to_sixty_three_letters_digits_and_dashes_not_ending_in_one)
{
	static const char *const good[] = { "a",           "web",  "any",  "a-b", "a1",
					    "x" X59 "xxx", "rots", "egg1", "cii", "admin-x" };
	static const char *const bad[] = {
		"",      "1",   "-",    "a-",        "-a",       "x" X63, "A",    "aB",  "a_b",
		"a.b",   "a b", "web ", " web",      "web\n",    "*",     "a*",   "rot", "init",
		"admin", "ci",  "egg",  "localhost", "\xc3\xa9", "a/b",   "any ", "ANY",
	};

	ACCEPTED(seal_peer_check, good);
	REFUSED(seal_peer_check, bad);
	expect_only_letters(seal_peer_check, LDH, "web");
}

Test(names_operator, is_spelled_like_a_peer_with_other_reserved_words)
{
	static const char *const good[] = { "alice", "a", "admin", "ci", "bob-2", "x" X59 "xxx" };
	static const char *const bad[] = { "",  "1a",    "a-",   "-a",  "x" X63, "Alice", "a_b",
					   "*", "local", "self", "a/b", "a.b",   "../a" };

	ACCEPTED(seal_operator_check, good);
	REFUSED(seal_operator_check, bad);
	expect_only_letters(seal_operator_check, LDH, "alice");
}

Test(names_peer, a_side_of_a_pair_may_be_the_star)
{
	static const char *const good[] = { "*", "web", "any" };
	static const char *const bad[] = { "", "**", "* ", "web*", "*.web", "rot", "ci" };

	ACCEPTED(seal_peer_or_every_check, good);
	REFUSED(seal_peer_or_every_check, bad);
}

Test(names_hostname, has_a_dot_and_is_no_address)
{
	static const char *const good[] = {
		"a.b",       "www.example.com", "1.example.com",
		"x-1.y-2.z", "a.b.c.d.e.f.g.h", "1.a",
		"0xg.x0",    "10.0.0.1.com",    "xn--bcher-kva.example",
		"a.1x",      "a.0xg",           X63 ".x",
		H253,
	};
	static const char *const bad[] = {
		"",
		"localhost",
		"web",
		".",
		".a",
		"a.",
		"a..b",
		"a.b.",
		".a.b",
		"-a.b",
		"a-.b",
		"a.-b",
		"a.b-",
		"A.b",
		"a.B",
		"a_b.c",
		"*.a.b",
		"a.*",
		"a b.c",
		"a.b ",
		" a.b",
		"a.b\n",
		"1.2.3.4",
		"10.0.0.1",
		"127.1",
		"1.2.3",
		"0x7f.1",
		"a.1",
		"www.example.42",
		"a.0x1f",
		"a.0x",
		"1.2.3.0x4",
		"256.256.256.256",
		"a.b/c",
		"a.b:443",
		"[::1]",
		"::1",
		"a@b.c",
		"b\xc3\xbc.de",
		X63 "x.a",
		H254,
		"a.b,c.d",
	};

	ACCEPTED(seal_hostname_check, good);
	REFUSED(seal_hostname_check, bad);
	expect_only_letters(seal_hostname_check, LDH ".", "www.ex.com");
}

Test(names_hostname, no_hostname_is_a_peer_name_and_the_other_way_round)
{
	static const char *const either[] = { "web", "a.b", "any", "x.y.z", "localhost", "a-b" };

	for (size_t i = 0; i < SEAL_COUNT(either); i++)
		cr_expect(seal_peer_check(either[i], NULL) < 0 ||
			  seal_hostname_check(either[i], NULL) < 0);
}

Test(names_pattern, has_one_star_as_its_whole_first_label_or_none)
{
	static const char *const good[] = { "*.a.b",           "a.b", "*.apps.example.com", "*.1.a",
					    "www.example.com", H253 };
	static const char *const bad[] = {
		"",        "*",      "*.",     "*.com",     "*.*.com", "*.*",
		"a.*.com", "*a.b.c", "a*.b.c", "**.a.b",    "*..a.b",  ".*.a.b",
		"*.a.b.",  "*.A.b",  "*.a.1",  "*.1.2.3.4", "* .a.b",  " *.a.b",
		"*.a b.c", "*.-a.b", "www.*",  "*." H253,   "?.a.b",   "*.localhost",
	};

	ACCEPTED(seal_hostname_pattern_check, good);
	REFUSED(seal_hostname_pattern_check, bad);
}

Test(names_pattern, the_longest_pattern_counts_its_star)
{
	char pattern[300];

	for (size_t len = 250; len <= 256; len++) {
		memset(pattern, 'x', len);
		for (size_t at = 61; at < len - 2; at += 60)
			pattern[at] = '.';
		pattern[0] = '*';
		pattern[1] = '.';
		pattern[len] = '\0';
		cr_expect_eq(seal_hostname_pattern_check(pattern, NULL),
			     len <= SEAL_HOSTNAME_MAX ? 0 : SEAL_E_FORMAT, "%zu letters", len);
	}
}

Test(names_pattern, the_star_stands_for_exactly_one_label)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} cases[] = {
		{ "*.apps.example.com", "shop.apps.example.com", true },
		{ "*.apps.example.com", "a.apps.example.com", true },
		{ "*.apps.example.com", "apps.example.com", false },
		{ "*.apps.example.com", "a.b.apps.example.com", false },
		{ "*.apps.example.com", ".apps.example.com", false },
		{ "*.apps.example.com", "aapps.example.com", false },
		{ "*.apps.example.com", "a.apps.example.com.evil.org", false },
		{ "*.apps.example.com", "a.apps.example.co", false },
		{ "*.apps.example.com", "*.apps.example.com", false },
		{ "*.apps.example.com", "A.apps.example.com", false },
		{ "*.apps.example.com", "a.APPS.example.com", false },
		{ "*.apps.example.com", "a.apps.example.com.", false },
		{ "*.apps.example.com", "", false },
		{ "www.example.com", "www.example.com", true },
		{ "www.example.com", "wwww.example.com", false },
		{ "www.example.com", "ww.example.com", false },
		{ "www.example.com", "a.www.example.com", false },
		{ "*", "a.b", false },
		{ "*.com", "a.com", false },
		{ "", "", false },
		{ "web", "web", false },
		{ "10.0.0.1", "10.0.0.1", false },
		{ "*.0.0.1", "10.0.0.1", false },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		cr_expect_eq(seal_hostname_matches(cases[i].pattern, cases[i].name), cases[i].fits,
			     "%s and %s", cases[i].pattern, cases[i].name);
}

Test(names_trust_domain, is_labels_between_dots)
{
	static const char *const good[] = { "a",         "seal.test", "rot.example.com", "1",
					    "localhost", "a-b.c",     "10.0.0.1",        H253 };
	static const char *const bad[] = { "",    ".",     "a.",    ".a",  "a..b",     "A",
					   "a_b", "a b",   "-a",    "a-",  "a/b",      "a:1",
					   "a@b", "*",     "[::1]", "a\n", "\xc3\xa9", "a%2e",
					   H254,  "*.a.b", X63 "x" };

	ACCEPTED(seal_trust_domain_check, good);
	REFUSED(seal_trust_domain_check, bad);
	expect_only_letters(seal_trust_domain_check, LDH ".", "seal.test");
}

Test(names_id, is_thirty_two_lower_case_digits)
{
	static const char *const good[] = { HEX, "00000000000000000000000000000000",
					    "ffffffffffffffffffffffffffffffff" };
	static const char *const bad[] = { "",
					   "0",
					   HEX "0",
					   HEX HEX,
					   "0123456789abcdef0123456789abcde",
					   "0123456789ABCDEF0123456789ABCDEF",
					   "0123456789abcdef0123456789abcdeg",
					   "0123456789abcdef 123456789abcdef",
					   "0123456789abcdef0123456789abcde\n",
					   "0x23456789abcdef0123456789abcdef",
					   "01234567-89ab-cdef-0123456789abc" };

	ACCEPTED(seal_id_check, good);
	REFUSED(seal_id_check, bad);
	expect_only_letters(seal_id_check, "0123456789abcdef", HEX);
}

Test(names_url, gives_host_and_port)
{
	static const struct {
		const char *url, *host;
		unsigned port;
	} cases[] = {
		{ "https://rot.example.com", "rot.example.com", 443 },
		{ "https://rot.example.com/", "rot.example.com", 443 },
		{ "https://rot.example.com:8443", "rot.example.com", 8443 },
		{ "https://rot.example.com:8443/", "rot.example.com", 8443 },
		{ "https://localhost:1", "localhost", 1 },
		{ "https://a:65535", "a", 65535 },
		{ "https://10.0.0.1", "10.0.0.1", 443 },
		{ "https://10.0.0.1:8443", "10.0.0.1", 8443 },
		{ "https://[::1]", "::1", 443 },
		{ "https://[::1]:8443/", "::1", 8443 },
		{ "https://[2001:db8::ff00:42:8329]", "2001:db8::ff00:42:8329", 443 },
		{ "https://[::ffff:10.0.0.1]:9", "::ffff:10.0.0.1", 9 },
		{ "https://" H253, H253, 443 },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		char host[SEAL_HOSTNAME_MAX + 1] = "?";
		uint16_t port = 0;

		cr_expect_eq(seal_url_check(cases[i].url, NULL), 0, "%s", cases[i].url);
		cr_expect_eq(seal_url_split(cases[i].url, host, &port, NULL), 0);
		cr_expect_str_eq(host, cases[i].host);
		cr_expect_eq(port, cases[i].port, "%s", cases[i].url);
	}
}

static const char *const bad_urls[] = {
	"",
	"https://",
	"https:///",
	"https://:443",
	"https:/a",
	"https:a",
	"a",
	"//a",
	"http://a",
	"HTTPS://a",
	"Https://a",
	" https://a",
	"https://a ",
	"https://a\n",
	"https:// a",
	"https://A",
	"https://a//",
	"https://a/x",
	"https://a/?",
	"https://a?",
	"https://a?x",
	"https://a#",
	"https://a/#x",
	"https://u@a",
	"https://u:p@a",
	"https://@a",
	"https://a@",
	"https://a\\b",
	"https://a%2e",
	"https://a_b",
	"https://a.",
	"https://.a",
	"https://a..b",
	"https://-a",
	"https://*.a.b",
	"https://a:",
	"https://a:/",
	"https://a:0",
	"https://a:00",
	"https://a:0443",
	"https://a:65536",
	"https://a:99999",
	"https://a:100000",
	"https://a:18446744073709552059",
	"https://a:-1",
	"https://a:+1",
	"https://a: 1",
	"https://a:1 ",
	"https://a:1x",
	"https://a:x",
	"https://a:1:2",
	"https://a:0x1",
	"https://127.1",
	"https://1.2.3",
	"https://1.2.3.4.5",
	"https://256.1.1.1",
	"https://01.2.3.4",
	"https://0x7f.0.0.1",
	"https://2130706433",
	"https://a.0x1",
	"https://a.1",
	"https://::1",
	"https://[::1",
	"https://[::1]x",
	"https://[::1]:",
	"https://[::1]]",
	"https://[[::1]]",
	"https://[]",
	"https://[a]",
	"https://[:]",
	"https://[:::]",
	"https://[1.2.3.4]",
	"https://[::1%25eth0]",
	"https://[::1%eth0]",
	"https://[fe80::1%1]",
	"https://[::G]",
	"https://[::FF]",
	"https://[1:2:3:4:5:6:7:8:9]",
	"https://[1:2:3:4:5:6:7]",
	"https://[::ffff:1.2.3]",
	"https://[::ffff:1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17]",
	"https://[v1.a]",
	"https://" H254,
	"https://" H253 "x",
	"https://\xc3\xa9.com",
};

Test(names_url, refuses_everything_else_and_writes_nothing)
{
	REFUSED(seal_url_check, bad_urls);
	for (size_t i = 0; i < SEAL_COUNT(bad_urls); i++) {
		char host[SEAL_HOSTNAME_MAX + 1] = "kept";
		uint16_t port = 7;

		cr_expect_eq(seal_url_split(bad_urls[i], host, &port, NULL), SEAL_E_FORMAT);
		cr_expect_str_eq(host, "kept");
		cr_expect_eq(port, 7);
	}
}

Test(names_number, is_decimal_and_nothing_else)
{
	static const struct {
		const char *text;
		uint64_t min, max, value;
		int r;
	} cases[] = {
		{ "0", 0, 9, 0, 0 },
		{ "9", 0, 9, 9, 0 },
		{ "10", 0, 9, 0, SEAL_E_LIMIT },
		{ "0", 1, 9, 0, SEAL_E_LIMIT },
		{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, 0 },
		{ "18446744073709551615", 0, UINT64_MAX - 1, 0, SEAL_E_LIMIT },
		{ "18446744073709551616", 0, UINT64_MAX, 0, SEAL_E_LIMIT },
		{ "18446744073709551625", 0, UINT64_MAX, 0, SEAL_E_LIMIT },
		{ "99999999999999999999", 0, UINT64_MAX, 0, SEAL_E_LIMIT },
		{ "184467440737095516160", 0, UINT64_MAX, 0, SEAL_E_LIMIT },
		{ "5", 9, 1, 0, SEAL_E_LIMIT },
		{ "", 0, 9, 0, SEAL_E_FORMAT },
		{ " 1", 0, 9, 0, SEAL_E_FORMAT },
		{ "1 ", 0, 9, 0, SEAL_E_FORMAT },
		{ "1\n", 0, 9, 0, SEAL_E_FORMAT },
		{ "+1", 0, 9, 0, SEAL_E_FORMAT },
		{ "-1", 0, 9, 0, SEAL_E_FORMAT },
		{ "-0", 0, 9, 0, SEAL_E_FORMAT },
		{ "00", 0, 9, 0, SEAL_E_FORMAT },
		{ "01", 0, 9, 0, SEAL_E_FORMAT },
		{ "0x1", 0, 9, 0, SEAL_E_FORMAT },
		{ "1e1", 0, 99, 0, SEAL_E_FORMAT },
		{ "1.0", 0, 9, 0, SEAL_E_FORMAT },
		{ "1_0", 0, 99, 0, SEAL_E_FORMAT },
		{ "1,0", 0, 99, 0, SEAL_E_FORMAT },
		{ "\xd9\xa1", 0, 9, 0, SEAL_E_FORMAT },
		{ "ten", 0, 99, 0, SEAL_E_FORMAT },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct seal_err err = { 0 };
		uint64_t value = 77;
		int r = seal_number_parse(cases[i].text, cases[i].min, cases[i].max, &value, &err);

		cr_expect_eq(r, cases[i].r, "'%s': %d", cases[i].text, r);
		cr_expect_eq(err.code, cases[i].r);
		cr_expect_eq(value, r == 0 ? cases[i].value : 77, "'%s'", cases[i].text);
	}
}

Test(names_duration, is_seconds_or_a_number_with_one_unit)
{
	static const struct {
		const char *text;
		uint64_t value;
		int r;
	} cases[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "90", 90, 0 },
		{ "90s", 90, 0 },
		{ "15m", 900, 0 },
		{ "24h", 86400, 0 },
		{ "30d", 2592000, 0 },
		{ "18446744073709551615", UINT64_MAX, 0 },
		{ "18446744073709551615s", UINT64_MAX, 0 },
		{ "213503982334601d", UINT64_C(213503982334601) * 86400, 0 },
		{ "213503982334602d", 0, SEAL_E_LIMIT },
		{ "307445734561825861m", 0, SEAL_E_LIMIT },
		{ "18446744073709551616", 0, SEAL_E_LIMIT },
		{ "18446744073709551616s", 0, SEAL_E_LIMIT },
		{ "18446744073709551615d", 0, SEAL_E_LIMIT },
		{ "", 0, SEAL_E_FORMAT },
		{ "s", 0, SEAL_E_FORMAT },
		{ "m", 0, SEAL_E_FORMAT },
		{ "1S", 0, SEAL_E_FORMAT },
		{ "1M", 0, SEAL_E_FORMAT },
		{ "1H", 0, SEAL_E_FORMAT },
		{ "1D", 0, SEAL_E_FORMAT },
		{ "1w", 0, SEAL_E_FORMAT },
		{ "1y", 0, SEAL_E_FORMAT },
		{ "1ms", 0, SEAL_E_FORMAT },
		{ "1ss", 0, SEAL_E_FORMAT },
		{ "1h30m", 0, SEAL_E_FORMAT },
		{ "1 h", 0, SEAL_E_FORMAT },
		{ "1h ", 0, SEAL_E_FORMAT },
		{ " 1h", 0, SEAL_E_FORMAT },
		{ "1h\n", 0, SEAL_E_FORMAT },
		{ "-1h", 0, SEAL_E_FORMAT },
		{ "+1h", 0, SEAL_E_FORMAT },
		{ "01h", 0, SEAL_E_FORMAT },
		{ "00", 0, SEAL_E_FORMAT },
		{ "1.5h", 0, SEAL_E_FORMAT },
		{ "0x1h", 0, SEAL_E_FORMAT },
		{ "forever", 0, SEAL_E_FORMAT },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct seal_err err = { 0 };
		uint64_t value = 77;
		int r = seal_duration_parse(cases[i].text, 0, UINT64_MAX, &value, &err);

		cr_expect_eq(r, cases[i].r, "'%s': %d", cases[i].text, r);
		cr_expect_eq(err.code, cases[i].r);
		cr_expect_eq(value, r == 0 ? cases[i].value : 77, "'%s'", cases[i].text);
	}
}

Test(names_duration, keeps_to_its_limits_in_seconds)
{
	static const char *const bad[] = { "59", "59s", "0", "0d", "61m", "3601", "2h", "1d" };
	static const char *const good[] = { "60", "1m", "60m", "1h", "3600s", "3600" };
	uint64_t value = 77;

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_eq(seal_duration_parse(bad[i], 60, 3600, &value, NULL), SEAL_E_LIMIT,
			     "%s", bad[i]);
	cr_expect_eq(value, 77);
	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		cr_expect_eq(seal_duration_parse(good[i], 60, 3600, &value, NULL), 0, "%s",
			     good[i]);
}

Test(names_size, is_bytes_or_a_number_with_one_unit)
{
	static const struct {
		const char *text;
		uint64_t value;
		int r;
	} cases[] = {
		{ "0", 0, 0 },
		{ "0KiB", 0, 0 },
		{ "65536", 65536, 0 },
		{ "1KiB", 1024, 0 },
		{ "64MiB", UINT64_C(64) << 20, 0 },
		{ "2GiB", UINT64_C(2) << 30, 0 },
		{ "18446744073709551615", UINT64_MAX, 0 },
		{ "17179869183GiB", UINT64_C(17179869183) << 30, 0 },
		{ "17179869184GiB", 0, SEAL_E_LIMIT },
		{ "18446744073709551616", 0, SEAL_E_LIMIT },
		{ "18446744073709551615KiB", 0, SEAL_E_LIMIT },
		{ "", 0, SEAL_E_FORMAT },
		{ "KiB", 0, SEAL_E_FORMAT },
		{ "1kib", 0, SEAL_E_FORMAT },
		{ "1KB", 0, SEAL_E_FORMAT },
		{ "1M", 0, SEAL_E_FORMAT },
		{ "1B", 0, SEAL_E_FORMAT },
		{ "1 MiB", 0, SEAL_E_FORMAT },
		{ "1MiB ", 0, SEAL_E_FORMAT },
		{ "1MiBMiB", 0, SEAL_E_FORMAT },
		{ "01MiB", 0, SEAL_E_FORMAT },
		{ "-1MiB", 0, SEAL_E_FORMAT },
		{ "1.5GiB", 0, SEAL_E_FORMAT },
		{ "0x10", 0, SEAL_E_FORMAT },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct seal_err err = { 0 };
		uint64_t value = 77;
		int r = seal_size_parse(cases[i].text, 0, UINT64_MAX, &value, &err);

		cr_expect_eq(r, cases[i].r, "'%s': %d", cases[i].text, r);
		cr_expect_eq(err.code, cases[i].r);
		cr_expect_eq(value, r == 0 ? cases[i].value : 77, "'%s'", cases[i].text);
	}
}

Test(names_size, keeps_to_its_limits_in_bytes)
{
	static const char *const bad[] = { "1023", "0", "0MiB", "2049", "3KiB", "1MiB" };
	static const char *const good[] = { "1024", "1KiB", "2KiB", "2048" };
	uint64_t value = 77;

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_eq(seal_size_parse(bad[i], 1024, 2048, &value, NULL), SEAL_E_LIMIT, "%s",
			     bad[i]);
	cr_expect_eq(value, 77);
	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		cr_expect_eq(seal_size_parse(good[i], 1024, 2048, &value, NULL), 0, "%s", good[i]);
}

Test(names_spec, has_its_peers_behind_the_first_slash_that_is_not_of_a_path)
{
	static const struct {
		const char *targets;
		const char *peers; /* NULL: none */
	} cases[] = {
		{ "8080", NULL },
		{ "db.shop.svc:8443,db2:8443", NULL },
		{ "", NULL },
		{ "8080/web", "/web" },
		{ "8080/", "/" },
		{ "8080/web,db", "/web,db" },
		{ "8080/web/db", "/web/db" },
		{ "[::1]:8080/web", "/web" },
		{ "unix:/run/a.sock", NULL },
		{ "unix:/run/a/b", NULL },
		{ "unix:/run/a.sock/web", "/web" },
		{ "unix:/run/a.sock/", "/" },
		{ "unix:/run/a.sock/b.sock/web", "/web" },
		{ "unix:/run/a.sock,unix:/run/b.sock/web", "/web" },
		{ "8080,unix:/run/a.sock/web", "/web" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		char text[64];
		const char *peers;

		(void)snprintf(text, sizeof(text), "%s", cases[i].targets);
		peers = seal_spec_peers(text);
		cr_expect_eq(peers != NULL, cases[i].peers != NULL, "'%s'", cases[i].targets);
		if (peers != NULL && cases[i].peers != NULL)
			cr_expect_str_eq(peers, cases[i].peers, "'%s'", cases[i].targets);
	}
}
