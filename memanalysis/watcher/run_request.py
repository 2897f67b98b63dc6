"""What ``memanalysis run`` asks of the processes of a program, as an environment variable holds it.

Read as Python starts, in every process of the program: it loads nothing.
"""

import os

__all__ = ["RESTART_VARIABLE", "RUN_VARIABLE", "encode_request", "read_program_pid"]

RUN_VARIABLE = "MEMANALYSIS_RUN"
"""Holds the pid of the program, its interval in seconds and the arguments of ``watch`` as JSON."""

RESTART_VARIABLE = "MEMANALYSIS_RESTART"
"""Holds, as JSON, what the one who supervises knows of the run before; only where there was one."""


def encode_request(pid: int, interval_s: float, options_json: str) -> str:
    """Return the text of ``RUN_VARIABLE``; what a child needs at once stands first, so that it parses no JSON."""
    return f"{pid} {interval_s!r} {options_json}"


def read_program_pid() -> int | None:
    """Return the pid of the program that ``memanalysis run`` started this process in; None without one."""
    text = os.environ.get(RUN_VARIABLE, "").partition(" ")[0]
    return int(text) if text.isdecimal() else None
