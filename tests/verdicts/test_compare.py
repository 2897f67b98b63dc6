"""The verb ``compare`` on real ledgers, and on one ledger cut at a mark."""

import numpy as np
import pytest
from factories import ar_noise, ramp
from pandas.testing import assert_frame_equal

from memanalysis import compare, open_ledger
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.reading.ledger_part import WHOLE
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import KIB, MIB
from memanalysis.verdicts.engines import InProcess
from memanalysis.verdicts.ledger_parts import plan_service_parts


def write_ledger(path, values, *, run_id="run-1", marks=()):
    """A ledger of one service with a sample a second, and marks at given seconds."""
    now = 1_767_225_600.0
    writer = LedgerWriter(path, run={"run_id": run_id, "service": "shop", "started": now})
    writer.append(
        "samples",
        [
            {"seq": i, "timestamp": now + i, "elapsed_s": float(i), "rss_bytes": round(value)}
            for i, value in enumerate(values)
        ],
    )
    writer.append("events", [{"timestamp": now + at, "kind": "mark", "message": text} for at, text in marks])
    writer.close(ended=now + len(values))
    return path


def test_two_ledgers_are_compared_by_level_and_slope(tmp_path):
    flat, leak = ramp(slope=0, n=80, sigma=100 * KIB), ramp(slope=MIB, n=80, sigma=100 * KIB)
    changes = compare(write_ledger(tmp_path / "a", flat.values), write_ledger(tmp_path / "b", leak.values))

    assert changes[["what", "verdict"]].values.tolist() == [["level_bytes", "more"], ["slope_bytes_per_s", "more"]]


def test_a_mark_cuts_one_ledger_in_two(tmp_path):
    values = [
        *ramp(slope=0, n=60, sigma=100 * KIB).values,
        *ramp(slope=0, n=60, start=90 * MIB, sigma=100 * KIB).values,
    ]
    path = write_ledger(tmp_path / "a", values, marks=[(60, "deploy 1.4")])
    changes = compare(open_ledger(path), mark="deploy 1.4")

    level = changes[changes["what"] == "level_bytes"].iloc[0]
    assert level["verdict"] == "more"
    assert level["change"] == pytest.approx(40 * MIB, rel=0.02)


def test_a_mark_that_is_not_there_is_reported_with_those_that_are(tmp_path):
    path = write_ledger(tmp_path / "a", [MIB] * 5, marks=[(2, "deploy 1.4")])
    with pytest.raises(InvalidArgumentError) as caught:
        compare(path, mark="deploy 1.5")
    assert str(caught.value) == (
        f"compare needs a mark called 'deploy 1.5' in {path}, but it has ['deploy 1.4']. "
        "Set one with recorder.mark(text)."
    )


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({}, "none of them"),
        ({"after": "b", "mark": "m"}, "after and mark"),
        ({"mark": "m", "release": "r"}, "mark and"),
    ],
)
def test_one_of_ledger_mark_and_releases_is_needed(arguments, given):
    with pytest.raises(InvalidArgumentError, match=f"mark=, release= or since_release=, but got {given}"):
        compare("a", **arguments)


@pytest.fixture
def in_small_parts(monkeypatch):
    """Each service is a part of its own."""
    monkeypatch.setattr(InProcess, "max_part_bytes", 1)


WEEK_S = 7 * 86_400.0
STEP_S = 1800.0
START = 1_767_225_600.0


def write_run(path, service, *, week, slope=0.0, days=7.0, mark=None, commit=None, level=200 * MIB, number=0):
    """A run that begins in a week, has a sample every half an hour, and sets its mark at its start."""
    started = START + week * WEEK_S
    writer = LedgerWriter(
        path,
        run={"run_id": f"{service}-{week}-{number}", "service": service, "started": started, "git_commit": commit},
        flush="manual",
    )
    rng = np.random.default_rng([int(10 * week), number, len(service)])
    times = np.arange(0, days * 86_400, STEP_S)
    values = level + slope * times + ar_noise(rng, times.size, lag_one=0.6, sigma=MIB)
    writer.append(
        "samples",
        [
            {"seq": i, "timestamp": started + at, "elapsed_s": at, "rss_bytes": round(value)}
            for i, (at, value) in enumerate(zip(times, values, strict=True))
        ],
    )
    if slope or service == "checkout":
        writer.append(
            "sites",
            [
                {"seq": i, "timestamp": started + at, "site_id": "a", "file": "app/cart.py", "line": 42,
                 "function": "add", "size_bytes": round(MIB + slope * at), "traceback": []}
                for i, at in enumerate(times[::48])
            ],
        )  # fmt: skip
    if mark:
        writer.append("events", [{"timestamp": started + 60, "kind": "mark", "message": mark}])
    writer.close(ended=started + times[-1])


@pytest.fixture(scope="module")
def deploys(tmp_path_factory):
    """Two services, deployed on different days of the week: one leaks in releases 1.2 and 1.3, and not in 1.4."""
    path = tmp_path_factory.mktemp("deploys") / "ledger"
    for number, release in enumerate(("1.1", "1.2", "1.3", "1.4")):
        slope = 150.0 if release in {"1.2", "1.3"} else 0.0
        for restart in (0, 1):
            of_release = {"mark": f"deploy {release}", "commit": f"c0ffee{number}", "days": 3.4, "number": restart}
            write_run(path, "checkout", week=number + restart / 2, slope=slope, **of_release)
            write_run(path, "search", week=number + 0.3 + restart / 2, **of_release)
    write_run(path, "unmarked", week=0, days=28.0)
    return path


