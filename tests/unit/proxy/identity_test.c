/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/log/log.h"
#include "proxy/credentials.h"
#include "proxy/hatch.h"
#include "proxy/identity.h"
#include "rot/wire/wire.h"
#include "tests/support/pki.h"
#include "tests/unit/proxy/rot_rig.h"
#include "tests/unit/proxy/sealed_rig.h"

static void
must(int r, const struct seal_err *err)
{
	cr_assert_eq(r, 0, "%s", err->text);
}

static void
quiet(void)
{
	seal_log_setup("test", SEAL_LOG_ERROR, false);
}

/* ---- credentials ---------------------------------------------------------------------------- */

struct folder {
	char path[32];
	int fd;
};

static void
folder_make(struct folder *folder)
{
	struct seal_err err = { 0 };

	(void)snprintf(folder->path, sizeof(folder->path), "/tmp/seal-creds-XXXXXX");
	cr_assert_not_null(mkdtemp(folder->path));
	folder->fd = seal_fs_open_dir(folder->path, SEAL_FS_ANY, &err);
	cr_assert_geq(folder->fd, 0);
}

static void
folder_remove(struct folder *folder)
{
	(void)unlinkat(folder->fd, "ca.pem", 0);
	(void)unlinkat(folder->fd, "cert.pem", 0);
	(void)unlinkat(folder->fd, "key.pem", 0);
	close(folder->fd);
	(void)rmdir(folder->path);
}

static void
put_certs(struct folder *folder, const char *name, const struct seal_certs *certs)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(65536);
	struct seal_err err = { 0 };

	must(seal_certs_to_pem(certs, &pem, &err), &err);
	must(seal_fs_write(folder->fd, name, pem.data, pem.len, 0600, true, &err), &err);
}

static void
put_key(struct folder *folder, const struct seal_key *key)
{
	struct seal_secret *pem = NULL;
	struct seal_err err = { 0 };

	must(seal_key_to_pem(key, &pem, &err), &err);
	must(seal_fs_write(folder->fd, "key.pem", seal_secret_chars(pem), seal_secret_len(pem),
			   0600, true, &err),
	     &err);
	seal_secret_free(pem);
}

static void
put_all(struct folder *folder, const struct pki_id *ca, const struct pki_id *id)
{
	put_certs(folder, "ca.pem", ca->chain);
	put_certs(folder, "cert.pem", id->chain);
	put_key(folder, id->key);
}

Test(proxy_credentials, are_read_from_a_folder, .init = quiet)
{
	struct pki_id ca = pki_ca("shop");
	struct pki_id id = pki_pod(&ca, "shop", "web", NULL);
	struct proxy_identity_state *state = NULL;
	struct seal_err err = { 0 };
	struct folder folder;

	folder_make(&folder);
	put_all(&folder, &ca, &id);
	must(proxy_credentials_load(&state, folder.path, 0, 7, &err), &err);
	cr_expect_str_eq(state->trust_domain, PKI_DOMAIN);
	cr_expect_str_eq(state->workload, "shop");
	cr_expect_str_eq(state->peer, "web");
	cr_expect_eq(state->generation, 7);
	cr_expect(seal_strv_contains(&state->clients, SEAL_PEER_EVERY));
	cr_expect(proxy_state_is_valid(state, seal_clock_now()));
	cr_expect_not(proxy_state_is_valid(state, state->not_after + 1));
	cr_expect_not(proxy_state_is_valid(state, state->not_before - 1));
	cr_expect_not(proxy_state_is_valid(state, 0), "no readable clock");
	cr_expect_not(proxy_state_is_valid(NULL, seal_clock_now()));
	proxy_state_unref(state);
	pki_id_release(&id);
	pki_id_release(&ca);
	folder_remove(&folder);
}

