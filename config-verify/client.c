/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to the agent.  Whoever listens on the socket is a stranger until it has opened and
 * sealed with the token's key; what it says before is read with small limits and believed in nothing.
 */

#include "config-verify/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"

#define RETRY_MS     50    /* between two attempts while the sidecar starts */
#define HANDSHAKE_MS 10000 /* design: 10 s for a handshake */
#define ANSWER_MS    30000 /* the agent opens values at once; it may have many containers */
#define READ_LEN     65536

struct verify_client {
	int fd;
	struct verify_channel *channel;
	struct verify_meanwhile meanwhile;
	bool is_stopped; /* by it: not to be tried again */
	struct seal_bytes in;
};

uint64_t
verify_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail: the clock exists */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- Waiting ---- */

/* Wait until fd (or nobody, -1) is ready or the time is over, and see to what cannot wait. */
static int
wait_for(struct verify_client *client, int fd, short events, uint64_t deadline,
	 struct seal_err *err)
{
	const struct verify_meanwhile *meanwhile = &client->meanwhile;

	for (;;) {
		struct pollfd polled[] = {
			{ .fd = fd, .events = events },
			{ .fd = meanwhile->fd, .events = POLLIN },
		};
		uint64_t now = verify_now_ms();
		uint64_t left = now < deadline ? deadline - now : 0;
		int r = poll(polled, SEAL_COUNT(polled), left > INT32_MAX ? INT32_MAX : (int)left);

		if (r < 0 && errno != EINTR)
			return seal_fail_errno(err, errno, "cannot wait for the agent");
		if (r > 0 && polled[1].revents != 0 && !meanwhile->act(meanwhile->arg)) {
			client->is_stopped = true;
			return seal_fail(err, SEAL_E_CLOSED, "stopped while waiting for the agent");
		}
		if (r > 0 && polled[0].revents != 0)
			return 0;
		/* What cannot wait may never end. */
		if (r == 0 || left == 0)
			return seal_fail(err, SEAL_E_TIMEOUT, "the agent did not answer in time");
	}
}

/* ---- Bytes ---- */

static int
send_all(struct verify_client *client, const struct seal_bytes *out, uint64_t deadline,
	 struct seal_err *err)
{
	size_t sent = 0;

