#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# seal inject against a real root of trust: manifests of public projects there and back, all or nothing, where
# manifests come from and go to, images, and a stream of 16 MiB.
. "$(dirname "$0")/lib.sh"
need python3 jq
python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed (see tests/packages)"

CLI=$SEAL_BUILD/seal
I=(inject --workload shop --peer web --dir "$ROT_DIR")
IN=$WORK/in
MOST_KIB=262144

# same (ORIGINAL BACK)...: the same documents, by another reader of YAML; keys of JSON are strings.
same() {
	python3 - "$@" <<-'EOF_PY' || fail "not what it was"
		import sys, yaml
		loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
		def text(node):
		    if isinstance(node, dict):
		        return {str(key): text(value) for key, value in node.items()}
		    return [text(child) for child in node] if isinstance(node, list) else node
		def read(path):
		    with open(path, encoding="utf-8") as file:
		        return text(list(yaml.load_all(file, loader)))
		bad = [one for one, two in zip(sys.argv[1::2], sys.argv[2::2]) if read(one) != read(two)]
		if bad:
		    print(*bad, file=sys.stderr)
		sys.exit(bool(bad))
	EOF_PY
}

# nothing_came FILE: neither the file nor a draft of it.
nothing_came() {
	[ ! -e "$1" ] || fail "$1 was written"
	[ -z "$(find "$(dirname "$1")" -name ".*$(basename "$1")*")" ] || fail "a draft of $1 is left"
}

rot_up
mkdir -p "$IN/deep"
cat >"$WORK/app.yaml" <<-'EOF_YAML'
	# kept
	apiVersion: v1
	kind: Service
	metadata: {name: web}
	---
	apiVersion: v1
	kind: ConfigMap
	metadata: {name: app}
	data: {greeting: marked-hello}
	---
	apiVersion: v1
	kind: Pod
	metadata: {name: web, annotations: {seal-control.io/inbound: "8443=8080"}}
	spec:
	  containers:
	  - name: web
	    image: registry.example/web:1
	    env: [{name: PASSWORD, value: marked-hunter2}]
	    args: [--token, marked-token]
EOF_YAML
printf '{"config":{"Entrypoint":["/bin/app"],"Env":["PATH=/bin"],"Labels":null}}' >"$WORK/image.json"

say "what is wrong ends with 1, writes nothing and touches nothing that is there"
echo before >"$WORK/kept"
expect_exit 1 "$CLI" "${I[@]}" -f "$WORK/app.yaml" -o "$WORK/kept"
expect_line "$WORK/err" "app.yaml:16:[0-9]+: .*--image-config web="
expect_exit 1 "$CLI" inject -w nobody --dir "$ROT_DIR" -f "$WORK/app.yaml" --image-config "$WORK/image.json" -o "$WORK/none.yaml"
nothing_came "$WORK/none.yaml"
expect_exit 1 "$CLI" inject -w shop --dir "$WORK/nowhere" -f "$WORK/app.yaml" --image-config "$WORK/image.json" -o "$WORK/kept"
expect_line "$WORK/err" 'is seal-rot --dir running'
expect_exit 1 "$CLI" "${I[@]}" -f "$WORK/nothing.yaml" -o "$WORK/kept"
[ "$(cat "$WORK/kept")" = before ] || fail "a file was overwritten"
expect_exit 2 "$CLI" inject -f "$WORK/app.yaml" --dir "$ROT_DIR"
expect_line "$WORK/err" '--workload'
expect_exit 2 "$CLI" "${I[@]}"
expect_exit 2 "$CLI" "${I[@]}" -f "$WORK/app.yaml" --only half
expect_exit 2 "$CLI" "${I[@]}" -f "$WORK/app.yaml" --explain-format yaml
for pair in "$WORK/app.yaml" "$WORK/nowhere"; do
	expect_exit 1 "$CLI" "${I[@]}" -f "$WORK/app.yaml" --image-config "$pair"
done

