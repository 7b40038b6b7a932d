/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An incremental parser for one HTTP/1.1 request (RFC 9112).  It takes any pieces, and how the bytes
 * were cut never changes the result.  It knows nothing of sockets, and it refuses wherever two parties
 * could disagree about where a request ends: that is how requests are smuggled.
 */
#include <string.h>
#include <strings.h>

#include "base/http/http_internal.h"

void
http_parse_init(struct http_parse *parse, size_t max_body)
{
	*parse = (struct http_parse){ .stage = HTTP_STAGE_REQUEST, .max_body = max_body };
	seal_bytes_init(&parse->head.line, SEAL_HTTP_HEAD_MAX);
	for (size_t i = 0; i < HTTP_N_KEPT; i++)
		seal_bytes_init(&parse->kept[i], SEAL_HTTP_HEAD_MAX);
	seal_bytes_init(&parse->body, max_body);
}

void
http_parse_release(struct http_parse *parse)
{
	seal_bytes_release(&parse->head.line);
	for (size_t i = 0; i < HTTP_N_KEPT; i++)
		seal_bytes_release(&parse->kept[i]);
	seal_bytes_release(&parse->body);
	http_target_release(&parse->target);
}

static void
refuse(struct http_parse *parse, unsigned status)
{
	parse->stage = HTTP_STAGE_BAD;
	parse->status = status;
}

/* 0 for HTTP/1.1, else the status of the refusal. */
static unsigned
check_version(const char *version)
{
	if (strcmp(version, "HTTP/1.1") == 0)
		return 0;
	if (strlen(version) == 8 && strncmp(version, "HTTP/", 5) == 0 && version[5] >= '0' &&
	    version[5] <= '9' && version[6] == '.' && version[7] >= '0' && version[7] <= '9')
		return 505;
	return 400;
}

static bool
take_method(struct http_parse *parse, const char *method, size_t len)
{
	if (len == 0 || len > HTTP_METHOD_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (method[i] < 'A' || method[i] > 'Z')
			return false;
	}
	memcpy(parse->method, method, len);
	parse->method[len] = '\0';
	return true;
}

/* method SP request-target SP HTTP-version, with single blanks (RFC 9112 section 3) */
static void
take_request_line(struct http_parse *parse, const char *line)
{
	const char *target = strchr(line, ' ');
	const char *version = target == NULL ? NULL : strchr(target + 1, ' ');
	unsigned status;
	int r;

	if (version == NULL) {
		refuse(parse, 400);
		return;
	}
	target++;
	version++;
	status = check_version(version);
	if (status == 0 && !take_method(parse, line, (size_t)(target - 1 - line)))
		status = 400;
	if (status == 0) {
		r = http_target_parse(&parse->target, target, (size_t)(version - 1 - target), NULL);
		if (r < 0)
			status = r == SEAL_E_MEMORY ? 503 : 400;
	}
	if (status != 0)
		refuse(parse, status);
	else
		parse->stage = HTTP_STAGE_HEADERS;
}

/* Exactly one, of letters that a host, an address and a port are made of (RFC 9112 section 3.2). */
static bool
take_host(struct http_parse *parse, const char *value)
{
	const char *host_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._~%:[]";

	if (parse->has_host)
		return false;
	parse->has_host = true;
	if (strlen(value) <= HTTP_HOST_MAX)
		memcpy(parse->host, value, strlen(value) + 1);
	return value[strspn(value, host_letters)] == '\0';
}

static bool
take_length(struct http_parse *parse, const char *value)
{
	if (parse->has_length)
		return false;
	parse->has_length = true;
	return http_length_parse(value, &parse->length);
}

static bool
take_coding(struct http_parse *parse, const char *value)
{
	(void)value;
	parse->has_coding = true;
	return true;
}

static bool
take_expect(struct http_parse *parse, const char *value)
{
	(void)value;
	parse->has_expect = true;
	return true;
}

static bool
take_upgrade(struct http_parse *parse, const char *value)
{
	(void)value;
	parse->has_upgrade = true;
	return true;
}

/* A list of tokens, of which only close concerns us (RFC 9110 section 7.6.1). */
static bool
take_connection(struct http_parse *parse, const char *value)
{
	while (*value != '\0') {
		size_t len = strcspn(value, ", \t");

		for (size_t i = 0; i < len; i++) {
			if (!http_is_tchar(value[i]))
				return false;
		}
		if (len == 5 && strncasecmp(value, "close", len) == 0)
			parse->wants_close = true;
		value += len;
		value += strspn(value, ", \t");
	}
	return true;
}

/* What is said twice has two readings (RFC 9110 section 5.3). */
static bool
keep(struct http_parse *parse, enum http_kept which, const char *value)
{
	struct seal_bytes *kept = &parse->kept[which];

	if (kept->data != NULL)
		return false;
	/* With its end, so that an empty one is there as well. */
	if (seal_bytes_append(kept, value, strlen(value) + 1, NULL) < 0)
		refuse(parse, 503);
	return true;
}

