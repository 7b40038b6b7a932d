#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""leaks.py --key EGG... --kek FILE... --pid PID... --tree FOLDER... --allow NAME...: look for private keys,
those of the eggs and any other P-256 key in the usual encodings, where none may be.  Exit 1 when one is found."""

import argparse
import base64
import os
import re
import sys

import eggs

# How an unencrypted P-256 key begins: PKCS#8 (RFC 5208) and SEC 1 (RFC 5915) in DER, and the same as base64.
BEGINNINGS = {
    "PKCS#8 key, DER": bytes.fromhex("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"),
    "SEC 1 key, DER": bytes.fromhex("30770201010420"),
    "PKCS#8 key, PEM": b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
    "SEC 1 key, PEM": b"MHcCAQEEI",
    "PEM armour": b"PRIVATE KEY-----",
    "an egg": b"seal-egg.1.",
}


def needles(args):
    found = dict(BEGINNINGS)
    for path in args.key:
        pem = eggs.load(path)["key"]
        body = "".join(line for line in pem.splitlines() if "-----" not in line)
        der = base64.b64decode(body)
        scalar = der[der.index(b"\x02\x01\x01\x04\x20") + 5:][:32]
        name = f"the key of {os.path.basename(path)}"
        found[name + ", raw"] = scalar
        found[name + ", hex"] = scalar.hex().encode()
        found[name + ", base64"] = re.sub(rb"\s", b"", body.encode())[48:100]
        found[name + ", base64url"] = base64.urlsafe_b64encode(scalar).rstrip(b"=")
    for path in args.kek:
        with open(path, "rb") as file:
            content = file.read()
        found["the key-encryption key"] = content.strip()
        if re.fullmatch(rb"[0-9a-fA-F]{64}", content.strip()):
            found["the key-encryption key, raw"] = bytes.fromhex(content.decode().strip())
    return found


def places(args):
    for pid in args.pid:
        for name in ("cmdline", "environ"):
            yield f"/proc/{pid}/{name}"
    for tree in args.tree:
        for folder, folders, names in os.walk(tree):
            folders[:] = [name for name in folders if name not in args.allow]
            for name in names:
                if name not in args.allow:
                    yield os.path.join(folder, name)


def main():
    parser = argparse.ArgumentParser()
    for name in ("key", "kek", "pid", "tree", "allow"):
        parser.add_argument("--" + name, action="append", default=[])
    args = parser.parse_args()
    wanted, looked, leaks = needles(args), 0, 0
    for path in places(args):
        try:
            if not os.path.isfile(path) and not path.startswith("/proc"):
                continue
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            print(f"{path}: {error}")
            leaks += 1
            continue
        looked += 1
        for name, needle in wanted.items():
            if needle in content:
                print(f"{path}: {name}")
                leaks += 1
    print(f"looked for {len(wanted)} things in {looked} places: {leaks} found")
    sys.exit(1 if leaks or looked < 2 * len(args.pid) + len(args.tree) else 0)


main()
