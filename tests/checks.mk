# SPDX-License-Identifier: Apache-2.0
# Checks that build the tree once more with other flags, each in a directory of its own beside this build.

EXTRA_DIST += tests/run tests/packages tests/WEAKNESSES.md tests/checks.mk .ci/run .shellcheckrc autogen.sh \
	examples/quickstart tests/support/pod-root.sh tests/support/coverage.sh tests/support/packages.sh \
	tests/support/crash.py tests/support/eggs.py tests/support/fake_rot.py tests/support/forge.py \
	tests/support/halfclose.py tests/support/hatch.py tests/support/hostile_bodies.py \
	tests/support/identities.py tests/support/kill_rot.py tests/support/leaks.py tests/support/renew.py \
	tests/support/soak.py tests/support/ticker.py tests/support/tls.py tests/support/witness.py

CONFIGURE_AGAIN = "$(abs_top_srcdir)/configure" --quiet --enable-developer CC="$(CC)"

# Unit tests and a few end-to-end scripts under address and undefined-behaviour sanitizers; leaks count.
SANITIZER_ENV = ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
check-asan:
	$(MKDIR_P) check-asan.dir
	cd check-asan.dir && { test -f Makefile || $(CONFIGURE_AGAIN) --enable-sanitizers; }
	$(MAKE) -C check-asan.dir all
	$(SANITIZER_ENV) $(MAKE) -C check-asan.dir check
	$(SANITIZER_ENV) SEAL_SLOW=3 $(MAKE) -C check-asan.dir check-e2e \
		E2E_TESTS="tests/e2e/01-walking-road.sh tests/e2e/03-refusals.sh tests/e2e/07-rot-failures.sh"

# Unit tests under valgrind; Criterion's worker processes are followed, their leaks too.
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
	--trace-children=no --suppressions=$(abs_top_srcdir)/tests/support/valgrind.supp
EXTRA_DIST += tests/support/valgrind.supp
check-valgrind: all $(check_PROGRAMS)
	@failed=; for test in $(check_PROGRAMS); do \
		echo "valgrind $$test"; \
		$(VALGRIND) ./$$test --jobs 1 --timeout 600 || failed="$$failed $$test"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# Line coverage of the product by unit and end-to-end tests together; fails below COVERAGE_MIN.
COVERAGE_MIN = 85
coverage:
	$(MKDIR_P) coverage.dir
	cd coverage.dir && { test -f Makefile || $(CONFIGURE_AGAIN) --enable-coverage CFLAGS="-O0 -g"; }
	$(MAKE) -C coverage.dir all
	"$(abs_top_srcdir)/tests/support/coverage.sh" "$(abs_builddir)/coverage.dir" $(COVERAGE_MIN)

clean-local: clean-checks
clean-checks:
	rm -rf check-asan.dir coverage.dir

.PHONY: check-asan check-valgrind coverage clean-checks
