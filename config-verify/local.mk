# SPDX-License-Identifier: Apache-2.0
# Sealed values, and what unseals and verifies them in the enclave.
noinst_LIBRARIES += %D%/libverify.a
VERIFY_LIBS = %D%/libverify.a $(BASE_LIBS)
noinst_HEADERS += %D%/ring.h %D%/sealed.h %D%/token.h %D%/agent.h %D%/spec.h %D%/spec_internal.h \
	%D%/volume.h
%C%_libverify_a_SOURCES = %D%/ring.c %D%/sealed.c %D%/token.c \
	%D%/agent_wire.c %D%/channel.c \
	%D%/spec.c %D%/spec_env.c %D%/spec_files.c %D%/rules.c
# Unsealed files: where they come from, and where they go.
noinst_HEADERS += %D%/volume_internal.h %D%/beneath.h %D%/source.h %D%/collect.h
%C%_libverify_a_SOURCES += %D%/beneath.c %D%/volume.c %D%/volume_version.c %D%/volume_sweep.c %D%/volume_file.c \
	%D%/source.c %D%/watch.c %D%/collect.c
