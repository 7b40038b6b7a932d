# SPDX-License-Identifier: Apache-2.0
"""A file system that never answers: mounts FUSE at a directory and reads none of its requests."""
import ctypes
import os
import signal
import sys

directory = sys.argv[1].encode()
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % device
if libc.mount(b"stalled", directory, b"fuse", 0, options) < 0:
    sys.exit(f"stalled: cannot mount: {os.strerror(ctypes.get_errno())}")
print("stalled", flush=True)
signal.pause()
