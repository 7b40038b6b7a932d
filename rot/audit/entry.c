/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry's one spelling, written and read.  The reader is not a JSON parser: it walks the one text that an entry
 * can be, so that two texts never mean the same entry.  Whether an entry is true is not asked here.
 */
#include <inttypes.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/tree.h"

static const char *const kind_names[] = {
#define AUDIT_NAME(name, text) [AUDIT_##name] = (text),
	AUDIT_KINDS(AUDIT_NAME)
#undef AUDIT_NAME
};

const char *
audit_kind_name(enum audit_kind kind)
{
	return kind < AUDIT_KIND_COUNT ? kind_names[kind] : "";
}

int
audit_kind_parse(const char *text, enum audit_kind *ret_kind, struct seal_err *err)
{
	for (size_t i = 0; i < SEAL_COUNT(kind_names); i++) {
		if (strcmp(text, kind_names[i]) != 0)
			continue;
		*ret_kind = (enum audit_kind)i;
		return 0;
	}
	return seal_fail(err, SEAL_E_FORMAT, "'%.32s' is no kind of entry", text);
}

/* ---- What an entry may hold ---- */

static bool
is_printable(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

static int
check_text(const char *name, const char *text, size_t size, struct seal_err *err)
{
	size_t len = strnlen(text, size);

	if (len == size)
		return seal_fail(err, SEAL_E_FORMAT, "%s: longer than %zu bytes", name, size - 1);
	for (size_t i = 0; i < len; i++) {
		if (!is_printable(text[i]))
			return seal_fail(err, SEAL_E_FORMAT, "%s: not printable ASCII", name);
	}
	return 0;
}

static int
check_texts(const struct audit_entry *entry, struct seal_err *err)
{
	int r;

	r = check_text("actor", entry->actor, sizeof(entry->actor), err);
	if (r == 0)
		r = check_text("address", entry->address, sizeof(entry->address), err);
	if (r == 0)
		r = check_text("workload", entry->workload, sizeof(entry->workload), err);
	if (r == 0)
		r = check_text("subject", entry->subject, sizeof(entry->subject), err);
	if (r == 0)
		r = check_text("reason", entry->reason, sizeof(entry->reason), err);
	if (r == 0 && entry->workload[0] != '\0')
		r = seal_workload_check(entry->workload, err);
	return r;
}

static int
check_entry(const struct audit_entry *entry, struct seal_err *err)
{
	if (entry->n >= AUDIT_SIZE_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "n: beyond the end of every log");
	if (entry->time < 0 || entry->time > AUDIT_TIME_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "time: out of range");
	if (entry->kind >= AUDIT_KIND_COUNT)
		return seal_fail(err, SEAL_E_FORMAT, "kind: there is none of that number");
	if (entry->actor[0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "actor: nobody");
	if (entry->refused != (entry->reason[0] != '\0'))
		return seal_fail(err, SEAL_E_FORMAT, "reason: a refusal has one, and nothing else");
	if (entry->count < 1 || entry->count > AUDIT_SIZE_MAX ||
	    (!entry->refused && entry->count != 1))
		return seal_fail(err, SEAL_E_FORMAT, "count: only refusals are counted, from 1");
	return check_texts(entry, err);
}

/* ---- Writing ---- */

/* A text in quotes.  Of printable ASCII, JSON escapes these two and no other (RFC 8259 section 7). */
static int
put_text(struct seal_bytes *out, const char *text, struct seal_err *err)
{
	int r = seal_bytes_append(out, "\"", 1, err);

	while (r == 0 && *text != '\0') {
		size_t plain = strcspn(text, "\"\\");

		r = seal_bytes_append(out, text, plain, err);
		text += plain;
		if (r < 0 || *text == '\0')
			break;
		r = seal_bytes_append(out, "\\", 1, err);
		if (r == 0)
			r = seal_bytes_append(out, text++, 1, err);
	}
	return r < 0 ? r : seal_bytes_append(out, "\"", 1, err);
}

static int
put_member(struct seal_bytes *out, const char *before, const char *text, struct seal_err *err)
{
	int r = seal_bytes_append_str(out, before, err);

	return r < 0 ? r : put_text(out, text, err);
}

int
audit_entry_encode(const struct audit_entry *entry, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
	int r = check_entry(entry, err);

	if (r < 0)
		return seal_note(err, r, "audit entry");
	r = seal_bytes_append_fmt(&text, err, "{\"n\":%" PRIu64 ",\"time\":%" PRId64, entry->n,
				  entry->time);
	if (r == 0)
		r = put_member(&text, ",\"kind\":", audit_kind_name(entry->kind), err);
	if (r == 0)
		r = put_member(&text, ",\"actor\":", entry->actor, err);
	if (r == 0)
		r = put_member(&text, ",\"address\":", entry->address, err);
	if (r == 0)
		r = put_member(&text, ",\"workload\":", entry->workload, err);
	if (r == 0)
		r = put_member(&text, ",\"subject\":", entry->subject, err);
	if (r == 0)
		r = seal_bytes_append_fmt(&text, err, ",\"refused\":%s",
					  entry->refused ? "true" : "false");
	if (r == 0)
		r = put_member(&text, ",\"reason\":", entry->reason, err);
	if (r == 0)
		r = seal_bytes_append_fmt(&text, err, ",\"count\":%" PRIu64 "}", entry->count);
	return r < 0 ? r : seal_bytes_append(out, text.data, text.len, err);
}

/* ---- Reading ---- */

/* Where in the text we are; at NULL once it was not what it must be. */
struct cursor {
	const char *at;
	const char *end;
};

static bool
skip(struct cursor *in, const char *word)
{
	size_t len = strlen(word);

	if (in->at == NULL || (size_t)(in->end - in->at) < len || memcmp(in->at, word, len) != 0) {
		in->at = NULL;
		return false;
	}
	in->at += len;
	return true;
}

/* A decimal number up to AUDIT_SIZE_MAX, without a zero in front. */
static uint64_t
get_number(struct cursor *in, const char *before)
{
	uint64_t value = 0;
	const char *first;

	if (!skip(in, before))
		return 0;
	for (first = in->at; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
		value = 10 * value + (uint64_t)(*in->at - '0');
		if (value > AUDIT_SIZE_MAX || (in->at > first && *first == '0')) {
			in->at = NULL;
			return 0;
		}
	}
	if (in->at == first)
		in->at = NULL;
	return value;
}

static void
get_text(struct cursor *in, const char *before, char *out, size_t size)
{
	size_t len = 0;

	if (!skip(in, before) || !skip(in, "\""))
		return;
	while (in->at < in->end && *in->at != '"' && is_printable(*in->at) && len + 1 < size) {
		if (*in->at == '\\' && ++in->at < in->end && *in->at != '"' && *in->at != '\\')
			break;
		if (in->at < in->end)
			out[len++] = *in->at++;
	}
	out[len] = '\0';
	(void)skip(in, "\""); /* in remembers */
}

static bool
get_bool(struct cursor *in, const char *before)
{
	if (!skip(in, before))
		return false;
	if (in->at < in->end && *in->at == 't')
		return skip(in, "true");
	(void)skip(in, "false"); /* in remembers */
	return false;
}

static int
get_entry(struct cursor *in, struct audit_entry *entry, struct seal_err *err)
{
	char kind[32] = "";

	entry->n = get_number(in, "{\"n\":");
	entry->time = (int64_t)get_number(in, ",\"time\":");
	get_text(in, ",\"kind\":", kind, sizeof(kind));
	get_text(in, ",\"actor\":", entry->actor, sizeof(entry->actor));
	get_text(in, ",\"address\":", entry->address, sizeof(entry->address));
	get_text(in, ",\"workload\":", entry->workload, sizeof(entry->workload));
	get_text(in, ",\"subject\":", entry->subject, sizeof(entry->subject));
	entry->refused = get_bool(in, ",\"refused\":");
	get_text(in, ",\"reason\":", entry->reason, sizeof(entry->reason));
	entry->count = get_number(in, ",\"count\":");
	if (!skip(in, "}") || in->at != in->end)
		return seal_fail(err, SEAL_E_FORMAT, "not spelled as entries are");
	return audit_kind_parse(kind, &entry->kind, err);
}

int
audit_entry_parse(struct audit_entry *ret_entry, const void *data, size_t len, struct seal_err *err)
{
	struct audit_entry entry = { 0 };
	struct cursor in = { .at = data, .end = (const char *)data + len };
	int r;

	if (len == 0 || len > AUDIT_ENTRY_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "an entry has 1 to %u bytes", AUDIT_ENTRY_MAX);
	r = get_entry(&in, &entry, err);
	if (r == 0)
		r = check_entry(&entry, err);
	if (r < 0)
		return r;
	*ret_entry = entry;
	return 0;
}
