#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Several targets: spread by connections, left out while they do not answer, tried again; a peer that is not
# who it should be is passed over, and a target that comes up in time is waited for.  Unix sockets and IPv6 on
# every side, host names in certificates, application protocols, and names with an address that is silent.
. "$(dirname "$0")/lib.sh"
need python3 curl jq

PROXY=$SEAL_BUILD/seal-proxy

rot_up
seal peer allow shop web eve >/dev/null
# issue DIR PEER [HOSTNAME]
issue() { seal cert issue shop --peer "$2" ${3:+--hostname "$3"} -o "$WORK/$1" >/dev/null; }
issue web web
issue db db
issue eve eve
issue named db db.shop.test
issue other db other.shop.test

# Names: one of our own; one with addresses that never answer in front of the one that does.
ip link add silent type veth peer name nowhere
ip address add 10.79.0.1/24 dev silent
ip link set silent up
ip link set nowhere up
ip neighbour add 10.79.0.2 lladdr 02:00:00:00:00:01 dev silent
silent6=
if ip address add fd79::1/64 dev silent nodad 2>/dev/null; then
	ip neighbour add fd79::2 lladdr 02:00:00:00:00:01 dev silent
	silent6="fd79::2 two.shop.test"
fi
printf '%s\n' "$HOSTS" "127.0.0.1 db.shop.test" "$silent6" "10.79.0.2 two.shop.test" "127.0.0.1 two.shop.test" >"$WORK/hosts"

# app NAME PORT [ADDRESS]: an application that echoes and is watched.
app() {
	start home "$1" python3 "$SUPPORT/witness.py" "$2" "$WORK/seen-$1" echo "${3:-127.0.0.1}"
	case ${3:-} in
	unix:*) wait_for 10 "$3" test -S "${3#unix:}" ;;
	*) wait_port home "$2" ;;
	esac
}
app one 6001
app two 6002 ::1
app three 0 "unix:$WORK/three.sock"
app never 6004 # behind those who are not who they should be

cat >"$WORK/db.yaml" <<-END
	inbound:
	  - {listen: '127.0.0.1:18440', forward: ['127.0.0.1:6001', '[::1]:6002', 'unix:$WORK/three.sock'], peers: [web]}
	  - {listen: 'unix:$WORK/in.sock', forward: 'unix:$WORK/three.sock', peers: [web]}
	  - {listen: '[::1]:18441', forward: '[::1]:6002', peers: [web]}
	  - {listen: '127.0.0.1:18442', forward: '127.0.0.1:6005', peers: [web]}
	  - {listen: '127.0.0.1:18443', forward: '127.0.0.1:6001', peers: [web], alpn: [http/1.1]}
	timeouts: {connect: 20s}
END
start home db "$PROXY" --credentials "$WORK/db" --config "$WORK/db.yaml" --control "unix:$WORK/db.ctl"
start home eve "$PROXY" --credentials "$WORK/eve" --inbound 127.0.0.1:18450=6004/web --control off
start home named "$PROXY" --credentials "$WORK/named" --inbound 127.0.0.1:18451=6001/web --control off
start home other "$PROXY" --credentials "$WORK/other" --inbound 127.0.0.1:18452=6004/web --control off

cat >"$WORK/web.yaml" <<-END
	outbound:
	  - {listen: 7000, connect: '127.0.0.1:18440', peers: [db]}
	  - {listen: 7001, connect: ['127.0.0.1:18450', '127.0.0.1:18440'], peers: [db]}
	  - {listen: 7002, connect: '127.0.0.1:18442', peers: [db]}
	  - {listen: 7003, connect: '127.0.0.1:18460', peers: [db]}
	  - {listen: 'unix:$WORK/out.sock', connect: 'unix:$WORK/in.sock', peers: [db]}
	  - {listen: '[::1]:7004', connect: '[::1]:18441', peers: [db]}
	  - {listen: 7005, connect: 'db.shop.test:18451', peers: [db], verify: hostname}
	  - {listen: 7006, connect: '127.0.0.1:18451', peers: [db], verify: hostname, server-name: db.shop.test}
	  - {listen: 7007, connect: 'db.shop.test:18452', peers: [db], verify: hostname}
	  - {listen: 7008, connect: 'db.shop.test:18440', peers: [db], verify: hostname}
	  - {listen: 7009, connect: '127.0.0.1:18443', peers: [db], alpn: [h2, http/1.1]}
	  - {listen: 7010, connect: '127.0.0.1:18443', peers: [db]}
	  - {listen: 7011, connect: '127.0.0.1:18443', peers: [db], alpn: [h2]}
	  - {listen: 7012, connect: 'two.shop.test:18440', peers: [db]}
	timeouts: {connect: 20s}
END
start home web "$PROXY" --credentials "$WORK/web" --config "$WORK/web.yaml" --control "unix:$WORK/web.ctl"
for port in 7000 7012 18440 18450 18451 18452; do wait_port home "$port"; done

