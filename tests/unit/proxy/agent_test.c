/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/agent: who can ask what, row by row, over real sockets; the agent runs in a thread. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/log/log.h"
#include "proxy/agent_internal.h"
#include "tests/unit/proxy/sealed_rig.h"

#define BOTH    (SEALED_GEN(1) | SEALED_GEN(2))
#define OWN_GEN 7
#define LIMIT_S 10

/* ---- An agent and its pod ---- */

struct rig {
	char folder[64];
	struct seal_endpoint endpoint;
	struct seal_loop *loop;
	struct seal_wake *call; /* runs fn in the loop's thread */
	void (*fn)(struct rig *rig);
	struct proxy_keys *keys;
	struct verify_ring *owner; /* who seals */
	struct verify_binding own;
	struct proxy_agent *agent;
	struct proxy_agent_view view;
	struct seal_err second; /* why there is no other agent */
	atomic_bool is_ready;
	char why[PROXY_AGENT_SENTENCE_MAX]; /* it was suspended for */
	unsigned suspended;                 /* and resumed: how often */
	unsigned resumed;
	atomic_bool called;
	pthread_t thread;
};

static struct rig rig;

static bool
is_ready(void *arg)
{
	return atomic_load(&((struct rig *)arg)->is_ready);
}

/* In the loop's thread; read when that has answered. */
static void
suspend(void *arg, const char *why)
{
	struct rig *of = arg;

	(void)snprintf(of->why, sizeof(of->why), "%s", why != NULL ? why : "");
	of->suspended += why != NULL;
	of->resumed += why == NULL;
	atomic_store(&of->is_ready, why == NULL);
}

static void *
run(void *arg)
{
	return seal_loop_run(((struct rig *)arg)->loop, NULL) == 0 ? arg : NULL;
}

static void
on_call(void *arg)
{
	struct rig *of = arg;

	of->fn(of);
	atomic_store(&of->called, true);
}

static void
call(void (*fn)(struct rig *of))
{
	rig.fn = fn;
	atomic_store(&rig.called, false);
	seal_wake_now(rig.call);
	while (!atomic_load(&rig.called))
		(void)usleep(1000);
}

static void
look(struct rig *of)
{
	proxy_agent_look(of->agent, &of->view);
}

static void
look_at_sentence(struct rig *of)
{
	const char *why = proxy_agent_suspicion(of->agent);

	(void)snprintf(of->why, sizeof(of->why), "%s", why != NULL ? why : "");
}

static void
halt(struct rig *of)
{
	proxy_agent_free(SEAL_TAKE(of->agent));
	seal_loop_stop(of->loop);
}

static int
open_agent(struct seal_err *err)
{
	const struct proxy_agent_config config = {
		.loop = rig.loop,
		.endpoint = &rig.endpoint,
		.keys = rig.keys,
		.own = &rig.own,
		.is_ready = is_ready,
		.suspend = suspend,
		.arg = &rig,
	};

	return proxy_agent_new(&rig.agent, &config, err);
}

/* Fails, and leaves the one that is there alone. */
static void
open_another(struct rig *of)
{
	struct proxy_agent *agent = of->agent;

	of->second = (struct seal_err){ 0 };
	cr_expect_lt(open_agent(&of->second), 0);
	of->agent = agent;
}

static void
begin(void)
{
	struct seal_err err = { 0 };

	seal_log_setup("test", SEAL_LOG_ERROR, false);
	rig = (struct rig){ .folder = "/tmp/seal-agent.XXXXXX" };
	cr_assert_not_null(mkdtemp(rig.folder));
	rig.endpoint.is_unix = true;
	(void)snprintf(rig.endpoint.host, sizeof(rig.endpoint.host), "%s/agent.sock", rig.folder);
	rig.keys = sealed_keys();
	rig.owner = sealed_ring("shop", "web", BOTH);
	rig.own = sealed_at("Deployment", "web", "proxy", OWN_GEN);
	(void)snprintf(rig.own.container, sizeof(rig.own.container), "seal-proxy");
	cr_assert_eq(seal_loop_new(&rig.loop, NULL), 0);
	cr_assert_eq(seal_wake_new(&rig.call, rig.loop, on_call, &rig, NULL), 0);
	cr_assert_eq(open_agent(&err), 0, "%s", err.text);
	cr_assert_eq(pthread_create(&rig.thread, NULL, run, &rig), 0);
}

static void
finish(void)
{
	call(halt);
	cr_assert_eq(pthread_join(rig.thread, NULL), 0);
	seal_wake_free(rig.call);
	seal_loop_free(rig.loop);
	proxy_keys_free(rig.keys);
	verify_ring_free(rig.owner);
	cr_expect_neq(access(rig.endpoint.host, F_OK), 0, "the socket is still there");
	cr_expect_eq(rmdir(rig.folder), 0);
}

TestSuite(agent, .init = begin, .fini = finish, .timeout = 60);

/* ---- A container ---- */

struct caller {
	int fd;
	struct verify_channel *channel;
	struct seal_secret *text; /* of the last answer */
	struct verify_answer answer;
};

static int
knock(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = LIMIT_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", rig.endpoint.host);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* False when the other side has closed before that many bytes came. */
static bool
read_all(int fd, uint8_t *out, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, out + done, len - done, 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return false;
		cr_assert_gt(n, 0, "no answer in %d s", LIMIT_S);
		done += (size_t)n;
	}
	return true;
}

static bool
read_frame(int fd, struct seal_bytes *frame)
{
	uint8_t head[VERIFY_FRAME_HEAD];
	size_t len;

	if (!read_all(fd, head, sizeof(head)))
		return false;
	len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	cr_assert_leq(len, VERIFY_FRAME_MAX);
	seal_bytes_reset(frame);
	cr_assert_eq(seal_bytes_reserve(frame, len, NULL), 0);
	if (!read_all(fd, frame->data, len))
		return false;
	frame->len = len;
	return true;
}

static void
write_all(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

		if (n < 0)
			return; /* it is found out when reading */
		done += (size_t)n;
	}
}

