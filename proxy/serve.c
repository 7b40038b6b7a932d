/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the parts together, in the order in which they can fail and be confined, and takes them apart
 * again.  The worker runs in the calling thread, the identity in one of its own.
 *
 *   in clear:  egg ─▶ doors bound ─▶ sandbox ─▶ identity's thread: hatch ─▶ doors open
 *   sealed:    egg ─▶ first wall ─▶ hatch ─▶ configuration opened ─▶ doors bound ─▶ sandbox ─▶ doors open
 */
#include "proxy/serve.h"

#include <errno.h>
#include <signal.h>

#include "base/http/health.h"
#include "proxy/agent.h"
#include "proxy/control.h"
#include "proxy/follow.h"
#include "proxy/identity.h"
#include "proxy/sandbox.h"
#include "proxy/sealed.h"
#include "proxy/worker.h"

struct app {
	const struct proxy_options *options;
	const struct proxy_room *room;
	struct proxy_config *config; /* referenced: the one that is served */
	struct egg *egg;             /* NULL with --credentials, and once it has hatched */
	/* With a sealed configuration: */
	struct proxy_keys *keys;
	struct proxy_hatch *hatch;          /* until the identity's thread has it */
	struct proxy_identity_state *state; /* likewise */
	struct verify_binding sealed;
	struct proxy_opener opener;
	struct proxy_agent *agent;

	struct proxy_sync_stats news;
	struct proxy_sandbox_report sandbox;
	struct seal_loop *loop;
	struct proxy_worker *worker;
	struct proxy_control *control;
	struct proxy_follow *follow;
	struct seal_health *health;
	struct proxy_identity *identity;
	struct seal_signal *signals[3];
	bool draining;
	struct seal_err failed; /* what made the worker give up */
};

static bool
is_sealed(const struct app *app)
{
	return app->options->sealed_config != NULL;
}

/* ---- The end ---- */

static void
on_drained(void *arg)
{
	struct app *app = arg;

	seal_loop_stop(app->loop);
}

/* The first asks to end in order, the second to end. */
static void
on_end(void *arg, int number)
{
	struct app *app = arg;
	struct proxy_counters totals;

	proxy_worker_totals(app->worker, &totals);
	seal_log(SEAL_LOG_NOTICE, app->draining ? "stopping" : "draining",
		 SEAL_U64("signal", (uint64_t)number), SEAL_U64("connections", totals.open));
	if (app->draining) {
		seal_loop_stop(app->loop);
		return;
	}
	app->draining = true;
	proxy_worker_drain(app->worker, on_drained, app);
}

static void
on_failed(void *arg, const struct seal_err *err)
{
	struct app *app = arg;

	app->failed = *err;
	seal_loop_stop(app->loop);
}

/* ---- The identity ---- */

/* In one of the identity's threads. */
static void
publish(void *arg, struct proxy_identity_state *state)
{
	struct app *app = arg;

	proxy_worker_publish(app->worker, state);
}

static int
start_identity(struct app *app, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv hostnames = { 0 };
	struct proxy_identity_config config = {
		.hatch = app->hatch != NULL ? &app->hatch : NULL,
		.state = &app->state,
		.egg = app->egg != NULL ? &app->egg : NULL,
		.credentials = app->options->credentials,
		.egg_path = PROXY_EGG_PATH,
		.hostnames = &hostnames,
		.max_sessions = app->config->limits.sessions,
		.stats = &app->news,
		.publish = publish,
		.arg = app,
		.also = proxy_follow_turn,
		.also_arg = app->follow,
	};
	int r = proxy_source_hostnames(&hostnames, err);

	return r < 0 ? r : proxy_identity_start(&app->identity, &config, err);
}

/* ---- Parts ---- */

static bool
is_ready(void *arg)
{
	const struct app *app = arg;

	return proxy_worker_is_ready(app->worker);
}

/*
 * A sidecar that cannot serve is of no use alive; one that must not, because of a container, is to be there
 * when that one comes back, and would have forgotten why if it were started anew.
 */
static bool
is_live(void *arg)
{
	const struct app *app = arg;

	return proxy_worker_is_live(app->worker);
}

static const char *
why_not(void *arg)
{
	const struct app *app = arg;

	return app->agent != NULL ? proxy_agent_suspicion(app->agent) : NULL;
}

static void
suspend(void *arg, const char *why)
{
	struct app *app = arg;

	if (why != NULL)
		proxy_worker_suspend(app->worker, why);
	else
		proxy_worker_resume(app->worker);
}

static int
start_health(struct app *app, struct seal_err *err)
{
	const struct seal_health_config config = {
		.endpoint = app->config->health,
		.staging = proxy_worker_staging(app->worker),
		.is_live = is_live,
		.is_ready = is_ready,
		.why_not = why_not,
		.arg = app,
	};

	return app->config->has_health ? seal_health_new(&app->health, app->loop, &config, err) : 0;
}

