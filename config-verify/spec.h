/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_SPEC_H
#define SEAL_VERIFY_SPEC_H

/*
 * The sealed container spec: what seal inject took out of a container, and what seal-wrap starts it
 * from.  Its plaintext is a JSON object (docs/SEALED.md):
 *
 *   "version"    1
 *   "exec"       only in the spec of a probe or hook: its command, an array of strings
 *   "place"      only in the spec of the init container that makes placeholders for mounts of one file:
 *                the absolute paths of the files to make; nothing else is done with it
 *   "container"  the container as the owner wrote it, in Kubernetes' own shape: name, command, args, env,
 *                envFrom, workingDir, volumeMounts, probes and lifecycle; members it had not are absent
 *   "image"      of --image-config, members absent when unknown: "Entrypoint", "Cmd", "Env", "WorkingDir"
 *   "files"      array of what is unsealed into memory:
 *       "source"   directory where the host put the sealed files
 *       "target"   where the application expects them (the mountPath)
 *       "file"     only for a mount of one file (subPath): its path below source; target is then a file
 *       "objects"  [{"kind","name","optional","items":[{"key","path","mode"}]}]; without items: every key
 *                  under its own name.  kind: ConfigMap or Secret
 *       "shared"   true: every user of the container may read them
 *       "plain"    paths that come in clear from the cluster and are copied (downward API, tokens)
 *       "mode"     of the files, as the owner asked for all of them
 *   "verify"     what the host may hand in (policy.h); required, but in the specs of places, which must not
 *                have it
 *   "exempt"     names of variables that may come from the host in clear
 *   "loader"     names of loader variables that the owner allowed
 *
 * Variables whose value the owner did not write reach the container under names that seal inject chose,
 * so that no two can hide each other: container.env[i] with valueFrom as SEAL_ENV_<i>, all keys of
 * container.envFrom[i] with the prefix SEAL_FROM_<i>_ (before the key, without the owner's prefix).
 *
 * In its binding, key is "spec", or of a probe or hook "livenessProbe", "readinessProbe", "startupProbe",
 * "postStart", "preStop", or "place"; container is the container's name; the object is the one that was injected
 * (Deployment and so on).  The sidecar's own value is {"version":1,"config":{…},"pod":{…}} under the key
 * "proxy", container "seal-proxy": seal-proxy.yaml(5) as JSON, and what the pod was before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "config-verify/policy.h"

#define VERIFY_SPEC_MAX    (96u * 1024) /* plaintext: sealed it must fit one argument (128 KiB) */
#define VERIFY_SPEC_KEY    "spec"
#define VERIFY_PROXY_KEY   "proxy"
#define VERIFY_PROXY_NAME  "seal-proxy"
#define VERIFY_ENV_VAR     "SEAL_ENV_"        /* + index in container.env */
#define VERIFY_FROM_PREFIX "SEAL_FROM_"       /* + index in container.envFrom + "_" */
#define VERIFY_SOURCE_DIR  "/run/seal-source" /* + "/" + index of the pod's sealed volumes */
#define VERIFY_MAX_ENV     8192
#define VERIFY_MAX_FILES   64  /* members of "files" */
#define VERIFY_MAX_OBJECTS 256 /* objects one container uses */

/* An object that a spec refers to: the agent opens no other for this container. */
struct verify_object {
	const char *kind; /* borrowed from the spec */
	const char *name;
	bool optional;
};

struct verify_item {
	const char *key;
	const char *path;
	uint32_t mode; /* of the file as the owner asked, 0: unsaid */
};

struct verify_files_object {
	struct verify_object object;
	const struct verify_item *items;
	size_t item_count; /* 0: every key */
};

struct verify_files {
	const char *source;
	const char *target;
	const char *file; /* NULL: a directory */
	const struct verify_files_object *objects;
	size_t object_count;
	const char *const *plain; /* paths */
	size_t plain_count;
	uint32_t mode; /* as the owner asked for all, 0: unsaid */
	bool shared;   /* every user of the container may read them */
};

