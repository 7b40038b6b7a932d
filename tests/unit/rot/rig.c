/* SPDX-License-Identifier: Apache-2.0 */
/* See rig.h. */
#include "tests/unit/rot/rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rot/kv/kv_internal.h"
#include "rot/kv/pages.h"
#include "rot/server/init.h"

#define MUST(call)                                                                                 \
	do {                                                                                       \
		struct seal_err must_err_ = { 0 };                                                 \
		struct seal_err *err = &must_err_;                                                 \
		int must_r_ = (call);                                                              \
		cr_assert_geq(must_r_, 0, "%s: %s", #call, must_err_.text);                        \
	} while (0)

void
rig_dir_make(char path[static PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "/tmp/seal-test-XXXXXX");
	cr_assert_not_null(mkdtemp(path));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
rig_dir_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
rig_sql(const char *db_path, const char *sql)
{
	sqlite3 *db = NULL;
	char *why = NULL;

	cr_assert_eq(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				     rot_pages_name()),
		     SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s: %s", sql, why);
	(void)sqlite3_close(db);
}

int64_t
rig_sql_number(const char *db_path, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t number;

	cr_assert_eq(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				     rot_pages_name()),
		     SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sql);
	cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW, "%s", sql);
	number = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return number;
}

/* The rows whose keys begin so. */
static sqlite3_stmt *
rows(sqlite3 *db, const char *sql, const char *prefix)
{
	sqlite3_stmt *stmt = NULL;

	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sql);
	(void)sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_TRANSIENT);
	return stmt;
}

#define BEGINS " substr(k, 1, length(?1)) = ?1"

static sqlite3 *
open_db(const char *db_path)
{
	sqlite3 *db = NULL;

	cr_assert_eq(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				     rot_pages_name()),
		     SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	return db;
}

int64_t
rig_count(const char *db_path, const char *prefix)
{
	sqlite3 *db = open_db(db_path);
	sqlite3_stmt *stmt = rows(db, "SELECT count(*) FROM kv WHERE" BEGINS, prefix);
	int64_t count;

	cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
	count = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return count;
}

static struct seal_json *
read_row(sqlite3_stmt *stmt)
{
	const uint8_t *stored = sqlite3_column_blob(stmt, 1);
	size_t len = (size_t)sqlite3_column_bytes(stmt, 1);
	struct seal_json *record = NULL;

	cr_assert_gt(len, ROT_KV_SUM_LEN);
	MUST(seal_json_parse(&record, stored + ROT_KV_SUM_LEN, len - ROT_KV_SUM_LEN, len, err));
	return record;
}

int64_t
rig_sum(const char *db_path, const char *prefix, const char *member)
{
	sqlite3 *db = open_db(db_path);
	sqlite3_stmt *stmt = rows(db, "SELECT k, v FROM kv WHERE" BEGINS, prefix);
	int64_t sum = 0;

	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct seal_json *record = read_row(stmt);
		const struct seal_json *value = seal_json_member(record, member);

		cr_assert_not_null(value, "%s", member);
		sum += seal_json_kind(value) == SEAL_JSON_ARRAY ? (int64_t)seal_json_count(value)
								: (int64_t)seal_json_u64(value);
		seal_json_free(record);
	}
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return sum;
}

static void
write_row(sqlite3 *db, const char *key, const struct seal_json *record)
{
	struct seal_bytes text = SEAL_BYTES(1 << 20), stored = SEAL_BYTES(1 << 20);
	sqlite3_stmt *stmt = rows(db, "UPDATE kv SET v = ?2 WHERE k = ?1", key);

	MUST(seal_json_dump(record, false, &text, err));
	MUST(rot_kv_wrap(&stored, key, text.data, text.len, err));
	(void)sqlite3_bind_blob(stmt, 2, stored.data, (int)stored.len, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(stmt), SQLITE_DONE);
	(void)sqlite3_finalize(stmt);
	seal_bytes_release(&text);
	seal_bytes_release(&stored);
}

