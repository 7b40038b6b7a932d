/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What etcd's JSON gateway answers: keys and values in base64 (RFC 4648 section 4), 64-bit numbers as strings, and what
 * is zero or false left out.  Anything else is refused.
 */

#include "base/names/names.h"
#include "rot/kv/etcd_internal.h"

#define NUMBER_MAX (UINT64_C(1) << 62)

static int
get_base64(struct seal_bytes *out, const char *text, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes url = SEAL_BYTES(2 * ROT_KV_STORED_MAX);
	size_t len = strlen(text), end = len;
	int r;

	while (end > 0 && len - end < 2 && text[end - 1] == '=')
		end--;
	if (len % 4 != 0 || strcspn(text, "-_") < len)
		return seal_fail(err, SEAL_E_FORMAT, "etcd's answer holds no base64");
	r = seal_bytes_append(&url, text, end, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < url.len; i++) {
		if (url.data[i] == '+')
			url.data[i] = '-';
		else if (url.data[i] == '/')
			url.data[i] = '_';
	}
	return seal_base64url_decode(out, seal_bytes_str(&url), url.len, err);
}

/* A number: a string of digits, or left out. */
static int
get_number(const struct seal_json *object, const char *name, uint64_t *ret_value,
	   struct seal_err *err)
{
	const char *text = NULL;
	int r;

	*ret_value = 0;
	if (!seal_json_has(object, name))
		return 0;
	r = seal_json_get_str(object, name, &text, err);
	if (r == 0)
		r = seal_number_parse(text, 0, NUMBER_MAX, ret_value, err);
	return r < 0 ? seal_fail(err, SEAL_E_SYSTEM, "etcd's answer is malformed: '%s'", name) : 0;
}

static int
fail_answer(const char *what, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_SYSTEM, "etcd's answer is malformed: %s", what);
}

static int
check_header(struct etcd_names *names, const struct seal_json *json, uint64_t *ret_revision,
	     struct seal_err *err)
{
	const struct seal_json *header = NULL;
	const char *cluster = "";
	int r;

	r = seal_json_get_object(json, "header", &header, NULL);
	if (r == 0)
		r = seal_json_get_str(header, "cluster_id", &cluster, NULL);
	if (r < 0 || cluster[0] == '\0' || strlen(cluster) > ETCD_CLUSTER_MAX)
		return fail_answer("no header", err);
	r = get_number(header, "revision", ret_revision, err);
	if (r < 0)
		return r;
	if (names->cluster[0] == '\0')
		memcpy(names->cluster, cluster, strlen(cluster) + 1);
	if (strcmp(names->cluster, cluster) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "this is another cluster of etcd (%s) than before (%s)", cluster,
				 names->cluster);
	return 0;
}

void
etcd_page_release(struct etcd_page *page)
{
	for (size_t i = 0; i < page->count; i++) {
		free(page->items[i].key);
		seal_bytes_release(&page->items[i].value);
	}
	free(page->items);
	memset(page, 0, sizeof(*page));
}

static int
read_key(const struct etcd_names *names, const struct seal_json *from, char **ret_key,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes raw = SEAL_BYTES(ROT_KV_KEY_MAX + ETCD_PREFIX_MAX);
	size_t prefix = strlen(names->prefix);
	const char *text = NULL;

	if (seal_json_get_str(from, "key", &text, NULL) < 0 || get_base64(&raw, text, NULL) < 0)
		return fail_answer("a key", err);
	if (raw.len <= prefix || memcmp(raw.data, names->prefix, prefix) != 0 ||
	    memchr(raw.data, '\0', raw.len) != NULL)
		return fail_answer("a key that was not asked for", err);
	*ret_key = seal_strndup((const char *)raw.data + prefix, raw.len - prefix);
	return *ret_key != NULL ? 0 : seal_fail_memory(err);
}

static int
read_value(const struct seal_json *from, struct seal_bytes *value, struct seal_err *err)
{
	const char *text = NULL;
	int r;

	seal_bytes_init(value, ROT_KV_STORED_MAX);
	if (!seal_json_has(from, "value"))
		return 0;
	r = seal_json_get_str(from, "value", &text, NULL);
	if (r == 0)
		r = get_base64(value, text, NULL);
	return r < 0 ? fail_answer("a value", err) : 0;
}

static int
read_kvs(const struct etcd_names *names, const struct seal_json *json, struct etcd_page *page,
	 struct seal_err *err)
{
	const struct seal_json *kvs = NULL;
	size_t count;
	int r = 0;

	if (!seal_json_has(json, "kvs"))
		return 0;
	if (seal_json_get_array(json, "kvs", &kvs, NULL) < 0)
		return fail_answer("'kvs'", err);
	count = seal_json_count(kvs);
	page->items = calloc(count > 0 ? count : 1, sizeof(*page->items));
	if (page->items == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct etcd_kv *kv = &page->items[page->count++];

		r = read_key(names, seal_json_at(kvs, i), &kv->key, err);
		if (r == 0)
			r = read_value(seal_json_at(kvs, i), &kv->value, err);
		if (r == 0)
			r = get_number(seal_json_at(kvs, i), "mod_revision", &kv->mod, err);
		if (r == 0 && kv->mod == 0)
			r = fail_answer("a key without a revision", err);
	}
	return r;
}

/* The key that the failure branch of a transaction reads. */
static int
read_other_branch(const struct etcd_names *names, const struct seal_json *json,
		  struct etcd_outcome *outcome, struct seal_err *err)
{
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	const struct seal_json *responses = NULL, *range = NULL;
	int r;

	if (!seal_json_has(json, "responses"))
		return 0;
	r = seal_json_get_array(json, "responses", &responses, NULL);
	if (r < 0 || seal_json_count(responses) != 1 ||
	    seal_json_get_object(seal_json_at(responses, 0), "response_range", &range, NULL) < 0)
		return fail_answer("'responses'", err);
	r = read_kvs(names, range, &page, err);
	if (r < 0 || page.count == 0)
		return r;
	outcome->has_kv = true;
	outcome->mod = page.items[0].mod;
	seal_bytes_release(&outcome->value);
	outcome->value = page.items[0].value;
	memset(&page.items[0].value, 0, sizeof(page.items[0].value));
	return 0;
}

int
etcd_answer_parse(struct etcd_names *names, const void *text, size_t len,
		  struct seal_json **ret_json, uint64_t *ret_revision, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r = seal_json_parse(&json, text, len, ETCD_ANSWER_MAX, err);

	if (r == 0)
		r = check_header(names, json, ret_revision, err);
	if (r == 0)
		*ret_json = SEAL_TAKE(json);
	return r;
}

int
etcd_answer_page(const struct etcd_names *names, const struct seal_json *json,
		 struct etcd_page *page, struct seal_err *err)
{
	int r = get_number(json, "count", &page->total, err);

	return r < 0 ? r : read_kvs(names, json, page, err);
}

int
etcd_answer_outcome(const struct etcd_names *names, const struct seal_json *json,
		    struct etcd_outcome *outcome, struct seal_err *err)
{
	outcome->succeeded = false;
	if (seal_json_has(json, "succeeded") &&
	    seal_json_get_bool(json, "succeeded", &outcome->succeeded, NULL) < 0)
		return fail_answer("'succeeded'", err);
	return outcome->succeeded ? 0 : read_other_branch(names, json, outcome, err);
}
