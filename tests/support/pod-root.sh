#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# pod-root.sh DIR SHARED...: become the first process of a pod.  Runs inside a fresh mount namespace,
# gives it a root file system of its own and then sleeps; others enter by this process.  The root is an
# overlay over / whose writable layer is DIR/upper; where overlays cannot be used, it is DIR/root with a
# copied /etc and the other folders of / mounted on it.  SHARED folders are mounted at their own paths.
# DIR must lie on a tmpfs.
set -eu

dir=$1
shift
mkdir -p "$dir/upper" "$dir/work" "$dir/root"
exec 3>"$dir/ready" # held open: the path is out of reach once the root has changed

overlay_root() {
	[ -z "${SEAL_NO_OVERLAY:-}" ] &&
		mount -t overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" seal-pod "$dir/root"
}

plain_root() {
	echo "no overlay here: the root is a tmpfs with the folders of / mounted on it"
	mount -t tmpfs -o mode=0755 seal-pod "$dir/root"
	for path in /*; do
		name=$dir/root$path
		case $path in
		/proc | /dev | /sys | /tmp | /run) mkdir "$name" ;;
		/etc) cp -a /etc "$name" ;;
		*)
			if [ -L "$path" ]; then
				cp -a "$path" "$name"
			elif [ -d "$path" ]; then
				mkdir "$name"
				mount --bind "$path" "$name"
			fi
			;;
		esac
	done
	chmod 1777 "$dir/root/tmp"
}

overlay_root || plain_root
root=$dir/root
rm -f "$root/etc/resolv.conf" "$root/etc/hosts"
printf 'nameserver 127.0.0.53\n' >"$root/etc/resolv.conf"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
# As a runtime does it, for what runs in here looks at its mounts.
python3 -c 'import sys
sys.path.insert(0, sys.argv[1])
import container
container.make_system(sys.argv[2])' "$(dirname "$0")" "$root"
hostname "$(basename "$dir")"
basename "$dir" >"$root/etc/hostname"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
for shared in "$@"; do
	mkdir -p "$root$shared"
	mount --bind "$shared" "$root$shared"
done
cd "$root"
old=$(mktemp -d ./.old.XXXXXX)
pivot_root . "$old"
umount -l "/$old"
rmdir "/$old"
echo ready >&3
exec 3>&- sleep infinity
