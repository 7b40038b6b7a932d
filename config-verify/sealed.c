/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing and opening one value, and comparing what it says of itself with where it was found.
 */
#include "config-verify/sealed.h"

#include <inttypes.h>

#include "base/json/json.h"
#include "base/jwe/jwe.h"

/* ---- The grammar of bindings: Kubernetes' own, a little tighter ---- */

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Lower-case letters, digits and, inside, what else is listed. */
static bool
is_dns_like(const char *text, const char *inside)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		bool edge = i == 0 || i == len - 1;

		if (!is_lower(text[i]) && !is_digit(text[i]) &&
		    (edge || strchr(inside, text[i]) == NULL))
			return false;
	}
	return len > 0;
}

static bool
is_kind(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if (!is_lower(*at) && !is_upper(*at) && !is_digit(*at))
			return false;
	return is_upper(text[0]);
}

static bool
is_key(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if (!is_lower(*at) && !is_upper(*at) && !is_digit(*at) &&
		    strchr("-._", *at) == NULL)
			return false;
	return text[0] != '\0' && strcmp(text, ".") != 0 && strncmp(text, "..", 2) != 0;
}

int
verify_binding_check(const struct verify_binding *binding, struct seal_err *err)
{
	if (!is_dns_like(binding->ns, "-"))
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no name of a namespace",
				 binding->ns);
	if (!is_kind(binding->kind))
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no kind of object", binding->kind);
	/* RBAC objects may have colons; nothing that is sealed does. */
	if (!is_dns_like(binding->name, "-."))
		return seal_fail(err, SEAL_E_FORMAT, "'%.253s' is no name of an object",
				 binding->name);
	if (!is_key(binding->key))
		return seal_fail(err, SEAL_E_FORMAT, "'%.253s' is no key of a sealed object",
				 binding->key);
	if (binding->container[0] != '\0' && !is_dns_like(binding->container, "-"))
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no name of a container",
				 binding->container);
	if (binding->gen < 1 || binding->gen > VERIFY_MAX_GEN)
		return seal_fail(err, SEAL_E_LIMIT, "a generation is 1 to %" PRIu64,
				 VERIFY_MAX_GEN);
	if (binding->of < 1 || binding->of > VERIFY_MAX_VALUES)
		return seal_fail(err, SEAL_E_LIMIT, "an object has 1 to %u values",
				 VERIFY_MAX_VALUES);
	return 0;
}

void
verify_object_format(const struct verify_binding *binding, char out[static VERIFY_OBJECT_MAX])
{
	(void)snprintf(out, VERIFY_OBJECT_MAX, "%s/%s/%s", binding->ns, binding->kind,
		       binding->name);
}

/* ---- The header ---- */

static int
copy_member(char *out, size_t size, const struct seal_json *object, const char *name,
	    struct seal_err *err)
{
	const char *text = NULL;
	int r = seal_json_get_str(object, name, &text, err);

	if (r < 0)
		return seal_negative(r);
	if (strlen(text) >= size)
		return seal_fail(err, SEAL_E_LIMIT, "'%s' is longer than %zu bytes", name,
				 size - 1);
	(void)snprintf(out, size, "%s", text);
	return 0;
}

static int
parse_binding(struct verify_binding *ret_binding, const struct seal_json *seal,
	      struct seal_err *err)
{
	static const char *const known[] = { "ns",        "kind", "name", "key",
					     "container", "gen",  "of",   NULL };
	struct verify_binding binding = { 0 };
	int r = seal_json_only(seal, known, err);

	if (r == 0)
		r = copy_member(binding.ns, sizeof(binding.ns), seal, "ns", err);
	if (r == 0)
		r = copy_member(binding.kind, sizeof(binding.kind), seal, "kind", err);
	if (r == 0)
		r = copy_member(binding.name, sizeof(binding.name), seal, "name", err);
	if (r == 0)
		r = copy_member(binding.key, sizeof(binding.key), seal, "key", err);
	if (r == 0 && seal_json_has(seal, "container"))
		r = copy_member(binding.container, sizeof(binding.container), seal, "container",
				err);
	if (r == 0)
		r = seal_json_get_u64(seal, "gen", VERIFY_MAX_GEN, &binding.gen, err);
	if (r == 0)
		r = seal_json_get_u64(seal, "of", VERIFY_MAX_VALUES, &binding.of, err);
	if (r == 0)
		r = verify_binding_check(&binding, err);
	if (r < 0)
		return r;
	*ret_binding = binding;
	return 0;
}

static int
parse_header(const struct seal_json *header, struct verify_key_id *ret_id,
	     struct verify_binding *ret_binding, struct seal_err *err)
{
	const struct seal_json *seal = NULL;
	const char *kid = NULL;
	int r = seal_json_get_str(header, "kid", &kid, err);

	if (r == 0)
		r = verify_key_id_parse(ret_id, kid, err);
	if (r == 0 && ret_id->purpose != VERIFY_CONFIG)
		r = seal_fail(err, SEAL_E_FORMAT, "sealed for another purpose than configuration");
	if (r == 0)
		r = seal_json_get_object(header, "seal", &seal, err);
	if (r == 0)
		r = parse_binding(ret_binding, seal, err);
	/* A member that is missing means that this is no sealed value. */
	return r == 0 ? 0 : seal_note(err, SEAL_E_FORMAT, "no sealed value");
}

