# SPDX-License-Identifier: Apache-2.0
# Checks that build the tree once more with other flags, each in a directory of its own beside this build.

EXTRA_DIST += \
	.ci/run \
	.shellcheckrc \
	autogen.sh \
	examples/quickstart \
	examples/rot-cluster/README.md \
	examples/rot-cluster/kubernetes/rot.yaml \
	examples/rot-cluster/systemd/seal-rot.service \
	examples/rot-cluster/systemd/seal-rot.service.d/etcd.conf \
	tests/WEAKNESSES.md \
	tests/checks.mk \
	tests/packages \
	tests/run \
	tests/support/Interop.java \
	tests/support/announced.py \
	tests/support/browse.py \
	tests/support/coverage.sh \
	tests/support/crash.py \
	tests/support/eggs.py \
	tests/support/endure.py \
	tests/support/etcd.sh \
	tests/support/etcd_faults.py \
	tests/support/exhaust.py \
	tests/support/fake_rot.py \
	tests/support/bad_disk.py \
	tests/support/baddisk.c \
	tests/support/campaign.py \
	tests/support/agent.py tests/support/forge.py \
	tests/support/halfclose.py \
	tests/support/hatch.py \
	tests/support/held.py \
	tests/support/host.py \
	tests/support/host.sh \
	tests/support/hostile_bodies.py \
	tests/support/identities.py \
	tests/support/interop.js \
	tests/support/jose.js \
	tests/support/k8s-validate \
	tests/support/k8s-validate.js \
	tests/support/kata_requests.py \
	tests/support/kill_store.py \
	tests/support/linear.py \
	tests/support/knock.py \
	tests/support/kubelet.py \
	tests/support/leaks.py \
	tests/support/limits.py \
	tests/support/metrics.py \
	tests/support/npm.sh \
	tests/support/npm/package-lock.json \
	tests/support/npm/package.json \
	tests/support/old_store.py tests/support/schema-1.sql tests/support/schema-2.sql \
	tests/support/oddpackets.py \
	tests/support/packages.sh \
	tests/support/play.py \
	tests/support/pod-root.sh \
	tests/support/podman.sh \
	tests/support/proxied.py \
	tests/support/record.py \
	tests/support/rego.py \
	tests/support/renew.py \
	tests/support/sealed.sh \
	tests/support/soak.py \
	tests/support/stalled.py \
	tests/support/tamper.py \
	tests/support/typist.py \
	tests/support/testssl.py \
	tests/support/ticker.py \
	tests/support/tls.py \
	tests/support/traffic.py \
	tests/support/wire.py \
	tests/support/witness.py \
	tests/support/stall.py \
	tests/support/wrap_tty.py \
	tests/support/yaml_readers.js \
	tests/support/yaml_readers.py

CONFIGURE_AGAIN = "$(abs_top_srcdir)/configure" --quiet --enable-developer CC="$(CC)"

