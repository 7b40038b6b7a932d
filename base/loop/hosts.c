/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /etc/hosts says about one name.  The file belongs to the host and may be anything: it is read
 * with a cap, anew for every question (a question is rare, the answers are kept by who asked), and
 * nothing in it can make a lookup fail.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/fs/fs.h"
#include "base/loop/loop_internal.h"

/* The next word of a line, or NULL.  *at moves behind it. */
static const char *
next_word(const char **at, const char *end, size_t *ret_len)
{
	const char *word;

	while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
		(*at)++;
	word = *at;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
		(*at)++;
	*ret_len = (size_t)(*at - word);
	return *ret_len > 0 ? word : NULL;
}

static void
add_literal(struct seal_found *found, const char *word, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ip6;
	struct in_addr ip;

	if (len >= sizeof(text))
		return;
	memcpy(text, word, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &ip) == 1)
		seal_found_add_v4(found, &ip);
	else if (inet_pton(AF_INET6, text, &ip6) == 1)
		seal_found_add_v6(found, &ip6);
}

/* hosts(5): an address, then its names; # begins a comment. */
static void
read_line(struct seal_found *found, const char *line, const char *end, const char *host)
{
	const char *comment = memchr(line, '#', (size_t)(end - line));
	const char *stop = comment != NULL ? comment : end;
	size_t host_len = strlen(host);
	const char *address;
	const char *name;
	size_t address_len;
	size_t len;

	address = next_word(&line, stop, &address_len);
	if (address == NULL)
		return;
	while ((name = next_word(&line, stop, &len)) != NULL) {
		if (len == host_len && strncasecmp(name, host, len) == 0) {
			add_literal(found, address, address_len);
			return;
		}
	}
}

void
seal_hosts_find(struct seal_found *found, const char *path, const char *host)
{
	struct seal_bytes text = SEAL_BYTES(SEAL_SYSTEM_FILE_MAX);
	struct seal_err ignored = { 0 }; /* says as much as a file without the name */
	const char *line;
	const char *end;

	if (seal_fs_read(&text, AT_FDCWD, path, SEAL_SYSTEM_FILE_MAX, &ignored) == 0) {
		line = seal_bytes_str(&text);
		end = line + text.len;
		while (line < end) {
			const char *newline = memchr(line, '\n', (size_t)(end - line));
			const char *stop = newline != NULL ? newline : end;

			read_line(found, line, stop, host);
			line = stop + 1;
		}
	}
	seal_bytes_release(&text);
}
