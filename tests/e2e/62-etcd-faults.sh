#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two roots of trust over three members of etcd, all the time under load, while members are killed, stopped, cut off
# (from all, and from their peers alone) and replaced: no acknowledged change is lost, no budget exceeded, no workload
# has two CAs, and all answers about budgets fit into one order.  SEAL_LONG: more rounds, and replicas killed, too.
# Takes: 30 s
. "$(dirname "$0")/lib.sh"
need python3 etcd etcdctl iptables nsenter
"$SEAL_BUILD/seal-rot" --help | grep -q -- --store || skip "this seal-rot keeps its store in a file only"

options=(--seconds 1.5 --only killed --only stopped --only cut-off --only replaced)
limit=120
if [ -n "${SEAL_LONG:-}" ]; then
	options=(--seconds 4 --rounds "${SEAL_ROUNDS:-6}" --kills "${SEAL_KILLS:-1000}")
	limit=2400
fi
python3 "$SUPPORT/linear.py" --test

pods=()
for name in etcd-1 etcd-2 etcd-3; do
	pod_new "$name"
	pods+=("${PODS[$name]}:10.77.$POD_COUNT.2:to-$POD_COUNT")
done
mkdir "$WORK/etcd"
start home faults python3 "$SUPPORT/etcd_faults.py" --seal "$SEAL_BUILD/seal" --rot "$SEAL_BUILD/seal-rot" --work "$WORK/etcd" \
	--logs "$LOGS" --pods "${pods[@]}" --seed "${SEAL_SEED:-$RANDOM}" "${options[@]}"
wait_exit "$limit" faults
cat "$LOGS/faults.log"
[ "$STATUS" = 0 ] || fail "see above"
