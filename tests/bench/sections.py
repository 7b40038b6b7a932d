# SPDX-License-Identifier: Apache-2.0
"""What is measured: each section's chains, its windows and the columns they fill."""

import dataclasses
import os
import time

from peers import Chain, Mode
from rig import CannotRun, Load, settle

GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Column:
    """One row of the report: a name and side, its unit, and what seal must reach."""

    name: str
    side: str
    unit: str
    ratio: float = None  # at most, of the best peer
    at_most: float = None  # of the figure itself


@dataclasses.dataclass(frozen=True)
class Sizes:
    connections: int = 2000
    resumed: int = 2000
    stream_bytes: int = GIB // 4
    requests: int = 20000
    rate: int = 4000
    seconds: int = 5
    many: int = 1000
    many_requests: int = 20000
    idle: tuple = (1000, 5000)
    after_s: float = 3.0


FULL = Sizes()
QUICK = Sizes(
    connections=100,
    resumed=60,
    stream_bytes=GIB // 32,
    requests=1500,
    rate=2000,
    seconds=1,
    many=100,
    many_requests=2000,
    idle=(40, 100),
    after_s=0.3,
)
SIDES = ("terminate", "originate")


class Window:
    """Work between two quiet moments, and what each side used for it."""

    def __init__(self, bench, chain, *words):
        try:
            self._measure(bench, chain, *words)
        except CannotRun as error:
            raise CannotRun(f"{chain.name}: {error}") from None

    def _measure(self, bench, chain, mode, *rest):
        load = Load(bench.program("bench-load"), os.path.join(bench.work, "load.log"), mode, chain.port, *rest)
        before = settle(chain.processes)
        self.result = load.go()
        if mode == "conns":
            load.end()
        after = settle(chain.processes)
        if mode != "conns":
            load.end()
        self.cpu_ns = {side: after[side] - before[side] for side in after}

    def per(self, scale):
        return {side: used / self.result["count"] * scale for side, used in self.cpu_ns.items()}


class Section:
    """name; mode of its chains; columns; measure(bench, chain) gives {(column name, side): figure}."""

    name = ""
    title = ""
    mode = Mode()
    big_too = False

    def columns(self, sizes):
        raise NotImplementedError

    def measure(self, bench, chain):
        raise NotImplementedError

    def chains(self, bench):
        made = []
        for product in bench.products:
            if not product.sides and not self.counts_direct:
                continue
            made.append(Chain(bench, product, self.mode))
            if self.big_too and product.has_big:
                made.append(Chain(bench, product, dataclasses.replace(self.mode, big=True)))
        for chain in made:
            Window(bench, chain, "conns", 20, 2)  # warm
        return made

    counts_direct = False

    def run(self, bench, figures):
        chains = self.chains(bench)
        for number in range(bench.rounds):
            for step in self.steps(bench):
                for chain in chains if number % 2 == 0 else reversed(chains):
                    for (name, side), value in step(chain).items():
                        figures.add(name, side, chain.name, number, value)
            bench.progress(f"{self.name}: round {number + 1} of {bench.rounds}")
        for chain in chains:
            chain.stop()

    def steps(self, bench):
        """Functions of a chain; products take turns at each."""
        return [lambda chain: self.measure(bench, chain)]


def _named(name, by_side):
    return {(name, side): value for side, value in by_side.items()}


class Handshakes(Section):
    name = "full"
    title = "CPU per new connection, full mutual handshake (us)"

    def columns(self, sizes):
        return [Column(f"full-{at}", side, "us", ratio=0.75) for at in (10, 100) for side in SIDES]

    def steps(self, bench):
        def at(count):
            return lambda chain: _named(
                f"full-{count}", Window(bench, chain, "conns", bench.sizes.connections, count).per(1e-3)
            )

        return [at(10), at(100)]


class Resumed(Section):
    name = "resumed"
    title = "CPU per new connection, resumed (us)"
    mode = Mode(resume=True)

    def columns(self, sizes):
        targets = {"terminate": 0.55, "originate": 0.90}
        return [Column("resumed-10", side, "us", ratio=targets[side]) for side in SIDES]

    def measure(self, bench, chain):
        return _named("resumed-10", Window(bench, chain, "conns", bench.sizes.resumed, 10).per(1e-3))


class Bytes(Section):
    name = "bytes"
    title = "CPU per GiB (s)"
    big_too = True
    kinds = (("upload", 1), ("upload", 64), ("download", 1), ("download", 64))

    def columns(self, sizes):
        return [
            Column(f"{kind}-{streams}", side, "s/GiB", ratio=0.90)
            for kind, streams in self.kinds
            for side in SIDES
        ]

    def steps(self, bench):
        def of(kind, streams):
            return lambda chain: _named(
                f"{kind}-{streams}", Window(bench, chain, kind, bench.sizes.stream_bytes, streams).per(GIB * 1e-9)
            )

        return [of(*kind) for kind in self.kinds]


