/* SPDX-License-Identifier: Apache-2.0 */
/* base/x509: what certificates made by another program say about their subject. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/x509/x509.h"
#include "tests/support/pki.h"

#define SELF                                                                                       \
	"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null "

/* NULL when the command cannot be run. */
static struct seal_certs *
made_by(const char *command)
{
	static char pem[16384];
	FILE *out = popen(command, "re"); /* NOLINT(cert-env33-c): constant commands */
	size_t len = out == NULL ? 0 : fread(pem, 1, sizeof(pem), out);
	struct seal_certs *certs = NULL;

	if (out == NULL || pclose(out) != 0 ||
	    seal_certs_from_pem(&certs, pem, len, sizeof(pem), NULL) < 0)
		return NULL;
	return certs;
}

Test(x509_subject, the_one_common_name_is_for_people)
{
	static const struct {
		const char *command;
		const char *name;
	} rows[] = {
		{ SELF "-subj '/CN=Jo Doe' 2>/dev/null", "Jo Doe" },
		{ SELF "-subj '/O=Org/CN=jo/OU=unit' 2>/dev/null", "jo" },
		{ SELF "-utf8 -subj '/CN=J\xc3\xb6' 2>/dev/null", "J??" },
		{ SELF "-subj '/CN=a\nb\tc' 2>/dev/null", "a?b?c" },
		{ SELF "-subj '/O=Org' 2>/dev/null", "" },
		{ SELF "-subj '/CN=jo/CN=root' 2>/dev/null", "" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = made_by(rows[i].command);
		char name[32] = "before";

		if (certs == NULL)
			cr_skip_test("needs openssl");
		seal_cert_common_name(seal_certs_at(certs, 0), name, sizeof(name));
		cr_expect_str_eq(name, rows[i].name, "%s", rows[i].command);
	}
}

Test(x509_subject, a_common_name_that_does_not_fit_is_none_and_not_another_shorter_one)
{
	struct pki_id ca = pki_ca("abcdefgh");
	char name[9] = "before";

	seal_cert_common_name(seal_certs_at(ca.chain, 0), name, 9);
	cr_expect_str_eq(name, "abcdefgh");
	seal_cert_common_name(seal_certs_at(ca.chain, 0), name, 8);
	cr_expect_str_eq(name, "");
	seal_cert_common_name(seal_certs_at(ca.chain, 0), name, 1);
	cr_expect_str_eq(name, "");
	pki_id_release(&ca);
}

Test(x509_subject, a_ca_says_so_in_its_constraints_and_nothing_says_otherwise)
{
	static const struct {
		const char *command;
		bool is_ca;
	} rows[] = {
		{ SELF "-subj /CN=ca -addext basicConstraints=critical,CA:TRUE 2>/dev/null", true },
		{ SELF "-subj /CN=ca -addext basicConstraints=critical,CA:TRUE "
		       "-addext keyUsage=keyCertSign 2>/dev/null",
		  true },
		{ SELF "-subj /CN=ca -addext basicConstraints=critical,CA:TRUE "
		       "-addext keyUsage=digitalSignature 2>/dev/null",
		  false },
		{ SELF "-subj /CN=leaf -addext basicConstraints=CA:FALSE 2>/dev/null", false },
		/* Version 1, which knows no extensions: once good enough for a root. */
		{ "openssl genpkey -algorithm ED25519 -out /tmp/seal-v1-$$ && "
		  "openssl req -new -key /tmp/seal-v1-$$ -subj /CN=old | "
		  "openssl x509 -req -key /tmp/seal-v1-$$ 2>/dev/null; rm /tmp/seal-v1-$$",
		  false },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = made_by(rows[i].command);

		if (certs == NULL)
			cr_skip_test("needs openssl");
		cr_expect_eq(seal_cert_is_ca(seal_certs_at(certs, 0)), rows[i].is_ca, "%s",
			     rows[i].command);
	}
}
