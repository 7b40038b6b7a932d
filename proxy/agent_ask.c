/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask what.  The caller is authenticated: it is the container that its token names.  Sentences of
 * a refusal go to that caller and, as far as they quote nothing that was sealed, to the log.
 */
#include "proxy/agent_internal.h"

#include "base/json/json.h"

void
agent_reply_release(struct agent_reply *reply)
{
	seal_secret_free(reply->plain);
	seal_bytes_release(&reply->text);
	*reply = (struct agent_reply){ 0 };
}

/* ---- The container's spec ---- */

static const struct spec_key {
	const char *key;
	enum agent_role role;
} spec_keys[] = {
	{ VERIFY_SPEC_KEY, AGENT_MAIN },  { "livenessProbe", AGENT_EXEC },
	{ "readinessProbe", AGENT_EXEC }, { "startupProbe", AGENT_EXEC },
	{ "postStart", AGENT_EXEC },      { "preStop", AGENT_EXEC },
	{ "place", AGENT_PLACE },
};

static const struct spec_key *
find_spec_key(const char *key)
{
	for (size_t i = 0; i < SEAL_COUNT(spec_keys); i++)
		if (strcmp(spec_keys[i].key, key) == 0)
			return &spec_keys[i];
	return NULL;
}

/* May this caller take that part now? */
static int
check_role(const struct agent_conn *conn, enum agent_role role, struct seal_err *err)
{
	bool is_running = agent_count(conn->agent, conn->container, false) > 0;

	if (conn->role != AGENT_NO_ROLE)
		return seal_fail(err, SEAL_E_REFUSED, "this connection has its spec already");
	if (role == AGENT_MAIN && is_running)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the application of container %s runs already", conn->container);
	if (role == AGENT_EXEC && !is_running)
		return seal_fail(err, SEAL_E_TIMEOUT,
				 "the application of container %s does not run yet",
				 conn->container);
	return 0;
}

/* A spec does what its key says and nothing else. */
static int
check_spec(const struct agent_conn *conn, const struct verify_spec *spec, enum agent_role role,
	   struct seal_err *err)
{
	bool places = verify_spec_place(spec)->count > 0;

	/* Its binding has said so already; one of places says no more than that. */
	if (!places && strcmp(verify_spec_container(spec), conn->container) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "a spec of another container");
	if (verify_spec_is_exec(spec) != (role == AGENT_EXEC) || places != (role == AGENT_PLACE))
		return seal_fail(err, SEAL_E_REFUSED, "a spec of another kind than its key says");
	return 0;
}

static void
format_object(char out[static VERIFY_OBJECT_MAX], const char *kind, const char *name)
{
	(void)snprintf(out, VERIFY_OBJECT_MAX, "%s/%s", kind, name);
}

/* Nothing else of a spec is needed here, and much of it is secret. */
static int
list_objects(struct seal_strv *ret_objects, const struct verify_spec *spec, struct seal_err *err)
{
	char text[VERIFY_OBJECT_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < verify_spec_object_count(spec); i++) {
		const struct verify_object *object = verify_spec_object(spec, i);

		format_object(text, object->kind, object->name);
		r = seal_strv_add(ret_objects, text, err);
	}
	return r;
}

/* What the value says of itself tells which part is meant; that it is the truth shows when it opens. */
static int
find_part(const struct agent_conn *conn, const struct verify_request *request,
	  struct verify_binding *ret_expect, enum agent_role *ret_role, struct seal_err *err)
{
	struct verify_key_id id = { .generation = 0 };
	struct verify_binding claimed = { .gen = 0 };
	const struct spec_key *part;
	int r = verify_peek((const char *)request->data, request->data_len, &id, &claimed, err);

	if (r < 0)
		return r;
	part = find_spec_key(claimed.key);
	if (part == NULL)
		return seal_fail(err, SEAL_E_REFUSED, "sealed for '%.64s', which is no spec",
				 claimed.key);
	*ret_expect = conn->agent->own;
	(void)snprintf(ret_expect->key, sizeof(ret_expect->key), "%s", part->key);
	(void)snprintf(ret_expect->container, sizeof(ret_expect->container), "%s", conn->container);
	*ret_role = part->role;
	return 0;
}

