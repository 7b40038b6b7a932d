/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_ADDRESS_H
#define SEAL_PROXY_ADDRESS_H

/*
 * Internet addresses in one form, however the kernel spells them: an IPv4 address that arrived on an
 * IPv6 socket (RFC 4291 section 2.5.5.2) is the IPv4 address.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY_ADDRESS_V4_AT    12 /* where the four bytes of an IPv4 address begin */
#define PROXY_ADDRESS_TEXT_MAX 46 /* the longest IPv6 address, and a NUL */

struct proxy_address {
	bool is_v4;
	uint8_t ip[16]; /* network order; v4-mapped for IPv4 */
	uint16_t port;  /* host order */
};

/* False, and nothing changed, for other families and for what is too short to be one of these. */
bool proxy_address_read(struct proxy_address *ret_address, const struct sockaddr *addr,
			socklen_t len);
/* All addresses of its family: 0.0.0.0 or ::. */
bool proxy_address_is_any(const struct proxy_address *address);
/* 127.0.0.0/8 or ::1. */
bool proxy_address_is_loopback(const struct proxy_address *address);
/* The same family and address, whatever the port. */
bool proxy_address_same_ip(const struct proxy_address *a, const struct proxy_address *b);
/* Without the port: "10.0.0.7", "2001:db8::7". */
void proxy_address_format_ip(const struct proxy_address *address,
			     char text[static PROXY_ADDRESS_TEXT_MAX]);

#endif
