#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 5: the system's trust store, and the variables that point at another one, decided who the root of
# trust is.  Here both are ignored, and so are proxies: only the CA in the egg counts, and only the workload's
# CA between peers.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

say "an impostor whose CA stands in the system's trust store and in every variable"
FAKE=$WORK/fake
python3 "$SUPPORT/fake_rot.py" init "$FAKE" "$ROT_HOST" 9000 >"$LOGS/fake-init.log" 2>&1
start home fake-rot python3 "$SUPPORT/fake_rot.py" serve "$FAKE"
wait_for 20 "the impostor" test -e "$FAKE/serving"
rot_up
pod_new web
pod_new db
# An honest egg, with the impostor's address first in the list: what a hostile resolver or router achieves.
mint "$WORK/web.egg" shop --peer web
python3 - "$WORK/web.egg" "$FAKE/ports" "$ROT_HOST" "$WORK/lured.egg" <<-'EOF'
	import json, os, sys
	sys.path.insert(0, os.environ["TOP"] + "/tests/support")
	import eggs
	egg = eggs.load(sys.argv[1])
	egg["rot"] = [f"https://{sys.argv[3]}:{json.load(open(sys.argv[2]))['good']}"]
	eggs.store(sys.argv[4], egg)
EOF
lay_egg web "$WORK/lured.egg"
mkdir -p "$(pod_path web /etc/ssl/certs)"
cat "$FAKE"/system.pem "$FAKE"/workload.pem >"$WORK/impostor.pem"
cp "$WORK/impostor.pem" "$(pod_path web /etc/ssl/certs/ca-certificates.crt)"
trusting=(env SSL_CERT_FILE="$WORK/impostor.pem" SSL_CERT_DIR=/etc/ssl/certs CURL_CA_BUNDLE="$WORK/impostor.pem"
	REQUESTS_CA_BUNDLE="$WORK/impostor.pem" SSLKEYLOGFILE="$WORK/keylog")
start web proxy-web "${trusting[@]}" "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --outbound 6379=db:8443/db
wait_for 30 "the sidecar to say whom it does not believe" has_line "$LOGS/proxy-web.log" "level=(warn|error).*$ROT_HOST"
! is_healthy web || fail "the sidecar believed the impostor"
[ ! -e "$FAKE/good.hatched" ] || fail "the impostor was asked to hatch"
stop proxy-web

say "proxies and configuration of libraries named in the environment are not asked either"
start home catcher python3 "$SUPPORT/witness.py" 3128 "$WORK/witness-home"
wait_port home 3128
printf 'openssl_conf = x\n[x]\nengines = y\n[y]\nz = w\n[w]\ndynamic_path = %s\n' "$WORK/no.so" >"$WORK/openssl.cnf"
lay_egg web "$WORK/web.egg"
start web proxy-web "${trusting[@]}" https_proxy=http://10.77.0.1:3128 HTTPS_PROXY=http://10.77.0.1:3128 \
	ALL_PROXY=http://10.77.0.1:3128 all_proxy=http://10.77.0.1:3128 OPENSSL_CONF="$WORK/openssl.cnf" HOME="$WORK" \
	"$SEAL_BUILD/seal-proxy" --health "$HEALTH" --outbound 6379=db:8443/db
wait_for 30 "the sidecar" is_healthy web
expect_untouched home
[ ! -e "$WORK/keylog" ] || fail "session keys were written to a file"

say "between peers: a certificate of the impostor's CA with the right names is refused"
witness db 6379
mint "$WORK/db.egg" shop --peer db
lay_egg db "$WORK/db.egg"
start db proxy-db "${trusting[@]}" "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --inbound 8443=6379
wait_for 30 "the sidecar" is_healthy db
[ "$(on web python3 "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<hello)" = hello ] || fail "no way through"
witness_forget db
python3 - "$FAKE" <<-'EOF'
	import os, sys
	sys.path.insert(0, os.environ["TOP"] + "/tests/support")
	import fake_rot
	fake_rot.credential(sys.argv[1], "web", "web", "pod",
	                    ["DNS:any", "DNS:web", "URI:spiffe://seal.test/workload/shop/peer/web"], "workload")
EOF
expect_exit 3 on web python3 "$SUPPORT/tls.py" client db 8443 "$FAKE/web.pem" "$FAKE/web.key"
expect_untouched db
wait_for 10 "the reason in the log" has_line "$LOGS/proxy-db.log" 'event=peer_refused'
