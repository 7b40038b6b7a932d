#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fake_rot.py init DIR HOST PORT: make the keys, certificates and eggs of a root of trust of our own, one egg
and one port (from PORT on) for each way it can misbehave; their names go to DIR/modes.
fake_rot.py serve DIR: serve them all.  Mode "good" behaves; SIGHUP makes every mode behave from then on.
fake_rot.py pod DIR NAME PEER CA: a certificate of a peer, DIR/NAME.pem and .key, by the CA DIR/CA; prints its serial.

What mode good answers to GET /v1/sync is the JSON in DIR/news, with "ca_bundle" a list of CAs ("issuer" is the one that
certifies from then on): at once when its epoch is another than the one asked with, otherwise when it becomes another,
within 55 seconds.  DIR/sync-mode, one word, says
how it misbehaves instead: hang, close, garbage, 503, drip, 403, 404, early.  DIR/asked has a line for each question.
Without DIR/news there is no such question (404).  While DIR/refuse-hatch exists eggs are refused.

It speaks docs/ROT-PROTOCOL.md and shares no code with the real one.
"""

import http.server
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import eggs

DOMAIN = "seal.test"
MODES = [
    "good",
    # the connection
    "hang", "close", "plain-http", "wrong-ca", "wrong-role", "client-only", "tls12", "mute", "close-late",
    # the answer
    "garbage", "status-500", "status-503", "not-json", "empty-object", "cut-short", "huge", "refused",
    # credentials that are well formed and wrong
    "other-key", "other-domain", "other-workload", "other-bundle", "expired", "ca-as-leaf", "two-uris", "no-policy",
]

healed = threading.Event()


def openssl(*words, data=None):
    done = subprocess.run(["openssl", *words], input=data, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {words}: {done.stderr}")
    return done.stdout


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def extensions(kind, sans):
    lines = {
        "ca": ["basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign"],
        "server": ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                   "extendedKeyUsage=serverAuth"],
        "client": ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                   "extendedKeyUsage=clientAuth"],
        "pod": ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                "extendedKeyUsage=serverAuth,clientAuth"],
    }[kind]
    lines = lines + ["subjectKeyIdentifier=hash"]
    lines += ["authorityKeyIdentifier=keyid:always"]
    if sans:
        lines.append("subjectAltName=" + ",".join(sans))
    return "\n".join(lines) + "\n"


def issue(csr_pem, out, name, kind, sans, ca=None, key=None, days="2"):
    """Certify a request's key; ca is the path of the issuer without its ending, or None for a root."""
    with tempfile.NamedTemporaryFile("w", suffix=".ext") as ext:
        ext.write(extensions(kind, sans))
        ext.flush()
        serial = "0x4" + secrets.token_hex(16)[1:]
        words = ["x509", "-req", "-sha256", "-set_serial", serial, "-days", days, "-extfile", ext.name, "-out", out,
                 "-subj", f"/O=fake/CN={name}"]
        words += ["-CA", ca + ".pem", "-CAkey", ca + ".key"] if ca else ["-signkey", key]
        openssl(*words, data=csr_pem)


def credential(folder, file, name, kind, sans, ca=None, days="2"):
    path = os.path.join(folder, file)
    new_key(path + ".key")
    request = openssl("req", "-new", "-key", path + ".key", "-subj", f"/O=fake/CN={name}")
    issue(request, path + ".pem", name, kind, sans, ca and os.path.join(folder, ca), path + ".key", days)


def read(*parts):
    with open(os.path.join(*parts), encoding="ascii") as file:
        return file.read()


