/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a sealed argument to a configuration.
 */
#include "proxy/sealed.h"

#include <fcntl.h>
#include <time.h>

#include "base/fs/fs.h"
#include "base/json/json.h"
#include "config-verify/spec.h"

/* A signal that comes just before a nap is noticed after it. */
#define NAP_MS 100u

int
proxy_sealed_peek(const char *value, struct verify_binding *ret_claimed, struct seal_err *err)
{
	struct verify_key_id id = { .generation = 0 };
	struct verify_binding claimed = { .gen = 0 };
	size_t len = strlen(value);
	int r;

	if (len > PROXY_SEALED_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "--sealed-config: longer than %u characters",
				 PROXY_SEALED_MAX);
	r = verify_peek(value, len, &id, &claimed, err);
	if (r == 0 && (strcmp(claimed.key, VERIFY_PROXY_KEY) != 0 ||
		       strcmp(claimed.container, VERIFY_PROXY_NAME) != 0))
		r = seal_fail(err, SEAL_E_REFUSED,
			      "sealed for key '%.64s' of container '%.64s', not for a sidecar",
			      claimed.key, claimed.container);
	if (r < 0)
		return seal_note(err, r, "--sealed-config");
	*ret_claimed = claimed;
	return 0;
}

/* ---- Hatching ---- */

static void
nap(uint64_t wait_ms, const atomic_bool *stop)
{
	while (wait_ms > 0 && !atomic_load(stop)) {
		uint64_t ms = wait_ms < NAP_MS ? wait_ms : NAP_MS;
		const struct timespec time = { .tv_nsec = (long)ms * 1000000 };

		(void)nanosleep(&time, NULL); /* a signal ends it early, and is why */
		wait_ms -= ms;
	}
}

int
proxy_sealed_hatch(struct proxy_hatch *hatch, const atomic_bool *stop,
		   struct proxy_identity_state **ret_state, struct seal_err *err)
{
	struct proxy_identity_state *state = NULL;

	while (!atomic_load(stop)) {
		uint64_t wait_ms = proxy_hatch_turn(hatch, &state);

		if (state != NULL) {
			*ret_state = state;
			return 0;
		}
		nap(wait_ms, stop);
	}
	return seal_fail(err, SEAL_E_CLOSED, "told to end before the egg had hatched");
}

/* ---- Opening ---- */

/* Of the whole, the configuration, as text. */
static int
take_config(const struct seal_secret *plain, struct seal_bytes *ret_text, struct seal_err *err)
{
	static const char *const known[] = { "version", "config", "pod", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *root = NULL;
	const struct seal_json *config = NULL;
	uint64_t version = 0;
	int r = seal_json_parse(&root, seal_secret_peek(plain), seal_secret_len(plain),
				VERIFY_SPEC_MAX, NULL);

	if (r == 0)
		r = seal_json_only(root, known, NULL);
	if (r == 0)
		r = seal_json_get_u64(root, "version", UINT32_MAX, &version, NULL);
	if (r == 0 && version != 1)
		return seal_fail(err, SEAL_E_FORMAT,
				 "it is of another version than this seal-proxy knows");
	if (r == 0)
		r = seal_json_get_object(root, "config", &config, NULL);
	if (r < 0)
		return seal_fail(err, SEAL_E_FORMAT, "it holds no configuration");
	return seal_json_dump(config, true, ret_text, err);
}

int
proxy_sealed_open(const struct proxy_options *options, struct proxy_keys *keys,
		  struct proxy_config **ret_config, struct verify_binding *ret_binding,
		  struct seal_err *err)
{
	const char *value = options->sealed_config;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PROXY_MAX_CONFIG);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding binding = { .gen = 0 };
	struct verify_binding expect = { .gen = 0 };
	int r = proxy_sealed_peek(value, &expect, err);

	if (r < 0)
		return r;
	/* Which of the owner's pods this is, is the host's choice; that it is one of them shows here. */
	expect.gen = 1;
	r = proxy_keys_open(keys, &plain, &binding, &expect, value, strlen(value), err);
	if (r == 0)
		r = take_config(plain, &text, err);
	if (r < 0)
		return seal_note(err, r, "--sealed-config");
	r = proxy_options_configure_sealed(options, seal_bytes_str(&text), text.len, ret_config,
					   err);
	if (r == 0)
		*ret_binding = binding;
	return r;
}

/* ---- Sealed files ---- */

/* Of a sealed value, besides its text: header, nonce and tag. */
#define SEALED_MORE 8192

void
proxy_sealed_set_opener(struct proxy_config *config, const struct proxy_opener *opener)
{
	for (size_t i = 0; i < config->listener_count; i++)
		config->listeners[i].opener = opener;
}

static int
open_file(const struct proxy_opener *opener, const struct seal_bytes *text, const char *path,
	  const char *secret, struct seal_secret **ret_plain, struct seal_err *err)
{
	const char *slash = strrchr(path, '/');
	struct verify_binding expect = { .kind = "Secret", .gen = 1 };
	struct verify_binding binding = { .gen = 0 };

	if (!verify_is_sealed(seal_bytes_str(text), text->len))
		return seal_fail(err, SEAL_E_REFUSED, "it is not sealed");
	(void)snprintf(expect.ns, sizeof(expect.ns), "%s", opener->ns);
	(void)snprintf(expect.name, sizeof(expect.name), "%s", secret);
	if (snprintf(expect.key, sizeof(expect.key), "%s", slash == NULL ? path : slash + 1) >=
	    (int)sizeof(expect.key))
		return seal_fail(err, SEAL_E_LIMIT, "its name is too long for a key");
	return proxy_keys_open(opener->keys, ret_plain, &binding, &expect, seal_bytes_str(text),
			       text->len, err);
}

int
proxy_sealed_read(const struct proxy_opener *opener, const char *path, const char *secret,
		  size_t max, struct seal_secret **ret_plain, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(2 * max + SEALED_MORE);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	int r;

	if (opener == NULL)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s': secret: only with a sealed configuration", path);
	r = seal_fs_read(&text, AT_FDCWD, path, text.max, err);
	if (r < 0)
		return r;
	r = open_file(opener, &text, path, secret, &plain, err);
	if (r == 0 && (seal_secret_len(plain) == 0 || seal_secret_len(plain) > max))
		r = seal_fail(err, SEAL_E_LIMIT, "it holds %zu bytes, not 1 to %zu",
			      seal_secret_len(plain), max);
	if (r < 0)
		return seal_note(err, r, "'%s'", path);
	*ret_plain = SEAL_TAKE(plain);
	return 0;
}
