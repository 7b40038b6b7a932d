/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_H
#define SEAL_PROXY_H

/*
 * The sidecar.  main.c reads the egg or the credentials directory, hardens, and starts its threads:
 * the identity (identity.h), which hatches and renews, the one that asks for news of it (sync.h), and the
 * worker (worker.h), which moves bytes.
 * This header holds what both share: the configuration and the identity's published state.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/log/log.h"
#include "base/loop/net.h"
#include "base/names/names.h"
#include "base/tls/tls.h"
#include "base/x509/verify.h"

/* Deadlines, milliseconds (design section 13). */
#define PROXY_HANDSHAKE_MS 10000
#define PROXY_CONNECT_MS   5000
#define PROXY_DRAIN_MS     30000

/* Limits nobody set; where memory is scarce there are fewer (limits.h). */
#define PROXY_HANDSHAKES 1024
#define PROXY_MEMORY     (UINT64_C(64) << 20)
#define PROXY_SESSIONS   4096
/* Not chosen: derived from what the machine has (limits.h). */
#define PROXY_LIMIT_UNSET       UINT32_MAX
#define PROXY_LIMIT_UNSET_BYTES UINT64_MAX

#define PROXY_MAX_CONFIG       (64u * 1024) /* bytes of YAML */
#define PROXY_MAX_LISTENERS    256
#define PROXY_MAX_TARGETS      16
#define PROXY_MAX_PEERS        1024
#define PROXY_MAX_CERTIFICATES 64
#define PROXY_MAX_ALPN         16

enum proxy_direction { PROXY_INBOUND, PROXY_OUTBOUND, PROXY_PUBLIC, PROXY_N_DIRECTIONS };
/* "inbound", "outbound", "public". */
const char *proxy_direction_name(enum proxy_direction direction);

/* A certificate of a public listener and its key: paths of PEM files. */
struct proxy_certificate_files {
	char *certificate;
	char *key;
	char *secret; /* NULL, or: the files are values of this Secret, sealed */
};

struct proxy_opener; /* of sealed files: sealed.h */

/* One listener.  What a direction does not have is empty. */
struct proxy_listener_config {
	enum proxy_direction direction;
	struct seal_endpoint listen;
	bool captured; /* inbound, public: nothing is bound, connections that were going to listen come
			  by the capture */
	bool unsafe; /* said so: plaintext may leave this machine (forward; outbound: listen) */
	struct seal_endpoint
		*targets; /* forward (inbound, public) or connect (outbound), in order */
	size_t target_count;
	struct seal_strv
		peers;        /* inbound, outbound: narrows the RoT's policy; empty: no narrowing */
	char *server_name;    /* outbound: SNI; NULL: the host connected to */
	bool verify_hostname; /* outbound: the peer's certificate must carry the server name too */
	bool proxy_protocol;  /* inbound, public: PROXY protocol v2 towards the application */
	struct seal_strv
		alpn; /* offered (outbound) or accepted, in order of preference; empty: none */
	struct proxy_certificate_files
		*certificates; /* public: chosen by SNI, the first by default */
	size_t certificate_count;
	char *client_ca;                   /* public: PEM file; NULL: clients show no certificate */
	const struct proxy_opener *opener; /* for files with a secret; NULL: there are no keys */
	char *origin;                      /* where it was written: "proxy.yaml:3:5", or the flag */
};

/* 0: no limit. */
struct proxy_limits {
	uint32_t connections; /* in all, of one process; this and others: or PROXY_LIMIT_UNSET */
	uint32_t per_peer;    /* of one peer name, on one listener's side of the policy */
	uint32_t per_source;  /* of one address (IPv6: one /64) */
	uint32_t handshakes;  /* in flight; beyond it the one that waits longest gives way */
	uint32_t sessions;    /* kept for resumption, each side of each identity; 0: none */
	uint64_t memory;      /* bytes held for slow readers, in all; or PROXY_LIMIT_UNSET_BYTES */
};

/* Redirected connections (SO_ORIGINAL_DST): those to ports of captured listeners, no others. */
struct proxy_capture_config {
	bool enabled;
	struct seal_endpoint listen;  /* where the kernel redirects to */
	bool has_listen6;             /* only a port was given: listen is 0.0.0.0, and besides */
	struct seal_endpoint listen6; /* [::], which may fail where the machine has no IPv6 */
	uint16_t *allow;              /* ports left alone besides those of listeners and health */
	size_t allow_count;
	char *origin; /* of listen */
};

/*
 * Immutable once built, and reference counted (atomically): listeners keep the one they came from.
 * Each origin is where the address was written, for messages.
 */
