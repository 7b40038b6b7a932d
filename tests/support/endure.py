#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""endure.py FOLDER SECONDS EVERY PID-WEB PID-DB: mixed traffic for SECONDS through two sidecars, which do not grow.

    7000 ──▶ web's sidecar ──▶ 18443 ──▶ db's sidecar ──▶ an echo

Short connections, kept ones, transfers both ways at once, half-closes, resets, full handshakes of callers without
a session, callers who are refused; and now and then a reload or a new credential of either side.  FOLDER holds
what the script made: credentials web, db, caller and stranger, db.yaml and the control sockets web.sock, db.sock.

Every EVERY seconds each sidecar's memory, descriptors, threads and connections are noted.  What was used in the
last quarter of the time may exceed what was used in the second by no more than the tolerances below (medians of
each; the first quarter warms up), and what is open when the traffic is over by nothing.  Exit 1 when one does,
or when an honest caller lost something."""

import collections
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import threading
import time

FOLDER, SECONDS, EVERY = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
PIDS = {"web": int(sys.argv[4]), "db": int(sys.argv[5])}
SLOW = int(os.environ.get("SEAL_SLOW", "1"))
# (The address sanitizer keeps freed memory for a while, and finds leaks itself.)
SANITIZED = "ASAN_OPTIONS" in os.environ
OUT, PEERS = 7000, 18443
# How much more the last quarter may use: memory in parts and KiB, descriptors (of a changing load), threads.
MEMORY_PART, MEMORY_KIB, DESCRIPTORS, THREADS = 0.03, 1024, 12, 0
PAYLOAD = random.Random(11).randbytes(1 << 20)

Use = collections.namedtuple("Use", "second kib descriptors threads connections")
lock = threading.Lock()
done, lost = collections.Counter(), []
over = threading.Event()


# ---- callers --------------------------------------------------------------------------------------


def dial(port=OUT):
    sock = socket.create_connection(("127.0.0.1", port), 30 * SLOW)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def exactly(sock, length):
    got = bytearray()
    while len(got) < length:
        piece = sock.recv(min(65536, length - len(got)))
        if not piece:
            raise OSError(f"closed after {len(got)} of {length} bytes")
        got += piece
    return bytes(got)


def ask(sock, text):
    sock.sendall(text)
    if exactly(sock, len(text)) != text:
        raise OSError("not what was sent")


def drained(sock):
    if sock.recv(1):
        raise OSError("more than was sent")


def short(dice):
    """A connection for one request; web's sidecar has a session for it, or makes one."""
    with dial() as sock:
        ask(sock, PAYLOAD[: dice.randint(1, 20000)])


def kept(dice):
    """A connection that is kept, with a request now and then."""
    with dial() as sock:
        for _ in range(dice.randint(5, 100)):
            ask(sock, PAYLOAD[: dice.randint(1, 4000)])
            if over.wait(dice.random() / 10):
                break


