#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seal-proxy against its peers on this machine; see docs/performance.md.  Fails only when it cannot run."""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
import time

from credentials import make_credentials
from figures import SUBJECT, Figures, judge, table, write_lines
from peers import PEERS, Seal
from proof import prove
from rig import CannotRun, Ports, Process, Sink, raise_descriptor_limit
from sections import FULL, QUICK, SECTIONS


def _choice(text, known, what):
    chosen = [word for word in text.replace(",", " ").split() if word != SUBJECT]
    for word in chosen:
        if word not in known:
            raise CannotRun(f"{what}: no {word} among {', '.join(known)}")
    return chosen or list(known)


class Bench:
    """One run: what was asked for and what all sections share."""

    def __init__(self, build, work, environ):
        self.build = build
        self.work = work
        self.quick = environ.get("BENCH_QUICK", "") not in ("", "0")
        self.sizes = QUICK if self.quick else FULL
        self.rounds = self._rounds(environ.get("BENCH_ROUNDS", ""))
        self.sections = [SECTIONS[name] for name in _choice(environ.get("BENCH_ONLY", ""), SECTIONS, "BENCH_ONLY")]
        peers = _choice(environ.get("BENCH_PEERS", ""), PEERS, "BENCH_PEERS")
        self.products = [Seal(build), *(PEERS[name]() for name in peers)]
        self.versions = {product.name: product.version() for product in self.products}
        self.ports = Ports()
        self.credentials = None
        self.sink = None
        self.sink_port = 0

    def _rounds(self, text):
        if not text:
            return 1 if self.quick else 6
        if not text.isdigit() or not 1 <= int(text) <= 100:
            raise CannotRun(f'BENCH_ROUNDS: "{text}" is not a number from 1 to 100')
        return int(text)

    def program(self, name):
        return os.path.join(self.build, "tests/bench", name)

    @staticmethod
    def progress(text):
        print(f"  {text}", file=sys.stderr, flush=True)

    def prepare(self):
        self.credentials = make_credentials(self.build, self.work, self.ports)
        self.sink_port = self.ports.take()
        self.sink = Sink([self.program("bench-sink"), str(self.sink_port)], os.path.join(self.work, "sink.log"))
        self.sink.wait_listening(self.sink_port)

    def tls_peers(self):
        """Names of chains that count as peers, those with larger buffers included."""
        names = [product.name for product in self.products if product.is_tls and product.name != SUBJECT]
        return names + [f"{name}-64k" for name in names]


# ---- what is said -----------------------------------------------------------------------------------


def _first(path, key):
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return "?"


def machine():
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) // (1 << 20)
    return (
        f"{os.cpu_count()} cores {_first('/proc/cpuinfo', 'model name')}, {memory} GiB, "
        f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"
    )


def introduce(bench):
    print(f"machine: {machine()}")
    print("versions: " + ", ".join(f"{name} {version}" for name, version in bench.versions.items()))
    print(f"{'quick form, ' if bench.quick else ''}{bench.rounds} rounds; CPU is user + system of a side's processes")
    print()


ASKED = ("serves", "no-certificate", "other-ca", "other-name", "resumes", "full")
SEEN = {True: "yes", False: "no", None: "cannot"}


def show_proof(proofs):
    print("Proven first (serves; refuses no certificate, another CA, another name; resumes, and not when off):")
    for product, facts in proofs.items():
        for side, seen in facts.items():
            words = ", ".join(f"{what} {SEEN[seen[what]]}" for what in ASKED if what in seen)
            print(f"  {product:8}  {side:9}  {words}")
    print()


def show(bench, section, figures):
    columns = section.columns(bench.sizes)
    tls_peers = bench.tls_peers()
    judged = {column: judge(column, figures.of(column), tls_peers, not bench.quick) for column in columns}
    for column, lines in judged.items():
        if not any(line["product"] == SUBJECT for line in lines):
            raise CannotRun(f"{column.name}, {column.side}: no figure")
    print("\n".join(table(section, columns, judged)), flush=True)
    return [line for column in columns for line in judged[column]]


def conclude(lines, out):
    verdicts = [line["ok"] for line in lines if line.get("ok") is not None]
    spreads = sorted((line["max"] - line["min"]) / line["median"] for line in lines if line["median"] > 0)
    print(f"{sum(verdicts)} of {len(verdicts)} targets met; " if verdicts else "too short to judge; ", end="")
    if spreads:
        print(f"spread of a figure over its rounds: {spreads[len(spreads) // 2]:.0%} in the median, ", end="")
    print(f"load at the end {os.getloadavg()[0]:.1f}; lines in {out}")


# ---- the run ----------------------------------------------------------------------------------------


def run(bench, out):
    introduce(bench)
    bench.prepare()
    proofs = {}
    for product in bench.products:
        if product.is_tls:
            proofs[product.name] = prove(bench, product)
            bench.progress(f"{product.name} does the job")
    show_proof(proofs)
    lines = []
    for section in bench.sections:
        figures = Figures()
        section.run(bench, figures)
        lines += show(bench, section, figures)
        write_lines(out, lines)
    conclude(lines, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="the folder with seal, seal-rot, seal-proxy and tests/bench")
    parser.add_argument("--out", default="bench.jsonl", help="where the figures go, a line each")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # even if we were started with it ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    work = tempfile.mkdtemp(prefix="seal-bench.")
    try:
        raise_descriptor_limit()
        run(Bench(os.path.abspath(arguments.build), work, os.environ), arguments.out)
        print(f"{time.monotonic() - begin:.0f} s")
    except (CannotRun, OSError) as error:
        print(f"bench: cannot run: {error}", file=sys.stderr)
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
