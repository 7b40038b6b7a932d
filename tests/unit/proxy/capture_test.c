/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capture's rules as text, and then for real: a pod and the world outside it, each a network
 * namespace, joined by a pair of virtual interfaces.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "proxy/address.h"
#include "proxy/capture.h"
#include "tests/support/child.h"

#define CAPTURE_PORT 15006
#define POD_V4       "10.9.0.1"
#define POD_V6       "fd09::1"
#define POD_V4_ALIAS "10.9.0.5"

static uint16_t allowed[] = { 22 };

static struct seal_endpoint
at(const char *text)
{
	struct seal_endpoint endpoint = { 0 };
	struct seal_err err = { 0 };

	if (seal_endpoint_parse(&endpoint, text, NULL, &err) < 0)
		abort(); /* a broken test */
	return endpoint;
}

/* Every kind of listener; the index of one is its place here. */
enum {
	BOUND,
	CAPTURED,
	OUTBOUND,
	PUBLIC,
	ONE_ADDRESS,
	V6_CAPTURED,
	SOCKET,
	LOCAL,
	LOOP, /* what no configuration may say: the capture captured */
	V6_LOOP,
	N_LISTENERS
};

static struct proxy_config *
make_config(void)
{
	static struct proxy_listener_config listeners[N_LISTENERS];
	static struct proxy_config config;

	listeners[BOUND] = (struct proxy_listener_config){ .listen = at("0.0.0.0:8443") };
	listeners[CAPTURED] =
		(struct proxy_listener_config){ .listen = at("0.0.0.0:8080"), .captured = true };
	listeners[OUTBOUND] = (struct proxy_listener_config){ .direction = PROXY_OUTBOUND,
							      .listen = at("0.0.0.0:5432") };
	listeners[PUBLIC] = (struct proxy_listener_config){ .direction = PROXY_PUBLIC,
							    .listen = at("[2001:db8::7]:443") };
	listeners[ONE_ADDRESS] =
		(struct proxy_listener_config){ .listen = at(POD_V4 ":8081"), .captured = true };
	listeners[V6_CAPTURED] =
		(struct proxy_listener_config){ .listen = at("[::]:8080"), .captured = true };
	listeners[SOCKET] = (struct proxy_listener_config){ .listen = at("unix:/run/in.sock") };
	listeners[LOCAL] = (struct proxy_listener_config){ .listen = at("127.0.0.1:8444") };
	listeners[LOOP] =
		(struct proxy_listener_config){ .listen = at("0.0.0.0:15006"), .captured = true };
	listeners[V6_LOOP] =
		(struct proxy_listener_config){ .listen = at("[::]:15006"), .captured = true };
	config = (struct proxy_config){
		.listeners = listeners,
		.listener_count = N_LISTENERS,
		.capture = { .enabled = true,
			     .listen = at("0.0.0.0:15006"),
			     .allow = allowed,
			     .allow_count = 1 },
		.has_health = true,
		.health = at("0.0.0.0:9090"),
		.has_metrics = true,
		.metrics = at("127.0.0.1:9091"),
	};
	return &config;
}

static char *
rules_of(const struct proxy_config *config)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		abort();
	proxy_capture_rules(config, out);
	(void)fclose(out); /* to memory */
	return text;
}

Test(proxy_capture, leaves_alone_what_is_bound_health_and_what_is_allowed_and_redirects_the_rest)
{
	char *text = rules_of(make_config());

	cr_expect_str_eq(strstr(text, "add table"),
			 "add table inet seal\n"
			 "delete table inet seal\n"
			 "table inet seal {\n"
			 "\tchain capture {\n"
			 "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
			 "\t\tiifname \"lo\" return\n"
			 "\t\tmeta l4proto != tcp return\n"
			 "\t\tmeta nfproto ipv4 tcp dport 8443 return\n"
			 "\t\tip6 daddr 2001:db8::7 tcp dport 443 return\n"
			 "\t\tmeta nfproto ipv4 tcp dport 9090 return\n"
			 "\t\ttcp dport 22 return\n"
			 "\t\tmeta l4proto tcp redirect to :15006\n"
			 "\t}\n"
			 "}\n");
	free(text);
}

Test(proxy_capture, says_what_it_does_not_do_and_how_to_undo_it)
{
	char *text = rules_of(make_config());

	cr_expect_not_null(strstr(text, "# NOT captured: UDP"));
	cr_expect_not_null(strstr(text, "# To undo: nft delete table inet seal\n"));
	free(text);
}

