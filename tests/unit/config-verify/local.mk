# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/verify_tests
TESTS += tests/unit/verify_tests
tests_unit_verify_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_verify_tests_LDADD = $(SUPPORT_LIBS) $(VERIFY_LIBS) $(UNIT_LIBS)
tests_unit_verify_tests_SOURCES = %D%/sealed_test.c \
	%D%/rules_test.c %D%/agent_wire_test.c %D%/channel_test.c \
	%D%/spec_test.c
