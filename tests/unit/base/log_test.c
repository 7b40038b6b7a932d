/* SPDX-License-Identifier: Apache-2.0 */
/* base/log: lines that nobody can forge, in both formats; levels; the limiter. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/json/json.h"
#include "base/log/log.h"

#define BYTES     SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define JSON      SEAL_SCOPED(seal_json_freep) struct seal_json *
#define LINE_MOST 4096

/* Everything written to standard error between these two. */
static int saved_stderr, captured;

static void
begin_capture(void)
{
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	captured = memfd_create("log", MFD_CLOEXEC);
	cr_assert(saved_stderr >= 0 && captured >= 0);
	/* As a terminal, a pipe or a log file would: writers of a memfd share no position otherwise. */
	cr_assert_eq(fcntl(captured, F_SETFL, O_APPEND), 0);
	cr_assert_geq(dup2(captured, STDERR_FILENO), 0);
}

static void
end_capture(struct seal_bytes *out)
{
	char chunk[4096];
	ssize_t n;
	off_t at = 0;

	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	while ((n = pread(captured, chunk, sizeof(chunk), at)) > 0) {
		cr_assert_eq(seal_bytes_append(out, chunk, (size_t)n, NULL), 0);
		at += n;
	}
	(void)close(captured);
}

/* One line: printable ASCII, its newline at the end and nowhere else, not beyond what is atomic. */
static void
expect_one_line(const struct seal_bytes *line)
{
	const char *text = seal_bytes_str(line);

	cr_assert_gt(line->len, 0);
	cr_expect_leq(line->len, LINE_MOST);
	cr_expect_eq(strlen(text), line->len, "a NUL inside");
	cr_expect_eq(strchr(text, '\n'), text + line->len - 1, "not one line: %s", text);
	for (size_t i = 0; i + 1 < line->len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			cr_assert_fail("byte %d at %zu", text[i], i);
	}
}

static void
log_str(struct seal_bytes *out, bool json, const char *value)
{
	seal_log_setup("prog", SEAL_LOG_INFO, json);
	begin_capture();
	seal_log(SEAL_LOG_WARN, "thing_happened", SEAL_STR("value", value), SEAL_U64("conn", 7));
	end_capture(out);
	expect_one_line(out);
}

/* Parse a line in the JSON form. */
static struct seal_json *
read_back(const struct seal_bytes *line)
{
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_json_parse(&json, line->data, line->len, LINE_MOST, &err), 0, "%s: %s",
		     err.text, seal_bytes_str(line));
	return json;
}

static const char *
member(const struct seal_json *json, const char *name)
{
	const char *str = NULL;

	cr_assert_eq(seal_json_get_str(json, name, &str, NULL), 0, "no member %s", name);
	return str;
}

/* Bytes are logged one by one, as if each were a character (ISO 8859-1). */
static void
latin1(char *to, const char *from)
{
	for (; *from != '\0'; from++) {
		unsigned char c = (unsigned char)*from;

		if (c >= 0x80)
			*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
	}
	*to = '\0';
}

static const char *const hostile[] = {
	"",
	"plain",
	"two words",
	"line\nlevel=error event=forged",
	"\r\n",
	"\" event=forged peer=\"",
	"\",\"event\":\"forged",
	"\\",
	"\\\"",
	"\\n",
	"\\u0022",
	"ends in a backslash\\",
	"a=b c=d",
	"{}[],:",
	"\t\b\f\v\a\033[31mred\033[0m",
	"\x7f",
	"caf\xc3\xa9",
	"\xff\xfe\x80\xc0\xaf",
	"\xed\xa0\x80",
	"\xe2\x80\xae right to left",
	"%s%n%d%%",
	"'single'",
	"null",
	"true",
};

Test(log_json, every_hostile_text_comes_back_as_itself)
{
	for (size_t i = 0; i < SEAL_COUNT(hostile); i++) {
		BYTES line = SEAL_BYTES(100000);
		JSON json = NULL;
		char want[256];
		uint64_t conn = 0;

		log_str(&line, true, hostile[i]);
		json = read_back(&line);
		latin1(want, hostile[i]);
		cr_expect_str_eq(member(json, "value"), want);
		cr_expect_str_eq(member(json, "event"), "thing_happened");
		cr_expect_str_eq(member(json, "level"), "warn");
		cr_expect_str_eq(member(json, "program"), "prog");
		cr_expect_eq(seal_json_get_u64(json, "conn", 7, &conn, NULL), 0);
		cr_expect_eq(conn, 7);
	}
}