/* One thing wrong with an otherwise good folder. */
static void
make_wrong(struct folder *folder, int which, const struct pki_id *ca)
{
	struct pki_id other_ca = pki_ca("other");
	struct pki_id other = pki_pod(ca, "shop", "web", NULL);
	struct seal_strv dns = pki_strv("any", "web", NULL);
	const struct seal_cert_spec expired = {
		.kind = SEAL_CERT_POD,
		.common_name = "web",
		.uri = "spiffe://" PKI_DOMAIN "/workload/shop/peer/web",
		.dns = &dns,
		.not_before = seal_clock_now() - 100,
		.not_after = seal_clock_now() - 10,
	};
	const struct seal_cert_spec egg = {
		.kind = SEAL_CERT_POD,
		.common_name = "egg",
		.uri = "spiffe://" PKI_DOMAIN "/egg/00112233445566778899aabbccddeeff",
	};
	struct pki_id old = pki_issue(ca, &expired);
	struct pki_id not_pod = pki_issue(ca, &egg);

	switch (which) {
	case 0:
		(void)unlinkat(folder->fd, "ca.pem", 0);
		break;
	case 1:
		put_key(folder, other.key);
		break;
	case 2:
		put_certs(folder, "ca.pem", other_ca.chain);
		break;
	case 3:
		put_certs(folder, "cert.pem", old.chain);
		put_key(folder, old.key);
		break;
	case 4:
		cr_assert_eq(fchmodat(folder->fd, "key.pem", 0644, 0), 0);
		break;
	case 5:
		cr_assert_eq(renameat(folder->fd, "key.pem", folder->fd, "real.pem"), 0);
		cr_assert_eq(symlinkat("real.pem", folder->fd, "key.pem"), 0);
		break;
	case 6:
		cr_assert_eq(seal_fs_write(folder->fd, "cert.pem", "garbage", 7, 0600, true, NULL),
			     0);
		break;
	case 7:
		put_certs(folder, "cert.pem", not_pod.chain);
		put_key(folder, not_pod.key);
		break;
	default:
		cr_assert_fail("no such case");
	}
	pki_id_release(&old);
	pki_id_release(&not_pod);
	pki_id_release(&other);
	pki_id_release(&other_ca);
	seal_strv_release(&dns);
}

Test(proxy_credentials, are_refused_when_anything_does_not_fit, .init = quiet)
{
	struct pki_id ca = pki_ca("shop");
	struct pki_id id = pki_pod(&ca, "shop", "web", NULL);

	for (int which = 0; which < 8; which++) {
		struct proxy_identity_state *state = NULL;
		struct seal_err err = { 0 };
		struct folder folder;

		folder_make(&folder);
		put_all(&folder, &ca, &id);
		make_wrong(&folder, which, &ca);
		cr_expect_lt(proxy_credentials_load(&state, folder.path, 0, 1, &err), 0, "case %d",
			     which);
		cr_expect_null(state, "case %d", which);
		cr_expect(strstr(err.text, folder.path) != NULL, "case %d: %s", which, err.text);
		(void)unlinkat(folder.fd, "real.pem", 0);
		folder_remove(&folder);
	}
	pki_id_release(&id);
	pki_id_release(&ca);
}

Test(proxy_credentials, are_followed_as_they_change_and_the_old_kept_on_a_bad_change, .init = quiet)
{
	struct pki_id ca = pki_ca("shop");
	struct pki_id first = pki_pod(&ca, "shop", "web", NULL);
	struct pki_id second = pki_pod(&ca, "shop", "ops", NULL);
	struct proxy_credentials *credentials = NULL;
	struct proxy_identity_state *state = NULL;
	struct seal_err err = { 0 };
	struct folder folder;

	folder_make(&folder);
	put_all(&folder, &ca, &first);
	must(proxy_credentials_new(&credentials, folder.path, 0, &err), &err);
	(void)proxy_credentials_turn(credentials, &state);
	cr_assert_not_null(state);
	cr_expect_str_eq(state->peer, "web");
	proxy_state_unref(state);
	state = NULL;

	cr_expect_gt(proxy_credentials_turn(credentials, &state), 0);
	cr_expect_null(state, "nothing has changed");

	/* Half of a change: the certificate is there, its key is not. */
	put_certs(&folder, "cert.pem", second.chain);
	(void)proxy_credentials_turn(credentials, &state);
	cr_expect_null(state);
	put_key(&folder, second.key);
	(void)proxy_credentials_turn(credentials, &state);
	cr_assert_not_null(state);
	cr_expect_str_eq(state->peer, "ops");
	cr_expect_eq(state->generation, 2);
	proxy_state_unref(state);
	proxy_credentials_free(credentials);
	pki_id_release(&first);
	pki_id_release(&second);
	pki_id_release(&ca);
	folder_remove(&folder);
}

