#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crash.py SEAL-PROXY CREDENTIALS FOLDER: start a sidecar with core dumps allowed, crash it, and make sure that
the kernel was not asked to dump."""

import os
import resource
import signal
import sys
import time

resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
os.chdir(sys.argv[3])
pid = os.posix_spawn(sys.argv[1], [sys.argv[1], "--credentials", sys.argv[2], "--outbound", "7009=127.0.0.1:9/db"],
                     os.environ)
end = time.monotonic() + 20
while time.monotonic() < end:
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        if any(line.split()[:6] == ["Max", "core", "file", "size", "0", "0"] for line in file):
            break
    time.sleep(0.02)
else:
    sys.exit("the sidecar did not set its limit on core files")
os.kill(pid, signal.SIGSEGV)
_, status = os.waitpid(pid, 0)
print("status", status, "files", os.listdir("."))
sys.exit(1 if not os.WIFSIGNALED(status) or os.WCOREDUMP(status) or os.listdir(".") else 0)
