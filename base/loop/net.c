/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints as people write them, and sockets made from them.  Nothing here resolves a name or waits.
 */

#include "base/loop/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As long a queue as the kernel grants (net.core.somaxconn): a burst of pods is normal. */
#define LISTEN_BACKLOG 4096
/* Pending failures of others that accept reports (accept(2)): skip this many before yielding. */
#define ACCEPT_TRIES 16
/* A silent connection is asked after a minute, and given up after six questions without an answer. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_EACH_S 10
#define KEEPALIVE_TIMES  6
#define UNIX_PREFIX      "unix:"
#define LABEL_MAX        63

static bool
is_literal_v4(const char *host, struct in_addr *ret_ip)
{
	return inet_pton(AF_INET, host, ret_ip) == 1;
}

static bool
is_literal_v6(const char *host, struct in6_addr *ret_ip)
{
	return inet_pton(AF_INET6, host, ret_ip) == 1;
}

static int
parse_port(uint16_t *ret_port, const char *text, struct seal_err *err)
{
	uint64_t port;
	int r = seal_number_parse(text, 0, UINT16_MAX, &port, err);

	if (r < 0)
		return seal_note(err, r, "port '%s'", text);
	*ret_port = (uint16_t)port;
	return 0;
}

/* RFC 1123 section 2.1: letters, digits and '-', which neither begins nor ends it. */
static bool
is_label(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	return strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;
}

/*
 * A host to connect to.  One label will do, a search domain may complete it.  Digits and dots alone
 * that are no address are a mistyped address.
 */
static int
check_name(const char *host, struct seal_err *err)
{
	bool is_name = host[strspn(host, "0123456789.")] != '\0';

	for (const char *label = host; is_name && label != NULL;) {
		const char *dot = strchr(label, '.');

		is_name = is_label(label, dot != NULL ? (size_t)(dot - label) : strlen(label));
		label = dot != NULL ? dot + 1 : NULL;
	}
	if (!is_name)
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%s' is neither an address nor a lower-case host name", host);
	return 0;
}

static int
parse_unix(struct seal_endpoint *ret_endpoint, const char *path, struct seal_err *err)
{
	struct seal_endpoint endpoint = { .is_unix = true };
	size_t len = strlen(path);

	if (path[0] != '/')
		return seal_fail(err, SEAL_E_FORMAT, "the path after unix: must begin with /");
	if (len >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return seal_fail(err, SEAL_E_LIMIT,
				 "the path of a unix socket has at most %zu bytes",
				 sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return seal_fail(err, SEAL_E_FORMAT, "control character in a path");
	}
	memcpy(endpoint.host, path, len + 1);
	*ret_endpoint = endpoint;
	return 0;
}

/* Copies the host out of text[0..len): what stands in brackets must be an IPv6 address. */
static int
parse_host(struct seal_endpoint *endpoint, const char *text, size_t len, struct seal_err *err)
{
	bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	struct in6_addr ip6;
	struct in_addr ip;

	if (bracketed) {
		text++;
		len -= 2;
	}
	if (len == 0)
		return seal_fail(err, SEAL_E_FORMAT, "no host before the port");
	if (len > SEAL_HOSTNAME_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "host of more than %d letters",
				 SEAL_HOSTNAME_MAX);
	memcpy(endpoint->host, text, len);
	endpoint->host[len] = '\0';
	if (bracketed)
		return is_literal_v6(endpoint->host, &ip6)
			       ? 0
			       : seal_fail(err, SEAL_E_FORMAT, "'%s' is not an IPv6 address",
					   endpoint->host);
	if (is_literal_v4(endpoint->host, &ip))
		return 0;
	if (strchr(endpoint->host, ':') != NULL)
		return seal_fail(err, SEAL_E_FORMAT, "write an IPv6 address as [address]:port");
	return check_name(endpoint->host, err);
}

int
seal_endpoint_parse(struct seal_endpoint *ret_endpoint, const char *text, const char *default_host,
		    struct seal_err *err)
{
	struct seal_endpoint endpoint = { 0 };
	const char *colon = strrchr(text, ':');
	int r;

	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		r = parse_unix(ret_endpoint, text + strlen(UNIX_PREFIX), err);
		return r < 0 ? seal_note(err, r, "endpoint '%s'", text) : 0;
	}
	if (colon != NULL)
		r = parse_host(&endpoint, text, (size_t)(colon - text), err);
	else if (default_host != NULL)
		r = parse_host(&endpoint, default_host, strlen(default_host), err);
	else
		r = seal_fail(err, SEAL_E_FORMAT, "write host:port, [v6]:port or unix:/path");
	if (r == 0)
		r = parse_port(&endpoint.port, colon != NULL ? colon + 1 : text, err);
	if (r < 0)
		return seal_note(err, r, "endpoint '%s'", text);
	*ret_endpoint = endpoint;
	return 0;
}

