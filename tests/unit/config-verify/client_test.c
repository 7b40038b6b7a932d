/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/client, config-verify/token_file: who is spoken to, and who learns nothing. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "config-verify/client.h"
#include "tests/support/child.h"

#define BYTES  SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret *
#define CLIENT SEAL_SCOPED(verify_client_freep) struct verify_client *

/* ---- The other side ---- */

enum manner {
	GOOD,
	OTHER_TOKEN,
	NO_PROOF,
	REFLECTS,
	OTHER_CONTAINER,
	OTHER_GENERATION,
	GARBAGE,
	EMPTY_FRAME,
	HUGE_FRAME,
	SILENT_AFTER_HELLO,
	CLOSES_AT_ONCE,
	REPLAYS_ANSWER,
	ANSWERS_GARBAGE,
	CLOSES_AT_REQUEST,
};

struct agent {
	char dir[32];
	char path[64];
	int door;
	enum manner manner;
	pthread_t thread;
	bool heard_request; /* one that opened */
	size_t heard_bytes; /* in all */
};

static void
make_token(struct verify_token *token, uint8_t byte)
{
	const uint8_t key[SEAL_KEY_LEN] = { byte };

	*token = (struct verify_token){ .container = "web", .generation = 2 };
	cr_assert_eq(seal_secret_from(&token->key, key, sizeof(key), NULL), 0);
}

static bool
read_frame(struct agent *agent, int fd, struct seal_bytes *frame)
{
	uint8_t head[VERIFY_FRAME_HEAD];
	size_t len = 0;
	uint8_t buf[4096];

	if (recv(fd, head, sizeof(head), MSG_WAITALL) != (ssize_t)sizeof(head))
		return false;
	for (size_t i = 0; i < sizeof(head); i++)
		len = len << 8 | head[i];
	seal_bytes_reset(frame);
	agent->heard_bytes += len;
	return len <= sizeof(buf) && recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len &&
	       seal_bytes_append(frame, buf, len, NULL) == 0;
}

static void
put_bytes(int fd, const struct seal_bytes *out)
{
	(void)!send(fd, out->data, out->len, MSG_NOSIGNAL); /* who is gone is gone */
}

/* The data comes back as it was sent, from the object that was asked for. */
static void
answer(struct agent *agent, int fd, struct verify_channel *channel, const struct seal_bytes *frame)
{
	BYTES text = SEAL_BYTES(8192);
	BYTES out = SEAL_BYTES(8192);
	SECRET plain = NULL;
	struct verify_request request;
	struct verify_answer reply = { .binding = { .gen = 5, .of = 1 } };

	if (agent->manner == CLOSES_AT_REQUEST ||
	    verify_channel_open(channel, &plain, frame->data, frame->len, NULL) < 0 ||
	    verify_request_parse(&request, seal_secret_peek(plain), seal_secret_len(plain), NULL) <
		    0)
		return;
	agent->heard_request = true;
	if (request.kind == VERIFY_ASK_STATUS)
		reply = (struct verify_answer){ .code = SEAL_E_REFUSED, .message = "not for you" };
	reply.data = request.data;
	reply.data_len = request.data_len;
	if (agent->manner == ANSWERS_GARBAGE ? seal_bytes_append_str(&text, "?", NULL) < 0
					     : verify_answer_encode(&reply, &text, NULL) < 0)
		return;
	if (verify_channel_seal(channel, &out, text.data, text.len, NULL) < 0)
		return;
	put_bytes(fd, &out);
	if (agent->manner == REPLAYS_ANSWER)
		put_bytes(fd, &out);
}

static void
misbehave(const struct agent *agent, int fd, const struct seal_bytes *hello)
{
	static const uint8_t empty[4];
	BYTES out = SEAL_BYTES(4096);

	if (agent->manner == GARBAGE)
		cr_assert_eq(seal_bytes_append_str(&out, "SSH-2.0-OpenSSH\r\n", NULL), 0);
	if (agent->manner == EMPTY_FRAME)
		cr_assert_eq(seal_bytes_append(&out, empty, sizeof(empty), NULL), 0);
	if (agent->manner == HUGE_FRAME)
		cr_assert_eq(seal_bytes_append(&out, "\0\1\0\0", 4, NULL), 0);
	for (int i = 0; agent->manner == REFLECTS && i < 2; i++)
		cr_assert_eq(verify_frame_append(&out, hello->data, hello->len, NULL), 0);
	if (out.len > 0)
		put_bytes(fd, &out);
}

