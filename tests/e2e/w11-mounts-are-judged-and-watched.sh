#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 11: a mount table that could not be read was an empty list, and passed; of the others only path and type
# were looked at, once.  Here what cannot be read is refused, every column counts, and e2e/48-hostile-host.sh shows
# that what changes later is seen.
. "$(dirname "$0")/lib.sh"
need_vectors mountinfo
VERIFY=$SEAL_BUILD/seal-verify
[ -x "$VERIFY" ] || fail "no seal-verify in $SEAL_BUILD"

cat >"$WORK/policy.yaml" <<'EOF'
version: 1
mode: enforce
mounts:
- {path: /etc/app, source: volume, readOnly: true}
- {path: /cache, source: memory}
account: {mounted: "yes"}
EOF
cp "$WORK/policy.yaml" "$WORK/pinned.yaml"
echo 'root: {types: [overlay, virtiofs], layers: 2}' >>"$WORK/pinned.yaml"
GOOD=$SEAL_VECTORS/mountinfo/case-base.txt

# judge TABLE [POLICY]: its verdict in STATUS, what it says in $WORK/said.
judge() {
	STATUS=0
	"$VERIFY" -q --policy "${2:-$WORK/policy.yaml}" --mountinfo "$1" >"$WORK/said" 2>&1 </dev/null || STATUS=$?
}
accepted() {
	judge "$2" "${3:-}"
	[ "$STATUS" = 0 ] || fail "$1: $STATUS: $(head -n 2 "$WORK/said")"
}
# refused WHAT TABLE RULES [POLICY]
refused() {
	judge "$2" "${4:-}"
	[ "$STATUS" = 1 ] || fail "$1: $STATUS instead of 1: $(head -n 2 "$WORK/said")"
	grep -qE "$3" "$WORK/said" || fail "$1: no $3 in: $(head -n 2 "$WORK/said")"
}

say "tables of real containers, with one line more or less"
count=0
while IFS=$'\t' read -r file verdict what _; do
	table=$SEAL_VECTORS/mountinfo/$file
	[ "$verdict" = accept ] || ! cmp -s "$table" "$GOOD" || continue # what it tells of is in no table
	case $verdict in
	accept) accepted "$file ($what)" "$table" ;;
	reject) refused "$file ($what)" "$table" 'mount\.|proc\.' ;;
	missing) refused "$file ($what)" "$table" 'mount\.missing' ;;
	reject-if-pinned) refused "$file ($what)" "$table" 'mount\.root' "$WORK/pinned.yaml" ;;
	*) continue ;;
	esac
	count=$((count + 1))
done < <(tail -n +2 "$SEAL_VECTORS/mountinfo/INDEX.tsv")
[ "$count" -ge 40 ] || fail "only $count tables"
accepted "the good one, pinned" "$GOOD" "$WORK/pinned.yaml"

say "what cannot be read is no empty list"
: >"$WORK/empty"
printf '\n' >"$WORK/line"
head -c -1 "$GOOD" >"$WORK/cut"
head -c 1500 "$GOOD" >"$WORK/half"
{
	cat "$GOOD"
	echo nonsense
} >"$WORK/more"
for table in empty line cut half more; do
	refused "$table" "$WORK/$table" 'mount\.format'
done
for ((i = 0; i < 40000; i++)); do
	printf '%d 71 0:46 / /cache/%0100d rw - tmpfs tmpfs rw\n' $((i + 1000)) "$i"
done >"$WORK/huge"
mkdir "$WORK/directory"
for table in "$WORK/huge" "$WORK/directory" "$WORK/absent"; do
	judge "$table"
	[ "$STATUS" != 0 ] || fail "$table passes"
done
mkdir -p "$WORK/root/etc"
printf '127.0.0.1 localhost\n' >"$WORK/root/etc/hosts"
STATUS=0
"$VERIFY" -q --root "$WORK/root" >"$WORK/said" 2>&1 || STATUS=$?
[ "$STATUS" = 1 ] || fail "files without a mount table: $STATUS"

say "the same paths and types, and another"
# changed WHAT RULES SED
changed() {
	sed -E "$3" "$GOOD" >"$WORK/changed"
	! cmp -s "$GOOD" "$WORK/changed" || fail "'$3' changes nothing"
	refused "$1" "$WORK/changed" "$2"
}
changed "read-write" 'mount\.access' '/ \/etc\/app /s/ ro,/ rw,/'
changed "propagation: shared" 'mount\.propagation' '/ \/etc\/app /s/ - / shared:7 - /'
changed "propagation: slave" 'mount\.propagation' '/ \/etc\/app /s/ - / master:7 - /'
changed "the account can be written" 'mount\.access' '/serviceaccount /s/ ro,/ rw,/'
changed "a part of a memory" 'mount\.kind' 's/ \/ \/cache / \/lib\/x \/cache /'
changed "memory that is a disk" 'mount\.kind' 's/- tmpfs tmpfs rw,size=1024k/- ext4 \/dev\/vda rw/'
changed "two memories that are one" 'mount\.kind' 's/^84 71 0:46 /84 71 0:43 /'
changed "a part of /proc as /proc" 'mount\.system|proc\.' 's/ \/ \/proc / \/1 \/proc /'
changed "another /proc below /proc" 'mount\.system' 's/^51 72 0:42 /51 72 0:99 /'
changed "/proc/sys can be written" 'mount\.(system|access)' '/ \/proc\/sys /s/ ro,/ rw,/'
changed "/sys can be written" 'mount\.(system|access)' '/ \/sys /s/ ro,/ rw,/'
changed "a device that is another" 'mount\.system' 's/ \/null \/proc\/keys / \/zero \/proc\/keys /'
changed "/dev is a disk" 'mount\.system' '/ \/dev rw/s/- tmpfs tmpfs rw,size=65536k,mode=755/- ext4 \/dev\/vda rw/'
changed "the memory of devices lies on a disk" 'mount\.system' '/ \/dev\/shm /s/- tmpfs shm/- ext4 \/dev\/vda/'
changed "the root is shared" 'mount\.propagation' '/ \/ \/ rw/s/ - / shared:1 - /'
changed "two roots" 'mount\.(tree|hidden|root|format)' '$a200 47 0:99 / / rw - tmpfs tmpfs rw'
changed "one mount over another" 'mount\.hidden' '$a200 83 0:99 / /etc/app ro - tmpfs tmpfs rw'
changed "a number twice" 'mount\.' 's/^84 71 /83 71 /'
changed "a parent that is none" 'mount\.' 's/^84 71 /84 4711 /'
