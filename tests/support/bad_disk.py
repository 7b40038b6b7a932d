#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bad_disk.py full|errors|flips --rot SEAL-ROT --dir DIR --port N --log FILE ...

full: DIR lies on a small file system of its own that is grown later.  errors: calls fail while requests run.  flips:
bytes of the store change while nobody serves it.  What was acknowledged is there afterwards, failures are said, and
nothing is ever served that was not so.
"""

import argparse
import errno
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import time

from campaign import BROKEN, SLOW, Replica, World


def log_of(args):
    with open(args.log, encoding="utf-8", errors="replace") as file:
        return file.read()


def wait_until(seconds, what, condition):
    end = time.monotonic() + seconds * SLOW
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds} s for {what}")
        time.sleep(0.02)


# ---- a full disk --------------------------------------------------------------------------------------


def full(args):
    replica = Replica(args.rot, args.dir, args.port, args.log)
    world = World([replica], args.seed)
    replica.start()
    world.begin()
    world.run_all()
    wait_until(60, "the disk to be full", lambda: world.statuses[503] > 30)
    wrong = []
    # It goes on reading, and says no more than that it cannot write.
    try:
        replica.get("/v1/workloads")
    except BROKEN as error:
        wrong.append(f"reading while the disk is full: {error}")
    if replica.popen.poll() is not None:
        raise SystemExit("seal-rot ended over a full disk")
    world.halt()
    refused = world.statuses[503]
    subprocess.run(["mount", "-o", "remount,size=64m", os.path.dirname(args.dir)], check=True)
    wrong += world.verify(replica)
    world.run_all()
    time.sleep(1)
    world.halt()
    if world.statuses[503] > refused:
        wrong.append("there is room again, and it refuses all the same")
    wrong += world.verify(replica)
    replica.kill()
    replica.start()
    wrong += world.verify(replica) + world.spend(replica) + world.enough(5)
    replica.stop()
    if not re.search(r"full", log_of(args)):
        wrong.append("the log does not say that the disk is full")
    print(f"full disk: {world.summary()}")
    return wrong


# ---- calls that fail ----------------------------------------------------------------------------------


class Disk:
    """The numbers that tests/support/baddisk.c reads."""

    def __init__(self, path, library):
        self.path = path
        self.env = dict(os.environ, LD_PRELOAD=library, BADDISK=path)
        with open(path, "wb") as file:
            file.write(bytes(20))

    def fail(self, reads=0, writes=0, syncs=0, flips=0, code=errno.EIO):
        with open(self.path, "r+b", buffering=0) as file:
            file.write(struct.pack("=5I", reads, writes, syncs, flips, code))


def errors(args):
    disk = Disk(f"{args.dir}.baddisk", args.library)
    replica = Replica(args.rot, args.dir, args.port, args.log, env=disk.env)
    replica.start()
    wrong = []
    plans = (
        ("writes fail", {"writes": 50_000}),
        ("syncs fail", {"syncs": 300_000}),
        ("everything fails now and then", {"reads": 20_000, "writes": 10_000, "syncs": 100_000}),
        ("no room now and then", {"writes": 50_000, "code": errno.ENOSPC}),
        ("reads return changed bytes", {"flips": 20_000}),
    )
    for number, (name, plan) in enumerate(plans * args.rounds):
        for killed in (False, True):
            # Whoever is killed with a failed write in the log may find it there whole: nobody was told that it is not.
            world = World([replica], args.seed + number, sure_503=not killed, workload=f"world-{number}{'k' if killed else ''}")
            world.begin()
            world.run_all()
            time.sleep(0.3)
            disk.fail(**plan)
            time.sleep(args.seconds)
            if "flips" not in plan and not killed:
                wait_until(30, "something to fail", lambda: world.statuses[503] > 0)
            if replica.popen.poll() is not None:
                raise SystemExit(f"{name}: seal-rot ended: {replica.last_words()}")
            if killed:
                replica.kill()
            disk.fail()
            if killed:
                replica.start()
            time.sleep(0.3)
            world.halt()
            wrong += [f"{name}: {line}" for line in verify_alone(world, replica)]
            if not killed:
                print(f"{name}: {world.summary()}", flush=True)
    replica.kill()
    replica.start()
    replica.stop()
    if "unavailable" not in log_of(args) and "failed" not in log_of(args):
        wrong.append("the log says nothing of failures")
    return wrong


def verify_alone(world, replica):
    """Other workloads' certificates are counted with ours: leave the total out."""
    world._certificates = lambda *_: []
    return world.verify(replica)


# ---- bytes that change --------------------------------------------------------------------------------

LASTING = ("version", "trust_domain", "urls", "ca", "ca_fingerprint", "ca_not_after", "workloads")  # of the status


