/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a public listener shows to the world and whom it believes: files read as a whole,
 * held against each other and the clock, and only then used.  What is refused names its file.  When to
 * read again is for others to decide.
 */
#include "proxy/public.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs/fs.h"
#include "base/secret/secret.h"
#include "proxy/sealed.h"

#define KEY_MAX_LEN 8192          /* RSA of 4096 bits is 3.3 KiB */
#define CAS_MAX_LEN (256u * 1024) /* a bundle of some hundred CAs */
#define MAX_BETWEEN 8             /* intermediates of a client, as far as public CAs go, and more */
#define SESSIONS    4096          /* of clients that may come back without a full handshake */

/* What is being read: one certificate and key for each SNI. */
struct reading {
	struct seal_certs *chains[PROXY_MAX_CERTIFICATES];
	struct seal_key *keys[PROXY_MAX_CERTIFICATES];
	struct proxy_public_leaf leaves[PROXY_MAX_CERTIFICATES];
	size_t count;
};

static void
release_reading(struct reading *reading)
{
	for (size_t i = 0; i < reading->count; i++) {
		seal_certs_free(reading->chains[i]);
		seal_key_free(reading->keys[i]);
	}
}

/* Where a file lies, and how it is to be read. */
struct file {
	const char *path;
	const char *secret; /* NULL: in clear */
	const struct proxy_opener *opener;
};

static int
read_sealed_certs(struct seal_certs **ret_certs, const struct file *file, size_t max,
		  struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	int r = proxy_sealed_read(file->opener, file->path, file->secret, max, &pem, err);

	if (r < 0)
		return r;
	r = seal_certs_from_pem(ret_certs, seal_secret_chars(pem), seal_secret_len(pem), max, err);
	return r < 0 ? seal_note(err, r, "'%s'", file->path) : 0;
}

static int
read_certs(struct seal_certs **ret_certs, const struct file *file, size_t max, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(max);
	int r;

	if (file->secret != NULL)
		return read_sealed_certs(ret_certs, file, max, err);
	r = seal_fs_read_public(&pem, AT_FDCWD, file->path, max, err);
	if (r < 0)
		return r;
	r = seal_certs_from_pem(ret_certs, seal_bytes_str(&pem), pem.len, max, err);
	return r < 0 ? seal_note(err, r, "'%s'", file->path) : 0;
}

static int
read_key(struct seal_key **ret_key, const struct file *file, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	const char *path = file->path;
	int r;

	if (file->secret != NULL)
		r = proxy_sealed_read(file->opener, path, file->secret, KEY_MAX_LEN, &pem, err);
	else
		r = seal_fs_read_secret_linked(&pem, AT_FDCWD, path, KEY_MAX_LEN, err);
	if (r < 0)
		return r;
	r = seal_key_from_site_pem(ret_key, pem, err);
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}

static int
check_pair(const struct seal_cert *leaf, const struct seal_key *key,
	   const struct proxy_certificate_files *files, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *certified = NULL;
	int r;

	r = seal_cert_key(leaf, &certified, err);
	if (r < 0)
		return seal_note(err, r, "'%s'", files->certificate);
	if (!seal_key_same_public(certified, key))
		return seal_fail(err, SEAL_E_REFUSED,
				 "the key in '%s' is not that of the first certificate in '%s'",
				 files->key, files->certificate);
	return 0;
}

static bool
served_before(const struct proxy_public *before, const struct proxy_public_leaf *leaf)
{
	for (size_t i = 0; before != NULL && i < before->count; i++)
		if (memcmp(before->leaves[i].fingerprint, leaf->fingerprint, SEAL_HASH_LEN) == 0)
			return true;
	return false;
}

