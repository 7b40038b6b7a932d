/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/expand: $(NAME) as Kubernetes reads it. */
#include <criterion/criterion.h>
#include <string.h>

#include "config-verify/environment.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes

static const char *
lookup(const void *arg, const char *name, size_t name_len)
{
	static const struct {
		const char *name, *value;
	} known[] = {
		{ "VAR_A", "A" }, { "VAR_B", "B" },   { "VAR_C", "C" }, { "VAR_REF", "$(VAR_A)" },
		{ "EMPTY", "" },  { "a b", "blank" }, { "(", "open" },
	};

	(void)arg;
	for (size_t i = 0; i < SEAL_COUNT(known); i++)
		if (strlen(known[i].name) == name_len && memcmp(known[i].name, name, name_len) == 0)
			return known[i].value;
	return NULL;
}

Test(verify_expand, every_form_of_a_reference)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "$(VAR_A)", "A" },
		{ "___$(VAR_B)___", "___B___" },
		{ "$(VAR_A)$(VAR_B)", "AB" },
		{ "$(VAR_A)-$(VAR_A)", "A-A" },
		{ "$(EMPTY)", "" },
		{ "x$(EMPTY)y", "xy" },
		/* a value is not looked into */
		{ "$(VAR_REF)", "$(VAR_A)" },
		/* not known: as it is written */
		{ "$(UNKNOWN)", "$(UNKNOWN)" },
		{ "a$(UNKNOWN)$(VAR_A)", "a$(UNKNOWN)A" },
		{ "$()", "$()" },
		{ "$( VAR_A)", "$( VAR_A)" },
		{ "$(VAR_A )", "$(VAR_A )" },
		{ "$(var_a)", "$(var_a)" },
		/* anything may stand in a name but what closes it */
		{ "$(a b)", "blank" },
		{ "$(()", "open" },
		{ "$($(VAR_A))", "$($(VAR_A))" },
		/* two are one, and hide what follows */
		{ "$$", "$" },
		{ "$$$$", "$$" },
		{ "$$$", "$$" },
		{ "$$(VAR_A)", "$(VAR_A)" },
		{ "$$$(VAR_A)", "$A" },
		{ "$$$$(VAR_A)", "$$(VAR_A)" },
		{ "$$$$$(VAR_A)", "$$A" },
		{ "f000-$$VAR_A", "f000-$VAR_A" },
		{ "foo$$bar", "foo$bar" },
		{ "$(VAR_A)$$(VAR_B)", "A$(VAR_B)" },
		/* a letter like others */
		{ "$", "$" },
		{ "$VAR_A", "$VAR_A" },
		{ "a$", "a$" },
		{ "$ (VAR_A)", "$ (VAR_A)" },
		{ "${VAR_A}", "${VAR_A}" },
		{ "$x$(VAR_A)", "$xA" },
		{ "\\$(VAR_A)", "\\A" },
		{ "VAR_A)", "VAR_A)" },
		{ ")$(VAR_A)(", ")A(" },
		/* never closed */
		{ "$(", "$(" },
		{ "$(VAR_A", "$(VAR_A" },
		{ "$(VAR_A$(VAR_B", "$(VAR_A$(VAR_B" },
		{ "$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)" },
		{ "$$(VAR_A", "$(VAR_A" },
		{ "$(VAR_A)$(", "A$(" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		BYTES out = SEAL_BYTES(1024);

		cr_assert_eq(verify_expand(&out, rows[i][0], lookup, NULL, NULL), 0);
		cr_expect_str_eq(seal_bytes_str(&out), rows[i][1], "%s: %s", rows[i][0],
				 seal_bytes_str(&out));
	}
}

Test(verify_expand, what_grows_beyond_its_limit_is_refused)
{
	BYTES out = SEAL_BYTES(3);

	cr_expect_eq(verify_expand(&out, "$(VAR_A)$(VAR_A)$(VAR_A)", lookup, NULL, NULL), 0);
	seal_bytes_reset(&out);
	cr_expect_eq(verify_expand(&out, "$(VAR_A)$(VAR_A)$(VAR_A)$(VAR_A)", lookup, NULL, NULL),
		     SEAL_E_LIMIT);
}