int
verify_peek(const char *text, size_t text_len, struct verify_key_id *ret_id,
	    struct verify_binding *ret_binding, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	struct verify_binding binding = { 0 };
	struct verify_key_id id = { 0 };
	int r;

	if (text_len > VERIFY_SEALED_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a sealed value has at most %u characters",
				 VERIFY_SEALED_MAX);
	r = seal_jwe_header(&header, text, text_len, err);
	if (r < 0)
		return seal_note(err, r, "no sealed value");
	r = parse_header(header, &id, &binding, err);
	if (r < 0)
		return r;
	*ret_id = id;
	*ret_binding = binding;
	return 0;
}

bool
verify_is_sealed(const char *text, size_t text_len)
{
	struct verify_binding binding;
	struct verify_key_id id;

	return verify_peek(text, text_len, &id, &binding, NULL) == 0;
}

/* ---- Sealing ---- */

int
verify_seal(struct seal_bytes *out, const struct verify_ring *ring,
	    const struct verify_binding *binding, const void *plain, size_t plain_len,
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *seal = NULL;
	const uint64_t generation = verify_ring_newest(ring, VERIFY_CONFIG);
	struct verify_key_id id = { .purpose = VERIFY_CONFIG, .generation = generation };
	char kid[VERIFY_KEY_ID_MAX];
	int r = verify_binding_check(binding, err);

	if (r < 0)
		return r;
	if (plain_len > VERIFY_PLAIN_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a value of %zu bytes, more than %u", plain_len,
				 VERIFY_PLAIN_MAX);
	if (generation == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no key to seal with");
	(void)snprintf(id.workload, sizeof(id.workload), "%s", verify_ring_workload(ring));
	(void)snprintf(id.peer, sizeof(id.peer), "%s", verify_ring_peer(ring));
	verify_key_id_format(&id, kid);

	seal = seal_json_new();
	seal_json_set_str(seal, "ns", binding->ns);
	seal_json_set_str(seal, "kind", binding->kind);
	seal_json_set_str(seal, "name", binding->name);
	seal_json_set_str(seal, "key", binding->key);
	if (binding->container[0] != '\0')
		seal_json_set_str(seal, "container", binding->container);
	seal_json_set_u64(seal, "gen", binding->gen);
	seal_json_set_u64(seal, "of", binding->of);
	return seal_jwe_seal(out, verify_ring_find(ring, VERIFY_CONFIG, generation), kid, seal,
			     plain, plain_len, err);
}

/* ---- Opening ---- */

static int
differs(const char *what, const char *is, const char *expected, struct seal_err *err)
{
	if (strcmp(is, expected) == 0)
		return 0;
	return seal_fail(err, SEAL_E_REFUSED, "sealed for %s '%.128s', found at '%.128s'", what, is,
			 expected);
}

static int
compare(const struct verify_binding *is, const struct verify_binding *expect, struct seal_err *err)
{
	int r = differs("namespace", is->ns, expect->ns, err);

	if (r == 0)
		r = differs("kind", is->kind, expect->kind, err);
	if (r == 0)
		r = differs("object", is->name, expect->name, err);
	if (r == 0)
		r = differs("container", is->container, expect->container, err);
	if (r == 0 && expect->key[0] != '\0')
		r = differs("key", is->key, expect->key, err);
	if (r == 0 && is->gen < expect->gen)
		r = seal_fail(err, SEAL_E_CONFLICT,
			      "generation %" PRIu64 " of %s %s: older than %" PRIu64, is->gen,
			      is->kind, is->name, expect->gen);
	return r;
}

int
verify_open_any(struct seal_secret **ret_plain, struct verify_binding *ret_binding,
		const struct verify_ring *ring, const char *text, size_t text_len,
		struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	const struct seal_secret *key = NULL;
	struct verify_binding binding = { 0 };
	struct verify_key_id id = { 0 };
	int r = verify_peek(text, text_len, &id, &binding, err);

	if (r < 0)
		return r;
	if (strcmp(id.workload, verify_ring_workload(ring)) == 0 &&
	    strcmp(id.peer, verify_ring_peer(ring)) == 0)
		key = verify_ring_find(ring, VERIFY_CONFIG, id.generation);
	if (key == NULL) /* the same words as for a wrong one */
		return seal_fail(err, SEAL_E_UNAUTH, "the sealed value cannot be opened");
	r = seal_jwe_open(&plain, NULL, key, text, text_len, err);
	if (r < 0)
		return r;
	*ret_plain = SEAL_TAKE(plain);
	if (ret_binding != NULL) /* of the very text that was just authenticated */
		*ret_binding = binding;
	return 0;
}

int
verify_open(struct seal_secret **ret_plain, struct verify_binding *ret_binding,
	    const struct verify_ring *ring, const struct verify_binding *expect, const char *text,
	    size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding binding = { 0 };
	int r = verify_open_any(&plain, &binding, ring, text, text_len, err);

	if (r == 0)
		r = compare(&binding, expect, err);
	if (r < 0)
		return r;
	*ret_plain = SEAL_TAKE(plain);
	if (ret_binding != NULL)
		*ret_binding = binding;
	return 0;
}
