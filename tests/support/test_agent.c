/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small agent for trying seal-wrap without a sidecar: keys made from a seed, one process for each
 * connection, and what they must share in shared memory.  It seals values and makes tokens under the same
 * keys.  Its manners can be bad: see usage.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "base/names/names.h"
#include "config-verify/agent.h"
#include "config-verify/sealed.h"
#include "config-verify/spec.h"

#define NS          "shop"
#define MAX_OBJECTS 512

static const char usage[] =
	"usage: test-agent token SEED CONTAINER\n"
	"       test-agent seal SEED KIND NAME KEY CONTAINER GEN OF   (plaintext on standard "
	"input)\n"
	"       test-agent serve SEED SOCKET [MANNER]\n"
	"MANNER: good; late (ready after a second); silent; reflect (returns what it gets);\n"
	"        noproof (a proof that is none); garbage; close (after the hello);\n"
	"        early (says \"not yet\" to a spec, twice); held (ready once SOCKET.ready is "
	"there);\n"
	"        deaf (closes when it is first told a suspicion)\n";

struct seen {
	char object[VERIFY_OBJECT_MAX];
	uint64_t gen;
};

/* Of all connections. */
static struct shared {
	size_t count;
	struct seen objects[MAX_OBJECTS];
	bool was_deaf;
} * shared;

static struct verify_ring *ring;
static const char *manner = "good";
static char ready_path[PATH_MAX];
static uint64_t started_ms;

