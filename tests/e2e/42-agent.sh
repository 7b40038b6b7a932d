#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An ordinary egg and a sealed configuration, end to end: the sidecar hatches once, opens its listeners, serves, and
# is the agent of its pod.  Then everything a host or a stranger in the pod may try: older and altered values, other
# options, no token, another's token, frames that are none.
# Takes: 26 s
. "$(dirname "$0")/lib.sh"
need python3 curl jq openssl

PROXY=$SEAL_BUILD/seal-proxy
SOCKET=/run/seal/agent.sock
METRICS=127.0.0.1:9902
# Debian's interpreter, which sees python3-cryptography where it is installed.
PYTHON=$(PATH=/usr/bin:$PATH command -v python3)
"$PYTHON" -c 'import cryptography' 2>/dev/null || {
	[ "${CI:-}" != true ] || fail "python3-cryptography is not installed"
	skip "python3-cryptography is not installed"
}
LOG=$LOGS/proxy-web.log

# ---- what the owner does ----

# seal_object OUT KIND NAME [KEY CONTAINER TEXT]...: one object, one generation; OUT/KEY-CONTAINER for each value.
seal_object() {
	local out=$1 kind=$2 name=$3 values='[]'
	shift 3
	while [ $# -gt 0 ]; do
		values=$(jq -c --arg key "$1" --arg container "$2" --arg text "$3" \
			'. + [{key: $key, text: $text} + (if $container == "" then {} else {container: $container} end)]' <<<"$values")
		shift 3
	done
	mkdir -p "$out"
	jq -nc --arg kind "$kind" --arg name "$name" --argjson values "$values" \
		'{workload: "shop", peer: "web", objects: [{ns: "shop", kind: $kind, name: $name, values: $values}]}' |
		curl -sS --fail-with-body --unix-socket "$ROT_DIR/rot.sock" -H 'Content-Type: application/json' \
			--data-binary @- http://seal-rot/v1/seal >"$WORK/answer" || fail "cannot seal: $(cat "$WORK/answer")"
	jq -r '.objects[0].values[] | "\(.key)-\(.container // "") \(.sealed)"' "$WORK/answer" |
		while read -r file sealed; do printf '%s' "$sealed" >"$out/$file"; done
}

CONFIG='{"outbound":[{"listen":"127.0.0.1:6379","connect":"db:8443","peers":["db"]}],
	"health":"9901","metrics":"9902","limits":{"sessions":77}}'
SPEC='{"version":1,"verify":{"version":1},"container":{"name":"app","command":["/app"],"env":[{"name":"A","value":"marker-variable"}]},
	"files":[{"source":"/run/seal-source/0","target":"/etc/app","objects":[{"kind":"ConfigMap","name":"app"}]}]}'
PROBE='{"version":1,"exec":["/probe","marker-probe"],"verify":{"version":1},"container":{"name":"app"}}'

# seal_pod OUT [CONFIG]
seal_pod() {
	seal_object "$1" Deployment web \
		proxy seal-proxy "{\"version\":1,\"config\":${2:-$CONFIG},\"pod\":{}}" \
		spec app "$SPEC" livenessProbe app "$PROBE" spec other "${SPEC/\"app\",\"command\"/\"other\",\"command\"}"
}

hatches() { seal egg show "$EGG_ID" -o json | jq .hatches; }

# ---- what the host does ----

# A container that starts anew has the egg of its image again.
sealed_start() {
	local value
	value=$(cat "$1")
	shift
	lay_egg web "$WORK/eggs/egg"
	start web proxy-web "$PROXY" --sealed-config "$value" "$@"
}
sealed_up() {
	sealed_start "$@"
	wait_for 30 "the sidecar" is_settled web proxy-web
	is_alive proxy-web || fail "the sidecar ended: $(tail -n 1 "$LOG")"
}
# sealed_refused PATTERN VALUE-FILE: ends by itself, and says why without a word of what is in it.
sealed_refused() {
	: >"$LOG"
	sealed_start "$2"
	wait_exit 30 proxy-web
	[ "$STATUS" = 1 ] || fail "ended with $STATUS, not 1"
	tail -n 1 "$LOG" >"$WORK/last"
	expect_line "$WORK/last" "^seal-proxy: .*$1"
	! on web ss -Hltn | grep -q . || fail "it listens: $(on web ss -Hltn)"
}

# ---- what a container does ----

