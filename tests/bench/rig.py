# SPDX-License-Identifier: Apache-2.0
"""Processes, ports and clocks: what every measurement stands on."""

import ctypes
import json
import os
import random
import resource
import select
import signal
import socket
import subprocess
import time

SETTLE_NS = 100_000  # a process that uses less than this in a pause is quiet
SETTLE_PAUSE = 0.025
PATIENCE = 180  # seconds for one window of work


class CannotRun(Exception):
    """The benchmark itself is broken: the only way to fail."""


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG


def _children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def _cpu_ns(pid):
    """User and system time of all threads, those that ended included: the process's own clock."""
    return time.clock_gettime_ns((~pid << 3) | 2)


class Process:
    """A program with its children, ended with everything it started."""

    running = []

    def __init__(self, argv, log, env=None, pipes=False):
        self.argv = argv
        self.log = log
        with open(log, "ab") as out:
            pipe = subprocess.PIPE if pipes else None
            self.popen = subprocess.Popen(
                argv,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or out,
                stderr=out,
                env=env,
                bufsize=0 if pipes else -1,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        Process.running.append(self)

    def pids(self):
        found = [self.popen.pid]
        for pid in found:
            found += _children(pid)
        return found

    def check(self):
        if self.popen.poll() is not None:
            raise CannotRun(f"{self.argv[0]} ended with {self.popen.returncode}:\n{self.last_words()}")

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-15:])

    def cpu_ns(self):
        self.check()
        total = 0
        for pid in self.pids():
            try:
                total += _cpu_ns(pid)
            except OSError:
                pass
        return total

    def memory_kib(self):
        """RSS, PSS and USS of the tree."""
        self.check()
        total = {"rss": 0, "pss": 0, "uss": 0}
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                for line in file:
                    key, _, rest = line.partition(":")
                    if key in ("Rss", "Pss"):
                        total[key.lower()] += int(rest.split()[0])
                    elif key in ("Private_Clean", "Private_Dirty"):
                        total["uss"] += int(rest.split()[0])
        return total

    def wait_listening(self, port, seconds=15):
        end = time.monotonic() + seconds
        while not _is_listening(port):
            self.check()
            if time.monotonic() > end:
                raise CannotRun(f"{self.argv[0]} does not listen on {port}:\n{self.last_words()}")
            time.sleep(0.01)

    def stop(self):
        if self not in Process.running:
            return
        Process.running.remove(self)
        pids = self.pids()
        for sign, patience in ((signal.SIGTERM, 0.3), (signal.SIGKILL, 5)):
            for pid in pids:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    pass
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            break
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream:
                stream.close()

    @staticmethod
    def stop_all():
        for process in list(Process.running):
            process.stop()


def _is_listening(port):
    """In the kernel's table: a connection to try it would be work for who is measured."""
    wanted = [(f"{address}:{port:04X}", "0A") for address in ("0100007F", "00000000")]
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any(tuple(line.split()[1:4:2]) in wanted for line in file)


class Ports:
    """Ports on loopback, below those the kernel gives to clients."""

    def __init__(self):
        self.next = random.randrange(20000, 28000)

    def take(self):
        while True:
            self.next += 1
            if self.next > 32700:
                self.next = 20000
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", self.next))
                except OSError:
                    continue
            return self.next


class Talker(Process):
    """One of our own programs, told what to do line by line."""

    def __init__(self, argv, log):
        super().__init__(argv, log, pipes=True)
        self.heard = b""

    def tell(self, line):
        try:
            self.popen.stdin.write(line.encode() + b"\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def hear(self):
        """The next line it says.  (Bytes are kept here: a buffered reader would hide lines from select.)"""
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.heard:
            ready, _, _ = select.select([self.popen.stdout], [], [], max(0, end - time.monotonic()))
            part = os.read(self.popen.stdout.fileno(), 4096) if ready else b""
            if not part:
                self._fail()
            self.heard += part
        line, _, self.heard = self.heard.partition(b"\n")
        return line.decode()

    def _fail(self):
        try:
            self.popen.wait(1)
        except subprocess.TimeoutExpired:
            raise CannotRun(f"{' '.join(self.argv)}: no answer in {PATIENCE} s\n{self.last_words()}") from None
        raise CannotRun(f"{' '.join(self.argv)}: ended with {self.popen.returncode}: {self.last_words()}")


class Sink(Talker):
    def served(self):
        self.tell("count")
        return int(self.hear())


class Load(Talker):
    """A bench-load that is ready to go."""

    def __init__(self, program, log, *words):
        super().__init__([program, *(str(word) for word in words)], log)
        self.expect_ready()

    def expect_ready(self):
        line = self.hear()
        if line != "ready":
            raise CannotRun(f"{' '.join(self.argv)}: said {line}")

    def go(self):
        self.tell("go")
        return json.loads(self.hear())

    def end(self):
        """Its connections must have stood to the end."""
        self.tell("end")
        try:
            self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise CannotRun(f"{' '.join(self.argv)}: does not end") from None
        Process.running.remove(self)
        self.popen.stdin.close()
        self.popen.stdout.close()
        if self.popen.returncode != 0:
            raise CannotRun(f"{' '.join(self.argv)}: {self.last_words()}")


def settle(processes, seconds=5):
    """CPU of each by name, once all are quiet (or never will be)."""
    end = time.monotonic() + seconds
    before = {name: process.cpu_ns() for name, process in processes.items()}
    while True:
        time.sleep(SETTLE_PAUSE)
        now = {name: process.cpu_ns() for name, process in processes.items()}
        if all(now[name] - before[name] < SETTLE_NS for name in now) or time.monotonic() > end:
            return now
        before = now
