/* SPDX-License-Identifier: Apache-2.0 */
/* rot/audit/entry: what can be said of an event, in one spelling and no other. */
#include <criterion/criterion.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/tree.h"

static const char hatch[] =
	"{\"n\":17,\"time\":1790000000,\"kind\":\"hatch\",\"actor\":\"egg/"
	"00112233445566778899aabbccddeeff\",\"address\":\"192.0.2.7:40000\",\"workload\":\"shop\","
	"\"subject\":\"web 4001\",\"refused\":false,\"reason\":\"\",\"count\":1}";
static const char refusal[] =
	"{\"n\":0,\"time\":0,\"kind\":\"refusals\",\"actor\":\"nobody\",\"address\":\"\","
	"\"workload\":\"\",\"subject\":\"\",\"refused\":true,\"reason\":\"a \\\"quote\\\" and a "
	"\\\\\",\"count\":9007199254740991}";

static const struct audit_entry hatch_entry = { .n = 17,
						.time = 1790000000,
						.kind = AUDIT_HATCH,
						.actor = "egg/00112233445566778899aabbccddeeff",
						.address = "192.0.2.7:40000",
						.workload = "shop",
						.subject = "web 4001",
						.count = 1 };

static void
expect_text(const struct audit_entry *entry, const char *want)
{
	struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
	struct seal_err err = { 0 };

	cr_assert_eq(audit_entry_encode(entry, &text, &err), 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&text), want);
	seal_bytes_release(&text);
}

static void
expect_no_text(const struct audit_entry *entry, const char *what)
{
	struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
	struct seal_err err = { 0 };

	cr_expect_eq(audit_entry_encode(entry, &text, &err), SEAL_E_FORMAT, "written: %s", what);
	cr_expect_eq(text.len, 0, "something was written: %s", what);
	cr_expect_neq(err.text[0], '\0', "no sentence: %s", what);
	seal_bytes_release(&text);
}

static void
expect_refused(const char *text, size_t len)
{
	struct audit_entry entry = { .n = 77 };
	struct seal_err err = { 0 };

	cr_expect_eq(audit_entry_parse(&entry, text, len, &err), SEAL_E_FORMAT, "read: %.*s",
		     (int)len, text);
	cr_expect_eq(entry.n, 77);
}

/* The good text with one part replaced: refused. */
static void
expect_swap_refused(const char *good, const char *part, const char *by)
{
	char text[2 * AUDIT_ENTRY_MAX];
	const char *at = strstr(good, part);

	cr_assert_not_null(at, "no %s in the text", part);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, by,
		       at + strlen(part));
	expect_refused(text, strlen(text));
}

Test(audit_entry, is_one_line_of_json_with_all_members_in_order)
{
	const struct audit_entry counted = { .kind = AUDIT_REFUSALS,
					     .actor = "nobody",
					     .refused = true,
					     .reason = "a \"quote\" and a \\",
					     .count = AUDIT_SIZE_MAX };

	expect_text(&hatch_entry, hatch);
	expect_text(&counted, refusal);
}

Test(audit_entry, is_read_back_as_it_was_written)
{
	struct audit_entry entry = { 0 };

	cr_assert_eq(audit_entry_parse(&entry, hatch, strlen(hatch), NULL), 0);
	cr_expect_eq(memcmp(&entry, &hatch_entry, sizeof(entry)), 0);
	cr_assert_eq(audit_entry_parse(&entry, refusal, strlen(refusal), NULL), 0);
	cr_expect_str_eq(entry.reason, "a \"quote\" and a \\");
	cr_expect(entry.refused);
	cr_expect_eq(entry.count, AUDIT_SIZE_MAX);
}

