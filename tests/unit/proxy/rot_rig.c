/* SPDX-License-Identifier: Apache-2.0 */
/* See rot_rig.h. */
#include "tests/unit/proxy/rot_rig.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "tests/unit/proxy/sealed_rig.h"

static void
must(int r, const struct seal_err *err)
{
	cr_assert_eq(r, 0, "%s", err->text);
}

static int
note_caller(void *arg, struct seal_certs *presented, void **ret_client, struct seal_err *err)
{
	struct fake_rot *rot = arg;
	struct seal_identity identity = { 0 };
	int r = seal_cert_identity(seal_certs_at(presented, 0), &identity, err);

	(void)ret_client;
	(void)snprintf(rot->last_role, sizeof(rot->last_role), "%s",
		       identity.role == SEAL_ROLE_POD ? "pod" : "egg");
	if (r == 0 && rot->egg_not_after != 0)
		r = seal_fail(err, SEAL_E_UNAUTH, "expired");
	return r;
}

static char *
issue_for(struct fake_rot *rot, const char *csr)
{
	struct pki_id stranger = pki_ca("stranger");
	const struct pki_id *ca =
		rot->mood == ROT_CERTIFIES_BY_OTHER_CA ? &stranger : &rot->workload_ca;
	struct seal_strv dns = pki_strv("any", "web", NULL);
	struct seal_bytes pem = SEAL_BYTES(65536);
	const struct seal_cert_spec spec = {
		.kind = SEAL_CERT_POD,
		.common_name = "web",
		.uri = "spiffe://" PKI_DOMAIN "/workload/shop/peer/web",
		.dns = &dns,
		.not_before = seal_clock_now() - 300,
		.not_after = seal_clock_now() + rot->lifetime,
	};
	struct seal_cert *cert = NULL;
	struct seal_key *key = NULL;
	struct seal_err err = { 0 };
	char *text;

	must(seal_csr_public_key(&key, csr, strlen(csr), &err), &err);
	memcpy(rot->previous_key, rot->last_key, sizeof(rot->last_key));
	must(seal_key_id(key, rot->last_key, &err), &err);
	must(seal_cert_issue(&cert, &spec,
			     rot->mood == ROT_CERTIFIES_OTHER_KEY ? stranger.key : key,
			     seal_certs_at(ca->chain, 0), ca->key, &err),
	     &err);
	must(seal_cert_to_pem(cert, &pem, &err), &err);
	text = seal_strndup(seal_bytes_str(&pem), pem.len);
	seal_bytes_release(&pem);
	seal_cert_free(cert);
	seal_key_free(key);
	seal_strv_release(&dns);
	pki_id_release(&stranger);
	return text;
}

/* Into credentials that have none. */
static void
grant_keys(struct fake_rot *rot, struct rot_credentials *credentials)
{
	const char *peer = rot->mood == ROT_SENDS_FOREIGN_KEYS ? "db" : "web";
	struct rot_credentials keys_only = sealed_answer("shop", peer, rot->key_generations);

	if (rot->floor > 0)
		sealed_add_floor(&keys_only, "shop/ConfigMap/app", rot->floor);
	credentials->keys = SEAL_TAKE(keys_only.keys);
	credentials->key_count = keys_only.key_count;
	credentials->floor = SEAL_TAKE(keys_only.floor);
	credentials->floor_count = keys_only.floor_count;
}

