/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/seal.  Everything is checked first; then one transaction gives each object its generation,
 * seals the values under it and writes the answer.  What fails leaves no generation spent: a pod would
 * otherwise wait for values that nobody got.
 *
 * Texts are borrowed from the body, whose memory is wiped with it.
 */

#include "config-verify/sealed.h"
#include "rot/server/api_internal.h"

struct value {
	const char *key;
	const char *container; /* "": none */
	const char *text;
	size_t text_len;
	bool is_data; /* text is base64url of what to seal */
};

struct object {
	struct verify_binding binding; /* ns, kind, name, of */
	char id[VERIFY_OBJECT_MAX];
	struct value *values;
	size_t count;
};

struct order {
	struct rot_call *call;
	const char *workload;
	const char *peer;
	struct object *objects;
	size_t count;
	size_t values; /* of all objects */
	struct verify_ring *ring;
};

static void
release_order(struct order *order)
{
	for (size_t i = 0; i < order->count; i++)
		free(order->objects[i].values);
	free(order->objects);
	verify_ring_free(order->ring);
}

/* ---- Reading ---- */

/* A member that is text; fallback when it is absent, NULL: required. */
static int
get_text(const struct seal_json *object, const char *name, const char *fallback,
	 const char **ret_text, struct seal_err *err)
{
	if (fallback != NULL && !seal_json_has(object, name)) {
		*ret_text = fallback;
		return 0;
	}
	if (!seal_json_has(object, name))
		return seal_fail(err, SEAL_E_FORMAT, "the member '%s' is missing", name);
	return seal_json_get_str(object, name, ret_text, err);
}

