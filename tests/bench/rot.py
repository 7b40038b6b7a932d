#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The root of trust under load on this machine; see docs/performance.md.  Fails only when it cannot run."""

import argparse
import dataclasses
import datetime
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench import machine
from figures import rounded
from rig import CannotRun, Load, Ports, Process, raise_descriptor_limit, settle

CONNECTIONS = 32
EGGS = 8
LIMIT_S = 300  # for one change over the local socket, or one program


@dataclasses.dataclass(frozen=True)
class Sizes:
    rounds: int = 3
    hatches: int = 4000
    rate: int = 500
    rate_seconds: int = 20
    pods: int = 10_000
    changes: int = 3
    workloads: int = 1000
    certificates: int = 1_000_000
    issued: int = 200
    syncs: int = 200


QUICK = Sizes(
    rounds=1,
    hatches=200,
    rate=100,
    rate_seconds=1,
    pods=50,
    changes=1,
    workloads=5,
    certificates=2000,
    issued=5,
    syncs=20,
)


# ---- a root of trust ----------------------------------------------------------------------------------


class Local(http.client.HTTPConnection):
    """The API over the Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=LIMIT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(self.path)


def _csr():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ignored")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return request.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


def _write(path, text):
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)


class Rot:
    """A root of trust with one workload, as seal init makes it and seal-rot serves it."""

    def __init__(self, bench, name):
        self.bench = bench
        self.dir = os.path.join(bench.work, name)
        self.log = os.path.join(bench.work, f"{name}.log")
        self.port = bench.ports.take()
        self.process = None
        done = subprocess.run(
            [bench.program("seal"), "init", "--dir", self.dir, "--url", f"https://127.0.0.1:{self.port}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CannotRun(f"seal init: {done.stderr}")
        self.start()
        self.ask("POST", "/v1/workloads", {"name": "shop"})

    def start(self):
        self.process = Process(
            [self.bench.program("seal-rot"), "--dir", self.dir, "--rate-per-egg", "0", "--rate-per-address", "0"],
            self.log,
        )
        self.process.wait_listening(self.port)

    def stop(self):
        self.process.stop()

    def ask(self, method, path, body=None):
        conn = Local(os.path.join(self.dir, "rot.sock"))
        try:
            conn.request(method, path, json.dumps(body) if body is not None else None)
            reply = conn.getresponse()
            text = reply.read()
            if reply.status not in (200, 201):
                raise CannotRun(f"{path}: {reply.status} {text[:200]}")
            return json.loads(text)
        finally:
            conn.close()

    def mint(self, workload, request, peer="web"):
        return self.ask("POST", "/v1/eggs", {"workload": workload, "peer": peer, "csr": request})

    def threads(self):
        """Nanoseconds of CPU: the loop's, the store's thread's, the signer's."""
        pids = self.process.pids()
        used = {"loop": _on_cpu(pids[0], pids[0]), "store": 0, "signer": sum(_on_cpu(pid, pid) for pid in pids[1:])}
        for task in os.listdir(f"/proc/{pids[0]}/task"):
            if int(task) != pids[0]:
                used["store"] += _on_cpu(pids[0], int(task))
        return used

    def eggs(self, name):
        """A folder from which EGGS eggs can be hatched."""
        folder = os.path.join(self.bench.work, name)
        os.mkdir(folder)
        pod_request, pod_key = self.bench.pod
        _write(os.path.join(folder, "pod.key"), pod_key)
        for i in range(EGGS):
            request, key = _csr()
            egg = self.mint("shop", request)
            _write(os.path.join(folder, f"{i}.pem"), egg["certificate"] + key)
            _write(os.path.join(folder, f"{i}.body"), json.dumps({"statement": egg["statement"], "csr": pod_request}))
        return folder


def _on_cpu(pid, task):
    with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def hatch(rot, folder, number):
    """What one egg of the folder is given."""
    import ssl

    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.load_cert_chain(os.path.join(folder, f"{number}.pem"))
    with open(os.path.join(folder, f"{number}.body"), encoding="ascii") as file:
        body = file.read()
    conn = http.client.HTTPSConnection("127.0.0.1", rot.port, context=ctx, timeout=30)
    conn.request("POST", "/v1/hatch", body)
    reply = conn.getresponse()
    text = reply.read()
    if reply.status != 200:
        raise CannotRun(f"hatch: {reply.status} {text[:200]}")
    return json.loads(text), ctx


def renewals(rot, eggs):
    """A folder from which pods are renewed that were hatched from those eggs."""
    folder = eggs + ".pods"
    os.mkdir(folder)
    request, _ = _csr()  # another key than the pods have
    for i in range(EGGS):
        credentials, _ = hatch(rot, eggs, i)
        _write(os.path.join(folder, f"{i}.pem"), credentials["certificate"] + rot.bench.pod[1])
        _write(os.path.join(folder, f"{i}.body"), json.dumps({"csr": request}))
    return folder


# ---- windows ------------------------------------------------------------------------------------------


class Window:
    """Work between two quiet moments: what the server used for it, thread by thread."""

    def __init__(self, rot, mode, folder, path, *rest):
        load = Load(
            rot.bench.program("tests/bench/bench-rot-load"),
            os.path.join(rot.bench.work, "load.log"),
            mode,
            rot.port,
            folder,
            EGGS,
            path,
            *rest,
        )
        settle({"rot": rot.process})
        before = rot.threads()
        self.result = load.go()
        settle({"rot": rot.process})
        after = rot.threads()
        load.end()
        self.us = {name: (after[name] - before[name]) / self.result["count"] / 1000 for name in after}
        self.total_us = sum(self.us.values())
        self.per_s = self.result["count"] / self.result["ns"] * 1e9

    def alone_per_s(self):
        """With two cores to itself: no more than both, nor than its busiest thread has of one."""
        return 1e6 / max(self.total_us / 2, *self.us.values())


# ---- the sections -------------------------------------------------------------------------------------


class Bench:
    def __init__(self, build, work, environ):
        self.build = build
        self.work = work
        self.quick = environ.get("BENCH_QUICK", "") not in ("", "0")
        self.sizes = QUICK if self.quick else Sizes()
        self.ports = Ports()
        self.pod = _csr()
        self.lines = []

    def program(self, name):
        return os.path.join(self.build, name)

    def say(self, name, values, unit, at_most=None, at_least=None, **more):
        """A figure of one or several rounds."""
        values = values if isinstance(values, list) else [values]
        median = statistics.median(values)
        line = {"name": name, "side": "rot", "product": "seal", "unit": unit, "median": median}
        line |= {"min": min(values), "max": max(values), "rounds": len(values)}
        line |= {"at_most": at_most, "at_least": at_least, "ok": None} | more
        if not self.quick and (at_most is not None or at_least is not None):
            line["ok"] = (at_most is None or median <= at_most) and (at_least is None or median >= at_least)
        self.lines.append(line)
        wanted = f"at most {at_most:g}" if at_most is not None else f"at least {at_least:g}" if at_least else ""
        verdict = {True: "ok", False: "missed", None: ""}[line["ok"]]
        spread = f"({rounded(min(values)):g}..{rounded(max(values)):g})" if len(values) > 1 else ""
        print(f"  {name:44} {rounded(float(median)):>10g} {unit:8} {spread:20} {wanted:14} {verdict}".rstrip(), flush=True)
        return median


def fsync_us(folder, count):
    """A record appended and made durable, one after another: what a group of hatches waits for at least."""
    path = os.path.join(folder, "fsync")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    block = b"x" * 16384
    try:
        os.pwrite(fd, block * 64, 0)
        os.fsync(fd)
        begin = time.monotonic()
        for i in range(count):
            os.pwrite(fd, block, i % 64 * len(block))
            os.fdatasync(fd)
        return (time.monotonic() - begin) / count * 1e6
    finally:
        os.close(fd)
        os.unlink(path)


def sign_us():
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ecdsap256"], capture_output=True, text=True, check=False, timeout=60
    )
    found = re.search(r"256 bits ecdsa.*?\s([\d.]+)s\s+([\d.]+)s", done.stdout)
    found_rate = re.search(r"ecdsa \(nistp256\)\s+\S+\s+\S+\s+([\d.]+)", done.stdout)
    if not found or not found_rate:
        raise CannotRun(f"openssl speed: {done.stdout} {done.stderr}")
    return 1e6 / float(found_rate.group(1))


def limits(bench):
    print("The floor: what a hatch cannot do without")
    sign = bench.say("ECDSA P-256 signature (openssl speed)", sign_us(), "us")
    sync = bench.say("fdatasync of 16 KiB on this disk", fsync_us(bench.work, bench.sizes.syncs), "us")
    bench.say("two signatures on two cores", 2 * 1e6 / (2 * sign), "/s")
    return sign, sync


KINDS = (
    ("hatch, new connection", "hatch", "fresh", 1000),
    ("hatch, kept connection", "hatch", "kept", None),
    ("renewal, new connection", "renew", "fresh", None),
)


def throughput(bench, rot, folders):
    print(f"{CONNECTIONS} at a time; load and server share the cores")
    windows = {kind: [] for kind in KINDS}
    for _ in range(bench.sizes.rounds):
        for kind in KINDS:
            _, what, how, _ = kind
            windows[kind].append(
                Window(rot, "closed", folders[what], f"/v1/{what}", bench.sizes.hatches, CONNECTIONS, how)
            )
    for kind, found in windows.items():
        name, _, _, wanted = kind
        bench.say(f"{name}: CPU", [window.total_us for window in found], "us")
        for thread in found[0].us:
            bench.say(f"{name}: {thread}", [window.us[thread] for window in found], "us")
        bench.say(f"{name}: rate measured", [window.per_s for window in found], "/s")
        bench.say(f"{name}: rate, cores to itself", [window.alone_per_s() for window in found], "/s", at_least=wanted)
    return statistics.median(window.total_us for window in windows[KINDS[0]])


def latency(bench, rot, folders):
    sizes = bench.sizes
    print(f"Hatches at {sizes.rate}/s, from when each was due")
    for how in ("fresh", "kept"):
        result = Window(
            rot, "rate", folders["hatch"], "/v1/hatch", sizes.rate, 4 * CONNECTIONS, sizes.rate_seconds, how
        ).result
        for shown, key, wanted in (("p50", "p50_ns", None), ("p99", "p99_ns", 50), ("p99.9", "p999_ns", None)):
            bench.say(f"{how}: {shown}", result[key] / 1e6, "ms", at_most=wanted)


def has_sync(rot, folder):
    credentials, _ = hatch(rot, folder, 0)
    path = os.path.join(rot.bench.work, "probe.pem")
    _write(path, credentials["certificate"] + rot.bench.pod[1])
    import ssl

    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.load_cert_chain(path)
    conn = http.client.HTTPSConnection("127.0.0.1", rot.port, context=ctx, timeout=30)
    conn.request("GET", "/v1/sync?epoch=0")
    status = conn.getresponse().status
    conn.close()
    return status == 200


def fleet(bench):
    """Its own root of trust: memory is to be seen from rest."""
    sizes = bench.sizes
    rot = Rot(bench, "fleet")
    folder = rot.eggs("fleet-eggs")
    if not has_sync(rot, folder):
        print("no /v1/sync in this seal-rot: pods that wait are left out")
        rot.stop()
        return
    print(f"{sizes.pods} pods that wait for news")
    rest = rot.process.memory_kib()["rss"]
    load = Load(
        bench.program("tests/bench/bench-rot-load"),
        os.path.join(bench.work, "hold.log"),
        "hold",
        rot.port,
        folder,
        EGGS,
        "/v1/hatch",
        sizes.pods,
        sizes.changes,
    )
    before = settle({"rot": rot.process})["rot"]
    held = rot.process.memory_kib()["rss"]
    firsts, lasts = [], []
    for number in range(sizes.changes):
        if number > 0:
            load.expect_ready()
        settle({"rot": rot.process}, LIMIT_S)  # all of them have asked again
        load.tell("go")
        time.sleep(0.2)
        begin = time.monotonic_ns()
        rot.ask("POST", "/v1/peers", {"workload": "shop", "client": f"web-{number}", "server": "db"})
        heard = json.loads(load.hear())
        firsts.append((heard["first_ns"] - begin) / 1e6)
        lasts.append((heard["last_ns"] - begin) / 1e6)
    after = settle({"rot": rot.process})["rot"]
    told = rot.process.memory_kib()["rss"]
    bench.say("server at rest", rest / 1024, "MiB")
    bench.say("server with all of them waiting", held / 1024, "MiB", at_most=200)
    bench.say("and after they were told", told / 1024, "MiB", at_most=200)
    bench.say("a pod that waits", (held - rest) / sizes.pods, "KiB")
    bench.say("a change of policy has reached the first", firsts, "ms")
    bench.say("a change of policy has reached the last", lasts, "ms", at_most=5000)
    bench.say("CPU per pod and change", (after - before) / sizes.changes / sizes.pods / 1000, "us")
    load.end()
    rot.stop()


def years(bench, empty, folders):
    """The same hatches against a store that holds a great deal."""
    sizes = bench.sizes
    print(f"A store with {sizes.workloads} workloads and {sizes.certificates} certificates, against an empty one")
    full = Rot(bench, "full")
    full_folder = full.eggs("full-eggs")
    ids = []
    for i in range(sizes.workloads):
        full.ask("POST", "/v1/workloads", {"name": f"workload-{i}"})
        ids.append(full.mint(f"workload-{i}", _csr()[0])["id"])
    full.stop()
    begin = time.monotonic()
    done = subprocess.run(
        [bench.program("tests/bench/bench-rot-fill"), store_file(full.dir), str(sizes.certificates)],
        input="\n".join(ids) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotRun(f"bench-rot-fill: {done.stderr}")
    bench.say("a certificate written, in batches", (time.monotonic() - begin) / sizes.certificates * 1e6, "us")
    bench.say("the file", os.path.getsize(store_file(full.dir)) / 1e6, "MB")
    full.start()
    pairs = ((empty, folders["hatch"]), (full, full_folder))
    for rot, folder in pairs:
        Window(rot, "closed", folder, "/v1/hatch", sizes.hatches, CONNECTIONS, "kept")  # warm
    seen = {empty: [], full: []}
    for number in range(2 * sizes.rounds):
        for rot, folder in pairs if number % 2 == 0 else reversed(pairs):
            seen[rot].append(Window(rot, "closed", folder, "/v1/hatch", sizes.hatches, CONNECTIONS, "fresh"))
    couples = list(zip(seen[empty], seen[full]))
    bench.say("rate, full against empty", [b.per_s / a.per_s for a, b in couples], "x", at_least=0.9)
    bench.say("CPU, full against empty", [b.total_us / a.total_us for a, b in couples], "x", at_most=1.1)
    for what, rot in (("empty", empty), ("full", full)):
        bench.say(f"{what}: the store's thread", [window.us["store"] for window in seen[rot]], "us")
    bench.say("server with the full store", full.process.memory_kib()["rss"] / 1024, "MiB")
    full.stop()


def store_file(folder):
    found = [name for name in os.listdir(folder) if name.endswith(".db")]
    if len(found) != 1:
        raise CannotRun(f"{folder}: {len(found)} stores")
    return os.path.join(folder, found[0])


# ---- others -------------------------------------------------------------------------------------------


def _ca(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    _write(os.path.join(folder, "ca.pem"), cert.public_bytes(serialization.Encoding.PEM).decode())
    _write(os.path.join(folder, "ca-key.pem"), pem.decode())


def _children_us(count, argv, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(count):
        subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=LIMIT_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / count * 1e6


def cfssl(bench, folder, count):
    """Its server over plain HTTP, on a kept connection: no client certificate, no store, no audit log."""
    with open(os.path.join(folder, "cfssl.json"), "w", encoding="ascii") as file:
        usages = ["digital signature", "server auth", "client auth"]
        json.dump({"signing": {"default": {"expiry": "24h", "usages": usages}}}, file)
    port = bench.ports.take()
    server = Process(
        ["cfssl", "serve", "-address", "127.0.0.1", "-port", str(port), "-ca", f"{folder}/ca.pem"]
        + ["-ca-key", f"{folder}/ca-key.pem", "-config", f"{folder}/cfssl.json", "-loglevel", "4"],
        os.path.join(bench.work, "cfssl.log"),
    )
    server.wait_listening(port)
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    body = json.dumps({"certificate_request": bench.pod[0], "hostname": "web.example.com"})

    def sign(times):
        for _ in range(times):
            conn.request("POST", "/api/v1/cfssl/sign", body, {"Content-Type": "application/json"})
            reply = conn.getresponse()
            text = reply.read()
            if reply.status != 200:
                raise CannotRun(f"cfssl: {reply.status} {text[:200]}")

    sign(10)
    before = settle({"cfssl": server})["cfssl"]
    sign(count)
    used = settle({"cfssl": server})["cfssl"] - before
    server.stop()
    return used / count / 1000


def others(bench, ours):
    print("CPU of one issuance, a hatch over a new connection against")
    folder = os.path.join(bench.work, "others")
    os.mkdir(folder)
    _ca(folder)
    _write(os.path.join(folder, "csr.pem"), bench.pod[0])
    count = bench.sizes.issued
    openssl = ["openssl", "x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem"]
    plain = _children_us(count, [*openssl, "-set_serial", "7", "-days", "1", "-out", "out.pem"], folder)
    start = _children_us(count, ["openssl", "version"], folder)
    bench.say("openssl x509 -req", plain, "us")
    bench.say("of which to start openssl", start, "us")
    bench.say("seal against openssl x509 -req", ours / plain, "x")
    if shutil.which("cfssl") is None:
        print("  (cfssl is not installed: golang-cfssl)")
        return
    found = cfssl(bench, folder, 10 * count)
    bench.say("cfssl serve, plain HTTP, kept connection", found, "us")
    bench.say("seal against cfssl", ours / found, "x")


# ---- the run ------------------------------------------------------------------------------------------


def run(bench, chosen):
    version = subprocess.run([bench.program("seal-rot"), "--version"], capture_output=True, text=True, check=True)
    print(f"machine: {machine()}")
    print(f"{version.stdout.strip()}; {'quick form, ' if bench.quick else ''}CPU is user + system of all its processes\n")
    limits(bench)
    rot = Rot(bench, "rot")
    eggs = rot.eggs("eggs")
    folders = {"hatch": eggs, "renew": renewals(rot, eggs)}
    ours = throughput(bench, rot, folders)
    if "latency" in chosen:
        latency(bench, rot, folders)
    if "years" in chosen:
        years(bench, rot, folders)
    rot.stop()
    if "fleet" in chosen:
        fleet(bench)
    if "others" in chosen:
        others(bench, ours)


SECTIONS = ("latency", "years", "fleet", "others")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="the folder with seal, seal-rot and tests/bench")
    parser.add_argument("--out", default="bench-rot.jsonl", help="where the figures go, a line each")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    chosen = os.environ.get("BENCH_ONLY", "").replace(",", " ").split() or SECTIONS
    work = tempfile.mkdtemp(prefix="seal-bench-rot.", dir=os.environ.get("BENCH_DIR"))
    try:
        raise_descriptor_limit()
        bench = Bench(os.path.abspath(arguments.build), work, os.environ)
        run(bench, chosen)
        with open(arguments.out, "w", encoding="utf-8") as file:
            for line in bench.lines:
                file.write(json.dumps({key: rounded(value) for key, value in line.items()}) + "\n")
        verdicts = [line["ok"] for line in bench.lines if line["ok"] is not None]
        judged = f"{sum(verdicts)} of {len(verdicts)} targets met" if verdicts else "too short to judge"
        print(f"{judged}; load at the end {os.getloadavg()[0]:.1f}; {time.monotonic() - begin:.0f} s; lines in {arguments.out}")
    except (CannotRun, OSError, subprocess.SubprocessError) as error:
        print(f"bench-rot: cannot run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        Process.stop_all()
        if os.environ.get("BENCH_KEEP"):
            print(f"kept: {work}", file=sys.stderr)
        else:
            shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
