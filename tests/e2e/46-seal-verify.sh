#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# seal-verify: what it says of saved files and mount tables, of policies nobody should have written, and of a
# container of runc: as it was started nothing, learned and judged again nothing, attacked each attack.
. "$(dirname "$0")/lib.sh"
need runc busybox jq python3 openssl

VERIFY=$SEAL_BUILD/seal-verify
[ -x "$VERIFY" ] || fail "no seal-verify in $SEAL_BUILD"
checked=0

# verdict CODE ARGUMENT...: that exit status; findings in $WORK/out.
verdict() {
	local want=$1
	shift
	expect_exit "$want" "$VERIFY" "$@"
	checked=$((checked + 1))
}

# usage PATTERN ARGUMENT...: 2, one sentence in its name, nothing on standard output.
usage() {
	local pattern=$1
	shift
	verdict 2 "$@"
	[ ! -s "$WORK/out" ] || fail "'$*' failed and still printed: $(head -c 200 "$WORK/out")"
	[ "$(wc -l <"$WORK/err")" = 1 ] || fail "'$*' printed $(wc -l <"$WORK/err") lines"
	expect_line "$WORK/err" "^seal-verify: .*$pattern"
}

# finds RULE ARGUMENT...: 1, and the rule is among the findings; in JSON as well.
finds() {
	local rule=$1
	shift
	verdict 1 "$@"
	expect_line "$WORK/out" "^[^ ].*: $rule: found .+, expected .+"
	verdict 1 "$@" -o json
	jq -e --arg rule "$rule" '.ok == false and any(.findings[]; .rule == $rule and (.file | length > 0))' \
		<"$WORK/out" >"$WORK/verdict" || fail "no $rule in JSON: $(head -c 400 "$WORK/out")"
}

# ---- the command line -------------------------------------------------------------------------------

say "what cannot be meant"
printf 'version: 1\n' >"$WORK/least.yaml"
usage 'what to judge'
usage 'what to judge' --policy "$WORK/least.yaml"
usage 'what to judge' --quiet
usage 'nothing-such' --nothing-such
usage 'surplus' --pid 1 surplus
usage 'one of them' --pid 1 --root /
usage 'one of them' --pid 1 --mountinfo /proc/self/mountinfo
usage 'one of them' --root / --mountinfo /proc/self/mountinfo
usage 'one of them' --rules --pid 1
usage 'one of them' --check-policy "$WORK/least.yaml" --root /
usage -- '--pid' --learn
usage -- '--learn' --learn --root /
usage -- '--policy' --learn --pid 1 --policy "$WORK/least.yaml"
usage -- '--policy' --rules --policy "$WORK/least.yaml"
usage -- '--no-env' --root / --no-env
usage -- '--pid' --pid
usage -- '--pid' --pid 0
usage -- '--pid' --pid -1
usage -- '--pid' --pid self
usage -- '--pid' --pid 99999999999
usage 'no process' --pid 4194303
usage 'nowhere' --root "$WORK/nowhere"
usage 'least' --root "$WORK/least.yaml"
usage 'nowhere' --mountinfo "$WORK/nowhere"
usage 'regular' --mountinfo "$WORK"
usage 'nowhere' --root / --policy "$WORK/nowhere"
usage 'text or json' --root / -o yaml
usage 'text or json' --rules -o xml
usage 'yaml or json' --learn --pid 1 -o text
usage 'nowhere' --check-policy "$WORK/nowhere"
verdict 0 --help
expect_line "$WORK/out" '^usage: seal-verify'
verdict 0 --version

say "rules"
verdict 0 --rules
expect_line "$WORK/out" '^mount\.unexplained +every mount'
lines=$(wc -l <"$WORK/out")
verdict 0 --rules -o json
[ "$(jq '.rules | length' <"$WORK/out")" = "$lines" ] || fail "JSON has other rules"
jq -e 'all(.rules[]; (.rule | test("^[a-z]+\\.[a-z]+$")) and (.demand | length > 0))' <"$WORK/out" >/dev/null ||
	fail "a rule without a name or demand"

