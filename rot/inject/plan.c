/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that are to be sealed, collected over a whole stream, and the placeholders that stand for
 * them in the draft of the output.  Knows nothing of manifests.
 */
#include "rot/inject/inject_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "base/secret/secret.h"

#define MARK_RANDOM 16
#define SLOT_DIGITS 8
/* A sealed value besides base64 of its plaintext: header, nonce, tag, dots, at the least. */
#define OVERHEAD 240

int
inject_plan_init(struct inject_plan *plan, struct seal_err *err)
{
	uint8_t random[MARK_RANDOM];
	char text[2 * MARK_RANDOM + 1];
	int r = seal_random(random, sizeof(random), err);

	if (r < 0)
		return r;
	seal_hex_encode(text, random, sizeof(random));
	(void)snprintf(plan->mark, sizeof(plan->mark), "seal-%s-", text);
	plan->mark_len = strlen(plan->mark);
	return 0;
}

void
inject_plan_release(struct inject_plan *plan)
{
	for (size_t i = 0; i < plan->object_count; i++) {
		struct inject_object *object = &plan->objects[i];

		for (size_t k = 0; k < object->value_count; k++) {
			struct inject_value *value = &object->values[k];

			/* The copy is ours; the pointer is const for the sealer only. */
			if (value->plain_len > 0)
				seal_wipe((void *)(uintptr_t)value->plain, value->plain_len);
			free((void *)(uintptr_t)value->plain);
			free(value->sealed);
		}
		free(object->values);
	}
	free(plan->objects);
	free(plan->slots);
	*plan = (struct inject_plan){ 0 };
}

/* Room for one more: the storage doubles whenever count is a power of two. */
static void *
grow(void *array, size_t count, size_t size)
{
	void *grown = array;

	if (count == 0 || (count & (count - 1)) == 0)
		grown = reallocarray(array, count == 0 ? 1 : 2 * count, size);
	return grown;
}

/* ---- Adding ---- */

