/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for memory that holds keys.  Two homes: the crypto library's secure heap, an arena between
 * guard pages set up by seal_process_harden, where the library's own private keys live too; and, for
 * what comes before that or does not fit, pages of their own.  Both are left out of core dumps and
 * locked against swapping as far as RLIMIT_MEMLOCK allows; that limit is the operator's, so running
 * into it is no failure.  A fork inherits secrets (the signer is given its key so), but not their
 * locks, which the child therefore renews.
 */

#include "base/secret/secret_internal.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * OpenSSL keeps the 32 bytes of a handshake's X25519 key in the secure heap for as long as the session
 * lives: this is room for 100,000 connections at rest, and pages that are never used cost nothing.
 */
#define ARENA_LEN  (4u * 1024 * 1024)
#define ARENA_LESS (512u * 1024) /* for who has no sessions: its setting up touches every page */
#define ARENA_UNIT 32u           /* smallest block: one symmetric key */
#define ARENA_FIT  (16u * 1024)  /* larger secrets get pages of their own */
#define SECRET_MAX (2u * 1024 * 1024) /* a frame of the agent */

struct seal_secret {
	uint8_t *bytes; /* len bytes and a NUL */
	size_t len;
	size_t mapped; /* length of the own mapping; 0 when in the arena */
};

static void *arena;
static size_t arena_len;

static void
lock(void *at, size_t len)
{
	/* On fault: pages that never hold anything need no memory. */
	if (mlock2(at, len, MLOCK_ONFAULT) < 0)
		(void)mlock(at, len); /* as far as the limit allows */
}

static void
relock_after_fork(void)
{
	lock(arena, arena_len);
}

/*
 * Asking for the whole arena has touched, and so filled, every page of it.  All but the first, in which
 * the library keeps the one free block's place in its list, are empty: they come back when needed.
 */
static void
give_back_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *rest = (char *)arena + page;

	(void)munlock(rest, arena_len - page);                /* fails where it was not locked */
	(void)madvise(rest, arena_len - page, MADV_DONTNEED); /* or they stay */
	lock(arena, arena_len);
}

static int
make_arena(size_t len, struct seal_err *err)
{
	if (CRYPTO_secure_malloc_initialized())
		return 0;
	arena_len = len;
	/* 2 means not locked; it is kept out of dumps either way. */
	if (CRYPTO_secure_malloc_init(arena_len, ARENA_UNIT) == 0)
		return seal_fail(err, SEAL_E_MEMORY, "cannot set up protected memory for keys");

	/* The library does not say where its arena lies: its largest block is the whole of it. */
	arena = OPENSSL_secure_malloc(arena_len);
	if (arena == NULL)
		return seal_fail(err, SEAL_E_MEMORY, "cannot set up protected memory for keys");
	OPENSSL_secure_free(arena);
	give_back_pages();
	if (madvise(arena, arena_len, MADV_DONTDUMP) < 0)
		return seal_fail_errno(err, errno, "cannot keep keys out of core dumps");
	errno = pthread_atfork(NULL, NULL, relock_after_fork);
	if (errno != 0)
		return seal_fail_errno(err, errno, "cannot set up protected memory for keys");
	return 0;
}

/*
 * The host chooses our environment and can mount files: it must not choose the crypto library's
 * configuration, modules, trust or key log.  To be done before the library is first used.
 */
static int
shut_out_host(struct seal_err *err)
{
	static const char *const variables[] = {
		"OPENSSL_CONF",  "OPENSSL_CONF_INCLUDE", "OPENSSL_MODULES", "OPENSSL_ENGINES",
		"SSL_CERT_FILE", "SSL_CERT_DIR",         "SSLKEYLOGFILE",   "CTLOG_FILE",
	};

	for (size_t i = 0; i < SEAL_COUNT(variables); i++)
		if (unsetenv(variables[i]) < 0)
			return seal_fail_errno(err, errno, "cannot unset %s", variables[i]);
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return seal_fail(err, SEAL_E_CRYPTO, "cannot start the crypto library");
	return 0;
}

