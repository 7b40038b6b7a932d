#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 6: without its egg the program looked in its working directory and in /tmp, where the host can put things.
# Here egg and token have one place, on the container's own root file system, and nothing else is looked at.
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl
small_up
small_starts "the control"

refused_with() { # refused_with WHAT PATTERN: whatever lies at /etc/seal/token now
	: >"$LOGS/app-web.log"
	rm -f "$SCRATCH"/*
	start web app-web python3 "$SUPPORT/kubelet.py" run "$WORK/sealed.yaml" web app "$VOLUMES"
	wait_exit 30 app-web
	[ "$STATUS" = 1 ] || fail "$1: ended with $STATUS"
	[ -z "$(find "$SCRATCH" -type f)" ] || fail "$1: the application ran"
	has_line "$LOGS/app-web.log" "$2" || fail "$1: it says $(tail -n 1 "$LOGS/app-web.log")"
}
token=$(pod_path web /etc/seal/token)

say "a token in the working directory and in /tmp is none"
rm "$token"
install -m 0444 "$WORK/eggs/token-app" "$(pod_path web /tmp/token)"
install -m 0444 "$WORK/eggs/token-app" "$(pod_path web /token)"
refused_with "no token" '/etc/seal/token'

say "nor is a link, or one that the host mounts"
on web ln -s /tmp/token /etc/seal/token
refused_with "a link" '/etc/seal/token'
on web rm /etc/seal/token
on web touch /etc/seal/token
on web mount --bind /tmp/token /etc/seal/token
refused_with "a mount" '/etc/seal/token'
on web umount /etc/seal/token

say "nor one that others may write"
install -m 0666 "$WORK/eggs/token-app" "$token"
refused_with "writable by all" '/etc/seal/token'

say "the sidecar has no other egg either, whatever it is told"
stop proxy-web
rm -f "$(pod_path web /etc/seal/egg)"
install -m 0400 "$WORK/eggs/web" "$(pod_path web /tmp/egg)"
sidecar_start web "$WORK/sealed.yaml" web
wait_exit 20 proxy-web
[ "$STATUS" = 1 ] || fail "without an egg the sidecar ended with $STATUS"
expect_line "$LOGS/proxy-web.log" '/etc/seal/egg'
