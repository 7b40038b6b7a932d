/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_INJECT_H
#define SEAL_ROT_INJECT_H

/*
 * Manifests in clear in, sealed manifests out (and back).  No network and no files here: values are
 * sealed by a function of the caller's.  What is sealed how: docs/SEALED.md and seal-inject(1).
 */

#include <stdbool.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/json/json.h"
#include "config-verify/sealed.h"

/* Bytes of output: sealing makes a value a third longer, and adds some 250 bytes. */
#define INJECT_MAX_OUT (64u * 1024 * 1024)

/* One value to be sealed.  There may be a hundred thousand, so it says only what its object does not. */
struct inject_value {
	const char *key;
	const char *container; /* "": none */
	const void *plain;
	size_t plain_len;
	char *sealed; /* the sealer's: malloc'ed */
};

struct inject_object {
	const char *ns;
	const char *kind;
	const char *name;
	const char *peer;
	size_t round; /* so many earlier ones are the same object: this generation is later */
	struct inject_value *values; /* they share a generation */
	size_t value_count;
};

/* Seal all values of all objects, or fail. */
typedef int (*inject_seal_fn)(void *arg, struct inject_object *objects, size_t object_count,
			      struct seal_err *err);
/* A sealed value to be opened: the opener fills in its plaintext and its authenticated binding. */
struct inject_sealed {
	char *text;
	size_t len;
	char *plain; /* the opener's, malloc'ed with a NUL behind: wiped and freed by who asked */
	size_t plain_len;
	struct verify_binding binding;
};
/* Open all, or fail. */
typedef int (*inject_open_fn)(void *arg, struct inject_sealed *values, size_t value_count,
			      struct seal_err *err);

/* SEAL: ConfigMaps and Secrets alone.  SIDECAR: what has pods in it alone. */
enum inject_only { INJECT_ALL, INJECT_SEAL, INJECT_SIDECAR };

/* The configuration of an image: "Entrypoint", "Cmd", "Env", "WorkingDir", "User" as OCI spells them. */
struct inject_image {
	const char *match; /* a container's name or its image; "" fits what no other does */
	struct seal_json *config;
};

/* A stream of documents, and what errors call it. */
struct inject_input {
	const char *name;
	const char *text;
	size_t len;
};

struct inject_options {
	const char *workload;
	const char *peer;        /* unless the object says seal-control.io/peer */
	const char *ns;          /* of objects that name none */
	const char *proxy_image; /* of the sidecar */
	const char *wrap_path;   /* of seal-wrap in the images of containers */
	bool brief; /* report only what somebody should know who did not ask: left, warned, unchanged */
	enum inject_only only;
	const struct inject_image *images;
	size_t image_count;
	const struct inject_input *policy; /* what the owner pins for all pods; NULL: nothing */
	const struct seal_strv *exempt;    /* "KIND/NAME", left in clear; NULL: none */
	inject_seal_fn seal;               /* NULL: look at everything, seal and write nothing */
	inject_open_fn open;
	void *arg;
};

/* What was done with each thing, in order: what --explain prints. */
enum inject_verdict {
	INJECT_SEALED,
	INJECT_ADDED,     /* ours */
	INJECT_CHANGED,   /* rewritten, nothing sealed in it */
	INJECT_LEFT,      /* in clear, and why */
	INJECT_WARNED,    /* the owner should look at it */
	INJECT_UNCHANGED, /* sealed before, or nothing to seal */
};
/* "left", "sealed". */
const char *inject_verdict_name(enum inject_verdict verdict);

struct inject_line {
	enum inject_verdict verdict;
	const char *object; /* "shop/Deployment/web"; "" for a document that is none */
	const char *what;   /* "data.password", "container app: env PASSWORD" */
	const char *why;    /* "": it goes without saying */
	const char *where;  /* "file:line:column" */
};
struct inject_report {
	struct inject_line *lines;
	size_t line_count;
	size_t sealed; /* values */
	size_t documents;
	size_t objects; /* lists count, too */
	size_t changed; /* documents */
};
void inject_report_release(struct inject_report *report);

/*
 * Seal streams of documents, all of them or none.  Appends the whole output to out, one stream, or fails
 * and appends nothing; documents in which nothing changes are copied byte for byte.  The report is
 * filled as far as it came in both cases.
 */
SEAL_CHECKED int inject_manifests(const struct inject_options *options,
				  const struct inject_input *inputs, size_t input_count,
				  struct seal_bytes *out, struct inject_report *report,
				  struct seal_err *err);

/* The way back: every sealed value opened, everything that was added removed. */
SEAL_CHECKED int inject_restore(const struct inject_options *options,
				const struct inject_input *inputs, size_t input_count,
				struct seal_bytes *out, struct inject_report *report,
				struct seal_err *err);

#endif