static struct verify_channel *
greet(const struct agent *agent, int fd, const struct seal_bytes *frame)
{
	const char *proof = agent->manner == NO_PROOF ? "agenT" : VERIFY_AGENT_PROOF;
	BYTES text = SEAL_BYTES(VERIFY_HELLO_MAX);
	BYTES out = SEAL_BYTES(4096);
	struct verify_channel *channel = NULL;
	struct verify_token token;
	struct verify_hello theirs;
	struct verify_hello ours;

	cr_assert_eq(verify_hello_parse(&theirs, frame->data, frame->len, NULL), 0);
	ours = theirs;
	if (agent->manner == OTHER_CONTAINER)
		ours.container[0] = 'x';
	if (agent->manner == OTHER_GENERATION)
		ours.generation++;
	make_token(&token, agent->manner == OTHER_TOKEN ? 9 : 7);
	cr_assert_eq(seal_random(ours.nonce, sizeof(ours.nonce), NULL), 0);
	cr_assert_eq(verify_channel_new(&channel, VERIFY_AT_AGENT, &token, theirs.nonce, ours.nonce,
					NULL),
		     0);
	cr_assert_eq(verify_hello_encode(&ours, &text, NULL), 0);
	cr_assert_eq(verify_frame_append(&out, text.data, text.len, NULL), 0);
	cr_assert_eq(verify_channel_seal(channel, &out, proof, strlen(proof), NULL), 0);
	put_bytes(fd, &out);
	verify_token_release(&token);
	return channel;
}

static void
serve(struct agent *agent, int fd)
{
	SEAL_SCOPED(verify_channel_freep) struct verify_channel *channel = NULL;
	BYTES frame = SEAL_BYTES(8192);
	uint8_t byte;

	if (agent->manner == CLOSES_AT_ONCE || !read_frame(agent, fd, &frame))
		return;
	if (agent->manner >= REFLECTS && agent->manner <= SILENT_AFTER_HELLO &&
	    agent->manner != OTHER_CONTAINER && agent->manner != OTHER_GENERATION) {
		misbehave(agent, fd, &frame);
		agent->heard_bytes += (size_t)(recv(fd, &byte, 1, 0) == 1);
		return;
	}
	channel = greet(agent, fd, &frame);
	while (read_frame(agent, fd, &frame))
		answer(agent, fd, channel, &frame);
}

static void *
run_agent(void *arg)
{
	struct agent *agent = arg;
	SEAL_SCOPED(seal_closep) int fd = accept(agent->door, NULL, NULL);

	if (fd >= 0)
		serve(agent, fd);
	return NULL;
}

static void
open_door(struct agent *agent)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	agent->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", agent->path);
	cr_assert_eq(bind(agent->door, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(agent->door, 8), 0);
}

static void
agent_place(struct agent *agent, enum manner manner)
{
	*agent = (struct agent){ .dir = "/tmp/seal-agent-XXXXXX", .door = -1, .manner = manner };
	cr_assert_not_null(mkdtemp(agent->dir));
	(void)snprintf(agent->path, sizeof(agent->path), "%s/sock", agent->dir);
}

static void
agent_start(struct agent *agent, enum manner manner)
{
	agent_place(agent, manner);
	open_door(agent);
	cr_assert_eq(pthread_create(&agent->thread, NULL, run_agent, agent), 0);
}

static void
agent_stop(struct agent *agent)
{
	(void)shutdown(agent->door, SHUT_RDWR);
	(void)pthread_join(agent->thread, NULL);
	seal_close(agent->door);
	(void)unlink(agent->path);
	(void)rmdir(agent->dir);
}

/* ---- Authentication ---- */

static int
connect_to(struct agent *agent, struct verify_client **ret_client, struct seal_err *err)
{
	struct verify_token token;
	int r;

	make_token(&token, 7);
	r = verify_client_new(ret_client, agent->path, &token, 200, NULL, err);
	verify_token_release(&token);
	return r;
}

