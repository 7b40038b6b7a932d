/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_H
#define SEAL_PROXY_H

/*
 * The sidecar.  main.c reads the egg or the credentials directory, hardens, and starts two threads:
 * the identity (identity.h), which hatches and renews, and the worker (worker.h), which moves bytes.
 * This header holds what both share: the configuration and the identity's published state.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/loop/net.h"
#include "base/names/names.h"
#include "base/tls/tls.h"
#include "base/x509/verify.h"

/* Deadlines, milliseconds (design section 13). */
#define PROXY_HANDSHAKE_MS 10000
#define PROXY_CONNECT_MS   5000
#define PROXY_DRAIN_MS     30000

#define PROXY_MAX_CONFIG    (64u * 1024) /* bytes of YAML */
#define PROXY_MAX_LISTENERS 256
#define PROXY_MAX_TARGETS   16
#define PROXY_MAX_PEERS     1024

enum proxy_direction { PROXY_INBOUND, PROXY_OUTBOUND };

/* One listener. */
struct proxy_listener_config {
	enum proxy_direction direction;
	struct seal_endpoint listen;
	struct seal_endpoint *targets; /* forward (inbound) or connect (outbound), in order */
	size_t target_count;
	struct seal_strv peers; /* narrows the RoT's policy; empty: no narrowing */
	char *server_name;      /* outbound: SNI; NULL: the host connected to */
	char *origin;           /* where it was written: "proxy.yaml:3:5", or the flag */
};

struct proxy_config {
	struct proxy_listener_config *listeners;
	size_t listener_count;
	bool has_health;
	struct seal_endpoint health;
	uint32_t handshake_ms;
	uint32_t connect_ms; /* in all: names, addresses and targets */
	uint32_t drain_ms;
	uint32_t idle_ms; /* 0: off */
};

/*
 * Built by parsing YAML text and adding the specs of flags, immutable from then on.  What cannot be
 * meant is SEAL_E_FORMAT, what is not allowed SEAL_E_REFUSED, both with the place it was written at;
 * the configuration is unchanged after a failure.
 */
SEAL_CHECKED int proxy_config_new(struct proxy_config **ret_config, struct seal_err *err);
void proxy_config_free(struct proxy_config *config);
void proxy_config_freep(struct proxy_config **config);
SEAL_CHECKED int proxy_config_add_yaml(struct proxy_config *config, const char *name,
				       const char *text, size_t text_len, struct seal_err *err);
/*
 * "8443=8080", "0.0.0.0:8443=unix:/run/app.sock/web,ops": LISTEN=FORWARD[,FORWARD][/PEERS].  The path
 * of a unix socket that is followed by peers must end in ".sock".
 */
SEAL_CHECKED int proxy_config_add_inbound(struct proxy_config *config, const char *spec,
					  struct seal_err *err);
/* "5432=db.shop.svc:8443/db": LISTEN=CONNECT[,CONNECT][/PEERS] */
SEAL_CHECKED int proxy_config_add_outbound(struct proxy_config *config, const char *spec,
					   struct seal_err *err);
/*
 * Rules over the whole: at least one listener and, with need_peers, every listener names its peers.
 * (Each listener alone, and that no two share an address, was checked when it was added.)
 */
SEAL_CHECKED int proxy_config_check(const struct proxy_config *config, bool need_peers,
				    struct seal_err *err);

/*
 * Who we are and whom we accept, as of one hatch, renewal or reload.  Immutable and reference
 * counted (atomically): connections keep the one they were admitted with for their own duration.
 */
struct proxy_identity_state {
	atomic_uint refs;
	uint64_t generation;
	struct seal_tls *as_client;
	struct seal_tls *as_server;
	struct seal_certs *anchors;
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	struct seal_strv clients; /* may call me */
	struct seal_strv servers; /* I may call */
	int64_t not_before;
	int64_t not_after;
};

/* What a state is made of, borrowed for the call. */
struct proxy_state_parts {
	const struct seal_certs *chain;   /* our own, leaf first */
	const struct seal_certs *anchors; /* the workload's CA bundle */
	const struct seal_key *key;
	const struct seal_strv *clients;
	const struct seal_strv *servers;
	uint64_t generation;
	int64_t now;
};

/*
 * Check the parts against each other and the clock (the chain leads to the bundle, the key is the
 * leaf's, the leaf is a pod's) and make both TLS sides.  Who we are is read from the certificate.
 */
SEAL_CHECKED int proxy_state_new(struct proxy_identity_state **ret_state,
				 const struct proxy_state_parts *parts, struct seal_err *err);
struct proxy_identity_state *proxy_state_ref(struct proxy_identity_state *state);
void proxy_state_unref(struct proxy_identity_state *state);
void proxy_state_unrefp(struct proxy_identity_state **state);
/* False before the first state, outside the certificate's life, and without a readable clock. */
bool proxy_state_is_valid(const struct proxy_identity_state *state, int64_t now);

#endif
