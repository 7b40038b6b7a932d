# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/inject_tests
TESTS += tests/unit/inject_tests
tests_unit_inject_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_inject_tests_LDADD = $(SUPPORT_LIBS) $(ROT_INJECT_LIBS) $(UNIT_LIBS)
tests_unit_inject_tests_SOURCES = %D%/rig.c %D%/rig.h \
	%D%/manifests_test.c %D%/hostile_test.c %D%/object_test.c %D%/stream_test.c \
	%D%/pod_test.c %D%/again_test.c %D%/pins_test.c %D%/mounts_test.c %D%/shape_test.c %D%/policy_test.c %D%/kata_test.c
