/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-proxy: harden, read the command line, find the identity's source, serve until told to end.
 * The worker runs in the main thread, the identity in one of its own.
 *
 * The host chooses our arguments and environment.  Neither can choose the egg or whom to trust, and
 * listeners are taken from them only when the egg says so (plain_config), or on machines the owner
 * trusts (--credentials).
 */
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/fs/fs.h"
#include "base/http/health.h"
#include "base/secret/secret.h"
#include "base/tls/tls.h"
#include "proxy/capture.h"
#include "proxy/control.h"
#include "proxy/credentials.h"
#include "proxy/follow.h"
#include "proxy/identity.h"
#include "proxy/limits.h"
#include "proxy/options.h"
#include "proxy/sandbox.h"
#include "proxy/worker.h"

#define EGG_PATH "/etc/seal/egg"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct app {
	struct proxy_options options;
	struct proxy_config *config; /* referenced: the one that is served */
	struct proxy_room room;
	struct egg *egg; /* NULL with --credentials */
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

/* The host may set fewer descriptors than it would allow. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* without it there are fewer connections */
}

static int
read_egg(struct egg **ret_egg, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = seal_fs_open_on_root(EGG_PATH, err);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	if (fd < 0)
		return seal_note(err, fd, "egg " EGG_PATH);
	r = seal_fs_read_secret_fd(&text, fd, EGG_PATH, EGG_MAX_LEN + 1, err);
	if (r == 0)
		r = egg_parse(ret_egg, seal_secret_chars(text), seal_secret_len(text), err);
	return r < 0 ? seal_note(err, r, "egg " EGG_PATH) : 0;
}

/* The identity's source must be there and allow this configuration before anything is opened. */
static int
check_source(struct app *app, struct seal_err *err)
{
	struct proxy_identity_state *state = NULL;
	int r;

	if (app->options.credentials != NULL) {
		r = proxy_credentials_load(&state, app->options.credentials, 0, 0, err);
		proxy_state_unref(state);
		return r;
	}
	r = read_egg(&app->egg, err);
	if (r == 0 && !egg_plain_config(app->egg))
		r = seal_fail(err, SEAL_E_REFUSED,
			      "this egg takes listeners from sealed values only, not from flags or "
			      "files: mint it with --allow-plain-config to allow them");
	return r;
}

/* The configuration as it can be served here. */
static int
read_config(struct app *app, struct proxy_config **ret_config, struct seal_err *err)
{
	struct proxy_config *config = NULL;
	int r = proxy_options_configure(&app->options, &config, err);

	if (r < 0)
		return r;
	config->limits = proxy_limits_fit(&config->limits, &app->room);
	*ret_config = config;
	return 0;
}

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

/* In the identity's thread. */
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
	const char *variable = getenv("HOSTNAMES");
	struct proxy_identity_config config = {
		.egg = app->egg != NULL ? &app->egg : NULL,
		.credentials = app->options.credentials,
		.egg_path = EGG_PATH,
		.hostnames = &hostnames,
		.max_sessions = app->config->limits.sessions,
		.publish = publish,
		.arg = app,
		.also = proxy_follow_turn,
		.also_arg = app->follow,
	};

	if (variable != NULL && seal_strv_split(&hostnames, variable, ',', err) < 0)
		return seal_note(err, SEAL_E_FORMAT, "the variable HOSTNAMES");
	return proxy_identity_start(&app->identity, &config, err);
}

static bool
is_ready(void *arg)
{
	const struct app *app = arg;

	return proxy_worker_is_ready(app->worker);
}

/* A sidecar that cannot serve is of no use alive: both answers are the same. */
static int
start_health(struct app *app, struct seal_err *err)
{
	const struct seal_health_config config = {
		.endpoint = app->config->health,
		.staging = proxy_worker_staging(app->worker),
		.is_live = is_ready,
		.is_ready = is_ready,
		.arg = app,
	};

	return app->config->has_health ? seal_health_new(&app->health, app->loop, &config, err) : 0;
}

/* ---- Another configuration ---- */