void
rig_edit(const char *db_path, const char *prefix, const char *member, const char *value)
{
	sqlite3 *db = open_db(db_path);
	sqlite3_stmt *stmt = rows(db, "SELECT k, v FROM kv WHERE" BEGINS, prefix);
	unsigned count = 0;
	char text[1024];

	(void)snprintf(text, sizeof(text), "{'value':%s}", value);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct seal_json *record = read_row(stmt), *fresh = rig_json(text);

		seal_json_set_copy(record, member, seal_json_member(fresh, "value"));
		write_row(db, (const char *)sqlite3_column_text(stmt, 0), record);
		seal_json_free(record);
		seal_json_free(fresh);
		count++;
	}
	cr_assert_gt(count, 0, "no record under %s", prefix);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
}

void
rig_remove(const char *db_path, const char *prefix)
{
	sqlite3 *db = open_db(db_path);
	sqlite3_stmt *stmt = rows(db, "DELETE FROM kv WHERE" BEGINS, prefix);

	cr_assert_eq(sqlite3_step(stmt), SQLITE_DONE);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
}

int
rig_open(struct rot_store **ret_store, const char *db_path, struct seal_err *err)
{
	char where[PATH_MAX + 8];
	const struct rot_kv_config config = { .where = where };

	(void)snprintf(where, sizeof(where), "sqlite:%s", db_path);
	return rot_store_open(ret_store, &config, err);
}

void
rig_fake_ca(struct rot_ca *ca, const char *workload)
{
	memset(ca, 0, sizeof(*ca));
	(void)snprintf(ca->workload, sizeof(ca->workload), "%s", workload);
	ca->generation = 1;
	seal_bytes_init(&ca->cert, 1024);
	seal_bytes_init(&ca->wrapped, 1024);
	MUST(seal_bytes_append_fmt(&ca->cert, err, "certificate of '%s'\n", workload));
	MUST(seal_bytes_append_str(&ca->wrapped, "wrapped", err));
}

void
rig_fake_root(struct rot_root *root, const char *workload, uint64_t generation)
{
	memset(root, 0, sizeof(*root));
	(void)snprintf(root->workload, sizeof(root->workload), "%s", workload);
	root->generation = generation;
	seal_bytes_init(&root->wrapped, 1024);
	MUST(seal_bytes_append_str(&root->wrapped, "wrapped root", err));
}

struct rot_store *
rig_store(const struct rot_kv_config *config, int64_t now)
{
	struct rot_meta meta = { .trust_domain = RIG_DOMAIN, .created_at = now };
	struct rot_store *store = NULL;
	struct rot_ca ca;

	seal_bytes_init(&meta.statement_key, 1024);
	MUST(seal_strv_add(&meta.urls, "https://rot.example.com:8443", err));
	MUST(seal_strv_add(&meta.urls, "https://10.0.0.1", err));
	MUST(seal_bytes_append_str(&meta.statement_key, "wrapped statement key", err));
	rig_fake_ca(&ca, "");
	MUST(rot_store_create(config, &meta, &ca, NULL, err));
	rot_ca_release(&ca);
	rot_meta_release(&meta);
	MUST(rot_store_open(&store, config, err));
	return store;
}

void
rig_add_workload(struct rot_store *store, const char *name, bool open, int64_t now)
{
	struct rot_root root;
	struct rot_ca ca;

	rig_fake_ca(&ca, name);
	rig_fake_root(&root, name, 1);
	MUST(rot_store_add_workload(store, &ca, &root, open, now, err));
	rot_root_release(&root);
	rot_ca_release(&ca);
}

static void *
serve_signer(void *arg)
{
	struct rig_signer *rig = arg;

	rot_signer_serve(&rig->state, rig->their_fd);
	(void)close(rig->their_fd);
	(void)close(rig->their_life);
	return NULL;
}

