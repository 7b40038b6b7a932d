/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_PROXY_ROT_RIG_H
#define SEAL_TESTS_PROXY_ROT_RIG_H

/*
 * A root of trust of sorts, in a thread of its own, that certifies web of workload shop and has moods.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "base/http/http.h"
#include "egg/egg.h"
#include "rot/wire/wire.h"
#include "tests/support/pki.h"

enum rot_mood {
	ROT_GRANTS,
	ROT_REFUSES_RENEWALS,
	ROT_REFUSES,
	ROT_IS_BUSY,
	ROT_SAYS_GARBAGE,
	ROT_NAMES_ANOTHER,         /* credentials whose names are not the certificate's */
	ROT_CERTIFIES_OTHER_KEY,   /* a certificate for another key than asked */
	ROT_CERTIFIES_BY_OTHER_CA, /* a certificate that does not lead to its bundle */
	ROT_SENDS_FOREIGN_KEYS     /* keys of another peer */
};

struct fake_rot {
	struct pki_id system_ca;
	struct pki_id workload_ca;
	struct seal_loop *loop;
	struct seal_staging *staging;
	struct seal_http *http;
	struct seal_tls *tls;
	struct seal_wake *stop;
	pthread_t thread;
	uint16_t port;
	_Atomic enum rot_mood mood;
	int64_t lifetime;
	int64_t egg_not_after; /* 0: long */
	unsigned hatches;      /* granted or not */
	unsigned renewals;
	char last_role[16]; /* who asked last */
	uint8_t last_key[SEAL_HASH_LEN];
	uint8_t previous_key[SEAL_HASH_LEN];
	struct seal_strv last_hostnames;
	unsigned key_generations; /* SEALED_GEN(n) | ... */
	uint64_t floor;           /* of shop/ConfigMap/app; 0: none */
	_Atomic uint64_t epoch;   /* of credentials */
	/* GET /v1/sync, answered at once: */
	_Atomic unsigned sync_status; /* 0: by what is in news; otherwise with this one */
	_Atomic unsigned questions;
	_Atomic uint64_t last_epoch; /* asked with */
	pthread_mutex_t lock;        /* of the next */
	char *news;                  /* JSON; 204 when asked with news_epoch, or when NULL */
	uint64_t news_epoch;
};

void rot_start(struct fake_rot *rot);
void rot_stop(struct fake_rot *rot);
/* From now on. */
void rot_tell(struct fake_rot *rot, const struct rot_sync *news);
/* An egg that leads there. */
struct egg *lay_egg(const struct fake_rot *rot);
/* News with the workload's CA and this policy; released by rot_sync_release. */
struct rot_sync rot_news(const struct fake_rot *rot, uint64_t epoch, const char *client);

#endif
