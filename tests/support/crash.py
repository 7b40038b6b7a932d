#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crash.py SEAL-PROXY CREDENTIALS FOLDER: start a sidecar with core dumps allowed, crash it, and make sure that
the kernel was not asked to dump."""

import os
import resource
import signal
import subprocess
import sys
import time

resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
proxy = subprocess.Popen([sys.argv[1], "--credentials", sys.argv[2], "--outbound", "7009=127.0.0.1:9/db"],
                         cwd=sys.argv[3], stdin=subprocess.DEVNULL)
end = time.monotonic() + 20
while time.monotonic() < end:
    with open(f"/proc/{proxy.pid}/limits", encoding="ascii") as file:
        if any(line.split()[:6] == ["Max", "core", "file", "size", "0", "0"] for line in file):
            break
    time.sleep(0.02)
proxy.send_signal(signal.SIGSEGV)
_, status = os.waitpid(proxy.pid, 0)
print("status", status, "files", os.listdir(sys.argv[3]))
sys.exit(1 if os.WCOREDUMP(status) or os.listdir(sys.argv[3]) else 0)
