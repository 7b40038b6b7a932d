#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""identities.py VECTORS INBOUND APP OUTBOUND PEER TABLE: play every identity of INDEX.tsv against a sidecar.

INBOUND and OUTBOUND are the sidecar's listeners; APP is where it forwards inbound connections, PEER where
its outbound ones go: both are served here.  Writes the verdicts to TABLE; exit 1 when one is wrong.
"""

import os
import socket
import ssl
import sys
import threading
import time

import tls


class App:
    """The application behind the sidecar: echoes, and keeps what it saw."""

    def __init__(self, port):
        self.seen = b""
        self.connections = 0
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen(128)
        threading.Thread(target=self.run, args=(server,), daemon=True).start()

    def run(self, server):
        while True:
            conn, _ = server.accept()
            self.connections += 1
            threading.Thread(target=self.echo, args=(conn,), daemon=True).start()

    def echo(self, conn):
        with conn:
            while True:
                try:
                    data = conn.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                self.seen += data
                conn.sendall(data)


class Peer:
    """The server the sidecar calls, with whatever certificate it is told to have."""

    def __init__(self, port):
        self.seen = b""
        self.ctx = None
        threading.Thread(target=tls.listen, args=(port, lambda: self.ctx, self.saw, "127.0.0.1"),
                         daemon=True).start()

    def saw(self, data):
        self.seen += data


def as_client(app, port, cert, key):
    app.seen, app.connections = b"", 0
    answer, reason = tls.converse("127.0.0.1", port, tls.lenient(ssl.PROTOCOL_TLS_CLIENT, cert, key), b"probe")
    time.sleep(0.02)
    if answer == b"probe":
        return "accept", ""
    if app.seen or app.connections:
        return "leak", f"the application saw {app.connections} connections, {app.seen!r}"
    return "reject", reason


def as_server(peer, port, cert, key):
    peer.seen = b""
    peer.ctx = tls.lenient(ssl.PROTOCOL_TLS_SERVER, cert, key)
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), 15) as conn:
            conn.sendall(b"probe")
            while len(answer) < 5:
                piece = conn.recv(64)
                if not piece:
                    break
                answer += piece
    except OSError as error:
        answer = answer or b""
        if isinstance(error, TimeoutError):
            return "hang", str(error)
    time.sleep(0.02)
    if answer == b"probe":
        return "accept", ""
    return ("leak", f"the server saw {peer.seen!r}") if peer.seen else ("reject", "closed")


def main():
    folder, table = sys.argv[1], sys.argv[6]
    inbound, app_port, outbound, peer_port = map(int, sys.argv[2:6])
    app, peer = App(app_port), Peer(peer_port)
    rows = [line.rstrip("\n").split("\t") for line in open(os.path.join(folder, "INDEX.tsv"), encoding="utf-8")][1:]
    wrong = 0
    with open(table, "w", encoding="utf-8") as out:
        for name, want_client, want_server, _, why in rows:
            cert, key = (os.path.join(folder, name + end) for end in (".pem", ".key"))
            begin = time.monotonic()
            for side, want, (got, reason) in (
                    ("client", want_client, as_client(app, inbound, cert, key)),
                    ("server", want_server, as_server(peer, outbound, cert, key))):
                # What the vectors leave open, docs/IDENTITY.md decides: refuse.
                good = got == ("reject" if want == "policy" else want)
                wrong += not good
                out.write(f"{'ok' if good else 'WRONG'}\t{name}\tas {side}\twant {want}\tgot {got}\t{why}\t{reason}\n")
                if not good:
                    print(f"{name} as {side}: wanted {want}, got {got} ({why}) {reason}")
            if time.monotonic() - begin > 20:
                wrong += 1
                print(f"{name} took {time.monotonic() - begin:.0f} s")
    print(f"{len(rows)} identities, {wrong} wrong verdicts")
    sys.exit(1 if wrong or len(rows) < 40 else 0)


main()
