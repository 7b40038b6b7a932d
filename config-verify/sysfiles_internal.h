/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_SYSFILES_INTERNAL_H
#define SEAL_VERIFY_SYSFILES_INTERNAL_H

/*
 * What the judgements of several system files share: lines, words, the grammar of names, kinds of
 * addresses, and which names are the pod's own.
 */

#include "config-verify/sysfiles.h"

#define VERIFY_NAME_MAX  253 /* RFC 1123 section 2.1; 255 with its length bytes */
#define VERIFY_LABEL_MAX 63

/* How much of a word of the host's a finding shows. */
#define VERIFY_SHOWN 200

/* A piece of a file; not ended by NUL. */
struct verify_words {
	const char *at;
	size_t len;
};

struct verify_lines {
	const char *at;
	const char *end;
	size_t number; /* of the line last returned, from 1 */
};

struct verify_lines verify_lines_of(const void *text, size_t len);
/* The next line, without its end; false behind the last. */
bool verify_next_line(struct verify_lines *lines, struct verify_words *ret_line);
/* The next word between blanks (space, tab), taken off the line; false when there is none. */
bool verify_next_word(struct verify_words *line, struct verify_words *ret_word);
bool verify_word_is(const struct verify_words *word, const char *text);
static inline bool
verify_is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* For "%.*s". */
#define VERIFY_SHOW(word) (int)((word).len < VERIFY_SHOWN ? (word).len : VERIFY_SHOWN), (word).at

/*
 * file.size beyond max, and rule for every line with a byte that some reader takes for the end of a line
 * or of the text, or for a blank, and others do not: all but printable ASCII, tab and line feed.  False:
 * too large to be judged further.
 */
bool verify_text_judge(const char *file, const void *text, size_t len, size_t max,
		       enum verify_rule rule, struct verify_findings *findings);

/* A word as an address (verify_address_parse). */
bool verify_word_address(const struct verify_words *word, struct verify_address *ret_address);
/*
 * A word as a host name: labels of letters, digits and hyphens, no dot at the end.  Copied in lower case.
 */
bool verify_word_name(const struct verify_words *word, char out[static VERIFY_NAME_MAX + 1]);
/* Would a reader that knows old spellings take the name for an address ("1", "127.0x1")? */
bool verify_name_is_number(const char *name);
/* localhost and its kind: names that are this machine by convention.  name is in lower case. */
bool verify_name_is_local(const char *name);

/* What forbids that an address is connected to ("unspecified", "multicast"...); NULL: nothing. */
const char *verify_address_flaw(const struct verify_address *address);
bool verify_address_is_multicast(const struct verify_address *address);

/*
 * May the policy's pod be called so: its hostname, or a name that begins as generated ones do; or either
 * with the pod's domain behind it (SUBDOMAIN.NAMESPACE.svc.ZONE).  True when the policy does not say.
 */
bool verify_name_is_pods(const struct verify_policy *policy, const char *name);
/* name is own, as "OWN" or "OWN.SUBDOMAIN.NAMESPACE.svc.ZONE". */
bool verify_name_is_own(const struct verify_policy *policy, const char *own, size_t own_len,
			const char *name);
/* Does the policy say anything about the name? */
bool verify_knows_name(const struct verify_policy *policy);

#endif
