"""A ledger's verdicts and the labels of its runs, joined: what explains the leaks is named by library and command."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from memanalysis import open_ledger, pivot
from memanalysis.analysis.leak_pivot import LeakPivot
from memanalysis.cli import EXIT_ERROR, main
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger import Ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB
from memanalysis.verdicts.pivot import LABEL_COLUMNS, pivot_verdicts

START = 1_750_000_000.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Runs of one service on 24 hosts; those with libfoo 2.3 grow by 1 MiB/s."""
    path = tmp_path_factory.mktemp("fleet") / "ledger"
    for number in range(24):
        leaks = number % 3 == 0
        run = {
            "run_id": f"20250615T150640Z-{number + 1}-{number:08x}",
            "service": "api",
            "host": f"h{number}",
            "started": START,
            "labels": {"region": f"r{number % 2}"},
            "packages": {"libfoo": "2.3" if leaks else "2.2"},
        }
        writer = LedgerWriter(path, run=run, flush="manual")
        writer.append(
            "samples",
            [
                {
                    "seq": second,
                    "timestamp": START + second,
                    "elapsed_s": float(second),
                    "rss_bytes": 100 * MIB + leaks * second * MIB + number * second % 7 * 4096,
                }
                for second in range(60)
            ],
        )
        writer.close(ended=START + 60)
    return path


@pytest.mark.slow
def test_the_package_that_explains_the_leaks_is_named(fleet):
    found = pivot(fleet)

    assert (found.runs, found.leaking_runs) == (24, 8)
    assert [(one.label, one.value) for one in found.explanations] == [("libfoo", "2.3")]


def test_only_the_labels_that_are_asked_for_are_compared(fleet):
    found = pivot(fleet, labels=["region"])

    assert (found.labels, found.explanations) == (1, ())


def test_a_label_that_no_run_has_is_one_error(fleet):
    with pytest.raises(InvalidArgumentError, match=r"pivot needs labels that .* has, but got 'zone'. It has .*region"):
        pivot(fleet, labels=["zone"])


