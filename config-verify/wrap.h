/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_WRAP_H
#define SEAL_VERIFY_WRAP_H

/*
 * What seal-wrap holds while it starts an application and stands by it.  For the files of that program.
 */

#include "config-verify/client.h"
#include "config-verify/deadman.h"
#include "config-verify/environment.h"
#include "config-verify/guard.h"
#include "config-verify/inspect.h"
#include "config-verify/supervise.h"
#include "config-verify/volume.h"

/* One member of the spec's files, and what became of it. */
struct wrap_files {
	const struct verify_files *files;
	uint8_t seen[SEAL_HASH_LEN];      /* digest of the source when it was read last */
	uint8_t published[SEAL_HASH_LEN]; /* of which the application has the files */
	uint8_t refused[SEAL_HASH_LEN];   /* which was refused, and said so */
	bool is_dirty;                    /* the source may be another */
	uint64_t failing_since;           /* in ms; 0: not */
	bool is_told;                     /* that it fails */
};

struct wrap {
	const char *sealed;      /* the argument */
	const char *const *host; /* the environment we were started with */
	struct verify_supervisor *supervisor;
	struct verify_deadman *deadman; /* NULL: nobody would notice our silence */
	struct verify_token token;
	struct verify_client *client;
	struct verify_spec *spec;
	char key[VERIFY_NAME_MAX + 1];     /* what the spec was sealed as */
	uint64_t gens[VERIFY_MAX_OBJECTS]; /* of the spec's objects, until the start; 0: not met */
	bool is_started;
	struct wrap_files files[VERIFY_MAX_FILES];
	struct verify_environment *environment;
	struct verify_command command;
	int exit; /* with which to end when a step fails */
	struct verify_own_scene *own;
	struct verify_findings *told; /* before the start */
	struct verify_guard *guard;   /* from then on */
	bool is_deafness_told;
	int waker; /* epoll: signals, what the guard is told by, timer; -1 before */
	int timer; /* of the guard; -1 before */
	char sentence[VERIFY_SUSPECT_MAX + 1]; /* of the last finding, until the agent knows; "" */
	uint64_t
		telling_until; /* while the agent is told, in ms: our end waits for its answer; 0 */
};

/* ---- link.c: the agent ---- */

/* Neither signals nor suspicion wait for the agent. */
struct verify_meanwhile wrap_meanwhile(struct wrap *wrap);
/* Connect anew, trying for wait_ms.  For what needs no spec. */
SEAL_CHECKED int wrap_call(struct wrap *wrap, uint32_t wait_ms, struct seal_err *err);
/* The same, and have the spec opened; the answer is taken by whoever wants it. */
SEAL_CHECKED int wrap_link(struct wrap *wrap, uint32_t wait_ms, struct seal_secret **ret_spec,
			   struct verify_binding *ret_binding, struct seal_err *err);
/* Until the start, what it opens of an object is of one generation (wrap.gens), SEAL_E_CONFLICT otherwise. */
struct verify_opener wrap_opener(struct wrap *wrap);
/* Wait, seeing to signals; fails when they end us. */
SEAL_CHECKED int wrap_pause(struct wrap *wrap, int ms, struct seal_err *err);

/* ---- vigil.c: suspicion ---- */

/* Refuse what the host must not set, whoever we are and whatever is in the image. */
SEAL_CHECKED int wrap_look_at_variables(struct wrap *wrap, struct seal_err *err);
/* By the rules of the system alone; findings are refused. */
SEAL_CHECKED int wrap_look_at_mounts(struct wrap *wrap, struct seal_err *err);
/*
 * By the spec's policy; findings are refused or, in audit mode, reported.  Of a refused application the agent
 * is told: it may have taken the container for back already, and that it did not start is no reason to serve.
 */
SEAL_CHECKED int wrap_look_at_all(struct wrap *wrap, struct seal_err *err);
/* The same for findings from elsewhere. */
SEAL_CHECKED int wrap_conclude_findings(struct wrap *wrap, const struct verify_findings *findings,
					struct seal_err *err);
/* Whoever waits for us hears that we are there; the first time, just before the start. */
void wrap_beat(struct wrap *wrap);
/* From now on wrap_attend looks. */
SEAL_CHECKED int wrap_keep_looking(struct wrap *wrap, struct seal_err *err);
/*
 * See to signals and look, when wrap_meanwhile's descriptor can be read.  False when the application is over.
 * What is found stops it (it goes on until it has ended), and the agent is told by wrap_tell_suspicion.
 */
bool wrap_attend(struct wrap *wrap);
/*
 * Tell what there is to be told.  When it is now or never, because the application ends or was refused, an
 * agent that is away is tried for some seconds; else it is told when it is back.
 */
void wrap_tell_suspicion(struct wrap *wrap);
void wrap_release_vigil(struct wrap *wrap);

/* ---- update.c: files, now and later ---- */

/* Write all files of the spec. */
SEAL_CHECKED int wrap_write_files(struct wrap *wrap, struct seal_err *err);
/* Stand by the application until it ends: signals, the agent, files that change. */
SEAL_CHECKED int wrap_stand_by(struct wrap *wrap, struct seal_err *err);

#endif
