# SPDX-License-Identifier: Apache-2.0
# The audit log's leaves, tree and heads: a library of its own, for the RoT that writes the log and for whoever checks it.
noinst_LIBRARIES += %D%/librotaudit.a
ROT_AUDIT_LIBS = %D%/librotaudit.a $(BASE_LIBS)

noinst_HEADERS += %D%/tree.h %D%/entry.h %D%/head.h
%C%_librotaudit_a_SOURCES = %D%/tree.c %D%/entry.c %D%/head.c %D%/check.c