Test(log_json, every_single_byte_comes_back_as_itself)
{
	for (int c = 1; c < 256; c++) {
		BYTES line = SEAL_BYTES(10000);
		JSON json = NULL;
		const char text[] = { 'a', (char)c, 'z', '\0' };
		char want[8];

		log_str(&line, true, text);
		json = read_back(&line);
		latin1(want, text);
		cr_expect_str_eq(member(json, "value"), want, "byte %d", c);
	}
}

/* Undo the quoting of the text format: what stands at at must be "..." and then end. */
static void
expect_quoted(const char *at, const char *value, const char *end)
{
	cr_assert_eq(*at++, '"');
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;
		char code[8];

		if (c < ' ' || c > '~') {
			(void)snprintf(code, sizeof(code), "\\u%04x", c);
			cr_assert_eq(strncmp(at, code, 6), 0, "%s", at);
			at += 6;
			continue;
		}
		if (c == '"' || c == '\\')
			cr_assert_eq(*at++, '\\');
		cr_assert_eq((unsigned char)*at++, c);
	}
	cr_expect_str_eq(at, end);
}

Test(log_text, hostile_text_stays_inside_its_quotes)
{
	for (size_t i = 0; i < SEAL_COUNT(hostile); i++) {
		BYTES line = SEAL_BYTES(100000);
		const char *at;

		log_str(&line, false, hostile[i]);
		at = strstr(seal_bytes_str(&line), " value=");
		cr_assert_not_null(at);
		expect_quoted(at + 7, hostile[i], "\" conn=7\n");
	}
}

Test(log_text, opens_with_time_program_level_and_event)
{
	BYTES line = SEAL_BYTES(10000);
	unsigned year, month, day, hour, minute, second, milli;
	int used = 0;

	log_str(&line, false, "x");
	cr_assert_eq(sscanf(seal_bytes_str(&line), "ts=%4u-%2u-%2uT%2u:%2u:%2u.%3uZ%n", &year,
			    &month, &day, &hour, &minute, &second, &milli, &used),
		     7);
	cr_expect_eq(used, 27);
	cr_expect_geq(year, 2024);
	cr_expect_str_eq(seal_bytes_str(&line) + used,
			 " program=prog level=warn event=thing_happened value=\"x\" conn=7\n");
}

static void
log_all_types(void)
{
	seal_log(SEAL_LOG_INFO, "types", SEAL_U64("zero", 0), SEAL_U64("most", UINT64_MAX),
		 SEAL_BOOL("yes", true), SEAL_BOOL("no", false), SEAL_STR("nothing", NULL));
}

Test(log_fields, every_type_has_its_form_in_both_formats)
{
	BYTES text = SEAL_BYTES(10000);
	BYTES json = SEAL_BYTES(10000);

	seal_log_setup("prog", SEAL_LOG_INFO, false);
	begin_capture();
	log_all_types();
	end_capture(&text);
	seal_log_setup("prog", SEAL_LOG_INFO, true);
	begin_capture();
	log_all_types();
	end_capture(&json);
	cr_expect_not_null(
		strstr(seal_bytes_str(&text),
		       " zero=0 most=18446744073709551615 yes=true no=false nothing=\"\"\n"));
	cr_expect_not_null(strstr(seal_bytes_str(&json),
				  ",\"zero\":0,\"most\":18446744073709551615,\"yes\":true,"
				  "\"no\":false,\"nothing\":null}\n"));
}

Test(log_fields, an_event_alone_is_a_line)
{
	for (int json = 0; json < 2; json++) {
		BYTES line = SEAL_BYTES(10000);

		seal_log_setup("prog", SEAL_LOG_INFO, json != 0);
		begin_capture();
		seal_log(SEAL_LOG_ERROR, "alone");
		end_capture(&line);
		expect_one_line(&line);
		cr_expect_not_null(strstr(seal_bytes_str(&line), json != 0
									 ? ",\"event\":\"alone\"}\n"
									 : " event=alone\n"));
	}
}

Test(log_fields, names_that_are_no_words_are_quoted)
{
	BYTES line = SEAL_BYTES(10000);

	seal_log_setup("a program", SEAL_LOG_INFO, false);
	begin_capture();
	seal_log(SEAL_LOG_INFO, "two words");
	end_capture(&line);
	cr_expect_not_null(strstr(seal_bytes_str(&line),
				  " program=\"a program\" level=info event=\"two words\"\n"));
}

/* A text of len bytes c. */
static const char *
repeat(char *to, char c, size_t len)
{
	memset(to, c, len);
	to[len] = '\0';
	return to;
}

