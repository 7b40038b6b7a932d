# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/egg_tests
TESTS += tests/unit/egg_tests
tests_unit_egg_tests_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_egg_tests_LDADD = $(EGG_LIBS) $(UNIT_LIBS)
tests_unit_egg_tests_SOURCES =
