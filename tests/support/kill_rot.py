#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill_rot.py --seal SEAL --rot SEAL-ROT --dir DIR --kills N --work FOLDER [--seed S]

Mint and hatch eggs and seal values from several threads, kill -9 seal-rot at a random moment, start it again, N
times; then compare what the root of trust remembers with what it had acknowledged.
"""

import argparse
import collections
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import eggs


class Local(http.client.HTTPConnection):
    """The API over the Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def get(path, resource):
    conn = Local(path)
    try:
        conn.request("GET", resource)
        reply = conn.getresponse()
        body = json.loads(reply.read())
        if reply.status != 200:
            raise OSError(f"{resource}: {reply.status} {body}")
        return body
    finally:
        conn.close()


def post(path, resource, body):
    conn = Local(path)
    try:
        conn.request("POST", resource, json.dumps(body))
        reply = conn.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            raise OSError(f"{resource}: {reply.status} {answer}")
        return answer
    finally:
        conn.close()


class Run:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.socket = os.path.join(args.dir, "rot.sock")
        self.lock = threading.Lock()
        self.minted = {}  # id -> (egg, budget)
        self.hatched = collections.Counter()  # id -> acknowledged certificates
        self.serials = set()
        self.sealed = collections.defaultdict(list)  # object -> acknowledged generations, in their order
        self.half = []
        self.request = eggs.csr()
        self.count = 0
        self.stop = threading.Event()

    def start(self):
        self.rot = subprocess.Popen([self.args.rot, "--dir", self.args.dir], stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                return get(self.socket, "/v1/status")
            except (OSError, http.client.HTTPException, ValueError):
                if self.rot.poll() is not None:
                    raise SystemExit(f"seal-rot does not start again: {self.rot.returncode}") from None
                if time.monotonic() > end:
                    raise SystemExit("seal-rot does not answer after a restart") from None
                time.sleep(0.01)

    def kill(self):
        self.rot.send_signal(signal.SIGKILL)
        self.rot.wait()

    def seal(self, *words):
        return subprocess.run([self.args.seal, *words, "--dir", self.args.dir], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)

    def mint(self):
        while not self.stop.is_set():
            with self.lock:
                self.count += 1
                path = os.path.join(self.args.work, f"{self.count}.egg")
                budget = self.random.choice((1, 1, 2, 5))
            done = self.seal("egg", "mint", "shop", "--peer", "web", "--max-hatches", str(budget), "-o", path)
            if done.returncode == 0:
                egg = eggs.load(path)
                with self.lock:
                    self.minted[egg["id"]] = (egg, budget)
            else:
                if os.path.exists(path):
                    self.half.append(path)
                time.sleep(0.01)

    def hatch(self):
        while not self.stop.is_set():
            with self.lock:
                egg = self.minted[self.random.choice(list(self.minted))][0] if self.minted else None
            if egg is None:
                time.sleep(0.01)
                continue
            try:
                status, _, body = eggs.hatch(egg, self.request)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
                continue
            if status == 200:
                serial = eggs.sans(json.loads(body)["certificate"]).split("serial=")[1].split()[0]
                with self.lock:
                    self.hatched[egg["id"]] += 1
                    if serial in self.serials:
                        self.half.append(f"serial {serial} twice")
                    self.serials.add(serial)

    def seal_values(self, number):
        """Objects of this thread and objects all threads share, several in one request."""
        names = [f"own-{number}", "shared-1", "shared-2"]
        while not self.stop.is_set():
            chosen = [name for name in names if self.random.random() < 0.7] or names[:1]
            body = {"workload": "shop", "peer": "web",
                    "objects": [{"ns": "default", "kind": "Secret", "name": name,
                                 "values": [{"key": "k", "text": "x"}, {"key": "l", "text": "y"}]} for name in chosen]}
            begun = time.monotonic()
            try:
                reply = post(self.socket, "/v1/seal", body)
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.01)
                continue
            with self.lock:
                for sealed in reply["objects"]:
                    self.sealed[sealed["name"]].append((begun, time.monotonic(), sealed["gen"]))

    def campaign(self):
        os.makedirs(self.args.work)
        self.start()
        done = self.seal("workload", "create", "shop")
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        workers = [threading.Thread(target=run, daemon=True) for run in (self.mint, self.mint, self.hatch, self.hatch)]
        workers += [threading.Thread(target=self.seal_values, args=(i,), daemon=True) for i in range(3)]
        for worker in workers:
            worker.start()
        for _ in range(self.args.kills):
            time.sleep(self.random.uniform(0, 0.25))
            self.kill()
            self.start()
        time.sleep(0.3)
        self.stop.set()
        for worker in workers:
            worker.join(60)
        done = self.seal("egg", "mint", "shop", "--peer", "web", "-o", os.path.join(self.args.work, "floor.egg"))
        if done.returncode != 0:
            raise SystemExit(done.stderr)

    def all_eggs(self):
        found, after = {}, ""
        while True:
            page = get(self.socket, "/v1/eggs?limit=100" + (f"&after={after}" if after else ""))
            for egg in page["eggs"]:
                found[egg["id"]] = egg
            if "next" not in page:
                return found
            after = page["next"]

    def verify(self):
        wrong = list(self.half)
        found = self.all_eggs()
        for ident, (_, budget) in self.minted.items():
            egg = found.get(ident)
            if egg is None:
                wrong.append(f"egg {ident} was acknowledged and is gone")
                continue
            if egg["max_hatches"] != budget:
                wrong.append(f"egg {ident} has budget {egg['max_hatches']}, not {budget}")
            if not self.hatched[ident] <= egg["hatches"] <= budget:
                wrong.append(f"egg {ident}: {self.hatched[ident]} acknowledged, {egg['hatches']} counted, {budget} allowed")
        certificates = get(self.socket, "/v1/status")["certificates"]
        counted = sum(egg["hatches"] for egg in found.values())
        if certificates != counted:
            wrong.append(f"{counted} hatches counted, {certificates} certificates on record")
        wrong += self.spend(found)
        wrong += self.generations()
        print(f"seed {self.args.seed}: {self.args.kills} kills, {len(self.minted)} eggs and "
              f"{sum(self.hatched.values())} certificates acknowledged, {len(found)} eggs and {counted} on record")
        return wrong

    def generations(self):
        """No generation was given twice, none after a higher one had been given, and pods get the newest."""
        wrong = []
        egg = eggs.load(os.path.join(self.args.work, "floor.egg"))
        floor = json.loads(eggs.hatch(egg, self.request)[2])["floor"]
        for name, given in self.sealed.items():
            gens = [gen for _, _, gen in given]
            if len(set(gens)) != len(gens):
                wrong.append(f"object {name}: a generation was given twice")
            for begun, _, gen in given:
                before = [other for _, ended, other in given if ended < begun]
                if before and max(before) >= gen:
                    wrong.append(f"object {name}: generation {gen} after {max(before)}")
            if floor.get(f"default/Secret/{name}", 0) < max(gens):
                wrong.append(f"object {name}: the floor is {floor.get(f'default/Secret/{name}')}, given was {max(gens)}")
        print(f"{sum(map(len, self.sealed.values()))} sealings of {len(self.sealed)} objects acknowledged")
        return wrong

    def spend(self, found):
        """What is left of a budget can be hatched, and no more."""
        wrong = []
        for ident in list(self.minted)[-10:]:
            egg, budget = self.minted[ident]
            left = budget - found[ident]["hatches"]
            got = [self.patient(egg) for _ in range(left + 1)]
            if got != [200] * left + [403]:
                wrong.append(f"egg {ident} has {left} left and answered {got}")
        return wrong

    def patient(self, egg):
        while True:
            status = eggs.hatch(egg, self.request)[0]
            if status != 429:
                return status
            time.sleep(0.3)


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


def main():
    parser = argparse.ArgumentParser()
    for name in ("seal", "rot", "dir", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    run = Run(args)
    print(f"seed {args.seed}", flush=True)
    run.campaign()
    wrong = run.verify()
    run.kill()
    end = time.monotonic() + 10
    while orphans(args.rot) and time.monotonic() < end:
        time.sleep(0.05)
    if orphans(args.rot):
        wrong.append(f"processes outlived seal-rot: {orphans(args.rot)}")
    if len(run.minted) < args.kills / 4 or not run.hatched or len(run.sealed) < 5:
        wrong.append("too little happened to prove anything")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


main()
