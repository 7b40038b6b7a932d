/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_INJECT_RIG_H
#define SEAL_TESTS_INJECT_RIG_H

/*
 * A sealer and opener with a ring of its own, and inject between them.
 */

#include "base/json/json.h"
#include "base/yaml/tree.h"
#include "rot/inject/inject.h"

struct rig {
	struct verify_ring *rings[4]; /* of peers, as they come */
	size_t ring_count;
	struct inject_image image; /* what runs where the manifest does not say it */
	struct inject_options options;
	uint64_t gen;        /* of the next sealing of anything */
	unsigned seal_calls; /* how often the sealer was called */
	bool seal_fails;
	struct seal_bytes out;
	struct inject_report report;
	struct seal_err err;
};

void rig_init(struct rig *rig);
void rig_release(struct rig *rig);

/* Inject a text, or restore one; the code.  Output and report are the rig's until the next. */
int rig_inject(struct rig *rig, const char *text, size_t len);
int rig_restore(struct rig *rig, const char *text, size_t len);
/* The same for strings, which must succeed; returns the output. */
const char *rig_must(struct rig *rig, const char *text);
/* ... and which must be refused with this code and a sentence with this in it; nothing comes out. */
void rig_refuses(struct rig *rig, enum seal_code code, const char *sentence, const char *text);
/* inject, then restore: same JSON; inject again: nothing changes. */
void rig_round(struct rig *rig, const char *text, size_t len);

/* The documents of a text as one JSON object {"0":...,"1":...}; the caller frees. */
struct seal_json *rig_json(const char *text, size_t len);
/* Same values, whatever the order of members. */
bool rig_same(const struct seal_json *a, const struct seal_json *b);
/* A member by a path like "0.spec.containers.0.command.0"; NULL when there is none. */
const struct seal_json *rig_at(const struct seal_json *json, const char *path);
/* The opened text of a sealed one, for the caller to free. */
char *rig_open(struct rig *rig, const char *sealed);
/* The same for the spec of a container or a handler at a path; it must be what seal-wrap understands. */
struct seal_json *rig_spec(struct rig *rig, const struct seal_json *output, const char *path);
/* A line of the report with this verdict whose what holds the text. */
bool rig_reports(const struct rig *rig, enum inject_verdict verdict, const char *what);

#endif
