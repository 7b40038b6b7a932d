# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificates, the same for every product, from a root of trust of their own."""

import os
import subprocess

from rig import CannotRun, Process

# Directory, workload, peer.  The chain is web to db; the others are who must be refused.
ISSUED = (
    ("web", "shop", "web"),
    ("db", "shop", "db"),
    ("stranger", "shop", "stranger"),
    ("alien-web", "elsewhere", "web"),
    ("alien-db", "elsewhere", "db"),
)


class Credentials:
    """ca.pem, cert.pem, key.pem and, for those who want one file, both.pem."""

    def __init__(self, directory):
        self.directory = directory

    def dir(self, who):
        return os.path.join(self.directory, who)

    def file(self, who, name):
        return os.path.join(self.directory, who, name)


def _seal(build, rot, *words):
    env = dict(os.environ, SEAL_DIR=rot)
    done = subprocess.run(
        [os.path.join(build, "seal"), *words], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotRun(f"seal {' '.join(words)}: {done.stderr}")


def make_credentials(build, work, ports):
    rot = os.path.join(work, "rot")
    made = Credentials(os.path.join(work, "credentials"))
    os.mkdir(made.directory)
    port = ports.take()
    _seal(build, rot, "init", "--dir", rot, "--url", f"https://127.0.0.1:{port}")
    server = Process([os.path.join(build, "seal-rot"), "--dir", rot], os.path.join(work, "rot.log"))
    server.wait_listening(port)
    for workload in dict.fromkeys(workload for _, workload, _ in ISSUED):
        _seal(build, rot, "workload", "create", workload)
        _seal(build, rot, "peer", "allow", workload, "web", "db")
    for who, workload, peer in ISSUED:
        _seal(build, rot, "cert", "issue", workload, "--peer", peer, "-o", made.dir(who))
        with open(made.file(who, "both.pem"), "w", opener=_private, encoding="ascii") as both:
            for part in ("cert.pem", "key.pem"):
                with open(made.file(who, part), encoding="ascii") as file:
                    both.write(file.read())
    server.stop()
    return made


def _private(path, flags):
    return os.open(path, flags, 0o600)
