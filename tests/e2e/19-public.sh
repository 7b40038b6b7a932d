#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Public listeners: ordinary HTTPS clients and certificates of a public CA, chosen by name, replaced on disk
# without a connection being dropped, and refused when they cannot be right.  Clients with certificates are
# announced; what peers have means nothing here.
# Takes: 44 s
. "$(dirname "$0")/lib.sh"
need python3 curl openssl jq

PROXY=$SEAL_BUILD/seal-proxy
HOST=shop.example.com
CA=$WORK/ca
mkdir "$CA" "$WORK/tls" "$WORK/volume"

rot_up
for peer in web db; do seal cert issue shop --peer "$peer" -o "$WORK/$peer" >/dev/null; done

# ---- A public CA: a root, an intermediate, leaves of both kinds of keys.

new_key() {
	case $1 in
	rsa) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$2" ;;
	weak) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$2" ;;
	ec) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$2" ;;
	p384) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$2" ;;
	esac 2>/dev/null
	chmod 0600 "$2"
}
# certify NAME ISSUER SUBJECT EXTENSIONS [OPTION...]: $CA/NAME.crt for the key $CA/NAME.key; issuer itself for roots.
certify() {
	local name=$1 issuer=$2 subject=$3 extensions=$4
	shift 4
	openssl req -new -key "$CA/$name.key" -subj "$subject" -out "$CA/$name.csr" 2>/dev/null
	if [ "$issuer" = "$name" ]; then set -- -signkey "$CA/$name.key" "$@"; else set -- -CA "$CA/$issuer.crt" -CAkey "$CA/$issuer.key" "$@"; fi
	[[ " $* " = *" -days "* ]] || set -- "$@" -days 30
	openssl x509 -req -in "$CA/$name.csr" -extfile <(printf '%b\n' "$extensions") -out "$CA/$name.crt" "$@" 2>/dev/null
}
authority() {
	new_key ec "$CA/$1.key"
	certify "$1" "$2" "/O=Example/CN=$1" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash'
}
# leaf NAME KIND HOSTNAME [OPTION...]: with its chain, and key, as they would be installed.
leaf() {
	local name=$1 kind=$2 host=$3
	shift 3
	new_key "$kind" "$CA/$name.key"
	certify "$name" inter "/CN=$host" "subjectAltName=DNS:$host\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature" "$@"
	cat "$CA/$name.crt" "$CA/inter.crt" >"$CA/$name.pem"
}
# dying NAME HOSTNAME SECONDS: a leaf with a minute behind it and so many seconds before it.
dying() {
	new_key ec "$CA/$1.key"
	openssl req -new -key "$CA/$1.key" -subj "/CN=$2" -out "$CA/$1.csr" 2>/dev/null
	printf '%s\n' '[ca]' 'default_ca=own' '[own]' "database=$CA/index" "new_certs_dir=$CA" "serial=$CA/serial" 'policy=any' '[any]' 'commonName=supplied' >"$CA/ca.cnf"
	: >"$CA/index" && rm -f "$CA/serial"
	openssl ca -batch -notext -rand_serial -md sha256 -config "$CA/ca.cnf" -cert "$CA/inter.crt" -keyfile "$CA/inter.key" -in "$CA/$1.csr" \
		-startdate "$(date -u -d '-60 seconds' +%y%m%d%H%M%SZ)" -enddate "$(date -u -d "+$3 seconds" +%y%m%d%H%M%SZ)" \
		-extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n' "$2") \
		-out "$CA/$1.crt" 2>"$WORK/ca.err" || fail "openssl ca: $(cat "$WORK/ca.err")"
	cat "$CA/$1.crt" "$CA/inter.crt" >"$CA/$1.pem"
}
client() {
	new_key ec "$CA/$1.key"
	certify "$1" "$2" "/CN=$3" 'extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature'
}
# serial PEM
serial() { openssl x509 -noout -serial -in "$1"; }

