/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the value of one key in the YAML file may be.  Every failure names the value's place.
 */
#include "proxy/config_yaml.h"

/* Put the node's place in front of what a setter said. */
int
proxy_fail_at(const struct seal_yaml_node *node, const struct seal_err *inner, struct seal_err *err)
{
	int r = inner->code;

	(void)seal_yaml_fail(node, err, "%s", inner->text); /* its code is always "format" */
	if (err != NULL)
		err->code = r;
	return r;
}

/* "name:line:column".  The room tells places only in sentences: make one and keep its front. */
char *
proxy_place_of(const struct seal_yaml_node *node)
{
	struct seal_err place = { 0 };
	char *end;

	(void)seal_yaml_fail(node, &place, "here");
	end = strrchr(place.text, ':');
	return seal_strndup(place.text,
			    end == NULL ? strlen(place.text) : (size_t)(end - place.text));
}

int
proxy_read_one(const struct proxy_key_target *target, const struct proxy_key *key,
	       const struct seal_yaml_node *node, struct seal_err *err)
{
	struct seal_err inner = { 0 };
	const char *text = NULL;
	int r = seal_yaml_str(node, &text, err);

	if (r < 0)
		return r;
	r = key->set(target->listener, text, &inner);
	return r < 0 ? proxy_fail_at(node, &inner, err) : 0;
}

/* One scalar or a list of them; never an empty list. */
int
proxy_read_each(const struct proxy_key_target *target, const struct proxy_key *key,
		const struct seal_yaml_node *node, struct seal_err *err)
{
	int r = 0;

	if (seal_yaml_kind(node) != SEAL_YAML_LIST)
		return proxy_read_one(target, key, node, err);
	if (seal_yaml_count(node) == 0)
		return seal_yaml_fail(node, err,
				      "%s: the list is empty: leave the key out, or say "
				      "what is meant",
				      key->name);
	for (size_t i = 0; r == 0 && i < seal_yaml_count(node); i++)
		r = proxy_read_one(target, key, seal_yaml_at(node, i), err);
	return r;
}

int
proxy_read_unsafe(const struct proxy_key_target *target, const struct proxy_key *key,
		  const struct seal_yaml_node *node, struct seal_err *err)
{
	bool *at = target->listener != NULL ? &target->listener->unsafe
					    : &target->config->unsafe_metrics;

	(void)key; /* there is one such key per map */
	return seal_yaml_bool(node, at, err);
}

int
proxy_read_captured(const struct proxy_key_target *target, const struct proxy_key *key,
		    const struct seal_yaml_node *node, struct seal_err *err)
{
	struct seal_err inner = { 0 };
	bool captured = false;
	int r = seal_yaml_bool(node, &captured, err);

	(void)key; /* it means the same everywhere */
	if (r < 0)
		return r;
	r = proxy_listener_set_captured(target->listener, captured, &inner);
	return r < 0 ? proxy_fail_at(node, &inner, err) : 0;
}

int
proxy_read_address(const struct proxy_key_target *target, const struct proxy_key *key,
		   const struct seal_yaml_node *node, struct seal_err *err)
{
	struct seal_err inner = { 0 };
	const char *text = NULL;
	char *place;
	int r = seal_yaml_str(node, &text, err);

	if (r < 0)
		return r;
	place = proxy_place_of(node);
	if (place == NULL)
		return seal_fail_memory(err);
	r = proxy_config_set_address(target->config, key->address, text, place, &inner);
	free(place);
	return r < 0 ? proxy_fail_at(node, &inner, err) : 0;
}

int
proxy_read_allow(const struct proxy_key_target *target, const struct proxy_key *key,
		 const struct seal_yaml_node *node, struct seal_err *err)
{
	bool is_list = seal_yaml_kind(node) == SEAL_YAML_LIST;
	size_t count = is_list ? seal_yaml_count(node) : 1;
	int r = 0;

	(void)key; /* only the capture has ports */
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct seal_yaml_node *item = is_list ? seal_yaml_at(node, i) : node;
		struct seal_err inner = { 0 };
		const char *text = NULL;

		r = seal_yaml_str(item, &text, err);
		if (r < 0)
			return r;
		r = proxy_capture_add_allow(&target->config->capture, text, &inner);
		if (r < 0)
			return proxy_fail_at(item, &inner, err);
	}
	return r;
}

static void
put_u32(const struct proxy_key_target *target, const struct proxy_key *key, uint32_t value)
{
	memcpy((char *)target->config + key->offset, &value, sizeof(value));
}

int
proxy_read_count(const struct proxy_key_target *target, const struct proxy_key *key,
		 const struct seal_yaml_node *node, struct seal_err *err)
{
	uint64_t value = 0;
	int r = seal_yaml_u64(node, 0, key->max, &value, err);

	if (r == 0)
		put_u32(target, key, (uint32_t)value);
	return r;
}

int
proxy_read_memory(const struct proxy_key_target *target, const struct proxy_key *key,
		  const struct seal_yaml_node *node, struct seal_err *err)
{
	struct seal_err inner = { 0 };
	const char *text = NULL;
	int r = seal_yaml_str(node, &text, err);

	(void)key; /* there is one size */
	if (r < 0)
		return r;
	r = proxy_memory_parse(text, &target->config->limits.memory, &inner);
	return r < 0 ? proxy_fail_at(node, &inner, err) : 0;
}

int
proxy_read_time(const struct proxy_key_target *target, const struct proxy_key *key,
		const struct seal_yaml_node *node, struct seal_err *err)
{
	struct seal_err inner = { 0 };
	const char *text = NULL;
	uint64_t seconds = 0;
	int r = seal_yaml_str(node, &text, err);

	if (r < 0)
		return r;
	r = seal_duration_parse(text, 1, key->max, &seconds, &inner);
	if (r < 0)
		return proxy_fail_at(node, &inner, err);
	put_u32(target, key, (uint32_t)(seconds * 1000));
	return 0;
}

int
proxy_read_idle(const struct proxy_key_target *target, const struct proxy_key *key,
		const struct seal_yaml_node *node, struct seal_err *err)
{
	struct seal_err inner = { 0 };
	const char *text = NULL;
	int r = seal_yaml_str(node, &text, err);

	(void)key; /* there is one time that may be off */
	if (r < 0)
		return r;
	r = proxy_idle_parse(text, &target->config->idle_ms, &inner);
	return r < 0 ? proxy_fail_at(node, &inner, err) : 0;
}

int
proxy_read_level(const struct proxy_key_target *target, const struct proxy_key *key,
		 const struct seal_yaml_node *node, struct seal_err *err)
{
	struct seal_err inner = { 0 };
	const char *text = NULL;
	int r = seal_yaml_str(node, &text, err);

	(void)key; /* there is one level */
	if (r < 0)
		return r;
	r = seal_level_parse(&target->config->log_level, text, &inner);
	return r < 0 ? proxy_fail_at(node, &inner, err) : 0;
}

int
proxy_read_format(const struct proxy_key_target *target, const struct proxy_key *key,
		  const struct seal_yaml_node *node, struct seal_err *err)
{
	const char *text = NULL;
	int r = seal_yaml_str(node, &text, err);

	(void)key; /* there is one format */
	if (r < 0)
		return r;
	if (strcmp(text, "json") != 0 && strcmp(text, "text") != 0)
		return seal_yaml_fail(node, err, "'%s' is neither text nor json", text);
	target->config->log_json = text[0] == 'j';
	return 0;
}
