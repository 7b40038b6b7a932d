/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that whoever writes a container spec and whoever starts from it must agree on: which
 * variables choose code, what a variable may be called, what a path may look like.
 */

#include <limits.h>
#include <string.h>

#include "config-verify/spec.h"

/*
 * Variables that make the dynamic loader, the C library, an interpreter or a virtual machine run code that
 * the command line does not name, or look for it elsewhere first.  A '*' at the end: every name that
 * begins so.  ENV, CLASSPATH and PATH are no such names: the first is read by interactive shells only,
 * the other two are ordinary configuration of most applications.
 */
static const char *const loaders[] = {
	"LD_*",
	"GLIBC_TUNABLES",
	"GCONV_PATH",
	"BASH_ENV",
	"BASH_FUNC_*",
	"PERL5OPT",
	"PERL5LIB",
	"PERL5DB",
	"PERLLIB",
	"PYTHONPATH",
	"PYTHONHOME",
	"PYTHONSTARTUP",
	"RUBYOPT",
	"RUBYLIB",
	"NODE_OPTIONS",
	"JAVA_TOOL_OPTIONS",
	"JDK_JAVA_OPTIONS",
	"_JAVA_OPTIONS",
	"DOTNET_STARTUP_HOOKS",
	"LUA_INIT*",
	"OPENSSL_CONF",
	"OPENSSL_ENGINES",
	"OPENSSL_MODULES",
};

bool
verify_is_loader_variable(const char *name)
{
	for (size_t i = 0; i < SEAL_COUNT(loaders); i++) {
		size_t len = strlen(loaders[i]);
		bool prefix = loaders[i][len - 1] == '*';

		if (prefix ? strncmp(name, loaders[i], len - 1) == 0
			   : strcmp(name, loaders[i]) == 0)
			return true;
	}
	return false;
}

int
verify_variable_check(const char *name, struct seal_err *err)
{
	if (name[0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "a variable without a name");
	for (const char *at = name; *at != '\0'; at++)
		if (*at < ' ' || *at > '~' || *at == '=')
			return seal_fail(
				err, SEAL_E_FORMAT,
				"'%.64s' cannot be a variable's name (printable ASCII, no '=')",
				name);
	return 0;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

int
verify_path_check(const char *path, struct seal_err *err)
{
	if (path[0] != '/')
		return seal_fail(err, SEAL_E_FORMAT, "'%.128s' is no absolute path", path);
	if (strlen(path) >= PATH_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "a path longer than %d bytes", PATH_MAX - 1);
	if (has_control(path))
		return seal_fail(err, SEAL_E_FORMAT, "'%.128s' holds control characters", path);
	if (path[1] == '\0')
		return 0;
	for (const char *part = path; part[0] == '/';) {
		size_t len = strcspn(part + 1, "/");

		if (len == 0)
			return seal_fail(err, SEAL_E_FORMAT,
					 "'%.128s' has an empty part ('//', or '/' at its end)",
					 path);
		if (part[1] == '.' && (len == 1 || (len == 2 && part[2] == '.')))
			return seal_fail(err, SEAL_E_FORMAT, "'%.128s' has a part '.' or '..'",
					 path);
		part += 1 + len;
	}
	return 0;
}
