/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials folder.  Looked at rather than notified about: it works on every file system, and
 * two seconds are nothing in the life of a certificate.
 */
#include "proxy/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs/fs.h"
#include "base/log/log.h"
#include "base/loop/loop.h"

#define LOOK_MS    2000u
#define MAX_BUNDLE (64u * 1024)
#define MAX_KEY    (16u * 1024)

enum { FILE_CA, FILE_CERT, FILE_KEY, FILE_COUNT };

static const char *const file_names[FILE_COUNT] = { "ca.pem", "cert.pem", "key.pem" };

/* What tells a changed file from the same one. */
struct mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

struct proxy_credentials {
	char *dir;
	struct mark marks[FILE_COUNT];
	uint64_t generation;
	uint32_t max_sessions;
	bool failed; /* the last look: say it once, look again */
	char said[SEAL_ERR_TEXT_LEN];
};

static int
load_certs(struct seal_certs **ret_certs, int dirfd, const char *name, size_t max,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(max);
	int r = seal_fs_read_public(&pem, dirfd, name, max, err);

	if (r < 0)
		return r;
	r = seal_certs_from_pem(ret_certs, seal_bytes_str(&pem), pem.len, max, err);
	return r < 0 ? seal_note(err, r, "'%s'", name) : 0;
}

static int
load_key(struct seal_key **ret_key, int dirfd, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	int r = seal_fs_read_secret(&pem, dirfd, name, MAX_KEY, err);

	if (r < 0)
		return r;
	r = seal_key_from_pem(ret_key, pem, err);
	return r < 0 ? seal_note(err, r, "'%s'", name) : 0;
}

static int
load_state(struct proxy_identity_state **ret_state, int dirfd, uint32_t max_sessions,
	   uint64_t generation, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv everyone = { 0 };
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct proxy_state_parts parts = { .clients = &everyone,
					   .servers = &everyone,
					   .generation = generation,
					   .max_sessions = max_sessions,
					   .now = seal_clock_now() };
	int r = load_certs(&anchors, dirfd, file_names[FILE_CA], MAX_BUNDLE, err);

	if (r == 0)
		r = load_certs(&chain, dirfd, file_names[FILE_CERT], SEAL_CHAIN_MAX_LEN, err);
	if (r == 0)
		r = load_key(&key, dirfd, file_names[FILE_KEY], err);
	if (r == 0)
		r = seal_strv_add(&everyone, SEAL_PEER_EVERY, err); /* listeners narrow it */
	if (r < 0)
		return r;
	parts.anchors = anchors;
	parts.chain = chain;
	parts.key = key;
	return proxy_state_new(ret_state, &parts, err);
}

int
proxy_credentials_load(struct proxy_identity_state **ret_state, const char *dir,
		       uint32_t max_sessions, uint64_t generation, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dirfd = seal_fs_open_dir(dir, SEAL_FS_ANY, err);
	int r;

	if (dirfd < 0)
		return dirfd;
	r = load_state(ret_state, dirfd, max_sessions, generation, err);
	return r < 0 ? seal_note(err, r, "credentials in '%s'", dir) : 0;
}

int
proxy_credentials_new(struct proxy_credentials **ret_credentials, const char *dir,
		      uint32_t max_sessions, struct seal_err *err)
{
	struct proxy_credentials *credentials = calloc(1, sizeof(*credentials));

	if (credentials == NULL)
		return seal_fail_memory(err);
	credentials->max_sessions = max_sessions;
	credentials->dir = seal_strndup(dir, strlen(dir));
	if (credentials->dir == NULL) {
		free(credentials);
		return seal_fail_memory(err);
	}
	*ret_credentials = credentials;
	return 0;
}

void
proxy_credentials_free(struct proxy_credentials *credentials)
{
	if (credentials == NULL)
		return;
	free(credentials->dir);
	free(credentials);
}

/* A file that cannot be looked at has the mark of none. */
static void
take_marks(const char *dir, struct mark marks[FILE_COUNT])
{
	SEAL_SCOPED(seal_closep) int dirfd = seal_fs_open_dir(dir, SEAL_FS_ANY, NULL);

	memset(marks, 0, FILE_COUNT * sizeof(*marks)); /* padding too: marks are compared whole */
	for (size_t i = 0; dirfd >= 0 && i < FILE_COUNT; i++) {
		struct stat st;

		if (fstatat(dirfd, file_names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		marks[i].device = st.st_dev;
		marks[i].inode = st.st_ino;
		marks[i].size = st.st_size;
		marks[i].modified = st.st_mtim;
	}
}

static void
warn_once(struct proxy_credentials *credentials, const struct seal_err *err)
{
	if (credentials->failed && strcmp(credentials->said, err->text) == 0)
		return;
	memcpy(credentials->said, err->text, sizeof(credentials->said));
	seal_log(SEAL_LOG_WARN, "credentials_refused", SEAL_STR("reason", err->text),
		 SEAL_BOOL("keeping_old", credentials->generation > 0));
}

uint64_t
proxy_credentials_turn(struct proxy_credentials *credentials,
		       struct proxy_identity_state **ret_state)
{
	struct mark marks[FILE_COUNT];
	struct seal_err err = { 0 };

	/* Before reading: a change while reading shows at the next look. */
	take_marks(credentials->dir, marks);
	if (!credentials->failed && credentials->generation > 0 &&
	    memcmp(marks, credentials->marks, sizeof(marks)) == 0)
		return LOOK_MS;
	if (proxy_credentials_load(ret_state, credentials->dir, credentials->max_sessions,
				   credentials->generation + 1, &err) < 0) {
		warn_once(credentials, &err);
		credentials->failed = true;
		return LOOK_MS;
	}
	memcpy(credentials->marks, marks, sizeof(marks));
	credentials->failed = false;
	credentials->generation++;
	seal_log(SEAL_LOG_NOTICE, "credentials_loaded",
		 SEAL_STR("workload", (*ret_state)->workload), SEAL_STR("peer", (*ret_state)->peer),
		 SEAL_U64("not_after", (uint64_t)(*ret_state)->not_after));
	return LOOK_MS;
}
