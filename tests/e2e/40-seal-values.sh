#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Single values and the keys behind them: sealed and opened by the command, opened and sealed by another
# implementation of JOSE, through rotation, retirement, an upgrade of the store; and tokens of containers.
. "$(dirname "$0")/lib.sh"
need python3 openssl jq node sqlite3
NODE_PATH=$("$SUPPORT/npm.sh" find) || skip "node packages are not installed (tests/support/npm.sh install)"
export NODE_PATH=$NODE_PATH/node_modules

CLI=$SEAL_BUILD/seal
D=(--dir "$ROT_DIR")
SECRET=marked-hunter2-plaintext
PLACE=(--kind Secret --name db --key password -n shop)

# seal_value FILE [OPTION...]: the value of a file, for web of shop.
seal_value() {
	local file=$1
	shift
	seal seal shop --peer web "${PLACE[@]}" "$@" "$file"
}

# expect_plain SEALED FILE: opens to the very bytes.
expect_plain() {
	seal unseal "$1" >"$WORK/opened" || fail "$(basename "$1") does not open"
	expect_same "$WORK/opened" "$2"
}

rot_up

say "values of all kinds come back to the byte"
printf %s "$SECRET" >"$WORK/text"
printf 'zwei\nZeilen \xc3\xa4 \x01\t\n' >"$WORK/lines"
head -c 70000 /dev/urandom >"$WORK/bytes"
head -c 1048576 /dev/zero >"$WORK/big"
: >"$WORK/empty"
for kind in text lines bytes big empty; do
	seal_value "$WORK/$kind" >"$WORK/$kind.sealed"
	[ "$(wc -l <"$WORK/$kind.sealed")" = 1 ] || fail "the value of $kind is not one line"
	expect_plain "$WORK/$kind.sealed" "$WORK/$kind"
done
seal_value - <"$WORK/text" | seal unseal >"$WORK/opened"
expect_same "$WORK/opened" "$WORK/text"
! grep -q "$SECRET" "$WORK/text.sealed" || fail "the value is in clear"

say "programs get the place with the value"
seal_value "$WORK/text" --container app -o json >"$WORK/json"
[ "$(jq -r '[.ns, .kind, .name, .key, .container] | join("/")' "$WORK/json")" = shop/Secret/db/password/app ] ||
	fail "$(cat "$WORK/json")"
before=$(jq .gen "$WORK/json")
seal_value "$WORK/text" -o json >"$WORK/json"
[ "$(jq .gen "$WORK/json")" = $((before + 1)) ] || fail "the generation did not grow by one: $(jq .gen "$WORK/json")"
jq -r .sealed "$WORK/json" | seal unseal -o json >"$WORK/opened"
[ "$(jq -r '[.workload, .peer, .text, .of] | join("/")' "$WORK/opened")" = "shop/web/$SECRET/1" ] ||
	fail "$(cat "$WORK/opened")"

say "what cannot be done ends with 1, what cannot be meant with 2, and prints nothing"
expect_exit 1 "$CLI" seal nobody "${PLACE[@]}" "$WORK/text" "${D[@]}"
[ ! -s "$WORK/out" ] || fail "something was printed"
expect_exit 1 "$CLI" seal shop "${PLACE[@]}" "$WORK/text" --dir "$WORK/nowhere"
expect_line "$WORK/err" 'is seal-rot --dir running'
head -c 1048577 /dev/zero >"$WORK/bigger"
expect_exit 1 "$CLI" seal shop "${PLACE[@]}" "$WORK/bigger" "${D[@]}"
expect_exit 2 "$CLI" seal shop --kind Secret --name db "$WORK/text" "${D[@]}"
expect_line "$WORK/err" '--key'
expect_exit 1 "$CLI" unseal "$WORK/text" "${D[@]}"
expect_line "$WORK/err" 'no sealed value'
python3 - "$WORK/text.sealed" >"$WORK/altered" <<-'EOF_PY'
	import sys
	parts = open(sys.argv[1]).read().strip().split(".")
	parts[3] = ("B" if parts[3][0] == "A" else "A") + parts[3][1:]
	print(".".join(parts))
EOF_PY
expect_exit 1 "$CLI" unseal "$WORK/altered" "${D[@]}"
expect_line "$WORK/err" 'altered'
[ ! -s "$WORK/out" ] || fail "something was printed"