# Unit tests and a few end-to-end scripts under address and undefined-behaviour sanitizers; leaks count.
SANITIZER_ENV = ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
check-asan:
	$(MKDIR_P) check-asan.dir
	cd check-asan.dir && { test -f Makefile || $(CONFIGURE_AGAIN) --enable-sanitizers; }
	$(MAKE) -C check-asan.dir all
	$(SANITIZER_ENV) $(MAKE) -C check-asan.dir check
	! grep -aE -A 12 'ERROR: [A-Za-z]*Sanitizer|runtime error:' check-asan.dir/tests/unit/*.log
	$(SANITIZER_ENV) SEAL_SLOW=3 $(MAKE) -C check-asan.dir check-e2e \
		E2E_TESTS="tests/e2e/01-walking-road.sh tests/e2e/03-refusals.sh tests/e2e/07-rot-failures.sh"

# The sidecar's two threads under the thread sanitizer: hatching and renewing, credentials and certificates that
# change on disk, reloads and status under traffic.  Criterion's own processes are not for it.
TSAN_E2E = 01-walking-road 06-renewal 14-reload 16-resumption 19-public 20-status-and-metrics 37-endurance
check-tsan:
	$(MKDIR_P) check-tsan.dir
	cd check-tsan.dir && { test -f Makefile || "$(abs_top_srcdir)/configure" --quiet --enable-developer CC=clang \
		--enable-sanitizers=thread; }
	$(MAKE) -C check-tsan.dir all
	TSAN_OPTIONS=exitcode=66:halt_on_error=1 SEAL_SLOW=3 $(MAKE) -C check-tsan.dir check-e2e \
		E2E_TESTS="$(TSAN_E2E:%=tests/e2e/%.sh)"

# The floor's and the egg's unit tests, those of the sidecar that wait for nothing, and the programs in end-to-end
# scripts, under valgrind.  Criterion runs each test in a process of its own: one report per process, and any that
# counts an error or a definite leak fails the check.  (The other unit tests wait with deadlines that valgrind cannot
# keep; and it does not know openat2, so a sidecar runs with --credentials here.)
VALGRIND = valgrind --leak-check=full --errors-for-leak-kinds=definite
VALGRIND_DIR = $(abs_builddir)/check-valgrind.dir
VALGRIND_PROXY = @(status|status_table|metrics|proxy_@(tally|known|pool|announce|config|config_yaml|options))/*
VALGRIND_E2E = 05-mtls-identities w21-limits-and-keys-at-rest
check-valgrind: all $(check_PROGRAMS)
	rm -rf $(VALGRIND_DIR) && $(MKDIR_P) $(VALGRIND_DIR)/bin
	@for program in seal seal-rot seal-proxy; do \
		printf '#!/bin/sh\nexec $(VALGRIND) --log-file=%s/%%%%p.log %s "$$@"\n' \
			$(VALGRIND_DIR) $(abs_builddir)/$$program >$(VALGRIND_DIR)/bin/$$program; \
		chmod +x $(VALGRIND_DIR)/bin/$$program; \
	done
	@for test in base_tests egg_tests proxy_tests; do \
		filter='*/*'; [ $$test != proxy_tests ] || filter='$(VALGRIND_PROXY)'; \
		SEAL_UNDER_VALGRIND=1 $(VALGRIND) --trace-children=yes --trace-children-skip='*/openssl,*/sh' \
			--log-file=$(VALGRIND_DIR)/%p.log tests/unit/$$test --timeout 600 --filter "$$filter" 2>&1 | \
			sed -n "s,.*Synthesis,valgrind $$test,p"; \
	done
	@for script in $(VALGRIND_E2E); do \
		echo "valgrind $$script"; \
		SEAL_BUILD=$(VALGRIND_DIR)/bin SEAL_SLOW=5 "$(top_srcdir)/tests/e2e/$$script.sh" \
			>$(VALGRIND_DIR)/out 2>&1 || { cat $(VALGRIND_DIR)/out; exit 1; }; \
	done
	@if grep -lE 'ERROR SUMMARY: [1-9]' $(VALGRIND_DIR)/*.log >$(VALGRIND_DIR)/bad; then \
		xargs cat <$(VALGRIND_DIR)/bad | grep -vE 'unhandled amd64|README_MISSING|own handler|report'; exit 1; \
	fi; echo "valgrind: $$(ls $(VALGRIND_DIR)/*.log | wc -l) processes without errors or leaks"

# Writers of volumes killed at random so many times, beside those killed at every system call.  As root.
VOLUME_KILLS = 20000
check-volume: tests/unit/volume_tests
	SEAL_VOLUME_KILLS=$(VOLUME_KILLS) tests/unit/volume_tests --filter 'volume_kill/*'

# The store's engines: writers killed so many times, files with so many changed bytes.  As root.
STORE_KILLS = 1000
STORE_FLIPS = 20000
check-store: tests/unit/rot_kv_tests
	SEAL_KV_KILLS=$(STORE_KILLS) SEAL_KV_FLIPS=$(STORE_FLIPS) tests/unit/rot_kv_tests --filter 'kv_fault/*'

# Line coverage of the product by unit and end-to-end tests together; fails below COVERAGE_MIN.
COVERAGE_MIN = 85
coverage:
	$(MKDIR_P) coverage.dir
	cd coverage.dir && { test -f Makefile || $(CONFIGURE_AGAIN) --enable-coverage CFLAGS="-O0 -g"; }
	$(MAKE) -C coverage.dir all
	"$(abs_top_srcdir)/tests/support/coverage.sh" "$(abs_builddir)/coverage.dir" $(COVERAGE_MIN)

clean-local: clean-checks
clean-checks:
	rm -rf check-asan.dir check-tsan.dir check-valgrind.dir coverage.dir

.PHONY: check-asan check-tsan check-valgrind check-volume check-store coverage clean-checks
