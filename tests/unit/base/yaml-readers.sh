#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What base/yaml writes, to PyYAML and to js-yaml: see tests/support/yaml_readers.py.
support=${srcdir:-.}/tests/support
vectors=${SEAL_VECTORS:-${srcdir:-.}/../shared/vectors}

skip() {
	echo "SKIP: yaml-readers: $1"
	exit 77
}

npm=$("$support/npm.sh" find) || skip "node's packages are not installed (tests/support/npm.sh install)"
python3 -c 'import yaml; yaml.CSafeLoader' 2>/dev/null || skip "python3-yaml is not installed"
[ -d "$vectors/yaml-test-suite" ] || skip "no vectors"
exec python3 "$support/yaml_readers.py" tests/support/yaml-rewrite "$npm/node_modules" \
	"$vectors/yaml-test-suite" "$vectors/hostile-manifests" "$vectors/k8s-manifests" "$vectors/json-parsing"
