/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's end: forks the signer, puts requests on the socket pair, waits for answers.  A signer
 * that does not answer in time is ended: its late answer must never pass for the next one's.  Knows
 * nothing of keys but how to hand the key-encryption key over by forking.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/signer/signer.h"
#include "rot/signer/signer_internal.h"

/* Issuing takes a millisecond; a machine that swaps may need a few thousand. */
#define ANSWER_MS 10000
#define SIGNER_FD 3

/* What a signer is started with. */
struct start {
	struct seal_secret *kek;
	struct seal_secret *new_kek; /* NULL for one that serves */
	const char *trust_domain;
};

static _Noreturn void run_signer(int fd, pid_t parent, const struct start *start);
static void end_signer(struct rot_signer *signer);
static int get_bytes(struct seal_reader *in, struct seal_bytes *out, struct seal_err *err);

static int
check_kek(const struct seal_secret *kek, struct seal_err *err)
{
	if (seal_secret_len(kek) != SEAL_KEY_LEN)
		return seal_fail(err, SEAL_E_FORMAT, "a key-encryption key has %d bytes",
				 SEAL_KEY_LEN);
	return 0;
}

static int
check_start(const struct start *start, struct seal_err *err)
{
	int r = check_kek(start->kek, err);

	if (r == 0 && start->new_kek != NULL)
		r = check_kek(start->new_kek, err);
	if (r == 0 && start->new_kek != NULL && seal_secret_equal(start->kek, start->new_kek))
		r = seal_fail(err, SEAL_E_REFUSED, "the new key-encryption key is the old one");
	return r < 0 ? r : seal_trust_domain_check(start->trust_domain, err);
}

static int
start_signer(struct rot_signer **ret_signer, const struct start *start, struct seal_err *err)
{
	SEAL_SCOPED(rot_signer_freep) struct rot_signer *signer = NULL;
	SEAL_SCOPED(seal_closep) int theirs = -1;
	pid_t parent = getpid();
	int fds[2];
	int r;

	r = check_start(start, err);
	if (r < 0)
		return r;
	signer = calloc(1, sizeof(*signer));
	if (signer == NULL)
		return seal_fail_memory(err);
	signer->fd = signer->life_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return seal_fail_errno(err, errno, "cannot make a socket pair for the signer");
	signer->fd = fds[0];
	theirs = fds[1];
	signer->pid = fork();
	if (signer->pid < 0) {
		signer->pid = 0;
		return seal_fail_errno(err, errno, "cannot fork the signer");
	}
	if (signer->pid == 0)
		run_signer(theirs, parent, start);
	signer->life_fd = (int)syscall(SYS_pidfd_open, signer->pid, 0);
	if (signer->life_fd < 0)
		return seal_fail_errno(err, errno, "cannot watch the signer");
	*ret_signer = SEAL_TAKE(signer);
	return 0;
}

int
rot_signer_start(struct rot_signer **ret_signer, struct seal_secret **kek, const char *trust_domain,
		 struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = SEAL_TAKE(*kek);
	const struct start start = { .kek = key, .trust_domain = trust_domain };

	return start_signer(ret_signer, &start, err);
}

int
rot_signer_start_rekey(struct rot_signer **ret_signer, struct seal_secret **old_kek,
		       struct seal_secret **new_kek, const char *trust_domain, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *old_key = SEAL_TAKE(*old_kek);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *new_key = SEAL_TAKE(*new_kek);
	const struct start start = { .kek = old_key,
				     .new_kek = new_key,
				     .trust_domain = trust_domain };

	return start_signer(ret_signer, &start, err);
}

void
rot_signer_free(struct rot_signer *signer)
{
	if (signer == NULL)
		return;
	end_signer(signer);
	seal_close(signer->fd);
	seal_close(signer->life_fd);
	free(signer);
}

void
rot_signer_freep(struct rot_signer **signer)
{
	rot_signer_free(*signer);
	*signer = NULL;
}

int
rot_signer_fd(const struct rot_signer *signer)
{
	return signer->life_fd;
}

void
rot_ca_release(struct rot_ca *ca)
{
	seal_bytes_release(&ca->cert);
	seal_bytes_release(&ca->wrapped);
	memset(ca, 0, sizeof(*ca));
}