authority root root
authority inter root
authority clients clients
authority strangers strangers
leaf first rsa "$HOST"
leaf second ec "$HOST"
leaf third ec "$HOST"
leaf api p384 api.example.com
leaf wild rsa '*.wild.example.com'
client alice clients alice@example.com
client mallory strangers alice@example.com

# install NAME AS: replaced as careful people do, key and certificate one after the other.
install_pair() {
	install -m 0600 "$CA/$1.key" "$WORK/tls/.key"
	cp "$CA/$1.pem" "$WORK/tls/.crt"
	mv "$WORK/tls/.key" "$WORK/tls/$2.key"
	mv "$WORK/tls/.crt" "$WORK/tls/$2.crt"
}
# publish NAME GENERATION: as the kubelet does with a Secret: links into ..data, which is swapped.
publish() {
	mkdir "$WORK/volume/..$2"
	cp "$CA/$1.pem" "$WORK/volume/..$2/tls.crt"
	install -m 0600 "$CA/$1.key" "$WORK/volume/..$2/tls.key"
	ln -s "..$2" "$WORK/volume/..data_tmp"
	mv -T "$WORK/volume/..data_tmp" "$WORK/volume/..data"
}
install_pair first shop
install_pair api api
install_pair wild wild
publish first gen1
ln -s ..data/tls.crt "$WORK/volume/tls.crt"
ln -s ..data/tls.key "$WORK/volume/tls.key"
cp "$CA/clients.crt" "$WORK/tls/clients.pem"

cat >"$WORK/public.yaml" <<-END
	public:
	  - listen: 127.0.0.1:9443
	    forward: 127.0.0.1:8080
	    certificate: $WORK/tls/shop.crt
	    key: $WORK/tls/shop.key
	    certificates:
	      - {certificate: $WORK/tls/api.crt, key: $WORK/tls/api.key}
	      - {certificate: $WORK/tls/wild.crt, key: $WORK/tls/wild.key}
	    alpn: [http/1.1]
	  - listen: 127.0.0.1:9444
	    forward: 127.0.0.1:8082
	    certificate: $WORK/volume/tls.crt
	    key: $WORK/volume/tls.key
	  - listen: 127.0.0.1:9445
	    forward: 127.0.0.1:8081
	    certificate: $WORK/tls/shop.crt
	    key: $WORK/tls/shop.key
	    client-ca: $WORK/tls/clients.pem
	    proxy-protocol: v2
	  - {listen: '127.0.0.1:9446', forward: '127.0.0.1:8081', certificate: $WORK/tls/shop.crt, key: $WORK/tls/shop.key, proxy-protocol: v2}
	  - {listen: '127.0.0.1:9448', forward: '127.0.0.1:8082', certificate: $WORK/tls/shop.crt, key: $WORK/tls/shop.key}
	inbound:
	  - {listen: '127.0.0.1:9447', forward: '127.0.0.1:8080', peers: [web]}
END

mkdir "$WORK/www"
echo "hello from the shop" >"$WORK/www/hello"
start home http python3 -m http.server --bind 127.0.0.1 --directory "$WORK/www" 8080
witness home 8082
start home told python3 "$SUPPORT/proxied.py" 127.0.0.1 8081
start home db "$PROXY" --credentials "$WORK/db" --config "$WORK/public.yaml" --control off --health "$HEALTH"
wait_for 20 "the sidecar" is_settled home db
LOG=$LOGS/db.log
for port in 8080 8081 9447; do wait_port home "$port"; done
is_alive db || fail "not started"

# shown PORT NAME [OPTION...]: the serial of the certificate that is shown to who asks for the name, or for none ("");
# its whole chain has to verify.
shown() {
	local port=$1 asked=(-noservername)
	[ -z "$2" ] || asked=(-servername "$2")
	shift 2
	openssl s_client -connect "127.0.0.1:$port" "${asked[@]}" -CAfile "$CA/root.crt" -verify_return_error "$@" \
		</dev/null 2>"$WORK/s_client" | openssl x509 -noout -serial 2>/dev/null || true
}
# expect_shown CERTIFICATE PORT NAME [OPTION...]
expect_shown() {
	local want got
	want=$(serial "$CA/$1.crt") got=$(shown "${@:2}")
	[ "$got" = "$want" ] || fail "port $2, name '$3': shown '$got', wanted $1's, '$want': $(tail -n 3 "$WORK/s_client" | tr '\n' '|')"
}
is_shown() { [ "$(shown "$2" "$HOST")" = "$(serial "$CA/$1.crt")" ]; }
# get PORT NAME [OPTION...]: what curl gets.
get() {
	local port=$1 name=$2
	shift 2
	curl -sS --max-time 10 --cacert "$CA/root.crt" --resolve "$name:$port:127.0.0.1" "$@" "https://$name:$port/hello"
}