say "another implementation opens our values with the key that a pod gets"
mint "$WORK/web.egg" shop --peer web
expect_hatched "web" "$WORK/web.egg"
jq . "$WORK/hatched/0.json" >"$WORK/credentials"
[ "$(jq -c '[.keys[].id]' "$WORK/credentials")" = '["shop/config/web/1","shop/container/web/1","shop/data/web/1"]' ] ||
	fail "keys: $(jq -c '[.keys[].id]' "$WORK/credentials")"
[ "$(jq '.floor["shop/Secret/db"]' "$WORK/credentials")" = $((before + 1)) ] || fail "floor: $(jq -c .floor "$WORK/credentials")"
key=$(jq -r '.keys[] | select(.id == "shop/config/web/1") | .key' "$WORK/credentials")
for kind in text lines bytes big empty; do
	node "$SUPPORT/jose.js" open "$key" "$WORK/$kind.sealed" >"$WORK/opened" 2>"$WORK/header" ||
		fail "jose does not open $kind: $(cat "$WORK/header")"
	expect_same "$WORK/opened" "$WORK/$kind"
done
[ "$(jq -c '[.alg, .enc, .kid, .seal.name, .seal.key]' "$WORK/header")" = \
	'["dir","A256GCM","shop/config/web/1","db","password"]' ] || fail "header: $(cat "$WORK/header")"
other=$(jq -r '.keys[] | select(.id == "shop/data/web/1") | .key' "$WORK/credentials")
expect_exit 1 node "$SUPPORT/jose.js" open "$other" "$WORK/text.sealed"

say "and we open what it sealed, when it is what the page says"
header='{"alg":"dir","enc":"A256GCM","kid":"shop/config/web/1","seal":{"ns":"shop","kind":"Secret","name":"db","key":"password","gen":1,"of":1}}'
# theirs CHANGE: a value of theirs whose header was changed by a jq filter.
theirs() { node "$SUPPORT/jose.js" seal "$key" "$(jq -c "$1" <<<"$header")" "$WORK/bytes" >"$WORK/theirs"; }
theirs .
expect_plain "$WORK/theirs" "$WORK/bytes"
theirs '.seal = (.seal | to_entries | reverse | from_entries)'
expect_plain "$WORK/theirs" "$WORK/bytes"
for change in 'del(.seal)' 'del(.kid)' 'del(.seal.key)' 'del(.seal.gen)' 'del(.seal.of)' '.seal.gen = 0' '.seal.gen = "1"' \
	'.seal.gen = 1.5' '.seal.gen = 9007199254740994' '.seal.of = 0' '.seal.ns = "Shop"' '.seal.kind = ""' '.seal = []' \
	'.kid = "shop/config/web/01"' '.kid = "shop/data/web/1"' '.kid = "shop/config/web"' '.kid = "shop/config/db/1"' \
	'.kid = "shop/config/web/2"' '.kid = "none/config/web/1"'; do
	theirs "$change"
	expect_exit 1 "$CLI" unseal "$WORK/theirs" "${D[@]}"
	[ ! -s "$WORK/out" ] || fail "$change: something was printed"
done

say "a new generation is introduced, and seals when it is switched to; the old one opens until it is retired"
expect_exit 0 "$CLI" workload rotate-key shop "${D[@]}"
seal_value "$WORK/text" >"$WORK/new.sealed"
seal workload show shop >"$WORK/shown"
expect_line "$WORK/shown" '^2 +introduced +0 .* -$'
expect_exit 1 "$CLI" workload rotate-key shop "${D[@]}"
expect_line "$WORK/err" 'introduced already'
expect_exit 1 "$CLI" workload rotate-key shop --switch "${D[@]}"
expect_line "$WORK/err" 'certificate\(s\) are of pods that have not got key generation 2: .*force'
expect_exit 0 "$CLI" workload rotate-key shop --switch --force "${D[@]}"
seal_value "$WORK/text" >"$WORK/new.sealed"
expect_plain "$WORK/new.sealed" "$WORK/text"
expect_plain "$WORK/bytes.sealed" "$WORK/bytes"
seal workload show shop >"$WORK/shown"
expect_line "$WORK/shown" '^KEY GENERATION +PHASE +OBJECTS +WAITING +CREATED +RETIRED$'
expect_line "$WORK/shown" '^2 +active +1 .* -$'
expect_line "$WORK/shown" '^1 +old +0 .* -$'
expect_exit 1 "$CLI" workload retire-key shop 1 "${D[@]}"
expect_line "$WORK/err" '--yes'
expect_exit 1 "$CLI" workload retire-key shop 2 --yes "${D[@]}"
expect_line "$WORK/err" 'the one that seals'
expect_exit 0 "$CLI" workload retire-key shop 1 --yes "${D[@]}"
expect_exit 1 "$CLI" unseal "$WORK/bytes.sealed" "${D[@]}"
expect_line "$WORK/err" 'generation 1 .* not in use'
expect_plain "$WORK/new.sealed" "$WORK/text"
expect_hatched "after retirement" "$WORK/web.egg"
[ "$(jq -c '[.keys[].id]' "$WORK/hatched/0.json")" = '["shop/config/web/2","shop/container/web/2","shop/data/web/2"]' ] ||
	fail "keys: $(jq -c '[.keys[].id]' "$WORK/hatched/0.json")"
