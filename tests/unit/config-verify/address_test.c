/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/address: one spelling, and what lies in a network. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/unit/config-verify/judge_rig.h"

static void
expect_text(const char *text, const char *wanted)
{
	const struct verify_address address = judge_address(text);
	char out[VERIFY_ADDRESS_TEXT];

	verify_address_format(&address, out);
	cr_expect_str_eq(out, wanted);
}

Test(verify_address, is_read_in_its_usual_forms)
{
	expect_text("10.96.0.10", "10.96.0.10");
	expect_text("0.0.0.0", "0.0.0.0");
	expect_text("255.255.255.255", "255.255.255.255");
	expect_text("::", "::");
	expect_text("FE00::0", "fe00::");
	expect_text("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1");
	expect_text("64:ff9b::192.0.2.1", "64:ff9b::c000:201");
}

Test(verify_address, is_refused_in_any_other)
{
	static const char *const odd[] = {
		"",
		"127.1",
		"0177.0.0.1",
		"0x7f.0.0.1",
		"2130706433",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4\n",
		"1.2.3.-4",
		"1.2.3.04",
		"00.0.0.0",
		"1.2.3.4:53",
		"fe80::1%lo",
		"[::1]",
		":::",
		"1::2::3",
		"1:2:3:4:5:6:7:8:9",
		"12345::",
		"::g",
		"::ffff:10.0.0.1",
		"::ffff:a00:1",
		"localhost",
		"1.2.3.4/32",
		"::1.2.3.04",
		"::1.2.3",
		"1.2.3.4::",
		":1::",
		"1:2:3:4",
		"1.2.3.4%1",
		"\xd9\xa1.2.3.4",
		"::1.2.3.4.5",
	};
	const struct verify_address before = judge_address("192.0.2.1");

	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		struct verify_address address = before;
		struct seal_err err = { 0 };

		cr_expect_eq(verify_address_parse(&address, odd[i], &err), SEAL_E_FORMAT, "'%s'",
			     odd[i]);
		cr_expect_eq(memcmp(&address, &before, sizeof(before)), 0, "'%s' left something",
			     odd[i]);
		cr_expect_str_neq(err.text, "");
	}
}

Test(verify_address, knows_loopback_and_its_family)
{
	static const struct {
		const char *text;
		bool is_loopback, is_v4;
	} known[] = {
		{ "127.0.0.1", true, true },
		{ "127.255.255.254", true, true },
		{ "126.255.255.255", false, true },
		{ "128.0.0.1", false, true },
		{ "::1", true, false },
		{ "::2", false, false },
		{ "::", false, false },
		{ "1::1", false, false },
	};

	for (size_t i = 0; i < SEAL_COUNT(known); i++) {
		const struct verify_address address = judge_address(known[i].text);

		cr_expect_eq(verify_address_is_loopback(&address), known[i].is_loopback, "%s",
			     known[i].text);
		cr_expect_eq(verify_address_is_v4(&address), known[i].is_v4, "%s", known[i].text);
	}
}

static void
expect_in(const char *network, const char *address, bool wanted)
{
	const struct verify_network made = judge_network(network);
	const struct verify_address asked = judge_address(address);

	cr_expect_eq(verify_network_has(&made, &asked), wanted, "%s in %s", address, network);
}

Test(verify_network, holds_what_its_prefix_says)
{
	expect_in("10.96.0.0/12", "10.96.0.10", true);
	expect_in("10.96.0.0/12", "10.111.255.255", true);
	expect_in("10.96.0.0/12", "10.112.0.0", false);
	expect_in("10.96.0.0/12", "10.95.255.255", false);
	expect_in("10.96.0.10", "10.96.0.10", true);
	expect_in("10.96.0.10", "10.96.0.11", false);
	expect_in("10.96.0.10/32", "10.96.0.11", false);
	expect_in("10.96.0.10/31", "10.96.0.11", true);
	expect_in("fd00::/8", "fdff::1", true);
	expect_in("fd00::/8", "fe00::1", false);
	expect_in("fd00::a", "fd00::a", true);
	expect_in("fd00::a", "fd00::b", false);
	expect_in("2001:db8::/33", "2001:db8:7fff::", true);
	expect_in("2001:db8::/33", "2001:db8:8000::", false);
}

Test(verify_network, of_one_family_holds_none_of_the_other)
{
	expect_in("0.0.0.0/0", "8.8.8.8", true);
	expect_in("0.0.0.0/0", "::1", false);
	expect_in("0.0.0.0/0", "2001:db8::1", false);
	expect_in("::/0", "2001:db8::1", true);
	expect_in("::/0", "8.8.8.8", false);
	expect_in("::/80", "8.8.8.8", false);
}

Test(verify_network, is_refused_with_host_bits_or_an_odd_prefix)
{
	static const char *const odd[] = {
		"10.96.0.1/12",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.0/",
		"10.0.0.0/-1",
		"10.0.0.0/8 ",
		"10.0.0.0/+8",
		"10.0.0.0//8",
		"10.0.0.0/8/8",
		"fd00::1/64",
		"fd00::/129",
		"::/0128",
		"::ffff:0:0/96",
		"/8",
		"10.0/8",
		"10.0.0.0/999",
		"10.0.0.0/a",
		"10.0.0.0/0x8",
		"",
	};

	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		struct verify_network network = { .bits = 77 };

		cr_expect_eq(verify_network_parse(&network, odd[i], NULL), SEAL_E_FORMAT, "'%s'",
			     odd[i]);
		cr_expect_eq(network.bits, 77);
	}
}

Test(verify_address, of_an_interface_is_the_one_that_is_written)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a60000a) } };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_addr = { { { 0xfd, [15] = 7 } } } };
	const struct sockaddr other = { .sa_family = AF_PACKET };
	const struct verify_address v4 = judge_address("10.96.0.10");
	const struct verify_address v6 = judge_address("fd00::7");
	struct verify_address got = v6;

	cr_expect(verify_address_of_socket(&got, (const void *)&in));
	cr_expect_eq(memcmp(&got, &v4, sizeof(got)), 0);
	cr_expect(verify_address_of_socket(&got, (const void *)&in6));
	cr_expect_eq(memcmp(&got, &v6, sizeof(got)), 0);
	cr_expect_not(verify_address_of_socket(&got, &other));
	cr_expect_not(verify_address_of_socket(&got, NULL));
	cr_expect_eq(memcmp(&got, &v6, sizeof(got)), 0);
}
