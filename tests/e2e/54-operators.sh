#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operators: three roles at work, one of them revoked in the middle of a connection, credentials kept in profiles for
# two roots of trust and closed to others, and a shell that knows what can be said.
# Takes: 25 s
. "$(dirname "$0")/lib.sh"
need python3 openssl jq curl

CLI=$SEAL_BUILD/seal
export HOME=$WORK/home XDG_CONFIG_HOME=
unset SEAL_DIR SEAL_URL SEAL_PROFILE SEAL_CREDENTIALS
PROFILES=$HOME/.config/seal/profiles
URL=https://127.0.0.1:$ROT_PORT
mkdir "$HOME"

say "what init made becomes the default profile, and is in the list"
rot_init
expect_line "$LOGS/init.log" "^USE IT WITH +seal profile add default $ROT_DIR/admin\$"
rot_start
expect_exit 2 "$CLI" status
expect_line "$WORK/err" '--profile NAME'
expect_exit 0 "$CLI" profile add default "$ROT_DIR/admin"
[ "$("$CLI" status -o json | jq -r '"\(.caller.role)/\(.caller.name)"')" = admin/first ] || fail "we are not the first admin"
[ "$(stat -c %a "$HOME/.config" "$HOME/.config/seal" "$PROFILES" "$PROFILES/default" "$PROFILES/default"/* | sort -u | paste -sd ' ')" = \
	'600 700' ] || fail "the profile is open: $(ls -laR "$HOME/.config")"
expect_exit 1 "$CLI" profile add default "$ROT_DIR/admin"
expect_line "$WORK/err" 'already'
[ "$("$CLI" operator list -o json | jq -r '.operators[] | "\(.name) \(.role) \(.state)"')" = 'first admin live' ] ||
	fail "the first admin is not in the list"

say "three roles do what is theirs"
"$CLI" workload create shop >/dev/null
for who in 'alice admin' 'carl ci' 'olga auditor'; do
	read -r name role <<<"$who"
	expect_exit 0 "$CLI" operator add "$name" --role "$role" --ttl 1h -o "$WORK/$name" --output json
	[ "$(jq -r '"\(.role) \(.state) \(.not_after - .created_at)"' "$WORK/out")" = "$role live 3600" ] ||
		fail "added something else: $(cat "$WORK/out")"
	[ "$(stat -c %a "$WORK/$name" "$WORK/$name"/* | paste -sd ' ')" = '700 600 600 600 600' ] || fail "$name's directory is open"
	[ "$(cat "$WORK/$name/urls")" = "https://$ROT_HOST:$ROT_PORT" ] || fail "$name has no URL"
	[ "$(names "$WORK/$name/cert.pem")" = "URI:spiffe://seal.test/operator/$role/$name" ] || fail "$name is somebody else"
	[ "$(openssl pkey -in "$WORK/$name/key.pem" -pubout)" = "$(openssl x509 -in "$WORK/$name/cert.pem" -noout -pubkey)" ] ||
		fail "$name's key is not the certificate's"
	expect_exit 0 "$CLI" profile add "$name" "$WORK/$name"
done
as() { "$CLI" --profile "$1" "${@:2}"; }
may() { expect_exit 0 as "$@"; }
may_not() {
	expect_exit 1 as "$@"
	expect_line "$WORK/err" '^seal: this role may not do that$'
}
for who in alice carl olga; do
	for words in status 'workload list' 'workload show shop' 'peer list shop' 'egg list'; do
		# shellcheck disable=SC2086
		may "$who" $words
	done
done
may alice workload create bank
may alice operator list
may olga operator list
may_not carl operator list
may carl egg mint shop -o "$WORK/carl.egg"
may_not olga egg mint shop -o "$WORK/olga.egg"
[ ! -e "$WORK/olga.egg" ] || fail "an auditor has an egg"
printf secret >"$WORK/plain"
may carl seal shop "$WORK/plain" --kind Secret --name s --key k
cp "$WORK/out" "$WORK/sealed"
may_not olga seal shop "$WORK/plain" --kind Secret --name s --key k
may alice unseal "$WORK/sealed"
[ "$(cat "$WORK/out")" = secret ] || fail "unsealed something else"
for who in carl olga; do
	may_not "$who" unseal "$WORK/sealed"
	may_not "$who" workload create third
	may_not "$who" workload delete shop --yes
	may_not "$who" workload rotate-key shop
	may_not "$who" peer allow shop web db
	may_not "$who" cert issue shop -o "$WORK/never"
	may_not "$who" egg revoke "$(jq -rn '"0" * 32')" --yes
	may_not "$who" operator add "$who-2" --role admin -o "$WORK/never"
	may_not "$who" operator revoke first --yes