/* Into a member of a binding, which is judged as a whole afterwards. */
static int
copy_text(char *out, size_t size, const char *name, const char *text, struct seal_err *err)
{
	if (strlen(text) >= size)
		return seal_fail(err, SEAL_E_LIMIT, "the member '%s' has at most %zu letters", name,
				 size - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int
read_plain(struct value *value, const struct seal_json *from, struct seal_err *err)
{
	bool has_text = seal_json_has(from, "text");

	value->is_data = seal_json_has(from, "data");
	if (has_text == value->is_data)
		return seal_fail(err, SEAL_E_FORMAT, "exactly one of 'text' and 'data' is needed");
	return seal_json_get_str(from, has_text ? "text" : "data", &value->text, err);
}

/* The binding of an object's value; gen is known later. */
static int
bind_value(const struct object *object, const struct value *value, uint64_t gen,
	   struct verify_binding *binding, struct seal_err *err)
{
	int r;

	*binding = object->binding;
	binding->gen = gen;
	r = copy_text(binding->key, sizeof(binding->key), "key", value->key, err);
	if (r == 0)
		r = copy_text(binding->container, sizeof(binding->container), "container",
			      value->container, err);
	return r == 0 ? verify_binding_check(binding, err) : r;
}

static int
read_value(struct object *object, const struct seal_json *from, struct seal_err *err)
{
	static const char *const members[] = { "container", "data", "key", "text", NULL };
	struct value *value = &object->values[object->count];
	struct verify_binding binding;
	int r;

	if (seal_json_kind(from) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "a value is no JSON object");
	r = seal_json_only(from, members, err);
	if (r == 0)
		r = get_text(from, "key", NULL, &value->key, err);
	if (r == 0)
		r = get_text(from, "container", "", &value->container, err);
	if (r == 0)
		r = read_plain(value, from, err);
	if (r == 0)
		r = bind_value(object, value, 1, &binding, err);
	if (r < 0)
		return r;
	value->text_len = strlen(value->text);
	object->count++;
	return 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct value *const *left = a, *const *right = b;
	int order = strcmp((*left)->key, (*right)->key);

	return order != 0 ? order : strcmp((*left)->container, (*right)->container);
}

/* No place twice. */
static int
check_places(const struct object *object, struct seal_err *err)
{
	const struct value **sorted = calloc(object->count, sizeof(*sorted));
	int r = 0;

	if (sorted == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < object->count; i++)
		sorted[i] = &object->values[i];
	qsort(sorted, object->count, sizeof(const struct value *), by_place);
	for (size_t i = 1; r == 0 && i < object->count; i++) {
		if (by_place(&sorted[i - 1], &sorted[i]) == 0)
			r = seal_fail(err, SEAL_E_FORMAT, "the key '%.253s' is there twice",
				      sorted[i]->key);
	}
	free(sorted);
	return r;
}

static int
check_size(const struct object *object, struct seal_err *err)
{
	size_t sum = 0;

	for (size_t i = 0; i < object->count; i++) {
		const struct value *value = &object->values[i];

		sum += value->is_data ? value->text_len / 4 * 3 + value->text_len % 4 * 3 / 4
				      : value->text_len;
	}
	if (sum > VERIFY_PLAIN_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%zu bytes are more than the %u an object has",
				 sum, VERIFY_PLAIN_MAX);
	return 0;
}

static int
read_values(struct order *order, struct object *object, const struct seal_json *from,
	    struct seal_err *err)
{
	const struct seal_json *values = NULL;
	size_t count;
	int r;

	if (!seal_json_has(from, "values"))
		return seal_fail(err, SEAL_E_FORMAT, "the member 'values' is missing");
	r = seal_json_get_array(from, "values", &values, err);
	if (r < 0)
		return r;
	count = seal_json_count(values);
	order->values += count;
	if (count == 0)
		return seal_fail(err, SEAL_E_FORMAT, "it has no values");
	if (order->values > VERIFY_MAX_VALUES)
		return seal_fail(err, SEAL_E_LIMIT, "a request has at most %u values",
				 VERIFY_MAX_VALUES);
	object->binding.of = count;
	object->values = calloc(count, sizeof(*object->values));
	if (object->values == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = read_value(object, seal_json_at(values, i), err);
		if (r < 0)
			return seal_note(err, r, "value %zu", i + 1);
	}
	r = check_places(object, err);
	return r == 0 ? check_size(object, err) : r;
}

static int
read_name(char *out, size_t size, const struct seal_json *from, const char *name,
	  struct seal_err *err)
{
	const char *text = "";
	int r = get_text(from, name, NULL, &text, err);

	return r == 0 ? copy_text(out, size, name, text, err) : r;
}

static int
read_object(struct order *order, const struct seal_json *from, struct seal_err *err)
{
	static const char *const members[] = { "kind", "name", "ns", "values", NULL };
	struct object *object = &order->objects[order->count++];
	struct verify_binding *binding = &object->binding;
	int r;

	if (seal_json_kind(from) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "it is no JSON object");
	r = seal_json_only(from, members, err);
	if (r == 0)
		r = read_name(binding->ns, sizeof(binding->ns), from, "ns", err);
	if (r == 0)
		r = read_name(binding->kind, sizeof(binding->kind), from, "kind", err);
	if (r == 0)
		r = read_name(binding->name, sizeof(binding->name), from, "name", err);
	if (r == 0)
		r = read_values(order, object, from, err);
	if (r == 0)
		verify_object_format(binding, object->id);
	return r;
}

static int
by_id(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

/* The ids of all objects, in their order; owned by the caller (free).  None may be there twice. */
static int
list_ids(const struct order *order, const char ***ret_ids, struct seal_err *err)
{
	const char **ids = calloc(2 * order->count, sizeof(*ids));
	const char **sorted;
	int r = 0;

	if (ids == NULL)
		return seal_fail_memory(err);
	sorted = ids + order->count;
	for (size_t i = 0; i < order->count; i++)
		ids[i] = sorted[i] = order->objects[i].id;
	qsort(sorted, order->count, sizeof(const char *), by_id);
	for (size_t i = 1; r == 0 && i < order->count; i++) {
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			r = seal_fail(err, SEAL_E_FORMAT, "the object %.450s is there twice",
				      sorted[i]);
	}
	if (r == 0)
		*ret_ids = ids;
	else
		free(ids);
	return r;
}

static int
read_order(struct order *order, struct seal_err *err)
{
	struct rot_call *call = order->call;
	const struct seal_json *objects = NULL;
	size_t count;
	int r;

	r = rot_body_name(call, "workload", NULL, seal_workload_check, &order->workload, err);
	if (r == 0)
		rot_call_about(call, order->workload);
	if (r == 0)
		r = rot_body_name(call, "peer", SEAL_PEER_ANY, seal_peer_check, &order->peer, err);
	if (r < 0)
		return r;
	if (!seal_json_has(call->body, "objects"))
		return seal_fail(err, SEAL_E_FORMAT, "the member 'objects' is missing");
	r = seal_json_get_array(call->body, "objects", &objects, err);
	if (r < 0)
		return r;
	count = seal_json_count(objects);
	if (count < 1 || count > ROT_MAX_SEAL_OBJECTS)
		return seal_fail(err, SEAL_E_LIMIT, "a request has 1 to %d objects",
				 ROT_MAX_SEAL_OBJECTS);
	order->objects = calloc(count, sizeof(*order->objects));
	if (order->objects == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		r = read_object(order, seal_json_at(objects, i), err);
		if (r < 0)
			return seal_note(err, r, "object %zu", i + 1);
	}
	return 0;
}

/* ---- Sealing ---- */

static int
seal_plain(struct seal_bytes *out, const struct order *order, const struct verify_binding *binding,
	   const struct value *value, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes raw = SEAL_BYTES(VERIFY_PLAIN_MAX);
	int r;

	if (!value->is_data)
		return verify_seal(out, order->ring, binding, value->text, value->text_len, err);
	r = seal_base64url_decode(&raw, value->text, value->text_len, err);
	if (r < 0)
		return seal_note(err, r, "data");
	return verify_seal(out, order->ring, binding, raw.data, raw.len, err);
}

static int
seal_value(const struct order *order, const struct object *object, const struct value *value,
	   uint64_t gen, struct seal_json *entry, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(VERIFY_SEALED_MAX);
	struct verify_binding binding;
	int r;

	r = bind_value(object, value, gen, &binding, err);
	if (r == 0)
		r = seal_plain(&sealed, order, &binding, value, err);
	if (r < 0)
		return seal_note(err, r, "%.253s", value->key);
	seal_json_set_str(entry, "key", value->key);
	if (value->container[0] != '\0')
		seal_json_set_str(entry, "container", value->container);
	seal_json_set_str(entry, "sealed", seal_bytes_str(&sealed));
	return 0;
}

static int
seal_object(const struct order *order, const struct object *object, uint64_t gen,
	    struct seal_json *entry, struct seal_err *err)
{
	struct seal_json *values;
	int r = 0;

	seal_json_set_str(entry, "ns", object->binding.ns);
	seal_json_set_str(entry, "kind", object->binding.kind);
	seal_json_set_str(entry, "name", object->binding.name);
	seal_json_set_u64(entry, "gen", gen);
	values = seal_json_set_array(entry, "values");
	for (size_t i = 0; r == 0 && i < object->count; i++)
		r = seal_value(order, object, &object->values[i], gen, seal_json_add_object(values),
			       err);
	return r < 0 ? seal_note(err, r, "%.450s", object->id) : 0;
}

/* Within the transaction that records the generations. */
static int
seal_all(void *arg, const uint64_t *gens, struct seal_err *err)
{
	const struct order *order = arg;
	struct seal_json *objects = seal_json_set_array(order->call->reply, "objects");
	int r = 0;

	seal_bytes_reset(&order->call->raw); /* of a turn before: another process was faster */
	for (size_t i = 0; r == 0 && i < order->count; i++)
		r = seal_object(order, &order->objects[i], gens[i], seal_json_add_object(objects),
				err);
	if (r < 0)
		return r;
	r = seal_json_dump(order->call->reply, false, &order->call->raw, err);
	return r == SEAL_E_LIMIT ? seal_fail(err, r,
					     "the answer would be longer than %u bytes: ask for "
					     "fewer values at once",
					     ROT_MAX_SEALED)
				 : r;
}

static int
run_order(struct order *order, struct seal_err *err)
{
	struct rot_call *call = order->call;
	struct rot_sealing sealing = {
		.workload = order->workload,
		.peer = order->peer,
		.count = order->count,
		.now = call->now,
	};
	const char **ids = NULL;
	int r;

	r = list_ids(order, &ids, err);
	if (r < 0)
		return r;
	sealing.objects = ids;
	r = rot_ring(call, order->workload, order->peer, ROT_PURPOSE(VERIFY_CONFIG), true,
		     &order->ring, err);
	if (r == 0) {
		sealing.key_generation = verify_ring_newest(order->ring, VERIFY_CONFIG);
		r = rot_store_seal(call->api->config.store, &sealing, seal_all, order, err);
	}
	free(ids);
	return r;
}

int
rot_seal(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(release_order) struct order order = { .call = call };
	int r;

	r = read_order(&order, err);
	if (r == 0)
		r = run_order(&order, err);
	if (r < 0)
		return r;
	(void)snprintf(call->subject, sizeof(call->subject), "%s/%s: %zu objects, %zu values",
		       order.workload, order.peer, order.count, order.values);
	for (size_t i = 0; i < order.count; i++) {
		if (!rot_call_name(call, i == 0 ? ": " : ", ", order.objects[i].id,
				   order.count - i))
			break;
	}
	return 0;
}
