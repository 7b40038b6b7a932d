/* SPDX-License-Identifier: Apache-2.0 */
/* base/tls: the table of sessions, without any connection; the clock is the test's. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/tls/remember.h"
#include "tests/support/alloc.h"

#define NOW INT64_C(1800000000)

static const uint8_t here[TLS_KEY_LEN] = { 1 };
static const uint8_t there[TLS_KEY_LEN] = { 2 };

static void
release(struct tls_memory **memory)
{
	tls_memory_free(*memory);
}

#define MEMORY(name, max)                                                                          \
	SEAL_SCOPED(release) struct tls_memory *name = NULL;                                       \
	cr_assert_eq(tls_memory_new(&(name), (max), NULL), 0)

static void
make_key(uint8_t key[static TLS_KEY_LEN], unsigned number)
{
	memset(key, 0, TLS_KEY_LEN);
	key[0] = (uint8_t)(number % 4); /* several share a bucket */
	memcpy(key + 8, &number, sizeof(number));
}

static struct tls_kept
make(unsigned number)
{
	struct tls_kept kept = {
		.made_at = NOW, .expires_at = NOW + 100, .cipher = 0x1301, .psk_len = 32
	};

	make_key(kept.key, number);
	memcpy(kept.scope, here, sizeof(here));
	memset(kept.psk, (int)(number % 251) + 1, kept.psk_len);
	(void)snprintf(kept.peer.name, sizeof(kept.peer.name), "peer-%u", number);
	(void)snprintf(kept.peer.uri, sizeof(kept.peer.uri), "spiffe://seal.test/%u", number);
	(void)snprintf(kept.peer.serial, sizeof(kept.peer.serial), "%032x", number);
	memset(kept.peer.anchor, (int)(number % 13) + 1, sizeof(kept.peer.anchor));
	kept.peer.not_before = NOW - (int64_t)number;
	kept.peer.not_after = NOW + (int64_t)number;
	return kept;
}

static void
put(struct tls_memory *memory, unsigned number)
{
	struct tls_kept kept = make(number);

	tls_memory_put(memory, &kept);
}

static bool
get(struct tls_memory *memory, unsigned number, const uint8_t *scope, int64_t now,
    struct tls_kept *ret_kept)
{
	uint8_t key[TLS_KEY_LEN];

	make_key(key, number);
	return tls_memory_get(memory, key, scope, now, ret_kept);
}

static bool
has(struct tls_memory *memory, unsigned number)
{
	struct tls_kept kept = { 0 };

	return get(memory, number, here, NOW, &kept);
}

static void
expect_whole(const struct tls_kept *got, unsigned number)
{
	struct tls_kept made = make(number);

	cr_expect_arr_eq(got->key, made.key, TLS_KEY_LEN);
	cr_expect_arr_eq(got->scope, made.scope, TLS_KEY_LEN);
	cr_expect_eq(got->made_at, made.made_at);
	cr_expect_eq(got->expires_at, made.expires_at);
	cr_expect_eq(got->cipher, made.cipher);
	cr_expect_eq(got->psk_len, made.psk_len);
	cr_expect_arr_eq(got->psk, made.psk, made.psk_len);
	cr_expect_str_eq(got->peer.name, made.peer.name);
	cr_expect_str_eq(got->peer.uri, made.peer.uri);
	cr_expect_str_eq(got->peer.serial, made.peer.serial);
	cr_expect_arr_eq(got->peer.anchor, made.peer.anchor, sizeof(made.peer.anchor));
	cr_expect_eq(got->peer.not_before, made.peer.not_before);
	cr_expect_eq(got->peer.not_after, made.peer.not_after);
	cr_expect_eq(got->record.len, made.record.len);
}