static int
open_object(struct inject_item *item, struct seal_err *err)
{
	struct inject_plan *plan = &item->run->plan;
	struct inject_object *grown;

	if (item->object != SIZE_MAX)
		return 0;
	grown = grow(plan->objects, plan->object_count, sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	plan->objects = grown;
	grown[plan->object_count] = (struct inject_object){ 0 };
	(void)snprintf(grown[plan->object_count].peer, sizeof(grown[0].peer), "%s", item->peer);
	item->object = plan->object_count++;
	return 0;
}

/* Kubernetes' own limit, before and after: better said now than by its server. */
static int
check_size(struct inject_item *item, size_t plain_len, struct seal_err *err)
{
	const struct inject_object *object = &item->run->plan.objects[item->object];

	if (object->value_count >= VERIFY_MAX_VALUES)
		return inject_fail(item, item->root, err, SEAL_E_LIMIT,
				   "%s has more than %u values to seal", item->label,
				   VERIFY_MAX_VALUES);
	item->plain_size += plain_len;
	item->sealed_size += OVERHEAD + plain_len / 3 * 4;
	if (item->plain_size > VERIFY_PLAIN_MAX)
		return inject_fail(item, item->root, err, SEAL_E_LIMIT,
				   "%s holds more than the %u bytes that Kubernetes takes",
				   item->label, INJECT_OBJECT_LIMIT);
	if (item->sealed_size > INJECT_OBJECT_LIMIT)
		return inject_fail(
			item, item->root, err, SEAL_E_LIMIT,
			"%s will be more than the %u bytes that Kubernetes takes once it "
			"is sealed (a third more, and 240 bytes a value): divide it",
			item->label, INJECT_OBJECT_LIMIT);
	return 0;
}

static int
add_value(struct inject_item *item, const char *key, const char *container, const void *plain,
	  size_t plain_len, struct seal_err *err)
{
	struct inject_object *object = &item->run->plan.objects[item->object];
	struct inject_value *grown = grow(object->values, object->value_count, sizeof(*grown));
	struct inject_value value = { .binding = item->binding, .plain_len = plain_len };

	if (grown == NULL)
		return seal_fail_memory(err);
	object->values = grown;
	if ((size_t)snprintf(value.binding.key, sizeof(value.binding.key), "%s", key) >=
		    sizeof(value.binding.key) ||
	    (size_t)snprintf(value.binding.container, sizeof(value.binding.container), "%s",
			     container) >= sizeof(value.binding.container))
		return seal_fail(err, SEAL_E_BUG, "a key or container was not checked");
	value.plain = seal_strndup(plain_len > 0 ? plain : "", plain_len);
	if (value.plain == NULL)
		return seal_fail_memory(err);
	grown[object->value_count++] = value;
	return 0;
}

static size_t
slot_number(const char *digits)
{
	size_t number = 0;

	for (size_t i = 0; i < SLOT_DIGITS; i++)
		number = number * 16 +
			 (size_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
	return number;
}

static int
add_slot(struct inject_item *item, size_t object, size_t value, bool is_base64,
	 char out[static INJECT_PLACEHOLDER], struct seal_err *err)
{
	struct inject_plan *plan = &item->run->plan;
	struct inject_slot *grown = grow(plan->slots, plan->slot_count, sizeof(*grown));

	if (grown == NULL)
		return seal_fail_memory(err);
	plan->slots = grown;
	grown[plan->slot_count] = (struct inject_slot){
		.object = object,
		.value = value,
		.is_base64 = is_base64,
	};
	(void)snprintf(out, INJECT_PLACEHOLDER, "%s%0*zx", plan->mark, SLOT_DIGITS,
		       plan->slot_count);
	plan->slot_count++;
	item->changed = true;
	return 0;
}

int
inject_plan_value(struct inject_item *item, const char *key, const char *container,
		  const void *plain, size_t plain_len, bool is_base64,
		  char out[static INJECT_PLACEHOLDER], struct seal_err *err)
{
	int r = open_object(item, err);

	if (r == 0)
		r = check_size(item, plain_len, err);
	if (r == 0)
		r = add_value(item, key, container, plain, plain_len, err);
	if (r < 0)
		return r;
	return add_slot(item, item->object, item->run->plan.objects[item->object].value_count - 1,
			is_base64, out, err);
}

int
inject_plan_repeat(struct inject_item *item, const char *placeholder,
		   char out[static INJECT_PLACEHOLDER], struct seal_err *err)
{
	const struct inject_plan *plan = &item->run->plan;
	size_t slot = slot_number(placeholder + plan->mark_len);

	return add_slot(item, plan->slots[slot].object, plan->slots[slot].value, true, out, err);
}

int
inject_plan_json(struct inject_item *item, const struct seal_tree_node *node, const char *key,
		 const char *container, const struct seal_json *json,
		 char out[static INJECT_PLACEHOLDER], struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SPEC_MAX);
	int r = seal_json_dump(json, false, &text, err);

	if (r == SEAL_E_LIMIT)
		return inject_fail(item, node, err, SEAL_E_LIMIT,
				   "container '%s': its %s is more than the %u bytes that can be "
				   "handed over: move variables into a ConfigMap (envFrom), and "
				   "scripts into files of one",
				   container, key, VERIFY_SPEC_MAX);
	if (r < 0)
		return r;
	return inject_plan_value(item, key, container, text.data, text.len, false, out, err);
}

/* ---- Sealing, and putting the texts in their places ---- */

static int
put_slot(const struct inject_plan *plan, size_t index, struct seal_bytes *out, struct seal_err *err)
{
	const struct inject_slot *slot = &plan->slots[index];
	const char *sealed = plan->objects[slot->object].values[slot->value].sealed;

	if (sealed == NULL)
		return seal_fail(err, SEAL_E_BUG, "a value was not sealed");
	return slot->is_base64 ? inject_base64_encode(out, sealed, strlen(sealed), err)
			       : seal_bytes_append_str(out, sealed, err);
}

static int
splice(const struct inject_plan *plan, const struct seal_bytes *draft, struct seal_bytes *out,
       struct seal_err *err)
{
	const char *at = seal_bytes_str(draft);
	const char *end = at + draft->len;
	size_t placed = 0;
	int r = 0;

	while (r == 0 && at < end) {
		const char *mark = memmem(at, (size_t)(end - at), plan->mark, plan->mark_len);
		size_t until = (size_t)((mark != NULL ? mark : end) - at);

		r = seal_bytes_append(out, at, until, err);
		at += until;
		if (r == 0 && mark != NULL) {
			r = put_slot(plan, slot_number(mark + plan->mark_len), out, err);
			at += plan->mark_len + SLOT_DIGITS;
			placed++;
		}
	}
	if (r == 0 && placed != plan->slot_count)
		return seal_fail(err, SEAL_E_BUG, "%zu of %zu sealed values have a place", placed,
				 plan->slot_count);
	return r;
}

int
inject_plan_finish(struct inject_plan *plan, const struct inject_options *options,
		   const struct seal_bytes *draft, struct seal_bytes *out, struct seal_err *err)
{
	size_t start = out->len;
	int r = 0;

	if (plan->object_count > 0)
		r = options->seal(options->arg, plan->objects, plan->object_count, err);
	if (r == 0)
		r = splice(plan, draft, out, err);
	if (r < 0)
		out->len = start;
	return r;
}