Test(verify_client, who_knows_the_token_is_asked_and_answers)
{
	static const uint8_t data[] = "some sealed value";
	const struct verify_request request = {
		.kind = VERIFY_ASK_OPEN,
		.object_kind = "Secret",
		.object_name = "s",
		.key = "k",
		.data = data,
		.data_len = sizeof(data),
	};
	struct agent agent;

	agent_start(&agent, GOOD);
	{
		CLIENT client = NULL;

		cr_assert_eq(connect_to(&agent, &client, NULL), 0);
		for (int i = 0; i < 50; i++) {
			SECRET plain = NULL;
			struct verify_binding binding = { .gen = 0 };

			cr_assert_eq(verify_client_ask(client, &request, &plain, &binding, NULL),
				     0);
			cr_assert_eq(seal_secret_len(plain), sizeof(data));
			cr_expect_arr_eq(seal_secret_peek(plain), data, sizeof(data));
			cr_expect_eq(binding.gen, 5);
		}
	}
	agent_stop(&agent);
}

Test(verify_client, a_refusal_comes_with_its_sentence_and_ends_nothing)
{
	const struct verify_request status = { .kind = VERIFY_ASK_STATUS };
	const struct verify_request ready = { .kind = VERIFY_ASK_READY };
	struct agent agent;

	agent_start(&agent, GOOD);
	{
		CLIENT client = NULL;
		SECRET plain = NULL;
		struct seal_err err = { 0 };

		cr_assert_eq(connect_to(&agent, &client, NULL), 0);
		cr_expect_eq(verify_client_ask(client, &status, &plain, NULL, &err),
			     SEAL_E_REFUSED);
		cr_expect_str_eq(err.text, "not for you");
		cr_expect_null(plain);
		cr_expect(verify_client_is_open(client));
		cr_expect_eq(verify_client_ask(client, &ready, &plain, NULL, &err), 0);
		cr_expect_null(plain, "an answer without data");
	}
	agent_stop(&agent);
}

static void
expect_stranger(enum manner manner, int code)
{
	struct agent agent;

	agent_start(&agent, manner);
	{
		CLIENT client = NULL;
		struct seal_err err = { 0 };
		int r = connect_to(&agent, &client, &err);

		cr_expect_eq(r, code, "manner %d: %d (%s)", manner, r, err.text);
		cr_expect_null(client);
	}
	agent_stop(&agent);
	cr_expect_not(agent.heard_request, "manner %d", manner);
	/* The hello: version, "web", a number, a nonce; and not a byte more. */
	cr_expect_leq(agent.heard_bytes, 1 + 4 + 3 + 8 + 4 + VERIFY_AGENT_NONCE_LEN, "manner %d",
		      manner);
}

Test(verify_client, a_stranger_learns_the_containers_name_and_nothing_else)
{
	static const enum manner manners[] = { OTHER_TOKEN,     NO_PROOF,         REFLECTS,
					       OTHER_CONTAINER, OTHER_GENERATION, GARBAGE,
					       EMPTY_FRAME,     HUGE_FRAME };

	for (size_t i = 0; i < SEAL_COUNT(manners); i++)
		expect_stranger(manners[i], SEAL_E_UNAUTH);
}

Test(verify_client, who_goes_away_while_greeting_is_tried_again_until_the_time_is_over)
{
	expect_stranger(CLOSES_AT_ONCE, SEAL_E_TIMEOUT);
}

static void
expect_broken(enum manner manner, int code)
{
	const struct verify_request request = { .kind = VERIFY_ASK_READY };
	struct agent agent;

	agent_start(&agent, manner);
	{
		CLIENT client = NULL;
		SECRET plain = NULL;

		cr_assert_eq(connect_to(&agent, &client, NULL), 0);
		if (manner == REPLAYS_ANSWER)
			cr_expect_eq(verify_client_ask(client, &request, &plain, NULL, NULL), 0);
		if (manner == CLOSES_AT_REQUEST)
			(void)shutdown(verify_client_fd(client), SHUT_RD);
		cr_expect_eq(verify_client_ask(client, &request, &plain, NULL, NULL), code);
		cr_expect_not(verify_client_is_open(client));
		cr_expect_eq(verify_client_ask(client, &request, &plain, NULL, NULL),
			     SEAL_E_CLOSED);
		cr_expect_null(plain);
	}
	agent_stop(&agent);
}

Test(verify_client, an_answer_counts_once)
{
	expect_broken(REPLAYS_ANSWER, SEAL_E_UNAUTH);
}

