# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 with the record layer in hand (RFC 8446 section 5): the handshake is Python's, over memory, so that
every byte of it passes through here; what is sent afterwards is sealed here, under keys from the key log, and
may be anything.  Sockets are plain ones that the caller reads and writes too."""

import ctypes
import ctypes.util
import hashlib
import hmac
import os
import socket
import ssl
import struct
import tempfile

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
CLOSE_NOTIFY = b"\x01\x00"

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
_crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
_crypto.EVP_aes_128_gcm.restype = _crypto.EVP_aes_256_gcm.restype = ctypes.c_void_p
_GET_TAG = 0x10


def gcm_seal(key, nonce, text, extra):
    """AES-GCM: the text sealed, with its tag."""
    cipher = _crypto.EVP_aes_128_gcm() if len(key) == 16 else _crypto.EVP_aes_256_gcm()
    ctx = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    out, length, tag = ctypes.create_string_buffer(len(text) + 16), ctypes.c_int(), ctypes.create_string_buffer(16)
    good = _crypto.EVP_EncryptInit_ex(ctx, ctypes.c_void_p(cipher), None, key, nonce)
    good &= _crypto.EVP_EncryptUpdate(ctx, None, ctypes.byref(length), extra, len(extra))
    good &= _crypto.EVP_EncryptUpdate(ctx, out, ctypes.byref(length), text, len(text))
    good &= _crypto.EVP_EncryptFinal_ex(ctx, tag, ctypes.byref(length))
    good &= _crypto.EVP_CIPHER_CTX_ctrl(ctx, _GET_TAG, 16, tag)
    _crypto.EVP_CIPHER_CTX_free(ctx)
    if good != 1:
        raise OSError("AES-GCM failed")
    return out.raw[:len(text)] + tag.raw


def expand(secret, label, length):
    """HKDF-Expand-Label (RFC 8446 section 7.1) without a context, up to one block of the secret's hash."""
    label = b"tls13 " + label
    info = struct.pack("!HB", length, len(label)) + label + b"\0"
    return hmac.new(secret, info + b"\x01", hashlib.sha256 if len(secret) == 32 else hashlib.sha384).digest()[:length]


def split_records(data):
    """The whole records in data, each with its header, and what is left."""
    records = []
    while len(data) >= 5 and len(data) >= 5 + (size := struct.unpack("!H", data[3:5])[0]):
        records.append(data[:5 + size])
        data = data[5 + size:]
    return records, data


def plain_record(kind, body, version=b"\x03\x03"):
    return struct.pack("!B", kind) + version + struct.pack("!H", len(body)) + body


def context(side, folder, sessions=False):
    """A context with the certificate of a folder of "seal cert issue"; believes everybody."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if side == "client" else ssl.PROTOCOL_TLS_SERVER)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3
    if folder is not None:
        ctx.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    if side == "server":
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(os.path.join(folder, "ca.pem"))
        if not sessions:
            ctx.num_tickets = 0
    return ctx


class Wire:
    """One side of a connection: shake() it, then seal what is to be sent."""

    def __init__(self, side, sock, folder, name="db"):
        self.sock, self.side = sock, side
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        log, self.log = tempfile.mkstemp(prefix="wire-")
        os.close(log)
        ctx = context(side, folder)
        ctx.keylog_filename = self.log
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ctx.wrap_bio(self.incoming, self.outgoing, side == "server",
                                name if side == "client" else None)
        self.secret = self.key = self.iv = None
        self.number = 0

    def flight(self):
        """What we say next, or b"" when our side of the handshake is over and said."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def hear(self):
        """Take in what the other side said; False at its end."""
        data = self.sock.recv(65536)
        if data:
            self.incoming.write(data)
        return bool(data)

    def shake(self):
        """The whole handshake, honestly.  A server's refusal of our certificate comes only later."""
        while True:
            said = self.flight()
            if said:
                self.sock.sendall(said)
            if self.tls.cipher() is not None and self.done():
                self.take_keys()
                return self
            if not self.hear():
                raise OSError("closed during the handshake")

    def done(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def take_keys(self):
        wanted = b"CLIENT_TRAFFIC_SECRET_0" if self.side == "client" else b"SERVER_TRAFFIC_SECRET_0"
        with open(self.log, "rb") as file:
            lines = [line.split() for line in file]
        os.unlink(self.log)
        if "GCM" not in self.tls.cipher()[0]:
            raise OSError(f"{self.tls.cipher()[0]} is not what this can seal")
        self.use(next(bytes.fromhex(line[2].decode()) for line in lines if line[0] == wanted))

    def use(self, secret):
        self.secret, self.number = secret, 0
        self.key, self.iv = expand(secret, b"key", 16 if len(secret) == 32 else 32), expand(secret, b"iv", 12)

    def seal(self, kind, body, padding=0):
        """One record of this inner kind."""
        inner = body + bytes([kind]) + bytes(padding)
        header = struct.pack("!BHH", DATA, 0x0303, len(inner) + 16)
        nonce = bytes(a ^ b for a, b in zip(self.iv, bytes(4) + struct.pack("!Q", self.number)))
        self.number += 1
        return header + gcm_seal(self.key, nonce, inner, header)

    def seal_update(self, request):
        """A KeyUpdate (RFC 8446 section 4.6.3), and from then on the next keys."""
        record = self.seal(HANDSHAKE, b"\x18\x00\x00\x01" + bytes([request]))
        self.use(expand(self.secret, b"traffic upd", len(self.secret)))
        return record

    def say(self, data):
        self.sock.sendall(self.seal(DATA, data))

    def listen(self, length):
        """Up to length bytes of what the other side says, decrypted; b"" at a proper end."""
        while True:
            try:
                return self.tls.read(length)
            except ssl.SSLWantReadError:
                if not self.hear():
                    raise OSError("cut off") from None

    def hear_out(self, length):
        got = b""
        while len(got) < length and (piece := self.listen(length - len(got))):
            got += piece
        return got

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.sock.close()
        if os.path.exists(self.log):
            os.unlink(self.log)