Test(log_limits, a_long_value_is_cut_and_the_line_is_still_whole)
{
	static char text[20001];
	static const char letters[] = { 'a', '"', '\n', '\xff' };
	static const size_t lens[] = { 500, 600, 1000, 1100, 2000, 3950, 4000, 4096, 20000 };

	for (size_t l = 0; l < sizeof(letters); l++) {
		for (size_t i = 0; i < SEAL_COUNT(lens); i++) {
			BYTES plain = SEAL_BYTES(100000);
			BYTES line = SEAL_BYTES(100000);
			JSON json = NULL;

			log_str(&plain, false, repeat(text, letters[l], lens[i]));
			log_str(&line, true, text);
			json = read_back(&line);
			cr_expect_gt(strlen(member(json, "value")), 150);
		}
	}
}

Test(log_limits, a_hostile_value_cannot_push_the_fields_behind_it_out_of_the_line)
{
	static char text[20001];

	(void)repeat(text, '\n', 20000);
	for (int json = 0; json < 2; json++) {
		BYTES line = SEAL_BYTES(100000);

		log_str(&line, json != 0, text);
		cr_expect_not_null(
			strstr(seal_bytes_str(&line), json != 0 ? ",\"conn\":7}\n" : " conn=7\n"));
	}
}

Test(log_limits, an_event_or_program_of_any_length_stays_in_the_line)
{
	static char text[20001];
	static const size_t lens[] = { 1000, 4000, 4060, 4096, 5000, 20000 };

	for (size_t i = 0; i < SEAL_COUNT(lens); i++) {
		for (int json = 0; json < 2; json++) {
			BYTES event = SEAL_BYTES(100000);
			BYTES program = SEAL_BYTES(100000);

			(void)repeat(text, 'e', lens[i]);
			seal_log_setup("prog", SEAL_LOG_INFO, json != 0);
			begin_capture();
			seal_log(SEAL_LOG_INFO, text, SEAL_U64("conn", 7));
			end_capture(&event);
			expect_one_line(&event);
			seal_log_setup(text, SEAL_LOG_INFO, json != 0);
			begin_capture();
			seal_log(SEAL_LOG_INFO, "event", SEAL_U64("conn", 7));
			end_capture(&program);
			expect_one_line(&program);
		}
	}
}

Test(log_limits, very_many_fields_make_one_whole_line)
{
	static struct seal_field fields[2001];

	fields[0] = SEAL_STR("event", "many");
	for (size_t i = 1; i < 2000; i++)
		fields[i] = i % 2 == 0 ? SEAL_U64("a_number", UINT64_MAX) : SEAL_STR("s", "text");
	for (int json = 0; json < 2; json++) {
		BYTES line = SEAL_BYTES(100000);

		seal_log_setup("prog", SEAL_LOG_INFO, json != 0);
		begin_capture();
		seal_log_fields(SEAL_LOG_INFO, fields);
		end_capture(&line);
		expect_one_line(&line);
		cr_expect_gt(line.len, 3000);
	}
}

Test(log_level, nothing_below_the_level_is_written)
{
	for (int at = SEAL_LOG_ERROR; at <= SEAL_LOG_DEBUG; at++) {
		seal_log_setup("prog", SEAL_LOG_ERROR, false);
		seal_log_set_level((enum seal_level)at);
		cr_expect_eq(seal_log_level(), (enum seal_level)at);
		for (int level = SEAL_LOG_ERROR; level <= SEAL_LOG_DEBUG; level++) {
			BYTES line = SEAL_BYTES(10000);

			begin_capture();
			seal_log((enum seal_level)level, "event");
			end_capture(&line);
			cr_expect_eq(line.len > 0, level <= at, "level %d at %d", level, at);
			cr_expect_eq(seal_log_enabled((enum seal_level)level), level <= at);
		}
	}
}

Test(log_level, reads_its_five_names_and_nothing_else)
{
	static const char *const good[] = { "error", "warn", "notice", "info", "debug" };
	static const char *const bad[] = { "",        "Error", "ERROR", "errors", "warning",
					   "info ",   " info", "0",     "1",      "debug\n",
					   "notices", "trace", "*",     "inf" };
	enum seal_level level = SEAL_LOG_NOTICE;

	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		cr_expect_eq(seal_level_parse(&level, good[i], NULL), 0);
		cr_expect_eq((size_t)level, i);
		cr_expect_str_eq(seal_level_name(level), good[i]);
	}
	level = SEAL_LOG_NOTICE;
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		cr_expect_eq(seal_level_parse(&level, bad[i], NULL), SEAL_E_FORMAT, "'%s'", bad[i]);
		cr_expect_eq(level, SEAL_LOG_NOTICE);
	}
}

