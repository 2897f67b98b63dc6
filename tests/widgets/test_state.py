"""What a reader selects, and what is then shown: without any widget."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ledger_rows import NEW_YEAR

from memanalysis import open_ledger
from memanalysis.analysis.budgets.budget_breaches import Budget
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.verdict import SEVERITIES
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB
from memanalysis.widgets.explorer_view import Judging, View, compare_stretches, make_view, read_run_tables
from memanalysis.widgets.run_rows import RunRows, SampleRuns
from memanalysis.widgets.state import (
    Selection,
    choose_metric,
    choose_range,
    choose_run,
    choose_service,
    first_selection,
    list_choices,
)

OLD_RUN, NEW_RUN, OTHER_RUN = (f"20250101T00000{number}Z-1-0000000{number}" for number in range(3))


def write_run(path: Path, service: str, run_id: str, *, start: float, n: int, traced: bool = False) -> None:
    """A run that rises by 1 MiB a second from 50 MiB; its clock reads 5 s at its first sample."""
    writer = LedgerWriter(path, run={"run_id": run_id, "service": service, "started": start})
    writer.append(
        "samples",
        [
            {
                "seq": number,
                "timestamp": start + number,
                "elapsed_s": 5.0 + number,
                "rss_bytes": (50 + number) * MIB,
                "traced_bytes": number * MIB if traced else None,
            }
            for number in range(n)
        ],
    )
    writer.append(
        "events",
        [
            {"timestamp": start, "kind": "start"},
            {"timestamp": start + 3, "kind": "mark", "message": "deploy 1.4"},
            {"timestamp": start + 4, "kind": "cell", "data": {"cell": "In[7]"}},
            {"timestamp": start + 5, "kind": "breach", "message": "over\nbudget"},
        ],
    )
    writer.close(ended=start + n)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples and events of ``api`` (two runs) and ``worker`` (one, traced)."""
    write_run(tmp_path, "worker", OTHER_RUN, start=NEW_YEAR, n=30, traced=True)
    write_run(tmp_path, "api", NEW_RUN, start=NEW_YEAR + 1000, n=20)
    write_run(tmp_path, "api", OLD_RUN, start=NEW_YEAR, n=10)
    ledger = open_ledger(tmp_path)
    return ledger.samples, ledger.events


@pytest.fixture
def runs(tables: tuple[pd.DataFrame, pd.DataFrame]) -> SampleRuns:
    return SampleRuns(tables[0])


@pytest.fixture
def first(runs: SampleRuns) -> Selection:
    selection = first_selection(runs)
    assert selection is not None
    return selection


@pytest.mark.slow
def test_the_newest_run_of_the_first_service_is_shown_first_and_whole(first: Selection) -> None:
    assert first == Selection(service="api", run_id=NEW_RUN, metric="rss_bytes", start_s=0.0, end_s=19.0)