static void
grant(struct fake_rot *rot, struct seal_http_request *http, const struct rot_request *request)
{
	SEAL_SCOPED(rot_credentials_release) struct rot_credentials credentials = { 0 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes bundle = SEAL_BYTES(65536);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(65536);
	struct seal_err err = { 0 };

	credentials.certificate = issue_for(rot, request->csr);
	must(seal_certs_to_pem(rot->workload_ca.chain, &bundle, &err), &err);
	credentials.ca_bundle = seal_strndup(seal_bytes_str(&bundle), bundle.len);
	(void)snprintf(credentials.workload, sizeof(credentials.workload), "shop");
	(void)snprintf(credentials.peer, sizeof(credentials.peer), "%s",
		       rot->mood == ROT_NAMES_ANOTHER ? "db" : "web");
	credentials.clients = pki_strv("ops", NULL);
	credentials.servers = pki_strv("db", "cache", NULL);
	credentials.renew_after = seal_clock_now() + rot->lifetime * 2 / 3;
	credentials.epoch = atomic_load(&rot->epoch);
	grant_keys(rot, &credentials);
	must(rot_credentials_encode(&credentials, &body, &err), &err);
	seal_http_reply(http, 200, "application/json", body.data, body.len, 0);
}

static void
answer_question(struct fake_rot *rot, struct seal_http_request *http)
{
	static const char refused[] =
		"{\"error\":{\"code\":\"refused\",\"message\":\"sync refused\"}}";
	unsigned status = atomic_load(&rot->sync_status);
	uint64_t epoch = strtoull(seal_http_query(http, "epoch"), NULL, 10);

	atomic_fetch_add(&rot->questions, 1);
	atomic_store(&rot->last_epoch, epoch);
	pthread_mutex_lock(&rot->lock);
	if (status != 0)
		seal_http_reply(http, status, "application/json", refused, strlen(refused), 0);
	else if (rot->news == NULL || epoch == rot->news_epoch)
		seal_http_reply(http, 204, NULL, NULL, 0, 0);
	else
		seal_http_reply(http, 200, "application/json", rot->news, strlen(rot->news), 0);
	pthread_mutex_unlock(&rot->lock);
}

static void
answer(void *arg, struct seal_http_request *http)
{
	struct fake_rot *rot = arg;
	static const char refusal[] =
		"{\"error\":{\"code\":\"refused\",\"message\":\"hatch refused\"}}";
	bool hatch = strcmp(seal_http_path(http), "/v1/hatch") == 0;
	SEAL_SCOPED(rot_request_release) struct rot_request request = { 0 };
	struct seal_err err = { 0 };
	const uint8_t *body;
	size_t len;

	if (strcmp(seal_http_path(http), "/v1/sync") == 0) {
		answer_question(rot, http);
		return;
	}
	rot->hatches += hatch;
	rot->renewals += !hatch;
	body = seal_http_body(http, &len);
	must(rot_request_parse(&request, hatch, body, len, &err), &err);
	seal_strv_release(&rot->last_hostnames);
	must(seal_strv_copy(&rot->last_hostnames, &request.hostnames, &err), &err);
	if (rot->mood == ROT_REFUSES || (rot->mood == ROT_REFUSES_RENEWALS && !hatch))
		seal_http_reply(http, 403, "application/json", refusal, strlen(refusal), 0);
	else if (rot->mood == ROT_IS_BUSY)
		seal_http_reply(http, 503, "text/plain", "busy", 4, 1);
	else if (rot->mood == ROT_SAYS_GARBAGE)
		seal_http_reply(http, 200, "application/json", "{\"certificate\":7}", 17, 0);
	else
		grant(rot, http, &request);
}

static void
stop_loop(void *arg)
{
	seal_loop_stop(arg);
}

static void *
run_loop(void *arg)
{
	return seal_loop_run(arg, NULL) == 0 ? NULL : arg;
}

void
rot_start(struct fake_rot *rot)
{
	struct seal_strv ips = pki_strv("127.0.0.1", NULL);
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_SERVER,
					     .common_name = "rot",
					     .uri = "spiffe://" PKI_DOMAIN "/rot",
					     .ips = &ips };
	struct seal_endpoint endpoint;
	struct seal_err err = { 0 };
	struct pki_id id;
	int fd;

	*rot = (struct fake_rot){ .lifetime = 3600, .sync_status = 404 };
	cr_assert_eq(pthread_mutex_init(&rot->lock, NULL), 0);
	rot->system_ca = pki_ca("system");
	rot->workload_ca = pki_ca("shop");
	id = pki_issue(&rot->system_ca, &spec);
	must(seal_loop_new(&rot->loop, &err), &err);
	must(seal_staging_new(&rot->staging, &err), &err);
	{
		const struct seal_tls_config tls = { .side = SEAL_SIDE_SERVER,
						     .chain = id.chain,
						     .key = id.key };
		const struct seal_http_config config = { .staging = rot->staging,
							 .max_body = ROT_MAX_BODY,
							 .max_connections = 8,
							 .handshake_ms = 5000,
							 .request_ms = 5000,
							 .idle_ms = 5000,
							 .reply_ms = 5000,
							 .handler = answer,
							 .verify = note_caller,
							 .arg = rot };

		must(seal_tls_new(&rot->tls, &tls, &err), &err);
		must(seal_http_new(&rot->http, rot->loop, &config, &err), &err);
	}
	must(seal_endpoint_parse(&endpoint, "127.0.0.1:0", NULL, &err), &err);
	fd = seal_listen(&endpoint, 0, &err);
	cr_assert_geq(fd, 0);
	rot->port = seal_listen_port(fd);
	must(seal_http_listen(rot->http, fd, rot->tls, &err), &err);
	must(seal_wake_new(&rot->stop, rot->loop, stop_loop, rot->loop, &err), &err);
	cr_assert_eq(pthread_create(&rot->thread, NULL, run_loop, rot->loop), 0);
	pki_id_release(&id);
	seal_strv_release(&ips);
}