	while (sent < out->len) {
		ssize_t n = send(client->fd, out->data + sent, out->len - sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return seal_fail_errno(err, errno, "cannot write to the agent");
		r = wait_for(client, client->fd, POLLOUT, deadline, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
receive_some(struct verify_client *client, uint64_t deadline, struct seal_err *err)
{
	struct seal_bytes *in = &client->in;
	ssize_t n;
	int r = seal_bytes_reserve(in, READ_LEN, err);

	if (r < 0)
		return r;
	n = recv(client->fd, in->data + in->len, READ_LEN, MSG_DONTWAIT);
	if (n > 0) {
		in->len += (size_t)n;
		in->data[in->len] = '\0';
		return 0;
	}
	if (n == 0)
		return seal_fail(err, SEAL_E_CLOSED, "the agent closed the connection");
	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN)
		return seal_fail_errno(err, errno, "cannot read from the agent");
	return wait_for(client, client->fd, POLLIN, deadline, err);
}

/* The inside of the next frame, borrowed; to be dropped with drop_frame. */
static int
receive_frame(struct verify_client *client, size_t max, uint64_t deadline, const uint8_t **ret_data,
	      size_t *ret_len, struct seal_err *err)
{
	for (;;) {
		int r = verify_frame_next(client->in.data, client->in.len, max, ret_data, ret_len,
					  err);

		if (r < 0 || *ret_data != NULL)
			return r;
		r = receive_some(client, deadline, err);
		if (r < 0)
			return r;
	}
}

static void
drop_frame(struct verify_client *client, size_t len)
{
	seal_bytes_drop(&client->in, VERIFY_FRAME_HEAD + len);
}

/* ---- Hellos ---- */

static int
send_hello(struct verify_client *client, const struct verify_hello *hello, uint64_t deadline,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes inside = SEAL_BYTES(VERIFY_HELLO_MAX);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes frame = SEAL_BYTES(VERIFY_FRAME_HEAD + VERIFY_HELLO_MAX);
	int r = verify_hello_encode(hello, &inside, err);

	if (r == 0)
		r = verify_frame_append(&frame, inside.data, inside.len, err);
	return r < 0 ? r : send_all(client, &frame, deadline, err);
}

static int
receive_hello(struct verify_client *client, const struct verify_hello *ours,
	      struct verify_hello *ret_theirs, uint64_t deadline, struct seal_err *err)
{
	const uint8_t *data = NULL;
	size_t len = 0;
	int r = receive_frame(client, VERIFY_HELLO_MAX, deadline, &data, &len, err);

	if (r == 0)
		r = verify_hello_parse(ret_theirs, data, len, err);
	if (r < 0)
		return r;
	drop_frame(client, len);
	if (strcmp(ours->container, ret_theirs->container) != 0 ||
	    ours->generation != ret_theirs->generation)
		return seal_fail(err, SEAL_E_UNAUTH, "the agent speaks of another container");
	return 0;
}

static int
receive_proof(struct verify_client *client, uint64_t deadline, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	const uint8_t *data = NULL;
	size_t len = 0;
	int r = receive_frame(client, VERIFY_HELLO_MAX, deadline, &data, &len, err);

	if (r < 0)
		return r;
	r = verify_channel_open(client->channel, &plain, data, len, err);
	if (r < 0)
		return r;
	drop_frame(client, len);
	if (strcmp(seal_secret_chars(plain), VERIFY_AGENT_PROOF) != 0 ||
	    seal_secret_len(plain) != strlen(VERIFY_AGENT_PROOF))
		return seal_fail(err, SEAL_E_UNAUTH, "a proof that is none");
	return 0;
}

static int
authenticate(struct verify_client *client, const struct verify_token *token, struct seal_err *err)
{
	const uint64_t deadline = verify_now_ms() + HANDSHAKE_MS;
	struct verify_hello ours = { .generation = token->generation };
	struct verify_hello theirs = { .generation = 0 };
	int r;

	memcpy(ours.container, token->container, sizeof(ours.container));
	r = seal_random(ours.nonce, sizeof(ours.nonce), err);
	if (r == 0)
		r = send_hello(client, &ours, deadline, err);
	if (r == 0)
		r = receive_hello(client, &ours, &theirs, deadline, err);
	if (r == 0)
		r = verify_channel_new(&client->channel, VERIFY_AT_CONTAINER, token, ours.nonce,
				       theirs.nonce, err);
	if (r == 0)
		r = receive_proof(client, deadline, err);
	if (r == SEAL_E_UNAUTH || r == SEAL_E_FORMAT || r == SEAL_E_LIMIT)
		return seal_fail(err, SEAL_E_UNAUTH,
				 "who listens there does not know this container's token");
	return r;
}

/* ---- Connecting ---- */

static int
connect_once(struct verify_client *client, const char *path, struct seal_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return seal_fail(err, SEAL_E_LIMIT, "'%s' is too long for a socket", path);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path); /* it fits */
	seal_closep(&client->fd);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return seal_fail_errno(err, errno, "cannot make a socket");
	do
		r = connect(client->fd, (const struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	/* Not there, nobody behind it, or too many before us. */
	if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED || errno == EAGAIN)
		return seal_fail(err, SEAL_E_CLOSED, "nobody answers at '%s': %s", path,
				 strerror(errno));
	return seal_fail_errno(err, errno, "cannot connect to '%s'", path);
}

static int
attempt(struct verify_client *client, const char *path, const struct verify_token *token,
	struct seal_err *err)
{
	int r = connect_once(client, path, err);

	if (r < 0)
		return r;
	seal_bytes_reset(&client->in);
	verify_channel_free(SEAL_TAKE(client->channel));
	r = authenticate(client, token, err);
	return r < 0 ? seal_note(err, r, "agent at '%s'", path) : 0;
}

/* An agent that goes away while it greets us is one that restarts. */
static int
connect_until(struct verify_client *client, const char *path, const struct verify_token *token,
	      uint32_t wait_ms, struct seal_err *err)
{
	const uint64_t deadline = verify_now_ms() + wait_ms;
	int r;

	while ((r = attempt(client, path, token, err)) == SEAL_E_CLOSED) {
		uint64_t next = verify_now_ms() + RETRY_MS;

		if (client->is_stopped)
			return r;
		if (next > deadline)
			return seal_note(err, SEAL_E_TIMEOUT, "waited %u s for the agent",
					 wait_ms / 1000);
		r = wait_for(client, -1, 0, next, err);
		if (r != SEAL_E_TIMEOUT)
			return r;
	}
	return r;
}

int
verify_client_new(struct verify_client **ret_client, const char *path,
		  const struct verify_token *token, uint32_t wait_ms,
		  const struct verify_meanwhile *meanwhile, struct seal_err *err)
{
	SEAL_SCOPED(verify_client_freep) struct verify_client *client = NULL;
	int r;

	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return seal_fail_memory(err);
	client->fd = -1;
	client->meanwhile = meanwhile != NULL ? *meanwhile : (struct verify_meanwhile){ .fd = -1 };
	seal_bytes_init(&client->in, VERIFY_FRAME_HEAD + VERIFY_FRAME_MAX + READ_LEN);
	r = connect_until(client, path, token, wait_ms, err);
	if (r < 0)
		return r;
	*ret_client = SEAL_TAKE(client);
	return 0;
}

void
verify_client_free(struct verify_client *client)
{
	if (client == NULL)
		return;
	seal_close(client->fd);
	verify_channel_free(client->channel);
	seal_bytes_release(&client->in);
	free(client);
}

void
verify_client_freep(struct verify_client **client)
{
	verify_client_free(*client);
	*client = NULL;
}

int
verify_client_fd(const struct verify_client *client)
{
	return client->fd;
}

bool
verify_client_is_open(const struct verify_client *client)
{
	return client->fd >= 0;
}

/* ---- Asking ---- */

static int
send_request(struct verify_client *client, const struct verify_request *request, uint64_t deadline,
	     struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(VERIFY_FRAME_MAX);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes frame = SEAL_BYTES(VERIFY_FRAME_HEAD + VERIFY_FRAME_MAX);
	int r = verify_request_encode(request, &plain, err);

	if (r == 0)
		r = verify_channel_seal(client->channel, &frame, plain.data, plain.len, err);
	return r < 0 ? r : send_all(client, &frame, deadline, err);
}

static int
receive_answer(struct verify_client *client, uint64_t deadline, struct seal_secret **ret_frame,
	       struct verify_answer *ret_answer, struct seal_err *err)
{
	const uint8_t *data = NULL;
	size_t len = 0;
	int r = receive_frame(client, VERIFY_FRAME_MAX, deadline, &data, &len, err);

	if (r == 0)
		r = verify_channel_open(client->channel, ret_frame, data, len, err);
	if (r < 0)
		return r;
	drop_frame(client, len);
	return verify_answer_parse(ret_answer, seal_secret_peek(*ret_frame),
				   seal_secret_len(*ret_frame), err);
}

static int
take_answer(const struct verify_answer *answer, struct seal_secret **ret_plain,
	    struct verify_binding *ret_binding, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	int r;

	if (answer->code < 0)
		return seal_fail(err, (enum seal_code)answer->code, "%s", answer->message);
	if (answer->data_len > 0) {
		r = seal_secret_from(&plain, answer->data, answer->data_len, err);
		if (r < 0)
			return r;
	}
	*ret_plain = SEAL_TAKE(plain);
	if (ret_binding != NULL)
		*ret_binding = answer->binding;
	return 0;
}

int
verify_client_ask(struct verify_client *client, const struct verify_request *request,
		  struct seal_secret **ret_plain, struct verify_binding *ret_binding,
		  struct seal_err *err)
{
	const uint64_t deadline = verify_now_ms() + ANSWER_MS + request->wait_ms;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *frame = NULL;
	struct verify_answer answer = { 0 };
	int r;

	if (!verify_client_is_open(client))
		return seal_fail(err, SEAL_E_CLOSED, "the agent is gone");
	r = send_request(client, request, deadline, err);
	if (r == 0)
		r = receive_answer(client, deadline, &frame, &answer, err);
	if (r < 0) {
		seal_closep(&client->fd); /* what is half said cannot be taken up again */
		return r;
	}
	return take_answer(&answer, ret_plain, ret_binding, err);
}
