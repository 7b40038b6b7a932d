/* SPDX-License-Identifier: Apache-2.0 */
/* base/loop, addresses and sockets. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop/net.h"

Test(endpoint, reads_every_way_to_write_one)
{
	static const struct {
		const char *text;
		const char *host;
		uint16_t port;
		bool is_unix;
		bool is_local;
	} rows[] = {
		{ "127.0.0.1:8080", "127.0.0.1", 8080, false, true },
		{ "127.9.9.9:1", "127.9.9.9", 1, false, true },
		{ "0.0.0.0:8443", "0.0.0.0", 8443, false, false },
		{ "128.0.0.1:65535", "128.0.0.1", 65535, false, false },
		{ "[::1]:443", "::1", 443, false, true },
		{ "[2001:db8::7]:443", "2001:db8::7", 443, false, false },
		{ "[::ffff:127.0.0.1]:443", "::ffff:127.0.0.1", 443, false, false },
		{ "db:5432", "db", 5432, false, false },
		{ "localhost:80", "localhost", 80, false, false },
		{ "db.shop.svc:8443", "db.shop.svc", 8443, false, false },
		{ "4you.example:1", "4you.example", 1, false, false },
		{ "a-b.c--d.example:1", "a-b.c--d.example", 1, false, false },
		{ "127.0.0.1:0", "127.0.0.1", 0, false, true },
		{ "8443", "10.0.0.1", 8443, false, false },
		{ "unix:/run/app.sock", "/run/app.sock", 0, true, true },
		{ "unix:/run/a:1", "/run/a:1", 0, true, true },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct seal_endpoint endpoint = { 0 };
		char text[SEAL_HOSTNAME_MAX + 16];
		struct seal_err err = { 0 };

		cr_assert_eq(seal_endpoint_parse(&endpoint, rows[i].text, "10.0.0.1", &err), 0,
			     "%s: %s", rows[i].text, err.text);
		cr_expect_str_eq(endpoint.host, rows[i].host);
		cr_expect_eq(endpoint.port, rows[i].port, "%s", rows[i].text);
		cr_expect_eq(endpoint.is_unix, rows[i].is_unix, "%s", rows[i].text);
		cr_expect_eq(seal_endpoint_is_local(&endpoint), rows[i].is_local, "%s",
			     rows[i].text);
		seal_endpoint_format(&endpoint, text);
		if (strchr(rows[i].text, ':') != NULL)
			cr_expect_str_eq(text, rows[i].text);
	}
}

Test(endpoint, refuses_what_nobody_can_mean)
{
	static const char *const rows[] = {
		"",
		":1",
		"host",
		"host:",
		"host:x",
		"host:-1",
		"host:+1",
		"host: 1",
		"host:65536",
		"host:1 ",
		"host:99999999999999999999",
		"::1:443",
		"::1",
		"[::1]",
		"[::1]443",
		"[]:443",
		"[host]:443",
		"[127.0.0.1]:1",
		"[::1:443",
		"::1]:443",
		"1.2.3:80",
		"1.2.3.4.5:80",
		"256.0.0.1:80",
		"1.2.3.04:80",
		"host_name:80",
		"Host:80",
		"-host:80",
		"host-:80",
		"a..b:80",
		".a:80",
		"a.:80",
		"a.-b:80",
		"a-.b:80",
		"*:80",
		"ho st:80",
		"h\xc3\xa9:80",
		"http://host:80",
		"user@host:80",
		"host:80/path",
		"unix:",
		"unix:relative",
		"unix:/a\nb",
		"[fe80::1%1]:80",
		"unix",
	};
	char text[400];

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct seal_endpoint endpoint = { .port = 7 };
		struct seal_err err = { 0 };

		cr_expect_lt(seal_endpoint_parse(&endpoint, rows[i], NULL, &err), 0, "'%s'",
			     rows[i]);
		cr_expect_eq(endpoint.port, 7, "'%s' changed the output", rows[i]);
		cr_expect_gt(strlen(err.text), 0);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text + SEAL_HOSTNAME_MAX + 1, ":80", 4);
	cr_expect_lt(seal_endpoint_parse(&(struct seal_endpoint){ 0 }, text, NULL, NULL), 0);
	memcpy(text + 64, ":80", 4);
	cr_expect_lt(seal_endpoint_parse(&(struct seal_endpoint){ 0 }, text, NULL, NULL), 0,
		     "a label of 64 letters");
	memcpy(text + 63, ":80", 4);
	cr_expect_eq(seal_endpoint_parse(&(struct seal_endpoint){ 0 }, text, NULL, NULL), 0);
	memset(text, 'a', sizeof(text));
	memcpy(text, "unix:/", 6);
	text[5 + 107] = '\0';
	cr_expect_eq(seal_endpoint_parse(&(struct seal_endpoint){ 0 }, text, NULL, NULL), 0);
	text[5 + 107] = 'a';
	text[5 + 108] = '\0';
	cr_expect_eq(seal_endpoint_parse(&(struct seal_endpoint){ 0 }, text, NULL, NULL),
		     SEAL_E_LIMIT);
}

Test(endpoint, a_name_has_no_address_here)
{
	struct seal_endpoint endpoint = { .host = "db", .port = 1 };
	struct sockaddr_storage addr;
	socklen_t len = 99;

	cr_expect_eq(seal_endpoint_addr(&endpoint, &addr, &len, NULL), SEAL_E_FORMAT);
	cr_expect_eq(len, 99);
}

static struct seal_endpoint
at(const char *text)
{
	struct seal_endpoint endpoint;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_endpoint_parse(&endpoint, text, NULL, &err), 0, "%s", err.text);
	return endpoint;
}

static int
listen_at(const char *text, unsigned mode)
{
	struct seal_endpoint endpoint = at(text);
	struct seal_err err = { 0 };
	int fd = seal_listen(&endpoint, mode, &err);

	cr_assert_geq(fd, 0, "%s", err.text);
	return fd;
}

static void
expect_flags(int fd)
{
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static bool
has_nodelay(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 && on != 0;
}

static void
wait_for(int fd, short what)
{
	struct pollfd poller = { .fd = fd, .events = what };

	cr_assert_eq(poll(&poller, 1, 5000), 1);
}

static int
connect_to(const struct seal_endpoint *endpoint, struct seal_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;

	cr_assert_eq(seal_endpoint_addr(endpoint, &addr, &len, NULL), 0);
	return seal_connect((struct sockaddr *)&addr, len, err);
}

Test(net, connects_to_what_listens)
{
	struct seal_endpoint endpoint = at("127.0.0.1:0");
	int listener = listen_at("127.0.0.1:0", 0);
	struct sockaddr_storage addr;
	char text[SEAL_ADDR_TEXT_MAX];
	socklen_t len;
	int client, server;

	endpoint.port = seal_listen_port(listener);
	cr_expect_neq(endpoint.port, 0);
	cr_expect_eq(seal_accept(listener, &addr, &len, NULL), SEAL_E_TIMEOUT);
	client = connect_to(&endpoint, NULL);
	cr_assert_geq(client, 0);
	wait_for(client, POLLOUT);
	cr_expect_eq(seal_connect_result(client, NULL), 0);
	wait_for(listener, POLLIN);
	server = seal_accept(listener, &addr, &len, NULL);
	cr_assert_geq(server, 0);
	seal_addr_format((struct sockaddr *)&addr, len, text);
	cr_expect_eq(strncmp(text, "127.0.0.1:", 10), 0, "%s", text);
	expect_flags(listener);
	expect_flags(client);
	expect_flags(server);
	cr_expect(has_nodelay(client));
	cr_expect(has_nodelay(server));
	close(server);
	close(client);
	close(listener);
}

static int
option_of(int fd, int level, int option)
{
	socklen_t len = sizeof(int);
	int value = -1;

	cr_assert_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static void
expect_kept_alive(int fd, const char *which)
{
	cr_expect_eq(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1, "%s", which);
	cr_expect_leq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
			      option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL) *
				      option_of(fd, IPPROTO_TCP, TCP_KEEPCNT),
		      120, "%s", which);
	cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1, "%s", which);
}

Test(net, asks_silent_connections_of_both_kinds_whether_somebody_is_there)
{
	struct seal_endpoint endpoint;
	struct seal_err err = { 0 };
	struct sockaddr_storage addr;
	struct pollfd wanted = { .events = POLLIN };
	socklen_t len;
	int ends[2];

	cr_assert_eq(seal_endpoint_parse(&endpoint, "127.0.0.1:0", NULL, &err), 0);
	wanted.fd = seal_listen(&endpoint, 0, &err);
	cr_assert_geq(wanted.fd, 0, "%s", err.text);
	endpoint.port = seal_listen_port(wanted.fd);
	cr_assert_eq(seal_endpoint_addr(&endpoint, &addr, &len, &err), 0);
	ends[0] = seal_connect((struct sockaddr *)&addr, len, &err);
	cr_assert_geq(ends[0], 0, "%s", err.text);
	cr_assert_eq(poll(&wanted, 1, 5000), 1);
	ends[1] = seal_accept(wanted.fd, &addr, &len, &err);
	cr_assert_geq(ends[1], 0, "%s", err.text);
	expect_kept_alive(ends[0], "connected");
	expect_kept_alive(ends[1], "accepted");
	close(ends[0]);
	close(ends[1]);
	close(wanted.fd);
}

Test(net, says_that_nobody_listens)
{
	struct seal_endpoint endpoint = at("127.0.0.1:0");
	int listener = listen_at("127.0.0.1:0", 0);
	struct seal_err err = { 0 };
	int client;

	endpoint.port = seal_listen_port(listener);
	close(listener);
	client = connect_to(&endpoint, &err);
	if (client >= 0) {
		wait_for(client, POLLOUT);
		cr_expect_lt(seal_connect_result(client, &err), 0);
		close(client);
	}
	cr_expect_not_null(strstr(err.text, "refused"), "%s", err.text);
}

Test(net, says_that_a_port_is_in_use)
{
	int listener = listen_at("127.0.0.1:0", 0);
	struct seal_endpoint endpoint = at("127.0.0.1:0");
	struct seal_err err = { 0 };

	endpoint.port = seal_listen_port(listener);
	cr_expect_eq(seal_listen(&endpoint, 0, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "in use"), "%s", err.text);
	close(listener);
}

Test(net, refuses_to_listen_where_it_cannot)
{
	struct seal_endpoint foreign = at("192.0.2.1:0"); /* RFC 5737: nobody's */
	struct seal_endpoint name = at("db:80");
	struct seal_endpoint nowhere = at("unix:/no/such/folder/sock");
	struct seal_err err = { 0 };

	cr_expect_eq(seal_listen(&foreign, 0, &err), SEAL_E_MISSING);
	cr_expect_not_null(strstr(err.text, "not an address of this machine"), "%s", err.text);
	cr_expect_eq(seal_listen(&name, 0, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_listen(&nowhere, 0600, NULL), SEAL_E_MISSING);
}

