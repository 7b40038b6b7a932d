# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/proxy_tests
TESTS += tests/unit/proxy_tests
tests_unit_proxy_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_proxy_tests_LDFLAGS = $(AM_LDFLAGS) $(ALLOC_WRAP) -Wl,--wrap=seal_loop_now_ms \
	-Wl,--wrap=connect
tests_unit_proxy_tests_LDADD = $(SUPPORT_LIBS) proxy/libproxy.a $(ROT_CLIENT_LIBS) $(UNIT_LIBS)
tests_unit_proxy_tests_SOURCES = \
	%D%/rig.c %D%/rig.h %D%/sample.c %D%/sample.h %D%/metrics_golden.inc %D%/status_golden.inc \
	%D%/config_test.c %D%/config_yaml_test.c %D%/options_test.c \
	%D%/conn_test.c %D%/worker_test.c %D%/schedule_test.c %D%/identity_test.c %D%/rot_rig.c %D%/rot_rig.h \
	%D%/news_test.c %D%/news_worker_test.c %D%/sync_test.c \
	%D%/announce_test.c %D%/capture_test.c %D%/public_test.c %D%/tally_test.c %D%/sandbox_test.c \
	%D%/pool_test.c %D%/dial_test.c %D%/dial_rig.c %D%/dial_rig.h %D%/known_test.c %D%/limits_test.c \
	%D%/sealed_rig.c %D%/sealed_rig.h %D%/keys_test.c %D%/agent_test.c %D%/sealed_test.c \
	%D%/metrics_test.c %D%/status_test.c %D%/control_test.c %D%/control_client_test.c