static void
on_reload(void *arg, int number)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	struct app *app = arg;
	struct seal_err err = { 0 };
	int r = read_config(app, &config, &err);

	(void)number;
	if (r == 0)
		r = proxy_config_check_reload(app->config, config, &err);
	if (r == 0)
		r = proxy_worker_reload(app->worker, config, &err);
	if (r < 0) {
		seal_log(SEAL_LOG_WARN, "reload_refused", SEAL_STR("reason", err.text),
			 SEAL_BOOL("keeping_old", true));
		return;
	}
	proxy_config_free(app->config);
	app->config = SEAL_TAKE(config);
	seal_log_setup("seal-proxy", app->config->log_level, app->config->log_json);
	proxy_follow_set_config(app->follow, app->config);
	proxy_identity_poke(app->identity);
	seal_log(SEAL_LOG_NOTICE, "reloaded", SEAL_U64("listeners", app->config->listener_count));
}

/* ---- Beginning and end ---- */

/* What is bound and read is open by now; what comes later is in the paths. */
static int
enter_sandbox(struct app *app, struct seal_err *err)
{
	const struct proxy_sandbox_sources sources = {
		.config = app->config,
		.config_file = app->options.config,
		.credentials = app->options.credentials,
		.egg = app->egg == NULL ? NULL : EGG_PATH,
	};
	SEAL_SCOPED(proxy_sandbox_paths_release) struct proxy_sandbox_paths paths = { 0 };
	struct proxy_sandbox_report report = { 0 };
	int r = proxy_sandbox_collect(&paths, &sources, err);

	if (r == 0)
		r = proxy_sandbox_enter(&paths, &report, err);
	if (r < 0)
		return seal_note(err, r, "sandbox");
	seal_log(SEAL_LOG_NOTICE, "confined", SEAL_BOOL("seccomp", report.seccomp),
		 SEAL_U64("landlock", (uint64_t)report.landlock_abi),
		 SEAL_BOOL("capabilities_dropped", report.capabilities_dropped));
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
		r = proxy_control_new(&app->control, app->loop, app->worker, err);
	if (r == 0)
		r = proxy_follow_new(&app->follow, app->worker, err);
	if (r == 0)
		proxy_follow_set_config(app->follow, app->config);
	return r;
}

static int
start(struct app *app, struct seal_err *err)
{
	static const struct {
		int number;
		seal_signal_fn fn;
	} signals[] = { { SIGTERM, on_end }, { SIGINT, on_end }, { SIGHUP, on_reload } };
	int r = start_parts(app, err);

	if (r == 0)
		r = enter_sandbox(app, err);
	if (r == 0)
		r = start_identity(app, err);
	/* Last: until then a signal ends us, as it should. */
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(signals); i++)
		r = seal_signal_new(&app->signals[i], app->loop, signals[i].number, signals[i].fn,
				    app, err);
	return r;
}

static void
stop(struct app *app)
{
	proxy_identity_free(app->identity); /* first: it publishes to the worker */
	proxy_follow_free(app->follow);
	proxy_control_free(app->control);
	seal_health_free(app->health);
	proxy_worker_free(app->worker);
	for (size_t i = 0; i < SEAL_COUNT(app->signals); i++)
		seal_signal_free(app->signals[i]);
	seal_loop_free(app->loop);
	egg_free(app->egg);
	proxy_config_free(app->config);
}

static int
serve(struct app *app, struct seal_err *err)
{
	int r = check_source(app, err);

	if (r == 0)
		r = start(app, err);
	if (r == 0) {
		seal_log(SEAL_LOG_NOTICE, "started", SEAL_STR("version", SEAL_VERSION),
			 SEAL_U64("listeners", app->config->listener_count),
			 SEAL_U64("max_connections", app->config->limits.connections));
		r = seal_loop_run(app->loop, err);
	}
	if (r == 0 && app->failed.code != 0) {
		*err = app->failed;
		r = err->code;
	}
	if (r == 0)
		seal_log(SEAL_LOG_NOTICE, "stopped");
	return r;
}

/* ---- Commands ---- */

static int
check_egg_time(const struct egg *egg, struct seal_err *err)
{
	int64_t not_before = 0;
	int64_t not_after = 0;
	int r = seal_cert_times(seal_certs_at(egg_cert(egg), 0), &not_before, &not_after, err);

	if (r == 0 && seal_clock_now() > not_after)
		r = seal_fail(err, SEAL_E_REFUSED, "it has expired: mint another one");
	return r < 0 ? seal_note(err, r, "egg " EGG_PATH) : 0;
}

