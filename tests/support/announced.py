#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""announced.py serve PORT RECORD: an application that wants a PROXY protocol header, version 2, in front of every
connection.  It is read strictly, by the specification's section 2.2, and recorded as one line of JSON; then the
request is answered as HTTP/1.0.
announced.py twice HOST PORT CERT KEY: ask twice as this certificate, the second time with the session of the
first; prints whether it was resumed."""

import json
import socket
import ssl
import struct
import sys
import threading

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NAMES = {0x01: "alpn", 0x02: "authority", 0x20: "ssl", 0x21: "version", 0x22: "cn", 0x23: "cipher", 0xE0: "spiffe"}


def exactly(conn, size):
    data = b""
    while len(data) < size:
        piece = conn.recv(size - len(data))
        if not piece:
            raise ValueError(f"ended after {data!r}")
        data += piece
    return data


def tlvs(data):
    found = {}
    while data:
        kind, size = struct.unpack("!BH", data[:3])
        value, data = data[3 : 3 + size], data[3 + size :]
        if len(value) != size or NAMES[kind] in found:
            raise ValueError("a TLV is cut off or repeated")
        if kind == 0x20:
            client, verify = struct.unpack("!BI", value[:5])
            found |= {"ssl": client, "verify": verify} | tlvs(value[5:])
        else:
            found[NAMES[kind]] = value.decode("ascii")
    return found


def header(conn):
    signature, version, family, size = struct.unpack("!12sBBH", exactly(conn, 16))
    if signature != SIGNATURE or version != 0x21:
        raise ValueError(f"not a header: {signature!r} {version:x}")
    rest = exactly(conn, size)
    if family == 0:
        return tlvs(rest)
    kind, length = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}[family]
    ports = struct.unpack("!HH", rest[2 * length : 2 * length + 4])
    return {
        "from": f"{socket.inet_ntop(kind, rest[:length])} {ports[0]}",
        "to": f"{socket.inet_ntop(kind, rest[length : 2 * length])} {ports[1]}",
    } | tlvs(rest[2 * length + 4 :])


def serve(conn, path):
    with conn:
        try:
            line = json.dumps(header(conn), sort_keys=True)
        except (ValueError, KeyError, OSError, struct.error) as error:
            line = f"refused: {type(error).__name__}: {error}"
        with open(path, "a", encoding="ascii") as file:
            file.write(line + "\n")
        if line.startswith("{") and exactly(conn, 4) == b"GET ":
            conn.recv(65536)
            conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nannounced\n")


def listen(port, path):
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            conn, _ = listening.accept()
            threading.Thread(target=serve, args=(conn, path), daemon=True).start()


def twice(host, port, cert, key):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.load_cert_chain(cert, key)
    session = None
    for _ in range(2):
        with socket.create_connection((host, port), 10) as raw:
            with ctx.wrap_socket(raw, server_hostname="db.example.com", session=session) as tls:
                tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while tls.recv(4096):
                    pass
                session = tls.session
                resumed = tls.session_reused
    print("resumed" if resumed else "not resumed")


if sys.argv[1] == "serve":
    listen(int(sys.argv[2]), sys.argv[3])
else:
    twice(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
