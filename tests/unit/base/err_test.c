/* SPDX-License-Identifier: Apache-2.0 */
/* base/err: codes, sentences that stay one printable line, and handing pointers over. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/err/err.h"

Test(err_names, every_code_has_a_word_of_its_own)
{
	for (int a = SEAL_E_BUG; a <= SEAL_OK; a++) {
		cr_expect_str_neq(seal_code_name(a), "unknown", "code %d", a);
		for (int b = SEAL_E_BUG; b < a; b++)
			cr_expect_str_neq(seal_code_name(a), seal_code_name(b), "%d and %d", a, b);
	}
	cr_expect_str_eq(seal_code_name(SEAL_OK), "ok");
	cr_expect_str_eq(seal_code_name(SEAL_E_REFUSED), "refused");
}

Test(err_names, a_foreign_number_is_unknown_and_never_null)
{
	static const int foreign[] = { 1, 2, INT_MAX, SEAL_E_BUG - 1, -1000, INT_MIN, INT_MIN + 1 };

	for (size_t i = 0; i < SEAL_COUNT(foreign); i++)
		cr_expect_str_eq(seal_code_name(foreign[i]), "unknown", "%d", foreign[i]);
}

Test(err_fail, records_code_and_sentence)
{
	struct seal_err err = { 0 };

	cr_expect_eq(seal_fail(&err, SEAL_E_LIMIT, "more than %d", 7), SEAL_E_LIMIT);
	cr_expect_eq(err.code, SEAL_E_LIMIT);
	cr_expect_str_eq(err.text, "more than 7");
	cr_expect_eq(seal_fail_memory(&err), SEAL_E_MEMORY);
	cr_expect_eq(err.code, SEAL_E_MEMORY);
}

Test(err_fail, works_without_a_place_for_the_sentence)
{
	cr_expect_eq(seal_fail(NULL, SEAL_E_UNAUTH, "%s", "lost"), SEAL_E_UNAUTH);
	cr_expect_eq(seal_fail_errno(NULL, EEXIST, "lost"), SEAL_E_CONFLICT);
	cr_expect_eq(seal_fail_memory(NULL), SEAL_E_MEMORY);
	cr_expect_eq(seal_note(NULL, SEAL_E_FORMAT, "lost"), SEAL_E_FORMAT);
}

Test(err_fail, is_never_a_success)
{
	struct seal_err err = { 0 };

	cr_expect_eq(seal_fail(&err, SEAL_OK, "no failure?"), SEAL_E_BUG);
	cr_expect_eq(err.code, SEAL_E_BUG);
	cr_expect_eq(seal_fail(&err, (enum seal_code)5, "no failure?"), SEAL_E_BUG);
	cr_expect_eq(seal_fail(NULL, SEAL_OK, "no failure?"), SEAL_E_BUG);
}

Test(err_fail, replaces_every_byte_that_is_not_printable_ascii)
{
	for (int c = 1; c < 256; c++) {
		struct seal_err err = { 0 };
		const char text[] = { 'a', (char)c, 'z', '\0' };
		bool printable = c >= ' ' && c <= '~';

		cr_expect_eq(seal_fail(&err, SEAL_E_FORMAT, "%s", text), SEAL_E_FORMAT);
		cr_expect_eq(err.text[0], 'a');
		cr_expect_eq(err.text[1], printable ? (char)c : '?', "byte %d", c);
		cr_expect_str_eq(err.text + 2, "z", "byte %d", c);
	}
}

Test(err_fail, cuts_a_long_sentence_and_ends_it)
{
	char text[2 * SEAL_ERR_TEXT_LEN + 1];
	struct {
		struct seal_err err;
		char behind[16];
	} at;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(&at, '#', sizeof(at));
	for (size_t len = SEAL_ERR_TEXT_LEN - 2; len <= SEAL_ERR_TEXT_LEN + 2; len++) {
		size_t kept = len < SEAL_ERR_TEXT_LEN ? len : SEAL_ERR_TEXT_LEN - 1;

		cr_expect_eq(seal_fail(&at.err, SEAL_E_FORMAT, "%.*s", (int)len, text),
			     SEAL_E_FORMAT);
		cr_expect_eq(strnlen(at.err.text, SEAL_ERR_TEXT_LEN), kept);
	}
	for (size_t i = 0; i < sizeof(at.behind); i++)
		cr_expect_eq(at.behind[i], '#', "wrote behind the sentence");
}

Test(err_errno, maps_what_the_caller_can_act_on)
{
	static const struct {
		int errnum;
		int code;
	} cases[] = {
		{ ENOENT, SEAL_E_MISSING },      { EEXIST, SEAL_E_CONFLICT },
		{ ENOMEM, SEAL_E_MEMORY },       { ETIMEDOUT, SEAL_E_TIMEOUT },
		{ EPIPE, SEAL_E_CLOSED },        { ECONNRESET, SEAL_E_CLOSED },
		{ EACCES, SEAL_E_SYSTEM },       { EIO, SEAL_E_SYSTEM },
		{ ECONNREFUSED, SEAL_E_SYSTEM }, { 0, SEAL_E_SYSTEM },
		{ -1, SEAL_E_SYSTEM },           { 99999, SEAL_E_SYSTEM },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct seal_err err = { 0 };
		int r = seal_fail_errno(&err, cases[i].errnum, "cannot open '%s'", "a\nb");

		cr_expect_eq(r, cases[i].code, "errno %d", cases[i].errnum);
		cr_expect_eq(err.code, cases[i].code);
		cr_expect_eq(strncmp(err.text, "cannot open 'a?b': ", 19), 0, "%s", err.text);
		cr_expect_gt(strlen(err.text), 19);
	}
}

Test(err_errno, keeps_the_sentence_when_there_is_no_room_for_the_reason)
{
	char text[SEAL_ERR_TEXT_LEN + 100];
	struct seal_err err = { 0 };

	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(seal_fail_errno(&err, ENOENT, "%s", text), SEAL_E_MISSING);
	cr_expect_eq(strlen(err.text), SEAL_ERR_TEXT_LEN - 1);
}

Test(err_note, puts_where_in_front_of_what_and_keeps_the_code)
{
	struct seal_err err = { 0 };
	int r = seal_fail(&err, SEAL_E_REFUSED, "no");

	cr_expect_eq(seal_note(&err, r, "file '%s'", "x"), SEAL_E_REFUSED);
	cr_expect_eq(seal_note(&err, r, "start"), SEAL_E_REFUSED);
	cr_expect_str_eq(err.text, "start: file 'x': no");
	cr_expect_eq(err.code, SEAL_E_REFUSED);
}

Test(err_note, a_success_is_no_failure_to_note)
{
	struct seal_err err = { 0 };

	cr_expect_eq(seal_note(&err, 0, "where"), SEAL_E_BUG);
	cr_expect_eq(seal_note(&err, 12, "where"), SEAL_E_BUG);
	cr_expect_eq(err.code, 0);
	cr_expect_str_eq(err.text, "");
}

Test(err_note, gives_a_code_to_a_failure_that_recorded_none)
{
	struct seal_err err = { 0 };

	cr_expect_eq(seal_note(&err, SEAL_E_CLOSED, "where"), SEAL_E_CLOSED);
	cr_expect_eq(err.code, SEAL_E_CLOSED);
}

Test(err_note, records_the_code_it_returns)
{
	struct seal_err err = { 0 };
	int r = seal_fail(&err, SEAL_E_FORMAT, "no serial number");

	cr_expect_eq(r, SEAL_E_FORMAT);
	cr_expect_eq(seal_note(&err, SEAL_E_UNAUTH, "peer"), SEAL_E_UNAUTH);
	cr_expect_eq(err.code, SEAL_E_UNAUTH);
	cr_expect_str_eq(err.text, "peer: no serial number");
}

Test(err_note, stays_one_printable_line_however_often_it_is_repeated)
{
	struct seal_err err = { 0 };
	int r = seal_fail(&err, SEAL_E_FORMAT, "what");

	for (int i = 0; i < 200; i++) {
		cr_expect_eq(seal_note(&err, r, "where\n%d", i), r);
		cr_expect_lt(strnlen(err.text, sizeof(err.text)), sizeof(err.text));
		cr_expect_null(strchr(err.text, '\n'));
	}
	cr_expect_eq(strncmp(err.text, "where?199: where?198: ", 22), 0);
}

Test(err_note, may_repeat_its_own_sentence)
{
	struct seal_err err = { 0 };
	int r = seal_fail(&err, SEAL_E_FORMAT, "twice");

	cr_expect_eq(seal_note(&err, r, "%s", err.text), r);
	cr_expect_str_eq(err.text, "twice: twice");
}

Test(err_take, hands_the_pointer_over_and_leaves_null)
{
	int thing = 7;
	int *mine = &thing;
	int *yours = SEAL_TAKE(mine);

	cr_expect_eq(yours, &thing);
	cr_expect_null(mine);
	cr_expect_null(SEAL_TAKE(mine));
}
