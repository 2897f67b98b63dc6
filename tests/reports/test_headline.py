from typing import Any

import pandas as pd
import pytest

from memanalysis.analysis.verdict import VERDICT_COLUMNS
from memanalysis.reports.headline import order_verdicts, render_headline
from memanalysis.units import MIB

LEAK: dict[str, Any] = {
    "shape": "growing",
    "is_leak": True,
    "severity": "high",
    "slope_bytes_per_s": 2 * MIB / 3600,
    "responsible_file": "/srv/b.py",
    "responsible_line": 3,
}
WELL: dict[str, Any] = {"shape": "stable", "is_leak": False, "severity": "none"}
OPEN: dict[str, Any] = {"shape": "inconclusive", "is_leak": False, "severity": "none"}


def frame(**services: dict[str, Any]) -> pd.DataFrame:
    rows = [{"service": name, "run_id": f"run-{name}", "sentence": "So.", **row} for name, row in services.items()]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (frame(a=WELL, b=LEAK, c=WELL), "1 of 3 services leaks: b grows by 2.0 MiB/h, at b.py:3."),
        (
            frame(a=LEAK | {"severity": "critical"}, b=LEAK),
            "2 of 2 services leak. The worst: a grows by 2.0 MiB/h, at b.py:3.",
        ),
        (frame(a=WELL), "No leak was shown in 1 service."),
        (frame(a=WELL, b=OPEN), "No leak was shown in 1 service. 1 cannot be judged yet: more samples are needed."),
        (frame(a=OPEN), "1 service cannot be judged yet: more samples are needed."),
        (frame(), "Nothing was recorded: the ledger has no samples."),
    ],
)
def test_the_headline_counts_services_and_names_the_worst(verdicts: pd.DataFrame, sentence: str) -> None:
    assert render_headline(verdicts) == sentence


def test_the_worst_comes_first_then_the_soonest_then_what_is_open() -> None:
    verdicts = frame(
        well=WELL,
        open=OPEN,
        later=LEAK | {"time_to_exhaustion_s": 900.0},
        soon=LEAK | {"time_to_exhaustion_s": 60.0},
        worst=LEAK | {"severity": "critical"},
    )

    assert list(order_verdicts(verdicts)["service"]) == ["worst", "soon", "later", "open", "well"]