def test_the_command_prints_the_same(fleet, capsys):
    assert main(["pivot", str(fleet)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Leaks go with libfoo 2.3: 8 of 8 runs with it leak, and 0 of 16 without it" in shown

    assert main(["pivot", str(fleet), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["explanations"][0]["value"] == "2.3"
    assert main(["pivot", str(fleet), "--label", "zone"]) == EXIT_ERROR


N_RUNS, N_LEAKS = 12, 4


def write_runs(path: Path, *runs: Mapping[str, Any]) -> None:
    """Write runs without a sample, each on a host of its own where none is given."""
    for number, run in enumerate(runs):
        row = {"run_id": f"run-{number}", "service": "api", "host": f"h{number}", "started": START, **run}
        LedgerWriter(path, run=row, flush="manual").close(ended=START + 1, seal=False)


def make_verdicts(*rows: Mapping[str, Any], n: int = N_RUNS) -> pd.DataFrame:
    """Verdicts on runs whose first ones leak; further rows as given."""
    own = [{"run_id": f"run-{number}", "is_leak": number < N_LEAKS} for number in range(n)]
    return pd.DataFrame([{"service": "api", "shape": "stable", "role": "single", **row} for row in (*own, *rows)])


def pivot_ledger(ledger: Ledger, verdicts: pd.DataFrame, **chosen: Any) -> LeakPivot:
    runs = ledger.read("runs", columns=("service", "run_id", *LABEL_COLUMNS))
    return pivot_verdicts(runs, verdicts, path=ledger.path, **chosen)


def pivot_runs(path: Path, *runs: Mapping[str, Any], verdicts: pd.DataFrame | None = None) -> LeakPivot:
    write_runs(path, *runs)
    return pivot_ledger(open_ledger(path), make_verdicts() if verdicts is None else verdicts)


def list_explanations(found: LeakPivot) -> list[tuple[str, str]]:
    return [(one.label, one.value) for one in found.explanations]


TIERS = [{"labels": {"tier": "canary" if number < N_LEAKS else "stable"}} for number in range(N_RUNS)]


def test_verdicts_and_labels_are_joined_run_by_run_and_chance_is_that_of_fisher(tmp_path):
    """All 4 of 12 runs: 1 in 495, doubled for two questions, and again for the two values of the label."""
    write_runs(tmp_path, *TIERS)
    (one,) = pivot_ledger(open_ledger(tmp_path), make_verdicts()[::-1]).explanations
    assert math.comb(N_RUNS, N_LEAKS) == 495

    assert (one.label, one.value, one.unit) == ("tier", "canary", "runs")
    assert (one.with_value, one.leaks_with_value, one.without_value, one.leaks_without_value) == (4, 4, 8, 0)
    assert one.p_value == pytest.approx(4 / 495)


def test_restarts_on_one_host_are_no_evidence(tmp_path):
    found = pivot_runs(tmp_path, *({"host": "h0", **tier} for tier in TIERS))

    assert (found.runs, found.leaking_runs, found.explanations) == (12, 4, ())


@pytest.mark.parametrize(
    ("given", "explained"),
    [
        ("release", [("release", "2")]),
        ("git_commit", [("git_commit", "2")]),
        ("python", [("python", "2")]),
        ("platform", [("platform", "2")]),
        ("trace", []),
    ],
)
def test_columns_of_runs_that_name_what_ran_are_labels(tmp_path, given, explained):
    found = pivot_runs(tmp_path, *({given: "2" if number < N_LEAKS else "1"} for number in range(N_RUNS)))

    assert list_explanations(found) == explained


def test_a_label_of_a_run_wins_over_a_column_and_that_over_a_package(tmp_path):
    """The column of the release, which goes with the leaks, loses to a label; that of Python wins over a package."""
    runs = [
        {
            "release": "bad" if number < N_LEAKS else "good",
            "python": "3.13" if number < N_LEAKS else "3.12",
            "labels": {"release": "any"},
            "packages": {"python": "any"},
        }
        for number in range(N_RUNS)
    ]

    assert list_explanations(pivot_runs(tmp_path, *runs)) == [("python", "3.13")]


def test_what_is_unknown_or_names_the_run_is_no_value(tmp_path):
    """Empty text, numbers and missing cells, and labels that are called as a column of the verdicts is."""
    labels = [{"tier": "", "count": 3, "is_leak": "yes", "service": "x", "run_id": "y"} for _ in range(N_LEAKS)]
    found = pivot_runs(tmp_path, *({"labels": own} for own in labels), *[{}] * (N_RUNS - N_LEAKS))

    assert (found.runs, found.leaking_runs, found.values, found.explanations) == (12, 4, 0, ())


def test_what_is_not_judged_a_family_or_of_no_run_of_the_ledger_is_not_counted(tmp_path):
    others = [
        {"run_id": "run-11", "shape": "growing", "role": "family", "is_leak": True},
        {"run_id": "run-12", "shape": "inconclusive", "is_leak": False},
        {"run_id": "run-13", "shape": "unreadable", "is_leak": False},
        {"run_id": "run-99", "is_leak": True},
        {"run_id": "run-0", "service": "jobs", "is_leak": True},
    ]
    found = pivot_runs(tmp_path, *TIERS, {}, {}, verdicts=make_verdicts(*others))
    assert (found.runs, found.leaking_runs, found.services) == (12, 4, 1)

    none_left = pivot_ledger(open_ledger(tmp_path), make_verdicts(n=1).assign(shape="inconclusive"))
    assert (none_left.runs, none_left.leaking_runs, none_left.explanations) == (0, 0, ())


def test_a_run_leaks_where_one_of_its_verdicts_says_so(tmp_path):
    again = [{"run_id": f"run-{number}", "role": "worker", "is_leak": number == 5} for number in range(N_RUNS)]
    found = pivot_runs(tmp_path, *TIERS, verdicts=make_verdicts(*again))

    assert (found.runs, found.leaking_runs) == (12, 5)


def test_an_unknown_label_is_an_error_that_names_all_there_are(tmp_path):
    write_runs(tmp_path / "labels", *TIERS)
    write_runs(tmp_path / "none", {"host": None})
    for name, there in (("labels", "host, tier"), ("none", "none")):
        ledger = open_ledger(tmp_path / name)
        with pytest.raises(InvalidArgumentError) as caught:
            pivot_ledger(ledger, make_verdicts(), labels=["zone", "host2", *(["tier"] if name == "labels" else [])])
        assert str(caught.value) == (
            f"pivot needs labels that {ledger.path} has, but got 'host2', 'zone'. It has {there}."
        )
