# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libproxy.a
noinst_HEADERS += %D%/proxy.h
%C%_libproxy_a_SOURCES = %D%/config.c

bin_PROGRAMS += seal-proxy
seal_proxy_SOURCES = %D%/main.c
seal_proxy_LDADD = %D%/libproxy.a $(ROT_CLIENT_LIBS)
