/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for sealing and opening in tests of inject. */
#include "tests/unit/inject/rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret/secret.h"
#include "config-verify/spec.h"

static struct verify_ring *
ring_of(struct rig *rig, const char *peer)
{
	struct verify_key_id id = { .workload = "shop", .purpose = VERIFY_CONFIG, .generation = 1 };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *root = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	struct verify_ring *ring = NULL;

	for (size_t i = 0; i < rig->ring_count; i++) {
		if (strcmp(verify_ring_peer(rig->rings[i]), peer) == 0)
			return rig->rings[i];
	}
	cr_assert_lt(rig->ring_count, SEAL_COUNT(rig->rings));
	(void)snprintf(id.peer, sizeof(id.peer), "%s", peer);
	cr_assert_eq(seal_secret_from(&root, "0123456789abcdef0123456789abcdef", 32, NULL), 0);
	cr_assert_eq(verify_key_derive(&key, root, &id, NULL), 0);
	cr_assert_eq(verify_ring_new(&ring, "shop", peer, NULL), 0);
	cr_assert_eq(verify_ring_add(ring, &id, &key, NULL), 0);
	rig->rings[rig->ring_count++] = ring;
	return ring;
}

static int
seal_one(struct rig *rig, const struct inject_object *object, struct inject_value *value,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SEALED_MAX);
	struct verify_binding binding = { .gen = rig->gen, .of = object->value_count };
	int r;

	(void)snprintf(binding.ns, sizeof(binding.ns), "%s", object->ns);
	(void)snprintf(binding.kind, sizeof(binding.kind), "%s", object->kind);
	(void)snprintf(binding.name, sizeof(binding.name), "%s", object->name);
	(void)snprintf(binding.key, sizeof(binding.key), "%s", value->key);
	(void)snprintf(binding.container, sizeof(binding.container), "%s", value->container);
	r = verify_seal(&text, ring_of(rig, object->peer), &binding, value->plain, value->plain_len,
			err);
	if (r < 0)
		return r;
	value->sealed = seal_strndup(seal_bytes_str(&text), text.len);
	return 0;
}

static int
seal_all(void *arg, struct inject_object *objects, size_t object_count, struct seal_err *err)
{
	struct rig *rig = arg;
	int r = 0;

	rig->seal_calls++;
	if (rig->seal_fails)
		return seal_fail(err, SEAL_E_REFUSED, "no permission");
	rig->gen++;
	for (size_t i = 0; r == 0 && i < object_count; i++) {
		for (size_t k = 0; r == 0 && k < objects[i].value_count; k++)
			r = seal_one(rig, &objects[i], &objects[i].values[k], err);
	}
	return r;
}

static int
open_one(struct rig *rig, struct inject_sealed *value, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding binding = { 0 };
	struct verify_key_id id = { 0 };
	int r = verify_peek(value->text, value->len, &id, &binding, err);

	if (r == 0)
		r = verify_open_any(&plain, &value->binding, ring_of(rig, id.peer), value->text,
				    value->len, err);
	if (r < 0)
		return r;
	value->plain_len = seal_secret_len(plain);
	value->plain = seal_strndup(seal_secret_chars(plain), value->plain_len);
	cr_assert_not_null(value->plain);
	return 0;
}

static int
open_all(void *arg, struct inject_sealed *values, size_t value_count, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < value_count; i++)
		r = open_one(arg, &values[i], err);
	return r;
}

void
rig_init(struct rig *rig)
{
	static const char config[] =
		"{\"Entrypoint\":[\"/bin/image-entry\"],\"Env\":[\"PATH=/bin\"],\"User\":\"7\"}";

	*rig = (struct rig){
		.options = { .workload = "shop",
			     .peer = "web",
			     .ns = "default",
			     .proxy_image = "registry.example/seal-proxy:1",
			     .wrap_path = "/seal-wrap",
			     .seal = seal_all,
			     .open = open_all },
		.image = { .match = "" },
		.out = SEAL_BYTES(INJECT_MAX_OUT),
	};
	cr_assert_eq(seal_json_parse(&rig->image.config, config, strlen(config), 4096, NULL), 0);
	rig->options.arg = rig;
	rig->options.images = &rig->image;
	rig->options.image_count = 1;
}