/* The leaf alone: clients have their own opinion about what stands behind it, expired or not. */
static int
check_times(const struct proxy_public_leaf *leaf, const char *path,
	    const struct proxy_public *before, int64_t now, struct seal_err *err)
{
	if (now < leaf->not_before)
		return seal_fail(err, SEAL_E_REFUSED, "the certificate in '%s' is not valid yet",
				 path);
	if (now > leaf->not_after && !served_before(before, leaf))
		return seal_fail(err, SEAL_E_REFUSED, "the certificate in '%s' has expired", path);
	return 0;
}

static int
read_leaf(struct proxy_public_leaf *leaf, const struct seal_cert *cert, const char *path,
	  struct seal_err *err)
{
	int r = seal_cert_times(cert, &leaf->not_before, &leaf->not_after, err);

	if (r == 0)
		r = seal_cert_fingerprint(cert, leaf->fingerprint, err);
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}

static int
read_pair(struct reading *reading, const struct proxy_listener_config *listener, size_t at,
	  const struct proxy_public *before, int64_t now, struct seal_err *err)
{
	const struct proxy_certificate_files *files = &listener->certificates[at];
	const struct file certificate = { files->certificate, files->secret, listener->opener };
	const struct file key_file = { files->key, files->secret, listener->opener };
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct proxy_public_leaf *leaf = &reading->leaves[reading->count];
	int r;

	r = read_certs(&chain, &certificate, SEAL_CHAIN_MAX_LEN, err);
	if (r == 0)
		r = read_key(&key, &key_file, err);
	if (r == 0)
		r = check_pair(seal_certs_at(chain, 0), key, files, err);
	if (r == 0)
		r = read_leaf(leaf, seal_certs_at(chain, 0), files->certificate, err);
	if (r == 0)
		r = check_times(leaf, files->certificate, before, now, err);
	if (r < 0)
		return r;
	reading->chains[reading->count] = SEAL_TAKE(chain);
	reading->keys[reading->count] = SEAL_TAKE(key);
	reading->count++;
	return 0;
}

/* A leaf among the CAs would be a mistake: whoever made the file meant to trust that one client. */
static int
read_anchors(struct seal_certs **ret_anchors, const struct file *file, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	int r;

	r = read_certs(&anchors, file, CAS_MAX_LEN, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < seal_certs_count(anchors); i++)
		if (!seal_cert_is_ca(seal_certs_at(anchors, i)))
			return seal_fail(err, SEAL_E_REFUSED,
					 "certificate %zu in '%s' is not a CA's", i + 1,
					 file->path);
	*ret_anchors = SEAL_TAKE(anchors);
	return 0;
}

static int
make_tls(struct proxy_public *public, const struct reading *reading, struct seal_err *err)
{
	struct seal_tls_credential credentials[PROXY_MAX_CERTIFICATES];
	const struct seal_tls_public_config config = {
		.credentials = credentials,
		.credential_count = reading->count,
		.client_anchors = public->client_anchors,
		.max_sessions = SESSIONS,
	};

	for (size_t i = 0; i < reading->count; i++)
		credentials[i] = (struct seal_tls_credential){ .chain = reading->chains[i],
							       .key = reading->keys[i] };
	return seal_tls_new_public(&public->tls, &config, err);
}

static void
note_leaves(struct proxy_public *public, const struct reading *reading)
{
	public->count = reading->count;
	public->not_after = INT64_MAX;
	for (size_t i = 0; i < reading->count; i++) {
		public->leaves[i] = reading->leaves[i];
		if (reading->leaves[i].not_after < public->not_after)
		public->not_after = reading->leaves[i].not_after;
	}
}

static int
fill(struct proxy_public *public, const struct proxy_listener_config *listener,
     const struct proxy_public *before, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(release_reading) struct reading reading = { 0 };
	struct file clients = { .path = listener->client_ca, .opener = listener->opener };
	int r = 0;

	if (now < SEAL_CLOCK_FLOOR)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the clock cannot be right; no certificate can be judged");
	if (listener->certificate_count == 0 ||
	    listener->certificate_count > PROXY_MAX_CERTIFICATES)
		return seal_fail(err, SEAL_E_LIMIT, "%zu certificates; 1 to %d are possible",
				 listener->certificate_count, PROXY_MAX_CERTIFICATES);
	for (size_t i = 0; r == 0 && i < listener->certificate_count; i++)
		r = read_pair(&reading, listener, i, before, now, err);
	clients.secret = listener->certificates[0].secret; /* where the listener's own are */
	if (r == 0 && listener->client_ca != NULL)
		r = read_anchors(&public->client_anchors, &clients, err);
	if (r < 0)
		return r;
	note_leaves(public, &reading);
	return make_tls(public, &reading, err);
}