static int
protect(size_t len, struct seal_err *err)
{
	int r;

	/* exec gives it back (prctl(2)): the program started is judged by what it is itself. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return seal_fail_errno(err, errno, "cannot make this process undumpable");
	r = shut_out_host(err);
	if (r < 0)
		return r;
	return make_arena(len, err);
}

int
seal_process_harden(struct seal_err *err)
{
	const struct rlimit none = { 0, 0 };

	(void)umask(077); /* cannot fail */
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return seal_fail_errno(err, errno, "cannot switch core files off");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return seal_fail_errno(err, errno, "cannot give up new privileges");
	seal_slots_setup();
	return protect(ARENA_LEN, err);
}

int
seal_process_protect(struct seal_err *err)
{
	return protect(ARENA_LESS, err);
}

void
seal_memory_tidy(void)
{
	seal_slots_tidy();
	(void)malloc_trim(0); /* tells whether anything went */
}

static bool
take_from_arena(struct seal_secret *secret)
{
	if (!CRYPTO_secure_malloc_initialized() || secret->len >= ARENA_FIT)
		return false;
	secret->bytes = OPENSSL_secure_zalloc(secret->len + 1);
	return secret->bytes != NULL;
}

static int
map_pages(struct seal_secret *secret, struct seal_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = (secret->len + page) / page * page; /* leaves room for the NUL */
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return seal_fail_memory(err);
	lock(at, len);
	if (madvise(at, len, MADV_DONTDUMP) < 0) {
		int r = seal_fail_errno(err, errno, "cannot keep a key out of core dumps");

		(void)munmap(at, len); /* nothing was in it */
		return r;
	}
	secret->bytes = at;
	secret->mapped = len;
	return 0;
}

int
seal_secret_new(struct seal_secret **ret_secret, size_t len, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *secret = NULL;
	int r;

	if (len == 0 || len > SECRET_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a secret of %zu bytes, not of 1 to %u", len,
				 SECRET_MAX);
	secret = calloc(1, sizeof(*secret));
	if (secret == NULL)
		return seal_fail_memory(err);
	secret->len = len;
	if (!take_from_arena(secret)) {
		r = map_pages(secret, err);
		if (r < 0)
			return r;
	}
	*ret_secret = SEAL_TAKE(secret);
	return 0;
}

int
seal_secret_from(struct seal_secret **ret_secret, const void *data, size_t len,
		 struct seal_err *err)
{
	struct seal_secret *secret = NULL;
	int r = seal_secret_new(&secret, len, err);

	if (r < 0)
		return r;
	memcpy(secret->bytes, data, len);
	*ret_secret = secret;
	return 0;
}

void
seal_secret_free(struct seal_secret *secret)
{
	if (secret == NULL)
		return;
	if (secret->mapped > 0) {
		OPENSSL_cleanse(secret->bytes, secret->len);
		(void)munmap(secret->bytes,
			     secret->mapped); /* a mapping of ours cannot fail to go */
	} else if (secret->bytes != NULL) {
		OPENSSL_secure_clear_free(secret->bytes, secret->len + 1);
	}
	free(secret);
}

void
seal_secret_freep(struct seal_secret **secret)
{
	seal_secret_free(*secret);
	*secret = NULL;
}

uint8_t *
seal_secret_bytes(struct seal_secret *secret)
{
	return secret->bytes;
}

const uint8_t *
seal_secret_peek(const struct seal_secret *secret)
{
	return secret->bytes;
}

const char *
seal_secret_chars(const struct seal_secret *secret)
{
	return (const char *)secret->bytes;
}

size_t
seal_secret_len(const struct seal_secret *secret)
{
	return secret->len;
}

void
seal_secret_truncate(struct seal_secret *secret, size_t len)
{
	if (len >= secret->len)
		return;
	OPENSSL_cleanse(secret->bytes + len, secret->len - len); /* leaves the NUL behind */
	secret->len = len;
}

bool
seal_secret_equal(const struct seal_secret *a, const struct seal_secret *b)
{
	return a->len == b->len && seal_equal(a->bytes, b->bytes, a->len);
}

bool
seal_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
seal_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}
