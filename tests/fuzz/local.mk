# SPDX-License-Identifier: Apache-2.0
# One program per parser.  With any compiler it replays its corpus (part of make check); configured with
# --enable-fuzzers (clang) it is a libFuzzer program.
if FUZZERS
FUZZ_MAIN =
FUZZ_LINK = -fsanitize=fuzzer
else
FUZZ_MAIN = %D%/replay.c
FUZZ_LINK =
endif

FUZZ_TARGETS = json yaml tree names http answer certs egg jwe wire signer proxy_config hello spec agent token inject policy \
	hosts resolv account mountinfo learn audit etcd est

check_PROGRAMS += %D%/fuzz_json
%C%_fuzz_json_SOURCES = %D%/fuzz_json.c $(FUZZ_MAIN)
%C%_fuzz_json_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_json_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_yaml
%C%_fuzz_yaml_SOURCES = %D%/fuzz_yaml.c $(FUZZ_MAIN)
%C%_fuzz_yaml_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_yaml_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_yaml_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_tree
%C%_fuzz_tree_SOURCES = %D%/fuzz_tree.c $(FUZZ_MAIN)
%C%_fuzz_tree_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_tree_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_tree_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_etcd
%C%_fuzz_etcd_SOURCES = %D%/fuzz_etcd.c $(FUZZ_MAIN)
%C%_fuzz_etcd_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_etcd_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_etcd_LDADD = $(ROT_KV_LIBS)

check_PROGRAMS += %D%/fuzz_est
%C%_fuzz_est_SOURCES = %D%/fuzz_est.c $(FUZZ_MAIN)
%C%_fuzz_est_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_est_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_est_LDADD = $(ROT_SERVER_LIBS)

check_PROGRAMS += %D%/fuzz_names
%C%_fuzz_names_SOURCES = %D%/fuzz_names.c $(FUZZ_MAIN)
%C%_fuzz_names_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_names_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_names_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_http
%C%_fuzz_http_SOURCES = %D%/fuzz_http.c $(FUZZ_MAIN)
%C%_fuzz_http_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_http_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_http_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_answer
%C%_fuzz_answer_SOURCES = %D%/fuzz_answer.c $(FUZZ_MAIN)
%C%_fuzz_answer_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_answer_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_certs
%C%_fuzz_certs_SOURCES = %D%/fuzz_certs.c $(FUZZ_MAIN)
%C%_fuzz_certs_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_certs_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_certs_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_egg
%C%_fuzz_egg_SOURCES = %D%/fuzz_egg.c $(FUZZ_MAIN)
%C%_fuzz_egg_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_egg_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_egg_LDADD = $(EGG_LIBS)

check_PROGRAMS += %D%/fuzz_jwe
%C%_fuzz_jwe_SOURCES = %D%/fuzz_jwe.c $(FUZZ_MAIN)
%C%_fuzz_jwe_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_jwe_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_jwe_LDADD = $(EGG_LIBS)

check_PROGRAMS += %D%/fuzz_wire
%C%_fuzz_wire_SOURCES = %D%/fuzz_wire.c $(FUZZ_MAIN)
%C%_fuzz_wire_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_wire_LDADD = $(ROT_CLIENT_LIBS)

check_PROGRAMS += %D%/fuzz_signer
%C%_fuzz_signer_SOURCES = %D%/fuzz_signer.c $(FUZZ_MAIN)
%C%_fuzz_signer_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_signer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_signer_LDADD = $(ROT_SERVER_LIBS)

check_PROGRAMS += %D%/fuzz_audit
%C%_fuzz_audit_SOURCES = %D%/fuzz_audit.c $(FUZZ_MAIN)
%C%_fuzz_audit_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_audit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_audit_LDADD = $(ROT_AUDIT_LIBS)

check_PROGRAMS += %D%/fuzz_proxy_config
%C%_fuzz_proxy_config_SOURCES = %D%/fuzz_proxy_config.c $(FUZZ_MAIN)
%C%_fuzz_proxy_config_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_proxy_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_proxy_config_LDADD = proxy/libproxy.a $(ROT_CLIENT_LIBS)

check_PROGRAMS += %D%/fuzz_hello
%C%_fuzz_hello_SOURCES = %D%/fuzz_hello.c %D%/hello.c %D%/hello.h tests/support/pki.c tests/support/pki.h $(FUZZ_MAIN)
%C%_fuzz_hello_CFLAGS = $(AM_CFLAGS) -UNDEBUG -DSEAL_SOURCE_DIR='"$(abs_top_srcdir)"'
%C%_fuzz_hello_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_hello_LDADD = $(BASE_LIBS)

