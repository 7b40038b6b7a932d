#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py HOST PORT TOTAL PID PID SLOW: TOTAL connections to an echo, in turns of one at a time, fifty at a
time, and cut off in the middle; once warm, the PIDs' descriptors and memory must not grow."""

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


def settled():
    """Usage once the last connections have been cleared away: twice the same, half a second apart."""
    end, last = time.monotonic() + 40 * SLOW, None
    while True:
        now = [usage(pid) for pid in PIDS]
        if now == last or time.monotonic() > end:
            return now
        last = now
        time.sleep(0.5)


def main():
    # Five equal batches: the first two warm up caches, allocators and the most there ever is at a time.
    size = TOTAL // 5
    for _ in range(2):
        batch(size)
    looks = [settled()]
    begin = time.monotonic()
    for _ in range(3):
        batch(size)
        looks.append(settled())
    print(f"{5 * size} connections, the last {3 * size} in {time.monotonic() - begin:.1f} s, {len(errors)} failed")
    grown = []
    for pid, *usages in zip(PIDS, *looks):
        fds, rss = [fd for fd, _ in usages], [kib for _, kib in usages]
        print(f"process {pid}: descriptors {fds}, memory in KiB {rss}, warm and after each batch")
        if fds[-1] > fds[0]:
            grown.append(f"{fds[-1] - fds[0]} descriptors leaked in {pid}")
        # A leak grows with every batch, an allocator in steps: 100 bytes a connection, each time, show.
        # (The address sanitizer keeps freed memory for a while, and finds leaks itself.)
        if "ASAN_OPTIONS" not in os.environ and min(after - before for before, after in zip(rss, rss[1:])) > size / 10:
            grown.append(f"memory grows with every batch in {pid}")
    for line in grown + errors[:5]:
        print(line)
    sys.exit(1 if grown or errors else 0)


main()
