/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asking end of the local socket: one request, one answer, one deadline over all.  It blocks; it is
 * a command of its own, not part of a running proxy.  Whoever answers may be anybody who could make a
 * socket at that path: the answer is bounded, parsed strictly and printed without its control letters.
 */
#include "proxy/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fs/fs.h"
#include "base/loop/net.h"
#include "proxy/control_internal.h"

#define DEADLINE_MS 5000
#define HEAD_MAX    (8u * 1024)
#define READ_LEN    (16u * 1024)

struct ask {
	const char *path; /* of the socket */
	int fd;
	int64_t deadline; /* monotonic milliseconds */
	struct seal_err *err;
};

static int64_t
now_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
connect_failure(const struct ask *ask, int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case ENOTSOCK:
		return seal_fail(ask->err, SEAL_E_MISSING,
				 "no seal-proxy answers at %s: is it running, with --control?",
				 ask->path);
	case EACCES:
	case EPERM:
		return seal_fail(ask->err, SEAL_E_REFUSED,
				 "%s is not open to you: ask as the user of seal-proxy, or as root",
				 ask->path);
	case EAGAIN:
		return seal_fail(ask->err, SEAL_E_TIMEOUT,
				 "seal-proxy at %s does not take connections: is it stopped?",
				 ask->path);
	default:
		return seal_fail_errno(ask->err, errnum, "cannot connect to %s", ask->path);
	}
}

/* A local socket connects at once or not at all. */
static int
open_socket(struct ask *ask)
{
	struct seal_endpoint endpoint = { .is_unix = true };
	struct sockaddr_storage addr;
	socklen_t len;
	int r;

	if (strlen(ask->path) >= sizeof(endpoint.host))
		return seal_fail(ask->err, SEAL_E_LIMIT, "the path of the socket is too long");
	memcpy(endpoint.host, ask->path, strlen(ask->path) + 1);
	r = seal_endpoint_addr(&endpoint, &addr, &len, ask->err);
	if (r < 0)
		return r;
	ask->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ask->fd < 0)
		return seal_fail_errno(ask->err, errno, "cannot make a socket");
	if (connect(ask->fd, (const struct sockaddr *)&addr, len) < 0)
		return connect_failure(ask, errno);
	return 0;
}

static int
wait_until(const struct ask *ask, short events)
{
	struct pollfd wanted = { .fd = ask->fd, .events = events };
	int64_t left = ask->deadline - now_ms();
	int n = left > 0 ? poll(&wanted, 1, (int)left) : 0;

	if (n == 0)
		return seal_fail(ask->err, SEAL_E_TIMEOUT,
				 "seal-proxy at %s did not answer within %d seconds", ask->path,
				 DEADLINE_MS / 1000);
	if (n < 0 && errno != EINTR)
		return seal_fail_errno(ask->err, errno, "cannot wait for %s", ask->path);
	return 0;
}

static int
send_all(const struct ask *ask, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(ask->fd, text, len, MSG_NOSIGNAL);
		int r = 0;

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			r = wait_until(ask, POLLOUT);
		} else if (errno != EINTR) {
			r = seal_fail_errno(ask->err, errno, "cannot ask %s", ask->path);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int
receive_all(const struct ask *ask, struct seal_bytes *out)
{
	char text[READ_LEN];

	for (;;) {
		ssize_t n = recv(ask->fd, text, sizeof(text), 0);
		int r = 0;

		if (n == 0)
			return 0;
		if (n > 0)
			r = seal_bytes_append(out, text, (size_t)n, ask->err);
		else if (errno == EAGAIN)
			r = wait_until(ask, POLLIN);
		else if (errno != EINTR)
			r = seal_fail_errno(ask->err, errno, "cannot read from %s", ask->path);
		if (r < 0)
			return r;
	}
}

/* ---- the answer ---- */

static bool
is_header(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

/* Digits only, and few enough not to overflow. */
static bool
parse_length(const char *text, size_t *ret_length)
{
	size_t digits;

	text += strspn(text, " \t");
	digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits + strspn(text + digits, " \t")] != '\0')
		return false;
	*ret_length = strtoul(text, NULL, 10);
	return true;
}

static bool
parse_status(const char *line, unsigned *ret_status)
{
	static const char version[] = "HTTP/1.1 ";
	const char *digits = line + sizeof(version) - 1;

	if (strncmp(line, version, sizeof(version) - 1) != 0 || strspn(digits, "0123456789") != 3 ||
	    digits[3] != ' ' || digits[0] == '0')
		return false;
	*ret_status = (unsigned)strtoul(digits, NULL, 10);
	return true;
}

