"""Twelve programs that fork, watched as a user would: which leak, and which only copy what they shared.

``python -m benchmarks families`` runs each for 40 s under ``memanalysis run`` with its defaults, two at a time, and
judges the whole ledger: a program leaks where any row of the verdict does. ``MEMANALYSIS_SECONDS`` sets another time,
``MEMANALYSIS_TRACE`` another way to trace.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.measure import print_table
from memanalysis.verdicts.assess import assess

__all__ = ["FAMILIES", "Judged", "f1_score", "judge_family", "main"]

FOLDER = Path(__file__).parent / "family_programs"
ROOT = Path(__file__).parents[1]
SECONDS = float(os.environ.get("MEMANALYSIS_SECONDS", "40"))
TRACE = os.environ.get("MEMANALYSIS_TRACE", "auto")
AT_ONCE = 2
START_AND_END_S = 120.0
"""A program has this much more time than it asks for."""

FAMILIES = {
    "preload_leak": "leak",
    "preload_copies": "copies",
    "preload_arrays": "healthy",
    "pool_leak": "leak",
    "pool_master_leak": "leak",
    "pool_recycled": "healthy",
    "executor_healthy": "healthy",
    "executor_leak": "leak",
    "loader_copies": "copies",
    "shared_memory_healthy": "healthy",
    "shared_memory_leak": "leak",
    "short_children_leak": "leak",
}
"""What each program does."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on a program, with the truth about it."""

    name: str
    truth: str
    verdicts: pd.DataFrame

    @property
    def is_leak(self) -> bool:
        """Whether any process, or the family, was called a leak."""
        return bool(self.verdicts["is_leak"].any())

    @property
    def copies(self) -> bool:
        """Whether the verdict on any process is copy-on-write."""
        return bool((self.verdicts["origin"] == "copy-on-write").any())

    @property
    def is_right(self) -> bool:
        """Whether that is what it does."""
        return (self.is_leak, self.copies) == (self.truth == "leak", self.truth == "copies") or (
            self.truth == "leak" and self.is_leak
        )


def main() -> None:
    """Run the programs, and print a row each and the scores."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        judged = list(pool.map(judge_family, FAMILIES))
    header = ["program", "it is", "right", "of the family", "processes"]
    print_table(f"Programs that fork, {SECONDS:.0f} s, trace={TRACE}", header, [_make_row(one) for one in judged])
    leak = f1_score((one.truth == "leak", one.is_leak) for one in judged)
    copies = f1_score((one.truth == "copies", one.copies) for one in judged if one.truth != "leak")
    print(f"F1 of leak or not: {leak:.3f}; of copying on write: {copies:.3f}\n")


def judge_family(name: str, seconds: float = SECONDS, trace: str = TRACE) -> Judged:
    """Run one program and judge its ledger."""
    with tempfile.TemporaryDirectory() as place:
        ledger = Path(place) / "ledger"
        command = [sys.executable, "-m", "memanalysis", "run", "--trace", trace, "--ledger", str(ledger)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        script = str(FOLDER / f"{name}.py")
        subprocess.run(
            [*command, script, str(seconds)],
            cwd=place,
            env=environment,
            capture_output=True,
            check=True,
            timeout=seconds + START_AND_END_S,
        )
        return Judged(name, FAMILIES[name], assess(ledger))


def f1_score(pairs: Iterable[tuple[bool, bool]]) -> float:
    """Return the F1 of pairs of truth and word."""
    known = list(pairs)
    hits = sum(truth and word for truth, word in known)
    misses = sum(truth != word for truth, word in known)
    return 2 * hits / (2 * hits + misses) if hits else 0.0


def _make_row(one: Judged) -> list[str]:
    verdicts = one.verdicts
    family = verdicts[verdicts["role"] == "family"]
    words = [f"{row['role'] or 'single'} {row['shape']}/{row['origin']}" for row in verdicts.to_dict("records")]
    leaks = verdicts["is_leak"].tolist()
    words_found = ", ".join(f"{word}{' LEAK' if leak else ''}" for word, leak in zip(words, leaks, strict=True))
    sentence = family["sentence"].iloc[0][:90] if len(family) else "no family"
    return [one.name, one.truth, "yes" if one.is_right else "NO", sentence, words_found[:150]]
