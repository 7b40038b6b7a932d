/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of system calls to a seccomp filter, and the filter to the kernel.  Which calls a program
 * needs is the program's to know.
 *
 *        nr >= middle? ──yes──▶ upper half          leaf:  nr is this one? ──no──▶ EPERM
 *             │ no                                         a row's tests hold? ──▶ allow, or its errno
 *             ▼                                            no row left ──▶ EPERM
 *        lower half
 *
 * A search tree over the numbers: six or seven comparisons whichever the call.  Kernels since 5.11
 * know beforehand which calls are allowed whatever their arguments, and run no filter for those.
 */

#include "base/confine/confine_internal.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(errnum) (SECCOMP_RET_ERRNO | ((uint32_t)(errnum)&SECCOMP_RET_DATA))
#define LAST_ERRNO     4095 /* the kernel's */

static int
by_number(const void *a, const void *b)
{
	const struct seal_call *x = a;
	const struct seal_call *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Beyond the end nothing is written, but counted: build looks once. */
static void
emit(struct seal_filter *filter, uint16_t code, uint32_t k, unsigned yes, unsigned no)
{
	if (filter->len < SEAL_FILTER_MAX)
		filter->code[filter->len] = (struct sock_filter){
			.code = code, .jt = (uint8_t)yes, .jf = (uint8_t)no, .k = k
		};
	filter->len++;
}

static void
emit_load(struct seal_filter *filter, size_t offset)
{
	emit(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
emit_return(struct seal_filter *filter, uint32_t verdict)
{
	emit(filter, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Little-endian, as both architectures are: the lower half comes first. */
static void
emit_test(struct seal_filter *filter, const struct seal_call_test *test, unsigned skip)
{
	emit_load(filter, offsetof(struct seccomp_data, args) + test->arg * sizeof(uint64_t));
	emit(filter, BPF_ALU | BPF_AND | BPF_K, test->mask, 0, 0);
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, test->value, 0, skip);
}

static unsigned
test_count(const struct seal_call *call)
{
	unsigned count = 0;

	for (size_t i = 0; i < SEAL_CALL_TESTS; i++)
		count += call->tests[i].mask != 0;
	return count;
}

static void
emit_row(struct seal_filter *filter, const struct seal_call *call)
{
	unsigned left = test_count(call);

	for (size_t i = 0; i < SEAL_CALL_TESTS; i++) {
		if (call->tests[i].mask == 0)
			continue;
		left--;
		/* Over the other tests, three instructions each, and the verdict. */
		emit_test(filter, &call->tests[i], left * 3 + 1);
	}
	emit_return(filter, call->refusal != 0 ? REFUSE(call->refusal) : SECCOMP_RET_ALLOW);
}

/* All rows of one number; returns how many there are. */
static size_t
emit_leaf(struct seal_filter *filter, const struct seal_call *calls, size_t count)
{
	size_t rows = 1;

	while (rows < count && calls[rows].number == calls->number)
		rows++;
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, calls->number, 1, 0);
	emit_return(filter, REFUSE(EPERM));
	for (size_t i = 0; i < rows; i++)
		emit_row(filter, &calls[i]);
	emit_return(filter, REFUSE(EPERM)); /* never reached behind a row without tests */
	return rows;
}

/* The first row of the upper half: not between two rows of one number.  0: only one number is left. */
static size_t
middle(const struct seal_call *calls, size_t count)
{
	size_t at = count / 2;

	while (at > 0 && calls[at].number == calls[at - 1].number)
		at--;
	if (at == 0)
		for (at = 1; at < count && calls[at].number == calls[0].number; at++)
			continue;
	return at < count ? at : 0;
}

static void
emit_tree(struct seal_filter *filter, const struct seal_call *calls, size_t count)
{
	size_t upper = middle(calls, count);
	size_t jump;

	if (upper == 0) {
		(void)emit_leaf(filter, calls, count); /* its rows are all there are */
		return;
	}
	emit(filter, BPF_JMP | BPF_JGE | BPF_K, calls[upper].number, 0, 1);
	jump = filter->len;
	emit(filter, BPF_JMP | BPF_JA, 0, 0, 0); /* a conditional jump reaches 255 at most */
	emit_tree(filter, calls, upper);
	if (jump < SEAL_FILTER_MAX)
		filter->code[jump].k = (uint32_t)(filter->len - jump - 1);
	emit_tree(filter, calls + upper, count - upper);
}

static bool
is_meant(const struct seal_call *call)
{
	bool ok = call->refusal >= 0 && call->refusal <= LAST_ERRNO;

	for (size_t i = 0; i < SEAL_CALL_TESTS; i++) {
		const struct seal_call_test *test = &call->tests[i];

		/* A value outside its mask never holds. */
		ok = ok && test->arg < 6 && (test->value & ~test->mask) == 0;
	}
	return ok;
}

int
seal_filter_build(struct seal_filter *ret_filter, uint32_t arch, const struct seal_call *calls,
		  size_t count, struct seal_err *err)
{
	struct seal_call sorted[SEAL_CALLS_MAX];
	struct seal_filter filter = { .len = 0 };

	if (count == 0 || count > SEAL_COUNT(sorted))
		return seal_fail(err, SEAL_E_LIMIT, "a list of 1 to %d system calls is wanted",
				 SEAL_CALLS_MAX);
	for (size_t i = 0; i < count; i++)
		if (!is_meant(&calls[i]))
			return seal_fail(err, SEAL_E_BUG, "row %zu of the system calls", i);
	memcpy(sorted, calls, count * sizeof(*calls));
	qsort(sorted, count, sizeof(*sorted), by_number);

	emit_load(&filter, offsetof(struct seccomp_data, arch));
	emit(&filter, BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0);
	emit_return(&filter, SECCOMP_RET_KILL_PROCESS);
	emit_load(&filter, offsetof(struct seccomp_data, nr));
	emit_tree(&filter, sorted, count);
	if (filter.len > SEAL_FILTER_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the filter of system calls is too long");
	*ret_filter = filter;
	return 0;
}

#ifdef SEAL_CONFINE_ARCH

/* Asked first, so that a filter the kernel does not take cannot pass for a kernel without filters. */
static bool
is_offered(void)
{
	const uint32_t refuse = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &refuse) == 0;
}

int
seal_confine_calls(const struct seal_call *calls, size_t count, bool *ret_applied,
		   struct seal_err *err)
{
	struct seal_filter filter;
	struct sock_fprog program;
	long thread;
	int r = seal_filter_build(&filter, SEAL_CONFINE_ARCH, calls, count, err);

	if (r == 0)
		r = seal_no_new_privileges(err);
	if (r < 0)
		return r;
	if (!is_offered()) {
		*ret_applied = false;
		return 0;
	}
	program = (struct sock_fprog){ .len = filter.len, .filter = filter.code };
	thread = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (thread < 0)
		return seal_fail_errno(err, errno, "cannot give up system calls");
	if (thread > 0)
		return seal_fail(err, SEAL_E_SYSTEM, "thread %ld keeps its system calls", thread);
	*ret_applied = true;
	return 0;
}

#else

int
seal_confine_calls(const struct seal_call *calls, size_t count, bool *ret_applied,
		   struct seal_err *err)
{
	struct seal_filter filter;
	int r = seal_filter_build(&filter, 0, calls, count, err);

	if (r == 0)
		r = seal_no_new_privileges(err);
	if (r == 0)
		*ret_applied = false;
	return r;
}

#endif
