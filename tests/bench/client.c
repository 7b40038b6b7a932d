/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One connection's exchange after another, as far as the socket lets it.  Does not know what is
 * measured.
 */

#include "tests/bench/client.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void
crowd_init(struct crowd *crowd, uint16_t port, size_t count)
{
	memset(crowd, 0, sizeof(*crowd));
	crowd->port = port;
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	crowd->count = count;
	crowd->clients = calloc(count, sizeof(*crowd->clients));
	if (crowd->epoll < 0 || crowd->clients == NULL)
		die("no memory for %zu connections", count);
	for (size_t i = 0; i < count; i++) {
		crowd->clients[i].crowd = crowd;
		crowd->clients[i].fd = -1;
	}
}

void
client_open(struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };

	event.data.ptr = client;
	client->fd = connect_to(client->crowd->port);
	if (epoll_ctl(client->crowd->epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
		die("epoll: %m");
}

void
client_close(struct client *client)
{
	close(client->fd);
	client->fd = -1;
}

/* Up to so many bytes of what the exchange sends, from where it is. */
static size_t
next_bytes(const struct client *client, uint8_t message[static MESSAGE_LEN],
	   const uint8_t **ret_from)
{
	uint64_t left = client->to_send - client->sent;

	if (client->sent < MESSAGE_LEN) {
		message_write(message, &client->exchange);
		*ret_from = message + client->sent;
		return MESSAGE_LEN - (size_t)client->sent;
	}
	*ret_from = pattern_at(client->sent - MESSAGE_LEN);
	return left < CHUNK ? (size_t)left : CHUNK;
}

static void
send_some(struct client *client)
{
	uint8_t message[MESSAGE_LEN];
	const uint8_t *from;

	while (client->sent < client->to_send) {
		size_t len = next_bytes(client, message, &from);
		ssize_t sent = transmit(client->fd, from, len);

		if (sent < 0 && errno == ENOTCONN)
			return;
		if (sent < 0)
			die("exchange %" PRIu64 ": not sent: %m", client->exchange.number);
		if (sent == 0)
			return;
		client->sent += (uint64_t)sent;
	}
}

static void
check_answer(struct client *client, const uint8_t *bytes, size_t len)
{
	struct message answer;

	if (client->received + len > client->to_receive)
		die("exchange %" PRIu64 ": more than was asked for", client->exchange.number);
	if (client->exchange.kind == EXCHANGE_DOWNLOAD) {
		if (memcmp(bytes, pattern_at(client->received), len) != 0)
			die("wrong bytes near offset %" PRIu64 " of a download", client->received);
	} else {
		memcpy(client->answer + client->received, bytes, len);
	}
	client->received += len;
	if (client->received < client->to_receive || client->exchange.kind == EXCHANGE_DOWNLOAD)
		return;
	if (!message_read(&answer, client->answer) || answer.number != client->exchange.number)
		die("exchange %" PRIu64 ": wrong answer", client->exchange.number);
}

/* True when the socket may hold more: its end, perhaps. */
static bool
receive_some(struct client *client)
{
	uint8_t *buffer = client->crowd->buffer;
	ssize_t got = receive(client->fd, buffer, CHUNK);

	if (got == 0 || (got < 0 && errno == ENOTCONN))
		return false;
	if (got < 0 && errno == 0)
		die("exchange %" PRIu64 ": closed after %" PRIu64 " of %" PRIu64 " bytes",
		    client->exchange.number, client->received, client->to_receive);
	if (got < 0)
		die("exchange %" PRIu64 ": %m", client->exchange.number);
	check_answer(client, buffer, (size_t)got);
	return true;
}

static void
client_turn(struct client *client)
{
	bool more;

	do {
		if (client->busy)
			send_some(client);
		more = receive_some(client);
	} while (more);
	if (!client->busy || client->received < client->to_receive)
		return;
	client->busy = false;
	client->crowd->exchanges++;
	client->crowd->on_done(client);
}

void
client_begin(struct client *client, enum exchange kind, uint64_t bytes)
{
	client->exchange = (struct message){ kind, bytes, client->crowd->begun++ };
	client->to_send = MESSAGE_LEN + (kind == EXCHANGE_UPLOAD ? bytes : 0);
	client->to_receive = kind == EXCHANGE_DOWNLOAD ? bytes : MESSAGE_LEN;
	client->sent = 0;
	client->received = 0;
	client->busy = true;
	send_some(client);
}

void
crowd_turn(struct crowd *crowd, int timeout_ms)
{
	struct epoll_event events[256];
	int count = epoll_wait(crowd->epoll, events, 256, timeout_ms);

	if (count < 0 && errno != EINTR)
		die("epoll: %m");
	for (int i = 0; i < count; i++)
		client_turn(events[i].data.ptr);
}

void
crowd_until(struct crowd *crowd, uint64_t exchanges)
{
	while (crowd->exchanges < exchanges)
		crowd_turn(crowd, -1);
}

bool
crowd_is_quiet(const struct crowd *crowd)
{
	uint8_t byte;

	for (size_t i = 0; i < crowd->count; i++) {
		if (crowd->clients[i].fd < 0)
			continue;
		if (recv(crowd->clients[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
		    errno != EAGAIN)
			return false;
	}
	return true;
}