/* Walk the lines of a head that ends in an empty one; head is taken apart. */
static bool
parse_head(char *head, unsigned *ret_status, size_t *ret_length)
{
	char *line = head;
	bool has_length = false;

	for (char *end; (end = strstr(line, "\r\n")) != NULL; line = end + 2) {
		*end = '\0';
		if (line[strcspn(line, "\r\n")] != '\0')
			return false;
		if (line == head) {
			if (!parse_status(line, ret_status))
				return false;
			continue;
		}
		if (*line == '\0')
			return end[2] == '\0' && (has_length || *ret_status == 204);
		if (line[0] == ' ' || line[0] == '\t' || strchr(line, ':') == NULL ||
		    is_header(line, "Transfer-Encoding"))
			return false;
		if (!is_header(line, "Content-Length"))
			continue;
		if (has_length || !parse_length(strchr(line, ':') + 1, ret_length))
			return false;
		has_length = true;
	}
	return false;
}

int
control_answer_parse(struct control_answer *ret_answer, const char *text, size_t len,
		     struct seal_err *err)
{
	const char *end = len > 0 ? memmem(text, len, "\r\n\r\n", 4) : NULL;
	size_t head_len = end != NULL ? (size_t)(end - text) + 4 : 0;
	struct control_answer answer = { 0 };
	char head[HEAD_MAX + 1];

	if (end == NULL || head_len > HEAD_MAX || memchr(text, '\0', head_len) != NULL)
		return seal_fail(err, SEAL_E_FORMAT, "the answer is not that of a seal-proxy");
	memcpy(head, text, head_len);
	head[head_len] = '\0';
	if (!parse_head(head, &answer.status, &answer.body_len) ||
	    answer.body_len != len - head_len)
		return seal_fail(err, SEAL_E_FORMAT, "the answer is cut off or malformed");
	answer.body = text + head_len;
	*ret_answer = answer;
	return 0;
}

/* What the proxy says about a refusal, when that can be read. */
static int
refusal(const struct control_answer *answer, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *root = NULL;
	const struct seal_json *error = NULL;
	const char *message = "no reason given";

	if (seal_json_parse(&root, answer->body, answer->body_len, PROXY_STATUS_MAX, NULL) == 0 &&
	    seal_json_get_object(root, "error", &error, NULL) == 0 &&
	    seal_json_get_str(error, "message", &message, NULL) < 0)
		message = "no reason given";
	return seal_fail(err, SEAL_E_REFUSED, "seal-proxy says no (%u): %s", answer->status,
			 message);
}

/* Ask, and read the whole answer into text, which ret_answer borrows from. */
static int
ask_for(const char *path, const char *method, const char *target, struct seal_bytes *text,
	struct control_answer *ret_answer, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes request = SEAL_BYTES(1024);
	struct ask ask = { .path = path, .fd = -1, .deadline = now_ms() + DEADLINE_MS, .err = err };
	int r = seal_bytes_append_fmt(&request, err,
				      "%s %s HTTP/1.1\r\nHost: seal-proxy\r\n"
				      "Connection: close\r\n\r\n",
				      method, target);

	if (r == 0)
		r = open_socket(&ask);
	if (r == 0)
		r = send_all(&ask, seal_bytes_str(&request), request.len);
	if (r == 0)
		r = receive_all(&ask, text);
	seal_close(ask.fd);
	if (r < 0)
		return r;
	r = control_answer_parse(ret_answer, seal_bytes_str(text), text->len, err);
	if (r < 0)
		return seal_note(err, r, "%s", path);
	return ret_answer->status < 300 ? 0 : refusal(ret_answer, err);
}

static int
print_json(const struct seal_json *status, FILE *out, struct seal_err *err)
{
	/* Indenting makes it longer than it came. */
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(4 * (size_t)PROXY_STATUS_MAX);
	int r = seal_json_dump(status, true, &text, err);

	if (r == 0)
		(void)fprintf(out, "%s\n", seal_bytes_str(&text)); /* the stream keeps its error */
	return r;
}

int
proxy_control_status(const struct proxy_status_query *query, FILE *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(PROXY_STATUS_MAX + HEAD_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *status = NULL;
	const char *target = query->connections ? "/v1/status?connections=1" : "/v1/status";
	struct control_answer answer = { 0 };
	int r = ask_for(query->socket_path, "GET", target, &text, &answer, err);

	if (r == 0)
		r = seal_json_parse(&status, answer.body, answer.body_len, PROXY_STATUS_MAX, err);
	if (r < 0)
		return r;
	return query->json ? print_json(status, out, err) : proxy_status_print(status, out, err);
}

int
proxy_control_log_level(const char *socket_path, const char *level, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(PROXY_STATUS_MAX + HEAD_MAX);
	struct control_answer answer = { 0 };
	enum seal_level parsed = SEAL_LOG_INFO;
	char target[64];
	int r = seal_level_parse(&parsed, level, err);

	if (r < 0)
		return seal_note(err, SEAL_E_USAGE, "log-level");
	(void)snprintf(target, sizeof(target), "/v1/log-level?level=%s", seal_level_name(parsed));
	return ask_for(socket_path, "PUT", target, &text, &answer, err);
}
