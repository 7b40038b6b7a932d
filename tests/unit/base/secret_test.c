/* SPDX-License-Identifier: Apache-2.0 */
/* base/secret: lifetimes, wiping, comparison, and what hardening does to a process. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret/secret.h"
#include "tests/support/alloc.h"
#include "tests/support/child.h"

#define FREE_SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret *
#define MOST        (2u * 1024 * 1024)
#define MARK        0xa7

static const size_t lens[] = { 1, 15, 16, 31, 32, 33, 4095, 4096, 4097, 16383, 16384, MOST };

static bool
is_all(const uint8_t *bytes, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* Born zeroed with a NUL behind, and writable throughout. */
static bool
is_sound(size_t len)
{
	FREE_SECRET secret = NULL;

	if (len > MOST || seal_secret_new(&secret, len, NULL) < 0 ||
	    seal_secret_len(secret) != len || !is_all(seal_secret_peek(secret), len + 1, 0))
		return false;
	memset(seal_secret_bytes(secret), MARK, len);
	return is_all(seal_secret_peek(secret), len, MARK) && seal_secret_peek(secret)[len] == 0 &&
	       seal_secret_chars(secret) == (const char *)seal_secret_peek(secret);
}

Test(secret_life, is_born_zeroed_with_a_nul_behind)
{
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < SEAL_COUNT(lens); i++)
			cr_expect(is_sound(lens[i]), "%zu bytes", lens[i]);
	}
}

Test(secret_life, refuses_lengths_out_of_range_and_gives_nothing)
{
	static const size_t bad[] = { 0, MOST + 1, SIZE_MAX / 2, SIZE_MAX };

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct seal_secret *secret = NULL;

		cr_expect_eq(seal_secret_new(&secret, bad[i], NULL), SEAL_E_LIMIT);
		cr_expect_eq(seal_secret_from(&secret, "x", bad[i], NULL), SEAL_E_LIMIT);
		cr_expect_null(secret);
	}
}