# agent TOKEN [WORD...]: what support/agent.py prints.
agent() {
	local token=$1
	shift
	on web timeout 30 "$PYTHON" "$SUPPORT/agent.py" "$WORK/eggs/$token" "$@" </dev/null
}
# expect_agent WHAT WANTED TOKEN [WORD...]: the lines it prints match, one pattern a line.
expect_agent() {
	local what=$1 wanted=$2 got
	shift 2
	got=$(agent "$@") || fail "$what: agent.py failed"
	[ "$(wc -l <<<"$got")" = "$(wc -l <<<"$wanted")" ] || fail "$what: wanted '$wanted', got '$got'"
	paste -d '\t' <(cat <<<"$got") <(cat <<<"$wanted") | while IFS=$'\t' read -r line pattern; do
		grep -qE -- "^$pattern" <<<"$line" || fail "$what: '$line' is not '$pattern'"
	done || fail "$what"
}

rot_up
for pod in web db; do pod_new "$pod"; done
witness db 6379
sidecar db db --inbound 8443=6379
mkdir "$WORK/eggs"
seal egg mint shop --peer web --container app --container other -o "$WORK/eggs/egg" >/dev/null
EGG_ID=$(seal egg show "$WORK/eggs/egg" -o json | jq -r .id)
on web mkdir -p /run/seal

say "without the sealed configuration the egg takes no listeners"
lay_egg web "$WORK/eggs/egg"
expect_exit 1 on web "$PROXY" --outbound 6379=db:8443/db
expect_line "$WORK/err" 'sealed value only.*--sealed-config'
[ "$(hatches)" = 0 ] || fail "it was hatched"

say "nor does a folder of credentials, which would bring somebody else to trust, beside an egg or where one may be hidden"
seal cert issue shop --peer web -o "$WORK/stranger" >/dev/null
expect_exit 1 on web "$PROXY" --credentials "$WORK/stranger" --inbound 8443=6379/web
expect_line "$WORK/err" 'there is an egg at /etc/seal/egg'
on web mount -t tmpfs hidden /etc/seal
expect_exit 1 on web "$PROXY" --credentials "$WORK/stranger" --inbound 8443=6379/web
expect_line "$WORK/err" 'where no egg can be'
on web umount /etc/seal

seal_pod "$WORK/one"
say "beside it no option of the host's has a say"
VALUE=$(cat "$WORK/one/proxy-seal-proxy")
for words in '--inbound 8443=8080' '--outbound 6379=db:8443' '--config /etc/passwd' '--credentials /tmp' '--health 9999' \
	'--metrics 9999' '--control unix:/run/x' '--capture 15001' '--max-sessions 0' '--connect-timeout 1' '--max-memory 1MiB'; do
	# shellcheck disable=SC2086
	expect_exit 2 on web "$PROXY" --sealed-config "$VALUE" $words
	expect_line "$WORK/err" 'cannot be given beside --sealed-config'
done
expect_exit 0 on web "$PROXY" --check --sealed-config "$VALUE"
expect_line "$WORK/out" '^ok: .*shop/Deployment/web, generation 1; only in its pod'
[ "$(hatches)" = 0 ] || fail "it was hatched"

say "what is no sealed configuration costs no hatch"
sealed_refused "not for a sidecar" "$WORK/one/spec-app"
printf 'nothing' >"$WORK/nothing"
sealed_refused "no sealed value" "$WORK/nothing"
[ "$(hatches)" = 0 ] || fail "it was hatched"

say "the sidecar hatches, opens its listeners, and serves"
sealed_up "$WORK/one/proxy-seal-proxy" --log-level debug
expect_line "$LOG" 'event=sealed_config_opened object="shop/Deployment/web" generation=1'
expect_line "$LOG" 'event=confined'
[ "$(hatches)" = 1 ] || fail "one start, $(hatches) hatches"
[ "$(on web "$PYTHON" "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<"over the wire")" = "over the wire" ] || fail "no traffic"
[ ! -e "$(pod_path web /etc/seal/egg)" ] || fail "the egg is still there"
[ "$(stat -c %a "$(pod_path web $SOCKET)")" = 666 ] || fail "the agent's socket is not for everybody"
on web "$PROXY" status >"$WORK/status"
expect_line "$WORK/status" '^sealed +shop/Deployment/web, generation 1$'
expect_line "$WORK/status" 'none has asked'
reload proxy-web reload_ignored