class Requests(Section):
    name = "requests"
    title = "CPU per 100-byte request and answer (us)"

    def columns(self, sizes):
        return [Column(f"requests-{at}", side, "us", ratio=0.92) for at in (10, 64) for side in SIDES]

    def steps(self, bench):
        def at(count):
            return lambda chain: _named(
                f"requests-{count}", Window(bench, chain, "requests", bench.sizes.requests, count).per(1e-3)
            )

        return [at(10), at(64)]


class Latency(Section):
    name = "latency"
    title = "Latency through both sides at a fixed rate, 64 connections (us)"
    counts_direct = True

    def columns(self, sizes):
        return [
            Column("latency-p50", "both", "us"),
            Column("latency-p99", "both", "us", ratio=1.00),
            Column("latency-p99.9", "both", "us"),
        ]

    def measure(self, bench, chain):
        got = Window(bench, chain, "rate", bench.sizes.rate, 64, bench.sizes.seconds).result
        return {
            (f"latency-{shown}", "both"): got[key] / 1000
            for shown, key in (("p50", "p50_ns"), ("p99", "p99_ns"), ("p99.9", "p999_ns"))
        }


class Growth(Section):
    name = "growth"

    @property
    def title(self):
        return "Growth of CPU per unit, from 10 connections to many (times)"

    def columns(self, sizes):
        return [
            Column(f"growth-{what}-{sizes.many}", side, "x", at_most=1.3)
            for what in ("requests", "connections")
            for side in SIDES
        ]

    def steps(self, bench):
        many, sizes = bench.sizes.many, bench.sizes

        def of(what, mode, count):
            def grow(chain):
                few = Window(bench, chain, mode, count, 10).per(1)
                more = Window(bench, chain, mode, count, many).per(1)
                return {(f"growth-{what}-{many}", side): more[side] / few[side] for side in more}

            return grow

        return [of("requests", "requests", sizes.many_requests), of("connections", "conns", sizes.connections)]


class Memory(Section):
    """Fresh processes each time; "before" is after ten connections have come and gone."""

    name = "memory"
    title = "Memory: KiB per idle connection (RSS), idle RSS (MiB), after against before (times)"

    def columns(self, sizes):
        ratios = {"terminate": 0.80, "originate": 0.60}
        found = []
        for count in sizes.idle:
            found += [Column(f"idle-{count}", side, "KiB", ratios[side], 19) for side in SIDES]
            found += [Column(f"idle-{count}-{kind}", side, "KiB") for kind in ("pss", "uss") for side in SIDES]
        found += [Column("idle-rss", side, "MiB", at_most=8) for side in SIDES]
        return found + [Column("after-closing", side, "x", at_most=1.5) for side in SIDES]

    def run(self, bench, figures):
        rounds = max(1, bench.rounds // 3)
        products = [product for product in bench.products if product.sides]
        for number in range(rounds):
            for product in products if number % 2 == 0 else reversed(products):
                for (name, side), value in self._one(bench, product).items():
                    figures.add(name, side, product.name, number, value)
            bench.progress(f"{self.name}: round {number + 1} of {rounds}")

    def _one(self, bench, product):
        chain = Chain(bench, product, self.mode)
        sizes, found = bench.sizes, {}
        Window(bench, chain, "conns", 10, 1)
        before = self._memory(chain, sizes.after_s)
        load = Load(bench.program("bench-load"), os.path.join(bench.work, "load.log"), "idle", chain.port, *sizes.idle)
        for place, count in enumerate(sizes.idle):
            if place > 0:
                load.expect_ready()
            load.go()
            held = self._memory(chain, sizes.after_s)
            for side, now in held.items():
                for kind in ("rss", "pss", "uss"):
                    name = f"idle-{count}" + ("" if kind == "rss" else f"-{kind}")
                    found[name, side] = (now[kind] - before[side][kind]) / count
        load.end()
        after = self._memory(chain, sizes.after_s)
        for side in before:
            found["idle-rss", side] = before[side]["rss"] / 1024
            found["after-closing", side] = after[side]["rss"] / before[side]["rss"]
        chain.stop()
        return found

    @staticmethod
    def _memory(chain, wait_s):
        settle(chain.processes)
        time.sleep(wait_s)  # for those who tidy up when idle
        return {side: process.memory_kib() for side, process in chain.processes.items()}


SECTIONS = {
    section.name: section
    for section in (Handshakes(), Resumed(), Bytes(), Requests(), Latency(), Growth(), Memory())
}
