#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""old_store.py FILE VERSION: turn the store of today in FILE into one of schema 1 or 2, as an earlier seal-rot would
have left it: what there were no tables for then is lost.  Nobody may have it open."""

import base64
import json
import os
import sqlite3
import sys


def main():
    path, version = sys.argv[1], int(sys.argv[2])
    records = {}
    with sqlite3.connect(path) as store:
        for key, stored in store.execute("SELECT k, v FROM kv"):
            records[key] = stored[16:]
    for end in ("", "-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
    old = sqlite3.connect(path)
    os.chmod(path, 0o600)
    old.execute("PRAGMA journal_mode = WAL")
    here = os.path.dirname(os.path.abspath(__file__))
    for step in range(1, version + 1):
        with open(os.path.join(here, f"schema-{step}.sql"), encoding="utf-8") as sql:
            old.executescript(sql.read())

    def under(prefix):
        return [(key[len(prefix):], json.loads(value)) for key, value in sorted(records.items()) if key.startswith(prefix)]

    def raw(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    meta = json.loads(records["meta"])
    old.executemany("INSERT INTO meta VALUES (?, ?)", [
        ("trust_domain", meta["trust_domain"].encode()), ("urls", ",".join(meta["urls"]).encode()),
        ("created_at", str(meta["created_at"]).encode()), ("statement_key", raw(meta["statement_key"]))])
    ids = {}
    for name, workload in under("workload/"):
        policy = json.loads(records["policy/" + name])
        ids[name] = old.execute("INSERT INTO workload (name, created_at, epoch) VALUES (?, ?, ?)",
                                (name, workload["created_at"], policy["epoch"])).lastrowid
        old.executemany("INSERT INTO peer_pair VALUES (?, ?, ?)",
                        [(ids[name], *pair.split(" ")) for pair in policy["pairs"]])
    for name, record in under("ca/"):
        for ca in record["generations"]:
            old.execute("INSERT INTO ca VALUES (?, ?, ?, ?, ?)",
                        (ids.get(name), ca["generation"], ca["created_at"], ca["cert"], raw(ca["wrapped"])))
    for key in sorted(key for key in records if key.startswith("egg-at/")):
        egg_id = key.split("/")[3]
        egg = json.loads(records["egg/" + egg_id])
        old.execute("INSERT INTO egg (id, workload_id, peer, hostnames, created_at, not_after, max_hatches, hatches,"
                    " plain_config, key_id, serial, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (egg_id, ids[egg["workload"]], egg["peer"], ",".join(egg["hostnames"]), egg["created_at"],
                     egg["not_after"], egg["max_hatches"], egg["hatches"], egg["plain_config"],
                     bytes.fromhex(egg["key_id"]), egg["serial"], egg["revoked_at"] or None))
    for serial, cert in under("cert/"):
        old.execute("INSERT INTO cert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (serial, ids[cert["workload"]], cert["egg"] or None, cert["peer"], ",".join(cert["hostnames"]),
                     cert["created_at"], cert["not_before"], cert["not_after"], cert["revoked_at"] or None))
    if version >= 2:
        for name, record in under("roots/"):
            for root in record["live"]:
                old.execute("INSERT INTO root VALUES (?, ?, ?, ?, NULL)",
                            (ids[name], root["generation"], root["created_at"], raw(root["wrapped"])))
        for name, root in under("root/"):
            old.execute("INSERT INTO root VALUES (?, ?, ?, ?, ?)",
                        (ids[name.split("/")[0]], root["generation"], root["created_at"], raw(root["wrapped"]),
                         root["retired_at"]))
        for name, record in under("object/"):
            workload, peer, rest = name.split("/", 2)
            old.execute("INSERT INTO object VALUES (?, ?, ?, ?, ?, ?)",
                        (ids[workload], peer, rest, record["gen"], record["key"], record["at"]))
    old.commit()
    old.close()


main()