/* Says hello by that name and proves the agent; false when it is closed instead. */
static bool
greet(struct caller *caller, const struct verify_token *token, const char *name)
{
	struct seal_bytes frame = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct seal_bytes out = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct verify_hello hello = { .generation = token->generation };
	struct verify_hello theirs = { .generation = 0 };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *proof = NULL;
	bool is_greeted = false;

	*caller = (struct caller){ .fd = knock() };
	(void)snprintf(hello.container, sizeof(hello.container), "%s", name);
	memset(hello.nonce, 0xa5, sizeof(hello.nonce));
	cr_assert_eq(verify_hello_encode(&hello, &frame, NULL), 0);
	cr_assert_eq(verify_frame_append(&out, frame.data, frame.len, NULL), 0);
	write_all(caller->fd, out.data, out.len);
	if (read_frame(caller->fd, &frame)) {
		cr_assert_eq(verify_hello_parse(&theirs, frame.data, frame.len, NULL), 0);
		cr_expect_str_eq(theirs.container, name);
		cr_expect_eq(theirs.generation, token->generation);
		cr_expect_neq(memcmp(theirs.nonce, hello.nonce, sizeof(hello.nonce)), 0);
		cr_assert_eq(verify_channel_new(&caller->channel, VERIFY_AT_CONTAINER, token,
						hello.nonce, theirs.nonce, NULL),
			     0);
		cr_assert(read_frame(caller->fd, &frame));
		is_greeted = verify_channel_open(caller->channel, &proof, frame.data, frame.len,
						 NULL) == 0;
		if (is_greeted)
			cr_expect_str_eq(seal_secret_chars(proof), VERIFY_AGENT_PROOF);
	}
	seal_bytes_release(&frame);
	seal_bytes_release(&out);
	return is_greeted;
}

static struct verify_token
token_of(const char *workload, const char *peer, const char *container, unsigned generation)
{
	struct verify_ring *ring = sealed_ring(workload, peer, BOTH | SEALED_GEN(3));
	struct verify_token token = { .generation = 0 };

	cr_assert_eq(verify_token_make(&token, ring, container, generation, NULL), 0);
	verify_ring_free(ring);
	return token;
}

/* The container of that name, with its token. */
static struct caller
come(const char *container)
{
	struct verify_token token = token_of("shop", "web", container, 2);
	struct caller caller;

	cr_assert(greet(&caller, &token, container));
	verify_token_release(&token);
	return caller;
}

static void
leave(struct caller *caller)
{
	verify_channel_free(caller->channel);
	seal_secret_free(caller->text);
	seal_close(caller->fd);
	*caller = (struct caller){ .fd = -1 };
}

static bool
is_closed(struct caller *caller)
{
	uint8_t byte;

	return !read_all(caller->fd, &byte, 1);
}

static void
say(struct caller *caller, const struct verify_request *request)
{
	struct seal_bytes text = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct seal_bytes out = SEAL_BYTES(2 * VERIFY_FRAME_MAX);
	struct seal_err err = { 0 };

	cr_assert_eq(verify_request_encode(request, &text, &err), 0, "%s", err.text);
	cr_assert_eq(verify_channel_seal(caller->channel, &out, text.data, text.len, NULL), 0);
	write_all(caller->fd, out.data, out.len);
	seal_bytes_release(&text);
	seal_bytes_release(&out);
}

/* The code of the answer; 1 when the connection was closed instead. */
static int
hear(struct caller *caller)
{
	struct seal_bytes frame = SEAL_BYTES(VERIFY_FRAME_MAX);
	bool is_there = read_frame(caller->fd, &frame);
	int r = 1;

	if (is_there) {
		seal_secret_free(SEAL_TAKE(caller->text));
		cr_assert_eq(verify_channel_open(caller->channel, &caller->text, frame.data,
						 frame.len, NULL),
			     0);
		cr_assert_eq(verify_answer_parse(&caller->answer, seal_secret_peek(caller->text),
						 seal_secret_len(caller->text), NULL),
			     0);
		r = caller->answer.code;
	}
	seal_bytes_release(&frame);
	return r;
}

static int
ask(struct caller *caller, const struct verify_request *request)
{
	say(caller, request);
	return hear(caller);
}

static int
ask_sealed(struct caller *caller, enum verify_request_kind kind, const char *object,
	   const char *key, const char *value)
{
	struct verify_request request = { .kind = kind,
					  .data = (const uint8_t *)value,
					  .data_len = strlen(value) };
	const char *slash = strchr(object, '/');

	if (slash != NULL) {
		(void)snprintf(request.object_kind, sizeof(request.object_kind), "%.*s",
			       (int)(slash - object), object);
		(void)snprintf(request.object_name, sizeof(request.object_name), "%s", slash + 1);
	}
	(void)snprintf(request.key, sizeof(request.key), "%s", key);
	return ask(caller, &request);
}

static int
ask_plain(struct caller *caller, enum verify_request_kind kind, uint32_t wait_ms)
{
	const struct verify_request request = { .kind = kind, .wait_ms = wait_ms };

	return ask(caller, &request);
}

static int
ask_suspect(struct caller *caller, const char *reason, uint32_t how)
{
	const struct verify_request request = { .kind = VERIFY_ASK_SUSPECT,
						.wait_ms = how,
						.data = (const uint8_t *)reason,
						.data_len = strlen(reason) };

	return ask(caller, &request);
}

/* ---- Specs ---- */

#define SPEC                                                                                       \
	"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"@\",\"command\":[\"/" \
	"app\"]},"                                                                                 \
	"\"files\":[{\"source\":\"/run/seal-source/0\",\"target\":\"/etc/app\",\"objects\":"       \
	"[{\"kind\":\"ConfigMap\",\"name\":\"app\"},{\"kind\":\"Secret\",\"name\":\"db\"}]}]}"
#define PROBE                                                                                      \
	"{\"version\":1,\"verify\":{\"version\":1},\"exec\":[\"/"                                  \
	"probe\"],\"container\":{\"name\":\"@\"}}"
#define PLACE "{\"version\":1,\"place\":[\"/run/place/a\"]}"

/* The container's name stands where the pattern has a @. */
static char *
make_spec(const char *name, const char *key, const char *container, uint64_t gen,
	  const char *pattern)
{
	struct verify_binding at = sealed_at("Deployment", name, key, gen);
	const char *place = strchr(pattern, '@');
	char text[1024];

	(void)snprintf(at.container, sizeof(at.container), "%s", container);
	if (place == NULL)
		(void)snprintf(text, sizeof(text), "%s", pattern);
	else
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - pattern), pattern,
			       container, place + 1);
	return sealed_value(rig.owner, &at, text);
}

static int
ask_spec(struct caller *caller, const char *key, const char *container, const char *pattern)
{
	char *value = make_spec("web", key, container, OWN_GEN, pattern);
	int r = ask_sealed(caller, VERIFY_ASK_SPEC, "", "", value);

	free(value);
	return r;
}

