#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rego.py POLICY: read requests, one JSON object {"request", "input"} a line, from standard input, and print
true or false for each: what the policy of seal policy kata says.

This is no Rego: it reads the few constructs that our policies are made of, as the language defines them, and stops at
anything else.  With OPA in the environment that evaluator is asked instead, by the same requests.
"""

import json
import os
import re
import subprocess
import sys

TOKEN = re.compile(r"""
    (?P<space>[ \t]+|\#[^\n]*) | (?P<line>\n) | (?P<raw>`[^`]*`) | (?P<text>"(?:[^"\\\n]|\\.)*") | (?P<number>-?\d+) |
    (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*) | (?P<sign>:=|==|!=|<|[(){}\[\],:])
    """, re.X)


class Undefined(Exception):
    pass


def tokens(text):
    at, found = 0, []
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, "no token at %r" % text[at:at + 40]
        if match.lastgroup != "space":
            found.append((match.lastgroup, match.group()))
        at = match.end()
    return found + [("line", "\n"), ("end", "")]


class Parser:
    def __init__(self, text):
        self.tokens = tokens(text)
        self.at = 0
        self.defaults, self.rules = {}, {}

    def peek(self):
        return self.tokens[self.at]

    def take(self, *wanted):
        kind, text = self.tokens[self.at]
        assert not wanted or text in wanted, "%r where %r belongs" % (text, wanted)
        self.at += 1
        return kind, text

    def lines(self):
        while self.peek()[0] == "line":
            self.at += 1

    def word(self):
        kind, text = self.take()
        assert kind == "word", "%r where a name belongs" % text
        return text

    def policy(self):
        self.lines()
        self.take("package")
        assert self.word() == "agent_policy"
        self.lines()
        while self.peek()[1] == "import":
            self.take()
            assert self.word() in ("future.keywords.every", "future.keywords.if", "future.keywords.in")
            self.lines()
        while self.peek()[0] != "end":
            self.rule()
            assert self.peek()[0] == "line", "two rules on a line: %r" % (self.peek(),)
            self.lines()
        return self

    def rule(self):
        if self.peek()[1] == "default":
            self.take()
            name = self.word()
            self.take(":=")
            assert name not in self.defaults, "two defaults of " + name
            self.defaults[name] = self.term()
            return
        name, params, body, value = self.word(), None, [], ("constant", True)
        if self.peek()[1] == "(":
            params = self.sequence("(", ")", self.word)
        if self.peek()[1] == ":=":
            self.take()
            value = self.term()
        else:
            self.take("if")
            body = self.body()
        self.rules.setdefault(name, []).append((params, body, value))

    def sequence(self, first, last, item):
        found = []
        self.take(first)
        self.lines()
        while self.peek()[1] != last:
            found.append(item())
            self.lines()
            if self.peek()[1] != last:
                self.take(",")
                self.lines()
        self.take(last)
        return found

    def body(self):
        found = []
        self.take("{")
        self.lines()
        while self.peek()[1] != "}":
            found.append(self.expression())
            self.lines()
        self.take("}")
        assert found, "an empty body"
        return found

    def expression(self):
        if self.peek()[1] == "every":
            self.take()
            name, value = self.word(), None
            if self.peek()[1] == ",":
                self.take()
                value = self.word()
            self.take("in")
            return "every", (name, value), self.term(), self.body()
        if self.peek()[1] == "some":
            self.take()
            name = self.word()
            self.take("in")
            return "some", name, self.term()
        left = self.term()
        sign = self.peek()[1]
        if sign == ":=":
            self.take()
            assert left[0] == "name"
            return "let", left[1], self.term()
        if sign in ("==", "!=", "<", "in"):
            self.take()
            return "compare", sign, left, self.term()
        return "test", left

    def pair(self):
        key = self.term()
        self.take(":")
        self.lines()
        return key, self.term()

    def term(self):
        kind, text = self.peek()
        if text == "[":
            return "array", self.sequence("[", "]", self.term)
        if text == "{":
            return "object", self.sequence("{", "}", self.pair)
        self.take()
        if kind == "raw":
            return "constant", text[1:-1]
        if kind in ("text", "number"):
            return "constant", json.loads(text)
        assert kind == "word", "%r is no term" % text
        if text in ("true", "false", "null"):
            return "constant", {"true": True, "false": False, "null": None}[text]
        if self.peek()[1] == "(":
            return "call", text, self.sequence("(", ")", self.term)
        return "name", text


def same(one, other):
    """Rego's equality: a boolean is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def typed(value, kind):
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Undefined
    return value


BUILTINS = {
    "count": lambda of: len(typed(of, (list, dict, str))),
    "is_null": lambda of: of is None,
    "startswith": lambda text, start: typed(text, str).startswith(typed(start, str)),
    "endswith": lambda text, end: typed(text, str).endswith(typed(end, str)),
    "concat": lambda between, parts: typed(between, str).join(typed(part, str) for part in typed(parts, list)),
    "contains": lambda text, part: typed(part, str) in typed(text, str),
    "regex.match": lambda pattern, text: re.search(pattern, typed(text, str)) is not None,
    "object.get": lambda of, key, other: typed(of, dict).get(key, other),
}


class Policy:
    def __init__(self, parser, document):
        self.parser, self.document = parser, document

    def ask(self, name):
        try:
            return self.global_value(name)
        except Undefined:
            return False

    def global_value(self, name):
        for params, body, value in self.parser.rules.get(name, []):
            assert params is None
            try:
                if self.holds(body, {}):
                    return self.value(value, {})
            except Undefined:
                pass
        if name in self.parser.defaults:
            return self.value(self.parser.defaults[name], {})
        raise Undefined

    def call(self, name, args):
        if name in BUILTINS:
            return BUILTINS[name](*args)
        assert name in self.parser.rules, "nothing is known of " + name
        for params, body, value in self.parser.rules[name]:
            assert len(params) == len(args)
            env = {param: arg for param, arg in zip(params, args) if param != "_"}
            try:
                if self.holds(body, env):
                    return self.value(value, env)
            except Undefined:
                pass
        raise Undefined

    def holds(self, body, env):
        if not body:
            return True
        first, rest = body[0], body[1:]
        if first[0] == "some":
            for item in typed(self.value(first[2], env), list):
                try:
                    if self.holds(rest, {**env, first[1]: item}):
                        return True
                except Undefined:
                    pass
            return False
        if first[0] == "let":
            assert first[1] not in env
            return self.holds(rest, {**env, first[1]: self.value(first[2], env)})
        if first[0] == "every":
            of, (name, value) = self.value(first[2], env), first[1]
            items = typed(of, dict).items() if value else ((item, None) for item in typed(of, list))
            if not all(self.holds(first[3], {**env, name: key, value: item}) for key, item in items):
                return False
        elif first[0] == "compare":
            left, right = self.value(first[2], env), self.value(first[3], env)
            if first[1] == "in":
                good = any(same(left, item) for item in typed(right, list))
            elif first[1] == "<":
                good = typed(left, int) < typed(right, int)
            else:
                good = same(left, right) == (first[1] == "==")
            if not good:
                return False
        elif self.value(first[1], env) is False:
            return False
        return self.holds(rest, env)

    def value(self, term, env):
        if term[0] == "constant":
            return term[1]
        if term[0] == "array":
            return [self.value(item, env) for item in term[1]]
        if term[0] == "object":
            return {self.value(key, env): self.value(value, env) for key, value in term[1]}
        if term[0] == "call":
            return self.call(term[1], [self.value(arg, env) for arg in term[2]])
        name, *path = term[1].split(".")
        if name == "input":
            value = self.document
        elif name in env:
            value = env[name]
        else:
            value = self.global_value(name)
        for step in path:
            if not isinstance(value, dict) or step not in value:
                raise Undefined
            value = value[step]
        return value


def by_opa(opa, policy, line):
    result = subprocess.run([opa, "eval", "--format", "json", "--data", policy, "--stdin-input",
                             "data.agent_policy." + line["request"]], input=json.dumps(line["input"]).encode(),
                            stdout=subprocess.PIPE, check=True, timeout=60)
    answer = json.loads(result.stdout)
    return bool(answer.get("result")) and answer["result"][0]["expressions"][0]["value"] is True


def main():
    opa = os.environ.get("OPA")
    with open(sys.argv[1], encoding="ascii") as file:
        parser = Parser(file.read()).policy()
    for text in sys.stdin:
        line = json.loads(text)
        assert re.fullmatch("[A-Za-z]+", line["request"])
        told = by_opa(opa, sys.argv[1], line) if opa else Policy(parser, line["input"]).ask(line["request"])
        print("true" if told is True else "false")


main()