static _Noreturn void
die(const char *what, const struct seal_err *err)
{
	(void)fprintf(stderr, "test-agent: %s: %s\n", what,
		      err == NULL ? strerror(errno) : err->text);
	_exit(1);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
make_ring(const char *seed)
{
	static const enum verify_purpose purposes[] = { VERIFY_CONFIG, VERIFY_CONTAINER };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *root = NULL;
	uint8_t hash[SEAL_HASH_LEN];
	struct seal_err err = { 0 };

	if (seal_sha256(hash, seed, strlen(seed), &err) < 0 ||
	    seal_secret_from(&root, hash, sizeof(hash), &err) < 0 ||
	    verify_ring_new(&ring, NS, "web", &err) < 0)
		die("keys", &err);
	for (size_t i = 0; i < SEAL_COUNT(purposes); i++) {
		struct verify_key_id id = {
			.workload = NS, .purpose = purposes[i], .peer = "web", .generation = 1
		};
		struct seal_secret *key = NULL;

		if (verify_key_derive(&key, root, &id, &err) < 0 ||
		    verify_ring_add(ring, &id, &key, &err) < 0)
			die("keys", &err);
	}
}

/* ---- Serving ---- */

struct link {
	int fd;
	struct seal_bytes in;
	struct verify_channel *channel;
	struct verify_spec *spec;
	struct verify_token token;
};

static bool
send_bytes(int fd, const struct seal_bytes *out)
{
	for (size_t sent = 0; sent < out->len;) {
		ssize_t n = send(fd, out->data + sent, out->len - sent, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		sent += (size_t)n;
	}
	return true;
}

/* The next frame in a copy of its own; false at the end. */
static bool
next_frame(struct link *link, struct seal_bytes *frame)
{
	for (;;) {
		const uint8_t *data = NULL;
		uint8_t buf[65536];
		size_t len = 0;
		ssize_t n;

		if (verify_frame_next(link->in.data, link->in.len, VERIFY_FRAME_MAX, &data, &len,
				      NULL) < 0)
			return false;
		if (data != NULL) {
			seal_bytes_reset(frame);
			if (seal_bytes_append(frame, data, len, NULL) < 0)
				return false;
			seal_bytes_drop(&link->in, VERIFY_FRAME_HEAD + len);
			return true;
		}
		n = recv(link->fd, buf, sizeof(buf), 0);
		if (n <= 0 || seal_bytes_append(&link->in, buf, (size_t)n, NULL) < 0)
			return false;
	}
}

static struct seen *
seen_of(const struct verify_binding *binding)
{
	char object[VERIFY_OBJECT_MAX];

	verify_object_format(binding, object);
	for (size_t i = 0; i < shared->count; i++)
		if (strcmp(shared->objects[i].object, object) == 0)
			return &shared->objects[i];
	if (shared->count == MAX_OBJECTS)
		die("too many objects", NULL);
	memcpy(shared->objects[shared->count].object, object, sizeof(object));
	return &shared->objects[shared->count++];
}

static int
open_one(const struct verify_binding *expect, const struct verify_request *request,
	 struct seal_secret **ret_plain, struct verify_answer *answer, struct seal_err *err)
{
	int r = verify_open(ret_plain, &answer->binding, ring, expect, (const char *)request->data,
			    request->data_len, err);

	if (r == 0) {
		seen_of(expect)->gen = answer->binding.gen;
		answer->data = seal_secret_peek(*ret_plain);
		answer->data_len = seal_secret_len(*ret_plain);
	}
	return r;
}

static int
open_spec(struct link *link, const struct verify_request *request, struct seal_secret **ret_plain,
	  struct verify_answer *answer, struct seal_err *err)
{
	struct verify_binding expect = { .ns = NS, .kind = "Pod", .name = "web", .gen = 1 };
	static unsigned times;
	int r;

	if (strcmp(manner, "early") == 0 && times++ < 2)
		return seal_fail(err, SEAL_E_TIMEOUT, "it does not run yet");

	memcpy(expect.container, link->token.container, sizeof(expect.container));
	r = open_one(&expect, request, ret_plain, answer, err);
	if (r == 0) {
		verify_spec_free(SEAL_TAKE(link->spec));
		r = verify_spec_parse(&link->spec, answer->data, answer->data_len, err);
	}
	return r;
}

static int
open_value(const struct link *link, const struct verify_request *request,
	   struct seal_secret **ret_plain, struct verify_answer *answer, struct seal_err *err)
{
	struct verify_binding expect = { .ns = NS };

	for (size_t i = 0; link->spec != NULL && i < verify_spec_object_count(link->spec); i++) {
		const struct verify_object *object = verify_spec_object(link->spec, i);

		if (strcmp(object->kind, request->object_kind) != 0 ||
		    strcmp(object->name, request->object_name) != 0)
			continue;
		memcpy(expect.kind, request->object_kind, sizeof(expect.kind));
		memcpy(expect.name, request->object_name, sizeof(expect.name));
		memcpy(expect.key, request->key, sizeof(expect.key));
		expect.gen = seen_of(&expect)->gen;
		expect.gen += expect.gen == 0;
		return open_one(&expect, request, ret_plain, answer, err);
	}
	return seal_fail(err, SEAL_E_REFUSED, "the spec names no such object");
}

static int
wait_for_file(const char *path, uint32_t wait_ms, struct seal_err *err)
{
	const uint64_t until = now_ms() + wait_ms;

	while (access(path, F_OK) != 0 && now_ms() < until)
		(void)poll(NULL, 0, 10);
	return access(path, F_OK) == 0 ? 0 : seal_fail(err, SEAL_E_TIMEOUT, "not yet");
}

static int
tell_ready(const struct verify_request *request, struct seal_err *err)
{
	const uint64_t at = started_ms + (strcmp(manner, "late") == 0 ? 1000 : 0);
	const uint64_t now = now_ms();

	if (strcmp(manner, "held") == 0)
		return wait_for_file(ready_path, request->wait_ms, err);
	if (now >= at)
		return 0;
	(void)poll(NULL, 0, (int)(at - now < request->wait_ms ? at - now : request->wait_ms));
	return now_ms() >= at ? 0 : seal_fail(err, SEAL_E_TIMEOUT, "not yet");
}

static void
answer_one(struct link *link, const struct verify_request *request, struct seal_secret **ret_plain,
	   struct verify_answer *answer)
{
	struct seal_err err = { 0 };

	switch (request->kind) {
	case VERIFY_ASK_SPEC:
		answer->code = open_spec(link, request, ret_plain, answer, &err);
		break;
	case VERIFY_ASK_OPEN:
		answer->code = open_value(link, request, ret_plain, answer, &err);
		break;
	case VERIFY_ASK_READY:
		answer->code = tell_ready(request, &err);
		break;
	case VERIFY_ASK_SUSPECT:
		answer->code = 0; /* that it was asked is written down */
		break;
	default:
		answer->code = seal_fail(&err, SEAL_E_REFUSED, "not here");
	}
	if (answer->code < 0) {
		*answer = (struct verify_answer){ .code = answer->code };
		memcpy(answer->message, err.text, sizeof(answer->message));
	}
}

static bool
serve_one(struct link *link, const struct seal_bytes *frame)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_FRAME_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(2 * VERIFY_FRAME_MAX);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *asked = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_answer answer = { .code = 0 };
	struct verify_request request;

	if (verify_channel_open(link->channel, &asked, frame->data, frame->len, NULL) < 0 ||
	    verify_request_parse(&request, seal_secret_peek(asked), seal_secret_len(asked), NULL) <
		    0)
		return false;
	if (request.kind == VERIFY_ASK_SUSPECT && strcmp(manner, "deaf") == 0 && !shared->was_deaf)
		return !(shared->was_deaf = true);
	(void)fprintf(stderr, "asked %d %s %s\n", request.kind, request.object_name, request.key);
	answer_one(link, &request, &plain, &answer);
	return verify_answer_encode(&answer, &text, NULL) == 0 &&
	       verify_channel_seal(link->channel, &out, text.data, text.len, NULL) == 0 &&
	       send_bytes(link->fd, &out);
}

static bool
greet(struct link *link, const struct seal_bytes *frame)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_HELLO_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(4096);
	const char *proof = strcmp(manner, "noproof") == 0 ? "nobody" : VERIFY_AGENT_PROOF;
	struct verify_hello theirs;
	struct verify_hello ours;

	if (verify_hello_parse(&theirs, frame->data, frame->len, NULL) < 0 ||
	    verify_token_make(&link->token, ring, theirs.container, theirs.generation, NULL) < 0)
		return false;
	ours = theirs;
	return seal_random(ours.nonce, sizeof(ours.nonce), NULL) == 0 &&
	       verify_channel_new(&link->channel, VERIFY_AT_AGENT, &link->token, theirs.nonce,
				  ours.nonce, NULL) == 0 &&
	       verify_hello_encode(&ours, &text, NULL) == 0 &&
	       verify_frame_append(&out, text.data, text.len, NULL) == 0 &&
	       verify_channel_seal(link->channel, &out, proof, strlen(proof), NULL) == 0 &&
	       send_bytes(link->fd, &out);
}

