# SPDX-License-Identifier: Apache-2.0
# Unsealed files.  As root; otherwise most of it is skipped, aloud.
check_PROGRAMS += tests/unit/volume_tests
TESTS += tests/unit/volume_tests
tests_unit_volume_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_volume_tests_LDADD = $(SUPPORT_LIBS) $(VERIFY_LIBS) $(UNIT_LIBS)
tests_unit_volume_tests_SOURCES = %D%/volume_rig.c %D%/volume_rig.h %D%/volume_test.c %D%/volume_many_test.c \
	%D%/volume_kill_test.c %D%/volume_file_test.c %D%/source_test.c %D%/collect_test.c

check_PROGRAMS += tests/unit/verify_tests
TESTS += tests/unit/verify_tests
tests_unit_verify_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_verify_tests_LDADD = $(SUPPORT_LIBS) $(VERIFY_LIBS) $(UNIT_LIBS)
tests_unit_verify_tests_SOURCES = %D%/sealed_test.c \
	%D%/rules_test.c %D%/agent_wire_test.c %D%/channel_test.c \
	%D%/spec_test.c %D%/policy_test.c %D%/expand_test.c %D%/home_test.c %D%/environment_test.c \
	%D%/client_test.c %D%/supervise_test.c %D%/deadman_test.c

# seal-verify, but for its program.
check_PROGRAMS += tests/unit/judge_tests
TESTS += tests/unit/judge_tests
tests_unit_judge_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_judge_tests_LDADD = $(SUPPORT_LIBS) $(VERIFY_LIBS) $(UNIT_LIBS)
tests_unit_judge_tests_SOURCES = %D%/judge_test.c %D%/learn_test.c
# What the host hands in: one file a line.
check_PROGRAMS += tests/unit/suspicion_tests
TESTS += tests/unit/suspicion_tests
tests_unit_suspicion_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_suspicion_tests_LDFLAGS = $(AM_LDFLAGS) $(ALLOC_WRAP)
tests_unit_suspicion_tests_LDADD = $(SUPPORT_LIBS) $(VERIFY_LIBS) $(UNIT_LIBS)
tests_unit_suspicion_tests_SOURCES = \
	%D%/account_test.c \
	%D%/address_test.c \
	%D%/finding_test.c \
	%D%/guard_test.c \
	%D%/hostname_test.c \
	%D%/hosts_test.c \
	%D%/inspect_test.c \
	%D%/judge_rig.c \
	%D%/judge_rig.h \
	%D%/mountinfo_test.c \
	%D%/mounts_declared_test.c \
	%D%/mounts_rig.c \
	%D%/mounts_rig.h \
	%D%/mounts_system_test.c \
	%D%/mounts_test.c \
	%D%/program_test.c \
	%D%/resolv_test.c \
	%D%/service_test.c \
	%D%/sysfiles_memory_test.c \
	%D%/sysfiles_vectors_test.c