/* app, with its spec open. */
static struct caller
start(const char *container)
{
	struct caller caller = come(container);

	cr_assert_eq(ask_spec(&caller, "spec", container, SPEC), 0, "%s", caller.answer.message);
	return caller;
}

/* The agent notices a little later that somebody went. */
static void
wait_for_callers(size_t count)
{
	for (int i = 0; i < 1000; i++) {
		call(look);
		if (rig.view.callers == count)
			return;
		(void)usleep(5000);
	}
	cr_assert_fail("%zu callers instead of %zu", rig.view.callers, count);
}

/* ---- Who is who ---- */

Test(agent, opens_the_spec_of_the_container_whose_token_it_is)
{
	struct caller app = come("app");

	cr_assert_eq(ask_spec(&app, "spec", "app", SPEC), 0);
	cr_expect_str_eq(app.answer.binding.key, "spec");
	cr_expect_str_eq(app.answer.binding.container, "app");
	cr_expect_eq(app.answer.binding.gen, OWN_GEN);
	cr_expect_not_null(memmem(app.answer.data, app.answer.data_len, "/etc/app", 8));
	call(look);
	cr_expect_eq(rig.view.counters.served, 1);
	cr_expect_eq(rig.view.counters.opened, 1);
	cr_expect_eq(rig.view.container_count, 1);
	cr_expect_str_eq(rig.view.containers[0].name, "app");
	cr_expect(rig.view.containers[0].is_running);
	leave(&app);
}

/* A token, the name that is said with it, and whether the agent proves itself at all. */
Test(agent, tells_nothing_to_who_has_no_token_of_this_container)
{
	static const struct {
		const char *workload;
		const char *peer;
		const char *of;
		const char *said;
		unsigned generation;
	} rows[] = {
		{ "shop", "web", "other", "app", 2 }, /* another container's */
		{ "shop", "db", "app", "app", 2 },    /* another peer's */
		{ "bank", "web", "app", "app", 2 },   /* another workload's */
		{ "shop", "web", "app", "app", 3 },   /* of a generation that is not there */
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_token token =
			token_of(rows[i].workload, rows[i].peer, rows[i].of, rows[i].generation);
		struct caller caller;

		cr_expect_not(greet(&caller, &token, rows[i].said), "row %zu", i);
		if (caller.channel != NULL) {
			/* Its keys do not fit: what it says ends it all, without a word. */
			say(&caller, &(struct verify_request){ .kind = VERIFY_ASK_STATUS });
		}
		cr_expect(is_closed(&caller), "row %zu", i);
		leave(&caller);
		verify_token_release(&token);
	}
	call(look);
	cr_expect_eq(rig.view.counters.refused, SEAL_COUNT(rows));
	cr_expect_eq(rig.view.counters.served, 0);
	cr_expect_eq(rig.view.callers, 0);
}

Test(agent, knows_a_retired_generation_no_more)
{
	struct rot_credentials answer = sealed_answer("shop", "web", SEALED_GEN(2));
	struct verify_token token = token_of("shop", "web", "app", 1);
	struct caller caller;

	cr_expect(greet(&caller, &token, "app"));
	leave(&caller);
	cr_assert_eq(proxy_keys_update(rig.keys, &answer, NULL), 0);
	cr_expect_not(greet(&caller, &token, "app"));
	cr_expect(is_closed(&caller));
	leave(&caller);
	verify_token_release(&token);
	rot_credentials_release(&answer);
}

Test(agent, closes_on_what_is_no_hello)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "\0\0\0\0", 4 },                /* empty */
		{ "\0\0\2\1", 4 },                /* one byte too long */
		{ "\377\377\377\377", 4 },        /* as long as can be */
		{ "GET / HTTP/1.1\r\n\r\n", 18 }, /* somebody else's protocol */
		{ "\0\0\0\5\2abcd", 9 },          /* another version */
		{ "\0\0\0\6\1\0\0\0\1a", 10 },    /* cut short */
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct caller caller = { .fd = knock() };

		write_all(caller.fd, rows[i].bytes, rows[i].len);
		cr_expect(is_closed(&caller), "row %zu", i);
		leave(&caller);
	}
	call(look);
	cr_expect_eq(rig.view.counters.refused, SEAL_COUNT(rows));
}

Test(agent, gives_nobody_more_than_a_few_seconds_to_say_who_he_is)
{
	struct caller silent = { .fd = knock() };
	struct caller slow = come("app"); /* and says nothing more */
	struct pollfd fds[2] = { { .fd = silent.fd, .events = POLLIN },
				 { .fd = slow.fd, .events = POLLIN } };

	cr_assert_gt(poll(fds, 2, 2 * PROXY_AGENT_HELLO_MS), 0);
	cr_expect(is_closed(&silent));
	cr_expect(is_closed(&slow));
	call(look);
	cr_expect_eq(rig.view.counters.refused, 2);
	leave(&silent);
	leave(&slow);
}

Test(agent, lets_strangers_give_way_and_a_container_in)
{
	struct caller strangers[2 * PROXY_AGENT_STRANGERS_MAX];
	struct caller app;

	for (size_t i = 0; i < SEAL_COUNT(strangers); i++)
		strangers[i] = (struct caller){ .fd = knock() };
	app = start("app");
	cr_expect(is_closed(&strangers[0]), "the one that waited longest");
	call(look);
	cr_expect_geq(rig.view.counters.limited, PROXY_AGENT_STRANGERS_MAX);
	for (size_t i = 0; i < SEAL_COUNT(strangers); i++)
		leave(&strangers[i]);
	leave(&app);
}

/* Of one container, with its spec open on the first. */
static void
crowd(struct caller *callers, size_t count, const char *container)
{
	for (size_t i = 0; i < count; i++) {
		callers[i] = i == 0 ? start(container) : come(container);
		cr_assert_eq(ask_plain(&callers[i], VERIFY_ASK_STATUS, 0), 0, "%s %zu", container,
			     i);
	}
}

static void
disperse(struct caller *callers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		leave(&callers[i]);
}