Test(verify_client, an_answer_that_is_none_ends_it)
{
	expect_broken(ANSWERS_GARBAGE, SEAL_E_FORMAT);
	expect_broken(CLOSES_AT_REQUEST, SEAL_E_CLOSED);
}

/* ---- Waiting ---- */

Test(verify_client, nobody_there_is_waited_for_and_no_longer)
{
	struct agent agent;
	CLIENT client = NULL;
	struct seal_err err = { 0 };
	uint64_t begin = verify_now_ms();

	agent_place(&agent, GOOD);
	cr_expect_eq(connect_to(&agent, &client, &err), SEAL_E_TIMEOUT);
	cr_expect_geq(verify_now_ms() - begin, 100);
	cr_expect_lt(verify_now_ms() - begin, 5000);
	cr_expect_null(client);
	(void)rmdir(agent.dir);
}

static bool
go_on(void *arg)
{
	(*(unsigned *)arg)++;
	return true;
}

/* Signals that never end are seen to, and the deadline holds. */
Test(verify_client, what_cannot_wait_does_not_put_off_the_deadline)
{
	struct agent agent;
	struct verify_token token;
	CLIENT client = NULL;
	unsigned times = 0;
	int pipes[2];
	struct verify_meanwhile meanwhile = { .act = go_on, .arg = &times };
	uint64_t begin = verify_now_ms();

	(void)alarm(20); /* Criterion's own timeouts leak, which counts as ours */
	agent_place(&agent, GOOD);
	make_token(&token, 7);
	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(write(pipes[1], "x", 1), 1);
	meanwhile.fd = pipes[0]; /* nobody takes the byte out */
	cr_expect_eq(verify_client_new(&client, agent.path, &token, 200, &meanwhile, NULL),
		     SEAL_E_TIMEOUT);
	cr_expect_lt(verify_now_ms() - begin, 5000);
	cr_expect_gt(times, 1);
	cr_expect_null(client);
	verify_token_release(&token);
	seal_close(pipes[0]);
	seal_close(pipes[1]);
	(void)rmdir(agent.dir);
}

static void *
open_late(void *arg)
{
	struct agent *agent = arg;

	(void)poll(NULL, 0, 150);
	open_door(agent);
	return run_agent(agent);
}

Test(verify_client, an_agent_that_comes_late_is_found)
{
	struct agent agent;
	struct verify_token token;

	make_token(&token, 7);
	agent_place(&agent, GOOD);
	cr_assert_eq(pthread_create(&agent.thread, NULL, open_late, &agent), 0);
	{
		CLIENT client = NULL;

		cr_expect_eq(verify_client_new(&client, agent.path, &token, 20000, NULL, NULL), 0);
	}
	agent_stop(&agent);
	verify_token_release(&token);
}

/* As a signal: told once. */
struct stop {
	int ends[2];
	unsigned called;
};

static bool
stop_at_once(void *arg)
{
	struct stop *stop = arg;
	char byte;

	stop->called++;
	cr_assert_eq(read(stop->ends[0], &byte, 1), 1);
	return false;
}

static void
expect_stopped(struct agent *agent)
{
	struct stop stop = { .called = 0 };
	struct verify_meanwhile meanwhile = { .act = stop_at_once, .arg = &stop };
	const uint64_t begin = verify_now_ms();
	struct verify_token token;
	CLIENT client = NULL;

	make_token(&token, 7);
	cr_assert_eq(pipe(stop.ends), 0);
	cr_assert_eq(write(stop.ends[1], "x", 1), 1);
	meanwhile.fd = stop.ends[0];
	cr_expect_eq(verify_client_new(&client, agent->path, &token, 20000, &meanwhile, NULL),
		     SEAL_E_CLOSED);
	cr_expect_null(client);
	cr_expect_eq(stop.called, 1);
	cr_expect_lt(verify_now_ms() - begin, 5000, "it went on waiting");
	verify_token_release(&token);
	seal_close(stop.ends[0]);
	seal_close(stop.ends[1]);
}

Test(verify_client, what_cannot_wait_is_seen_to_and_may_end_the_waiting)
{
	struct agent agent;

	agent_place(&agent, GOOD);
	expect_stopped(&agent);
	(void)rmdir(agent.dir);
	agent_start(&agent, SILENT_AFTER_HELLO);
	expect_stopped(&agent);
	agent_stop(&agent);
}