Test(tls_memory, gives_back_what_was_put_in_and_as_often_as_asked)
{
	MEMORY(memory, 8);

	for (unsigned i = 0; i < 8; i++)
		put(memory, i);
	cr_expect_eq(tls_memory_count(memory), 8);
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < 8; i++) {
			struct tls_kept kept = { 0 };

			cr_assert(get(memory, i, here, NOW, &kept));
			expect_whole(&kept, i);
		}
}

Test(tls_memory, keeps_the_longest_of_names_whole)
{
	MEMORY(memory, 1);
	struct tls_kept kept = make(1);
	struct tls_kept got = { 0 };

	memset(kept.peer.name, 'n', sizeof(kept.peer.name) - 1);
	memset(kept.peer.uri, 'u', sizeof(kept.peer.uri) - 1);
	memset(kept.peer.serial, 's', sizeof(kept.peer.serial) - 1);
	memset(kept.psk, 7, sizeof(kept.psk));
	kept.psk_len = TLS_PSK_MAX;
	tls_memory_put(memory, &kept);
	cr_assert(get(memory, 1, here, NOW, &got));
	cr_expect_str_eq(got.peer.name, kept.peer.name);
	cr_expect_str_eq(got.peer.uri, kept.peer.uri);
	cr_expect_str_eq(got.peer.serial, kept.peer.serial);
	cr_expect_arr_eq(got.psk, kept.psk, TLS_PSK_MAX);
}

Test(tls_memory, changes_nothing_when_there_is_nothing_to_give)
{
	MEMORY(memory, 4);
	struct tls_kept untouched = make(9);
	struct tls_kept kept = make(9);

	put(memory, 1);
	cr_expect_not(get(memory, 2, here, NOW, &kept));
	cr_expect_not(get(memory, 1, there, NOW, &kept));
	cr_expect_not(get(memory, 1, here, NOW + 100, &kept));
	cr_expect_eq(memcmp(&kept, &untouched, sizeof(kept)), 0);
}

Test(tls_memory, a_session_of_another_scope_is_not_given_and_stays)
{
	MEMORY(memory, 4);
	struct tls_kept kept = { 0 };

	put(memory, 1);
	cr_expect_not(get(memory, 1, there, NOW, &kept));
	cr_expect_eq(tls_memory_count(memory), 1);
	cr_expect(get(memory, 1, here, NOW, &kept));
}

Test(tls_memory, a_session_ends_with_its_second_and_is_forgotten)
{
	MEMORY(memory, 4);
	struct tls_kept kept = { 0 };

	put(memory, 1);
	put(memory, 2);
	cr_expect(get(memory, 1, here, NOW + 99, &kept));
	cr_expect_not(get(memory, 1, here, NOW + 100, &kept));
	cr_expect_eq(tls_memory_count(memory), 1);
	cr_expect_not(has(memory, 1), "the clock going back brings it back");
	cr_expect(has(memory, 2));
}

Test(tls_memory, a_clock_set_back_before_its_making_ends_a_session)
{
	MEMORY(memory, 4);
	struct tls_kept kept = { 0 };

	put(memory, 1);
	cr_expect(get(memory, 1, here, NOW, &kept));
	cr_expect_not(get(memory, 1, here, NOW - 1, &kept));
	cr_expect_not(get(memory, 1, here, NOW, &kept));
	cr_expect_eq(tls_memory_count(memory), 0);
}

Test(tls_memory, a_session_takes_the_place_of_the_one_with_its_key)
{
	MEMORY(memory, 2);
	struct tls_kept second = make(1);
	struct tls_kept kept = { 0 };

	put(memory, 1);
	put(memory, 2);
	(void)snprintf(second.peer.name, sizeof(second.peer.name), "another");
	second.expires_at++;
	memset(second.psk, 99, 16);
	second.psk_len = 16;
	tls_memory_put(memory, &second);
	cr_expect_eq(tls_memory_count(memory), 2);
	cr_expect(has(memory, 2), "the wrong one had to go");
	cr_assert(get(memory, 1, here, NOW, &kept));
	cr_expect_str_eq(kept.peer.name, "another");
	cr_expect_eq(kept.expires_at, NOW + 101);
	cr_expect_eq(kept.psk_len, 16);
	cr_expect_arr_eq(kept.psk, second.psk, 16);
}

