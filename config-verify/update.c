/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of an application, from when it starts until it ends.
 *
 *            ┌─────────────── told, or the period is over ──┐
 *            ▼                                              │
 *   source ─read─▶ same digest? ──yes───────────────────────┤
 *                     │ no                                  │
 *                     └▶ collect ─▶ publish ─▶ remember ────┘
 *                           └ refused: one line, what is there stays, remember
 *
 * A source the host is still writing, and an agent that is away, are no refusals: the files stay dirty and
 * are tried again.  A mount of one file is written once, as the kubelet never updates one either.
 */

#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log/log.h"
#include "config-verify/wrap.h"

#define SETTLE_MS      3000  /* a source may take so long to become one version */
#define RETRY_MS       200   /* between two looks at a source that is not one yet */
#define RELINK_MS      250   /* to the first attempt at an agent that went away */
#define RELINK_MAX_MS  10000 /* and between later ones, at most */
#define RELINK_WAIT_MS 0     /* nobody there: the next attempt is ours to time */

/* ---- One member of the spec's files ---- */

static int
publish(const struct verify_files *files, const struct verify_collection *collection,
	struct seal_err *err)
{
	SEAL_SCOPED(verify_volume_closep) struct verify_volume *volume = NULL;
	size_t count = 0;
	const struct verify_file *list = verify_collection_files(collection, &count);
	int r;

	if (files->file != NULL)
		return count == 0 ? 0 : verify_volume_fill(files->target, &list[0], err);
	r = verify_volume_open(&volume, files->target, err);
	return r < 0 ? r : verify_volume_publish(volume, list, count, err);
}

static void
report_absent(const struct verify_files *files, const struct verify_collection *collection)
{
	for (size_t i = 0; i < verify_collection_absent_count(collection); i++) {
		const struct verify_object *object = verify_collection_absent(collection, i);

		seal_log(SEAL_LOG_INFO, "optional_absent", SEAL_STR("target", files->target),
			 SEAL_STR("kind", object->kind), SEAL_STR("name", object->name));
	}
}

static bool
same(const uint8_t a[static SEAL_HASH_LEN], const uint8_t b[static SEAL_HASH_LEN])
{
	return memcmp(a, b, SEAL_HASH_LEN) == 0;
}

/* Read the source and leave its digest in one->seen. */
static int
look(struct wrap_files *one, struct verify_source **ret_source, struct seal_err *err)
{
	int r = verify_source_read(ret_source, one->files->source, err);

	if (r < 0)
		return seal_note(err, r, "files for '%s'", one->files->target);
	verify_source_digest(*ret_source, one->seen);
	return 0;
}

static int
write_files(struct wrap *wrap, struct wrap_files *one, const struct verify_source *source,
	    struct seal_err *err)
{
	const struct verify_opener opener = wrap_opener(wrap);
	SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;
	int r = verify_collect(&collection, one->files, source, &opener, err);

	if (r == 0) {
		report_absent(one->files, collection);
		r = publish(one->files, collection, err);
	}
	if (r < 0)
		return seal_note(err, r, "files for '%s'", one->files->target);
	memcpy(one->published, one->seen, sizeof(one->published));
	return 0;
}

/* ---- At the start ---- */

static int
write_once(struct wrap *wrap, struct wrap_files *one, struct seal_err *err)
{
	SEAL_SCOPED(verify_source_freep) struct verify_source *source = NULL;
	int r = look(one, &source, err);

	return r < 0 ? r : write_files(wrap, one, source, err);
}

/*
 * Each member has its own memory.  Where the host mounts one twice, the second's files would take the place of
 * the first's, for an application that finds both.
 */
static int
check_place(const struct wrap *wrap, const struct wrap_files *one, struct seal_err *err)
{
	struct stat mine;
	struct stat other;

	if (stat(one->files->target, &mine) < 0)
		return 0; /* who writes there says it better */
	for (const struct wrap_files *at = wrap->files; at < one; at++)
		if (stat(at->files->target, &other) == 0 && other.st_dev == mine.st_dev &&
		    other.st_ino == mine.st_ino)
			return seal_fail(err, SEAL_E_REFUSED,
					 "the host has mounted one memory at '%s' and '%s'",
					 at->files->target, one->files->target);
	return 0;
}

static int
write_all(struct wrap *wrap, struct seal_err *err)
{
	int r = 0;

	memset(wrap->gens, 0, sizeof(wrap->gens));
	for (size_t i = 0; r == 0 && i < verify_spec_files_count(wrap->spec); i++) {
		wrap->files[i] = (struct wrap_files){ .files = verify_spec_files(wrap->spec, i) };
		r = check_place(wrap, &wrap->files[i], err);
		if (r == 0)
			r = write_once(wrap, &wrap->files[i], err);
	}
	return r;
}

