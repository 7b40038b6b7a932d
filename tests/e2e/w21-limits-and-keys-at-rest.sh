#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 21: bodies without bound, failures answered with an empty 200, keys stored in the open.  Here failures
# have a status and a sentence, and the store holds no key that can be read.  Bounds: 09-hostile-bodies.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl jq sqlite3

rot_up
mint "$WORK/web.egg" shop --peer web
expect_hatched "one" "$WORK/web.egg"

api() { curl -sS -o "$WORK/reply" -w '%{http_code}' --unix-socket "$ROT_DIR/rot.sock" "${@:2}" "http://rot$1"; }
# answers STATUS CODE PATH CURL-OPTION...
answers() {
	local status=$1 code=$2 got
	shift 2
	got=$(api "$@")
	[ "$got" = "$status" ] || fail "$* was answered with $got: $(head -c 200 "$WORK/reply")"
	[ "$(jq -r .error.code "$WORK/reply")" = "$code" ] || fail "$* has code $(jq -r .error.code "$WORK/reply")"
	[ "$(jq -r '.error.message | length' "$WORK/reply")" -gt 5 ] || fail "$* has no sentence"
}
say "every failure has its status, code and sentence"
answers 404 missing /nowhere
answers 404 missing /v1/workloads/nothere
answers 405 method /v1/status -X POST -d '{}'
answers 400 invalid /v1/workloads -d 'no json'
answers 400 invalid /v1/workloads -d '{"name":"new","surplus":1}'
answers 400 invalid /v1/workloads -d '{"name":"new","name":"newer"}'
answers 409 conflict /v1/workloads -d '{"name":"shop"}'
head -c 65537 /dev/zero | tr '\0' ' ' >"$WORK/big"
answers 413 too_large /v1/workloads --data-binary "@$WORK/big"

say "the store, the journal and everything else in the directory: no key in the open"
python3 "$SUPPORT/leaks.py" --key "$WORK/web.egg" --kek "$ROT_DIR/kek" --tree "$ROT_DIR" --tree "$LOGS" --allow kek --allow admin || fail "a key in the open"
stop rot
python3 "$SUPPORT/leaks.py" --key "$WORK/web.egg" --kek "$ROT_DIR/kek" --tree "$ROT_DIR" --allow kek --allow admin || fail "a key in the open"
say "and nobody else may read it"
[ "$(stat -c %a "$ROT_DIR")" = 700 ] || fail "the directory has mode $(stat -c %a "$ROT_DIR")"
[ -z "$(find "$ROT_DIR" -type f -perm /077)" ] || fail "open to others: $(find "$ROT_DIR" -type f -perm /077)"