static atomic_bool never;
static struct proxy_keys *keys; /* where the next hatch puts them */

static struct proxy_hatch *
new_hatch(const struct fake_rot *rot, const char *path, const char *hostname)
{
	struct seal_strv hostnames = pki_strv(hostname, NULL);
	struct proxy_hatch *hatch = NULL;
	struct egg *egg = lay_egg(rot);
	struct seal_err err = { 0 };
	const struct proxy_hatch_config config = {
		.path = path, .hostnames = &hostnames, .keys = keys, .abort = &never
	};

	must(proxy_hatch_new(&hatch, &egg, &config, &err), &err);
	cr_expect_null(egg, "not handed over");
	seal_strv_release(&hostnames);
	return hatch;
}

/* Turns until a state comes or max_ms have passed. */
static struct proxy_identity_state *
turn_until(struct proxy_hatch *hatch, unsigned max_ms)
{
	struct proxy_identity_state *state = NULL;
	struct timespec start;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		uint64_t wait = proxy_hatch_turn(hatch, &state);

		if (state != NULL)
			break;
		usleep((unsigned)(wait < 50 ? wait : 50) * 1000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
		 max_ms);
	return state;
}

/* ---- hatching ------------------------------------------------------------------------------- */

Test(proxy_hatch, makes_an_identity_from_an_egg_and_removes_the_file, .init = quiet)
{
	char path[] = "/tmp/seal-egg-XXXXXX";
	struct proxy_identity_state *state = NULL;
	struct proxy_hatch *hatch;
	struct fake_rot rot;
	int fd = mkstemp(path);

	close(fd);
	rot_start(&rot);
	hatch = new_hatch(&rot, path, "www.example.com");
	(void)proxy_hatch_turn(hatch, &state);
	cr_assert_not_null(state);
	cr_expect_str_eq(state->workload, "shop");
	cr_expect_str_eq(state->peer, "web");
	cr_expect_eq(state->generation, 1);
	cr_expect(seal_strv_contains(&state->clients, "ops"));
	cr_expect(seal_strv_contains(&state->servers, "cache"));
	cr_expect_str_eq(rot.last_role, "egg");
	cr_expect(seal_strv_contains(&rot.last_hostnames, "www.example.com"));
	cr_expect_lt(access(path, F_OK), 0, "the egg is still there");
	proxy_state_unref(state);
	state = NULL;
	cr_expect_gt(proxy_hatch_turn(hatch, &state), 1000, "not due for a long time");
	cr_expect_null(state);
	cr_expect_eq(rot.hatches, 1);
	proxy_hatch_free(hatch);
	rot_stop(&rot);
}

Test(proxy_hatch, renews_as_the_pod_with_a_new_key, .init = quiet)
{
	struct proxy_identity_state *state;
	struct proxy_hatch *hatch;
	struct fake_rot rot;

	rot_start(&rot);
	rot.lifetime = 3;
	hatch = new_hatch(&rot, NULL, NULL);
	for (unsigned i = 1; i <= 2; i++) {
		state = turn_until(hatch, 6000);
		cr_assert_not_null(state, "round %u", i);
		cr_expect_eq(state->generation, i);
		proxy_state_unref(state);
	}
	cr_expect_eq(rot.hatches, 1);
	cr_expect_eq(rot.renewals, 1);
	cr_expect_str_eq(rot.last_role, "pod");
	cr_expect_neq(memcmp(rot.last_key, rot.previous_key, sizeof(rot.last_key)), 0,
		      "the key was kept");
	proxy_hatch_free(hatch);
	rot_stop(&rot);
}

