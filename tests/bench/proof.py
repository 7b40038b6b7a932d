# SPDX-License-Identifier: Apache-2.0
"""Before anything is measured: does each product do the job?  It must serve, with the agreed suite, and
refuse who shows no certificate, one of another CA and, where it can be told to, another name."""

import socket
import ssl
import threading

from peers import SUITE, Mode, start_side
from rig import CannotRun

PATIENCE = 5
OFF, ON = Mode(), Mode(resume=True)


def _message():
    """An echo, number 0, as bench-sink knows it (traffic.c)."""
    state, rest = 2463534242, bytearray()
    for _ in range(68):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        rest.append(state >> 24)
    return b"bench-1\0" + (1).to_bytes(8, "little") + bytes(16) + bytes(rest)


MESSAGE = _message()


def _receive(sock):
    got = b""
    while len(got) < len(MESSAGE):
        part = sock.recv(4096)
        if not part:
            break
        got += part
    return got


def _context(credentials, who, server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        context.verify_mode = ssl.CERT_REQUIRED
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # ours is another: let the product choose
    else:
        context.check_hostname = False
    # Whom we meet is always shop's; who we are, perhaps not.
    context.load_verify_locations(credentials.file("db", "ca.pem"))
    if who:
        context.load_cert_chain(credentials.file(who, "both.pem"))
    return context


def _agreed(sock, name):
    if sock.version() != "TLSv1.3" or sock.cipher()[0] != SUITE:
        raise CannotRun(f"{name}: {sock.version()} with {sock.cipher()[0]}, not TLSv1.3 with {SUITE}")


def _call(port, context, name, session=None):
    """Be the client: what came back, whether the session was resumed, and a session."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as plain:
            with context.wrap_socket(plain, session=session) as sock:
                _agreed(sock, name)
                sock.sendall(MESSAGE)
                return _receive(sock), sock.session_reused, sock.session
    except (ssl.SSLError, ConnectionError):
        return b"", False, None


class Server:
    """Be the server, one connection at a time, as whoever we are set to be."""

    def __init__(self, port, name):
        self.name = name
        self.context = None
        self.reached = self.resumed = 0
        self.error = None
        self.listener = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            plain.settimeout(PATIENCE)
            try:
                with plain, self.context.wrap_socket(plain, server_side=True) as sock:
                    _agreed(sock, self.name)
                    got = _receive(sock)
                    if not got:
                        continue
                    self.reached += 1
                    self.resumed += sock.session_reused
                    sock.sendall(got)
                    sock.recv(1)
            except CannotRun as error:
                self.error = error
            except (ssl.SSLError, OSError):
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)


def _exchange(port):
    """In plain: what came back."""
    try:
        # Refused so fast, perhaps, that it shows while connecting.
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            sock.sendall(MESSAGE)
            return _receive(sock)
    except ConnectionError:
        return b""


def _prove_terminate(bench, product):
    name = f"{product.name} terminate"
    process, port = start_side(bench, product, "terminate", product.terminate, OFF, bench.sink_port)

    def serves(who):
        before = bench.sink.served()
        got, _, _ = _call(port, _context(bench.credentials, who, False), name)
        reached = bench.sink.served() != before
        if bool(got) != reached or got not in (b"", MESSAGE):
            raise CannotRun(f"{name}: answered {len(got)} bytes to {who}")
        return reached

    fact = {"serves": serves("web"), "no-certificate": not serves(None), "other-ca": not serves("alien-web")}
    fact["other-name"] = not serves("stranger") if product.terminate_checks_name else None
    process.stop()
    return fact


def _terminate_resumes(bench, product, mode):
    process, port = start_side(bench, product, "terminate", product.terminate, mode, bench.sink_port)
    context = _context(bench.credentials, "web", False)
    _, _, session = _call(port, context, product.name)
    _, resumed, _ = _call(port, context, product.name, session)
    process.stop()
    return resumed


def _with_server(bench, product, mode, prove):
    name = f"{product.name} originate"
    target = bench.ports.take()
    server = Server(target, name)
    process, port = start_side(bench, product, "originate", product.originate, mode, target)
    fact = prove(server, port)
    process.stop()
    server.stop()
    if server.error:
        raise server.error
    return fact


def _prove_originate(bench, product):
    def prove(server, port):
        def serves(who):
            server.context = _context(bench.credentials, who, True)
            before = server.reached
            got = _exchange(port)
            if got not in (b"", MESSAGE) or bool(got) != (server.reached != before):
                raise CannotRun(f"{product.name} originate: sent bytes to {who}")
            return bool(got)

        return {"serves": serves("db"), "other-ca": not serves("alien-db"), "other-name": not serves("stranger")}

    return _with_server(bench, product, OFF, prove)


def _originate_resumes(bench, product, mode):
    def prove(server, port):
        server.context = _context(bench.credentials, "db", True)
        for _ in range(3):
            if _exchange(port) != MESSAGE:
                raise CannotRun(f"{product.name} originate: does not serve")
        return server.resumed > 0

    return _with_server(bench, product, mode, prove)


def prove(bench, product):
    """What the product was seen to do, by side; a product that does not do the job ends the run."""
    facts = {"terminate": _prove_terminate(bench, product)}
    facts["terminate"]["resumes"] = _terminate_resumes(bench, product, ON)
    facts["terminate"]["full"] = not _terminate_resumes(bench, product, OFF) if product.can_decline else None
    if "originate" in product.sides:
        facts["originate"] = _prove_originate(bench, product)
        facts["originate"]["resumes"] = _originate_resumes(bench, product, ON)
        facts["originate"]["full"] = not _originate_resumes(bench, product, OFF)
    for side, seen in facts.items():
        for what, holds in seen.items():
            if holds is False and not (what == "resumes" and product.can_resume is None):
                raise CannotRun(f"{product.name} {side}: does not hold: {what}")
    return facts
