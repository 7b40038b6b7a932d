/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the grammar of names: workloads, peers, host names and their patterns, trust domains,
 * ids and the root of trust's URLs.  One spelling per name: lower case, ASCII, nothing to normalise.
 * Resolves nothing.
 */

#include "base/names/names.h"

#include <arpa/inet.h>

#include "base/names/names_internal.h"

#define LABEL_MAX    63
#define WORKLOAD_MIN 3
#define URL_SCHEME   "https://"
#define LOWER        "abcdefghijklmnopqrstuvwxyz"
#define DIGITS       "0123456789"

/* Words with a meaning of their own; a peer or workload of that name could pass for something else. */
static const char *const reserved[] = { "rot", "init", "admin", "ci", "egg", "localhost" };

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_reserved(const char *name)
{
	for (size_t i = 0; i < SEAL_COUNT(reserved); i++) {
		if (strcmp(name, reserved[i]) == 0)
			return true;
	}
	return false;
}

/* [a-z][a-z0-9-]* of min to max letters. */
static bool
is_plain_name(const char *name, size_t min, size_t max)
{
	size_t len = strnlen(name, max + 1);

	return len >= min && len <= max && is_lower(name[0]) &&
	       strspn(name, LOWER DIGITS "-") == len;
}

int
seal_workload_check(const char *name, struct seal_err *err)
{
	if (!is_plain_name(name, WORKLOAD_MIN, SEAL_WORKLOAD_MAX))
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%.64s' is no workload name: 3 to 60 of a-z, 0-9 and '-', "
				 "a letter first",
				 name);
	if (is_reserved(name))
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%s' is reserved, choose another workload name", name);
	return 0;
}

bool
seal_names_like_peer(const char *name)
{
	return is_plain_name(name, 1, SEAL_PEER_MAX) && name[strlen(name) - 1] != '-';
}

int
seal_peer_check(const char *name, struct seal_err *err)
{
	if (!seal_names_like_peer(name))
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%.64s' is no peer name: 1 to 63 of a-z, 0-9 and '-', "
				 "a letter first, no '-' at the end",
				 name);
	if (is_reserved(name))
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is reserved, choose another peer name",
				 name);
	return 0;
}

int
seal_operator_check(const char *name, struct seal_err *err)
{
	if (!seal_names_like_peer(name))
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%.64s' is no operator's name: 1 to 63 of a-z, 0-9 and '-', "
				 "a letter first, no '-' at the end",
				 name);
	if (strcmp(name, "local") == 0 || strcmp(name, "self") == 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%s' is reserved, choose another name for the operator", name);
	return 0;
}

int
seal_peer_or_every_check(const char *name, struct seal_err *err)
{
	if (strcmp(name, SEAL_PEER_EVERY) == 0)
		return 0;
	return seal_peer_check(name, err);
}

static bool
is_label(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_lower(label[i]) && !is_digit(label[i]) && label[i] != '-')
			return false;
	}
	return true;
}

bool
seal_names_like_host(const char *name, size_t len)
{
	const char *end = name + len;

	if (len > SEAL_HOSTNAME_MAX)
		return false;
	for (;;) {
		const char *dot = memchr(name, '.', (size_t)(end - name));

		if (!is_label(name, (size_t)((dot == NULL ? end : dot) - name)))
			return false;
		if (dot == NULL)
			return true;
		name = dot + 1;
	}
}

bool
seal_names_like_ipv4(const char *name, size_t len)
{
	const char *dot = memrchr(name, '.', len);
	const char *last = dot == NULL ? name : dot + 1;
	size_t last_len = (size_t)(name + len - last);
	const char *digits = DIGITS;

	/* inet_aton also reads hexadecimal. */
	if (last_len >= 2 && last[0] == '0' && last[1] == 'x') {
		digits = DIGITS "abcdef";
		last += 2;
		last_len -= 2;
	}
	for (size_t i = 0; i < last_len; i++) {
		if (strchr(digits, last[i]) == NULL)
			return false;
	}
	return true;
}

static bool
is_hostname(const char *name)
{
	size_t len = strnlen(name, SEAL_HOSTNAME_MAX + 1);

	return seal_names_like_host(name, len) && memchr(name, '.', len) != NULL &&
	       !seal_names_like_ipv4(name, len);
}

static bool
is_pattern(const char *pattern)
{
	if (strnlen(pattern, SEAL_HOSTNAME_MAX + 1) > SEAL_HOSTNAME_MAX)
		return false;
	return is_hostname(pattern[0] == '*' && pattern[1] == '.' ? pattern + 2 : pattern);
}

