/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-wrap's suspicion: looks before anything is read, before anything is started and while it runs, and
 * what follows of a look.  The last are made whenever we wait, for the agent as well: an agent that keeps us
 * waiting must not keep us from looking.
 *
 * Before the spec is open nobody knows whether its owner wants findings to be reported only, so the first
 * look, on which it depends whether the token and all that follows can be believed, is always enforced.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/log/log.h"
#include "config-verify/mounts.h"
#include "config-verify/wrap.h"

#define ENVIRONMENT_FILE "the environment"
/* So long an agent that is away is tried, and our end waits for its answer; by then the application is killed. */
#define TELL_MS  (VERIFY_STOP_S * 1000)
#define RETRY_MS 100

/* ---- What is said of findings ---- */

static void
log_findings(const struct verify_findings *findings, enum seal_level level)
{
	const struct verify_finding *finding;
	size_t kept = 0;

	for (; (finding = verify_findings_at(findings, kept)) != NULL; kept++)
		seal_log(level, "finding", SEAL_STR("file", finding->file),
			 SEAL_U64("line", finding->line),
			 SEAL_STR("rule", verify_rule_name(finding->rule)),
			 SEAL_STR("found", finding->found),
			 SEAL_STR("expected", finding->expected));
	if (verify_findings_count(findings) > kept)
		seal_log(level, "findings_unsaid",
			 SEAL_U64("count", verify_findings_count(findings) - kept));
}

static int
refuse(const struct verify_findings *findings, struct seal_err *err)
{
	const size_t count = verify_findings_count(findings);

	log_findings(findings, SEAL_LOG_ERROR);
	return seal_fail(err, SEAL_E_REFUSED, "%zu finding%s", count, count == 1 ? "" : "s");
}

static bool
is_enforcing(const struct wrap *wrap)
{
	const struct verify_policy *policy =
		wrap->spec == NULL ? NULL : verify_spec_policy(wrap->spec);

	return policy == NULL || policy->mode == VERIFY_ENFORCE;
}

static void
remember_sentence(struct wrap *wrap, const struct verify_findings *findings)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(4096);
	const struct verify_finding *first = verify_findings_at(findings, 0);

	if (first == NULL || verify_finding_format(first, &text, NULL) < 0)
		(void)snprintf(wrap->sentence, sizeof(wrap->sentence), "a finding");
	else
		(void)snprintf(wrap->sentence, sizeof(wrap->sentence), "%s", seal_bytes_str(&text));
}

int
wrap_conclude_findings(struct wrap *wrap, const struct verify_findings *findings,
		       struct seal_err *err)
{
	int r;

	if (verify_findings_count(findings) == 0)
		return 0;
	if (!is_enforcing(wrap)) {
		log_findings(findings, SEAL_LOG_WARN);
		return 0;
	}
	remember_sentence(wrap, findings);
	r = refuse(findings, err);
	wrap_tell_suspicion(wrap);
	return r;
}

/* ---- At once ---- */

/*
 * What would choose the code of a program that is not static, or tune the C library of one that is.  Those of
 * interpreters and LD_LIBRARY_PATH may be the image's own: they are judged when it is known.
 */
static bool
is_refused_at_once(const char *variable)
{
	static const char library_path[] = "LD_LIBRARY_PATH=";
	static const char *const others[] = { "GLIBC_TUNABLES=", "GCONV_PATH=" };

	if (strncmp(variable, "LD_", strlen("LD_")) == 0)
		return strncmp(variable, library_path, strlen(library_path)) != 0;
	for (size_t i = 0; i < SEAL_COUNT(others); i++)
		if (strncmp(variable, others[i], strlen(others[i])) == 0)
			return true;
	return false;
}

int
wrap_look_at_variables(struct wrap *wrap, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	int r = verify_findings_new(&findings, err);

	for (size_t i = 0; r == 0 && wrap->host[i] != NULL; i++)
		if (is_refused_at_once(wrap->host[i]))
			verify_suspect(findings, VERIFY_RULE_ENV_LOADER, ENVIRONMENT_FILE, 0,
				       "no such variable", "%.*s", (int)strcspn(wrap->host[i], "="),
				       wrap->host[i]);
	if (r == 0 && verify_findings_count(findings) > 0)
		r = refuse(findings, err);
	return r;
}

static int
look_at_mounts(void *arg, struct verify_findings *findings, struct seal_err *err)
{
	struct wrap *wrap = arg;
	const struct verify_scene *scene = NULL;
	int r = verify_own_scene_look(wrap->own, &scene, err);

	return r < 0 ? r : verify_inspect_mounts(scene, NULL, findings, err);
}

