#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Translate a manifest for podman 4.3, which is not quite a kubelet; what is done is said on standard error.

  native sidecars        become the first ordinary containers (their probes go: nothing waits for them)
  emptyDir, Memory       become named tmpfs volumes, one for each pod ("tmpfs: NAME" for whoever makes them)
  valueFrom, envFrom     are resolved from the ConfigMaps and Secrets of the stream, as the kubelet would
  Secret volumes         become ConfigMap volumes of the same content
  the network            is the host's, which in these tests is the script's own

Anything of the pod that runs in it is not touched.
"""
import base64
import sys

import yaml


def say(text):
    print(text, file=sys.stderr)


def content(document):
    values = {}
    for key, value in (document.get("data") or {}).items():
        values[key] = base64.b64decode(value).decode() if document["kind"] == "Secret" else value
    for key, value in (document.get("binaryData") or {}).items():
        values[key] = base64.b64decode(value).decode()
    values.update(document.get("stringData") or {})
    return values


class Cluster:
    def __init__(self, documents):
        self.objects = {(d["kind"], d["metadata"]["name"]): content(d) for d in documents if d["kind"] in ("ConfigMap", "Secret")}

    def find(self, kind, reference):
        found = self.objects.get((kind, reference["name"]))
        if found is None and not reference.get("optional"):
            sys.exit(f"{kind} {reference['name']} is not in the stream")
        return found or {}

    def variable(self, entry, pod):
        source = entry.pop("valueFrom")
        for member, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if member in source:
                return self.find(kind, source[member]).get(source[member]["key"])
        path = source.get("fieldRef", {}).get("fieldPath")
        fields = {"metadata.name": pod["metadata"]["name"], "metadata.namespace": pod["metadata"].get("namespace", "default")}
        return fields.get(path, "192.0.2.1")

    def environment(self, container, pod):
        env = []
        for source in container.pop("envFrom", None) or []:
            kind, member = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
            for key, value in self.find(kind, source[member]).items():
                env.append({"name": source.get("prefix", "") + key, "value": value})
        for entry in container.get("env") or []:
            if "valueFrom" in entry:
                value = self.variable(entry, pod)
                if value is None:
                    continue
                entry["value"] = value
            env.append(entry)
        if env:
            container["env"] = env


def translate(pod, cluster, made):
    spec = pod["spec"]
    name = pod["metadata"]["name"]
    inits, sidecars = [], []
    for container in spec.get("initContainers") or []:
        (sidecars if container.pop("restartPolicy", None) == "Always" else inits).append(container)
    spec["initContainers"] = inits
    spec["containers"] = sidecars + spec["containers"]
    for sidecar in sidecars:
        say(f"{name}: native sidecar {sidecar['name']} is an ordinary container here")
    for container in spec["initContainers"] + spec["containers"]:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports", "resources"):
            container.pop(probe, None)
        cluster.environment(container, pod)
        for mount in container.get("volumeMounts") or []:
            mount["name"] = f"{name}-{mount['name']}"
    for volume in spec.get("volumes") or []:
        volume["name"] = f"{name}-{volume['name']}"
        if (volume.get("emptyDir") or {}).get("medium") == "Memory":
            say(f"tmpfs: {volume['name']}")
        if "secret" in volume:
            secret = volume.pop("secret")
            volume["configMap"] = {"name": "secret-" + secret["secretName"], "items": secret.get("items")}
            if secret.get("items") is None:
                del volume["configMap"]["items"]
            made[secret["secretName"]] = cluster.find("Secret", {"name": secret["secretName"]})
        (volume.get("configMap") or {}).pop("defaultMode", None)
    spec["hostNetwork"] = True
    spec.setdefault("restartPolicy", "Never")


def main():
    with open(sys.argv[1], encoding="utf-8") as stream:
        documents = [d for d in yaml.safe_load_all(stream) if d]
    cluster = Cluster(documents)
    made = {}
    out = []
    for document in documents:
        if document["kind"] == "Pod":
            translate(document, cluster, made)
        elif document["kind"] == "Deployment":
            template = document["spec"]["template"]
            say(f"{document['metadata']['name']}: one pod of the Deployment")
            document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": document["metadata"]["name"]}, "spec": template["spec"]}
            document["spec"].pop("restartPolicy", None)
            translate(document, cluster, made)
        elif document["kind"] == "ConfigMap":
            pass
        else:
            say(f"{document['kind']} {document['metadata']['name']} is left out")
            continue
        out.append(document)
    for name, values in made.items():
        out.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "secret-" + name}, "data": values})
    yaml.safe_dump_all(out, sys.stdout, sort_keys=False)


main()
