#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""metrics.py [SERIES]: read Prometheus metrics (text format 0.0.4) from standard input, strictly.

Prints the value of the one series named, as it is written ('seal_ready', 'x_total{a="b"}'), or how many there
are.  Fails on anything the format does not say, on a sample apart from its family, on a series that comes
twice, and on a histogram that does not add up; and, where python3-prometheus-client is installed, when that
reads something else.
"""

import re
import sys

NAME = r"[a-z_][a-z0-9_]*"
HELP = re.compile(rf"# HELP ({NAME}) ([ -~]+)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
LABEL = re.compile(rf'({NAME})="((?:[ !#-\[\]-~]|\\["\\n])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.+)\}})? ([0-9]+(?:\.[0-9]+)?)")


def fail(line, why):
    sys.exit(f"metrics.py: {why}: {line!r}")


def read_labels(line, text):
    labels = {}
    at = 0
    while True:
        found = LABEL.match(text, at)
        if found is None or found.group(1) in labels:
            fail(line, "not labels")
        labels[found.group(1)] = found.group(2)
        at = found.end()
        if at == len(text):
            return labels
        if text[at] != ",":
            fail(line, "not labels")
        at += 1


def suffixes(kind):
    return {"histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))


def read(text):
    families, series = {}, {}
    name = helped = None
    if not text.isascii() or not text.endswith("\n"):
        fail(text[-80:], "not ASCII, or cut off")
    for line in text[:-1].split("\n"):
        if found := HELP.fullmatch(line):
            if found.group(1) in families:
                fail(line, "a family comes twice")
            helped = found.group(1)
        elif found := TYPE.fullmatch(line):
            if found.group(1) != helped:
                fail(line, "a type without its help")
            name, helped = helped, None
            families[name] = found.group(2)
            if (families[name] == "counter") != name.endswith("_total"):
                fail(line, "a counter ends in _total, and nothing else")
        elif found := SAMPLE.fullmatch(line):
            if helped or name is None or found.group(1) not in [name + s for s in suffixes(families[name])]:
                fail(line, "a sample outside its family")
            labels = read_labels(line, found.group(2)) if found.group(2) else {}
            key = (found.group(1), frozenset(labels.items()))
            if key in series:
                fail(line, "a series comes twice")
            series[key] = (line.rsplit(" ", 1)[0], float(found.group(3)), labels)
        else:
            fail(line, "not a line of the format")
    for family, kind in families.items():
        if kind == "histogram":
            check_histogram(family, series)
    return series


def check_histogram(family, series):
    """Every histogram has rising bounds up to +Inf, counts that do not fall, and the last is the count."""
    groups = {}
    for (name, _), (_, value, labels) in series.items():
        if name == family + "_bucket":
            rest = frozenset(item for item in labels.items() if item[0] != "le")
            groups.setdefault(rest, []).append((float(labels["le"]), value))
    for rest, buckets in groups.items():
        bounds = [bound for bound, _ in buckets]
        counts = [count for _, count in buckets]
        if bounds != sorted(set(bounds)) or bounds[-1] != float("inf") or counts != sorted(counts):
            fail(family, f"not a histogram {buckets}")
        if series[(family + "_count", rest)][1] != counts[-1] or (family + "_sum", rest) not in series:
            fail(family, "the count is not that of the last bucket")


def compare(text, series):
    """The same samples by the parser of the Prometheus client library."""
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        return
    theirs = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            theirs[(sample.name, frozenset(sample.labels.items()))] = sample.value
    ours = {}
    for (name, _), (_, value, labels) in series.items():
        plain = {key: re.sub(r'\\(["\\])', r"\1", text) for key, text in labels.items()}
        ours[(name, frozenset(plain.items()))] = value
    if ours != theirs:
        sys.exit(f"metrics.py: the client library reads otherwise: {set(ours.items()) ^ set(theirs.items())}")


def main():
    text = sys.stdin.read()
    series = read(text)
    compare(text, series)
    if len(sys.argv) < 2:
        print(len(series))
        return
    for written, value, _ in series.values():
        if written == sys.argv[1]:
            print(int(value) if value == int(value) else value)
            return
    sys.exit(f"metrics.py: no series {sys.argv[1]}")


main()