Test(secret_life, gives_nothing_when_memory_is_gone)
{
	struct seal_secret *secret = NULL;

	alloc_fail_at(1);
	cr_expect_eq(seal_secret_from(&secret, "key", 3, NULL), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	cr_expect_null(secret);
}

Test(secret_life, copies_bytes_and_frees_nothing)
{
	FREE_SECRET secret = NULL;
	char mine[] = "a\0key";

	cr_assert_eq(seal_secret_from(&secret, mine, sizeof(mine), NULL), 0);
	mine[0] = '?';
	cr_expect_eq(memcmp(seal_secret_peek(secret), "a\0key", 6), 0);
	seal_secret_free(NULL);
	seal_secret_freep(&secret);
	cr_expect_null(secret);
	seal_secret_freep(&secret);
}

Test(secret_life, truncation_wipes_what_is_cut_off)
{
	FREE_SECRET secret = NULL;
	uint8_t data[100];

	memset(data, MARK, sizeof(data));
	cr_assert_eq(seal_secret_from(&secret, data, sizeof(data), NULL), 0);
	seal_secret_truncate(secret, 200);
	seal_secret_truncate(secret, 100);
	cr_expect_eq(seal_secret_len(secret), 100);
	seal_secret_truncate(secret, 40);
	cr_expect_eq(seal_secret_len(secret), 40);
	cr_expect(is_all(seal_secret_peek(secret), 40, MARK));
	cr_expect(is_all(seal_secret_peek(secret) + 40, 61, 0));
	seal_secret_truncate(secret, 60);
	cr_expect_eq(seal_secret_len(secret), 40, "grew");
	seal_secret_truncate(secret, 0);
	cr_expect_eq(seal_secret_len(secret), 0);
	cr_expect(is_all(seal_secret_peek(secret), 101, 0));
}

Test(secret_equal, compares_length_and_every_byte)
{
	FREE_SECRET a = NULL;
	uint8_t data[64];

	memset(data, MARK, sizeof(data));
	cr_assert_eq(seal_secret_from(&a, data, sizeof(data), NULL), 0);
	for (size_t i = 0; i < sizeof(data); i++) {
		FREE_SECRET other = NULL;
		FREE_SECRET shorter = NULL;

		data[i] ^= 1;
		cr_assert_eq(seal_secret_from(&other, data, sizeof(data), NULL), 0);
		cr_expect_not(seal_secret_equal(a, other), "byte %zu", i);
		cr_expect_not(seal_equal(seal_secret_peek(a), data, sizeof(data)));
		data[i] ^= 1;
		cr_assert_eq(seal_secret_from(&shorter, data, i + 1, NULL), 0);
		cr_expect_eq(seal_secret_equal(a, shorter), i + 1 == sizeof(data));
		cr_expect_eq(seal_secret_equal(shorter, a), i + 1 == sizeof(data));
	}
	cr_expect(seal_equal("", "", 0));
}

Test(secret_wipe, overwrites_all_and_no_more)
{
	uint8_t data[16];

	memset(data, MARK, sizeof(data));
	seal_wipe(data + 1, 14);
	cr_expect_eq(data[0], MARK);
	cr_expect(is_all(data + 1, 14, 0));
	cr_expect_eq(data[15], MARK);
}

/* In a child from here on: hardening is for good. */

static void
hardens(void *arg)
{
	struct rlimit core = { 1, 1 };

	(void)arg;
	(void)umask(0);
	MUST(seal_process_harden(NULL) == 0);
	MUST(getrlimit(RLIMIT_CORE, &core) == 0);
	MUST(core.rlim_cur == 0 && core.rlim_max == 0);
	MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	MUST(umask(0) == 077);
	MUST(CRYPTO_secure_malloc_initialized() == 1);
	MUST(seal_process_harden(NULL) == 0);
}

Test(secret_harden, no_core_no_dump_no_privileges_no_access_for_others)
{
	cr_expect_eq(child_run(hardens, NULL), 0);
}

static void
protects(void *arg)
{
	struct rlimit before = { 1, 1 };
	struct rlimit after = { 2, 2 };

	(void)arg;
	(void)umask(022);
	MUST(getrlimit(RLIMIT_CORE, &before) == 0);
	MUST(setenv("OPENSSL_CONF", "/evil", 1) == 0);
	MUST(seal_process_protect(NULL) == 0);
	MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	MUST(CRYPTO_secure_malloc_initialized() == 1);
	MUST(getenv("OPENSSL_CONF") == NULL);
	MUST(getrlimit(RLIMIT_CORE, &after) == 0);
	MUST(before.rlim_cur == after.rlim_cur && before.rlim_max == after.rlim_max);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	MUST(umask(0) == 022);
	MUST(seal_process_protect(NULL) == 0);
}

Test(secret_harden, protecting_leaves_nothing_that_outlives_exec)
{
	cr_expect_eq(child_run(protects, NULL), 0);
}

static void
shuts_out_the_host(void *arg)
{
	static const char *const variables[] = { "OPENSSL_CONF",    "OPENSSL_MODULES",
						 "OPENSSL_ENGINES", "SSL_CERT_FILE",
						 "SSL_CERT_DIR",    "SSLKEYLOGFILE" };

	(void)arg;
	for (size_t i = 0; i < SEAL_COUNT(variables); i++)
		MUST(setenv(variables[i], "/evil", 1) == 0);
	MUST(setenv("HOSTNAMES", "a.b", 1) == 0);
	MUST(seal_process_harden(NULL) == 0);
	for (size_t i = 0; i < SEAL_COUNT(variables); i++)
		MUST(getenv(variables[i]) == NULL);
	MUST(getenv("HOSTNAMES") != NULL);
}

Test(secret_harden, the_environment_does_not_reach_the_crypto_library)
{
	cr_expect_eq(child_run(shuts_out_the_host, NULL), 0);
}

static void
hardens_as_nobody_without_locked_memory(void *arg)
{
	const struct rlimit none = { 0, 0 };

	MUST(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	if (geteuid() == 0)
		child_become_nobody();
	hardens(arg);
	for (size_t i = 0; i < SEAL_COUNT(lens); i++)
		MUST(is_sound(lens[i]));
}

Test(secret_harden, works_without_any_privilege_or_lockable_memory)
{
	cr_expect_eq(child_run(hardens_as_nobody_without_locked_memory, NULL), 0);
}

/* What /proc/self/smaps says about the mapping around at. */
static bool
has_vm_flag(const void *at, const char *flag)
{
	char line[512];
	bool inside = false, found = false;
	FILE *maps = fopen("/proc/self/smaps", "re");

	MUST(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)at >= from && (unsigned long)at < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	(void)fclose(maps);
	return found;
}

static void
keeps_secrets_in_the_arena(void *arg)
{
	FREE_SECRET small = NULL;
	FREE_SECRET large = NULL;

	(void)arg;
	MUST(seal_process_harden(NULL) == 0);
	MUST(seal_secret_new(&small, 32, NULL) == 0);
	MUST(seal_secret_new(&large, 100000, NULL) == 0);
	MUST(CRYPTO_secure_allocated(seal_secret_peek(small)) == 1);
	MUST(CRYPTO_secure_allocated(seal_secret_peek(large)) == 0);
	MUST(has_vm_flag(seal_secret_peek(small), " dd"));
	MUST(has_vm_flag(seal_secret_peek(large), " dd"));
	MUST(has_vm_flag(seal_secret_peek(small), " lo"));
	MUST(has_vm_flag(seal_secret_peek(large), " lo"));
}

/* Valgrind takes mlock2 for unknown, and its mappings tell nothing: the real thing is asked for. */
Test(secret_harden, secrets_are_locked_and_left_out_of_dumps)
{
	struct rlimit lockable = { 0, 0 };

	cr_assert_eq(getrlimit(RLIMIT_MEMLOCK, &lockable), 0);
	if (geteuid() != 0 && lockable.rlim_cur < 2 * MOST)
		cr_skip_test("SKIP: too little memory may be locked here");
	cr_expect_eq(child_run(keeps_secrets_in_the_arena, NULL), 0);
}

static void
wipes_on_free(void *arg)
{
	(void)arg;
	MUST(seal_process_harden(NULL) == 0);
	for (size_t len = 64; len < 16384; len *= 2) {
		struct seal_secret *secret = NULL;
		volatile const uint8_t *left;
		size_t marks = 0;

		MUST(seal_secret_new(&secret, len, NULL) == 0);
		memset(seal_secret_bytes(secret), MARK, len);
		left = seal_secret_peek(secret);
		seal_secret_free(secret);
		/* The arena itself stays, so what was left in it can be looked at. */
		for (size_t i = 0; i < len; i++)
			marks += left[i] == MARK;
		MUST(marks == 0);
		MUST(is_sound(len));
	}
}

Test(secret_harden, secrets_are_wiped_when_freed)
{
	cr_expect_eq(child_run(wipes_on_free, NULL), 0);
}

static void
outgrows_the_arena(void *arg)
{
	static struct seal_secret *many[1500];

	(void)arg;
	MUST(seal_process_harden(NULL) == 0);
	for (size_t i = 0; i < SEAL_COUNT(many); i++) {
		MUST(seal_secret_new(&many[i], 4000, NULL) == 0);
		memset(seal_secret_bytes(many[i]), (int)i & 0xff, 4000);
	}
	for (size_t i = 0; i < SEAL_COUNT(many); i++)
		MUST(is_all(seal_secret_peek(many[i]), 4000, (uint8_t)i));
	MUST(CRYPTO_secure_allocated(seal_secret_peek(many[0])) == 1);
	MUST(CRYPTO_secure_allocated(seal_secret_peek(many[1499])) == 0);
	for (size_t i = 0; i < SEAL_COUNT(many); i++)
		seal_secret_freep(&many[i]);
	MUST(is_sound(4000));
}

Test(secret_harden, a_full_arena_is_no_failure)
{
	cr_expect_eq(child_run(outgrows_the_arena, NULL), 0);
}

static void
reads_in_child(void *arg)
{
	const struct seal_secret *secret = arg;

	MUST(strcmp(seal_secret_chars(secret), "inherited") == 0);
	MUST(has_vm_flag(seal_secret_peek(secret), " lo"));
	MUST(is_sound(32));
}

static void
forks(void *arg)
{
	FREE_SECRET before = NULL;
	FREE_SECRET after = NULL;

	(void)arg;
	MUST(seal_secret_from(&before, "before", 6, NULL) == 0);
	MUST(seal_process_harden(NULL) == 0);
	MUST(seal_secret_from(&after, "inherited", 9, NULL) == 0);
	MUST(strcmp(seal_secret_chars(before), "before") == 0);
	MUST(child_run(reads_in_child, after) == 0);
	MUST(strcmp(seal_secret_chars(after), "inherited") == 0);
}

Test(secret_harden, a_child_inherits_secrets_and_locks_them_anew)
{
	struct rlimit lockable = { 0, 0 };

	cr_assert_eq(getrlimit(RLIMIT_MEMLOCK, &lockable), 0);
	if (geteuid() != 0 && lockable.rlim_cur < 2 * MOST)
		cr_skip_test("SKIP: too little memory may be locked here");
	cr_expect_eq(child_run(forks, NULL), 0);
}

static void
unmaps_large_secrets(void *arg)
{
	struct seal_secret *secret = NULL;
	unsigned char resident[32];
	uint8_t *at;

	(void)arg;
	MUST(seal_secret_new(&secret, 100000, NULL) == 0);
	at = seal_secret_bytes(secret);
	memset(at, MARK, 100000);
	MUST(mincore(at, 100000, resident) == 0);
	seal_secret_free(secret);
	MUST(mincore(at, 100000, resident) < 0 && errno == ENOMEM);
}

Test(secret_life, a_freed_secret_with_pages_of_its_own_is_gone)
{
	cr_expect_eq(child_run(unmaps_large_secrets, NULL), 0);
}