def transfer(dice):
    """Much to both sides at once, and an end that is told after all of it."""
    size = dice.randint(1 << 16, 1 << 22)
    data = (PAYLOAD * (size // len(PAYLOAD) + 1))[:size]
    with dial() as sock:

        def send():
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the receiver says it

        sender = threading.Thread(target=send)
        sender.start()
        try:
            if exactly(sock, size) != data:
                raise OSError("not what was sent")
            drained(sock)
        finally:
            sender.join()


def half(dice):
    """Everything said at once, the sending side ended, and then the whole answer."""
    text = PAYLOAD[: dice.randint(1, 200)]
    with dial() as sock:
        sock.sendall(text)
        sock.shutdown(socket.SHUT_WR)
        if exactly(sock, len(text)) != text:
            raise OSError("not what was sent")
        drained(sock)


def cut(dice):
    """Gone with a reset, in the middle of something."""
    with dial() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(PAYLOAD[: dice.choice((1, 3000, 300000))])


def secured(who):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.load_verify_locations(os.path.join(FOLDER, who, "ca.pem"))
    ctx.load_cert_chain(os.path.join(FOLDER, who, "cert.pem"), os.path.join(FOLDER, who, "key.pem"))
    return ctx


def full(dice):
    """A caller with a certificate and no session."""
    with dial(PEERS) as raw, secured("caller").wrap_socket(raw) as sock:
        ask(sock, PAYLOAD[: dice.randint(1, 20000)])


def refused(dice):
    """A peer who may not, somebody without a certificate, and somebody who speaks no TLS."""
    with dial(PEERS) as raw:
        try:
            what = dice.randrange(3)
            if what == 2:
                raw.sendall(PAYLOAD[:500])
                raw.recv(500)
                return
            ctx = secured("stranger") if what == 0 else secured("caller")
            if what == 1:
                ctx = ssl.create_default_context(cafile=os.path.join(FOLDER, "caller", "ca.pem"))
                ctx.check_hostname = False
            with ctx.wrap_socket(raw) as sock:
                sock.sendall(b"let me in")
                got = sock.recv(9)
        except OSError:
            return  # as it should be
    if got:
        raise ValueError("a stranger was answered")


CALLERS = (short, short, short, kept, kept, transfer, half, cut, full, refused)


def call(number):
    dice = random.Random(number)
    while not over.is_set() and not lost:
        what = dice.choice(CALLERS)
        try:
            what(dice)
        except OSError as error:
            if what is not cut:
                lost.append(f"{what.__name__}: {type(error).__name__} {error}")
        except ValueError as error:
            lost.append(f"{what.__name__}: {error}")
        with lock:
            done[what.__name__] += 1
        over.wait(dice.random() / 50)


# ---- what an operator does ------------------------------------------------------------------------


def status(who):
    conn = http.client.HTTPConnection("seal-proxy")
    conn.sock = socket.socket(socket.AF_UNIX)
    conn.sock.settimeout(20 * SLOW)
    conn.sock.connect(os.path.join(FOLDER, who + ".sock"))
    conn.request("GET", "/v1/status")
    answer = json.loads(conn.getresponse().read())
    conn.close()
    return answer


def until(what, so):
    end = time.monotonic() + 30 * SLOW
    while not so():
        if time.monotonic() > end:
            lost.append(f"waited in vain: {what}")
            return
        time.sleep(0.05)


def reload(number):
    """A listener that comes and goes."""
    listeners = 1 + number % 2
    with open(os.path.join(FOLDER, "db.yaml"), "w", encoding="ascii") as file:
        file.write("inbound:\n")
        for port in range(PEERS, PEERS + listeners):
            file.write(f'  - {{listen: "127.0.0.1:{port}", forward: "127.0.0.1:6379", peers: [web]}}\n')
    for pid in PIDS.values():
        os.kill(pid, signal.SIGHUP)
    until("a reload", lambda: len(status("db")["listeners"]) == listeners)


def renew(number):
    """A new credential of one side, file by file as an agent would lay it."""
    who = ("web", "db")[number % 2]
    fresh = os.path.join(FOLDER, "fresh")
    before = status(who)["identity"]["generation"]
    shutil.rmtree(fresh, ignore_errors=True)
    subprocess.run([os.path.join(os.environ["SEAL_BUILD"], "seal"), "cert", "issue", "shop", "--peer", who, "-o", fresh,
                    "--dir", os.path.join(FOLDER, "rot")], check=True, stdout=subprocess.DEVNULL)
    for name in ("ca.pem", "key.pem", "cert.pem"):
        os.replace(os.path.join(fresh, name), os.path.join(FOLDER, who, name))
    until("a renewal", lambda: status(who)["identity"]["generation"] > before)


def operate(pause):
    number = 0
    while not over.wait(pause):
        (reload if number % 2 else renew)(number // 2)
        with lock:
            done["changes"] += 1
        number += 1


# ---- what it costs --------------------------------------------------------------------------------


def usage(who, second):
    with open(f"/proc/{PIDS[who]}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return Use(second, int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{PIDS[who]}/fd")),
               int(fields["Threads"]), status(who)["connections"]["open"])


def quarter(looks, which):
    """Medians of one quarter, a column each."""
    end = looks[-1].second
    part = [look for look in looks if end * which / 4 < look.second <= end * (which + 1) / 4]
    return Use(*(statistics.median(column) for column in zip(*part)))


def grown(looks):
    """What has, in words: the last quarter against the second."""
    before, after = quarter(looks, 1), quarter(looks, 3)
    limits = (("KiB of memory", "kib", MEMORY_KIB + before.kib * MEMORY_PART),
              ("descriptors", "descriptors", DESCRIPTORS), ("threads", "threads", THREADS))
    return [f"{getattr(before, field):g} {name} have become {getattr(after, field):g}"
            for name, field, more in limits
            if getattr(after, field) > getattr(before, field) + more and not (SANITIZED and field == "kib")]


def prove():
    """The judgement itself: what stays is not held against anybody, what grows is."""
    still = [Use(n, 9000 + n % 7 * 50, 40 + n % 5, 3, n % 5) for n in range(1, 41)]
    for field, more in (("descriptors", 1), ("kib", 80), ("threads", 0.1)):
        leaking = [look._replace(**{field: getattr(look, field) + int(look.second * more)}) for look in still]
        if grown(still) or not (grown(leaking) or SANITIZED and field == "kib"):
            sys.exit(f"the judgement of {field} is wrong")


def table(who, looks):
    print(f"{who}:  second     KiB  descriptors  threads  connections")
    step = max(1, len(looks) // 12)
    for look in looks[::step]:
        print("%12d %7d %12d %8d %12d" % look)
    for which, name in ((1, "second quarter"), (3, "last quarter")):
        print("  median of the %s: %d KiB, %g descriptors, %g threads, %g connections" % (name, *quarter(looks, which)[1:]))


def total(who, field):
    return sum(listener[field] for listener in status(who)["listeners"])


def is_quiet():
    return all(status(who)["connections"]["open"] == 0 for who in PIDS)


def main():
    prove()
    idle = {who: usage(who, 0) for who in PIDS}
    threads = [threading.Thread(target=call, args=(number,)) for number in range(24)]
    threads.append(threading.Thread(target=operate, args=(min(20.0, SECONDS / 12),)))
    for thread in threads:
        thread.start()
    looks, begin = {who: [] for who in PIDS}, time.monotonic()
    while (second := time.monotonic() - begin) < SECONDS and not lost:
        for who in PIDS:
            looks[who].append(usage(who, second))
        over.wait(EVERY)
    over.set()
    for thread in threads:
        thread.join()
    until("the connections to end", is_quiet)
    bad = []
    for who in PIDS:
        if len(looks[who]) >= 8:
            table(who, looks[who])
            bad += [f"{who}: {what}" for what in grown(looks[who])]
        now = usage(who, SECONDS)
        # The listener that comes and goes, and what a process opens once, when first asked.
        if now.descriptors > idle[who].descriptors + 4:
            bad.append(f"{who}: {now.descriptors} descriptors are open when all is over, {idle[who].descriptors} were before")
    print(", ".join(f"{count} {name}" for name, count in sorted(done.items())))
    for who, fields in (("web", ("admitted", "resumed")), ("db", ("admitted", "resumed", "refused", "failed"))):
        for field in fields:
            count = total(who, field)
            print(f"{who}: {count} {field}")
            if not count:
                bad.append(f"{who}: nobody was {field}")
    for name in {what.__name__ for what in CALLERS} | {"changes"}:
        if not done[name]:
            bad.append(f"{name} never happened")
    for line in bad + lost[:5]:
        print(f"  BROKEN: {line}")
    sys.exit(1 if bad or lost else 0)


main()
