/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store_audit: no change without its entry, no entry without its change, no number twice. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rot/audit/head.h"
#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW INT64_C(1800000000)

TestSuite(rot_audit_sqlite);
TestSuite(rot_audit_etcd);

static struct kv_rig rig;
static struct rot_store *store;
static const char log_id[] = "00112233445566778899aabbccddeeff";

static int
begin_log(struct seal_err *err)
{
	struct rot_audit_log log = { .key = SEAL_BYTES(64) };
	int r;

	memcpy(log.id, log_id, sizeof(log.id));
	r = seal_bytes_append_str(&log.key, "wrapped", err);
	if (r == 0)
		r = rot_store_audit_begin(store, &log, "seal.test", NOW, err);
	rot_audit_log_release(&log);
	return r;
}

static void
prepare(void)
{
	struct seal_err err = { 0 };

	store = rig_store(&rig.config, NOW);
	cr_assert_eq(begin_log(&err), 0, "%s", err.text);
	rig_add_workload(store, "shop", false, NOW);
}

static void
rot_audit_setup_sqlite(void)
{
	kv_rig_sqlite(&rig);
	prepare();
}

static void
rot_audit_setup_etcd(void)
{
	kv_rig_etcd(&rig);
	prepare();
}

static void
rot_audit_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

static struct audit_entry
make_entry(const char *subject)
{
	struct audit_entry entry = { .time = NOW,
				     .kind = AUDIT_PEER_ALLOW,
				     .actor = "operator/admin/local",
				     .workload = "shop",
				     .count = 1 };

	(void)snprintf(entry.subject, sizeof(entry.subject), "%s", subject);
	return entry;
}

/* A pair and its entry, named by a number. */
struct step {
	char peer[16];
};

static int
take_step(struct rot_store *in, void *arg, struct seal_err *err)
{
	const struct step *step = arg;
	const struct audit_entry entry = make_entry(step->peer);
	uint64_t epoch;
	int r = rot_store_add_pair(in, "shop", step->peer, "db", &epoch, err);

	return r < 0 ? r : rot_store_audit_add(in, &entry, err);
}

static int
change(struct rot_store *in, const char *peer, struct seal_err *err)
{
	struct step step;

	(void)snprintf(step.peer, sizeof(step.peer), "%s", peer);
	return rot_store_change(in, take_step, &step, err);
}

/* ---- What the log says ---- */

struct reading {
	struct audit_check *check;
	uint64_t count;
	uint64_t last;
	struct audit_entry entry; /* the last one */
};

static int
read_entry(void *arg, uint64_t n, const void *text, size_t len, struct seal_err *err)
{
	struct reading *reading = arg;
	int r = audit_check_entry(reading->check, text, len, err);

	reading->count++;
	reading->last = n;
	return r < 0 ? r : audit_entry_parse(&reading->entry, text, len, err);
}

