#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kubelet's and the runtime's part of a pod's life, for a manifest whose pod's image is this very root.

  kubelet.py volumes MANIFEST POD DIR           make or update the pod's volumes below DIR
  kubelet.py run MANIFEST POD CONTAINER DIR [--probe NAME] [--program PATH] [-- EXTRA...]
                                                become that container: mounts, host name, the files of kubelet (container.py)
                                                around a root that all containers share; --time N measures

Volumes of ConfigMaps and Secrets are written as the kubelet writes them: a directory for each version, ..data a
link to it, names links through ..data; an update turns ..data with one rename.  Memory volumes are tmpfs.
Variables are resolved and $(NAME) expanded as the kubelet does it.  --probe runs a probe's or hook's command
instead, as the runtime would in the same container; --program stands for the image's entry point when the
manifest names no command.  Probes are not run by themselves.
"""
import argparse
import base64
import os
import re
import subprocess
import sys
import tempfile
import time

import yaml

import container as runtime

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is built in
POD_KINDS = {"Pod": (), "Deployment": ("template",), "StatefulSet": ("template",), "DaemonSet": ("template",), "Job": ("template",)}


def load(path):
    with open(path, encoding="utf-8") as stream:
        documents = []
        for document in yaml.load_all(stream, Loader=LOADER):
            documents += document["items"] if document and document["kind"] == "List" else [document]
    return [d for d in documents if d]


def pod_of(documents, name):
    """Its spec and its namespace."""
    for document in documents:
        if document["kind"] in POD_KINDS and document["metadata"]["name"] == name:
            inside = document if document["kind"] == "Pod" else document["spec"]["template"]
            return inside["spec"], document["metadata"].get("namespace", "default")
    sys.exit(f"no pod {name} in the manifest")


def values(document):
    """Every value as the bytes a volume shows."""
    found = {}
    for key, value in (document.get("data") or {}).items():
        found[key] = base64.b64decode(value) if document["kind"] == "Secret" else value.encode()
    for key, value in (document.get("binaryData") or {}).items():
        found[key] = base64.b64decode(value)
    for key, value in (document.get("stringData") or {}).items():
        found[key] = value.encode()
    return found


def find(documents, kind, name, optional=False):
    for document in documents:
        if document["kind"] == kind and document["metadata"]["name"] == name:
            return values(document)
    if optional:
        return None
    sys.exit(f"no {kind} {name} in the manifest")


def projected(documents, source):
    """The files of one source of a volume, by path."""
    for member, kind, name in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        if member not in source:
            continue
        wanted = source[member]
        found = find(documents, kind, wanted.get(name) or wanted.get("name"), wanted.get("optional", False))
        if found is None:
            return {}
        if wanted.get("items"):
            return {item["path"]: found[item["key"]] for item in wanted["items"] if item["key"] in found}
        return found
    if "downwardAPI" in source:
        return {item["path"]: b"from the cluster\n" for item in source["downwardAPI"]["items"]}
    return None


def volume_files(documents, volume):
    if "projected" in volume:
        files = {}
        for source in volume["projected"]["sources"]:
            files.update(projected(documents, source) or {})
        return files
    return projected(documents, volume)


def publish(directory, files):
    """As Kubernetes' atomic writer: all of a version, then one rename."""
    os.makedirs(directory, exist_ok=True)
    version = tempfile.mkdtemp(prefix="..2026_01_01_00_00_00.", dir=directory)
    os.chmod(version, 0o755)
    for path, content in files.items():
        full = os.path.join(version, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as out:
            out.write(content)
        os.chmod(full, 0o444)
    link = os.path.join(directory, "..data")
    old = os.readlink(link) if os.path.islink(link) else None
    os.symlink(os.path.basename(version), link + "_tmp")
    os.rename(link + "_tmp", link)
    tops = {path.split("/")[0] for path in files}
    for top in tops:
        at = os.path.join(directory, top)
        if not os.path.islink(at):
            os.symlink("..data/" + top, at)
    for entry in os.listdir(directory):
        if not entry.startswith("..") and entry not in tops:
            os.unlink(os.path.join(directory, entry))
    if old:
        subprocess.run(["rm", "-rf", os.path.join(directory, old)], check=True)


def make_volumes(documents, spec, base):
    for volume in spec.get("volumes") or []:
        directory = os.path.join(base, volume["name"])
        files = volume_files(documents, volume)
        if files is not None:
            marker = os.path.join(base, "." + volume["name"])
            state = repr(sorted(files.items()))
            if os.path.exists(marker) and open(marker, encoding="utf-8").read() == state:
                continue
            publish(directory, files)
            with open(marker, "w", encoding="utf-8") as out:
                out.write(state)
        elif "emptyDir" in volume and not os.path.isdir(directory):
            os.makedirs(directory)
            if volume["emptyDir"].get("medium") == "Memory":
                subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777,nosuid,nodev", "seal-memory", directory], check=True)
            else:
                os.chmod(directory, 0o777)


def mount_all(spec, container, base, root):
    made = {v["name"]: v for v in spec.get("volumes") or []}
    for mount in sorted(container.get("volumeMounts") or [], key=lambda m: m["mountPath"].count("/")):
        if mount["name"] not in made:
            sys.exit(f"no volume {mount['name']}")
        source = os.path.join(base, mount["name"])
        if mount.get("subPath"):
            source = os.path.join(source, mount["subPath"])
            if not os.path.exists(source):
                os.makedirs(source)  # what a kubelet does: a directory
        runtime.bind(source, root + mount["mountPath"], mount.get("readOnly", False))


def mount_account(spec, container, pod, namespace, base, root):
    if spec.get("automountServiceAccountToken") is False or any(m["mountPath"] == runtime.ACCOUNT for m in container.get("volumeMounts") or []):
        return
    directory = os.path.join(base, "..account")
    publish(directory, runtime.account_files(spec, pod, namespace, base))
    runtime.bind(directory, root + os.path.realpath(runtime.ACCOUNT), True)


def make_container(spec, container, args, namespace):
    """A root around it; a sidecar finds others by the hosts file of the test."""
    hostname = spec.get("hostname", args.pod)
    root = runtime.make_root()
    subprocess.run(["hostname", hostname], check=True)
    if container["name"] != "seal-proxy":
        runtime.lay_runtime_files(root, spec, hostname, namespace, os.path.join(args.dir, "..runtime"))
    mount_account(spec, container, args.pod, namespace, args.dir, root)
    mount_all(spec, container, args.dir, root)
    for words in args.hostile:
        subprocess.run(["sh", "-c", words, "sh", root], check=True)
    runtime.enter(root)


def expand(text, known):
    """$(NAME) of what is known; $$ is one $; the rest stays."""
    return re.sub(r"\$(\$|\(([^()]*)\))", lambda m: "$" if m.group(1) == "$" else known.get(m.group(2), m.group(0)), text)


def environment(documents, container, name):
    env = {}
    for source in container.get("envFrom") or []:
        kind, member = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
        found = find(documents, kind, source[member]["name"], source[member].get("optional", False))
        for key, value in (found or {}).items():
            env[source.get("prefix", "") + key] = value.decode()
    for entry in container.get("env") or []:
        source = entry.get("valueFrom")
        if source is None:
            env[entry["name"]] = expand(entry.get("value") or "", env)
            continue
        path = (source.get("fieldRef") or {}).get("fieldPath")
        value = {"metadata.name": name, "metadata.namespace": "default"}.get(path, "192.0.2.7")
        for member, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if member in source:
                found = find(documents, kind, source[member]["name"], source[member].get("optional", False)) or {}
                value = found[source[member]["key"]].decode() if source[member]["key"] in found else None
        if value is not None:
            env[entry["name"]] = value
    return env


def probe_command(container, name):
    inside = (container.get("lifecycle") or {}) if name in ("postStart", "preStop") else container
    return inside[name]["exec"]["command"]


def measure(command, env, rounds):
    taken = {"alone": [], "sealed": []}
    for _ in range(rounds):
        for name, words in (("alone", ["/bin/true"]), ("sealed", command)):
            begin = time.monotonic()
            subprocess.run(words, env=env, check=True)
            taken[name].append((time.monotonic() - begin) * 1000)
    for name, times in taken.items():
        times.sort()
        print(f"{name:8} median {times[len(times) // 2]:6.1f} ms, ninth tenth {times[len(times) * 9 // 10]:6.1f} ms")


def run(args):
    documents = load(args.manifest)
    spec, namespace = pod_of(documents, args.pod)
    every = (spec.get("initContainers") or []) + spec["containers"]
    container = next((c for c in every if c["name"] == args.container), None)
    if container is None:
        sys.exit(f"no container {args.container}")
    env = environment(documents, container, args.pod)
    make_container(spec, container, args, namespace)
    host = {"PATH": os.environ["PATH"], "HOSTNAME": spec.get("hostname", args.pod), "HOME": "/"} | runtime.SERVICE
    host.update(e.split("=", 1) for e in args.env)
    command = [expand(word, env) for word in container.get("command") or ([args.program] if args.program else [])]
    command += [expand(word, env) for word in container.get("args") or []]
    if args.probe:
        command = probe_command(container, args.probe)
    context = container.get("securityContext") or {}
    group = context.get("runAsGroup", context.get("runAsUser", 0))
    if "runAsUser" in context:
        os.setgroups([group])
        os.setgid(group)
        os.setuid(context["runAsUser"])
    os.chdir(container.get("workingDir", "/"))
    if args.time:
        measure(command, host | env, args.time)
        return
    os.execve(args.program if args.program and not container.get("command") else command[0], command + args.extra, host | env)


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("volumes", "run"):
        sub = verbs.add_parser(verb)
        sub.add_argument("manifest")
        sub.add_argument("pod")
        if verb == "run":
            sub.add_argument("container")
        sub.add_argument("dir")
        if verb == "run":
            sub.add_argument("--probe")
            sub.add_argument("--program")
            sub.add_argument("--env", action="append", default=[], help="NAME=VALUE a hostile host adds")
            sub.add_argument("--hostile", action="append", default=[], help="what a hostile host's shell does to the root, $1, before the start")
            sub.add_argument("--inside", action="store_true")
            sub.add_argument("--time", type=int, help="run it so often, beside /bin/true, and print how long it took")
    words = sys.argv[1:]
    extra = words[words.index("--") + 1 :] if "--" in words else []
    args = parser.parse_args(words[: len(words) - len(extra) - ("--" in words)])
    args.extra = extra
    if args.verb == "volumes":
        documents = load(args.manifest)
        make_volumes(documents, pod_of(documents, args.pod)[0], args.dir)
    elif args.inside:
        run(args)
    else:
        again = [sys.executable, os.path.abspath(__file__), *sys.argv[1:2], "--inside", *sys.argv[2:]]
        os.execvp("unshare", ["unshare", "--mount", "--uts", "--propagation", "private", "--", *again])


if __name__ == "__main__":
    main()