/* ---- The token's file: on the root file system, which tests may write as root only ---- */

static char token_file[64]; /* each test is a process */

static void
name_token_file(void)
{
	(void)snprintf(token_file, sizeof(token_file), "/seal-token-test-%d", (int)getpid());
}

static void
write_token(mode_t mode)
{
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = NULL;
	SECRET root = NULL;
	SECRET text = NULL;
	struct seal_secret *key = NULL;
	struct verify_token token = { .generation = 0 };
	const struct verify_key_id id = {
		.workload = "shop", .purpose = VERIFY_CONTAINER, .peer = "web", .generation = 1
	};
	int fd = open(token_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(seal_secret_from(&root, (uint8_t[SEAL_KEY_LEN]){ 1 }, SEAL_KEY_LEN, NULL), 0);
	cr_assert_eq(verify_ring_new(&ring, "shop", "web", NULL), 0);
	cr_assert_eq(verify_key_derive(&key, root, &id, NULL), 0);
	cr_assert_eq(verify_ring_add(ring, &id, &key, NULL), 0);
	cr_assert_eq(verify_token_make(&token, ring, "app", 0, NULL), 0);
	cr_assert_eq(verify_token_encode(&token, &text, NULL), 0);
	cr_assert_eq(write(fd, seal_secret_chars(text), seal_secret_len(text)),
		     (ssize_t)seal_secret_len(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	(void)close(fd);
	verify_token_release(&token);
}

static void
expect_token(mode_t mode, int code)
{
	struct verify_token token = { .generation = 0 };
	struct seal_err err = { 0 };

	write_token(mode);
	cr_expect_eq(verify_token_load(&token, token_file, &err), code, "%o: %s", mode, err.text);
	cr_expect_eq(token.generation, code == 0, "%o", mode);
	verify_token_release(&token);
	(void)unlink(token_file);
}

Test(verify_token_file, others_may_read_it_and_nobody_else_may_write_it, .init = name_token_file)
{
	if (!child_may_be_root("verify_token_file"))
		return;
	expect_token(0400, 0);
	expect_token(0444, 0);
	expect_token(0644, 0);
	expect_token(0664, SEAL_E_REFUSED);
	expect_token(0646, SEAL_E_REFUSED);
}

Test(verify_token_file, what_is_no_file_of_the_image_is_refused, .init = name_token_file)
{
	struct verify_token token = { .generation = 0 };

	if (!child_may_be_root("verify_token_file"))
		return;
	cr_expect_eq(verify_token_load(&token, "/seal-nothing-here", NULL), SEAL_E_MISSING);
	cr_expect_eq(verify_token_load(&token, token_file + 1, NULL), SEAL_E_REFUSED);
	cr_expect_eq(verify_token_load(&token, "/tmp", NULL), SEAL_E_REFUSED);
	cr_expect_eq(verify_token_load(&token, "/dev/null", NULL), SEAL_E_REFUSED);
	cr_expect_eq(verify_token_load(&token, "/proc/self/environ", NULL), SEAL_E_REFUSED);
	cr_assert_eq(symlink("/etc/hostname", token_file), 0);
	cr_expect_eq(verify_token_load(&token, token_file, NULL), SEAL_E_REFUSED);
	(void)unlink(token_file);
	cr_assert_eq(mkfifo(token_file, 0400), 0);
	cr_expect_eq(verify_token_load(&token, token_file, NULL), SEAL_E_REFUSED);
	(void)unlink(token_file);
}

Test(verify_token_file, what_is_no_token_is_refused, .init = name_token_file)
{
	static const size_t lens[] = { 0, 1, VERIFY_TOKEN_MAX_LEN, VERIFY_TOKEN_MAX_LEN + 1, 5000 };
	struct verify_token token = { .generation = 0 };

	if (!child_may_be_root("verify_token_file"))
		return;
	for (size_t i = 0; i < SEAL_COUNT(lens); i++) {
		int fd = open(token_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0400);

		for (size_t n = 0; n < lens[i]; n++)
			cr_assert_eq(write(fd, "a", 1), 1);
		(void)close(fd);
		cr_expect_eq(verify_token_load(&token, token_file, NULL), SEAL_E_FORMAT, "%zu",
			     lens[i]);
		(void)unlink(token_file);
	}
	cr_expect_eq(token.generation, 0);
}