/*
 * The folder is everybody's in the pod, and whoever has put something where the agent's socket belongs can keep
 * containers from starting.  It cannot keep the others' traffic from flowing.
 */
static int
start_agent(struct app *app, struct seal_err *err)
{
	const struct proxy_agent_config config = {
		.loop = app->loop,
		.endpoint = &app->config->agent,
		.keys = app->keys,
		.own = &app->sealed,
		.is_ready = is_ready,
		.suspend = suspend,
		.arg = app,
	};

	int r;

	if (!is_sealed(app) || !app->config->has_agent)
		return 0;
	r = proxy_agent_new(&app->agent, &config, err);
	if (r != SEAL_E_CONFLICT)
		return r;
	seal_log(SEAL_LOG_ERROR, "no_agent", SEAL_STR("reason", err->text));
	*err = (struct seal_err){ 0 };
	return 0;
}

static int
start_parts(struct app *app, struct seal_err *err)
{
	int r = seal_loop_new(&app->loop, err);

	if (r == 0)
		r = proxy_worker_new(&app->worker, app->loop, app->config, on_failed, app, err);
	if (r == 0)
		r = start_health(app, err);
	if (r == 0)
		r = start_agent(app, err);
	if (r == 0)
		r = proxy_control_new(&app->control, app->loop, app->worker, app->agent, &app->news,
				      err);
	if (r == 0)
		r = proxy_follow_new(&app->follow, app->worker, err);
	if (r == 0)
		proxy_follow_set_config(app->follow, app->config);
	return r;
}

/* What is bound and read is open by now; what comes later is in the paths. */
static int
enter_sandbox(struct app *app, struct seal_err *err)
{
	const struct proxy_sandbox_sources sources = {
		.config = app->config,
		.config_file = app->options->config,
		.credentials = app->options->credentials,
		.egg = app->egg == NULL ? NULL : PROXY_EGG_PATH,
	};
	SEAL_SCOPED(proxy_sandbox_paths_release) struct proxy_sandbox_paths paths = { 0 };
	int r = proxy_sandbox_collect(&paths, &sources, err);

	if (r == 0)
		r = proxy_sandbox_enter(&paths, &app->sandbox, err);
	if (r < 0)
		return seal_note(err, r, "sandbox");
	seal_log(SEAL_LOG_NOTICE, "confined", SEAL_BOOL("seccomp", app->sandbox.seccomp),
		 SEAL_U64("landlock", (uint64_t)app->sandbox.landlock_abi),
		 SEAL_BOOL("capabilities_dropped", app->sandbox.capabilities_dropped));
	return 0;
}

/* ---- Another configuration ---- */

static int
reload(struct app *app, struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	int r = proxy_source_configure(app->options, app->room, &config, err);

	if (r == 0)
		r = proxy_config_check_reload(app->config, config, err);
	if (r == 0)
		r = proxy_worker_reload(app->worker, config, err);
	if (r < 0)
		return r;
	proxy_config_free(app->config);
	app->config = SEAL_TAKE(config);
	return 0;
}

static void
on_reload(void *arg, int number)
{
	struct app *app = arg;
	struct seal_err err = { 0 };

	(void)number;
	proxy_identity_poke(app->identity); /* files of certificates are looked at in any case */
	if (is_sealed(app)) {
		seal_log(SEAL_LOG_NOTICE, "reload_ignored",
			 SEAL_STR("reason", "the configuration is sealed: another one comes with "
					    "another pod"));
		return;
	}
	if (reload(app, &err) < 0) {
		seal_log(SEAL_LOG_WARN, "reload_refused", SEAL_STR("reason", err.text),
			 SEAL_BOOL("keeping_old", true));
		return;
	}
	seal_log_setup("seal-proxy", app->config->log_level, app->config->log_json);
	proxy_follow_set_config(app->follow, app->config);
	proxy_identity_poke(app->identity);
	seal_log(SEAL_LOG_NOTICE, "reloaded", SEAL_U64("listeners", app->config->listener_count));
}

/* ---- Hatching first ---- */

/* There is no loop yet to hear of signals. */
static atomic_bool told_to_end;
static volatile sig_atomic_t told_by;

static void
on_early_end(int number)
{
	told_by = number;
	atomic_store(&told_to_end, true);
}

/* The first process of a container ignores signals that it does not ask for; hatching may take long. */
static int
hear_early(struct seal_err *err)
{
	struct sigaction end = { .sa_handler = on_early_end };
	struct sigaction nothing = { .sa_handler = SIG_IGN };

	if (sigaction(SIGTERM, &end, NULL) < 0 || sigaction(SIGINT, &end, NULL) < 0 ||
	    sigaction(SIGHUP, &nothing, NULL) < 0)
		return seal_fail_errno(err, errno, "cannot ask for signals");
	return 0;
}

