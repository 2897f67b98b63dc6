"""Run a few programs beside each other: start them, follow them to their end, and stop them whatever happens.

Each program runs in a process of its own and in a session of its own, so that Ctrl-C reaches only the one who waits.
What a program writes to its standard error goes to a file and is shown when it fails.
"""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from memanalysis.capture.process import ProcessReader
from memanalysis.errors import CaptureError

__all__ = ["Program", "follow_programs", "run_programs"]

POLL_S = 0.1
"""Time between two checks of the processes: short enough for a smooth bar."""

STOP_S = 5.0
"""A process that was asked to end gets this long before it is killed."""

STDERR_LINES = 25
"""Last lines of a failed program's standard error that are shown."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program."""

    name: str
    process: "subprocess.Popen[bytes]"
    stderr: Path

    def read_rss_bytes(self) -> int | None:
        """Return resident memory now, or None once it has ended."""
        return None if self.process.poll() is not None else ProcessReader(self.process.pid).read_rss_bytes()


@contextlib.contextmanager
def run_programs(commands: Mapping[str, Sequence[str]], *, log_directory: Path) -> Iterator[list[Program]]:
    """Start every ``python -m ...`` command at once; when the block is left, for whatever reason, none is running.

    Parameters
    ----------
    commands : mapping of str to sequence of str
        Arguments for this Python, by the name of the program.
    log_directory : Path
        Folder for the programs' standard errors.
    """
    programs: list[Program] = []
    with contextlib.ExitStack() as files:
        try:
            for number, (name, arguments) in enumerate(commands.items()):
                stderr = log_directory / f"{number}.stderr"
                sink = files.enter_context(stderr.open("wb"))
                with _hold_back_interrupts():
                    programs.append(Program(name=name, process=_start(arguments, sink), stderr=stderr))
            yield programs
        finally:
            _stop([program.process for program in programs])


def follow_programs(
    programs: Sequence[Program], *, seconds: float, grace_s: float, tick: Callable[[float], None]
) -> None:
    """Wait until all have ended; `tick` is called with the seconds since the start.

    Raises
    ------
    CaptureError
        A program failed, or was still running `grace_s` after its time; the text has the end of its standard error.
    """
    started = time.monotonic()
    while True:
        elapsed = time.monotonic() - started
        codes = {program.name: program.process.poll() for program in programs}
        for program in programs:
            if codes[program.name] not in (None, 0):
                raise CaptureError(
                    f"The program {program.name} was to run for {seconds:g} s, but ended with code "
                    f"{codes[program.name]}. It wrote:\n{_read_end(program.stderr)}"
                )
        if None not in codes.values():
            return
        if elapsed > seconds + grace_s:
            late = ", ".join(name for name, code in codes.items() if code is None)
            raise CaptureError(
                f"The programs were to run for {seconds:g} s, but after {elapsed:.0f} s these had not ended: {late}. "
                "Run again on a machine that is less busy, or with --seconds for longer."
            )
        tick(elapsed)
        time.sleep(POLL_S)


@contextlib.contextmanager
def _hold_back_interrupts() -> Iterator[None]:
    """Let Ctrl-C come after the block: a program that was started, but is not noted yet, would go on alone."""
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous) or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if held:
        previous(*held[0])


def _start(arguments: Sequence[str], stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - this Python, with modules of this package
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )


def _stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in processes:
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_end(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
    return "\n".join(lines[-STDERR_LINES:]) or "(nothing)"
