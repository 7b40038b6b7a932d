# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Real pods for end-to-end scripts; sourced after lib.sh.  podman with runc, in the script's own namespaces and
# with storage of its own below $WORK: containers end with the script, and nothing is left.  Pods use the
# network of the script (home).  What this podman cannot do is translated by play.py, which says what.

need podman runc buildah busybox python3

PODMAN=$WORK/podman
export CONTAINERS_CONF=$PODMAN/containers.conf CONTAINERS_STORAGE_CONF=$PODMAN/storage.conf

# Containers, their logs for whoever has to find out, and what the engine keeps mounted.
podman_finish() {
	local name
	for name in $(podman ps -a --format '{{.Names}}' 2>/dev/null); do
		podman logs "$name" >"$LOGS/last-$name.log" 2>&1
	done
	podman rm -f -a -t 0 >/dev/null 2>&1
	podman pod rm -f -a >/dev/null 2>&1
	podman volume rm -f -a >/dev/null 2>&1
	umount -l "$PODMAN/storage/overlay" 2>/dev/null
}

podman_setup() {
	HOOKS+=(podman_finish)
	mkdir -p "$PODMAN"/{storage,run,tmp,images}
	cat >"$CONTAINERS_CONF" <<-EOF
		[containers]
		default_ulimits=["nofile=20000:20000","nproc=20000:20000"]
		base_hosts_file="$WORK/hosts"
		log_driver="k8s-file"
		[engine]
		runtime="runc"
		cgroup_manager="cgroupfs"
		events_logger="none"
		tmp_dir="$PODMAN/tmp"
	EOF
	cat >"$CONTAINERS_STORAGE_CONF" <<-EOF
		[storage]
		driver="overlay"
		graphroot="$PODMAN/storage"
		runroot="$PODMAN/run"
	EOF
}

# image_root NAME: the folder that becomes the image's root; empty at first.
image_root() {
	mkdir -p "$PODMAN/images/$1"
	printf '%s' "$PODMAN/images/$1"
}

# copy_program ROOT FILE [AS]: a program or library with everything the loader would look for.
copy_program() {
	local root=$1 file=$2 as=${3:-$2} library
	install -D -m 0755 "$(readlink -f "$file")" "$root$as"
	ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' | while read -r library; do
		[ -e "$root$library" ] || install -D -m 0755 "$(readlink -f "$library")" "$root$library"
	done
}

# image_build NAME [LINE...]: FROM scratch, the root folder, then the lines of a Containerfile.
image_build() {
	local name=$1 root
	root=$(image_root "$1")
	shift
	{
		printf 'FROM scratch\nCOPY . /\n'
		printf '%s\n' "$@"
	} >"$PODMAN/$name.containerfile"
	buildah build --isolation chroot -q -t "localhost/$name:test" -f "$PODMAN/$name.containerfile" "$root" \
		>"$LOGS/image-$name.log" 2>&1 || fail "cannot build the image $name: $(tail -n 3 "$LOGS/image-$name.log")"
}

# The configuration of an image as a file, as skopeo inspect --config prints it.
image_config() {
	buildah inspect --type image --format '{{.Config}}' "localhost/$1:test" >"$PODMAN/$1.config.json"
	printf '%s' "$PODMAN/$1.config.json"
}

# Images of the sidecar and of applications carry what only the owner could have put there.
# image_sidecar EGG; image_token ROOT TOKEN
image_sidecar() {
	local root
	root=$(image_root sidecar)
	copy_program "$root" "$SEAL_BUILD/seal-proxy" /usr/bin/seal-proxy
	install -D -m 0400 "$1" "$root/etc/seal/egg"
	image_build sidecar 'COPY --chown=65532:65532 etc/seal/egg /etc/seal/egg' 'ENTRYPOINT ["/usr/bin/seal-proxy"]'
}

image_token() {
	install -D -m 0755 "$SEAL_BUILD/seal-wrap" "$1/usr/bin/seal-wrap"
	install -D -m 0444 "$2" "$1/etc/seal/token"
}

# play MANIFEST: translate and start the pods of a manifest.
play() {
	local manifest=$1 volume
	python3 "$SUPPORT/play.py" "$manifest" >"$manifest.played" 2>"$manifest.said" ||
		fail "cannot translate $manifest: $(cat "$manifest.said")"
	sed -n 's/^tmpfs: //p' "$manifest.said" | while read -r volume; do
		podman volume exists "$volume" ||
			podman volume create --opt type=tmpfs --opt device=tmpfs --opt o=mode=1777,nosuid,nodev "$volume" >/dev/null
		podman volume mount "$volume" >/dev/null
	done
	podman play kube "$manifest.played" >>"$LOGS/podman.log" 2>&1 ||
		fail "podman cannot play $manifest: $(tail -n 3 "$LOGS/podman.log")"
}

unplay() {
	podman play kube --down "$1.played" >>"$LOGS/podman.log" 2>&1 || true
	sed -n 's/^tmpfs: //p' "$1.said" | while read -r volume; do
		podman volume unmount "$volume" >/dev/null 2>&1 || true
		podman volume rm -f "$volume" >/dev/null 2>&1 || true
	done
}

pod_state() { podman inspect --format '{{.State.Status}}' "$1" 2>/dev/null; }
pod_logs() { podman logs "$1" 2>&1; }
pod_says() { pod_logs "$1" | grep -qE -- "$2"; }
# Where a file of a running container is seen from here.
container_path() { printf '/proc/%s/root%s' "$(podman inspect --format '{{.State.Pid}}' "$1")" "$2"; }