Test(agent, has_room_for_so_many_of_one_container_of_which_the_oldest_gives_way)
{
	struct caller app[PROXY_AGENT_CONTAINER_MAX];
	struct caller more[2];
	struct caller other;

	crowd(app, SEAL_COUNT(app), "app");
	for (size_t i = 0; i < SEAL_COUNT(more); i++) {
		more[i] = come("app");
		cr_expect_eq(ask_plain(&more[i], VERIFY_ASK_STATUS, 0), 0);
		cr_expect(is_closed(&app[1 + i]));
	}
	cr_expect_eq(ask_plain(&app[0], VERIFY_ASK_STATUS, 0), 0, "the application's stays");
	cr_expect_eq(ask_plain(&app[3], VERIFY_ASK_STATUS, 0), 0);
	other = start("other");
	call(look);
	cr_expect_eq(rig.view.counters.limited, SEAL_COUNT(more));
	cr_expect_eq(rig.view.callers, PROXY_AGENT_CONTAINER_MAX + 1);
	disperse(app, SEAL_COUNT(app));
	disperse(more, SEAL_COUNT(more));
	leave(&other);
	wait_for_callers(0);
	cr_expect_eq(rig.view.container_count, 0);
}

/* As many containers as it takes to hold all the places there are. */
Test(agent, has_a_place_for_a_container_when_others_hold_all_of_them)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct caller crowds[SEAL_COUNT(names)][PROXY_AGENT_CONTAINER_MAX];
	struct caller late;
	struct caller again;

	cr_assert_eq(SEAL_COUNT(names) * PROXY_AGENT_CONTAINER_MAX, PROXY_AGENT_CALLERS_MAX);
	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		crowd(crowds[i], PROXY_AGENT_CONTAINER_MAX, names[i]);
	late = start("late");
	cr_expect_eq(ask_suspect(&late, "x", VERIFY_SUSPECT_SUSPEND), 0);
	again = come("late");
	cr_expect_eq(ask_suspect(&again, "x", VERIFY_SUSPECT_SUSPEND), 0);
	cr_expect_eq(ask_plain(&late, VERIFY_ASK_STATUS, 0), 0, "not its own gave way");
	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		cr_expect_eq(ask_plain(&crowds[i][0], VERIFY_ASK_STATUS, 0), 0, "%s", names[i]);
	call(look);
	cr_expect_eq(rig.view.callers, PROXY_AGENT_CALLERS_MAX);
	cr_expect_eq(rig.view.counters.limited, 2);
	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		disperse(crowds[i], PROXY_AGENT_CONTAINER_MAX);
	leave(&late);
	leave(&again);
}

/* Each holds one, and the application's: nobody gives way. */
Test(agent, turns_away_who_comes_when_every_place_is_an_applications)
{
	struct caller mains[PROXY_AGENT_CALLERS_MAX];
	struct caller late;
	char name[16];

	for (size_t i = 0; i < SEAL_COUNT(mains); i++) {
		(void)snprintf(name, sizeof(name), "app-%zu", i);
		mains[i] = start(name);
	}
	late = come("late");
	cr_expect_eq(ask_plain(&late, VERIFY_ASK_STATUS, 0), 1);
	for (size_t i = 0; i < SEAL_COUNT(mains); i++)
		cr_expect_eq(ask_plain(&mains[i], VERIFY_ASK_STATUS, 0), 0, "%zu", i);
	disperse(mains, SEAL_COUNT(mains));
	leave(&late);
}

Test(agent, ends_a_connection_on_a_frame_that_does_not_open)
{
	struct seal_bytes out = SEAL_BYTES(1024);
	struct caller app = start("app");
	static const uint8_t junk[40] = { 0, 0, 0, 36 };

	write_all(app.fd, junk, sizeof(junk));
	cr_expect(is_closed(&app));
	leave(&app);
	wait_for_callers(0);
	/* What was recorded cannot be said again. */
	app = come("app");
	cr_assert_eq(verify_channel_seal(app.channel, &out,
					 "\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21, NULL),
		     0);
	write_all(app.fd, out.data, out.len);
	cr_expect_eq(hear(&app), 0);
	write_all(app.fd, out.data, out.len);
	cr_expect(is_closed(&app));
	leave(&app);
	seal_bytes_release(&out);
}

/* ---- Specs, row by row ---- */

Test(agent, opens_a_spec_only_where_it_belongs)
{
	static const struct {
		const char *name;
		const char *key;
		const char *container;
		uint64_t gen;
		const char *pattern;
		int code;
	} rows[] = {
		{ "web", "spec", "other", OWN_GEN, SPEC, SEAL_E_REFUSED }, /* another container's */
		{ "api", "spec", "app", OWN_GEN, SPEC, SEAL_E_REFUSED },   /* another object's */
		{ "web", "spec", "app", OWN_GEN - 1, SPEC, SEAL_E_CONFLICT }, /* older */
		{ "web", "spec", "app", OWN_GEN + 1, SPEC, SEAL_E_REFUSED },  /* newer */
		{ "web", "proxy", "app", OWN_GEN, SPEC, SEAL_E_REFUSED },     /* no spec */
		{ "web", "other", "app", OWN_GEN, SPEC, SEAL_E_REFUSED },
		{ "web", "spec", "", OWN_GEN, SPEC, SEAL_E_REFUSED },     /* of no container */
		{ "web", "spec", "app", OWN_GEN, PROBE, SEAL_E_REFUSED }, /* a probe as spec */
		{ "web", "spec", "app", OWN_GEN, PLACE, SEAL_E_REFUSED },
		{ "web", "place", "app", OWN_GEN, SPEC, SEAL_E_REFUSED },
		{ "web", "place", "app", OWN_GEN, PROBE, SEAL_E_REFUSED },
		{ "web", "spec", "app", OWN_GEN, "{\"version\":1}", SEAL_E_FORMAT },
		{ "web", "spec", "app", OWN_GEN, SPEC, 0 },
	};
	struct caller app = come("app");

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		char *value = make_spec(rows[i].name, rows[i].key, rows[i].container, rows[i].gen,
					rows[i].pattern);

		cr_expect_eq(ask_sealed(&app, VERIFY_ASK_SPEC, "", "", value), rows[i].code,
			     "row %zu: %d %s", i, app.answer.code, app.answer.message);
		if (rows[i].code != 0)
			cr_expect_eq(app.answer.data_len, 0);
		free(value);
	}
	call(look);
	cr_expect_eq(rig.view.counters.unopened, SEAL_COUNT(rows) - 1);
	cr_expect_eq(rig.view.counters.opened, 1);
	leave(&app);
}

