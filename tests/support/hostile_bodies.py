#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hostile_bodies.py EGG FOLDER PID SLOW: send every file of FOLDER, and worse, to /v1/hatch as the egg; PID is
seal-rot, whose memory and descriptors are watched.  SLOW stretches the deadlines.  Exit 1 when something is off."""

import json
import os
import socket
import sys
import threading
import time

import eggs

REFUSAL = {"error": {"code": "refused", "message": "hatch refused"}}
wrong = []


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + (f": {detail}" if detail and not good else ""), flush=True)
    if not good:
        wrong.append(what)


def patient(egg, ctx, body):
    """POST, coming back as told when it was too fast."""
    while True:
        status, headers, answer = eggs.post(egg, body, ctx=ctx)
        if status != 429:
            return status, answer
        time.sleep(min(float(headers.get("Retry-After", 1)), 2))


def files(egg, ctx, folder):
    answers, count = {}, 0
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".json"):
            continue
        with open(os.path.join(folder, name), "rb") as file:
            body = file.read()
        status, answer = patient(egg, ctx, body)
        want = 413 if len(body) > 65536 else 403
        if status != want:
            check(name, False, f"answered {status} {answer[:100]!r}")
        if status == 403:
            answers[answer] = name
        count += 1
    check(f"{count} files, all refused", count > 150)
    check("all with the same answer", len(answers) == 1 and json.loads(next(iter(answers))) == REFUSAL, str(list(answers)[:3]))


def variations(egg, ctx):
    csr = eggs.csr()
    good = {"statement": egg["statement"], "csr": csr}
    bodies = {
        "empty body": b"",
        "an empty object": b"{}",
        "no CSR": json.dumps({"statement": egg["statement"]}).encode(),
        "no statement": json.dumps({"csr": csr}).encode(),
        "an unknown member": json.dumps({**good, "peer": "db"}).encode(),
        "a member twice": b'{"csr":"",' + json.dumps(good).encode()[1:],
        "trailing text": json.dumps(good).encode() + b"{}",
        "a byte order mark": b"\xef\xbb\xbf" + json.dumps(good).encode(),
        "UTF-16": json.dumps(good).encode("utf-16"),
        "a statement of another kind": json.dumps({**good, "statement": 7}).encode(),
        "host names of another kind": json.dumps({**good, "hostnames": "a.example.com"}).encode(),
        "a NUL in the statement": json.dumps({**good, "statement": egg["statement"] + "\0"}).encode(),
        "two CSRs": json.dumps({**good, "csr": csr + csr}).encode(),
        "33 levels": json.dumps(good).encode()[:-1] + b',"hostnames":' + b"[" * 40 + b"]" * 40 + b"}",
    }
    for what, body in bodies.items():
        status, answer = patient(egg, ctx, body)
        check(what, status == 403 and json.loads(answer) == REFUSAL, f"{status} {answer[:100]!r}")


def connect(egg, ctx):
    host, port = eggs.address(egg)
    return ctx.wrap_socket(socket.create_connection((host, port), 30), server_hostname=host)


def head(length):
    return b"POST /v1/hatch HTTP/1.1\r\nHost: rot\r\nContent-Type: application/json\r\n" + length + b"\r\n\r\n"


def answer_of(tls):
    try:
        return tls.recv(65536)
    except OSError:
        return b""


def flood(egg, ctx, length, chunked=False):
    """Send without end until the other side has had enough: (bytes it took, its answer, seconds)."""
    begin, sent, piece = time.monotonic(), 0, b" " * 65536
    tls = connect(egg, ctx)
    tls.settimeout(20)
    try:
        tls.sendall(head(length))
        while sent < 1 << 30 and time.monotonic() - begin < 100:
            tls.sendall(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
            sent += len(piece)
    except OSError:
        pass
    answer = answer_of(tls)
    tls.close()
    return sent, answer, time.monotonic() - begin


def trickle(egg, ctx, first, limit, out):
    """A byte every half second: for how long does the server put up with it?"""
    begin = time.monotonic()
    try:
        tls = connect(egg, ctx)
        tls.settimeout(0.5)
        tls.sendall(first)
        while time.monotonic() - begin < limit:
            try:
                if tls.recv(4096) == b"":
                    break
            except TimeoutError:
                tls.sendall(b" ")
    except OSError:
        pass
    out.append(time.monotonic() - begin)


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd"))


def main():
    egg, folder, pid, slow = eggs.load(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    ctx = eggs.context(egg)
    check("the control hatches", patient(egg, ctx, json.dumps(
        {"statement": egg["statement"], "csr": eggs.csr()}).encode())[0] == 200)
    rss, descriptors = memory(pid)
    files(egg, ctx, folder)
    variations(egg, ctx)

    status, _ = patient(egg, ctx, b"{" + b" " * 65536)
    check("a body one byte too long is 413", status == 413, str(status))
    for what, length, chunked in (("1 GiB announced", b"Content-Length: 1073741824", False),
                                  ("more than any number", b"Content-Length: 18446744073709551617", False),
                                  ("less than nothing", b"Content-Length: -1", False),
                                  ("two lengths", b"Content-Length: 5\r\nContent-Length: 6", False),
                                  ("chunks without end", b"Transfer-Encoding: chunked", True)):
        sent, answer, seconds = flood(egg, ctx, length, chunked)
        check(f"{what}: cut off", sent < 64 << 20 and seconds < 40 * slow, f"took {sent} bytes in {seconds:.0f} s")
        check(f"{what}: no success", not answer.startswith(b"HTTP/1.1 2"), repr(answer[:60]))

    limit, out = 90 * slow, []
    slow_ones = [threading.Thread(target=trickle, args=(egg, ctx, first, limit, out))
                 for first in [head(b"Content-Length: 60000")] * 10 + [b"POST /v1/ha"] * 10 + [b""] * 5]
    for thread in slow_ones:
        thread.start()
    time.sleep(1)
    begin = time.monotonic()
    status, _ = patient(egg, ctx, b"{}")
    check("others are served meanwhile", status == 403 and time.monotonic() - begin < 5 * slow, str(status))
    for thread in slow_ones:
        thread.join()
    check(f"25 that trickle were cut off, the last after {max(out):.0f} s", max(out) < limit - 5)

    time.sleep(1)
    rss_after, descriptors_after = memory(pid)
    if "ASAN_OPTIONS" not in os.environ:  # the sanitizer keeps freed memory for a while
        check("memory stayed", rss_after - rss < 32 * 1024 * slow, f"{rss} KiB before, {rss_after} after")
    check("descriptors stayed", descriptors_after <= descriptors + 3, f"{descriptors} before, {descriptors_after} after")
    sys.exit(1 if wrong else 0)


main()
