/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox: what a serving process needs still works inside, what it does not need is refused, and
 * the self-test says so.  The attempts themselves are the self-test's (sandbox_trial.c).
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/confine/confine_internal.h"
#include "base/fs/fs.h"
#include "base/loop/loop.h"
#include "proxy/sandbox_internal.h"
#include "tests/support/child.h"
#include "tests/support/place.h"

#define NO_FILTER 77

/* ---- paths -------------------------------------------------------------------------------------- */

static const char yaml[] = "inbound:\n"
			   "  - listen: 127.0.0.1:8443\n"
			   "    forward: 127.0.0.1:8080\n"
			   "outbound:\n"
			   "  - listen: unix:/run/seal/db.sock\n"
			   "    connect: db:8443\n"
			   "public:\n"
			   "  - listen: 127.0.0.1:443\n"
			   "    forward: unix:/run/app/app.sock\n"
			   "    certificate: /srv/public/tls.crt\n"
			   "    key: /srv/keys/tls.key\n"
			   "    client-ca: /srv/clients/ca.pem\n";

static struct proxy_config *
configure(const char *text)
{
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_config_new(&config, &err), 0);
	cr_assert_eq(proxy_config_add_yaml(config, "test", text, strlen(text), &err), 0, "%s",
		     err.text);
	return config;
}

Test(proxy_sandbox_paths, are_those_of_the_configuration_and_of_the_system)
{
	static const char *const readable[] = { "/srv/public",     "/srv/keys",   "/srv/clients",
						"/etc/app",        "/run/issued", "/etc/hosts",
						"/etc/resolv.conf" };
	static const char *const not_readable[] = { "/",        "/etc",      "/run",     "/srv",
						    "/run/app", "/run/seal", "/etc/seal" };
	struct proxy_config *config = configure(yaml);
	const struct proxy_sandbox_sources sources = {
		.config = config,
		.config_file = "/etc/app/proxy.yaml",
		.credentials = "/run/issued",
		.egg = "/etc/seal/egg",
	};
	struct proxy_sandbox_paths paths = { 0 };

	cr_assert_eq(proxy_sandbox_collect(&paths, &sources, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(readable); i++)
		cr_expect(seal_strv_contains(&paths.read, readable[i]), "%s", readable[i]);
	for (size_t i = 0; i < SEAL_COUNT(not_readable); i++)
		cr_expect(!seal_strv_contains(&paths.read, not_readable[i]), "%s", not_readable[i]);
	cr_expect(seal_strv_contains(&paths.remove, "/run/seal"));
	cr_expect(seal_strv_contains(&paths.remove, "/etc/seal"));
	cr_expect_leq(paths.remove.count, 3u); /* the default control socket's folder at most */
	cr_expect(!seal_strv_contains(&paths.remove, "/run/app"), "a target is not ours to remove");
	proxy_sandbox_paths_release(&paths);
	proxy_config_free(config);
}

TestSuite(proxy_sandbox_links, .init = place_enter, .fini = place_leave);

Test(proxy_sandbox_links, a_link_stands_for_the_folder_it_leads_to_as_well)
{
	struct proxy_sandbox_sources sources = { 0 };
	struct proxy_sandbox_paths paths = { 0 };
	char file[64];
	char folder[64];

	cr_assert_eq(mkdirat(place_dir, "data", 0700), 0);
	place_put("data/proxy.yaml", "", 0600);
	cr_assert_eq(symlinkat("data/proxy.yaml", place_dir, "proxy.yaml"), 0);
	(void)snprintf(file, sizeof(file), "%s/proxy.yaml", place_path);
	(void)snprintf(folder, sizeof(folder), "%s/data", place_path);
	sources.config_file = file;
	cr_assert_eq(proxy_sandbox_collect(&paths, &sources, NULL), 0);
	cr_expect(seal_strv_contains(&paths.read, place_path));
	cr_expect(seal_strv_contains(&paths.read, folder));
	proxy_sandbox_paths_release(&paths);
}

Test(proxy_sandbox_paths, a_file_among_those_of_others_stands_for_itself)
{
	static const char *const files[] = { "/etc/proxy.yaml", "/proxy.yaml" };

	for (size_t i = 0; i < SEAL_COUNT(files); i++) {
		const struct proxy_sandbox_sources sources = { .config_file = files[i] };
		struct proxy_sandbox_paths paths = { 0 };

		cr_assert_eq(proxy_sandbox_collect(&paths, &sources, NULL), 0);
		cr_expect(seal_strv_contains(&paths.read, files[i]));
		cr_expect(!seal_strv_contains(&paths.read, "/etc"));
		cr_expect(!seal_strv_contains(&paths.read, "/"));
		proxy_sandbox_paths_release(&paths);
	}
}

Test(proxy_sandbox_paths, a_file_without_a_folder_lies_where_we_are)
{
	const struct proxy_sandbox_sources sources = { .config_file = "proxy.yaml" };
	struct proxy_sandbox_paths paths = { 0 };

	cr_assert_eq(proxy_sandbox_collect(&paths, &sources, NULL), 0);
	cr_expect(seal_strv_contains(&paths.read, "."));
	proxy_sandbox_paths_release(&paths);
}

Test(proxy_sandbox_paths, a_path_too_long_for_the_kernel_is_refused_and_nothing_is_returned)
{
	static char path[8192];
	const struct proxy_sandbox_sources sources = { .egg = path };
	struct proxy_sandbox_paths paths = { 0 };

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 3] = '/';
	cr_expect_eq(proxy_sandbox_collect(&paths, &sources, NULL), SEAL_E_LIMIT);
	cr_expect_eq(paths.read.count + paths.remove.count, 0);
}

