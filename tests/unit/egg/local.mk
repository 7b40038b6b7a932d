# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/egg_tests
TESTS += tests/unit/egg_tests
tests_unit_egg_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_egg_tests_LDADD = $(SUPPORT_LIBS) $(EGG_LIBS) $(UNIT_LIBS)
tests_unit_egg_tests_SOURCES = %D%/egg_test.c