/* Every number once, every entry well formed, and the tree is theirs. */
static struct reading
read_log(void)
{
	struct reading reading = { 0 };
	struct audit_report report = { 0 };
	struct audit_tree tree = { 0 };
	struct seal_err err = { 0 };
	uint8_t root[SEAL_HASH_LEN];

	cr_assert_eq(audit_check_new(&reading.check, &err), 0);
	cr_assert_eq(rot_store_each_entry(store, 0, 0, read_entry, &reading, &err), 0, "%s",
		     err.text);
	cr_assert_eq(audit_check_end(reading.check, &report, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_audit_tree(store, &tree, &err), 0, "%s", err.text);
	cr_assert_eq(audit_tree_root(&tree, root, &err), 0);
	cr_expect_eq(tree.size, report.size);
	cr_expect_arr_eq(root, report.root, sizeof(root));
	audit_check_free(reading.check);
	reading.check = NULL;
	return reading;
}

static int
count_pair(void *arg, const char *client, const char *server, struct seal_err *err)
{
	(void)client;
	(void)server;
	(void)err;
	++*(uint64_t *)arg;
	return 0;
}

static uint64_t
pairs(void)
{
	struct seal_err err = { 0 };
	uint64_t count = 0;

	cr_assert_eq(rot_store_each_pair(store, "shop", count_pair, &count, &err), 0, "%s",
		     err.text);
	return count;
}

/* So many changes were made, and as many told: beside init, and the pair that a workload begins with. */
static void
expect_changes(uint64_t count)
{
	cr_expect_eq(pairs(), count + 1, "%llu pairs", (unsigned long long)pairs());
	cr_expect_eq(read_log().count, count + 1, "%llu entries",
		     (unsigned long long)read_log().count);
}

/* ---- The promises ---- */

BOTH(rot_audit, begins_with_init_once)
{
	struct rot_audit_log log = { 0 };
	struct seal_err err = { 0 };
	struct reading reading = read_log();

	cr_expect_eq(reading.count, 1);
	cr_expect_eq(reading.entry.kind, AUDIT_INIT);
	cr_expect_eq(reading.entry.time, NOW);
	cr_expect_str_eq(reading.entry.actor, "rot");
	cr_expect_str_eq(reading.entry.subject, "seal.test");
	cr_assert_eq(rot_store_audit_log(store, &log, &err), 0, "%s", err.text);
	cr_expect_str_eq(log.id, log_id);
	cr_expect_str_eq(seal_bytes_str(&log.key), "wrapped");
	rot_audit_log_release(&log);
	cr_expect_eq(begin_log(&err), SEAL_E_CONFLICT);
	expect_changes(0);
}

BOTH(rot_audit, is_written_with_the_change_or_not_at_all)
{
	struct seal_err err = { 0 };

	cr_expect_eq(change(store, "web", &err), 0, "%s", err.text);
	cr_expect_eq(change(store, "web", &err), SEAL_E_CONFLICT, "twice");
	expect_changes(1);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_expect_eq(change(store, "app", &err), 0);
	rot_store_rollback(store);
	expect_changes(1);
}

BOTH(rot_audit, goes_back_with_its_mark_and_numbers_have_no_holes)
{
	struct seal_err err = { 0 };
	uint64_t outer = 0, inner = 0;

	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_expect_eq(change(store, "a", &err), 0);
	cr_assert_eq(rot_store_mark(store, &outer, &err), 0);
	cr_expect_eq(change(store, "b", &err), 0);
	cr_assert_eq(rot_store_mark(store, &inner, &err), 0);
	cr_expect_eq(change(store, "c", &err), 0);
	cr_assert_eq(rot_store_keep(store, inner, &err), 0);
	cr_assert_eq(rot_store_undo(store, outer, &err), 0);
	cr_expect_eq(change(store, "d", &err), 0);
	cr_assert_eq(rot_store_mark(store, &outer, &err), 0);
	cr_expect_eq(change(store, "e", &err), 0);
	cr_assert_eq(rot_store_keep(store, outer, &err), 0);
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	expect_changes(3);
	cr_expect_eq(rot_store_audit_written(store), 4);
	cr_expect_str_eq(read_log().entry.subject, "e");
}

BOTH(rot_audit, an_entry_that_cannot_be_fails_alone)
{
	struct audit_entry entry = make_entry("x");
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_expect_eq(change(store, "web", &err), 0);
	(void)snprintf(entry.workload, sizeof(entry.workload), "Not a name");
	cr_expect_eq(rot_store_audit_add(store, &entry, &err), SEAL_E_BUG);
	entry = make_entry("line\nfeed");
	cr_expect_eq(rot_store_audit_add(store, &entry, &err), SEAL_E_BUG);
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	expect_changes(1);
}

static char tree_key[] = "audit-tree", next_key[] = "audit/0000000000000001";

static int
put_raw(struct rot_store *in, void *arg, struct seal_err *err)
{
	return rot_kv_put(in->kv, arg, "nonsense", 8, err);
}

static int
drop_raw(struct rot_store *in, void *arg, struct seal_err *err)
{
	return rot_kv_delete(in->kv, arg, err);
}

BOTH(rot_audit, that_cannot_be_written_keeps_the_change_from_being_made)
{
	struct seal_err err = { 0 };
	uint64_t before = pairs();

	cr_assert_eq(rot_store_change(store, put_raw, tree_key, &err), 0);
	cr_expect_eq(change(store, "web", &err), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "audit-tree"), "%s", err.text);
	cr_assert_eq(rot_store_change(store, drop_raw, tree_key, &err), 0);
	cr_expect_eq(change(store, "web", &err), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "audit-tree"), "%s", err.text);
	cr_expect_eq(pairs(), before);
}