int
rot_signer_new_ca(struct rot_signer *signer, const char *workload, uint64_t generation, int64_t now,
		  struct rot_ca *ret_ca, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { .generation = generation };
	struct seal_writer request = { .out = &message };
	struct seal_reader in;
	int r;

	seal_put_u8(&request, ROT_OP_NEW_CA);
	seal_put_str(&request, workload);
	seal_put_u64(&request, generation);
	seal_put_u64(&request, (uint64_t)now);
	r = rot_signer_call(signer, &request, &reply, &in, err);
	if (r < 0)
		return r;
	(void)snprintf(ca.workload, sizeof(ca.workload), "%s", workload);
	seal_bytes_init(&ca.cert, ROT_SIGNER_PACKET_MAX);
	seal_bytes_init(&ca.wrapped, ROT_SIGNER_PACKET_MAX);
	r = get_bytes(&in, &ca.cert, err);
	if (r == 0)
		r = get_bytes(&in, &ca.wrapped, err);
	if (r == 0)
		r = seal_get_done(&in, err);
	if (r < 0)
		return r;
	*ret_ca = ca;
	memset(&ca, 0, sizeof(ca)); /* the caller owns it now */
	return 0;
}

static void
put_names(struct seal_writer *request, const struct seal_strv *names)
{
	size_t count = names != NULL ? names->count : 0;

	seal_put_u32(request, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		seal_put_str(request, names->items[i]);
}

static void
put_issue(struct seal_writer *request, const struct rot_ca *ca, const struct rot_issue *issue)
{
	char uri[SEAL_IDENTITY_URI_MAX];

	seal_identity_format(&issue->identity, uri);
	seal_put_u8(request, ROT_OP_ISSUE);
	seal_put_str(request, ca->workload);
	seal_put_u64(request, ca->generation);
	seal_put_block(request, ca->cert.data, ca->cert.len);
	seal_put_block(request, ca->wrapped.data, ca->wrapped.len);
	seal_put_str(request, uri);
	put_names(request, issue->dns);
	put_names(request, issue->ips);
	seal_put_block(request, issue->spki->data, issue->spki->len);
	seal_put_block(request, issue->serial, sizeof(issue->serial));
	seal_put_u64(request, (uint64_t)issue->not_before);
	seal_put_u64(request, (uint64_t)issue->not_after);
}

int
rot_signer_issue(struct rot_signer *signer, const struct rot_ca *ca, const struct rot_issue *issue,
		 struct seal_bytes *ret_pem, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer request = { .out = &message };
	struct seal_reader in;
	int r;

	put_issue(&request, ca, issue);
	r = rot_signer_call(signer, &request, &reply, &in, err);
	if (r < 0)
		return r;
	return get_bytes(&in, ret_pem, err);
}

int
rot_signer_new_secret(struct rot_signer *signer, const char *purpose,
		      struct seal_bytes *ret_wrapped, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes message = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer request = { .out = &message };
	struct seal_reader in;
	int r;

	seal_put_u8(&request, ROT_OP_NEW_SECRET);
	seal_put_str(&request, purpose);
	r = rot_signer_call(signer, &request, &reply, &in, err);
	if (r < 0)
		return r;
	return get_bytes(&in, ret_wrapped, err);
}

int
rot_signer_open_secret(struct rot_signer *signer, const char *purpose,
		       const struct seal_bytes *wrapped, struct seal_secret **ret_secret,
		       struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer request = { .out = &message };
	struct seal_reader in;
	const uint8_t *secret;
	size_t secret_len = 0;
	int r;

	seal_put_u8(&request, ROT_OP_OPEN_SECRET);
	seal_put_str(&request, purpose);
	seal_put_block(&request, wrapped->data, wrapped->len);
	r = rot_signer_call(signer, &request, &reply, &in, err);
	if (r < 0)
		return r;
	secret = seal_get_block(&in, &secret_len);
	r = seal_get_done(&in, err);
	if (r < 0)
		return r;
	return seal_secret_from(ret_secret, secret, secret_len, err);
}

/*
 * Become the signer: die with the server, keep no descriptor but the socket and standard error, and
 * leave the signals of the terminal to the server, which drains first.
 */
static void
settle(int fd, pid_t parent)
{
	int null;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	(void)prctl(PR_SET_NAME, "seal-signer"); /* for the reader of a process list only */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(1);
	if (fd != SIGNER_FD && dup2(fd, SIGNER_FD) < 0)
		_exit(1);
	if (close_range(SIGNER_FD + 1, ~0U, 0) < 0)
		_exit(1);
}

static _Noreturn void
run_signer(int fd, pid_t parent, const struct start *start)
{
	struct rot_signer_state state;
	int r;

	settle(fd, parent);
	r = rot_signer_state_init(&state, start->kek, start->trust_domain, NULL);
	if (r == 0 && start->new_kek != NULL)
		r = rot_signer_state_rekey(&state, start->new_kek, NULL);
	/* The derived keys are enough from here on. */
	seal_secret_free(start->kek);
	seal_secret_free(start->new_kek);
	if (r < 0)
		_exit(1);
	(void)rot_signer_confine(); /* an older kernel does without */
	rot_signer_serve(&state, SIGNER_FD);
	rot_signer_state_release(&state);
	/* Not exit(): handlers registered before the fork belong to the server. */
	_exit(0);
}

static void
end_signer(struct rot_signer *signer)
{
	pid_t r;

	if (signer->pid <= 0)
		return;
	(void)kill(signer->pid, SIGKILL); /* it holds nothing that needs finishing */
	do {
		r = waitpid(signer->pid, NULL, 0);
	} while (r < 0 && errno == EINTR);
	signer->pid = 0;
}

static int
lost(struct rot_signer *signer, const char *why, struct seal_err *err)
{
	signer->gone = true;
	end_signer(signer);
	return seal_fail(err, SEAL_E_CLOSED, "the signer %s", why);
}

static int
await(struct rot_signer *signer, struct seal_err *err)
{
	struct pollfd poller = { .fd = signer->fd, .events = POLLIN };
	int r;

	do {
		r = poll(&poller, 1, ANSWER_MS);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return lost(signer, "did not answer in time", err);
	if (r < 0)
		return lost(signer, "cannot be waited for", err);
	return 0;
}

static int
exchange(struct rot_signer *signer, const struct seal_bytes *message, struct seal_bytes *reply,
	 struct seal_err *err)
{
	uint8_t packet[ROT_SIGNER_PACKET_MAX];
	ssize_t n;
	int r;

	if (signer->gone)
		return seal_fail(err, SEAL_E_CLOSED, "the signer is gone");
	do {
		n = send(signer->fd, message->data, message->len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 || (size_t)n != message->len)
		return lost(signer, "takes no more requests", err);
	r = await(signer, err);
	if (r < 0)
		return r;
	n = recv(signer->fd, packet, sizeof(packet), MSG_TRUNC);
	if (n <= 0 || (size_t)n > sizeof(packet))
		return lost(signer, "has died", err);
	r = seal_bytes_append(reply, packet, (size_t)n, err);
	seal_wipe(packet, (size_t)n);
	return r;
}

int
rot_signer_call(struct rot_signer *signer, struct seal_writer *request, struct seal_bytes *reply,
		struct seal_reader *ret_in, struct seal_err *err)
{
	struct seal_reader in;
	char why[SEAL_ERR_TEXT_LEN] = "no reason given";
	uint8_t code;
	int r;

	r = seal_put_done(request, err);
	if (r < 0)
		return seal_note(err, r, "signer request");
	r = exchange(signer, request->out, reply, err);
	if (r < 0)
		return r;
	in = (struct seal_reader){ .at = reply->data, .end = reply->data + reply->len };
	code = seal_get_u8(&in);
	if (code != 0) {
		seal_get_str(&in, why, sizeof(why));
		return seal_fail(err, (enum seal_code) - (int)code, "signer: %s", why);
	}
	*ret_in = in;
	return 0;
}

static int
get_bytes(struct seal_reader *in, struct seal_bytes *out, struct seal_err *err)
{
	size_t len = 0;
	const uint8_t *data = seal_get_block(in, &len);

	if (in->failed)
		return seal_fail(err, SEAL_E_BUG, "the signer's answer is cut short");
	return seal_bytes_append(out, data, len, err);
}
