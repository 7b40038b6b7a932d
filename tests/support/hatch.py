#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hatch.py [--count N] [--hostname H]... [--subject S] [--san S] [--statement-of EGG] [--flip N] [--credentials FILE] EGG

Hatch by hand, N at a time, all at the same moment.  Prints "STATUS COUNT" per status, and the certificates
issued into --out FOLDER.  Answers of 429 are tried again: the race is about budgets, not about rates.
"""

import argparse
import collections
import json
import os
import sys
import threading
import time

import eggs


def race(egg, count, make_body):
    barrier = threading.Barrier(count)
    replies = [None] * count
    bodies = [make_body(i) for i in range(count)]
    ctx = eggs.context(egg)

    def run(i):
        barrier.wait()
        for _ in range(60):
            try:
                replies[i] = eggs.post(egg, bodies[i], ctx=ctx)
            except OSError as error:
                replies[i] = (type(error).__name__, {}, b"")
            if replies[i][0] != 429:
                return
            time.sleep(0.5)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--hostname", action="append", default=[])
    parser.add_argument("--subject", default="/CN=ignored")
    parser.add_argument("--san")
    parser.add_argument("--statement-of")
    parser.add_argument("--out")
    parser.add_argument("--credentials", help="a file for one whole answer, keys included")
    parser.add_argument("egg")
    args = parser.parse_args()
    egg = eggs.load(args.egg)
    statement = eggs.load(args.statement_of)["statement"] if args.statement_of else egg["statement"]
    request = eggs.csr(args.subject, args.san)

    def body(_):
        message = {"statement": statement, "csr": request}
        if args.hostname:
            message["hostnames"] = args.hostname
        return json.dumps(message).encode()

    replies = race(egg, args.count, body)
    counts = collections.Counter(str(reply[0]) for reply in replies)
    for status, number in sorted(counts.items()):
        print(status, number)
    refusals = {reply[2] for reply in replies if reply[0] != 200}
    for refusal in sorted(refusals):
        print("said:", refusal.decode("utf-8", "replace").strip(), file=sys.stderr)
    if args.credentials:
        granted = [reply[2] for reply in replies if reply[0] == 200]
        with open(args.credentials, "wb") as out:
            out.write(granted[0] if granted else b"{}")
    if args.out:
        os.makedirs(args.out, exist_ok=True)
        good = [reply for reply in replies if reply[0] == 200]
        for i, reply in enumerate(good):
            with open(os.path.join(args.out, f"{i}.json"), "wb") as file:
                file.write(reply[2])
            with open(os.path.join(args.out, f"{i}.pem"), "w", encoding="ascii") as file:
                file.write(json.loads(reply[2])["certificate"])


main()