# call PLACE: "hello" and what comes back, or how it ended.
call() { python3 "$SUPPORT/knock.py" "$@"; }
expect_served() {
	local got
	got=$(call "$@")
	[ "$got" = hello ] || fail "$*: '$got'"
}
expect_not_served() {
	local got
	got=$(call "$@")
	[ "$got" = closed ] || [ "$got" = reset ] || fail "$*: '$got'"
}
seen() { grep -ao '<connection>' "$WORK/seen-$1" | wc -l; }
# healthy SIDECAR TARGET
healthy() { "$PROXY" status --control "unix:$WORK/$1.ctl" --output json | jq -r "[.listeners[].targets[] | select(.address == \"$2\").healthy] | all"; }
is_health() { [ "$(healthy "$1" "$2")" = "$3" ]; }

say "connections that stay are spread evenly: by IPv4, IPv6 and a unix socket"
start home held python3 -c '
import socket, time
held = []
for _ in range(9):
    conn = socket.create_connection(("127.0.0.1", 7000), 20)
    conn.sendall(b"hello")
    if conn.recv(5, socket.MSG_WAITALL) != b"hello":
        raise SystemExit("not answered")
    held.append(conn)
print("held", flush=True)
time.sleep(600)'
wait_for 20 "nine connections" has_line "$LOGS/held.log" held
for name in one two three; do [ "$(seen $name)" = 3 ] || fail "spread: $(seen one) $(seen two) $(seen three)"; done
[ "$("$PROXY" status --control "unix:$WORK/db.ctl" --output json | jq -c '[.listeners[0].targets[].connections]')" = '[3,3,3]' ] || fail "status tells otherwise"

stop held
none_left() { [ "$("$PROXY" status --control "unix:$WORK/db.ctl" --output json | jq '[.listeners[].targets[].connections] | add')" = 0 ]; }
wait_for 10 "an end of all connections" none_left

say "a target that does not answer is left out, and nobody notices"
stop one
for _ in 1 2 3 4 5 6 7; do expect_served 127.0.0.1 7000; done
expect_line "$LOGS/db.log" 'event=target_down target="127.0.0.1:6001".*refused'
is_health db 127.0.0.1:6001 false || fail "the status does not show it"
is_health db '[::1]:6002' true || fail "the status shows another one"

say "and is used again when it does"
app one 6001
comes_back() { call 127.0.0.1 7000 && is_health db 127.0.0.1:6001 true; }
wait_for 20 "the target to come back" comes_back
expect_line "$LOGS/db.log" 'event=target_up target="127.0.0.1:6001"'
[ "$(seen one)" -ge 1 ] || fail "up, and not used"

say "a peer that is another one is passed over, and said"
for _ in 1 2 3 4 5 6; do expect_served 127.0.0.1 7001; done
expect_line "$LOGS/web.log" "event=peer_refused .*address=\"127.0.0.1:18450\".*peer 'eve' is not accepted"
is_health web 127.0.0.1:18450 false || fail "the status does not show it"
[ ! -s "$WORK/seen-never" ] || fail "what is behind eve saw something"

# served_late PORT LOG TARGET COMMAND...: the call is made first; what answers it is started when it has been refused once.
served_late() {
	local port=$1 log=$2 target=$3
	shift 3
	start home late python3 "$SUPPORT/knock.py" 127.0.0.1 "$port"
	wait_for 10 "a refusal" has_line "$LOGS/$log.log" "event=target_down target=\"$target\""
	"$@"
	wait_exit 20 late
	expect_line "$LOGS/late.log" '^hello$'
	rm "$LOGS/late.log"
}
say "a target that comes up within the deadline is waited for: the application, and the peer"
served_late 7002 db 127.0.0.1:6005 app five 6005
served_late 7003 web 127.0.0.1:18460 \
	start home late-db "$PROXY" --credentials "$WORK/db" --inbound 127.0.0.1:18460=6001/web --control off

say "from unix socket to unix socket, and by IPv6 all the way"
before=$(seen three)
expect_served "unix:$WORK/out.sock"
[ "$(seen three)" = $((before + 1)) ] || fail "not by the unix socket"
before=$(seen two)
expect_served ::1 7004
[ "$(seen two)" = $((before + 1)) ] || fail "not by IPv6"

say "verify: hostname asks for the name in addition"
expect_served 127.0.0.1 7005
expect_served 127.0.0.1 7006
expect_not_served 127.0.0.1 7007
expect_not_served 127.0.0.1 7008
for port in 18452 18440; do
	wait_for 10 "a refusal at $port" has_line "$LOGS/web.log" "event=peer_refused .*address=\"127.0.0.1:$port\".*db\.shop\.test"
done
[ ! -s "$WORK/seen-never" ] || fail "a peer without the name saw something"

say "application protocols: one is agreed on, none is asked for, none fits"
expect_served 127.0.0.1 7009
expect_served 127.0.0.1 7010
expect_not_served 127.0.0.1 7011

say "a name of which some addresses are silent is connected to all the same, and soon"
slowest=0
for _ in 1 2 3 4; do
	begun=$(date +%s%N)
	expect_served 127.0.0.1 7012
	took=$((($(date +%s%N) - begun) / 1000000))
	[ "$took" -lt $((3000 * SEAL_SLOW)) ] || fail "it took $took ms"
	[ "$took" -lt "$slowest" ] || slowest=$took
done
[ "$slowest" -ge 200 ] || fail "the silent address was never tried: at most $slowest ms"
is_health web two.shop.test:18440 true || fail "the name is taken for one that does not answer"
