#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The shortcut of base/tls/shortcut.c is not for processes that issue certificates: it is not even part of seal-rot
# and seal, and of the product nobody but the sidecar's main calls for it.
set -u
failed=0
has() { nm "$1" 2>/dev/null | grep -q 'seal_tls_shortcut'; }

for program in seal-rot seal; do
	if has "$program"; then
		echo "$program has the shortcut" >&2
		failed=1
	fi
done
callers=$(cd "${srcdir:-.}" && grep -rl 'seal_tls_shortcut' --include='*.[ch]' base config-verify egg rot proxy | sort | tr '\n' ' ')
if [ "$callers" != 'base/tls/shortcut.c base/tls/tls.h proxy/main.c ' ]; then
	echo "who calls for the shortcut: $callers" >&2
	failed=1
fi
[ $failed = 0 ] || exit 1
has seal-proxy || { echo "SKIP: the programs' symbols are not to be seen here"; exit 77; }
