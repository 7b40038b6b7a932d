#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Certificates of a public listener, in volumes as Kubernetes makes them: chosen by server name, taken up when the
# volume turns, without a connection lost; what is refused leaves the old ones in place.
. "$(dirname "$0")/lib.sh"
need python3 curl openssl

rot_up
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
witness home 8080 silent

# volume NAME DAY KIND: the certificate of the day for NAME.example.com; turn NAME DAY: let it count.
volume() {
	local dir=$WORK/volumes/$1/..$2
	mkdir -p "$dir"
	# shellcheck disable=SC2086 # options in one word
	openssl req -x509 -newkey $3 -nodes -days 2 -subj "/CN=$1 of $2" -addext "subjectAltName=DNS:$1.example.com" \
		-keyout "$dir/tls.key" -out "$dir/tls.crt" 2>/dev/null
	chmod 0440 "$dir/tls.key"
	ln -sfn ..data/tls.key "$WORK/volumes/$1/tls.key"
	ln -sfn ..data/tls.crt "$WORK/volumes/$1/tls.crt"
}
turn() {
	ln -s "..$2" "$WORK/volumes/$1/..new"
	mv -T "$WORK/volumes/$1/..new" "$WORK/volumes/$1/..data"
}

volume www monday rsa:2048
volume shop monday "ec -pkeyopt ec_paramgen_curve:P-384"
turn www monday
turn shop monday
cat >"$WORK/db.yaml" <<-EOF
	public:
	  - listen: 127.0.0.1:18090
	    forward: 127.0.0.1:8080
	    certificate: $WORK/volumes/www/tls.crt
	    key: $WORK/volumes/www/tls.key
	    certificates:
	      - {certificate: $WORK/volumes/shop/tls.crt, key: $WORK/volumes/shop/tls.key}
	control: off
EOF
start home proxy "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --credentials "$WORK/db" --config "$WORK/db.yaml"
wait_for 20 "the sidecar" is_settled home proxy
is_alive proxy || fail "seal-proxy ended: $(tail -n 1 "$LOGS/proxy.log")"

# shown NAME: the common name of the certificate shown to who asks for it.
shown() {
	openssl s_client -connect 127.0.0.1:18090 -servername "$1" </dev/null 2>/dev/null |
		openssl x509 -noout -subject -nameopt multiline 2>/dev/null | sed -n 's/.*commonName *= //p'
}
shows() { [ "$(shown "$1")" = "$2" ]; }
expect_shown() { shows "$1" "$2" || fail "$1: '$(shown "$1")' is shown instead of '$2'"; }

say "by server name, the first for all others"
expect_shown www.example.com "www of monday"
expect_shown shop.example.com "shop of monday"
expect_shown other.example.com "www of monday"

say "a volume turns: the new one is shown, and who is connected stays"
mkfifo "$WORK/say"
openssl s_client -quiet -connect 127.0.0.1:18090 -servername shop.example.com <"$WORK/say" >"$WORK/heard" 2>/dev/null &
exec 9>"$WORK/say"
echo before >&9
wait_for 10 "an echo" has_line "$WORK/heard" before
volume shop tuesday rsa:3072
turn shop tuesday
wait_for 30 "the new certificate" shows shop.example.com "shop of tuesday"
expect_shown www.example.com "www of monday"
echo after >&9
wait_for 10 "an echo" has_line "$WORK/heard" after
exec 9>&-
expect_line "$LOGS/proxy.log" 'event=certificate_loaded'

# refused REASON: the volume www, as it is now, is not taken, said once, and www of monday still shown.
refused() {
	wait_for 30 "the refusal of $1" has_line "$LOGS/proxy.log" "event=certificate_refused.*$1"
	expect_shown www.example.com "www of monday"
}

say "what is refused leaves the old one in place"
volume www weak rsa:1024
turn www weak
refused 'neither ECDSA P-256 or P-384 nor RSA'
volume www mixed rsa:2048
cp "$WORK/volumes/shop/..tuesday/tls.crt" "$WORK/volumes/www/..mixed/tls.crt"
turn www mixed
refused 'is not that of the first certificate'
volume www open rsa:2048
chmod 0444 "$WORK/volumes/www/..open/tls.key"
turn www open
refused 'is open to others'
volume www empty rsa:2048
: >"$WORK/volumes/www/..empty/tls.crt"
turn www empty
refused 'no certificate in PEM'
rm -r "$WORK/volumes/www/..empty"
refused 'No such file'

say "and put right is taken"
volume www tuesday rsa:2048
chmod 0444 "$WORK/volumes/www/..tuesday/tls.key"
turn www tuesday
wait_for 30 "another refusal" has_more "$LOGS/proxy.log" 'event=certificate_refused.*is open to others' 1
chmod 0400 "$WORK/volumes/www/..tuesday/tls.key"
wait_for 30 "the new certificate" shows www.example.com "www of tuesday"
is_healthy home || fail "seal-proxy is no longer ready"
