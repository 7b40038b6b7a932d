/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for log lines that nobody can forge: names are ours, text values are always quoted, and
 * every byte outside printable ASCII is written as \u00XX, one per byte, in both formats.  A line is
 * one write(2) of at most LINE_MAX_LEN bytes, what a pipe takes in one piece, so lines of several
 * threads and processes do not mix.  Allocates nothing, so it works when memory is gone.
 */

#include "base/log/log.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE_MAX_LEN  4096
#define LINE_TAIL     16   /* kept free for what closes a value and the line */
#define VALUE_MAX_LEN 1024 /* one hostile value must not push out those behind it */
#define ESCAPE_LEN    6    /* \u00XX */

struct line {
	char text[LINE_MAX_LEN];
	size_t len;
};

static const char *const level_names[] = {
	[SEAL_LOG_ERROR] = "error", [SEAL_LOG_WARN] = "warn",   [SEAL_LOG_NOTICE] = "notice",
	[SEAL_LOG_INFO] = "info",   [SEAL_LOG_DEBUG] = "debug",
};

/* Written once, before the first thread, except for the level. */
static const char *program_name = "seal";
static bool as_json;
static atomic_int current_level = SEAL_LOG_INFO;
static int patience = -1; /* in ms, for whoever reads us */
static atomic_bool is_unread;

void
seal_log_setup(const char *program, enum seal_level level, bool json)
{
	program_name = program;
	as_json = json;
	seal_log_set_level(level);
}