int
proxy_public_load(struct proxy_public **ret_public, const struct proxy_listener_config *listener,
		  const struct proxy_public *before, int64_t now, struct seal_err *err)
{
	struct proxy_public *public = calloc(1, sizeof(*public));
	int r;

	if (public == NULL)
		return seal_fail_memory(err);
	atomic_init(&public->refs, 1);
	r = fill(public, listener, before, now, err);
	if (r < 0) {
		proxy_public_unref(public);
		return r;
	}
	*ret_public = public;
	return 0;
}

size_t
proxy_public_over(const struct proxy_public *public, int64_t now)
{
	size_t over = 0;

	for (size_t i = 0; i < public->count; i++)
		over += now > public->leaves[i].not_after ? 1 : 0;
	return over;
}

struct proxy_public *
proxy_public_ref(struct proxy_public *public)
{
	atomic_fetch_add_explicit(&public->refs, 1, memory_order_relaxed);
	return public;
}

void
proxy_public_unref(struct proxy_public *public)
{
	if (public == NULL ||
	    atomic_fetch_sub_explicit(&public->refs, 1, memory_order_acq_rel) != 1)
		return;
	seal_tls_unref(public->tls);
	seal_certs_free(public->client_anchors);
	free(public);
}

/* FNV-1a: nobody gains from two marks that collide, who could change the files anyway. */
static void
mix(uint64_t *mark, uint64_t value)
{
	for (unsigned i = 0; i < sizeof(value); i++)
		*mark = (*mark ^ (value >> (8 * i) & 0xff)) * UINT64_C(0x100000001b3);
}

/*
 * Links are followed: what counts is the file at their end.  The time of the inode's change is mixed in
 * because a mode put right deserves another try.
 */
static void
mix_file(uint64_t *mark, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		mix(mark, (uint64_t)errno);
		return;
	}
	mix(mark, st.st_dev);
	mix(mark, st.st_ino);
	mix(mark, (uint64_t)st.st_size);
	mix(mark, (uint64_t)st.st_mtim.tv_sec);
	mix(mark, (uint64_t)st.st_mtim.tv_nsec);
	mix(mark, (uint64_t)st.st_ctim.tv_sec);
	mix(mark, (uint64_t)st.st_ctim.tv_nsec);
}

uint64_t
proxy_public_mark(const struct proxy_listener_config *listener)
{
	uint64_t mark = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < listener->certificate_count; i++) {
		mix_file(&mark, listener->certificates[i].certificate);
		mix_file(&mark, listener->certificates[i].key);
	}
	if (listener->client_ca != NULL)
		mix_file(&mark, listener->client_ca);
	return mark;
}

int
proxy_public_verify(const struct proxy_public *public, const struct seal_certs *presented,
		    int64_t now, char name[static SEAL_HOSTNAME_MAX + 1], struct seal_err *err)
{
	const struct seal_chain_opts opts = {
		.now = now,
		.side = SEAL_SIDE_CLIENT,
		.max_between = MAX_BETWEEN,
	};
	int r;

	if (public->client_anchors == NULL)
		return seal_fail(err, SEAL_E_UNAUTH, "a certificate nobody asked for");
	r = seal_chain_verify(public->client_anchors, presented, &opts, err);
	if (r < 0)
		return r;
	seal_cert_common_name(seal_certs_at(presented, 0), name, SEAL_HOSTNAME_MAX + 1);
	return 0;
}
