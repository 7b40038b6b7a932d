/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One connection's requests, one after another, as far as the socket lets it.  Does not know what is measured.
 *
 *   CLOSED ─open─▶ OPENING ─handshake─▶ IDLE ─ask─▶ BUSY ─answer─▶ IDLE
 */

#include "tests/bench/rot_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PER_ADDRESS  20000u /* lines from one address of ours: it has 28,000 ports */
#define BODY_MAX     (1u << 20)
#define READ_AT_ONCE 16384u

/* ---- Who ---- */

static char *
read_whole(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, BODY_MAX);

	if (file == NULL || text == NULL)
		die("%s: %m", path);
	*ret_len = fread(text, 1, BODY_MAX - 1, file);
	fclose(file);
	return text;
}

void
identity_load(struct identity *identity, const char *dir, size_t name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%zu.body", dir, name);
	identity->body = read_whole(path, &identity->body_len);
	(void)snprintf(path, sizeof(path), "%s/%zu.pem", dir, name);
	identity->tls = SSL_CTX_new(TLS_client_method());
	if (identity->tls == NULL ||
	    SSL_CTX_use_certificate_file(identity->tls, path, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(identity->tls, path, SSL_FILETYPE_PEM) != 1)
		die("%s: no credential", path);
	SSL_CTX_set_verify(identity->tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(identity->tls, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(identity->tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
						      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_min_proto_version(identity->tls, TLS1_3_VERSION);
}

/* ---- The fleet ---- */

void
fleet_init(struct fleet *fleet, uint16_t port, size_t count)
{
	memset(fleet, 0, sizeof(*fleet));
	fleet->port = port;
	fleet->count = count;
	fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
	fleet->lines = calloc(count, sizeof(*fleet->lines));
	if (fleet->epoll < 0 || fleet->lines == NULL)
		die("no memory for %zu connections", count);
	for (size_t i = 0; i < count; i++) {
		fleet->lines[i].fleet = fleet;
		fleet->lines[i].fd = -1;
	}
}

/* ---- Opening ---- */

/* From one of several addresses, as a single one does not have that many ports. */
static int
connect_from(uint16_t port, uint32_t index)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0)
		die("socket: %m");
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		die("connect: %m");
	return fd;
}

void
line_open(struct line *line)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	struct fleet *fleet = line->fleet;

	event.data.ptr = line;
	line->fd =
		connect_from(fleet->port, (uint32_t)((size_t)(line - fleet->lines) / PER_ADDRESS));
	line->ssl = SSL_new(line->who->tls);
	if (line->ssl == NULL || SSL_set_fd(line->ssl, line->fd) != 1)
		die("no memory for a connection");
	if (line->cert != NULL && (SSL_use_certificate(line->ssl, line->cert) != 1 ||
				   SSL_use_PrivateKey(line->ssl, line->key) != 1))
		die("a certificate that does not fit the key");
	SSL_set_connect_state(line->ssl);
	line->state = LINE_OPENING;
	fleet->opening++;
	if (epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, line->fd, &event) < 0)
		die("epoll: %m");
}

void
line_close(struct line *line)
{
	(void)SSL_shutdown(line->ssl);
	SSL_free(line->ssl);
	line->ssl = NULL;
	(void)close(line->fd);
	line->fd = -1;
	line->state = LINE_CLOSED;
}

/* False when it has to wait for the socket. */
static bool
went_on(struct line *line, int result, const char *what)
{
	int why = SSL_get_error(line->ssl, result);

	if (result > 0)
		return true;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return false;
	die("%s: %s (%s)", what, errno != 0 ? strerror(errno) : "closed",
	    ERR_reason_error_string(ERR_peek_error()));
}

/* ---- Asking ---- */