/* The tree put back: entries that were promised to stay are not overwritten. */
BOTH(rot_audit, never_writes_over_an_entry)
{
	struct seal_err err = { 0 };
	uint64_t before = pairs();

	cr_assert_eq(rot_store_change(store, put_raw, next_key, &err), 0);
	cr_expect_lt(change(store, "web", &err), 0);
	cr_expect_eq(pairs(), before);
}

BOTH(rot_audit, outlives_what_it_tells_of)
{
	struct seal_err err = { 0 };
	int r;

	cr_assert_eq(change(store, "web", &err), 0);
	cr_assert_eq(rot_store_delete_workload(store, "shop", &err), 0);
	while ((r = rot_store_sweep(store, &err)) == 1)
		;
	cr_expect_eq(r, 0, "%s", err.text);
	while ((r = rot_store_purge(store, NOW + 1000000, &err)) == 1)
		;
	cr_expect_eq(r, 0, "%s", err.text);
	cr_expect_eq(read_log().count, 2);
	cr_expect_str_eq(read_log().entry.subject, "web");
}

BOTH(rot_audit, is_read_from_any_place)
{
	struct reading reading = { 0 };
	struct seal_err err = { 0 };
	char peer[16];

	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(peer, sizeof(peer), "p%u", i);
		cr_assert_eq(change(store, peer, &err), 0, "%s", err.text);
	}
	cr_assert_eq(audit_check_new(&reading.check, &err), 0);
	cr_expect_eq(rot_store_each_entry(store, 7, 0, read_entry, &reading, &err), SEAL_E_REFUSED,
		     "not the first");
	audit_check_free(reading.check);
	cr_expect_eq(reading.last, 7);
}

/* ---- Heads ---- */

struct kept {
	uint64_t sizes[8];
	size_t count;
};

static int
note_head(void *arg, uint64_t n, const void *text, size_t len, struct seal_err *err)
{
	struct kept *kept = arg;

	(void)err;
	cr_expect_eq(len, 4);
	cr_expect_eq(memcmp(text, "head", 4), 0);
	kept->sizes[kept->count++] = n;
	return 0;
}

BOTH(rot_audit, keeps_heads_by_their_size)
{
	static const uint64_t sizes[] = { 256, 1, 17, 17, UINT64_C(1) << 40 };
	struct kept kept = { 0 };
	struct seal_err err = { 0 };

	for (size_t i = 0; i < SEAL_COUNT(sizes); i++)
		cr_assert_eq(rot_store_audit_add_head(store, sizes[i], "head", 4, &err), 0, "%s",
			     err.text);
	cr_assert_eq(rot_store_each_head(store, 2, 2, note_head, &kept, &err), 0, "%s", err.text);
	cr_assert_eq(kept.count, 2);
	cr_expect_eq(kept.sizes[0], 17);
	cr_expect_eq(kept.sizes[1], 256);
	cr_assert_eq(rot_store_each_head(store, 257, 0, note_head, &kept, &err), 0);
	cr_assert_eq(kept.count, 3);
	cr_expect_eq(kept.sizes[2], UINT64_C(1) << 40);
	expect_changes(0);
}

BOTH(rot_audit, the_tree_of_a_batch_is_the_one_that_is_committed)
{
	struct audit_tree tree = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_expect_eq(change(store, "web", &err), 0);
	cr_assert_eq(rot_store_audit_tree(store, &tree, &err), 0, "%s", err.text);
	cr_expect_eq(tree.size, 1);
	cr_assert_eq(rot_store_commit(store, &err), 0);
	cr_assert_eq(rot_store_audit_tree(store, &tree, &err), 0);
	cr_expect_eq(tree.size, 2);
}

