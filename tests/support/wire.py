#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wire.py WEB DB CORPUS PID-DB PID-WEB [CAMPAIGN...]: be the network, and be it badly.

WEB and DB are folders of "seal cert issue".  Two sidecars run on this machine:

    7000 ──▶ web's sidecar ──▶ 8444 ──▶ db's sidecar ──▶ 8080, an application served here
    7001 ──▶ web's sidecar ──▶ 9443, a server that is played here

Each campaign attacks one of them on 8444 or 9443.  After each one an honest client must be served, and in the
end neither descriptors nor memory of the two processes may have grown.  SEAL_SLOW stretches waits, SEAL_LONG
the amounts.  Exit 1 when a promise is broken."""

import collections
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

import record
from record import ALERT, CCS, DATA, HANDSHAKE, Wire

WEB, DB, CORPUS = sys.argv[1:4]
PIDS = [int(pid) for pid in sys.argv[4:6]]
SLOW = int(os.environ.get("SEAL_SLOW", "1"))
LONG = bool(os.environ.get("SEAL_LONG"))
SANITIZED = "ASAN_OPTIONS" in os.environ
PEERS, APP, OUT, OUT_HOSTILE, HOSTILE = 8444, 8080, 7000, 7001, 9443
HANDSHAKE_S = 10  # the sidecar's deadline
dice = random.Random(20260101)
broken = []


def check(good, what):
    if not good:
        broken.append(what)
        print(f"  BROKEN: {what}")


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), 30 * SLOW)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def until(seconds, what):
    """Wait for what() to be true; whether it became so."""
    end = time.monotonic() + seconds * SLOW
    while not (good := what()) and time.monotonic() < end:
        time.sleep(0.02)
    return good


# ---- the application ------------------------------------------------------------------------------


def pattern(length):
    """Bytes that are nowhere the same, a MiB at a time."""
    block = random.Random(7).randbytes(1 << 20)
    for at in range(0, length, len(block)):
        yield (struct.pack("!Q", at) + block[8:])[:length - at]


class App:
    """What the sidecar forwards to.  A connection says "TOKEN MODE [N]\\n" first; by token it is remembered how
    much came, and whether it was ended or cut off."""

    def __init__(self, port):
        self.seen, self.ended, self.strays = collections.Counter(), {}, []
        self.server = socket.create_server(("127.0.0.1", port), backlog=1024)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            conn, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        line, token = b"", None
        with conn:
            try:
                while not line.endswith(b"\n"):
                    byte = conn.recv(1)
                    if not byte or len(line) > 100:
                        self.strays.append(line)
                        return
                    line += byte
                token, mode, *number = line.decode().split()
                getattr(self, mode)(conn, token, *map(int, number))
                self.ended[token] = "ended"
            except OSError:
                if token is None:
                    self.strays.append(line)
                else:
                    self.ended[token] = "cut"
            except (ValueError, AttributeError):
                self.strays.append(line)

    def pieces(self, conn, token):
        while data := conn.recv(1 << 18):
            self.seen[token] += len(data)
            yield data

    def echo(self, conn, token):
        for data in self.pieces(conn, token):
            conn.sendall(data)

    def count(self, conn, token):
        for _ in self.pieces(conn, token):
            pass
        conn.sendall(b"%d" % self.seen[token])

    def up(self, conn, token):
        digest = hashlib.sha256()
        for data in self.pieces(conn, token):
            digest.update(data)
        conn.sendall(digest.hexdigest().encode())

    def down(self, conn, token, length):
        for data in pattern(length):
            conn.sendall(data)
        conn.shutdown(socket.SHUT_WR)
        for _ in self.pieces(conn, token):
            pass

    def first(self, conn, token):
        """Ends its own direction first, and listens on."""
        conn.sendall(b"goodbye")
        conn.shutdown(socket.SHUT_WR)
        for _ in self.pieces(conn, token):
            pass


app = App(APP)
tokens = iter(f"t{n}" for n in range(10 ** 9))


def read_all(sock):
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def honest():
    """One exchange through both sidecars; how long it took."""
    begin = time.monotonic()
    with connect(OUT) as sock:
        token = next(tokens)
        sock.sendall(f"{token} echo\nhello".encode())
        got = b""
        while len(got) < 5 and (piece := sock.recv(64)):
            got += piece
        if got != b"hello":
            raise OSError(f"an honest client got {got!r}")
    return time.monotonic() - begin


# ---- what it costs --------------------------------------------------------------------------------


def usage(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return len(os.listdir(f"/proc/{pid}/fd")), int(fields["VmRSS"].split()[0])


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled():
    last = None
    for _ in range(40 * SLOW):
        now = [usage(pid) for pid in PIDS]
        if now == last:
            break
        last = now
        time.sleep(0.25)
    return now


class Probe:
    """An honest connection that is already there: how long its worst answer takes."""

    def __enter__(self):
        self.worst, self.failed, self.stop = 0.0, None, False
        self.sock = connect(OUT)
        self.sock.sendall(f"{next(tokens)} echo\n".encode())
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        try:
            while not self.stop:
                begin = time.monotonic()
                self.sock.sendall(b"?")
                if self.sock.recv(1) != b"?":
                    raise OSError("closed")
                self.worst = max(self.worst, time.monotonic() - begin)
                time.sleep(0.005)
        except OSError as error:
            self.failed = error

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()
        self.sock.close()


# ---- both ends to play ----------------------------------------------------------------------------


def peer():
    """An honest handshake as web, in our hands from then on."""
    return Wire("client", connect(PEERS), WEB).shake()


hostile_server = socket.create_server(("127.0.0.1", HOSTILE), backlog=256)


def called(shake=True):
    """Have web's sidecar call us as db: the application's socket, and our end of the wire."""
    sock = connect(OUT_HOSTILE)
    conn, _ = hostile_server.accept()
    conn.settimeout(30 * SLOW)
    wire = Wire("server", conn, DB)
    return sock, wire.shake() if shake else wire


def is_closed(sock, seconds):
    """Does the other side hang up in that time?  What it says before does not matter."""
    sock.settimeout(seconds * SLOW)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


# ---- mutated hellos -------------------------------------------------------------------------------


def hello_of(folder):
    wire = Wire("client", socket.socket(), folder)
    said = wire.flight()
    wire.close()
    return said


def mutant(data):
    """One to four changes, anywhere."""
    data = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at, size = dice.randrange(len(data)), dice.choice((1, 1, 2, 8, 200))
        what = dice.randrange(6)
        if what == 0:
            data[at] ^= 1 << dice.randrange(8)
        elif what == 1:
            data[at:at + size] = dice.randbytes(size)
        elif what == 2:
            del data[at:at + size]
        elif what == 3:
            data[at:at] = dice.randbytes(size)
        elif what == 4:
            data[at:at] = data[at:at + size]
        else:
            data[at:at + 2] = dice.choice((b"\0\0", b"\xff\xff", b"\x40\x01", b"\x03\x04"))
        data = data or bytearray(b"\0")
    # The same text, cut into other records: lengths that fit again.
    if data[0] == 22 and dice.random() < 0.3:
        text, size = bytes(data[5:]), dice.choice((1, 3, 50, 300))
        data = b"".join(record.plain_record(HANDSHAKE, text[at:at + size]) for at in range(0, len(text), size))
    return bytes(data)


def hellos():
    """Mutants of hellos, ours and those of others, against the server; of server flights, against the client."""
    corpus = {name: open(os.path.join(CORPUS, name), "rb").read()[2:] for name in sorted(os.listdir(CORPUS))}
    clients = [data for name, data in corpus.items() if name.startswith("client-")] + [hello_of(WEB)] * 4
    servers = [data for name, data in corpus.items() if name.startswith("server-")]
    count, before, lingering = 2000 if not LONG else 20000, len(app.strays) + len(app.ended), []
    for n in range(count):
        with connect(PEERS) as sock:
            try:
                sock.sendall(mutant(dice.choice(clients)))
                if n % 4:
                    sock.shutdown(socket.SHUT_WR)  # whatever it was waiting for will not come
                    check(is_closed(sock, 5), f"mutant {n} is not hung up on")
                else:
                    lingering.append(sock.dup())
            except OSError:
                pass  # a reset is an answer
        if n % 100 == 99:
            honest()
            before += 1
            for sock in lingering:
                sock.close()
            lingering.clear()
    check(until(5, lambda: len(app.strays) + len(app.ended) == before), "a mutant reached the application")
    for n in range(count // 5):
        sock = connect(OUT_HOSTILE)
        conn, _ = hostile_server.accept()
        with sock, conn:
            conn.settimeout(10 * SLOW)
            hello, flight = conn.recv(65536), bytearray(dice.choice(servers))
            if len(flight) > 76 and flight[43] == 32:
                flight[44:76] = hello[44:76]  # the session identifier has to be repeated
            try:
                conn.sendall(mutant(flight))
                conn.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            check(is_closed(sock, 5), f"the application behind mutant {n} of a server is not told")
    print(f"hellos: {count} mutants against the server, {count // 5} against the client")


# ---- stalls ---------------------------------------------------------------------------------------


def client_flights():
    """Ways to begin a handshake and not go on: name, socket."""
    def begun():
        wire = Wire("client", connect(PEERS), WEB)
        return wire, wire.flight()

    yield "nothing", connect(PEERS), None
    for name, cut in (("one byte", 1), ("half a hello", 100), ("all but the last byte of a hello", -1)):
        wire, hello = begun()
        wire.sock.sendall(hello[:cut])
        yield name, wire.sock, wire
    wire, hello = begun()
    wire.sock.sendall(hello)
    yield "a hello", wire.sock, wire
    for name in ("a certificate", "all but Finished", "all but the last byte of Finished"):
        wire, hello = begun()
        wire.sock.sendall(hello)
        said = b""
        while not said:
            wire.hear()
            said = wire.flight()
        records, _ = record.split_records(said)
        if name == "a certificate":
            wire.sock.sendall(b"".join(records[:-2]))
        elif name == "all but Finished":
            wire.sock.sendall(b"".join(records[:-1]))
        else:
            wire.sock.sendall(said[:-1])
        yield name, wire.sock, wire


def server_flights():
    """The same as a server: name, our socket, and that of the application that waits."""
    for name in ("nothing at all", "half a server's hello", "a server's hello", "all but a server's Finished"):
        sock, wire = called(shake=False)
        if name != "nothing at all":
            wire.hear()
            said = wire.flight()
            records, _ = record.split_records(said)
            wire.sock.sendall(said[:60] if name.startswith("half") else
                              records[0] if name == "a server's hello" else b"".join(records[:-1]))
        yield name, sock, wire


def stalls():
    """Whoever stops half way is hung up on at the deadline, not before, and not after."""
    begin, waiting = time.monotonic(), []
    for name, sock, wire in client_flights():
        waiting.append((name, sock, wire))
    drips = [connect(PEERS) for _ in range(4)]
    for name, sock, wire in server_flights():
        waiting.append((name, sock, wire))
    begun = time.monotonic() - begin
    ended = {}

    def wait(name, sock):
        is_closed(sock, 3 * HANDSHAKE_S)
        ended[name] = time.monotonic() - begin

    def drip(number, sock):
        hello = hello_of(WEB)
        try:
            for byte in hello:
                # A dropped record each time (RFC 8446 section 5) is no progress either.
                sock.sendall(hello[:1] if number == 0 else bytes([byte]) if number == 1 else
                             record.plain_record(CCS, b"\x01") if number == 2 else record.plain_record(HANDSHAKE, bytes([byte])))
                time.sleep(0.2)
                sock.settimeout(0.001)
                try:
                    if not sock.recv(100):
                        break
                except TimeoutError:
                    pass
        except OSError:
            pass
        ended[f"drip {number}"] = time.monotonic() - begin

    threads = [threading.Thread(target=wait, args=(name, sock)) for name, sock, _ in waiting]
    threads += [threading.Thread(target=drip, args=pair) for pair in enumerate(drips)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, after in ended.items():
        early = name.startswith("drip")  # some are refused for what they say
        check((early or after > HANDSHAKE_S - 1) and after < (HANDSHAKE_S + 2 + begun) * SLOW,
              f"stalled after {name}: closed after {after:.1f} s")
    for _, sock, wire in waiting:
        sock.close()
        if wire is not None:
            wire.close()
    for sock in drips:
        sock.close()
    times = [after for name, after in ended.items() if not name.startswith("drip")]
    print(f"stalls: {len(ended)} at {len(times)} steps and dripping, closed after {min(times):.1f} to {max(times):.1f} s")


# ---- ends of all kinds ----------------------------------------------------------------------------


def cuts():
    """RST inside a record, and the end of the socket without close_notify: never taken for an end."""
    for how in ("reset", "end"):
        for n in range(25):
            wire, token = peer(), next(tokens)
            wire.say(f"{token} count\n".encode() + b"whole")
            until(5, lambda name=token: app.seen[name] == 5)
            part = wire.seal(DATA, b"never to be seen" * 100)
            wire.sock.sendall(part[:1 + 50 * n])
            if how == "reset":
                wire.reset()
            else:
                wire.sock.shutdown(socket.SHUT_WR)
            check(until(5, lambda name=token: name in app.ended), f"{how} inside a record: the application is not told")
            check(app.seen[token] == 5, f"{how} inside a record: the application saw {app.seen[token]} bytes")
            check(app.ended.get(token) == "cut", f"{how} inside a record: to the application it looks like an end")
            wire.close()
    # Between two records, which only close_notify can tell from an end.
    wire, token = peer(), next(tokens)
    wire.say(f"{token} count\n".encode() + b"whole")
    wire.sock.shutdown(socket.SHUT_WR)
    check(until(5, lambda: token in app.ended) and app.ended[token] == "cut",
          "without close_notify: to the application it looks like an end")
    wire.close()
    wire, token = peer(), next(tokens)
    wire.say(f"{token} count\n".encode() + b"whole")
    wire.sock.sendall(wire.seal(ALERT, record.CLOSE_NOTIFY))
    check(wire.hear_out(1) == b"5", "after close_notify the application's answer does not come back")
    check(app.ended.get(token) == "ended" or until(5, lambda: app.ended.get(token) == "ended"),
          "close_notify: to the application it does not look like an end")
    wire.close()
    # The same from servers, towards the application that called.
    for how in ("reset", "end", "close_notify"):
        sock, wire = called()
        wire.say(b"whole")
        with sock:
            got = sock.recv(5, socket.MSG_WAITALL)
            if how == "close_notify":
                wire.sock.sendall(wire.seal(ALERT, record.CLOSE_NOTIFY))
            else:
                wire.sock.sendall(wire.seal(DATA, b"never to be seen")[:20])
                if how == "reset":
                    wire.reset()
                else:
                    wire.sock.shutdown(socket.SHUT_WR)
            try:
                more = sock.recv(100)
                verdict = "end" if not more else repr(more)
            except ConnectionResetError:
                verdict = "cut"
            check(got == b"whole" and verdict == ("end" if how == "close_notify" else "cut"),
                  f"a server's {how}: the application sees {got!r} and then {verdict}")
        wire.close()
    print("cuts: 50 inside a record, 1 between records, 3 by servers; each told from an end")


def halves():
    """Either side may end first, and the other goes on."""
    size = 3_000_000
    with connect(OUT) as sock:
        sock.sendall(f"{next(tokens)} count\n".encode() + bytes(size))
        sock.shutdown(socket.SHUT_WR)
        check(read_all(sock) == b"%d" % size, "the caller ended first: its bytes or the answer are lost")
    with connect(OUT) as sock:
        token = next(tokens)
        sock.sendall(f"{token} first\n".encode())
        check(read_all(sock) == b"goodbye", "the application ended first: its last words are lost")
        sock.sendall(bytes(size))
        sock.shutdown(socket.SHUT_WR)
        check(until(10, lambda: app.seen[token] == size and token in app.ended),
              f"the application ended first: it then got {app.seen[token]} of {size} bytes")
    print("halves: half-closed by the caller, half-closed by the application")


# ---- bytes ----------------------------------------------------------------------------------------


def single_bytes():
    """One at a time: as segments, and as records."""
    text = dice.randbytes(2000)
    with connect(OUT) as sock:
        sock.sendall(f"{next(tokens)} echo\n".encode())
        got = b""
        for at in range(len(text)):
            sock.sendall(text[at:at + 1])
            if at % 100 == 99:  # not too far ahead
                while len(got) < at - 50:
                    got += sock.recv(4096)
        while len(got) < len(text):
            got += sock.recv(4096)
        check(got == text, "bytes sent one at a time do not come back as they were")
    wire = peer()
    wire.say(f"{next(tokens)} echo\n".encode())
    for at in range(len(text)):
        wire.say(text[at:at + 1])
    check(wire.hear_out(len(text)) == text, "records of one byte do not come back as they were")
    # Records whose content is nearly nothing but padding (RFC 8446 section 5.4).
    for at in range(100):
        wire.sock.sendall(wire.seal(DATA, text[at:at + 1], 16000))
    check(wire.hear_out(100) == text[:100], "padded records do not come back as they were")
    wire.close()
    # A record in segments of one byte.
    wire = peer()
    for byte in wire.seal(DATA, f"{next(tokens)} echo\n".encode() + text[:300]):
        wire.sock.sendall(bytes([byte]))
    check(wire.hear_out(300) == text[:300], "a record in segments of one byte does not come back as it was")
    wire.close()
    print("single bytes: 2000 as segments, 2000 as records, 100 in padding, one record in segments")


def bulk():
    """A long transfer each way, compared by hash."""
    size = (10 << 30) if LONG else (256 << 20)
    size //= 4 if SANITIZED and not LONG else 1
    digest = hashlib.sha256()
    begin = time.monotonic()
    with connect(OUT) as sock:
        sock.sendall(f"{next(tokens)} up\n".encode())
        for data in pattern(size):
            digest.update(data)
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        check(read_all(sock) == digest.hexdigest().encode(), "what was sent up is not what arrived")
    up = time.monotonic() - begin
    arrived, total = hashlib.sha256(), 0
    begin = time.monotonic()
    with connect(OUT) as sock:
        sock.sendall(f"{next(tokens)} down {size}\n".encode())
        while data := sock.recv(1 << 20):
            arrived.update(data)
            total += len(data)
    check(total == size and arrived.digest() == digest.digest(), f"what came down is not what was sent: {total} bytes")
    print(f"bulk: {size >> 20} MiB up in {up:.1f} s, down in {time.monotonic() - begin:.1f} s, the same by SHA-256")


# ---- floods ---------------------------------------------------------------------------------------


def sealed_flood(make):
    """After the handshake: as client to the server, and as server to the client."""
    def to_server(count):
        wire = peer()
        wire.say(f"{next(tokens)} count\n".encode())
        return wire.sock, [make(wire, n) for n in range(count)], None, wire

    def to_client(count):
        sock, wire = called()
        return wire.sock, [make(wire, n) for n in range(count)], sock, wire
    return to_server, to_client


def plain_flood(kind, body):
    """Before the handshake is over: unsealed records behind a hello."""
    def to_server(count):
        wire = Wire("client", connect(PEERS), WEB)
        wire.sock.sendall(wire.flight())
        return wire.sock, [record.plain_record(kind, body)] * count, None, wire
    return (to_server,)


FLOODS = {
    "plain alerts": (plain_flood(ALERT, b"\x01\x5a"), "closed"),
    "plain empty records": (plain_flood(HANDSHAKE, b""), "closed"),
    "plain change_cipher_spec": (plain_flood(CCS, b"\x01"), "bounded"),
    "alerts": (sealed_flood(lambda wire, _: wire.seal(ALERT, b"\x01\x5a")), "closed"),
    "empty records": (sealed_flood(lambda wire, _: wire.seal(DATA, b"")), "closed"),
    "empty records, padded": (sealed_flood(lambda wire, _: wire.seal(DATA, b"", 4000)), "closed"),
    "empty handshake records": (sealed_flood(lambda wire, _: wire.seal(HANDSHAKE, b"")), "closed"),
    "KeyUpdate": (sealed_flood(lambda wire, _: wire.seal_update(0)), "closed"),
    "KeyUpdate, wanting one": (sealed_flood(lambda wire, _: wire.seal_update(1)), "closed"),
    "KeyUpdate of an unknown kind": (sealed_flood(lambda wire, _: wire.seal_update(2)), "closed"),
    "hellos after the handshake": (sealed_flood(lambda wire, _: wire.seal(HANDSHAKE, b"\x01\x00\x00\x00")), "closed"),
    "the beginning of an endless message": (sealed_flood(lambda wire, n: wire.seal(
        HANDSHAKE, (b"\x18\xff\xff\xff" if n == 0 else b"") + bytes(1000))), "closed"),
}


def pour(sock, records):
    """Send as fast as it goes; how many went, and whether the other side hung up."""
    batch, sent = 200, 0
    sock.settimeout(10 * SLOW)
    try:
        while sent < len(records):
            sock.sendall(b"".join(records[sent:sent + batch]))
            sent += batch
    except TimeoutError:
        return sent, False
    except OSError:
        return sent, True
    return sent, is_closed(sock, 1)


def floods():
    """Records that carry nothing: hung up on, or at least neither memory nor other connections suffer."""
    for name, (sides, want) in FLOODS.items():
        for side, begin in enumerate(sides):
            # More than one turn of the sidecar's worker takes in, where nothing stops it.
            sock, records, caller, wire = begin(100000 if LONG else 15000 if want == "bounded" else 3000)
            pid = PIDS[side]
            (_, rss), spent = usage(pid), cpu(pid)
            with Probe() as probe:
                sent, closed = pour(sock, records)
            spent, grown = cpu(pid) - spent, usage(pid)[1] - rss
            where = "server" if side == 0 else "client"
            print(f"flood of {name} at the {where}: {'closed' if closed else 'open'} after {min(sent, len(records))}, "
                  f"CPU {spent * 1000:.0f} ms, memory {grown:+d} KiB, worst answer to others {probe.worst * 1000:.0f} ms")
            check(closed or want == "bounded", f"a flood of {name} at the {where} is suffered")
            check(probe.failed is None, f"a flood of {name} at the {where} broke another connection: {probe.failed}")
            check(probe.worst < 1.0 * SLOW, f"a flood of {name} at the {where} kept others waiting {probe.worst:.2f} s")
            check(SANITIZED or grown < 4096, f"a flood of {name} at the {where} took {grown} KiB")
            check(spent < len(records) * 0.0003 * SLOW + 0.2, f"a flood of {name} at the {where} took {spent:.1f} s of CPU")
            wire.close()
            if caller is not None:
                caller.close()


# ---- all of it ------------------------------------------------------------------------------------

CAMPAIGNS = {"hellos": hellos, "cuts": cuts, "halves": halves, "bytes": single_bytes, "bulk": bulk, "floods": floods,
             "stalls": stalls}


def warm_up():
    """As much at a time as the campaigns have."""
    for _ in range(100):
        honest()
    socks = [connect(OUT) for _ in range(50)]
    for sock in socks:
        sock.sendall(f"{next(tokens)} echo\n".encode() + bytes(100_000))
    for sock in socks:
        got = 0
        while got < 100_000:
            got += len(sock.recv(65536))
        sock.close()


def main():
    warm_up()
    before = settled()
    for name in sys.argv[6:] or CAMPAIGNS:
        begin = time.monotonic()
        CAMPAIGNS[name]()
        took = [honest() for _ in range(5)]
        print(f"  {name} took {time.monotonic() - begin:.1f} s; an honest client then {sorted(took)[2] * 1000:.1f} ms; "
              f"descriptors and memory in KiB {settled()}")
    check(not app.strays, f"the application saw {len(app.strays)} strangers: {app.strays[:3]}")
    for pid, (fds, rss), (fds_now, rss_now) in zip(PIDS, before, settled()):
        check(fds_now <= fds, f"process {pid} has {fds_now} descriptors, it had {fds}")
        check(SANITIZED or rss_now < rss * 3 // 2 + 2048, f"process {pid} has {rss_now} KiB, it had {rss}")
    sys.exit(1 if broken else 0)


main()
