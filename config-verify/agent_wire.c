/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How frames, hellos, requests and answers are written and read.  Hellos come from anybody, the rest from
 * who knows the token: all are read with the same suspicion.  What a name means is not known here.
 */

#include <string.h>

#include "config-verify/agent.h"

int
verify_frame_append(struct seal_bytes *out, const void *data, size_t len, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes frame = SEAL_BYTES(VERIFY_FRAME_HEAD + VERIFY_HELLO_MAX);
	struct seal_writer w = { .out = &frame };
	int r;

	if (len == 0 || len > VERIFY_HELLO_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a frame of %zu bytes", len);
	seal_put_block(&w, data, len);
	r = seal_put_done(&w, err);
	return r < 0 ? r : seal_bytes_append(out, frame.data, frame.len, err);
}

int
verify_frame_next(const uint8_t *data, size_t len, size_t max, const uint8_t **ret_data,
		  size_t *ret_len, struct seal_err *err)
{
	struct seal_reader r;
	size_t wanted;

	if (len < VERIFY_FRAME_HEAD) { /* data may be NULL */
		*ret_data = NULL;
		*ret_len = 0;
		return 0;
	}
	r = (struct seal_reader){ .at = data, .end = data + len };
	wanted = seal_get_u32(&r);
	if (wanted == 0)
		return seal_fail(err, SEAL_E_FORMAT, "an empty frame");
	if (wanted > max)
		return seal_fail(err, SEAL_E_LIMIT, "a frame of %zu bytes, more than %zu", wanted,
				 max);
	if (wanted > len - VERIFY_FRAME_HEAD) {
		*ret_data = NULL;
		*ret_len = 0;
		return 0;
	}
	*ret_data = data + VERIFY_FRAME_HEAD;
	*ret_len = wanted;
	return 0;
}

/* Nothing is left of a message that did not fit. */
static int
finish(const struct seal_writer *w, size_t before, struct seal_err *err)
{
	int r = seal_put_done(w, err);

	if (r < 0 && w->out->len > before) {
		w->out->len = before;
		w->out->data[before] = '\0';
	}
	return r;
}

/* ---- Hellos ---- */

/* An RFC 1123 label, as Kubernetes names containers. */
static bool
is_container(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strlen(name);

	return len > 0 && strspn(name, letters) == len && name[0] != '-' && name[len - 1] != '-';
}

static int
check_hello(const struct verify_hello *hello, struct seal_err *err)
{
	if (!is_container(hello->container))
		return seal_fail(err, SEAL_E_FORMAT, "a hello without a container's name");
	if (hello->generation == 0 || hello->generation > VERIFY_MAX_KEY_GENERATION)
		return seal_fail(err, SEAL_E_FORMAT, "a hello of no key generation");
	return 0;
}

int
verify_hello_encode(const struct verify_hello *hello, struct seal_bytes *out, struct seal_err *err)
{
	struct seal_writer w = { .out = out };
	const size_t before = out->len;
	int r = check_hello(hello, err);

	if (r < 0)
		return r;
	seal_put_u8(&w, VERIFY_AGENT_VERSION);
	seal_put_str(&w, hello->container);
	seal_put_u64(&w, hello->generation);
	seal_put_block(&w, hello->nonce, sizeof(hello->nonce));
	return finish(&w, before, err);
}

int
verify_hello_parse(struct verify_hello *ret_hello, const void *data, size_t len,
		   struct seal_err *err)
{
	struct seal_reader r = { .at = data, .end = (const uint8_t *)data + len };
	struct verify_hello hello = { .generation = 0 };
	uint8_t version = seal_get_u8(&r);
	const uint8_t *nonce;
	size_t nonce_len = 0;
	int rc;

	/* What follows belongs to a version. */
	if (!r.failed && version != VERIFY_AGENT_VERSION)
		return seal_fail(err, SEAL_E_REFUSED, "a hello of version %u, not %d", version,
				 VERIFY_AGENT_VERSION);
	seal_get_str(&r, hello.container, sizeof(hello.container));
	hello.generation = seal_get_u64(&r);
	nonce = seal_get_block(&r, &nonce_len);
	rc = seal_get_done(&r, err);
	if (rc < 0)
		return seal_note(err, rc, "hello");
	if (nonce == NULL || nonce_len != sizeof(hello.nonce))
		return seal_fail(err, SEAL_E_FORMAT, "hello: a nonce of %zu bytes", nonce_len);
	memcpy(hello.nonce, nonce, sizeof(hello.nonce));
	rc = check_hello(&hello, err);
	if (rc < 0)
		return rc;
	*ret_hello = hello;
	return 0;
}

/* ---- Requests ---- */

/* What each kind of request carries: everything else in it is empty. */
static const struct request_rule {
	size_t data_max;
	uint32_t wait_max;
	bool has_object;   /* kind and name, and maybe a key */
	bool may_be_empty; /* the data */
	bool is_sentence;  /* likewise: printable */
} request_rules[] = {
	[VERIFY_ASK_SPEC] = { .data_max = VERIFY_SEALED_MAX },
	[VERIFY_ASK_OPEN] = { .has_object = true, .data_max = VERIFY_SEALED_MAX },
	[VERIFY_ASK_READY] = { .wait_max = VERIFY_WAIT_MAX_MS, .may_be_empty = true },
	[VERIFY_ASK_STATUS] = { .may_be_empty = true },
	[VERIFY_ASK_ENCRYPT] = { .may_be_empty = true, .data_max = VERIFY_PLAIN_MAX },
	[VERIFY_ASK_DECRYPT] = { .data_max = VERIFY_SEALED_MAX },
	[VERIFY_ASK_SUSPECT] = { .wait_max = VERIFY_SUSPECT_SUSPEND,
				 .is_sentence = true,
				 .data_max = VERIFY_SUSPECT_MAX },
};

static bool
is_printable_bytes(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] < ' ' || data[i] > '~')
			return false;
	return true;
}