void
seal_log_set_level(enum seal_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

void
seal_log_set_patience(int ms)
{
	patience = ms;
}

enum seal_level
seal_log_level(void)
{
	return (enum seal_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool
seal_log_enabled(enum seal_level level)
{
	return level <= seal_log_level();
}

const char *
seal_level_name(enum seal_level level)
{
	return level_names[level];
}

int
seal_level_parse(enum seal_level *ret_level, const char *name, struct seal_err *err)
{
	for (unsigned i = 0; i < SEAL_COUNT(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*ret_level = (enum seal_level)i;
			return 0;
		}
	}
	return seal_fail(err, SEAL_E_FORMAT,
			 "'%s' is no log level (error, warn, notice, info or debug)", name);
}

static bool
has_room(const struct line *line, size_t len)
{
	return line->len + len <= sizeof(line->text) - LINE_TAIL;
}

static void
put(struct line *line, const char *text, size_t len)
{
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void
put_str(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void
put_escaped(struct line *line, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	const char code[ESCAPE_LEN] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };
	const char pair[2] = { '\\', (char)c };
	const char plain = (char)c;

	if (c < ' ' || c > '~')
		put(line, code, sizeof(code));
	else if (c == '"' || c == '\\')
		put(line, pair, sizeof(pair));
	else
		put(line, &plain, 1);
}

/* A value too long for the line, or for its share of it, is cut and ends in dots. */
static void
put_quoted(struct line *line, const char *text)
{
	size_t most = line->len + VALUE_MAX_LEN;

	put(line, "\"", 1);
	for (; *text != '\0'; text++) {
		if (!has_room(line, ESCAPE_LEN) || line->len + ESCAPE_LEN > most) {
			put(line, "...", 3);
			break;
		}
		put_escaped(line, (unsigned char)*text);
	}
	put(line, "\"", 1);
}

/* Names and values of ours need no quotes in the text format. */
static bool
is_word(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

	size_t len = strspn(text, letters);

	return len > 0 && len <= VALUE_MAX_LEN && text[len] == '\0';
}

static void
put_name(struct line *line, const char *name)
{
	bool first = line->len == (as_json ? 1u : 0u);

	if (!first)
		put(line, as_json ? "," : " ", 1);
	if (as_json)
		put(line, "\"", 1);
	put_str(line, name);
	put_str(line, as_json ? "\":" : "=");
}

static void
put_word(struct line *line, const char *name, const char *word)
{
	put_name(line, name);
	if (!as_json && is_word(word))
		put_str(line, word);
	else
		put_quoted(line, word);
}

static void
put_field(struct line *line, const struct seal_field *field)
{
	char number[24];

	/* Separators, quotes around the name, the longest number, or the first of a text. */
	if (!has_room(line, strlen(field->name) + 4 + sizeof(number)))
		return;
	switch (field->type) {
	case SEAL_FIELD_STR:
		put_name(line, field->name);
		if (field->str == NULL)
			put_str(line, as_json ? "null" : "\"\"");
		else
			put_quoted(line, field->str);
		break;
	case SEAL_FIELD_U64:
		put_name(line, field->name);
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)field->number);
		put_str(line, number);
		break;
	case SEAL_FIELD_BOOL:
		put_name(line, field->name);
		put_str(line, field->number != 0 ? "true" : "false");
		break;
	case SEAL_FIELD_END:
		break;
	}
}

/* RFC 3339, UTC, milliseconds. */
static void
put_time(struct line *line)
{
	struct timespec now = { 0 };
	struct tm utc = { 0 };
	char text[64];

	(void)clock_gettime(CLOCK_REALTIME, &now); /* a line without a time is better than none */
	(void)gmtime_r(&now.tv_sec, &utc);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
		       utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		       utc.tm_sec, (int)(now.tv_nsec / 1000000));
	put_name(line, "ts");
	if (as_json)
		put_quoted(line, text);
	else
		put_str(line, text);
}

/* Is there room?  Once there was none for as long as we wait, nobody waits for it again. */
static bool
has_reader(void)
{
	struct pollfd polled = { .fd = STDERR_FILENO, .events = POLLOUT };
	const int r = poll(&polled, 1, atomic_load(&is_unread) ? 0 : patience);

	if (r >= 0)
		atomic_store(&is_unread, r == 0);
	return r != 0;
}

/* The room may be another writer's by now: a pipe, of which our standard error is one end among several. */
static ssize_t
write_now(const struct line *line)
{
	const struct iovec all = { .iov_base = (char *)line->text, .iov_len = line->len };
	struct stat st;
	ssize_t n;

	if (fstat(STDERR_FILENO, &st) < 0 || !S_ISFIFO(st.st_mode))
		return write(STDERR_FILENO, line->text, line->len);
	n = pwritev2(STDERR_FILENO, &all, 1, -1, RWF_NOWAIT);
	if (n >= 0 || errno == EAGAIN || errno == EINTR)
		return n;
	return write(STDERR_FILENO, line->text, line->len); /* a kernel without it */
}

static void
write_line(const struct line *line)
{
	ssize_t n;

	if (patience >= 0 && !has_reader())
		return;
	do
		n = patience >= 0 ? write_now(line) : write(STDERR_FILENO, line->text, line->len);
	while (n < 0 && errno == EINTR); /* any other failure has nowhere to be reported */
}

void
seal_log_fields(enum seal_level level, const struct seal_field *fields)
{
	struct line line = { .len = 0 };
	int saved = errno;

	if (!seal_log_enabled(level))
		return;
	if (as_json)
		put(&line, "{", 1);
	put_time(&line);
	put_word(&line, "program", program_name);
	put_word(&line, "level", level_names[level]);
	if (fields->type == SEAL_FIELD_STR && fields->str != NULL) {
		put_word(&line, fields->name, fields->str);
		fields++;
	}
	for (; fields->type != SEAL_FIELD_END; fields++)
		put_field(&line, fields);
	put_str(&line, as_json ? "}\n" : "\n");
	write_line(&line);
	errno = saved;
}

bool
seal_log_may(struct seal_log_limit *limit, uint32_t burst, uint64_t *ret_missed)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	if ((uint64_t)now.tv_sec != limit->second) {
		limit->second = (uint64_t)now.tv_sec;
		limit->used = 0;
	}
	if (limit->used >= burst) {
		limit->missed += limit->missed < UINT32_MAX;
		return false;
	}
	limit->used++;
	if (ret_missed != NULL)
		*ret_missed = limit->missed;
	limit->missed = 0;
	return true;
}
