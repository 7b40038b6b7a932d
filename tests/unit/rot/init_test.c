/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server: seal init makes a whole root of trust or nothing; one process serves a directory. */
#include "rot/server/init.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/loop/loop.h"
#include "base/x509/verify.h"
#include "rot/server/api.h"
#include "rot/server/home.h"
#include "tests/support/pki.h"
#include "tests/unit/rot/rig.h"

static char dir[PATH_MAX];
static char home[PATH_MAX];
static char domain[SEAL_TRUST_DOMAIN_MAX + 1];

static void
setup(void)
{
	rig_dir_make(dir);
	(void)snprintf(home, sizeof(home), "%.1000s/rot", dir);
	(void)snprintf(domain, sizeof(domain), "untouched");
}

static void
teardown(void)
{
	rig_dir_remove(dir);
}

TestSuite(rot_init, .init = setup, .fini = teardown);

static int
init(const char *url, const char *trust_domain, const char *kek_file, struct seal_err *err)
{
	struct seal_strv urls = { 0 };
	struct rot_init_options options = { .dir = home,
					    .urls = &urls,
					    .trust_domain = trust_domain,
					    .kek = { .file = kek_file },
					    .now = seal_clock_now() };
	int r;

	if (url != NULL)
		cr_assert_eq(seal_strv_add(&urls, url, NULL), 0);
	r = rot_init(&options, domain, err);
	seal_strv_release(&urls);
	return r;
}

static unsigned
count_entries(const char *path)
{
	DIR *entries = opendir(path);
	unsigned count = 0;

	cr_assert_not_null(entries);
	for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	(void)closedir(entries);
	return count;
}

static void
expect_mode(const char *name, mode_t mode)
{
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%.1000s/%s", home, name);
	cr_assert_eq(stat(path, &st), 0, "%s is missing", name);
	cr_expect_eq(st.st_mode & 07777, mode, "%s has mode %o", name, st.st_mode & 07777);
}

