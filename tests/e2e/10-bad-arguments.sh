#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input: what cannot be meant ends with 2, what is refused or fails with 1; either way one line that says
# what to do, and nothing half created.
. "$(dirname "$0")/lib.sh"
need python3 openssl

CLI=$SEAL_BUILD/seal
checked=0

# one CODE COMMAND...: that exit status, one line on stderr in the name of the program, nothing on stdout.
one() {
	local program
	program=$(basename "$2")
	expect_exit "$@"
	shift
	[ "$(wc -l <"$WORK/err")" = 1 ] || fail "'$*' printed $(wc -l <"$WORK/err") lines: $(head -c 400 "$WORK/err")"
	[ ! -s "$WORK/out" ] || fail "'$*' failed and still printed: $(head -c 200 "$WORK/out")"
	expect_line "$WORK/err" "^$program: .{12,}"
	expect_no_line "$WORK/err" '[[:cntrl:]]'
	checked=$((checked + 1))
}

usage() { one 2 "$@"; }
# refused PATTERN COMMAND...: the line matches.
refused() {
	local pattern=$1
	shift
	one 1 "$@"
	expect_line "$WORK/err" "$pattern"
}

# A server with a log: the last line counts.
last_line() {
	local pattern=$1 got=0
	shift
	timeout 30 "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || got=$?
	[ "$got" = 1 ] || fail "'$*' ended with $got instead of 1: $(tail -n 3 "$WORK/err")"
	tail -n 1 "$WORK/err" >"$WORK/last"
	expect_line "$WORK/last" "$pattern"
	checked=$((checked + 1))
}
D=(--dir "$ROT_DIR")

say "usage: seal"
usage "$CLI"
usage "$CLI" frobnicate
usage "$CLI" --frobnicate
usage "$CLI" workload
usage "$CLI" workload frobnicate
usage "$CLI" egg
usage "$CLI" peer
usage "$CLI" cert
usage "$CLI" ''
for verb in status version 'workload list'; do
	# shellcheck disable=SC2086
	usage "$CLI" $verb surplus
	# shellcheck disable=SC2086
	usage "$CLI" $verb --frobnicate
	# shellcheck disable=SC2086
	usage "$CLI" $verb -o
	# shellcheck disable=SC2086
	usage "$CLI" $verb -o xml
done
for verb in 'workload create' 'workload show' 'workload delete' 'peer list' 'egg mint' 'egg show' 'egg revoke' 'cert issue' \
	'peer allow' 'peer deny' 'peer allow shop' 'peer allow shop web' 'peer deny shop web'; do
	# shellcheck disable=SC2086
	usage "$CLI" $verb "${D[@]}"
	# shellcheck disable=SC2086
	usage "$CLI" $verb a-thing another third fourth "${D[@]}"
	# shellcheck disable=SC2086
	usage "$CLI" $verb shop web db --frobnicate "${D[@]}"
done
usage "$CLI" status --dir
usage "$CLI" status --dir a --dir b
usage "$CLI" init
usage "$CLI" init "${D[@]}"
usage "$CLI" init --url https://rot.seal.test
usage "$CLI" init "${D[@]}" --url
usage "$CLI" init "${D[@]}" --dir other --url https://rot.seal.test
usage "$CLI" init "${D[@]}" --url https://rot.seal.test --trust-domain a.test --trust-domain b.test
usage "$CLI" egg mint shop --peer web --peer db "${D[@]}"
usage "$CLI" egg mint shop --ttl "${D[@]}" --ttl 1h
usage "$CLI" egg mint shop --ttl soon "${D[@]}"
usage "$CLI" egg mint shop --ttl 0 "${D[@]}"
usage "$CLI" egg mint shop --ttl -1h "${D[@]}"
usage "$CLI" egg mint shop --ttl 99999999999999999999d "${D[@]}"
usage "$CLI" egg mint shop --ttl 400d "${D[@]}"
usage "$CLI" egg mint shop --max-hatches -1 "${D[@]}"
usage "$CLI" egg mint shop --max-hatches many "${D[@]}"
usage "$CLI" egg mint shop --max-hatches 18446744073709551617 "${D[@]}"
usage "$CLI" egg mint shop --allow-plain-config=maybe "${D[@]}"
usage "$CLI" cert issue shop --ttl 1s -o "$WORK/c" "${D[@]}"
usage "$CLI" cert issue shop --ttl 8d -o "$WORK/c" "${D[@]}"

