# SPDX-License-Identifier: Apache-2.0
"""
yaml_readers.py REWRITE NODE_MODULES FOLDER...: what base/yaml writes must mean to other readers what its
source meant, and to itself.  Each file of the folders is rewritten; PyYAML (YAML 1.1) and js-yaml (1.2) then
compare before and after, and a second rewriting must change nothing.  What REWRITE refuses is counted, what
another reader refuses to begin with is not compared by it.
"""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).parent
LOADER = yaml.CSafeLoader

FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
INT = re.compile(r"^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")


class Reader(LOADER):
    """The types that Kubernetes' Go library sees: no dates, no base 60, and exponents without a dot."""


Reader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.rsplit(":", 1)[1] not in ("timestamp", "int", "float")
    ]
    for first, resolvers in LOADER.yaml_implicit_resolvers.items()
}
Reader.add_implicit_resolver("tag:yaml.org,2002:int", INT, list("-+0123456789"))
Reader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))

def key_text(key):
    if key is True:
        return "true"
    if key is False:
        return "false"
    return str(key)


def plain(value):
    """As JSON would have it."""
    if isinstance(value, dict):
        return {key_text(key): plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float) and value != value:
        return "nan"
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return value


def several(text):
    """JSON values, one after the other."""
    decoder, at, values = json.JSONDecoder(), 0, []
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values


def documents(text, loader=LOADER):
    return [plain(value) for value in yaml.load_all(text, loader) if value is not None]


def run(*argv):
    done = subprocess.run(argv, capture_output=True, timeout=60)
    if done.returncode not in (0, 1):
        sys.exit(f"{argv}: exit {done.returncode}: {done.stderr.decode()}")
    return done


class Campaign:
    def __init__(self, rewrite, work):
        self.rewrite, self.work = rewrite, work
        self.refused = self.accepted = self.compared = self.same_json = 0
        self.faults, self.pairs = [], []

    def fault(self, path, what):
        self.faults.append(f"{path.parent.name}/{path.name}: {what}")

    def check_python(self, path, source, written):
        try:
            before = documents(source)
        except (yaml.YAMLError, ValueError, TypeError):
            return
        try:
            after = documents(written)
        except (yaml.YAMLError, ValueError, TypeError) as error:
            self.fault(path, f"PyYAML no longer reads it: {error}")
            return
        self.compared += 1
        if before != after:
            self.fault(path, "means something else to PyYAML")

    def check_json(self, path, source):
        """Our own types, against PyYAML's with Go's rules and against the JSON a suite gives."""
        done = run(self.rewrite, "--json", str(path))
        if done.returncode != 0:
            return
        own = [json.loads(line) for line in done.stdout.splitlines()]
        own = [value for value in own if value is not None]
        expected = path.with_suffix(".json")
        if path.suffix != ".json" and expected.exists():
            wanted = [value for value in several(expected.read_text()) if value is not None]
            if own != wanted:
                self.fault(path, f"is {own}, should be {wanted}")
        try:
            before = documents(source, Reader)
        except (yaml.YAMLError, ValueError, TypeError):
            return
        if own != before:
            self.fault(path, f"as JSON {str(own)[:300]}, to PyYAML {str(before)[:300]}")
        self.same_json += 1

    def check(self, path):
        done = run(self.rewrite, str(path))
        if done.returncode != 0:
            self.refused += 1
            return
        self.accepted += 1
        source, written = path.read_bytes(), self.work / f"{self.accepted}.yaml"
        written.write_bytes(done.stdout)
        if run(self.rewrite, str(written)).stdout != done.stdout:
            self.fault(path, "is not stable")
        self.check_python(path, source, done.stdout)
        self.check_json(path, source)
        self.pairs.append(f"{path}\t{written}")


def main():
    rewrite, modules, *folders = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        campaign = Campaign(rewrite, pathlib.Path(work))
        for folder in folders:
            for path in sorted(pathlib.Path(folder).iterdir()):
                if path.suffix in (".yaml", ".yml", ".json"):
                    campaign.check(path)
        done = subprocess.run(
            ["node", str(HERE / "yaml_readers.js")],
            input="\n".join(campaign.pairs).encode(),
            env={**os.environ, "NODE_PATH": modules},
            capture_output=True,
            timeout=120,
        )
        sys.stdout.write(done.stdout.decode())
        sys.stderr.write(done.stderr.decode())
    for fault in campaign.faults:
        print(fault, file=sys.stderr)
    print(
        f"PyYAML: {campaign.accepted} rewritten, {campaign.refused} refused, {campaign.compared} compared, "
        f"{campaign.same_json} compared as JSON, {len(campaign.faults)} faults"
    )
    if campaign.compared == 0 or campaign.faults or done.returncode != 0:
        sys.exit(1)


main()
