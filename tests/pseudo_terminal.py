"""Runs the command line in a pseudo-terminal of 80 columns, standard output and standard error apart."""

import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass

from processes import running

__all__ = ["TerminalRun", "remove_escapes", "run_in_terminal"]

DEADLINE_S = 180


@dataclass(frozen=True, slots=True)
class TerminalRun:
    """What a command left: its exit code, and what it drew on each stream."""

    code: int
    output: str
    errors: str


def run_in_terminal(*arguments: str, columns: int = 80, **environment: str) -> TerminalRun:
    """Run ``memanalysis`` with a terminal as standard input, output and error."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = zip(*(pty.openpty() for _ in range(2)), strict=True)
    for end in theirs:
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    drawn: dict[int, str] = {}
    readers = [threading.Thread(target=lambda end=end: drawn.update({end: _read_to_end(end)})) for end in ours]
    command = [sys.executable, "-m", "memanalysis", *arguments]
    with running(
        subprocess.Popen(
            command,
            env=kept | {"TERM": "xterm-256color"} | environment,
            stdin=theirs[0],
            stdout=theirs[0],
            stderr=theirs[1],
        )
    ) as process:
        for end in theirs:
            os.close(end)
        for reader in readers:
            reader.start()
        code = process.wait(timeout=DEADLINE_S)
        for reader in readers:
            reader.join()
    for end in ours:
        os.close(end)
    return TerminalRun(code, drawn[ours[0]].replace("\r\n", "\n"), drawn[ours[1]].replace("\r\n", "\n"))


def remove_escapes(text: str) -> str:
    """Return text without colours and cursor movements; each movement to the start of a line begins a new one."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")


def _read_to_end(end: int) -> str:
    pieces = []
    while True:
        try:
            piece = os.read(end, 65536)
        except OSError:  # Linux raises it when the other end is closed
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode()
