#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ticker.py HOST PORT FILE [CA NAME]: one connection to an echo, a message every 200 ms, a line in FILE per answer;
with CA and NAME over TLS, to a server that has this name from this CA."""

import socket
import ssl
import sys
import time


def connect(words):
    conn = socket.create_connection((words[0], int(words[1])), 20)
    if len(words) < 5:
        return conn
    return ssl.create_default_context(cafile=words[3]).wrap_socket(conn, server_hostname=words[4])


with connect(sys.argv[1:]) as conn, open(sys.argv[3], "w", buffering=1) as out:
    number = 0
    while True:
        message = b"tick %08d\n" % number
        conn.sendall(message)
        answer = b""
        while len(answer) < len(message):
            piece = conn.recv(64)
            if not piece:
                raise SystemExit(f"closed after {number} ticks")
            answer += piece
        if answer != message:
            raise SystemExit(f"got {answer!r} for {message!r}")
        out.write(f"{number}\n")
        number += 1
        time.sleep(0.2)
