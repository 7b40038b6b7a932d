/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CAPTURE_H
#define SEAL_PROXY_CAPTURE_H

/*
 * Transparent inbound capture: the kernel redirects every TCP connection that reaches the pod from
 * outside to one listener of ours, which looks up where it was really going.  So an application that
 * listens on all addresses cannot be reached in plaintext.
 */

#include <stdio.h>
#include <sys/socket.h>

#include "base/err/err.h"
#include "proxy/proxy.h"

/* Write the nftables rules that a NET_ADMIN init step loads (nft -f -): IPv4 and IPv6 alike. */
void proxy_capture_rules(const struct proxy_config *config, FILE *out);

/*
 * Which listener a redirected connection belongs to: the captured one of the port it was going to.
 * SEAL_E_REFUSED with the reason when it was not redirected (no original destination, or the
 * capture's own address: a loop) or no captured listener is declared for the port.
 */
SEAL_CHECKED int proxy_capture_route(const struct proxy_config *config, int fd,
				     size_t *ret_listener, struct seal_err *err);

/*
 * Where a redirected connection was going, which its socket does not say.  SEAL_E_REFUSED when it was
 * not redirected, or the kernel does not know (any more).
 */
SEAL_CHECKED int proxy_capture_original(int fd, struct sockaddr_storage *ret_addr,
					socklen_t *ret_len, struct seal_err *err);

#endif