void
seal_endpoint_format(const struct seal_endpoint *endpoint, char text[static SEAL_HOSTNAME_MAX + 16])
{
	const size_t size = SEAL_HOSTNAME_MAX + 16;

	if (endpoint->is_unix)
		(void)snprintf(text, size, UNIX_PREFIX "%s", endpoint->host);
	else if (strchr(endpoint->host, ':') != NULL)
		(void)snprintf(text, size, "[%s]:%u", endpoint->host, endpoint->port);
	else
		(void)snprintf(text, size, "%s:%u", endpoint->host, endpoint->port);
}

bool
seal_endpoint_is_local(const struct seal_endpoint *endpoint)
{
	struct in6_addr ip6;
	struct in_addr ip;

	if (endpoint->is_unix)
		return true;
	if (is_literal_v4(endpoint->host, &ip))
		return (ntohl(ip.s_addr) >> 24) == IN_LOOPBACKNET;
	return is_literal_v6(endpoint->host, &ip6) && IN6_IS_ADDR_LOOPBACK(&ip6);
}

static int
unix_addr(const struct seal_endpoint *endpoint, struct sockaddr_storage *ret_addr,
	  socklen_t *ret_len, struct seal_err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(endpoint->host);

	if (len == 0 || len >= sizeof(un.sun_path))
		return seal_fail(err, SEAL_E_LIMIT, "the path of a unix socket has 1 to %zu bytes",
				 sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, endpoint->host, len + 1);
	memset(ret_addr, 0, sizeof(*ret_addr));
	memcpy(ret_addr, &un, sizeof(un));
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return 0;
}

int
seal_endpoint_addr(const struct seal_endpoint *endpoint, struct sockaddr_storage *ret_addr,
		   socklen_t *ret_len, struct seal_err *err)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(endpoint->port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(endpoint->port) };

	if (endpoint->is_unix)
		return unix_addr(endpoint, ret_addr, ret_len, err);
	if (is_literal_v4(endpoint->host, &in.sin_addr)) {
		memset(ret_addr, 0, sizeof(*ret_addr));
		memcpy(ret_addr, &in, sizeof(in));
		*ret_len = sizeof(in);
		return 0;
	}
	if (is_literal_v6(endpoint->host, &in6.sin6_addr)) {
		memset(ret_addr, 0, sizeof(*ret_addr));
		memcpy(ret_addr, &in6, sizeof(in6));
		*ret_len = sizeof(in6);
		return 0;
	}
	return seal_fail(err, SEAL_E_FORMAT, "'%s' is a name, an address is needed",
			 endpoint->host);
}

static bool
set_number(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static bool
set_flag(int fd, int level, int option)
{
	return set_number(fd, level, option, 1);
}

/*
 * A host that vanished sends nothing, and neither does one whose program has closed a socket that we
 * have nothing to send to: both are found out after two minutes at most (RFC 9293 section 3.8.4).
 * It passes on to accepted sockets, as TCP_NODELAY does.
 */
static bool
set_tcp(int fd)
{
	return set_flag(fd, IPPROTO_TCP, TCP_NODELAY) && set_flag(fd, SOL_SOCKET, SO_KEEPALIVE) &&
	       set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S) &&
	       set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EACH_S) &&
	       set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TIMES);
}

/* Closes fd, and returns r for the caller to return. */
static int
give_up(int fd, int r)
{
	(void)close(fd); /* nothing was written that could be lost */
	return r;
}

static int
bind_failure(int errnum, const char *text, struct seal_err *err)
{
	switch (errnum) {
	case EADDRINUSE:
		return seal_fail(err, SEAL_E_CONFLICT,
				 "%s is in use: stop the program that listens "
				 "there or choose another port",
				 text);
	case EADDRNOTAVAIL:
		return seal_fail(err, SEAL_E_MISSING, "%s is not an address of this machine", text);
	default:
		return seal_fail_errno(err, errnum, "cannot listen on %s", text);
	}
}

/*
 * An IPv6 listener serves IPv6 only, whatever the system's default: an address means what it says,
 * and peers never show up as v4-mapped.
 */
static int
bind_tcp(const struct sockaddr_storage *addr, socklen_t len, const char *text, struct seal_err *err)
{
	int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot make a socket for %s", text);
	if (!set_flag(fd, SOL_SOCKET, SO_REUSEADDR) || !set_tcp(fd) ||
	    (addr->ss_family == AF_INET6 && !set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY)))
		return give_up(fd,
			       seal_fail_errno(err, errno, "cannot set up a socket for %s", text));
	if (bind(fd, (const struct sockaddr *)addr, len) < 0)
		return give_up(fd, bind_failure(errno, text, err));
	return fd;
}

/*
 * Something is at our path.  Only a socket nobody listens on any more may go: everything else, and
 * every doubt, is a conflict.
 */
static int
remove_stale(const struct sockaddr_storage *addr, socklen_t len, const char *path,
	     struct seal_err *err)
{
	struct stat st;
	bool is_dead;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : seal_fail_errno(err, errno, "cannot look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return seal_fail(err, SEAL_E_CONFLICT,
				 "%s exists and is not a socket: remove it or "
				 "choose another path",
				 path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot make a socket");
	is_dead = connect(fd, (const struct sockaddr *)addr, len) < 0 && errno == ECONNREFUSED;
	(void)close(fd); /* nothing was written that could be lost */
	if (!is_dead)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "%s is in use: another program listens there", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return seal_fail_errno(err, errno, "cannot remove the stale socket %s", path);
	return 0;
}

/*
 * The mode is put on the socket before it has a name, so that it is never more open than asked; the
 * umask can only have taken from it, and chmod makes up for that.
 */
static int
bind_unix(const struct sockaddr_storage *addr, socklen_t len, const char *path, unsigned mode,
	  struct seal_err *err)
{
	int fd;
	int r = remove_stale(addr, len, path, err);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot make a socket for %s", path);
	if (fchmod(fd, (mode_t)mode) < 0)
		return give_up(fd, seal_fail_errno(err, errno, "cannot set the mode of %s", path));
	if (bind(fd, (const struct sockaddr *)addr, len) < 0)
		return give_up(fd, bind_failure(errno, path, err));
	if (chmod(path, (mode_t)mode) < 0) {
		r = seal_fail_errno(err, errno, "cannot set the mode of %s", path);
		(void)unlink(path); /* ours, and of no use */
		return give_up(fd, r);
	}
	return fd;
}

int
seal_bind(const struct seal_endpoint *endpoint, unsigned mode, struct seal_err *err)
{
	char text[SEAL_HOSTNAME_MAX + 16];
	struct sockaddr_storage addr;
	socklen_t len;
	int r = seal_endpoint_addr(endpoint, &addr, &len, err);

	if (r < 0)
		return r;
	seal_endpoint_format(endpoint, text);
	return endpoint->is_unix ? bind_unix(&addr, len, endpoint->host, mode, err)
				 : bind_tcp(&addr, len, text, err);
}

static bool
stat_socket(const struct seal_endpoint *endpoint, struct stat *ret_st)
{
	return endpoint->is_unix && lstat(endpoint->host, ret_st) == 0 && S_ISSOCK(ret_st->st_mode);
}

void
seal_socket_file_note(struct seal_socket_file *ret_file, const struct seal_endpoint *endpoint)
{
	struct stat st;

	*ret_file = (struct seal_socket_file){ 0 };
	if (stat_socket(endpoint, &st))
		*ret_file = (struct seal_socket_file){ .device = st.st_dev, .inode = st.st_ino };
}

void
seal_socket_file_remove(struct seal_socket_file *file, const struct seal_endpoint *endpoint)
{
	struct stat st;

	if (file->inode != 0 && stat_socket(endpoint, &st) && st.st_dev == file->device &&
	    st.st_ino == file->inode)
		(void)unlink(endpoint->host); /* what cannot go is stale, and replaced later */
	*file = (struct seal_socket_file){ 0 };
}

int
seal_bind_listen(const struct seal_endpoint *endpoint, int fd, struct seal_err *err)
{
	char text[SEAL_HOSTNAME_MAX + 16];

	if ((endpoint->is_unix || set_flag(fd, SOL_SOCKET, SO_REUSEADDR)) &&
	    listen(fd, LISTEN_BACKLOG) == 0)
		return 0;
	seal_endpoint_format(endpoint, text);
	return bind_failure(errno, text, err);
}

/* One that does not listen must not be shut down: what it would accept later would be born so. */
static bool
is_listening(int fd)
{
	int listens = 1;
	socklen_t len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || listens != 0;
}

/*
 * Linux lets a listening socket be shut down and listen again.  With SO_REUSEADDR others could bind to the
 * address while nobody listens there, so it rests without.
 */
int
seal_bind_rest(const struct seal_endpoint *endpoint, int fd, struct seal_err *err)
{
	if (endpoint->is_unix)
		return seal_fail(err, SEAL_E_BUG, "a unix socket cannot rest");
	if (!set_number(fd, SOL_SOCKET, SO_REUSEADDR, 0) ||
	    (is_listening(fd) && shutdown(fd, SHUT_RDWR) < 0))
		return seal_fail_errno(err, errno, "cannot stop listening");
	return 0;
}

int
seal_listen(const struct seal_endpoint *endpoint, unsigned mode, struct seal_err *err)
{
	int fd = seal_bind(endpoint, mode, err);
	int r;

	if (fd < 0)
		return fd;
	r = seal_bind_listen(endpoint, fd, err);
	if (r == 0)
		return fd;
	if (endpoint->is_unix)
		(void)unlink(endpoint->host); /* ours, and of no use */
	return give_up(fd, r);
}

/*
 * What we ran out of ourselves is a limit, whoever we wanted to speak to; all else is their failure or
 * the way's.  EADDRNOTAVAIL is told when all our ports are taken, and when no address of ours leads there.
 */
static int
connect_failure(int errnum, const char *text, struct seal_err *err)
{
	switch (errnum) {
	case EMFILE:
	case ENFILE:
		return seal_fail(err, SEAL_E_LIMIT, "no descriptor is left for a socket");
	case ENOBUFS:
	case ENOMEM:
		return seal_fail(err, SEAL_E_LIMIT, "the system has no memory for a connection");
	case EADDRNOTAVAIL:
		return seal_fail(err, SEAL_E_LIMIT,
				 "no port or address of ours is left to connect from");
	default:
		return seal_fail_errno(err, errnum, "cannot connect%s%s",
				       text[0] != '\0' ? " to " : "", text);
	}
}

int
seal_connect(const struct sockaddr *addr, socklen_t len, struct seal_err *err)
{
	char text[SEAL_ADDR_TEXT_MAX];
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd >= 0 && (addr->sa_family == AF_UNIX || set_tcp(fd)) &&
	    (connect(fd, addr, len) == 0 || errno == EINPROGRESS))
		return fd;
	r = errno;
	seal_addr_format(addr, len, text);
	r = connect_failure(r, text, err);
	return fd < 0 ? r : give_up(fd, r);
}

