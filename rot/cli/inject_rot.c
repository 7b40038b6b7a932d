/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values sealed and opened by the root of trust, as many at once as a request may carry.  All values of
 * an object go in one request: they share a generation.
 */
#include <stdlib.h>
#include <string.h>

#include "rot/cli/inject.h"

#define BODY_ROOM  (ROT_MAX_SEAL_BODY - 4096)
#define MAX_VALUES 4096 /* that share a request, when they are of several objects */
#define ENVELOPE   96   /* punctuation and member names around a value, or an object */

/* ---- Sealing ---- */

static size_t
size_of(const struct inject_object *object)
{
	size_t size = ENVELOPE + strlen(object->ns) + strlen(object->kind) + strlen(object->name);

	for (size_t i = 0; i < object->value_count; i++) {
		const struct inject_value *value = &object->values[i];

		size += ENVELOPE + strlen(value->key) + strlen(value->container) +
			(value->plain_len + 2) / 3 * 4;
	}
	return size;
}

static int
put_object(struct seal_json *objects, const struct inject_object *object, struct seal_err *err)
{
	struct seal_json *to = seal_json_add_object(objects);
	struct seal_json *values;
	int r = 0;

	seal_json_set_str(to, "ns", object->ns);
	seal_json_set_str(to, "kind", object->kind);
	seal_json_set_str(to, "name", object->name);
	values = seal_json_set_array(to, "values");
	for (size_t i = 0; r == 0 && i < object->value_count; i++) {
		SEAL_SCOPED(seal_bytes_release)
		struct seal_bytes data = SEAL_BYTES(2 * VERIFY_PLAIN_MAX);
		const struct inject_value *value = &object->values[i];
		struct seal_json *entry = seal_json_add_object(values);

		r = seal_base64url_encode(&data, value->plain, value->plain_len, err);
		seal_json_set_str(entry, "key", value->key);
		if (value->container[0] != '\0')
			seal_json_set_str(entry, "container", value->container);
		seal_json_set_str(entry, "data", seal_bytes_str(&data));
	}
	return r;
}

/* The answer is in the order of the question; that it is about the same things is looked at. */
static int
take_value(const struct inject_object *object, struct inject_value *value,
	   const struct seal_json *from, struct seal_err *err)
{
	struct verify_key_id id = { 0 };
	struct verify_binding is = { 0 };
	const char *sealed = NULL;
	int r = seal_json_get_str(from, "sealed", &sealed, err);

	if (r == 0)
		r = verify_peek(sealed, strlen(sealed), &id, &is, err);
	if (r < 0)
		return r;
	if (strcmp(is.ns, object->ns) != 0 || strcmp(is.kind, object->kind) != 0 ||
	    strcmp(is.name, object->name) != 0 || strcmp(is.key, value->key) != 0 ||
	    strcmp(is.container, value->container) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "sealed for another place");
	value->sealed = seal_strndup(sealed, strlen(sealed));
	return value->sealed != NULL ? 0 : seal_fail_memory(err);
}

static int
take_object(struct inject_object *object, const struct seal_json *from, struct seal_err *err)
{
	const struct seal_json *values = NULL;
	int r = seal_json_get_array(from, "values", &values, err);

	if (r == 0 && seal_json_count(values) != object->value_count)
		r = seal_fail(err, SEAL_E_FORMAT, "%zu values came back for %zu",
			      seal_json_count(values), object->value_count);
	for (size_t i = 0; r == 0 && i < object->value_count; i++)
		r = take_value(object, &object->values[i], seal_json_at(values, i), err);
	return r;
}