say "a container with its token gets what is its own"
seal_object "$WORK/map" ConfigMap app a "" marker-value b "" marker-other
seal_object "$WORK/stranger" ConfigMap stranger a "" marker-stranger
expect_agent "the spec and a value" $'done .*marker-variable\ndone marker-value\ndone $\ndone .*"ready": ?true' \
	token-app "spec=$WORK/one/spec-app" "open=ConfigMap/app/a=$WORK/map/a-" ready=5000 status
expect_agent "another object" $'done\nrefused the spec names no' \
	token-app "spec=$WORK/one/spec-app" "open=ConfigMap/stranger/a=$WORK/stranger/a-"
expect_agent "a value at another key" $'done\nrefused sealed for key' \
	token-app "spec=$WORK/one/spec-app" "open=ConfigMap/app/a=$WORK/map/b-"
expect_agent "no spec first" 'refused open the container' token-app "open=ConfigMap/app/a=$WORK/map/a-"
expect_agent "another container's spec" 'refused sealed for container' token-app "spec=$WORK/one/spec-other"
expect_agent "the sidecar's own" 'refused' token-app "spec=$WORK/one/proxy-seal-proxy"
expect_agent "a probe before the application" 'timeout' token-app "spec=$WORK/one/livenessProbe-app"
expect_agent "data there and back" 'done [A-Za-z0-9_-]+\.\.' token-app encrypt=marker-data
agent token-app encrypt=marker-data | sed 's/^done //' >"$WORK/data"
expect_agent "and opened by another" 'done marker-data' token-other "decrypt=$WORK/data"
expect_agent "a spec is no data" 'unauth' token-app "decrypt=$WORK/one/spec-app"

say "one application at a time, and probes while it runs"
mkfifo "$WORK/hold"
start home holder bash -c "exec nsenter --target ${PODS[web]} --mount --net --uts -- $PYTHON $SUPPORT/agent.py \
	--hold $WORK/held $WORK/eggs/token-app spec=$WORK/one/spec-app <$WORK/hold >$WORK/holder"
exec 7>"$WORK/hold"
wait_for 10 "the application" test -e "$WORK/held"
expect_agent "a second application" 'refused .*runs already' token-app "spec=$WORK/one/spec-app"
expect_agent "a probe" 'done .*marker-probe' token-app "spec=$WORK/one/livenessProbe-app"
[ "$(on web "$PROXY" status -o json | jq -c '.sealed.containers')" = '[{"name":"app","running":true,"connections":1}]' ] ||
	fail "status: $(on web "$PROXY" status -o json | jq -c .sealed)"
exec 7>&-
wait_exit 10 holder
expect_agent "the application again" 'done' token-app "spec=$WORK/one/spec-app"

say "whoever has no token of the container gets nothing"
seal egg mint shop --peer db --container app -o "$WORK/eggs/egg-db" >/dev/null 2>&1 || true
mkdir "$WORK/foreign"
seal egg mint shop --peer db --container app -o "$WORK/foreign/egg" >/dev/null
seal workload create bank >/dev/null
mkdir "$WORK/bank"
seal egg mint bank --peer web --container app -o "$WORK/bank/egg" >/dev/null
cp "$WORK/foreign/token-app" "$WORK/eggs/token-of-db"
cp "$WORK/bank/token-app" "$WORK/eggs/token-of-bank"
expect_agent "another container's token" $'not proved\nclosed' token-other --as app status
expect_agent "another peer's token" $'not proved\nclosed' token-of-db status
expect_agent "another workload's token" $'not proved\nclosed' token-of-bank status
expect_agent "a generation that is not there" 'closed' token-app --generation 9 status
expect_agent "an altered frame" 'closed' token-app --flip 3 status
expect_agent "a frame said twice" 'closed' token-app --replay status
for raw in 00000000 00000201 ffffffff 474554202f20485454502f312e310d0a0d0a 0000000102; do
	expect_agent "bytes $raw" 'closed' token-app --raw "$raw"
done
expect_line "$LOG" 'level=warn event=agent_refused container="app" reason="it has not this container.s token"'
metric() { on web curl -sS "http://$METRICS/metrics" | "$PYTHON" "$SUPPORT/metrics.py" "$1"; }
[ "$(metric 'seal_agent_connections_total{result="refused"}')" -ge 9 ] || fail "refusals are not counted"
[ "$(metric 'seal_unseal_total{result="opened"}')" -ge 8 ] || fail "what was opened is not counted"
[ "$(metric seal_sealed_config_generation)" = 1 ] || fail "the generation is not told"

