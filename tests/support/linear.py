#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Could one root of trust, doing one thing at a time, have said all this?  (Linearizability: Herlihy and Wing, 1990.)

An egg's budget is a counter: a hatch that is done raises it by one and only while it is below the budget, one that is
refused finds it there, a read finds its value.  Each thing happens at one moment between its beginning and its end; one
that is unsure at any moment after its beginning, or never.

What may have happened so far is kept as a set of states: the counter, which of the things under way have happened, and
how many of the unsure.  When something ends, states in which it has not happened, and cannot any more, are dropped; no
state left: no.  linear.py --test tries it with histories that could and that could not have been.
"""

import collections
import sys

Op = collections.namedtuple("Op", "kind begun ended value")  # kind: done, refused, unsure, read; value: of a read


def _steps(op, counter, budget):
    """The counter afterwards; None when it cannot happen now."""
    if op.kind == "done":
        return counter + 1 if counter < budget else None
    if op.kind == "refused":
        return counter if counter >= budget else None
    return counter if counter == op.value else None


def _grow(states, pending, unsure, budget):
    """Everything that can have happened by now."""
    todo = list(states)
    while todo:
        counter, happened, used = todo.pop()
        following = []
        if used < unsure and counter < budget:
            following.append((counter + 1, happened, used + 1))
        for number, op in pending.items():
            if number not in happened:
                after = _steps(op, counter, budget)
                if after is not None:
                    following.append((after, happened | {number}, used))
        for state in following:
            if state not in states:
                states.add(state)
                todo.append(state)
    return states


def explain(ops, budget):
    """None when the history is linearizable; otherwise what ended without a moment at which it can have happened."""
    events = []
    for number, op in enumerate(ops):
        events.append((op.begun, 0, number))
        if op.kind != "unsure":
            events.append((op.ended, 1, number))
    states, pending, unsure = {(0, frozenset(), 0)}, {}, 0
    for _, is_end, number in sorted(events):
        if not is_end:
            if ops[number].kind == "unsure":
                unsure += 1
            else:
                pending[number] = ops[number]
            continue
        states = _grow(states, pending, unsure, budget)
        states = {(counter, happened - {number}, used) for counter, happened, used in states if number in happened}
        del pending[number]
        if not states:
            return f"{ops[number]} of a budget of {budget}"
    return None


def explain_all(hatches, reads, budgets):
    """Of each egg by itself: a history is linearizable when that of each object is."""
    ops = collections.defaultdict(list)
    for egg, begun, ended, result in hatches:
        ops[egg].append(Op(result, begun, ended, None))
    for egg, begun, ended, count in reads:
        ops[egg].append(Op("read", begun, ended, count))
    wrong = []
    for egg, of_egg in ops.items():
        if egg in budgets:
            why = explain(of_egg, budgets[egg])
            if why is not None:
                wrong.append(f"egg {egg}: no order of what happened explains {why}")
    return wrong


def _self_test():
    done, refused, unsure = (lambda b, e, kind=kind: Op(kind, b, e, None) for kind in ("done", "refused", "unsure"))

    def read(begun, ended, value):
        return Op("read", begun, ended, value)

    could = {
        "nothing": ([], 1),
        "one after another": ([done(0, 1), read(2, 3, 1), done(4, 5), refused(6, 7)], 2),
        "a read beside a hatch sees it": ([done(0, 9), read(1, 2, 1)], 1),
        "or does not": ([done(0, 9), read(1, 2, 0)], 1),
        "a refusal beside the last hatch": ([done(0, 9), refused(1, 2)], 1),
        "unsure, and it was done": ([unsure(0, 1), read(2, 3, 1)], 1),
        "unsure, and it was not": ([unsure(0, 1), read(2, 3, 0), done(4, 5), refused(6, 7)], 1),
        "unsure, and done long after its end": ([unsure(0, 1), read(2, 3, 0), read(4, 5, 1)], 1),
        "a refusal explained by one that is unsure": ([unsure(0, 1), refused(2, 3)], 1),
        "many at once": ([done(0, 50 + i) for i in range(6)] + [read(10 + i, 40, i) for i in range(7)], 6),
    }
    could_not = {
        "more than the budget": ([done(0, 1), done(2, 3)], 1),
        "more than the budget, at once": ([done(0, 5), done(1, 4), done(2, 3)], 2),
        "refused with something left": ([done(0, 1), refused(2, 3)], 2),
        "a read that misses what was done": ([done(0, 1), read(2, 3, 0)], 2),
        "a read of what never was": ([read(0, 1, 1)], 2),
        "reads that go backwards": ([done(0, 9), read(1, 2, 1), read(3, 4, 0)], 2),
        "reads of two replicas that disagree": ([done(0, 9), done(0, 9), read(1, 2, 2), read(3, 4, 1)], 3),
        "an unsure one that is undone": ([unsure(0, 1), read(2, 3, 1), read(4, 5, 0)], 2),
        "an unsure one that was done before it began": ([read(0, 1, 1), unsure(2, 3)], 2),
        "an unsure one that was done twice": ([unsure(0, 1), read(2, 3, 2)], 3),
        "a refusal before the hatch that would explain it began": ([refused(0, 1), done(2, 3)], 1),
    }
    for name, (ops, budget) in could.items():
        assert explain(ops, budget) is None, f"could have been: {name}: {explain(ops, budget)}"
    for name, (ops, budget) in could_not.items():
        assert explain(ops, budget) is not None, f"could not have been: {name}"
    both = explain_all([("a", 0, 1, "done"), ("b", 0, 1, "done"), ("b", 2, 3, "done")], [], {"a": 1, "b": 1})
    assert len(both) == 1 and "egg b" in both[0], both
    print(f"{len(could)} histories that could have been, {len(could_not)} that could not")


if __name__ == "__main__":
    if sys.argv[1:] != ["--test"]:
        sys.exit("usage: linear.py --test")
    _self_test()