int
seal_connect_result(int fd, struct seal_err *err)
{
	int outcome = 0;
	socklen_t len = sizeof(outcome);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &outcome, &len) < 0)
		outcome = errno;
	return outcome == 0 ? 0 : connect_failure(outcome, "", err);
}

/* What accept reports about the connection it would have returned: try the next one. */
static bool
is_others_failure(int errnum)
{
	switch (errnum) {
	case EINTR:
	case ECONNABORTED:
	case EPERM: /* a firewall rule */
	case EPROTO:
	case ENOPROTOOPT:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

int
seal_accept(int fd, struct sockaddr_storage *ret_addr, socklen_t *ret_len, struct seal_err *err)
{
	for (int i = 0; i < ACCEPT_TRIES; i++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t len = sizeof(addr);
		int peer =
			accept4(fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (peer >= 0) {
			*ret_addr = addr;
			*ret_len = len;
			return peer;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return SEAL_E_TIMEOUT;
		if (!is_others_failure(errno))
			return seal_fail_errno(err, errno, "cannot accept");
	}
	return SEAL_E_TIMEOUT; /* the descriptor stays readable, the loop comes back */
}

void
seal_reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now,
			 sizeof(now)); /* a unix socket just closes */
	(void)close(fd);
}

void
seal_addr_format(const struct sockaddr *addr, socklen_t len, char text[static SEAL_ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		(void)inet_ntop(AF_INET, &in.sin_addr, ip, sizeof(ip)); /* ip is long enough */
		(void)snprintf(text, SEAL_ADDR_TEXT_MAX, "%s:%u", ip, ntohs(in.sin_port));
	} else if (addr->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, addr, sizeof(in6));
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof(ip));
		(void)snprintf(text, SEAL_ADDR_TEXT_MAX, "[%s]:%u", ip, ntohs(in6.sin6_port));
	} else {
		/* A client's unix socket has no name of its own, and the listener's is known. */
		(void)snprintf(text, SEAL_ADDR_TEXT_MAX, "%s",
			       addr->sa_family == AF_UNIX ? "unix" : "?");
	}
}

uint16_t
seal_listen_port(int fd)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return 0;
	if (addr.ss_family == AF_INET) {
		memcpy(&in, &addr, sizeof(in));
		return ntohs(in.sin_port);
	}
	if (addr.ss_family == AF_INET6) {
		memcpy(&in6, &addr, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	return 0;
}
