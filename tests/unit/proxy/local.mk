# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/proxy_tests
TESTS += tests/unit/proxy_tests
tests_unit_proxy_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_proxy_tests_LDADD = $(SUPPORT_LIBS) proxy/libproxy.a $(ROT_CLIENT_LIBS) $(UNIT_LIBS)
tests_unit_proxy_tests_SOURCES = \
	%D%/rig.c %D%/rig.h \
	%D%/config_test.c %D%/conn_test.c %D%/worker_test.c %D%/schedule_test.c %D%/identity_test.c \
	%D%/options_test.c
