#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The seal command as people and programs use it: help for everything, three formats, the socket and HTTPS,
# the environment, questions at a terminal, and files that other tools open.
. "$(dirname "$0")/lib.sh"
need python3 openssl jq curl

CLI=$SEAL_BUILD/seal
D=(--dir "$ROT_DIR")

# at_terminal ANSWER COMMAND...: with a terminal on all three descriptors; what it shows goes to $WORK/out.
at_terminal() {
	python3 - "$@" >"$WORK/out" <<-'EOF_PY'
		import os, pty, select, sys
		answer, command = sys.argv[1], sys.argv[2:]
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(command[0], command)
		os.write(fd, answer.encode())
		shown = b""
		while select.select([fd], [], [], 20)[0]:
		    try:
		        chunk = os.read(fd, 4096)
		    except OSError:
		        break
		    if not chunk:
		        break
		    shown += chunk
		sys.stdout.buffer.write(shown)
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	EOF_PY
}

say "every verb explains itself"
expect_exit 0 "$CLI" help
verbs=$(sed -n 's/^  \([a-z]* \{0,1\}[a-z-]*\)  .*/\1/p' "$WORK/out")
[ "$(wc -l <<<"$verbs")" -ge 20 ] || fail "help lists too few verbs: $verbs"
while read -r verb; do
	# shellcheck disable=SC2086
	expect_exit 0 "$CLI" $verb --help
	expect_line "$WORK/out" "^usage: seal $verb"
	expect_line "$WORK/out" '^  -h, --help '
	[ ! -s "$WORK/err" ] || fail "seal $verb --help wrote to standard error"
	# shellcheck disable=SC2086
	expect_exit 0 "$CLI" help $verb
done <<<"$verbs"
for words in '--help' '-h' 'workload --help' 'egg -h' 'help egg' 'version' '--version'; do
	# shellcheck disable=SC2086
	expect_exit 0 "$CLI" $words
	[ -s "$WORK/out" ] || fail "seal $words says nothing"
done
[ "$("$CLI" version -o json | jq -r .version)" = "$("$CLI" version | cut -d' ' -f2)" ] || fail "two versions"

say "the shell completes verbs, their second words and options"
# completes_as PROGRAM FUNCTION WANT WORD...
completes_as() {
	local program=$1 function=$2 want=$3 got
	shift 3
	got=$(
		compopt() { :; }
		# shellcheck disable=SC1090
		. <("$CLI" completion bash)
		# shellcheck source=docs/completion/seal-proxy
		. "$TOP/docs/completion/seal-proxy"
		COMP_WORDS=("$program" "$@") COMP_CWORD=$#
		"$function"
		printf '%s ' "${COMPREPLY[@]}"
	)
	[[ " $got" == *" $want "* ]] || fail "'$program $*' completes to '$got', not '$want'"
}
completes() { completes_as "$CLI" _seal "$@"; }
proxy_completes() { completes_as "$SEAL_BUILD/seal-proxy" _seal_proxy "$@"; }
completes workload w
completes delete workload d
completes rotate-key workload ro
completes --container egg mint --c
completes --namespace seal shop --n
completes mint --dir /x egg m
completes --max-hatches egg mint --m
completes --p12-password-file cert issue shop --p
completes --dir status --d
completes yaml status --output y
completes mint help egg mi
proxy_completes status s
proxy_completes --control status --c
proxy_completes json status --output j
proxy_completes debug log-level d
proxy_completes --max-per-source --inbound 8443=8080 --max
proxy_completes --public capture-rules --p

rot_init
rot_start
seal workload create shop >/dev/null
seal peer allow shop web db >/dev/null

