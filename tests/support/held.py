#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""held.py HOST PORT CAS CERT RECORD: a peer with one connection, through which it sends random bytes all the time and
compares what is echoed, byte for byte.  CERT is a path without its ending.  RECORD gets a line when the connection
is up, and one when it ends: "ended N" after SIGTERM, "closed N" when the other side did it, "CORRUPT N" otherwise;
N is how many bytes came back.
"""

import os
import signal
import socket
import ssl
import sys
import time

told = False


def tell(*_):
    global told
    told = True


def say(path, *words):
    with open(path, "a", encoding="ascii") as file:
        print(f"{time.time():.3f}", *words, file=file, flush=True)


def read_all(tls, count):
    data = b""
    while len(data) < count:
        more = tls.recv(count - len(data))
        if not more:
            raise ConnectionResetError("end")
        data += more
    return data


def main(host, port, cas, cert, record):
    signal.signal(signal.SIGTERM, tell)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.load_verify_locations(cas)
    ctx.load_cert_chain(cert + ".pem", cert + ".key")
    total = 0
    try:
        with ctx.wrap_socket(socket.create_connection((host, int(port)), timeout=10)) as tls:
            tls.settimeout(30)
            while not told:
                sent = os.urandom(256)
                tls.sendall(sent)
                if read_all(tls, len(sent)) != sent:
                    say(record, "CORRUPT", total)
                    return
                if total == 0:
                    say(record, "up")
                total += len(sent)
                time.sleep(0.005)
        say(record, "ended", total)
    except OSError as error:
        say(record, "closed", total, type(error).__name__)


main(*sys.argv[1:])
