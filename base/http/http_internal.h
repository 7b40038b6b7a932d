/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_HTTP_INTERNAL_H
#define SEAL_BASE_HTTP_INTERNAL_H

/*
 * For this room and its tests only: the parser, the connection, and the server they share; the parts of
 * the asking side.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/http/http.h"

#define HTTP_METHOD_MAX  16
#define HTTP_HEADERS_MAX 64
#define HTTP_PARAMS_MAX  16
#define HTTP_HOST_MAX    (SEAL_HOSTNAME_MAX + 8) /* with brackets and a port */

/* ---- target.c ---- */

struct http_param {
	const char *name;
	const char *value;
};

/* A decoded request target.  The strings lie in text.  All zero is empty. */
struct http_target {
	char *text;
	const char *path;
	struct http_param params[HTTP_PARAMS_MAX];
	size_t param_count;
};

/*
 * Parse an origin-form target (RFC 9112 section 3.2.1).  Refused: other forms, bad escapes, anything
 * that decodes to other than printable ASCII, an escaped '/', empty and dot segments, a raw '+' or a
 * nameless, valueless or repeated parameter in the query.  What is left has one reading.
 */
SEAL_CHECKED int http_target_parse(struct http_target *ret_target, const char *text, size_t len,
				   struct seal_err *err);
void http_target_release(struct http_target *target);

/* ---- head.c ---- */

/* A head in the making.  line.max bounds the whole head. */
struct http_head {
	struct seal_bytes line; /* the line that is not yet complete */
	size_t len;             /* of all lines so far */
};

enum http_line {
	HTTP_LINE_MORE,     /* needs more bytes */
	HTTP_LINE_WHOLE,    /* head->line is a line, without its end; reset it before going on */
	HTTP_LINE_TOO_LONG, /* the head is full */
	HTTP_LINE_BAD,      /* a byte, or an end of line, that no head may hold */
	HTTP_LINE_NO_MEMORY,
};

bool http_is_tchar(char c);
/* Take bytes (at least one) up to the end of the line, of data, or of the room for a head. */
enum http_line http_head_feed(struct http_head *head, const uint8_t *data, size_t len,
			      size_t *ret_used);
/*
 * name ":" OWS value OWS, in place.  The name is a token right up to the colon, so folded lines and
 * blanks before the colon fall out here (RFC 9112 sections 5.1 and 5.2).
 */
bool http_header_split(char *line, const char **ret_name, const char **ret_value);
/* Digits only, no leading zero: one spelling per length (RFC 9112 section 6.3). */
bool http_length_parse(const char *value, uint64_t *ret_length);

/* ---- parse.c ---- */

enum http_stage {
	HTTP_STAGE_REQUEST, /* in the request line */
	HTTP_STAGE_HEADERS,
	HTTP_STAGE_BODY,
	HTTP_STAGE_DONE, /* a whole request */
	HTTP_STAGE_BAD,  /* status says why; nothing more is taken */
};

/* Header fields that are kept for the handler. */
enum http_kept { HTTP_KEPT_AUTHORIZATION, HTTP_KEPT_CONTENT_TYPE, HTTP_N_KEPT };

/* One request in the making. */
struct http_parse {
	enum http_stage stage;
	unsigned status; /* of the refusal, when stage is BAD */
	size_t max_body;
	size_t (*limit)(void *arg); /* NULL, or: asked for max_body when the head is there */
	void *limit_arg;
	struct http_head head;
	unsigned header_count;
	char method[HTTP_METHOD_MAX + 1];
	struct http_target target;
	char host[HTTP_HOST_MAX + 1];
	bool has_host;
	bool has_length;
	bool has_coding;
	bool has_expect;
	bool has_upgrade;
	bool wants_close;
	uint64_t length;
	struct seal_bytes kept[HTTP_N_KEPT]; /* data NULL: absent */
	struct seal_bytes body;
};

