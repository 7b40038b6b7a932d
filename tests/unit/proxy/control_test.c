/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/control: both doors and the client, over real sockets; the server runs in a thread. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log/log.h"
#include "base/stream/stream.h"
#include "proxy/control.h"
#include "tests/support/alloc.h"
#include "tests/unit/proxy/sample.h"

#define NOBODY  65534
#define FLOOD   200
#define LIMIT_S 5

struct rig {
	char folder[64];
	char path[108]; /* of the local socket, in a folder that is not there yet */
	struct seal_loop *loop;
	struct seal_staging *staging;
	struct proxy_config config;
	struct proxy_control *control;
	struct seal_wake *call; /* runs fn in the loop's thread */
	void (*fn)(struct rig *rig);
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool called;
	pthread_t thread;
	bool refuses_views;
	bool is_default;
};

static int
fill(const void *arg, struct proxy_view *ret_view, struct seal_err *err)
{
	const struct rig *rig = arg;

	if (rig->refuses_views)
		return seal_fail(err, SEAL_E_MEMORY, "no view today");
	sample_large(ret_view);
	return 0;
}

static void *
run(void *arg)
{
	struct rig *rig = arg;

	return seal_loop_run(rig->loop, NULL) == 0 ? arg : NULL;
}

static void
on_call(void *arg)
{
	struct rig *rig = arg;

	rig->fn(rig);
	(void)pthread_mutex_lock(&rig->lock);
	rig->called = true;
	(void)pthread_cond_signal(&rig->done);
	(void)pthread_mutex_unlock(&rig->lock);
}

static void
call(struct rig *rig, void (*fn)(struct rig *rig))
{
	rig->fn = fn;
	rig->called = false;
	seal_wake_now(rig->call);
	(void)pthread_mutex_lock(&rig->lock);
	while (!rig->called)
		(void)pthread_cond_wait(&rig->done, &rig->lock);
	(void)pthread_mutex_unlock(&rig->lock);
}

static uint16_t
free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	(void)close(fd);
	return ntohs(addr.sin_port);
}

static void
set_path(struct seal_endpoint *endpoint, const char *path)
{
	endpoint->is_unix = true;
	(void)snprintf(endpoint->host, sizeof(endpoint->host), "%s", path);
}

static int
open_control(struct rig *rig, struct seal_err *err)
{
	const struct proxy_control_source source = {
		.config = &rig->config,
		.must_have_control = !rig->is_default,
		.staging = rig->staging,
		.fill = fill,
		.arg = rig,
	};

	return proxy_control_open(&rig->control, rig->loop, &source, err);
}

static void
prepare(struct rig *rig)
{
	*rig = (struct rig){ .folder = "/tmp/seal-control.XXXXXX" };
	(void)pthread_mutex_init(&rig->lock, NULL);
	(void)pthread_cond_init(&rig->done, NULL);
	cr_assert_not_null(mkdtemp(rig->folder));
	cr_assert_eq(chmod(rig->folder, 0755), 0);
	(void)snprintf(rig->path, sizeof(rig->path), "%s/run/proxy.sock", rig->folder);
	cr_assert_eq(seal_loop_new(&rig->loop, NULL), 0);
	cr_assert_eq(seal_staging_new(&rig->staging, NULL), 0);
	cr_assert_eq(seal_wake_new(&rig->call, rig->loop, on_call, rig, NULL), 0);
	rig->config.has_control = true;
	set_path(&rig->config.control, rig->path);
	rig->config.has_metrics = true;
	(void)snprintf(rig->config.metrics.host, sizeof(rig->config.metrics.host), "127.0.0.1");
	rig->config.metrics.port = free_port();
}

static void
start(struct rig *rig)
{
	struct seal_err err = { 0 };

	prepare(rig);
	cr_assert_eq(open_control(rig, &err), 0, "%s", err.text);
	cr_assert_eq(pthread_create(&rig->thread, NULL, run, rig), 0);
}

static void
end_loop(struct rig *rig)
{
	seal_loop_stop(rig->loop);
}

static void
clean(struct rig *rig)
{
	char folder[128];

	proxy_control_free(rig->control);
	seal_wake_free(rig->call);
	seal_staging_free(rig->staging);
	seal_loop_free(rig->loop);
	(void)snprintf(folder, sizeof(folder), "%s/run", rig->folder);
	(void)rmdir(folder);
	cr_expect_eq(rmdir(rig->folder), 0, "%s: %s", rig->folder, strerror(errno));
}

