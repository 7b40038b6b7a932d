#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# npm.sh install: make the node packages of tests/support/npm, if they are not here yet, and print the folder
# whose node_modules holds them.  npm.sh find: print it, or fail when they have not been installed; asks
# nothing of the network, so it also serves scripts inside a namespace of their own.
#
# For a module found that way: NODE_PATH=FOLDER/node_modules node script.js (require, which also loads what
# comes as an ES module).
#
#   SEAL_NPM_CACHE  where such folders are kept between runs (default: seal-tests in the user's cache)

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/npm" && pwd)
CACHE=${SEAL_NPM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/seal-tests}
# Another set of packages is another folder.
SUM=$(cat "$HERE/package.json" "$HERE/package-lock.json" | sha256sum)
FOLDER=$CACHE/npm-${SUM:0:16}

# Made beside its place and moved there whole: two runs at once do not meet half of it.
install_packages() {
	local fresh
	mkdir -p "$CACHE"
	fresh=$(mktemp -d "$CACHE/new.XXXXXX")
	# shellcheck disable=SC2064 # the name is known now and the variable gone at exit
	trap "rm -rf '$fresh'" EXIT
	cp "$HERE/package.json" "$HERE/package-lock.json" "$fresh"
	(cd "$fresh" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund) >&2
	chmod 0755 "$fresh"
	mv -T "$fresh" "$FOLDER" 2>/dev/null || [ -d "$FOLDER/node_modules" ]
}

case ${1:-} in
install) [ -d "$FOLDER/node_modules" ] || (install_packages) ;;
find) [ -d "$FOLDER/node_modules" ] ;;
*)
	echo "usage: npm.sh install|find" >&2
	exit 2
	;;
esac
printf '%s\n' "$FOLDER"