/* A field that is kept, by its name in lower case; NULL when it is absent, or not one of them. */
const char *http_parse_kept(const struct http_parse *parse, const char *name);
void http_parse_init(struct http_parse *parse, size_t max_body);
void http_parse_release(struct http_parse *parse);
/* Take bytes until the request is whole or refused; returns how many were taken. */
size_t http_parse_feed(struct http_parse *parse, const uint8_t *data, size_t len);

/* ---- answer.c ---- */

#define HTTP_ANSWER_HEAD_MAX (16u * 1024)

enum http_answer_stage {
	HTTP_ANSWER_STATUS, /* in the status line */
	HTTP_ANSWER_HEADERS,
	HTTP_ANSWER_BODY,   /* of a known length */
	HTTP_ANSWER_TO_END, /* a body that ends with the connection */
	HTTP_ANSWER_DONE,   /* a whole answer */
	HTTP_ANSWER_BAD,    /* refused; nothing more is taken */
};

/* One answer in the making. */
struct http_answer_parse {
	enum http_answer_stage stage;
	bool needs_length; /* an answer that ends with the connection is refused */
	struct http_head head;
	unsigned header_count;
	unsigned status;
	bool has_length;
	uint64_t length;
	struct seal_bytes body;
};

void http_answer_init(struct http_answer_parse *parse, size_t max_body, bool needs_length);
void http_answer_release(struct http_answer_parse *parse);
/*
 * Take bytes, all of them: what follows a whole answer is refused with it.  On failure the stage is BAD:
 * SEAL_E_FORMAT, SEAL_E_LIMIT for a head or a body too long, SEAL_E_MEMORY.
 */
SEAL_CHECKED int http_answer_feed(struct http_answer_parse *parse, const uint8_t *data, size_t len,
				  struct seal_err *err);
/* The connection ended properly.  SEAL_E_CLOSED unless that makes the answer whole. */
SEAL_CHECKED int http_answer_end(struct http_answer_parse *parse, struct seal_err *err);

/* ---- wait.c ---- */

/* Waiting within a call that blocks: until something happens, but not for ever. */
struct http_wait {
	struct seal_loop *loop;
	struct seal_timer *tick;
	uint64_t deadline_ms; /* of the whole call, by the loop's clock */
	uint64_t connect_ms;  /* until when the connection must be there; 0: it is */
	uint64_t progress_ms; /* when something last moved */
	uint32_t stall_ms;    /* how long nothing may move; 0: as long as the call lasts */
	const atomic_bool *abort;
};

SEAL_CHECKED int http_wait_init(struct http_wait *wait, struct seal_err *err);
void http_wait_release(struct http_wait *wait);
/*
 * Run the loop until http_wait_end is called in it, at most for most_ms.  SEAL_E_TIMEOUT when a deadline
 * has passed, SEAL_E_CLOSED when the call is given up.
 */
SEAL_CHECKED int http_wait_run(struct http_wait *wait, uint64_t most_ms, struct seal_err *err);
void http_wait_end(struct http_wait *wait);
void http_wait_progress(struct http_wait *wait);

/* ---- connect.c ---- */

/* Connect; returns the descriptor.  The failure of the last address tried, when all failed. */
SEAL_CHECKED int http_connect(struct http_wait *wait, const struct seal_endpoint *endpoint,
			      struct seal_err *err);

/* ---- conn.c ---- */

enum http_state {
	HTTP_NONE = 0,
	HTTP_HANDSHAKE,
	HTTP_IDLE,
	HTTP_HEAD,
	HTTP_BODY,
	HTTP_HANDLER,
	HTTP_REPLY,
	HTTP_LINGER,
	HTTP_CLOSED,
	HTTP_N_STATES,
};