Test(proxy_hatch, falls_back_to_the_egg_when_renewal_is_refused, .init = quiet)
{
	struct proxy_identity_state *state;
	struct proxy_hatch *hatch;
	struct fake_rot rot;

	rot_start(&rot);
	rot.lifetime = 3;
	hatch = new_hatch(&rot, NULL, NULL);
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	proxy_state_unref(state);
	rot.mood = ROT_REFUSES_RENEWALS;
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	proxy_state_unref(state);
	cr_expect_eq(rot.renewals, 1);
	cr_expect_eq(rot.hatches, 2);
	proxy_hatch_free(hatch);
	rot_stop(&rot);
}

Test(proxy_hatch, falls_back_to_the_egg_when_the_certificate_is_over, .init = quiet)
{
	struct proxy_identity_state *state;
	struct proxy_hatch *hatch;
	struct fake_rot rot;

	rot_start(&rot);
	rot.lifetime = 2;
	hatch = new_hatch(&rot, NULL, NULL);
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	proxy_state_unref(state);
	rot.mood = ROT_IS_BUSY;
	for (int i = 0; i < 40 && rot.hatches < 2; i++)
		cr_expect_null(turn_until(hatch, 500));
	cr_expect_geq(rot.renewals, 1);
	cr_expect_geq(rot.hatches, 2, "the egg was not tried again");
	rot.mood = ROT_GRANTS;
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	cr_expect_str_eq(rot.last_role, "egg");
	proxy_state_unref(state);
	proxy_hatch_free(hatch);
	rot_stop(&rot);
}

Test(proxy_hatch, keeps_trying_keeps_the_egg_and_believes_no_wrong_answer, .init = quiet)
{
	static const enum rot_mood moods[] = { ROT_REFUSES,
					       ROT_IS_BUSY,
					       ROT_SAYS_GARBAGE,
					       ROT_NAMES_ANOTHER,
					       ROT_CERTIFIES_OTHER_KEY,
					       ROT_CERTIFIES_BY_OTHER_CA };
	char path[] = "/tmp/seal-egg-XXXXXX";
	struct proxy_identity_state *state = NULL;
	struct proxy_hatch *hatch;
	struct fake_rot rot;
	int fd = mkstemp(path);

	close(fd);
	seal_log_setup("test", SEAL_LOG_ERROR, false);
	rot_start(&rot);
	for (size_t i = 0; i < SEAL_COUNT(moods); i++) {
		uint64_t wait;

		rot.mood = moods[i];
		hatch = new_hatch(&rot, path, NULL);
		wait = proxy_hatch_turn(hatch, &state);
		cr_expect_null(state, "mood %zu was believed", i);
		cr_expect_geq(wait, 500, "mood %zu: no pause", i);
		cr_expect_leq(wait, 1000, "mood %zu", i);
		cr_expect_leq(proxy_hatch_turn(hatch, &state), wait);
		cr_expect_null(state);
		cr_expect_eq(rot.hatches, i + 1, "mood %zu: tried again too soon", i);
		cr_expect_eq(access(path, F_OK), 0, "mood %zu: the egg is gone", i);
		proxy_hatch_free(hatch);
	}
	rot.mood = ROT_REFUSES;
	hatch = new_hatch(&rot, path, NULL);
	cr_expect_null(turn_until(hatch, 200));
	rot.mood = ROT_GRANTS;
	state = turn_until(hatch, 5000);
	cr_expect_not_null(state, "it gave up");
	proxy_state_unref(state);
	proxy_hatch_free(hatch);
	rot_stop(&rot);
	(void)unlink(path);
}