say "the socket, HTTPS with a credential, several URLs, and the environment reach the same root of trust"
want=$(seal status -o json | jq -r .ca_fingerprint)
same() { [ "$("$@" -o json | jq -r .ca_fingerprint)" = "$want" ] || fail "'$*' reached something else"; }
URL=https://127.0.0.1:$ROT_PORT
same "$CLI" --dir "$ROT_DIR" status
same "$CLI" status --dir="$ROT_DIR"
same "$CLI" status --url "$URL" --credentials "$ROT_DIR/admin"
same "$CLI" status --url https://127.0.0.1:1 --url "$URL" --credentials "$ROT_DIR/admin"
same env SEAL_DIR="$ROT_DIR" "$CLI" status
same env SEAL_URL="https://127.0.0.1:1, $URL" SEAL_CREDENTIALS="$ROT_DIR/admin" "$CLI" status
same env SEAL_DIR=/nowhere "$CLI" status "${D[@]}"
mkdir -p "$WORK/home/.config"
cp -a "$ROT_DIR/admin" "$WORK/home/.config/seal"
same env HOME="$WORK/home" XDG_CONFIG_HOME= "$CLI" status --url "$URL"
same env XDG_CONFIG_HOME="$WORK/home/.config" HOME=/nowhere "$CLI" status --url "$URL"
same env https_proxy=http://127.0.0.1:1 SSL_CERT_FILE=/nowhere "$CLI" status --url "$URL" --credentials "$ROT_DIR/admin"
expect_exit 2 env SEAL_DIR="$ROT_DIR" SEAL_URL="$URL" "$CLI" status
expect_exit 2 env HOME=/nowhere XDG_CONFIG_HOME= "$CLI" status
expect_exit 1 "$CLI" status --url "$URL" --credentials "$WORK/nowhere"
expect_line "$WORK/err" '--credentials'
cp -a "$ROT_DIR/admin" "$WORK/loose"
chmod 0644 "$WORK/loose/key.pem"
expect_exit 1 "$CLI" status --url "$URL" --credentials "$WORK/loose"
expect_line "$WORK/err" 'key.pem'

say "another root of trust at the URL is not believed, and is told nothing"
"$CLI" init --dir "$WORK/other" --url "https://127.0.0.1:$ROT_PORT" --trust-domain seal.test >/dev/null
expect_exit 1 "$CLI" status --url "$URL" --credentials "$WORK/other/admin"
expect_line "$WORK/err" "$URL: the server's certificate"
expect_no_line "$WORK/err" '--dir'

say "json and yaml say the same"
python3 -c 'import yaml' 2>/dev/null && compare=yes || compare=
for words in status 'workload list' 'workload show shop' 'peer list shop' 'egg list' 'egg list shop'; do
	# shellcheck disable=SC2086
	seal $words -o json | jq -S 'del(.time)' >"$WORK/a.json"
	# shellcheck disable=SC2086
	seal $words --output yaml >"$WORK/a.yaml"
	[ -n "$compare" ] || continue
	python3 -c 'import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))' <"$WORK/a.yaml" |
		jq -S 'del(.time)' >"$WORK/b.json"
	expect_same "$WORK/a.json" "$WORK/b.json"
done

say "lists go on beyond one page"
for i in $(seq 105); do seal workload create "w-$i-x" >/dev/null; done
[ "$(seal workload list -o json | jq '.workloads | length')" = 106 ] || fail "not every workload is in the list"
[ "$(seal workload list | wc -l)" = 107 ] || fail "not every workload is in the table"

say "an egg goes to a file or a pipe, never to a terminal, and never twice"
seal egg mint shop --peer web | head -c 11 >"$WORK/start"
[ "$(cat "$WORK/start")" = seal-egg.1. ] || fail "no egg in the pipe"
got=0
at_terminal '' "$CLI" egg mint shop --peer web "${D[@]}" || got=$?
[ "$got" = 2 ] || fail "an egg was shown at a terminal ($got)"
expect_no_line "$WORK/out" 'seal-egg\.1'
expect_line "$WORK/out" '-o FILE'
count=$(seal egg list shop -o json | jq '.eggs | length')
expect_exit 1 "$CLI" egg mint shop -o "$WORK/no/such/egg" "${D[@]}"
[ "$(seal egg list shop -o json | jq '.eggs | length')" = "$count" ] || fail "an egg was minted for nobody"
got=0
"$CLI" egg mint shop "${D[@]}" >/dev/full 2>"$WORK/err" || got=$?
[ "$got" = 1 ] || fail "an egg into a full device ended with $got"
expect_line "$WORK/err" 'was revoked'
[ "$(seal egg list shop -o json | jq -r '.eggs[-1].state')" = revoked ] || fail "an egg nobody has can hatch"
expect_exit 0 "$CLI" egg mint shop --peer web --hostname '*.apps.example.com' --ttl 1h --max-hatches 2 \
	-o "$WORK/web.egg" --output json "${D[@]}"
[ "$(jq -r '"\(.peer) \(.hostnames[0]) \(.max_hatches) \(.plain_config) \(.not_after - .created_at)"' "$WORK/out")" = \
	'web *.apps.example.com 2 false 3600' ] || fail "minted something else: $(cat "$WORK/out")"
chmod 0644 "$WORK/web.egg"
expect_exit 1 "$CLI" egg show "$WORK/web.egg"
expect_line "$WORK/err" 'web.egg'
chmod 0600 "$WORK/web.egg"
ln -s web.egg "$WORK/link.egg"
expect_exit 1 "$CLI" egg show "$WORK/link.egg"