say "an output that cannot be written is no verdict"
for wanted in --rules --help "--check-policy $WORK/least.yaml"; do
	got=0
	# shellcheck disable=SC2086
	"$VERIFY" $wanted >/dev/full 2>/dev/null || got=$?
	[ "$got" = 2 ] || fail "$wanted into a full device ended with $got"
done

# ---- policies ---------------------------------------------------------------------------------------

say "policies: good ones"
good() {
	printf '%s\n' "$1" >"$WORK/p"
	verdict 0 --check-policy "$WORK/p"
	[ "$(cat "$WORK/out")" = ok ] || fail "not ok: $1"
	verdict 0 --check-policy "$WORK/p" -o json
	jq -e '.ok == true' <"$WORK/out" >/dev/null || fail "not ok as JSON: $1"
}
good 'version: 1'
good '{"version":1}'
good '{"verify":{"version":1,"mode":"audit"},"argv":["x"]}'
good '# a comment
---
version: 1
mounts:
- {path: /etc/app, source: volume, readOnly: true}
hosts: {names: [{name: db.example, networks: [10.0.0.0/8]}]}
resolv: {nameservers: [10.96.0.10], searches: [cluster.local], options: ["ndots:5"]}'
expect_exit 0 bash -c "printf 'version: 1' | '$VERIFY' --check-policy -"
expect_exit 1 bash -c "printf 'version: [' | '$VERIFY' --check-policy -"
expect_line "$WORK/out" '^standard input:[12]:'

say "policies: hostile and broken ones"
bad() {
	printf '%b' "$1" >"$WORK/p"
	shift
	verdict 1 --check-policy "$WORK/p"
	[ "$(wc -l <"$WORK/out")" = 1 ] || fail "not one line: $(head -c 300 "$WORK/out")"
	expect_line "$WORK/out" "$WORK/p.*$1"
	expect_no_line "$WORK/out" '[[:cntrl:]]'
	verdict 1 --check-policy "$WORK/p" -o json
	jq -e '.ok == false and (.error | length > 10)' <"$WORK/out" >/dev/null || fail "no error as JSON"
	usage '.' --root / --policy "$WORK/p" # judges nothing
}
bad '' nothing
bad '# only a comment\n' nothing
bad '[]' 'map'
bad 'text' 'map'
bad 'verify: []' 'map'
bad 'verify: null' 'map'
bad 'mode: enforce' 'version'
bad 'version: 2' 'version'
bad 'version: "1"' 'version'
bad 'version: 1\nmode: maybe' 'mode'
bad 'version: 1\nversion: 1' ':2:'
bad 'version: 1\n---\nversion: 1' 'second'
bad 'version: 1\nsurprise: 1' 'surprise'
bad 'version: 1\nmounts: [{path: /a, source: volume, mode: 5}]' 'mode'
bad 'version: 1\nmounts: [{path: /a/../b, source: volume}]' 'mounts'
bad 'version: 1\nmounts: [{path: a, source: volume}]' 'mounts'
bad 'version: 1\nmounts:\n- {path: /b, source: volume}\n- {path: /a, source: host}' ':4:.*mounts\[1\]\.source: .host.'
bad '{"argv":[],\n"verify":{"version":1,\n"resolv":{"searches":["a..b"]}}}' ':3:.*verify\.resolv'
bad 'version: 1\nmounts: [{path: /a, source: volume}, {path: /a, source: memory}]' 'twice'
bad 'version: 1\nhosts: {names: [{name: a.example, networks: []}]}' 'networks'
bad 'version: 1\nhosts: {names: [{name: a.example, networks: [10.0.0.1/8]}]}' 'networks'
bad 'version: 1\nhosts: {names: [{name: localhost, networks: [10.0.0.0/8]}]}' 'loopback'
bad 'version: 1\nhosts: {aliases: [{ip: 192.0.2.1, hostnames: [a.example]}], names: [{name: a.example, networks: [10.0.0.0/8]}]}' 'alias'
bad 'version: 1\nresolv: {nameservers: [dns.example]}' 'nameservers'
bad 'version: 1\naccount: {ca: [abc]}' 'ca'
bad 'version: 1\naccount: {mounted: perhaps}' 'mounted'
bad '{"version":1,' ':1:'
bad 'version: 1\n\x00' '.'
bad 'version: 1\nmode: "\xff"' '.'
bad 'version: !!js 1' '.'
bad 'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n' '.'
bad "$(printf '[%.0s' {1..200})" '.'
bad "version: 1\nmode: $(head -c 20000 /dev/zero | tr '\0' x)" 'mode'
head -c 200000 /dev/zero | tr '\0' '#' >"$WORK/p"
usage 'long' --check-policy "$WORK/p"
mkfifo "$WORK/fifo"
usage 'regular' --check-policy "$WORK/fifo"
usage 'regular' --root / --policy "$WORK/fifo"
say "$checked runs so far"