def test_the_deploy_that_brought_a_leak_is_found_though_restarts_set_its_mark_again(deploys):
    changes = compare(deploys, mark="deploy 1.2")
    changed = changes[changes["verdict"] != "same"]

    assert changes["service"].unique().tolist() == ["checkout", "search"]
    assert changes[["runs_before", "runs_after"]].drop_duplicates().values.tolist() == [[2, 2]]
    assert changed["service"].unique().tolist() == ["checkout"]
    assert set(changed["what"]) == {"level_bytes", "slope_bytes_per_s", "site_bytes"}
    assert changed.set_index("what").loc["site_bytes", ["file", "line", "verdict"]].tolist() == [
        "app/cart.py",
        42,
        "more",
    ]


@pytest.mark.parametrize(("mark", "verdicts"), [("deploy 1.3", {"same"}), ("deploy 1.4", {"less"})])
def test_a_deploy_is_compared_with_the_one_before_it_alone(deploys, mark, verdicts):
    changes = compare(deploys, mark=mark).query("service == 'checkout' and what != 'level_bytes'")
    assert set(changes["verdict"]) == verdicts


def test_two_commits_are_compared_by_their_runs(deploys):
    changes = compare(deploys, release=("c0ffee0", "c0ffee1"))
    worse = changes[changes["verdict"] != "same"]
    healthy = compare(deploys, release=("c0ffee1", "c0ffee2"))

    assert set(worse["service"]) == {"checkout"}
    assert set(worse["verdict"]) == {"more"}
    assert worse["runs_before"].eq(2).all()
    assert set(healthy["verdict"]) == {"same"}


def test_since_a_release_counts_it_and_all_later_ones_each_service_by_its_own_start(deploys):
    """Two runs a release: two before 1.2 and six since, six before 1.4 and two since; the leak is over with 1.4."""
    runs = ["runs_before", "runs_after"]
    since_second = compare(deploys, since_release="c0ffee1")
    since_last = compare(deploys, since_release="c0ffee3")

    for changes, counts in ((since_second, [2, 6]), (since_last, [6, 2])):
        levels = changes[changes["what"] == "level_bytes"].set_index("service")
        assert levels[runs].to_numpy().tolist() == [counts, counts]
    of_search = since_last[since_last["service"] == "search"]
    assert of_search["verdict"].unique().tolist() == ["same"]


def test_nothing_from_before_the_first_release_is_an_error(deploys):
    with pytest.raises(InvalidArgumentError, match=r"needs runs from before the release 'c0ffee0' in .*, but has none"):
        compare(deploys, since_release="c0ffee0")


@pytest.mark.parametrize(
    ("releases", "text"),
    [
        (("c0ffee0", "beef"), "needs runs of the release 'beef' in .*, but it has 'c0ffee0', 'c0ffee1'"),
        (("c0ff", "c0ffee1"), "'c0ff' and 'c0ffee1' have runs in common"),
        ("c0ffee0", "needs release= as two names, but got 'c0ffee0'"),
    ],
)
def test_a_release_that_is_not_there_or_not_one_is_an_error(deploys, releases, text):
    with pytest.raises(InvalidArgumentError, match=text):
        compare(deploys, release=releases)


def test_a_leak_that_goes_on_through_a_mark_is_no_change(tmp_path):
    """The level after the mark is higher, but not because of it."""
    values = ramp(slope=MIB, n=160, sigma=100 * KIB).values
    path = write_ledger(tmp_path / "a", values, marks=[(80, "loaded")])

    assert set(compare(path, mark="loaded")["verdict"]) == {"same"}


def test_services_that_are_compared_one_by_one_give_the_same_frame(deploys, in_small_parts, monkeypatch):
    """Chance is judged over all of them, wherever each is read."""
    arguments = [{"mark": "deploy 1.2"}, {"release": ("c0ffee0", "c0ffee1")}, {"after": deploys}]
    ledgers = [open_ledger(deploys)]
    assert len(plan_service_parts(ledgers, max_bytes=1)) == 3
    apart = [compare(deploys, **given) for given in arguments]
    monkeypatch.undo()

    for given, frame in zip(arguments, apart, strict=True):
        assert_frame_equal(frame, compare(deploys, **given))


def test_parts_hold_as_many_services_as_fit_and_a_file_is_one(deploys, tmp_path):
    ledger = open_ledger(deploys)
    sizes = ledger.partitions("samples")
    parts = plan_service_parts([ledger, ledger], max_bytes=2 * (sum(sizes.values()) - 1))

    assert [name for part in parts for name in part.partitions] == sorted(sizes)
    assert len(parts) == 2
    assert plan_service_parts([ledger], max_bytes=sum(sizes.values())) == [WHOLE]
    file = next((deploys / "samples" / "service_key=search").glob("*.parquet"))
    assert plan_service_parts([ledger, open_ledger(file)], max_bytes=1) == [WHOLE]