static int
open_spec(struct agent_conn *conn, const struct verify_request *request, struct agent_reply *reply,
	  struct seal_err *err)
{
	SEAL_SCOPED(verify_spec_freep) struct verify_spec *spec = NULL;
	struct verify_binding expect = { .gen = 0 };
	enum agent_role role = AGENT_NO_ROLE;
	uint64_t missed;
	int r = find_part(conn, request, &expect, &role, err);

	if (r == 0)
		r = check_role(conn, role, err);
	if (r == 0)
		r = proxy_keys_open_own(conn->agent->keys, &reply->plain, &reply->answer.binding,
					&expect, (const char *)request->data, request->data_len,
					err);
	if (r < 0)
		return r;
	if (verify_spec_parse(&spec, seal_secret_peek(reply->plain), seal_secret_len(reply->plain),
			      NULL) < 0) /* whose sentence quotes it */
		r = seal_fail(err, SEAL_E_FORMAT, "the spec is malformed: seal it again");
	else
		r = check_spec(conn, spec, role, err);
	if (r == 0)
		r = list_objects(&conn->objects, spec, err);
	if (r == 0 && role == AGENT_MAIN && conn->objects.count > 0) {
		conn->given = calloc(conn->objects.count, sizeof(*conn->given));
		r = conn->given == NULL ? seal_fail_memory(err) : 0;
	}
	if (r < 0) {
		seal_strv_release(&conn->objects);
		return r;
	}
	conn->role = role;
	if (seal_log_may(&conn->agent->comings, 10, &missed))
		seal_log(role == AGENT_MAIN ? SEAL_LOG_INFO : SEAL_LOG_DEBUG, "spec_opened",
			 SEAL_STR("container", conn->container), SEAL_STR("key", expect.key),
			 SEAL_U64("missed", missed));
	return 0;
}

/* ---- Values ---- */

/* Where a main keeps what it was given of an object; NULL when its spec does not name it. */
static uint64_t *
given_of(const struct agent_conn *main, const char *object)
{
	for (size_t i = 0; i < main->objects.count; i++)
		if (strcmp(main->objects.items[i], object) == 0)
			return &main->given[i];
	return NULL;
}

/*
 * What the application that runs was given.  Its probes and hooks are given the same: the host goes on
 * handing in the variables it started with, also when files have been brought up to date since.
 */
static uint64_t
given_to_main(const struct agent_conn *conn, const char *object)
{
	for (const struct agent_conn *at = conn->agent->conns; at != NULL; at = at->next) {
		const uint64_t *given;

		if (at->role != AGENT_MAIN || strcmp(at->container, conn->container) != 0)
			continue;
		given = given_of(at, object);
		return given != NULL ? *given : 0;
	}
	return 0;
}

static int
open_expected(struct agent_conn *conn, const char *object, struct verify_binding *expect,
	      const struct verify_request *request, struct agent_reply *reply, struct seal_err *err)
{
	const uint64_t before = conn->role == AGENT_EXEC ? given_to_main(conn, object) : 0;
	uint64_t *given;
	int r;

	if (before > 0) {
		expect->gen = before;
		return proxy_keys_open_again(conn->agent->keys, &reply->plain,
					     &reply->answer.binding, expect,
					     (const char *)request->data, request->data_len, err);
	}
	r = proxy_keys_open(conn->agent->keys, &reply->plain, &reply->answer.binding, expect,
			    (const char *)request->data, request->data_len, err);
	given = r == 0 && conn->role == AGENT_MAIN ? given_of(conn, object) : NULL;
	if (given != NULL && *given == 0)
		*given = reply->answer.binding.gen;
	return r;
}

/* Of nothing but what holds values: a spec has a container, and these have none. */
static int
open_value(struct agent_conn *conn, const struct verify_request *request, struct agent_reply *reply,
	   struct seal_err *err)
{
	struct verify_binding expect = { .gen = 1 };
	char object[VERIFY_OBJECT_MAX];

	if (conn->role == AGENT_NO_ROLE)
		return seal_fail(err, SEAL_E_REFUSED, "open the container's spec first");
	format_object(object, request->object_kind, request->object_name);
	if (!seal_strv_contains(&conn->objects, object))
		return seal_fail(err, SEAL_E_REFUSED, "the spec names no %s %s",
				 request->object_kind, request->object_name);
	(void)snprintf(expect.ns, sizeof(expect.ns), "%s", conn->agent->own.ns);
	(void)snprintf(expect.kind, sizeof(expect.kind), "%s", request->object_kind);
	(void)snprintf(expect.name, sizeof(expect.name), "%s", request->object_name);
	(void)snprintf(expect.key, sizeof(expect.key), "%s", request->key);
	return open_expected(conn, object, &expect, request, reply, err);
}

