/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into a whole program, with ALLOC_WRAP: while it starves, one allocation in SEAL_STARVE fails, of our
 * own code, of OpenSSL and of libevent.  SIGUSR2 begins and ends that, so that a program can come up in
 * peace, starve under load, and show afterwards what it has lost.
 */
#include <event2/event.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static unsigned one_in;
static atomic_bool starving;
static atomic_uint turn;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

/* Evenly, but in no step with anything: a multiplicative hash of the count. */
static bool
fails(void)
{
	if (one_in == 0 || !atomic_load_explicit(&starving, memory_order_relaxed))
		return false;
	return (atomic_fetch_add(&turn, 1) * 2654435761u >> 8) % one_in == 0;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *
__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, count, size);
}

static void *
crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size == 0 || fails() ? NULL : __real_malloc(size);
}

static void *
crypto_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : __real_realloc(old, size);
}

static void
crypto_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

static void
toggle(int number)
{
	(void)number;
	atomic_store(&starving, !atomic_load(&starving));
}

/* Before main, and before anybody has allocated. */
__attribute__((constructor)) static void
prepare(void)
{
	const char *wish = getenv("SEAL_STARVE");
	struct sigaction action = { .sa_handler = toggle, .sa_flags = SA_RESTART };

	if (wish == NULL)
		return;
	one_in = (unsigned)strtoul(wish, NULL, 10);
	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1 ||
	    sigaction(SIGUSR2, &action, NULL) < 0)
		abort();
	event_set_mem_functions(__wrap_malloc, __wrap_realloc, free);
}