Test(log_errno, is_kept_even_when_nobody_can_be_told)
{
	int gone = dup(STDERR_FILENO);

	seal_log_setup("prog", SEAL_LOG_INFO, false);
	(void)close(STDERR_FILENO);
	errno = ENOTTY;
	seal_log(SEAL_LOG_ERROR, "nobody_listens");
	(void)dup2(gone, STDERR_FILENO);
	cr_expect_eq(errno, ENOTTY);
}

static uint64_t
monotonic_second(void)
{
	struct timespec now;

	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec;
}

/* How many of tries get through a fresh limiter within one second; again if the second turned. */
static size_t
count_allowed(struct seal_log_limit *limit, uint32_t burst, size_t tries)
{
	uint64_t second;
	size_t allowed;

	do {
		*limit = (struct seal_log_limit){ 0 };
		allowed = 0;
		second = monotonic_second();
		for (size_t i = 0; i < tries; i++)
			allowed += seal_log_may(limit, burst, NULL);
	} while (monotonic_second() != second);
	return allowed;
}

Test(log_limiter, lets_a_burst_through_and_swallows_the_rest)
{
	struct seal_log_limit limit;

	cr_expect_eq(count_allowed(&limit, 3, 10), 3);
	cr_expect_eq(count_allowed(&limit, 3, 2), 2);
	cr_expect_eq(count_allowed(&limit, 1, 10), 1);
	cr_expect_eq(count_allowed(&limit, 0, 10), 0);
}

Test(log_limiter, tells_once_how_many_were_swallowed)
{
	struct seal_log_limit limit;
	uint64_t missed = 99;

	cr_assert_eq(count_allowed(&limit, 3, 10), 3);
	limit.second--; /* as if this had been a second ago */
	limit.used = 3;
	cr_expect(seal_log_may(&limit, 3, &missed));
	cr_expect_eq(missed, 7);
	cr_expect(seal_log_may(&limit, 3, &missed));
	cr_expect_eq(missed, 0);
}

Test(log_limiter, a_refusal_tells_nothing_and_the_count_does_not_wrap)
{
	struct seal_log_limit limit = { .missed = UINT32_MAX };
	uint64_t missed = 99;

	cr_expect_not(seal_log_may(&limit, 0, &missed));
	cr_expect_eq(missed, 99);
	cr_expect_eq(limit.missed, UINT32_MAX);
}

#define THREADS 4
#define LINES   200

static void *
log_often(void *arg)
{
	for (int i = 0; i < LINES; i++)
		seal_log(SEAL_LOG_INFO, "often", SEAL_STR("who", arg), SEAL_U64("last", 1));
	return NULL;
}

Test(log_threads, lines_of_several_threads_do_not_mix)
{
	static char texts[THREADS][300];
	BYTES out = SEAL_BYTES(10000000);
	pthread_t threads[THREADS];
	size_t lines = 0;
	char *at;

	seal_log_setup("prog", SEAL_LOG_INFO, false);
	begin_capture();
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, log_often,
					    (void *)repeat(texts[i], (char)('a' + i), 299)),
			     0);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	end_capture(&out);
	at = (char *)out.data;
	for (char *line = strsep(&at, "\n"); at != NULL; line = strsep(&at, "\n"), lines++) {
		const char *who = strstr(line, " event=often who=\"");

		if (strncmp(line, "ts=", 3) != 0 || who == NULL ||
		    strspn(who + 18, (const char[]){ who[18], '\0' }) != 299 ||
		    strcmp(who + 18 + 299, "\" last=1") != 0)
			cr_assert_fail("mixed: %s", line);
	}
	cr_expect_eq(lines, THREADS * LINES);
}

/* ---- Nobody reads ---- */

Test(log, who_is_not_to_wait_loses_lines_instead, .timeout = 20)
{
	const int saved = dup(STDERR_FILENO);
	char chunk[65536];
	int ends[2];
	ssize_t n;

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
	seal_log_set_patience(10);
	/* More than the pipe takes; the rest would wait for ever. */
	for (unsigned i = 0; i < 20000; i++)
		seal_log(SEAL_LOG_ERROR, "lost");
	n = read(ends[0], chunk, sizeof(chunk));
	cr_expect_gt(n, 0);
	seal_log(SEAL_LOG_ERROR, "found");
	(void)dup2(saved, STDERR_FILENO);
	cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	while ((n = read(ends[0], chunk, sizeof(chunk) - 1)) > 0)
		chunk[n] = '\0';
	cr_expect_not_null(strstr(chunk, "event=found"), "%s", chunk);
	seal_log_set_patience(-1);
}
