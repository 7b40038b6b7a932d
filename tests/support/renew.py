#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""renew.py EGG [COMMAND...]: hatch, run the command, renew with the certificate that was hatched; says how both
were answered."""

import json
import subprocess
import sys
import tempfile

import eggs


def request(key):
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], check=True)
    return subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=x"], check=True, capture_output=True,
                          text=True).stdout


def main():
    egg = eggs.load(sys.argv[1])
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as other:
        status, _, body = eggs.hatch(egg, request(key.name))
        if status != 200:
            print(f"hatched {status}")
            return
        if len(sys.argv) > 2:
            subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
        with open(key.name, encoding="ascii") as file:
            pod = {**egg, "cert": json.loads(body)["certificate"], "key": file.read()}
        renewed, _, _ = eggs.post(pod, json.dumps({"csr": request(other.name)}).encode(), "/v1/renew")
        print(f"hatched {status}, renewed {renewed}")


main()
