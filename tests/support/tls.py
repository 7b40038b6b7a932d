#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tls.py client HOST PORT [CERT KEY]: open TLS as this certificate, send "hello", print what comes back.
Exit 0 when an answer came, 3 when there was none.
tls.py peek HOST PORT: print the certificate the server shows, as PEM.
tls.py server PORT CERT KEY RECORD: accept TLS as this certificate, asking for none, echo, and record the
bytes that came.  Nothing about the other side is verified: the point is what the other side does."""

import socket
import ssl
import sys
import threading


def lenient(side, cert=None, key=None):
    """A context that offers any certificate, however wrong, and believes everything."""
    ctx = ssl.SSLContext(side)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    ctx.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert:
        ctx.load_cert_chain(cert, key)
    return ctx


def converse(host, port, ctx, data=b"hello", timeout=15):
    """(answer, reason): the bytes that came back for data, or b"" and why."""
    answer = b""
    try:
        with socket.create_connection((host, port), timeout) as raw, ctx.wrap_socket(raw, server_hostname=host) as tls:
            tls.sendall(data)
            while len(answer) < len(data):
                piece = tls.recv(65536)
                if not piece:
                    return answer, "closed"
                answer += piece
            return answer, "answered"
    except (OSError, ValueError) as error:
        return answer, f"{type(error).__name__}: {error}"


def echo(raw, ctx, record):
    """Serve one connection; record is called with what arrives after the handshake."""
    try:
        raw.settimeout(15)
        with ctx.wrap_socket(raw, server_side=True) as tls:
            while True:
                data = tls.recv(65536)
                if not data:
                    return
                record(data)
                tls.sendall(data)
    except (OSError, ValueError):
        return
    finally:
        raw.close()


def listen(port, make_ctx, record, host="0.0.0.0"):
    """Serve for ever, a thread per connection; make_ctx is asked for the context of each."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, port))
    server.listen(128)
    while True:
        raw, _ = server.accept()
        threading.Thread(target=echo, args=(raw, make_ctx(), record), daemon=True).start()


def main():
    words = sys.argv[1:]
    if words[:1] == ["client"] and len(words) in (3, 5):
        ctx = lenient(ssl.PROTOCOL_TLS_CLIENT, *words[3:])
        answer, reason = converse(words[1], int(words[2]), ctx)
        print(answer.decode("utf-8", "replace"), reason)
        sys.exit(0 if answer else 3)
    if words[:1] == ["peek"] and len(words) == 3:
        # Known once our side of the handshake is done, before the server refuses us for having none.
        with socket.create_connection((words[1], int(words[2])), 15) as raw:
            with lenient(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(raw, server_hostname=words[1]) as tls:
                print(ssl.DER_cert_to_PEM_cert(tls.getpeercert(True)))
        return
    if words[:1] == ["server"] and len(words) == 5:
        ctx = lenient(ssl.PROTOCOL_TLS_SERVER, words[2], words[3])
        with open(words[4], "wb", buffering=0) as record:
            listen(int(words[1]), lambda: ctx, record.write)
    raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