static void
stop(struct rig *rig)
{
	void *ran = NULL;

	call(rig, end_loop);
	cr_assert_eq(pthread_join(rig->thread, &ran), 0);
	cr_expect_eq(ran, rig, "the loop failed");
	clean(rig);
}

static void
set_limit(int fd)
{
	struct timeval limit = { .tv_sec = LIMIT_S };

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
}

static int
dial_tcp(const struct rig *rig)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_port = htons(rig->config.metrics.port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	set_limit(fd);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static int
dial_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	set_limit(fd);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Send, read to the end, close; what came is the caller's to free. */
static char *
converse(int fd, const char *request, size_t len)
{
	char *answer = NULL;
	size_t answer_len = 0;
	FILE *all = open_memstream(&answer, &answer_len);
	char some[4096];
	ssize_t n;

	cr_assert_not_null(all);
	while (len > 0 && (n = send(fd, request, len, MSG_NOSIGNAL)) > 0) {
		request += n;
		len -= (size_t)n;
	}
	while ((n = recv(fd, some, sizeof(some), 0)) > 0)
		(void)fwrite(some, 1, (size_t)n, all);
	cr_assert_eq(fclose(all), 0);
	(void)close(fd);
	return answer;
}

static char *
ask(int fd, const char *method, const char *target)
{
	char request[512];
	int len =
		snprintf(request, sizeof(request),
			 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, target);

	return converse(fd, request, (size_t)len);
}

/* The answer begins with the status and holds the text. */
static void
expect_answer(char *answer, const char *status, const char *holds)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
	cr_expect_eq(strncmp(answer, line, strlen(line)), 0, "wanted %s, got %.200s", status,
		     answer);
	cr_expect_not_null(strstr(answer, holds), "no '%s' in %.400s", holds, answer);
	free(answer);
}

/* ---- the doors ---- */