void
rot_stop(struct fake_rot *rot)
{
	seal_wake_now(rot->stop);
	pthread_join(rot->thread, NULL);
	seal_wake_free(rot->stop);
	seal_http_free(rot->http);
	seal_tls_unref(rot->tls);
	seal_staging_free(rot->staging);
	seal_loop_free(rot->loop);
	seal_strv_release(&rot->last_hostnames);
	free(rot->news);
	pthread_mutex_destroy(&rot->lock);
	pki_id_release(&rot->system_ca);
	pki_id_release(&rot->workload_ca);
}

#define EGG_ID "00112233445566778899aabbccddeeff"

struct egg *
lay_egg(const struct fake_rot *rot)
{
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_CLIENT,
					     .common_name = EGG_ID,
					     .uri = "spiffe://" PKI_DOMAIN "/egg/" EGG_ID,
					     .not_after = rot->egg_not_after };
	struct pki_id id = pki_issue(&rot->system_ca, &spec);
	struct seal_strv urls;
	struct egg_fields fields = { .id = EGG_ID,
				     .urls = &urls,
				     .ca = rot->system_ca.chain,
				     .cert = id.chain,
				     .key = id.key,
				     .statement = "a.b.c.d.e",
				     .plain_config = true };
	struct seal_err err = { 0 };
	struct egg *egg = NULL;
	char url[64];

	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", rot->port);
	urls = pki_strv(url, NULL);
	must(egg_new(&egg, &fields, &err), &err);
	seal_strv_release(&urls);
	pki_id_release(&id);
	return egg;
}

void
rot_tell(struct fake_rot *rot, const struct rot_sync *news)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ROT_MAX_SYNC);
	struct seal_err err = { 0 };

	must(rot_sync_encode(news, &text, &err), &err);
	pthread_mutex_lock(&rot->lock);
	free(rot->news);
	rot->news = seal_strndup(seal_bytes_str(&text), text.len);
	rot->news_epoch = news->epoch;
	pthread_mutex_unlock(&rot->lock);
	atomic_store(&rot->sync_status, 0);
}

struct rot_sync
rot_news(const struct fake_rot *rot, uint64_t epoch, const char *client)
{
	struct rot_sync news = { .epoch = epoch };
	struct seal_bytes bundle = SEAL_BYTES(65536);
	struct seal_err err = { 0 };

	must(seal_certs_to_pem(rot->workload_ca.chain, &bundle, &err), &err);
	news.ca_bundle = seal_strndup(seal_bytes_str(&bundle), bundle.len);
	news.clients = pki_strv(client, NULL);
	news.servers = pki_strv("db", NULL);
	seal_bytes_release(&bundle);
	return news;
}
