/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the kernel's part of the capture, as rules to be loaded by somebody with the privilege,
 * and for what a redirected connection says about where it was going.  Accepts nothing itself.
 *
 * Everything fails closed: what the rules do not name is redirected, and what is redirected but not
 * declared is refused.  The packets' state is not asked for in the rules: a connection tracked from
 * some odd first packet on must not be one that nobody redirects.
 */
#include "proxy/capture.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "proxy/address.h"

/* linux/netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h, which do not go with netinet/in.h. */
#define ORIGINAL_DST_V4 80
#define ORIGINAL_DST_V6 80

/* What is said about the rules, where they are read: by whoever loads them. */
static const char head[] =
	"# Transparent inbound capture of seal-proxy, for nft -f - in the network namespace of the "
	"pod.\n"
	"#\n"
	"# Every TCP connection from outside, IPv4 and IPv6, is redirected to the capture port, "
	"where\n"
	"# seal-proxy serves the ports declared for it and refuses all others.  Left alone are "
	"loopback,\n"
	"# the ports on which seal-proxy listens itself, its health port, and the ports allowed in "
	"its\n"
	"# configuration.  What the pod opens to the outside is not touched.\n"
	"# NOT captured: UDP, SCTP, ICMP and whatever else is not TCP.  They pass as before.\n"
	"# Loading the rules again replaces them; captured connections that exist go on.  Load "
	"them before\n"
	"# anything listens: what connected earlier, unseen by the kernel's tracking, may be cut "
	"off.\n"
	"# To undo: nft delete table inet seal\n"
	"\n"
	"add table inet seal\n" /* so that there is one to delete */
	"delete table inet seal\n"
	"table inet seal {\n"
	"\tchain capture {\n"
	"\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
	"\t\tiifname \"lo\" return\n"
	"\t\tmeta l4proto != tcp return\n";

static bool
endpoint_address(struct proxy_address *ret_address, const struct seal_endpoint *endpoint)
{
	struct sockaddr_storage addr;
	socklen_t len;

	return seal_endpoint_addr(endpoint, &addr, &len, NULL) == 0 &&
	       proxy_address_read(ret_address, (const struct sockaddr *)&addr, len);
}

/*
 * Leave alone what we are bound to, and no more than that: neither the same port of another address
 * nor of the other family, where an application may listen.  Loopback cannot be reached from outside.
 */
static void
write_return(const struct seal_endpoint *endpoint, FILE *out)
{
	char ip[PROXY_ADDRESS_TEXT_MAX];
	struct proxy_address address;

	if (endpoint->is_unix || !endpoint_address(&address, endpoint) ||
	    proxy_address_is_loopback(&address))
		return;
	proxy_address_format_ip(&address, ip);
	if (proxy_address_is_any(&address))
		(void)fprintf(out, "\t\tmeta nfproto %s tcp dport %u return\n",
			      address.is_v4 ? "ipv4" : "ipv6", address.port);
	else
		(void)fprintf(out, "\t\t%s daddr %s tcp dport %u return\n",
			      address.is_v4 ? "ip" : "ip6", ip, address.port);
}

/* Errors of out show in ferror, which the caller asks once. */
void
proxy_capture_rules(const struct proxy_config *config, FILE *out)
{
	(void)fputs(head, out);
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct proxy_listener_config *listener = &config->listeners[i];

		if (!listener->captured && listener->direction != PROXY_OUTBOUND)
			write_return(&listener->listen, out);
	}
	if (config->has_health)
		write_return(&config->health, out);
	for (size_t i = 0; i < config->capture.allow_count; i++)
		(void)fprintf(out, "\t\ttcp dport %u return\n", config->capture.allow[i]);
	(void)fprintf(out,
		      "\t\tmeta l4proto tcp redirect to :%u\n"
		      "\t}\n"
		      "}\n",
		      config->capture.listen.port);
}

static int
local_address(int fd, struct proxy_address *ret_address, struct seal_err *err)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return seal_fail_errno(err, errno, "cannot tell a connection's own address");
	if (!proxy_address_read(ret_address, (const struct sockaddr *)&addr, len))
		return seal_fail(err, SEAL_E_REFUSED, "not a TCP connection");
	return 0;
}

/*
 * The kernel is asked in the family of the packets, not of the socket.  Without a redirection it
 * answers with our own address, or not at all.
 */
static int
ask_kernel(int fd, const struct proxy_address *local, struct sockaddr_storage *ret_addr,
	   socklen_t *ret_len, struct seal_err *err)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	int r;

	r = local->is_v4 ? getsockopt(fd, IPPROTO_IP, ORIGINAL_DST_V4, &addr, &len)
			 : getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DST_V6, &addr, &len);
	if (r < 0 && errno == ENOENT)
		return seal_fail(err, SEAL_E_REFUSED,
				 "connected to the capture itself: not redirected");
	if (r < 0) {
		r = seal_fail_errno(err, errno, "the kernel does not say");
		return seal_note(err, SEAL_E_REFUSED, "where the connection was going");
	}
	*ret_addr = addr;
	*ret_len = len;
	return 0;
}

int
proxy_capture_original(int fd, struct sockaddr_storage *ret_addr, socklen_t *ret_len,
		       struct seal_err *err)
{
	struct proxy_address local;
	int r = local_address(fd, &local, err);

	return r < 0 ? r : ask_kernel(fd, &local, ret_addr, ret_len, err);
}

static int
original_address(int fd, const struct proxy_address *local, struct proxy_address *ret_address,
		 struct seal_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int r = ask_kernel(fd, local, &addr, &len, err);

	if (r < 0)
		return r;
	if (!proxy_address_read(ret_address, (const struct sockaddr *)&addr, len))
		return seal_fail(err, SEAL_E_REFUSED, "the connection was going nowhere we know");
	return 0;
}

/* The listener declared for the address: for itself, or else for all of its family. */
static bool
find_listener(const struct proxy_config *config, const struct proxy_address *wanted,
	      size_t *ret_listener)
{
	bool found = false;

	for (size_t i = 0; i < config->listener_count; i++) {
		const struct proxy_listener_config *listener = &config->listeners[i];
		struct proxy_address address;

		if (!listener->captured || !endpoint_address(&address, &listener->listen) ||
		    address.port != wanted->port || address.is_v4 != wanted->is_v4)
			continue;
		if (proxy_address_same_ip(&address, wanted)) {
			*ret_listener = i;
			return true;
		}
		if (!found && proxy_address_is_any(&address)) {
			*ret_listener = i;
			found = true;
		}
	}
	return found;
}

static int
fail_undeclared(const struct proxy_address *wanted, struct seal_err *err)
{
	char ip[PROXY_ADDRESS_TEXT_MAX];

	proxy_address_format_ip(wanted, ip);
	return seal_fail(err, SEAL_E_REFUSED, "no captured listener is declared for port %u of %s",
			 wanted->port, ip);
}

int
proxy_capture_route(const struct proxy_config *config, int fd, size_t *ret_listener,
		    struct seal_err *err)
{
	struct proxy_address local, wanted;
	size_t listener;
	int r;

	r = local_address(fd, &local, err);
	if (r == 0)
		r = original_address(fd, &local, &wanted, err);
	if (r < 0)
		return r;
	/* Through the rules, the capture's port leads to itself, on whichever of our addresses. */
	if (wanted.port == local.port)
		return seal_fail(err, SEAL_E_REFUSED,
				 "connected to the capture itself, port %u: a loop", wanted.port);
	if (!find_listener(config, &wanted, &listener))
		return fail_undeclared(&wanted, err);
	*ret_listener = listener;
	return 0;
}
