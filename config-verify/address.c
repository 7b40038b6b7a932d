/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and networks as policies and system files write them.  One spelling rule for both, the
 * strictest: what the C libraries' older readers would take for an address besides (octal, hexadecimal,
 * short forms, zones) is none here.
 */

#include <arpa/inet.h>
#include <string.h>

#include "base/names/names.h"
#include "config-verify/policy.h"

#define V4_AT     12 /* where the four bytes of an IPv4 address begin */
#define V4_BITS   32
#define ALL_BITS  128
#define BITS_TEXT 4 /* "128" and its end */

static const uint8_t v4_prefix[V4_AT] = { [10] = 0xff, [11] = 0xff };

bool
verify_address_is_v4(const struct verify_address *address)
{
	return memcmp(address->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool
verify_address_is_loopback(const struct verify_address *address)
{
	static const struct verify_address one = { { [15] = 1 } };

	if (verify_address_is_v4(address))
		return address->bytes[V4_AT] == 127;
	return memcmp(address, &one, sizeof(one)) == 0;
}

int
verify_address_parse(struct verify_address *ret_address, const char *text, struct seal_err *err)
{
	struct verify_address address;

	memcpy(address.bytes, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, text, address.bytes + V4_AT) == 1) {
		*ret_address = address;
		return 0;
	}
	if (inet_pton(AF_INET6, text, address.bytes) != 1)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no IP address", text);
	if (verify_address_is_v4(&address))
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%.64s' is an IPv4 address in IPv6 form: write it as IPv4", text);
	*ret_address = address;
	return 0;
}

bool
verify_address_of_socket(struct verify_address *ret_address, const struct sockaddr *from)
{
	if (from != NULL && from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		memcpy(ret_address->bytes, v4_prefix, sizeof(v4_prefix));
		memcpy(ret_address->bytes + V4_AT, &in->sin_addr, sizeof(in->sin_addr));
		return true;
	}
	if (from != NULL && from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;

		memcpy(ret_address->bytes, &in6->sin6_addr, sizeof(ret_address->bytes));
		return true;
	}
	return false;
}

/* Byte i of the mask that bits make. */
static uint8_t
mask_byte(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0xff;
	return bits <= 8 * i ? 0 : (uint8_t)(0xff << (8 - (bits - 8 * i)));
}

static bool
has_host_bits(const struct verify_network *network)
{
	for (unsigned i = 0; i < sizeof(network->address.bytes); i++)
		if ((network->address.bytes[i] & ~mask_byte(network->bits, i)) != 0)
			return true;
	return false;
}

static int
parse_bits(struct verify_network *network, const char *text, struct seal_err *err)
{
	const bool is_v4 = verify_address_is_v4(&network->address);
	uint64_t bits;
	int r;

	if (text[0] == '0' && text[1] != '\0')
		return seal_fail(err, SEAL_E_FORMAT, "the length '%.8s' begins with 0", text);
	r = seal_number_parse(text, 0, is_v4 ? V4_BITS : ALL_BITS, &bits, err);
	if (r < 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%.8s' is no length of a prefix", text);
	network->bits = (uint8_t)(bits + (is_v4 ? ALL_BITS - V4_BITS : 0));
	return 0;
}

int
verify_network_parse(struct verify_network *ret_network, const char *text, struct seal_err *err)
{
	struct verify_network network = { .bits = ALL_BITS };
	char address[VERIFY_ADDRESS_TEXT];
	const size_t len = strcspn(text, "/");
	int r;

	if (len >= sizeof(address) || strlen(text + len) > BITS_TEXT)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no network", text);
	memcpy(address, text, len);
	address[len] = '\0';
	r = verify_address_parse(&network.address, address, err);
	if (r == 0 && text[len] == '/')
		r = parse_bits(&network, text + len + 1, err);
	if (r < 0)
		return seal_note(err, r, "network '%.64s'", text);
	if (has_host_bits(&network))
		return seal_fail(err, SEAL_E_FORMAT,
				 "network '%.64s': its address has bits behind the prefix", text);
	*ret_network = network;
	return 0;
}

bool
verify_network_has(const struct verify_network *network, const struct verify_address *address)
{
	/* ::/0 is all of IPv6 and nothing of IPv4, although those are mapped into it here. */
	if (verify_address_is_v4(&network->address) != verify_address_is_v4(address))
		return false;
	for (unsigned i = 0; i < sizeof(address->bytes); i++)
		if ((address->bytes[i] & mask_byte(network->bits, i)) != network->address.bytes[i])
			return false;
	return true;
}

void
verify_address_format(const struct verify_address *address, char out[static VERIFY_ADDRESS_TEXT])
{
	const bool is_v4 = verify_address_is_v4(address);
	const void *at = is_v4 ? address->bytes + V4_AT : address->bytes;

	if (inet_ntop(is_v4 ? AF_INET : AF_INET6, at, out, VERIFY_ADDRESS_TEXT) == NULL)
		out[0] = '\0'; /* cannot be: the room is for the longest */
}