BOTH(rot_audit, the_key_is_wrapped_anew_under_the_same_id)
{
	struct seal_bytes key = SEAL_BYTES(64);
	struct rot_audit_log log = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(seal_bytes_append_str(&key, "otherwise", &err), 0);
	cr_assert_eq(rot_store_audit_rewrap(store, &key, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_audit_log(store, &log, &err), 0);
	cr_expect_str_eq(seal_bytes_str(&log.key), "otherwise");
	cr_expect_str_eq(log.id, log_id);
	rot_audit_log_release(&log);
	seal_bytes_release(&key);
}

/* ---- Others at work ---- */

#define EACH 20

struct racer {
	pthread_t thread;
	unsigned number;
	int verdict;
	struct seal_err err;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct rot_store *own = NULL;
	int r = rot_store_open(&own, &rig.config, &racer->err);

	for (unsigned i = 0; r == 0 && i < EACH; i++) {
		char peer[16];

		(void)snprintf(peer, sizeof(peer), "r%ux%u", racer->number, i);
		r = change(own, peer, &racer->err);
	}
	racer->verdict = r;
	rot_store_close(own);
	return NULL;
}

Test(rot_audit_etcd, replicas_at_once_number_every_entry_once, .init = rot_audit_setup_etcd,
     .fini = rot_audit_teardown)
{
	struct racer racers[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };

	(void)alarm(120);
	for (size_t i = 0; i < SEAL_COUNT(racers); i++)
		cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	for (size_t i = 0; i < SEAL_COUNT(racers); i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		cr_expect_eq(racers[i].verdict, 0, "%s", racers[i].err.text);
	}
	expect_changes(SEAL_COUNT(racers) * EACH);
}

Test(rot_audit_etcd, who_was_overtaken_tells_nothing, .init = rot_audit_setup_etcd,
     .fini = rot_audit_teardown)
{
	const struct audit_entry entry = make_entry("something else");
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };

	(void)alarm(60);
	cr_assert_eq(rot_store_open(&other, &rig.config, &err), 0);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_expect_eq(change(store, "web", &err), 0);
	cr_expect_eq(rot_store_audit_add(other, &entry, &err), 0);
	cr_expect_eq(change(other, "app", &err), 0);
	cr_expect_eq(rot_store_commit(store, &err), SEAL_E_CONFLICT);
	rot_store_close(other);
	cr_expect_eq(read_log().count, 3);
	cr_expect_eq(change(store, "web", &err), 0, "%s", err.text);
	cr_expect_eq(read_log().count, 4);
	cr_expect_eq(pairs(), 3);
}

/* ---- Killed ---- */

static void
change_until_killed(unsigned round)
{
	struct rot_store *own = NULL;

	if (rot_store_open(&own, &rig.config, NULL) < 0)
		_exit(1);
	for (unsigned i = 0;; i++) {
		char peer[16];
		int r;

		(void)snprintf(peer, sizeof(peer), "k%ux%u", round, i);
		r = change(own, peer, NULL);
		if (r == SEAL_E_LIMIT)
			(void)pause(); /* a workload has only so many pairs, and this disk is fast */
		if (r < 0)
			_exit(1);
	}
}

static void
kill_after(pid_t pid, unsigned ms)
{
	const struct timespec pause = { .tv_nsec = (long)ms * 1000000 };
	int status = 0;

	(void)nanosleep(&pause, NULL);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status), "it ended by itself");
}

BOTH(rot_audit, killed_at_any_moment_change_and_entry_are_both_there_or_neither)
{
	struct seal_err err = { 0 };

	for (unsigned round = 0; round < 6; round++) {
		pid_t pid;

		rot_store_close(store);
		store = NULL;
		pid = fork();
		cr_assert_geq(pid, 0);
		if (pid == 0)
			change_until_killed(round);
		kill_after(pid, 30 + 17 * round);
		cr_assert_eq(rot_store_open(&store, &rig.config, &err), 0, "%s", err.text);
		cr_expect_eq(read_log().count, pairs());
	}
	cr_expect_gt(pairs(), 1, "nothing was changed at all");
}
