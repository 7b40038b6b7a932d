/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_ETCD_H
#define SEAL_TESTS_ETCD_H

/*
 * A real etcd for tests (tests/support/etcd.sh).  It ends, with all that it has written, when this process does.
 */

#include <stdbool.h>
#include <sys/types.h>

#define ETCD_MEMBERS 5

struct etcd {
	char dir[64];
	char where[256]; /* "etcd:https://...": for a configuration */
	char ca[96];
	char cert[96];
	char key[96];
	pid_t members[ETCD_MEMBERS];
	pid_t pid; /* of the script; 0: not ours */
	int hold;
};

/* False, aloud, where there is none. */
bool etcd_start(struct etcd *etcd, unsigned members);
void etcd_stop(struct etcd *etcd);
/* Let a member stand still, and go on: it does when this returns. */
void etcd_freeze(pid_t member);
void etcd_thaw(pid_t member);
/* One that is shared with the processes that this one starts; etcd_shared finds it there. */
void etcd_share(unsigned members);
bool etcd_shared(struct etcd *ret_etcd);

#endif
