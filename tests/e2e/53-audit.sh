#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The audit log: a small life is found in it, in order and without a secret; whatever is done to it in the store
# behind our back is found by "seal audit verify", online and offline, against heads that were kept.
# Takes: 20 s
. "$(dirname "$0")/lib.sh"
need python3 openssl jq

CLI=$SEAL_BUILD/seal
ATTACK=$SEAL_BUILD/tests/support/audit-attack
[ -x "$ATTACK" ] || fail "no audit-attack in $SEAL_BUILD (make check builds it)"
export XDG_STATE_HOME=$WORK/state
PLACE=(--kind Secret --name db --key password -n shop)
SECRETS=()
for i in $(seq 1 20); do
	SECRETS+=("planted-$i-$(openssl rand -hex 6)")
done

# kinds [OPTION...]: of the entries that are listed, on one line.
# Not what the root of trust issues to itself, at times of its own.
kinds() { seal audit list -o json "$@" | jq -r '[.entries[] | select(.actor != "rot" or .kind == "init") | .kind] | join(" ")'; }
expect_kinds() {
	local want=$1 got
	shift
	got=$(kinds "$@")
	[ "$got" = "$want" ] || fail "audit list $*: '$got' instead of '$want'"
}

rot_init
rot_start
say "a small life"
seal workload create shop >/dev/null
seal peer allow shop web db >/dev/null
seal peer deny shop any any >/dev/null
expect_exit 1 "$CLI" workload create shop --dir "$ROT_DIR"
mint "$WORK/egg" shop --peer web --max-hatches 2
python3 "$SUPPORT/renew.py" "$WORK/egg" true >"$WORK/said" || fail "$(cat "$WORK/said")"
expect_line "$WORK/said" 'hatched 200, renewed 200'
expect_hatched "the second hatch" "$WORK/egg"
expect_refused "a third, of two" "$WORK/egg"
for secret in "${SECRETS[@]}"; do
	printf %s "$secret" | seal seal shop --peer web "${PLACE[@]}" - >"$WORK/sealed" 2>/dev/null
done
[ "$(seal unseal "$WORK/sealed")" = "${SECRETS[19]}" ] || fail "the value does not open"
expect_exit 1 "$CLI" seal shop --peer web --kind "${SECRETS[0]}!" --name db --key x - --dir "$ROT_DIR"
seal workload rotate-key shop >/dev/null
seal cert issue shop --peer db --hostname db.example.com -o "$WORK/cert" >/dev/null
seal egg revoke "$(egg_id "$WORK/egg")" --yes >/dev/null

say "is found in the log, in order"
sealings=$(printf 'seal %.0s' $(seq 1 20))
expect_kinds "init workload.create peer.allow peer.deny workload.create egg.mint hatch renew hatch hatch ${sealings}unseal key.rotate cert.issue egg.revoke"
seal audit list -o json >"$WORK/list"
jq -e '.entries[0].n == 0 and .entries[0].kind == "init" and .entries[0].actor == "rot" and
	([.entries[].n] == [range(.entries | length)])' "$WORK/list" >/dev/null || fail "numbers"
jq -e --arg egg "egg/$(egg_id "$WORK/egg")" '[.entries[] | select(.kind == "hatch" and .refused)] |
	length == 1 and .[0].reason == "the egg'"'"'s hatch budget is spent" and .[0].actor == $egg and
	.[0].workload == "shop" and .[0].count == 1' "$WORK/list" >/dev/null ||
	fail "the refused hatch: $(jq -c '.entries[] | select(.kind == "hatch")' "$WORK/list")"
jq -e '.entries[] | select(.kind == "renew") | .actor | test("^pod/shop/web/[0-9a-f]{32}$")' "$WORK/list" >/dev/null ||
	fail "the renewal: $(jq -c '.entries[] | select(.kind == "renew")' "$WORK/list")"
jq -e '.entries[] | select(.kind == "unseal") | .actor == "operator/admin/local" and .address == "uid 0" and .workload == "shop"' \
	"$WORK/list" >/dev/null || fail "who unsealed"
