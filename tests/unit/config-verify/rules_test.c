/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/rules: what inject and wrap agree on. */
#include <criterion/criterion.h>
#include <limits.h>
#include <string.h>

#include "config-verify/spec.h"

Test(verify_rules, variables_that_choose_code_are_known)
{
	static const char *const names[] = {
		"LD_PRELOAD",     "LD_LIBRARY_PATH",   "LD_AUDIT",     "LD_",
		"GLIBC_TUNABLES", "GCONV_PATH",        "BASH_ENV",     "BASH_FUNC_ls%%",
		"PERL5OPT",       "PYTHONPATH",        "RUBYOPT",      "NODE_OPTIONS",
		"_JAVA_OPTIONS",  "JAVA_TOOL_OPTIONS", "OPENSSL_CONF", "LUA_INIT_5_4",
	};

	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		cr_expect(verify_is_loader_variable(names[i]), "%s", names[i]);
}

Test(verify_rules, ordinary_variables_are_no_loaders)
{
	static const char *const names[] = {
		"PATH", "HOME", "LD",        "LDAP_URL", "ld_preload",       "XLD_PRELOAD",
		"ENV",  "",     "BASH_ENVX", "NODE_ENV", "PYTHONUNBUFFERED", "JAVA_HOME",
	};

	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		cr_expect_not(verify_is_loader_variable(names[i]), "%s", names[i]);
}

Test(verify_rules, names_of_variables_are_printable_without_an_equals_sign)
{
	static const char *const good[] = { "A", "a.b-c", "1X", "with space", "~", "%$" };
	static const char *const bad[] = { "", "A=B", "=", "a\nb", "a\tb", "\x7f", "caf\xc3\xa9" };

	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		cr_expect_eq(verify_variable_check(good[i], NULL), 0, "%s", good[i]);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_eq(verify_variable_check(bad[i], NULL), SEAL_E_FORMAT, "%s", bad[i]);
}

Test(verify_rules, paths_are_absolute_and_have_one_spelling)
{
	static const char *const good[] = { "/",      "/a",     "/a/b.c", "/...",
					    "/a/..b", "/a/b..", "/.a",    "/a b" };
	static const char *const bad[] = { "",      "a",      "./a",     "//",    "/a/",
					   "/a//b", "/..",    "/.",      "/a/..", "/../a",
					   "/a/.",  "/a/./b", "/a/../b", "/a\n",  "/\x7f" };

	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		cr_expect_eq(verify_path_check(good[i], NULL), 0, "%s", good[i]);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_eq(verify_path_check(bad[i], NULL), SEAL_E_FORMAT, "%s", bad[i]);
}

Test(verify_rules, a_path_that_no_kernel_takes_is_refused)
{
	char path[PATH_MAX + 1];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PATH_MAX] = '\0';
	cr_expect_eq(verify_path_check(path, NULL), SEAL_E_FORMAT);
	path[PATH_MAX - 1] = '\0';
	cr_expect_eq(verify_path_check(path, NULL), 0);
}