def init(folder, host, first_port):
    os.makedirs(folder)
    names = [f"DNS:{host}"]
    credential(folder, "system", "system CA", "ca", [])
    credential(folder, "stranger", "system CA", "ca", [])
    credential(folder, "workload", "workload CA", "ca", [])
    credential(folder, "next", "workload CA", "ca", [])
    credential(folder, "bank", "another workload's CA", "ca", [])
    credential(folder, "rot", "rot", "server", names + [f"URI:spiffe://{DOMAIN}/rot"], "system")
    credential(folder, "rot-wrong-ca", "rot", "server", names + [f"URI:spiffe://{DOMAIN}/rot"], "stranger")
    credential(folder, "rot-wrong-role", "rot", "server", names + [f"URI:spiffe://{DOMAIN}/egg/{'0' * 32}"], "system")
    credential(folder, "rot-client-only", "rot", "client", names + [f"URI:spiffe://{DOMAIN}/rot"], "system")
    ports = {}
    for number, mode in enumerate(MODES):
        ident = secrets.token_hex(16)
        credential(folder, "egg-" + mode, "egg", "client", [f"URI:spiffe://{DOMAIN}/egg/{ident}"], "system")
        ports[mode] = first_port + number
        eggs.store(os.path.join(folder, mode + ".egg"), {
            "id": ident, "rot": [f"https://{host}:{ports[mode]}"], "ca": read(folder, "system.pem"),
            "cert": read(folder, f"egg-{mode}.pem"), "key": read(folder, f"egg-{mode}.key"),
            "statement": "a.statement.only.the.real.one.reads", "plain_config": True})
    with open(os.path.join(folder, "ports"), "w", encoding="ascii") as file:
        json.dump(ports, file)
    with open(os.path.join(folder, "modes"), "w", encoding="ascii") as file:
        file.write("\n".join(MODES) + "\n")


def hatch(folder, mode, request):
    """Credentials for a request, with the fault that the mode stands for."""
    uri = f"URI:spiffe://{DOMAIN}/workload/shop/peer/web"
    sans, ca, kind, csr = ["DNS:any", "DNS:web", uri], "workload", "pod", request["csr"]
    if mode == "other-key":
        csr = eggs.csr()
    elif mode == "other-domain":
        sans = ["DNS:any", "DNS:web", uri.replace(DOMAIN, "evil.test")]
    elif mode == "other-workload":
        sans = ["DNS:any", "DNS:web", uri.replace("/shop/", "/bank/")]
    elif mode == "two-uris":
        sans = sans + [uri.replace("/web", "/db")]
    elif mode == "ca-as-leaf":
        kind = "ca"
    if mode == "good" and os.path.exists(os.path.join(folder, "news")):
        ca = json.loads(read(folder, "news")).get("issuer", ca)
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "pod.pem")
        issue(csr, out, "web", kind, sans, os.path.join(folder, ca), days="-1" if mode == "expired" else "2")
        certificate = read(out)
    answer = {"certificate": certificate, "ca_bundle": read(folder, "workload.pem"), "workload": "shop", "peer": "web",
              "clients": ["any"], "servers": ["db"], "keys": [], "floor": {}, "epoch": 1,
              "renew_after": int(time.time()) + 115200}
    if mode == "good" and os.path.exists(os.path.join(folder, "news")):
        news = json.loads(read(folder, "news"))
        answer.update({name: news[name] for name in ("clients", "servers", "epoch")})
        answer["ca_bundle"] = json.loads(whole(folder, news))["ca_bundle"]
    if mode == "other-bundle":
        answer["ca_bundle"] = read(folder, "bank.pem")
    if mode == "no-policy":
        del answer["clients"]
    return json.dumps(answer).encode()