static bool
is_printable(const char *text)
{
	return is_printable_bytes((const uint8_t *)text, strlen(text));
}

static int
check_request(const struct verify_request *request, struct seal_err *err)
{
	const struct request_rule *rule;

	if ((size_t)request->kind >= SEAL_COUNT(request_rules) || request->kind < VERIFY_ASK_SPEC)
		return seal_fail(err, SEAL_E_FORMAT, "a request of no known kind");
	rule = &request_rules[request->kind];
	if (rule->has_object != (request->object_kind[0] != '\0') ||
	    rule->has_object != (request->object_name[0] != '\0') ||
	    (!rule->has_object && request->key[0] != '\0'))
		return seal_fail(err, SEAL_E_FORMAT,
				 "a request with another object than its kind has");
	if (!is_printable(request->object_kind) || !is_printable(request->object_name) ||
	    !is_printable(request->key))
		return seal_fail(err, SEAL_E_FORMAT, "a request with unprintable names");
	if (request->wait_ms > rule->wait_max)
		return seal_fail(err, SEAL_E_LIMIT, "a request that waits too long");
	if (request->data_len > rule->data_max)
		return seal_fail(err, SEAL_E_LIMIT, "a request with more than %zu bytes",
				 rule->data_max);
	if (request->data_len == 0 && !rule->may_be_empty)
		return seal_fail(err, SEAL_E_FORMAT, "a request without its value");
	if (rule->is_sentence && !is_printable_bytes(request->data, request->data_len))
		return seal_fail(err, SEAL_E_FORMAT, "a request with an unprintable sentence");
	return 0;
}

int
verify_request_encode(const struct verify_request *request, struct seal_bytes *out,
		      struct seal_err *err)
{
	struct seal_writer w = { .out = out };
	const size_t before = out->len;
	int r = check_request(request, err);

	if (r < 0)
		return r;
	seal_put_u8(&w, (uint8_t)request->kind);
	seal_put_str(&w, request->object_kind);
	seal_put_str(&w, request->object_name);
	seal_put_str(&w, request->key);
	seal_put_u32(&w, request->wait_ms);
	seal_put_block(&w, request->data, request->data_len);
	return finish(&w, before, err);
}

int
verify_request_parse(struct verify_request *ret_request, const void *data, size_t len,
		     struct seal_err *err)
{
	struct seal_reader r = { .at = data, .end = (const uint8_t *)data + len };
	struct verify_request request = { .kind = 0 };
	int rc;

