# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/rot_tests
TESTS += tests/unit/rot_tests %D%/no-shortcut.sh %D%/man-pages.sh %D%/rot-cluster.sh
EXTRA_DIST += %D%/no-shortcut.sh %D%/man-pages.sh %D%/rot-cluster.sh
tests_unit_rot_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_rot_tests_LDADD = $(SUPPORT_LIBS) $(ROT_SERVER_LIBS) $(UNIT_LIBS)
tests_unit_rot_tests_SOURCES = \
	%D%/rig.c %D%/rig.h %D%/api_test.c %D%/audit_test.c %D%/hatch_test.c %D%/init_test.c %D%/limits_test.c \
	%D%/options_test.c %D%/signer_test.c %D%/signer_key_test.c %D%/signer_upkeep_test.c %D%/news_test.c %D%/keys_test.c \
	%D%/operators_test.c %D%/roles_test.c %D%/sealed_doc_test.c %D%/worker_test.c %D%/upkeep_test.c %D%/html_test.c \
	%D%/graph_test.c %D%/metrics_test.c %D%/page_test.c

tests_unit_rot_tests_SOURCES += %D%/est_test.c %D%/enrol_test.c

check_PROGRAMS += tests/unit/rot_client_tests
TESTS += tests/unit/rot_client_tests
tests_unit_rot_client_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_rot_client_tests_LDADD = $(SUPPORT_LIBS) $(ROT_CLI_LIBS) $(UNIT_LIBS)
tests_unit_rot_client_tests_SOURCES = %D%/wire_test.c %D%/sync_test.c %D%/client_test.c %D%/cli_test.c

# Links the log and the floor, and nothing of the RoT: that it can is part of what is tested.
check_PROGRAMS += tests/unit/rot_audit_tests
TESTS += tests/unit/rot_audit_tests
tests_unit_rot_audit_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_rot_audit_tests_LDADD = $(ROT_AUDIT_LIBS) $(UNIT_LIBS)
tests_unit_rot_audit_tests_SOURCES = %D%/audit_tree_test.c %D%/audit_entry_test.c %D%/audit_head_test.c %D%/audit_check_test.c

# The store's engines, with a real etcd of their own.
check_PROGRAMS += tests/unit/rot_kv_tests
TESTS += tests/unit/rot_kv_tests
tests_unit_rot_kv_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_rot_kv_tests_LDADD = $(SUPPORT_LIBS) $(ROT_KV_LIBS) $(UNIT_LIBS)
tests_unit_rot_kv_tests_SOURCES = %D%/etcd_shared.c %D%/kv_test.c %D%/kv_move_test.c %D%/kv_fault_test.c %D%/kv_rig.c %D%/kv_rig.h

# The store over both.
check_PROGRAMS += tests/unit/rot_store_tests
TESTS += tests/unit/rot_store_tests
tests_unit_rot_store_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_rot_store_tests_LDADD = $(SUPPORT_LIBS) $(ROT_SERVER_LIBS) $(UNIT_LIBS)
tests_unit_rot_store_tests_SOURCES = \
	%D%/etcd_shared.c %D%/rig.c %D%/rig.h %D%/kv_rig.c %D%/kv_rig.h %D%/store_rig.c %D%/store_rig.h %D%/store_test.c \
	%D%/store_audit_test.c %D%/store_watch_test.c %D%/store_operator_test.c %D%/store_key_test.c %D%/store_rotation_test.c \
	%D%/vault_test.c %D%/store_migrate_test.c %D%/store_revoke_test.c
tests_unit_rot_store_tests_SOURCES += %D%/store_enrol_test.c
