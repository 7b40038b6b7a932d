/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files the serving process keeps: what the C library and the resolver read, what a renewal or a
 * reload reads again, and the folders in which it made something it will remove.
 */

#include <limits.h>
#include <stdlib.h>

#include "proxy/sandbox.h"

/*
 * One by one: their folder holds more than is ours to read.  Nothing of /proc is among them: whoever
 * wants to know something about this process opens it before.  (A rule would not hold either: the
 * kernel makes /proc's files anew when it is short of memory.)
 */
static const char *const system_files[] = {
	"/etc/hosts",
	"/etc/localtime",
	"/etc/resolv.conf",
	"/dev/null",
};

#define RESOLV_CONF "/etc/resolv.conf"

static int
add_once(struct seal_strv *list, const char *path, struct seal_err *err)
{
	return seal_strv_contains(list, path) ? 0 : seal_strv_add(list, path, err);
}

static int
add_folder(struct seal_strv *list, const char *file, struct seal_err *err)
{
	const char *slash = strrchr(file, '/');
	char folder[PATH_MAX];
	size_t len = slash == NULL ? 0 : (size_t)(slash - file);

	if (slash == NULL)
		return add_once(list, ".", err);
	if (len == 0)
		return add_once(list, "/", err);
	if (len >= sizeof(folder))
		return seal_fail(err, SEAL_E_LIMIT, "a path of %zu bytes is too long", len);
	memcpy(folder, file, len);
	folder[len] = '\0';
	return add_once(list, folder, err);
}

/* In these lies more than is ours to read: a file there is kept alone, and not found once replaced. */
static bool
lies_among_others(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash != NULL &&
	       (slash == file || (slash - file == 4 && strncmp(file, "/etc", 4) == 0));
}

static int
add_readable(struct seal_strv *list, const char *file, struct seal_err *err)
{
	return lies_among_others(file) ? add_once(list, file, err) : add_folder(list, file, err);
}

/* The folder of the file, and of what it leads to. */
static int
add_file(struct seal_strv *list, const char *file, struct seal_err *err)
{
	char real[PATH_MAX];
	int r = add_readable(list, file, err);

	if (r == 0 && realpath(file, real) != NULL)
		r = add_readable(list, real, err);
	return r;
}

/* Usually a file of its own; a link where a resolver on this machine writes it, in its own folder. */
static int
add_resolv_conf(struct seal_strv *list, struct seal_err *err)
{
	char real[PATH_MAX];

	if (realpath(RESOLV_CONF, real) == NULL || strncmp(real, "/run/", strlen("/run/")) != 0)
		return 0;
	return add_folder(list, real, err);
}

static int
add_listener(struct proxy_sandbox_paths *paths, const struct proxy_listener_config *listener,
	     struct seal_err *err)
{
	int r = 0;

	if (!listener->captured && listener->listen.is_unix)
		r = add_folder(&paths->remove, listener->listen.host, err);
	for (size_t i = 0; r == 0 && i < listener->certificate_count; i++) {
		r = add_file(&paths->read, listener->certificates[i].certificate, err);
		if (r == 0)
			r = add_file(&paths->read, listener->certificates[i].key, err);
	}
	if (r == 0 && listener->client_ca != NULL)
		r = add_file(&paths->read, listener->client_ca, err);
	return r;
}

static int
add_config(struct proxy_sandbox_paths *paths, const struct proxy_config *config,
	   struct seal_err *err)
{
	const struct seal_endpoint *others[] = {
		config->has_health ? &config->health : NULL,
		config->has_metrics ? &config->metrics : NULL,
		config->has_control ? &config->control : NULL,
		config->has_agent ? &config->agent : NULL,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->listener_count; i++)
		r = add_listener(paths, &config->listeners[i], err);
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(others); i++)
		if (others[i] != NULL && others[i]->is_unix)
			r = add_folder(&paths->remove, others[i]->host, err);
	return r;
}

static int
collect(struct proxy_sandbox_paths *paths, const struct proxy_sandbox_sources *sources,
	struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(system_files); i++)
		r = add_once(&paths->read, system_files[i], err);
	if (r == 0)
		r = add_resolv_conf(&paths->read, err);
	if (r == 0 && sources->config != NULL)
		r = add_config(paths, sources->config, err);
	if (r == 0 && sources->config_file != NULL)
		r = add_file(&paths->read, sources->config_file, err);
	if (r == 0 && sources->credentials != NULL)
		r = add_once(&paths->read, sources->credentials, err);
	if (r == 0 && sources->egg != NULL)
		r = add_folder(&paths->remove, sources->egg, err);
	return r;
}

int
proxy_sandbox_collect(struct proxy_sandbox_paths *ret_paths,
		      const struct proxy_sandbox_sources *sources, struct seal_err *err)
{
	struct proxy_sandbox_paths paths = { 0 };
	int r = collect(&paths, sources, err);

	if (r < 0) {
		proxy_sandbox_paths_release(&paths);
		return seal_note(err, r, "sandbox");
	}
	*ret_paths = paths;
	return 0;
}

void
proxy_sandbox_paths_release(struct proxy_sandbox_paths *paths)
{
	seal_strv_release(&paths->read);
	seal_strv_release(&paths->remove);
}
