#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""agent.py [OPTION...] TOKEN [QUESTION...]: speak with the agent of a pod as a container would, or as an attacker.

Questions are asked in order over one connection, each answered by one line "CODE MESSAGE" or "0 TEXT":
  spec=FILE            have a container spec opened
  open=KIND/NAME/KEY=FILE   have a value opened
  ready=MS  status  encrypt=TEXT  decrypt=FILE
  suspect=HOW:TEXT     say of itself that it is not what it should be; HOW 0 reports, 1 suspends
  sleep=SECONDS        keep the connection that long
The connection that is closed instead of an answer prints "closed", and ends it.

  --socket PATH  --as CONTAINER (say another name)  --generation N
  --raw HEX      send these bytes instead of a hello and print what comes back
  --flip N       turn one bit of the N-th byte of the first sealed frame
  --replay       send the first sealed frame twice
  --knock        TOKEN and QUESTIONs are inet:PORT and unix:PATH instead: who answers there, a line each;
                 with --squat whether the port can be taken
  --live FILE    TOKEN is HOST:PORT instead: hold a connection, create FILE once it carries bytes, and end
                 when the other side ends it
  --shown        TOKEN is HOST:PORT instead: print the common name of the certificate shown there
  --hold FILE    create FILE once all questions are answered, then wait until standard input ends

