#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wrap_tty.py PROGRAM SPEC: run it on a terminal of its own.  What it started says "ready TERM", reads a line and
says "got LINE"; then ^C must end it, and it with 130."""
import os
import pty
import select
import sys
import time

pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])

seen = b""


def wait_for(text):
    global seen
    end = time.monotonic() + 20
    while text not in seen:
        if time.monotonic() > end or not select.select([master], [], [], 1)[0] and time.monotonic() > end:
            sys.exit(f"no {text!r} in {seen!r}")
        if select.select([master], [], [], 0.1)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:
                sys.exit(f"it ended, and said {seen!r}")


wait_for(b"ready vt100")
os.write(master, b"hello\n")
wait_for(b"got hello")
os.write(master, b"\x03")
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
if code != 130:
    sys.exit(f"it ended with {code} instead of 130")