enum http_event {
	HTTP_EV_UP,        /* the handshake is done */
	HTTP_EV_BYTES,     /* the first bytes of a request */
	HTTP_EV_HEAD,      /* the head is whole, a body follows */
	HTTP_EV_REQUEST,   /* the request is whole */
	HTTP_EV_BAD,       /* the request is refused */
	HTTP_EV_REPLY,     /* the handler has answered */
	HTTP_EV_SENT,      /* the reply is gone, another request may come */
	HTTP_EV_LAST_SENT, /* the reply is gone, and it was the last */
	HTTP_EV_EOF,
	HTTP_EV_FAIL,
	HTTP_EV_DEADLINE,
	HTTP_EV_DRAIN,
	HTTP_N_EVENTS,
};

/* Where the table leads; HTTP_NONE for what cannot happen. */
enum http_state http_next_state(enum http_state state, enum http_event event);

struct http_conn;

struct seal_http_request {
	struct http_conn *conn;
	struct http_parse parse;
	seal_http_gone_fn gone; /* NULL, or: the peer is watched while the handler takes its time */
	void *gone_arg;
};

/* One read: the least that stream.h asks for, and all that is ever read ahead. */
#define HTTP_READ_LEN (16u * 1024)
#define HTTP_PEER_MAX 64 /* "[v6]:port" is at most 48 letters */

struct http_conn {
	struct seal_http *http;
	struct http_conn *prev;
	struct http_conn *next;
	struct seal_stream *stream;
	struct seal_watch *watch;
	struct seal_timer *deadline;
	struct seal_http_request *request; /* NULL between requests */
	struct seal_bytes ahead;           /* what came behind the request being served */
	void *client;
	size_t lingered;
	enum http_state state;
	bool may_read; /* the socket may hold more than was read */
	bool wants_read;
	bool wants_write;
	bool in_turn;
	bool keep_alive;
	bool is_local;
	bool reset; /* close rudely */
	char peer[HTTP_PEER_MAX];
	char host[HTTP_PEER_MAX];
};

/*
 * Begin to serve the connected socket fd; tls NULL: plain.  On success the connection owns fd, belongs
 * to http's list, and may be gone already.  On failure fd is the caller's.
 */
SEAL_CHECKED int http_conn_start(struct seal_http *http, int fd,
				 const struct sockaddr_storage *addr, socklen_t len,
				 struct seal_tls *tls, struct seal_err *err);
void http_conn_free(struct http_conn *conn);
void http_conn_step(struct http_conn *conn, enum http_event event);
/* Close it if nothing is under way. */
void http_conn_drain(struct http_conn *conn);

/* ---- drive.c ---- */

/* Do what can be done now, then wait.  The connection may be gone afterwards. */
void http_conn_turn(struct http_conn *conn);

/* ---- reply.c ---- */

struct http_answer {
	unsigned status;
	const char *more;         /* header fields of its own, whole lines; NULL: none */
	const char *content_type; /* NULL: none */
	const char *headers;      /* lines, or NULL */
	const void *body;
	size_t body_len;
	unsigned retry_after;
	bool keep_alive;
	bool is_head; /* the answer to a HEAD request: its body stays here */
};

SEAL_CHECKED enum seal_io http_answer_write(struct seal_stream *stream,
					    struct seal_staging *staging,
					    const struct http_answer *answer);
/* The fixed answer to a request that was refused before any handler saw it. */
SEAL_CHECKED enum seal_io http_refusal_write(struct seal_stream *stream,
					     struct seal_staging *staging, unsigned status,
					     const char *headers);

/* ---- server.c ---- */

struct http_listener;

struct seal_http {
	struct seal_loop *loop;
	struct seal_http_config config;
	struct http_listener *listeners;
	struct http_conn *conns;
	uint32_t conn_count;
	bool draining;
	struct seal_timer *drained; /* calls drained_fn in a turn of its own */
	seal_timer_fn drained_fn;
	void *drained_arg;
};

void http_add_conn(struct seal_http *http, struct http_conn *conn);
void http_remove_conn(struct seal_http *http, struct http_conn *conn);

#endif