def whole(folder, news):
    return json.dumps({**news, "ca_bundle": "".join(read(folder, name + ".pem") for name in news["ca_bundle"])}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mode = folder = None

    def log_message(self, *words):
        pass

    def do_POST(self):
        mode = "good" if healed.is_set() else self.mode
        if mode == "good" and self.path == "/v1/hatch" and os.path.exists(os.path.join(self.folder, "refuse-hatch")):
            mode = "refused"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if mode == "mute":
            healed.wait(60)
            self.close_connection = True
        elif mode == "close-late":
            self.close_connection = True
        elif mode == "garbage":
            self.wfile.write(secrets.token_bytes(4096))
            self.close_connection = True
        elif mode in ("status-500", "status-503"):
            self.answer(int(mode[-3:]), b'{"error":{"code":"internal","message":"a fault of mine"}}')
        elif mode == "refused":
            self.answer(403, b'{"error":{"code":"refused","message":"hatch refused"}}')
        elif mode == "not-json":
            self.answer(200, b"<html><body>It works!</body></html>")
        elif mode == "empty-object":
            self.answer(200, b"{}")
        elif mode == "cut-short":
            self.answer(200, hatch(self.folder, mode, json.loads(body))[:-40])
        elif mode == "huge":
            self.huge()
        else:
            try:
                self.answer(200, hatch(self.folder, mode, json.loads(body)))
                if mode == "good":
                    open(os.path.join(self.folder, self.mode + ".hatched"), "w", encoding="ascii").close()
            except RuntimeError as error:
                print(mode, error, flush=True)
                self.answer(500, b"{}")

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path != "/v1/sync" or not os.path.exists(os.path.join(self.folder, "news")):
            self.answer(404, b'{"error":{"code":"missing","message":"no such endpoint"}}')
            return
        epoch = int(dict(part.split("=") for part in query.split("&"))["epoch"])
        with open(os.path.join(self.folder, "asked"), "a", encoding="ascii") as file:
            file.write(f"{time.time():.3f} {epoch}\n")
        end = time.monotonic() + 55
        while time.monotonic() < end:
            mode = self.sync_mode()
            if mode:
                self.misbehave(mode)
                return
            news = json.loads(read(self.folder, "news"))
            if news["epoch"] != epoch:
                self.answer(200, whole(self.folder, news))
                return
            time.sleep(0.01)
        self.answer(204, b"")

    def sync_mode(self):
        try:
            return read(self.folder, "sync-mode").strip()
        except OSError:
            return ""

    def misbehave(self, mode):
        """As long as the mode is the same; then close."""
        body = whole(self.folder, json.loads(read(self.folder, "news")))
        if mode in ("403", "404", "503"):
            code = {"403": "refused", "404": "missing", "503": "unavailable"}[mode]
            self.answer(int(mode), json.dumps({"error": {"code": code, "message": "sync refused"}}).encode())
            return
        if mode == "early":
            self.answer(200, body)
            return
        if mode == "garbage":
            self.wfile.write(secrets.token_bytes(4096))
        if mode == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        sent = 0
        while mode in ("hang", "drip") and self.sync_mode() == mode:
            if mode == "drip" and sent < len(body) - 1:
                self.wfile.write(body[sent:sent + 1])
                sent += 1
            time.sleep(0.1)
        self.close_connection = True

    def answer(self, status, body):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def huge(self):
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 32))
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 65536)
        except OSError:
            self.close_connection = True


def serve_one(folder, mode, raw):
    actual = "good" if healed.is_set() else mode
    try:
        if actual == "hang":
            healed.wait(60)
            return
        if actual == "close":
            return
        if actual == "plain-http":
            raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        name = "rot-" + actual if actual in ("wrong-ca", "wrong-role", "client-only") else "rot"
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key"))
        for ca in ("system", "workload", "next"):
            ctx.load_verify_locations(os.path.join(folder, ca + ".pem"))
        ctx.verify_mode = ssl.CERT_REQUIRED
        if actual == "tls12":
            ctx.maximum_version = ssl.TLSVersion.TLSv1_2
        raw.settimeout(60)
        with ctx.wrap_socket(raw, server_side=True) as tls:
            handler = type("H", (Handler,), {"mode": mode, "folder": folder})
            handler(tls, ("", 0), None)
    except (OSError, ValueError) as error:
        print(mode, type(error).__name__, error, flush=True)
    finally:
        raw.close()


def listen(folder, mode, port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port))
    server.listen(64)
    while True:
        raw, _ = server.accept()
        threading.Thread(target=serve_one, args=(folder, mode, raw), daemon=True).start()


def serve(folder):
    signal.signal(signal.SIGHUP, lambda *_: healed.set())
    for mode, port in json.loads(read(folder, "ports")).items():
        threading.Thread(target=listen, args=(folder, mode, port), daemon=True).start()
    time.sleep(0.2)
    open(os.path.join(folder, "serving"), "w", encoding="ascii").close()
    while True:
        signal.pause()


def pod(folder, name, peer, ca):
    uri = f"URI:spiffe://{DOMAIN}/workload/shop/peer/{peer}"
    credential(folder, name, peer, "pod", ["DNS:any", f"DNS:{peer}", uri], ca)
    print(openssl("x509", "-in", os.path.join(folder, name + ".pem"), "-noout", "-serial").strip().split("=")[1].lower())


if __name__ == "__main__":
    if sys.argv[1] == "init":
        init(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif sys.argv[1] == "pod":
        pod(*sys.argv[2:6])
    else:
        serve(sys.argv[2])