Test(proxy_hatch, says_that_an_egg_has_expired, .init = quiet)
{
	struct proxy_identity_state *state = NULL;
	struct proxy_hatch *hatch;
	struct fake_rot rot;
	char line[2048] = "";
	int pipes[2];
	int saved;

	rot_start(&rot);
	rot.egg_not_after = seal_clock_now() - 5;
	hatch = new_hatch(&rot, NULL, NULL);
	cr_assert_eq(pipe(pipes), 0);
	saved = dup(STDERR_FILENO);
	dup2(pipes[1], STDERR_FILENO);
	(void)proxy_hatch_turn(hatch, &state);
	dup2(saved, STDERR_FILENO);
	cr_expect_null(state);
	cr_assert_gt(read(pipes[0], line, sizeof(line) - 1), 0);
	cr_expect(strstr(line, "level=error") != NULL, "%s", line);
	cr_expect(strstr(line, "has expired: mint another") != NULL, "%s", line);
	proxy_hatch_free(hatch);
	rot_stop(&rot);
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* Does a value of app, sealed with that key and generation, open? */
static bool
opens(struct proxy_keys *from, unsigned generation, uint64_t gen)
{
	struct verify_ring *ring = sealed_ring("shop", "web", SEALED_GEN(generation));
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", gen);
	char *value = sealed_value(ring, &at, "plain");
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding binding;
	int r;

	at.gen = 1;
	r = proxy_keys_open(from, &plain, &binding, &at, value, strlen(value), NULL);
	free(value);
	verify_ring_free(ring);
	return r == 0;
}

Test(proxy_hatch, brings_keys_and_floor_and_a_renewal_brings_others, .init = quiet)
{
	struct proxy_identity_state *state;
	struct proxy_hatch *hatch;
	struct fake_rot rot;

	rot_start(&rot);
	rot.lifetime = 3;
	rot.key_generations = SEALED_GEN(1) | SEALED_GEN(2);
	rot.floor = 5;
	cr_assert_eq(proxy_keys_new(&keys, NULL), 0);
	hatch = new_hatch(&rot, NULL, NULL);
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	proxy_state_unref(state);
	cr_expect(opens(keys, 1, 5));
	cr_expect_not(opens(keys, 1, 4), "below the floor");
	rot.key_generations = SEALED_GEN(2) | SEALED_GEN(3);
	rot.floor = 4;
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	cr_expect_eq(rot.renewals, 1);
	proxy_state_unref(state);
	cr_expect_not(opens(keys, 1, 5), "a retired key");
	cr_expect(opens(keys, 3, 5));
	cr_expect_not(opens(keys, 3, 4), "the floor went down");
	proxy_hatch_free(hatch);
	proxy_keys_freep(&keys);
	rot_stop(&rot);
}

Test(proxy_hatch, believes_nothing_of_an_answer_with_keys_of_another_peer, .init = quiet)
{
	struct proxy_identity_state *state;
	struct proxy_hatch *hatch;
	struct fake_rot rot;

	rot_start(&rot);
	rot.key_generations = SEALED_GEN(1);
	rot.mood = ROT_SENDS_FOREIGN_KEYS;
	cr_assert_eq(proxy_keys_new(&keys, NULL), 0);
	hatch = new_hatch(&rot, NULL, NULL);
	cr_expect_null(turn_until(hatch, 200));
	cr_expect_eq(rot.hatches, 1);
	rot.mood = ROT_GRANTS;
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	cr_expect_eq(state->generation, 1, "the first one that was believed");
	proxy_state_unref(state);
	cr_expect(opens(keys, 1, 1));
	proxy_hatch_free(hatch);
	proxy_keys_freep(&keys);
	rot_stop(&rot);
}

Test(proxy_hatch, learns_later_how_many_sessions_to_keep_without_asking_again, .init = quiet)
{
	struct proxy_identity_state *state;
	struct proxy_identity_state *before;
	struct seal_err err = { 0 };
	struct proxy_hatch *hatch;
	struct fake_rot rot;

	rot_start(&rot);
	hatch = new_hatch(&rot, NULL, NULL);
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	before = proxy_state_ref(state);
	must(proxy_hatch_set_sessions(hatch, 77, &state, &err), &err);
	cr_expect_neq(state, before);
	cr_expect_eq(state->generation, before->generation);
	cr_expect_eq(state->not_after, before->not_after);
	cr_expect_str_eq(state->peer, "web");
	cr_expect(seal_strv_equal(&state->clients, &before->clients));
	cr_expect(seal_strv_equal(&state->servers, &before->servers));
	cr_expect_eq(rot.hatches, 1);
	proxy_state_unref(before);
	proxy_state_unref(state);
	proxy_hatch_free(hatch);
	rot_stop(&rot);
}

/* ---- the thread ----------------------------------------------------------------------------- */

struct inbox {
	sem_t arrived;
	struct proxy_identity_state *state;
};

static void
take(void *arg, struct proxy_identity_state *state)
{
	struct inbox *inbox = arg;

	inbox->state = state;
	sem_post(&inbox->arrived);
}

static bool
wait_inbox(struct inbox *inbox)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	return sem_timedwait(&inbox->arrived, &until) == 0;
}

