#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py HOST PORT TOTAL PID PID SLOW: TOTAL connections to an echo, four fifths after warming up, in turns of
one at a time, fifty at a time, and cut off in the middle; the PIDs' descriptors and memory must not grow."""

import os
import socket
import struct
import sys
import threading
import time

HOST, PORT, TOTAL = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PIDS = [int(sys.argv[4]), int(sys.argv[5])]
SLOW = int(sys.argv[6])
PAYLOAD = os.urandom(3000)
errors = []


def whole():
    """Connect, be echoed, leave in order."""
    with socket.create_connection((HOST, PORT), 20 * SLOW) as conn:
        conn.sendall(PAYLOAD)
        got = b""
        while len(got) < len(PAYLOAD):
            piece = conn.recv(65536)
            if not piece:
                raise OSError(f"closed after {len(got)} bytes")
            got += piece
        if got != PAYLOAD:
            raise OSError("not what was sent")


def cut():
    """Connect, say something, and be gone with a reset."""
    with socket.create_connection((HOST, PORT), 20 * SLOW) as conn:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.sendall(PAYLOAD)


def attempt(what):
    try:
        what()
    except OSError as error:
        errors.append(f"{what.__name__}: {type(error).__name__} {error}")


def together(count):
    threads = [threading.Thread(target=attempt, args=(whole,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def batch(count):
    """One at a time, then fifty at a time, then some that are cut off."""
    for _ in range(count // 4):
        attempt(whole)
    done = count // 4
    while done < count * 9 // 10:
        size = min(50, count * 9 // 10 - done)
        together(size)
        done += size
    for _ in range(count - done):
        attempt(cut)


def usage(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return len(os.listdir(f"/proc/{pid}/fd")), int(fields["VmRSS"].split()[0])


def settled(before):
    """Usage once the last connections have been cleared away, or after a while."""
    end = time.monotonic() + 40 * SLOW
    while True:
        now = [usage(pid) for pid in PIDS]
        if time.monotonic() > end or all(n[0] <= b[0] for n, b in zip(now, before)):
            return now
        time.sleep(0.1)


def main():
    idle = [usage(pid) for pid in PIDS]
    batch(TOTAL // 5)
    warm = settled(idle)
    begin = time.monotonic()
    batch(TOTAL - TOTAL // 5)
    print(f"{TOTAL - TOTAL // 5} connections in {time.monotonic() - begin:.1f} s, {len(errors)} failed")
    after = settled(idle)
    grown = []
    for pid, (fd0, _), (_, rss1), (fd2, rss2) in zip(PIDS, idle, warm, after):
        print(f"process {pid}: descriptors {fd0} idle, {fd2} after; memory {rss1} KiB warm, {rss2} after")
        if fd2 > fd0:
            grown.append(f"{fd2 - fd0} descriptors leaked in {pid}")
        # Beyond what an allocator rounds: a leak of one KiB a connection shows.
        if rss2 - rss1 > max(1024, (TOTAL - TOTAL // 5) * 0.4) * SLOW:
            grown.append(f"memory grew by {rss2 - rss1} KiB in {pid}")
    for line in grown + errors[:5]:
        print(line)
    sys.exit(1 if grown or errors else 0)


main()
