# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libproxy.a
noinst_HEADERS += \
	%D%/proxy.h %D%/config_internal.h \
	%D%/admit.h %D%/conn.h %D%/conn_internal.h %D%/dial.h %D%/relay.h \
	%D%/worker.h %D%/identity.h %D%/hatch.h \
	%D%/credentials.h %D%/schedule.h %D%/options.h
%C%_libproxy_a_SOURCES = \
	%D%/listener.c %D%/config.c %D%/config_yaml.c \
	%D%/state.c %D%/admit.c \
	%D%/relay.c %D%/dial.c %D%/conn.c %D%/legs.c %D%/conns.c %D%/worker.c \
	%D%/schedule.c %D%/hatch.c %D%/credentials.c %D%/identity.c \
	%D%/options.c

bin_PROGRAMS += seal-proxy
seal_proxy_SOURCES = %D%/main.c
seal_proxy_LDADD = %D%/libproxy.a $(ROT_CLIENT_LIBS)