say "what destroys asks at a terminal"
id=$("$CLI" egg show "$WORK/web.egg" -o json | jq -r .id)
state() { seal egg show "$id" -o json | jq -r .state; }
for answer in $'\n' $'n\n' $'yess\n' $'\004'; do
	got=0
	at_terminal "$answer" "$CLI" egg revoke "$id" "${D[@]}" || got=$?
	[ "$got" = 1 ] || fail "answered '$answer' and ended with $got"
	[ "$(state)" = live ] || fail "revoked after '$answer'"
done
expect_exit 1 "$CLI" egg revoke "$id" "${D[@]}"
expect_line "$WORK/err" '--yes'
[ "$(state)" = live ] || fail "revoked without asking"
at_terminal $'y\n' "$CLI" egg revoke "$id" "${D[@]}" || fail "not revoked after y"
[ "$(state)" = revoked ] || fail "not revoked after y"
got=0
at_terminal $'n\n' "$CLI" operator revoke first "${D[@]}" || got=$?
[ "$got" = 1 ] || fail "the last admin's revocation ended with $got after n"
expect_line "$WORK/out" 'revoke operator first, the last admin \(only the local socket remains\)\? \[y/N\]'
[ "$(seal operator list -o json | jq -r '.operators[0].state')" = live ] || fail "revoked after n"
expect_exit 1 "$CLI" workload delete w-1-x "${D[@]}"
at_terminal $'yes\n' "$CLI" workload delete w-1-x "${D[@]}" || fail "not deleted after yes"
expect_exit 1 "$CLI" workload show w-1-x "${D[@]}"
expect_exit 0 "$CLI" workload delete w-2-x -y "${D[@]}"

say "issued files are what other tools expect"
printf 'pass word\n' >"$WORK/password"
chmod 0600 "$WORK/password"
seal cert issue shop --peer web --hostname www.example.com --ttl 1h --p12-password-file "$WORK/password" -o "$WORK/web/" >/dev/null
[ "$(stat -c %a "$WORK/web")" = 700 ] || fail "the directory has mode $(stat -c %a "$WORK/web")"
[ "$(cd "$WORK/web" && echo *)" = 'bundle.p12 ca.pem cert.pem key.pem' ] || fail "other files: $(ls "$WORK/web")"
openssl verify -CAfile "$WORK/web/ca.pem" "$WORK/web/cert.pem" >/dev/null
openssl x509 -in "$WORK/web/cert.pem" -noout -ext subjectAltName >"$WORK/names"
expect_line "$WORK/names" 'DNS:www.example.com'
expect_line "$WORK/names" 'URI:spiffe://seal.test/workload/shop/peer/web'
[ "$(openssl pkey -in "$WORK/web/key.pem" -pubout)" = "$(openssl x509 -in "$WORK/web/cert.pem" -noout -pubkey)" ] ||
	fail "the key is not the certificate's"
openssl pkcs12 -in "$WORK/web/bundle.p12" -passin 'pass:pass word' -nodes -out "$WORK/p12.pem" 2>/dev/null ||
	fail "the bundle does not open with its password"
[ "$(openssl pkey -in "$WORK/p12.pem" -pubout)" = "$(openssl pkey -in "$WORK/web/key.pem" -pubout)" ] ||
	fail "another key is in the bundle"
! openssl pkcs12 -in "$WORK/web/bundle.p12" -passin pass: -nodes -out /dev/null 2>/dev/null ||
	fail "the bundle opens without its password"
seal cert issue shop -o "$WORK/any" >/dev/null
openssl pkcs12 -in "$WORK/any/bundle.p12" -passin pass: -nodes -out /dev/null 2>/dev/null ||
	fail "the bundle does not open with the empty password"
for bad in '' $'two\nlines\n'; do
	printf '%s' "$bad" >"$WORK/password"
	expect_exit 1 "$CLI" cert issue shop --p12-password-file "$WORK/password" -o "$WORK/never" "${D[@]}"
done
printf 'secret\n' >"$WORK/password"
chmod 0644 "$WORK/password"
expect_exit 1 "$CLI" cert issue shop --p12-password-file "$WORK/password" -o "$WORK/never" "${D[@]}"
[ ! -e "$WORK/never" ] || fail "a refused issue left files"

say "output that cannot be written is a failure"
full() {
	local got=0
	"$CLI" "$@" >/dev/full 2>"$WORK/err" || got=$?
	[ "$got" = 1 ] || fail "seal $* into a full device ended with $got"
}
full help
full --help
full help egg
full egg --help
full egg show --help
full version
full version -o json
full status "${D[@]}"
full workload list "${D[@]}"
