# SPDX-License-Identifier: Apache-2.0
"""typist.py SHELL: start an interactive shell at a terminal and type the lines of standard input into it, each when
the shell is ready for it; \\t in a line is the key.  What the terminal showed goes to standard output."""
import os
import pty
import select
import sys
import time

READY = b"ready>"
COMMANDS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='rea''dy>'"),
    "zsh": (["zsh", "-f", "-i"], "PS1='rea''dy>'; autoload -Uz compinit; compinit -D -u"),
    "fish": (["fish", "--no-config", "--private"], "function fish_prompt; echo -n 'rea''dy>'; end"),
}
shown = b""


def read_until(fd, what, start, seconds=20):
    """Wait until it stands behind start; where it ends."""
    global shown
    end = time.monotonic() + seconds
    while what not in shown[start:]:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.stdout.buffer.write(shown)
            sys.exit(f"waited in vain for {what!r}")
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            sys.stdout.buffer.write(shown)
            sys.exit("the shell ended")
        shown += data
    return shown.index(what, start) + len(what)


def main():
    argv, prompt = COMMANDS[sys.argv[1]]
    os.environ.update(TERM="xterm", COLUMNS="200", LINES="50")
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    os.write(fd, prompt.encode() + b"\n")
    at = read_until(fd, READY, 0)
    for line in sys.stdin:
        os.write(fd, line.rstrip("\n").replace("\\t", "\t").encode() + b"\r")
        # zsh and fish draw the prompt again as they go: the one behind the line's end counts.
        os.write(fd, b"")
        at = read_until(fd, b"\n", at)
        at = read_until(fd, READY, at)
    os.write(fd, b"exit\r")
    os.close(fd)
    sys.stdout.buffer.write(shown)


main()
