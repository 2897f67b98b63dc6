"""A report as a terminal shows it."""

from pathlib import Path

import pytest
from IPython.lib.pretty import pretty

from memanalysis import report

SAMPLES = Path(__file__).parents[2] / "sample_ledgers"


@pytest.mark.slow
def test_a_terminal_shows_headline_verdicts_and_lines() -> None:
    shown = pretty(report(SAMPLES / "leaking_service"))

    assert shown.startswith("Memory of leaky_service: 1 of 1 service leaks")
    row = next(line for line in shown.splitlines() if line.startswith("  leaky_service"))
    assert "critical" in row
    assert "leaky_service.py:58" in row
    assert "A leak: grows by 2.8 GiB/h" in shown
    assert "<" not in shown