static int
hatch_first(struct app *app, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv hostnames = { 0 };
	struct proxy_hatch_config config = {
		.path = PROXY_EGG_PATH,
		.hostnames = &hostnames,
		.max_sessions = PROXY_SESSIONS,
		.abort = &told_to_end,
	};
	int r = proxy_source_hostnames(&hostnames, err);

	if (r == 0)
		r = proxy_keys_new(&app->keys, err);
	config.keys = app->keys;
	if (r == 0)
		r = proxy_hatch_new(&app->hatch, &app->egg, &config, err);
	return r < 0 ? r : proxy_sealed_hatch(app->hatch, &told_to_end, &app->state, err);
}

/* One identity does for all of the pod's life: how many sessions it keeps is known only now. */
static int
open_config(struct app *app, struct seal_err *err)
{
	char object[VERIFY_OBJECT_MAX];
	int r = proxy_sealed_open(app->options, app->keys, &app->config, &app->sealed, err);

	if (r < 0)
		return r;
	app->config->limits = proxy_limits_fit(&app->config->limits, app->room);
	seal_log_setup("seal-proxy", app->config->log_level, app->config->log_json);
	app->opener.keys = app->keys;
	(void)snprintf(app->opener.ns, sizeof(app->opener.ns), "%s", app->sealed.ns);
	proxy_sealed_set_opener(app->config, &app->opener);
	verify_object_format(&app->sealed, object);
	seal_log(SEAL_LOG_NOTICE, "sealed_config_opened", SEAL_STR("object", object),
		 SEAL_U64("generation", app->sealed.gen));
	if (app->config->limits.sessions == PROXY_SESSIONS)
		return 0;
	return proxy_hatch_set_sessions(app->hatch, app->config->limits.sessions, &app->state, err);
}

/*
 * The host gave us a text that nobody can read yet.  What it cannot be is refused before the egg, whose
 * hatches are counted, is used for it.
 */
static int
start_sealed(struct app *app, struct seal_err *err)
{
	struct verify_binding claimed = { .gen = 0 };
	int r = proxy_sealed_peek(app->options->sealed_config, &claimed, err);

	if (r == 0)
		r = hear_early(err);
	if (r == 0)
		r = proxy_sandbox_begin(&app->sandbox, err);
	if (r == 0)
		r = hatch_first(app, err);
	if (r == 0)
		r = open_config(app, err);
	return r;
}

/* ---- From the beginning to the end ---- */

static int
hear_signals(struct app *app, struct seal_err *err)
{
	static const struct {
		int number;
		seal_signal_fn fn;
	} signals[] = { { SIGTERM, on_end }, { SIGINT, on_end }, { SIGHUP, on_reload } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(signals); i++)
		r = seal_signal_new(&app->signals[i], app->loop, signals[i].number, signals[i].fn,
				    app, err);
	if (r == 0 && atomic_load(&told_to_end)) /* between the hatch and now */
		on_end(app, told_by);
	return r;
}

static int
start(struct app *app, struct seal_err *err)
{
	int r = proxy_source_find(app->options, &app->egg, err);

	if (r == 0 && is_sealed(app))
		r = start_sealed(app, err);
	if (r == 0)
		r = start_parts(app, err);
	if (r == 0)
		r = enter_sandbox(app, err);
	if (r == 0)
		r = start_identity(app, err);
	/* Last: until then a signal ends us, as it should. */
	return r < 0 ? r : hear_signals(app, err);
}

static void
stop(struct app *app)
{
	proxy_identity_free(app->identity); /* first: it publishes to the worker */
	proxy_follow_free(app->follow);
	proxy_control_free(app->control);
	proxy_agent_free(app->agent);
	seal_health_free(app->health);
	proxy_worker_free(app->worker);
	for (size_t i = 0; i < SEAL_COUNT(app->signals); i++)
		seal_signal_free(app->signals[i]);
	seal_loop_free(app->loop);
	proxy_state_unref(app->state);
	proxy_hatch_free(app->hatch);
	proxy_keys_free(app->keys);
	egg_free(app->egg);
	proxy_config_free(app->config);
}

static int
run(struct app *app, struct seal_err *err)
{
	int r;

	seal_log(SEAL_LOG_NOTICE, "started", SEAL_STR("version", SEAL_VERSION),
		 SEAL_U64("listeners", app->config->listener_count),
		 SEAL_U64("max_connections", app->config->limits.connections));
	r = seal_loop_run(app->loop, err);
	if (r == 0 && app->failed.code != 0) {
		*err = app->failed;
		r = err->code;
	}
	return r;
}

int
proxy_serve(const struct proxy_options *options, const struct proxy_room *room,
	    struct proxy_config *config, struct seal_err *err)
{
	struct app app = { .options = options, .room = room, .config = proxy_config_ref(config) };
	int r = start(&app, err);

	if (r == 0)
		r = run(&app, err);
	else if (r == SEAL_E_CLOSED && atomic_load(&told_to_end))
		r = 0; /* it was told to end before there was anything to end */
	if (r == 0)
		seal_log(SEAL_LOG_NOTICE, "stopped");
	stop(&app);
	return r;
}