def questions(world):
    paths = ["/v1/status", "/v1/workloads", f"/v1/workloads/{world.workload}", f"/v1/peers?workload={world.workload}"]
    paths += ["/v1/eggs?limit=500"]
    return paths + [f"/v1/eggs/{ident}" for ident in list(world.eggs)[:: max(1, len(world.eggs) // 15)]]


def settled(path, answer):
    return {key: answer.get(key) for key in LASTING} if path == "/v1/status" else answer


def flip(path, dice, size):
    """Another byte somewhere; sometimes a whole sector of zeros, of chance, or of another place."""
    kind = dice.random()
    with open(path, "r+b") as file:
        if kind < 0.7:
            at = dice.randrange(size)
            file.seek(at)
            old = file.read(1)[0]
            file.seek(at)
            file.write(bytes([old ^ (1 << dice.randrange(8))]))
            return f"a bit at {at}"
        at = dice.randrange(size // 512) * 512
        other = dice.randrange(size // 512) * 512
        file.seek(other)
        stray = file.read(512)
        what = bytes(512) if kind < 0.8 else dice.randbytes(512) if kind < 0.9 else stray
        file.seek(at)
        file.write(what)
        return f"512 bytes at {at}"


class Shown:
    """What a store that was changed has to show: what it showed before, or that it is damaged."""

    def __init__(self, world, replica):
        self.world = world
        self.before = {path: settled(path, replica.get(path)) for path in questions(world)}
        found = {egg["id"]: egg for egg in replica.get_all("/v1/eggs", "eggs")}
        live = [egg for egg in world.eggs.values() if found[egg.id]["state"] == "live"]
        spent = [egg for egg in world.eggs.values() if found[egg.id]["state"] != "live"]
        self.hatches = [(egg, 200) for egg in live[-4:]] + [(egg, 403) for egg in spent[-4:]]

    def judge(self, replica):
        """(sentences of what is wrong, how often it said that it cannot)"""
        wrong, said = [], 0
        for path, want in self.before.items():
            status, answer = replica.ask("GET", path)
            if status >= 500:
                said += 1
            elif status != 200 or settled(path, answer) != want:
                wrong.append(f"{path}: {status} {str(answer)[:300]}")
        for egg, want in self.hatches:
            body = {"statement": egg.statement, "csr": self.world.request}
            status, answer = egg.post(replica.port, "/v1/hatch", body)
            if status >= 500:
                said += 1
            elif status != want:
                wrong.append(f"hatch of {egg.id}: {status} {answer}, not {want}")
        return wrong, said


def flips(args):
    replica = Replica(args.rot, args.dir, args.port, args.log)
    world = World([replica], args.seed)
    replica.start()
    world.begin()
    world.run_all()
    time.sleep(2)
    world.halt()
    wrong = world.verify(replica) + world.enough(5)
    shown = Shown(world, replica)
    replica.stop()
    dice = random.Random(args.seed)
    copy = args.dir + ".copy"
    outcomes = {"harmless": 0, "said when it started": 0, "said when it was asked": 0}
    store = next(name for name in os.listdir(args.dir) if name.endswith(".db"))
    size = os.path.getsize(os.path.join(args.dir, store))
    for number in range(args.flips):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(args.dir, copy)
        what = flip(os.path.join(copy, store), dice, size)
        log = f"{args.log}.flip"
        with open(log, "w", encoding="utf-8"):
            pass
        damaged = Replica(args.rot, copy, args.port, log)
        damaged.launch()
        outcome, found = look(damaged, shown)
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if outcome != "harmless" and not re.search(r"damaged|malformed|not a store|newer seal-rot|I/O error|not a database", text):
            found.append(f"it does not say what is the matter: {text[-600:]}")
        outcomes[outcome] += 1
        wrong += [f"flip {number}, {what}: {line}" for line in found]
    shutil.rmtree(copy, ignore_errors=True)
    print(f"{args.flips} changes of {size} bytes: " + ", ".join(f"{count} {name}" for name, count in outcomes.items()))
    return wrong


def look(damaged, shown):
    end = time.monotonic() + 20 * SLOW
    while True:
        if damaged.popen.poll() is not None:
            return "said when it started", [] if damaged.popen.returncode == 1 else [f"it ended with {damaged.popen.returncode}"]
        try:
            damaged.ask("GET", "/v1/status", timeout=5)
            break
        except BROKEN:
            if time.monotonic() > end:
                damaged.kill()
                return "said when it started", ["it neither starts nor ends"]
            time.sleep(0.01)
    try:
        found, said = shown.judge(damaged)
    except BROKEN as error:
        found, said = [f"{type(error).__name__}: {error}"], 1
    damaged.kill()
    return "said when it was asked" if said else "harmless", found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("full", "errors", "flips"))
    for name in ("rot", "dir", "log"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--library", help="what tests/support/baddisk.c was made to")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--flips", type=int, default=30)
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    wrong = {"full": full, "errors": errors, "flips": flips}[args.what](args)
    for line in wrong[:40]:
        print(line)
    sys.exit(1 if wrong else 0)


main()