# ---- saved files ------------------------------------------------------------------------------------

# A root as kubelet and runc make it.
saved_root() {
	rm -rf "$WORK/saved"
	mkdir -p "$WORK/saved/etc" "$WORK/saved/proc/self"
	printf 'web-0\n' >"$WORK/saved/etc/hostname"
	printf '%s\n' '# Kubernetes-managed hosts file.' '127.0.0.1	localhost' '::1	localhost ip6-localhost ip6-loopback' \
		'10.1.2.3	web-0' >"$WORK/saved/etc/hosts"
	printf '%s\n' 'search shop.svc.cluster.local svc.cluster.local cluster.local' 'nameserver 10.96.0.10' \
		'options ndots:5' >"$WORK/saved/etc/resolv.conf"
	cat >"$WORK/saved/proc/self/mountinfo" <<-'END'
		71 47 0:39 / / rw,relatime - overlay overlay rw,lowerdir=/v/l,upperdir=/v/u,workdir=/v/w
		72 71 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
		73 71 0:43 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
		74 73 0:44 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666
		75 73 0:41 / /dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw
		76 73 0:45 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
		77 71 0:22 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs rw
		78 71 254:0 /src/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw
		80 71 254:0 /src/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw
		81 71 254:0 /src/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw
	END
}
SAVED=(--root "$WORK/saved")
cat >"$WORK/web.yaml" <<'END'
version: 1
pod: {hostname: web-0, namespace: shop}
account: {mounted: "no"}
END

say "saved files: nothing is found in what is good, with or without a policy"
saved_root
verdict 0 "${SAVED[@]}"
expect_line "$WORK/err" 'no policy: judged by the rules of the system alone'
expect_line "$WORK/err" '^0 findings, 10 mounts, 4 files looked at'
[ ! -s "$WORK/out" ] || fail "said something: $(cat "$WORK/out")"
verdict 0 "${SAVED[@]}" -o json
jq -e '.ok == true and .mode == null and .findings == [] and .more == 0' <"$WORK/out" >/dev/null || fail "JSON: $(cat "$WORK/out")"
verdict 0 "${SAVED[@]}" --policy "$WORK/web.yaml" -o json
jq -e '.ok == true and .mode == "enforce"' <"$WORK/out" >/dev/null || fail "JSON: $(cat "$WORK/out")"
verdict 0 "${SAVED[@]}" --policy "$WORK/web.yaml" --quiet
[ ! -s "$WORK/err" ] || fail "not quiet: $(cat "$WORK/err")"
# shellcheck disable=SC2016 # the inner shell's
expect_exit 0 bash -c '"$0" --root "$1" --policy - <"$2"' "$VERIFY" "$WORK/saved" "$WORK/web.yaml"
jq -n '{version: 1, mode: "audit", pod: {hostname: "web-0"}}' >"$WORK/audit.json"
verdict 0 "${SAVED[@]}" --policy "$WORK/audit.json"