say "curl, by TLS 1.3 and 1.2"
for version in 1.3 1.2; do
	got=$(get 9443 "$HOST" --tlsv$version --tls-max $version)
	[ "$got" = "hello from the shop" ] || fail "TLS $version: $got"
done
expect_shown first 9443 "$HOST" -tls1_3
expect_shown first 9443 "$HOST" -tls1_2

say "a certificate for each name, whatever its key; the first for every other name, and for none"
expect_shown api 9443 api.example.com
expect_shown api 9443 API.Example.COM
expect_shown api 9443 api.example.com -tls1_2
expect_shown wild 9443 one.wild.example.com
expect_shown first 9443 two.one.wild.example.com
expect_shown first 9443 elsewhere.example.org
expect_shown first 9443 ""
[ "$(get 9443 api.example.com)" = "hello from the shop" ] || fail "api"
[ "$(get 9443 one.wild.example.com)" = "hello from the shop" ] || fail "wild"

say "older TLS is refused, and so are protocols nobody agreed on"
for old in -tls1 -tls1_1; do
	! openssl s_client -connect 127.0.0.1:9443 $old -cipher 'ALL:@SECLEVEL=0' </dev/null >"$WORK/out" 2>&1 || fail "served $old"
	expect_line "$WORK/out" 'alert protocol version'
done
! openssl s_client -connect 127.0.0.1:9443 -alpn h2 </dev/null >"$WORK/out" 2>&1 || fail "agreed on h2"
expect_line "$WORK/out" 'no application protocol'
! openssl s_client -connect 127.0.0.1:9443 -tls1_2 -cipher 'AES128-SHA:AES256-SHA256:ECDHE-RSA-AES128-SHA' </dev/null >"$WORK/out" 2>&1 || fail "served without forward secrecy or by CBC"
got=$(python3 "$SUPPORT/knock.py" 127.0.0.1 9448)
[[ $got =~ ^(alert|reset|closed)$ ]] || fail "plaintext was answered: $got"
expect_untouched home

# ---- Replaced on disk.

ticks() { wc -l <"$WORK/ticks-$1"; }
for port in 9444 9448; do
	start home "held-$port" python3 "$SUPPORT/ticker.py" 127.0.0.1 "$port" "$WORK/ticks-$port" "$CA/root.crt" "$HOST"
	wait_for 10 "the first tick on $port" test -s "$WORK/ticks-$port"
done
# goes_on PORT: the connection from before is still served.
goes_on() {
	local before
	before=$(ticks "$1")
	wait_for 10 "ticks on $1" eval "[ \$(ticks $1) -gt $((before + 1)) ]"
	is_alive "held-$1" || fail "the connection on $1 was dropped: $(cat "$LOGS/held-$1.log")"
}

say "a certificate and key replaced in place are shown within 5 seconds"
install_pair second shop
wait_for 5 "the new certificate" is_shown second 9443
wait_for 5 "the new certificate on the other listeners" is_shown second 9448
expect_shown api 9443 api.example.com
[ "$(get 9443 "$HOST")" = "hello from the shop" ] || fail "not served"
goes_on 9448

say "and so are those of a Kubernetes volume"
expect_shown first 9444 "$HOST"
publish third gen2
wait_for 5 "the new certificate" is_shown third 9444
rm -r "$WORK/volume/..gen1"
goes_on 9444

