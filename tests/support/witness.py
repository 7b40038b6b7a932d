#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""witness.py PORT RECORD [MODE [ADDRESS]]: an application on loopback, or on ADDRESS, that records every
connection and byte.  ADDRESS "any" is all there are, IPv6 included; with unix:/path there is no port.

MODE echo answers what it gets; swallow answers nothing until the input ends, then how much it was;
greet speaks first; silent echoes and records nothing.
"""

import os
import socket
import sys
import threading

lock = threading.Lock()


def record(path, data):
    if path is None:
        return
    with lock, open(path, "ab") as file:
        file.write(data)


def serve(conn, path, mode):
    record(path, b"<connection>")
    total = 0
    with conn:
        try:
            if mode == "greet":
                conn.sendall(b"hello from the application\n")
            while True:
                data = conn.recv(65536)
                if not data:
                    break
                total += len(data)
                record(path, data[:4096])
                if mode in ("echo", "silent"):
                    conn.sendall(data)
            if mode == "swallow":
                conn.sendall(b"%d" % total)
        except OSError as error:
            record(path, b"<%s>" % type(error).__name__.encode())


def bound(address, port):
    if address.startswith("unix:"):
        path = address[len("unix:") :]
        if os.path.exists(path):
            os.unlink(path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        return server
    server = socket.socket(socket.AF_INET6 if address == "any" or ":" in address else socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address == "any":
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::" if address == "any" else address, port))
    return server


def main():
    port, path = int(sys.argv[1]), sys.argv[2]
    mode = sys.argv[3] if len(sys.argv) > 3 else "echo"
    open(path, "wb").close()
    if mode == "silent":
        path = None
    server = bound(sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1", port)
    server.listen(1024)
    while True:
        conn, _ = server.accept()
        threading.Thread(target=serve, args=(conn, path, mode), daemon=True).start()


main()
