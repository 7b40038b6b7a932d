/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes/slab.h"

#define LEAST    32u
#define CELL_LEN 4096u
#define COUNT    4u

static struct seal_slab slab = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void
make(void)
{
	cr_assert(seal_slab_init(&slab, LEAST, CELL_LEN, COUNT));
}

static bool
is_filled(const char *at, size_t len, char with)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != with)
			return false;
	return true;
}

/* Not for the compiler to reason about. */
static volatile char *
opaque(char *ptr)
{
	char *volatile hidden = ptr;

	return hidden;
}

Test(slab, without_cells_is_the_common_heap)
{
	char *ptr = seal_slab_take(&slab, 100);

	cr_assert_not_null(ptr);
	cr_expect_not(seal_slab_owns(&slab, ptr));
	memset(ptr, 'a', 100);
	ptr = seal_slab_resize(&slab, ptr, 9000);
	cr_assert_not_null(ptr);
	cr_expect(is_filled(ptr, 100, 'a'));
	seal_slab_give(&slab, ptr);
	seal_slab_give(&slab, NULL);
}

Test(slab, only_what_fits_gets_a_cell, .init = make)
{
	static const struct {
		size_t len;
		bool fits;
	} cases[] = {
		{ 1, false },       { LEAST - 1, false },    { LEAST, true },
		{ CELL_LEN, true }, { CELL_LEN + 1, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *ptr = seal_slab_take(&slab, cases[i].len);

		cr_assert_not_null(ptr);
		cr_expect_eq(seal_slab_owns(&slab, ptr), cases[i].fits, "%zu", cases[i].len);
		memset(ptr, 'x', cases[i].len);
		seal_slab_give(&slab, ptr);
	}
	cr_expect_null(seal_slab_take(&slab, 0));
}

Test(slab, cells_do_not_overlap_and_the_common_heap_takes_what_is_too_much, .init = make)
{
	char *ptrs[COUNT + 1];

	for (unsigned i = 0; i <= COUNT; i++) {
		ptrs[i] = seal_slab_take(&slab, CELL_LEN);
		cr_assert_not_null(ptrs[i]);
		cr_expect_eq(seal_slab_owns(&slab, ptrs[i]), i < COUNT);
		memset(ptrs[i], 'a' + (int)i, CELL_LEN);
	}
	for (unsigned i = 0; i <= COUNT; i++) {
		cr_expect(is_filled(ptrs[i], CELL_LEN, (char)('a' + (int)i)));
		seal_slab_give(&slab, ptrs[i]);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		ptrs[i] = seal_slab_take(&slab, CELL_LEN);
		cr_expect(seal_slab_owns(&slab, ptrs[i]), "a cell that was given back is lost");
	}
	for (unsigned i = 0; i < COUNT; i++)
		seal_slab_give(&slab, ptrs[i]);
}

Test(slab, what_grows_keeps_its_bytes_and_leaves_none_behind, .init = make)
{
	char *cell = seal_slab_take(&slab, 100);
	char *ptr;

	memset(cell, 'k', 100);
	ptr = seal_slab_resize(&slab, cell, CELL_LEN);
	cr_assert_eq(ptr, cell);
	cr_expect(is_filled(ptr, 100, 'k'));
	ptr = seal_slab_resize(&slab, ptr, LEAST);
	cr_assert_eq(ptr, cell);
	ptr = seal_slab_resize(&slab, ptr, CELL_LEN + 1);
	cr_assert_not_null(ptr);
	cr_expect_not(seal_slab_owns(&slab, ptr));
	cr_expect(is_filled(ptr, LEAST, 'k'));
	ptr[CELL_LEN] = 'k';
	seal_slab_give(&slab, ptr);
	for (unsigned i = 0; i < COUNT; i++) {
		ptr = seal_slab_take(&slab, CELL_LEN);
		cr_expect(is_filled(ptr, CELL_LEN, 0), "it was left in the cell");
	}
}

Test(slab, made_nothing_it_is_given_back, .init = make)
{
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		char *ptr = seal_slab_resize(&slab, NULL, CELL_LEN);

		cr_assert(seal_slab_owns(&slab, ptr));
		cr_expect_null(seal_slab_resize(&slab, ptr, 0));
	}
}

Test(slab, tidied_cells_are_empty_and_warm_ones_are_not, .init = make)
{
	char *ptrs[COUNT];
	unsigned full = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		ptrs[i] = seal_slab_take(&slab, CELL_LEN);
		memset(ptrs[i], 'w', CELL_LEN);
	}
	for (unsigned i = 0; i < COUNT; i++)
		seal_slab_give(&slab, ptrs[i]);
	seal_slab_tidy(&slab, 1);
	for (unsigned i = 0; i < COUNT; i++) {
		char *ptr = seal_slab_take(&slab, CELL_LEN);

		full += is_filled(ptr, CELL_LEN, 'w');
		cr_expect(is_filled(ptr, CELL_LEN, *ptr));
	}
	cr_expect_eq(full, 1);
}

static void
use_after_giving(void)
{
	char *ptr = seal_slab_take(&slab, 100);
	volatile char *seen = opaque(ptr);

	seal_slab_give(&slab, ptr);
	seen[10] = 1;
}

static void
use_after_others_took(void)
{
	char *ptr = seal_slab_take(&slab, 100);
	volatile char *seen = opaque(ptr);

	seal_slab_give(&slab, ptr);
	(void)seal_slab_take(&slab, 100);
	seen[10] = 1;
}

static void
use_too_much(void)
{
	opaque(seal_slab_take(&slab, 100))[100] = 1;
}

static void
use_what_was_cut_off(void)
{
	char *ptr = seal_slab_take(&slab, 1000);
	volatile char *seen = opaque(ptr);

	(void)seal_slab_resize(&slab, ptr, 100);
	seen[500] = 1;
}

static void
use_what_nobody_took(void)
{
	char *ptr = seal_slab_take(&slab, 100);

	opaque(ptr)[2 * CELL_LEN] = 1;
}

static void
use_what_is_ours(void)
{
	char *ptr = seal_slab_resize(&slab, seal_slab_take(&slab, 100), 1000);

	opaque(ptr)[999] = 1;
	seal_slab_give(&slab, ptr);
}

/* What a child says on standard error, of which it dies or not; into text. */
static bool
dies_of(void (*what)(void), char *text, size_t size)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	int status = 0;
	ssize_t got;
	pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child == 0) {
		if (dup2(out, STDERR_FILENO) < 0)
			_exit(0);
		what();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	got = pread(out, text, size - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	(void)close(out);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

Test(slab, a_watched_build_ends_whoever_uses_what_is_not_theirs, .init = make)
{
	static void (*const wrong[])(void) = { use_after_giving, use_after_others_took,
					       use_too_much, use_what_was_cut_off,
					       use_what_nobody_took };
	char text[4096];

	if (!seal_slab_is_watched())
		cr_skip_test("for builds with the address sanitizer");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		cr_expect(dies_of(wrong[i], text, sizeof(text)), "misuse %zu goes unseen", i);
		cr_expect_not_null(strstr(text, "use-after-poison"), "misuse %zu: %s", i, text);
	}
	cr_expect_not(dies_of(use_what_is_ours, text, sizeof(text)), "%s", text);
}
