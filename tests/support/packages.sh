# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# install_packages KIND...: the Debian packages of tests/packages that are missing, of these kinds.  Nothing
# is asked of the network when nothing is missing, and no service is started by what is installed.

# A package that is one program of its own name may have come another way (npm, with a newer nodejs).
is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] || command -v "$1" >/dev/null
}

missing_packages() {
	local list=$1 kind package wanted
	shift
	while read -r kind package; do
		for wanted in "$@"; do
			[ "$kind" != "$wanted" ] || is_installed "$package" || printf '%s\n' "$package"
		done
	done < <(grep -vE '^(#|$)' "$list")
}

# apt_get OPTION...: without questions, and with a policy that starts nothing.
apt_get() {
	local policy=/usr/sbin/policy-rc.d placed='' status=0
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 0755 "$policy"
		placed=1
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -q "$@" || status=$?
	[ -z "$placed" ] || rm -f "$policy"
	return "$status"
}

install_packages() {
	local list missing
	list=$(dirname "${BASH_SOURCE[0]}")/../packages
	if ! command -v dpkg-query >/dev/null; then
		echo "not a Debian machine: trusting that everything in tests/packages is here in some form"
		return 0
	fi
	mapfile -t missing < <(missing_packages "$list" "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "installing ${missing[*]}"
	apt_get update && apt_get --yes --no-install-recommends install "${missing[@]}"
}