struct proxy_config {
	atomic_uint refs;
	struct proxy_listener_config *listeners;
	size_t listener_count;
	struct proxy_capture_config capture;
	struct proxy_limits limits;
	bool has_health;
	struct seal_endpoint health; /* /healthz and /readyz */
	char *health_origin;
	bool has_metrics;
	bool unsafe_metrics;          /* need not be loopback */
	struct seal_endpoint metrics; /* /metrics */
	char *metrics_origin;
	bool has_control;
	bool control_explicit;        /* asked for, or turned off; otherwise the default */
	struct seal_endpoint control; /* unix: what seal-proxy status asks */
	char *control_origin;
	bool has_agent;
	bool agent_explicit;        /* likewise; there is one only with a sealed configuration */
	struct seal_endpoint agent; /* unix: what the containers of the pod ask */
	char *agent_origin;
	enum seal_level log_level;
	bool log_json;
	uint32_t handshake_ms;
	uint32_t connect_ms; /* in all: names, addresses, targets and trying again */
	uint32_t drain_ms;
	uint32_t idle_ms; /* 0: off */
};

struct proxy_config *proxy_config_ref(struct proxy_config *config);

/*
 * Built by parsing YAML text and adding the specs of flags, immutable from then on.  What cannot be
 * meant is SEAL_E_FORMAT, what is not allowed SEAL_E_REFUSED, what contradicts something else
 * SEAL_E_CONFLICT, all with the place it was written at; the configuration is unchanged after a
 * failure.
 */
SEAL_CHECKED int proxy_config_new(struct proxy_config **ret_config, struct seal_err *err);
/* Gives a reference back. */
void proxy_config_free(struct proxy_config *config);
void proxy_config_freep(struct proxy_config **config);
/* Listeners are added; all settings become those of the file, or their defaults: the file comes first. */
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
/* "443=8080": LISTEN=FORWARD[,FORWARD].  client_ca may be NULL. */
SEAL_CHECKED int proxy_config_add_public(struct proxy_config *config, const char *spec,
					 const char *certificate, const char *key,
					 const char *client_ca, struct seal_err *err);
/*
 * Rules over the whole: at least one listener, or an agent; with need_peers, every listener between peers names
 * them; nothing takes the address of something else, captured listeners have a capture.  (Each
 * listener alone, and that no two share an address, was checked when it was added.)
 */
SEAL_CHECKED int proxy_config_check(const struct proxy_config *config, bool need_peers,
				    struct seal_err *err);
/*
 * May next take the place of running without a restart?  SEAL_E_REFUSED naming the first setting that
 * differs and is read at start only.
 */
SEAL_CHECKED int proxy_config_check_reload(const struct proxy_config *running,
					   const struct proxy_config *next, struct seal_err *err);

/*
 * Who we are and whom we accept, as of one hatch, renewal, reload or word of the root of trust.  Immutable and reference
 * counted (atomically): connections keep the one that rules until they have been held against the next.
 */
struct proxy_identity_state {
	atomic_uint refs;
	uint64_t generation;
	struct seal_tls *as_client;
	struct seal_tls *as_server;
	struct seal_peer_cache *verified; /* chains verified under these anchors */
	struct seal_certs *anchors;
	struct seal_certs *
		former; /* CAs that were among them: new peers are not met by these, old ones stay */
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	struct seal_strv clients; /* may call me */
	struct seal_strv servers; /* I may call */
	struct seal_strv revoked; /* serial numbers, sorted */
	uint64_t epoch;           /* of that policy; 0: there are none */
	uint64_t severed; /* how often the root of trust has withdrawn our certificate so far */
	int64_t not_before;
	int64_t not_after; /* 0: it is withdrawn, and nothing is valid */
};

/* What a state is made of, borrowed for the call. */
struct proxy_state_parts {
	const struct seal_certs *chain;   /* our own, leaf first */
	const struct seal_certs *anchors; /* the workload's CA bundle */
	const struct seal_certs *former;  /* NULL: none */
	const struct seal_key *key;
	const struct seal_strv *clients;
	const struct seal_strv *servers;
	const struct seal_strv *revoked; /* sorted; NULL: none */
	/*
	 * NULL, or an earlier one of the same chain and key: its TLS sides, with the sessions they keep, are
	 * shared, and the chain, which was checked then, need not lead to the bundle of today.
	 */
	const struct proxy_identity_state *like;
	uint64_t generation;
	uint64_t epoch;
	uint64_t severed;
	uint32_t max_sessions; /* kept for resumption, on each side; 0: none */
	int64_t now;
};

/*
 * Check the parts against each other and the clock (the chain leads to the bundle, the key is the
 * leaf's, the leaf is a pod's) and make both TLS sides.  Who we are is read from the certificate.
 */
SEAL_CHECKED int proxy_state_new(struct proxy_identity_state **ret_state,
				 const struct proxy_state_parts *parts, struct seal_err *err);
/* One by which nobody is met: like an earlier one, whose certificate is withdrawn. */
SEAL_CHECKED int proxy_state_sever(struct proxy_identity_state **ret_state,
				   const struct proxy_identity_state *like, uint64_t generation,
				   struct seal_err *err);
struct proxy_identity_state *proxy_state_ref(struct proxy_identity_state *state);
void proxy_state_unref(struct proxy_identity_state *state);
void proxy_state_unrefp(struct proxy_identity_state **state);
/* False before the first state, outside the certificate's life, and without a readable clock. */
bool proxy_state_is_valid(const struct proxy_identity_state *state, int64_t now);

#endif