def test_an_empty_ledger_has_no_selection(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert first_selection(SampleRuns(tables[0].iloc[:0])) is None


def test_the_rows_of_a_run_are_found_where_those_of_others_lie_between(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """Rows in the order of their sizes: runs of both services alternate."""
    shuffled = tables[0].sort_values("rss_bytes", kind="stable")
    found = RunRows(shuffled).find("api", OLD_RUN)

    assert len(found) == 10
    assert set(found["run_id"]) == {OLD_RUN}
    assert list(SampleRuns(shuffled).list_runs("api")) == [OLD_RUN, NEW_RUN]
    assert RunRows(shuffled).find("api", OTHER_RUN).empty


def test_choices_are_services_by_name_runs_by_age_and_metrics_that_are_known(
    runs: SampleRuns, first: Selection
) -> None:
    choices = list_choices(runs, first)

    assert list(choices.services) == ["api", "worker"]
    assert list(choices.run_ids) == [OLD_RUN, NEW_RUN]
    assert list(choices.metrics) == ["rss_bytes"]
    assert choices.length_s == 19.0
    worker = choose_service(runs, first, "worker")
    assert list(list_choices(runs, worker).metrics) == ["rss_bytes", "traced_bytes"]


def test_another_service_is_shown_whole_with_the_same_metric_if_it_has_it(runs: SampleRuns, first: Selection) -> None:
    worker = choose_service(runs, first, "worker")
    traced = choose_metric(runs, worker, "traced_bytes")

    assert (worker.run_id, worker.end_s) == (OTHER_RUN, 29.0)
    assert choose_service(runs, traced, "worker").metric == "traced_bytes"
    assert choose_service(runs, traced, "api").metric == "rss_bytes"


def test_an_unknown_service_is_refused_with_those_that_are_known(runs: SampleRuns, first: Selection) -> None:
    with pytest.raises(InvalidArgumentError, match=r"The ledger has no service 'ap1'\. It has: api, worker\."):
        choose_service(runs, first, "ap1")


def test_an_older_run_is_shown_whole(runs: SampleRuns, first: Selection) -> None:
    older = choose_run(runs, first, OLD_RUN)

    assert (older.run_id, older.start_s, older.end_s) == (OLD_RUN, 0.0, 9.0)


def test_the_range_stays_when_the_metric_changes(runs: SampleRuns, first: Selection) -> None:
    worker = choose_service(runs, first, "worker")
    part = choose_range(worker, 4.0, 11.0, length_s=29.0)

    assert choose_metric(runs, part, "traced_bytes") == Selection(
        service="worker", run_id=OTHER_RUN, metric="traced_bytes", start_s=4.0, end_s=11.0
    )


@pytest.mark.parametrize(
    ("asked", "given"), [((3, 8), (3, 8)), ((8, 3), (3, 8)), ((-5, 99), (0, 19)), ((50, 60), (19, 19))]
)
def test_a_range_is_turned_and_cut_to_the_run(
    first: Selection, asked: tuple[float, float], given: tuple[float, float]
) -> None:
    part = choose_range(first, *asked, length_s=19.0)

    assert (part.start_s, part.end_s) == given


def view_of(tables: tuple[pd.DataFrame, pd.DataFrame], selection: Selection, judging: Judging | None = None) -> View:
    samples, events = tables
    run = read_run_tables(SampleRuns(samples), RunRows(events), selection, read_sites=lambda: RunRows(events.iloc[:0]))
    return make_view(run, selection, judging or Judging())


def test_a_view_holds_the_selected_stretch_and_judges_it_alone(
    tables: tuple[pd.DataFrame, pd.DataFrame], first: Selection
) -> None:
    whole = view_of(tables, first)
    part = view_of(tables, choose_range(first, 2.0, 4.0, length_s=19.0))

    assert list(part.elapsed_s) == [2.0, 3.0, 4.0]
    assert list(part.values) == [52 * MIB, 53 * MIB, 54 * MIB]
    assert whole.sentence.startswith("Growing, but too early")  # twenty samples
    assert part.sentence.startswith("Too early to judge")  # three points show nothing
    assert whole.started == pd.Timestamp(NEW_YEAR + 1000, unit="s", tz="UTC")


def test_marks_are_the_events_of_the_run_in_the_stretch_by_their_second(
    tables: tuple[pd.DataFrame, pd.DataFrame], first: Selection
) -> None:
    assert list(view_of(tables, first).marks) == [(3.0, "deploy 1.4"), (4.0, "In[7]"), (5.0, "breach")]
    part = choose_range(first, 4.0, 19.0, length_s=19.0)
    assert [name for _, name in view_of(tables, part).marks] == ["In[7]", "breach"]


def test_a_json_array_which_has_no_runs_can_be_shown(json_array: Callable[[], Path]) -> None:
    ledger = open_ledger(json_array())
    selection = first_selection(SampleRuns(ledger.samples))

    assert selection is not None
    view = view_of((ledger.samples, ledger.events), selection)
    assert (selection.service, selection.metric, selection.end_s) == ("messaging", "traced_bytes", 120.0)
    assert list(view.values) == [10 * MIB, 11 * MIB, 12 * MIB]


def budget(max_mb: float) -> Budget:
    return Budget(max_bytes=max_mb * MIB, warning_bytes=0.8 * max_mb * MIB, critical_bytes=0.95 * max_mb * MIB)


def test_a_view_has_the_fit_the_windows_and_the_breaches_of_its_stretch(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """From 50 MiB by 1 MiB a second for 30 s: 64 MiB, the warning of 80 MiB, is reached after 14 s."""
    selection = Selection(service="worker", run_id=OTHER_RUN, metric="rss_bytes", start_s=0.0, end_s=29.0)
    view = view_of(tables, selection, Judging(budget=budget(80)))

    assert view.line is not None
    assert view.line.window_s.size == view.line.window_bytes.size >= 2
    assert [(span.name, span.start_s, span.end_s) for span in view.breaches] == [("critical", 14.0, 29.0)]
    assert [(level.name, level.size_bytes) for level in view.levels] == [
        ("warning", 64 * MIB),
        ("critical", 76 * MIB),
        ("budget", 80 * MIB),
    ]
    assert view_of(tables, choose_range(selection, 0.0, 13.0, length_s=29.0), Judging(budget=budget(80))).breaches == []
    traced = choose_metric(SampleRuns(tables[0]), selection, "traced_bytes")
    assert view_of(tables, traced, Judging(budget=budget(80))).breaches == []  # a budget is of resident memory


def test_another_threshold_is_another_severity(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """100 MiB more in 100 s, without a budget: of medium severity or less, by what growth matters."""
    seconds = np.arange(100.0)
    samples = pd.DataFrame(
        {
            "service": "api",
            "run_id": NEW_RUN,
            "timestamp": pd.Timestamp(NEW_YEAR, unit="s", tz="UTC") + pd.to_timedelta(seconds, unit="s"),
            "elapsed_s": seconds,
            "rss_bytes": (200 + seconds) * MIB,
        }
    )
    selection = Selection(service="api", run_id=NEW_RUN, metric="rss_bytes", start_s=0.0, end_s=99.0)
    severities = [
        view_of((samples, tables[1].iloc[:0]), selection, Judging(rules=rules)).verdict["severity"].iloc[0]
        for rules in (SeverityRules(), SeverityRules(growth_bytes=1000 * MIB, growth_percent=100.0))
    ]

    assert SEVERITIES.index(severities[1]) < SEVERITIES.index(severities[0])


def test_two_stretches_of_a_run_are_compared_as_two_recordings_are(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """The second half of 1 MiB a second for 30 s is 15 MiB above the first, and grows as fast."""
    samples, events = tables
    whole = Selection(service="worker", run_id=OTHER_RUN, metric="rss_bytes", start_s=0.0, end_s=29.0)
    run = read_run_tables(SampleRuns(samples), RunRows(events), whole, read_sites=lambda: RunRows(events.iloc[:0]))
    halves = [choose_range(whole, start, start + 14.0, length_s=29.0) for start in (0.0, 15.0)]
    level, slope = compare_stretches(run, *halves).to_dict("records")

    assert level["change"] == pytest.approx(15 * MIB, rel=0.02)
    assert level["verdict"] == "more"
    assert slope["verdict"] == "same"


def test_another_metric_of_a_range_is_judged_alike_and_another_range_or_threshold_again(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """Ten views of one run, each as a run that was read for it alone shows it."""
    samples, events = tables
    whole = Selection(service="worker", run_id=OTHER_RUN, metric="rss_bytes", start_s=0.0, end_s=29.0)
    run = read_run_tables(SampleRuns(samples), RunRows(events), whole, read_sites=lambda: RunRows(events.iloc[:0]))
    traced = choose_metric(SampleRuns(samples), whole, "traced_bytes")
    parts = [choose_range(traced, float(start), 29.0, length_s=29.0) for start in range(4)]
    asked = [(one, Judging(budget=budget(max_mb))) for max_mb in (80, 60) for one in (whole, *parts)]
    views = [make_view(run, *one) for one in asked]

    assert views[0].verdict is views[1].verdict
    for view, one in zip(views, asked, strict=True):
        alone = view_of(tables, *one)
        pd.testing.assert_frame_equal(view.verdict, alone.verdict)
        assert (view.breaches, view.sentence) == (alone.breaches, alone.sentence)
