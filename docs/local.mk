# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += %D%/man/seal-egg.5 %D%/man/seal.1 \
	%D%/man/seal-proxy.8 %D%/man/seal-rot.8 %D%/man/seal-proxy.yaml.5
EXTRA_DIST += %D%/architecture.md %D%/IDENTITY.md %D%/ROT-PROTOCOL.md \
	%D%/design/0001-own-http-server.md \
	%D%/design/0002-egg-digest.md \
	%D%/design/0003-verification.md

completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = %D%/completion/seal
