/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the egg and says what it allows; looks at everything there is to look at for --check.
 */
#include "proxy/source.h"

#include <inttypes.h>

#include "base/fs/fs.h"
#include "base/loop/loop.h"
#include "proxy/credentials.h"
#include "proxy/public.h"
#include "proxy/sealed.h"

static int
read_egg(struct egg **ret_egg, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = seal_fs_open_on_root(PROXY_EGG_PATH, err);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	if (fd < 0)
		return seal_note(err, fd, "egg " PROXY_EGG_PATH);
	r = seal_fs_read_secret_fd(&text, fd, PROXY_EGG_PATH, EGG_MAX_LEN + 1, err);
	if (r == 0)
		r = egg_parse(ret_egg, seal_secret_chars(text), seal_secret_len(text), err);
	return r < 0 ? seal_note(err, r, "egg " PROXY_EGG_PATH) : 0;
}

/*
 * A host could name a folder of its own, and with it whom to trust: credentials are for machines without an
 * egg.  That there is none must be seen on the root file system itself, where no mount can hide it.
 */
static int
check_no_egg(struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = seal_fs_open_on_root(PROXY_EGG_PATH, err);

	if (fd == SEAL_E_MISSING) {
		*err = (struct seal_err){ 0 };
		return 0;
	}
	if (fd >= 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "there is an egg at " PROXY_EGG_PATH
				 ": --credentials is for machines that have none");
	return seal_note(err, fd, "--credentials is for machines where no egg can be");
}

static int
check_credentials(const char *folder, struct seal_err *err)
{
	struct proxy_identity_state *state = NULL;
	int r = check_no_egg(err);

	if (r == 0)
		r = proxy_credentials_load(&state, folder, 0, 0, err);
	proxy_state_unref(state);
	return r;
}

int
proxy_source_find(const struct proxy_options *options, struct egg **ret_egg, struct seal_err *err)
{
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	int r;

	if (options->credentials != NULL)
		return check_credentials(options->credentials, err);
	r = read_egg(&egg, err);
	if (r == 0 && options->sealed_config == NULL && !egg_plain_config(egg))
		r = seal_fail(
			err, SEAL_E_REFUSED,
			"this egg takes listeners from a sealed value only, not from flags or "
			"files: give --sealed-config (seal inject makes it), or mint an egg "
			"with --allow-plain-config");
	if (r == 0)
		*ret_egg = SEAL_TAKE(egg);
	return r;
}

int
proxy_source_configure(const struct proxy_options *options, const struct proxy_room *room,
		       struct proxy_config **ret_config, struct seal_err *err)
{
	struct proxy_config *config = NULL;
	int r = proxy_options_configure(options, &config, err);

	if (r < 0)
		return r;
	config->limits = proxy_limits_fit(&config->limits, room);
	*ret_config = config;
	return 0;
}

int
proxy_source_hostnames(struct seal_strv *ret_hostnames, struct seal_err *err)
{
	const char *variable = getenv("HOSTNAMES");

	if (variable != NULL && seal_strv_split(ret_hostnames, variable, ',', err) < 0)
		return seal_note(err, SEAL_E_FORMAT, "the variable HOSTNAMES");
	return 0;
}

/* ---- --check ---- */

static int
check_egg_time(const struct egg *egg, struct seal_err *err)
{
	int64_t not_before = 0;
	int64_t not_after = 0;
	int r = seal_cert_times(seal_certs_at(egg_cert(egg), 0), &not_before, &not_after, err);

	if (r == 0 && seal_clock_now() > not_after)
		r = seal_fail(err, SEAL_E_REFUSED, "it has expired: mint another one");
	return r < 0 ? seal_note(err, r, "egg " PROXY_EGG_PATH) : 0;
}

/* Where no egg lies, as on the machine that writes the configuration, there is none to look at. */
static int
check_identity(const struct proxy_options *options, struct seal_err *err)
{
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	int r = proxy_source_find(options, &egg, err);

	if (options->credentials != NULL)
		return r;
	if (r == SEAL_E_MISSING) {
		*err = (struct seal_err){ 0 };
		return 0;
	}
	return r < 0 ? r : check_egg_time(egg, err);
}

static int
check_sealed(const struct proxy_options *options, FILE *out, struct seal_err *err)
{
	struct verify_binding claimed = { .gen = 0 };
	int r = proxy_sealed_peek(options->sealed_config, &claimed, err);

	if (r == 0) /* the stream keeps its error */
		(void)fprintf(out,
			      "ok: it says it is sealed for %s/%s/%s, generation %" PRIu64
			      "; only in its pod it can be opened\n",
			      claimed.ns, claimed.kind, claimed.name, claimed.gen);
	return r;
}

int
proxy_source_check(const struct proxy_options *options, const struct proxy_config *config,
		   FILE *out, struct seal_err *err)
{
	int r = check_identity(options, err);

	if (r < 0)
		return r;
	if (options->sealed_config != NULL)
		return check_sealed(options, out, err);
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct proxy_listener_config *listener = &config->listeners[i];
		struct proxy_public *public = NULL;

		if (listener->direction == PROXY_PUBLIC)
			r = proxy_public_load(&public, listener, NULL, seal_clock_now(), err);
		proxy_public_unref(public);
		if (r < 0)
			return seal_note(err, r, "%s", listener->origin);
	}
	(void)fputs("ok\n", out); /* the stream keeps its error */
	return 0;
}
