/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for one spelling of internet addresses.  Knows nothing of names, sockets or what an address
 * is wanted for.
 */
#include "proxy/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[PROXY_ADDRESS_V4_AT] = {
	[10] = 0xff,
	[11] = 0xff,
};

static struct proxy_address
from_v4(const struct sockaddr_in *in)
{
	struct proxy_address address = { .is_v4 = true, .port = ntohs(in->sin_port) };

	memcpy(address.ip, mapped, sizeof(mapped));
	memcpy(address.ip + PROXY_ADDRESS_V4_AT, &in->sin_addr, sizeof(in->sin_addr));
	return address;
}

static struct proxy_address
from_v6(const struct sockaddr_in6 *in6)
{
	struct proxy_address address = { .port = ntohs(in6->sin6_port) };

	memcpy(address.ip, &in6->sin6_addr, sizeof(address.ip));
	address.is_v4 = memcmp(address.ip, mapped, sizeof(mapped)) == 0;
	return address;
}

bool
proxy_address_read(struct proxy_address *ret_address, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	/* Copied, not cast: what callers hold need not be aligned for either. */
	if (len >= sizeof(in) && addr->sa_family == AF_INET) {
		memcpy(&in, addr, sizeof(in));
		*ret_address = from_v4(&in);
		return true;
	}
	if (len >= sizeof(in6) && addr->sa_family == AF_INET6) {
		memcpy(&in6, addr, sizeof(in6));
		*ret_address = from_v6(&in6);
		return true;
	}
	return false;
}

static bool
is_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != 0)
			return false;
	return true;
}

bool
proxy_address_is_any(const struct proxy_address *address)
{
	return address->is_v4 ? is_zero(address->ip + PROXY_ADDRESS_V4_AT, 4)
			      : is_zero(address->ip, sizeof(address->ip));
}

bool
proxy_address_is_loopback(const struct proxy_address *address)
{
	if (address->is_v4)
		return address->ip[PROXY_ADDRESS_V4_AT] == 127;
	return is_zero(address->ip, sizeof(address->ip) - 1) && address->ip[15] == 1;
}

bool
proxy_address_same_ip(const struct proxy_address *a, const struct proxy_address *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

void
proxy_address_format_ip(const struct proxy_address *address,
			char text[static PROXY_ADDRESS_TEXT_MAX])
{
	const uint8_t *ip = address->ip + (address->is_v4 ? PROXY_ADDRESS_V4_AT : 0);

	text[0] = '\0';
	(void)inet_ntop(address->is_v4 ? AF_INET : AF_INET6, ip, text, PROXY_ADDRESS_TEXT_MAX);
}
