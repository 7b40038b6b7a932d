/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rot/inject: any manifest.  What is accepted is sealed by a sealer of straw, recognised when it comes again,
 * and restored.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret/secret.h"
#include "rot/inject/inject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verify_ring *
straw_ring(void)
{
	struct verify_key_id id = {
		.workload = "shop", .purpose = VERIFY_CONFIG, .peer = "any", .generation = 1
	};
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	struct verify_ring *ring = NULL;
	int r = seal_secret_from(&key, "0123456789abcdef0123456789abcdef", 32, NULL);

	if (r == 0)
		r = verify_ring_new(&ring, "shop", "any", NULL);
	if (r == 0)
		r = verify_ring_add(ring, &id, &key, NULL);
	assert(r == 0);
	return ring;
}

static int
seal_all(void *arg, struct inject_object *objects, size_t object_count, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; i < object_count; i++) {
		struct inject_object *object = &objects[i];

		for (size_t k = 0; r == 0 && k < object->value_count; k++) {
			SEAL_SCOPED(seal_bytes_release)
			struct seal_bytes text = SEAL_BYTES(VERIFY_SEALED_MAX);
			struct inject_value *value = &object->values[k];
			struct verify_binding at = { .gen = 1, .of = object->value_count };

			(void)snprintf(at.ns, sizeof(at.ns), "%s", object->ns);
			(void)snprintf(at.kind, sizeof(at.kind), "%s", object->kind);
			(void)snprintf(at.name, sizeof(at.name), "%s", object->name);
			(void)snprintf(at.key, sizeof(at.key), "%s", value->key);
			(void)snprintf(at.container, sizeof(at.container), "%s", value->container);
			r = verify_seal(&text, arg, &at, value->plain, value->plain_len, err);
			assert(r == 0); /* every place was checked before */
			value->sealed = seal_strndup(seal_bytes_str(&text), text.len);
		}
	}
	return r;
}

static int
open_all(void *arg, struct inject_sealed *values, size_t value_count, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < value_count; i++) {
		SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;

		r = verify_open_any(&plain, &values[i].binding, arg, values[i].text, values[i].len,
				    err);
		if (r < 0)
			return r;
		values[i].plain_len = seal_secret_len(plain);
		values[i].plain = seal_strndup(seal_secret_chars(plain), values[i].plain_len);
	}
	return r;
}

static int
fail_to_seal(void *arg, struct inject_object *objects, size_t object_count, struct seal_err *err)
{
	(void)arg;
	(void)objects;
	(void)object_count;
	(void)err;
	assert(false && "what was injected is sealed again");
	return SEAL_E_BUG;
}

static void
round_trip(struct inject_options *options, const struct seal_bytes *sealed, bool is_single)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(INJECT_MAX_OUT);
	SEAL_SCOPED(inject_report_release) struct inject_report report = { 0 };
	const struct inject_input input = { "fuzz", seal_bytes_str(sealed), sealed->len };
	int r;

	options->seal = fail_to_seal;
	r = inject_manifests(options, &input, 1, &out, &report, NULL);
	assert(!is_single || (r == 0 && out.len == sealed->len));
	seal_bytes_reset(&out);
	r = inject_restore(options, &input, 1, &out, &report, NULL);
	assert(!is_single || r == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char config[] = "{\"Entrypoint\":[\"/x\"]}";
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = straw_ring();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(INJECT_MAX_OUT);
	SEAL_SCOPED(inject_report_release) struct inject_report report = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	const struct inject_input input = { "fuzz", (const char *)data, size };
	struct inject_image image = { .match = "" };
	struct inject_options options = { .workload = "shop",
					  .ns = "default",
					  .proxy_image = "p",
					  .wrap_path = "/seal-wrap",
					  .images = &image,
					  .image_count = 1,
					  .seal = seal_all,
					  .open = open_all,
					  .arg = ring };

	if (size > 64 * 1024 || seal_json_parse(&json, config, strlen(config), 100, NULL) < 0)
		return 0;
	image.config = json;
	if (inject_manifests(&options, &input, 1, &out, &report, NULL) == 0 && report.sealed > 0)
		round_trip(&options, &out, report.documents == 1 && report.changed == 1);
	return 0;
}
