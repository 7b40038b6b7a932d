# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += %D%/check-includes %D%/analyze %D%/format %D%/hooks/pre-commit .clang-tidy

check-includes:
	"$(top_srcdir)/tools/check-includes"
check-local: check-includes

# The formatter is pinned: another version formats otherwise.
format format-check:
	"$(top_srcdir)/tools/format" $@

# clang-tidy, cppcheck and gcc -fanalyzer over the product's sources; clean or failed.
analyze:
	"$(top_srcdir)/tools/analyze" "$(abs_builddir)" $(DEFS) $(DEFAULT_INCLUDES) $(INCLUDES) $(AM_CPPFLAGS) \
		$(CPPFLAGS) $(OPENSSL_CFLAGS) $(LIBEVENT_CFLAGS) $(YAML_CFLAGS) $(JANSSON_CFLAGS) \
		$(SQLITE_CFLAGS)

.PHONY: check-includes format format-check analyze

# What git tracks is in the tarball, or is named here.
DIST_WITHOUT = .gitignore m4/.gitkeep
dist-hook: dist-include-rules
	@cd "$(srcdir)" && test -e .git || exit 0; \
	missing=$$(git ls-files | while read -r file; do \
		test -e "$(abs_builddir)/$(distdir)/$$file" || echo "$$file"; done | \
		grep -vxF "$$(printf '%s\n' $(DIST_WITHOUT))"); \
	test -z "$$missing" || { echo "not in the tarball:" $$missing >&2; exit 1; }
dist-include-rules:
	cd "$(srcdir)" && find base config-verify egg rot proxy tests -name .may-include -exec cp --parents {} "$(abs_builddir)/$(distdir)" ';'
.PHONY: dist-include-rules