Test(net, a_listener_at_rest_turns_everybody_away_and_keeps_its_address)
{
	struct seal_endpoint endpoint = { .host = "127.0.0.1" };
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	struct seal_err err = { 0 };
	int fd = seal_bind(&endpoint, 0, &err);
	int waiting = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	/* A port that was asked for: one that the kernel chose is lost with the queue. */
	cr_assert_geq(fd, 0, "%s", err.text);
	endpoint.port = seal_listen_port(fd);
	close(fd);
	fd = seal_listen(&endpoint, 0, &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert_eq(seal_endpoint_addr(&endpoint, &addr, &len, &err), 0);
	for (int i = 0; i < 3; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0);
		int accepted;

		cr_assert_eq(connect(waiting, (struct sockaddr *)&addr, len), 0);
		cr_assert_eq(seal_bind_rest(&endpoint, fd, &err), 0, "%s", err.text);
		cr_assert_eq(seal_bind_rest(&endpoint, fd, &err), 0, "it rests already");
		cr_expect_leq(recv(waiting, &byte, 1, 0), 0, "still in the queue");
		close(waiting);
		waiting = socket(AF_INET, SOCK_STREAM, 0);
		cr_expect_eq(connect(waiting, (struct sockaddr *)&addr, len), -1);
		cr_expect_eq(errno, ECONNREFUSED);
		cr_expect_eq(seal_bind(&endpoint, 0, &err), SEAL_E_CONFLICT, "others can have it");
		cr_assert_eq(seal_bind_listen(&endpoint, fd, &err), 0, "%s", err.text);
		cr_expect_eq(seal_listen_port(fd), endpoint.port);
		cr_assert_eq(connect(client, (struct sockaddr *)&addr, len), 0);
		accepted = seal_accept(fd, &addr, &len, &err);
		cr_assert_geq(accepted, 0, "%s", err.text);
		cr_expect_eq(send(client, "x", 1, 0), 1);
		cr_expect_eq(fcntl(accepted, F_SETFL, 0), 0);
		cr_expect_eq(recv(accepted, &byte, 1, 0), 1, "born deaf");
		close(accepted);
		close(client);
		cr_assert_eq(seal_endpoint_addr(&endpoint, &addr, &len, &err), 0);
	}
	close(waiting);
	close(fd);
}

