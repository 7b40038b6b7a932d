#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 8: items were sealed with an empty reference, so that they could be swapped and rolled back.  Here each is
# bound to workload, peer, namespace, kind, name, key, container and generation.
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl
small_up
small_starts "the control"

say "another key, another kind"
tamper copy ConfigMap/settings/one ConfigMap/settings/two
small_refused "key one as two" 'sealed for key' "$WORK/tampered.yaml"
tamper copy ConfigMap/settings/one Secret/settings/one
small_refused "the ConfigMap's as the Secret's" 'sealed for kind' "$WORK/tampered.yaml"

say "another container"
tamper copy spec/other spec/app
small_refused "other's specification" 'sealed for container' "$WORK/tampered.yaml"

say "a key left out"
tamper drop ConfigMap/settings/two
small_refused "without key two" '2 values' "$WORK/tampered.yaml"

say "another object, another namespace"
python3 - "$WORK/plain.yaml" >"$WORK/settings.yaml" <<'EOF'
import sys, yaml
yaml.safe_dump_all([d for d in yaml.safe_load_all(open(sys.argv[1])) if d["kind"] == "ConfigMap"], sys.stdout)
EOF
sed 's/name: settings/name: elsewhere/' "$WORK/settings.yaml" >"$WORK/named.yaml"
inject "$WORK/named.yaml" "$WORK/named-sealed.yaml"
sed -i 's/elsewhere/settings/' "$WORK/named-sealed.yaml"
tamper graft "$WORK/named-sealed.yaml" ConfigMap/settings/one
small_refused "another ConfigMap's" 'sealed for object' "$WORK/tampered.yaml"
inject "$WORK/plain.yaml" "$WORK/spaced.yaml" --namespace mall
tamper graft "$WORK/spaced.yaml" ConfigMap/settings/one
small_refused "another namespace's" 'sealed for namespace' "$WORK/tampered.yaml"

say "another peer, another workload"
seal inject --workload shop --peer db --wrap-path "$WRAP" -f "$WORK/plain.yaml" -o "$WORK/peer.yaml"
tamper graft "$WORK/peer.yaml" ConfigMap/settings/one
small_refused "another peer's" 'cannot be opened' "$WORK/tampered.yaml"
seal workload create mall >/dev/null
seal inject --workload mall --peer web --wrap-path "$WRAP" -f "$WORK/plain.yaml" -o "$WORK/workload.yaml"
tamper graft "$WORK/workload.yaml" ConfigMap/settings/one
small_refused "another workload's" 'cannot be opened' "$WORK/tampered.yaml"

say "an older generation: in this pod's life, and for the pods that come"
cp "$WORK/sealed.yaml" "$WORK/older.yaml"
inject "$WORK/settings.yaml" "$WORK/settings-2.yaml"
python3 - "$WORK/older.yaml" "$WORK/settings-2.yaml" >"$WORK/newer.yaml" <<'EOF'
import sys, yaml
old, new = (list(yaml.safe_load_all(open(path))) for path in sys.argv[1:])
yaml.safe_dump_all(new + [d for d in old if d["kind"] != "ConfigMap"], sys.stdout, sort_keys=False)
EOF
small_starts "the newer ConfigMap" "$WORK/newer.yaml"
small_refused "the older one again" 'older' "$WORK/older.yaml"
stop proxy-web
lay_sidecar_egg web "$WORK/eggs/web"
sidecar_up web "$WORK/newer.yaml" web
small_refused "the older one after a restart" 'older' "$WORK/older.yaml"
small_starts "the newer one still" "$WORK/newer.yaml"