say "usage: seal-rot and seal-proxy"
usage "$SEAL_BUILD/seal-rot"
usage "$SEAL_BUILD/seal-rot" --frobnicate
usage "$SEAL_BUILD/seal-rot" --dir
usage "$SEAL_BUILD/seal-rot" --dir a --dir b
usage "$SEAL_BUILD/seal-rot" --dir a surplus
usage "$SEAL_BUILD/seal-proxy" --frobnicate
usage "$SEAL_BUILD/seal-proxy" surplus
usage "$SEAL_BUILD/seal-proxy" --inbound
usage "$SEAL_BUILD/seal-proxy" --check

say "nothing was created by any of that"
[ -z "$(ls -d "$ROT_DIR" "$WORK/c" other 2>/dev/null)" ] || fail "a usage error left something behind"

say "init: refusals create nothing"
for url in http://rot.seal.test rot.seal.test https:// https://user@rot.seal.test https://rot.seal.test/path \
	https://rot.seal.test:0 https://rot.seal.test:65536 'https://rot.seal.test?x' ''; do
	one_of_1_2=0
	"$CLI" init "${D[@]}" --url "$url" >"$WORK/out" 2>"$WORK/err" </dev/null || one_of_1_2=$?
	[ "$one_of_1_2" = 1 ] || [ "$one_of_1_2" = 2 ] || fail "init --url '$url' ended with $one_of_1_2"
	[ "$(wc -l <"$WORK/err")" = 1 ] || fail "init --url '$url' printed $(wc -l <"$WORK/err") lines"
	[ ! -e "$ROT_DIR" ] || fail "init --url '$url' left a directory"
done
refused 'https' "$CLI" init "${D[@]}" --url http://rot.seal.test
refused '.' "$CLI" init "${D[@]}" --url https://rot.seal.test --trust-domain 'NOT A DOMAIN'
[ ! -e "$ROT_DIR" ] || fail "a refused init left a directory"
refused '.' "$CLI" init --dir "$WORK/no/such/parent" --url https://rot.seal.test
: >"$WORK/a-file"
refused '.' "$CLI" init --dir "$WORK/a-file" --url https://rot.seal.test
[ ! -s "$WORK/a-file" ] || fail "init wrote into a file"

rot_init
(cd "$ROT_DIR" && find . -type f -exec sha256sum {} + | sort) >"$WORK/before"
refused '.' "$CLI" init "${D[@]}" --url https://rot.seal.test
(cd "$ROT_DIR" && find . -type f -exec sha256sum {} + | sort) >"$WORK/after"
expect_same "$WORK/before" "$WORK/after"

say "without a root of trust running"
refused '.' "$CLI" status "${D[@]}"
refused '.' "$CLI" status --dir "$WORK/nowhere"

rot_start
seal workload create shop >/dev/null

say "names outside the grammar, reserved names, things that are there already or not at all"
for name in ab Shop shop_1 -shop 1shop 'sh op' shöp "$(printf 'a%.0s' $(seq 61))" ../shop; do
	refused '.' "$CLI" workload create "${D[@]}" -- "$name"
done
refused '.' "$CLI" workload create shop "${D[@]}"
refused '.' "$CLI" workload show nothere "${D[@]}"
refused '.' "$CLI" workload delete nothere --yes "${D[@]}"
refused '.' "$CLI" workload delete shop "${D[@]}"
for peer in rot init admin ci egg localhost Web web- 'w b' '' '*' a.b; do
	refused '.' "$CLI" egg mint shop --peer "$peer" -o "$WORK/never.egg" "${D[@]}"
	[ "$peer" = '*' ] || refused '.' "$CLI" peer allow shop "${D[@]}" -- "$peer" db
	refused '.' "$CLI" cert issue shop --peer "$peer" -o "$WORK/never.certs" "${D[@]}"
