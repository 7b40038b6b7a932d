/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-wrap: the entry point of a container.  A table of steps, each of which must succeed before the
 * next begins; the application starts in the last but one, so whatever is wrong, it did not start.
 * Nothing is chosen by the environment or by options: both are the host's.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log/log.h"
#include "config-verify/wrap.h"

#define AGENT_MS (60u * 1000)  /* the sidecar may take so long to listen */
#define READY_MS (120u * 1000) /* and so long, from then, to serve */
#define ASK_MS   (10u * 1000)  /* between two lines that say what is waited for */
#define LOG_MS   1000          /* the host reads what we say, or does not */

/* ---- Steps ---- */

static int
check_argument(struct wrap *wrap, struct seal_err *err)
{
	return verify_is_sealed(wrap->sealed, strlen(wrap->sealed))
		       ? 0
		       : seal_fail(err, SEAL_E_FORMAT, "the argument is no sealed value");
}

/* It must not know what we will, and /proc, by which it works, has been judged. */
static int
post_deadman(struct wrap *wrap, struct seal_err *err)
{
	return verify_deadman_new(&wrap->deadman, VERIFY_DEADMAN_SLICE_MS, VERIFY_DEADMAN_SLICES,
				  err);
}

static int
load_token(struct wrap *wrap, struct seal_err *err)
{
	return verify_token_load(&wrap->token, VERIFY_TOKEN_PATH, err);
}

/* A probe's spec must not start an application, nor the other way round. */
static int
check_spec(const struct wrap *wrap, const struct verify_binding *binding, struct seal_err *err)
{
	const bool is_place = verify_spec_place(wrap->spec)->count > 0;
	const bool is_main = strcmp(binding->key, VERIFY_SPEC_KEY) == 0;

	if (strcmp(binding->container, wrap->token.container) != 0 ||
	    (!is_place && strcmp(verify_spec_container(wrap->spec), wrap->token.container) != 0))
		return seal_fail(err, SEAL_E_REFUSED, "it is another container's");
	if (is_main == (verify_spec_is_exec(wrap->spec) || is_place))
		return seal_fail(err, SEAL_E_REFUSED, "it is not what it was sealed as");
	return 0;
}

static int
open_spec(struct wrap *wrap, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	struct verify_binding binding = { .gen = 0 };
	int r = wrap_link(wrap, AGENT_MS, &text, &binding, err);

	if (r < 0)
		return r;
	/* The sentence of a parser quotes what it complains about. */
	if (text == NULL ||
	    verify_spec_parse(&wrap->spec, seal_secret_peek(text), seal_secret_len(text), NULL) < 0)
		return seal_fail(err, SEAL_E_FORMAT, "the spec is malformed: seal it again");
	r = check_spec(wrap, &binding, err);
	if (r < 0)
		return seal_note(err, r, "the container spec");
	memcpy(wrap->key, binding.key, sizeof(wrap->key));
	return 0;
}

static int
place_files(struct wrap *wrap, struct seal_err *err)
{
	const struct seal_strv *place = verify_spec_place(wrap->spec);

	for (size_t i = 0; i < place->count; i++) {
		char directory[PATH_MAX];
		const char *name = strrchr(place->items[i], '/') + 1; /* the path is absolute */
		const size_t len = (size_t)(name - place->items[i]);
		int r;

		(void)snprintf(directory, sizeof(directory), "%.*s", len > 1 ? (int)len - 1 : 1,
			       place->items[i]);
		r = verify_volume_place(directory, name, err);
		if (r < 0)
			return seal_note(err, r, "'%s'", place->items[i]);
	}
	return 0;
}

static int
make_environment(struct wrap *wrap, struct seal_err *err)
{
	const struct verify_opener opener = wrap_opener(wrap);
	struct verify_surroundings around = { .host = wrap->host };
	struct utsname names;
	char home[PATH_MAX];

	if (uname(&names) < 0)
		return seal_fail_errno(err, errno, "cannot ask for the name of this machine");
	verify_home_of(home, sizeof(home), "/etc/passwd", geteuid());
	around.home = home;
	around.hostname = names.nodename;
	around.has_terminal = isatty(STDIN_FILENO) == 1;
	return verify_environment_new(&wrap->environment, wrap->spec, &around, &opener, err);
}

static int
make_command(struct wrap *wrap, struct seal_err *err)
{
	return verify_command_make(&wrap->command, wrap->spec, wrap->key, wrap->environment, err);
}

