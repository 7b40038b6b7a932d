# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/base_tests
TESTS += tests/unit/base_tests
tests_unit_base_tests_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_base_tests_LDADD = $(BASE_LIBS) $(UNIT_LIBS)
tests_unit_base_tests_SOURCES =