Test(audit_entry, of_every_kind_is_written_and_read)
{
	struct audit_entry entry = hatch_entry, read;

	for (unsigned kind = 0; kind < AUDIT_KIND_COUNT; kind++) {
		struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
		enum audit_kind found = AUDIT_KIND_COUNT;

		entry.kind = (enum audit_kind)kind;
		cr_assert_eq(audit_entry_encode(&entry, &text, NULL), 0);
		cr_assert_eq(audit_entry_parse(&read, text.data, text.len, NULL), 0);
		cr_expect_eq(read.kind, entry.kind);
		cr_assert_eq(audit_kind_parse(audit_kind_name(entry.kind), &found, NULL), 0);
		cr_expect_eq(found, entry.kind, "two kinds are called %s",
			     audit_kind_name(entry.kind));
		seal_bytes_release(&text);
	}
}

Test(audit_entry, has_kinds_with_names_that_are_listed_only)
{
	static const char *const none[] = { "", "Hatch", "hatch ", "hatc", "init\n", "ca", "*" };
	enum audit_kind kind = AUDIT_SEAL;

	for (size_t i = 0; i < SEAL_COUNT(none); i++)
		cr_expect_eq(audit_kind_parse(none[i], &kind, NULL), SEAL_E_FORMAT, "%s", none[i]);
	cr_expect_eq(kind, AUDIT_SEAL);
	cr_expect_str_eq(audit_kind_name(AUDIT_KIND_COUNT), "");
	expect_swap_refused(hatch, "\"hatch\"", "\"hatched\"");
	expect_swap_refused(hatch, "\"hatch\"", "\"\"");
	expect_swap_refused(hatch, "\"hatch\"", "\"a-name-that-is-longer-than-every-kind\"");
}

Test(audit_entry, with_one_byte_more_or_less_anywhere_is_refused)
{
	char text[AUDIT_ENTRY_MAX];
	size_t len = strlen(hatch);

	for (size_t i = 0; i < len; i++) {
		expect_refused(hatch, i);
		/* Without a byte of a text it is another entry, and rightly read. */
		if (strchr("{}\":,", hatch[i]) == NULL)
			continue;
		if (hatch[i] == ':' && hatch[i + 1] == '4')
			continue; /* of the address */
		memcpy(text, hatch, i);
		memcpy(text + i, hatch + i + 1, len - i - 1);
		expect_refused(text, len - 1);
	}
	for (size_t i = 0; i <= len; i++) {
		for (const char *extra = "\t\n\r\x01\x7f\x80"; *extra != '\0'; extra++) {
			memcpy(text, hatch, i);
			text[i] = *extra;
			memcpy(text + i + 1, hatch + i, len - i);
			expect_refused(text, len + 1);
		}
		text[i] = '\0';
		expect_refused(text, len + 1);
	}
}

Test(audit_entry, with_its_members_in_any_other_order_is_refused)
{
	static const char *const members[] = {
		"\"n\":17",          "\"time\":1790000000", "\"kind\":\"hatch\"",
		"\"actor\":\"rot\"", "\"address\":\"\"",    "\"workload\":\"shop\"",
		"\"subject\":\"\"",  "\"refused\":false",   "\"reason\":\"\"",
		"\"count\":1",
	};
	const size_t count = SEAL_COUNT(members);
	char text[1024];

	for (size_t a = 0; a < count; a++) {
		for (size_t b = a; b < count; b++) {
			struct audit_entry entry;
			size_t len = 0;

			for (size_t i = 0; i < count; i++) {
				size_t from = i == a ? b : i == b ? a : i;

				len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%s",
							i == 0 ? '{' : ',', members[from]);
			}
			len += (size_t)snprintf(text + len, sizeof(text) - len, "}");
			if (a == b)
				cr_expect_eq(audit_entry_parse(&entry, text, len, NULL), 0);
			else
				expect_refused(text, len);
		}
	}
}

Test(audit_entry, with_a_member_missing_twice_or_unknown_is_refused)
{
	expect_swap_refused(hatch, "\"n\":17,", "");
	expect_swap_refused(hatch, "\"time\":1790000000,", "");
	expect_swap_refused(hatch, "\"kind\":\"hatch\",", "");
	expect_swap_refused(hatch, "\"workload\":\"shop\",", "");
	expect_swap_refused(hatch, "\"refused\":false,", "");
	expect_swap_refused(hatch, ",\"count\":1", "");
	expect_swap_refused(hatch, "\"reason\":\"\",", "");
	expect_swap_refused(hatch, "\"n\":17,", "\"n\":17,\"n\":17,");
	expect_swap_refused(hatch, ",\"count\":1", ",\"count\":1,\"count\":1");
	expect_swap_refused(hatch, ",\"count\":1", ",\"count\":1,\"more\":1");
	expect_swap_refused(hatch, "{", "{\"more\":1,");
	expect_swap_refused(hatch, "\"n\"", "\"N\"");
}