static void
write_file(char path[static PATH_MAX], const char *name, const char *text, mode_t mode)
{
	int fd;

	(void)snprintf(path, PATH_MAX, "%.1000s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	cr_assert_eq(close(fd), 0);
}

Test(rot_init, makes_everything_private)
{
	struct seal_err err = { 0 };

	cr_assert_eq(init("https://rot.example.com:8443", NULL, NULL, &err), 0, "%s", err.text);
	cr_expect_str_eq(domain, "rot.example.com");
	expect_mode(".", 0700);
	expect_mode("kek", 0600);
	expect_mode("admin", 0700);
	expect_mode("admin/ca.pem", 0600);
	expect_mode("admin/cert.pem", 0600);
	expect_mode("admin/key.pem", 0600);
	expect_mode("seal.db", 0600);
	expect_mode("store", 0600);
	cr_expect_eq(count_entries(home), 5); /* the store with its lock, where it is, kek, admin */
	cr_expect_eq(count_entries(dir), 1, "something was left beside it");
}

Test(rot_init, makes_an_operator_whom_the_root_of_trust_knows)
{
	struct seal_bytes ca = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct seal_bytes cert = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct seal_certs *anchors = NULL, *chain = NULL;
	struct seal_secret *pem = NULL;
	struct seal_identity identity;
	struct seal_key *key = NULL, *certified = NULL;
	struct seal_err err = { 0 };
	int fd;

	cr_assert_eq(init("https://rot.example.com", "td.example.com", NULL, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(domain, "td.example.com");
	fd = seal_fs_open_dir(home, SEAL_FS_PRIVATE, &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert_eq(seal_fs_read(&ca, fd, "admin/ca.pem", SEAL_CHAIN_MAX_LEN, &err), 0);
	cr_assert_eq(seal_fs_read(&cert, fd, "admin/cert.pem", SEAL_CHAIN_MAX_LEN, &err), 0);
	cr_assert_eq(seal_fs_read_secret(&pem, fd, "admin/key.pem", 4096, &err), 0, "%s", err.text);
	cr_assert_eq(seal_certs_from_pem(&anchors, seal_bytes_str(&ca), ca.len, 16384, &err), 0);
	cr_assert_eq(seal_certs_from_pem(&chain, seal_bytes_str(&cert), cert.len, 16384, &err), 0);
	cr_expect_eq(seal_role_verify(&identity, anchors, "td.example.com", SEAL_ROLE_OPERATOR,
				      chain, SEAL_SIDE_CLIENT, seal_clock_now(), &err),
		     0, "%s", err.text);
	cr_expect_str_eq(identity.operator_role, "admin");
	cr_assert_eq(seal_key_from_pem(&key, pem, &err), 0, "%s", err.text);
	cr_assert_eq(seal_cert_key(seal_certs_at(chain, 0), &certified, &err), 0);
	cr_expect(seal_key_same_public(key, certified));
	seal_close(fd);
	seal_key_free(key);
	seal_key_free(certified);
	seal_secret_free(pem);
	seal_certs_free(anchors);
	seal_certs_free(chain);
	seal_bytes_release(&ca);
	seal_bytes_release(&cert);
}

Test(rot_init, refuses_a_directory_that_holds_one_and_leaves_it_alone)
{
	struct seal_err err = { 0 };
	char db[PATH_MAX];

	(void)snprintf(db, sizeof(db), "%.1010s/seal.db", home);
	cr_assert_eq(init("https://one.example.com", NULL, NULL, &err), 0, "%s", err.text);
	cr_expect_eq(init("https://two.example.com", NULL, NULL, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "seal-rot --dir"), "%s", err.text);
	cr_expect_eq(rig_sql_number(db,
				    "SELECT instr(v, CAST('one.example.com' AS BLOB)) > 0 FROM kv"
				    " WHERE k = 'meta'"),
		     1);
	cr_expect_eq(count_entries(dir), 1);
}

Test(rot_init, takes_an_empty_directory_but_none_with_anything_in_it)
{
	struct seal_err err = { 0 };
	char path[PATH_MAX];

	cr_assert_eq(mkdir(home, 0755), 0);
	cr_expect_eq(init("https://rot.example.com", NULL, NULL, &err), 0, "%s", err.text);
	expect_mode(".", 0700);
	rig_dir_remove(home);

	cr_assert_eq(mkdir(home, 0755), 0);
	write_file(path, "rot/letter", "dear diary", 0600);
	cr_expect_eq(init("https://rot.example.com", NULL, NULL, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "not empty"), "%s", err.text);
	cr_expect_eq(count_entries(home), 1);
	cr_expect_eq(count_entries(dir), 1, "something was left beside it");
}

Test(rot_init, refuses_a_file_or_a_link_in_the_place)
{
	struct seal_err err = { 0 };
	char path[PATH_MAX], elsewhere[PATH_MAX];

	write_file(path, "rot", "a file", 0600);
	cr_expect_eq(init("https://rot.example.com", NULL, NULL, &err), SEAL_E_CONFLICT);
	cr_assert_eq(unlink(path), 0);
	(void)snprintf(elsewhere, sizeof(elsewhere), "%.1000s/elsewhere", dir);
	cr_assert_eq(mkdir(elsewhere, 0700), 0);
	cr_assert_eq(symlink(elsewhere, home), 0);
	cr_expect_lt(init("https://rot.example.com", NULL, NULL, &err), 0);
	cr_expect_eq(count_entries(elsewhere), 0);
	cr_expect_eq(count_entries(dir), 2);
}

Test(rot_init, refuses_urls_and_domains_that_are_none)
{
	static const char *const urls[] = {
		"http://rot.example.com",    "rot.example.com", "https://",
		"https://rot.example.com/x", "https://a b",     "https://u@rot.example.com"
	};
	struct seal_err err = { 0 };

	cr_expect_eq(init(NULL, NULL, NULL, &err), SEAL_E_USAGE);
	for (size_t i = 0; i < SEAL_COUNT(urls); i++)
		cr_expect_lt(init(urls[i], NULL, NULL, &err), 0, "took '%s'", urls[i]);
	cr_expect_lt(init("https://rot.example.com", "Not.A.Domain", NULL, &err), 0);
	cr_expect_lt(init("https://rot.example.com", "", NULL, &err), 0);
	cr_expect_lt(init("https://[::1]:8443", NULL, NULL, &err), 0, "a domain from [::1]");
	cr_expect_not_null(strstr(err.text, "--trust-domain"), "%s", err.text);
	cr_expect_str_eq(domain, "untouched");
	cr_expect_eq(count_entries(dir), 0, "something was left behind");
}

Test(rot_init, refuses_a_url_twice_and_more_than_it_takes)
{
	struct seal_strv urls = pki_strv("https://a.example.com", "https://a.example.com", NULL);
	struct rot_init_options options = { .dir = home, .urls = &urls, .now = seal_clock_now() };
	struct seal_err err = { 0 };
	char url[64];

	cr_expect_eq(rot_init(&options, domain, &err), SEAL_E_FORMAT);
	seal_strv_release(&urls);
	for (int i = 0; i <= ROT_MAX_URLS; i++) {
		(void)snprintf(url, sizeof(url), "https://r%d.example.com", i);
		cr_assert_eq(seal_strv_add(&urls, url, NULL), 0);
	}
	cr_expect_eq(rot_init(&options, domain, &err), SEAL_E_LIMIT);
	seal_strv_release(&urls);
	cr_expect_eq(count_entries(dir), 0);
}

Test(rot_init, needs_a_directory_to_put_it_in)
{
	struct seal_err err = { 0 };

	(void)snprintf(home, sizeof(home), "%.1000s/no/where", dir);
	cr_expect_eq(init("https://rot.example.com", NULL, NULL, &err), SEAL_E_MISSING);
	home[0] = '\0';
	cr_expect_lt(init("https://rot.example.com", NULL, NULL, &err), 0);
}

Test(rot_init, uses_the_key_file_it_is_given_and_writes_none)
{
	struct seal_err err = { 0 };
	char kek[PATH_MAX], path[PATH_MAX];

	write_file(kek, "key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
		   0600);
	cr_assert_eq(init("https://rot.example.com", NULL, kek, &err), 0, "%s", err.text);
	(void)snprintf(path, sizeof(path), "%.1010s/kek", home);
	cr_expect_neq(access(path, F_OK), 0, "wrote a key of its own");
}

Test(rot_init, refuses_key_files_that_are_wrong_and_makes_nothing)
{
	static const char *const texts[] = {
		"",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e\n",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20\n",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\n",
		" 00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
	};
	struct seal_err err = { 0 };
	char kek[PATH_MAX];

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		write_file(kek, "key", texts[i], 0600);
		cr_expect_eq(init("https://rot.example.com", NULL, kek, &err), SEAL_E_FORMAT,
			     "took text %zu", i);
	}
	write_file(kek, "key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
		   0644);
	cr_expect_eq(init("https://rot.example.com", NULL, kek, &err), SEAL_E_REFUSED,
		     "a key everybody can read");
	cr_assert_eq(unlink(kek), 0);
	cr_expect_eq(init("https://rot.example.com", NULL, kek, &err), SEAL_E_MISSING);
	cr_expect_eq(count_entries(dir), 0, "something was left behind");
}

Test(rot_init, a_directory_is_served_by_one_process_at_a_time)
{
	struct rot_home first = ROT_HOME, second = ROT_HOME;
	struct seal_err err = { 0 };

	cr_assert_eq(init("https://rot.example.com", NULL, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(rot_home_open(&first, home, &err), 0, "%s", err.text);
	cr_expect_eq(rot_home_open(&second, home, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "another seal-rot"), "%s", err.text);
	cr_expect_eq(second.lock_fd, -1);
	rot_home_release(&first);
	cr_expect_eq(rot_home_open(&second, home, &err), 0, "%s", err.text);
	rot_home_release(&second);
}

Test(rot_init, a_directory_that_holds_none_is_named_with_the_remedy)
{
	struct rot_home got = ROT_HOME;
	struct seal_err err = { 0 };

	cr_expect_eq(rot_home_open(&got, home, &err), SEAL_E_MISSING);
	cr_expect_not_null(strstr(err.text, "seal init"), "%s", err.text);
	cr_assert_eq(mkdir(home, 0700), 0);
	cr_expect_eq(rot_home_open(&got, home, &err), SEAL_E_MISSING);
	cr_expect_eq(count_entries(home), 0, "a lock was left in a foreign directory");
	cr_assert_eq(chmod(home, 0755), 0);
	cr_expect_eq(rot_home_open(&got, home, &err), SEAL_E_REFUSED);
	cr_expect_eq(got.dir_fd, -1);
}

Test(rot_init, a_wrong_key_encryption_key_is_found_at_the_start)
{
	struct rot_store *store = NULL;
	struct rot_api *api = NULL;
	struct rig_signer signer;
	struct seal_err err = { 0 };
	char db[PATH_MAX];

	cr_assert_eq(init("https://rot.example.com", NULL, NULL, &err), 0, "%s", err.text);
	(void)snprintf(db, sizeof(db), "%.1010s/seal.db", home);
	cr_assert_eq(rig_open(&store, db, &err), 0, "%s", err.text);
	rig_signer_start(&signer, 1, "rot.example.com");
	const struct rot_api_config config = { .loop = NULL, /* it does not come to that */
					       .store = store,
					       .signer = &signer.signer,
					       .lifetime = ROT_LIFETIME,
					       .clock = seal_clock_now };
	cr_expect_eq(rot_api_new(&api, &config, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "--kek-file"), "%s", err.text);
	cr_expect_null(api);
	rig_signer_stop(&signer);
	rot_store_close(store);
}
