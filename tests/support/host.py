#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host: what kubelet and containerd do to start the containers of a pod with runc, for one pod of a manifest.

  host.py pod MANIFEST POD DIR [--address IP]      the pod's directory: its volumes, hosts, resolv.conf, hostname
  host.py bundle MANIFEST POD CONTAINER DIR BUNDLE --layers UPPER:LOWER --net PATH
                                                   an OCI bundle: an overlay of the image's layers, config.json
  host.py run BUNDLE ID [--between COMMAND]        what a shim does: create, start, wait; ends as the container does
  host.py compose PATCH FILE                       a plain pod and its ConfigMap, changed by a patch
  host.py serve                                    any of these, again and again: on standard input the number of words
                                                   and the words, each ended by NUL; the exit status on standard output

A pod's directory holds etc-hosts, resolv.conf, hostname, shm and volumes/NAME; a script that plays a hostile host
changes a file there, a member of config.json in the bundle, or, with --between, the container's own mounts after
it has been created and before its program starts (PID is in the environment).  Files are in the kubelet's words
and mounts in the order and with the options of containerd's; memory, Secrets and projected volumes are tmpfs, as
the kubelet has them.  Tokens have the right claims and a signature of random bytes.
"""
import argparse
import base64
import ctypes
import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import traceback

kubelet = None  # a shim needs none of it

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ISSUER = "https://kubernetes.default.svc.cluster.local"
CAPABILITIES = """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
	SYS_CHROOT KILL AUDIT_WRITE""".split()


SUFFIX = {"Pod": "", "Deployment": "-6d4cf56db6-x7k2p", "StatefulSet": "-0"}  # what controllers call their pods


# ---- the pod's directory ----


def b64url(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def token(namespace, account, pod, audience=ISSUER, seconds=3607, issuer=ISSUER):
    """As the API server signs it, but for the signature."""
    now = int(time.time())
    claims = {
        "aud": [audience],
        "exp": now + seconds,
        "iat": now - 1 if seconds > 0 else now + seconds - 3607,
        "iss": issuer,
        "jti": "11111111-2222-3333-4444-555555555555",
        "kubernetes.io": {
            "namespace": namespace,
            "node": {"name": "node-1", "uid": "0f"},
            "pod": {"name": pod, "uid": "6b1f"},
            "serviceaccount": {"name": account, "uid": "77aa"},
            "warnafter": now + seconds,
        },
        "nbf": now - 1 if seconds > 0 else now + seconds - 3607,
        "sub": f"system:serviceaccount:{namespace}:{account}",
    }
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256", "kid": "k1"}, claims)]
    return ".".join(b64url(part) for part in [*parts, secrets.token_bytes(256)])


class Pod:
    def __init__(self, manifest, name, directory):
        self.documents = kubelet.load(manifest)
        self.name, self.directory = name, directory
        self.spec, self.namespace = kubelet.pod_of(self.documents, name)
        owner = next(d for d in self.documents if d["kind"] in kubelet.POD_KINDS and d["metadata"]["name"] == name)
        self.account = self.spec.get("serviceAccountName", "default")
        self.own = name + SUFFIX.get(owner["kind"], "-x7k2p")
        self.hostname = self.spec.get("hostname", self.own)[:63]
        if owner["kind"] == "StatefulSet":
            self.hostname, self.spec["subdomain"] = self.own, owner["spec"]["serviceName"]
        self.volumes = os.path.join(directory, "volumes")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        """In place: a container may have it mounted."""
        if os.path.exists(self.path(name)) and not os.path.isfile(self.path(name)):
            os.unlink(self.path(name))
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def has_account(self):
        return self.spec.get("automountServiceAccountToken", True)

    def account_files(self, source_token=None):
        with open(self.path("ca.crt"), "rb") as certificate:
            ca = certificate.read()
        return {
            "token": (source_token or token(self.namespace, self.account, self.own)).encode(),
            "ca.crt": ca,
            "namespace": self.namespace.encode(),
        }

    def hosts(self, address):
        if self.spec.get("hostNetwork"):
            lines = ["# Kubernetes-managed hosts file (host network).", "127.0.0.1\tlocalhost",
                     "::1\tlocalhost ip6-localhost ip6-loopback", f"{address}\tnode-1"]
        else:
            lines = ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback",
                     "fe00::0\tip6-localnet", "fe00::0\tip6-mcastprefix", "fe00::1\tip6-allnodes", "fe00::2\tip6-allrouters"]
            domain = self.spec.get("subdomain")
            full = f"{self.hostname}.{domain}.{self.namespace}.svc.cluster.local\t" if domain else ""
            lines.append(f"{address}\t{full}{self.hostname}")
        if self.spec.get("hostAliases"):
            lines += ["", "# Entries added by HostAliases."]
            lines += ["\t".join([alias["ip"], *alias["hostnames"]]) for alias in self.spec["hostAliases"]]
        return "\n".join(lines) + "\n"

    def resolv(self):
        policy = self.spec.get("dnsPolicy", "ClusterFirst")
        config = self.spec.get("dnsConfig") or {}
        servers, searches, options = [], [], []
        if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and not (policy == "ClusterFirst" and self.spec.get("hostNetwork")):
            servers = ["10.96.0.10"]
            searches = [f"{self.namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
            options = ["ndots:5"]
        elif policy != "None":
            servers, searches = ["192.0.2.53"], ["node.example"]
        servers += config.get("nameservers") or []
        searches += config.get("searches") or []
        options += [o["name"] + (":" + o["value"] if "value" in o else "") for o in config.get("options") or []]
        lines = ["search " + " ".join(searches)] if searches else []
        lines += ["nameserver " + server for server in servers]
        lines += ["options " + " ".join(options)] if options else []
        return "\n".join(lines) + "\n"

    def make(self, address):
        os.makedirs(self.volumes, exist_ok=True)
        for volume in self.spec.get("volumes") or []:
            if "secret" in volume or "projected" in volume:
                self.memory(os.path.join(self.volumes, volume["name"]))
        kubelet.make_volumes(self.documents, self.spec, self.volumes)
        if self.has_account():
            self.memory(self.path("account"))
            kubelet.publish(self.path("account"), self.account_files())
        self.write("etc-hosts", self.hosts(address))
        self.write("resolv.conf", self.resolv())
        self.write("hostname", self.hostname + "\n")
        if not os.path.isdir(self.path("shm")):
            os.mkdir(self.path("shm"))
            subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,mode=1777,size=65536k", "shm", self.path("shm")],
                           check=True)

    @staticmethod
    def memory(directory):
        if not os.path.isdir(directory):
            os.makedirs(directory)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755,size=1024k", "tmpfs", directory], check=True)


def projected_with_tokens(pod):
    """kubelet.projected, which also knows tokens and the certificate of the cluster."""
    plain = kubelet.projected

    def projected(documents, source):
        if "serviceAccountToken" in source:
            wanted = source["serviceAccountToken"]
            text = token(pod.namespace, pod.account, pod.own, wanted.get("audience", ISSUER))
            return {wanted["path"]: text.encode()}
        return plain(documents, source)

    return projected


# ---- bundles ----


def bind(destination, source, *options, propagation="rprivate"):
    return {"destination": destination, "type": "bind", "source": source, "options": ["rbind", propagation, *options]}


def system_mounts():
    """What containerd always mounts."""
    usual = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": usual},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": usual},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*usual, "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*usual, "relatime", "ro"]},
    ]


PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def volume_mounts(pod, container):
    from_api = {v["name"] for v in pod.spec.get("volumes") or [] if {"configMap", "secret", "projected", "downwardAPI"} & v.keys()}
    for mount in container.get("volumeMounts") or []:
        is_read_only = mount.get("readOnly") or mount["name"] in from_api
        source = os.path.join(pod.volumes, mount["name"])
        if mount.get("subPath"):
            source = os.path.join(source, mount["subPath"])
            if not os.path.exists(source):
                os.makedirs(source)
        yield bind(mount["mountPath"], source, "ro" if is_read_only else "rw",
                   propagation=PROPAGATION[mount.get("mountPropagation", "None")])


def container_mounts(pod, container, bundle):
    log = os.path.join(bundle, "termination-log")
    with open(log, "w", encoding="utf-8"):
        pass
    os.chmod(log, 0o666)
    mounts = list(volume_mounts(pod, container))
    declared = {mount["destination"] for mount in mounts}
    usual = [
        bind("/etc/hosts", pod.path("etc-hosts"), "rw"),
        bind(container.get("terminationMessagePath", "/dev/termination-log"), log, "rw"),
        bind("/etc/hostname", pod.path("hostname"), "rw"),
        bind("/etc/resolv.conf", pod.path("resolv.conf"), "rw"),
        bind("/dev/shm", pod.path("shm"), "rw"),
    ]
    if pod.has_account():
        usual.append(bind(ACCOUNT, pod.path("account"), "ro"))
    mounts += [mount for mount in usual if mount["destination"] not in declared]
    return system_mounts() + sorted(mounts, key=lambda m: m["destination"].count("/"))


def service_links(name, address, port):
    tcp = f"{name}_PORT_{port}_TCP"
    return {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_PORT": f"tcp://{address}:{port}",
        tcp: f"tcp://{address}:{port}",
        f"{tcp}_PROTO": "tcp",
        f"{tcp}_PORT": str(port),
        f"{tcp}_ADDR": address,
    }


def environment(pod, container):
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": pod.hostname}
    env |= service_links("KUBERNETES", "10.96.0.1", 443) | {"KUBERNETES_SERVICE_PORT_HTTPS": "443"}
    if pod.spec.get("enableServiceLinks", True):
        env |= service_links("DB", "10.96.7.7", 5432)
    return env | kubelet.environment(pod.documents, container, pod.name)


def process(pod, container, entrypoint):
    known = kubelet.environment(pod.documents, container, pod.name)
    words = container.get("command") or entrypoint
    context = (pod.spec.get("securityContext") or {}) | (container.get("securityContext") or {})
    user = context.get("runAsUser", 0)
    names = [] if user else ["CAP_" + name for name in CAPABILITIES]
    return {
        "terminal": False,
        "user": {"uid": user, "gid": context.get("runAsGroup", user)},
        "args": [kubelet.expand(word, known) for word in [*words, *(container.get("args") or [])]],
        "env": [f"{name}={value}" for name, value in environment(pod, container).items()],
        "cwd": container.get("workingDir", "/"),
        "capabilities": {kind: names for kind in ("bounding", "effective", "permitted")},
        "noNewPrivileges": not context.get("allowPrivilegeEscalation", True),
    }


def bundle(args):
    pod = Pod(args.manifest, args.pod, args.dir)
    every = (pod.spec.get("initContainers") or []) + pod.spec["containers"]
    container = next(c for c in every if c["name"] == args.container)
    root = os.path.join(args.bundle, "root")
    for name in ("upper", "work", "root"):
        os.makedirs(os.path.join(args.bundle, name))
    layers = args.layers + ("" if ":" in args.layers else ":" + os.path.join(args.dir, "empty"))
    os.makedirs(os.path.join(args.dir, "empty"), exist_ok=True)
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={layers},upperdir={args.bundle}/upper,workdir={args.bundle}/work",
                    "overlay", root], check=True)
    subprocess.run(["runc", "spec", "--bundle", args.bundle], check=True)
    path = os.path.join(args.bundle, "config.json")
    with open(path, encoding="utf-8") as stream:
        config = json.load(stream)
    context = container.get("securityContext") or {}
    config["process"] = process(pod, container, args.entrypoint.split())
    config["root"] = {"path": root, "readonly": context.get("readOnlyRootFilesystem", False)}
    config["hostname"] = pod.hostname
    config["mounts"] = container_mounts(pod, container, args.bundle)
    linux = config["linux"]
    linux["cgroupsPath"] = "/seal-e2e-" + os.path.basename(args.bundle)
    for namespace in linux["namespaces"]:
        if namespace["type"] == "network":
            namespace["path"] = args.net
    if any("rslave" in m.get("options", ()) for m in config["mounts"]):
        linux["rootfsPropagation"] = "rslave"
    with open(path, "w", encoding="utf-8") as out:
        json.dump(config, out, indent=1)


# ---- the shim ----


def wait_for(pid):
    while True:
        found, status = os.wait()
        if found == pid:
            return os.waitstatus_to_exitcode(status)


def run(args):
    state = args.state
    pidfile = os.path.join(args.bundle, "pid")
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: the container becomes ours
    runc = ["runc", "--root", state]
    if subprocess.run([*runc, "create", "--bundle", args.bundle, "--pid-file", pidfile, args.id]).returncode != 0:
        print("host: the container could not be created", flush=True)
        sys.exit(99)
    with open(pidfile, encoding="utf-8") as stream:
        pid = int(stream.read())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: os.kill(pid, n))
    if args.between and subprocess.run(["sh", "-ec", args.between], env=os.environ | {"PID": str(pid)}).returncode != 0:
        os.kill(pid, signal.SIGKILL)
        print("host: what was to be done in between failed", flush=True)
        sys.exit(98)
    subprocess.run([*runc, "start", args.id], check=True)
    code = wait_for(pid)
    subprocess.run([*runc, "delete", "--force", args.id], check=False)
    sys.exit(code if code >= 0 else 128 - code)


# ---- a pod with one thing that is special ----


def merge(to, other):
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(to.get(key), dict):
            merge(to[key], value)
        elif isinstance(value, list) and isinstance(to.get(key), list) and key != "command":
            to[key] += value
        else:
            to[key] = value


def compose(patch, path):
    """The plain pod, with a patch in YAML: maps are merged, lists are appended, the rest replaces."""
    yaml = kubelet.yaml
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"},
                "data": {"page.txt": "marker-page"}}
    app = {
        "name": "app", "image": "app", "workingDir": "/work",
        "command": ["/bin/sh", "-c", "echo marker-started; exec httpd -f -p 127.0.0.1:8080 -h /etc/app"],
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/app"}],
    }
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "annotations": {"seal-control.io/inbound": "8443=8080"}},
        "spec": {"volumes": [{"name": "settings", "configMap": {"name": "settings"}}], "containers": [app]},
    }
    patch = yaml.safe_load(patch.replace("\t", " ")) or {}
    kind, more = patch.pop("kind", "Pod"), patch.pop("more", {})
    merge(app, patch.pop("app", {}))
    merge(pod["metadata"], patch.pop("metadata", {}))
    merge(pod["spec"], patch)
    if kind != "Pod":
        template = {"metadata": {"labels": {"app": "web"}, "annotations": pod["metadata"].pop("annotations")}, "spec": pod["spec"]}
        selector = {} if kind == "Job" else {"selector": {"matchLabels": {"app": "web"}}}
        version = "batch/v1" if kind == "Job" else "apps/v1"
        pod = {"apiVersion": version, "kind": kind, "metadata": pod["metadata"], "spec": {**selector, **more, "template": template}}
    with open(path, "w", encoding="utf-8") as out:
        yaml.safe_dump_all([settings, pod], out, sort_keys=False)


# ---- many of these, without starting anew each time ----


def word(stream):
    read = bytearray()
    while (byte := stream.read(1)) not in (b"", b"\0"):
        read += byte
    return read.decode()


def attend(arguments):
    """In a process of its own, so that nothing is left of one request in the next."""
    os.dup2(2, 1)
    code = 1
    try:
        main(arguments)
        code = 0
    except SystemExit as end:
        if isinstance(end.code, int):
            code = end.code
        else:
            print(end.code, file=sys.stderr)
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def serve():
    while count := word(sys.stdin.buffer):
        arguments = [word(sys.stdin.buffer) for _ in range(int(count))]
        pid = os.fork()
        if pid == 0:
            attend(arguments)
        print(wait_for(pid), flush=True)


def main(arguments=None):
    global kubelet
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("pod", "bundle", "token"):
        sub = verbs.add_parser(verb)
        sub.add_argument("manifest")
        sub.add_argument("pod")
        if verb == "bundle":
            sub.add_argument("container")
        sub.add_argument("dir")
        if verb == "bundle":
            sub.add_argument("bundle")
            sub.add_argument("--layers", required=True)
            sub.add_argument("--net", required=True)
            sub.add_argument("--entrypoint", default="")
        elif verb == "pod":
            sub.add_argument("--address", default="192.0.2.7")
        else:  # turns the account's directory to a new version
            sub.add_argument("--account")
            sub.add_argument("--namespace")
            sub.add_argument("--audience", default=ISSUER)
            sub.add_argument("--issuer", default=ISSUER)
            sub.add_argument("--of-pod")
            sub.add_argument("--seconds", type=int, default=3607)
            sub.add_argument("--text")
    sub = verbs.add_parser("run")
    sub.add_argument("bundle")
    sub.add_argument("id")
    sub.add_argument("--state", required=True)
    sub.add_argument("--between")
    sub = verbs.add_parser("compose")
    sub.add_argument("patch")
    sub.add_argument("out")
    verbs.add_parser("serve")
    args = parser.parse_args(arguments)
    if args.verb == "run":
        run(args)
        return
    kubelet = importlib.import_module("kubelet")
    if args.verb == "serve":
        serve()
        return
    if args.verb == "compose":
        compose(args.patch, args.out)
        return
    pod = Pod(args.manifest, args.pod, args.dir)
    kubelet.projected = projected_with_tokens(pod)
    if args.verb == "pod":
        pod.make(args.address)
    elif args.verb == "bundle":
        bundle(args)
    else:
        new = args.text or token(args.namespace or pod.namespace, args.account or pod.account, args.of_pod or pod.own,
                                 args.audience, args.seconds, args.issuer)
        kubelet.publish(pod.path("account"), pod.account_files(new))


main()