Test(control, local_socket_is_for_us_alone_in_a_folder_others_may_pass)
{
	struct rig rig;
	struct stat st;
	char folder[128];
	mode_t mask = umask(077);

	start(&rig);
	(void)umask(mask);
	cr_assert_eq(lstat(rig.path, &st), 0);
	cr_expect(S_ISSOCK(st.st_mode));
	cr_expect_eq(st.st_mode & 07777, 0600);
	(void)snprintf(folder, sizeof(folder), "%s/run", rig.folder);
	cr_assert_eq(lstat(folder, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755);
	stop(&rig);
	cr_expect_eq(lstat(rig.path, &st), -1);
}

Test(control, folder_that_is_there_keeps_its_mode)
{
	struct rig rig;
	struct stat st;
	char folder[128];

	prepare(&rig);
	(void)snprintf(folder, sizeof(folder), "%s/run", rig.folder);
	cr_assert_eq(mkdir(folder, 0700), 0);
	cr_assert_eq(open_control(&rig, NULL), 0);
	cr_assert_eq(lstat(folder, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	clean(&rig);
}

Test(control, answers_each_path_by_its_method_only)
{
	static const struct {
		const char *method, *target, *status, *holds;
	} local[] = {
		{ "GET", "/v1/status", "200", "\"workload\":\"shop\"" },
		{ "GET", "/v1/status", "200", "Content-Type: application/json\r\n" },
		{ "GET", "/v1/status?connections=0", "200", "\"open\":3" },
		{ "GET", "/v1/status?connections=1", "200", "\"live\":[{" },
		{ "GET", "/v1/status?connections=2", "400", "{\"error\":{\"code\":\"invalid\"" },
		{ "GET", "/v1/status?connections=", "400", "\"invalid\"" },
		{ "POST", "/v1/status", "405", "{\"error\":{\"code\":\"refused\"" },
		{ "DELETE", "/v1/status", "405", "\"refused\"" },
		{ "GET", "/v1/log-level?level=debug", "405", "\"refused\"" },
		{ "PUT", "/v1/log-level", "400", "level=LEVEL" },
		{ "PUT", "/v1/log-level?level=", "400", "no log level" },
		{ "PUT", "/v1/log-level?level=DEBUG", "400", "no log level" },
		{ "PUT", "/v1/log-level?level=debug%0a", "400", "" },
		{ "GET", "/", "404", "{\"error\":{\"code\":\"missing\"" },
		{ "GET", "/v1/status/", "404", "\"missing\"" },
		{ "GET", "/V1/STATUS", "404", "\"missing\"" },
		{ "GET", "/metrics", "404", "\"missing\"" },
		{ "PUT", "/v1/keys", "404", "\"missing\"" },
	};
	static const struct {
		const char *method, *target, *status, *holds;
	} open[] = {
		{ "GET", "/metrics", "200", "seal_ready 1\n" },
		{ "GET", "/metrics", "200",
		  "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" },
		{ "GET", "/metrics?x=y", "200", "seal_ready 1\n" },
		{ "POST", "/metrics", "405", "GET only\n" },
		{ "HEAD", "/metrics", "405", "" },
		{ "GET", "/", "404", "not found\n" },
		{ "GET", "/v1/status", "404", "not found\n" },
		{ "PUT", "/v1/log-level?level=debug", "404", "not found\n" },
	};
	struct rig rig;

	start(&rig);
	for (size_t i = 0; i < SEAL_COUNT(local); i++)
		expect_answer(ask(dial_unix(rig.path), local[i].method, local[i].target),
			      local[i].status, local[i].holds);
	for (size_t i = 0; i < SEAL_COUNT(open); i++)
		expect_answer(ask(dial_tcp(&rig), open[i].method, open[i].target), open[i].status,
			      open[i].holds);
	cr_expect_eq(seal_log_level(), SEAL_LOG_INFO, "something refused changed it");
	stop(&rig);
}

Test(control, tells_what_only_it_knows)
{
	struct rig rig;
	char *answer;

	start(&rig);
	answer = ask(dial_tcp(&rig), "GET", "/metrics");
	cr_expect_not_null(strstr(answer, "\nprocess_start_time_seconds "));
	cr_expect_null(strstr(answer, "\nprocess_start_time_seconds 1799996339\n"), "the sample's");
	cr_expect_not_null(strstr(answer, "\nprocess_open_fds "));
	cr_expect_null(strstr(answer, "\nprocess_open_fds 17\n"), "the sample's");
	free(answer);
	stop(&rig);
}

Test(control, changes_the_log_level_at_run_time)
{
	static const enum seal_level levels[] = { SEAL_LOG_DEBUG, SEAL_LOG_ERROR, SEAL_LOG_WARN,
						  SEAL_LOG_NOTICE, SEAL_LOG_INFO };
	struct rig rig;

	start(&rig);
	for (size_t i = 0; i < SEAL_COUNT(levels); i++) {
		const char *name = seal_level_name(levels[i]);
		struct seal_err err = { 0 };

		cr_assert_eq(proxy_control_log_level(rig.path, name, &err), 0, "%s", err.text);
		cr_expect_eq(seal_log_level(), levels[i], "%s", name);
	}
	cr_expect_eq(proxy_control_log_level(rig.path, "loud", NULL), SEAL_E_USAGE);
	cr_expect_eq(seal_log_level(), SEAL_LOG_INFO);
	stop(&rig);
}

static void
refuse_views(struct rig *rig)
{
	rig->refuses_views = true;
}

Test(control, says_so_when_there_is_nothing_to_tell)
{
	struct rig rig;

	start(&rig);
	call(&rig, refuse_views);
	expect_answer(ask(dial_unix(rig.path), "GET", "/v1/status"), "503", "no view today");
	expect_answer(ask(dial_tcp(&rig), "GET", "/metrics"), "503", "not now");
	stop(&rig);
}

/* In a child of another user, with a socket that somebody opened wide. */
static int
ask_as_nobody(const char *path)
{
	int status = -1;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int fd;
		char *answer;

		if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(1);
		fd = dial_unix(path);
		if (fd < 0)
			_exit(2);
		answer = ask(fd, "GET", "/v1/status");
		if (strncmp(answer, "HTTP/1.1 403 ", 13) != 0 ||
		    strstr(answer, "\"refused\"") == NULL || strstr(answer, "shop") != NULL)
			_exit(3);
		fd = dial_unix(path);
		answer = ask(fd, "PUT", "/v1/log-level?level=debug");
		_exit(strncmp(answer, "HTTP/1.1 403 ", 13) == 0 ? 0 : 4);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(control, refuses_another_user_by_the_mode_and_by_the_kernels_word)
{
	struct rig rig;

	if (geteuid() != 0)
		cr_skip_test("needs root, to be another user");
	start(&rig);
	cr_expect_eq(ask_as_nobody(rig.path), 2, "the mode let a stranger connect");
	cr_assert_eq(chmod(rig.path, 0666), 0);
	cr_expect_eq(ask_as_nobody(rig.path), 0, "a stranger was told");
	cr_expect_eq(seal_log_level(), SEAL_LOG_INFO);
	stop(&rig);
}

Test(control, goes_on_without_the_default_socket_and_not_without_one_asked_for)
{
	struct seal_err err = { 0 };
	struct rig rig;

	prepare(&rig);
	rig.config.has_metrics = false;
	set_path(&rig.config.control, "/proc/nowhere/proxy.sock");
	rig.is_default = true;
	cr_expect_eq(open_control(&rig, &err), 0, "%s", err.text);
	cr_expect_not_null(rig.control);
	proxy_control_free(SEAL_TAKE(rig.control));
	rig.is_default = false;
	cr_expect_lt(open_control(&rig, &err), 0);
	cr_expect_null(rig.control);
	cr_expect_eq(strncmp(err.text, "--control: ", 11), 0, "%s", err.text);
	clean(&rig);
}

Test(control, opens_nothing_that_nobody_wants)
{
	struct rig rig;

	prepare(&rig);
	rig.config.has_metrics = false;
	rig.config.has_control = false;
	cr_expect_eq(open_control(&rig, NULL), 0);
	cr_expect_eq(access(rig.path, F_OK), -1);
	clean(&rig);
}

Test(control, serves_no_status_over_tcp_and_no_address_twice)
{
	struct seal_err err = { 0 };
	struct rig rig;
	uint16_t port;

	prepare(&rig);
	port = rig.config.metrics.port;
	rig.config.control = rig.config.metrics;
	cr_expect_eq(open_control(&rig, &err), SEAL_E_REFUSED);
	cr_expect_null(rig.control);
	set_path(&rig.config.control, rig.path);
	cr_assert_eq(open_control(&rig, NULL), 0);
	{
		struct proxy_control *first = SEAL_TAKE(rig.control);

		cr_expect_eq(open_control(&rig, &err), SEAL_E_CONFLICT);
		cr_expect_eq(strncmp(err.text, "--metrics: ", 11), 0, "%s", err.text);
		rig.config.metrics.port = free_port();
		cr_expect_eq(open_control(&rig, &err), SEAL_E_CONFLICT);
		cr_expect_eq(strncmp(err.text, "--control: ", 11), 0, "%s", err.text);
		cr_expect_eq(access(rig.path, F_OK), 0, "the one that lost removed the socket");
		rig.control = first;
		rig.config.metrics.port = port;
	}
	clean(&rig);
}

Test(control, opens_or_leaves_nothing_behind_whichever_allocation_fails)
{
	struct rig rig;
	bool done = false;
	size_t n;

	prepare(&rig);
	for (n = 1; !done; n++) {
		int r;

		alloc_fail_at(n);
		r = open_control(&rig, NULL);
		done = !alloc_call_off();
		if (r < 0) {
			cr_expect_not(done);
			cr_expect_null(rig.control);
			cr_expect_eq(access(rig.path, F_OK), -1, "allocation %zu", n);
		}
		proxy_control_free(SEAL_TAKE(rig.control));
		cr_assert_lt(n, 1000);
	}
	cr_expect_gt(n, 8);
	clean(&rig);
}

/* ---- hostile clients ---- */

static unsigned
count_kept(const int fds[static FLOOD])
{
	unsigned kept = 0;

	for (size_t i = 0; i < FLOOD; i++) {
		char c;
		ssize_t n = recv(fds[i], &c, 1, MSG_DONTWAIT);

		kept += n > 0 || (n < 0 && errno == EAGAIN);
	}
	return kept;
}

Test(control, lives_through_a_flood_of_connections_for_metrics)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	int fds[FLOOD];
	struct rig rig;
	char *answer = NULL;

	start(&rig);
	for (size_t i = 0; i < FLOOD; i++) {
		fds[i] = dial_tcp(&rig);
		/* Some idle, some half a request, some whole ones that are never read. */
		(void)send(fds[i], request,
			   i % 3 == 0   ? 0
			   : i % 3 == 1 ? 20
					: sizeof(request) - 1,
			   MSG_NOSIGNAL);
	}
	expect_answer(ask(dial_unix(rig.path), "GET", "/v1/status"), "200", "shop");
	for (unsigned tries = 0; tries < 500 && count_kept(fds) > 16; tries++)
		(void)usleep(10000); /* until the server has turned the others away */
	cr_expect_leq(count_kept(fds), 16);
	for (size_t i = 0; i < FLOOD; i++)
		(void)close(fds[i]);
	for (unsigned tries = 0; tries < 100; tries++) { /* until the server has noticed */
		free(answer);
		answer = ask(dial_tcp(&rig), "GET", "/metrics");
		if (strncmp(answer, "HTTP/1.1 200 ", 13) == 0)
			break;
		(void)usleep(10000);
	}
	expect_answer(answer, "200", "seal_ready");
	stop(&rig);
}

Test(control, makes_metrics_so_many_times_a_second_and_no_more)
{
	struct rig rig;
	unsigned good = 0;
	unsigned busy = 0;
	uint64_t begin, seconds;

	start(&rig);
	begin = seal_loop_now_ms(rig.loop);
	while (busy < 100) {
		char *answer = ask(dial_tcp(&rig), "GET", "/metrics");

		good += strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
		if (strncmp(answer, "HTTP/1.1 503 ", 13) == 0) {
			cr_expect_not_null(strstr(answer, "Retry-After: 1\r\n"));
			busy++;
		}
		free(answer);
		cr_assert_leq(good, 2000, "there is no limit");
	}
	seconds = (seal_loop_now_ms(rig.loop) - begin) / 1000 + 2; /* those begun, too */
	cr_expect_geq(good, 1);
	cr_expect_leq(good, 20 * seconds);
	expect_answer(ask(dial_unix(rig.path), "GET", "/v1/status"), "200", "shop");
	stop(&rig);
}

static char *
repeat(const char *before, char c, size_t count, const char *behind)
{
	size_t len = strlen(before);
	char *text = malloc(len + count + strlen(behind) + 1);

	cr_assert_not_null(text);
	memcpy(text, before, len);
	memset(text + len, c, count);
	memcpy(text + len + count, behind, strlen(behind) + 1);
	return text;
}

Test(control, refuses_what_is_too_long)
{
	static const struct {
		const char *before, *behind, *status;
	} rows[] = {
		{ "GET /", " HTTP/1.1\r\nHost: x\r\n\r\n", "431" },
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ", "\r\n\r\n", "431" },
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "",
		  "413" },
	};
	struct rig rig;

	start(&rig);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		char *request = repeat(rows[i].before, 'x', 1000000, rows[i].behind);

		for (int local = 0; local < 2; local++) {
			int fd = local ? dial_unix(rig.path) : dial_tcp(&rig);

			expect_answer(converse(fd, request, strlen(request)), rows[i].status, "");
		}
		free(request);
	}
	expect_answer(ask(dial_tcp(&rig), "GET", "/metrics"), "200", "seal_ready");
	stop(&rig);
}

/* ---- the client ---- */

static int
status_text(const char *path, bool json, bool connections, char **ret_text, struct seal_err *err)
{
	const struct proxy_status_query query = { .socket_path = path,
						  .json = json,
						  .connections = connections };
	size_t len = 0;
	FILE *out = open_memstream(ret_text, &len);
	int r;

	cr_assert_not_null(out);
	r = proxy_control_status(&query, out, err);
	cr_assert_eq(fclose(out), 0);
	if (r < 0)
		cr_expect_eq(len, 0, "printed something before it failed");
	return r;
}

Test(control_ask, prints_json_or_a_table)
{
	struct seal_err err = { 0 };
	struct rig rig;
	char *text;

	start(&rig);
	cr_expect_eq(status_text(rig.path, true, false, &text, &err), 0, "%s", err.text);
	cr_expect_not_null(strstr(text, "\"workload\": \"shop\""));
	cr_expect_null(strstr(text, "\"live\""));
	free(text);
	cr_expect_eq(status_text(rig.path, true, true, &text, &err), 0, "%s", err.text);
	cr_expect_not_null(strstr(text, "\"live\""));
	free(text);
	cr_expect_eq(status_text(rig.path, false, true, &text, &err), 0, "%s", err.text);
	cr_expect_not_null(strstr(text, "10.0.0.7:5111"));
	cr_expect_not_null(strstr(text, "DIRECTION"));
	free(text);
	stop(&rig);
}

Test(control_ask, says_what_to_do_when_nobody_answers)
{
	struct seal_err err = { 0 };
	struct rig rig;
	char *text;
	int fd;

	prepare(&rig);
	cr_expect_eq(status_text(rig.path, false, false, &text, &err), SEAL_E_MISSING);
	cr_expect_not_null(strstr(err.text, rig.path));
	cr_expect_not_null(strstr(err.text, "is it running, with --control?"));
	free(text);
	cr_assert_eq(open_control(&rig, NULL), 0); /* makes the folder */
	proxy_control_free(SEAL_TAKE(rig.control));
	fd = seal_listen(&rig.config.control, 0600, NULL);
	cr_assert_geq(fd, 0);
	(void)close(fd); /* the socket of somebody who died */
	cr_expect_eq(status_text(rig.path, false, false, &text, &err), SEAL_E_MISSING);
	free(text);
	cr_assert_eq(unlink(rig.path), 0);
	clean(&rig);
}
