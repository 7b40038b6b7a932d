# SPDX-License-Identifier: Apache-2.0
check_LIBRARIES = %D%/libsupport.a
TEST_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) -DSEAL_SOURCE_DIR='"$(abs_top_srcdir)"'
%C%_libsupport_a_SOURCES = %D%/pki.c %D%/pki.h %D%/child.c %D%/child.h %D%/alloc.c %D%/alloc.h %D%/dns.c %D%/dns.h \
	%D%/vectors.c %D%/vectors.h %D%/place.c %D%/place.h %D%/etcd.c %D%/etcd.h
%C%_libsupport_a_CFLAGS = $(TEST_CFLAGS)
SUPPORT_LIBS = %D%/libsupport.a
ALLOC_WRAP = -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=reallocarray

# The sidecar, starving on demand: for tests/e2e.
check_PROGRAMS += %D%/seal-proxy-starved
%C%_seal_proxy_starved_SOURCES = proxy/main.c %D%/starve.c
%C%_seal_proxy_starved_LDADD = proxy/libproxy.a $(ROT_CLIENT_LIBS)
%C%_seal_proxy_starved_LDFLAGS = $(AM_LDFLAGS) $(ALLOC_WRAP) -Wl,--wrap=realloc

# An agent without a sidecar, for trying seal-wrap: for tests/e2e.
check_PROGRAMS += %D%/test-agent
%C%_test_agent_SOURCES = %D%/test_agent.c
%C%_test_agent_LDADD = $(VERIFY_LIBS)

# What base/yaml reads, written again: for tests/unit/base/yaml-readers.sh.
check_PROGRAMS += %D%/yaml-rewrite
%C%_yaml_rewrite_SOURCES = %D%/yaml-rewrite.c
%C%_yaml_rewrite_LDADD = $(BASE_LIBS)

# What can be done to a stored audit log: for tests/e2e.
check_PROGRAMS += %D%/audit-attack
%C%_audit_attack_SOURCES = %D%/audit-attack.c
%C%_audit_attack_LDADD = rot/audit/librotaudit.a $(ROT_KV_LIBS)