/* ---- With the spec ---- */

/* Of the variables of the image and of those that the owner lets through nothing is to be said. */
struct variables {
	const char **environment;
	char **image;
	size_t image_count;
};

static void
release_variables(struct variables *variables)
{
	for (size_t i = 0; i < variables->image_count; i++)
		free(variables->image[i]);
	free(variables->image);
	free(variables->environment);
}

static bool
is_let_through(const struct wrap *wrap, const char *variable)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes name = SEAL_BYTES(128u * 1024);

	if (seal_bytes_append(&name, variable, strcspn(variable, "="), NULL) < 0)
		return false;
	return seal_strv_contains(verify_spec_loader(wrap->spec), seal_bytes_str(&name)) ||
	       seal_strv_contains(verify_spec_exempt(wrap->spec), seal_bytes_str(&name));
}

static int
take_variables(const struct wrap *wrap, struct variables *variables, struct seal_err *err)
{
	const size_t env_count = verify_spec_env_count(wrap->spec);
	size_t count = 0;
	size_t kept = 0;

	while (wrap->host[count] != NULL)
		count++;
	variables->environment = calloc(count + 1, sizeof(*variables->environment));
	variables->image = calloc(env_count + 1, sizeof(*variables->image));
	if (variables->environment == NULL || variables->image == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		if (!is_let_through(wrap, wrap->host[i]))
			variables->environment[kept++] = wrap->host[i];
	for (size_t i = 0; i < env_count; i++) {
		const struct verify_env *env = verify_spec_env(wrap->spec, i);
		char *text = NULL;

		if (!verify_spec_env_is_literal(wrap->spec, i))
			continue;
		if (asprintf(&text, "%s=%s", env->name, env->value) < 0)
			return seal_fail_memory(err);
		variables->image[variables->image_count++] = text;
	}
	return 0;
}

static int
look_at_all(void *arg, struct verify_findings *findings, struct seal_err *err)
{
	struct wrap *wrap = arg;
	const struct verify_policy *policy = verify_spec_policy(wrap->spec);
	const struct verify_scene *own = NULL;
	struct variables variables = { .image_count = 0 };
	struct verify_scene scene;
	int r = verify_own_scene_look(wrap->own, &own, err);

	if (r < 0)
		return r;
	scene = *own;
	/* Once it has started, there is nothing more to be had from our own. */
	if (!wrap->is_started) {
		r = take_variables(wrap, &variables, err);
		scene.environment = variables.environment;
		scene.image = (const char *const *)variables.image;
	}
	if (r == 0)
		r = verify_inspect(&scene, policy, findings, err);
	release_variables(&variables);
	return r;
}

/* ---- Looks before the start ---- */

typedef int (*look_function)(void *arg, struct verify_findings *findings, struct seal_err *err);

/* What may be kubelet at work is looked at again until it is done, or has had the time for it. */
static int
look_until_settled(struct wrap *wrap, look_function look, struct verify_findings **ret_findings,
		   struct seal_err *err)
{
	const uint64_t begin = verify_now_ms();

	for (;;) {
		SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
		int r = verify_findings_new(&findings, err);

		if (r == 0)
			r = look(wrap, findings, err);
		if (r < 0)
			return r;
		if (verify_now_ms() - begin >= verify_guard_grace(findings)) {
			*ret_findings = SEAL_TAKE(findings);
			return 0;
		}
		r = wrap_pause(wrap, VERIFY_GUARD_SETTLE_MS, err);
		if (r < 0)
			return r;
	}
}

int
wrap_look_at_mounts(struct wrap *wrap, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	int r = verify_own_scene_new(&wrap->own, err);

	if (r == 0)
		r = look_until_settled(wrap, look_at_mounts, &findings, err);
	if (r == 0 && verify_findings_count(findings) > 0)
		r = refuse(findings, err);
	return r;
}

int
wrap_look_at_all(struct wrap *wrap, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	int r = look_until_settled(wrap, look_at_all, &findings, err);

	if (r < 0 && r != SEAL_E_CLOSED && is_enforcing(wrap)) {
		(void)snprintf(wrap->sentence, sizeof(wrap->sentence),
			       "cannot look at the container");
		wrap_tell_suspicion(wrap);
	}
	if (r < 0)
		return r;
	/* Before the start it is done twice: what was said is not said again. */
	if (wrap->told != NULL && verify_findings_equal(wrap->told, findings))
		return 0;
	r = wrap_conclude_findings(wrap, findings, err);
	verify_findings_free(wrap->told);
	wrap->told = SEAL_TAKE(findings);
	return r;
}

/* ---- While the application runs ---- */

static void
act_on(struct wrap *wrap, const struct verify_findings *findings)
{
	const bool is_enforced = is_enforcing(wrap);

	/* First: whoever reads our log may have stopped to. */
	if (is_enforced)
		verify_supervisor_stop(wrap->supervisor, VERIFY_EXIT_REFUSED);
	remember_sentence(wrap, findings);
	log_findings(findings, is_enforced ? SEAL_LOG_ERROR : SEAL_LOG_WARN);
	if (is_enforced)
		seal_log(SEAL_LOG_ERROR, "stopping",
			 SEAL_U64("findings", verify_findings_count(findings)));
}

/* Who cannot look does not know: that is no better than to have found something. */
static void
act_on_blindness(struct wrap *wrap, const struct seal_err *err)
{
	if (is_enforcing(wrap)) {
		verify_supervisor_stop(wrap->supervisor, VERIFY_EXIT_REFUSED);
		(void)snprintf(wrap->sentence, sizeof(wrap->sentence),
			       "cannot look at the container");
	}
	seal_log(SEAL_LOG_ERROR, "blind", SEAL_STR("reason", err->text));
}

void
wrap_beat(struct wrap *wrap)
{
	verify_deadman_beat(wrap->deadman, is_enforcing(wrap));
}

/* Without it a look that does not come to an end would be noticed by nobody. */
static void
look_at_deadman(struct wrap *wrap)
{
	const struct seal_err err = { .text = "the process that watches over this one is gone" };

	if (wrap->deadman == NULL || verify_deadman_is_there(wrap->deadman))
		return;
	verify_deadman_free(SEAL_TAKE(wrap->deadman));
	act_on_blindness(wrap, &err);
}

/* Once: it looks every 30 seconds all the same. */
static void
tell_deafness(struct wrap *wrap)
{
	const int errnum = verify_guard_deafness(wrap->guard);

	if (errnum != 0 && !wrap->is_deafness_told)
		seal_log(SEAL_LOG_WARN, "inotify_unavailable", SEAL_STR("reason", strerror(errnum)),
			 SEAL_U64("seconds_between_looks", VERIFY_GUARD_PERIOD_MS / 1000));
	wrap->is_deafness_told |= errnum != 0;
}

static void
set_timer(const struct wrap *wrap, int ms)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 + 1 },
	};

	(void)timerfd_settime(wrap->timer, 0, &when, NULL); /* it is one, and so is that */
}