void
line_ask(struct line *line, const char *method, const char *path, const char *body, size_t body_len)
{
	size_t size = body_len + strlen(path) + 256;
	int head;

	free(line->request);
	line->request = malloc(size);
	if (line->request == NULL || line->state != LINE_IDLE)
		die("cannot ask");
	head = snprintf(line->request, size, "%s %s HTTP/1.1\r\nHost: rot\r\n", method, path);
	if (body != NULL)
		head += snprintf(line->request + head, size - (size_t)head,
				 "Content-Type: application/json\r\nContent-Length: %zu\r\n",
				 body_len);
	head += snprintf(line->request + head, size - (size_t)head, "\r\n");
	if (body != NULL)
		memcpy(line->request + head, body, body_len);
	line->request_len = (size_t)head + body_len;
	line->sent = 0;
	line->answer_len = 0;
	line->head_len = 0;
	line->state = LINE_BUSY;
}

static void
send_some(struct line *line)
{
	while (line->state == LINE_BUSY && line->sent < line->request_len) {
		size_t sent = 0;
		int r = SSL_write_ex(line->ssl, line->request + line->sent,
				     line->request_len - line->sent, &sent);

		if (!went_on(line, r, "sending"))
			return;
		line->sent += sent;
	}
	if (line->request != NULL && line->sent == line->request_len) {
		free(line->request); /* ten thousand may be waiting for their answers */
		line->request = NULL;
	}
}

/* ---- The answer ---- */

static void
read_head(struct line *line)
{
	char *end = strstr(line->answer, "\r\n\r\n");
	const char *length = strcasestr(line->answer, "\r\ncontent-length:");
	char *rest = NULL;

	if (end == NULL)
		return;
	line->head_len = (size_t)(end - line->answer) + 4;
	if (strncmp(line->answer, "HTTP/1.1 ", 9) != 0)
		die("no HTTP: %.40s", line->answer);
	line->status = (unsigned)strtoul(line->answer + 9, &rest, 10);
	line->body_len = 0;
	if (length != NULL && length < end)
		line->body_len = strtoul(length + 17, &rest, 10);
	if (line->body_len > BODY_MAX * 4)
		die("an answer of %zu bytes", line->body_len);
}

/* True when the socket may hold more. */
static bool
receive_some(struct line *line)
{
	size_t got = 0;
	int r;

	if (line->answer_size < line->answer_len + READ_AT_ONCE + 1) {
		line->answer_size = line->answer_len + 2 * READ_AT_ONCE;
		line->answer = realloc(line->answer, line->answer_size);
		if (line->answer == NULL)
			die("no memory for an answer");
	}
	errno = 0;
	r = SSL_read_ex(line->ssl, line->answer + line->answer_len, READ_AT_ONCE, &got);
	if (!went_on(line, r, "receiving"))
		return false;
	line->answer_len += got;
	line->answer[line->answer_len] = '\0';
	if (line->head_len == 0)
		read_head(line);
	return true;
}

static bool
is_whole(const struct line *line)
{
	return line->head_len != 0 && line->answer_len >= line->head_len + line->body_len;
}

const char *
line_answer(const struct line *line)
{
	return line->answer + line->head_len;
}

void
line_forget(struct line *line)
{
	free(line->answer);
	line->answer = NULL;
	line->answer_size = 0;
	line->answer_len = 0;
	line->head_len = 0;
}

/* ---- Turns ---- */

static bool
shake_hands(struct line *line)
{
	ERR_clear_error();
	errno = 0;
	if (!went_on(line, SSL_do_handshake(line->ssl), "handshake"))
		return false;
	line->state = LINE_IDLE;
	line->fleet->opening--;
	line->fleet->on_open(line);
	return true;
}

void
line_go(struct line *line)
{
	bool more = true;

	if (line->state == LINE_OPENING && !shake_hands(line))
		return;
	while (more && line->state != LINE_CLOSED && line->state != LINE_OPENING) {
		send_some(line);
		more = receive_some(line);
		if (!is_whole(line) || line->state != LINE_BUSY)
			continue;
		line->state = LINE_IDLE;
		line->fleet->on_answer(line);
	}
}

void
fleet_turn(struct fleet *fleet, int timeout_ms)
{
	struct epoll_event events[256];
	int count = epoll_wait(fleet->epoll, events, 256, timeout_ms);

	if (count < 0 && errno != EINTR)
		die("epoll: %m");
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr != NULL)
			line_go(events[i].data.ptr);
	}
}