static void
serve_kek(struct rig_signer *rig, const struct seal_secret *kek, const char *trust_domain)
{
	int fds[2];
	int life[2];

	memset(rig, 0, sizeof(*rig));
	MUST(rot_signer_state_init(&rig->state, kek, trust_domain, err));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	rig->signer.fd = fds[0];
	rig->their_fd = fds[1];
	cr_assert_eq(pipe2(life, O_CLOEXEC), 0);
	rig->signer.life_fd = life[0];
	rig->their_life = life[1];
	cr_assert_eq(pthread_create(&rig->thread, NULL, serve_signer, rig), 0);
}

void
rig_signer_start(struct rig_signer *rig, uint8_t kek_byte, const char *trust_domain)
{
	struct seal_secret *kek = NULL;

	MUST(seal_secret_new(&kek, SEAL_KEY_LEN, err));
	memset(seal_secret_bytes(kek), kek_byte, SEAL_KEY_LEN);
	serve_kek(rig, kek, trust_domain);
	seal_secret_free(kek);
}

void
rig_signer_stop(struct rig_signer *rig)
{
	(void)close(rig->signer.fd);
	(void)close(rig->signer.life_fd);
	cr_assert_eq(pthread_join(rig->thread, NULL), 0);
	rot_signer_state_release(&rig->state);
}

static void
on_stop(void *arg)
{
	rot_server_drain(arg);
}

static void *
run_loop(void *arg)
{
	struct rig *rig = arg;
	struct seal_err err = { 0 };
	int r = seal_loop_run(rig->loop, &err);

	return r < 0 ? rig : NULL;
}

static void
make_home(struct rig *rig)
{
	char domain[SEAL_TRUST_DOMAIN_MAX + 1];
	struct seal_strv urls = { 0 };
	struct rot_init_options options = {
		.dir = rig->home, .urls = &urls, .trust_domain = RIG_DOMAIN, .now = seal_clock_now()
	};

	rig_dir_make(rig->dir);
	(void)snprintf(rig->home, sizeof(rig->home), "%.1000s/rot", rig->dir);
	(void)snprintf(rig->db, sizeof(rig->db), "%.1010s/%s", rig->home, ROT_DB_NAME);
	(void)snprintf(rig->socket, sizeof(rig->socket), "%.1010s/%s", rig->home, ROT_SOCKET_NAME);
	MUST(seal_strv_add(&urls, "https://127.0.0.1:8443", err));
	MUST(seal_strv_add(&urls, "https://rot.example.com", err));
	MUST(rot_init(&options, domain, err));
	seal_strv_release(&urls);
}

static void
read_ca(struct rig *rig)
{
	struct rot_ca ca = { 0 };

	MUST(rot_store_ca(rig->store, "", &ca, err));
	MUST(seal_certs_from_pem(&rig->ca, seal_bytes_str(&ca.cert), ca.cert.len,
				 SEAL_CHAIN_MAX_LEN, err));
	rot_ca_release(&ca);
}

/* A signer with the key of the rig's home. */
static void
serve_home_kek(const struct rig *rig, struct rig_signer *signer)
{
	struct seal_secret *kek = NULL;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.1010s/%s", rig->home, ROT_KEK_NAME);
	MUST(rot_kek_read(&kek, AT_FDCWD, path, err));
	serve_kek(signer, kek, RIG_DOMAIN);
	seal_secret_free(kek);
}

static void
start_server(struct rig *rig, void (*change)(struct rot_server_config *config))
{
	struct rot_client_config local = { .unix_path = rig->socket };
	char url[64];

	rig->config = (struct rot_server_config){
		.listen = { .host = "127.0.0.1" },
		.local = { .is_unix = true },
		.lifetime = ROT_LIFETIME,
	};
	(void)snprintf(rig->config.local.host, sizeof(rig->config.local.host), "%.250s",
		       rig->socket);
	if (change != NULL)
		change(&rig->config);
	serve_home_kek(rig, &rig->signer);
	MUST(rig_open(&rig->store, rig->db, err));
	MUST(seal_loop_new(&rig->loop, err));
	MUST(rot_server_new(&rig->server, rig->loop, &rig->config, rig->store, &rig->signer.signer,
			    err));
	MUST(seal_wake_new(&rig->stop, rig->loop, on_stop, rig->server, err));
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", rot_server_port(rig->server));
	MUST(seal_strv_add(&rig->urls, url, err));
	read_ca(rig);
	cr_assert_eq(pthread_create(&rig->thread, NULL, run_loop, rig), 0);
	MUST(rot_client_new(&rig->local, &local, err));
}

