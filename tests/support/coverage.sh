#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh BUILD MINIMUM: run unit and end-to-end tests on an instrumented build, print line coverage per
# folder, fail when the product as a whole is below MINIMUM percent.
set -euo pipefail

build=$1
minimum=$2
top=$(cd "$(dirname "$0")/../.." && pwd)

find "$build" -name '*.gcda' -delete
make -C "$build" --no-print-directory check
if [ "$(id -u)" = 0 ]; then
	# Sidecars run with other roots and users; their counters must still be written.
	make -C "$build" --no-print-directory check-e2e SEAL_SLOW=2
else
	echo "not root: end-to-end scripts are left out"
fi

report() { gcovr --root "$top" --object-directory "$build" --exclude-unreachable-branches "$@" "$build"; }

report --filter "$top/(base|config-verify|egg|rot|proxy)/" --json-summary-pretty --output "$build/coverage.json" \
	--txt "$build/coverage.txt"
cat "$build/coverage.txt"
python3 - "$build/coverage.json" "$minimum" <<'EOF'
import collections
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    summary = json.load(file)
folders = collections.defaultdict(lambda: [0, 0])
for entry in summary["files"]:
    for name in (entry["filename"].split("/")[0], "all"):
        folders[name][0] += entry["line_covered"]
        folders[name][1] += entry["line_total"]
for name, (covered, total) in sorted(folders.items()):
    print(f"{name:8} {100 * covered / max(total, 1):5.1f} %  {covered} of {total} lines")
covered, total = folders["all"]
sys.exit(0 if total and 100 * covered / total >= float(sys.argv[2]) else 1)
EOF