check_PROGRAMS += %D%/fuzz_spec
%C%_fuzz_spec_SOURCES = %D%/fuzz_spec.c $(FUZZ_MAIN)
%C%_fuzz_spec_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_spec_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_spec_LDADD = $(VERIFY_LIBS)

check_PROGRAMS += %D%/fuzz_agent
%C%_fuzz_agent_SOURCES = %D%/fuzz_agent.c $(FUZZ_MAIN)
%C%_fuzz_agent_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_agent_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_agent_LDADD = $(VERIFY_LIBS)

check_PROGRAMS += %D%/fuzz_learn
%C%_fuzz_learn_SOURCES = %D%/fuzz_learn.c $(FUZZ_MAIN)
%C%_fuzz_learn_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_learn_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_learn_LDADD = $(VERIFY_LIBS)

check_PROGRAMS += %D%/fuzz_token
%C%_fuzz_token_SOURCES = %D%/fuzz_token.c $(FUZZ_MAIN)
%C%_fuzz_token_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_token_LDADD = $(VERIFY_LIBS)

check_PROGRAMS += %D%/fuzz_inject
%C%_fuzz_inject_SOURCES = %D%/fuzz_inject.c $(FUZZ_MAIN)
%C%_fuzz_inject_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_inject_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_inject_LDADD = $(ROT_INJECT_LIBS)

check_PROGRAMS += %D%/fuzz_policy
%C%_fuzz_policy_SOURCES = %D%/fuzz_policy.c $(FUZZ_MAIN)
%C%_fuzz_policy_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_policy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_policy_LDADD = $(VERIFY_LIBS)
check_PROGRAMS += %D%/fuzz_hosts
%C%_fuzz_hosts_SOURCES = %D%/fuzz_hosts.c $(FUZZ_MAIN)
%C%_fuzz_hosts_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_hosts_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_hosts_LDADD = $(VERIFY_LIBS)

check_PROGRAMS += %D%/fuzz_resolv
%C%_fuzz_resolv_SOURCES = %D%/fuzz_resolv.c $(FUZZ_MAIN)
%C%_fuzz_resolv_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_resolv_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_resolv_LDADD = $(VERIFY_LIBS)

check_PROGRAMS += %D%/fuzz_account
%C%_fuzz_account_SOURCES = %D%/fuzz_account.c $(FUZZ_MAIN)
%C%_fuzz_account_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_account_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_account_LDADD = $(VERIFY_LIBS)
check_PROGRAMS += %D%/fuzz_mountinfo
%C%_fuzz_mountinfo_SOURCES = %D%/fuzz_mountinfo.c $(FUZZ_MAIN)
%C%_fuzz_mountinfo_CFLAGS = $(AM_CFLAGS) -UNDEBUG
%C%_fuzz_mountinfo_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_fuzz_mountinfo_LDADD = $(VERIFY_LIBS)

TESTS += tests/fuzz/replay.sh
EXTRA_DIST += tests/fuzz/replay.sh tests/fuzz/corpus

# make fuzz: every target for FUZZ_SECONDS, new inputs kept in the corpus (or in FUZZ_NEW); make
# fuzz-json for one.
FUZZ_SECONDS = 60
FUZZ_FLAGS =
FUZZ_NEW = $(abs_top_srcdir)/tests/fuzz/corpus
FUZZ_DIR = fuzz.dir
fuzz-build:
	$(MKDIR_P) $(FUZZ_DIR)
	cd $(FUZZ_DIR) && { test -f Makefile || "$(abs_top_srcdir)/configure" --quiet --enable-developer \
		--enable-sanitizers --enable-fuzzers CC=clang; }
	$(MAKE) -C $(FUZZ_DIR) $(FUZZ_TARGETS:%=tests/fuzz/fuzz_%)
fuzz: $(FUZZ_TARGETS:%=fuzz-%)
$(FUZZ_TARGETS:%=fuzz-%): fuzz-build
	$(MKDIR_P) "$(FUZZ_NEW)/$(@:fuzz-%=%)"
	$(FUZZ_DIR)/tests/fuzz/fuzz_$(@:fuzz-%=%) -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 \
		-max_len=20000 -print_final_stats=1 $(FUZZ_FLAGS) -artifact_prefix=$(FUZZ_DIR)/ \
		"$(FUZZ_NEW)/$(@:fuzz-%=%)" \
		"$(abs_top_srcdir)/tests/fuzz/corpus/$(@:fuzz-%=%)"

.PHONY: fuzz fuzz-build $(FUZZ_TARGETS:%=fuzz-%)
