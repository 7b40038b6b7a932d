#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual's pages are what mandoc and groff take without a word.  They have no dates: versions have.
top=${srcdir:-.}
status=0

command -v mandoc >/dev/null || { echo "mandoc is not installed (see tests/packages)"; exit 77; }
for page in "$top"/docs/man/*; do
	mandoc -T lint -W warning "$page" | grep -v 'missing date, using "": T[Hh]$' && status=1
	if command -v groff >/dev/null; then
		groff -ww -man -z "$page" 2>&1 | grep . && status=1
	fi
done
exit $status