Test(agent, opens_no_spec_of_another_namespace_peer_or_workload)
{
	static const struct {
		const char *workload;
		const char *peer;
		const char *ns;
		int code;
	} rows[] = {
		{ "shop", "web", "bank", SEAL_E_REFUSED },
		{ "shop", "db", "shop", SEAL_E_UNAUTH },
		{ "bank", "web", "shop", SEAL_E_UNAUTH },
	};
	struct caller app = come("app");

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_ring *ring = sealed_ring(rows[i].workload, rows[i].peer, BOTH);
		struct verify_binding at = sealed_at("Deployment", "web", "spec", OWN_GEN);
		char *value;

		(void)snprintf(at.ns, sizeof(at.ns), "%s", rows[i].ns);
		(void)snprintf(at.container, sizeof(at.container), "app");
		value = sealed_value(ring, &at, "{}");
		cr_expect_eq(ask_sealed(&app, VERIFY_ASK_SPEC, "", "", value), rows[i].code,
			     "row %zu", i);
		free(value);
		verify_ring_free(ring);
	}
	leave(&app);
}

Test(agent, opens_no_spec_with_a_bit_turned_or_cut_short)
{
	char *value = make_spec("web", "spec", "app", OWN_GEN, SPEC);
	struct caller app = come("app");
	size_t len = strlen(value);

	for (size_t i = 0; i < len; i += 7) {
		value[i] ^= 1;
		cr_expect_lt(ask_sealed(&app, VERIFY_ASK_SPEC, "", "", value), 0, "byte %zu", i);
		value[i] ^= 1;
	}
	for (size_t i = 1; i < len; i += 7) {
		char end = value[i];

		value[i] = '\0';
		cr_expect_lt(ask_sealed(&app, VERIFY_ASK_SPEC, "", "", value), 0, "%zu bytes", i);
		value[i] = end;
	}
	cr_expect_eq(ask_sealed(&app, VERIFY_ASK_SPEC, "", "", value), 0);
	leave(&app);
	free(value);
}

Test(agent, starts_an_application_once_at_a_time)
{
	struct caller first = start("app");
	struct caller second = come("app");
	struct caller other = start("other");

	cr_expect_eq(ask_spec(&second, "spec", "app", SPEC), SEAL_E_REFUSED);
	cr_expect_eq(ask_spec(&first, "spec", "app", SPEC), SEAL_E_REFUSED, "it has its spec");
	leave(&first);
	wait_for_callers(2);
	cr_expect_eq(ask_spec(&second, "spec", "app", SPEC), 0, "a restarted container");
	leave(&second);
	leave(&other);
}

Test(agent, opens_probes_and_hooks_while_the_application_runs)
{
	static const char *const keys[] = { "livenessProbe", "readinessProbe", "startupProbe",
					    "postStart", "preStop" };
	struct caller app;

	for (size_t i = 0; i < SEAL_COUNT(keys); i++) {
		struct caller probe = come("app");

		cr_expect_eq(ask_spec(&probe, keys[i], "app", PROBE), SEAL_E_TIMEOUT, "not yet: %s",
			     keys[i]);
		app = start("app");
		cr_expect_eq(ask_spec(&probe, keys[i], "app", PROBE), 0, "%s", keys[i]);
		leave(&probe);
		probe = come("app");
		cr_expect_eq(ask_spec(&probe, keys[i], "app", SPEC), SEAL_E_REFUSED, "%s", keys[i]);
		leave(&probe);
		leave(&app);
		wait_for_callers(0);
	}
	call(look);
	cr_expect_eq(rig.view.counters.unopened, SEAL_COUNT(keys), "'not yet' is no failure");
}

Test(agent, of_another_container_running_is_nothing_to_a_probe)
{
	struct caller other = start("other");
	struct caller probe = come("app");

	cr_expect_eq(ask_spec(&probe, "livenessProbe", "app", PROBE), SEAL_E_TIMEOUT);
	leave(&probe);
	leave(&other);
}

Test(agent, makes_places_at_any_time)
{
	struct caller before = come("app");
	struct caller app;
	struct caller after;

	cr_expect_eq(ask_spec(&before, "place", "app", PLACE), 0, "%s", before.answer.message);
	app = start("app");
	after = come("app");
	cr_expect_eq(ask_spec(&after, "place", "app", PLACE), 0);
	leave(&before);
	leave(&app);
	leave(&after);
}

/* ---- Values, row by row ---- */

Test(agent, opens_values_of_objects_that_the_spec_names)
{
	static const struct {
		const char *sealed_kind;
		const char *sealed_name;
		const char *sealed_key;
		const char *asked;
		const char *key;
		int code;
	} rows[] = {
		{ "ConfigMap", "app", "a", "ConfigMap/app", "a", 0 },
		{ "ConfigMap", "app", "a", "ConfigMap/app", "", 0 }, /* say which */
		{ "Secret", "db", "password", "Secret/db", "password", 0 },
		{ "ConfigMap", "app", "b", "ConfigMap/app", "a", SEAL_E_REFUSED },
		{ "ConfigMap", "db", "a", "ConfigMap/app", "a", SEAL_E_REFUSED },
		{ "Secret", "app", "a", "ConfigMap/app", "a", SEAL_E_REFUSED },
		{ "Secret", "app", "a", "Secret/app", "a", SEAL_E_REFUSED }, /* not named */
		{ "ConfigMap", "other", "a", "ConfigMap/other", "a", SEAL_E_REFUSED },
		{ "Deployment", "web", "spec", "Deployment/web", "spec", SEAL_E_REFUSED },
	};
	struct caller app = start("app");

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_binding at =
			sealed_at(rows[i].sealed_kind, rows[i].sealed_name, rows[i].sealed_key, 3);
		char *value = sealed_value(rig.owner, &at, "the value");

		cr_expect_eq(ask_sealed(&app, VERIFY_ASK_OPEN, rows[i].asked, rows[i].key, value),
			     rows[i].code, "row %zu: %s", i, app.answer.message);
		if (rows[i].code == 0) {
			cr_expect_eq(app.answer.data_len, 9);
			cr_expect_arr_eq(app.answer.data, "the value", 9);
			cr_expect_str_eq(app.answer.binding.key, rows[i].sealed_key);
		} else {
			cr_expect_eq(app.answer.data_len, 0);
		}
		free(value);
	}
	leave(&app);
}

Test(agent, opens_no_value_before_the_spec_and_none_of_a_container)
{
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", 3);
	char *value = sealed_value(rig.owner, &at, "x");
	struct caller app = come("app");

	cr_expect_eq(ask_sealed(&app, VERIFY_ASK_OPEN, "ConfigMap/app", "a", value),
		     SEAL_E_REFUSED);
	cr_expect_eq(ask_spec(&app, "spec", "app", SPEC), 0);
	cr_expect_eq(ask_sealed(&app, VERIFY_ASK_OPEN, "ConfigMap/app", "a", value), 0);
	free(value);
	(void)snprintf(at.container, sizeof(at.container), "app");
	value = sealed_value(rig.owner, &at, "x");
	cr_expect_eq(ask_sealed(&app, VERIFY_ASK_OPEN, "ConfigMap/app", "a", value),
		     SEAL_E_REFUSED);
	free(value);
	leave(&app);
}