static void
look_again(struct wrap *wrap)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *fresh = NULL;
	struct seal_err err = { 0 };
	int r = verify_findings_new(&fresh, &err);

	look_at_deadman(wrap);
	verify_guard_nudge(wrap->guard, verify_now_ms());
	if (r == 0)
		r = verify_guard_step(wrap->guard, verify_now_ms(), fresh, &err);
	wrap_beat(wrap); /* whatever came of it, it came to an end */
	tell_deafness(wrap);
	if (r > 0)
		act_on(wrap, fresh);
	if (r < 0)
		act_on_blindness(wrap, &err);
	set_timer(wrap, verify_guard_patience(wrap->guard, verify_now_ms()));
}

/* Our own end waits for the agent's answer, for a while. */
static bool
goes_on(const struct wrap *wrap)
{
	return !verify_supervisor_is_over(wrap->supervisor) ||
	       verify_now_ms() < wrap->telling_until;
}

bool
wrap_attend(struct wrap *wrap)
{
	const bool is_running = verify_supervisor_step(wrap->supervisor);

	/* What is told is heard, and changes nothing; a timer is one that can be read until it is. */
	if (wrap->guard != NULL && verify_supervisor_is_stopping(wrap->supervisor)) {
		uint64_t times;

		verify_guard_nudge(wrap->guard, 0);
		while (read(wrap->timer, &times, sizeof(times)) == (ssize_t)sizeof(times))
			continue;
	} else if (is_running && wrap->guard != NULL)
		look_again(wrap);
	return goes_on(wrap);
}

/* Over the connection there is.  True when it was answered, whatever the answer. */
static bool
tell(struct wrap *wrap, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *none = NULL;
	char sentence[sizeof(wrap->sentence)];
	struct verify_request request = {
		.kind = VERIFY_ASK_SUSPECT,
		.wait_ms = is_enforcing(wrap) ? VERIFY_SUSPECT_SUSPEND : VERIFY_SUSPECT_REPORT,
		.data = (const uint8_t *)sentence,
		.data_len = strlen(wrap->sentence),
	};
	int r;

	memcpy(sentence, wrap->sentence, sizeof(sentence));
	r = verify_client_ask(wrap->client, &request, &none, NULL, err);
	if (!verify_client_is_open(wrap->client))
		return false;
	if (r < 0)
		seal_log(SEAL_LOG_WARN, "suspicion_untold", SEAL_STR("reason", err->text));
	if (strcmp(wrap->sentence, sentence) == 0)
		wrap->sentence[0] = '\0'; /* while it was told, there may have come another */
	return true;
}

