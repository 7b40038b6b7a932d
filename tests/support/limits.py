#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What limits let through.

limits.py hold HOST PORT WANTED TRIED    open TRIED connections, of which exactly WANTED must answer; then
                                         close all, and one more must answer
limits.py drip HOST PORT COUNT GOODHOST GOODPORT
                                         open COUNT connections that send a byte of a ClientHello now and
                                         then; meanwhile every good client must be served
"""
import socket
import sys
import time


def answers(conn):
    try:
        conn.sendall(b"hello")
        return conn.recv(5) == b"hello"
    except OSError:
        return False


def dial(host, port):
    """A connection, and whether it answers; who is refused may be reset before connecting has returned."""
    conn = socket.socket()
    conn.settimeout(20)
    try:
        conn.connect((host, port))
    except ConnectionResetError:
        return conn, False
    return conn, answers(conn)


def hold(host, port, wanted, tried):
    conns = [dial(host, port) for _ in range(tried)]
    got = sum(ok for _, ok in conns)
    for conn, ok in conns:
        if ok and not answers(conn):
            sys.exit("a connection within the limit was ended")
        conn.close()
    if got != wanted:
        sys.exit(f"{got} of {tried} answered, {wanted} should have")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        conn, ok = dial(host, port)
        conn.close()
        if ok:
            print(f"  {got} of {tried}, and again afterwards")
            return
        time.sleep(0.05)
    sys.exit("no connection answers after all were closed")


def drip(host, port, count, good_host, good_port):
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(32)
    slow = []
    for i in range(count):
        conn = socket.create_connection((host, port), timeout=20)
        slow.append(conn)
        conn.sendall(hello[: 1 + i % 20])
        if i % 20 == 19:
            good, ok = dial(good_host, good_port)
            good.close()
            if not ok:
                sys.exit(f"a good client was not served beside {i + 1} slow ones")
    print(f"  {count // 20} good clients served beside {count} slow ones")


if sys.argv[1] == "hold":
    hold(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
else:
    drip(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6]))
