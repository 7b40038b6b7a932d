/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enters the sandbox: capabilities first, then files, then system calls, because the calls that give
 * up the first two are not among those that remain.  Which paths and which calls: sandbox_paths.c and
 * sandbox_calls.c.
 */

#include "proxy/sandbox.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/sandbox_internal.h"

/* Reloads may open listeners on low ports. */
#define KEPT_CAPABILITIES (UINT64_C(1) << CAP_NET_BIND_SERVICE)

/*
 * Of these walls only the filter of system calls reaches threads that run already.  Where the kernel
 * does not say how many there are, nobody has mounted /proc and the caller's order must do.
 */
static int
check_alone(struct seal_err *err)
{
	struct stat st;

	/* A folder of folders has two links and one for each. */
	if (stat("/proc/self/task", &st) < 0 || st.st_nlink <= 3)
		return 0;
	return seal_fail(err, SEAL_E_BUG, "%ju threads run before the sandbox is entered",
			 (uintmax_t)st.st_nlink - 2);
}

#ifdef SEAL_INSTRUMENTED

static int
confine(const struct proxy_sandbox_paths *paths, struct proxy_sandbox_report *report,
	struct seal_err *err)
{
	(void)paths;
	(void)err;
	report->seccomp = false;
	report->landlock_abi = 0;
	return 0;
}

static int
confine_first(struct proxy_sandbox_report *report, struct seal_err *err)
{
	return confine(NULL, report, err);
}

#else

static int
confine(const struct proxy_sandbox_paths *paths, struct proxy_sandbox_report *report,
	struct seal_err *err)
{
	const struct seal_confine_files files = { .read = &paths->read, .remove = &paths->remove };
	struct seal_call calls[PROXY_SANDBOX_CALLS_MAX];
	size_t count = proxy_sandbox_calls(calls, getpid());
	int r = seal_confine_files(&files, &report->landlock_abi, err);

	return r < 0 ? r : seal_confine_calls(calls, count, &report->seccomp, err);
}

static int
confine_first(struct proxy_sandbox_report *report, struct seal_err *err)
{
	struct seal_call calls[PROXY_SANDBOX_CALLS_MAX];
	size_t count = proxy_sandbox_first_calls(calls, getpid());

	return seal_confine_calls(calls, count, &report->seccomp, err);
}

#endif

int
proxy_sandbox_begin(struct proxy_sandbox_report *report, struct seal_err *err)
{
	int r = check_alone(err);

	if (r == 0)
		r = seal_confine_capabilities(KEPT_CAPABILITIES, err);
	if (r == 0)
		r = confine_first(report, err);
	if (r < 0)
		return seal_note(err, r, "sandbox");
	report->capabilities_dropped = true;
	return 0;
}

int
proxy_sandbox_enter(const struct proxy_sandbox_paths *paths,
		    struct proxy_sandbox_report *ret_report, struct seal_err *err)
{
	struct proxy_sandbox_report report = *ret_report;
	int r = check_alone(err);

	/* Behind the first wall they are gone, and the calls for it too. */
	if (r == 0 && !report.capabilities_dropped)
		r = seal_confine_capabilities(KEPT_CAPABILITIES, err);
	if (r == 0)
		r = confine(paths, &report, err);
	if (r < 0)
		return seal_note(err, r, "sandbox");
	report.capabilities_dropped = true;
	*ret_report = report;
	return 0;
}
