#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ticker.py HOST PORT FILE: one connection to an echo, a message every 200 ms, a line in FILE per answer."""

import socket
import sys
import time

with socket.create_connection((sys.argv[1], int(sys.argv[2])), 20) as conn, open(sys.argv[3], "w", buffering=1) as out:
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
