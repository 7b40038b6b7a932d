# SPDX-License-Identifier: Apache-2.0
"""What kubelet and runtime lay around a container: its root, proc, sys, dev, the files that they write."""
import base64
import ctypes
import json
import os
import stat
import subprocess
import tempfile
import time

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICE = {
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
    "KUBERNETES_SERVICE_PORT_HTTPS": "443",
    "KUBERNETES_PORT": "tcp://10.96.0.1:443",
    "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
    "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
    "KUBERNETES_PORT_443_TCP_PORT": "443",
    "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
}


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def bind(source, target, read_only=False):
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            open(target, "w", encoding="utf-8").close()
    mount("--bind", source, target)
    if read_only:
        mount("-o", "remount,bind,ro", target)


def make_dev(dev):
    mount("-t", "tmpfs", "-o", "nosuid,mode=755,size=65536k", "tmpfs", dev)
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)):
        os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
        os.chmod(f"{dev}/{name}", 0o666)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx")):
        os.symlink(target, f"{dev}/{name}")
    for name in ("pts", "mqueue", "shm"):
        os.mkdir(f"{dev}/{name}")
    mount("-t", "devpts", "-o", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", "devpts", f"{dev}/pts")
    mount("-t", "mqueue", "-o", "nosuid,noexec,nodev", "mqueue", f"{dev}/mqueue")
    mount("-t", "tmpfs", "-o", "nosuid,noexec,nodev,mode=1777,size=65536k", "shm", f"{dev}/shm")


def make_system(root):
    """As runc with the defaults of containerd."""
    mount("-t", "proc", "-o", "nosuid,noexec,nodev", "proc", f"{root}/proc")
    make_dev(f"{root}/dev")
    mount("-t", "sysfs", "-o", "nosuid,noexec,nodev,ro", "sysfs", f"{root}/sys")
    for part in ("bus", "fs", "irq", "sys"):
        path = f"{root}/proc/{part}"
        if os.path.isdir(path):
            mount("--bind", path, path)
            mount("-o", "remount,bind,ro,nosuid,noexec,nodev", path)
    for path in ("kcore", "keys", "timer_list"):
        if os.path.exists(f"{root}/proc/{path}"):
            mount("--bind", f"{root}/dev/null", f"{root}/proc/{path}")
    for path in ("proc/acpi", "sys/firmware"):
        if os.path.isdir(f"{root}/{path}"):
            mount("-t", "tmpfs", "-o", "ro", "tmpfs", f"{root}/{path}")


def own_address():
    words = subprocess.run(["ip", "-o", "-4", "address", "show", "scope", "global"], check=True, capture_output=True, text=True).stdout.split()
    found = [words[i + 1].split("/")[0] for i, word in enumerate(words) if word == "inet"]
    return found[-1] if found else "192.0.2.7"


def hosts_file(spec, hostname, namespace):
    subdomain = spec.get("subdomain")
    names = f"{hostname}.{subdomain}.{namespace}.svc.cluster.local\t{hostname}" if subdomain else hostname
    lines = ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    lines += ["fe00::0\tip6-localnet", "fe00::0\tip6-mcastprefix", "fe00::1\tip6-allnodes", "fe00::2\tip6-allrouters"]
    lines += [f"{own_address()}\t{names}"]
    if spec.get("hostAliases"):
        lines += ["", "# Entries added by HostAliases."]
        lines += ["\t".join([alias["ip"], *alias["hostnames"]]) for alias in spec["hostAliases"]]
    return "\n".join(lines) + "\n"


def resolv_file(spec, namespace):
    servers, searches, options = [], [], []
    if spec.get("dnsPolicy", "ClusterFirst") != "None":
        servers, options = ["10.96.0.10"], ["ndots:5"]
        searches = [f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    config = spec.get("dnsConfig") or {}
    servers += config.get("nameservers", [])
    searches += config.get("searches", [])
    options += [o["name"] + (f":{o['value']}" if "value" in o else "") for o in config.get("options", [])]
    text = f"search {' '.join(searches)}\n" if searches else ""
    text += "".join(f"nameserver {server}\n" for server in servers)
    return text + (f"options {' '.join(options)}\n" if options else "")


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def account_files(spec, pod, namespace, base):
    """Token, CA and namespace; the CA is one for all pods of a directory."""
    name = spec.get("serviceAccountName", "default")
    now = int(time.time())
    claims = {
        "aud": [ISSUER], "exp": now + 3607, "iat": now, "iss": ISSUER, "nbf": now,
        "kubernetes.io": {"namespace": namespace, "pod": {"name": pod, "uid": "3d4f4a80-3b35-4a0c-9e0f-0d8a64d5f8a1"},
                          "serviceaccount": {"name": name, "uid": "a45f8a0e-6a80-4f0e-9f0e-1c9d6a1f7b22"}},
        "sub": f"system:serviceaccount:{namespace}:{name}",
    }
    token = ".".join([encode(json.dumps({"alg": "RS256", "kid": "test"}).encode()), encode(json.dumps(claims).encode()), encode(os.urandom(256))])
    authority = os.path.join(base, "..ca.crt")
    if not os.path.exists(authority):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                        "/CN=kubernetes", "-keyout", "/dev/null", "-out", authority], check=True, stderr=subprocess.DEVNULL)
    with open(authority, "rb") as stream:
        return {"token": token.encode(), "ca.crt": stream.read(), "namespace": namespace.encode()}


def write(path, text):
    """In place, as kubelet does it."""
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def make_root():
    """A mount of its own of the root file system, without what is mounted below."""
    if os.path.ismount("/usr"):
        raise SystemExit("this pod's root has no file system of its own")
    root = tempfile.mkdtemp(prefix="container-", dir="/run")
    mount("--bind", "/", root)
    make_system(root)
    return root


def lay_runtime_files(root, spec, hostname, namespace, base):
    os.makedirs(base, exist_ok=True)
    bind(write(f"{base}/.hosts", hosts_file(spec, hostname, namespace)), f"{root}/etc/hosts")
    bind(write(f"{base}/.hostname", hostname + "\n"), f"{root}/etc/hostname")
    bind(write(f"{base}/.resolv.conf", resolv_file(spec, namespace)), f"{root}/etc/resolv.conf")
    bind(write(f"{base}/.termination-log", ""), f"{root}/dev/termination-log")


def enter(root):
    """By itself: the new root may hold no program that could."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.chdir(root)
    if libc.pivot_root(b".", b".") != 0 or libc.umount2(b".", 2) != 0:  # MNT_DETACH
        raise OSError(ctypes.get_errno(), "cannot change the root")
    os.chdir("/")