done
[ ! -e "$WORK/never" ] || fail "a refused verb left files"
[ "$("$CLI" operator list -o json | jq '.operators | length')" = 4 ] || fail "other operators than were added"

say "nobody is heard without a certificate, or with one of another's"
for path in /v1/status /v1/operators /v1/hatch /; do
	[ "$(curl -sk -o "$WORK/body" -w '%{http_code}' "$URL$path")" = 000 ] || fail "$path was answered to nobody"
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/mallory.key" -out "$WORK/mallory.pem" -days 1 \
	-subj /CN=first -addext subjectAltName=URI:spiffe://seal.test/operator/admin/first -addext extendedKeyUsage=clientAuth 2>/dev/null
[ "$(curl -sk --cert "$WORK/mallory.pem" --key "$WORK/mallory.key" -o "$WORK/body" -w '%{http_code}' "$URL/v1/status")" = 000 ] ||
	fail "a certificate of nobody's was taken"

say "a name is there once, until it is revoked"
expect_exit 1 "$CLI" operator add carl --role admin -o "$WORK/never"
expect_line "$WORK/err" "operator 'carl' already"
[ ! -e "$WORK/never" ] || fail "a refused operator left files"
expect_exit 1 "$CLI" operator add new --role ci -o "$WORK/carl"
expect_line "$WORK/err" 'is there already'
expect_exit 1 "$CLI" operator add local --role ci
expect_line "$WORK/err" 'reserved'

say "a new key and certificate take the old ones' place"
before=$(openssl x509 -in "$PROFILES/carl/cert.pem" -noout -serial)
cp -a "$PROFILES/carl" "$WORK/carl.old"
may carl operator renew
[ "$(openssl x509 -in "$PROFILES/carl/cert.pem" -noout -serial)" != "$before" ] || fail "the certificate is the old one"
! cmp -s "$PROFILES/carl/key.pem" "$WORK/carl.old/key.pem" || fail "the key is the old one"
[ "$(ls -A "$PROFILES")" = "$(printf '%s\n' alice carl default olga)" ] || fail "renewing left something: $(ls -A "$PROFILES")"
[ "$(stat -c %a "$PROFILES/carl" "$PROFILES/carl"/* | sort -u | paste -sd ' ')" = '600 700' ] || fail "what was renewed is open"
may carl status
expect_exit 0 "$CLI" --url "$URL" --credentials "$WORK/carl.old" status
may carl operator renew
expect_exit 1 "$CLI" --url "$URL" --credentials "$WORK/carl.old" status
expect_line "$WORK/err" 'revoked'
expect_exit 2 seal operator renew

say "one renewal of a credential at a time"
before=$(openssl x509 -in "$PROFILES/carl/cert.pem" -noout -serial)
expect_exit 1 flock "$PROFILES/carl" "$CLI" --profile carl operator renew
expect_line "$WORK/err" 'just being renewed'
[ "$(openssl x509 -in "$PROFILES/carl/cert.pem" -noout -serial)" = "$before" ] || fail "it was renewed all the same"
may carl status
for ((i = 0; i < 6; i++)); do
	"$CLI" --profile carl operator renew >"$LOGS/renew-$i.log" 2>&1 &
	PIDS[renew-$i]=$!
done
for ((i = 0; i < 6; i++)); do
	wait "${PIDS[renew-$i]}" || grep -q 'renewed by somebody else' "$LOGS/renew-$i.log" ||
		fail "of renewals at once: $(cat "$LOGS/renew-$i.log")"
	unset "PIDS[renew-$i]"
done
[ "$(openssl x509 -in "$PROFILES/carl/cert.pem" -noout -serial)" != "$before" ] || fail "nobody has renewed"
may carl status
[ "$(ls -A "$PROFILES")" = "$(printf '%s\n' alice carl default olga)" ] || fail "renewing left something: $(ls -A "$PROFILES")"
cp -a "$PROFILES/carl" "$WORK/carl.more"
touch "$WORK/carl.more/notes"
expect_exit 1 "$CLI" --url "$URL" --credentials "$WORK/carl.more" operator renew
expect_line "$WORK/err" "'notes'"

