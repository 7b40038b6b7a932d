#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""knock.py HOST PORT [TEXT]: connect, send TEXT in plaintext, and print in one word how it ends:
silent (nobody answers the connection), refused, reset, closed, alert (of TLS, then closed), or the answer.
HOST may be unix:/path, without a port.
"""

import socket
import sys

TIMEOUT = 10


def connect(words):
    if words[0].startswith("unix:"):
        conn = socket.socket(socket.AF_UNIX)
        conn.settimeout(TIMEOUT)
        conn.connect(words.pop(0)[len("unix:") :])
        return conn
    host, port = words.pop(0), int(words.pop(0))
    return socket.create_connection((host, port), TIMEOUT)


def read_answer(conn, enough):
    """(bytes, how it ended); an answer that is long enough is not waited upon any further."""
    got = b""
    try:
        while len(got) < enough:
            data = conn.recv(65536)
            if not data:
                return got, "closed"
            got += data
    except ConnectionResetError:
        return got, "reset"
    except socket.timeout:
        return got, "silent"
    return got, "open"


def main():
    words = sys.argv[1:]
    try:
        conn = connect(words)
    except socket.timeout:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except OSError as error:
        return error.strerror
    text = words[0].encode() if words else b"hello"
    with conn:
        try:
            conn.sendall(text)
        except ConnectionResetError:
            return "reset"
        except BrokenPipeError:
            return "closed"
        got, end = read_answer(conn, len(text))
    if len(got) == 7 and got[0] == 0x15 and got[1] == 3:
        return "alert"
    return got.decode("ascii", "backslashreplace") if got else end


print(main())