Test(tls_memory, holds_its_maximum_and_drops_the_one_not_used_for_longest)
{
	MEMORY(memory, 4);

	for (unsigned i = 0; i < 4; i++)
		put(memory, i);
	cr_expect(has(memory, 0));
	put(memory, 4);
	cr_expect_eq(tls_memory_count(memory), 4);
	cr_expect_not(has(memory, 1));
	for (unsigned i = 5; i < 1000; i++)
		put(memory, i);
	cr_expect_eq(tls_memory_count(memory), 4);
	for (unsigned i = 996; i < 1000; i++) {
		struct tls_kept kept = { 0 };

		cr_assert(get(memory, i, here, NOW, &kept));
		expect_whole(&kept, i);
	}
}

Test(tls_memory, drops_one_and_no_other)
{
	MEMORY(memory, 4);
	uint8_t key[TLS_KEY_LEN];

	put(memory, 1);
	put(memory, 5); /* in the same bucket */
	make_key(key, 9);
	tls_memory_drop(memory, key);
	cr_expect_eq(tls_memory_count(memory), 2);
	make_key(key, 1);
	tls_memory_drop(memory, key);
	tls_memory_drop(memory, key);
	cr_expect_eq(tls_memory_count(memory), 1);
	cr_expect_not(has(memory, 1));
	cr_expect(has(memory, 5));
}

Test(tls_memory, takes_nothing_without_a_secret_or_with_one_too_long)
{
	MEMORY(memory, 4);
	struct tls_kept kept = make(1);

	kept.psk_len = 0;
	tls_memory_put(memory, &kept);
	kept.psk_len = TLS_PSK_MAX + 1;
	tls_memory_put(memory, &kept);
	cr_expect_eq(tls_memory_count(memory), 0);
}

Test(tls_memory, without_memory_a_session_is_not_kept_and_the_others_are)
{
	MEMORY(memory, 2);
	bool failed = true;

	put(memory, 1);
	for (size_t n = 1; failed; n++) {
		alloc_fail_at(n);
		put(memory, 2);
		failed = alloc_call_off();
		cr_expect_eq(tls_memory_count(memory), failed ? 1 : 2, "allocation %zu", n);
		cr_expect(has(memory, 1));
	}
	cr_expect(has(memory, 2));
}

Test(tls_memory, is_made_whole_or_not_at_all)
{
	bool failed = true;

	for (size_t n = 1; failed; n++) {
		struct tls_memory *memory = NULL;
		int r;

		alloc_fail_at(n);
		r = tls_memory_new(&memory, 16, NULL);
		failed = alloc_call_off();
		cr_expect_eq(r, failed ? SEAL_E_MEMORY : 0, "allocation %zu", n);
		cr_expect_eq(memory == NULL, failed);
		tls_memory_free(memory);
	}
}

Test(tls_memory, refuses_sizes_it_cannot_protect)
{
	struct tls_memory *memory = NULL;

	cr_expect_eq(tls_memory_new(&memory, 0, NULL), SEAL_E_LIMIT);
	cr_expect_eq(tls_memory_new(&memory, 20001, NULL), SEAL_E_LIMIT);
	cr_expect_eq(tls_memory_new(&memory, SIZE_MAX, NULL), SEAL_E_LIMIT);
	cr_expect_null(memory);
	tls_memory_free(memory);
}

Test(tls_memory, wipes_a_secret_that_was_handed_out)
{
	struct tls_kept kept = make(1);
	const uint8_t nothing[TLS_PSK_MAX] = { 0 };

	tls_kept_release(&kept);
	cr_expect_arr_eq(kept.psk, nothing, TLS_PSK_MAX);
	cr_expect_eq(kept.psk_len, 0);
	cr_expect_null(kept.record.data);
}