Test(net, an_ipv6_listener_serves_ipv6_only)
{
	struct seal_endpoint v6 = at("[::]:0");
	struct seal_endpoint v4 = at("0.0.0.0:0");
	int six = seal_listen(&v6, 0, NULL);
	int four;

	if (six < 0)
		cr_skip_test("no IPv6 on this machine");
	v4.port = seal_listen_port(six);
	four = seal_listen(&v4, 0, NULL);
	cr_expect_geq(four, 0, "both may listen on one port");
	close(four);
	close(six);
}

struct folder {
	char path[64];
	char text[96]; /* the endpoint of a socket in it */
	char sock[80];
};

static struct folder
make_folder(void)
{
	struct folder folder = { .path = "/tmp/seal-net-XXXXXX" };

	cr_assert_not_null(mkdtemp(folder.path));
	(void)snprintf(folder.sock, sizeof(folder.sock), "%s/s", folder.path);
	(void)snprintf(folder.text, sizeof(folder.text), "unix:%s", folder.sock);
	return folder;
}

static void
remove_folder(const struct folder *folder)
{
	(void)unlink(folder->sock);
	cr_expect_eq(rmdir(folder->path), 0);
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

Test(net, a_unix_socket_has_exactly_the_mode_asked_for)
{
	struct folder folder = make_folder();
	int listener;

	umask(077);
	listener = listen_at(folder.text, 0660);
	cr_expect_eq(mode_of(folder.sock), 0660);
	close(listener);
	unlink(folder.sock);
	umask(0);
	listener = listen_at(folder.text, 0600);
	cr_expect_eq(mode_of(folder.sock), 0600);
	expect_flags(listener);
	close(listener);
	remove_folder(&folder);
}

Test(net, replaces_the_socket_of_a_dead_process)
{
	struct folder folder = make_folder();
	int client, listener = listen_at(folder.text, 0600);
	struct seal_endpoint endpoint = at(folder.text);
	struct sockaddr_storage addr;
	char text[SEAL_ADDR_TEXT_MAX];
	socklen_t len;
	int server;

	close(listener);
	listener = listen_at(folder.text, 0600);
	client = connect_to(&endpoint, NULL);
	cr_assert_geq(client, 0);
	server = seal_accept(listener, &addr, &len, NULL);
	cr_assert_geq(server, 0);
	seal_addr_format((struct sockaddr *)&addr, len, text);
	cr_expect_str_eq(text, "unix");
	cr_expect_eq(seal_listen_port(listener), 0);
	close(server);
	close(client);
	close(listener);
	remove_folder(&folder);
}

Test(net, removes_the_file_of_its_socket_and_no_other)
{
	struct folder folder = make_folder();
	struct seal_endpoint endpoint = at(folder.text);
	struct seal_socket_file file = { .inode = 1 };
	int listener = listen_at(folder.text, 0600);
	int other;

	seal_socket_file_note(&file, &endpoint);
	seal_socket_file_remove(&file, &endpoint);
	cr_expect_eq(access(folder.sock, F_OK), -1);
	close(listener);

	/* Another program's, which took the name over. */
	listener = listen_at(folder.text, 0600);
	seal_socket_file_note(&file, &endpoint);
	cr_assert_eq(unlink(folder.sock), 0);
	other = listen_at(folder.text, 0600);
	seal_socket_file_remove(&file, &endpoint);
	cr_expect_eq(access(folder.sock, F_OK), 0, "another's socket is gone");
	seal_socket_file_remove(&file, &endpoint);
	cr_expect_eq(access(folder.sock, F_OK), 0);
	close(listener);
	close(other);

	/* Something that is no socket at all. */
	cr_assert_eq(unlink(folder.sock), 0);
	listener = listen_at(folder.text, 0600);
	seal_socket_file_note(&file, &endpoint);
	cr_assert_eq(unlink(folder.sock), 0);
	other = open(folder.sock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_geq(other, 0);
	seal_socket_file_remove(&file, &endpoint);
	cr_expect_eq(access(folder.sock, F_OK), 0);
	close(other);
	close(listener);

	/* No file: nothing is noted, and nothing happens. */
	cr_assert_eq(seal_endpoint_parse(&endpoint, "127.0.0.1:1", NULL, NULL), 0);
	seal_socket_file_note(&file, &endpoint);
	cr_expect_eq(file.inode, 0);
	seal_socket_file_remove(&file, &endpoint);
	remove_folder(&folder);
}

Test(net, leaves_a_live_socket_alone)
{
	struct folder folder = make_folder();
	int listener = listen_at(folder.text, 0600);
	struct seal_endpoint endpoint = at(folder.text);
	struct seal_err err = { 0 };
	int client;

	cr_expect_eq(seal_listen(&endpoint, 0600, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "in use"), "%s", err.text);
	client = connect_to(&endpoint, NULL);
	cr_expect_geq(client, 0, "the first listener still answers");
	close(client);
	close(listener);
	remove_folder(&folder);
}

Test(net, never_removes_what_is_no_socket)
{
	struct folder folder = make_folder();
	struct seal_endpoint endpoint = at(folder.text);
	struct stat st;
	int fd = open(folder.sock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "precious", 8), 8);
	close(fd);
	cr_expect_eq(seal_listen(&endpoint, 0600, NULL), SEAL_E_CONFLICT);
	cr_assert_eq(lstat(folder.sock, &st), 0);
	cr_expect_eq(st.st_size, 8);
	unlink(folder.sock);
	cr_assert_eq(symlink("/nowhere", folder.sock), 0);
	cr_expect_eq(seal_listen(&endpoint, 0600, NULL), SEAL_E_CONFLICT);
	cr_expect_eq(lstat(folder.sock, &st), 0);
	remove_folder(&folder);
}

Test(net, formats_addresses)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr other = { .sa_family = AF_NETLINK };
	char text[SEAL_ADDR_TEXT_MAX];

	in.sin_addr.s_addr = inet_addr("192.0.2.1");
	cr_assert_eq(inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr), 1);
	seal_addr_format((struct sockaddr *)&in, sizeof(in), text);
	cr_expect_str_eq(text, "192.0.2.1:80");
	seal_addr_format((struct sockaddr *)&in6, sizeof(in6), text);
	cr_expect_str_eq(text, "[2001:db8::1]:443");
	seal_addr_format((struct sockaddr *)&in6, sizeof(in), text);
	cr_expect_str_eq(text, "?", "too short to be one");
	seal_addr_format(&other, sizeof(other), text);
	cr_expect_str_eq(text, "?");
}