static int
await_proxy(struct wrap *wrap, struct seal_err *err)
{
	const struct verify_request request = { .kind = VERIFY_ASK_READY, .wait_ms = ASK_MS };
	const uint64_t begin = verify_now_ms();

	for (;;) {
		SEAL_SCOPED(seal_secret_freep) struct seal_secret *none = NULL;
		int r = verify_client_ask(wrap->client, &request, &none, NULL, err);
		const uint64_t waited = verify_now_ms() - begin;

		if (r != SEAL_E_TIMEOUT || !verify_client_is_open(wrap->client))
			return r;
		if (waited >= READY_MS)
			return seal_note(err, r, "waited %u s for the proxy", READY_MS / 1000);
		seal_log(SEAL_LOG_NOTICE, "waiting", SEAL_STR("for", "the proxy"),
			 SEAL_U64("seconds", waited / 1000));
	}
}

static struct verify_program
program_of(const struct wrap *wrap, struct verify_findings *findings)
{
	const char *path = verify_environment_get(wrap->environment, "PATH");

	return (struct verify_program){
		.policy = verify_spec_policy(wrap->spec),
		.findings = findings,
		.argv = wrap->command.argv,
		.environment = verify_environment_strings(wrap->environment),
		.path = path,
		.cwd = verify_spec_cwd(wrap->spec),
	};
}

static int
become(struct wrap *wrap, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	struct verify_program program;
	int r = verify_findings_new(&findings, err);

	if (r < 0)
		return r;
	verify_deadman_free(SEAL_TAKE(wrap->deadman)); /* it would be a child of the probe's */
	program = program_of(wrap, findings);
	r = verify_program_become(&program, &wrap->exit, err);
	return verify_findings_count(findings) > 0 ? wrap_conclude_findings(wrap, findings, err)
						   : r;
}

/* The application has its own copies now; of the spec, its files are still needed. */
static int
forget(struct wrap *wrap, struct seal_err *err)
{
	int r = verify_spec_forget(&wrap->spec, err);

	wrap->is_started = true;
	for (size_t i = 0; r == 0 && i < verify_spec_files_count(wrap->spec); i++)
		wrap->files[i].files = verify_spec_files(wrap->spec, i);
	verify_environment_free(SEAL_TAKE(wrap->environment));
	verify_command_release(&wrap->command);
	return r;
}

static int
start(struct wrap *wrap, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	struct verify_program program;
	int r = verify_findings_new(&findings, err);
	int refused;

	if (r < 0)
		return r;
	program = program_of(wrap, findings);
	wrap_beat(wrap);
	r = verify_supervisor_start(wrap->supervisor, &program, &wrap->exit, err);
	refused = wrap_conclude_findings(wrap, findings, err);
	if (r < 0 || refused < 0)
		return r < 0 && refused == 0 ? r : refused;
	return forget(wrap, err);
}

/* ---- The order ---- */

enum purpose {
	FOR_APPLICATION = 1, /* the container's main program */
	FOR_EXEC = 2,        /* a probe or a hook */
	FOR_PLACE = 4,       /* placeholders for mounts of one file */
	FOR_ALL = FOR_APPLICATION | FOR_EXEC | FOR_PLACE,
};

static const struct step {
	unsigned purposes; /* which is known once the spec is open: steps before are for all */
	int (*run)(struct wrap *wrap, struct seal_err *err);
} steps[] = {
	{ FOR_ALL, check_argument },
	/* 1. Variables and mounts: before the token is read, and before anything is asked of anybody. */
	{ FOR_ALL, wrap_look_at_variables },
	{ FOR_ALL, wrap_look_at_mounts },
	{ FOR_ALL, post_deadman },
	/* 2. System files have to wait for the policy, which the spec has. */
	/* 3. The agent and the spec. */
	{ FOR_ALL, load_token },
	{ FOR_ALL, open_spec },
	{ FOR_PLACE, place_files },
	{ FOR_APPLICATION | FOR_EXEC, wrap_look_at_all },
	/* 4. Files. */
	{ FOR_APPLICATION, wrap_write_files },
	/* 5. Environment and command. */
	{ FOR_APPLICATION | FOR_EXEC, make_environment },
	{ FOR_APPLICATION | FOR_EXEC, make_command },
	/* 6. The proxy serves; what runs beside an application need not ask. */
	{ FOR_APPLICATION, await_proxy },
	/* 7. The start; the waiting may have been long. */
	{ FOR_EXEC, become },
	{ FOR_APPLICATION, wrap_look_at_all },
	{ FOR_APPLICATION, start },
	/* 8. And until it ends. */
	{ FOR_APPLICATION, wrap_stand_by },
};