say "what cannot be written is known before anything is sealed: generations stay"
seal inject -w shop -p web -f "$WORK/app.yaml" --image-config "$WORK/image.json" -o "$WORK/first" 2>/dev/null
mkdir "$WORK/folder"
for out in "$WORK/nowhere/x" "$WORK/folder" /dev/null; do
	expect_exit 1 "$CLI" "${I[@]}" -f "$WORK/app.yaml" --image-config "$WORK/image.json" -o "$out"
done
[ -c /dev/null ] || fail "/dev/null was replaced"
seal inject -w shop -p web -f "$WORK/first" -o "$WORK/first" 2>"$WORK/notes"
expect_line "$WORK/notes" 'Pod, generation 1'
seal inject -w shop -p web -f "$WORK/app.yaml" --image-config "$WORK/image.json" -o "$WORK/second" 2>/dev/null
seal inject -w shop -p web -f "$WORK/second" 2>"$WORK/notes" >/dev/null
expect_line "$WORK/notes" 'Pod, generation 2'

say "manifests without an object are refused: what wrote them failed"
expect_exit 1 "$CLI" "${I[@]}" -f - -o "$WORK/kept" </dev/null
expect_line "$WORK/err" 'there is no object'
[ "$(cat "$WORK/kept")" = before ] || fail "a file was overwritten"

say "there, once more, and back"
seal inject -w shop -p web -f "$WORK/app.yaml" --image-config web="$WORK/image.json" -o "$WORK/kept" 2>"$WORK/notes"
expect_line "$WORK/notes" 'seal: left: default/Service/web'
expect_no_line "$WORK/kept" 'marked-|8443=8080'
expect_line "$WORK/kept" '^# kept$'
seal inject -w shop -p web -f "$WORK/kept" -o "$WORK/again" 2>"$WORK/notes"
expect_same "$WORK/kept" "$WORK/again"
expect_line "$WORK/notes" 'sealed before'
seal unseal -f "$WORK/kept" --out "$WORK/back" 2>/dev/null
[ "$(stat -c %a "$WORK/back")" = 600 ] || fail "what was opened is for others, too"
same "$WORK/app.yaml" "$WORK/back"
sed 's/^    image: registry/    args: [x]\n&/' "$WORK/kept" >"$WORK/changed"
expect_exit 1 "$CLI" "${I[@]}" -f "$WORK/changed"
expect_line "$WORK/err" 'inject the original'
for edit in 's/^spec:/&\n  hostNetwork: true/' 's|mountPath: /run/seal$|&\n      mountPropagation: HostToContainer|' 's/SEAL_POD_DIGEST/OTHER/' \
	's/^spec:/&\n  hostAliases: [{ip: 10.0.0.1, hostnames: [db]}]/'; do
	sed "$edit" "$WORK/kept" >"$WORK/changed"
	expect_exit 1 "$CLI" "${I[@]}" -f "$WORK/changed" -o "$WORK/none.yaml"
	expect_line "$WORK/err" 'Pod/web was changed since it was sealed.*inject the original'
done
nothing_came "$WORK/none.yaml"
sed 's|image: registry.example/web:1|&2|' "$WORK/kept" >"$WORK/changed"
seal inject -w shop -p web -f "$WORK/changed" 2>/dev/null | cmp - "$WORK/changed" || fail "another image changed more"
sed 's/name: app$/name: other/' "$WORK/kept" >"$WORK/changed"
expect_exit 1 "$CLI" unseal -f "$WORK/changed" --dir "$ROT_DIR"
expect_line "$WORK/err" 'does not belong here'

say "what the host may hand in: pinned by a file and by annotations, explained, and gone on the way back"
cat >"$WORK/pins.yaml" <<-'EOF_YAML'
	hosts: {names: [{name: marked-db.example, networks: [10.0.0.0/8]}]}
	resolv: {nameservers: [10.96.0.10]}
EOF_YAML
sed 's|{seal-control.io/inbound|{seal-control.io/verify: audit, seal-control.io/verify-policy: "root: {layers: 3}", seal-control.io/inbound|' \
	"$WORK/app.yaml" >"$WORK/pinned.yaml"