say "saved files: what is wrong is found, with its file and rule"
saved_root && printf '10.0.0.1 localhost\n' >>"$WORK/saved/etc/hosts"
finds hosts.localhost "${SAVED[@]}"
expect_no_line "$WORK/err" '[[:cntrl:]]'
verdict 1 "${SAVED[@]}"
expect_line "$WORK/out" '^/etc/hosts:5: hosts\.localhost: found 10\.0\.0\.1'
expect_line "$WORK/err" '^1 finding, 10 mounts, 4 files looked at'
finds hosts.localhost "${SAVED[@]}" --policy "$WORK/audit.json" # a report is one in either mode
jq -e '.mode == "audit"' <"$WORK/out" >/dev/null || fail "not the policy's mode"
saved_root && printf '10.6.6.6 \033[2Jevil\n' >>"$WORK/saved/etc/hosts"
finds hosts.format "${SAVED[@]}"
expect_no_line "$WORK/out" $'\033'
saved_root && printf '192.0.2.6 rot.example\n' >>"$WORK/saved/etc/hosts"
finds hosts.unexplained "${SAVED[@]}" --policy "$WORK/web.yaml"
saved_root && rm "$WORK/saved/etc/resolv.conf"
finds file.missing "${SAVED[@]}"
saved_root && rm "$WORK/saved/etc/resolv.conf" && mkfifo "$WORK/saved/etc/resolv.conf"
finds file.type "${SAVED[@]}"
saved_root && rm "$WORK/saved/etc/hosts" && ln -s /etc/hosts "$WORK/saved/etc/hosts"
finds file.type "${SAVED[@]}"
saved_root && rm "$WORK/saved/etc/hosts" && mkdir "$WORK/saved/etc/hosts"
finds file.type "${SAVED[@]}"
saved_root && chmod 0666 "$WORK/saved/etc/hosts"
finds file.owner "${SAVED[@]}"
saved_root && chown 12345 "$WORK/saved/etc/hosts"
finds file.owner "${SAVED[@]}"
saved_root && head -c 2000000 /dev/zero | tr '\0' '#' >>"$WORK/saved/etc/hosts"
finds file.size "${SAVED[@]}"
saved_root && printf 'db-1\n' >"$WORK/saved/etc/hostname"
finds hostname.name "${SAVED[@]}" --policy "$WORK/web.yaml"
saved_root && rm -r "$WORK/saved/proc"
finds file.missing "${SAVED[@]}"
saved_root && : >"$WORK/saved/proc/self/mountinfo"
finds mount.format "${SAVED[@]}"
saved_root && printf '99 71 0:9 / /usr/bin rw - tmpfs tmpfs rw\n' >>"$WORK/saved/proc/self/mountinfo"
finds mount.unexplained "${SAVED[@]}"
saved_root && mkdir -p "$WORK/saved/var/run/secrets/kubernetes.io/serviceaccount" &&
	printf shop >"$WORK/saved/var/run/secrets/kubernetes.io/serviceaccount/namespace"
finds account.unexpected "${SAVED[@]}" --policy "$WORK/web.yaml"
saved_root && for i in $(seq 300); do printf '10.0.0.%s localhost\n' $((i % 250 + 1)) "192.0.$((i / 250)).$((i % 250 + 1))"; done >>"$WORK/saved/etc/hosts"
verdict 1 "${SAVED[@]}" -o json
jq -e '(.findings | length) == 256 and .more > 0' <"$WORK/out" >/dev/null || fail "many findings are not counted"
verdict 1 "${SAVED[@]}"
expect_line "$WORK/out" '^and [0-9]+ more$'

say "saved files: what was not judged is named"
# unjudged NAME REASON: on standard error, and in JSON.
unjudged() {
	expect_line "$WORK/err" "^not judged: $1: $2"
	jq -e --arg name "$1" --arg reason "$2" 'any(.unjudged[]; .name == $name and (.reason | test($reason)))' <"$WORK/out" >/dev/null ||
		fail "$1 is not named as unjudged: $(head -c 400 "$WORK/out")"
}
saved_root
verdict 0 "${SAVED[@]}" -o json
for what in environment 'host name and addresses' devices times; do unjudged "$what" 'not in saved files'; done
unjudged /var/run/secrets/kubernetes.io/serviceaccount 'no policy'
verdict 0 "${SAVED[@]}" --policy "$WORK/audit.json" -o json # which takes any account
unjudged /var/run/secrets/kubernetes.io/serviceaccount 'not in saved files'
verdict 0 "${SAVED[@]}" --policy "$WORK/web.yaml" -o json # which takes none
jq -e 'all(.unjudged[]; .name | startswith("/var/run") | not)' <"$WORK/out" >/dev/null || fail "the account was judged"
saved_root && rm "$WORK/saved/etc/hostname"
verdict 1 "${SAVED[@]}" -o json --quiet
unjudged /etc/hostname nothing
[ "$(wc -l <"$WORK/err")" = 1 ] || fail "not quiet: $(cat "$WORK/err")"
verdict 0 --mountinfo "$WORK/saved/proc/self/mountinfo" -o json
unjudged 'files, devices, environment' 'a mount table alone'

