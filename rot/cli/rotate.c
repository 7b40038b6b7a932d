/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs by which CAs and keys of a workload follow one another: introduce, switch, retire.  Both have one shape; a
 * whole rotation is these steps with waiting between them, and goes on where an earlier one was interrupted.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config-verify/ring.h"
#include "rot/cli/cli.h"

#define PATH_LEN        512
#define POLL_MS         1000
#define DEFAULT_SECONDS 600
#define NAMED           3 /* of those who are waited for */

static const struct cli_column ca_columns[] = {
	{ "CA GENERATION", "generation", CLI_TEXT }, { "PHASE", "phase", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME },        { "CERTIFICATES", "certificates", CLI_TEXT },
	{ "WAITING", "waiting", CLI_TEXT },          { "CREATED", "created_at", CLI_TIME },
	{ "RETIRED", "retired_at", CLI_TIME },
};

static const struct cli_column key_columns[] = {
	{ "KEY GENERATION", "generation", CLI_TEXT }, { "PHASE", "phase", CLI_TEXT },
	{ "OBJECTS", "objects", CLI_TEXT },           { "WAITING", "waiting", CLI_TEXT },
	{ "CREATED", "created_at", CLI_TIME },        { "RETIRED", "retired_at", CLI_TIME },
};

static const struct cli_column holder_columns[] = {
	{ "CERTIFICATES THAT", "why", CLI_TEXT }, { "PEER", "peer", CLI_TEXT },
	{ "SERIAL", "serial", CLI_TEXT },         { "EGG", "egg", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME },
};

/* What is rotated. */
struct kind {
	const char *name;   /* in sentences */
	const char *member; /* of a workload, and in paths */
	const struct cli_column *columns;
	size_t column_count;
	const char *rotate; /* the verb */
};

static const struct kind cas = { "CA", "cas", ca_columns, SEAL_COUNT(ca_columns), "rotate-ca" };
static const struct kind keys = { "key", "keys", key_columns, SEAL_COUNT(key_columns),
				  "rotate-key" };

static int
workload_path(const struct cli *cli, char path[static PATH_LEN], struct seal_err *err)
{
	int r = seal_workload_check(cli->args[0], err);

	if (r == 0)
		(void)snprintf(path, PATH_LEN, "/v1/workloads/%s", cli->args[0]);
	return r;
}

/* ---- Showing ---- */

static void
add_holders(struct seal_json *list, const struct seal_json *generation, const char *member,
	    const char *why)
{
	const struct seal_json *holders = NULL;
	uint64_t number = 0;
	char text[96];

	if (seal_json_get_array(generation, member, &holders, NULL) < 0 ||
	    seal_json_get_u64(generation, "generation", UINT64_MAX, &number, NULL) < 0)
		return;
	(void)snprintf(text, sizeof(text), "%s %" PRIu64, why, number);
	for (size_t i = 0; i < seal_json_count(holders); i++) {
		static const char *const members[] = { "peer", "serial", "egg", "not_after", NULL };
		struct seal_json *entry = seal_json_add_object(list);

		seal_json_set_str(entry, "why", text);
		cli_copy_members(entry, seal_json_at(holders, i), members);
	}
}

static bool
is_in_phase(const struct seal_json *generation, const char *phase)
{
	const char *text = NULL;

	return seal_json_get_str(generation, "phase", &text, NULL) == 0 && strcmp(text, phase) == 0;
}

/* Those that stand in the way of a next step. */
static void
gather_holders(const struct seal_json *workload, struct seal_json *list)
{
	const struct seal_json *array = NULL;

	if (seal_json_get_array(workload, cas.member, &array, NULL) == 0)
		for (size_t i = 0; i < seal_json_count(array); i++) {
			const struct seal_json *ca = seal_json_at(array, i);

			add_holders(list, ca, "waiting_for", "have not taken in CA");
			if (is_in_phase(ca, "old"))
				add_holders(list, ca, "certified", "are certified by CA");
		}
	if (seal_json_get_array(workload, keys.member, &array, NULL) == 0)
		for (size_t i = 0; i < seal_json_count(array); i++)
			add_holders(list, seal_json_at(array, i), "waiting_for",
				    "have not got key");
}

static int
print_kind(const struct cli *cli, const struct kind *kind, const struct seal_json *workload,
	   struct seal_err *err)
{
	return cli_print_list(cli, workload, kind->member, kind->columns, kind->column_count, err);
}

int
cli_print_generations(const struct cli *cli, const struct seal_json *workload, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *holders = seal_json_new();
	struct seal_json *list = seal_json_set_array(holders, "holders");
	int r = cli_write_out("\n", 1, err);

	if (r == 0)
		r = print_kind(cli, &cas, workload, err);
	if (r == 0)
		r = cli_write_out("\n", 1, err);
	if (r == 0)
		r = print_kind(cli, &keys, workload, err);
	gather_holders(workload, list);
	if (r < 0 || seal_json_count(list) == 0)
		return r;
	r = cli_write_out("\n", 1, err);
	return r < 0 ? r
		     : cli_print_list(cli, holders, "holders", holder_columns,
				      SEAL_COUNT(holder_columns), err);
}