P=(inject -w shop -p web --dir "$ROT_DIR" --image-config "$WORK/image.json" --policy "$WORK/pins.yaml")
expect_exit 0 "$CLI" "${P[@]}" -f "$WORK/pinned.yaml" -o "$WORK/policed" --explain
expect_line "$WORK/out" 'policy \(audit\): pinned: .*number of its layers.*name servers'
expect_line "$WORK/out" 'policy: left to the host: .*search domains'
expect_no_line "$WORK/policed" 'marked-|seal-control.io/verify'
expect_exit 0 "$CLI" "${P[@]}" -f "$WORK/policed" -o "$WORK/again"
expect_same "$WORK/policed" "$WORK/again"
seal unseal -f "$WORK/policed" --out "$WORK/back" 2>/dev/null
same "$WORK/pinned.yaml" "$WORK/back"
expect_exit 0 "$CLI" "${P[@]}" -f "$WORK/app.yaml" -o "$WORK/policed"
cp "$WORK/pins.yaml" "$WORK/more.yaml"
echo 'mounts: [{path: /run/secrets, source: volume, optional: true}]' >>"$WORK/more.yaml"
expect_exit 0 "$CLI" inject -w shop -p web --dir "$ROT_DIR" --image-config "$WORK/image.json" --policy "$WORK/more.yaml" \
	-f "$WORK/app.yaml" -o "$WORK/policed" --explain
expect_line "$WORK/out" 'left to the host: .*what is in pinned mounts'
echo 'root: {layers: 4}' >>"$WORK/pins.yaml"
expect_exit 1 "$CLI" "${P[@]}" -f "$WORK/pinned.yaml" -o "$WORK/none.yaml"
expect_line "$WORK/err" 'root.layers is pinned twice'
echo 'services: false' >>"$WORK/pins.yaml"
expect_exit 1 "$CLI" "${P[@]}" -f "$WORK/app.yaml" -o "$WORK/none.yaml"
expect_line "$WORK/err" "pins.yaml:4:11: .*'services' is nothing that can be pinned"
expect_exit 1 "$CLI" inject -w shop --dir "$ROT_DIR" -f "$WORK/app.yaml" --policy "$WORK/nowhere" -o "$WORK/none.yaml"
expect_line "$WORK/err" '--policy: '
expect_exit 2 "$CLI" inject -w shop --dir "$ROT_DIR" -f - --policy - </dev/null
nothing_came "$WORK/none.yaml"

say "standard input, folders, kubectl's name, a dry run without a root of trust"
seal inject -w shop -f - --image-config "$WORK/image.json" <"$WORK/app.yaml" 2>/dev/null | grep -q eyJ || fail "no output"
seal inject -w shop -f <(cat "$WORK/app.yaml") --image-config "$WORK/image.json" 2>/dev/null | grep -q eyJ || fail "no pipe"
cp "$WORK/app.yaml" "$IN/b.yml"
sed 's/name: app/name: deep/; s/name: web/name: deep/' "$WORK/app.yaml" >"$IN/deep/a.json.yaml"
echo text >"$IN/readme.txt"
"$CLI" inject -w shop --dir "$WORK/nowhere" -f "$IN" --image-config "$WORK/image.json" --dry-run --explain-format json \
	>"$WORK/report" 2>/dev/null
[ "$(jq '[.documents, .sealed] | join("/")' -r "$WORK/report")" = 3/3 ] || fail "$(jq . "$WORK/report")"
[ "$(seal inject -w shop -f "$IN" -R --image-config "$WORK/image.json" --dry-run --explain-format json 2>/dev/null |
	jq .documents)" = 6 ] || fail "folders in folders were not read"
jq -r '.lines[] | select(.verdict == "sealed") | .where' "$WORK/report" | grep -q 'b.yml:9:' || fail "no places in the report"
ln -s "$CLI" "$WORK/kubectl-seal"
"$WORK/kubectl-seal" inject -w shop --dir "$ROT_DIR" -f "$IN" --image-config "$WORK/image.json" 2>/dev/null | grep -q eyJ ||
	fail "kubectl's name does not work"

