#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stall.py FILE FD: mount a file system over a file that answers nothing, until we are ended; FD is /dev/fuse."""
import ctypes
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={sys.argv[2]},rootmode=100644,user_id=0,group_id=0"
if libc.mount(b"none", sys.argv[1].encode(), b"fuse", 0, options.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("mounted", flush=True)
signal.pause()