	request.kind = (enum verify_request_kind)seal_get_u8(&r);
	seal_get_str(&r, request.object_kind, sizeof(request.object_kind));
	seal_get_str(&r, request.object_name, sizeof(request.object_name));
	seal_get_str(&r, request.key, sizeof(request.key));
	request.wait_ms = seal_get_u32(&r);
	request.data = seal_get_block(&r, &request.data_len);
	rc = seal_get_done(&r, err);
	if (rc == 0)
		rc = check_request(&request, err);
	if (rc < 0)
		return seal_note(err, rc, "request");
	*ret_request = request;
	return 0;
}

/* ---- Answers ---- */

static bool
is_zero(const struct verify_binding *binding)
{
	return binding->ns[0] == '\0' && binding->kind[0] == '\0' && binding->name[0] == '\0' &&
	       binding->key[0] == '\0' && binding->container[0] == '\0' && binding->gen == 0 &&
	       binding->of == 0;
}

static bool
is_printable_binding(const struct verify_binding *binding)
{
	return is_printable(binding->ns) && is_printable(binding->kind) &&
	       is_printable(binding->name) && is_printable(binding->key) &&
	       is_printable(binding->container);
}

static int
check_answer(const struct verify_answer *answer, struct seal_err *err)
{
	if (answer->code > 0 || answer->code < SEAL_E_BUG)
		return seal_fail(err, SEAL_E_FORMAT, "an answer with no known code");
	if (!is_printable(answer->message) || !is_printable_binding(&answer->binding))
		return seal_fail(err, SEAL_E_FORMAT, "an answer with unprintable text");
	if (answer->code == 0 && answer->message[0] != '\0')
		return seal_fail(err, SEAL_E_FORMAT, "an answer that is a failure and is none");
	if (answer->code != 0 &&
	    (answer->message[0] == '\0' || !is_zero(&answer->binding) || answer->data_len > 0))
		return seal_fail(err, SEAL_E_FORMAT, "a failure that is more than a message");
	if (answer->data_len > VERIFY_SEALED_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "an answer of more than %u bytes",
				 VERIFY_SEALED_MAX);
	return 0;
}

int
verify_answer_encode(const struct verify_answer *answer, struct seal_bytes *out,
		     struct seal_err *err)
{
	const struct verify_binding *binding = &answer->binding;
	struct seal_writer w = { .out = out };
	const size_t before = out->len;
	int r = check_answer(answer, err);

	if (r < 0)
		return r;
	seal_put_u8(&w, (uint8_t)-answer->code);
	seal_put_str(&w, answer->message);
	seal_put_str(&w, binding->ns);
	seal_put_str(&w, binding->kind);
	seal_put_str(&w, binding->name);
	seal_put_str(&w, binding->key);
	seal_put_str(&w, binding->container);
	seal_put_u64(&w, binding->gen);
	seal_put_u64(&w, binding->of);
	seal_put_block(&w, answer->data, answer->data_len);
	return finish(&w, before, err);
}

static void
get_binding(struct seal_reader *r, struct verify_binding *binding)
{
	seal_get_str(r, binding->ns, sizeof(binding->ns));
	seal_get_str(r, binding->kind, sizeof(binding->kind));
	seal_get_str(r, binding->name, sizeof(binding->name));
	seal_get_str(r, binding->key, sizeof(binding->key));
	seal_get_str(r, binding->container, sizeof(binding->container));
	binding->gen = seal_get_u64(r);
	binding->of = seal_get_u64(r);
}

int
verify_answer_parse(struct verify_answer *ret_answer, const void *data, size_t len,
		    struct seal_err *err)
{
	struct seal_reader r = { .at = data, .end = (const uint8_t *)data + len };
	struct verify_answer answer = { .code = 0 };
	int rc;

	answer.code = -(int)seal_get_u8(&r);
	seal_get_str(&r, answer.message, sizeof(answer.message));
	get_binding(&r, &answer.binding);
	answer.data = seal_get_block(&r, &answer.data_len);
	rc = seal_get_done(&r, err);
	if (rc == 0)
		rc = check_answer(&answer, err);
	if (rc < 0)
		return seal_note(err, rc, "answer");
	*ret_answer = answer;
	return 0;
}
