/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolv.conf: whom to ask, and which names to try.  The file is read here rather than by libevent,
 * which knows no limit and would wait for ever at a FIFO put in its place.  When its content changes,
 * new questions go to new servers, and the old ones go when their last question is over.
 *
 * Search is done here too: for each name in turn both families are asked, so that all addresses of an
 * answer belong to one name.
 */
#include <event2/dns.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs/fs.h"
#include "base/loop/loop_internal.h"

#define BLANKS " \t\r"

/* libevent's side; what resolv.conf says about these must not make us wait longer. */
static const struct {
	const char *name;
	const char *value;
} dns_options[] = {
	{ "timeout:", "1.5" },      /* per try */
	{ "attempts:", "3" },       /* three tries fit into the patience of a question */
	{ "randomize-case:", "0" }, /* some servers answer in their own spelling */
	{ "max-inflight:", "256" }, /* forgotten queries are among them for some seconds */
};

static void
servers_free(struct seal_servers *servers)
{
	if (servers->dns != NULL)
		evdns_base_free(servers->dns, 0); /* none of its queries comes back any more */
	while (!LIST_EMPTY(&servers->queries)) {
		struct seal_query *query = LIST_FIRST(&servers->queries);

		LIST_REMOVE(query, link);
		free(query);
	}
	seal_bytes_release(&servers->text);
	free(servers);
}

/* Words that are no address are passed over: another server may be usable. */
static void
add_server(struct seal_servers *servers, const char *word)
{
	if (word != NULL && servers->count < SEAL_SERVERS_MAX &&
	    evdns_base_nameserver_ip_add(servers->dns, word) == 0)
		servers->count++;
}

static void
add_search(struct seal_servers *servers, const char *word)
{
	size_t len;

	word += word[0] == '.' ? 1 : 0;
	len = strlen(word);
	if (len > 0 && word[len - 1] == '.')
		len--;
	if (len == 0 || len > SEAL_HOSTNAME_MAX || servers->search_count == SEAL_SEARCH_MAX)
		return;
	memcpy(servers->search[servers->search_count], word, len);
	servers->search[servers->search_count++][len] = '\0';
}

static void
set_option(struct seal_servers *servers, const char *word)
{
	static const char ndots[] = "ndots:";
	uint64_t value;

	if (strncmp(word, ndots, strlen(ndots)) == 0 &&
	    seal_number_parse(word + strlen(ndots), 0, SEAL_NDOTS_MAX, &value, NULL) == 0)
		servers->ndots = (unsigned)value;
}

/* resolv.conf(5): of search and domain, the last line rules. */
static void
read_line(struct seal_servers *servers, char *line)
{
	char *rest = NULL;
	const char *key = strtok_r(line, BLANKS, &rest);
	const char *word;

	if (key == NULL || key[0] == '#' || key[0] == ';')
		return;
	word = strtok_r(NULL, BLANKS, &rest);
	if (strcmp(key, "nameserver") == 0)
		add_server(servers, word);
	if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
		servers->search_count = 0;
		for (; word != NULL; word = strtok_r(NULL, BLANKS, &rest))
			add_search(servers, word);
	}
	if (strcmp(key, "options") == 0) {
		for (; word != NULL; word = strtok_r(NULL, BLANKS, &rest))
			set_option(servers, word);
	}
}

static int
read_lines(struct seal_servers *servers, struct seal_err *err)
{
	char *copy = seal_strndup(seal_bytes_str(&servers->text), servers->text.len);
	char *rest = NULL;

	if (copy == NULL)
		return seal_fail_memory(err);
	for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		read_line(servers, line);
	free(copy);
	return 0;
}

