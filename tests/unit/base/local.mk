# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/base_tests
TESTS += tests/unit/base_tests
tests_unit_base_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_base_tests_LDADD = $(SUPPORT_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_unit_base_tests_SOURCES = \
	%D%/crypto_test.c %D%/jwe_test.c %D%/verify_test.c %D%/stream_test.c %D%/wycheproof_test.c \
	%D%/loop_test.c %D%/net_test.c %D%/resolve_test.c \
	%D%/http_parse_test.c %D%/http_test.c %D%/http_tls_test.c
