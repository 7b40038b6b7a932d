#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Replays the corpus of every fuzz target that was built.
set -eu
corpus=${srcdir:-.}/tests/fuzz/corpus
played=0
for target in tests/fuzz/fuzz_*; do
	case $target in *.c | *.o | *.d | *.log | *.trs) continue ;; esac
	[ -x "$target" ] || continue
	name=${target##*/fuzz_}
	case $(nm "$target" 2>/dev/null) in
	*LLVMFuzzerRunDriver*) "$target" -runs=0 "$corpus/$name" ;;
	*) "$target" "$corpus/$name" ;;
	esac
	played=$((played + 1))
done
[ "$played" -gt 0 ] || { echo "no fuzz target was built" >&2; exit 1; }