jq -e '.entries[-2].subject | test("for shop/db: db.example.com$")' "$WORK/list" >/dev/null || fail "the issued certificate"
expect_kinds "workload.create hatch" --refused
expect_kinds "unseal key.rotate" --kind unseal --kind key.rotate --workload shop --since 1h
expect_kinds "" --until 2020-01-01
expect_kinds "" --workload bank
expect_exit 2 "$CLI" audit list --since yesterday --dir "$ROT_DIR"
expect_exit 2 "$CLI" audit list --kind nonsense --dir "$ROT_DIR"
seal audit list --refused | grep -q 'refused: the egg.s hatch budget is spent' || fail "the table"
seal audit list -o yaml | python3 -c 'import json, sys, yaml
assert yaml.safe_load(sys.stdin) == json.load(open(sys.argv[1]))' "$WORK/list" 2>"$WORK/err" || {
	grep -q "No module named 'yaml'" "$WORK/err" || fail "YAML and JSON differ: $(tail -n 1 "$WORK/err")"
}

say "new entries are followed"
start home follow "$CLI" audit list --follow --kind peer.allow -o json --dir "$ROT_DIR"
wait_for 10 "the first line" has_line "$LOGS/follow.log" '"kind":"peer.allow".*web -> db'
seal peer allow shop db web >/dev/null
wait_for 10 "the next line" has_line "$LOGS/follow.log" '"kind":"peer.allow".*db -> web'
stop follow

say "no secret is in it, and none in the export"
seal audit head -o "$WORK/head"
mkdir "$WORK/exported"
seal audit export -o "$WORK/exported/log"
mv "$WORK/exported/log" "$WORK/export"
[ -z "$(ls -A "$WORK/exported")" ] || fail "the export left something: $(ls -A "$WORK/exported")"
expect_exit 1 sh -c "ulimit -f 1; trap '' XFSZ; exec '$SEAL_BUILD/seal' --dir '$ROT_DIR' audit export -o '$WORK/exported/log'"
[ -z "$(ls -A "$WORK/exported")" ] || fail "a failed export left something: $(ls -A "$WORK/exported")"
for secret in "${SECRETS[@]}"; do
	! grep -qF -- "$secret" "$WORK/list" "$WORK/export" "$WORK/head" || fail "a secret is in the log"
done
grep -q 'PRIVATE KEY' "$WORK/export" && fail "a key is in the log"

say "it verifies, online and offline, by the head that was kept and without"
expect_exit 0 "$CLI" audit verify --head "$WORK/head" --dir "$ROT_DIR"
expect_line "$WORK/out" '^PROVEN'
size=$(sed -n 3p "$WORK/head")
expect_exit 0 "$CLI" audit verify --file "$WORK/export" --head "$WORK/head" -o json
[ "$(jq .proven "$WORK/out")" = "$size" ] || fail "not all is proven: $(cat "$WORK/out")"
key=$(jq -r .key "$WORK/out")
expect_exit 0 "$CLI" audit verify --key "$key" --dir "$ROT_DIR"
expect_exit 0 "$CLI" audit verify --key "$WORK/head" --file "$WORK/export"
expect_exit 0 "$CLI" audit verify --file "$WORK/export"
expect_line "$WORK/err" 'no head that was kept elsewhere'
expect_exit 1 "$CLI" audit verify --key "${key//[0-4]/5}" --dir "$ROT_DIR"
expect_line "$WORK/err" 'signed with another key'
expect_exit 1 "$CLI" audit head -o "$WORK/head" --dir "$ROT_DIR"

say "offline, each line of the export counts"
lines=$(grep -n '^{' "$WORK/export" | cut -d: -f1)
middle=$(printf '%s\n' "$lines" | sed -n 7p)
sed "${middle}d" "$WORK/export" >"$WORK/bad-removed"
sed "${middle}s/shop/chop/" "$WORK/export" >"$WORK/bad-changed"
sed "${middle}p" "$WORK/export" >"$WORK/bad-doubled"
sed "${middle}{h;d};$((middle + 1)){G}" "$WORK/export" >"$WORK/bad-swapped"
head -n $((middle - 1)) "$WORK/export" >"$WORK/bad-cut"
head -c -10 "$WORK/export" >"$WORK/bad-torn"
for bad in removed changed doubled swapped cut torn; do
	expect_exit 1 "$CLI" audit verify --file "$WORK/bad-$bad" --head "$WORK/head"
	expect_line "$WORK/err" 'the audit log is not proven: .*(entry|entries|cut off)'
done

# A store of many lives: the heads in it are of several sizes.
stop rot
mkdir "$WORK/good"
cp -a "$ROT_DIR/." "$WORK/good/"
mv "$XDG_STATE_HOME" "$WORK/state-good"