say "an OCI layout says what its image runs"
blobs=$WORK/layout/blobs/sha256
mkdir -p "$blobs"
# put FILE: as a blob; prints its digest.
put() {
	local sum
	sum=$(sha256sum "$1" | cut -d' ' -f1)
	cp "$1" "$blobs/$sum"
	echo "sha256:$sum"
}
printf '{"config":{"digest":"%s"}}' "$(put "$WORK/image.json")" >"$WORK/manifest.json"
printf '{"manifests":[{"digest":"%s"}]}' "$(put "$WORK/manifest.json")" >"$WORK/layout/index.json"
seal inject -w shop -f "$WORK/app.yaml" --image-config "registry.example/web:1=$WORK/layout" -o "$WORK/layout.yaml" 2>/dev/null
printf '{"manifests":[{"digest":"sha256:../../x"}]}' >"$WORK/layout/index.json"
expect_exit 1 "$CLI" "${I[@]}" -f "$WORK/app.yaml" --image-config "$WORK/layout"
expect_line "$WORK/err" 'no SHA-256 digest'

say "a stream of 16 MiB within its time and memory"
python3 - >"$WORK/big.yaml" <<-'EOF_PY'
	import random
	random.seed(1)
	letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz ABCDEF0123456789", k=1200000))
	for i in range(1300):
	    at = i * 731 % 900000
	    print(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{i}\ndata:")
	    for k in range(6):
	        print(f"  k{k}: \"{letters[at + k * 2000:at + k * 2000 + 2000]}\"")
EOF_PY
python3 - "$WORK/usage" "$CLI" "${I[@]}" -f "$WORK/big.yaml" -o "$WORK/big.out" <<-'EOF_PY'
	import resource, subprocess, sys
	code = subprocess.call(sys.argv[2:])
	used = resource.getrusage(resource.RUSAGE_CHILDREN)
	open(sys.argv[1], "w").write(f"{used.ru_maxrss} {used.ru_utime + used.ru_stime:.2f}\n")
	sys.exit(code)
EOF_PY
read -r kib seconds <"$WORK/usage"
say "$(stat -c %s "$WORK/big.yaml") bytes: $kib KiB, $seconds s of this command's own"
[ "$kib" -lt "$MOST_KIB" ] || [ "$SEAL_SLOW" != 1 ] || fail "$kib KiB are too much"

need_vectors k8s-manifests
say "manifests of public projects: sealed, valid, and back as they were"
mkdir "$WORK/sealed" "$WORK/plain"
pairs=()
for file in "$SEAL_VECTORS"/k8s-manifests/*.{yaml,yml,json}; do
	name=$(basename "$file")
	if seal inject -w shop -p web -f "$file" --image-config "$WORK/image.json" -o "$WORK/sealed/$name" 2>"$WORK/err"; then
		seal unseal -f "$WORK/sealed/$name" --out "$WORK/plain/$name" 2>/dev/null || fail "$name does not open"
		pairs+=("$file" "$WORK/plain/$name")
	else
		nothing_came "$WORK/sealed/$name"
		expect_line "$WORK/err" "$name:[0-9]+:[0-9]+: "
	fi
done
same "${pairs[@]}"
count=$(find "$WORK/sealed" -type f | wc -l)
[ "$count" = 201 ] || fail "$count of 210 were accepted instead of 201"

# What is wrong with them already is wrong with what comes of them, and nothing else.
if "$SUPPORT/npm.sh" find >/dev/null; then
	"$SUPPORT/k8s-validate" "$WORK"/plain/* 2>/dev/null | sed 's|.*/||; s/:.*//' | sort | uniq -c >"$WORK/valid-before" || true
	"$SUPPORT/k8s-validate" "$WORK"/sealed/* 2>/dev/null | sed 's|.*/||; s/:.*//' | sort | uniq -c >"$WORK/valid-after" || true
	expect_same "$WORK/valid-before" "$WORK/valid-after"
else
	say "not validated: node packages are not installed (tests/support/npm.sh install)"
fi
say "done"