/* Where no egg lies, as on the machine that writes the configuration, there is none to look at. */
static int
check_identity(struct app *app, struct seal_err *err)
{
	int r = check_source(app, err);

	if (app->options.credentials != NULL)
		return r;
	if (r == SEAL_E_MISSING) {
		*err = (struct seal_err){ 0 };
		return 0;
	}
	return r < 0 ? r : check_egg_time(app->egg, err);
}

/* Everything that can be found out without binding an address or asking anybody. */
static int
check_only(struct app *app, struct seal_err *err)
{
	int r = check_identity(app, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < app->config->listener_count; i++) {
		const struct proxy_listener_config *listener = &app->config->listeners[i];
		struct proxy_public *public = NULL;

		if (listener->direction == PROXY_PUBLIC)
			r = proxy_public_load(&public, listener, NULL, seal_clock_now(), err);
		proxy_public_unref(public);
		if (r < 0)
			return seal_note(err, r, "%s", listener->origin);
	}
	(void)puts("ok"); /* main looks at stdout's health */
	return 0;
}

static int
run_configured(struct app *app, struct seal_err *err)
{
	int r;

	raise_descriptor_limit();
	proxy_room_measure(&app->room);
	r = read_config(app, &app->config, err);
	if (r < 0)
		return r;
	seal_log_setup("seal-proxy", app->config->log_level, app->config->log_json);
	if (app->options.command == PROXY_CAPTURE_RULES) {
		proxy_capture_rules(app->config, stdout);
		return 0;
	}
	return app->options.check ? check_only(app, err) : serve(app, err);
}

static int
run_command(struct app *app, struct seal_err *err)
{
	const struct proxy_options *options = &app->options;
	struct seal_endpoint control = { 0 };
	const struct proxy_status_query query = {
		.socket_path = control.host,
		.json = strcmp(options->output, "json") == 0,
		.connections = options->connections,
	};
	int r;

	switch (options->command) {
	case PROXY_STATUS:
		r = proxy_options_control(options, &control, err);
		return r < 0 ? r : proxy_control_status(&query, stdout, err);
	case PROXY_LOG_LEVEL:
		r = proxy_options_control(options, &control, err);
		return r < 0 ? r : proxy_control_log_level(control.host, options->level_word, err);
	case PROXY_SANDBOX_TEST:
		return proxy_sandbox_test(stdout, err);
	case PROXY_CAPTURE_RULES:
	case PROXY_SERVE:
		break;
	}
	return run_configured(app, err);
}

static int
run(struct app *app, int argc, char **argv, struct seal_err *err)
{
	enum seal_level level;
	bool json;
	int r = proxy_options_parse(&app->options, argc, argv, err);

	if (r < 0)
		return r;
	if (app->options.help) {
		proxy_options_help(stdout);
		return 0;
	}
	if (app->options.version) {
		(void)puts("seal-proxy " SEAL_VERSION); /* main looks at stdout's health */
		return 0;
	}
	r = proxy_options_log(&app->options, &level, &json, err);
	if (r < 0)
		return r;
	seal_log_setup("seal-proxy", level, json);
	return run_command(app, err);
}

int
main(int argc, char **argv)
{
	struct app app = { 0 };
	struct seal_err err = { 0 };
	int r = seal_process_harden(&err);

	/* One thread does nearly all of it; heaps for the others would be 0.1 MiB more at rest. */
	(void)mallopt(M_ARENA_MAX, 1); /* or so be it */
	if (r == 0) {
		(void)seal_tls_shortcut(); /* or handshakes cost what they cost */
		r = run(&app, argc, argv, &err);
	}
	stop(&app);
	proxy_options_release(&app.options);
	if (r == 0 && fflush(stdout) != 0)
		r = seal_fail(&err, SEAL_E_SYSTEM, "cannot write to standard output");
	if (r == 0)
		return EXIT_DONE;
	(void)fprintf(stderr, "seal-proxy: %s\n", err.text); /* nobody is left to tell */
	return r == SEAL_E_USAGE ? EXIT_USAGE : EXIT_REFUSED;
}