static int
send_batch(struct cli *cli, struct inject_object **batch, size_t count, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = seal_json_new();
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	const struct seal_json *answers = NULL;
	struct seal_json *objects;
	int r = 0;

	seal_json_set_str(request, "workload", cli->opt.workload);
	seal_json_set_str(request, "peer", batch[0]->peer);
	objects = seal_json_set_array(request, "objects");
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put_object(objects, batch[i], err);
	if (r == 0)
		r = cli_call(cli, "POST", "/v1/seal", request, &reply, err);
	if (r < 0)
		return r;
	r = seal_json_get_array(reply, "objects", &answers, err);
	if (r == 0 && seal_json_count(answers) != count)
		r = seal_fail(err, SEAL_E_FORMAT, "%zu objects came back for %zu",
			      seal_json_count(answers), count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = take_object(batch[i], seal_json_at(answers, i), err);
	return r < 0 ? seal_note(err, r, "the answer of the root of trust") : 0;
}

/* The next batch: objects of one peer and round, in their order. */
static size_t
fill_batch(struct inject_object *objects, size_t object_count, size_t round,
	   struct inject_object **batch)
{
	size_t count = 0;
	size_t size = 0;
	size_t values = 0;

	for (size_t i = 0; i < object_count; i++) {
		struct inject_object *object = &objects[i];

		if (object->values[0].sealed != NULL || object->round != round ||
		    (count > 0 && strcmp(object->peer, batch[0]->peer) != 0))
			continue;
		if (count > 0 && (size + size_of(object) > BODY_ROOM ||
				  values + object->value_count > MAX_VALUES))
			break;
		size += size_of(object);
		values += object->value_count;
		batch[count++] = object;
	}
	return count;
}

/* What comes a second time is sealed after all that come for the first. */
static int
seal_round(struct cli *cli, struct inject_object *objects, size_t object_count, size_t round,
	   struct inject_object **batch, size_t *done, struct seal_err *err)
{
	size_t start = 0;
	int r = 0;

	while (r == 0) {
		size_t count;

		while (start < object_count &&
		       (objects[start].values[0].sealed != NULL || objects[start].round != round))
			start++;
		count = fill_batch(objects + start, object_count - start, round, batch);
		if (count == 0)
			break;
		r = send_batch(cli, batch, count, err);
		*done += count;
	}
	return r;
}

int
cli_inject_seal(void *arg, struct inject_object *objects, size_t object_count, struct seal_err *err)
{
	struct inject_object **batch = calloc(object_count, sizeof(struct inject_object *));
	size_t done = 0;
	int r = 0;

	if (batch == NULL)
		return seal_fail_memory(err);
	for (size_t round = 0; r == 0 && done < object_count; round++)
		r = seal_round(arg, objects, object_count, round, batch, &done, err);
	free(batch);
	return r;
}

/* ---- Opening ---- */

static int
copy_binding(struct verify_binding *binding, const struct seal_json *from, struct seal_err *err)
{
	const struct {
		const char *name;
		char *out;
		size_t size;
	} members[] = {
		{ "ns", binding->ns, sizeof(binding->ns) },
		{ "kind", binding->kind, sizeof(binding->kind) },
		{ "name", binding->name, sizeof(binding->name) },
		{ "key", binding->key, sizeof(binding->key) },
		{ "container", binding->container, sizeof(binding->container) },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(members); i++) {
		const char *text = "";

		if (i + 1 < SEAL_COUNT(members) || seal_json_has(from, members[i].name))
			r = seal_json_get_str(from, members[i].name, &text, err);
		if (r == 0 && strlen(text) >= members[i].size)
			r = seal_fail(err, SEAL_E_LIMIT, "'%s' is too long", members[i].name);
		if (r == 0)
			memcpy(members[i].out, text, strlen(text) + 1);
	}
	return r;
}

static int
take_plain(struct inject_sealed *value, const struct seal_json *from, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes data = SEAL_BYTES(VERIFY_PLAIN_MAX);
	bool is_text = seal_json_has(from, "text");
	const char *text = "";
	int r = copy_binding(&value->binding, from, err);

	if (r == 0)
		r = seal_json_get_str(from, is_text ? "text" : "data", &text, err);
	if (r == 0 && !is_text)
		r = seal_base64url_decode(&data, text, strlen(text), err);
	if (r < 0)
		return r;
	value->plain_len = is_text ? strlen(text) : data.len;
	value->plain = seal_strndup(is_text ? text : seal_bytes_str(&data), value->plain_len);
	return value->plain != NULL ? 0 : seal_fail_memory(err);
}

static int
open_batch(struct cli *cli, struct inject_sealed *values, size_t count, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = seal_json_new();
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	struct seal_json *list = seal_json_set_array(request, "values");
	const struct seal_json *answers = NULL;
	int r;

	for (size_t i = 0; i < count; i++)
		seal_json_add_str(list, values[i].text);
	r = cli_call(cli, "POST", "/v1/unseal", request, &reply, err);
	if (r < 0)
		return r;
	r = seal_json_get_array(reply, "values", &answers, err);
	if (r == 0 && seal_json_count(answers) != count)
		r = seal_fail(err, SEAL_E_FORMAT, "%zu values came back for %zu",
			      seal_json_count(answers), count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = take_plain(&values[i], seal_json_at(answers, i), err);
	return r < 0 ? seal_note(err, r, "the answer of the root of trust") : 0;
}

int
cli_inject_open(void *arg, struct inject_sealed *values, size_t value_count, struct seal_err *err)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && at < value_count) {
		size_t size = 0;
		size_t count = 0;

		while (at + count < value_count && count < MAX_VALUES &&
		       (count == 0 || size + values[at + count].len + ENVELOPE <= BODY_ROOM))
			size += values[at + count++].len + ENVELOPE;
		r = open_batch(arg, values + at, count, err);
		at += count;
	}
	return r;
}
