# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/base_tests
TESTS += tests/unit/base_tests %D%/with-shortcut.sh %D%/yaml-readers.sh %D%/k8s-validate.sh
EXTRA_DIST += %D%/with-shortcut.sh %D%/yaml-readers.sh %D%/k8s-validate.sh
tests_unit_base_tests_CFLAGS = $(TEST_CFLAGS)
tests_unit_base_tests_LDFLAGS = $(AM_LDFLAGS) $(ALLOC_WRAP)
tests_unit_base_tests_LDADD = $(SUPPORT_LIBS) $(BASE_LIBS) $(UNIT_LIBS)
tests_unit_base_tests_SOURCES = \
	%D%/crypto_test.c %D%/sign_test.c %D%/jwe_test.c %D%/verify_test.c %D%/peer_cache_test.c %D%/subject_test.c %D%/stream_test.c \
	%D%/tls_rig.c %D%/tls_rig.h %D%/tls_test.c %D%/tls_hostile_test.c %D%/tls_memory_test.c %D%/tls_public_test.c %D%/tls_anonymous_test.c \
	%D%/shortcut_test.c \
	%D%/wycheproof_test.c \
	%D%/loop_test.c %D%/net_test.c %D%/resolve_test.c \
	%D%/http_parse_test.c %D%/answer_test.c %D%/ask_test.c %D%/http_test.c %D%/http_tls_test.c \
	%D%/err_test.c \
	%D%/bytes_test.c \
	%D%/strv_test.c %D%/lru_test.c %D%/slab_test.c \
	%D%/message_test.c \
	%D%/log_test.c \
	%D%/json_test.c \
	%D%/json_build_test.c \
	%D%/yaml_test.c \
	%D%/yaml_vectors_test.c \
	%D%/tree_rig.c %D%/tree_rig.h %D%/tree_test.c %D%/tree_types_test.c %D%/tree_write_test.c %D%/tree_vectors_test.c \
	%D%/fs_test.c \
	%D%/fs_write_test.c \
	%D%/secret_test.c \
	%D%/config_test.c \
	%D%/confine_test.c \
	%D%/names_test.c \
	%D%/identity_test.c
