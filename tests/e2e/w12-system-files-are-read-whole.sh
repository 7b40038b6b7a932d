#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 12: files were scanned line by line, and the scanner's errors were ignored: what stood behind a long
# comment was not seen.  Here files are read whole, whatever their lines look like, or refused.
. "$(dirname "$0")/lib.sh"
need_vectors sysfiles
VERIFY=$SEAL_BUILD/seal-verify
[ -x "$VERIFY" ] || fail "no seal-verify in $SEAL_BUILD"

cat >"$WORK/policy.yaml" <<'EOF'
version: 1
mode: enforce
pod: {namespace: shop}
hosts: {others: true}
resolv: {nameservers: [10.96.0.0/12, "fd00::/8"]}
account: {mounted: any}
EOF
ROOT=$WORK/root
ETC=$ROOT/etc
fresh() {
	rm -rf "$ROOT"
	mkdir -p "$ETC" "$ROOT/proc/self"
	cp "$SEAL_VECTORS/sysfiles/hosts/k8s-plain.txt" "$ETC/hosts"
	cp "$SEAL_VECTORS/sysfiles/resolv.conf/k8s.txt" "$ETC/resolv.conf"
	echo web-6d4cf56db6-x7k2p >"$ETC/hostname"
	grep -vE ' (/etc/app|/cache|/var/run/[^ ]*) ' "$SEAL_VECTORS/mountinfo/case-base.txt" >"$ROOT/proc/self/mountinfo"
}
judge() {
	STATUS=0
	timeout 10 "$VERIFY" -q --policy "$WORK/policy.yaml" --root "$ROOT" >"$WORK/said" 2>&1 </dev/null || STATUS=$?
}
accepted() {
	judge
	[ "$STATUS" = 0 ] || fail "$1: $STATUS: $(head -n 2 "$WORK/said" | cut -c 1-300)"
}
# refused WHAT RULES
refused() {
	judge
	[ "$STATUS" = 1 ] || fail "$1: $STATUS instead of 1: $(head -n 2 "$WORK/said" | cut -c 1-300)"
	grep -qE "$2" "$WORK/said" || fail "$1: no $2 in: $(head -n 2 "$WORK/said" | cut -c 1-300)"
}
comment() { printf '#%0*d\n' "$1" 0; }

say "as the kubelet writes them"
fresh
accepted "nothing changed"

say "nothing hides behind a long line"
for length in 60 250 500; do
	fresh
	comment "$length" >>"$ETC/hosts"
	accepted "a comment of $length bytes in hosts"
done
for length in 250 500 4096 65534 65535 65536 65537 131072 500000; do
	fresh
	comment "$length" >>"$ETC/hosts"
	line=$(($(wc -l <"$ETC/hosts") + 1))
	echo '6.6.6.6 localhost' >>"$ETC/hosts"
	refused "localhost behind $length bytes" "^/etc/hosts:$line: hosts\.localhost"
done
fresh
comment 200 >>"$ETC/resolv.conf"
accepted "a comment of 200 bytes in resolv.conf"
for length in 200 4096 8191 60000; do
	fresh
	comment "$length" >>"$ETC/resolv.conf"
	line=$(($(wc -l <"$ETC/resolv.conf") + 1))
	echo 'nameserver 6.6.6.6' >>"$ETC/resolv.conf"
	refused "a name server behind $length bytes" "^/etc/resolv.conf:$line: resolv\.server"
done

say "nor behind anything else"
hides() {
	fresh
	printf "$2" >>"$ETC/hosts"
	refused "$1 in hosts" 'hosts\.'
}
hides "no end of line" '6.6.6.6 localhost'
hides "a NUL" '# \0\n6.6.6.6 localhost\n'
hides "a NUL in a comment, and nothing else" '# \0\n'
hides "a carriage return" '# x\r6.6.6.6 localhost\n'
hides "a form feed" '10.0.0.9 x\f6.6.6.6 localhost\n'
hides "a vertical tab" '6.6.6.6\vlocalhost\n'
hides "many empty lines" "$(printf '%09999d' 0 | sed 's/0/\\n/g')"'6.6.6.6 localhost\n'
hides "other letters" '6.6.6.6 LocalHost\n'
hides "a final dot" '6.6.6.6 localhost.\n'
hides "the last of many names" "10.0.0.9 $(printf 'n%d ' {1..500}) localhost\n"

say "what is too large, or no file, is refused, and nobody waits for it"
fresh
comment 1100000 >>"$ETC/hosts"
refused "a huge hosts" 'file\.size'
fresh
comment 70000 >>"$ETC/resolv.conf"
refused "a huge resolv.conf" 'file\.size'
for name in hosts resolv.conf hostname; do
	fresh
	rm "$ETC/$name"
	refused "no $name" 'file\.missing'
	mkdir "$ETC/$name"
	refused "$name is a folder" 'file\.type'
	rmdir "$ETC/$name"
	mkfifo "$ETC/$name"
	refused "$name is a FIFO" 'file\.type'
	rm "$ETC/$name"
	ln -s /dev/zero "$ETC/$name"
	refused "$name is a link to a device" 'file\.(type|missing)'
	ln -sfn nowhere "$ETC/$name"
	refused "$name leads nowhere" 'file\.(type|missing)'
done

say "files of others, as the vectors have them"
count=0
while IFS=$'\t' read -r kind file _ verdict what _; do
	case $kind in
	hosts | resolv.conf | hostname) ;;
	*) continue ;;
	esac
	fresh
	cp "$SEAL_VECTORS/sysfiles/$file" "$ETC/$kind"
	case $verdict in
	accept) accepted "$file ($what)" ;;
	reject) refused "$file ($what)" "^/etc/$kind.*: (hosts|resolv|hostname|file)\." ;;
	*) continue ;;
	esac
	count=$((count + 1))
done < <(tail -n +2 "$SEAL_VECTORS/sysfiles/INDEX.tsv")
[ "$count" -ge 30 ] || fail "only $count files"