/* For as long as the other side stays. */
static void
misbehave(struct link *link, const struct seal_bytes *frame)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(4096);
	uint8_t buf[4096];

	(void)fprintf(stderr, "heard %zu bytes\n", frame->len);
	if (strcmp(manner, "close") == 0)
		return;
	if (strcmp(manner, "garbage") == 0 &&
	    seal_bytes_append_str(&out, "HTTP/1.1 400 Bad Request\r\n\r\n", NULL) < 0)
		return;
	if (strcmp(manner, "reflect") == 0 &&
	    (verify_frame_append(&out, frame->data, frame->len, NULL) < 0 ||
	     verify_frame_append(&out, frame->data, frame->len, NULL) < 0))
		return;
	if (!send_bytes(link->fd, &out))
		return;
	for (;;) {
		ssize_t n = recv(link->fd, buf, sizeof(buf), 0);

		if (n <= 0)
			return;
		(void)fprintf(stderr, "heard %zd bytes more\n", n);
	}
}

static _Noreturn void
serve_link(int fd)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes frame = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct link link = { .fd = fd, .in = SEAL_BYTES(2 * VERIFY_FRAME_MAX) };
	static const char *const greeting[] = {
		"good", "late", "early", "noproof", "held", "deaf"
	};
	bool is_bad = true;

	for (size_t i = 0; i < SEAL_COUNT(greeting); i++)
		is_bad = is_bad && strcmp(manner, greeting[i]) != 0;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (!next_frame(&link, &frame))
		_exit(0);
	if (is_bad)
		misbehave(&link, &frame);
	else if (greet(&link, &frame))
		while (next_frame(&link, &frame) && serve_one(&link, &frame))
			continue;
	_exit(0);
}

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		die(path, NULL);
	memcpy(address.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, 64) < 0)
		die(path, NULL);
	return fd;
}

static _Noreturn void
serve(const char *path)
{
	int door = listen_at(path);

	(void)snprintf(ready_path, sizeof(ready_path), "%s.ready", path);
	(void)signal(SIGCHLD, SIG_IGN);
	started_ms = now_ms();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("memory", NULL);
	for (;;) {
		int fd = accept(door, NULL, NULL);

		if (fd < 0)
			continue;
		if (fork() == 0)
			serve_link(fd);
		seal_close(fd);
	}
}

/* ---- Making ---- */

static void
print_token(const char *container)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	struct verify_token token = { .generation = 0 };
	struct seal_err err = { 0 };

	if (verify_token_make(&token, ring, container, 0, &err) < 0 ||
	    verify_token_encode(&token, &text, &err) < 0)
		die("token", &err);
	(void)printf("%s\n", seal_secret_chars(text));
	verify_token_release(&token);
}

static uint64_t
number(const char *text)
{
	uint64_t value = 0;

	if (seal_number_parse(text, 0, UINT32_MAX, &value, NULL) < 0)
		die(text, NULL);
	return value;
}

static void
print_sealed(char **args)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(VERIFY_SEALED_MAX);
	static char plain[VERIFY_PLAIN_MAX];
	struct verify_binding binding = { .ns = NS, .gen = number(args[4]), .of = number(args[5]) };
	struct seal_err err = { 0 };
	size_t len = fread(plain, 1, sizeof(plain), stdin);

	(void)snprintf(binding.kind, sizeof(binding.kind), "%s", args[0]);
	(void)snprintf(binding.name, sizeof(binding.name), "%s", args[1]);
	(void)snprintf(binding.key, sizeof(binding.key), "%s", args[2]);
	(void)snprintf(binding.container, sizeof(binding.container), "%s", args[3]);
	if (verify_seal(&out, ring, &binding, plain, len, &err) < 0)
		die("seal", &err);
	(void)printf("%s", seal_bytes_str(&out));
}

int
main(int argc, char **argv)
{
	if (argc < 4) {
		(void)fputs(usage, stderr);
		return 2;
	}
	make_ring(argv[2]);
	if (strcmp(argv[1], "token") == 0)
		print_token(argv[3]);
	else if (strcmp(argv[1], "seal") == 0 && argc == 9)
		print_sealed(argv + 3);
	else if (strcmp(argv[1], "serve") == 0) {
		manner = argc > 4 ? argv[4] : manner;
		serve(argv[3]);
	} else {
		(void)fputs(usage, stderr);
		return 2;
	}
	verify_ring_free(ring);
	return fflush(stdout) == 0 ? 0 : 1;
}
