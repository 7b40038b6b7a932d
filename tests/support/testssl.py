#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""testssl.py peers|public FINDINGS: judge the JSON that testssl.sh wrote.  Whatever it ranks as worse than
information must be among what is expected here, with the reason; and what it must have looked at has to be
there, so that a scan that could not be made is no good result."""

import json
import sys

# What testssl.sh holds against every listener, and why that is as it should be.
EXPECTED = {
    "engine_problem": "about the scanning machine: its OpenSSL has no GOST engine",
    "cert_revocation": "no CRL and no OCSP: what is revoked, pods are told by their root of trust",
}
EXPECTED_OF = {
    "peers": {
        "cert_expirationStatus": "certificates live for a day and are renewed",
        "cert_notAfter": "the same",
        "optimal_proto": "its openssl shows no certificate, and is refused",
    },
    "public": {},
}
# By identifier: the beginning of the finding that must be there.
WANTED = {
    "SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered",
    "TLS1_3": "offered", "cipherlist_NULL": "not offered", "cipherlist_aNULL": "not offered",
    "cipherlist_EXPORT": "not offered", "cipherlist_LOW": "not offered", "cipherlist_3DES_IDEA": "not offered",
    "cipherlist_AVERAGE": "not offered", "PFS": "offered", "cert_keySize": "EC", "cert_trust": "Ok via SAN",
    "cert_chain_of_trust": "passed", "heartbleed": "not vulnerable", "CCS": "not vulnerable",
    "ROBOT": "not vulnerable", "secure_renego": "", "secure_client_renego": "", "CRIME_TLS": "",
    "POODLE_SSL": "not vulnerable", "FREAK": "not vulnerable", "DROWN": "not vulnerable", "LOGJAM": "not vulnerable", "BEAST": "not vulnerable", "LUCKY13": "not vulnerable", "RC4": "not vulnerable",
}
WANTED_OF = {
    "peers": {"TLS1_2": "not offered"},
    "public": {"TLS1_2": "offered", "SWEET32": "not vulnerable", "fallback_SCSV": "", "cipher_order": "server"},
}


def main():
    kind, path = sys.argv[1:3]
    with open(path, encoding="utf-8") as file:
        findings = json.load(file)
    expected, bad = {**EXPECTED, **EXPECTED_OF[kind]}, 0
    for finding in findings:
        if finding["severity"] in ("OK", "INFO", "DEBUG"):
            continue
        reason = expected.get(finding["id"])
        bad += reason is None
        print(f"{'expected' if reason else 'FOUND'}: {finding['severity']} {finding['id']}: {finding['finding'][:200]}"
              + (f" ({reason})" if reason else ""))
    for name, begin in {**WANTED, **WANTED_OF[kind]}.items():
        said = [finding["finding"] for finding in findings if finding["id"] == name]
        if not said or not all(text.startswith(begin) for text in said):
            bad += 1
            print(f"MISSING: {name}: '{begin}' was expected, {said} was found")
    print(f"{len(findings)} findings, {bad} bad")
    sys.exit(1 if bad else 0)


main()
