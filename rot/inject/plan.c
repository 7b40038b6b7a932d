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
#define HEADER_LEN  160 /* names of members, punctuation, numbers */
#define REST_LEN    48  /* nonce, tag, dots */

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

static void
value_release(struct inject_value *value)
{
	/* The copies are ours; the pointers are const for the sealer only. */
	seal_wipe((void *)(uintptr_t)value->plain, value->plain_len);
	free((void *)(uintptr_t)value->plain);
	free((void *)(uintptr_t)value->key);
	free(value->sealed);
}

void
inject_plan_release(struct inject_plan *plan)
{
	for (size_t i = 0; i < plan->object_count; i++) {
		struct inject_object *object = &plan->objects[i];

		for (size_t k = 0; k < object->value_count; k++)
			value_release(&object->values[k]);
		free(object->values);
		free((void *)(uintptr_t)object->ns);
	}
	free(plan->objects);
	free(plan->slots);
	*plan = (struct inject_plan){ 0 };
}

/* Texts in one block, each with its NUL; the first one's pointer frees it. */
static char *
join(const char *const *texts, const char **copies, size_t count)
{
	size_t size = 0;
	char *block;
	char *at;

	for (size_t i = 0; i < count; i++)
		size += strlen(texts[i]) + 1;
	block = malloc(size);
	at = block;
	for (size_t i = 0; block != NULL && i < count; i++) {
		copies[i] = memcpy(at, texts[i], strlen(texts[i]) + 1);
		at += strlen(texts[i]) + 1;
	}
	return block;
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
	const char *const texts[] = { item->binding.ns, item->binding.kind, item->binding.name,
				      item->peer };
	struct inject_plan *plan = &item->run->plan;
	const char *copies[SEAL_COUNT(texts)];
	struct inject_object *grown;

	if (item->object != SIZE_MAX)
		return 0;
	grown = grow(plan->objects, plan->object_count, sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	plan->objects = grown;
	if (join(texts, copies, SEAL_COUNT(texts)) == NULL)
		return seal_fail_memory(err);
	grown[plan->object_count] = (struct inject_object){
		.ns = copies[0],
		.kind = copies[1],
		.name = copies[2],
		.peer = copies[3],
		.round = item->round,
	};
	item->object = plan->object_count++;
	return 0;
}

/*
 * The most that a sealed value can be long: three parts in base64url, of which the header repeats the
 * binding; the numbers in it at their largest.  Better a refusal too early than generations spent on what
 * cannot be written.
 */
static size_t
sealed_most(const struct inject_item *item, const char *key, const char *container,
	    size_t plain_len)
{
	const struct verify_binding *binding = &item->binding;
	size_t header = HEADER_LEN + strlen(item->run->options->workload) + strlen(item->peer) +
			strlen(binding->ns) + strlen(binding->kind) + strlen(binding->name) +
			strlen(key) + strlen(container);

	return (header + 2) / 3 * 4 + (plain_len + 2) / 3 * 4 + REST_LEN;
}

/* Kubernetes' own limit, before and after: better said now than by its server. */
static int
check_size(struct inject_item *item, const char *key, const char *container, size_t plain_len,
	   bool is_base64, struct seal_err *err)
{
	const struct inject_object *object = &item->run->plan.objects[item->object];
	size_t most = sealed_most(item, key, container, plain_len);

	if (object->value_count >= VERIFY_MAX_VALUES)
		return inject_fail(item, item->root, err, SEAL_E_LIMIT,
				   "%s has more than %u values to seal", item->label,
				   VERIFY_MAX_VALUES);
	item->plain_size += plain_len;
	item->sealed_size += most;
	item->run->plan.sealed_size += is_base64 ? (most + 2) / 3 * 4 : most;
	if (item->plain_size > VERIFY_PLAIN_MAX)
		return inject_fail(item, item->root, err, SEAL_E_LIMIT,
				   "%s holds more than the %u bytes that Kubernetes takes",
				   item->label, INJECT_OBJECT_LIMIT);
	if (item->sealed_size > INJECT_OBJECT_LIMIT)
		return inject_fail(
			item, item->root, err, SEAL_E_LIMIT,
			"%s may be more than the %u bytes that Kubernetes takes once it "
			"is sealed (a third more, and some 300 bytes a value): divide it",
			item->label, INJECT_OBJECT_LIMIT);
	return inject_plan_room(item, err);
}

int
inject_plan_room(const struct inject_item *item, struct seal_err *err)
{
	const struct inject_run *run = item->run;

	if (run->plan.sealed_size + run->draft.len <= INJECT_MAX_OUT)
		return 0;
	return inject_fail(item, item->root, err, SEAL_E_LIMIT,
			   "up to here the output may be more than %u bytes once it is sealed (a "
			   "third more, and some 300 bytes a value): divide the manifest",
			   INJECT_MAX_OUT);
}

static int
add_value(struct inject_item *item, const char *key, const char *container, const void *plain,
	  size_t plain_len, struct seal_err *err)
{
	struct inject_object *object = &item->run->plan.objects[item->object];
	struct inject_value *grown = grow(object->values, object->value_count, sizeof(*grown));
	const char *const texts[] = { key, container };
	const char *copies[SEAL_COUNT(texts)];
	struct inject_value *value;

	if (grown == NULL)
		return seal_fail_memory(err);
	object->values = grown;
	if (join(texts, copies, SEAL_COUNT(texts)) == NULL)
		return seal_fail_memory(err);
	value = &grown[object->value_count];
	*value =
		(struct inject_value){ .key = copies[0],
				       .container = copies[1],
				       .plain = seal_strndup(plain_len > 0 ? plain : "", plain_len),
				       .plain_len = plain_len };
	if (value->plain == NULL) {
		free((void *)(uintptr_t)value->key);
		return seal_fail_memory(err);
	}
	object->value_count++;
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
		r = check_size(item, key, container, plain_len, is_base64, err);
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

/* How long the output will be, at most: reserved at once, it is not copied while it grows. */
static size_t
measure(const struct inject_plan *plan, const struct seal_bytes *draft)
{
	size_t size = draft->len + 1;

	for (size_t i = 0; i < plan->slot_count; i++) {
		const struct inject_slot *slot = &plan->slots[i];
		const char *sealed = plan->objects[slot->object].values[slot->value].sealed;
		size_t len = sealed != NULL ? strlen(sealed) : 0;

		size += slot->is_base64 ? (len + 2) / 3 * 4 : len;
	}
	return size;
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
		r = seal_bytes_reserve(out, measure(plan, draft), err);
	if (r == 0)
		r = splice(plan, draft, out, err);
	if (r < 0)
		out->len = start;
	return r;
}