/* What the host is still writing shows as conflicts; one that stays is a refusal. */
int
wrap_write_files(struct wrap *wrap, struct seal_err *err)
{
	const uint64_t deadline = verify_now_ms() + SETTLE_MS;
	int r;

	while ((r = write_all(wrap, err)) == SEAL_E_CONFLICT && verify_now_ms() < deadline) {
		r = wrap_pause(wrap, RETRY_MS, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- While the application runs ---- */

struct watch_over {
	struct wrap *wrap;
	struct verify_watch *watch; /* NULL: no files that can change */
	struct wrap_files *watched[VERIFY_MAX_FILES];
	size_t count;
	uint64_t period_at; /* when to look at all though nothing was told */
	uint64_t retry_at;  /* when to look at dirty ones again; 0: there are none */
	uint64_t relink_at; /* when to try the agent again; 0: it is there */
	uint64_t relink_ms;
};

static void
mark_all_dirty(struct watch_over *over)
{
	for (size_t i = 0; i < over->count; i++)
		over->watched[i]->is_dirty = true;
	over->retry_at = verify_now_ms();
}

/* What was refused as well: why it was may have passed, as with keys that come later than what they sealed. */
static void
judge_again(struct watch_over *over)
{
	for (size_t i = 0; i < over->count; i++)
		memset(over->watched[i]->refused, 0, SEAL_HASH_LEN);
	mark_all_dirty(over);
}

static void
lose_agent(struct watch_over *over, const char *reason)
{
	verify_client_free(SEAL_TAKE(over->wrap->client));
	over->relink_ms = RELINK_MS;
	over->relink_at = verify_now_ms() + over->relink_ms;
	seal_log(SEAL_LOG_WARN, "agent_lost", SEAL_STR("reason", reason));
}

/* The agent's answer, the spec, is not looked at: it is the one we have. */
static void
relink(struct watch_over *over)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *spec = NULL;
	struct seal_err err = { 0 };
	int r = wrap_link(over->wrap, RELINK_WAIT_MS, &spec, NULL, &err);

	if (verify_supervisor_is_over(over->wrap->supervisor))
		return;
	if (r == 0) {
		over->relink_at = 0;
		judge_again(over); /* another agent may judge otherwise */
		seal_log(SEAL_LOG_NOTICE, "agent_back");
		return;
	}
	/* That nobody is there yet is what a restart looks like. */
	if (r != SEAL_E_TIMEOUT && r != SEAL_E_CLOSED)
		seal_log(SEAL_LOG_WARN, "agent_refused", SEAL_STR("reason", err.text));
	over->relink_ms *= 2;
	if (over->relink_ms > RELINK_MAX_MS)
		over->relink_ms = RELINK_MAX_MS;
	over->relink_at = verify_now_ms() + over->relink_ms;
}

/* ---- Updates ---- */

/* True when it is done with, until something is told. */
static bool
fail_update(struct wrap_files *one, bool was_read, int r, const struct seal_err *err)
{
	const uint64_t now = verify_now_ms();

	if (one->failing_since == 0)
		one->failing_since = now;
	/* The host may be at work, and what it has so far may look like anything. */
	if ((!was_read || r == SEAL_E_CONFLICT || r == SEAL_E_MISSING) &&
	    now < one->failing_since + SETTLE_MS)
		return false;
	if (!one->is_told)
		seal_log(SEAL_LOG_WARN, "update_refused", SEAL_STR("target", one->files->target),
			 SEAL_STR("code", seal_code_name(r)), SEAL_STR("reason", err->text));
	one->is_told = true;
	if (was_read)
		memcpy(one->refused, one->seen, sizeof(one->refused));
	return true;
}

static void
pass_update(struct wrap_files *one, bool is_new)
{
	one->failing_since = 0;
	one->is_told = false;
	memset(one->refused, 0, sizeof(one->refused));
	if (is_new)
		seal_log(SEAL_LOG_INFO, "files_updated", SEAL_STR("target", one->files->target));
}

/* True when it is done with, until something is told. */
static bool
update(struct watch_over *over, struct wrap_files *one)
{
	struct wrap *wrap = over->wrap;
	SEAL_SCOPED(verify_source_freep) struct verify_source *source = NULL;
	struct seal_err err = { 0 };
	int r = look(one, &source, &err);
	const bool was_read = r == 0;

	if (was_read && same(one->seen, one->published)) {
		pass_update(one, false);
		return true;
	}
	if (was_read && same(one->seen, one->refused))
		return true;
	if (was_read)
		r = write_files(wrap, one, source, &err);
	if (verify_supervisor_is_over(wrap->supervisor))
		return true;
	if (!verify_client_is_open(wrap->client)) {
		lose_agent(over, err.text);
		return false;
	}
	if (r < 0)
		return fail_update(one, was_read, r, &err);
	pass_update(one, true);
	return true;
}

static void
update_dirty(struct watch_over *over)
{
	over->retry_at = 0;
	for (size_t i = 0; i < over->count && over->wrap->client != NULL; i++) {
		struct wrap_files *one = over->watched[i];

		if (one->is_dirty && update(over, one))
			one->is_dirty = false;
		if (one->is_dirty)
			over->retry_at = verify_now_ms() + RETRY_MS;
	}
}

static void
read_watch(struct watch_over *over)
{
	bool changed[VERIFY_MAX_FILES] = { false };

	verify_watch_read(over->watch, changed);
	for (size_t i = 0; i < over->count; i++) {
		if (!changed[i])
			continue;
		over->watched[i]->is_dirty = true;
		over->watched[i]->failing_since = 0;
		over->retry_at = verify_now_ms();
	}
}

/* ---- The loop ---- */

static int
until(uint64_t at, uint64_t now, int most)
{
	if (at == 0)
		return most;
	if (at <= now)
		return 0;
	return at - now < (uint64_t)most ? (int)(at - now) : most;
}

static int
patience(const struct watch_over *over)
{
	if (verify_supervisor_is_stopping(over->wrap->supervisor))
		return -1; /* its end is told, and so is the time to make one */
	const uint64_t now = verify_now_ms();
	int ms = until(over->relink_at, now, INT32_MAX);

	if (over->watch != NULL)
		ms = until(over->period_at, now, ms);
	if (over->wrap->client != NULL)
		ms = until(over->retry_at, now, ms);
	return ms == INT32_MAX ? -1 : ms;
}

static void
turn(struct watch_over *over)
{
	struct wrap *wrap = over->wrap;
	struct pollfd polled[] = {
		{ .fd = wrap_meanwhile(wrap).fd, .events = POLLIN },
		{ .fd = wrap->client == NULL ? -1 : verify_client_fd(wrap->client),
		  .events = POLLIN },
		{ .fd = over->watch == NULL ? -1 : verify_watch_fd(over->watch), .events = POLLIN },
	};
	uint64_t now;

	if (poll(polled, SEAL_COUNT(polled), patience(over)) < 0)
		return; /* interrupted, or no memory for a moment: nothing is known of any */
	if (polled[0].revents != 0 && !wrap_attend(wrap))
		return;
	wrap_tell_suspicion(wrap);
	if (verify_supervisor_is_stopping(wrap->supervisor))
		return; /* nothing is brought up to date any more */
	if (wrap->client != NULL &&
	    (polled[1].revents != 0 || !verify_client_is_open(wrap->client)))
		lose_agent(over, "it closed the connection");
	if (polled[2].revents != 0)
		read_watch(over);
	now = verify_now_ms();
	if (over->watch != NULL && over->period_at <= now) {
		judge_again(over);
		over->period_at = now + VERIFY_WATCH_PERIOD_MS;
	}
	if (over->relink_at != 0 && over->relink_at <= now)
		relink(over);
	if (wrap->client != NULL && over->retry_at != 0 && over->retry_at <= now)
		update_dirty(over);
}

static int
watch_files(struct watch_over *over, struct seal_err *err)
{
	const char *paths[VERIFY_MAX_FILES];
	struct wrap *wrap = over->wrap;

	for (size_t i = 0; i < verify_spec_files_count(wrap->spec); i++) {
		if (wrap->files[i].files->file != NULL)
			continue;
		paths[over->count] = wrap->files[i].files->source;
		over->watched[over->count++] = &wrap->files[i];
	}
	over->period_at = verify_now_ms() + VERIFY_WATCH_PERIOD_MS;
	mark_all_dirty(over); /* it may have changed since it was written */
	return over->count == 0 ? 0 : verify_watch_new(&over->watch, paths, over->count, err);
}

int
wrap_stand_by(struct wrap *wrap, struct seal_err *err)
{
	struct watch_over over = { .wrap = wrap };
	int r = wrap_keep_looking(wrap, err);

	/* An application that nobody watches does not run. */
	if (r < 0) {
		seal_log(SEAL_LOG_ERROR, "blind", SEAL_STR("reason", err->text));
		verify_supervisor_stop(wrap->supervisor, VERIFY_EXIT_REFUSED);
	}
	r = watch_files(&over, err);

	/* Files that are not kept up are no reason to end the application. */
	if (r < 0)
		seal_log(SEAL_LOG_WARN, "updates_off", SEAL_STR("reason", err->text));
	while (!verify_supervisor_is_over(wrap->supervisor))
		turn(&over);
	/* Its end may have come between what was found and the telling of it. */
	if (verify_supervisor_is_stopping(wrap->supervisor))
		wrap_tell_suspicion(wrap);
	verify_watch_free(over.watch);
	return 0;
}