/* ---- One step ---- */

static int
introduce(struct cli *cli, const struct kind *kind, struct seal_json **ret_reply,
	  struct seal_err *err)
{
	char workload[PATH_LEN];
	char path[PATH_LEN + 8];
	int r = workload_path(cli, workload, err);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/%s", workload, kind->member);
	return cli_call(cli, "POST", path, NULL, ret_reply, err);
}

static int
switch_to(struct cli *cli, const struct kind *kind, uint64_t generation,
	  struct seal_json **ret_reply, struct seal_err *err)
{
	char workload[PATH_LEN];
	char path[PATH_LEN + 64];
	int r = workload_path(cli, workload, err);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/%s/%" PRIu64 "/switch%s", workload, kind->member,
		       generation, cli->opt.force ? "?force=1" : "");
	return cli_call(cli, "POST", path, NULL, ret_reply, err);
}

static int
retire(struct cli *cli, const struct kind *kind, uint64_t generation, struct seal_json **ret_reply,
       struct seal_err *err)
{
	char workload[PATH_LEN];
	char path[PATH_LEN + 64];
	int r = workload_path(cli, workload, err);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%s/%s/%" PRIu64 "%s", workload, kind->member,
		       generation, cli->opt.force ? "?force=1" : "");
	return cli_call(cli, "DELETE", path, NULL, ret_reply, err);
}

/* The workload as it is. */
static int
look(struct cli *cli, struct seal_json **ret_workload, struct seal_err *err)
{
	char path[PATH_LEN];
	int r = workload_path(cli, path, err);

	return r < 0 ? r : cli_call(cli, "GET", path, NULL, ret_workload, err);
}

/* The newest, or the oldest, generation in a phase, as it is shown; NULL: there is none. */
static const struct seal_json *
find_phase(const struct seal_json *workload, const struct kind *kind, const char *phase)
{
	const struct seal_json *array = NULL;

	if (seal_json_get_array(workload, kind->member, &array, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < seal_json_count(array); i++) {
		if (is_in_phase(seal_json_at(array, i), phase))
			return seal_json_at(array, i);
	}
	return NULL;
}

static uint64_t
number_of(const struct seal_json *generation, const char *member)
{
	uint64_t number = 0;

	if (generation == NULL ||
	    seal_json_get_u64(generation, member, UINT64_MAX, &number, NULL) < 0)
		return 0;
	return number;
}

static int
switch_to_newest(struct cli *cli, const struct kind *kind, struct seal_json **ret_reply,
		 struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *workload = NULL;
	uint64_t generation;
	int r = look(cli, &workload, err);

	if (r < 0)
		return r;
	generation = number_of(find_phase(workload, kind, "introduced"), "generation");
	if (generation == 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "no %s generation of '%s' is introduced: 'seal workload %s %s' "
				 "introduces one",
				 kind->name, cli->args[0], kind->rotate, cli->args[0]);
	return switch_to(cli, kind, generation, ret_reply, err);
}

/* ---- All of them ---- */

static uint64_t
seconds_now(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (uint64_t)now.tv_sec;
}

static void
pause_ms(long ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL); /* a signal ends it early: as good */
}

/* "waiting for 5: web 4a.., web 4b.., db 4c.., ..." once for each number. */
static void
say_waiting(const struct seal_json *generation, const char *what, const char *total,
	    const char *list, uint64_t *said)
{
	const struct seal_json *holders = NULL;
	uint64_t count = number_of(generation, total);

	if (count == *said)
		return;
	*said = count;
	(void)fprintf(stderr, "%s: %" PRIu64, what, count);
	if (seal_json_get_array(generation, list, &holders, NULL) == 0) {
		for (size_t i = 0; i < seal_json_count(holders) && i < NAMED; i++) {
			const struct seal_json *holder = seal_json_at(holders, i);
			const char *peer = NULL, *serial = NULL;

			if (seal_json_get_str(holder, "peer", &peer, NULL) == 0 &&
			    seal_json_get_str(holder, "serial", &serial, NULL) == 0)
				(void)fprintf(stderr, "%s %s %s", i == 0 ? ":" : ",", peer, serial);
		}
	}
	(void)fprintf(stderr, "%s\n", count > NAMED ? ", ..." : "");
}

struct rotation {
	struct cli *cli;
	const struct kind *kind;
	uint64_t until;
	struct seal_json *workload; /* as it was seen last */
};

static int
look_again(struct rotation *rotation, struct seal_err *err)
{
	seal_json_free(SEAL_TAKE(rotation->workload));
	return look(rotation->cli, &rotation->workload, err);
}