static bool
take_authorization(struct http_parse *parse, const char *value)
{
	return keep(parse, HTTP_KEPT_AUTHORIZATION, value);
}

static bool
take_content_type(struct http_parse *parse, const char *value)
{
	return keep(parse, HTTP_KEPT_CONTENT_TYPE, value);
}

const char *
http_parse_kept(const struct http_parse *parse, const char *name)
{
	static const char *const names[HTTP_N_KEPT] = {
		[HTTP_KEPT_AUTHORIZATION] = "authorization",
		[HTTP_KEPT_CONTENT_TYPE] = "content-type",
	};

	for (size_t i = 0; i < HTTP_N_KEPT; i++) {
		if (strcmp(names[i], name) == 0)
			return (const char *)parse->kept[i].data;
	}
	return NULL;
}

/*
 * The headers that decide how a request is read, and those that handlers read.  All others are checked for form and
 * skipped.
 */
static const struct {
	const char *name;
	bool (*take)(struct http_parse *parse, const char *value);
} known_headers[] = {
	{ "authorization", take_authorization },
	{ "connection", take_connection },
	{ "content-length", take_length },
	{ "content-type", take_content_type },
	{ "expect", take_expect },
	{ "host", take_host },
	{ "transfer-encoding", take_coding },
	{ "upgrade", take_upgrade },
};

static bool
dispatch_header(struct http_parse *parse, const char *name, const char *value)
{
	for (size_t i = 0; i < SEAL_COUNT(known_headers); i++) {
		if (strcasecmp(name, known_headers[i].name) == 0)
			return known_headers[i].take(parse, value);
	}
	return true;
}

static bool
take_header(struct http_parse *parse, char *line)
{
	const char *name;
	const char *value;

	return http_header_split(line, &name, &value) && dispatch_header(parse, name, value);
}

/* How long a body may be can depend on what the head says. */
static void
settle_limit(struct http_parse *parse)
{
	if (parse->limit == NULL)
		return;
	parse->max_body = parse->limit(parse->limit_arg);
	seal_bytes_init(&parse->body, parse->max_body);
}

/* The head is whole: is there one reading of it, and do we serve it? */
static void
end_head(struct http_parse *parse)
{
	seal_bytes_release(&parse->head.line);
	settle_limit(parse);
	if (!parse->has_host || (parse->has_length && parse->has_coding))
		refuse(parse, 400);
	else if (parse->has_expect)
		refuse(parse, 417);
	else if (parse->has_coding || parse->has_upgrade)
		refuse(parse, 501);
	else if (parse->length > parse->max_body)
		refuse(parse, 413);
	else
		parse->stage = parse->length > 0 ? HTTP_STAGE_BODY : HTTP_STAGE_DONE;
}

static void
take_line(struct http_parse *parse)
{
	char *line = (char *)parse->head.line.data;

	if (parse->stage == HTTP_STAGE_REQUEST)
		take_request_line(parse, line);
	else if (line[0] == '\0')
		end_head(parse);
	else if (++parse->header_count > HTTP_HEADERS_MAX)
		refuse(parse, 431);
	else if (!take_header(parse, line))
		refuse(parse, 400);
	seal_bytes_reset(&parse->head.line);
}

static size_t
take_head_bytes(struct http_parse *parse, const uint8_t *data, size_t len)
{
	size_t used = 0;

	switch (http_head_feed(&parse->head, data, len, &used)) {
	case HTTP_LINE_MORE:
		break;
	case HTTP_LINE_WHOLE:
		take_line(parse);
		break;
	case HTTP_LINE_TOO_LONG:
		refuse(parse, 431);
		break;
	case HTTP_LINE_BAD:
		refuse(parse, 400);
		break;
	case HTTP_LINE_NO_MEMORY:
		refuse(parse, 503);
		break;
	}
	return used;
}

/* The buffer grows with what has come, not with what was promised. */
static size_t
take_body_bytes(struct http_parse *parse, const uint8_t *data, size_t len)
{
	size_t missing = (size_t)parse->length - parse->body.len;

	if (len > missing)
		len = missing;
	if (seal_bytes_append(&parse->body, data, len, NULL) < 0) {
		refuse(parse, 503);
		return 0;
	}
	if (len == missing)
		parse->stage = HTTP_STAGE_DONE;
	return len;
}

size_t
http_parse_feed(struct http_parse *parse, const uint8_t *data, size_t len)
{
	size_t used = 0;

	while (used < len && parse->stage <= HTTP_STAGE_HEADERS)
		used += take_head_bytes(parse, data + used, len - used);
	if (used < len && parse->stage == HTTP_STAGE_BODY)
		used += take_body_bytes(parse, data + used, len - used);
	return used;
}
