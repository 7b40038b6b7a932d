/* SPDX-License-Identifier: Apache-2.0 */
/* See dial_rig.h.  A test that hangs fails. */
#include "tests/unit/proxy/dial_rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define TOO_LONG_MS 8000

static uint64_t later_ms;

uint64_t __real_seal_loop_now_ms(const struct seal_loop *loop);
uint64_t __wrap_seal_loop_now_ms(const struct seal_loop *loop);

/* The linker puts this in front of the loop's clock. */
uint64_t
__wrap_seal_loop_now_ms(const struct seal_loop *loop)
{
	return __real_seal_loop_now_ms(loop) + later_ms;
}

void
dial_rig_later(uint64_t ms)
{
	later_ms += ms;
}

static int connect_fails;

int __real_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);

/* And this in front of the system's connect. */
int
__wrap_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (connect_fails == 0)
		return __real_connect(fd, addr, len);
	errno = connect_fails;
	return -1;
}

void
dial_rig_fail_connects(int errnum)
{
	connect_fails = errnum;
}

static void
lose_patience(void *arg)
{
	struct dial_rig *rig = arg;

	rig->out_of_patience = true;
	seal_loop_stop(rig->loop);
}

void
dial_rig_start(struct dial_rig *rig)
{
	*rig = (struct dial_rig){ 0 };
	later_ms = 0;
	connect_fails = 0;
	seal_log_setup("test", SEAL_LOG_ERROR, false);
	cr_assert_eq(seal_loop_new(&rig->loop, NULL), 0);
	cr_assert_eq(seal_timer_new(&rig->patience, rig->loop, lose_patience, rig, NULL), 0);
	seal_timer_arm(rig->patience, TOO_LONG_MS);
	dns_start(&rig->dns, rig->loop);
}

void
dial_rig_stop(struct dial_rig *rig)
{
	proxy_dial_free(rig->dial);
	proxy_pool_unref(rig->pool);
	for (unsigned i = 0; i < rig->socket_count; i++)
		close(rig->sockets[i]);
	dns_stop(&rig->dns);
	seal_timer_free(rig->patience);
	seal_loop_free(rig->loop);
}

/* ---- Targets ---- */

static struct sockaddr_in
make_address(const char *address, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	cr_assert_eq(inet_pton(AF_INET, address == NULL ? "127.0.0.1" : address, &in.sin_addr), 1);
	return in;
}

static int
add_socket(struct dial_rig *rig)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_lt(rig->socket_count, DIAL_RIG_SOCKETS);
	rig->sockets[rig->socket_count++] = fd;
	return fd;
}

/* A port that is taken and not listened on refuses, and nobody else can get it. */
static uint16_t
take_port(struct dial_rig *rig, const char *address, uint16_t port)
{
	struct sockaddr_in in = make_address(address, port);
	socklen_t len = sizeof(in);
	int fd = add_socket(rig);

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

uint16_t
dial_rig_refusing(struct dial_rig *rig)
{
	return take_port(rig, NULL, 0);
}

void
dial_rig_open(struct dial_rig *rig)
{
	cr_assert_eq(listen(rig->sockets[rig->socket_count - 1], 16), 0);
}

uint16_t
dial_rig_listener(struct dial_rig *rig, const char *address, uint16_t port)
{
	uint16_t taken = take_port(rig, address, port);

	dial_rig_open(rig);
	return taken;
}

/* A listener whose queue is full answers nobody, as a host that is off. */
uint16_t
dial_rig_silent(struct dial_rig *rig, const char *address)
{
	uint16_t port = take_port(rig, address, 0);
	struct sockaddr_in in = make_address(address, port);
	bool is_full = false;

	cr_assert_eq(listen(rig->sockets[rig->socket_count - 1], 0), 0);
	while (!is_full) {
		struct pollfd poll_fd = { .fd = add_socket(rig), .events = POLLOUT };

		(void)connect(poll_fd.fd, (struct sockaddr *)&in, sizeof(in));
		is_full = poll(&poll_fd, 1, 30) == 0;
	}
	return port;
}

/* ---- Pool and dial ---- */

void
dial_rig_pool(struct dial_rig *rig, const char *host, ...)
{
	struct seal_endpoint targets[PROXY_MAX_TARGETS] = { 0 };
	struct seal_err err = { 0 };
	size_t count = 0;
	va_list args;

	va_start(args, host);
	for (; host != NULL; host = va_arg(args, const char *)) {
		cr_assert_lt(count, PROXY_MAX_TARGETS);
		(void)snprintf(targets[count].host, sizeof(targets[count].host), "%s", host);
		targets[count++].port = (uint16_t)va_arg(args, int);
	}
	va_end(args);
	cr_assert_eq(proxy_pool_new(&rig->pool, rig->loop, targets, count, &err), 0, "%s",
		     err.text);
}

void
dial_rig_pool_unix(struct dial_rig *rig, const char *path)
{
	struct seal_endpoint target = { .is_unix = true };

	(void)snprintf(target.host, sizeof(target.host), "%s", path);
	cr_assert_eq(proxy_pool_new(&rig->pool, rig->loop, &target, 1, NULL), 0);
}

static void
on_dialled(void *arg, const struct proxy_dial_result *result)
{
	struct dial_rig *rig = arg;

	rig->fired++;
	rig->result = *result;
	proxy_dial_free(rig->dial); /* allowed here, and so it is done */
	rig->dial = NULL;
	seal_loop_stop(rig->loop);
}

void
dial_rig_dial(struct dial_rig *rig, uint32_t tried, uint32_t timeout_ms)
{
	const struct proxy_dial_config config = { .pool = rig->pool,
						  .tried = tried,
						  .timeout_ms = timeout_ms };

	rig->fired = 0;
	cr_assert_eq(proxy_dial_new(&rig->dial, rig->loop, &config, on_dialled, rig, NULL), 0);
	cr_assert_eq(rig->fired, 0, "called before there was a handle");
	cr_assert_not_null(rig->dial);
}

void
dial_rig_run(struct dial_rig *rig)
{
	cr_assert_eq(seal_loop_run(rig->loop, NULL), 0);
	cr_assert_not(rig->out_of_patience, "nothing happened");
}

void
dial_rig_finish(struct dial_rig *rig)
{
	dial_rig_run(rig);
	cr_assert_eq(rig->fired, 1);
	dial_rig_run_for(rig, 1);
	cr_assert_eq(rig->fired, 1, "called twice");
}

static void
stop(void *arg)
{
	struct dial_rig *rig = arg;

	seal_loop_stop(rig->loop);
}

void
dial_rig_run_for(struct dial_rig *rig, uint64_t ms)
{
	struct seal_timer *enough = NULL;

	cr_assert_eq(seal_timer_new(&enough, rig->loop, stop, rig, NULL), 0);
	seal_timer_arm(enough, ms);
	dial_rig_run(rig);
	seal_timer_free(enough);
}

struct proxy_target_status
dial_rig_status(const struct dial_rig *rig, unsigned target)
{
	struct proxy_target_status status;

	proxy_pool_status(rig->pool, target, &status);
	return status;
}

size_t
dial_rig_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	cr_assert_not_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}
