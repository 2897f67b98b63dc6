"""What is unknown in a frame stays unknown, and the seconds of one run never depend on those of another."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memanalysis.analysis.input_frames import (
    finite_float,
    known_floats,
    require_columns,
    run_key,
    with_elapsed,
    with_elapsed_of_runs,
    without_end,
)
from memanalysis.errors import MissingColumnError

NOON = pd.Timestamp("2025-06-15 12:00:00", tz="UTC")


def stamps(*seconds: float) -> list[pd.Timestamp]:
    """Moments after noon, NaT where a second is not known."""
    return [NOON + pd.Timedelta(seconds=second) for second in seconds]


def test_an_error_names_what_is_missing_and_what_is_there() -> None:
    frame = pd.DataFrame(columns=["run_id", 5, "line"])
    require_columns("assess", frame, ["line", 5])

    with pytest.raises(MissingColumnError) as caught:
        require_columns("assess", frame, ["file", "line", "bytes"])
    assert str(caught.value) == (
        "assess needs the columns ['file', 'bytes'], but the frame has ['5', 'line', 'run_id']. "
        "Pass a table of a ledger, or rename your columns."
    )


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "float32", "float64", object])
def test_unknown_values_are_nan_in_whatever_type_they_come(dtype: Any) -> None:
    unknown = None if dtype in ("Int64", "Float64", object) else np.nan
    frame = pd.DataFrame({"rss_bytes": pd.Series([3, unknown, 5], dtype=dtype)})
    floats = known_floats(frame, "rss_bytes")

    assert floats.dtype == np.float64
    np.testing.assert_array_equal(floats, [3, np.nan, 5])


def test_a_column_that_is_missing_is_unknown_in_each_row() -> None:
    np.testing.assert_array_equal(known_floats(pd.DataFrame(index=range(3)), "rss_bytes"), [np.nan] * 3)
    assert known_floats(pd.DataFrame(), "rss_bytes").shape == (0,)


@pytest.mark.parametrize("value", [True, None, "3", [3], float("nan"), float("inf"), float("-inf"), 10**400])
def test_what_is_no_number_or_has_no_end_is_unknown(value: object) -> None:
    assert finite_float(value) is None


@pytest.mark.parametrize(("value", "expected"), [(0, 0.0), (-3, -3.0), (2.5, 2.5), (np.float64(7), 7.0)])
def test_a_number_is_a_float(value: object, expected: float) -> None:
    assert finite_float(value) == expected
    assert type(finite_float(value)) is float


@pytest.mark.parametrize("unknown", [None, np.nan, pd.NA, pd.NaT])
def test_a_run_without_an_id_is_the_same_however_that_is_written(unknown: object) -> None:
    assert run_key({"service": "web", "run_id": unknown}) == ("web", None)
    assert run_key({"service": "web", "run_id": "a"}) == ("web", "a")


def test_seconds_that_are_all_known_are_taken_as_they_are() -> None:
    frame = pd.DataFrame({"elapsed_s": [7.0, 5.0], "timestamp": stamps(0, 1)})

    assert with_elapsed(frame).tolist() == [7.0, 5.0]
    assert with_elapsed(frame.drop(columns="timestamp")).tolist() == [7.0, 5.0]
    assert with_elapsed(frame.iloc[:0]).shape == (0,)


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_one_unknown_second_has_all_of_them_read_off_the_clock(unknown: float) -> None:
    """The clock starts at the earliest row, which need not be the first; half a second stays one."""
    frame = pd.DataFrame({"elapsed_s": [7.0, unknown, 8.0], "timestamp": stamps(12.5, 10, 30)})
    assert with_elapsed(frame).tolist() == [2.5, 0.0, 20.0]


def test_without_seconds_and_without_a_clock_there_is_no_time() -> None:
    for frame in (pd.DataFrame({"rss_bytes": [1.0]}), pd.DataFrame({"elapsed_s": [np.nan]})):
        with pytest.raises(MissingColumnError, match=r"^assess needs the columns \['timestamp'\]"):
            with_elapsed(frame)
        with pytest.raises(MissingColumnError, match=r"^assess needs the columns \['timestamp'\]"):
            with_elapsed_of_runs(frame, np.array([1]))


def test_each_run_has_its_own_earliest_moment() -> None:
    """Runs of two, none, one and two rows; the first is known, the others are read off the clock."""
    frame = pd.DataFrame(
        {"elapsed_s": [3.0, 4.0, np.nan, 9.0, np.inf], "timestamp": stamps(500, 600, 100, 210, 200)},
        index=[0, 1, 0, 0, 1],
    )
    before = frame.copy(deep=True)
    seconds = with_elapsed_of_runs(frame, np.array([2, 0, 1, 2]))

    assert seconds.tolist() == [3.0, 4.0, 0.0, 10.0, 0.0]
    pd.testing.assert_frame_equal(frame, before)


def test_a_moment_that_is_not_known_is_nan_and_the_others_are_not() -> None:
    frame = pd.DataFrame({"timestamp": [pd.NaT, *stamps(5, 8), pd.NaT]})

    np.testing.assert_array_equal(with_elapsed(frame), [np.nan, 0, 3, np.nan])
    np.testing.assert_array_equal(with_elapsed_of_runs(frame, np.array([3, 1])), [np.nan, 0, 3, np.nan])


ROWS = st.lists(st.tuples(st.none() | st.integers(0, 99), st.integers(0, 999)), min_size=1, max_size=4)


@settings(max_examples=25)
@given(runs=st.lists(ROWS, min_size=1, max_size=4))
def test_runs_together_have_the_seconds_of_each_alone(runs: list[list[tuple[int | None, int]]]) -> None:
    frames = [
        pd.DataFrame({"elapsed_s": pd.array([s for s, _ in run], "Float64"), "timestamp": stamps(*(t for _, t in run))})
        for run in runs
    ]
    together = with_elapsed_of_runs(pd.concat(frames), np.array([len(run) for run in runs]))

    assert together.tolist() == [second for frame in frames for second in with_elapsed(frame).tolist()]


def test_samples_of_the_end_have_no_second() -> None:
    seconds = np.array([1.0, 2.0, 3.0])
    frame = pd.DataFrame({"label": pd.array(["end", None, "ended"], "string")})

    np.testing.assert_array_equal(without_end(frame, seconds), [np.nan, 2, 3])
    assert seconds.tolist() == [1, 2, 3]
    assert without_end(pd.DataFrame(index=range(3)), seconds).tolist() == [1, 2, 3]
