#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proxied.py ADDRESS PORT | proxied.py unix:/path: an application that wants a PROXY protocol header of version 2
before anything else, and is strict about it.  It answers with what the header says, one line of JSON, and
then echoes.  A header that is not as its specification has it is answered with {"error": WHY}, and closed.
"""

import ipaddress
import json
import os
import socket
import struct
import sys
import threading

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TEXTS = {0x01: "alpn", 0x02: "authority", 0xE0: "spiffe"}
SSL_TEXTS = {0x21: "version", 0x22: "cn", 0x23: "cipher"}
FAMILIES = {0x00: 0, 0x11: 4, 0x21: 16}


def exactly(conn, size):
    data = b""
    while len(data) < size:
        piece = conn.recv(size - len(data))
        if not piece:
            raise ValueError(f"ended after {len(data)} of {size} bytes")
        data += piece
    return data


def tlvs(data):
    """{type: value}; every byte belongs to one, and none comes twice."""
    found = {}
    while data:
        if len(data) < 3:
            raise ValueError(f"{len(data)} bytes too many")
        kind, size = struct.unpack_from("!BH", data)
        if len(data) < 3 + size:
            raise ValueError(f"TLV {kind:#x} is cut off")
        if kind in found:
            raise ValueError(f"TLV {kind:#x} comes twice")
        found[kind] = data[3 : 3 + size]
        data = data[3 + size :]
    return found


def texts(found, names):
    unknown = [hex(kind) for kind in found if kind not in names]
    if unknown:
        raise ValueError(f"unknown TLVs {unknown}")
    return {names[kind]: value.decode("ascii") for kind, value in found.items()}


def ssl_facts(data):
    if len(data) < 5:
        raise ValueError("the SSL TLV is too short")
    client, verify = struct.unpack_from("!BI", data)
    return {"client": client, "verify": verify, **texts(tlvs(data[5:]), SSL_TEXTS)}


def addresses(data, size):
    if size == 0:
        return {"family": "none"}
    from_port, to_port = struct.unpack_from("!HH", data, 2 * size)
    return {
        "family": "ipv4" if size == 4 else "ipv6",
        "from": str(ipaddress.ip_address(data[:size])),
        "from_port": from_port,
        "to": str(ipaddress.ip_address(data[size : 2 * size])),
        "to_port": to_port,
    }


def header(conn):
    if exactly(conn, 12) != SIGNATURE:
        raise ValueError("not a header of version 2")
    version, family, size = struct.unpack("!BBH", exactly(conn, 4))
    if version != 0x21 or family not in FAMILIES:
        raise ValueError(f"version {version:#x}, family {family:#x}")
    body = exactly(conn, size)
    at = FAMILIES[family]
    said = addresses(body, at)
    found = tlvs(body[2 * at + 4 if at else 0 :])
    if 0x20 in found:
        said["ssl"] = ssl_facts(found.pop(0x20))
    return {**said, **texts(found, TEXTS)}


def serve(conn):
    with conn:
        try:
            said = header(conn)
        except (ValueError, struct.error) as error:
            conn.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
            return
        try:
            conn.sendall(json.dumps(said).encode() + b"\n")
            while data := conn.recv(65536):
                conn.sendall(data)
        except OSError:
            return


def listener(words):
    if words[0].startswith("unix:"):
        path = words[0][len("unix:") :]
        if os.path.exists(path):
            os.unlink(path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
    else:
        server = socket.socket(socket.AF_INET6 if ":" in words[0] else socket.AF_INET)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((words[0], int(words[1])))
    server.listen(128)
    return server


def main():
    server = listener(sys.argv[1:])
    while True:
        conn, _ = server.accept()
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


main()
