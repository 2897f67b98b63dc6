"""Whether only documented results come of a case: run the commands in this process, and name what is wrong."""

import io
import json
import random
import re
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.fuzz.case import Case, lay_out, sound_files
from benchmarks.fuzz.entry_cases import OUTSIDE, make_entry_case
from benchmarks.fuzz.line_cases import make_line_case
from benchmarks.fuzz.parquet_cases import make_parquet_case
from benchmarks.fuzz.policy_cases import make_policy_case
from benchmarks.fuzz.single_file_cases import make_single_file_case
from benchmarks.fuzz.sound import BYSTANDERS
from memanalysis.cli import main as run_command_line

__all__ = ["KINDS", "LIMIT_S", "Fault", "Outcome", "find_faults", "judge_case", "make_case", "run_command"]

LIMIT_S = 30.0
"""Seconds that one command may take: a hundred times what it does take."""

MAX_SHOWN = 4_000
"""Characters of an error that a person is willing to read, with long paths in it."""

KINDS: dict[str, Callable[[int, random.Random], Case]] = {
    "parquet": make_parquet_case,
    "lines": make_line_case,
    "single": make_single_file_case,
    "entries": make_entry_case,
    "policies": make_policy_case,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A result that is not documented."""

    kind: str
    number: int
    damage: str
    command: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.number} ({self.damage}): {self.command}: {self.what}"


@dataclass(slots=True)
class Outcome:
    """What came of one command: its exit code, or what it raised."""

    code: int | None
    out: str
    err: str
    raised: str | None
    warned: list[str]


class _TooLongError(BaseException):
    """Beyond the limit; no `except Exception` stops it."""


def make_case(kind: str, number: int, *, seed: int) -> Case:
    """Make the case of that number, the same for the same seed."""
    return KINDS[kind](number, random.Random(f"{seed} {kind} {number}"))


def find_faults(kind: str, number: int, *, seed: int) -> list[Fault]:
    """Lay a case out in a folder of its own, run the commands, and name what is wrong."""
    case = make_case(kind, number, seed=seed)
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        return list(judge_case(case, Path(folder)))


def judge_case(case: Case, folder: Path) -> Iterator[Fault]:
    """Name what is wrong with the results of a case."""
    target = str(lay_out(case, folder))
    outside = _read_all(folder / OUTSIDE)
    for command in _commands(case, target):
        outcome = run_command(command)
        shown = " ".join(word.replace(str(folder), "") for word in command)
        for what in (*_undocumented(case, outcome), *_lost(case, command, outcome, target)):
            yield Fault(case.kind, case.number, case.damage, shown, what)
    if _read_all(folder / OUTSIDE) != outside:
        yield Fault(case.kind, case.number, case.damage, "all", "changed files outside the ledger")


def run_command(command: Sequence[str], *, limit_s: float = LIMIT_S) -> Outcome:
    """Run one command of memanalysis in this process, which must be its main thread."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    outcome = Outcome(None, "", "", None, [])
    with warnings.catch_warnings(record=True) as warned, redirect_stdout(out), redirect_stderr(err):
        warnings.simplefilter("always")
        try:
            with _time_limit(limit_s):
                outcome.code = run_command_line(command)
        except _TooLongError:
            outcome.raised = f"does not end within {limit_s:g} s: {_last_frame(sys.exc_info()[1])}"
        except SystemExit as exc:
            outcome.code = exc.code if isinstance(exc.code, int) else 1
        except BaseException as exc:
            outcome.raised = f"{type(exc).__name__}: {str(exc)[:200]} at {_last_frame(exc)}"
    for stream, name in ((out, "out"), (err, "err")):
        stream.seek(0)
        setattr(outcome, name, stream.read())
    outcome.warned = [f"{entry.category.__name__}: {str(entry.message)[:200]}" for entry in warned]
    return outcome


def _commands(case: Case, target: str) -> list[list[str]]:
    if case.subject == "policy":
        if "policy" not in target.rpartition("/")[2]:
            return [_with_known_leaks(target)]
        other = (["policy", "show", target], ["policy", "export", "prometheus", target])[case.number % 2]
        return [["policy", "check", target], other]
    commands = [["assess", target, "--format", "json"], ["info", target]]
    if case.number % 3 == 0:
        format_ = "html" if case.number % 30 == 0 else "markdown"  # charts take ten times as long as all the rest
        commands.append(["report", target, "--format", format_, "-o", f"{target}.report"])
    if case.number % 3 == 1:
        commands.append(["convert", target, f"{target}.converted.{('parquet', 'jsonl', 'json')[case.number % 9 // 3]}"])
    if case.subject == "folder" and case.number % 3 == 2:
        commands += [["compact", target], ["assess", target, "--format", "json"]]
    return commands


def _with_known_leaks(target: str) -> list[str]:
    folder = Path(target).parent / "ledger"
    for name, content in sound_files(sealed=True, below="").items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return ["assess", str(folder), "--known-leaks", target]


def _undocumented(case: Case, outcome: Outcome) -> Iterator[str]:
    """Results that no command may give, whatever it reads."""
    if outcome.raised is not None:
        yield outcome.raised
        return
    yield from outcome.warned
    if "Traceback (most recent call last)" in outcome.out + outcome.err:
        yield f"a traceback is printed: {outcome.err[-300:]}"
    if outcome.code == 2:
        lines = [line for line in outcome.err.splitlines() if not line.startswith("memanalysis left out ")]
        if not _is_error(lines):
            yield f"exit code 2 without a line for each error: {outcome.err[:300]!r}"
        elif "--traceback" in lines[0]:
            yield f"an error that nobody foresaw: {lines[0][:400]}"
    elif outcome.code != 0:
        yield f"exit code {outcome.code}: {outcome.err[:300]!r}"


def _is_error(lines: Sequence[str]) -> bool:
    """Whether these are an error: one line, and below the errors of a policy, each in one line."""
    if not lines or not lines[0].startswith("memanalysis: error: ") or max(map(len, lines)) > MAX_SHOWN:
        return False
    below = [line for line in lines[1:] if not re.fullmatch(r"  and \d+ more", line)]
    return all(line.startswith("  ") and " needs " in line and ", but got " in line for line in below)


def _lost(case: Case, command: list[str], outcome: Outcome, target: str) -> Iterator[str]:
    """What must hold for the rest of a ledger with one damaged file."""
    if outcome.code == 2 and not case.may_refuse and command[0] != "convert":
        yield f"refuses the whole ledger: {outcome.err[:300]!r}"
    if outcome.code != 0 or case.subject != "folder":
        return
    if command[0] == "assess":
        found = parse_verdicts(outcome.out)
        for service in BYSTANDERS:
            if found.get(service) != sound_verdicts()[service]:
                yield f"the verdict on {service} is another than without the damage"
    if command[0] == "info" and case.lost is not None:
        from memanalysis.ledger.info import describe_ledger

        named = {damage.file for damage in describe_ledger(target).damage}
        if case.lost not in named:
            yield f"the damage is not named; what is: {sorted(named)}"


def parse_verdicts(text: str) -> dict[str, Any]:
    """Verdicts by service, of a JSON text without NaN and its like."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    try:
        return {row["service"]: row for row in json.loads(text, parse_constant=refuse)}
    except ValueError as exc:
        return {"not JSON": str(exc)}


@cache
def sound_verdicts() -> dict[str, Any]:
    """Give the verdicts on the sound ledger, by service."""
    with tempfile.TemporaryDirectory() as folder:
        case = Case("sound", 0, "folder", "none", files=sound_files(sealed=True, below="ledger"), target="ledger")
        outcome = run_command(["assess", str(lay_out(case, Path(folder))), "--format", "json"], limit_s=10 * LIMIT_S)
    verdicts = parse_verdicts(outcome.out)
    if not set(BYSTANDERS) <= set(verdicts) or not verdicts["leaky"]["is_leak"] or verdicts["calm"]["is_leak"]:
        raise AssertionError(f"the sound ledger is not judged as it should be: {outcome}")
    return verdicts


@contextmanager
def _time_limit(limit_s: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _last_frame(exc: BaseException | None) -> str:
    """Give the deepest frame of memanalysis, and the deepest of all."""
    frames = traceback.extract_tb(exc.__traceback__) if exc is not None else []
    ours = [frame for frame in frames if "memanalysis" in Path(frame.filename).parts]
    return " <- ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], *frames[-1:])[::-1])


def _read_all(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()} if folder.is_dir() else {}
