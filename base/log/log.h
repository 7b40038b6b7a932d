/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_LOG_H
#define SEAL_BASE_LOG_H

/*
 * One line per event on standard error: an event name plus typed fields, as text
 * (level=warn event=peer_refused peer="10.0.0.7:5111") or as JSON.  Text fields are always quoted
 * and escaped, so untrusted text cannot forge a field or a line.  Only programs log; libraries
 * return sentences.  Safe to call from several threads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"

enum seal_level {
	SEAL_LOG_ERROR,  /* needs a person */
	SEAL_LOG_WARN,   /* refused or degraded */
	SEAL_LOG_NOTICE, /* lifecycle */
	SEAL_LOG_INFO,   /* one line per connection, at its end */
	SEAL_LOG_DEBUG,  /* transitions */
};

enum seal_field_type { SEAL_FIELD_END = 0, SEAL_FIELD_STR, SEAL_FIELD_U64, SEAL_FIELD_BOOL };

struct seal_field {
	enum seal_field_type type;
	const char *name; /* [a-z_]+ */
	const char *str;
	uint64_t number;
};

#define SEAL_STR(field, value)                                                                     \
	((struct seal_field){ .type = SEAL_FIELD_STR, .name = (field), .str = (value) })
#define SEAL_U64(field, value)                                                                     \
	((struct seal_field){ .type = SEAL_FIELD_U64, .name = (field), .number = (value) })
#define SEAL_BOOL(field, value)                                                                    \
	((struct seal_field){ .type = SEAL_FIELD_BOOL, .name = (field), .number = (value) })

/* seal_log(SEAL_LOG_WARN, "peer_refused", SEAL_STR("peer", address), SEAL_U64("conn", id)) */
#define seal_log(level, event, ...)                                                                \
	seal_log_fields((level), (const struct seal_field[]){ SEAL_STR("event", (event)),          \
							      ##__VA_ARGS__,                       \
							      { SEAL_FIELD_END, 0, 0, 0 } })

/* fields end with SEAL_FIELD_END; the first one is the event. */
void seal_log_fields(enum seal_level level, const struct seal_field *fields);

/* program is the name that opens every line; it is kept, not copied. */
void seal_log_setup(const char *program, enum seal_level level, bool json);
/*
 * For programs that have more urgent things to do than to be read: a line that finds no room for so long is
 * lost, and so are all after it until there is some.  Before the first thread; without it, lines wait.
 */
void seal_log_set_patience(int ms);
/* From any thread, at any time. */
void seal_log_set_level(enum seal_level level);
enum seal_level seal_log_level(void);
bool seal_log_enabled(enum seal_level level);

/* "error", "warn", "notice", "info", "debug".  SEAL_E_FORMAT for anything else. */
SEAL_CHECKED int seal_level_parse(enum seal_level *ret_level, const char *name,
				  struct seal_err *err);
const char *seal_level_name(enum seal_level level);

/*
 * A limiter for one kind of event.  Returns true when the event may be logged now; at most burst
 * times per second, with the number swallowed since the last line in *ret_missed.
 */
struct seal_log_limit {
	uint64_t second;
	uint32_t used;
	uint32_t missed;
};
bool seal_log_may(struct seal_log_limit *limit, uint32_t burst, uint64_t *ret_missed);

#endif
