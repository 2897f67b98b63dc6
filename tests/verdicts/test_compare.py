"""The verb ``compare`` on real ledgers, and on one ledger cut at a mark."""

import pytest
from factories import ramp

from memanalysis import compare, open_ledger
from memanalysis.errors import InvalidArgumentError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import KIB, MIB


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


@pytest.mark.parametrize(("arguments", "given"), [({}, "neither"), ({"after": "b", "mark": "m"}, "both")])
def test_one_of_ledger_and_mark_is_needed(arguments, given):
    with pytest.raises(InvalidArgumentError, match=f"compare needs a second ledger or mark=, but got {given}"):
        compare("a", **arguments)
