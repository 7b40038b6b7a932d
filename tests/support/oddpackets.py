#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oddpackets.py SOURCE TARGET PORT FROM: open connections behind first packets that open none (ACK, FIN, RST, ...),
so that the other side's connection tracking already knows the pair of ports when the SYN comes, and ask in
plaintext.  Own ports are FROM and those behind it.  Prints for each what came back, or "nothing".  As root."""

import socket
import struct
import sys

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
FIRST = {"ack": ACK, "psh-ack": PSH | ACK, "fin-ack": FIN | ACK, "syn-ack": SYN | ACK, "rst": RST, "fin": FIN, "none": 0}


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(source, target, ports, flags):
    fields = [*ports, 12345, 67890, 5 << 4, flags, 65535, 0, 0]
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    fields[7] = checksum(pseudo + struct.pack("!HHIIBBHHH", *fields))
    return struct.pack("!HHIIBBHHH", *fields)


def ask(source, target, port, own_port):
    with socket.socket() as conn:
        conn.settimeout(5)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        conn.bind((source, own_port))
        try:
            conn.connect((target, port))
            conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return conn.recv(4096).split(b"\r\n")[0].decode("latin-1") or "nothing"
        except OSError:
            return "nothing"


def main():
    source, target, port, first_port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    for number, (name, flags) in enumerate(FIRST.items()):
        own_port = first_port + number
        raw.sendto(segment(source, target, (own_port, port), flags), (target, 0))
        print(name, ask(source, target, port, own_port))


main()