say "who waits for ever says so in time"
usage 'timeout' --root / --timeout 0
usage 'timeout' --root / --timeout 86401
usage 'timeout' --rules --timeout 5
mkfifo "$WORK/never"
# shellcheck disable=SC2016 # the inner shell's
expect_exit 2 bash -c 'exec "$0" --root / --policy - --timeout 1 <>"$1"' "$VERIFY" "$WORK/never"
expect_line "$WORK/err" 'not judged after 1 seconds'
if [ -c /dev/fuse ]; then
	mkdir "$WORK/stalled"
	start home stalled python3 "$SUPPORT/stalled.py" "$WORK/stalled"
	wait_for 10 "a file system that never answers" has_line "$LOGS/stalled.log" '^stalled'
	begin=$SECONDS
	usage 'not judged after 1 seconds' --root "$WORK/stalled" --timeout 1
	usage 'not judged after 1 seconds' --mountinfo "$WORK/stalled/mountinfo" --timeout 1
	[ $((SECONDS - begin)) -le $((8 * SEAL_SLOW)) ] || fail "it took $((SECONDS - begin)) s"
	stop stalled
else
	say "no /dev/fuse: the file system that never answers is left out"
fi

# ---- vectors ----------------------------------------------------------------------------------------

# vector VERDICT ARGUMENT...: accepted or refused as the index says; either where it leaves that open.
vector() {
	local want=$1 got=0
	shift
	timeout 20 "$VERIFY" "$@" -o json --quiet >"$WORK/out" 2>"$WORK/err" || got=$?
	[ "$got" = 0 ] || [ "$got" = 1 ] || fail "'$*' ended with $got: $(head -c 300 "$WORK/err")"
	jq -e --argjson ok "$((1 - got))" '.ok == ($ok == 1) and (.findings | length > 0) == ($ok == 0)' <"$WORK/out" >/dev/null ||
		fail "'$*': JSON does not say the same"
	case $want:$got in
	accept:1) fail "'$*' finds: $(jq -c '.findings[0]' <"$WORK/out")" ;;
	reject:0 | missing:0) fail "'$*' finds nothing" ;;
	esac
	checked=$((checked + 1))
}
if [ -d "$SEAL_VECTORS/mountinfo" ] && [ -d "$SEAL_VECTORS/sysfiles" ]; then
	say "vectors: mount tables"
	cat >"$WORK/app.yaml" <<-'END'
		version: 1
		account: {mounted: "yes"}
		mounts:
		- {path: /etc/app, source: volume, readOnly: true}
		- {path: /cache, source: memory}
	END
	while IFS=$'\t' read -r file want _; do
		[ "$file" != file ] || continue
		# What is byte for byte the good table cannot be told from it.
		if [ "$want" = reject ] && cmp -s "$SEAL_VECTORS/mountinfo/$file" "$SEAL_VECTORS/mountinfo/case-base.txt"; then
			say "$file is case-base.txt, byte for byte: it cannot be refused, and is accepted"
			want=accept
		fi
		vector "$want" --mountinfo "$SEAL_VECTORS/mountinfo/$file" --policy "$WORK/app.yaml"
		vector parse --mountinfo "$SEAL_VECTORS/mountinfo/$file"
	done <"$SEAL_VECTORS/mountinfo/INDEX.tsv"
	say "vectors: system files"
	while IFS=$'\t' read -r kind file _ want _; do
		case $kind in hosts | resolv.conf | hostname) ;; *) continue ;; esac
		saved_root
		cat "$SEAL_VECTORS/sysfiles/$file" >"$WORK/saved/etc/$kind"
		vector "$want" "${SAVED[@]}"
	done <"$SEAL_VECTORS/sysfiles/INDEX.tsv"
else
	say "no vectors at $SEAL_VECTORS: left out"
fi

# ---- a container ------------------------------------------------------------------------------------

