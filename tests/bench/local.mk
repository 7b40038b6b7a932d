# SPDX-License-Identifier: Apache-2.0
# make bench: the product against its peers on this machine; see docs/performance.md.  As variables or in the
# environment: BENCH_PEERS and BENCH_ONLY (names, separated by commas), BENCH_ROUNDS, BENCH_QUICK=1.
EXTRA_PROGRAMS = %D%/bench-load %D%/bench-sink %D%/bench-relay
CLEANFILES += $(EXTRA_PROGRAMS) bench.jsonl bench-rot.jsonl

EXTRA_PROGRAMS += %D%/bench-handshake
tests_bench_bench_handshake_SOURCES = %D%/handshake.c tests/support/pki.c tests/support/pki.h
tests_bench_bench_handshake_CPPFLAGS = $(AM_CPPFLAGS) -DSEAL_SOURCE_DIR='"$(abs_top_srcdir)"'
tests_bench_bench_handshake_LDADD = $(BASE_LIBS)

BENCH_TRAFFIC = %D%/traffic.c %D%/traffic.h
tests_bench_bench_load_SOURCES = %D%/load.c %D%/client.c %D%/client.h %D%/rate.c %D%/rate.h $(BENCH_TRAFFIC)
tests_bench_bench_sink_SOURCES = %D%/sink.c $(BENCH_TRAFFIC)
tests_bench_bench_relay_SOURCES = %D%/relay.c $(BENCH_TRAFFIC)

EXTRA_PROGRAMS += %D%/bench-rot-load %D%/bench-rot-fill
tests_bench_bench_rot_load_SOURCES = %D%/rot_load.c %D%/rot_line.c %D%/rot_line.h $(BENCH_TRAFFIC)
tests_bench_bench_rot_load_LDADD = $(OPENSSL_LIBS)
tests_bench_bench_rot_fill_SOURCES = %D%/rot_fill.c $(BENCH_TRAFFIC)
tests_bench_bench_rot_fill_LDADD = $(ROT_SERVER_LIBS)

BENCH_PARTS = %D%/bench.py %D%/credentials.py %D%/figures.py %D%/peers.py %D%/proof.py %D%/rig.py \
	%D%/sections.py %D%/rot.py
EXTRA_DIST += %D%/run %D%/start.sh $(BENCH_PARTS)

bench: all $(EXTRA_PROGRAMS)
	BENCH_PEERS="$(BENCH_PEERS)" BENCH_ROUNDS="$(BENCH_ROUNDS)" BENCH_ONLY="$(BENCH_ONLY)" \
		BENCH_QUICK="$(BENCH_QUICK)" SEAL_BUILD="$(abs_builddir)" "$(top_srcdir)/tests/bench/run"
	[ -z "$(BENCH_QUICK)" ] || $(MAKE) --no-print-directory bench-rot BENCH_ONLY=

# The root of trust under load.  BENCH_ONLY: latency,years,fleet,others.
bench-rot: all tests/bench/bench-rot-load tests/bench/bench-rot-fill
	BENCH_ONLY="$(BENCH_ONLY)" BENCH_QUICK="$(BENCH_QUICK)" PYTHONDONTWRITEBYTECODE=1 \
		python3 "$(top_srcdir)/tests/bench/rot.py" --build "$(abs_builddir)"

# What starting by seal-wrap costs.
bench-start: all
	SEAL_BUILD="$(abs_builddir)" "$(top_srcdir)/tests/bench/start.sh"

.PHONY: bench bench-rot bench-start