done
for hostname in nodot '*' '*.com' 'a.*.example.com' '*a.example.com' 'a..example.com' '.example.com' 'example.com.' 10.0.0.1 'a b.example.com' ''; do
	refused '.' "$CLI" egg mint shop --hostname "$hostname" -o "$WORK/never.egg" "${D[@]}"
	refused '.' "$CLI" cert issue shop --hostname "$hostname" -o "$WORK/never.certs" "${D[@]}"
done
refused '.' "$CLI" cert issue shop --hostname '*.example.com' -o "$WORK/never.certs" "${D[@]}"
refused '.' "$CLI" egg mint nothere -o "$WORK/never.egg" "${D[@]}"
refused '.' "$CLI" egg show 00000000000000000000000000000000 "${D[@]}"
refused '.' "$CLI" egg revoke 00000000000000000000000000000000 --yes "${D[@]}"
refused '.' "$CLI" egg list nothere "${D[@]}"
refused '.' "$CLI" peer deny shop web db "${D[@]}"
refused '.' "$CLI" peer allow shop any any "${D[@]}"
refused '.' "$CLI" peer list nothere "${D[@]}"
seal peer allow shop web '*' >/dev/null
refused 'web' "$CLI" peer deny shop web db "${D[@]}"

say "files in the way are not overwritten, and refused ones leave nothing"
echo mine >"$WORK/mine"
refused '.' "$CLI" egg mint shop -o "$WORK/mine" "${D[@]}"
[ "$(cat "$WORK/mine")" = mine ] || fail "a file was overwritten"
refused '.' "$CLI" egg mint shop -o "$WORK/no/such/folder/egg" "${D[@]}"
mkdir "$WORK/full"
echo mine >"$WORK/full/mine"
refused '.' "$CLI" cert issue shop -o "$WORK/full" "${D[@]}"
[ "$(ls "$WORK/full")" = mine ] || fail "certificates were put into a folder that was there"
[ -z "$(ls -d "$WORK/never.egg" "$WORK/never.certs" 2>/dev/null)" ] || fail "a refused verb left a file"
seal egg mint shop -o "$WORK/good.egg" >/dev/null
[ "$(stat -c %a "$WORK/good.egg")" = 600 ] || fail "an egg has mode $(stat -c %a "$WORK/good.egg")"
seal cert issue shop -o "$WORK/good.certs" >/dev/null
for file in ca.pem cert.pem key.pem bundle.p12; do
	[ "$(stat -c %a "$WORK/good.certs/$file")" = 600 ] || fail "$file has mode $(stat -c %a "$WORK/good.certs/$file")"
done
seal egg show "$WORK/good.egg" >"$WORK/shown"
seal egg show "$WORK/good.egg" -o json >>"$WORK/shown"
expect_no_line "$WORK/shown" 'PRIVATE KEY'

say "a disk that is full"
mkdir "$WORK/small"
mount -t tmpfs -o size=8k,mode=0700 small "$WORK/small"
head -c 8192 /dev/zero >"$WORK/small/filler" 2>/dev/null || true
refused '.' "$CLI" egg mint shop -o "$WORK/small/egg" "${D[@]}"
refused '.' "$CLI" cert issue shop -o "$WORK/small/certs" "${D[@]}"
refused '.' "$CLI" init --dir "$WORK/small/rot" --url https://rot.seal.test
[ "$(ls "$WORK/small")" = filler ] || fail "on a full disk something half was left: $(ls "$WORK/small")"