say "altered values are refused, one bit after the other"
length=$(stat -c %s "$WORK/one/spec-app")
for ((at = 0; at < length; at += length / 23 + 1)); do
	python3 - "$WORK/one/spec-app" "$at" >"$WORK/flipped" <<-'END'
		import sys
		text = bytearray(open(sys.argv[1], "rb").read())
		text[int(sys.argv[2])] ^= 1
		sys.stdout.buffer.write(text)
	END
	expect_agent "byte $at" '(format|unauth|refused|limit)' token-app "spec=$WORK/flipped"
done

say "what is older than the newest opened in this pod is refused, and a spec of another generation"
seal_object "$WORK/map2" ConfigMap app a "" marker-newer
expect_agent "an update, and back" $'done\ndone marker-newer\nconflict' token-app \
	"spec=$WORK/one/spec-app" "open=ConfigMap/app/a=$WORK/map2/a-" \
	"open=ConfigMap/app/a=$WORK/map/a-"
seal_pod "$WORK/two" "${CONFIG/6379/6380}"
expect_agent "a spec sealed later" 'refused sealed later' token-app "spec=$WORK/two/spec-app"
expect_agent "its own goes on to work" 'done' token-app "spec=$WORK/one/spec-app"
stop proxy-web
[ "$STATUS" = 0 ] || fail "it ended with $STATUS"
[ ! -e "$(pod_path web $SOCKET)" ] || fail "the agent's socket is still there"

say "after a restart the older configuration is refused, the newer one served"
before=$(hatches)
sealed_refused "generation 1 of Deployment web: older than 2" "$WORK/one/proxy-seal-proxy"
[ "$(hatches)" = $((before + 1)) ] || fail "$(hatches) hatches"
sealed_up "$WORK/two/proxy-seal-proxy"
wait_port web 6380
expect_agent "the floor came with the hatch" $'done\nconflict' token-app \
	"spec=$WORK/two/spec-app" "open=ConfigMap/app/a=$WORK/map/a-"
stop proxy-web

say "an altered configuration is refused"
python3 - "$WORK/two/proxy-seal-proxy" >"$WORK/flipped" <<'END'
import sys
text = bytearray(open(sys.argv[1], "rb").read())
text[-3] = ord("A") if text[-3] != ord("A") else ord("B")
sys.stdout.buffer.write(text)
END
sealed_refused "cannot be opened" "$WORK/flipped"

say "what cannot be served is said without a word of it"
seal_pod "$WORK/three" '{"outbound":[{"listen":"marker-listen","connect":"marker-target"}]}'
sealed_refused "has a mistake at [0-9]+:[0-9]+" "$WORK/three/proxy-seal-proxy"
seal_pod "$WORK/four" '{"marker-key":1}'
sealed_refused "the sealed configuration" "$WORK/four/proxy-seal-proxy"

say "a public listener shows the certificate of a sealed Secret, and follows it"
new_site() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-addext "subjectAltName=DNS:$1" -keyout "$WORK/site.key" -out "$WORK/site.crt" 2>/dev/null
	seal_object "$WORK/site" Secret site tls.crt "" "$(cat "$WORK/site.crt")" tls.key "" "$(cat "$WORK/site.key")"
	for file in tls.crt tls.key; do
		install -D -m 0644 "$WORK/site/$file-" "$(pod_path web "/run/seal-source/site/$file.new")"
		on web mv "/run/seal-source/site/$file.new" "/run/seal-source/site/$file"
	done
}
shown() { on web "$PYTHON" "$SUPPORT/agent.py" --shown 127.0.0.1:8444; }
shows() { [ "$(shown)" = "$1" ]; }
new_site one.example.com
seal_pod "$WORK/site-pod" '{"public":[{"listen":"127.0.0.1:8444","forward":"127.0.0.1:8080","secret":"site",
	"certificate":"/run/seal-source/site/tls.crt","key":"/run/seal-source/site/tls.key"}],"health":"9901"}'
sealed_up "$WORK/site-pod/proxy-seal-proxy"
shows one.example.com || fail "it shows $(shown)"
new_site two.example.com
wait_for 15 "the new certificate" shows two.example.com
cp "$WORK/site.crt" "$(pod_path web /run/seal-source/site/tls.crt)"
wait_for 15 "a refusal" has_line "$LOG" 'event=certificate_refused .*it is not sealed'
shows two.example.com || fail "it shows $(shown)"
stop proxy-web

