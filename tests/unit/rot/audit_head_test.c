/* SPDX-License-Identifier: Apache-2.0 */
/* rot/audit/head: signed, read back, and refused in every other form. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/head.h"
#include "rot/audit/tree.h"

static struct seal_key *key;
static struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
static struct audit_head head = { .log = "00112233445566778899aabbccddeeff",
				  .size = 500,
				  .time = 1790000000 };

static void
setup(void)
{
	struct seal_err err = { 0 };

	memset(head.root, 0xab, sizeof(head.root));
	cr_assert_eq(seal_key_new(&key, &err), 0, "%s", err.text);
	cr_assert_eq(audit_head_sign(&head, key, &text, &err), 0, "%s", err.text);
}

static void
teardown(void)
{
	seal_key_free(key);
	seal_bytes_release(&text);
}

TestSuite(audit_head, .init = setup, .fini = teardown);

static void
expect_refused(const void *data, size_t len, const char *what)
{
	struct audit_head read = { .size = 77 };
	int r = audit_head_parse(&read, data, len, NULL);

	cr_expect(r == SEAL_E_FORMAT || r == SEAL_E_UNAUTH, "%s: %d", what, r);
	cr_expect_eq(read.size, 77);
}

/* The lines of a head, to be changed and put together again. */
#define LINES 7
struct lines {
	char line[LINES][256];
};

static void
take_apart(struct lines *lines)
{
	const char *at = seal_bytes_str(&text);

	for (size_t i = 0; i < LINES; i++) {
		size_t len = strcspn(at, "\n");

		cr_assert_eq(at[len], '\n');
		cr_assert_lt(len, sizeof(lines->line[i]));
		memcpy(lines->line[i], at, len);
		lines->line[i][len] = '\0';
		at += len + 1;
	}
	cr_assert_eq(*at, '\0', "more than %d lines", LINES);
}

static size_t
put_together(const struct lines *lines, char out[static AUDIT_HEAD_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < LINES; i++)
		len += (size_t)snprintf(out + len, AUDIT_HEAD_MAX - len, "%s\n", lines->line[i]);
	return len;
}

static void
expect_line_refused(size_t number, const char *by)
{
	char changed[AUDIT_HEAD_MAX];
	struct lines lines;

	take_apart(&lines);
	(void)snprintf(lines.line[number], sizeof(lines.line[number]), "%s", by);
	expect_refused(changed, put_together(&lines, changed), by);
}

/* Not only unsigned: the members themselves are refused, as they are when the signature is right. */
static void
expect_signed_line_refused(size_t number, const char *by)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes resigned = SEAL_BYTES(AUDIT_HEAD_MAX);
	uint8_t signature[SEAL_SIGNATURE_LEN];
	struct audit_head read = { .size = 77 };
	char changed[AUDIT_HEAD_MAX];
	struct lines lines;
	size_t len;

	take_apart(&lines);
	if (by != NULL)
		(void)snprintf(lines.line[number], sizeof(lines.line[number]), "%s", by);
	len = put_together(&lines, changed) - strlen(lines.line[LINES - 1]) - 1;
	cr_assert_eq(seal_key_sign(key, changed, len, signature, NULL), 0);
	cr_assert_eq(seal_bytes_append(&resigned, changed, len, NULL), 0);
	cr_assert_eq(seal_base64url_encode(&resigned, signature, sizeof(signature), NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&resigned, "\n", NULL), 0);
	cr_expect_eq(audit_head_parse(&read, resigned.data, resigned.len, NULL),
		     by == NULL ? 0 : SEAL_E_FORMAT, "line %zu: '%s'", number, by);
}

Test(audit_head, is_read_back_as_it_was_signed)
{
	uint8_t id[SEAL_HASH_LEN];
	struct audit_head read = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(audit_head_parse(&read, text.data, text.len, &err), 0, "%s", err.text);
	cr_expect_str_eq(read.log, head.log);
	cr_expect_eq(read.size, head.size);
	cr_expect_eq(read.time, head.time);
	cr_expect_arr_eq(read.root, head.root, sizeof(head.root));
	cr_assert_eq(seal_key_id(key, id, NULL), 0);
	cr_expect_arr_eq(read.key_id, id, sizeof(id));
}

