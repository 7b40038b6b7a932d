/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-rot: the options, and the order of starting.
 *
 *   harden ─▶ lock DIR ─▶ read KEK ─▶ fork the signer, which takes it ─▶ store ─▶ server
 *
 * Nothing but the key-encryption key is read before the fork, and it is gone from this process after.
 */

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#include "rot/server/home.h"
#include "rot/server/init.h"
#include "rot/server/options.h"
#include "rot/server/page.h"
#include "rot/server/place.h"
#include "rot/server/server.h"

#define DESCRIPTORS 16500 /* the connections that server.c takes, and our own */

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int serve(const struct rot_options *options, struct seal_err *err);

static int
complain(int r, const struct seal_err *err)
{
	(void)fprintf(stderr, "seal-rot: %s\n", err->text);
	return r == SEAL_E_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	struct rot_options options = { 0 };
	struct seal_err err = { 0 };
	int r;

	r = seal_process_harden(&err);
	/* One heap: what a handshake leaves in another thread's would not be used again. */
	(void)mallopt(M_ARENA_MAX, 1); /* or so be it */
	if (r == 0)
		r = rot_options_parse(&options, argc, argv, &err);
	if (r < 0)
		return complain(r, &err);
	if (options.help) {
		rot_options_help(stdout);
		return EXIT_DONE;
	}
	if (options.version) {
		(void)puts("seal-rot " SEAL_VERSION);
		return EXIT_DONE;
	}
	seal_log_setup("seal-rot", options.level, options.log_json);
	r = serve(&options, &err);
	return r < 0 ? complain(r, &err) : EXIT_DONE;
}

/* Every connection is a descriptor: ask for as many as we may have. */
static void
raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* then the old limit has to do */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS)
		seal_log(SEAL_LOG_WARN, "few_descriptors", SEAL_U64("limit", limit.rlim_cur),
			 SEAL_U64("wanted", DESCRIPTORS),
			 SEAL_STR("reason", "each pod that waits for news holds one: raise the "
					    "limit of open files (LimitNOFILE=)"));
}

/*
 * What is needed before the signer starts.  The store is closed again: the signer must not inherit
 * it.
 */
static int
read_meta(const struct rot_place *place, struct rot_meta *meta, struct rot_kek_scheme *scheme,
	  struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = NULL;
	struct rot_kv_config where;
	int r;

	rot_place_config(place, &where);
	r = rot_store_open(&store, &where, err);
	if (r == 0)
		r = rot_place_check(place, rot_store_id(store), err);
	if (r == 0)
		r = rot_store_kek(store, scheme, err);
	return r < 0 ? r : rot_store_meta(store, meta, err);
}

static int
start_signer(const struct rot_options *options, const struct rot_home *home,
	     const struct rot_kek_scheme *scheme, const char *trust_domain,
	     struct rot_signer **ret_signer, struct seal_err *err)
{
	const struct rot_kek_source source = { .file = options->kek_file,
					       .passphrase_file = options->kek_passphrase_file };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	int r = rot_kek_get(&kek, &source, scheme, home->dir_fd, err);

	return r < 0 ? r : rot_signer_start(ret_signer, &kek, trust_domain, err);
}

static int
choose_listen(const struct rot_options *options, const struct rot_meta *meta,
	      struct seal_endpoint *endpoint, struct seal_err *err)
{
	char host[SEAL_HOSTNAME_MAX + 1];
	int r;

	if (options->listen != NULL) {
		r = seal_endpoint_parse(endpoint, options->listen, "0.0.0.0", err);
		if (r == 0 && endpoint->is_unix)
			r = seal_fail(err, SEAL_E_FORMAT, "HTTPS needs an address and a port");
		return r < 0 ? seal_note(err, r, "--listen") : 0;
	}
	(void)snprintf(endpoint->host, sizeof(endpoint->host), "0.0.0.0");
	return seal_url_split(meta->urls.items[0], host, &endpoint->port, err);
}

static int
choose_est(const struct rot_options *options, struct rot_server_config *config,
	   struct seal_err *err)
{
	int r;

	config->has_est = options->est != NULL;
	if (!config->has_est)
		return 0;
	r = seal_endpoint_parse(&config->est, options->est, "0.0.0.0", err);
	if (r == 0 && config->est.is_unix)
		r = seal_fail(err, SEAL_E_FORMAT, "HTTPS needs an address and a port");
	return r < 0 ? seal_note(err, r, "--est") : 0;
}

static int
choose_page(const struct rot_options *options, struct rot_server_config *config,
	    struct seal_err *err)
{
	int r;

	config->has_page = options->page != NULL;
	if (!config->has_page)
		return 0;
	r = seal_endpoint_parse(&config->page, options->page, "127.0.0.1", err);
	if (r == 0)
		r = rot_page_check(&config->page, err);
	return r < 0 ? seal_note(err, r, "--page") : 0;
}

