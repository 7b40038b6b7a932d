/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_ENVIRONMENT_H
#define SEAL_VERIFY_ENVIRONMENT_H

/*
 * The application's environment and command, from the spec alone: what the kubelet and the runtime would
 * have given it, but that the host has a say in nothing the spec did not leave to it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/secret/secret.h"
#include "config-verify/collect.h"
#include "config-verify/spec.h"

#define VERIFY_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* Bytes of one variable or word (the kernel takes no more, MAX_ARG_STRLEN), and of all variables. */
#define VERIFY_TEXT_MAX        (128u * 1024 - 1)
#define VERIFY_ENVIRONMENT_MAX (6u * 1024 * 1024)

/* ---- $(NAME), as Kubernetes expands it ---- */

/* The value of a name, or NULL. */
typedef const char *verify_lookup(const void *arg, const char *name, size_t name_len);

/*
 * Append text with every $(NAME) that lookup knows replaced by its value; others stay as they are written.
 * "$$" is "$", so "$$(NAME)" stays "$(NAME)".
 */
SEAL_CHECKED int verify_expand(struct seal_bytes *out, const char *text, verify_lookup *lookup,
			       const void *arg, struct seal_err *err);

/* ---- Variables ---- */

/* What does not stand in the spec. */
struct verify_surroundings {
	const char *const *host; /* the environment we were started with */
	const char *home;        /* of our user: verify_home_of */
	const char *hostname;    /* from the kernel */
	bool has_terminal;       /* then the host's TERM stays, when it is a word */
};

struct verify_environment;

/*
 * Build the environment: defaults (PATH, HOME, HOSTNAME, TERM), the image's variables, exempt ones of the
 * host, envFrom, env; later ones replace earlier ones of their name.  Sealed ones are opened by opener:
 * of an envFrom all values the object has, and all of one object of one generation.
 *
 * SEAL_E_REFUSED for loader variables that the spec does not allow (the host's are never allowed) and for
 * values that no variable can have; SEAL_E_MISSING for what the host left out, unless it is optional;
 * SEAL_E_CONFLICT for two generations of an object; and what opener says.
 */
SEAL_CHECKED int verify_environment_new(struct verify_environment **ret_environment,
					const struct verify_spec *spec,
					const struct verify_surroundings *around,
					const struct verify_opener *opener, struct seal_err *err);
/* Wipes every value. */
void verify_environment_free(struct verify_environment *environment);
void verify_environment_freep(struct verify_environment **environment);
/* For execve: ends with NULL; borrowed. */
char *const *verify_environment_strings(const struct verify_environment *environment);
/* A variable's value; NULL when it is not set. */
const char *verify_environment_get(const struct verify_environment *environment, const char *name);
/* As verify_lookup, with the environment as arg: what the kubelet knows, so nothing of image or runtime. */
const char *verify_environment_lookup(const void *environment, const char *name, size_t name_len);

/* The home of a user by a file in passwd(5)'s form; "/" when it has none, or none that is a path. */
void verify_home_of(char *out, size_t size, const char *passwd, unsigned uid);

/* ---- The command ---- */

struct verify_command {
	struct seal_secret **words;
	char **argv; /* the same for execve, ending with NULL */
	size_t count;
};

/*
 * The words to run.  key is what the spec was sealed as: as the kubelet does it, the words of a container
 * are expanded with the environment, those of a probe with what the owner wrote as values alone, those of
 * a hook and of the image not at all.
 */
SEAL_CHECKED int verify_command_make(struct verify_command *ret_command,
				     const struct verify_spec *spec, const char *key,
				     const struct verify_environment *environment,
				     struct seal_err *err);
void verify_command_release(struct verify_command *command);

#endif