/* ---- The rest ---- */

static int
wait_ready(struct agent_conn *conn, const struct verify_request *request, struct agent_reply *reply,
	   struct seal_err *err)
{
	agent_is_back(conn);
	if (conn->agent->is_ready(conn->agent->arg))
		return 0;
	reply->is_later = request->wait_ms > 0;
	return reply->is_later ? 0 : seal_fail(err, SEAL_E_TIMEOUT, "not ready yet");
}

static int
tell_status(struct agent_conn *conn, const struct verify_request *request,
	    struct agent_reply *reply, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];

	(void)request;
	proxy_keys_owner(conn->agent->keys, workload, peer);
	seal_json_set_bool(json, "ready", conn->agent->is_ready(conn->agent->arg));
	seal_json_set_str(json, "workload", workload);
	seal_json_set_str(json, "peer", peer);
	return seal_json_dump(json, false, &reply->text, err);
}

static int
encrypt(struct agent_conn *conn, const struct verify_request *request, struct agent_reply *reply,
	struct seal_err *err)
{
	return proxy_keys_encrypt(conn->agent->keys, &reply->text, request->data, request->data_len,
				  err);
}

static int
decrypt(struct agent_conn *conn, const struct verify_request *request, struct agent_reply *reply,
	struct seal_err *err)
{
	return proxy_keys_decrypt(conn->agent->keys, &reply->plain, (const char *)request->data,
				  request->data_len, err);
}

static int
suspect(struct agent_conn *conn, const struct verify_request *request, struct agent_reply *reply,
	struct seal_err *err)
{
	(void)reply; /* that it is done is all there is to say */
	return agent_suspect(conn, (const char *)request->data, request->data_len,
			     request->wait_ms == VERIFY_SUSPECT_SUSPEND, err);
}

static const struct question {
	int (*answer)(struct agent_conn *conn, const struct verify_request *request,
		      struct agent_reply *reply, struct seal_err *err);
	bool opens; /* something that was sealed */
} questions[] = {
	[VERIFY_ASK_SPEC] = { open_spec, true },    [VERIFY_ASK_OPEN] = { open_value, true },
	[VERIFY_ASK_READY] = { wait_ready, false }, [VERIFY_ASK_STATUS] = { tell_status, false },
	[VERIFY_ASK_ENCRYPT] = { encrypt, false },  [VERIFY_ASK_DECRYPT] = { decrypt, true },
	[VERIFY_ASK_SUSPECT] = { suspect, false },
};

/* "Not yet" is no failure: who asks too early asks again. */
static void
count(struct agent_conn *conn, const struct verify_request *request, int r,
      const struct seal_err *err)
{
	struct proxy_agent *agent = conn->agent;
	uint64_t missed;

	if (!questions[request->kind].opens || r == SEAL_E_TIMEOUT)
		return;
	if (r == 0) {
		agent->counters.opened++;
		return;
	}
	agent->counters.unopened++;
	if (seal_log_may(&agent->failures, 5, &missed))
		seal_log(SEAL_LOG_WARN, "unseal_refused", SEAL_STR("container", conn->container),
			 SEAL_STR("kind", request->object_kind),
			 SEAL_STR("name", request->object_name), SEAL_STR("key", request->key),
			 SEAL_STR("reason", err->text), SEAL_U64("missed", missed));
}

static void
fail(struct agent_reply *reply, int r, const struct seal_err *err)
{
	agent_reply_release(reply);
	reply->answer.code = r;
	(void)snprintf(reply->answer.message, sizeof(reply->answer.message), "%s",
		       err->text[0] != '\0' ? err->text : seal_code_name(r));
}

void
agent_ask(struct agent_conn *conn, const struct verify_request *request, struct agent_reply *reply)
{
	struct seal_err err = { 0 };
	int r = questions[request->kind].answer(conn, request, reply, &err);

	count(conn, request, r, &err);
	if (r < 0) {
		fail(reply, r, &err);
	} else if (reply->plain != NULL) {
		reply->answer.data = seal_secret_peek(reply->plain);
		reply->answer.data_len = seal_secret_len(reply->plain);
	} else {
		reply->answer.data = reply->text.data;
		reply->answer.data_len = reply->text.len;
	}
}