void
rig_start(struct rig *rig, void (*change)(struct rot_server_config *config))
{
	memset(rig, 0, sizeof(*rig));
	make_home(rig);
	start_server(rig, change);
}

void
rig_ended(struct rig *rig)
{
	void *failed = NULL;

	cr_assert_eq(pthread_join(rig->thread, &failed), 0);
	cr_expect_null(failed, "the loop failed");
}

void
rig_release(struct rig *rig)
{
	seal_wake_free(rig->stop);
	rot_server_free(rig->server);
	seal_loop_free(rig->loop);
	rot_store_close(rig->store);
	rig_signer_stop(&rig->signer);
	seal_strv_release(&rig->urls);
	seal_certs_free(rig->ca);
	rig_dir_remove(rig->dir);
}

void
rig_stop(struct rig *rig)
{
	rot_client_free(rig->local); /* an open connection would be waited for */
	seal_wake_now(rig->stop);
	rig_ended(rig);
	rig_release(rig);
}

struct seal_json *
rig_json(const char *text)
{
	char *copy = seal_strndup(text, strlen(text));
	struct seal_json *json = NULL;

	for (char *at = copy; *at != '\0'; at++) {
		if (*at == '\'')
			*at = '"';
	}
	MUST(seal_json_parse(&json, copy, strlen(copy), ROT_MAX_BODY, err));
	free(copy);
	return json;
}

unsigned
rig_call(struct rot_client *client, const char *method, const char *path,
	 const struct seal_json *body, struct seal_json **ret_reply)
{
	struct seal_bytes text = SEAL_BYTES(ROT_MAX_SEAL_BODY);
	struct seal_bytes reply = SEAL_BYTES(ROT_MAX_SEALED);
	unsigned status = 0;

	if (body != NULL)
		MUST(seal_json_dump(body, false, &text, err));
	MUST(rot_client_call(client, method, path, text.data, text.len, &status, &reply, err));
	if (ret_reply != NULL &&
	    seal_json_parse(ret_reply, reply.data, reply.len, reply.max, NULL) < 0)
		*ret_reply = NULL;
	seal_bytes_release(&text);
	seal_bytes_release(&reply);
	return status;
}

unsigned
rig_get(struct rot_client *client, const char *path, struct seal_bytes *reply)
{
	unsigned status = 0;

	MUST(rot_client_call(client, "GET", path, NULL, 0, &status, reply, err));
	return status;
}

void
rig_expect(struct rig *rig, unsigned status, const char *method, const char *path,
	   const struct seal_json *body)
{
	struct seal_json *reply = NULL;
	struct seal_bytes text = SEAL_BYTES(8u * 1024 * 1024);
	unsigned got = rig_call(rig->local, method, path, body, &reply);

	if (reply != NULL)
		MUST(seal_json_dump(reply, false, &text, err));
	cr_expect_eq(got, status, "%s %s: %u instead of %u: %s", method, path, got, status,
		     seal_bytes_str(&text));
	seal_bytes_release(&text);
	seal_json_free(reply);
}

