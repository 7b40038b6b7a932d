# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += \
	%D%/man/seal-egg.5 %D%/man/seal-policy.5 %D%/man/seal.1 %D%/man/seal-inject.1 %D%/man/seal-verify.1 \
	%D%/man/seal-proxy.8 %D%/man/seal-proxy-status.8 %D%/man/seal-rot.8 %D%/man/seal-wrap.8 %D%/man/seal-proxy.yaml.5
EXTRA_DIST += \
	%D%/page.png %D%/architecture.md %D%/AUDIT.md %D%/BACKUP.md %D%/performance.md %D%/IDENTITY.md %D%/ROT-PROTOCOL.md \
	%D%/SEALED.md %D%/VERIFY.md %D%/kata.md %D%/EST.md %D%/design/0001-own-http-server.md %D%/design/0002-egg-digest.md \
	%D%/design/0003-verification.md %D%/design/0004-sessions-and-caches.md %D%/design/0005-reload.md \
	%D%/design/0006-slow-handshakes.md %D%/design/0007-no-libcurl-in-the-pod.md %D%/design/0008-one-worker.md \
	%D%/design/0009-unsealed-files.md %D%/design/0010-static-wrap.md %D%/design/0011-sealed-configuration.md \
	%D%/design/0012-verification-of-the-host.md %D%/design/0013-the-store.md %D%/design/0014-sync.md \
	%D%/design/0015-operators.md

completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = %D%/completion/seal-proxy %D%/completion/seal-verify %D%/completion/seal-wrap

# That of seal is told by seal itself, for every shell it knows, and is installed where these look for it.
fishcompletiondir = $(datadir)/fish/vendor_completions.d
zshcompletiondir = $(datadir)/zsh/site-functions
nodist_completion_DATA = %D%/completion/seal
nodist_fishcompletion_DATA = %D%/completion/seal.fish
nodist_zshcompletion_DATA = %D%/completion/_seal
SEAL_COMPLETIONS = %D%/completion/seal %D%/completion/seal.fish %D%/completion/_seal
CLEANFILES += $(SEAL_COMPLETIONS)
$(SEAL_COMPLETIONS): seal$(EXEEXT)
	@$(MKDIR_P) %D%/completion
	@case $@ in *.fish) shell=fish ;; */_*) shell=zsh ;; *) shell=bash ;; esac; \
		./seal$(EXEEXT) completion $$shell >$@.new && mv $@.new $@