void
rig_release(struct rig *rig)
{
	for (size_t i = 0; i < rig->ring_count; i++)
		verify_ring_free(rig->rings[i]);
	seal_json_free(rig->image.config);
	seal_bytes_release(&rig->out);
	inject_report_release(&rig->report);
}

static void
start(struct rig *rig)
{
	inject_report_release(&rig->report);
	seal_bytes_reset(&rig->out);
	rig->err = (struct seal_err){ 0 };
	rig->seal_calls = 0;
}

int
rig_inject(struct rig *rig, const char *text, size_t len)
{
	const struct inject_input input = { "in.yaml", text, len };

	start(rig);
	return inject_manifests(&rig->options, &input, 1, &rig->out, &rig->report, &rig->err);
}

int
rig_restore(struct rig *rig, const char *text, size_t len)
{
	const struct inject_input input = { "in.yaml", text, len };

	start(rig);
	return inject_restore(&rig->options, &input, 1, &rig->out, &rig->report, &rig->err);
}

const char *
rig_must(struct rig *rig, const char *text)
{
	int r = rig_inject(rig, text, strlen(text));

	cr_assert_eq(r, 0, "%s", rig->err.text);
	return seal_bytes_str(&rig->out);
}

void
rig_refuses(struct rig *rig, enum seal_code code, const char *sentence, const char *text)
{
	int r = rig_inject(rig, text, strlen(text));

	cr_expect_eq(r, code, "%d (%s) for: %s", r, rig->err.text, text);
	cr_expect_not_null(strstr(rig->err.text, sentence), "'%s' is not in: %s", sentence,
			   rig->err.text);
	cr_expect_eq(rig->out.len, 0, "something came out");
	cr_expect_eq(rig->seal_calls, 0, "something was sealed");
}

/* ---- Comparing ---- */

struct seal_json *
rig_json(const char *text, size_t len)
{
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	struct seal_json *all = seal_json_new();
	struct seal_err err = { 0 };
	char name[32];

	cr_assert_eq(seal_tree_stream_new(&stream, "text", text, len, &err), 0, "%s", err.text);
	for (size_t i = 0;; i++) {
		SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;

		cr_assert_eq(seal_tree_next(stream, &tree, &err), 0, "%s\n%.*s", err.text, (int)len,
			     text);
		if (tree == NULL)
			break;
		(void)snprintf(name, sizeof(name), "%zu", i);
		if (seal_tree_root(tree) != NULL)
			seal_tree_set_in_json(seal_tree_root(tree), all, name);
	}
	return all;
}

static bool
same_object(const struct seal_json *a, const struct seal_json *b)
{
	size_t count = 0;

	for (const char *name = seal_json_next(a, NULL); name != NULL;
	     name = seal_json_next(a, name), count++) {
		const struct seal_json *other = seal_json_member(b, name);

		if (other == NULL || !rig_same(seal_json_member(a, name), other)) {
			(void)fprintf(stderr, "differs: %s\n", name);
			return false;
		}
	}
	for (const char *name = seal_json_next(b, NULL); name != NULL;
	     name = seal_json_next(b, name)) {
		if (seal_json_member(a, name) == NULL) {
			(void)fprintf(stderr, "too many: %s\n", name);
			return false;
		}
	}
	return true;
}

