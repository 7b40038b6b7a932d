/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the heads of requests and answers have in common: lines, header fields, lengths (RFC 9112
 * sections 2 and 5).  It knows neither what a line means nor who speaks.
 */
#include <string.h>

#include "base/http/http_internal.h"

/* RFC 9110 section 5.6.2 */
bool
http_is_tchar(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* What a head may consist of.  obs-text (RFC 9110 section 5.5) is not needed by anybody. */
static bool
is_head_byte(uint8_t c)
{
	return (c >= 0x20 && c <= 0x7e) || c == '\t' || c == '\r' || c == '\n';
}

/* A line must end in CR LF and hold no other CR (RFC 9112 section 2.2). */
static enum http_line
end_line(struct http_head *head)
{
	char *line = (char *)head->line.data;
	size_t len = head->line.len;

	if (len < 2 || line[len - 2] != '\r' || memchr(line, '\r', len - 2) != NULL)
		return HTTP_LINE_BAD;
	line[len - 2] = '\0';
	return HTTP_LINE_WHOLE;
}

enum http_line
http_head_feed(struct http_head *head, const uint8_t *data, size_t len, size_t *ret_used)
{
	size_t room = head->line.max - head->len;
	const uint8_t *newline;

	*ret_used = 0;
	if (room == 0)
		return HTTP_LINE_TOO_LONG;
	if (len > room)
		len = room;
	newline = memchr(data, '\n', len);
	if (newline != NULL)
		len = (size_t)(newline - data) + 1;
	for (size_t i = 0; i < len; i++) {
		if (!is_head_byte(data[i])) {
			*ret_used = i;
			return HTTP_LINE_BAD;
		}
	}
	if (seal_bytes_append(&head->line, data, len, NULL) < 0)
		return HTTP_LINE_NO_MEMORY;
	head->len += len;
	*ret_used = len;
	return newline != NULL ? end_line(head) : HTTP_LINE_MORE;
}

bool
http_header_split(char *line, const char **ret_name, const char **ret_value)
{
	size_t name_len = 0;
	char *value, *end;

	while (http_is_tchar(line[name_len]))
		name_len++;
	if (name_len == 0 || line[name_len] != ':')
		return false;
	line[name_len] = '\0';
	value = line + name_len + 1;
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	*ret_name = line;
	*ret_value = value;
	return true;
}

bool
http_length_parse(const char *value, uint64_t *ret_length)
{
	size_t digits = strspn(value, "0123456789");
	uint64_t length = 0;

	if (digits == 0 || digits > 18 || value[digits] != '\0' || (digits > 1 && value[0] == '0'))
		return false;
	for (size_t i = 0; i < digits; i++)
		length = length * 10 + (uint64_t)(value[i] - '0');
	*ret_length = length;
	return true;
}
