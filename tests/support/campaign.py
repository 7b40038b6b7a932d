# SPDX-License-Identifier: Apache-2.0
"""Roots of trust under changes of all kinds, what was acknowledged of these, and whether it is there afterwards.

Every change is done, refused, or unsure: nobody was told.  What was done has to be there, what was refused must not,
and what is unsure may be there or not, but whole.
"""

import collections
import http.client
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DONE, REFUSED, UNSURE = "done", "refused", "unsure"
BROKEN = (OSError, http.client.HTTPException, ValueError)
SLOW = float(os.environ.get("SEAL_SLOW", "1"))


def request():
    """A signing request and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


def serial_of(pem):
    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:032x}"


class Local(http.client.HTTPConnection):
    """The API over the Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Replica:
    """One seal-rot that can be killed and started again."""

    def __init__(self, rot, folder, port, log, options=(), env=None):
        self.argv = [rot, "--dir", folder, "--listen", f"127.0.0.1:{port}"]
        self.argv += ["--rate-per-egg", "0", "--rate-per-address", "0", *options]
        self.socket = os.path.join(folder, "rot.sock")
        self.port = port
        self.log = log
        self.env = env
        self.popen = None

    def launch(self):
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env)

    def start(self, seconds=60):
        self.launch()
        end = time.monotonic() + seconds * SLOW
        while True:
            try:
                if self.ask("GET", "/v1/status")[0] == 200:
                    return
            except BROKEN:
                pass
            if self.popen.poll() is not None:
                raise SystemExit(f"seal-rot does not start: {self.popen.returncode}: {self.last_words()}")
            if time.monotonic() > end:
                raise SystemExit(f"seal-rot does not answer: {self.last_words()}")
            time.sleep(0.01)

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-5:])

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def stop(self):
        self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(40 * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            return -1

    def ask(self, method, path, body=None, timeout=20):
        """(status, answer); BROKEN when it is not known whether it was done."""
        conn = Local(self.socket, timeout * SLOW)
        try:
            conn.request(method, path, json.dumps(body) if body is not None else None)
            reply = conn.getresponse()
            text = reply.read()
            return reply.status, json.loads(text) if text else {}
        finally:
            conn.close()

    def get(self, path):
        status, answer = self.ask("GET", path)
        if status != 200:
            raise OSError(f"{path}: {status} {answer}")
        return answer

    def get_all(self, path, member):
        found, after = [], ""
        while True:
            page = self.get(f"{path}?limit=500" + (f"&after={after}" if after else ""))
            found += page[member]
            if "next" not in page:
                return found
            after = page["next"]


class Egg:
    """An egg and its connection."""

    def __init__(self, answer, key):
        self.id = answer["id"]
        self.budget = answer["max_hatches"]
        self.statement = answer["statement"]
        self.revoked_at = None  # monotonic: since then known to be
        self.revoking = False
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ctx.check_hostname = False
        self.ctx.load_verify_locations(cadata=answer["ca"])
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(answer["certificate"] + key)
            file.flush()
            self.ctx.load_cert_chain(file.name)

    def post(self, port, path, body, timeout=20):
        conn = http.client.HTTPSConnection("127.0.0.1", port, context=self.ctx, timeout=timeout * SLOW)
        try:
            conn.request("POST", path, json.dumps(body))
            reply = conn.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            conn.close()


class World:
    """What was asked for, and what was answered.  sure_503: such an answer says that nothing was changed."""

    def __init__(self, replicas, seed, sure_503=True, workload="shop"):
        self.replicas = replicas
        self.random = random.Random(seed)
        self.sure_503 = sure_503
        self.workload = workload
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.wrong = []
        self.eggs = {}
        self.hatches = []  # (egg id, begun, ended, result)
        self.reads = []  # (egg id, begun, ended, count)
        self.serials = {}  # of certificates that were handed out: egg id
        self.revoked = set()
        self.maybe_revoked = set()
        self.can_revoke_certs = True
        self.sealed = collections.defaultdict(list)  # object: (begun, ended, generation)
        self.pairs = {}  # (client, server): allowed, or None when that is unsure
        self.epochs = []  # (begun, ended, epoch)
        self.statuses = collections.Counter()
        self.acks = []  # when changes were acknowledged
        self.raced = 0
        self.races = {}  # workload: what each replica was answered
        self.request, _ = request()
        self.workers = []

    def begin(self):
        for replica in self.replicas:
            try:
                status, answer = replica.ask("POST", "/v1/workloads", {"name": self.workload})
            except BROKEN as error:
                raise SystemExit(f"no workload: {error}") from None
            if status != 201:
                raise SystemExit(f"no workload: {status} {answer}")
            return

    def judge(self, status):
        self.statuses[status] += 1
        if 200 <= status < 300:
            return DONE
        if status == 503:
            return REFUSED if self.sure_503 else UNSURE
        return REFUSED if 400 <= status < 500 else UNSURE

    def change(self, replica, method, path, body=None):
        """(result, answer, begun, ended)"""
        begun = time.monotonic()
        try:
            status, answer = replica.ask(method, path, body)
        except BROKEN:
            self.statuses["broken"] += 1
            time.sleep(0.01)
            return UNSURE, None, begun, time.monotonic()
        ended, result = time.monotonic(), self.judge(status)
        if result == DONE and method != "GET":
            self.acks.append(ended)
        return result, answer, begun, ended

    # ---- what threads do, again and again -----------------------------------------------------------

    def pick(self):
        return self.random.choice(self.replicas)

    def mint(self, budgets=(1, 1, 2, 5, 20), pause=0.02):
        csr, key = request()
        body = {"workload": self.workload, "peer": "web", "csr": csr, "max_hatches": self.random.choice(budgets)}
        result, answer, _, _ = self.change(self.pick(), "POST", "/v1/eggs", body)
        if result == DONE:
            with self.lock:
                self.eggs[answer["id"]] = Egg(answer, key)
        time.sleep(pause)

    def hatch(self):
        with self.lock:
            egg = self.eggs[self.random.choice(list(self.eggs)[-40:])] if self.eggs else None
        if egg is None:
            time.sleep(0.01)
            return
        begun, known = time.monotonic(), egg.revoked_at
        try:
            status, answer = egg.post(self.pick().port, "/v1/hatch", {"statement": egg.statement, "csr": self.request})
            result = self.judge(status)
        except BROKEN:
            self.statuses["broken"] += 1
            result, answer = UNSURE, None
            time.sleep(0.01)
        ended = time.monotonic()
        if result == DONE:
            self.acks.append(ended)
        # A refusal by an egg that may have been revoked says nothing of its budget.
        with self.lock:
            spent = result == REFUSED and status == 403 and not egg.revoking
            if result != REFUSED or spent:
                self.hatches.append((egg.id, begun, ended, result))
            if result != DONE:
                return
            if known is not None and known < begun:
                self.wrong.append(f"egg {egg.id} was revoked, and hatched")
            serial = serial_of(answer["certificate"])
            if serial in self.serials:
                self.wrong.append(f"serial {serial} was given twice")
            self.serials[serial] = egg.id

    def read(self):
        """How much of a budget is spent, as any replica says."""
        with self.lock:
            egg = self.random.choice(list(self.eggs)[-40:]) if self.eggs else None
        if egg is None:
            time.sleep(0.01)
            return
        result, answer, begun, ended = self.change(self.pick(), "GET", f"/v1/eggs/{egg}")
        if result == DONE:
            with self.lock:
                self.reads.append((egg, begun, ended, answer["hatches"]))
        time.sleep(0.01)

    def revoke_egg(self, pause=0.2):
        with self.lock:
            egg = self.eggs[self.random.choice(list(self.eggs))] if len(self.eggs) > 10 else None
            if egg is not None:
                egg.revoking = True
        if egg is not None and self.change(self.pick(), "DELETE", f"/v1/eggs/{egg.id}")[0] == DONE:
            egg.revoked_at = time.monotonic()
        time.sleep(pause)

    def revoke_cert(self, pause=0.1):
        with self.lock:
            left = [serial for serial in list(self.serials)[-50:] if serial not in self.maybe_revoked]
            serial = self.random.choice(left) if left and self.can_revoke_certs else None
            if serial is not None:
                self.maybe_revoked.add(serial)
        if serial is not None:
            result, answer, _, _ = self.change(self.pick(), "DELETE", f"/v1/certs/{serial}")
            if result == DONE:
                self.revoked.add(serial)
            elif result == REFUSED and answer["error"]["code"] in ("missing", "method"):
                self.maybe_revoked.discard(serial)
                self.can_revoke_certs = False  # not in this seal-rot, or the certificate is not there
        time.sleep(pause)

    def change_pairs(self, number):
        """Pairs of this thread alone: their state is known but for what is unsure."""
        pair = (f"c{number}", f"s{self.random.randrange(4)}")
        allowed = self.pairs.get(pair, False)
        if allowed is None:
            allowed = self.random.random() < 0.5
        query = f"/v1/peers?workload={self.workload}&client={pair[0]}&server={pair[1]}"
        if allowed:
            result, answer, begun, ended = self.change(self.pick(), "DELETE", query)
        else:
            body = {"workload": self.workload, "client": pair[0], "server": pair[1]}
            result, answer, begun, ended = self.change(self.pick(), "POST", "/v1/peers", body)
        if result == DONE:
            self.pairs[pair] = not allowed
            with self.lock:
                self.epochs.append((begun, ended, answer["epoch"]))
        elif result == UNSURE:
            self.pairs[pair] = None
        elif self.pairs.get(pair, False) is None and answer["error"]["code"] in ("conflict", "missing"):
            self.pairs[pair] = not allowed if answer["error"]["code"] == "conflict" else False
        elif answer["error"]["code"] in ("conflict", "missing"):
            self.wrong.append(f"pair {pair} was {'there' if allowed else 'not there'}: {answer}")
        time.sleep(0.02)

    def seal(self, number):
        """Objects of this thread and objects all threads share, several in one request."""
        names = [f"own-{number}", "shared-1", "shared-2"]
        chosen = [name for name in names if self.random.random() < 0.7] or names[:1]
        values = [{"key": "k", "text": "x"}, {"key": "l", "text": "y"}]
        objects = [{"ns": "default", "kind": "Secret", "name": name, "values": values} for name in chosen]
        body = {"workload": self.workload, "peer": "web", "objects": objects}
        result, answer, begun, ended = self.change(self.pick(), "POST", "/v1/seal", body)
        if result == DONE:
            with self.lock:
                for sealed in answer["objects"]:
                    self.sealed[sealed["name"]].append((begun, ended, sealed["gen"]))
        time.sleep(0.005)

    def race_workload(self, pause=0.3):
        """The same workload at all replicas at once: one of them makes it."""
        with self.lock:
            self.raced += 1
            name = f"raced-{self.raced}"
        results = []

        def make(replica):
            results.append(self.change(replica, "POST", "/v1/workloads", {"name": name})[0])

        threads = [threading.Thread(target=make, args=(replica,)) for replica in self.replicas]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.races[name] = results
        if results.count(DONE) > 1:
            self.wrong.append(f"workload {name} was made twice")
        time.sleep(pause)

    def run(self, *loops):
        """Each a function and its arguments, in a thread of its own until halt."""

        def again(step, *args):
            while not self.stop.is_set():
                step(*args)

        for loop in loops:
            worker = threading.Thread(target=again, args=loop, daemon=True)
            worker.start()
            self.workers.append(worker)

    def run_all(self):
        self.run((self.mint,), (self.hatch,), (self.hatch,), (self.hatch,), (self.revoke_egg,), (self.revoke_cert,))
        self.run((self.change_pairs, 1), (self.change_pairs, 2), (self.seal, 1), (self.seal, 2))

    def halt(self):
        self.stop.set()
        for worker in self.workers:
            worker.join(60 * SLOW)
            if worker.is_alive():
                self.wrong.append("a request hangs")
        self.workers = []
        self.stop.clear()

    # ---- is it there? -------------------------------------------------------------------------------

    def verify(self, replica):
        """What the root of trust remembers, against what it had said; a sentence for each difference."""
        wrong = list(self.wrong)
        found = {egg["id"]: egg for egg in replica.get_all("/v1/eggs", "eggs")}
        wrong += self._eggs(found)
        wrong += self._certificates(replica, found)
        wrong += self._pairs(replica)
        wrong += self._generations(replica, found)
        wrong += in_order("epoch", [entry for entry in self.epochs])
        return wrong

    def one_ca_each(self):
        """What was made is there, and all replicas know the same single CA of it."""
        wrong = []
        for name, results in self.races.items():
            seen = [replica.ask("GET", f"/v1/workloads/{name}") for replica in self.replicas]
            statuses = {status for status, _ in seen}
            if DONE in results and statuses != {200}:
                wrong.append(f"workload {name} was acknowledged: {seen}")
            if statuses == {200} and (
                len({answer["ca_bundle"] for _, answer in seen}) > 1
                or any(answer["ca_bundle"].count("BEGIN") != 1 for _, answer in seen)
            ):
                wrong.append(f"workload {name} has more than one CA")
        return wrong

    def _eggs(self, found):
        wrong = []
        done = collections.Counter(egg for egg, _, _, result in self.hatches if result == DONE)
        unsure = collections.Counter(egg for egg, _, _, result in self.hatches if result == UNSURE)
        for ident, egg in self.eggs.items():
            record = found.get(ident)
            if record is None:
                wrong.append(f"egg {ident} was acknowledged and is gone")
                continue
            if record["max_hatches"] != egg.budget:
                wrong.append(f"egg {ident} has budget {record['max_hatches']}, not {egg.budget}")
            most = min(done[ident] + unsure[ident], egg.budget)
            if not done[ident] <= record["hatches"] <= most:
                wrong.append(f"egg {ident}: {done[ident]} acknowledged, {unsure[ident]} unsure, {record['hatches']} counted, "
                             f"{egg.budget} allowed")
            if egg.revoked_at is not None and record["revoked_at"] is None:
                wrong.append(f"egg {ident} was revoked and is not")
            if not egg.revoking and record["revoked_at"] is not None:
                wrong.append(f"egg {ident} is revoked, and nobody asked for it")
        return wrong

    def _certificates(self, replica, found):
        """As many as hatches were counted, and none without."""
        wrong = []
        counted = sum(egg["hatches"] for egg in found.values())
        now = replica.get("/v1/status")["certificates"]
        # With an egg goes what was born of it.
        gone = sum(found[ident]["hatches"] for ident, egg in self.eggs.items() if egg.revoking and ident in found)
        if not counted - len(self.maybe_revoked) - gone <= now <= counted - len(self.revoked):
            wrong.append(f"{counted} hatches counted, {now} certificates on record, {len(self.revoked)} revoked")
        if len(self.serials) > counted:
            wrong.append(f"{len(self.serials)} certificates were handed out, {counted} hatches counted")
        return wrong

    def _pairs(self, replica):
        there = {(pair["client"], pair["server"]) for pair in replica.get(f"/v1/peers?workload={self.workload}")["pairs"]}
        return [
            f"pair {pair} is {'' if pair in there else 'not '}there"
            for pair, allowed in self.pairs.items()
            if allowed is not None and allowed != (pair in there)
        ]

    def _generations(self, replica, found):
        """No generation was given twice, none after a higher one had been given, and pods get the newest."""
        wrong = []
        csr, key = request()
        status, answer = replica.ask("POST", "/v1/eggs", {"workload": self.workload, "peer": "web", "csr": csr})
        if status != 201:
            return [f"no egg for asking: {status} {answer}"]
        egg = Egg(answer, key)
        status, answer = egg.post(replica.port, "/v1/hatch", {"statement": egg.statement, "csr": self.request})
        if status != 200:
            return [f"no pod for asking: {status} {answer}"]
        for name, given in self.sealed.items():
            wrong += in_order(f"object {name}: generation", given)
            floor = answer["floor"].get(f"default/Secret/{name}", 0)
            if floor < max(gen for _, _, gen in given):
                wrong.append(f"object {name}: the floor is {floor}, given was {max(gen for _, _, gen in given)}")
        return wrong

    def spend(self, replica, count=10):
        """What is left of a budget can be hatched, and no more."""
        wrong = []
        for egg in [egg for egg in self.eggs.values() if not egg.revoking][-count:]:
            left = egg.budget - replica.get(f"/v1/eggs/{egg.id}")["hatches"]
            body = {"statement": egg.statement, "csr": self.request}
            got = [egg.post(replica.port, "/v1/hatch", body)[0] for _ in range(left + 1)]
            if got != [200] * left + [403]:
                wrong.append(f"egg {egg.id} has {left} left and answered {got}")
        return wrong

    def summary(self):
        changes = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items(), key=str))
        return (f"{len(self.eggs)} eggs, {len(self.serials)} certificates, {len(self.revoked)} of these revoked, "
                f"{len(self.epochs)} changes of policy, {sum(map(len, self.sealed.values()))} generations; answers: {changes}")

    def enough(self, least):
        """Too little would prove nothing."""
        seen = (len(self.eggs), len(self.serials), len(self.epochs), sum(map(len, self.sealed.values())))
        return [] if min(seen) >= least else [f"too little happened to prove anything: {self.summary()}"]


def in_order(what, given):
    """Numbers that grow with each answer: no two are the same, and none is below one that had been given before."""
    wrong = []
    numbers = [number for _, _, number in given]
    if len(set(numbers)) != len(numbers):
        wrong.append(f"{what} was given twice")
    highest, ended = 0, sorted((ended, number) for _, ended, number in given)
    at = 0
    for begun, _, number in sorted(given):
        while at < len(ended) and ended[at][0] < begun:
            highest = max(highest, ended[at][1])
            at += 1
        if number <= highest:
            wrong.append(f"{what} {number} after {highest}")
    return wrong


def orphans(rot):
    """Processes of seal-rot that outlived it, among those we can see."""
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe").startswith(os.path.realpath(rot)):
                left.append(pid)
        except OSError:
            continue
    return left


def no_orphans(rot):
    end = time.monotonic() + 10 * SLOW
    while orphans(rot) and time.monotonic() < end:
        time.sleep(0.05)
    left = orphans(rot)
    return [f"processes outlived seal-rot: {left}"] if left else []