bool
rig_same(const struct seal_json *a, const struct seal_json *b)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes left = SEAL_BYTES(SEAL_TREE_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes right = SEAL_BYTES(SEAL_TREE_MAX_LEN);
	enum seal_json_kind kind = seal_json_kind(a);

	if (kind != seal_json_kind(b))
		return false;
	if (kind == SEAL_JSON_OBJECT)
		return same_object(a, b);
	if (kind == SEAL_JSON_ARRAY) {
		if (seal_json_count(a) != seal_json_count(b))
			return false;
		for (size_t i = 0; i < seal_json_count(a); i++) {
			if (!rig_same(seal_json_at(a, i), seal_json_at(b, i)))
				return false;
		}
		return true;
	}
	cr_assert_eq(seal_json_dump(a, false, &left, NULL), 0);
	cr_assert_eq(seal_json_dump(b, false, &right, NULL), 0);
	return strcmp(seal_bytes_str(&left), seal_bytes_str(&right)) == 0;
}

const struct seal_json *
rig_at(const struct seal_json *json, const char *path)
{
	while (json != NULL && *path != '\0') {
		char part[128];
		size_t len = strcspn(path, ".");

		(void)snprintf(part, sizeof(part), "%.*s", (int)len, path);
		if (seal_json_kind(json) == SEAL_JSON_OBJECT)
			json = seal_json_member(json, part);
		else if (seal_json_kind(json) == SEAL_JSON_ARRAY)
			json = seal_json_at(json, strtoul(part, NULL, 10));
		else
			json = NULL;
		path += len + (path[len] == '.');
	}
	return json;
}

char *
rig_open(struct rig *rig, const char *sealed)
{
	struct inject_sealed value = { .text = seal_strndup(sealed, strlen(sealed)),
				       .len = strlen(sealed) };
	struct seal_err err = { 0 };

	cr_assert_eq(open_one(rig, &value, &err), 0, "%s", err.text);
	free(value.text);
	return value.plain;
}

struct seal_json *
rig_spec(struct rig *rig, const struct seal_json *output, const char *path)
{
	SEAL_SCOPED(verify_spec_freep) struct verify_spec *parsed = NULL;
	const struct seal_json *value = rig_at(output, path);
	struct seal_json *spec = NULL;
	struct seal_err err = { 0 };
	char *text;

	cr_assert_not_null(value, "%s is not there", path);
	text = rig_open(rig, seal_json_str(value));
	cr_expect_eq(verify_spec_parse(&parsed, text, strlen(text), &err), 0, "%s", err.text);
	cr_assert_eq(seal_json_parse(&spec, text, strlen(text), VERIFY_SPEC_MAX, NULL), 0);
	free(text);
	return spec;
}

bool
rig_reports(const struct rig *rig, enum inject_verdict verdict, const char *what)
{
	for (size_t i = 0; i < rig->report.line_count; i++) {
		if (rig->report.lines[i].verdict == verdict &&
		    strstr(rig->report.lines[i].what, what) != NULL)
			return true;
	}
	return false;
}

void
rig_round(struct rig *rig, const char *text, size_t len)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *before = rig_json(text, len);
	SEAL_SCOPED(seal_json_freep) struct seal_json *after = NULL;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(INJECT_MAX_OUT);

	cr_assert_eq(rig_inject(rig, text, len), 0, "%s", rig->err.text);
	cr_assert_eq(seal_bytes_append(&sealed, rig->out.data, rig->out.len, NULL), 0);
	cr_assert_eq(rig_inject(rig, seal_bytes_str(&sealed), sealed.len), 0, "again: %s",
		     rig->err.text);
	cr_expect_eq(rig->seal_calls, 0, "again: something was sealed");
	cr_expect(rig->out.len == sealed.len &&
			  (sealed.len == 0 || memcmp(rig->out.data, sealed.data, sealed.len) == 0),
		  "again: it changed");
	cr_assert_eq(rig_restore(rig, seal_bytes_str(&sealed), sealed.len), 0, "back: %s",
		     rig->err.text);
	after = rig_json(seal_bytes_str(&rig->out), rig->out.len);
	cr_expect(rig_same(before, after), "not the same:\n%s", seal_bytes_str(&rig->out));
}