Test(agent, opens_nothing_older_than_it_has_seen_whoever_asked)
{
	static const struct {
		const char *container;
		uint64_t gen;
		int code;
	} rows[] = {
		{ "app", 3, 0 },
		{ "app", 5, 0 },
		{ "app", 4, SEAL_E_CONFLICT },
		{ "other", 4, SEAL_E_CONFLICT },
		{ "other", 5, 0 },
		{ "other", 6, 0 },
		{ "app", 5, SEAL_E_CONFLICT },
	};
	struct caller app = start("app");
	struct caller other = start("other");

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_binding at = sealed_at("ConfigMap", "app", "a", rows[i].gen);
		char *value = sealed_value(rig.owner, &at, "x");
		struct caller *who = rows[i].container[0] == 'a' ? &app : &other;

		cr_expect_eq(ask_sealed(who, VERIFY_ASK_OPEN, "ConfigMap/app", "a", value),
			     rows[i].code, "row %zu", i);
		free(value);
	}
	leave(&app);
	leave(&other);
}

#define PROBE_WITH_VARIABLES                                                                       \
	"{\"version\":1,\"verify\":{\"version\":1},\"exec\":[\"/"                                  \
	"probe\"],\"container\":{\"name\":\"@\","                                                  \
	"\"envFrom\":[{\"configMapRef\":{\"name\":\"app\"}},{\"secretRef\":{\"name\":\"db\"}}]}}"

static int
ask_gen(struct caller *who, const char *kind, const char *name, uint64_t gen)
{
	struct verify_binding at = sealed_at(kind, name, "a", gen);
	char *value = sealed_value(rig.owner, &at, "x");
	char object[64];
	int r;

	(void)snprintf(object, sizeof(object), "%s/%s", kind, name);
	r = ask_sealed(who, VERIFY_ASK_OPEN, object, "a", value);
	free(value);
	return r;
}

/* The variables of a container stay as they were when it started, and its files do not. */
Test(agent, opens_for_a_probe_what_its_application_was_started_with)
{
	struct caller app = start("app");
	struct caller other = start("other");
	struct caller probe;
	struct caller foreign;

	cr_assert_eq(ask_gen(&app, "ConfigMap", "app", 3), 0);
	cr_assert_eq(ask_gen(&app, "ConfigMap", "app", 5), 0);
	cr_expect_eq(ask_gen(&app, "ConfigMap", "app", 3), SEAL_E_CONFLICT, "the main goes on");
	probe = come("app");
	cr_assert_eq(ask_spec(&probe, "livenessProbe", "app", PROBE_WITH_VARIABLES), 0, "%s",
		     probe.answer.message);
	cr_expect_eq(ask_gen(&probe, "ConfigMap", "app", 2), SEAL_E_CONFLICT);
	cr_expect_eq(ask_gen(&probe, "ConfigMap", "app", 3), 0);
	cr_expect_eq(ask_gen(&probe, "ConfigMap", "app", 5), 0);
	cr_expect_eq(ask_gen(&app, "ConfigMap", "app", 4), SEAL_E_CONFLICT, "nothing went down");
	/* What its main was never given has the bound of all. */
	cr_expect_eq(ask_gen(&probe, "Secret", "db", 7), 0);
	cr_expect_eq(ask_gen(&probe, "Secret", "db", 6), SEAL_E_CONFLICT);

	foreign = come("other");
	cr_assert_eq(ask_spec(&foreign, "livenessProbe", "other", PROBE_WITH_VARIABLES), 0);
	cr_expect_eq(ask_gen(&foreign, "ConfigMap", "app", 3), SEAL_E_CONFLICT);
	leave(&probe);
	leave(&foreign);
	leave(&app);
	leave(&other);
}

Test(agent, opens_a_value_as_large_as_they_come_and_an_empty_one)
{
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", 3);
	char *large = malloc(VERIFY_PLAIN_MAX + 1);
	struct caller app = start("app");
	char *value;

	cr_assert_not_null(large);
	memset(large, 'x', VERIFY_PLAIN_MAX);
	large[VERIFY_PLAIN_MAX] = '\0';
	value = sealed_value(rig.owner, &at, large);
	cr_assert_eq(ask_sealed(&app, VERIFY_ASK_OPEN, "ConfigMap/app", "a", value), 0);
	cr_assert_eq(app.answer.data_len, VERIFY_PLAIN_MAX);
	cr_expect_eq(memcmp(app.answer.data, large, VERIFY_PLAIN_MAX), 0);
	free(value);
	value = sealed_value(rig.owner, &at, "");
	cr_expect_eq(ask_sealed(&app, VERIFY_ASK_OPEN, "ConfigMap/app", "a", value), 0);
	cr_expect_eq(app.answer.data_len, 0);
	free(value);
	free(large);
	leave(&app);
}

/* Of long frames that it never sends; as many callers as it takes to fill all memory there is. */
Test(agent, lets_no_container_hold_the_memory_of_another)
{
	static const uint8_t head[VERIFY_FRAME_HEAD] = { 0x00, 0x1f, 0xff, 0xff };
	struct caller greedy[PROXY_AGENT_MEMORY_MAX / VERIFY_FRAME_MAX + 1];
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", 3);
	char *large = malloc(VERIFY_PLAIN_MAX + 1);
	struct caller app = start("app");
	uint64_t begin;
	char *value;

	cr_assert_not_null(large);
	memset(large, 'x', VERIFY_PLAIN_MAX);
	large[VERIFY_PLAIN_MAX] = '\0';
	value = sealed_value(rig.owner, &at, large);
	for (size_t i = 0; i < SEAL_COUNT(greedy); i++) {
		greedy[i] = come("other");
		cr_assert_eq(ask_plain(&greedy[i], VERIFY_ASK_STATUS, 0), 0);
		write_all(greedy[i].fd, head, sizeof(head));
	}
	call(look);
	begin = seal_loop_now_us();
	cr_assert_eq(ask_sealed(&app, VERIFY_ASK_OPEN, "ConfigMap/app", "a", value), 0);
	cr_expect_eq(app.answer.data_len, VERIFY_PLAIN_MAX);
	cr_expect_lt(seal_loop_now_us() - begin, PROXY_AGENT_FRAME_MS * 1000 / 2);
	for (size_t i = 0; i < SEAL_COUNT(greedy); i++)
		leave(&greedy[i]);
	leave(&app);
	wait_for_callers(0);
	free(value);
	free(large);
}

