/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_NET_H
#define SEAL_BASE_NET_H

/*
 * Addresses and sockets.  Sockets are non-blocking and close-on-exec; TCP ones have TCP_NODELAY.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err/err.h"
#include "base/names/names.h"

#define SEAL_ADDR_TEXT_MAX 128

/* Where to listen or connect, as written: "host:port", "[v6]:port", "port" or "unix:/path". */
struct seal_endpoint {
	bool is_unix;
	char host[SEAL_HOSTNAME_MAX + 1]; /* a name or a literal address; the path for unix */
	uint16_t port;
};

/* default_host stands in when only a port is given; NULL: a host is required. */
SEAL_CHECKED int seal_endpoint_parse(struct seal_endpoint *ret_endpoint, const char *text,
				     const char *default_host, struct seal_err *err);
void seal_endpoint_format(const struct seal_endpoint *endpoint,
			  char text[static SEAL_HOSTNAME_MAX + 16]);
/* True for a unix path or a literal loopback address (127.0.0.0/8, ::1). */
bool seal_endpoint_is_local(const struct seal_endpoint *endpoint);
/* The socket address of a unix path or a literal address.  SEAL_E_FORMAT for a name. */
SEAL_CHECKED int seal_endpoint_addr(const struct seal_endpoint *endpoint,
				    struct sockaddr_storage *ret_addr, socklen_t *ret_len,
				    struct seal_err *err);

/*
 * Bind and listen; returns the descriptor.  The endpoint's host must be a literal address or a path.
 * A unix socket is created with the mode; a stale one left by a dead process is replaced, a live
 * one is SEAL_E_CONFLICT.  A port in use says so.
 */
SEAL_CHECKED int seal_listen(const struct seal_endpoint *endpoint, unsigned mode,
			     struct seal_err *err);
/*
 * The same in two steps, for who must know that the address is free before it may serve: seal_bind
 * takes the address and nobody can connect yet, seal_bind_listen opens it.
 */
SEAL_CHECKED int seal_bind(const struct seal_endpoint *endpoint, unsigned mode,
			   struct seal_err *err);
SEAL_CHECKED int seal_bind_listen(const struct seal_endpoint *endpoint, int fd,
				  struct seal_err *err);
/*
 * Back between the two steps: nobody can connect, whoever was not accepted yet is turned away, and the
 * address stays ours: nobody else can take it meanwhile.  For TCP, with a port that was not 0; a unix socket
 * that has listened cannot rest (SEAL_E_BUG).
 */
SEAL_CHECKED int seal_bind_rest(const struct seal_endpoint *endpoint, int fd, struct seal_err *err);
/*
 * The file of a unix socket, noted when it was bound.  It is removed only while it is still that one;
 * do that before the socket is closed, for until then the system gives its number to no other.  Of
 * other endpoints there is none.
 */
struct seal_socket_file {
	uint64_t device;
	uint64_t inode; /* 0: none */
};
void seal_socket_file_note(struct seal_socket_file *ret_file, const struct seal_endpoint *endpoint);
void seal_socket_file_remove(struct seal_socket_file *file, const struct seal_endpoint *endpoint);
/*
 * Start connecting; returns the descriptor, writable once connected or failed.  SEAL_E_LIMIT and
 * SEAL_E_MEMORY are our own shortage and say nothing about the other side.
 */
SEAL_CHECKED int seal_connect(const struct sockaddr *addr, socklen_t len, struct seal_err *err);
/* The outcome of a connection attempt: 0, or the failure. */
SEAL_CHECKED int seal_connect_result(int fd, struct seal_err *err);
/* Accept; returns the descriptor, or SEAL_E_TIMEOUT when nobody is waiting (not recorded in err). */
SEAL_CHECKED int seal_accept(int fd, struct sockaddr_storage *ret_addr, socklen_t *ret_len,
			     struct seal_err *err);
/* Close a connected socket so that its peer sees a reset. */
void seal_reset(int fd);
void seal_addr_format(const struct sockaddr *addr, socklen_t len,
		      char text[static SEAL_ADDR_TEXT_MAX]);
/* The port a listening descriptor was given (for port 0). */
uint16_t seal_listen_port(int fd);

#endif
