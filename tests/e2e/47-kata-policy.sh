#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# seal policy kata: what Kata Containers' agent may do is exactly what the injected manifest says.  Neither Debian nor npm
# has an evaluator of Rego; support/rego.py reads the part of the language that our policies are made of, and an "opa" in
# PATH (or in OPA) is asked besides.
. "$(dirname "$0")/lib.sh"
need python3 jq gzip base64
python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed (see tests/packages)"

OPA=${OPA:-$(command -v opa || true)}
[ -n "$OPA" ] || say "no opa here: the policy is evaluated by support/rego.py alone, which is ours and not the agent's"

rot_up
A=sha256:$(printf 'a%.0s' {1..64}) B=sha256:$(printf 'b%.0s' {1..64})
sed "s/\$A/$A/; s/\$B/$B/" >"$WORK/app.yaml" <<'EOF_YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: app, namespace: shop}
data: {a.conf: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {seal-control.io/inbound: "8443=8080", seal-control.io/hostnames: "web.example.com"}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {runAsUser: 1001}
      initContainers:
      - {name: first, image: "busybox@$B", command: [/bin/true], securityContext: {runAsUser: 0}}
      containers:
      - name: web
        image: registry.example/web:1@$A
        command: [/bin/web, "'''"]
        livenessProbe: {exec: {command: [/bin/probe, "{{ x }}"]}}
        lifecycle: {preStop: {exec: {command: [/bin/stop]}}}
        volumeMounts:
        - {name: app, mountPath: /etc/app/}
        - {name: app, mountPath: /etc/one.conf, subPath: a.conf}
        - {name: data, mountPath: "/da\"ta'''{{ .x }}\u00e9\U0001F600]"}
        volumeDevices: [{name: disk, devicePath: /dev/data}]
      - {name: plain, image: "other@$B", command: [/bin/other]}
      volumes:
      - {name: disk, persistentVolumeClaim: {claimName: disk}}
      - {name: app, configMap: {name: app}}
      - {name: data, emptyDir: {}}
EOF_YAML
seal inject --workload shop --peer web --proxy-image "registry.example/seal-proxy@$B" -f "$WORK/app.yaml" -o "$WORK/injected.yaml"

say "the policy needs no root of trust, is the same each time, and by whichever way the manifest comes"
env -i "$SEAL_BUILD/seal" policy kata "$WORK/injected.yaml" >"$WORK/policy.rego"
env -i "$SEAL_BUILD/seal" policy kata -f "$WORK/injected.yaml" | cmp - "$WORK/policy.rego" || fail "another with -f"
env -i "$SEAL_BUILD/seal" policy kata <"$WORK/injected.yaml" | cmp - "$WORK/policy.rego" || fail "another from a pipe"
LC_ALL=C grep -q '[^ -~	]' "$WORK/policy.rego" && fail "not ASCII"
LC_ALL=C grep -qF -e "'" -e '{{' "$WORK/policy.rego" && fail "something of the manifest is out of its string"

# judge POLICY REQUESTS: every request gets the answer that is wanted.
judge() {
	python3 "$SUPPORT/rego.py" "$1" <"$2" >"$WORK/answers" || fail "the policy cannot be read"
	jq -r .wanted "$2" | paste - "$WORK/answers" <(jq -r '.request + ": " + .why' "$2") |
		awk -F '\t' '$1 != $2' >"$WORK/wrong"
	[ ! -s "$WORK/wrong" ] || fail "wanted, told: $(cat "$WORK/wrong")"
	[ "$(grep -c true "$WORK/answers")" -ge 25 ] || fail "hardly anything is allowed"
}

say "it allows the pod, and nothing that a host would add or change"
python3 "$SUPPORT/kata_requests.py" "$WORK/injected.yaml" >"$WORK/requests"
[ "$(wc -l <"$WORK/requests")" -ge 850 ] || fail "only $(wc -l <"$WORK/requests") requests"
OPA='' judge "$WORK/policy.rego" "$WORK/requests"
if [ -n "$OPA" ]; then
	OPA=$OPA judge "$WORK/policy.rego" "$WORK/requests"
	"$OPA" check --strict "$WORK/policy.rego" || fail "opa finds mistakes in it"
fi

say "images are pulled in the enclave, by digest, unless the owner takes them from the host"
seal_policy() { env -i "$SEAL_BUILD/seal" policy kata "$@"; }
seal_policy "$WORK/injected.yaml" --allow-host-images >"$WORK/host.rego"
[ "$(diff "$WORK/policy.rego" "$WORK/host.rego" | grep '^[<>]')" = $'< \t"guest_pull": true,\n> \t"guest_pull": false,' ] ||
	fail "more than images: $(diff "$WORK/policy.rego" "$WORK/host.rego")"
python3 "$SUPPORT/kata_requests.py" "$WORK/injected.yaml" host >"$WORK/requests.host"
cmp -s "$WORK/requests" "$WORK/requests.host" && fail "nothing is wanted otherwise"
OPA='' judge "$WORK/host.rego" "$WORK/requests.host"
[ -z "$OPA" ] || OPA=$OPA judge "$WORK/host.rego" "$WORK/requests.host"
for image in registry.example/seal-proxy:1 "seal-proxy@${B%b}" "seal-proxy@${B}b" "seal-proxy@${B%b}B" "seal-proxy@md5:0"; do
	sed "s|image: registry.example/seal-proxy@.*|image: \"$image\"|" "$WORK/injected.yaml" >"$WORK/tagged.yaml"
	expect_exit 1 "$SEAL_BUILD/seal" policy kata "$WORK/tagged.yaml"
	expect_line "$WORK/err" "container 'seal-proxy': its image '$image' is not named by digest"
	[ ! -s "$WORK/out" ] || fail "something came out"
	seal_policy "$WORK/tagged.yaml" --allow-host-images >/dev/null
done

say "logs are for the host when the owner says so, and nothing else changes"
seal_policy "$WORK/injected.yaml" --allow-logs >"$WORK/logs.rego"
diff "$WORK/policy.rego" "$WORK/logs.rego" >"$WORK/difference" && fail "no difference"
[ "$(grep '^[<>]' "$WORK/difference" | sed 's/^. //')" = $'default ReadStreamRequest := false\ndefault ReadStreamRequest := true' ] ||
	fail "more than logs: $(cat "$WORK/difference")"

say "the document holds the policy, and its digest and the annotation are those of the document"
for algorithm in sha256 sha384; do
	seal_policy "$WORK/injected.yaml" --algorithm "$algorithm" -o initdata >"$WORK/initdata.toml"
	seal_policy "$WORK/injected.yaml" --algorithm "$algorithm" -o json >"$WORK/all.json"
	jq -j .initdata "$WORK/all.json" | cmp - "$WORK/initdata.toml" || fail "two documents"
	jq -j .policy "$WORK/all.json" | cmp - "$WORK/policy.rego" || fail "two policies"
	[ "$(jq -r .object "$WORK/all.json")" = shop/Deployment/web ] || fail "of $(jq -r .object "$WORK/all.json")"
	[ "$(jq -r .digest "$WORK/all.json")" = "$("${algorithm}sum" <"$WORK/initdata.toml" | cut -d' ' -f1)" ] || fail "another digest"
	jq -r '.annotations["io.katacontainers.config.hypervisor.cc_init_data"]' "$WORK/all.json" | base64 -d | gzip -dc |
		cmp - "$WORK/initdata.toml" || fail "the annotation holds something else"
	python3 - "$WORK/initdata.toml" "$WORK/policy.rego" "$algorithm" <<-'END' || fail "not the document it should be"
		import sys
		text, policy = (open(path, encoding="ascii").read() for path in sys.argv[1:3])
		try:
		    import tomllib
		except ImportError:
		    head = 'version = "0.1.0"\nalgorithm = "%s"\n\n[data]\n"policy.rego" = \'\'\'\n' % sys.argv[3]
		    sys.exit(text != head + policy + "'''\n")
		data = tomllib.loads(text)
		sys.exit(data != {"version": "0.1.0", "algorithm": sys.argv[3], "data": {"policy.rego": policy}})
	END
done

say "what was not injected is refused by its name, and so is more than one pod, or none"
# refused PATTERN MANIFEST
refused() {
	expect_exit 1 "$SEAL_BUILD/seal" policy kata "$2"
	expect_line "$WORK/err" "$1"
	[ ! -s "$WORK/out" ] || fail "something came out: $(head -n 3 "$WORK/out")"
}
# altered PROGRAM...: the pod of the injected manifest, changed by jq.
altered() {
	python3 -c 'import json, sys, yaml
for one in yaml.safe_load_all(open(sys.argv[1])): print(json.dumps(one)) if one["kind"] == "Deployment" else 0' "$WORK/injected.yaml" |
		jq "$1" >"$WORK/altered.json"
}
POD=.spec.template.spec
refused "container 'first' was not injected: its command" "$WORK/app.yaml"
altered "$POD.containers += [{name: \"added\", image: \"x\", command: [\"/bin/sh\"]}]"
refused "container 'added' was not injected: its command" "$WORK/altered.json"
altered "$POD.initContainers += [{name: \"late\", image: \"x\"}]"
refused "container 'late' was not injected" "$WORK/altered.json"
altered "$POD.ephemeralContainers = [{name: \"debugger\", image: \"x\"}]"
refused "container 'debugger' was not injected" "$WORK/altered.json"
altered "$POD.containers[1].command = $POD.containers[0].command"
refused "container 'plain' was not injected: .*sealed for another place" "$WORK/altered.json"
altered "$POD.containers[0].command[1] = \"x\""
refused "container 'web' was not injected: .*not sealed" "$WORK/altered.json"
altered "$POD.containers[0].command[0] = \"sh\""
refused "container 'web' was not injected: .*absolute" "$WORK/altered.json"
altered "$POD.containers[0].args = [\"x\"]"
refused "container 'web' was not injected: it has arguments" "$WORK/altered.json"
altered "$POD.containers[0].readinessProbe = {exec: {command: [\"/bin/sh\", \"x\"]}}"
refused "container 'web' was not injected" "$WORK/altered.json"
altered "$POD.initContainers |= map(select(.name != \"seal-proxy\"))"
refused "there is no sidecar" "$WORK/altered.json"
altered "($POD.initContainers[] | select(.name == \"seal-proxy\").args) += [\"--log-level\"]"
refused "container 'seal-proxy' was not injected" "$WORK/altered.json"
altered '.metadata.name = "other"'
refused "was not injected: .*sealed for another place" "$WORK/altered.json"
altered '{apiVersion: "v1", kind: "List", items: [., .]}'
refused "a second pod" "$WORK/altered.json"
: >"$WORK/empty.yaml"
refused "no pod in the manifests" "$WORK/empty.yaml"
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n' >"$WORK/none.yaml"
refused "no pod in the manifests" "$WORK/none.yaml"
for words in '-o yaml' '--algorithm md5' '--proxy-path seal-proxy' "-f $WORK/none.yaml $WORK/none.yaml"; do
	# shellcheck disable=SC2086
	expect_exit 2 "$SEAL_BUILD/seal" policy kata $words
done

say "the sidecar's program is where its image has it"
seal_policy "$WORK/injected.yaml" --proxy-path /opt/seal-proxy >"$WORK/path.rego"
sed 's|/usr/bin/seal-proxy|/opt/seal-proxy|' "$WORK/policy.rego" | cmp - "$WORK/path.rego" || fail "more than the path changed"
altered "($POD.initContainers[] | select(.name == \"seal-proxy\").command) = [\"/seal-proxy\"]"
seal_policy "$WORK/altered.json" >"$WORK/path.rego"
grep -qF '"/seal-proxy",' "$WORK/path.rego" || fail "the command of the manifest is not used"
