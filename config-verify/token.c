/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container tokens: made from a peer's key, written as a line, read back.
 */
#include "config-verify/token.h"

#include "base/bytes/bytes.h"
#include "base/json/json.h"

void
verify_token_release(struct verify_token *token)
{
	seal_secret_free(token->key);
	*token = (struct verify_token){ 0 };
}

/* The grammar is that of a binding's container. */
static int
check_container(const char *name, struct seal_err *err)
{
	struct verify_binding binding = {
		.ns = "x", .kind = "X", .name = "x", .key = "x", .gen = 1, .of = 1
	};

	if (name[0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "a container without a name");
	if (strlen(name) > VERIFY_CONTAINER_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a container's name has at most %u characters",
				 VERIFY_CONTAINER_MAX);
	(void)snprintf(binding.container, sizeof(binding.container), "%s", name);
	return verify_binding_check(&binding, err);
}

int
verify_token_make(struct verify_token *ret_token, const struct verify_ring *ring,
		  const char *container, uint64_t generation, struct seal_err *err)
{
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	const struct seal_secret *key = verify_ring_find(ring, VERIFY_CONTAINER, generation);
	char info[sizeof("seal/1/token/") + VERIFY_CONTAINER_MAX];
	int r = check_container(container, err);

	if (r < 0)
		return r;
	if (key == NULL)
		return seal_fail(err, SEAL_E_MISSING, "there is no key for tokens of containers");
	(void)snprintf(token.workload, sizeof(token.workload), "%s", verify_ring_workload(ring));
	(void)snprintf(token.peer, sizeof(token.peer), "%s", verify_ring_peer(ring));
	(void)snprintf(token.container, sizeof(token.container), "%s", container);
	token.generation = generation > 0 ? generation : verify_ring_newest(ring, VERIFY_CONTAINER);
	(void)snprintf(info, sizeof(info), "seal/1/token/%s", container);
	r = seal_hkdf(&token.key, key, info, err);
	if (r < 0)
		return r;
	*ret_token = token;
	token = (struct verify_token){ 0 }; /* the caller owns it now */
	return 0;
}

/* The object inside, with the key as text that is wiped with it. */
static int
encode_object(const struct verify_token *token, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes key = SEAL_BYTES(2 * SEAL_KEY_LEN);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r = seal_base64url_encode(&key, seal_secret_peek(token->key),
				      seal_secret_len(token->key), err);

	if (r < 0)
		return r;
	json = seal_json_new();
	seal_json_set_str(json, "workload", token->workload);
	seal_json_set_str(json, "peer", token->peer);
	seal_json_set_str(json, "container", token->container);
	seal_json_set_u64(json, "generation", token->generation);
	seal_json_set_str(json, "key", seal_bytes_str(&key));
	return seal_json_dump(json, false, out, err);
}

int
verify_token_encode(const struct verify_token *token, struct seal_secret **ret_text,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes json = SEAL_BYTES(VERIFY_TOKEN_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes line = SEAL_BYTES(VERIFY_TOKEN_MAX_LEN);
	int r = encode_object(token, &json, err);

	if (r == 0)
		r = seal_bytes_append_str(&line, VERIFY_TOKEN_PREFIX, err);
	if (r == 0)
		r = seal_base64url_encode(&line, json.data, json.len, err);
	if (r == 0)
		r = seal_secret_from(ret_text, line.data, line.len, err);
	return r;
}

static int
parse_key(struct verify_token *token, const struct seal_json *json, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes key = SEAL_BYTES(SEAL_KEY_LEN);
	const char *text = NULL;
	int r = seal_json_get_str(json, "key", &text, err);

	if (r == 0)
		r = seal_base64url_decode(&key, text, strlen(text), err);
	if (r == 0 && key.len != SEAL_KEY_LEN)
		r = seal_fail(err, SEAL_E_FORMAT, "a key of %zu bytes", key.len);
	if (r == 0)
		r = seal_secret_from(&token->key, key.data, key.len, err);
	return r;
}

static int
parse_name(char *out, size_t size, const struct seal_json *json, const char *member,
	   int (*check)(const char *, struct seal_err *), struct seal_err *err)
{
	const char *text = NULL;
	int r = seal_json_get_str(json, member, &text, err);

	if (r == 0)
		r = check(text, err);
	if (r == 0)
		(void)snprintf(out, size, "%s", text);
	return r;
}

static int
parse_object(struct verify_token *token, const struct seal_json *json, struct seal_err *err)
{
	static const char *const known[] = { "workload",   "peer", "container",
					     "generation", "key",  NULL };
	int r = seal_json_only(json, known, err);

	if (r == 0)
		r = parse_name(token->workload, sizeof(token->workload), json, "workload",
			       seal_workload_check, err);
	if (r == 0)
		r = parse_name(token->peer, sizeof(token->peer), json, "peer", seal_peer_check,
			       err);
	if (r == 0)
		r = parse_name(token->container, sizeof(token->container), json, "container",
			       check_container, err);
	if (r == 0)
		r = seal_json_get_u64(json, "generation", VERIFY_MAX_KEY_GENERATION,
				      &token->generation, err);
	if (r == 0 && token->generation == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "generations count from 1");
	if (r == 0)
		r = parse_key(token, json, err);
	return r;
}

int
verify_token_parse(struct verify_token *ret_token, const char *text, size_t text_len,
		   struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes inside = SEAL_BYTES(VERIFY_TOKEN_MAX_LEN);
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	const size_t prefix = strlen(VERIFY_TOKEN_PREFIX);
	int r;

	if (text_len > VERIFY_TOKEN_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "a token has at most %u bytes",
				 VERIFY_TOKEN_MAX_LEN);
	if (text_len > 0 && text[text_len - 1] == '\n')
		text_len--;
	if (text_len < prefix || memcmp(text, VERIFY_TOKEN_PREFIX, prefix) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "no token: it does not begin with %s",
				 VERIFY_TOKEN_PREFIX);
	r = seal_base64url_decode(&inside, text + prefix, text_len - prefix, err);
	if (r == 0)
		r = seal_json_parse(&json, inside.data, inside.len, VERIFY_TOKEN_MAX_LEN, err);
	if (r == 0)
		r = parse_object(&token, json, err);
	if (r < 0)
		return seal_note(err, r, "token");
	*ret_token = token;
	token = (struct verify_token){ 0 }; /* the caller owns it now */
	return 0;
}
