#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""browse.py CHROMIUM URL [--shot FILE] [--size WxH] [--dark]: open a page in a headless browser.

Prints the document as the browser holds it once it is loaded.  Ends with 1, and says why on standard error, when the
browser wrote to its console (a violation of a content security policy, a script's error), or asked anything but URL's own
origin.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-default-apps --disable-extensions --no-proxy-server "
    "--hide-scrollbars --enable-logging=stderr --v=0 --log-level=0"
).split()


def run(args, extra, work):
    command = [args.chromium, *OPTIONS, f"--user-data-dir={work}/profile", f"--log-net-log={work}/net.json",
               f"--window-size={args.size.replace('x', ',')}", *extra]
    if args.dark:
        command += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
    done = subprocess.run(command + [args.url], capture_output=True, text=True, timeout=90)
    if done.returncode != 0:
        sys.exit(f"browse.py: the browser ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def asked(work):
    """The URLs that were asked for, each with who wanted it: a page's origin, or what is none (we, the browser itself)."""
    text = pathlib.Path(work, "net.json").read_text()
    try:
        log = json.loads(text)
    except json.JSONDecodeError:  # a log whose end was not written
        log = json.loads(text.rstrip().rstrip(",") + "]}")
    kind = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    params = [e["params"] for e in log["events"] if e["type"] == kind and "url" in e.get("params", {})]
    return {(p["url"], p.get("initiator", "")) for p in params}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("chromium")
    parser.add_argument("url")
    parser.add_argument("--shot")
    parser.add_argument("--size", default="1280x1400")
    parser.add_argument("--dark", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        done = run(args, ["--dump-dom"] + ([f"--screenshot={args.shot}"] if args.shot else []), work)
        urls = asked(work)
    print(done.stdout)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(args.url))
    strangers = [u for u, who in urls if who == origin and not u.startswith((origin + "/", "data:"))]
    if args.url not in {u for u, _ in urls}:
        sys.exit(f"browse.py: {args.url} was never asked for: {urls}")
    if console or strangers:
        sys.exit(f"browse.py: console: {console}; asked elsewhere: {strangers}")


main()