It speaks what config-verify/agent.h says and shares no code with it.
"""

import argparse
import base64
import errno
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import sys
import time

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KINDS = {"spec": 1, "open": 2, "ready": 3, "status": 4, "encrypt": 5, "decrypt": 6, "suspect": 7}
CODES = ["done", "format", "limit", "refused", "unauth", "missing", "conflict", "timeout", "closed"]


class Closed(Exception):
    pass


def load_token(path):
    text = open(path, encoding="ascii").read().strip()
    assert text.startswith("seal-token.1."), "not a token"
    body = text[len("seal-token.1."):]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def hkdf(key, info):
    """RFC 5869 with SHA-256, without salt, one block."""
    prk = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(prk, info.encode() + b"\1", hashlib.sha256).digest()


def block(data):
    return struct.pack(">I", len(data)) + data


class Fields:
    def __init__(self, data):
        self.data = data

    def take(self, count):
        assert len(self.data) >= count, "cut short"
        head, self.data = self.data[:count], self.data[count:]
        return head

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def block(self):
        return self.take(self.number(4))


class Agent:
    def __init__(self, path, token, said, generation):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(15)
        self.sock.connect(path)
        self.sent = self.heard = 0
        nonce = os.urandom(32)
        said, generation = said or token["container"], generation or token["generation"]
        self.send(bytes([1]) + block(said.encode()) + struct.pack(">Q", generation) + block(nonce))
        hello = Fields(self.frame())
        assert hello.take(1) == b"\1", "another version"
        assert hello.block().decode() == said and hello.number(8) == generation, "a hello to somebody else"
        theirs = hello.block()
        assert theirs != nonce and not hello.data
        key = base64.urlsafe_b64decode(token["key"] + "=" * (-len(token["key"]) % 4))
        pair = nonce.hex() + theirs.hex()
        self.out = AESGCM(hkdf(key, "seal/1/agent/request/" + pair))
        self.into = AESGCM(hkdf(key, "seal/1/agent/answer/" + pair))
        self.proof = self.open(self.frame())

    def send(self, data):
        try:
            self.sock.sendall(block(data))
        except OSError as error:
            raise Closed from error

    def read(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.sock.recv(count - len(data))
            except ConnectionResetError as error:
                raise Closed from error
            if not more:
                raise Closed
            data += more
        return data

    def frame(self):
        return self.read(int.from_bytes(self.read(4), "big"))

    def open(self, data):
        """None when the other side does not know the token that we have."""
        try:
            plain = self.into.decrypt(struct.pack(">IQ", 0, self.heard), data, None)
        except InvalidTag:
            return None
        self.heard += 1
        return plain

    def seal(self, data):
        sealed = self.out.encrypt(struct.pack(">IQ", 0, self.sent), data, None)
        self.sent += 1
        return sealed

    def answer(self):
        plain = self.open(self.frame())
        assert plain is not None, "an answer that does not open"
        fields = Fields(plain)
        code, message = fields.number(1), fields.block().decode()
        place = [fields.block().decode() for _ in range(5)]
        fields.number(8), fields.number(8)
        data = fields.block()
        assert not fields.data and (code == 0 or (not data and not any(place)))
        return code, message, data


def request(question):
    """The bytes of a question."""
    word, _, rest = question.partition("=")
    kind, name, key, wait, data = "", "", "", 0, b""
    if word == "open":
        where, _, file = rest.partition("=")
        kind, name, key = (where.split("/", 2) + [""])[:3]
        data = open(file, "rb").read().strip()
    elif word in ("spec", "decrypt"):
        data = open(rest, "rb").read().strip()
    elif word == "encrypt":
        data = rest.encode()
    elif word == "ready":
        wait = int(rest)
    elif word == "suspect":
        how, _, text = rest.partition(":")
        wait, data = int(how), text.encode()
    return (bytes([KINDS[word]]) + block(kind.encode()) + block(name.encode()) + block(key.encode()) +
            struct.pack(">I", wait) + block(data))


def knock(where, squat):
    kind, _, place = where.partition(":")
    sock = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    address = place if kind == "unix" else ("127.0.0.1", int(place))
    with sock:
        try:
            (sock.bind if squat else sock.connect)(address)
        except OSError as error:
            return {errno.ECONNREFUSED: "refused", errno.EADDRINUSE: "taken"}.get(error.errno, str(error))
        return "free" if squat else "open"


def live(where, file):
    host, _, port = where.rpartition(":")
    with socket.create_connection((host, int(port)), 30) as sock:
        sock.sendall(b"ping")
        assert sock.recv(4) == b"ping", "no echo"
        open(file, "w", encoding="ascii").close()
        try:
            assert sock.recv(1) == b"", "bytes nobody sent"
        except ConnectionResetError:
            pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", default="/run/seal/agent.sock")
    parser.add_argument("--as", dest="said")
    parser.add_argument("--generation", type=int)
    parser.add_argument("--raw")
    parser.add_argument("--flip", type=int)
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--hold")
    parser.add_argument("--shown", action="store_true")
    parser.add_argument("--knock", action="store_true")
    parser.add_argument("--squat", action="store_true")
    parser.add_argument("--live")
    parser.add_argument("token")
    parser.add_argument("questions", nargs="*")
    args = parser.parse_intermixed_args()
    if args.knock:
        for where in [args.token] + args.questions:
            print(knock(where, args.squat))
        return
    if args.live:
        live(args.token, args.live)
        return
    if args.shown:
        host, _, port = args.token.rpartition(":")
        pem = ssl.get_server_certificate((host, int(port)))
        print(x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string().removeprefix("CN="))
        return
    try:
        if args.raw is not None:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(15)
            sock.connect(args.socket)
            sock.sendall(bytes.fromhex(args.raw))
            try:
                print(sock.recv(65536).hex() or "closed")
            except ConnectionResetError:
                print("closed")
            return
        agent = Agent(args.socket, load_token(args.token), args.said, args.generation)
        if agent.proof != b"agent":
            print("not proved")  # and go on as an attacker would
        for question in args.questions:
            if question.startswith("sleep="):
                time.sleep(float(question[6:]))
                continue
            sealed = bytearray(agent.seal(request(question)))
            if args.flip is not None:
                sealed[args.flip % len(sealed)] ^= 1
            agent.send(bytes(sealed))
            if args.replay:
                agent.answer()
                agent.send(bytes(sealed))
            code, message, data = agent.answer()
            text = " ".join((message or data.decode("utf-8", "replace")).split())
            print(CODES[code] if code < len(CODES) else code, text, flush=True)
        if args.hold:
            open(args.hold, "w", encoding="ascii").close()
            sys.stdin.read()
    except Closed:
        print("closed", flush=True)


main()