# broken WHAT REASON: what is on disk now is refused, and the old certificate shown.
broken() {
	wait_for 5 "a line that $1 is refused" has_more "$LOG" "certificate_refused.*$2.*keeping_old=true" 0
	is_shown second 9443 || fail "$1: the old one is not shown"
	[ "$(get 9443 "$HOST")" = "hello from the shop" ] || fail "$1: not served"
}
say "broken ones are said, once each, and the old ones stay"
cp "$CA/first.pem" "$WORK/tls/shop.crt"
broken "another's key" "the key in '$WORK/tls/shop.key' is not that of the first certificate"
echo garbage >"$WORK/tls/shop.crt"
broken "garbage" "shop.crt'"
leaf over ec "$HOST" -days -1
install_pair over shop
broken "an expired one" "'$WORK/tls/shop.crt' has expired"
leaf feeble weak "$HOST"
install_pair feeble shop
broken "a weak key" 'neither ECDSA P-256 or P-384 nor RSA'
cp "$CA/second.pem" "$WORK/tls/shop.crt"
install -m 0644 "$CA/second.key" "$WORK/tls/shop.key"
broken "a key for all to read" "shop.key"
rm "$WORK/tls/shop.key"
broken "a missing key" "shop.key.*No such file"
[ "$(count_lines "$LOG" "certificate_refused.*public.yaml.*No such file")" -le 4 ] || fail "it is said again and again"
goes_on 9448

say "and repaired, the next is shown"
install_pair third shop
wait_for 5 "the repaired certificate" is_shown third 9443
goes_on 9448

say "one that ends while it serves is announced, and then refuses those who asked for it and nobody else"
ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$HEALTH/readyz")" = "$1" ]; }
is_shown_for() { [ "$(shown "$2" "$3")" = "$(serial "$CA/$1.crt")" ]; }
ready 200 || fail "not ready"
dying brief api.example.com 10
install_pair brief api
wait_for 5 "the brief certificate" is_shown_for brief 9443 api.example.com
wait_for 5 "a word ahead" has_line "$LOG" 'event=certificate_expires .*certificate=[^ ]*/api.crt'
wait_for 20 "its end" has_line "$LOG" 'event=certificate_expired .*certificate=[^ ]*/api.crt'
[ -z "$(shown 9443 api.example.com)" ] || fail "shown although it is over"
wait_for 5 "the reason in the log" has_line "$LOG" "event=peer_refused .*api.example.com.* is not valid now"
expect_shown third 9443 "$HOST"
expect_shown wild 9443 one.wild.example.com
ready 200 || fail "one that is over stopped all"
say "and does not keep the others from being renewed"
install_pair second shop
wait_for 5 "the renewed certificate" is_shown second 9443
install_pair third shop
wait_for 5 "the one of before" is_shown third 9443
[ "$(count_lines "$LOG" 'event=certificate_(expires|expired) .*/api.crt')" = 2 ] || fail "said more than once"
install_pair api api
wait_for 5 "the repaired one" is_shown_for api 9443 api.example.com

say "a listener that has no valid one left is not ready"
dying last "$HOST" 5
publish last gen3
wait_for 5 "the last certificate" is_shown last 9444
wait_for 10 "not ready" ready 503
[ -z "$(shown 9444 "$HOST")" ] || fail "shown although it is over"
goes_on 9444
publish third gen4
wait_for 5 "ready again" ready 200

# ---- Clients with certificates.

# told VERSION PORT [CERT KEY]: what the application is told about this client; nothing when it is refused.
told() {
	python3 - "$CA/root.crt" "$HOST" "$@" <<-'EOF'
		import socket, ssl, sys
		ca, host, version, port, *pair = sys.argv[1:]
		context = ssl.create_default_context(cafile=ca)
		context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
		if pair:
		    context.load_cert_chain(*pair)
		try:
		    with socket.create_connection(("127.0.0.1", int(port)), 10) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
		        tls.sendall(b"hello")
		        print(tls.makefile("rb").readline().decode())
		except (ssl.SSLError, ConnectionError):
		    pass
	EOF
}
expect_told() {
	local want=$1 got
	shift
	got=$(told "$@")
	[ "$(jq -r '[.ssl.client, .ssl.verify, .ssl.version, .ssl.cn, .authority, .spiffe] | map(tostring) | join(" ")' <<<"$got")" = "$want" ] ||
		fail "told '$got', wanted '$want'"
}
alice=("$CA/alice.crt" "$CA/alice.key") mallory=("$CA/mallory.crt" "$CA/mallory.key")
peer=("$WORK/web/cert.pem" "$WORK/web/key.pem")