/* ---- The rest ---- */

Test(agent, tells_when_the_proxy_is_ready)
{
	struct caller app = come("app");
	struct caller other = come("other");

	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT);
	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 30), SEAL_E_TIMEOUT);
	say(&app, &(struct verify_request){ .kind = VERIFY_ASK_READY, .wait_ms = 30000 });
	cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT, "one does not wait");
	atomic_store(&rig.is_ready, true);
	cr_expect_eq(hear(&app), 0);
	cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 30000), 0);
	leave(&app);
	leave(&other);
}

/* ---- Suspicions ---- */

static const struct proxy_agent_suspect *
suspect_of(const char *container)
{
	call(look);
	for (size_t i = 0; i < rig.view.suspect_count; i++)
		if (strcmp(rig.view.suspects[i].name, container) == 0)
			return &rig.view.suspects[i];
	return NULL;
}

static void
expect_suspended(unsigned suspended, unsigned resumed)
{
	call(look);
	cr_expect_eq(rig.suspended, suspended, "suspended %u times", rig.suspended);
	cr_expect_eq(rig.resumed, resumed, "resumed %u times", rig.resumed);
	cr_expect_eq(rig.view.is_suspended, suspended > resumed);
}

Test(agent, suspends_until_the_container_is_back_on_a_connection_of_its_own)
{
	struct caller app = start("app");
	struct caller other = start("other");

	atomic_store(&rig.is_ready, true);
	cr_assert_eq(ask_suspect(&app, "/etc/hosts line 3: another name", VERIFY_SUSPECT_SUSPEND),
		     0);
	cr_expect_eq(app.answer.data_len, 0);
	expect_suspended(1, 0);
	cr_expect_str_eq(rig.why, "a container is not what it should be: app");
	cr_expect_str_eq(suspect_of("app")->reason, "/etc/hosts line 3: another name");
	cr_expect(suspect_of("app")->suspends);
	/* Itself, another of its connections, and another container do not bring it back. */
	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT);
	cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT);
	leave(&other);
	other = come("app");
	cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 30), SEAL_E_TIMEOUT);
	cr_expect_eq(ask_spec(&other, "spec", "app", SPEC), SEAL_E_REFUSED);
	cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT);
	expect_suspended(1, 0);
	leave(&other);
	leave(&app);
	wait_for_callers(0);
	expect_suspended(1, 0);
	app = start("app");
	expect_suspended(1, 0);
	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), 0);
	expect_suspended(1, 1);
	cr_expect_not(suspect_of("app")->suspends);
	cr_expect_eq(suspect_of("app")->reports, 1);
	leave(&app);
}

/* It was there before the report came, by another connection. */
Test(agent, takes_nobody_for_back_who_was_there_before)
{
	struct caller witness = come("app");
	struct caller app = start("app");

	cr_assert_eq(ask_suspect(&witness, "x", VERIFY_SUSPECT_SUSPEND), 0);
	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT);
	expect_suspended(1, 0);
	leave(&app);
	wait_for_callers(1);
	app = start("app");
	cr_expect_eq(ask_suspect(&app, "again", VERIFY_SUSPECT_SUSPEND), 0);
	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT);
	expect_suspended(1, 0);
	cr_expect_str_eq(suspect_of("app")->reason, "again");
	leave(&app);
	wait_for_callers(1);
	app = start("app");
	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), 0);
	leave(&app);
	leave(&witness);
}

/* Whoever has the token can suspect, for it costs no more than the service; back is the application alone. */
Test(agent, hears_suspicion_from_every_role_and_takes_none_but_the_application_for_back)
{
	static const struct {
		const char *key; /* NULL: nothing opened */
		const char *spec;
	} rows[] = { { NULL, NULL }, { "livenessProbe", PROBE }, { "place", PLACE } };
	struct caller app = start("app");

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct caller one = come("app");
		struct caller other;

		if (rows[i].key != NULL)
			cr_assert_eq(ask_spec(&one, rows[i].key, "app", rows[i].spec), 0, "%s",
				     one.answer.message);
		cr_expect_eq(ask_suspect(&one, "x", VERIFY_SUSPECT_SUSPEND), 0, "row %zu", i);
		expect_suspended((unsigned)i + 1, (unsigned)i);
		/* Another of its kind that comes afterwards is not back, beside the application or without it. */
		other = come("app");
		if (rows[i].key != NULL)
			cr_assert_eq(ask_spec(&other, rows[i].key, "app", rows[i].spec), 0);
		cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT, "row %zu", i);
		leave(&app);
		leave(&one);
		wait_for_callers(1);
		cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 0), SEAL_E_TIMEOUT, "row %zu", i);
		expect_suspended((unsigned)i + 1, (unsigned)i);
		leave(&other);
		wait_for_callers(0);
		app = start("app");
		cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), 0, "row %zu", i);
		expect_suspended((unsigned)i + 1, (unsigned)i + 1);
	}
	leave(&app);
}

Test(agent, waits_for_all_that_are_suspected)
{
	struct caller app = start("app");
	struct caller other = start("other");

	cr_assert_eq(ask_suspect(&app, "x", VERIFY_SUSPECT_SUSPEND), 0);
	cr_assert_eq(ask_suspect(&other, "y", VERIFY_SUSPECT_SUSPEND), 0);
	expect_suspended(1, 0);
	leave(&app);
	leave(&other);
	wait_for_callers(0);
	app = start("app");
	say(&app, &(struct verify_request){ .kind = VERIFY_ASK_READY, .wait_ms = 30000 });
	other = start("other");
	expect_suspended(1, 0);
	cr_expect_eq(ask_plain(&other, VERIFY_ASK_READY, 0), 0);
	cr_expect_eq(hear(&app), 0);
	expect_suspended(1, 1);
	leave(&app);
	leave(&other);
}

Test(agent, only_notes_what_is_only_reported)
{
	struct caller app = start("app");

	atomic_store(&rig.is_ready, true);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(ask_suspect(&app, "a mount", VERIFY_SUSPECT_REPORT), 0);
	expect_suspended(0, 0);
	cr_expect_eq(suspect_of("app")->reports, 100);
	cr_expect_not(suspect_of("app")->suspends);
	cr_expect_eq(ask_plain(&app, VERIFY_ASK_READY, 0), 0);
	/* Nor does a report afterwards end a suspension, or take its reason. */
	cr_assert_eq(ask_suspect(&app, "worse", VERIFY_SUSPECT_SUSPEND), 0);
	cr_assert_eq(ask_suspect(&app, "a mount", VERIFY_SUSPECT_REPORT), 0);
	expect_suspended(1, 0);
	cr_expect_str_eq(suspect_of("app")->reason, "worse");
	cr_expect_eq(suspect_of("app")->reports, 102);
	leave(&app);
}