/* Until nobody is missing, or the time is over: then the next step says who is. */
static int
wait_for_none(struct rotation *rotation, const char *phase, const char *what, const char *total,
	      const char *list, struct seal_err *err)
{
	uint64_t said = 0;
	int r = 0;

	while (seconds_now() < rotation->until) {
		const struct seal_json *generation =
			find_phase(rotation->workload, rotation->kind, phase);

		if (generation == NULL || number_of(generation, total) == 0)
			return 0;
		say_waiting(generation, what, total, list, &said);
		pause_ms(POLL_MS);
		r = look_again(rotation, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int
begin(struct rotation *rotation, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	int r = look_again(rotation, err);

	if (r < 0)
		return r;
	if (find_phase(rotation->workload, rotation->kind, "introduced") != NULL ||
	    (rotation->kind == &cas && find_phase(rotation->workload, &cas, "old") != NULL)) {
		(void)fprintf(stderr, "going on with the rotation that was begun\n");
		return 0;
	}
	r = introduce(rotation->cli, rotation->kind, &reply, err);
	return r < 0 ? r : look_again(rotation, err);
}

static int
take_over(struct rotation *rotation, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	uint64_t generation = number_of(
		find_phase(rotation->workload, rotation->kind, "introduced"), "generation");
	int r;

	if (generation == 0)
		return 0;
	(void)fprintf(stderr, "%s generation %" PRIu64 " is introduced\n", rotation->kind->name,
		      generation);
	r = wait_for_none(rotation, "introduced", "certificates to have it", "waiting",
			  "waiting_for", err);
	if (r == 0)
		r = switch_to(rotation->cli, rotation->kind, generation, &reply, err);
	if (r < 0)
		return r;
	(void)fprintf(stderr, "%s generation %" PRIu64 " is active\n", rotation->kind->name,
		      generation);
	return look_again(rotation, err);
}

/* Those before it, one after the other. */
static int
let_go(struct rotation *rotation, struct seal_err *err)
{
	const struct seal_json *old;
	int r = 0;

	while (r == 0 && (old = find_phase(rotation->workload, &cas, "old")) != NULL) {
		SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
		uint64_t generation = number_of(old, "generation");

		r = wait_for_none(rotation, "old", "certificates of the old one", "certificates",
				  "certified", err);
		if (r == 0)
			r = retire(rotation->cli, &cas, generation, &reply, err);
		if (r < 0)
			return r;
		(void)fprintf(stderr, "CA generation %" PRIu64 " is retired\n", generation);
		r = look_again(rotation, err);
	}
	return r;
}

static int
rotate_all(struct cli *cli, const struct kind *kind, struct seal_json **ret_workload,
	   struct seal_err *err)
{
	struct rotation rotation = {
		.cli = cli,
		.kind = kind,
		.until = seconds_now() +
			 (cli->opt.timeout != 0 ? cli->opt.timeout : DEFAULT_SECONDS),
	};
	int r = begin(&rotation, err);

	if (r == 0)
		r = take_over(&rotation, err);
	/* When old keys can go is up to those who seal. */
	if (r == 0 && kind == &cas)
		r = let_go(&rotation, err);
	if (r < 0) {
		seal_json_free(rotation.workload);
		return r;
	}
	*ret_workload = rotation.workload;
	return 0;
}

/* ---- The verbs ---- */

static int
check_options(const struct cli *cli, struct seal_err *err)
{
	if (cli->opt.switch_ && cli->opt.wait)
		return seal_fail(err, SEAL_E_USAGE, "--wait does all steps, --switch one of them");
	if (cli->opt.force && !cli->opt.switch_)
		return seal_fail(err, SEAL_E_USAGE, "--force goes with --switch");
	if (cli->opt.timeout != 0 && !cli->opt.wait)
		return seal_fail(err, SEAL_E_USAGE, "--timeout goes with --wait");
	return 0;
}

static int
rotate(struct cli *cli, const struct kind *kind, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	int r = check_options(cli, err);

	if (r < 0)
		return r;
	if (cli->opt.wait)
		r = rotate_all(cli, kind, &reply, err);
	else if (cli->opt.switch_)
		r = switch_to_newest(cli, kind, &reply, err);
	else
		r = introduce(cli, kind, &reply, err);
	return r < 0 ? r : print_kind(cli, kind, reply, err);
}

int
cli_workload_rotate_ca(struct cli *cli, struct seal_err *err)
{
	return rotate(cli, &cas, err);
}

int
cli_workload_rotate_key(struct cli *cli, struct seal_err *err)
{
	return rotate(cli, &keys, err);
}

static int
retire_one(struct cli *cli, const struct kind *kind, const char *loss, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	uint64_t generation = 0;
	char what[PATH_LEN];
	int r = seal_workload_check(cli->args[0], err);

	if (r == 0)
		r = seal_number_parse(cli->args[1], 1, VERIFY_MAX_KEY_GENERATION, &generation, err);
	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what), "retire %s generation %" PRIu64 " of '%s', for good: %s",
		       kind->name, generation, cli->args[0], loss);
	r = cli_confirm(cli, what, err);
	if (r == 0)
		r = retire(cli, kind, generation, &reply, err);
	return r < 0 ? r : print_kind(cli, kind, reply, err);
}

int
cli_workload_retire_ca(struct cli *cli, struct seal_err *err)
{
	return retire_one(cli, &cas, "nobody trusts what it has certified any more", err);
}

int
cli_workload_retire_key(struct cli *cli, struct seal_err *err)
{
	return retire_one(cli, &keys,
			  "what it sealed, and what applications encrypted with it, opens no more",
			  err);
}