int
seal_hostname_check(const char *name, struct seal_err *err)
{
	if (is_hostname(name))
		return 0;
	return seal_fail(err, SEAL_E_FORMAT,
			 "'%.256s' is no host name: labels of a-z, 0-9 and '-' with at least one "
			 "dot between them, not an address",
			 name);
}

int
seal_hostname_pattern_check(const char *pattern, struct seal_err *err)
{
	if (is_pattern(pattern))
		return 0;
	return seal_fail(err, SEAL_E_FORMAT,
			 "'%.256s' is no host name pattern: a host name with a dot, or '*.' before "
			 "one",
			 pattern);
}

bool
seal_hostname_matches(const char *pattern, const char *name)
{
	if (!is_pattern(pattern) || !is_hostname(name))
		return false;
	if (pattern[0] != '*')
		return strcmp(pattern, name) == 0;
	return strcmp(pattern + 1, strchr(name, '.')) == 0;
}

int
seal_trust_domain_check(const char *name, struct seal_err *err)
{
	if (seal_names_like_host(name, strnlen(name, SEAL_TRUST_DOMAIN_MAX + 1)))
		return 0;
	return seal_fail(err, SEAL_E_FORMAT,
			 "'%.256s' is no trust domain: labels of a-z, 0-9 and '-' between dots",
			 name);
}

int
seal_id_check(const char *id, struct seal_err *err)
{
	if (strnlen(id, SEAL_ID_LEN + 1) == SEAL_ID_LEN &&
	    strspn(id, DIGITS "abcdef") == SEAL_ID_LEN)
		return 0;
	return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no id: %d lower-case hexadecimal digits",
			 id, SEAL_ID_LEN);
}

/* What a URL's authority is made of, borrowed. */
struct authority {
	const char *host;
	size_t host_len;
};

static bool
is_address(int family, const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(family, copy, &addr) == 1;
}

static bool
is_url_host(const char *host, size_t len)
{
	if (!seal_names_like_host(host, len))
		return false;
	return !seal_names_like_ipv4(host, len) || is_address(AF_INET, host, len);
}

/* "[" v6 "]" or a host, then what is left of the text. */
static bool
split_host(struct authority *to, const char *text, const char **ret_rest)
{
	size_t len;

	if (text[0] == '[') {
		len = strcspn(text + 1, "]");
		if (text[1 + len] != ']' || strspn(text + 1, DIGITS "abcdef:.") != len ||
		    !is_address(AF_INET6, text + 1, len))
			return false;
		to->host = text + 1;
		*ret_rest = text + len + 2;
	} else {
		len = strcspn(text, ":/");
		if (!is_url_host(text, len))
			return false;
		to->host = text;
		*ret_rest = text + len;
	}
	to->host_len = len;
	return true;
}

static bool
split_port(uint16_t *ret_port, const char *text, const char **ret_rest)
{
	char digits[6] = { 0 };
	uint64_t port;
	size_t len;

	*ret_port = 443;
	*ret_rest = text;
	if (text[0] != ':')
		return true;
	len = strspn(text + 1, DIGITS);
	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, text + 1, len);
	if (seal_number_parse(digits, 1, UINT16_MAX, &port, NULL) < 0)
		return false;
	*ret_port = (uint16_t)port;
	*ret_rest = text + 1 + len;
	return true;
}

static bool
split_url(const char *url, struct authority *to, uint16_t *ret_port)
{
	const char *rest;

	if (strncmp(url, URL_SCHEME, strlen(URL_SCHEME)) != 0 ||
	    !split_host(to, url + strlen(URL_SCHEME), &rest) || !split_port(ret_port, rest, &rest))
		return false;
	return rest[0] == '\0' || (rest[0] == '/' && rest[1] == '\0');
}

int
seal_url_split(const char *url, char host[static SEAL_HOSTNAME_MAX + 1], uint16_t *ret_port,
	       struct seal_err *err)
{
	struct authority found = { 0 };
	uint16_t port;

	if (!split_url(url, &found, &port))
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%.256s' is no URL of a root of trust: https://HOST[:PORT], "
				 "in lower case and without a path",
				 url);
	memcpy(host, found.host, found.host_len);
	host[found.host_len] = '\0';
	*ret_port = port;
	return 0;
}

int
seal_url_check(const char *url, struct seal_err *err)
{
	char host[SEAL_HOSTNAME_MAX + 1];
	uint16_t port;

	return seal_url_split(url, host, &port, err);
}