static enum purpose
purpose_of(const struct wrap *wrap)
{
	if (wrap->spec == NULL)
		return FOR_ALL;
	if (verify_spec_place(wrap->spec)->count > 0)
		return FOR_PLACE;
	return verify_spec_is_exec(wrap->spec) ? FOR_EXEC : FOR_APPLICATION;
}

static int
run_steps(struct wrap *wrap, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(steps); i++)
		if ((steps[i].purposes & purpose_of(wrap)) != 0)
			r = steps[i].run(wrap, err);
	return r;
}

static int
conclude(const struct wrap *wrap, int r, const struct seal_err *err)
{
	if (wrap->supervisor != NULL && verify_supervisor_is_over(wrap->supervisor))
		return verify_supervisor_exit(wrap->supervisor);
	if (r == 0)
		return 0;
	seal_log(SEAL_LOG_ERROR, "not_started", SEAL_STR("code", seal_code_name(r)),
		 SEAL_STR("reason", err->text));
	return wrap->exit;
}

/* What is known to nobody else is wiped; the kernel does the rest. */
static void
wipe(struct wrap *wrap)
{
	verify_client_free(wrap->client);
	verify_token_release(&wrap->token);
	verify_spec_free(wrap->spec);
	verify_environment_free(wrap->environment);
	verify_command_release(&wrap->command);
	wrap_release_vigil(wrap);
	verify_deadman_free(wrap->deadman);
	verify_supervisor_free(wrap->supervisor);
}

static int
run(const char *sealed, const char *const *host)
{
	struct wrap wrap = {
		.sealed = sealed,
		.host = host,
		.exit = VERIFY_EXIT_REFUSED,
		.waker = -1,
		.timer = -1,
	};
	struct seal_err err = { 0 };
	int code;
	int r = seal_process_protect(&err);

	if (r == 0)
		r = verify_supervisor_new(&wrap.supervisor, &err);
	if (r == 0)
		r = run_steps(&wrap, &err);
	code = conclude(&wrap, r, &err);
	wipe(&wrap);
	return code;
}

/* ---- The command line ---- */

static const char usage[] =
	"usage: seal-wrap SPEC\n"
	"\n"
	"Start a container's application from its sealed spec, and stand in for it.\n"
	"SPEC is written by 'seal inject'; there is nothing to be chosen here.\n"
	"\n"
	"  --help      this text\n"
	"  --version   the version\n"
	"\n"
	"Ends with the application's exit code, or 128 and the signal that ended it;\n"
	"1 when it was not started, 2 for a wrong command line, 126 when its command\n"
	"cannot be executed, 127 when there is none of its name.  See seal-wrap(8).\n";

/*
 * A descriptor of ours must not become standard error.  These take the places that the application will
 * find empty again: they can be neither read nor written, and end with exec.
 */
static bool
occupy_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_CLOEXEC) != fd)
			return false;
	return true;
}

/* Variables are taken out of the list later, which shifts it. */
static const char **
copy_environment(void)
{
	size_t count = 0;
	const char **copy;

	while (environ[count] != NULL)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	if (copy != NULL)
		memcpy(copy, environ, count * sizeof(*copy));
	return copy;
}

int
main(int argc, char **argv)
{
	const char **host;
	int code;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0 || fflush(stdout) != 0;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("seal-wrap " SEAL_VERSION) < 0 || fflush(stdout) != 0;
	if (argc != 2 || argv[1][0] == '-') {
		(void)fputs("seal-wrap: one argument is wanted, the sealed spec; see --help\n",
			    stderr);
		return VERIFY_EXIT_USAGE;
	}
	if (!occupy_standard_descriptors())
		return VERIFY_EXIT_REFUSED;
	seal_log_setup("seal-wrap", SEAL_LOG_NOTICE, false);
	seal_log_set_patience(LOG_MS);
	host = copy_environment();
	if (host == NULL)
		return VERIFY_EXIT_REFUSED;
	code = run(argv[1], host);
	free(host);
	return code;
}