void
rig_expect_error(struct rot_client *client, unsigned status, const char *code, const char *part,
		 const char *method, const char *path, const struct seal_json *body)
{
	const struct seal_json *error = NULL;
	const char *got_code = "", *message = "";
	struct seal_json *reply = NULL;
	unsigned got = rig_call(client, method, path, body, &reply);

	cr_assert_not_null(reply, "%s %s: no JSON with %u", method, path, got);
	MUST(seal_json_get_object(reply, "error", &error, err));
	MUST(seal_json_get_str(error, "code", &got_code, err));
	MUST(seal_json_get_str(error, "message", &message, err));
	cr_expect_eq(got, status, "%s %s: %u instead of %u (%s)", method, path, got, status,
		     message);
	cr_expect_str_eq(got_code, code, "%s %s: %s", method, path, message);
	cr_expect(part == NULL || strstr(message, part) != NULL, "%s %s: '%s' without '%s'", method,
		  path, message, part);
	seal_json_free(reply);
}

char *
rig_csr(const struct seal_key *key)
{
	struct seal_bytes pem = SEAL_BYTES(4096);
	char *text;

	MUST(seal_csr_new(&pem, key, err));
	text = seal_strndup(seal_bytes_str(&pem), pem.len);
	seal_bytes_release(&pem);
	return text;
}

static char *
copy_member(const struct seal_json *object, const char *name)
{
	const char *text = NULL;

	MUST(seal_json_get_str(object, name, &text, err));
	return seal_strndup(text, strlen(text));
}

void
rig_mint(struct rig *rig, const char *order, struct rig_egg *ret_egg)
{
	struct seal_json *body = rig_json(order);
	struct seal_json *reply = NULL;
	char *csr, *id, *cert;

	memset(ret_egg, 0, sizeof(*ret_egg));
	MUST(seal_key_new(&ret_egg->key, err));
	csr = rig_csr(ret_egg->key);
	seal_json_set_str(body, "csr", csr);
	cr_assert_eq(rig_call(rig->local, "POST", "/v1/eggs", body, &reply), 201, "%s", order);
	id = copy_member(reply, "id");
	(void)snprintf(ret_egg->id, sizeof(ret_egg->id), "%s", id);
	cert = copy_member(reply, "certificate");
	MUST(seal_certs_from_pem(&ret_egg->cert, cert, strlen(cert), SEAL_CHAIN_MAX_LEN, err));
	ret_egg->statement = copy_member(reply, "statement");
	free(csr);
	free(id);
	free(cert);
	seal_json_free(body);
	seal_json_free(reply);
}

void
rig_egg_release(struct rig_egg *egg)
{
	seal_key_free(egg->key);
	seal_certs_free(egg->cert);
	free(egg->statement);
}

struct rot_client *
rig_client(struct rig *rig, const struct seal_certs *cert, const struct seal_key *key)
{
	const struct rot_client_config config = {
		.urls = &rig->urls, .ca = rig->ca, .cert = cert, .key = key, .timeout_ms = 60000
	};
	struct rot_client *client = NULL;

	MUST(rot_client_new(&client, &config, err));
	return client;
}

struct rot_client *
rig_operator_named(struct rig *rig, const char *role, const char *name)
{
	struct seal_json *body = seal_json_new();
	struct seal_json *reply = NULL;
	struct seal_certs *cert = NULL;
	struct seal_key *key = NULL;
	struct rot_client *client;
	char *csr, *pem;

	MUST(seal_key_new(&key, err));
	csr = rig_csr(key);
	seal_json_set_str(body, "role", role);
	seal_json_set_str(body, "name", name);
	seal_json_set_str(body, "csr", csr);
	cr_assert_eq(rig_call(rig->local, "POST", "/v1/operators", body, &reply), 201, "%s", role);
	pem = copy_member(reply, "certificate");
	MUST(seal_certs_from_pem(&cert, pem, strlen(pem), SEAL_CHAIN_MAX_LEN, err));
	client = rig_client(rig, cert, key);
	free(csr);
	free(pem);
	seal_certs_free(cert);
	seal_key_free(key);
	seal_json_free(body);
	seal_json_free(reply);
	return client;
}

struct rot_client *
rig_operator(struct rig *rig, const char *role)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "alice-%u", ++rig->operators);
	return rig_operator_named(rig, role, name);
}
