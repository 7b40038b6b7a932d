/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/control_client: what it believes of whoever answers at the path. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/control.h"

/* Ask for the status, of which nothing may be printed on failure. */
static int
ask(const char *path, struct seal_err *err)
{
	const struct proxy_status_query query = { .socket_path = path };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int r;

	cr_assert_not_null(out);
	r = proxy_control_status(&query, out, err);
	cr_assert_eq(fclose(out), 0);
	if (r < 0)
		cr_expect_eq(len, 0, "printed something before it failed");
	free(text);
	return r;
}

static char *
repeat(char c, size_t count)
{
	char *text = malloc(count + 1);

	cr_assert_not_null(text);
	memset(text, c, count);
	text[count] = '\0';
	return text;
}

Test(control_client, refuses_a_path_no_socket_can_have)
{
	char *path = repeat('/', 300);

	cr_expect_eq(ask(path, NULL), SEAL_E_LIMIT);
	path[150] = '\0';
	cr_expect_eq(ask(path, NULL), SEAL_E_LIMIT);
	free(path);
}

/* Somebody else at the path, who says this, so many times, and closes or waits. */
struct impostor {
	char path[64];
	const char *says;
	size_t times;
	bool waits;
	int fd;
	pthread_t thread;
};

static void *
impersonate(void *arg)
{
	struct impostor *impostor = arg;
	int fd = accept(impostor->fd, NULL, NULL);
	char some[1024];

	(void)recv(fd, some, sizeof(some), 0);
	for (size_t i = 0; i < impostor->times; i++) {
		if (send(fd, impostor->says, strlen(impostor->says), MSG_NOSIGNAL) < 0)
			break;
	}
	if (impostor->waits) /* until the client leaves */
		(void)recv(fd, some, sizeof(some), 0);
	(void)close(fd);
	return NULL;
}

static int
ask_impostor(const char *says, size_t times, bool waits, struct seal_err *err)
{
	struct impostor impostor = { .says = says, .times = times, .waits = waits };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int r;

	(void)snprintf(impostor.path, sizeof(impostor.path), "/tmp/seal-impostor.%d", getpid());
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", impostor.path);
	(void)unlink(impostor.path);
	impostor.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(impostor.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(impostor.fd, 1), 0);
	cr_assert_eq(pthread_create(&impostor.thread, NULL, impersonate, &impostor), 0);
	r = ask(impostor.path, err);
	cr_assert_eq(pthread_join(impostor.thread, NULL), 0);
	(void)close(impostor.fd);
	(void)unlink(impostor.path);
	return r;
}

Test(control_client, waits_no_longer_than_its_deadline)
{
	struct seal_err err = { 0 };

	cr_expect_eq(ask_impostor("HTTP/1.1 200 OK\r\n", 1, true, &err), SEAL_E_TIMEOUT);
	cr_expect_not_null(strstr(err.text, "5 seconds"), "%s", err.text);
}

Test(control_client, believes_no_impostor)
{
	struct seal_err err = { 0 };

	cr_expect_eq(ask_impostor("", 0, false, &err), SEAL_E_CLOSED);
	cr_expect_eq(ask_impostor("SSH-2.0-x\r\n\r\n", 1, false, &err), SEAL_E_FORMAT);
	cr_expect_eq(ask_impostor("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 1, false, &err),
		     SEAL_E_FORMAT);
	cr_expect_eq(
		ask_impostor("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx{}", 1, false, &err),
		SEAL_E_FORMAT);
	cr_expect_eq(ask_impostor("HTTP/1.1 503 x\r\nContent-Length: 2\r\n\r\n{}", 1, false, &err),
		     SEAL_E_REFUSED);
	cr_expect_eq(ask_impostor("HTTP/1.1 500 x\r\nContent-Length: 32\r\n\r\n"
				  "{\"error\":{\"message\":\"so\\u001b[2J\"}}",
				  1, false, &err),
		     SEAL_E_FORMAT, "the length is wrong");
	cr_expect_eq(ask_impostor("HTTP/1.1 500 x\r\nContent-Length: 35\r\n\r\n"
				  "{\"error\":{\"message\":\"so\\u001b[2J\"}}",
				  1, false, &err),
		     SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "so?[2J"), "%s", err.text);
}

Test(control_client, reads_no_more_than_a_status_can_be)
{
	struct seal_err err = { 0 };
	char *block = repeat('x', 1u << 20);

	cr_expect_eq(ask_impostor(block, 1000, false, &err), SEAL_E_LIMIT, "%s", err.text);
	free(block);
}