Test(audit_entry, with_a_blank_between_its_parts_is_refused)
{
	static const char *const parts[] = { "{",         "\"n\"", "17", ",\"time\"",
					     "\"hatch\"", "false", "1}" };
	char by[64];

	for (size_t i = 0; i < SEAL_COUNT(parts); i++) {
		(void)snprintf(by, sizeof(by), " %s", parts[i]);
		expect_swap_refused(hatch, parts[i], by);
		(void)snprintf(by, sizeof(by), "%s ", parts[i]);
		expect_swap_refused(hatch, parts[i], by);
	}
}

Test(audit_entry, spells_texts_with_the_two_escapes_that_it_must_and_no_other)
{
	expect_swap_refused(hatch, "shop", "sh\\u006fp");
	expect_swap_refused(hatch, "web 4001", "web\\/4001");
	expect_swap_refused(hatch, "web 4001", "web\\n4001");
	expect_swap_refused(hatch, "web 4001", "web\\");
	expect_swap_refused(hatch, "web 4001", "web\"4001");
	expect_swap_refused(hatch, "web 4001", "caf\xc3\xa9");
	expect_swap_refused(hatch, "\"kind\"", "\"k\\u0069nd\"");
	expect_swap_refused(refusal, "\\\\\"", "\\\"");
	expect_swap_refused(refusal, "\\\"quote", "\"quote");
}

Test(audit_entry, spells_numbers_and_truths_in_one_way)
{
	static const char *const numbers[] = { "017",
					       "+17",
					       "-17",
					       "17.0",
					       "17e0",
					       "1.7e1",
					       "0x11",
					       "\"17\"",
					       "",
					       "null",
					       "9007199254740991",
					       "18446744073709551633",
					       "99999999999999999999" };

	for (size_t i = 0; i < SEAL_COUNT(numbers); i++) {
		char by[64];

		(void)snprintf(by, sizeof(by), "%s,", numbers[i]);
		expect_swap_refused(hatch, "17,", by);
	}
	expect_swap_refused(hatch, "1790000000", "01790000000");
	expect_swap_refused(hatch, "1790000000", "-1");
	expect_swap_refused(hatch, "1790000000", "253402300800");
	expect_swap_refused(hatch, "1790000000", "1790000000.0");
	expect_swap_refused(hatch, "false", "0");
	expect_swap_refused(hatch, "false", "null");
	expect_swap_refused(hatch, "false", "False");
	expect_swap_refused(hatch, "false", "\"false\"");
	expect_swap_refused(refusal, "true", "tru");
}

Test(audit_entry, refuses_what_contradicts_itself)
{
	expect_swap_refused(hatch, "false", "true");
	expect_swap_refused(hatch, "\"reason\":\"\"", "\"reason\":\"why\"");
	expect_swap_refused(hatch, "\"count\":1", "\"count\":2");
	expect_swap_refused(hatch, "\"count\":1", "\"count\":0");
	expect_swap_refused(refusal, "9007199254740991", "0");
	expect_swap_refused(refusal, "9007199254740991", "9007199254740992");
	expect_swap_refused(refusal, "true", "false");
	expect_swap_refused(refusal, "nobody", "");
	expect_swap_refused(hatch, "shop", "Shop");
	expect_swap_refused(hatch, "shop", "sh");
	expect_swap_refused(hatch, "shop", "../shop");
	expect_refused("", 0);
	expect_refused("{}", 2);
	expect_refused("[]", 2);
}

static void
expect_changed_refused(void (*change)(struct audit_entry *entry), const char *what)
{
	struct audit_entry entry = hatch_entry;

	change(&entry);
	expect_no_text(&entry, what);
}