/* ---- inside ------------------------------------------------------------------------------------- */

#ifdef SEAL_INSTRUMENTED
#define SKIP_WHERE_INSTRUMENTED cr_skip_test("an instrumented build keeps files and system calls")
#else
#define SKIP_WHERE_INSTRUMENTED ((void)0)
#endif

/* In a child, with the test's folder to read, and run/ in it for sockets. */
static void
enter(void)
{
	struct proxy_sandbox_report report = { 0 };
	struct proxy_sandbox_paths paths = { 0 };
	const struct proxy_sandbox_sources sources = { .credentials = place_path };
	struct seal_err err = { 0 };
	char run[64];

	(void)snprintf(run, sizeof(run), "%s/run", place_path);
	MUST(mkdir(run, 0700) == 0);
	MUST(proxy_sandbox_collect(&paths, &sources, NULL) == 0);
	MUST(seal_strv_add(&paths.remove, run, NULL) == 0);
	if (proxy_sandbox_enter(&paths, &report, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		MUST(!"entered");
	}
	proxy_sandbox_paths_release(&paths);
	MUST(report.capabilities_dropped);
	if (!report.seccomp)
		_exit(NO_FILTER);
}

#define INSIDE(name, what)                                                                         \
	static void name##_inside(void);                                                           \
	static void name##_child(void *arg)                                                        \
	{                                                                                          \
		(void)arg;                                                                         \
		enter();                                                                           \
		name##_inside();                                                                   \
	}                                                                                          \
	Test(proxy_sandbox, name, .init = place_enter, .fini = place_leave)                        \
	{                                                                                          \
		int r;                                                                             \
		SKIP_WHERE_INSTRUMENTED;                                                           \
		r = child_run(name##_child, NULL);                                                 \
		if (r == NO_FILTER)                                                                \
			cr_skip_test("no system call filter on this machine");                     \
		cr_expect_eq(r, 0, what);                                                          \
	}                                                                                          \
	static void name##_inside(void)

/* Connect to whoever listens at addr, and pass a byte each way. */
static void
talk(int listener, const struct sockaddr *addr, socklen_t len)
{
	int client = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd ready = { .fd = client, .events = POLLOUT };
	struct ucred cred;
	socklen_t cred_len = sizeof(cred);
	char byte = 'x';
	int on = 1;
	int server;

	MUST(client >= 0);
	MUST(connect(client, addr, len) == 0 || errno == EINPROGRESS);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	MUST(server >= 0);
	MUST(poll(&ready, 1, 5000) == 1);
	if (addr->sa_family == AF_UNIX)
		MUST(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0);
	MUST(setsockopt(server, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	MUST(send(client, &byte, 1, MSG_NOSIGNAL) == 1 && recv(server, &byte, 1, 0) == 1);
	MUST(write(server, &byte, 1) == 1);
	ready.events = POLLIN;
	MUST(poll(&ready, 1, 5000) == 1 && read(client, &byte, 1) == 1);
	MUST(shutdown(client, SHUT_WR) == 0 && recv(server, &byte, 1, 0) == 0);
	MUST(close(client) == 0 && close(server) == 0);
}

static void
listen_and_talk(const struct sockaddr *addr, socklen_t len)
{
	int listener = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage bound = { 0 };
	socklen_t bound_len = sizeof(bound);

	MUST(listener >= 0);
	MUST(bind(listener, addr, len) == 0 && listen(listener, 5) == 0);
	MUST(getsockname(listener, (struct sockaddr *)&bound, &bound_len) == 0);
	talk(listener, (const struct sockaddr *)&bound, bound_len);
	MUST(close(listener) == 0);
}

INSIDE(listens_accepts_and_connects_over_tcp_and_unix_sockets, "a kind of socket failed")
{
	const struct sockaddr_in in = { .sin_family = AF_INET,
					.sin_addr = { htonl(INADDR_LOOPBACK) } };
	const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;

	listen_and_talk((const struct sockaddr *)&in, sizeof(in));
	listen_and_talk((const struct sockaddr *)&in6, sizeof(in6));
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/run/a.sock", place_path);
	listen_and_talk((const struct sockaddr *)&un, sizeof(un));
	MUST(stat(un.sun_path, &st) == 0);
	MUST(chmod(un.sun_path, 0666) == 0 && unlink(un.sun_path) == 0);
}

INSIDE(reads_the_files_it_was_given_and_those_put_there_later, "a file failed")
{
	SEAL_SCOPED(seal_closep)
	int dir = open(place_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	DIR *entries;

	MUST(dir >= 0);
	MUST(fstatat(dir, "run", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode));
	MUST(openat(dir, "none", O_RDONLY | O_CLOEXEC) < 0 && errno == ENOENT);
	entries = opendir(place_path);
	MUST(entries != NULL && readdir(entries) != NULL && closedir(entries) == 0);
	MUST(open("/etc/hosts", O_RDONLY | O_CLOEXEC) >= 0 || errno == ENOENT);
	MUST(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}

static void *
note_thread(void *arg)
{
	*(int *)arg = (int)syscall(SYS_gettid);
	(void)pthread_setname_np(pthread_self(), "inside");
	return malloc(300000); /* a heap of its own */
}

INSIDE(starts_threads, "a thread failed")
{
	for (int i = 0; i < 3; i++) {
		pthread_t thread;
		int tid = 0;
		void *memory = NULL;

		MUST(pthread_create(&thread, NULL, note_thread, &tid) == 0);
		MUST(pthread_join(thread, &memory) == 0);
		MUST(tid > 0 && tid != getpid() && memory != NULL);
		free(memory);
	}
}

static void *
break_out(void *arg)
{
	*(int *)arg = socket(AF_PACKET, SOCK_RAW, 0) < 0 ? errno : 0;
	return NULL;
}

INSIDE(a_thread_started_later_is_inside_as_well, "a thread was outside")
{
	pthread_t thread;
	int errnum = 0;

	MUST(pthread_create(&thread, NULL, break_out, &errnum) == 0);
	MUST(pthread_join(thread, NULL) == 0);
	MUST(errnum == EPERM);
}

INSIDE(resolves_names_as_the_c_library_does, "a name was not resolved")
{
	const struct addrinfo plain = { .ai_socktype = SOCK_STREAM };
	/* Which asks the kernel for its interfaces, and has to do without an answer. */
	const struct addrinfo configured = { .ai_socktype = SOCK_STREAM,
					     .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list = NULL;

	MUST(getaddrinfo("localhost", "443", &plain, &list) == 0 && list != NULL);
	freeaddrinfo(list);
	MUST(getaddrinfo("localhost", "443", &configured, &list) == 0 && list != NULL);
	freeaddrinfo(list);
}

static void
tick(void *arg)
{
	seal_loop_stop(arg);
}

INSIDE(runs_a_loop_made_inside, "the loop failed")
{
	struct seal_loop *loop = NULL;
	struct seal_timer *timer = NULL;

	MUST(seal_loop_new(&loop, NULL) == 0);
	MUST(seal_timer_new(&timer, loop, tick, loop, NULL) == 0);
	seal_timer_arm(timer, 5);
	MUST(seal_loop_run(loop, NULL) == 0);
	seal_timer_free(timer);
	seal_loop_free(loop);
}

INSIDE(has_memory_time_and_randomness, "an ordinary call failed")
{
	uint8_t random[16] = { 0 };
	struct timespec now;
	struct rusage usage;
	struct rlimit limit;
	char *memory = malloc(64u << 20);

	MUST(memory != NULL);
	memset(memory, 1, 64u << 20);
	memory = realloc(memory, 96u << 20);
	MUST(memory != NULL);
	free(memory);
	MUST(syscall(SYS_getrandom, random, sizeof(random), 0) == (long)sizeof(random));
	MUST(syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) == 0);
	MUST(seal_clock_now() > 0);
	MUST(getrusage(RUSAGE_SELF, &usage) == 0);
	MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	seal_log(SEAL_LOG_ERROR, "inside", SEAL_STR("what", "a line of a test"));
}

static void
aborts(void *arg)
{
	(void)arg;
	enter();
	abort();
}

Test(proxy_sandbox, an_assertion_still_ends_the_process, .init = place_enter, .fini = place_leave)
{
	int r;

	SKIP_WHERE_INSTRUMENTED;
	r = child_run(aborts, NULL);
	if (r == NO_FILTER)
		cr_skip_test("no system call filter on this machine");
	cr_expect_eq(r, -SIGABRT);
}

#define REFUSED(call) MUST((call) < 0 && errno == EPERM)

INSIDE(refuses_what_calls_it_allows_could_do_with_other_arguments, "an argument was not judged")
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int winsize[2];

	MUST(page != MAP_FAILED);
	REFUSED(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
	REFUSED(socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_TCP));
	REFUSED(socket(AF_INET, SOCK_SEQPACKET, 0));
	REFUSED(socket(AF_NETLINK, SOCK_DGRAM, 0));
	REFUSED(socket(AF_VSOCK, SOCK_STREAM, 0));
	REFUSED(socket(AF_ALG, SOCK_STREAM, 0));
	REFUSED(socket(AF_PACKET, SOCK_DGRAM, 0));
	MUST(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		     MAP_FAILED &&
	     errno == EPERM);
	REFUSED(mprotect(page, 4096, PROT_EXEC));
	MUST(mprotect(page, 4096, PROT_READ) == 0);
	REFUSED(syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0UL));
	REFUSED(syscall(SYS_clone, (unsigned long)(CLONE_VM | SIGCHLD), NULL, NULL, NULL, 0UL));
	REFUSED(syscall(SYS_clone,
			(unsigned long)(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER),
			NULL, NULL, NULL, 0UL));
	MUST(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
	REFUSED(open("/dev/null", O_WRONLY | O_CLOEXEC));
	REFUSED(open("/dev/null", O_RDWR | O_CLOEXEC));
	REFUSED(open("/dev/null", O_RDONLY | O_TRUNC | O_CLOEXEC));
	REFUSED(open("/dev/null", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
	REFUSED(chmod(place_path, S_ISUID | 0755));
	REFUSED(fcntl(STDERR_FILENO, F_SETOWN, 1));
	REFUSED(ioctl(STDERR_FILENO, TIOCGWINSZ, winsize));
	REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	REFUSED(prctl(PR_SET_NAME + 1, "x", 0, 0, 0));
	REFUSED(syscall(SYS_tgkill, 1, 1, 0));
	MUST(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
	REFUSED(syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, NULL, NULL));
}

INSIDE(refuses_to_change_files_and_what_the_process_may_do, "a call was allowed")
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/run", place_path);
	REFUSED(rename(path, "/tmp/other"));
	REFUSED(mkdir("/tmp/seal-sandbox-test", 0700));
	REFUSED(rmdir(path));
	REFUSED(symlink(path, "/tmp/seal-sandbox-test"));
	REFUSED(link(path, "/tmp/seal-sandbox-test"));
	REFUSED(truncate(path, 0));
	REFUSED(chown(path, 0, 0));
	REFUSED(setgid(0));
	REFUSED(setns(STDERR_FILENO, 0));
	REFUSED(chroot(place_path));
	REFUSED(memfd_create("x", 0));
	REFUSED(syscall(SYS_seccomp, 0, 0, NULL));
	REFUSED(syscall(SYS_capset, NULL, NULL));
	REFUSED(kill(getpid(), 0));
	REFUSED(syscall(SYS_pidfd_open, getppid(), 0));
	REFUSED(syscall(SYS_open_by_handle_at, -1, NULL, 0));
	REFUSED(syscall(SYS_openat2, -1, "", NULL, 0UL));
}

/* ---- entering ----------------------------------------------------------------------------------- */

static void *
wait_for_byte(void *arg)
{
	char byte;

	return read(*(int *)arg, &byte, 1) == 1 ? arg : NULL;
}

static void
a_process_with_two_threads(void *arg)
{
	const struct proxy_sandbox_paths nothing = { 0 };
	struct proxy_sandbox_report report = { .landlock_abi = -1 };
	int fds[2];
	pthread_t thread;

	(void)arg;
	MUST(pipe(fds) == 0);
	MUST(pthread_create(&thread, NULL, wait_for_byte, &fds[0]) == 0);
	MUST(proxy_sandbox_enter(&nothing, &report, NULL) == SEAL_E_BUG);
	MUST(report.landlock_abi == -1 && !report.capabilities_dropped);
	MUST(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0);
	MUST(geteuid() != 0 || prctl(PR_CAPBSET_READ, CAP_KILL, 0, 0, 0) == 1);
	MUST(open("/", O_RDONLY | O_CLOEXEC) >= 0);
	MUST(write(fds[1], "", 1) == 1);
	MUST(pthread_join(thread, NULL) == 0);
}

Test(proxy_sandbox, is_not_entered_with_a_second_thread_running)
{
	cr_expect_eq(child_run(a_process_with_two_threads, NULL), 0);
}

/* ---- the first wall ------------------------------------------------------------------------------ */

static void
behind_the_first_wall(void *arg)
{
	struct proxy_sandbox_report report = { 0 };
	struct proxy_sandbox_paths paths = { 0 };
	char *const argv[] = { NULL };
	char path[64];

	(void)arg;
	MUST(proxy_sandbox_begin(&report, NULL) == 0);
	MUST(report.capabilities_dropped && report.landlock_abi == 0);
	if (!report.seccomp)
		_exit(NO_FILTER);
	/* What serving never does is over already, files to read are still there. */
	MUST(execve("/bin/true", argv, argv) < 0 && errno == EPERM);
	MUST(open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) < 0 && errno == EPERM);
	MUST(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
	MUST(setuid(0) < 0 && errno == EPERM);
	MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
	(void)snprintf(path, sizeof(path), "%s/later", place_path);
	MUST(mkdir(path, 0755) == 0);
	/* Further in; and then the way there is closed too. */
	MUST(seal_strv_add(&paths.remove, place_path, NULL) == 0);
	MUST(proxy_sandbox_enter(&paths, &report, NULL) == 0);
	MUST(report.capabilities_dropped && report.seccomp);
	(void)snprintf(path, sizeof(path), "%s/last", place_path);
	MUST(mkdir(path, 0755) < 0 && errno == EPERM);
	MUST(syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0 && errno == EPERM);
	MUST(syscall(SYS_seccomp, 2, 0, NULL) < 0 && errno == EPERM);
	if (report.landlock_abi > 0)
		MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	proxy_sandbox_paths_release(&paths);
}

Test(proxy_sandbox, has_a_first_wall_and_the_others_behind_it, .init = place_enter,
     .fini = place_leave)
{
	int r;

	SKIP_WHERE_INSTRUMENTED;
	r = child_run(behind_the_first_wall, NULL);
	if (r == NO_FILTER)
		cr_skip_test("no system call filter on this machine");
	cr_expect_eq(r, 0);
}

/* ---- the list ----------------------------------------------------------------------------------- */

Test(proxy_sandbox_calls, fit_into_a_filter_and_let_signals_reach_this_process_only)
{
	struct seal_call calls[PROXY_SANDBOX_CALLS_MAX];
	size_t count = proxy_sandbox_calls(calls, 4711);
	struct seal_filter filter;

	cr_assert_leq(count, (size_t)PROXY_SANDBOX_CALLS_MAX);
	cr_expect_eq(seal_filter_build(&filter, 0, calls, count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		if (calls[i].number == __NR_tgkill)
			cr_expect(calls[i].tests[0].mask == UINT32_MAX &&
				  calls[i].tests[0].value == 4711);
	cr_expect_eq(calls[count - 1].number, (uint32_t)__NR_tgkill);
	count = proxy_sandbox_first_calls(calls, 4711);
	cr_assert_leq(count, (size_t)PROXY_SANDBOX_CALLS_MAX);
	cr_expect_eq(seal_filter_build(&filter, 0, calls, count, NULL), 0);
}

/* ---- the self-test ------------------------------------------------------------------------------ */

Test(proxy_sandbox, the_self_test_finds_nothing_possible_and_says_one_line_for_each_attempt)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	struct seal_err err = { 0 };
	unsigned lines = 0;
	int r;

	SKIP_WHERE_INSTRUMENTED;
	out = open_memstream(&text, &len);
	cr_assert_not_null(out);
	r = proxy_sandbox_test(out, &err);
	(void)fclose(out);
	if (strstr(text, "ABSENT") != NULL)
		cr_skip_test("no system call filter on this machine");
	cr_expect_eq(r, 0, "%s\n%s", err.text, text);
	for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1, lines++)
		cr_expect(strncmp(line, "refused   ", 10) == 0 || lines < 3 ||
				  strncmp(line, "open      ", 10) == 0,
			  "%.*s", (int)strcspn(line, "\n"), line);
	cr_expect_eq(lines, 30);
	cr_expect_not_null(strstr(text, "refused   start a program: Operation not permitted\n"));
	free(text);
}