/* The agent that went away may be back, as another: to be told it needs no spec. */
static bool
tell_anew(struct wrap *wrap, uint64_t until, struct seal_err *err)
{
	const uint64_t now = verify_now_ms();

	if (wrap_pause(wrap, RETRY_MS, err) < 0 || !goes_on(wrap) ||
	    wrap_call(wrap, until > now ? (uint32_t)(until - now) : 0, err) < 0)
		return false;
	return tell(wrap, err);
}

/*
 * While the application goes on, an agent that is away is called by who stands by it, and told then.
 * Otherwise there is no later.
 */
void
wrap_tell_suspicion(struct wrap *wrap)
{
	const bool is_stopping = verify_supervisor_is_stopping(wrap->supervisor);
	const bool is_last = is_stopping || !wrap->is_started;
	const uint64_t until = verify_now_ms() + TELL_MS;
	struct seal_err err = { 0 };
	bool is_told;

	if (wrap->sentence[0] == '\0' || verify_spec_is_exec(wrap->spec))
		return;
	if (is_stopping) {
		wrap->telling_until = until;
		set_timer(wrap, TELL_MS);
	}
	is_told = wrap->client != NULL && tell(wrap, &err);
	while (!is_told && is_last && goes_on(wrap) && verify_now_ms() < until)
		is_told = tell_anew(wrap, until, &err);
	if (!is_told && is_last) {
		seal_log(SEAL_LOG_WARN, "suspicion_untold", SEAL_STR("reason", err.text));
		wrap->sentence[0] = '\0';
	}
	wrap->telling_until = 0;
}

/* ---- Waiting for all of it at once ---- */

static int
wait_also_for(const struct wrap *wrap, int fd, uint32_t events, struct seal_err *err)
{
	struct epoll_event event = { .events = events };

	if (fd >= 0 && epoll_ctl(wrap->waker, EPOLL_CTL_ADD, fd, &event) < 0)
		return seal_fail_errno(err, errno, "cannot watch");
	return 0;
}

static int
make_waker(struct wrap *wrap, struct seal_err *err)
{
	struct pollfd polled[VERIFY_GUARD_FDS];
	int r;

	/* The timer first: once there is a waker, signals are told through it. */
	wrap->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (wrap->timer >= 0)
		wrap->waker = epoll_create1(EPOLL_CLOEXEC);
	if (wrap->waker < 0)
		return seal_fail_errno(err, errno, "cannot watch");
	verify_guard_prepare(wrap->guard, polled);
	r = wait_also_for(wrap, verify_supervisor_fd(wrap->supervisor), EPOLLIN, err);
	if (r == 0)
		r = wait_also_for(wrap, wrap->timer, EPOLLIN, err);
	for (size_t i = 0; r == 0 && i < VERIFY_GUARD_FDS; i++)
		r = wait_also_for(wrap, polled[i].fd,
				  (polled[i].events & POLLPRI) != 0 ? EPOLLPRI : EPOLLIN, err);
	return r;
}

int
wrap_keep_looking(struct wrap *wrap, struct seal_err *err)
{
	static const char *const paths[] = { VERIFY_HOSTS_FILE, VERIFY_RESOLV_FILE,
					     VERIFY_HOSTNAME_FILE, VERIFY_ACCOUNT_DIR };
	const struct verify_guard_setup setup = {
		.look = look_at_all,
		.arg = wrap,
		.mountinfo = VERIFY_MOUNTINFO_FILE,
		.paths = paths,
		.path_count = SEAL_COUNT(paths),
	};
	int r = verify_guard_new(&wrap->guard, &setup, err);

	if (r < 0)
		return r;
	if (wrap->told != NULL)
		verify_guard_know(wrap->guard, wrap->told);
	r = make_waker(wrap, err);
	if (r == 0)
		set_timer(wrap, 0);
	return r;
}

void
wrap_release_vigil(struct wrap *wrap)
{
	verify_guard_free(SEAL_TAKE(wrap->guard));
	verify_findings_free(SEAL_TAKE(wrap->told));
	verify_own_scene_freep(&wrap->own);
	seal_closep(&wrap->waker);
	seal_closep(&wrap->timer);
}