Test(proxy_capture, a_health_port_on_loopback_is_not_opened)
{
	struct proxy_config *config = make_config();
	char *text;

	config->health = at("127.0.0.1:9090");
	text = rules_of(config);
	cr_expect_null(strstr(text, "9090"));
	free(text);
	config->health = at("0.0.0.0:9090");
	config->has_health = false;
	text = rules_of(config);
	cr_expect_null(strstr(text, "9090"));
	free(text);
}

static int
connected_pair(int pair[static 2], struct seal_err *err)
{
	const struct seal_endpoint endpoint = at("127.0.0.1:0");
	SEAL_SCOPED(seal_closep) int listening = seal_listen(&endpoint, 0, err);
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (listening < 0 || getsockname(listening, (struct sockaddr *)&addr, &len) < 0)
		return -1;
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(pair[0], (const struct sockaddr *)&addr, len) < 0)
		return -1;
	pair[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	return pair[1] < 0 ? -1 : 0;
}

Test(proxy_capture, a_connection_nobody_redirected_belongs_to_no_listener)
{
	int pair[2] = { -1, -1 };
	struct seal_err err = { 0 };
	size_t listener = 77;

	cr_assert_eq(connected_pair(pair, &err), 0);
	cr_expect_eq(proxy_capture_route(make_config(), pair[1], &listener, &err), SEAL_E_REFUSED,
		     "%s", err.text);
	cr_expect_eq(listener, 77);
	seal_close(pair[0]);
	seal_close(pair[1]);
}

Test(proxy_capture, what_is_no_tcp_connection_belongs_to_no_listener)
{
	int pair[2] = { -1, -1 };
	struct seal_err err = { 0 };
	struct sockaddr_storage addr;
	size_t listener = 77;
	socklen_t len;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_expect_eq(proxy_capture_route(make_config(), pair[1], &listener, &err), SEAL_E_REFUSED);
	cr_expect_lt(proxy_capture_route(make_config(), -1, &listener, &err), 0);
	cr_expect_eq(listener, 77);
	len = 77;
	cr_expect_eq(proxy_capture_original(pair[1], &addr, &len, &err), SEAL_E_REFUSED);
	cr_expect_eq(len, 77);
	seal_close(pair[0]);
	seal_close(pair[1]);
}

/* ---- for real ------------------------------------------------------------------------------- */

/* In the child: run a command; its output is shown when it fails. */
SEAL_PRINTF(1, 2)
static bool
run(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command) == 0; /* NOLINT(cert-env33-c): a test, of constant commands */
}

static bool
load_rules(const struct proxy_config *config)
{
	FILE *nft = popen("nft -f -", "we"); /* NOLINT(cert-env33-c) */

	if (nft == NULL)
		return false;
	proxy_capture_rules(config, nft);
	return pclose(nft) == 0;
}

static void
list_rules(char *text, size_t size)
{
	FILE *nft = popen("nft list ruleset", "re"); /* NOLINT(cert-env33-c) */

	MUST(nft != NULL);
	text[fread(text, 1, size - 1, nft)] = '\0';
	MUST(pclose(nft) == 0);
}

/* Where to connect to; an answer is 0 or errno. */
struct wish {
	char host[INET6_ADDRSTRLEN];
	uint16_t port;
};

static int
grant(const struct wish *wish)
{
	SEAL_SCOPED(seal_closep) int fd = -1;
	struct sockaddr_storage addr;
	struct seal_endpoint endpoint = { .port = wish->port };
	const struct timeval patience = { .tv_sec = 5 };
	socklen_t len;

	memcpy(endpoint.host, wish->host, sizeof(wish->host));
	if (seal_endpoint_addr(&endpoint, &addr, &len, NULL) < 0)
		return EINVAL;
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return connect(fd, (const struct sockaddr *)&addr, len) == 0 ? 0 : errno;
}

/* The world outside: a namespace of its own, connecting on demand until nobody asks any more. */
static void
be_outside(int ask)
{
	struct wish wish;
	int answer = unshare(CLONE_NEWNET);

	while (write(ask, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) &&
	       read(ask, &wish, sizeof(wish)) == (ssize_t)sizeof(wish))
		answer = grant(&wish);
	_exit(0);
}