# attacked ACTION N: the root of trust serves the altered log; nothing was seen here before.
attacked() {
	rm -rf "$ROT_DIR" "$XDG_STATE_HOME"
	cp -a "$WORK/good" "$ROT_DIR"
	"$ATTACK" "sqlite:$ROT_DIR/seal.db" "$@" >"$WORK/attack" || fail "audit-attack $*: $?"
	rot_start
}
expect_found() {
	expect_exit 1 "$CLI" audit verify "$@"
	expect_line "$WORK/err" 'the audit log is not proven: .*(entry [0-9]+|entries [0-9]+ to [0-9]+)'
	say "  $(sed 's/.*not proven: //' "$WORK/err" | cut -c 1-110)"
}

for attack in change remove insert swap truncate; do
	say "$attack entry 9, tree and numbers made to fit, heads in the store removed: found by the head that was kept"
	attacked "$attack" 9
	expect_found --head "$WORK/head" --dir "$ROT_DIR"
	seal audit export -o "$WORK/export-$attack"
	expect_found --head "$WORK/head" --file "$WORK/export-$attack"
	if [ "$attack" = swap ]; then
		say "unseen where nothing was kept, and that is said"
		expect_exit 0 "$CLI" audit verify --dir "$ROT_DIR"
		expect_line "$WORK/err" 'no head that was kept elsewhere'
	fi
	stop rot
done

say "a head in the store is enough for who cannot remove it"
KEEP_HEADS=1 attacked change 9
expect_found --dir "$ROT_DIR"
stop rot
say "an entry that is simply gone is named"
attacked raw 9
expect_found --dir "$ROT_DIR"
expect_line "$WORK/err" 'entry 9: entry 10 stands in its place'
stop rot

say "another log's id: its key opens for no other log"
rm -rf "$ROT_DIR" && cp -a "$WORK/good" "$ROT_DIR"
"$ATTACK" "sqlite:$ROT_DIR/seal.db" newlog 0 >/dev/null
expect_exit 1 "$SEAL_BUILD/seal-rot" --dir "$ROT_DIR"
expect_line "$WORK/err" "audit log's key"

say "an older copy of the store ends before the head that was kept, or seen here last"
rm -rf "$ROT_DIR" && cp -a "$WORK/good" "$ROT_DIR"
cp -a "$WORK/state-good" "$XDG_STATE_HOME"
rot_start
seal workload create bank >/dev/null
seal audit head -o "$WORK/newer"
expect_exit 0 "$CLI" audit verify --dir "$ROT_DIR"
stop rot
rm -rf "$ROT_DIR" && cp -a "$WORK/good" "$ROT_DIR"
# It goes on differently, and grows beyond the head.
rot_start
expect_found --dir "$ROT_DIR"
expect_line "$WORK/err" "entries [0-9]+ to [0-9]+: (missing|not what)"
rm -rf "$XDG_STATE_HOME"
expect_found --head "$WORK/newer" --dir "$ROT_DIR"
for name in one two three four; do
	seal workload create "other-$name" >/dev/null
done
expect_found --head "$WORK/newer" --dir "$ROT_DIR"

say "a head of another root of trust proves nothing here"
"$CLI" init --dir "$WORK/other" --url https://other.seal.test:9443 --trust-domain other.test >/dev/null
start home other "$SEAL_BUILD/seal-rot" --dir "$WORK/other"
wait_for 20 "the other root of trust" "$CLI" status --dir "$WORK/other"
"$CLI" audit head -o "$WORK/foreign" --dir "$WORK/other"
expect_exit 1 "$CLI" audit verify --head "$WORK/foreign" --dir "$ROT_DIR"
expect_line "$WORK/err" 'another key|another log'
stop other

say "refusals without end are counted after the first fifty of a minute"
mint "$WORK/flood" shop
egg_revoked=$(egg_id "$WORK/flood")
seal egg revoke "$egg_revoked" --yes >/dev/null
for _ in 1 2 3; do
	hatch "$WORK/flood" --count 40 >/dev/null || true
done
told=$(seal audit list -o json --kind hatch --refused | jq '[.entries[] | select(.reason == "the egg is revoked")] | length')
[ "$told" -le 50 ] || fail "$told refusals of one minute are told one by one"
stop rot
rot_start
# What was counted is written at the end; of 429 some more were asked.
counted=$(seal audit list -o json --kind refusals | jq '[.entries[] | select(.subject == "hatch") | .count] | add // 0')
[ $((told + counted)) -ge 120 ] || fail "of 120 refusals $told are told and $counted counted"
expect_exit 0 "$CLI" audit verify --dir "$ROT_DIR"
