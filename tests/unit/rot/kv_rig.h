/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_KV_RIG_H
#define SEAL_TESTS_KV_RIG_H

/*
 * A place for a store of either engine: a fresh folder, or a fresh prefix in an etcd that the tests share
 * (etcd_share); and ways to write into it behind its owner's back.  Failures abort the test.
 */

#include <limits.h>

#include "rot/kv/kv.h"
#include "tests/support/etcd.h"

struct kv_rig {
	bool is_sqlite;
	struct rot_kv_config config;
	char dir[PATH_MAX];
	char path[PATH_MAX]; /* of the file */
	char where[PATH_MAX + 16];
	char prefix[64];
	struct etcd etcd;
};

void kv_rig_sqlite(struct kv_rig *rig);
/* Skips the test where there is no etcd. */
void kv_rig_etcd(struct kv_rig *rig);
void kv_rig_use(struct kv_rig *rig, const struct etcd *etcd);
void kv_rig_release(struct kv_rig *rig);
/* A store without keys. */
struct rot_kv *kv_rig_create(struct kv_rig *rig);

void kv_rig_sql(struct kv_rig *rig, const char *sql);
/* What the engine keeps for a key: change a byte, take another key's, replace it. */
void kv_rig_flip(struct kv_rig *rig, const char *key, size_t at, uint8_t mask);
void kv_rig_copy(struct kv_rig *rig, const char *from, const char *to);
void kv_rig_set(struct kv_rig *rig, const char *key, const void *stored, size_t len);

size_t kv_rig_fences(struct kv_rig *rig);
void kv_rig_put_fence(struct kv_rig *rig, const char *key, const char *text);
void kv_rig_drop_fences(struct kv_rig *rig);

#endif