static int ask_outside = -1;

static void
start_outside(void)
{
	int answer = -1;
	int pair[2];
	pid_t pid;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		(void)close(pair[0]);
		be_outside(pair[1]);
	}
	(void)close(pair[1]);
	ask_outside = pair[0];
	MUST(read(ask_outside, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) && answer == 0);
	MUST(run("ip link set lo up && ip link add in type veth peer name out netns %d && "
		 "ip address add " POD_V4 "/24 dev in && ip address add " POD_V4_ALIAS
		 "/24 dev in && ip address add " POD_V6 "/64 dev in nodad && ip link set in up",
		 pid));
	MUST(run("nsenter -t %d -n sh -c 'ip address add 10.9.0.2/24 dev out && "
		 "ip address add fd09::2/64 dev out nodad && ip link set out up'",
		 pid));
}

static int
connect_outside(const char *host, uint16_t port)
{
	struct wish wish = { .port = port };
	int answer = -1;

	memcpy(wish.host, host, strlen(host));
	MUST(write(ask_outside, &wish, sizeof(wish)) == (ssize_t)sizeof(wish));
	MUST(read(ask_outside, &answer, sizeof(answer)) == (ssize_t)sizeof(answer));
	return answer;
}

static struct pollfd doors[16];
static nfds_t door_count;