say "who shows a certificate of the client CA is announced by its name, each time"
for version in TLSv1_3 TLSv1_3 TLSv1_2; do
	expect_told "7 0 ${version/_/.} alice@example.com $HOST null" "$version" 9445 "${alice[@]}"
done

say "none, and one of another CA, is refused"
relayed() { count_lines "$LOG" 'event=connection .*:9445.*state="(relay|drain)"'; }
served=$(relayed)
for version in TLSv1_3 TLSv1_2; do
	[ -z "$(told "$version" 9445)" ] || fail "served without a certificate"
	[ -z "$(told "$version" 9445 "${mallory[@]}")" ] || fail "served with a stranger's certificate"
	[ -z "$(told "$version" 9445 "${peer[@]}")" ] || fail "a peer's certificate counts here"
done
refused() { [ "$(count_lines "$LOG" 'event=peer_refused .*:9445')" -ge 6 ]; }
wait_for 10 "six refusals in the log" refused
[ "$(relayed)" = "$served" ] || fail "something was relayed"

say "where nobody is asked, a certificate means nothing, not even a peer's"
expect_told "1 1 TLSv1.3 null $HOST null" TLSv1_3 9446 "${alice[@]}"
expect_told "1 1 TLSv1.3 null $HOST null" TLSv1_3 9446 "${peer[@]}"
expect_told "1 1 TLSv1.2 null $HOST null" TLSv1_2 9446 "${peer[@]}"

say "and a public certificate means nothing among peers"
! python3 "$SUPPORT/tls.py" client 127.0.0.1 9447 "${alice[@]}" >"$WORK/out" || fail "served: $(cat "$WORK/out")"

say "another client CA is the one that counts, once it is there"
cp "$CA/strangers.crt" "$WORK/tls/clients.pem"
counts() { [ -n "$(told TLSv1_3 9445 "${mallory[@]}")" ]; }
wait_for 5 "the new CA" counts
[ -z "$(told TLSv1_3 9445 "${alice[@]}")" ] || fail "the old CA still counts"

# ---- Looked at beforehand.

# refuses_file REASON [SED]: --check says no, and where.
check() {
	sed "${1:-}" "$WORK/public.yaml" >"$WORK/checked.yaml"
	"$PROXY" --check --credentials "$WORK/db" --config "$WORK/checked.yaml"
}
expect_checked() {
	expect_exit "$1" check "$3"
	[ "$1" = 0 ] || expect_line "$WORK/err" "checked.yaml:[0-9]+(:[0-9]+)?: .*$2"
}
say "--check refuses what cannot be served, and names the place"
cp "$CA/clients.crt" "$WORK/tls/clients.pem"
expect_checked 0 '' ''
[ "$(cat "$WORK/out")" = ok ] || fail "--check printed $(cat "$WORK/out")"
expect_checked 1 'the key in .*/shop.key. is not that of' "s,key: $WORK/tls/api.key,key: $WORK/tls/shop.key,"
expect_checked 1 'over.pem. has expired' "s,$WORK/tls/api.crt,$CA/over.pem,; s,$WORK/tls/api.key,$CA/over.key,"
expect_checked 1 'nothing.crt.*No such file' "s,$WORK/tls/wild.crt,$WORK/tls/nothing.crt,"
expect_checked 1 'nothing.key.*No such file' "s,$WORK/volume/tls.key,$WORK/tls/nothing.key,"
expect_checked 1 'nothing.pem.*No such file' "s,clients.pem,nothing.pem,"
expect_checked 1 'is not a CA' "s,$WORK/tls/clients.pem,$CA/alice.crt,"
for port in 9444 9448; do goes_on "$port"; done
