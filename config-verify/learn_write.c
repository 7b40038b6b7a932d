/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proposal as text.  Every value is written as JSON, which is YAML and cannot be taken for anything else;
 * comments are our own words, none of them the container's.
 */

#include <string.h>

#include "config-verify/learn_internal.h"

#define TEXT_MAX (1024u * 1024) /* of one value: a name with all its networks is the longest */

static const struct {
	const char *name;
	const char *comment;
} sections[] = {
	{ "version", NULL },
	{ "mode", "audit: report what is wrong, and let the application run" },
	{ "root", "file system and layers of the image; leave out what differs from node to node" },
	{ "mounts", "all that is mounted besides what every runtime mounts" },
	{ "pod", "where names are generated, hostnamePrefix instead of hostname" },
	{ "hosts", "names in /etc/hosts that are not the pod's own, and where each may lead" },
	{ "resolv", "pins; networks (10.96.0.0/12) where servers change" },
	{ "account", "the service account, its token's issuer, and certificates by their digest" },
	{ "services", "variables of the namespace's services (enableServiceLinks)" },
};

/* The code point at *at, of text that base/json has checked to be UTF-8; *at moves behind it. */
static uint32_t
next_point(const char **at)
{
	const uint8_t first = (uint8_t) * *at;
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
	uint32_t point = more == 0 ? first : first & (0x3fu >> more);

	for (*at += 1; more > 0 && **at != '\0'; more--, *at += 1)
		point = point << 6 | ((uint8_t) * *at & 0x3fu);
	return point;
}

/* JSON escapes what YAML does not take but for DEL and some that are not ASCII: these stand in strings only. */
static int
put_ascii(struct seal_bytes *out, const char *text, const char *end, struct seal_err *err)
{
	int r = 0;

	while (r == 0 && text < end) {
		const uint32_t point = next_point(&text);

		if (point < 0x7f)
			r = seal_bytes_append_fmt(out, err, "%c", (int)point);
		else if (point <= 0xffff)
			r = seal_bytes_append_fmt(out, err, "\\u%04x", (unsigned)point);
		else
			r = seal_bytes_append_fmt(out, err, "\\U%08x", (unsigned)point);
	}
	return r;
}

static int
put_json(struct seal_bytes *out, const struct seal_json *value, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *box = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(TEXT_MAX);
	int r;

	seal_json_set_copy(box, "x", value);
	r = seal_json_dump(box, false, &text, err);
	if (r < 0)
		return r;
	/* {"x":...} */
	return put_ascii(out, strchr(seal_bytes_str(&text), ':') + 1,
			 seal_bytes_str(&text) + text.len - 1, err);
}

/* What a line deserves to be looked at for. */
static const char *
remark(const struct seal_json *item)
{
	const char *text = NULL;

	if (seal_json_kind(item) != SEAL_JSON_OBJECT)
		return "";
	if (seal_json_get_str(item, "propagation", &text, NULL) == 0)
		return " # what the host mounts later appears here";
	if (seal_json_get_str(item, "source", &text, NULL) == 0 && strcmp(text, "volume") == 0)
		return " # the host can read and write it";
	return "";
}

static int
put_list(struct seal_bytes *out, const struct seal_json *list, const char *indent,
	 struct seal_err *err)
{
	int r = seal_bytes_append_str(out, seal_json_count(list) == 0 ? " []\n" : "\n", err);

	for (size_t i = 0; r == 0 && i < seal_json_count(list); i++) {
		const struct seal_json *item = seal_json_at(list, i);

		r = seal_bytes_append_fmt(out, err, "%s- ", indent);
		if (r == 0)
			r = put_json(out, item, err);
		if (r == 0)
			r = seal_bytes_append_fmt(out, err, "%s\n", remark(item));
	}
	return r;
}

static int
put_member(struct seal_bytes *out, const char *name, const struct seal_json *value,
	   const char *indent, const char *inner, struct seal_err *err)
{
	int r = seal_bytes_append_fmt(out, err, "%s%s:", indent, name);

	if (r == 0 && seal_json_kind(value) == SEAL_JSON_ARRAY)
		return put_list(out, value, inner, err);
	if (r == 0)
		r = seal_bytes_append_str(out, " ", err);
	if (r == 0)
		r = put_json(out, value, err);
	return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
}

static int
put_section(struct seal_bytes *out, const char *name, const struct seal_json *value,
	    struct seal_err *err)
{
	const char *member = NULL;
	int r;

	if (seal_json_kind(value) != SEAL_JSON_OBJECT || seal_json_next(value, NULL) == NULL)
		return put_member(out, name, value, "", "  ", err);
	r = seal_bytes_append_fmt(out, err, "%s:\n", name);
	while (r == 0 && (member = seal_json_next(value, member)) != NULL)
		r = put_member(out, member, seal_json_member(value, member), "  ", "    ", err);
	return r;
}

int
verify_learn_write(const struct seal_json *policy, bool is_yaml, struct seal_bytes *out,
		   struct seal_err *err)
{
	int r;

	if (!is_yaml) {
		r = seal_json_dump(policy, true, out, err);
		return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
	}
	r = seal_bytes_append_str(out,
				  "# Proposed by seal-verify --learn from a running container.\n"
				  "# Look at each line: this says what is, not what should be.\n",
				  err);
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(sections); i++) {
		const struct seal_json *value = seal_json_member(policy, sections[i].name);

		if (value == NULL)
			continue;
		if (sections[i].comment != NULL)
			r = seal_bytes_append_fmt(out, err, "\n# %s\n", sections[i].comment);
		if (r == 0)
			r = put_section(out, sections[i].name, value, err);
	}
	return r;
}
