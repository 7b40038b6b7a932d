/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/html: whatever is shown, it stays text. */
#include "rot/server/html.h"

#include <criterion/criterion.h>
#include <string.h>

static struct seal_bytes out;
static struct seal_err err;
static struct html html;

static void
setup(void)
{
	seal_bytes_init(&out, 4096);
	err = (struct seal_err){ 0 };
	html = (struct html){ .out = &out, .err = &err };
}

static void
teardown(void)
{
	seal_bytes_release(&out);
}

TestSuite(html, .init = setup, .fini = teardown);

Test(html, escapes_what_stands_for_a_text_and_nothing_else)
{
	html_put(&html, "<p title=\"%s\">%s</p>", "\" onclick='x' &amp;",
		 "<script>alert(1)</script>");
	cr_assert_eq(html.failed, 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&out), "<p title=\"&quot; onclick=&#39;x&#39; &amp;amp;\">"
					       "&lt;script&gt;alert(1)&lt;/script&gt;</p>");
}

Test(html, no_byte_of_a_text_can_open_a_tag_or_end_an_attribute)
{
	for (unsigned c = 1; c < 256; c++) {
		const char text[] = { 'a', (char)c, 'b', '\0' };

		seal_bytes_reset(&out);
		html_put(&html, "%s", text);
		cr_assert_eq(html.failed, 0);
		for (size_t i = 0; i < out.len; i++) {
			cr_expect(out.data[i] >= ' ' && out.data[i] <= '~', "byte %u", c);
			cr_expect_null(strchr("<>\"'", out.data[i]), "byte %u", c);
		}
		cr_expect_eq(out.data[0], 'a');
		cr_expect_eq(out.data[out.len - 1], 'b');
	}
}

Test(html, letters_that_turn_a_line_around_are_shown_as_bytes)
{
	html_put(&html, "%s",
		 "web\xe2\x80\xae"
		 "bd\n");
	cr_expect_str_eq(seal_bytes_str(&out), "web\\xe2\\x80\\xaebd\\x0a");
}

Test(html, numbers_are_numbers)
{
	html_put(&html, "%u %d %d %llu 100%%", 4294967295u, -7, 0, 18446744073709551615ULL);
	cr_expect_eq(html.failed, 0);
	cr_expect_str_eq(seal_bytes_str(&out), "4294967295 -7 0 18446744073709551615 100%");
}

Test(html, a_format_it_does_not_know_is_our_bug)
{
	html_put(&html, "%c", 'x');
	cr_expect_eq(html.failed, SEAL_E_BUG);
	html_put(&html, "more");
	cr_expect_eq(out.len, 0, "the first failure sticks");
}

Test(html, a_document_that_is_too_long_is_said)
{
	for (unsigned i = 0; i < 500; i++)
		html_put(&html, "<p>%s</p>", "0123456789");
	cr_expect_eq(html.failed, SEAL_E_LIMIT);
	cr_expect_leq(out.len, 4096);
}

Test(html, times_are_told_from_now)
{
	html_time(&html, 1800000000, 1800000000 - 3 * 86400);
	cr_expect_str_eq(seal_bytes_str(&out), "<time datetime=\"2027-01-15T08:00:00Z\" "
					       "title=\"2027-01-15 08:00 UTC\">in 3 days</time>");
	seal_bytes_reset(&out);
	html_time(&html, 1800000000, 1800000000 + 7200);
	cr_expect_not_null(strstr(seal_bytes_str(&out), ">2 hours ago<"));
	seal_bytes_reset(&out);
	html_time(&html, 0, 1800000000);
	cr_expect_str_eq(seal_bytes_str(&out), "never");
	seal_bytes_reset(&out);
	html_time(&html, INT64_MAX, 1800000000);
	cr_expect_not_null(strstr(seal_bytes_str(&out), "title=\"never\""));
}

Test(html, spans_are_rounded_down_to_what_says_something)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = { { 0, "0 seconds" },          { 1, "1 second" },
		     { 119, "119 seconds" },      { 120, "2 minutes" },
		     { 7199, "119 minutes" },     { 7200, "2 hours" },
		     { 172799, "47 hours" },      { 172800, "2 days" },
		     { 364 * 86400, "364 days" }, { 730 * 86400, "2 years" } };

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		char text[HTML_TIME_MAX];

		html_format_span(text, rows[i].seconds);
		cr_expect_str_eq(text, rows[i].text);
	}
}