/* The resolver's sockets are in the loop only while it waits for an answer. */
static int
start_dns(struct seal_servers *servers, struct seal_loop *loop, struct seal_err *err)
{
	servers->dns = evdns_base_new(loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (servers->dns == NULL)
		return seal_fail(err, SEAL_E_SYSTEM, "cannot start the resolver");
	for (size_t i = 0; i < SEAL_COUNT(dns_options); i++) {
		if (evdns_base_set_option(servers->dns, dns_options[i].name,
					  dns_options[i].value) != 0)
			return seal_fail(err, SEAL_E_BUG, "resolver option '%s'",
					 dns_options[i].name);
	}
	return 0;
}

/* Takes text over, also when it fails. */
static int
servers_new(struct seal_servers **ret_servers, struct seal_loop *loop, struct seal_bytes *text,
	    struct seal_err *err)
{
	struct seal_servers *servers = calloc(1, sizeof(*servers));
	int r;

	if (servers == NULL) {
		seal_bytes_release(text);
		return seal_fail_memory(err);
	}
	LIST_INIT(&servers->queries);
	servers->ndots = 1;
	servers->text = *text;
	r = start_dns(servers, loop, err);
	if (r == 0)
		r = read_lines(servers, err);
	if (r < 0) {
		servers_free(servers);
		return r;
	}
	*ret_servers = servers;
	return 0;
}

/*
 * Only those of which nothing can come back any more.  Where memory was short a query may never come
 * back; its servers stay to the end then.
 */
static void
sweep(struct seal_loop *loop)
{
	struct seal_servers **at = loop->servers != NULL ? &loop->servers->next : NULL;

	while (at != NULL && *at != NULL) {
		struct seal_servers *old = *at;

		if (old->users > 0 || !LIST_EMPTY(&old->queries)) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		servers_free(old);
	}
}

static bool
has_text(const struct seal_servers *servers, const struct seal_bytes *text)
{
	return servers->text.len == text->len &&
	       strcmp(seal_bytes_str(&servers->text), seal_bytes_str(text)) == 0;
}

int
seal_servers_get(struct seal_loop *loop, struct seal_servers **ret_servers, struct seal_err *err)
{
	struct seal_bytes text = SEAL_BYTES(SEAL_SYSTEM_FILE_MAX);
	struct seal_servers *servers = loop->servers;
	struct seal_err ignored = { 0 };
	bool unreadable = seal_fs_read(&text, AT_FDCWD, loop->resolv_conf, SEAL_SYSTEM_FILE_MAX,
				       &ignored) < 0;
	int r;

	if (unreadable) /* as good as empty, if there never was another */
		seal_bytes_release(&text);
	if (servers != NULL && (unreadable || has_text(servers, &text))) {
		seal_bytes_release(&text);
	} else {
		r = servers_new(&servers, loop, &text, err);
		if (r < 0)
			return r;
		servers->next = loop->servers;
		loop->servers = servers;
	}
	servers->users++;
	sweep(loop);
	*ret_servers = servers;
	return 0;
}

void
seal_servers_put(struct seal_servers *servers)
{
	servers->users--;
}

bool
seal_servers_have_queries(const struct seal_loop *loop)
{
	for (const struct seal_servers *at = loop->servers; at != NULL; at = at->next) {
		if (!LIST_EMPTY(&at->queries))
			return true;
	}
	return false;
}

static unsigned
count_dots(const char *host)
{
	unsigned dots = 0;

	for (; *host != '\0'; host++)
		dots += *host == '.' ? 1 : 0;
	return dots;
}

/* resolv.conf(5), ndots: with enough dots the name itself comes first, else last. */
bool
seal_servers_name(const struct seal_servers *servers, const char *host, unsigned step,
		  char name[static SEAL_HOSTNAME_MAX + 1])
{
	bool itself_first = count_dots(host) >= servers->ndots;
	unsigned itself_at = itself_first ? 0 : servers->search_count;
	size_t len = strlen(host);
	const char *suffix;

	if (host[len - 1] == '.') { /* the whole name, as it is */
		memcpy(name, host, len);
		name[len - 1] = '\0';
		return step == 0;
	}
	if (step > servers->search_count)
		return false;
	memcpy(name, host, len + 1);
	if (step == itself_at)
		return true;
	suffix = servers->search[step - (itself_first ? 1 : 0)];
	if (len + 1 + strlen(suffix) <= SEAL_HOSTNAME_MAX) { /* else the name itself, once more */
		name[len] = '.';
		memcpy(name + len + 1, suffix, strlen(suffix) + 1);
	}
	return true;
}

void
seal_servers_shutdown(struct seal_loop *loop)
{
	while (loop->servers != NULL) {
		struct seal_servers *servers = loop->servers;

		loop->servers = servers->next;
		servers_free(servers);
	}
}