Test(audit_head, is_the_lines_of_the_document)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes coded = SEAL_BYTES(1024);
	struct lines lines;

	take_apart(&lines);
	cr_expect_str_eq(lines.line[0], "seal-audit-head 1");
	cr_expect_str_eq(lines.line[1], head.log);
	cr_expect_str_eq(lines.line[2], "500");
	cr_expect_str_eq(lines.line[3], "1790000000");
	cr_expect_str_eq(lines.line[4], "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s");
	cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
	cr_assert_eq(seal_base64url_encode(&coded, spki.data, spki.len, NULL), 0);
	cr_expect_str_eq(lines.line[5], seal_bytes_str(&coded));
	cr_expect_eq(strlen(lines.line[6]), 86);
}

Test(audit_head, with_any_bit_changed_is_refused)
{
	for (size_t bit = 0; bit < 8 * text.len; bit++) {
		char what[32];

		(void)snprintf(what, sizeof(what), "bit %zu", bit);
		text.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_refused(text.data, text.len, what);
		text.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

Test(audit_head, cut_or_longer_is_refused)
{
	struct seal_bytes longer = SEAL_BYTES(2 * AUDIT_HEAD_MAX);

	for (size_t len = 0; len < text.len; len++)
		expect_refused(text.data, len, "cut");
	for (unsigned extra = 0; extra < 256; extra++) {
		const uint8_t byte = (uint8_t)extra;

		seal_bytes_reset(&longer);
		cr_assert_eq(seal_bytes_append(&longer, text.data, text.len, NULL), 0);
		cr_assert_eq(seal_bytes_append(&longer, &byte, 1, NULL), 0);
		expect_refused(longer.data, longer.len, "a byte too many");
	}
	while (longer.len <= AUDIT_HEAD_MAX)
		cr_assert_eq(seal_bytes_append(&longer, "\n", 1, NULL), 0);
	expect_refused(longer.data, longer.len, "too long");
	seal_bytes_release(&longer);
}

Test(audit_head, signed_by_another_key_does_not_pass_for_this_ones)
{
	struct seal_bytes theirs = SEAL_BYTES(AUDIT_HEAD_MAX);
	struct seal_key *other = NULL;
	struct audit_head read = { 0 }, ours = { 0 };
	struct lines lines, mixed;
	char changed[AUDIT_HEAD_MAX];

	cr_assert_eq(seal_key_new(&other, NULL), 0);
	cr_assert_eq(audit_head_sign(&head, other, &theirs, NULL), 0);
	cr_assert_eq(audit_head_parse(&read, theirs.data, theirs.len, NULL), 0);
	cr_assert_eq(audit_head_parse(&ours, text.data, text.len, NULL), 0);
	cr_expect_arr_neq(read.key_id, ours.key_id, sizeof(ours.key_id));
	/* Their signature under our key, and our key's name over their signature. */
	take_apart(&lines);
	mixed = lines;
	seal_bytes_reset(&text);
	cr_assert_eq(seal_bytes_append(&text, theirs.data, theirs.len, NULL), 0);
	take_apart(&lines);
	memcpy(mixed.line[6], lines.line[6], sizeof(mixed.line[6]));
	cr_expect_eq(audit_head_parse(&read, changed, put_together(&mixed, changed), NULL),
		     SEAL_E_UNAUTH);
	seal_key_free(other);
	seal_bytes_release(&theirs);
}

Test(audit_head, whose_members_were_changed_is_not_signed)
{
	expect_line_refused(1, "10112233445566778899aabbccddeeff");
	expect_line_refused(2, "499");
	expect_line_refused(2, "501");
	expect_line_refused(3, "1790000001");
	expect_line_refused(4, "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq64");
}

Test(audit_head, has_one_spelling_of_each_member_even_when_signed)
{
	expect_signed_line_refused(0, NULL); /* the way of asking is right */
	expect_signed_line_refused(0, "seal-audit-head 2");
	expect_signed_line_refused(0, "seal-audit-head 1 ");
	expect_signed_line_refused(0, "");
	expect_signed_line_refused(1, "00112233445566778899AABBCCDDEEFF");
	expect_signed_line_refused(1, "00112233445566778899aabbccddeef");
	expect_signed_line_refused(1, "00112233445566778899aabbccddeeff0");
	expect_signed_line_refused(1, "");
	expect_signed_line_refused(2, "0500");
	expect_signed_line_refused(2, "+500");
	expect_signed_line_refused(2, "-1");
	expect_signed_line_refused(2, "500 ");
	expect_signed_line_refused(2, "");
	expect_signed_line_refused(2, "9007199254740992");
	expect_signed_line_refused(2, "18446744073709551616");
	expect_signed_line_refused(3, "01790000000");
	expect_signed_line_refused(3, "253402300800");
	expect_signed_line_refused(4, "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=");
	expect_signed_line_refused(4, "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6t");
	expect_signed_line_refused(4, "q6ur");
	expect_signed_line_refused(4, "");
	expect_signed_line_refused(5, "");
	expect_signed_line_refused(5, "q6ur");
}

/* What follows a NUL is signed and would not be seen. */
Test(audit_head, holds_no_nul_even_when_signed)
{
	for (size_t number = 0; number < LINES - 1; number++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes nul = SEAL_BYTES(AUDIT_HEAD_MAX);
		uint8_t signature[SEAL_SIGNATURE_LEN];
		struct audit_head read;
		struct lines lines;

		take_apart(&lines);
		for (size_t i = 0; i < LINES - 1; i++) {
			cr_assert_eq(seal_bytes_append_str(&nul, lines.line[i], NULL), 0);
			if (i == number)
				cr_assert_eq(seal_bytes_append(&nul, "\0x", 2, NULL), 0);
			cr_assert_eq(seal_bytes_append(&nul, "\n", 1, NULL), 0);
		}
		cr_assert_eq(seal_key_sign(key, nul.data, nul.len, signature, NULL), 0);
		cr_assert_eq(seal_base64url_encode(&nul, signature, sizeof(signature), NULL), 0);
		cr_assert_eq(seal_bytes_append_str(&nul, "\n", NULL), 0);
		cr_expect_eq(audit_head_parse(&read, nul.data, nul.len, NULL), SEAL_E_FORMAT,
			     "line %zu", number);
	}
}

/* The same point, spelled with the hybrid form's first byte or compressed: two texts for one key. */
Test(audit_head, names_its_key_uncompressed)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	const size_t form = 26;

	cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
	cr_assert_eq(spki.len, 91);
	cr_assert_eq(spki.data[form], 4);
	for (uint8_t first = 0; first < 8; first++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes coded = SEAL_BYTES(1024);

		if (first == 4)
			continue;
		spki.data[form] = first;
		cr_assert_eq(seal_base64url_encode(&coded, spki.data, spki.len, NULL), 0);
		expect_signed_line_refused(5, seal_bytes_str(&coded));
	}
}

Test(audit_head, that_cannot_be_is_not_signed)
{
	struct seal_bytes out = SEAL_BYTES(AUDIT_HEAD_MAX);
	struct audit_head bad = head;

	bad.log[0] = 'A';
	cr_expect_eq(audit_head_sign(&bad, key, &out, NULL), SEAL_E_FORMAT);
	bad.log[0] = '\0';
	cr_expect_eq(audit_head_sign(&bad, key, &out, NULL), SEAL_E_FORMAT);
	memset(bad.log, 'a', sizeof(bad.log));
	cr_expect_eq(audit_head_sign(&bad, key, &out, NULL), SEAL_E_FORMAT);
	bad = head;
	bad.size = AUDIT_SIZE_MAX + 1;
	cr_expect_eq(audit_head_sign(&bad, key, &out, NULL), SEAL_E_FORMAT);
	bad = head;
	bad.time = -1;
	cr_expect_eq(audit_head_sign(&bad, key, &out, NULL), SEAL_E_FORMAT);
	bad.time = AUDIT_TIME_MAX + 1;
	cr_expect_eq(audit_head_sign(&bad, key, &out, NULL), SEAL_E_FORMAT);
	cr_expect_eq(out.len, 0);
	bad = head;
	bad.size = AUDIT_SIZE_MAX;
	bad.time = AUDIT_TIME_MAX;
	cr_assert_eq(audit_head_sign(&bad, key, &out, NULL), 0);
	cr_expect_eq(audit_head_parse(&bad, out.data, out.len, NULL), 0);
	seal_bytes_release(&out);
}
