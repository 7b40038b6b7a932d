# SPDX-License-Identifier: Apache-2.0
"""What the scripts need to speak to a root of trust by hand: open an egg, make a request, send a hatch."""

import base64
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess
import tempfile
import urllib.parse

PREFIX = "seal-egg.1."


def load(path):
    """The members of an egg file."""
    text = open(path, encoding="ascii").read().strip()
    if not text.startswith(PREFIX):
        raise SystemExit(f"{path}: not an egg")
    body = text[len(PREFIX):]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def digest(egg):
    """What seal-egg(5) asks for: it finds damage, it proves nothing."""
    parts = [egg["id"], *egg["rot"], egg["ca"], egg["cert"], egg["key"], egg["statement"],
             "true" if egg["plain_config"] else "false"]
    return hashlib.sha256("".join(part + "\0" for part in parts).encode()).hexdigest()


def store(path, egg):
    egg = {**egg, "digest": digest(egg)}
    body = base64.urlsafe_b64encode(json.dumps(egg).encode()).rstrip(b"=").decode()
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o400)) as file:
        file.write(PREFIX + body)


def csr(subject="/CN=ignored", sans=None):
    """A fresh P-256 request in PEM, with whatever names the caller would like to have."""
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
               "-nodes", "-keyout", "/dev/null", "-subj", subject]
    if sans:
        command += ["-addext", "subjectAltName=" + sans]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def context(egg):
    """A TLS context that is the egg."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3
    ctx.load_verify_locations(cadata=egg["ca"])
    # The server's certificate may name addresses or hosts; the scripts care about what it answers.
    ctx.check_hostname = False
    with tempfile.TemporaryDirectory() as folder:
        cert, key = os.path.join(folder, "cert"), os.path.join(folder, "key")
        for path, text in ((cert, egg["cert"]), (key, egg["key"])):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        ctx.load_cert_chain(cert, key)
    return ctx


def address(egg):
    url = urllib.parse.urlsplit(egg["rot"][0])
    return url.hostname, url.port or 443


def post(egg, body, path="/v1/hatch", ctx=None, timeout=30):
    """POST bytes with the egg's certificate: (status, headers, body)."""
    host, port = address(egg)
    conn = http.client.HTTPSConnection(host, port, context=ctx or context(egg), timeout=timeout)
    try:
        conn.request("POST", path, body, {"Content-Type": "application/json"})
        reply = conn.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        conn.close()


def hatch(egg, request=None, hostnames=(), statement=None, ctx=None):
    body = {"statement": egg["statement"] if statement is None else statement, "csr": request or csr()}
    if hostnames:
        body["hostnames"] = list(hostnames)
    return post(egg, json.dumps(body).encode(), ctx=ctx)


def sans(pem):
    """The subject, names and usages of the first certificate, as openssl prints them."""
    text = subprocess.run(["openssl", "x509", "-noout", "-subject", "-serial", "-ext",
                           "subjectAltName,extendedKeyUsage,keyUsage,basicConstraints"],
                          input=pem, check=True, capture_output=True, text=True).stdout
    return re.sub(r"\s+", " ", text).strip()