Test(agent, knows_no_suspicion_without_the_token)
{
	struct verify_token token = token_of("shop", "web", "other", 2);
	struct caller thief;
	struct caller app = start("app");

	cr_expect_not(greet(&thief, &token, "app"));
	say(&thief, &(struct verify_request){ .kind = VERIFY_ASK_SUSPECT,
					      .wait_ms = VERIFY_SUSPECT_SUSPEND,
					      .data = (const uint8_t *)"x",
					      .data_len = 1 });
	cr_expect(is_closed(&thief));
	expect_suspended(0, 0);
	cr_expect_null(suspect_of("app"));
	leave(&thief);
	leave(&app);
	verify_token_release(&token);
}

/* The sentence has an end, the list too; what suspends is never dropped from it. */
Test(agent, knows_so_many_suspects_at_a_time)
{
	char name[VERIFY_CONTAINER_MAX + 1];

	for (unsigned i = 0; i < PROXY_AGENT_SUSPECTS_MAX + 2; i++) {
		struct caller caller;
		int r;

		(void)snprintf(name, sizeof(name), "a-container-with-a-rather-long-name-%u", i);
		caller = come(name);
		r = ask_suspect(&caller, "x",
				i == 7 ? VERIFY_SUSPECT_REPORT : VERIFY_SUSPECT_SUSPEND);
		cr_expect_eq(r, i <= PROXY_AGENT_SUSPECTS_MAX ? 0 : SEAL_E_LIMIT, "%u", i);
		leave(&caller);
	}
	expect_suspended(1, 0);
	cr_expect_eq(rig.view.suspect_count, PROXY_AGENT_SUSPECTS_MAX);
	cr_expect_null(suspect_of("a-container-with-a-rather-long-name-7"));
	cr_expect_not_null(suspect_of("a-container-with-a-rather-long-name-64"));
	call(look_at_sentence);
	cr_expect_str_eq(rig.why + strlen(rig.why) - 5, ", ...", "%s", rig.why);
}

Test(agent, forgets_who_waited_and_left_or_talks_while_it_waits)
{
	const struct verify_request wait = { .kind = VERIFY_ASK_READY, .wait_ms = 30000 };
	struct caller gone = come("app");
	struct caller impatient = come("app");

	say(&gone, &wait);
	leave(&gone);
	say(&impatient, &wait);
	(void)usleep(50000);
	say(&impatient, &wait);
	cr_expect(is_closed(&impatient));
	leave(&impatient);
	wait_for_callers(0);
}

Test(agent, tells_its_status_without_a_secret)
{
	struct caller app = come("app");
	static const char wanted[] = "{\"ready\":false,\"workload\":\"shop\",\"peer\":\"web\"}";

	cr_assert_eq(ask_plain(&app, VERIFY_ASK_STATUS, 0), 0);
	cr_expect_eq(app.answer.data_len, strlen(wanted));
	cr_expect_arr_eq(app.answer.data, wanted, strlen(wanted));
	leave(&app);
}

Test(agent, seals_data_and_opens_it_again)
{
	struct caller app = come("app");
	struct caller other = come("other");
	char *sealed;

	cr_assert_eq(ask_sealed(&app, VERIFY_ASK_ENCRYPT, "", "", "payload"), 0);
	sealed = seal_strndup((const char *)app.answer.data, app.answer.data_len);
	cr_expect_null(strstr(sealed, "payload"));
	cr_assert_eq(ask_sealed(&other, VERIFY_ASK_DECRYPT, "", "", sealed), 0);
	cr_expect_arr_eq(other.answer.data, "payload", 7);
	sealed[strlen(sealed) - 5] = sealed[strlen(sealed) - 5] == 'A' ? 'B' : 'A';
	cr_expect_eq(ask_sealed(&other, VERIFY_ASK_DECRYPT, "", "", sealed), SEAL_E_UNAUTH);
	free(sealed);
	sealed = make_spec("web", "spec", "app", OWN_GEN, SPEC);
	cr_expect_eq(ask_sealed(&app, VERIFY_ASK_DECRYPT, "", "", sealed), SEAL_E_UNAUTH,
		     "a spec is no data");
	free(sealed);
	leave(&app);
	leave(&other);
}

Test(agent, is_open_to_every_user_and_needs_its_folder)
{
	struct seal_endpoint right = rig.endpoint;
	struct stat st;

	cr_assert_eq(stat(rig.endpoint.host, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0666);
	call(open_another);
	cr_expect_eq(rig.second.code, SEAL_E_CONFLICT, "one is there already");
	(void)snprintf(rig.endpoint.host, sizeof(rig.endpoint.host), "/tmp/seal-no-such/a.sock");
	call(open_another);
	cr_expect_eq(rig.second.code, SEAL_E_MISSING);
	cr_expect_not_null(strstr(rig.second.text, "memory volume"), "%s", rig.second.text);
	rig.endpoint = right;
}

/* ---- The machine ---- */

Test(agent_states, lead_where_the_table_says)
{
	for (enum agent_state state = AGENT_HELLO; state < AGENT_N_STATES; state++) {
		cr_expect_eq(agent_next_state(state, AGENT_EV_END), AGENT_CLOSED);
		for (enum agent_event event = 0; event < AGENT_N_EVENTS; event++) {
			enum agent_state next = agent_next_state(state, event);

			cr_expect(state != AGENT_CLOSED || next == AGENT_CLOSED ||
				  next == AGENT_NO_STATE);
			/* Nothing is answered before a request has opened. */
			cr_expect(next != AGENT_REPLY || state == AGENT_PROOF ||
				  state == AGENT_IDLE || state == AGENT_WAIT);
			cr_expect(next != AGENT_PROOF || state == AGENT_HELLO ||
				  state == AGENT_PROOF);
		}
	}
	cr_expect_eq(agent_next_state(AGENT_HELLO, AGENT_EV_ANSWER), AGENT_NO_STATE);
	cr_expect_eq(agent_next_state(AGENT_HELLO, AGENT_EV_LATER), AGENT_NO_STATE);
}
