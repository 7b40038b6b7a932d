/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_TLS_RIG_H
#define SEAL_TESTS_TLS_RIG_H

/*
 * Two ends of TLS in this process, connected again and again; and a client of the library's own, for
 * what ours would never do.
 */

#include "base/stream/stream.h"
#include "base/tls/room.h"
#include "tests/support/pki.h"

enum tls_rig_side { SERVER, CLIENT };

/* What one side brings to the next connection, and what came of the last one. */
struct tls_rig_end {
	struct seal_tls *tls;
	struct pki_id id;
	const char *scope;
	const char *server_name;
	struct seal_strv alpn;
	bool has_no_verifier;
	bool anonymous;     /* serves who shows nothing */
	bool gives_no_name; /* the verifier admits without saying whom */
	int verdict;        /* what the verifier answers */
	bool admits;        /* what the resume function answers */
	struct seal_stream *stream;
	unsigned verified; /* calls, in the last connection */
	unsigned recalled;
	struct seal_peer offered; /* whom the resume function was asked about */
	enum seal_io io;
	struct seal_err err;
	struct seal_tls_facts facts;
	char alpn_text[SEAL_ALPN_MAX + 1];
	char server_name_text[256];
	struct seal_peer peer;
};

struct tls_rig {
	struct pki_id ca;
	struct seal_staging *staging;
	struct tls_rig_end ends[2];
};

/* Peers db (server) and web (client) of one workload that remember sessions. */
void tls_rig_start(struct tls_rig *rig);
void tls_rig_stop(struct tls_rig *rig);
#define TLS_RIG(name)                                                                              \
	SEAL_SCOPED(tls_rig_stop) struct tls_rig name;                                             \
	tls_rig_start(&(name))

/* A new generation of a side's credential: the same one, or that of id, which is taken over. */
void tls_rig_renew(struct tls_rig *rig, enum tls_rig_side side, size_t max_sessions);
void tls_rig_become(struct tls_rig *rig, enum tls_rig_side side, struct pki_id id);

/* Handshake, settle, and a byte each way; then close.  False: one side failed. */
bool tls_rig_connect(struct tls_rig *rig);
/* The same must work, and both sides agree on whether it was resumed. */
bool tls_rig_resumes(struct tls_rig *rig);

/* A side's end of a connection, before its handshake; takes over fd. */
void tls_rig_open(struct tls_rig *rig, enum tls_rig_side side, int fd);
/* A socket whose other end is the server's, before its handshake. */
int tls_rig_serve(struct tls_rig *rig);
/* Drive the server alone, and note what came of it. */
void tls_rig_step(struct tls_rig *rig, enum tls_rig_side side);
void tls_rig_hang_up(struct tls_rig *rig);

/* The library's client, with our client's certificate, on a socket of tls_rig_serve. */
SSL_CTX *tls_rig_native(struct tls_rig *rig);
/* Handshake of a native client with our server; takes over fd.  What SSL_connect came to. */
SSL *tls_rig_join(struct tls_rig *rig, SSL_CTX *ctx, SSL_SESSION *session, const char *name,
		  bool *ret_ok);
/* A byte from our server to it, and with that the tickets; then both hang up. */
SSL_SESSION *tls_rig_leave(struct tls_rig *rig, SSL *ssl);

/* A server's certificate as others issue them, of a kind of key that we never make,
 * ending in so many seconds; takes over key. */
struct pki_id tls_rig_foreign(EVP_PKEY *key, const char *name, long ends);

#endif