expect_exit 0 "$CLI" workload rotate-key shop -o json "${D[@]}"
[ "$(jq -c '[.keys[] | [.generation, .objects, .retired_at == null]]' "$WORK/out")" = '[[3,0,true],[2,1,true],[1,0,false]]' ] ||
	fail "$(cat "$WORK/out")"
expect_exit 0 "$CLI" workload rotate-key shop --switch --force "${D[@]}"
expect_exit 1 "$CLI" workload retire-key shop 2 --yes "${D[@]}"
expect_line "$WORK/err" '1 object'
expect_exit 0 "$CLI" workload retire-key shop 2 --force --yes "${D[@]}"
expect_exit 1 "$CLI" unseal "$WORK/new.sealed" "${D[@]}"

say "tokens of containers lie beside their egg, all of them or none"
mkdir "$WORK/eggs"
expect_exit 0 "$CLI" egg mint shop --peer web --container app --container log -o "$WORK/eggs/egg" "${D[@]}"
[ "$(cd "$WORK/eggs" && stat -c '%n %a' *)" = $'egg 600\ntoken-app 600\ntoken-log 600' ] || fail "$(ls -l "$WORK/eggs")"
python3 -c 'import base64, sys; print(base64.urlsafe_b64decode(sys.argv[1] + "===").decode())' \
	"$(cut -d. -f3 "$WORK/eggs/token-app")" >"$WORK/token"
expect_line "$WORK/token" '"workload":"shop","peer":"web","container":"app","generation":3,'
eggs=$(seal egg list -o json | jq '.eggs | length')
rm "$WORK/eggs/egg" "$WORK/eggs/token-app"
expect_exit 1 "$CLI" egg mint shop --peer web --container app --container log -o "$WORK/eggs/egg" "${D[@]}"
expect_line "$WORK/err" 'token-log.*there already'
[ "$(ls "$WORK/eggs")" = token-log ] || fail "half of it is there: $(ls "$WORK/eggs")"
[ "$(seal egg list -o json | jq '.eggs | length')" = "$eggs" ] || fail "an egg was minted all the same"

say "a store of tables is upgraded, with its keys and generations"
seal_value "$WORK/text" >"$WORK/again.sealed"
stop rot
store=$(ls "$ROT_DIR"/*.db)
python3 "$SUPPORT/old_store.py" "$store" 2
rm "$ROT_DIR/store" # which earlier versions did not write
rot_start
expect_plain "$WORK/again.sealed" "$WORK/text"
stop rot
say "and one made before there were keys"
python3 "$SUPPORT/old_store.py" "$store" 1
rm -f "$ROT_DIR/store"
rot_start
seal workload show shop >/dev/null
seal_value "$WORK/text" >"$WORK/again.sealed"
expect_plain "$WORK/again.sealed" "$WORK/text"
seal workload show shop >"$WORK/shown"
expect_line "$WORK/shown" '^1 +active +1 .* -$'
[ "$(sqlite3 "$store" 'PRAGMA user_version; PRAGMA integrity_check' | paste -sd ' ')" = '4 ok' ] || fail "the store is not sound"

say "no value, key or token is in the log or in the store"
stop rot
for word in "$SECRET" "$key" "$(cut -d. -f3 "$WORK/eggs/token-log")"; do
	! grep -rqF -- "$word" "$LOGS" "$ROT_DIR" || fail "a secret lies in $(grep -rlF -- "$word" "$LOGS" "$ROT_DIR")"
done
python3 - "$key" "$ROT_DIR"/*.db* <<-'EOF_PY' || fail "a key lies in the store"
	import base64, sys
	key = base64.urlsafe_b64decode(sys.argv[1] + "=")
	assert len(key) == 32
	sys.exit(any(form in open(path, "rb").read() for path in sys.argv[2:] for form in (key, key.hex().encode())))
EOF_PY
