#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a hostile host does to an injected manifest: tamper.py MANIFEST OPERATION [ARGUMENT...] >OUT

  flip WHERE N           flip the lowest bit of the N-th letter of a sealed value (N may be negative)
  copy FROM TO           put one sealed value where another was
  clear WHERE TEXT       put clear text there
  drop WHERE             take it away
  env CONTAINER NAME TEXT   another variable for a container
  graft OTHER WHERE      the value that another manifest has there

WHERE is KIND/NAME/KEY of a ConfigMap or Secret, or spec/CONTAINER, the sealed argument of a container.
"""
import base64
import sys

import yaml

documents = list(yaml.safe_load_all(open(sys.argv[1], encoding="utf-8")))


def pod(stream):
    document = next(d for d in stream if d["kind"] in ("Pod", "Deployment"))
    return document["spec"] if document["kind"] == "Pod" else document["spec"]["template"]["spec"]


def containers(stream):
    spec = pod(stream)
    return {c["name"]: c for c in (spec.get("initContainers") or []) + spec["containers"]}


def place(stream, where):
    """The container of the value, its index in it, and whether it is wrapped in base64."""
    parts = where.split("/")
    if parts[0] == "spec":
        container = containers(stream)[parts[1]]
        words = container["args"] if "--sealed-config" in (container.get("args") or []) else container["command"]
        return words, len(words) - 1, False
    document = next(d for d in stream if d["kind"] == parts[0] and d["metadata"]["name"] == parts[1])
    for member in ("stringData", "data", "binaryData"):
        if parts[2] in (document.get(member) or {}):
            return document[member], parts[2], member == "binaryData" or (member == "data" and parts[0] == "Secret")
    sys.exit(f"nothing at {where}")


def get(stream, where):
    holder, index, wrapped = place(stream, where)
    return base64.b64decode(holder[index]).decode() if wrapped else holder[index]


def put(stream, where, text):
    holder, index, wrapped = place(stream, where)
    holder[index] = base64.b64encode(text.encode()).decode() if wrapped else text


def flip(text, number):
    number = int(number) % len(text)
    return text[:number] + chr(ord(text[number]) ^ 1) + text[number + 1 :]


operation, arguments = sys.argv[2], sys.argv[3:]
if operation == "flip":
    put(documents, arguments[0], flip(get(documents, arguments[0]), arguments[1]))
elif operation == "copy":
    put(documents, arguments[1], get(documents, arguments[0]))
elif operation == "clear":
    put(documents, arguments[0], arguments[1])
elif operation == "drop":
    holder, index, _ = place(documents, arguments[0])
    del holder[index]
elif operation == "env":
    containers(documents)[arguments[0]].setdefault("env", []).append({"name": arguments[1], "value": arguments[2]})
elif operation == "graft":
    other = list(yaml.safe_load_all(open(arguments[0], encoding="utf-8")))
    put(documents, arguments[1], get(other, arguments[1]))
else:
    sys.exit(f"no operation {operation}")
yaml.safe_dump_all(documents, sys.stdout, sort_keys=False)
