# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += %D%/lib.sh $(E2E_TESTS)
E2E_TESTS = \
	%D%/01-walking-road.sh %D%/02-nginx-and-curl-both-ways.sh %D%/03-refusals.sh %D%/04-budget-race.sh \
	%D%/05-mtls-identities.sh %D%/06-renewal.sh %D%/07-rot-failures.sh %D%/09-hostile-bodies.sh %D%/10-bad-arguments.sh \
	%D%/11-hardening.sh %D%/12-connections-soak.sh %D%/13-command-line.sh %D%/14-reload.sh %D%/15-limits.sh \
	%D%/16-resumption.sh %D%/17-capture.sh %D%/18-proxy-protocol.sh %D%/19-public.sh %D%/20-status-and-metrics.sh \
	%D%/21-targets.sh %D%/22-sandbox.sh %D%/30-wire-robustness.sh %D%/31-testssl.sh %D%/32-exhaustion.sh %D%/33-memory.sh \
	%D%/34-interoperation.sh %D%/35-clean-refusals.sh %D%/36-testssl-public.sh %D%/37-endurance.sh %D%/40-seal-values.sh \
	%D%/41-seal-wrap.sh %D%/42-agent.sh %D%/43-sealed-pod.sh %D%/44-inject.sh %D%/45-real-pods.sh %D%/46-seal-verify.sh \
	%D%/46-watching.sh %D%/47-kata-policy.sh %D%/48-hostile-host.sh %D%/49-legitimate-matrix.sh %D%/50-sync.sh \
	%D%/52-rotation.sh %D%/51-revocation.sh %D%/53-audit.sh %D%/54-operators.sh %D%/57-page.sh %D%/58-est.sh \
	%D%/60-kill-store.sh %D%/61-bad-disk.sh %D%/62-etcd-faults.sh %D%/55-store-verbs.sh %D%/56-etcd.sh \
	%D%/w01-every-name-comes-from-the-rot.sh %D%/w02-request-names-are-ignored.sh \
	%D%/w03-a-statement-belongs-to-its-egg.sh %D%/w04-a-statement-cannot-be-forged.sh \
	%D%/w05-only-pinned-cas-are-trusted.sh %D%/w06-no-other-places-are-looked-at.sh %D%/w07-every-bit-counts.sh \
	%D%/w08-values-stay-where-they-were-sealed-for.sh %D%/w09-the-environment-is-closed.sh \
	%D%/w10-values-are-never-logged.sh %D%/w11-mounts-are-judged-and-watched.sh %D%/w12-system-files-are-read-whole.sh \
	%D%/w13-files-land-in-memory-and-whole.sh %D%/w14-supervisors-see-what-happened.sh %D%/w15-eggs-end.sh \
	%D%/w16-each-peer-has-its-own-keys.sh %D%/w18-any-is-membership-not-policy.sh %D%/w19-hostnames-are-granted.sh \
	%D%/w20-certificates-are-tight.sh %D%/w21-limits-and-keys-at-rest.sh %D%/w22-the-whole-pod-is-covered.sh

# The starving sidecar needs what the unit tests need.
if HAVE_CRITERION
STARVED_PROXY = tests/support/seal-proxy-starved
TEST_AGENT = tests/support/test-agent
endif

# Each script against this build; as root.  A skip (77) is said and is no failure.
check-e2e: all $(STARVED_PROXY) $(TEST_AGENT)
	@failed=; for script in $(E2E_TESTS); do \
		printf '%s\n' "$$script"; \
		SEAL_BUILD=$(abs_builddir) "$(top_srcdir)/$$script"; status=$$?; \
		[ $$status = 0 ] || [ $$status = 77 ] || failed="$$failed $$script"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# The long forms of campaigns.
check-kill: all
	SEAL_BUILD=$(abs_builddir) SEAL_LONG=1 $(top_srcdir)/tests/e2e/60-kill-store.sh
# All campaigns against the root of trust: an hour at most.
campaign-rot: all
	for script in 60-kill-store 61-bad-disk 62-etcd-faults; do \
		SEAL_BUILD=$(abs_builddir) SEAL_LONG=1 timeout 1200 "$(top_srcdir)/tests/e2e/$$script.sh" || exit 1; \
	done
check-soak: all
	SEAL_BUILD=$(abs_builddir) SEAL_LONG=1 $(top_srcdir)/tests/e2e/12-connections-soak.sh
soak: all
	SEAL_BUILD=$(abs_builddir) SOAK_SECONDS=$${SOAK_SECONDS:-3600} $(top_srcdir)/tests/e2e/37-endurance.sh
check-wire: all
	SEAL_BUILD=$(abs_builddir) SEAL_LONG=1 $(top_srcdir)/tests/e2e/30-wire-robustness.sh
check-exhaustion: all $(STARVED_PROXY)
	SEAL_BUILD=$(abs_builddir) SEAL_LONG=1 $(top_srcdir)/tests/e2e/32-exhaustion.sh

.PHONY: campaign-rot check-e2e check-kill check-soak check-wire check-exhaustion soak
