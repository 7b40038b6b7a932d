#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill_store.py --rot SEAL-ROT --dir DIR --port N --kills N --log FILE [--seed S] [-- OPTION-OF-SEAL-ROT...]

Changes of all kinds from several threads, kill -9 of seal-rot at a random moment, start it again, N times; then compare
what the root of trust remembers with what it had acknowledged.
"""

import argparse
import sys
import time

from campaign import Replica, World, no_orphans


def main():
    parser = argparse.ArgumentParser()
    for name in ("rot", "dir", "log"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unsure", action="store_true", help="an answer of 503 may have been done")
    parser.add_argument("options", nargs="*")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    begun = time.monotonic()
    replica = Replica(args.rot, args.dir, args.port, args.log, args.options)
    world = World([replica], args.seed, sure_503=not args.unsure)
    replica.start()
    world.begin()
    world.run_all()
    slowest = 0
    for number in range(args.kills):
        time.sleep(world.random.uniform(0, 0.25))
        replica.kill()
        down = time.monotonic()
        replica.start()
        slowest = max(slowest, time.monotonic() - down)
        if (number + 1) % 100 == 0:
            print(f"{number + 1} kills, {time.monotonic() - begun:.0f} s", flush=True)
    time.sleep(0.3)
    world.halt()
    replica.kill()
    replica.start()
    wrong = world.verify(replica) + world.spend(replica)
    wrong += world.enough(args.kills // 4)
    replica.kill()
    wrong += no_orphans(args.rot)
    print(f"{args.kills} kills in {time.monotonic() - begun:.0f} s, back after {slowest * 1000:.0f} ms at most: {world.summary()}")
    for line in wrong[:40]:
        print(line)
    sys.exit(1 if wrong else 0)


main()
