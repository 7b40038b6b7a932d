# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/proxy_tests
TESTS += tests/unit/proxy_tests
tests_unit_proxy_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_proxy_tests_LDADD = $(SUPPORT_LIBS) proxy/libproxy.a $(ROT_CLIENT_LIBS) $(UNIT_LIBS)
tests_unit_proxy_tests_SOURCES =