enum verify_env_kind {
	VERIFY_ENV_VALUE,  /* value, with $(NAME) to be expanded */
	VERIFY_ENV_OBJECT, /* sealed, in variable: object, key */
	VERIFY_ENV_HOST,   /* in clear, in variable: what only the cluster knows (fieldRef) */
	VERIFY_ENV_FROM,   /* sealed, in every variable that begins with variable: object; prefix */
};

struct verify_env {
	enum verify_env_kind kind;
	const char *name; /* not of FROM */
	const char *value;
	const char *variable; /* the host's */
	const char *prefix;   /* FROM: the owner's; "" */
	const char *key;      /* OBJECT */
	struct verify_object object;
};

/* A spec, parsed: the structures above in the order in which Kubernetes evaluates them. */
struct verify_spec;

/* Every member is checked: paths absolute and without "..", names, limits.  SEAL_E_FORMAT, SEAL_E_LIMIT. */
SEAL_CHECKED int verify_spec_parse(struct verify_spec **ret_spec, const void *text, size_t len,
				   struct seal_err *err);
void verify_spec_free(struct verify_spec *spec);
void verify_spec_freep(struct verify_spec **spec);

/*
 * Put in place of *spec one that has its container's name, files and policy, and nothing of what is run or
 * of variables: for who has started the application.  On failure *spec stays; else what was borrowed from
 * it is gone.
 */
SEAL_CHECKED int verify_spec_forget(struct verify_spec **spec, struct seal_err *err);

const char *verify_spec_container(const struct verify_spec *spec);
bool verify_spec_is_exec(const struct verify_spec *spec);
/* Placeholders to make; empty for every other spec. */
const struct seal_strv *verify_spec_place(const struct verify_spec *spec);
/* What to run, before $(NAME) is expanded: exec's, or command or Entrypoint, then args or Cmd. */
const struct seal_strv *verify_spec_argv(const struct verify_spec *spec);
/* So many at its front come from the image, in which nothing is expanded. */
size_t verify_spec_argv_literals(const struct verify_spec *spec);
/* container.workingDir, or the image's, or "/"; absolute, in its shortest spelling. */
const char *verify_spec_cwd(const struct verify_spec *spec);
/* The image's variables (VALUE, not expanded), then envFrom, then env, in the order written. */
size_t verify_spec_env_count(const struct verify_spec *spec);
const struct verify_env *verify_spec_env(const struct verify_spec *spec, size_t index);
bool verify_spec_env_is_literal(const struct verify_spec *spec, size_t index); /* of the image */
size_t verify_spec_files_count(const struct verify_spec *spec);
const struct verify_files *verify_spec_files(const struct verify_spec *spec, size_t index);
/* Objects of env, envFrom and files, each once. */
size_t verify_spec_object_count(const struct verify_spec *spec);
const struct verify_object *verify_spec_object(const struct verify_spec *spec, size_t index);
/* NULL: a spec of a probe, hook or place.  Borrowed from the spec. */
const struct verify_policy *verify_spec_policy(const struct verify_spec *spec);
const struct seal_strv *verify_spec_exempt(const struct verify_spec *spec);
const struct seal_strv *verify_spec_loader(const struct verify_spec *spec);

/* ---- Rules that inject and wrap share ---- */

/* A variable of the loader or of an interpreter that runs code of whoever sets it: LD_*, GLIBC_TUNABLES… */
bool verify_is_loader_variable(const char *name);
/* A name Kubernetes lets a variable have: printable ASCII without '='.  SEAL_E_FORMAT. */
SEAL_CHECKED int verify_variable_check(const char *name, struct seal_err *err);
/* Absolute, no part "." or "..", no "//", no "/" at the end but of "/" itself, no control characters. */
SEAL_CHECKED int verify_path_check(const char *path, struct seal_err *err);

#endif