say "a revoked operator is refused with the next request of a connection that is open"
python3 - "$WORK/alice" "$CLI" "$ROT_DIR" "$ROT_PORT" >"$WORK/live" <<'EOF_PY'
import http.client, ssl, subprocess, sys
own, cli, home, port = sys.argv[1:]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
tls.check_hostname = False
tls.load_verify_locations(own + "/ca.pem")
tls.load_cert_chain(own + "/cert.pem", own + "/key.pem")
line = http.client.HTTPSConnection("127.0.0.1", int(port), context=tls)
line.connect()
first = line.sock
for path, before in (("/v1/status", None), ("/v1/workloads", "revoke"), ("/v1/status", None)):
    if before:
        subprocess.run([cli, "--dir", home, "operator", before, "alice", "--yes"], check=True, stdout=subprocess.DEVNULL)
    line.request("GET", path)
    answer = line.getresponse()
    body = answer.read().decode()
    print(answer.status, body if answer.status != 200 else "")
    assert line.sock is first, "another connection"
EOF_PY
[ "$(sed -n 1p "$WORK/live")" = '200 ' ] || fail "not served before: $(cat "$WORK/live")"
for n in 2 3; do
	[ "$(sed -n ${n}p "$WORK/live")" = '403 {"error":{"code":"forbidden","message":"this credential was revoked"}}' ] ||
		fail "after it was revoked: $(cat "$WORK/live")"
done
expect_exit 1 as alice workload create late
expect_exit 0 seal operator revoke alice --yes
[ "$("$CLI" operator list -o json | jq -r '.operators[] | select(.name == "alice").state')" = revoked ] || fail "alice is not revoked"
expect_exit 0 "$CLI" operator add alice --role auditor -o "$WORK/alice.new"
expect_exit 1 as alice status

say "what destroys asks; the last admin can go"
expect_exit 1 "$CLI" operator revoke first
expect_line "$WORK/err" '--yes'
expect_exit 0 "$CLI" operator revoke first --yes
expect_line "$WORK/err" 'no admin is left: only the local socket remains'
expect_exit 1 "$CLI" status
expect_exit 0 seal operator add second --role admin -o "$WORK/second"
expect_exit 0 "$CLI" profile add second "$WORK/second"

say "a restart forgets nobody"
stop rot
rot_start
expect_exit 1 "$CLI" status
expect_exit 0 "$CLI" --profile second status

say "two roots of trust by their profiles"
"$CLI" init --dir "$WORK/rot2" --url "https://127.0.0.1:9443" --trust-domain other.test >/dev/null
start home rot2 "$SEAL_BUILD/seal-rot" --dir "$WORK/rot2"
wait_for 20 "the second root of trust" "$CLI" --dir "$WORK/rot2" status
expect_exit 0 "$CLI" profile add other "$WORK/rot2/admin"
domain() { "$@" status -o json | jq -r .trust_domain; }
[ "$(domain "$CLI" --profile other)" = other.test ] || fail "not the other one"
[ "$(domain "$CLI" --profile second)" = seal.test ] || fail "not the first one"
[ "$(domain env SEAL_PROFILE=other "$CLI")" = other.test ] || fail "not the other one by the environment"
[ "$(domain env SEAL_PROFILE=other "$CLI" --profile second)" = seal.test ] || fail "the environment went before the command line"
expect_exit 0 "$CLI" profile use other
[ "$(domain "$CLI")" = other.test ] || fail "the profile in use is not used"
[ "$("$CLI" profile list -o json | jq -r '.profiles[] | select(.current).name')" = other ] || fail "another profile is current"
expect_exit 2 env SEAL_PROFILE=other SEAL_DIR="$ROT_DIR" "$CLI" status
expect_exit 2 env SEAL_PROFILE=other SEAL_URL="$URL" "$CLI" status
[ "$(domain env SEAL_DIR="$ROT_DIR" "$CLI")" = seal.test ] || fail "the profile went before the environment"
expect_exit 1 "$CLI" --profile nobody status
expect_line "$WORK/err" "no profile 'nobody'"
expect_exit 1 "$CLI" profile use nobody
expect_exit 1 "$CLI" profile remove other
expect_line "$WORK/err" '--yes'
expect_exit 0 "$CLI" profile remove other --yes
[ ! -e "$PROFILES/other" ] || fail "the profile is there yet"
expect_exit 1 "$CLI" status # the default again, which was revoked
expect_exit 0 "$CLI" profile add moved "$WORK/second" --url https://127.0.0.1:1 --url "$URL"
[ "$(domain "$CLI" --profile moved)" = seal.test ] || fail "not reached by its second URL"
expect_exit 1 "$CLI" profile add egg "$WORK/rot2"
stop rot2

