"""Read what ``mprof run`` of memory_profiler writes: ``mprofile_20250101120000.dat``.

A line is ``MEM <MiB> <epoch seconds>`` of the program, or ``CHLD <pid> <MiB> <epoch seconds>`` of a child of it.
memory_profiler divides resident bytes by 2**20. A file begins with ``CMDLINE`` and the program's arguments, which may
go on over several lines. ``FUNC`` lines, of functions with the decorator, are no measurements over time and are
left out. mprof measures until the process is gone, so the last sample of a process is one of its end, and not judged.
It writes 0 MiB of a process that is gone or that it may not read: that is unknown.
"""

import math
from dataclasses import dataclass, field
from pathlib import PurePath

from memanalysis._text import make_encodable
from memanalysis.errors import LedgerFormatError
from memanalysis.exchange.imported_run import ImportedRun, make_samples
from memanalysis.schema import END_LABEL
from memanalysis.units import bytes_from_mb

__all__ = ["MPROF_FIELDS", "parse_mprof"]

MPROF_FIELDS = ("CMDLINE", "MEM", "CHLD", "FUNC")
"""The first words of the lines of such a file."""

MAX_MIB = 2**43
"""No memory in MiB reaches it: its bytes would no longer fit an int64."""

MAX_EPOCH_S = 253_402_300_800.0
"""Beginning of the year 10000."""

_PROGRAM = ""


@dataclass(slots=True)
class _Program:
    """One ``mprof run``: measurements by process; the program itself has no name."""

    command_line: str = ""
    measured: dict[str, list[tuple[float, dict[str, int | None]]]] = field(default_factory=dict)


def parse_mprof(content: bytes, *, name: str, service: str | None = None) -> tuple[list[ImportedRun], list[str]]:
    """Return a run a process, and sentences on what was left out.

    Parameters
    ----------
    content : bytes
    name : str
        Of the file, for errors.
    service : str, optional
        Name of the service; else that of the script in ``CMDLINE``, or the file's own.

    Raises
    ------
    LedgerFormatError
        A line is none of mprof's, or there is no measurement; the text has the file and the line.
    """
    lines = content.decode("utf-8", "replace").split("\n")
    torn = lines.pop()  # a line is whole with its newline only: a kill cuts a number anywhere
    programs: list[_Program] = []
    n_functions = 0
    for number, line in enumerate(lines, start=1):
        kind, _, rest = line.rstrip("\r").partition(" ")
        if kind == "CMDLINE":
            programs.append(_Program(rest))
        elif kind == "FUNC":
            n_functions += 1
        elif kind in ("MEM", "CHLD"):
            programs = programs or [_Program()]
            process, measurement = _parse_measurement(kind, rest, place=f"{name}:{number}")
            programs[-1].measured.setdefault(process, []).append(measurement)
        elif not programs or programs[-1].measured:  # else a line of the arguments
            raise LedgerFormatError(
                f"{name}:{number}: needs a line of mprof that begins with {', '.join(MPROF_FIELDS)}, "
                f"but got {line[:60]!r}. Remove the line, or restore the file."
            )
    runs = [
        _make_run(program, process, content, at=at, service=service, name=name)
        for at, program in enumerate(programs)
        for process, measured in program.measured.items()
        if any(columns["rss_bytes"] is not None for _, columns in measured)
    ]
    if not runs:
        raise LedgerFormatError(f"{name}: needs MEM lines of mprof, but has none. Record the program for longer.")
    left_out = [f"{n_functions:,} FUNC lines, which are no measurements over time"] if n_functions else []
    return runs, [*left_out, *(["the last line, which is cut off"] if torn else [])]


def _parse_measurement(kind: str, rest: str, *, place: str) -> tuple[str, tuple[float, dict[str, int | None]]]:
    words = rest.split()
    process = words.pop(0) if kind == "CHLD" and words else _PROGRAM
    try:
        mib, moment = map(float, words)
    except ValueError:
        mib = moment = math.nan
    if not (0 <= mib < MAX_MIB and 0 < moment < MAX_EPOCH_S):
        raise LedgerFormatError(
            f"{place}: {kind} needs MiB and epoch seconds as two numbers, but got {rest[:60]!r}. "
            "Repair the line, or remove it."
        )
    return process, (moment, {"rss_bytes": bytes_from_mb(mib) or None})


def _make_run(
    program: _Program, process: str, content: bytes, *, at: int, service: str | None, name: str
) -> ImportedRun:
    samples = make_samples(program.measured[process])
    samples[-1]["label"] = END_LABEL
    return ImportedRun(
        service=service or make_encodable(_find_script(program.command_line) or PurePath(name).stem or "mprof"),
        key=f"mprof\0{at}\0{process}\0".encode() + content,
        samples=samples,
        pid=int(process) if process.isascii() and process.isdigit() and len(process) < 10 else None,
    )


def _find_script(command_line: str) -> str:
    """Name of the script or module among a program's arguments; the program's own where there is none."""
    words = command_line.split()
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    scripts = [word for word in words if word.endswith(".py")]
    return PurePath(scripts[0]).stem if scripts else PurePath(words[0]).name if words else ""
