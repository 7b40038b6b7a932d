/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_LOOP_INTERNAL_H
#define SEAL_BASE_LOOP_INTERNAL_H

/*
 * For this room and its tests only: what loop.c shares with name resolution, and the parts of that:
 * addresses as they are found, the hosts file, and the name servers of resolv.conf.
 */

#include <netinet/in.h>
#include <sys/queue.h>

#include "base/bytes/bytes.h"
#include "base/loop/loop.h"
#include "base/names/names.h"

/* Before libevent allocates anything. */
void seal_cells_setup(void);

struct event_base;
struct evdns_base;
struct seal_servers;

/* The system's files, beyond which they are not believed (design section 13). */
#define SEAL_SYSTEM_FILE_MAX (64u * 1024)

struct seal_loop {
	struct event_base *base;
	const char *resolv_conf;      /* borrowed */
	const char *hosts;            /* borrowed */
	struct seal_servers *servers; /* the newest first; older ones have questions under way */
	bool stopped;
};

/* Have names resolved by other files than the system's.  The paths must outlive the loop. */
void seal_resolve_setup(struct seal_loop *loop, const char *resolv_conf, const char *hosts);
/* Free the resolver.  No question may be left that was not forgotten. */
void seal_resolve_shutdown(struct seal_loop *loop);

/* Addresses in the order found, each once; what is more than fits is left out. */
struct seal_found {
	struct in6_addr v6[SEAL_RESOLVE_MAX];
	struct in_addr v4[SEAL_RESOLVE_MAX];
	unsigned v6_count;
	unsigned v4_count;
};

void seal_found_add_v4(struct seal_found *found, const struct in_addr *ip);
void seal_found_add_v6(struct seal_found *found, const struct in6_addr *ip);
/* Both families in turn, beginning with IPv6 or not.  ttl_s is left alone. */
void seal_found_order(const struct seal_found *found, bool v6_first, uint16_t port,
		      struct seal_addresses *ret_addresses);

/*
 * Add what a file like /etc/hosts says about a name.  Lines that cannot be understood say nothing;
 * neither does a file that cannot be read whole, or is longer than SEAL_SYSTEM_FILE_MAX.
 */
void seal_hosts_find(struct seal_found *found, const char *path, const char *host);

/*
 * The name servers and search domains of one state of resolv.conf.  A file that cannot be read whole
 * names nobody: to ask whatever listens on our own port 53 instead would be a guess.  One that can no
 * longer be read (a sandbox may know the file that was replaced, not the new one) leaves things as they
 * were.
 */
#define SEAL_SERVERS_MAX 4
#define SEAL_SEARCH_MAX  16
#define SEAL_NDOTS_MAX   15
struct seal_query {
	LIST_ENTRY(seal_query) link;
	struct seal_resolve *resolve; /* NULL: forgotten */
};
struct seal_servers {
	struct seal_servers *next;
	struct evdns_base *dns;
	unsigned users; /* questions under way */
	LIST_HEAD(seal_queries, seal_query)
	queries;        /* those that have not come back, of nobody too */
	unsigned count; /* of servers */
	unsigned ndots; /* a name with as many dots is tried as it is first */
	unsigned search_count;
	char search[SEAL_SEARCH_MAX][SEAL_HOSTNAME_MAX + 1];
	struct seal_bytes text; /* what all this was made from */
};

/* The servers of resolv.conf as it is now; give them back. */
SEAL_CHECKED int seal_servers_get(struct seal_loop *loop, struct seal_servers **ret_servers,
				  struct seal_err *err);
void seal_servers_put(struct seal_servers *servers);
bool seal_servers_have_queries(const struct seal_loop *loop);
/* The step-th name to ask for, from 0 on.  False when there are no more. */
bool seal_servers_name(const struct seal_servers *servers, const char *host, unsigned step,
		       char name[static SEAL_HOSTNAME_MAX + 1]);
/* No user may be left, and nothing that is about to be called back. */
void seal_servers_shutdown(struct seal_loop *loop);

#endif
