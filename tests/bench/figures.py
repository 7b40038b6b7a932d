# SPDX-License-Identifier: Apache-2.0
"""Figures of all rounds, what follows from them, and how they are shown."""

import json
import statistics

SUBJECT = "seal"


class Figures:
    def __init__(self):
        self.values = {}  # (name, side) -> product -> round -> value

    def add(self, name, side, product, number, value):
        self.values.setdefault((name, side), {}).setdefault(product, {})[number] = value

    def of(self, column):
        return self.values.get((column.name, column.side), {})


def _median(by_round):
    return statistics.median(by_round.values())


def judge(column, by_product, tls_peers, with_verdict=True):
    """One dictionary per product: median and spread, and ratios to the best TLS peer, round by round.

    The best is the peer with the lowest median: a round's own lowest would be the luckiest, not the best.
    """
    peers = [name for name in by_product if name in tls_peers]
    best = min(peers, key=lambda name: _median(by_product[name]), default=None)
    lines = []
    for product, by_round in by_product.items():
        line = {
            "name": column.name,
            "side": column.side,
            "product": product,
            "unit": column.unit,
            "median": _median(by_round),
            "min": min(by_round.values()),
            "max": max(by_round.values()),
            "rounds": len(by_round),
            "best": best,
        }
        if best:
            ratios = [by_round[n] / by_product[best][n] for n in by_round if by_product[best].get(n)]
            if ratios:
                line |= {
                    "ratio": statistics.median(ratios),
                    "ratio_min": min(ratios),
                    "ratio_max": max(ratios),
                }
        if product == SUBJECT:
            line |= {"target": column.ratio, "at_most": column.at_most}
            line["ok"] = _verdict(column, line) if with_verdict else None
        lines.append(line)
    return lines


def _verdict(column, line):
    met = []
    if column.ratio is not None:
        met.append(line["ratio"] <= column.ratio if "ratio" in line else None)
    if column.at_most is not None:
        met.append(line["median"] <= column.at_most)
    if not met or None in met:
        return None
    return all(met)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return value


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps({key: rounded(value) for key, value in line.items()}) + "\n")


def _number(value):
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def _target(column):
    parts = []
    if column.ratio is not None:
        parts.append(f"{column.ratio:.2f}")
    if column.at_most is not None:
        parts.append(f"{column.at_most:g} {column.unit}")
    return " and ".join(parts) or "-"


VERDICTS = {True: "ok", False: "missed", None: "-"}


def table(section, columns, judged):
    """Rows of text: every product's median, then seal against the best."""
    names = list(dict.fromkeys(line["product"] for column in columns for line in judged[column]))
    head = ["", "side", *names, "best", "ratio (min..max)", "at most", ""]
    rows = [head]
    for column in columns:
        by_name = {line["product"]: line for line in judged[column]}
        if not by_name:
            continue
        row = [column.name, column.side]
        row += [_number(by_name[name]["median"]) if name in by_name else "-" for name in names]
        seal = by_name.get(SUBJECT, {})
        if "ratio" in seal:
            row += [seal["best"], f"{seal['ratio']:.2f} ({seal['ratio_min']:.2f}..{seal['ratio_max']:.2f})"]
        else:
            row += ["-", "-"]
        rows.append(row + [_target(column), VERDICTS[seal.get("ok")]])
    return [section.title, *_aligned(rows), ""]


def _aligned(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines
