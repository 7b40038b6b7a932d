#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steady traffic that loses nothing: traffic.py HOST PORT THREADS STOP-FILE

Each thread opens a connection, sends a line, wants it back whole, closes, and begins again; one more
connection stays open all the time and does the same on itself.  Until the stop file exists.  The other end
echoes.  Prints how many requests there were; anything lost, cut, wrong or slower than 20 s ends it with 1.
"""
import os
import socket
import sys
import threading

HOST, PORT, THREADS, STOP = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
lock = threading.Lock()
done = 0
broken = []


def exchange(conn, text):
    conn.sendall(text)
    got = b""
    while len(got) < len(text):
        some = conn.recv(65536)
        if not some:
            raise ConnectionError(f"ended after {len(got)} of {len(text)} bytes")
        got += some
    if got != text:
        raise ValueError("another answer than the request")


def count():
    global done
    with lock:
        done += 1


def is_over():
    return broken or os.path.exists(STOP)


def short(name):
    number = 0
    while not is_over():
        number += 1
        text = f"{name} {number} ".encode() * (1 + number % 400)
        with socket.create_connection((HOST, PORT), timeout=20) as conn:
            exchange(conn, text)
            conn.shutdown(socket.SHUT_WR)
            if conn.recv(1) != b"":
                raise ValueError("more than the answer")
        count()


def long():
    number = 0
    with socket.create_connection((HOST, PORT), timeout=20) as conn:
        while not is_over():
            number += 1
            exchange(conn, f"long {number}\n".encode())
            count()


def guarded(work, *args):
    try:
        work(*args)
    except Exception as error:  # any loss is the finding
        with lock:
            broken.append(f"{work.__name__}{args}: {error!r}")


threads = [threading.Thread(target=guarded, args=(short, n)) for n in range(THREADS)]
threads.append(threading.Thread(target=guarded, args=(long,)))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{done} requests")
for what in broken:
    print(what)
sys.exit(1 if broken or done == 0 else 0)
