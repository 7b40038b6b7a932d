#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 9: any sealed item could become any variable, and the host's entries won.  Here the environment is built
# from the sealed list alone, and variables that choose code are refused.
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl
small_up

say "the host's variables do not arrive"
small_starts "with additions" "$WORK/sealed.yaml" app --env PLAIN=evil --env EXTRA=evil --env PATH=/tmp/evil --env S_one=evil
expect_no_line "$SCRATCH/env" 'evil'
expect_line "$SCRATCH/env" '^PLAIN=marker-plain$'
expect_line "$SCRATCH/env" '^HOSTED=web$'
printf 'S_one=marker-one\n' >"$WORK/wanted"
grep '^S_one' "$SCRATCH/env" | cmp - "$WORK/wanted" || fail "S_one is $(grep '^S_one' "$SCRATCH/env")"

say "those that would choose code are refused, and not let fall"
for variable in LD_PRELOAD LD_AUDIT GLIBC_TUNABLES BASH_ENV PYTHONPATH; do
	small_refused "$variable of the host" 'rule="?env.loader"?' "$WORK/sealed.yaml" app --env "$variable=/tmp/evil"
done

say "a sealed variable is the one it was sealed as, or nothing starts"
tamper clear Secret/settings/one evil
small_refused "clear text as the secret" 'sealed value' "$WORK/tampered.yaml"
tamper env app SEAL_FROM_0_LD_PRELOAD evil
small_refused "one more variable of the ConfigMap" 'sealed value' "$WORK/tampered.yaml"
tamper env app SEAL_ENV_2 "$(printf 'web\nLD_PRELOAD=/tmp/evil.so')"
small_run "$WORK/tampered.yaml"
! grep -q '^LD_PRELOAD' <(tr '\0' '\n' <"$SCRATCH/env") || [ "$STATUS" != 0 ] || say "a line break in a value stays in the value"

say "variables of the loader do not come out of sealed objects either"
sed 's/data: {one/data: {LD_PRELOAD: "\/tmp\/x.so", one/; s/prefix: S_/prefix: ""/' "$WORK/plain.yaml" >"$WORK/loader.yaml"
inject "$WORK/loader.yaml" "$WORK/loader-sealed.yaml"
stop proxy-web
lay_sidecar_egg web "$WORK/eggs/web"
sidecar_up web "$WORK/loader-sealed.yaml" web
small_refused "LD_PRELOAD from a ConfigMap" 'LD_PRELOAD' "$WORK/loader-sealed.yaml"

say "an owner who writes one is warned; one that would come from elsewhere has to be meant"
sed 's/{name: PLAIN, value: marker-plain}/{name: LD_PRELOAD, value: marker-plain}/' "$WORK/plain.yaml" >"$WORK/written.yaml"
inject "$WORK/written.yaml" "$WORK/written-sealed.yaml" 2>"$WORK/err"
expect_line "$WORK/err" 'LD_PRELOAD.*chooses the code'
rm "$WORK/written-sealed.yaml"
sed 's/{name: SECRET, valueFrom/{name: LD_PRELOAD, valueFrom/' "$WORK/plain.yaml" >"$WORK/written.yaml"
expect_exit 1 inject "$WORK/written.yaml" "$WORK/written-sealed.yaml"
expect_line "$WORK/err" 'LD_PRELOAD'
[ ! -e "$WORK/written-sealed.yaml" ] || fail "an output in spite of an error"