#define SET(field, text) (void)snprintf(entry->field, sizeof(entry->field), "%s", (text))
#define CHANGE(name, statement)                                                                    \
	static void name(struct audit_entry *entry)                                                \
	{                                                                                          \
		statement;                                                                         \
	}
CHANGE(no_place, entry->n = AUDIT_SIZE_MAX)
CHANGE(no_time, entry->time = -1)
CHANGE(far_time, entry->time = AUDIT_TIME_MAX + 1)
CHANGE(no_kind, entry->kind = AUDIT_KIND_COUNT)
CHANGE(no_actor, entry->actor[0] = '\0')
CHANGE(no_workload, SET(workload, "Shop"))
CHANGE(no_reason, entry->refused = true)
CHANGE(no_refusal, SET(reason, "why"))
CHANGE(no_count, entry->count = 0)
CHANGE(two_counts, entry->count = 2)
CHANGE(line_break, SET(subject, "a\nb"))
CHANGE(delete_sign, SET(subject, "a\x7f"))
CHANGE(utf8, SET(actor, "caf\xc3\xa9"))
CHANGE(escape_sequence, SET(address, "\x1b[2J"))
CHANGE(endless, memset(entry->subject, 'x', sizeof(entry->subject)))

Test(audit_entry, that_cannot_be_is_not_written)
{
	expect_changed_refused(no_place, "n");
	expect_changed_refused(no_time, "a negative time");
	expect_changed_refused(far_time, "a time after the year 9999");
	expect_changed_refused(no_kind, "no kind");
	expect_changed_refused(no_actor, "no actor");
	expect_changed_refused(no_workload, "a workload that is none");
	expect_changed_refused(no_reason, "a refusal without a reason");
	expect_changed_refused(no_refusal, "a reason without a refusal");
	expect_changed_refused(no_count, "a count of none");
	expect_changed_refused(two_counts, "two of what was not refused");
	expect_changed_refused(line_break, "a line break");
	expect_changed_refused(delete_sign, "a control character");
	expect_changed_refused(utf8, "letters beyond ASCII");
	expect_changed_refused(escape_sequence, "an escape sequence");
	expect_changed_refused(endless, "a text without an end");
}

Test(audit_entry, of_the_longest_texts_fits_and_of_longer_ones_is_refused)
{
	struct audit_entry entry = { .n = AUDIT_SIZE_MAX - 1,
				     .time = AUDIT_TIME_MAX,
				     .kind = AUDIT_REFUSALS,
				     .refused = true,
				     .count = AUDIT_SIZE_MAX },
			   read;
	struct seal_bytes text = SEAL_BYTES(2 * AUDIT_ENTRY_MAX);

	memset(entry.actor, '"', sizeof(entry.actor) - 1);
	memset(entry.address, '\\', sizeof(entry.address) - 1);
	memset(entry.workload, 'w', sizeof(entry.workload) - 1);
	memset(entry.subject, '"', sizeof(entry.subject) - 1);
	memset(entry.reason, '"', sizeof(entry.reason) - 1);
	cr_assert_eq(audit_entry_encode(&entry, &text, NULL), 0);
	cr_assert_leq(text.len, AUDIT_ENTRY_MAX);
	cr_assert_eq(audit_entry_parse(&read, text.data, text.len, NULL), 0);
	cr_expect_eq(memcmp(&read, &entry, sizeof(read)), 0);
	expect_swap_refused(seal_bytes_str(&text), "\"actor\":\"", "\"actor\":\"x");
	expect_swap_refused(seal_bytes_str(&text), "\"address\":\"", "\"address\":\"x");
	expect_swap_refused(seal_bytes_str(&text), "\"workload\":\"", "\"workload\":\"x");
	expect_swap_refused(seal_bytes_str(&text), "\"subject\":\"", "\"subject\":\"x");
	expect_swap_refused(seal_bytes_str(&text), "\"reason\":\"", "\"reason\":\"\\\"");
	seal_bytes_release(&text);
}