say "a container of runc, as kubelet would have it"
BUNDLE=$WORK/pods/bundle
GIVEN=$WORK/given
mkdir -p "$BUNDLE"/{lower,upper,work,rootfs} "$GIVEN"/{app,account}
mkdir -p "$BUNDLE"/lower/{bin,usr/bin,usr/lib,etc/app,evil,proc,sys,dev,tmp,cache,run,var/run/secrets/kubernetes.io/serviceaccount}
install -m 0755 "$(command -v busybox)" "$BUNDLE/lower/bin/busybox"
ln -s busybox "$BUNDLE/lower/bin/sleep"
: >"$BUNDLE/lower/etc/hosts"
: >"$BUNDLE/lower/etc/hostname"
: >"$BUNDLE/lower/etc/resolv.conf"
mount -t overlay -o "lowerdir=$BUNDLE/lower,upperdir=$BUNDLE/upper,workdir=$BUNDLE/work" overlay "$BUNDLE/rootfs"

start home net unshare --net sleep infinity
wait_for 10 "a network" test -e "/proc/${PIDS[net]}/ns/net"
is_other_network() { [ "$(readlink "/proc/${PIDS[net]}/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
wait_for 10 "a network of its own" is_other_network
ip link add to-pod type veth peer name eth0 netns "${PIDS[net]}"
nsenter --target "${PIDS[net]}" --net -- sh -c 'ip link set lo up; ip address add 10.99.0.2/24 dev eth0; ip link set eth0 up'

printf 'web-0\n' >"$GIVEN/hostname"
printf '%s\n' '# Kubernetes-managed hosts file.' '127.0.0.1	localhost' '::1	localhost ip6-localhost ip6-loopback' \
	'10.99.0.2	web-0' '10.77.0.1	rot.seal.test rot' '10.77.0.9	rot.seal.test' >"$GIVEN/hosts"
printf '%s\n' 'search shop.svc.cluster.local svc.cluster.local cluster.local' 'nameserver 10.96.0.10' 'options ndots:5' \
	>"$GIVEN/resolv.conf"
printf 'key: value\n' >"$GIVEN/app/app.yaml"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=kubernetes \
	-keyout "$WORK/ca.key" -out "$GIVEN/account/ca.crt" 2>/dev/null
printf shop >"$GIVEN/account/namespace"
token() { # token NAMESPACE
	python3 - "$1" <<-'END'
		import base64, json, os, sys, time
		def b64(b): return base64.urlsafe_b64encode(b).rstrip(b'=').decode()
		ns, now = sys.argv[1], int(time.time())
		head = {'alg': 'RS256', 'kid': 'k1'}
		claims = {'aud': ['https://kubernetes.default.svc.cluster.local'], 'exp': now + 3600, 'iat': now - 60, 'nbf': now - 60,
		    'iss': 'https://kubernetes.default.svc.cluster.local', 'jti': '11111111-2222-4333-8444-555555555555',
		    'kubernetes.io': {'namespace': ns, 'node': {'name': 'n', 'uid': '11111111-2222-4333-8444-555555555556'},
		        'pod': {'name': 'web-0', 'uid': '11111111-2222-4333-8444-555555555557'},
		        'serviceaccount': {'name': 'web', 'uid': '11111111-2222-4333-8444-555555555558'}},
		    'sub': 'system:serviceaccount:%s:web' % ns}
		print('.'.join([b64(json.dumps(head).encode()), b64(json.dumps(claims).encode()), b64(os.urandom(256))]), end='')
	END
}
token shop >"$GIVEN/account/token"

runc spec --bundle "$BUNDLE"
jq --arg given "$GIVEN" --arg net "/proc/${PIDS[net]}/ns/net" '
	def bind(from; to; more): {destination: to, type: "bind", source: ($given + "/" + from), options: (["rbind", "rprivate"] + more)};
	.process.terminal = false | .process.args = ["/bin/sleep", "1000"] | .root.readonly = false | .hostname = "web-0"
	| .process.env += ["KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_PORT=tcp://10.96.0.1:443",
		"KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP_PROTO=tcp", "KUBERNETES_PORT_443_TCP_PORT=443",
		"KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1"]
	| .linux.namespaces = [.linux.namespaces[] | if .type == "network" then .path = $net else . end]
	| .mounts += [bind("hosts"; "/etc/hosts"; []), bind("hostname"; "/etc/hostname"; []), bind("resolv.conf"; "/etc/resolv.conf"; []),
		bind("app"; "/etc/app"; ["ro"]), bind("account"; "/var/run/secrets/kubernetes.io/serviceaccount"; ["ro"]),
		{destination: "/cache", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]}]
' "$BUNDLE/config.json" >"$WORK/config.json"
cp "$WORK/config.json" "$BUNDLE/config.json"

RUNC=(runc --root "$WORK/runc")
container_finish() { "${RUNC[@]}" delete -f "web-$$" >/dev/null 2>&1; }
HOOKS+=(container_finish)

is_running() { "${RUNC[@]}" state "web-$$" | jq -e '.status == "running"'; }
container_start() {
	container_finish || true
	start home "runc-$((++started))" "${RUNC[@]}" run --bundle "$BUNDLE" "web-$$"
	wait_for 20 "the container" is_running
	PID=$("${RUNC[@]}" state "web-$$" | jq .pid)
	LIVE=(--pid "$PID" --policy "$WORK/pod.yaml")
}
started=0
cat >"$WORK/pod.yaml" <<'END'
version: 1
pod: {hostname: web-0, namespace: shop}
root: {types: [overlay], layers: 2}
mounts:
- {path: /etc/app, source: volume, readOnly: true}
- {path: /cache, source: memory}
- {path: /var/run/secrets/kubernetes.io/serviceaccount, source: account, readOnly: true}
hosts: {names: [{name: rot.seal.test, networks: [10.77.0.0/24]}, {name: rot, networks: [10.77.0.1]}]}
resolv: {policy: ClusterFirst, nameservers: [10.96.0.0/12]}
account: {mounted: "yes", name: web, issuer: "https://kubernetes.default.svc.cluster.local"}
END
container_start
verdict 0 "${LIVE[@]}"
expect_line "$WORK/err" '^0 findings, [1-9][0-9]+ mounts, 7 files looked at'
expect_no_line "$WORK/err" 'not judged'
verdict 0 "${LIVE[@]}" -o json
jq -e '.ok and .unjudged == []' <"$WORK/out" >/dev/null || fail "JSON says something else"
verdict 0 "${LIVE[@]}" --no-env -o json
unjudged environment 'left out'
# Who may not enter its namespaces has no verdict, but what he finds is found.
got=0
setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$VERIFY" "${LIVE[@]}" -o json >"$WORK/out" 2>"$WORK/err" || got=$?
[ "$got" = 2 ] || fail "without its namespaces it ended with $got: $(cat "$WORK/err")"
unjudged 'host name and addresses' 'cannot enter'
jq -e '.ok == false and .findings == []' <"$WORK/out" >/dev/null || fail "ok without a verdict: $(cat "$WORK/out")"
printf 'version: 1\naccount: {mounted: "no"}\n' >"$WORK/none.yaml"
got=0
setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$VERIFY" --pid "$PID" --policy "$WORK/none.yaml" >"$WORK/out" 2>&1 || got=$?
[ "$got" = 1 ] || fail "with findings it ended with $got: $(cat "$WORK/out")"

say "learned, and judged by what was learned"
verdict 0 --learn --pid "$PID"
cp "$WORK/out" "$WORK/learned.yaml"
expect_line "$WORK/learned.yaml" '^# Look at each line: this says what is, not what should be'
expect_line "$WORK/learned.yaml" '"path":"/etc/app".*"readOnly":true.*# the host can read and write it'
expect_line "$WORK/learned.yaml" '"path":"/cache","source":"memory"'
expect_line "$WORK/learned.yaml" '"name":"rot.seal.test","networks":\["10.77.0.1","10.77.0.9"\]'
expect_line "$WORK/learned.yaml" 'hostname: "web-0"'
expect_line "$WORK/learned.yaml" 'layers: 2'
expect_line "$WORK/learned.yaml" '"10.96.0.10"'
expect_line "$WORK/learned.yaml" 'issuer: "https://kubernetes.default.svc.cluster.local"'
expect_line "$WORK/learned.yaml" "$(openssl x509 -in "$GIVEN/account/ca.crt" -outform DER | sha256sum | cut -d' ' -f1)"
! grep -qF "$(cut -d. -f3 "$GIVEN/account/token")" "$WORK/learned.yaml" || fail "the token was learned"
expect_no_line "$WORK/learned.yaml" '/proc|/sys|/dev'
verdict 0 --check-policy "$WORK/learned.yaml"
verdict 0 --pid "$PID" --policy "$WORK/learned.yaml"
verdict 0 --learn --pid "$PID" -o json
cp "$WORK/out" "$WORK/learned.json"
jq -e '.version == 1 and (.mounts | length) >= 2' <"$WORK/learned.json" >/dev/null || fail "not JSON"
verdict 0 --pid "$PID" --policy "$WORK/learned.json"

# ---- attacks ----------------------------------------------------------------------------------------

within() { nsenter --target "$PID" --mount --pid -- /bin/busybox "$@"; }
# attacked RULE WHAT COMMAND...: found with the policy and with what was learned before; gone with a new start.
attacked() {
	local rule=$1 what=$2
	shift 2
	"$@"
	say "attack: $what"
	finds "$rule" "${LIVE[@]}"
	finds "$rule" --pid "$PID" --policy "$WORK/learned.yaml"
}
renewed() {
	container_start
	verdict 0 "${LIVE[@]}"
}
attacked mount.unexplained "a bind over /usr/bin" within mount --bind /evil /usr/bin
expect_line "$WORK/out" '/usr/bin'
verdict 1 --learn --pid "$PID"
expect_no_line "$WORK/out" '/usr/bin'
expect_line "$WORK/err" 'not learned'
expect_line "$WORK/err" '/proc/self/mountinfo:[0-9]+: mount\.unexplained: .*/usr/bin'
renewed
attacked mount.unexplained "memory over /run" within mount -t tmpfs tmpfs /run
renewed
attacked mount.hidden "another /etc/hosts over the first" within mount --bind /bin/busybox /etc/hosts
renewed
attacked mount.access "a volume made writable" within mount -o remount,bind,rw /etc/app
renewed
attacked mount.propagation "mounts of the host appear" within mount --make-rshared /
renewed
lie() {
	printf 'db-7\n' >"$BUNDLE/upper/lie"
	within mount --bind /lie /proc/sys/kernel/hostname
}
attacked mount.unexplained "a host name that /proc does not know" lie
expect_no_line "$WORK/out" 'db-7' # the kernel was asked, not the file
renewed
rename() { nsenter --target "$PID" --uts -- hostname db-7; }
attacked hostname.name "a host name that the kernel knows" rename
renewed
# Into the same file: what is mounted is the file, not its name.
point_elsewhere() { sed 's/^10.99.0.2/10.99.0.3/' "$WORK/hosts-given" >"$GIVEN/hosts"; }
cp "$GIVEN/hosts" "$WORK/hosts-given"
attacked hosts.self "the pod's name at another address" point_elsewhere
cat "$WORK/hosts-given" >"$GIVEN/hosts"
renewed
readdress() {
	nsenter --target "${PIDS[net]}" --net -- ip address del 10.99.0.2/24 dev eth0
	nsenter --target "${PIDS[net]}" --net -- ip address add 10.99.0.7/24 dev eth0
}
attacked hosts.self "another address in the kernel than in the file" readdress
nsenter --target "${PIDS[net]}" --net -- ip address add 10.99.0.2/24 dev eth0
cp "$GIVEN/account/token" "$WORK/token"
other_token() { token thieves >"$GIVEN/account/token"; }
attacked token.subject "a token of another namespace" other_token
cp "$WORK/token" "$GIVEN/account/token"
renewed
jq '.process.env += ["LD_PRELOAD=/evil/x.so"]' "$WORK/config.json" >"$BUNDLE/config.json"
container_start
finds env.loader "${LIVE[@]}"
verdict 0 "${LIVE[@]}" --no-env
verdict 1 --learn --pid "$PID"
expect_line "$WORK/err" 'env\.loader'
cp "$WORK/config.json" "$BUNDLE/config.json"

say "a process that has ended is none, not another"
container_finish
usage 'no process' --pid "$PID"
say "$checked runs"
