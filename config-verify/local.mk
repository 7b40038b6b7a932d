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

# What seal-wrap is made of, but for the program itself.
noinst_HEADERS += %D%/client.h %D%/environment.h %D%/supervise.h %D%/descent.h %D%/deadman.h %D%/wrap.h
%C%_libverify_a_SOURCES += %D%/client.c %D%/token_file.c %D%/environment.c %D%/expand.c %D%/home.c %D%/argv.c \
	%D%/supervise.c %D%/descent.c %D%/deadman.c

# Verification of what the host hands in.
noinst_HEADERS += %D%/finding.h %D%/policy.h %D%/mountinfo.h %D%/mounts.h %D%/sysfiles.h %D%/inspect.h %D%/inspect_internal.h
%C%_libverify_a_SOURCES += %D%/finding.c
noinst_HEADERS += %D%/policy_internal.h
# The mount table.
noinst_HEADERS += %D%/mounts_internal.h
%C%_libverify_a_SOURCES += %D%/mountinfo.c %D%/mounts.c %D%/mounts_declared.c %D%/mounts_kind.c %D%/mounts_paths.c \
	%D%/mounts_root.c %D%/mounts_system.c
# Looks at a container, a program, and looks while it runs.
noinst_HEADERS += %D%/evidence.h %D%/program.h %D%/guard.h
%C%_libverify_a_SOURCES += %D%/evidence.c %D%/inspect.c %D%/devices.c %D%/scene.c %D%/program.c %D%/shebang.c %D%/guard.c
# What the system's files say.
noinst_HEADERS += %D%/sysfiles_internal.h %D%/hosts_names.h %D%/resolv_options.h
%C%_libverify_a_SOURCES += %D%/address.c %D%/sysfiles.c %D%/hosts.c %D%/hosts_names.c \
	%D%/resolv.c %D%/resolv_options.c %D%/hostname.c %D%/account.c %D%/account_token.c %D%/service.c
%C%_libverify_a_SOURCES += %D%/policy.c %D%/policy_names.c %D%/policy_account.c

bin_PROGRAMS += seal-wrap
seal_wrap_SOURCES = %D%/wrap_main.c %D%/link.c %D%/update.c %D%/vigil.c
if STATIC_WRAP
# One file that needs no other, in images that have none (docs/design/0010-static-wrap.md).  Nothing unwinds
# through the crypto library, so its copy here has no tables for that: they would be a tenth of the program.
seal_wrap_SOURCES += %D%/static_only.c
seal_wrap_LDFLAGS = $(WRAP_LDFLAGS)
seal_wrap_LDADD = %D%/libverify.a base/libbase.a $(JANSSON_ARCHIVE) %D%/trimmed/libcrypto.a
CLEANFILES += %D%/trimmed/libcrypto.a
%D%/trimmed/libcrypto.a: $(CRYPTO_ARCHIVE)
	@$(MKDIR_P) %D%/trimmed
	$(AM_V_GEN)$(OBJCOPY) -R .eh_frame -R .comment -R .note.gnu.property $(CRYPTO_ARCHIVE) $@
else
seal_wrap_LDADD = $(VERIFY_LIBS)
endif

# The same checks as a command.
noinst_HEADERS += %D%/judge.h %D%/target.h %D%/namespace.h %D%/policy_file.h %D%/report.h %D%/unjudged.h %D%/deadline.h %D%/learn.h %D%/learn_internal.h
%C%_libverify_a_SOURCES += %D%/judge.c %D%/target.c %D%/namespace.c %D%/policy_file.c %D%/report.c %D%/unjudged.c %D%/deadline.c \
	%D%/learn.c %D%/learn_files.c %D%/learn_account.c %D%/learn_write.c
bin_PROGRAMS += seal-verify
seal_verify_SOURCES = %D%/verify_main.c
seal_verify_LDADD = $(VERIFY_LIBS)