say "it ends when it is told to, while no root of trust answers"
seal_pod "$WORK/five"
stop rot
: >"$LOG"
sealed_start "$WORK/five/proxy-seal-proxy"
wait_for 10 "a failed hatch" has_line "$LOG" event=hatch_failed
kill -HUP "${PIDS[proxy-web]}"
sleep 0.2
is_alive proxy-web || fail "SIGHUP ended it"
stop proxy-web
[ "$STATUS" = 0 ] || fail "it ended with $STATUS"
rot_start

say "a container that is not what it should be suspends its pod: nobody can connect, nothing goes on"
new_site three.example.com
seal_pod "$WORK/doubt" '{"inbound":[{"listen":"0.0.0.0:8443","forward":"127.0.0.1:8080","peers":["db"]}],
	"outbound":[{"listen":"127.0.0.1:6379","connect":"db:8443","peers":["db"]},
	{"listen":"unix:/run/seal/out.sock","connect":"db:8443","peers":["db"]}],
	"public":[{"listen":"127.0.0.1:8444","forward":"127.0.0.1:8080","secret":"site",
	"certificate":"/run/seal-source/site/tls.crt","key":"/run/seal-source/site/tls.key"}],
	"health":"9901","metrics":"9902"}'
DOORS=(inet:8443 inet:6379 inet:8444 unix:/run/seal/out.sock)
knock() { on web "$PYTHON" "$SUPPORT/agent.py" --knock "$@"; }
answers_all() { [ "$(knock "${DOORS[@]}" | sort -u)" = open ]; }
refuses_all() { [ "$(knock "${DOORS[@]}" | sort -u)" = refused ]; }
readyz() { on web curl -sS -o /dev/null -w '%{http_code}' "http://$HEALTH/$1"; }
passes() { [ "$(on web "$PYTHON" "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<"over the wire")" = "over the wire" ]; }
# hold_app QUESTION...: a container that has asked these things and stays.
hold_app() {
	rm -f "$WORK/held"
	# shellcheck disable=SC2016
	start home holder bash -c 'fifo=$1 pod=$2; shift 2; exec nsenter --target "$pod" --mount --net -- "$@" <"$fifo" >"$fifo.said"' - \
		"$WORK/hold" "${PODS[web]}" "$PYTHON" "$SUPPORT/agent.py" --hold "$WORK/held" \
		"$WORK/eggs/token-app" "spec=$WORK/doubt/spec-app" "$@"
	exec 7>"$WORK/hold"
	wait_for 10 "the application" test -e "$WORK/held"
}
let_app_go() {
	exec 7>&-
	wait_exit 10 holder
}
sealed_up "$WORK/doubt/proxy-seal-proxy"
answers_all || fail "not everything is open: $(knock "${DOORS[@]}")"
start web live "$PYTHON" "$SUPPORT/agent.py" --live "$WORK/live" 127.0.0.1:6379
wait_for 10 "a live connection" test -e "$WORK/live"
began=$(date +%s%N)
hold_app ready=5000 "suspect=1:/etc/hosts line 3: another name"
refuses_all || fail "somebody can connect: $(knock "${DOORS[@]}")"
wait_exit 2 live
[ $((($(date +%s%N) - began) / 1000000)) -lt 3000 ] || fail "it took too long"
[ "$STATUS" = 0 ] || fail "the live connection was not closed"
[ "$(readyz readyz)" = 503 ] || fail "/readyz says $(readyz readyz)"
[ "$(on web curl -sS "http://$HEALTH/readyz")" = "a container is not what it should be: app" ] || fail "/readyz does not say why"
[ "$(readyz healthz)" = 200 ] || fail "it would be started anew, and forget"
expect_line "$LOG" 'level=error event=suspicion container="app" mode="enforce" reason="/etc/hosts line 3: another name"'
[ "$(metric seal_suspended)" = 1 ] || fail "it is not measured"
[ "$(metric 'seal_suspicions_total{container="app"}')" = 1 ] || fail "it is not counted"
[ "$(metric seal_ready)" = 0 ] || fail "it says it is ready"
on web "$PROXY" status >"$WORK/status"
expect_line "$WORK/status" '^seal-proxy +SUSPENDED'
expect_line "$WORK/status" '^suspicion +app, SUSPENDS ALL, 1 times: /etc/hosts line 3: another name$'
[ "$(on web "$PROXY" status -o json | jq -c '[.ready, .sealed.suspended, .sealed.suspicions]')" = \
	'[false,true,[{"container":"app","reason":"/etc/hosts line 3: another name","reports":1,"suspends":true}]]' ] ||
	fail "status: $(on web "$PROXY" status -o json | jq -c .sealed)"

say "nothing but its return ends that: no signal, no other container, no squatter takes the addresses"
reload proxy-web reload_ignored
expect_agent "another container" $'done\ntimeout' token-other "spec=$WORK/doubt/spec-other" ready=200
expect_agent "itself beside the one that was suspected" $'timeout\nrefused' token-app ready=0 "spec=$WORK/doubt/spec-app"
expect_agent "somebody without the token" $'not proved\nclosed' token-other --as app ready=0
[ "$(knock --squat "${DOORS[@]:0:3}" | sort -u)" = taken ] || fail "an address can be taken: $(knock --squat "${DOORS[@]:0:3}")"
refuses_all || fail "somebody can connect: $(knock "${DOORS[@]}")"
expect_agent "a second suspect" $'done\ndone' token-other "spec=$WORK/doubt/spec-other" "suspect=1:a mount"
let_app_go
refuses_all || fail "the end of a suspect opened the doors"
expect_agent "the first is back, the second is not" $'done\ntimeout' token-app "spec=$WORK/doubt/spec-app" ready=200
refuses_all || fail "one of two was enough"
[ "$(on web curl -sS "http://$HEALTH/readyz")" = "a container is not what it should be: other" ] || fail "/readyz says another"
expect_agent "both are back" $'done\ndone' token-other "spec=$WORK/doubt/spec-other" ready=5000
answers_all || fail "ready, and not open: $(knock "${DOORS[@]}")"
passes || fail "no traffic afterwards"
[ "$(readyz readyz)" = 200 ] || fail "it is not ready"
[ "$(metric seal_suspended)" = 0 ] || fail "it is still measured"
expect_line "$LOG" 'event=suspicion_over container="other" still_suspected=0'

say "a report alone is written down, once a second, and changes nothing"
hold_app ready=5000
lines=$(count_lines "$LOG" 'event=suspicion container="app"')
before=$(date +%s)
# shellcheck disable=SC2046
agent token-app $(for ((i = 0; i < 200; i++)); do echo suspect=0:a-mount-changed; done) >/dev/null
seconds=$(($(date +%s) - before + 1))
answers_all || fail "not everything is open: $(knock "${DOORS[@]}")"
[ "$(readyz readyz)" = 200 ] || fail "it is not ready"
[ "$(metric 'seal_suspicions_total{container="app"}')" = 201 ] || fail "not all are counted"
more=$(($(count_lines "$LOG" 'event=suspicion container="app"') - lines))
((more >= 1 && more <= seconds + 1)) || fail "$more lines in $seconds seconds"
expect_line "$LOG" 'level=warn event=suspicion container="app" mode="audit" reason="a-mount-changed"'
expect_agent "more than a sentence" 'closed' token-app "suspect=1:$(printf '%481s' x)"
expect_agent "another way" 'closed' token-app suspect=2:x
expect_agent "no sentence" 'closed' token-app suspect=1:
[ "$(metric seal_suspended)" = 0 ] || fail "it was suspended"
let_app_go

say "and it ends when it is told to while it is suspended"
hold_app "suspect=1:a mount"
stop proxy-web
[ "$STATUS" = 0 ] || fail "it ended with $STATUS"
let_app_go
[ ! -e "$(pod_path web /run/seal/out.sock)" ] || fail "a socket is left"

say "a pod without listeners has an agent all the same, and without the shared memory nothing starts"
seal_pod "$WORK/six" '{"health":"9901"}'
sealed_up "$WORK/six/proxy-seal-proxy"
expect_agent "it is ready" 'done' token-app ready=5000
stop proxy-web

say "who sits where the agent's socket belongs does not stop the traffic"
seal_pod "$WORK/seven"
on web mkdir "$SOCKET"
: >"$LOG"
sealed_up "$WORK/seven/proxy-seal-proxy"
wait_port web 6379
expect_line "$LOG" 'level=error event=no_agent .*agent.sock exists'
stop proxy-web
on web rmdir "$SOCKET"
on web rmdir /run/seal
sealed_refused "memory volume" "$WORK/seven/proxy-seal-proxy"

! grep -rlE 'marker-' "$LOGS" | grep -q . || fail "a value is in a log: $(grep -rhoE '.{60}marker-.*' "$LOGS" | head -n 3)"
