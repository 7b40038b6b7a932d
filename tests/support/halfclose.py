#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""halfclose.py HOST PORT: send standard input, end the sending side only, print all that comes back."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), 30) as conn:
    conn.sendall(sys.stdin.buffer.read())
    conn.shutdown(socket.SHUT_WR)
    while True:
        data = conn.recv(65536)
        if not data:
            break
        sys.stdout.buffer.write(data)