Test(proxy_identity, publishes_from_a_thread_and_ends_promptly, .init = quiet)
{
	struct proxy_identity *identity = NULL;
	struct seal_strv none = { 0 };
	struct seal_err err = { 0 };
	struct fake_rot rot;
	struct inbox inbox = { 0 };
	struct egg *egg;
	struct timespec start;
	struct timespec end;

	sem_init(&inbox.arrived, 0, 0);
	rot_start(&rot);
	egg = lay_egg(&rot);
	{
		const struct proxy_identity_config config = {
			.egg = &egg, .hostnames = &none, .publish = take, .arg = &inbox
		};

		must(proxy_identity_start(&identity, &config, &err), &err);
	}
	cr_assert(wait_inbox(&inbox));
	cr_expect_str_eq(inbox.state->peer, "web");
	proxy_state_unref(inbox.state);
	clock_gettime(CLOCK_MONOTONIC, &start);
	proxy_identity_free(identity);
	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_expect_leq(end.tv_sec - start.tv_sec, 1);
	rot_stop(&rot);
}

Test(proxy_identity, goes_on_from_an_egg_that_has_hatched, .init = quiet)
{
	struct proxy_identity *identity = NULL;
	struct proxy_identity_state *state;
	struct seal_strv none = { 0 };
	struct seal_err err = { 0 };
	struct inbox inbox = { 0 };
	struct proxy_hatch *hatch;
	struct fake_rot rot;

	sem_init(&inbox.arrived, 0, 0);
	rot_start(&rot);
	rot.lifetime = 3;
	hatch = new_hatch(&rot, NULL, NULL);
	state = turn_until(hatch, 5000);
	cr_assert_not_null(state);
	proxy_state_unref(state);
	{
		const struct proxy_identity_config config = {
			.hatch = &hatch, .hostnames = &none, .publish = take, .arg = &inbox
		};

		must(proxy_identity_start(&identity, &config, &err), &err);
	}
	cr_expect_null(hatch, "not handed over");
	cr_assert(wait_inbox(&inbox));
	cr_expect_eq(inbox.state->generation, 2);
	cr_expect_eq(rot.hatches, 1, "hatched again");
	cr_expect_eq(rot.renewals, 1);
	proxy_identity_free(identity);
	proxy_state_unref(inbox.state);
	rot_stop(&rot);
}

Test(proxy_identity, ends_promptly_while_a_call_hangs, .init = quiet)
{
	struct proxy_identity *identity = NULL;
	struct seal_strv none = { 0 };
	struct seal_endpoint endpoint;
	struct seal_err err = { 0 };
	struct fake_rot rot;
	struct inbox inbox = { 0 };
	struct egg *egg;
	struct timespec start;
	struct timespec end;
	int silent;

	sem_init(&inbox.arrived, 0, 0);
	rot_start(&rot);
	must(seal_endpoint_parse(&endpoint, "127.0.0.1:0", NULL, &err), &err);
	silent = seal_listen(&endpoint, 0, &err);
	rot.port = seal_listen_port(silent);
	egg = lay_egg(&rot);
	{
		const struct proxy_identity_config config = {
			.egg = &egg, .hostnames = &none, .publish = take, .arg = &inbox
		};

		must(proxy_identity_start(&identity, &config, &err), &err);
	}
	usleep(200000);
	clock_gettime(CLOCK_MONOTONIC, &start);
	proxy_identity_free(identity);
	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_expect_leq(end.tv_sec - start.tv_sec, 2, "a hanging root of trust holds us");
	seal_close(silent);
	rot_stop(&rot);
}
