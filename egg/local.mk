# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libegg.a
EGG_LIBS = %D%/libegg.a $(BASE_LIBS)
noinst_HEADERS += %D%/egg.h %D%/statement.h
%C%_libegg_a_SOURCES = %D%/egg.c %D%/statement.c