static int
open_door(const char *text)
{
	const struct seal_endpoint endpoint = at(text);
	struct seal_err err = { 0 };
	int fd = seal_listen(&endpoint, 0, &err);

	MUST(fd >= 0);
	doors[door_count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	return fd;
}

/* Accept the connection that must be waiting; which door it came to. */
static int
come_in(int *ret_door)
{
	MUST(poll(doors, door_count, 5000) == 1);
	for (nfds_t i = 0; i < door_count; i++)
		if (doors[i].revents != 0) {
			*ret_door = doors[i].fd;
			return accept4(doors[i].fd, NULL, NULL, SOCK_CLOEXEC);
		}
	return -1;
}

/* What an application is told is where they were going, not where we took them. */
static bool
was_going_to(int fd, const char *host, uint16_t port)
{
	char ip[PROXY_ADDRESS_TEXT_MAX];
	struct proxy_address address;
	struct sockaddr_storage addr;
	socklen_t len;

	if (proxy_capture_original(fd, &addr, &len, NULL) < 0 ||
	    !proxy_address_read(&address, (const struct sockaddr *)&addr, len))
		return false;
	proxy_address_format_ip(&address, ip);
	return strcmp(ip, host) == 0 && address.port == port;
}

/* From outside to host and port: at which door, and what the capture makes of it. */
static int
routed(const struct proxy_config *config, const char *host, uint16_t port, int *ret_door,
       size_t *ret_listener)
{
	struct seal_err err = { 0 };
	int fd, r;

	MUST(connect_outside(host, port) == 0);
	fd = come_in(ret_door);
	MUST(fd >= 0);
	r = proxy_capture_route(config, fd, ret_listener, &err);
	if (r == 0)
		MUST(was_going_to(fd, host, port));
	(void)close(fd);
	return r;
}

static const struct {
	const char *host;
	uint16_t port;
	int verdict;
	size_t listener;
} routes[] = {
	{ POD_V4, 8080, 0, CAPTURED },
	{ POD_V4_ALIAS, 8080, 0, CAPTURED },
	{ POD_V6, 8080, 0, V6_CAPTURED },
	{ POD_V4, 8081, 0, ONE_ADDRESS },
	{ POD_V4_ALIAS, 8081, SEAL_E_REFUSED, 0 }, /* declared for another address */
	{ POD_V6, 8081, SEAL_E_REFUSED, 0 },
	{ POD_V4, 9999, SEAL_E_REFUSED, 0 },         /* an application, not declared */
	{ POD_V4, 5432, SEAL_E_REFUSED, 0 },         /* an outbound listener */
	{ POD_V6, 8443, SEAL_E_REFUSED, 0 },         /* bound, but for IPv4 only */
	{ POD_V4, CAPTURE_PORT, SEAL_E_REFUSED, 0 }, /* the capture itself */
	{ POD_V4_ALIAS, CAPTURE_PORT, SEAL_E_REFUSED, 0 },
	{ POD_V6, CAPTURE_PORT, SEAL_E_REFUSED, 0 },
};

static void
check_routes(const struct proxy_config *config, int capture4, int capture6)
{
	for (size_t i = 0; i < SEAL_COUNT(routes); i++) {
		size_t listener = N_LISTENERS;
		int door = -1;
		int r = routed(config, routes[i].host, routes[i].port, &door, &listener);

		if (r != routes[i].verdict)
			fprintf(stderr, "%s %u: %d\n", routes[i].host, routes[i].port, r);
		MUST(r == routes[i].verdict);
		MUST(listener == (r == 0 ? routes[i].listener : N_LISTENERS));
		MUST(door == capture4 || door == capture6);
	}
}

static void
captures(void *arg)
{
	const struct proxy_config *config = make_config();
	int door = -1, bound, health, ssh, capture4, capture6;
	static char before[4096], after[4096];
	size_t listener;

	(void)arg;
	MUST(unshare(CLONE_NEWNET) == 0);
	start_outside();
	capture4 = open_door("0.0.0.0:15006");
	capture6 = open_door("[::]:15006");
	bound = open_door("0.0.0.0:8443");
	health = open_door("0.0.0.0:9090");
	ssh = open_door("0.0.0.0:22");
	MUST(open_door("0.0.0.0:8080") >= 0); /* applications, on all addresses */
	MUST(open_door("[::]:8080") >= 0);
	MUST(open_door("0.0.0.0:9999") >= 0);
	MUST(open_door("[::]:8443") >= 0);
	MUST(load_rules(config));
	check_routes(config, capture4, capture6);

	/* Left alone; and what came to nobody's capture is routed nowhere. */
	MUST(routed(config, POD_V4, 8443, &door, &listener) < 0 && door == bound);
	MUST(routed(config, POD_V4, 9090, &door, &listener) < 0 && door == health);
	MUST(routed(config, POD_V4, 22, &door, &listener) < 0 && door == ssh);
	list_rules(before, sizeof(before));
	MUST(load_rules(config));
	list_rules(after, sizeof(after));
	MUST(strstr(before, "redirect to :15006") != NULL && strcmp(before, after) == 0);
	check_routes(config, capture4, capture6);

	/* With nobody at the capture, nobody gets in: not even where an application listens. */
	(void)close(capture4);
	MUST(connect_outside(POD_V4, 8080) == ECONNREFUSED);
	MUST(connect_outside(POD_V4, 9999) == ECONNREFUSED);
}

Test(proxy_capture, from_outside_only_what_is_declared_is_reached)
{
	if (!child_may_be_root("proxy_capture/from_outside_only_what_is_declared_is_reached") ||
	    !run("command -v nft ip nsenter >/dev/null"))
		cr_skip_test("needs root, nftables and iproute2");
	cr_expect_eq(child_run(captures, NULL), 0);
}

/* An IPv4 connection on a socket of both families, and one from inside, which no rule touches. */
static void
captures_both_families(void *arg)
{
	const struct proxy_config *config = make_config();
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6,
					  .sin6_port = htons(CAPTURE_PORT) };
	size_t listener = N_LISTENERS;
	int door = -1;
	int fd;

	(void)arg;
	MUST(unshare(CLONE_NEWNET) == 0);
	start_outside();
	MUST(load_rules(config));
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 8) == 0);
	doors[door_count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	MUST(routed(config, POD_V4, 8080, &door, &listener) == 0 && listener == CAPTURED);
	MUST(routed(config, POD_V4_ALIAS, 8081, &door, &listener) == SEAL_E_REFUSED);
	MUST(routed(config, POD_V6, 8080, &door, &listener) == 0 && listener == V6_CAPTURED);
	MUST(routed(config, POD_V4, CAPTURE_PORT, &door, &listener) == SEAL_E_REFUSED);
	MUST(grant(&(struct wish){ "127.0.0.1", 8080 }) == ECONNREFUSED);
	MUST(grant(&(struct wish){ POD_V4, 8080 }) == ECONNREFUSED);
}

Test(proxy_capture, a_socket_of_both_families_is_asked_in_that_of_the_packets)
{
	if (!child_may_be_root("proxy_capture/a_socket_of_both_families") ||
	    !run("command -v nft ip nsenter >/dev/null"))
		cr_skip_test("needs root, nftables and iproute2");
	cr_expect_eq(child_run(captures_both_families, NULL), 0);
}
