/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child in the namespaces of another process (setns(2)), and a pipe back.  The child knows nothing but
 * what it sends; what the parent reads has a limit.
 */

#include "config-verify/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"

#define ANSWER_MAX (VERIFY_MAX_ADDRESSES * 32u)

void
verify_kernel_view_release(struct verify_kernel_view *view)
{
	free(view->addresses);
	*view = (struct verify_kernel_view){ .address_count = 0 };
}

/* ---- The child ---- */

static bool
is_same(int a, int b)
{
	struct stat st[2];

	return fstat(a, &st[0]) == 0 && fstat(b, &st[1]) == 0 && st[0].st_dev == st[1].st_dev &&
	       st[0].st_ino == st[1].st_ino;
}

static int
enter(int proc, const char *name, int kind, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int theirs = -1;
	SEAL_SCOPED(seal_closep) int ours = -1;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/%s", name);
	theirs = openat(proc, name, O_RDONLY | O_CLOEXEC);
	if (theirs < 0)
		return seal_fail_errno(err, errno, "%s", name);
	ours = open(path, O_RDONLY | O_CLOEXEC);
	if (ours >= 0 && is_same(theirs, ours))
		return 0;
	return setns(theirs, kind) < 0 ? seal_fail_errno(err, errno, "cannot enter %s", name) : 0;
}

static int
put_view(struct seal_writer *w, struct seal_err *err)
{
	struct ifaddrs *list = NULL;
	struct utsname names;

	if (uname(&names) < 0)
		return seal_fail_errno(err, errno, "cannot ask for its name");
	if (getifaddrs(&list) < 0)
		return seal_fail_errno(err, errno, "cannot ask for its addresses");
	seal_put_u32(w, 0);
	seal_put_str(w, names.nodename);
	for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
		struct verify_address address;

		if ((at->ifa_flags & IFF_LOOPBACK) == 0 &&
		    verify_address_of_socket(&address, at->ifa_addr))
			seal_put_block(w, address.bytes, sizeof(address.bytes));
	}
	freeifaddrs(list);
	return seal_put_done(w, err);
}

static void
send_all(int fd, const struct seal_bytes *answer)
{
	for (size_t sent = 0; sent < answer->len;) {
		ssize_t n = write(fd, answer->data + sent, answer->len - sent);

		if (n > 0)
			sent += (size_t)n;
		else if (errno != EINTR)
			return; /* the other end finds it short */
	}
}

static void
answer_from_within(int proc, int fd)
{
	struct seal_bytes answer = SEAL_BYTES(ANSWER_MAX);
	struct seal_writer w = { .out = &answer };
	struct seal_err err = { 0 };
	int r = enter(proc, "ns/uts", CLONE_NEWUTS, &err);

	if (r == 0)
		r = enter(proc, "ns/net", CLONE_NEWNET, &err);
	if (r == 0)
		r = put_view(&w, &err);
	if (r < 0) {
		seal_bytes_reset(&answer);
		w.failed = 0;
		seal_put_u32(&w, (uint32_t)-r);
		seal_put_str(&w, err.text);
	}
	send_all(fd, &answer);
}

/* ---- The parent ---- */

static int
receive(struct seal_bytes *answer, int fd, struct seal_err *err)
{
	uint8_t piece[4096];
	ssize_t n;
	int r = 0;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			r = seal_bytes_append(answer, piece, (size_t)n, err);
	} while (r == 0 && (n > 0 || (n < 0 && errno == EINTR)));
	if (r < 0)
		return r;
	return n < 0 ? seal_fail_errno(err, errno, "cannot hear from its namespaces") : 0;
}

static int
take_addresses(struct verify_kernel_view *view, struct seal_reader *reader, struct seal_err *err)
{
	view->addresses = calloc(VERIFY_MAX_ADDRESSES, sizeof(*view->addresses));
	if (view->addresses == NULL)
		return seal_fail_memory(err);
	while (!reader->failed && reader->at < reader->end &&
	       view->address_count < VERIFY_MAX_ADDRESSES) {
		size_t len = 0;
		const uint8_t *bytes = seal_get_block(reader, &len);

		if (bytes == NULL || len != sizeof(view->addresses->bytes))
			return seal_fail(err, SEAL_E_FORMAT, "an address of %zu bytes", len);
		memcpy(view->addresses[view->address_count++].bytes, bytes, len);
	}
	return seal_get_done(reader, err);
}

static int
take_view(struct verify_kernel_view *ret_view, const struct seal_bytes *answer,
	  struct seal_err *err)
{
	SEAL_SCOPED(verify_kernel_view_release) struct verify_kernel_view view = { 0 };
	struct seal_reader reader = { .at = answer->data, .end = answer->data + answer->len };
	char text[SEAL_ERR_TEXT_LEN] = "";
	uint32_t code;
	int r;

	if (answer->len == 0)
		return seal_fail(err, SEAL_E_CLOSED, "its namespaces do not answer");
	code = seal_get_u32(&reader);
	seal_get_str(&reader, text, sizeof(text));
	if (code != 0 || reader.failed)
		return seal_fail(err, SEAL_E_SYSTEM, "%s", text);
	if (strlen(text) >= sizeof(view.hostname))
		return seal_fail(err, SEAL_E_LIMIT, "its name is too long");
	memcpy(view.hostname, text, strlen(text) + 1);
	r = take_addresses(&view, &reader, err);
	if (r < 0)
		return r;
	*ret_view = view;
	view.addresses = NULL;
	return 0;
}

int
verify_kernel_view_ask(struct verify_kernel_view *ret_view, int proc, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes answer = SEAL_BYTES(ANSWER_MAX);
	SEAL_SCOPED(seal_closep) int in = -1;
	int fds[2];
	pid_t child;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return seal_fail_errno(err, errno, "no pipe");
	in = fds[0];
	child = fork();
	if (child == 0) {
		answer_from_within(proc, fds[1]);
		_exit(0);
	}
	seal_close(fds[1]);
	if (child < 0)
		return seal_fail_errno(err, errno, "no process");
	r = receive(&answer, in, err);
	seal_closep(&in); /* one that writes on is not waited for: it gets SIGPIPE */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : take_view(ret_view, &answer, err);
}
