# SPDX-License-Identifier: Apache-2.0
"""The products, configured to do the same job: mutual TLS 1.3 with one suite and one curve, the same
certificates, one worker, no log of connections; resumption as the mode says."""

import dataclasses
import glob
import os
import re
import shutil
import subprocess

from rig import CannotRun, Process

SUITE = "TLS_AES_128_GCM_SHA256"
CURVE = "X25519"
CONNECTIONS = 6000  # that a product must be ready for


@dataclasses.dataclass(frozen=True)
class Mode:
    resume: bool = False
    big: bool = False  # 64 KiB buffers

    def __str__(self):
        return ("resumed" if self.resume else "full") + ("-64k" if self.big else "")


@dataclasses.dataclass(frozen=True)
class Spot:
    """Where a side stands: its directory, port and target, credentials and the programs' build."""

    work: str
    listen: int
    target: int
    credentials: object
    build: str

    def path(self, name):
        return os.path.join(self.work, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    def start(self, *argv, env=None):
        process = Process(list(argv), self.path("log"), env=env)
        process.wait_listening(self.listen)
        return process


def find_program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise CannotRun(f"{name} is not installed (see tests/packages, or choose with BENCH_PEERS)")
    return found


def _version(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.search(r"[0-9]+\.[0-9]+[-+.~0-9a-z]*", done.stdout + done.stderr)
    return found.group(0) if found else "?"


class Product:
    """Starts a side.  What a product cannot do is None or False here, and said in the report."""

    name = ""
    is_tls = True
    is_floor = False
    sides = ("terminate", "originate")
    has_big = False  # buffers that can be made 64 KiB
    terminate_checks_name = False
    can_resume = True
    can_decline = True  # to resume

    def version(self):
        raise NotImplementedError

    def terminate(self, spot, mode):
        raise NotImplementedError

    def originate(self, spot, mode):
        raise NotImplementedError


class Seal(Product):
    name = "seal"
    terminate_checks_name = True

    def __init__(self, build):
        self.program = os.path.join(build, "seal-proxy")
        self.can_resume = None  # as the build has it

    def version(self):
        return _version(self.program, "--version")

    def terminate(self, spot, mode):
        return self._start(spot, mode, "db", "inbound", "forward", "web")

    def originate(self, spot, mode):
        return self._start(spot, mode, "web", "outbound", "connect", "db")

    def _start(self, spot, mode, who, direction, verb, peer):
        listeners = (
            f"{direction}:\n  - listen: 127.0.0.1:{spot.listen}\n"
            f"    {verb}: 127.0.0.1:{spot.target}\n    peers: [{peer}]\n"
        )
        file = self._config(spot, who, listeners, mode)
        return spot.start(
            self.program, "--credentials", spot.credentials.dir(who), "--config", file, "--log-level", "warn"
        )

    def _config(self, spot, who, listeners, mode):
        """The same patience as the others, and no resumption, where the build knows them."""
        more = "timeouts:\n  handshake: 60s\n  connect: 60s\n"
        if not mode.resume:
            more += "limits:\n  sessions: 0\n"
        file = spot.write("proxy.yaml", listeners + more)
        return file if self._accepts(spot, who, file) else spot.write("proxy.yaml", listeners)

    def _accepts(self, spot, who, file):
        argv = [self.program, "--check", "--credentials", spot.credentials.dir(who), "--config", file]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0


class HAProxy(Product):
    name = "haproxy"
    has_big = True

    def version(self):
        return _version(find_program("haproxy"), "-v")

    def _common(self, mode):
        return (
            f"global\n nbthread 1\n maxconn {CONNECTIONS}\n"
            + (" tune.bufsize 65536\n" if mode.big else "")
            + ("" if mode.resume else " tune.ssl.cachesize 0\n")
            + f" ssl-default-bind-ciphersuites {SUITE}\n ssl-default-server-ciphersuites {SUITE}\n"
            " ssl-default-bind-options ssl-min-ver TLSv1.3\n ssl-default-server-options ssl-min-ver TLSv1.3\n"
            "defaults\n mode tcp\n retries 0\n timeout connect 60s\n timeout client 1h\n timeout server 1h\n"
        )

    def _start(self, spot, mode, listen):
        file = spot.write("haproxy.cfg", self._common(mode) + listen)
        return spot.start(find_program("haproxy"), "-db", "-q", "-f", file)

    def terminate(self, spot, mode):
        pem, ca = spot.credentials.file("db", "both.pem"), spot.credentials.file("db", "ca.pem")
        return self._start(
            spot,
            mode,
            f"listen t\n bind 127.0.0.1:{spot.listen} backlog 4096 ssl crt {pem} ca-file {ca} verify required"
            f" curves {CURVE} no-tls-tickets\n"
            f" server app 127.0.0.1:{spot.target}\n",
        )

    def originate(self, spot, mode):
        pem, ca = spot.credentials.file("web", "both.pem"), spot.credentials.file("web", "ca.pem")
        return self._start(
            spot,
            mode,
            f"listen o\n bind 127.0.0.1:{spot.listen} backlog 4096\n"
            f" server peer 127.0.0.1:{spot.target} ssl crt {pem} ca-file {ca} verify required verifyhost db"
            + (" no-ssl-reuse\n" if not mode.resume else "\n"),
        )


class Nginx(Product):
    name = "nginx"
    has_big = True

    def version(self):
        return _version(find_program("nginx"), "-v")

    def _start(self, spot, mode, server):
        modules = glob.glob("/usr/lib*/nginx/modules/ngx_stream_module.so")
        module = f"load_module {modules[0]};\n" if modules else ""
        file = spot.write(
            "nginx.conf",
            f"{module}worker_processes 1;\npid {spot.path('pid')};\nerror_log {spot.path('log')} crit;\n"
            f"daemon off;\nevents {{ worker_connections {2 * CONNECTIONS}; }}\n"
            f"stream {{\n access_log off;\n server {{\n{server}"
            + ("  proxy_buffer_size 64k;\n" if mode.big else "")
            + f"  proxy_timeout 1h;\n  proxy_pass 127.0.0.1:{spot.target};\n }}\n}}\n",
        )
        return spot.start(find_program("nginx"), "-p", spot.work, "-e", spot.path("log"), "-c", file)

    def terminate(self, spot, mode):
        cert, key, ca = (spot.credentials.file("db", name) for name in ("cert.pem", "key.pem", "ca.pem"))
        return self._start(
            spot,
            mode,
            f"  listen 127.0.0.1:{spot.listen} ssl backlog=4096;\n"
            f"  ssl_certificate {cert};\n  ssl_certificate_key {key};\n"
            f"  ssl_client_certificate {ca};\n  ssl_verify_client on;\n  ssl_protocols TLSv1.3;\n"
            f"  ssl_conf_command Ciphersuites {SUITE};\n  ssl_ecdh_curve {CURVE};\n  ssl_session_tickets off;\n"
            f"  ssl_session_cache {'shared:bench:10m' if mode.resume else 'off'};\n",
        )

    def originate(self, spot, mode):
        cert, key, ca = (spot.credentials.file("web", name) for name in ("cert.pem", "key.pem", "ca.pem"))
        return self._start(
            spot,
            mode,
            f"  listen 127.0.0.1:{spot.listen} backlog=4096;\n  proxy_ssl on;\n"
            f"  proxy_ssl_certificate {cert};\n  proxy_ssl_certificate_key {key};\n"
            f"  proxy_ssl_trusted_certificate {ca};\n  proxy_ssl_verify on;\n  proxy_ssl_name db;\n"
            f"  proxy_ssl_protocols TLSv1.3;\n  proxy_ssl_conf_command Ciphersuites {SUITE};\n"
            f"  proxy_ssl_conf_command Groups {CURVE};\n"
            f"  proxy_ssl_session_reuse {'on' if mode.resume else 'off'};\n",
        )


class Stunnel(Product):
    name = "stunnel"
    terminate_checks_name = True

    def version(self):
        return _version(find_program("stunnel4"), "-version")

    def _start(self, spot, mode, who, service):
        cert, key, ca = (spot.credentials.file(who, name) for name in ("cert.pem", "key.pem", "ca.pem"))
        file = spot.write(
            "stunnel.conf",
            f"foreground = yes\npid =\ndebug = 3\nsyslog = no\noutput = {spot.path('log')}\n"
            "socket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[bench]\n"
            f"accept = 127.0.0.1:{spot.listen}\nconnect = 127.0.0.1:{spot.target}\n"
            f"cert = {cert}\nkey = {key}\nCAfile = {ca}\nverifyChain = yes\nsslVersion = TLSv1.3\n"
            f"ciphersuites = {SUITE}\ncurves = {CURVE}\nTIMEOUTidle = 3600\nTIMEOUTconnect = 60\n"
            f"sessionResume = {'yes' if mode.resume else 'no'}\n{service}",
        )
        return spot.start(find_program("stunnel4"), file)

    def terminate(self, spot, mode):
        return self._start(spot, mode, "db", "requireCert = yes\ncheckHost = web\n")

    def originate(self, spot, mode):
        return self._start(spot, mode, "web", "client = yes\ncheckHost = db\n")


class Hitch(Product):
    """Terminates only; HAProxy originates in front of it and is not counted."""

    name = "hitch"
    sides = ("terminate",)
    can_decline = False

    def version(self):
        return _version(find_program("hitch"), "--version")

    def terminate(self, spot, mode):
        # It refuses to work as root, and to be told of a user as anyone else.
        user = 'user = "nobody"\ngroup = "nogroup"\n' if os.geteuid() == 0 else ""
        file = spot.write(
            "hitch.conf",
            f'frontend = {{ host = "127.0.0.1" port = "{spot.listen}" }}\n'
            f'backend = "[127.0.0.1]:{spot.target}"\nworkers = 1\nbacklog = 4096\n'
            f'pem-file = "{spot.credentials.file("db", "both.pem")}"\n'
            f'client-verify = required\nclient-verify-ca = "{spot.credentials.file("db", "ca.pem")}"\n'
            f'tls-protos = TLSv1.3\nciphersuites = "{SUITE}"\necdh-curve = "{CURVE}"\n'
            "daemon = off\nquiet = on\nsyslog = off\n" + user,
        )
        return spot.start(find_program("hitch"), f"--config={file}")

    def originate(self, spot, mode):
        return HAProxy().originate(spot, mode)


class Relay(Product):
    name = "relay"
    is_tls = False
    is_floor = True

    def version(self):
        return "ours"

    def terminate(self, spot, mode):
        program = os.path.join(spot.build, "tests/bench/bench-relay")
        return spot.start(program, str(spot.listen), str(spot.target))

    originate = terminate


class Direct(Product):
    name = "direct"
    is_tls = False
    is_floor = True
    sides = ()

    def version(self):
        return "no proxy"


PEERS = {"haproxy": HAProxy, "nginx": Nginx, "stunnel": Stunnel, "hitch": Hitch, "relay": Relay, "direct": Direct}


class Chain:
    """load, originate, terminate, sink: the two in the middle are the product's."""

    def __init__(self, bench, product, mode):
        self.product = product
        self.name = product.name + ("-64k" if mode.big else "")
        self.processes = {}
        self.all = []
        self.port = bench.sink_port
        if not product.sides:
            return
        for side, start in (("terminate", product.terminate), ("originate", product.originate)):
            process, self.port = start_side(bench, product, side, start, mode, self.port)
            self.all.append(process)
            if side in product.sides:
                self.processes[side] = process

    def stop(self):
        for process in reversed(self.all):
            process.stop()


def start_side(bench, product, side, start, mode, target):
    """The process and its port."""
    work = os.path.join(bench.work, f"{product.name}-{side}-{mode}-{bench.ports.next}")
    os.mkdir(work)
    port = bench.ports.take()
    return start(Spot(work, port, target, bench.credentials, bench.build), mode), port
