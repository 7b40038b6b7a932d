#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""etcd_faults.py --seal SEAL --rot SEAL-ROT --work FOLDER --pods PID:ADDRESS:WIRE... [--rounds N] [--only FAULT] [--seed S]

Three members of etcd, each in a network namespace of its own (a process in it, its address there, and the wire to it
from here), two seal-rot over them under load all the time.  Members are killed, stopped, cut off and replaced, leaders
first.  Afterwards: what was acknowledged is there, no budget was exceeded, no workload has two CAs, and there is an
order in which all answers about budgets make sense.
"""

import argparse
import datetime
import ipaddress
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import time
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import linear
from campaign import SLOW, Replica, World, no_orphans

PATIENCE = 60
BACK_WITHIN = 3.0  # seconds from the fault to the next acknowledged change; said when it is missed,
GIVEN_UP = 8.0  # and a failure beyond this: machines that run this are busy


# ---- certificates of etcd -----------------------------------------------------------------------------


def _write(path, data):
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)


class Pki:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "etcd")])
        ca = x509.BasicConstraints(True, 0)
        self.cert = self._builder(self.name, self.key).add_extension(ca, True).sign(self.key, hashes.SHA256())
        _write(self.path("ca.pem"), self.cert.public_bytes(serialization.Encoding.PEM))

    def path(self, name):
        return os.path.join(self.folder, name)

    def _builder(self, subject, key):
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        day = datetime.timedelta(days=1)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        return made.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)

    def issue(self, name, addresses):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)) for address in addresses])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        made = self._builder(subject, key).add_extension(names, False).add_extension(usage, False)
        pem = serialization.Encoding.PEM
        _write(self.path(f"{name}.pem"), made.sign(self.key, hashes.SHA256()).public_bytes(pem))
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _write(self.path(f"{name}-key.pem"), private)


# ---- etcd ---------------------------------------------------------------------------------------------


class Member:
    def __init__(self, cluster, number, pod):
        self.cluster = cluster
        self.pid, self.address, self.wire = pod.split(":")
        self.number = number
        self.life = 0  # how often it was replaced
        self.url = f"https://{self.address}:2379"
        self.peer = f"https://{self.address}:2380"
        self.popen = None

    @property
    def name(self):
        return f"m{self.number}-{self.life}"

    def start(self, initial, state="new"):
        pki = self.cluster.pki
        tls = ["--cert-file", pki.path("server.pem"), "--key-file", pki.path("server-key.pem"), "--client-cert-auth"]
        tls += ["--trusted-ca-file", pki.path("ca.pem"), "--peer-cert-file", pki.path("server.pem")]
        tls += ["--peer-key-file", pki.path("server-key.pem"), "--peer-trusted-ca-file", pki.path("ca.pem")]
        argv = ["nsenter", "--target", self.pid, "--net", "--", "etcd", "--name", self.name, *tls, "--peer-client-cert-auth"]
        argv += ["--data-dir", os.path.join(self.cluster.work, self.name), "--logger=zap", "--log-level=warn"]
        argv += ["--listen-client-urls", f"{self.url},https://127.0.0.1:2379", "--advertise-client-urls", self.url]
        argv += ["--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer]
        argv += ["--initial-cluster", initial, "--initial-cluster-state", state, "--initial-cluster-token", "seal"]
        with open(os.path.join(self.cluster.logs, f"etcd-{self.name}.log"), "ab") as out:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def status(self):
        request = urllib.request.Request(f"{self.url}/v3/maintenance/status", b"{}", method="POST")
        with urllib.request.urlopen(request, timeout=1.5, context=self.cluster.tls) as reply:
            return json.load(reply)


class Cluster:
    def __init__(self, work, logs, pods):
        self.work = work
        self.logs = logs
        self.members = [Member(self, number, pod) for number, pod in enumerate(pods)]
        self.pki = Pki(os.path.join(work, "pki"))
        self.pki.issue("server", [member.address for member in self.members] + ["127.0.0.1"])
        self.pki.issue("client", ["127.0.0.1"])
        self.tls = ssl.create_default_context(cafile=self.pki.path("ca.pem"))
        self.tls.load_cert_chain(self.pki.path("client.pem"), self.pki.path("client-key.pem"))
        for member in self.members:
            member.start(self.initial())
        self.wait_whole()

    def initial(self):
        return ",".join(f"{member.name}={member.peer}" for member in self.members)

    def endpoints(self):
        return ",".join(member.url for member in self.members)

    def leader(self):
        """Whoever most say it is."""
        end = time.monotonic() + PATIENCE * SLOW
        while time.monotonic() < end:
            for member in self.members:
                try:
                    status = member.status()
                except (OSError, ValueError):
                    continue
                if status.get("leader", "0") != "0" and status["leader"] == status["header"]["member_id"]:
                    return member
            time.sleep(0.05)
        raise SystemExit("etcd has no leader")

    def wait_whole(self):
        end = time.monotonic() + PATIENCE * SLOW
        left = list(self.members)
        while left:
            if time.monotonic() > end:
                raise SystemExit(f"etcd: {[member.name for member in left]} do not answer")
            try:
                if left[0].status().get("leader", "0") != "0":
                    left.pop(0)
            except (OSError, ValueError):
                time.sleep(0.05)

    def ctl(self, member, *words):
        """Asked of another one than this."""
        other = next(each for each in self.members if each is not member)
        argv = ["etcdctl", "--endpoints", other.url, "--cacert", self.pki.path("ca.pem")]
        argv += ["--cert", self.pki.path("client.pem"), "--key", self.pki.path("client-key.pem"), *words]
        env = dict(os.environ, ETCDCTL_API="3")
        for _ in range(20):
            done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout
            time.sleep(0.3)
        raise SystemExit(f"etcdctl {' '.join(words)}: {done.stderr}")

    def stop(self):
        for member in self.members:
            member.signal(signal.SIGCONT)
            member.kill()


# ---- faults: each a function that ends with the cluster whole again, given how long to leave it -------


def _iptables(how, *rules):
    for rule in rules:
        subprocess.run(["iptables", "-w", how, *rule], check=True)


def killed(cluster, member, seconds):
    member.kill()
    yield
    time.sleep(seconds)
    member.start(cluster.initial(), "existing")


def stopped(_, member, seconds):
    member.signal(signal.SIGSTOP)
    yield
    time.sleep(seconds)
    member.signal(signal.SIGCONT)


def cut_off(_, member, seconds):
    """From its peers and from us."""
    rules = [(chain, side, member.wire, "-j", "DROP") for chain, side in
             (("INPUT", "-i"), ("OUTPUT", "-o"), ("FORWARD", "-i"), ("FORWARD", "-o"))]
    _iptables("-I", *rules)
    yield
    time.sleep(seconds)
    _iptables("-D", *rules)


def cut_off_from_peers(_, member, seconds):
    """We still reach it: it must not tell us what holds no more."""
    rules = [("FORWARD", side, member.wire, "-j", "DROP") for side in ("-i", "-o")]
    _iptables("-I", *rules)
    yield
    time.sleep(seconds)
    _iptables("-D", *rules)


def replaced(cluster, member, seconds):
    """It and its disk are lost; another one takes its place."""
    member.kill()
    yield
    time.sleep(seconds / 2)
    listed = json.loads(cluster.ctl(member, "member", "list", "-w", "json"))
    ident = next(each["ID"] for each in listed["members"] if each.get("name") == member.name)
    cluster.ctl(member, "member", "remove", f"{ident:x}")
    member.life += 1
    cluster.ctl(member, "member", "add", member.name, f"--peer-urls={member.peer}")
    member.start(cluster.initial(), "existing")


FAULTS = {"killed": killed, "stopped": stopped, "cut-off": cut_off, "cut-off-from-peers": cut_off_from_peers,
          "replaced": replaced}


def silence(world, since, until):
    """The longest time between two acknowledged changes, or from the fault to the first."""
    moments = [since] + sorted(moment for moment in list(world.acks) if since < moment <= until)
    return max(later - sooner for sooner, later in zip(moments, moments[1:] + [until]))


def trouble(cluster, world, name, victim, seconds):
    """The fault, its repair, and how long nothing was acknowledged in all."""
    steps = FAULTS[name](cluster, victim, seconds)
    since = time.monotonic()
    next(steps)
    for _ in steps:
        pass
    cluster.wait_whole()
    repaired = time.monotonic()
    while not any(moment > repaired for moment in world.acks[-20:]) and time.monotonic() < repaired + PATIENCE * SLOW:
        time.sleep(0.05)
    quiet = silence(world, since, time.monotonic())
    print(f"{victim.name} {name}: nothing acknowledged for {quiet:.2f} s at most", flush=True)
    return quiet


# ---- the campaign -------------------------------------------------------------------------------------


def seal_init(args, cluster, folder):
    argv = [args.seal, "init", "--dir", folder, "--url", "https://127.0.0.1:8443", "--trust-domain", "seal.test"]
    done = subprocess.run(argv + store_options(cluster), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"seal init: {done.stderr}")


def store_options(cluster):
    pki = cluster.pki
    return ["--store", f"etcd:{cluster.endpoints()}", "--store-ca", pki.path("ca.pem"),
            "--store-cert", pki.path("client.pem"), "--store-key", pki.path("client-key.pem")]


def replicas_of(args, cluster):
    home = os.path.join(args.work, "rot")
    seal_init(args, cluster, home)
    found = []
    for number in range(2):
        folder = home if number == 0 else os.path.join(args.work, "rot-2")
        if number > 0:
            os.mkdir(folder, 0o700)
        options = [*store_options(cluster), "--kek-file", os.path.join(home, "kek")]
        log = os.path.join(args.logs, f"rot-{number}.log")
        found.append(Replica(args.rot, folder, 8443 + number, log, options))
        found[-1].start()
    return found


def kill_replicas(world, replicas, dice, kills):
    for number in range(kills):
        time.sleep(dice.uniform(0, 0.3))
        victim = dice.choice(replicas)
        victim.kill()
        victim.start()
        if (number + 1) % 100 == 0:
            print(f"{number + 1} kills; {world.summary()}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("seal", "rot", "work", "logs"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--pods", nargs="+", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.5, help="how long a member is away")
    parser.add_argument("--kills", type=int, default=0, help="of replicas, besides")
    parser.add_argument("--only", choices=FAULTS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    dice = random.Random(args.seed)
    cluster = Cluster(args.work, args.logs, args.pods)
    replicas = replicas_of(args, cluster)
    world = World(replicas, args.seed, sure_503=False)
    world.begin()
    world.run((world.mint,), (world.hatch,), (world.hatch,), (world.hatch,), (world.read,), (world.read,))
    world.run((world.revoke_egg,), (world.revoke_cert,), (world.change_pairs, 1), (world.seal, 1), (world.race_workload,))
    time.sleep(1)
    quiet = {}
    for number in range(args.rounds):
        for name in args.only or FAULTS:
            leader = cluster.leader()
            others = [member for member in cluster.members if member is not leader]
            victim = leader if number % 3 < 2 else dice.choice(others)
            quiet.setdefault(name, []).append(trouble(cluster, world, name, victim, args.seconds))
    kill_replicas(world, replicas, dice, args.kills)
    time.sleep(0.5)
    world.halt()
    wrong = verify(world, replicas)
    for name, times in quiet.items():
        if max(times) > BACK_WITHIN:
            print(f"later than {BACK_WITHIN:g} s: {name}, {max(times):.2f} s")
        if max(times) > GIVEN_UP * SLOW:
            wrong.append(f"{name}: nothing was acknowledged for {max(times):.2f} s")
    for replica in replicas:
        replica.kill()
    cluster.stop()
    wrong += no_orphans(args.rot)
    for line in wrong[:40]:
        print(line)
    sys.exit(1 if wrong else 0)


def verify(world, replicas):
    wrong = world.one_ca_each()
    for replica in replicas:
        wrong += world.verify(replica)
    wrong += world.enough(5)
    budgets = {ident: egg.budget for ident, egg in world.eggs.items()}
    wrong += linear.explain_all(world.hatches, world.reads, budgets)
    print(f"{world.summary()}; {len(world.hatches)} hatches and {len(world.reads)} reads of budgets are in an order"
          if not wrong else world.summary(), flush=True)
    return wrong


main()