say "seal-rot: a port in use, a second server, another schema, another key-encryption key, no directory"
last_line '.' "$SEAL_BUILD/seal-rot" "${D[@]}"
seal status >/dev/null || fail "a second server disturbed the first"
stop rot
[ "$STATUS" = 0 ] || fail "seal-rot ended with $STATUS after SIGTERM"
start home squatter python3 -m http.server --bind 0.0.0.0 "$ROT_PORT"
wait_port home "$ROT_PORT"
last_line "$ROT_PORT" "$SEAL_BUILD/seal-rot" "${D[@]}"
stop squatter
last_line '.' "$SEAL_BUILD/seal-rot" --dir "$WORK/nowhere"
last_line '.' "$SEAL_BUILD/seal-rot" --dir "$WORK/full"
cp -a "$ROT_DIR" "$WORK/altered"
python3 - "$WORK"/altered/*.db <<-'EOF'
	import sqlite3, sys
	with sqlite3.connect(sys.argv[1]) as store:
	    store.execute("PRAGMA user_version = 4000")
EOF
last_line '(newer|version|schema)' "$SEAL_BUILD/seal-rot" --dir "$WORK/altered"
cp -a "$ROT_DIR" "$WORK/rekeyed"
chmod u+w "$WORK/rekeyed/kek"
python3 - "$WORK/rekeyed/kek" <<-'EOF'
	import sys
	with open(sys.argv[1], "r+b") as file:
	    first = file.read(1)
	    file.seek(0)
	    file.write(b"b" if first == b"a" else b"a")
EOF
last_line '(key|KEK|kek)' "$SEAL_BUILD/seal-rot" --dir "$WORK/rekeyed"
rm "$WORK/rekeyed/kek"
last_line '(key|KEK|kek)' "$SEAL_BUILD/seal-rot" --dir "$WORK/rekeyed"
cp -a "$ROT_DIR" "$WORK/loose"
chmod 0644 "$WORK/loose/kek"
last_line '(mode|read|permission|0600)' "$SEAL_BUILD/seal-rot" --dir "$WORK/loose"

say "seal-proxy: eggs that are not there, not readable as eggs, symlinks, open to the world, on a mount"
rot_start
pod_new web
EGG=$(pod_path web /etc/seal/egg)
proxy() { on web "$SEAL_BUILD/seal-proxy" "$@"; }
# Ends by itself with 1 and says why in its last line.
proxy_refused() {
	local pattern=$1 got=0
	shift
	timeout 30 nsenter --target "${PODS[web]}" --mount --net --uts -- "$SEAL_BUILD/seal-proxy" "$@" \
		>"$WORK/out" 2>"$WORK/err" </dev/null || got=$?
	[ "$got" = 1 ] || fail "seal-proxy $* ended with $got instead of 1: $(tail -n 3 "$WORK/err")"
	tail -n 1 "$WORK/err" >"$WORK/last"
	expect_line "$WORK/last" "$pattern"
	checked=$((checked + 1))
}
# The same beforehand, too.
both_refused() {
	proxy_refused "$@"
	proxy_refused "$1" --check "${@:2}"
}
LISTEN=(--inbound '8443=8080')
proxy_refused '/etc/seal/egg' "${LISTEN[@]}"
expect_exit 0 proxy --check "${LISTEN[@]}"
mkdir -p "$(dirname "$EGG")"
mint "$WORK/web.egg" shop --peer web
lay_egg web "$WORK/web.egg"
chmod 0644 "$EGG"
both_refused '/etc/seal/egg' "${LISTEN[@]}"
rm "$EGG"
cp "$WORK/web.egg" "$(dirname "$EGG")/real"
ln -s real "$EGG"
both_refused '/etc/seal/egg' "${LISTEN[@]}"
rm "$EGG"
mkdir "$EGG"
both_refused '/etc/seal/egg' "${LISTEN[@]}"
rmdir "$EGG"
on web mkfifo -m 0400 /etc/seal/egg
both_refused '/etc/seal/egg' "${LISTEN[@]}"
rm "$EGG"
for content in '' garbage "seal-egg.2.$(tail -c 100 "$WORK/web.egg")" "$(head -c 500 "$WORK/web.egg")" "$(cat "$WORK/web.egg")x" \
	"$(head -c 20000 /dev/zero | tr '\0' a)"; do
	printf '%s' "$content" >"$WORK/bad.egg"
	lay_egg web "$WORK/bad.egg"
	both_refused '/etc/seal/egg' "${LISTEN[@]}"
	[ -e "$EGG" ] || fail "an egg that did not hatch was removed"
done
rm "$EGG"
: >"$EGG"
install -m 0400 "$WORK/web.egg" "$WORK/mounted.egg"
on web mount --bind "$WORK/mounted.egg" /etc/seal/egg
both_refused '/etc/seal/egg' "${LISTEN[@]}"
on web umount /etc/seal/egg
rm "$EGG"

say "seal-proxy: an egg without plain_config takes no listeners from flags"
seal egg mint shop --peer web -o "$WORK/sealed-only.egg" >/dev/null
lay_egg web "$WORK/sealed-only.egg"
both_refused '.' "${LISTEN[@]}"
[ -e "$EGG" ] || fail "an egg that did not hatch was removed"

say "seal-proxy --check: an egg that is over"
mint "$WORK/short.egg" shop --peer web --ttl 1s
lay_egg web "$WORK/short.egg"
is_over() { ! proxy --check "${LISTEN[@]}" >/dev/null 2>&1; }
wait_for 10 "the egg to end" is_over
proxy_refused '/etc/seal/egg.*expired' --check "${LISTEN[@]}"
[ -e "$EGG" ] || fail "--check removed an egg"

say "seal-proxy: listeners that cannot be meant"
lay_egg web "$WORK/web.egg"
for words in '--inbound x=8080' '--inbound 8443' '--inbound 8443=' '--inbound =8080' '--inbound 0=8080' '--inbound 65536=8080' \
	'--inbound 8443=10.1.2.3:8080' '--inbound 8443=8080/Not,A,Peer' '--outbound 0.0.0.0:5432=db:8443' '--outbound 5432' \
	'--outbound 5432=db' '--outbound 5432=db:8443/' '--inbound 8443=8080 --inbound 8443=8081' '--health nowhere'; do
	got=0
	# shellcheck disable=SC2086
	timeout 30 nsenter --target "${PODS[web]}" --mount --net --uts -- "$SEAL_BUILD/seal-proxy" --check $words \
		>"$WORK/out" 2>"$WORK/err" </dev/null || got=$?
	[ "$got" = 1 ] || [ "$got" = 2 ] || fail "seal-proxy --check $words ended with $got"
	[ -s "$WORK/err" ] || fail "seal-proxy --check $words says nothing"
	checked=$((checked + 1))
done
expect_exit 0 proxy --check --inbound 8443=8080 --outbound 5432=db:8443/db
printf 'inbound:\n  - listen: 0.0.0.0:8443\n    forward: 127.0.0.1:8080\n    peeers: [web]\n' >"$WORK/typo.yaml"
got=0
proxy --check --config "$WORK/typo.yaml" >"$WORK/out" 2>"$WORK/err" || got=$?
[ "$got" = 1 ] || fail "a configuration with an unknown key ended with $got"
expect_line "$WORK/err" 'typo.yaml:4.*peeers|peeers.*line 4'

say "seal-proxy: a port in use; a folder of credentials that is not there, or whose key is open to the world"
start web squatter python3 -m http.server --bind 0.0.0.0 8443
wait_port web 8443
proxy_refused '8443' "${LISTEN[@]}"
stop squatter
both_refused 'there is an egg' --credentials "$WORK/good.certs" --inbound 8443=8080/web
rm "$EGG"
both_refused 'nowhere' --credentials "$WORK/nowhere" --inbound 8443=8080/web
cp -a "$WORK/good.certs" "$WORK/open.certs"
chmod 0644 "$WORK/open.certs/key.pem"
both_refused 'open.certs.*key.pem' --credentials "$WORK/open.certs" --inbound 8443=8080/web
cp -a "$WORK/good.certs" "$WORK/mixed.certs"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$WORK/mixed.certs/key.pem" 2>/dev/null
chmod 0600 "$WORK/mixed.certs/key.pem"
both_refused "mixed.certs.*the key is not the certificate's" --credentials "$WORK/mixed.certs" --inbound 8443=8080/web
for file in ca.pem cert.pem key.pem; do
	rm -rf "$WORK/broken.certs"
	cp -a "$WORK/good.certs" "$WORK/broken.certs"
	echo garbage >"$WORK/broken.certs/$file"
	both_refused "broken.certs.*$file" --credentials "$WORK/broken.certs" --inbound 8443=8080/web
	rm "$WORK/broken.certs/$file"
	both_refused "broken.certs.*$file" --credentials "$WORK/broken.certs" --inbound 8443=8080/web
done
expect_exit 0 proxy --check --credentials "$WORK/good.certs" --inbound 8443=8080/web
proxy_refused '.' --credentials "$WORK/good.certs" --inbound 8443=8080

say "$checked refusals, each with its own line"
