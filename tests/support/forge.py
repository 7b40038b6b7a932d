#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""forge.py EGG: alter the egg's statement in many ways, hatch with each; all must be refused with one and the
same answer, and a fast enough attacker must be told to wait.  The last line says how many refusals there were."""

import base64
import collections
import json
import sys
import threading
import time

import eggs


def forgeries(statement):
    parts = statement.split(".")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for at in range(0, len(statement), max(1, len(statement) // 60)):
        if statement[at] == ".":
            continue
        flipped = letters[letters.index(statement[at]) ^ 16]
        yield f"letter {at}", statement[:at] + flipped + statement[at + 1:]
    for cut in (1, 2, 22, len(statement) // 2, len(statement) - 1):
        yield f"cut by {cut}", statement[:-cut]
    for number, part in enumerate(parts):
        yield f"without part {number}", ".".join(parts[:number] + parts[number + 1:])
        yield f"part {number} empty", ".".join(parts[:number] + [""] + parts[number + 1:])
        yield f"part {number} doubled", ".".join(parts[:number] + [part + part] + parts[number + 1:])
    for alg in ("none", "A256KW", "RSA-OAEP", "PBES2-HS256+A128KW"):
        header = base64.urlsafe_b64encode(json.dumps({"alg": alg, "enc": "A256GCM"}).encode()).rstrip(b"=").decode()
        yield f"alg {alg}", ".".join([header] + parts[1:])
    yield "padding", statement + "="
    yield "a blank", statement + " "
    yield "a line end", statement + "\n"
    yield "nothing", ""
    yield "long", statement + "A" * 20000


def main():
    egg = eggs.load(sys.argv[1])
    ctx, csr = eggs.context(egg), eggs.csr()
    answers, timing, wrong, refused = collections.Counter(), [], 0, 0
    for what, forged in forgeries(egg["statement"]):
        if forged == egg["statement"]:
            continue  # the second part of a JWE with alg dir is empty as it is
        body = json.dumps({"statement": forged, "csr": csr}).encode()
        while True:
            begin = time.monotonic()
            status, headers, answer = eggs.post(egg, body, ctx=ctx)
            if status != 429:
                break
            refused += 1
            time.sleep(min(float(headers.get("Retry-After", 1)), 2))
        timing.append(time.monotonic() - begin)
        headers = tuple(sorted((k, v) for k, v in headers.items() if k.lower() != "date"))
        answers[(status, headers, answer)] += 1
        if status != 403:
            wrong += 1
            print(f"{what}: {status}")
    timing.sort()
    print(f"{sum(answers.values())} forgeries, {len(answers)} answers, {timing[len(timing) // 2] * 1000:.1f} ms each")
    if len(answers) != 1:
        print(*answers, sep="\n")

    seen = collections.Counter()

    def attack():
        for _ in range(40):
            seen[eggs.post(egg, b'{"statement":"x","csr":"x"}', ctx=ctx)[0]] += 1

    threads = [threading.Thread(target=attack) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"400 attempts at full speed: {dict(seen)}")
    if not seen[429]:
        print("no attempt was told to wait")
    time.sleep(2)
    last = eggs.post(egg, b'{"statement":"x","csr":"x"}', ctx=ctx)[0]  # its line in the log says how many had none
    print(f"{refused + sum(answers.values()) + sum(seen.values()) + 1} refusals, the last with {last}")
    if eggs.hatch(egg, csr, ctx=ctx)[0] != 200:
        print("the honest statement no longer hatches")
        wrong += 1
    sys.exit(1 if wrong or len(answers) != 1 or not seen[429] else 0)


main()