static int
configure(const struct rot_options *options, const struct rot_home *home,
	  const struct rot_meta *meta, struct rot_server_config *config, struct seal_err *err)
{
	char socket_path[PATH_MAX];
	int r;

	if (meta->urls.count == 0)
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: it has no URL");
	r = choose_listen(options, meta, &config->listen, err);
	if (r == 0)
		r = rot_home_path(home, ROT_SOCKET_NAME, socket_path, err);
	if (r < 0)
		return r;
	config->local.is_unix = true;
	r = snprintf(config->local.host, sizeof(config->local.host), "%s", socket_path);
	if (r < 0 || (size_t)r >= sizeof(config->local.host))
		return seal_fail(err, SEAL_E_LIMIT, "%s: the path is too long for a socket",
				 home->path);
	config->rate_per_egg = (uint32_t)options->rate_per_egg;
	config->rate_per_address = (uint32_t)options->rate_per_address;
	config->lifetime = options->lifetime;
	config->accept_clock = options->accept_clock;
	r = choose_est(options, config, err);
	if (r < 0)
		return r;
	config->has_health = options->health != NULL;
	if (config->has_health)
		r = seal_endpoint_parse(&config->health, options->health, "127.0.0.1", err);
	else
		r = 0;
	if (r < 0)
		return seal_note(err, r, "--health");
	return choose_page(options, config, err);
}

/* For as long as pods may hold what the backup does not know. */
#define RESTORED_SECONDS (30 * 86400)

static int
warn_if_restored(struct rot_store *store, struct seal_err *err)
{
	struct rot_restored restored = { .restored_at = 0 };
	int r = rot_store_restored(store, &restored, err);

	if (r == 0 && restored.restored_at != 0 &&
	    seal_clock_now() - restored.restored_at < RESTORED_SECONDS)
		seal_log(SEAL_LOG_WARN, "store_restored",
			 SEAL_U64("backup_at", (uint64_t)restored.backup_at),
			 SEAL_U64("restored_at", (uint64_t)restored.restored_at),
			 SEAL_STR("advice",
				  "what was issued and revoked after the backup is not known: see "
				  "docs/BACKUP.md"));
	return r;
}

static int
run(const struct rot_home *home, const struct rot_server_config *config,
    const struct rot_place *place, struct rot_signer *signer, struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = NULL;
	SEAL_SCOPED(seal_loop_freep) struct seal_loop *loop = NULL;
	SEAL_SCOPED(rot_server_freep) struct rot_server *server = NULL;
	struct rot_kv_config where;
	int r;

	rot_place_config(place, &where);
	r = rot_store_open(&store, &where, err);
	/* It may be another one by now. */
	if (r == 0)
		r = rot_place_check(place, rot_store_id(store), err);
	if (r == 0)
		r = warn_if_restored(store, err);
	if (r == 0)
		r = seal_loop_new(&loop, err);
	if (r == 0)
		r = rot_server_new(&server, loop, config, store, signer, err);
	if (r < 0)
		return r;
	seal_log(SEAL_LOG_NOTICE, "ready", SEAL_STR("dir", home->path),
		 SEAL_STR("address", config->listen.host),
		 SEAL_U64("port", rot_server_port(server)), SEAL_STR("version", SEAL_VERSION));
	r = seal_loop_run(loop, err);
	if (r == 0 && rot_server_failed(server))
		r = seal_fail(err, SEAL_E_CLOSED, "the signer has died: start seal-rot again");
	if (r == 0)
		seal_log(SEAL_LOG_NOTICE, "stopped");
	return r;
}

/* A replica of a store in etcd needs nothing in its directory, which may be new. */
static int
open_home(const struct rot_options *options, struct rot_home *home, struct rot_place *place,
	  struct seal_err *err)
{
	const struct rot_place_options where = { .store = options->store,
						 .prefix = options->store_prefix,
						 .ca = options->store_ca,
						 .cert = options->store_cert,
						 .key = options->store_key };
	bool is_etcd = options->store != NULL && strncmp(options->store, "etcd:", 5) == 0;
	int r;

	r = is_etcd ? rot_home_open_any(home, options->dir, true, err)
		    : rot_home_open(home, options->dir, err);
	return r < 0 ? r : rot_place_find(place, home->path, home->dir_fd, &where, err);
}

static int
serve(const struct rot_options *options, struct seal_err *err)
{
	SEAL_SCOPED(rot_home_release) struct rot_home home = ROT_HOME;
	SEAL_SCOPED(rot_meta_release) struct rot_meta meta = { 0 };
	SEAL_SCOPED(rot_signer_freep) struct rot_signer *signer = NULL;
	struct rot_kek_scheme scheme = ROT_KEK_SCHEME;
	struct rot_server_config config = { 0 };
	struct rot_place place = { .store = "" };
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	raise_limits();
	r = open_home(options, &home, &place, err);
	if (r == 0)
		r = read_meta(&place, &meta, &scheme, err);
	if (r == 0)
		r = configure(options, &home, &meta, &config, err);
	if (r == 0)
		r = start_signer(options, &home, &scheme, meta.trust_domain, &signer, err);
	return r < 0 ? r : run(&home, &config, &place, signer, err);
}