say "what others can read is refused, with the remedy"
refused_for() {
	expect_exit 1 "$CLI" --profile second status
	expect_line "$WORK/err" "$1"
	[ "$("$CLI" profile list -o json | jq -r '.profiles[] | select(.name == "second").problem')" != null ] ||
		fail "the list finds nothing wrong"
}
chmod 0750 "$PROFILES/second"
refused_for 'chmod 700'
chmod 0700 "$PROFILES/second"
chmod 0640 "$PROFILES/second/key.pem"
chown :nogroup "$PROFILES/second/key.pem"
chmod 0644 "$PROFILES/second/key.pem"
refused_for 'chmod 600'
chmod 0600 "$PROFILES/second/key.pem"
chmod 0666 "$PROFILES/second/ca.pem"
refused_for 'chmod'
chmod 0600 "$PROFILES/second/ca.pem"
cp "$WORK/carl/key.pem" "$PROFILES/second/key.pem"
refused_for 'not the key of the certificate'
cp "$WORK/second/key.pem" "$PROFILES/second/key.pem"
expect_exit 0 "$CLI" --profile second status
[ ! -s "$WORK/err" ] || fail "a fresh credential is warned of: $(cat "$WORK/err")"

say "a credential near its end is warned of"
if python3 -c 'import cryptography' 2>/dev/null; then
	python3 - "$WORK/second" "$WORK/late" "$WORK/ended" <<-'EOF_PY'
		import datetime, os, shutil, sys
		from cryptography import x509
		from cryptography.hazmat.primitives import hashes, serialization
		own, *new = sys.argv[1:]
		key = serialization.load_pem_private_key(open(own + "/key.pem", "rb").read(), None)
		now = datetime.datetime.utcnow()
		name = x509.Name([])
		for path, hours in zip(new, (5 * 24 + 1, -1)):
		    shutil.copytree(own, path)
		    uri = x509.UniformResourceIdentifier("spiffe://seal.test/operator/admin/second")
		    cert = x509.CertificateBuilder(name, name, key.public_key(), 1, now - datetime.timedelta(days=360),
		        now + datetime.timedelta(hours=hours)).add_extension(x509.SubjectAlternativeName([uri]), False)
		    open(path + "/cert.pem", "wb").write(cert.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
	EOF_PY
	expect_exit 1 "$CLI" status --url "$URL" --credentials "$WORK/late"
	expect_line "$WORK/err" "^seal: warning: the credential of operator 'second' expires in 5 days: renew it with 'seal operator renew'$"
	expect_exit 1 "$CLI" status --url "$URL" --credentials "$WORK/ended"
	expect_line "$WORK/err" "^seal: warning: the credential of operator 'second' has expired: ask an admin"
fi

say "json and yaml say the same, of every verb here"
if python3 -c 'import yaml' 2>/dev/null; then
	for words in 'operator list' 'profile list' 'profile use second' 'operator revoke carl --yes' 'profile remove alice --yes'; do
		# shellcheck disable=SC2086
		"$CLI" --output yaml $words --profile second >"$WORK/a.yaml" 2>/dev/null || "$CLI" --output yaml $words >"$WORK/a.yaml"
		python3 -c 'import json,sys,yaml; d = yaml.safe_load(sys.stdin); assert isinstance(d, dict) and d; print(json.dumps(d))' \
			<"$WORK/a.yaml" >"$WORK/b.json" || fail "seal $words -o yaml: $(cat "$WORK/a.yaml")"
		jq -e . "$WORK/b.json" >/dev/null
	done
	"$CLI" operator list -o json | jq -S . >"$WORK/a.json"
	"$CLI" operator list -o yaml | python3 -c 'import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))' | jq -S . >"$WORK/b.json"
	expect_same "$WORK/a.json" "$WORK/b.json"
fi

say "what changes something shows it in both formats, too"
# shows WORD...: the result is an object, as JSON and as YAML; # is another number each time.
shows() {
	local format
	for format in json yaml; do
		expect_exit 0 "$CLI" "${@//#/$format}" --output "$format" --profile second
		if [ "$format" = json ]; then
			jq -e 'type == "object"' "$WORK/out" >/dev/null || fail "$*: $(cat "$WORK/out")"
		else
			! grep -q '^{' "$WORK/out" || fail "$*: JSON for YAML"
			expect_line "$WORK/out" '^[a-z_]+:'
		fi
	done
}
shows workload create 'ones-#'
shows workload rotate-key 'ones-#'
shows peer allow 'ones-#' web db
shows peer deny 'ones-#' web db
shows egg mint 'ones-#' -o "$WORK/ones-#.egg"
shows egg show "$WORK/ones-#.egg"
shows cert issue 'ones-#' -o "$WORK/ones-#"
shows seal 'ones-#' "$WORK/plain" --kind Secret --name s --key k
shows unseal "$WORK/sealed"
shows operator add 'ones-#' --role ci -o "$WORK/ones-#.operator"
shows operator revoke 'ones-#' --yes
shows operator renew
shows workload delete 'ones-#' --yes

say "kubectl seal is seal"
mkdir "$WORK/bin"
ln -s "$CLI" "$WORK/bin/kubectl-seal"
[ "$("$WORK/bin/kubectl-seal" operator list -o json | jq -r '.operators[0].name')" = alice ] || fail "kubectl-seal is something else"

# The words that a shell hands over: typed to the key, completed by seal, noted by what stands in its place.
say "bash, fish and zsh complete verbs, options and names"
cat >"$WORK/bin/seal" <<EOF_SH
#!/bin/sh
case \$1 in __complete | completion) exec "$CLI" "\$@" ;; esac
printf '%s|' "\$@" >>"$WORK/typed"
echo >>"$WORK/typed"
EOF_SH
chmod +x "$WORK/bin/seal"
rm "$WORK/bin/kubectl-seal"
ln -s seal "$WORK/bin/kubectl-seal"
"$CLI" peer allow shop web db >/dev/null
"$CLI" workload create open --open >/dev/null
id=$("$CLI" egg list shop -o json | jq -r '.eggs[0].id')
mkdir -p "$WORK/folder/only"
for shell in bash fish zsh; do
	if ! command -v "$shell" >/dev/null; then
		[ "${CI:-}" != true ] || fail "$shell is not installed"
		say "  no $shell here (see tests/packages)"
		continue
	fi
	source="source <(seal completion $shell)"
	[ "$shell" != fish ] || source='seal completion fish | source'
	rm -f "$WORK/typed"
	(
		cd "$WORK/folder"
		# No link to the profiles' directory: HOME stays.
		PATH=$WORK/bin:$PATH python3 "$SUPPORT/typist.py" "$shell" >"$LOGS/typed-$shell.log" <<-EOF_KEYS
			$source
			seal workl\tsho\tsho\t
			seal peer de\tshop we\td\t
			seal operator rev\tolg\t--ye\t
			seal egg rev\t${id:0:6}\t
			seal status --outp\tya\t
			seal operator add x --role au\t
			seal --profile sec\tstat\t
			kubectl-seal profi\tad\tme on\t
			seal peer allow open \t
		EOF_KEYS
	) || fail "$shell: $(tail -c 600 "$LOGS/typed-$shell.log")"
	sed -i 's,only/|,only|,' "$WORK/typed"
	cat >"$WORK/wanted" <<-EOF_SAID
		workload|show|shop|
		peer|deny|shop|web|db|
		operator|revoke|olga|--yes|
		egg|revoke|$id|
		status|--output|yaml|
		operator|add|x|--role|auditor|
		--profile|second|status|
		profile|add|me|only|
		peer|allow|open|*|
	EOF_SAID
	diff "$WORK/wanted" "$WORK/typed" || fail "$shell completed something else"
done

say "completion is quiet and quick where nobody answers"
stop rot
expect_exit 0 "$CLI" __complete workload show ''
[ ! -s "$WORK/out" ] || fail "something was said: $(cat "$WORK/out")"
[ ! -s "$WORK/err" ] || fail "something was complained of: $(cat "$WORK/err")"
python3 - "$WORK/silent" 2>/dev/null <<-'EOF_PY' &
	import os, socket, sys, time
	os.mkdir(sys.argv[1])
	s = socket.socket(socket.AF_UNIX)
	s.bind(sys.argv[1] + "/rot.sock")
	s.listen()
	time.sleep(30)
EOF_PY
PIDS[silent]=$!
wait_for 10 "a socket that never answers" test -S "$WORK/silent/rot.sock"
start=$(date +%s%N)
expect_exit 0 "$CLI" __complete workload show --dir "$WORK/silent" ''
took=$((($(date +%s%N) - start) / 1000000))
[ "$took" -lt $((3000 * SEAL_SLOW)) ] || fail "a shell waited for $took ms"
