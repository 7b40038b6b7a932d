/* SPDX-License-Identifier: Apache-2.0 */
/* See rig.h. */
#include "tests/unit/proxy/rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT_S 5

static void
must(int r, const struct seal_err *err)
{
	cr_assert_eq(r, 0, "%s", err->text);
}

static void
set_limits(int fd)
{
	struct timeval limit = { .tv_sec = LIMIT_S };

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
}

static int
listen_app(uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	cr_assert_eq(listen(fd, 128), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static struct proxy_config *
make_config(enum proxy_direction direction, uint16_t target_port)
{
	struct proxy_config *config = NULL;
	struct proxy_listener_config *listener;
	struct seal_err err = { 0 };

	must(proxy_config_new(&config, &err), &err);
	listener = calloc(1, sizeof(*listener));
	listener->direction = direction;
	/* Port 0, which no real configuration may have: the tests take what is free. */
	must(seal_endpoint_parse(&listener->listen, "127.0.0.1:0", NULL, &err), &err);
	listener->targets = calloc(1, sizeof(*listener->targets));
	listener->target_count = 1;
	must(seal_endpoint_parse(&listener->targets[0], "127.0.0.1:0", NULL, &err), &err);
	listener->targets[0].port = target_port;
	config->listeners = listener;
	config->listener_count = 1;
	return config;
}

static void
on_call(void *arg)
{
	struct rig *rig = arg;

	rig->fn(rig);
	sem_post(&rig->called);
}

static void *
run(void *arg)
{
	struct rig *rig = arg;

	return seal_loop_run(rig->loop, NULL) == 0 ? NULL : arg;
}

static void
on_failed(void *arg, const struct seal_err *err)
{
	(void)arg;
	cr_assert_fail("%s", err->text);
}

void
rig_start(struct rig *rig, rig_tune_fn tune)
{
	struct seal_err err = { 0 };
	uint16_t app_port;

	*rig = (struct rig){ 0 };
	seal_log_setup("test", SEAL_LOG_ERROR, false);
	rig->ca = pki_ca("workload shop");
	sem_init(&rig->called, 0, 0);
	sem_init(&rig->drained, 0, 0);
	rig->app_fd = listen_app(&app_port);
	must(seal_loop_new(&rig->loop, &err), &err);
	must(seal_wake_new(&rig->call, rig->loop, on_call, rig, &err), &err);
	rig->configs[RIG_IN] = make_config(PROXY_INBOUND, app_port);
	rig->configs[RIG_OUT] = make_config(PROXY_OUTBOUND, 1);
	if (tune != NULL)
		tune(rig);
	must(proxy_worker_new(&rig->workers[RIG_IN], rig->loop, rig->configs[RIG_IN], on_failed,
			      rig, &err),
	     &err);
	if (rig->configs[RIG_OUT]->listeners[0].targets[0].port == 1)
		rig->configs[RIG_OUT]->listeners[0].targets[0].port =
			proxy_worker_port(rig->workers[RIG_IN], 0);
	must(proxy_worker_new(&rig->workers[RIG_OUT], rig->loop, rig->configs[RIG_OUT], on_failed,
			      rig, &err),
	     &err);
	cr_assert_eq(pthread_create(&rig->thread, NULL, run, rig), 0);
	rig_identify(rig, RIG_IN, "db", "web");
	rig_identify(rig, RIG_OUT, "web", "db");
}

static void
stop_loop(struct rig *rig)
{
	seal_loop_stop(rig->loop);
}

void
rig_stop(struct rig *rig)
{
	void *failed = NULL;

	rig_call(rig, stop_loop);
	pthread_join(rig->thread, &failed);
	cr_expect_null(failed);
	for (size_t i = 0; i < RIG_SIDES; i++) {
		proxy_worker_free(rig->workers[i]);
		proxy_config_free(rig->configs[i]);
	}
	seal_wake_free(rig->call);
	seal_loop_free(rig->loop);
	pki_id_release(&rig->ca);
	close(rig->app_fd);
}

struct proxy_identity_state *
rig_state(struct rig *rig, const struct pki_id *id, const char *allowed)
{
	struct proxy_identity_state *state = NULL;
	struct seal_strv list = { 0 };
	struct proxy_state_parts parts = {
		.chain = id->chain,
		.anchors = rig->ca.chain,
		.key = id->key,
		.clients = &list,
		.servers = &list,
		.generation = ++rig->generation,
		.now = seal_clock_now(),
	};
	struct seal_err err = { 0 };

	must(seal_strv_split(&list, allowed, ',', &err), &err);
	must(proxy_state_new(&state, &parts, &err), &err);
	seal_strv_release(&list);
	return state;
}

static void
do_nothing(struct rig *rig)
{
	(void)rig;
}

void
rig_identify(struct rig *rig, enum rig_side side, const char *peer, const char *allowed)
{
	struct pki_id id = pki_pod(&rig->ca, "shop", peer, NULL);

	proxy_worker_publish(rig->workers[side], rig_state(rig, &id, allowed));
	pki_id_release(&id);
	rig_call(rig, do_nothing); /* the loop has been round: the state is taken */
	rig_call(rig, do_nothing);
}

void
rig_call(struct rig *rig, void (*fn)(struct rig *rig))
{
	rig->fn = fn;
	seal_wake_now(rig->call);
	while (sem_wait(&rig->called) < 0 && errno == EINTR)
		;
}

struct proxy_counters
rig_counters(struct rig *rig, enum rig_side side)
{
	rig_call(rig, do_nothing); /* nothing moves behind the semaphore unless the test asks */
	struct proxy_counters totals;

	proxy_worker_totals(rig->workers[side], &totals);
	return totals;
}

uint64_t
rig_wait_open(struct rig *rig, enum rig_side side, uint64_t open)
{
	uint64_t now = UINT64_MAX;

	for (int i = 0; i < LIMIT_S * 100; i++) {
		now = rig_counters(rig, side).open;
		if (now == open)
			break;
		usleep(10000);
	}
	return now;
}

int
rig_dial(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	set_limits(fd);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

void
rig_connect_with(struct rig *rig, int fd)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	addr.sin_port = htons(proxy_worker_port(rig->workers[RIG_OUT], 0));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

int
rig_connect_out(struct rig *rig)
{
	int fd = rig_dial(proxy_worker_port(rig->workers[RIG_OUT], 0));

	cr_assert_geq(fd, 0, "the outbound listener does not answer");
	return fd;
}

int
rig_connect_in(struct rig *rig)
{
	int fd = rig_dial(proxy_worker_port(rig->workers[RIG_IN], 0));

	cr_assert_geq(fd, 0, "the inbound listener does not answer");
	return fd;
}

int
rig_accept(struct rig *rig, int wait_ms)
{
	struct pollfd poll_fd = { .fd = rig->app_fd, .events = POLLIN };
	int fd;

	if (poll(&poll_fd, 1, wait_ms) != 1)
		return -1;
	fd = accept(rig->app_fd, NULL, NULL);
	cr_assert_geq(fd, 0);
	set_limits(fd);
	return fd;
}

void
rig_send(int fd, const char *text)
{
	size_t len = strlen(text);

	cr_assert_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len, "send: %s", strerror(errno));
}

void
rig_expect(int fd, const char *text)
{
	size_t len = strlen(text);
	char got[256] = "";
	size_t at = 0;

	cr_assert_lt(len, sizeof(got));
	while (at < len) {
		ssize_t n = recv(fd, got + at, len - at, 0);

		cr_assert_gt(n, 0, "expected '%s', after '%s': %s", text, got,
			     n == 0 ? "end" : strerror(errno));
		at += (size_t)n;
	}
	cr_expect_str_eq(got, text);
}

int
rig_next(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	if (n >= 0)
		return (int)n;
	cr_assert(errno == ECONNRESET || errno == EPIPE, "neither bytes, end nor reset: %s",
		  strerror(errno));
	return -1;
}
