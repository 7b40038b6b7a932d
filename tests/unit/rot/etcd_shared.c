/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a program whose tests share an etcd.  The first process of it starts one; those that it starts for its tests find
 * it.  It ends with the first process.
 */
#include "tests/support/etcd.h"

__attribute__((constructor)) static void
start(void)
{
	struct etcd found;

	if (!etcd_shared(&found))
		etcd_share(1);
}
