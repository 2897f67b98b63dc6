"""Does anything undocumented come out of many random cases? ``python -m benchmarks fuzz --cases N --seed S``.

The cases run in processes of their own, some hundred each, so that a crash or a hang ends one process and is counted.
"""

import json
import re
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fuzz.judge import KINDS

__all__ = ["Tally", "main", "run_cases"]

CHUNK = 250
"""Cases of one process."""

SILENCE_S = 120.0
"""A process that reports nothing for so long hangs where no signal reaches it: its commands stop themselves sooner."""

MAX_SHOWN = 20


class Tally:
    """What came of the cases: how many ran, and the faults, each kind with its first example."""

    def __init__(self) -> None:
        self.n_cases = 0
        self.n_faults = 0
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, faults: list[str]) -> None:
        """Count one case."""
        self.n_cases += 1
        for fault in faults:
            self.n_faults += 1
            what = re.sub(r"[0-9]+|/tmp/\S+", "#", fault.rpartition("): ")[2])[-120:]
            self.counts[what] += 1
            self.examples.setdefault(what, fault)


def main(*, cases: int = 20_000, seed: int = 20250101, kinds: list[str] | None = None) -> int:
    """Run cases, print what came of them, and return the number of faults."""
    wanted = kinds or list(KINDS)
    share = {kind: cases // len(wanted) + (place < cases % len(wanted)) for place, kind in enumerate(wanted)}
    print(f"Damaged ledgers and policies, {cases:,} cases, seed {seed}: only documented results come out\n")
    print(f"{'kind':10} {'cases':>7} {'faults':>7} {'seconds':>8}")
    total = Tally()
    for kind, n_cases in share.items():
        begin = time.monotonic()
        tally = run_cases(kind, n_cases, seed=seed)
        print(f"{kind:10} {tally.n_cases:>7,} {tally.n_faults:>7,} {time.monotonic() - begin:>8.0f}", flush=True)
        total.n_cases += tally.n_cases
        total.n_faults += tally.n_faults
        for what, count in tally.counts.most_common(MAX_SHOWN):
            print(f"  {count:>6,} times: {tally.examples[what][:600]}", flush=True)
    print(f"\n{total.n_cases:,} cases, {total.n_faults:,} faults\n")
    return total.n_faults


def run_cases(kind: str, n_cases: int, *, seed: int) -> Tally:
    """Run the cases 0 to n of a kind, in one process after the other."""
    tally = Tally()
    begin = 0
    while begin < n_cases:
        for number, faults in _run_chunk(kind, begin, min(begin + CHUNK, n_cases), seed=seed):
            tally.add(faults)
            begin = number + 1
    return tally


def _run_chunk(kind: str, begin: int, end: int, *, seed: int) -> Iterator[tuple[int, list[str]]]:
    """Give each case with its faults; the last one given is that which ended the process, if one did."""
    command = [sys.executable, "-m", "benchmarks.fuzz.worker", str(seed), kind, str(begin), str(end)]
    begun = begin
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            is_silent = False
            while not (is_silent := not selector.select(SILENCE_S)) and (line := process.stdout.readline()):
                message = json.loads(line)
                if "done" in message:
                    begun = message["done"] + 1
                    yield message["done"], message["faults"]
            if is_silent:
                process.kill()
        code = process.wait()
    if begun < end:
        what = "hangs, and no signal reaches it" if is_silent else f"ends the process with code {code}"
        yield begun, [f"{kind} {begun}: {what}"]
