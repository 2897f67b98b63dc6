"""Jumps are found where they are, with their size; ramps, warm-ups and teeth of a saw have none."""

import numpy as np
import pytest

from memanalysis.analysis.trend.sudden_jumps import find_jumps

T = np.arange(64.0)


def jumps_of(levels):
    return find_jumps(np.asarray(levels, dtype=float)[None])[0]


@pytest.mark.slow
def test_a_jump_on_a_ramp_is_found_with_its_size_beyond_the_ramp():
    jumps = jumps_of(2 * T + 50 * (T >= 30))

    assert np.flatnonzero(jumps).tolist() == [29]
    assert jumps[29] == pytest.approx(50)


def test_a_jump_over_two_steps_stands_at_both():
    jumps = jumps_of(2 * T + 20 * (T >= 30) + 30 * (T >= 31))

    assert np.flatnonzero(jumps).tolist() == [29, 30]
    assert jumps.sum() == pytest.approx(50)


@pytest.mark.parametrize(
    "levels",
    [
        2 * T,
        100 * (1 - np.exp(-T / 6)),
        2 * T + 12 * np.clip(T - 30, 0, 4),
        100 * (T % 16) / 16,
        np.cumsum(np.where(T % 8 == 0, 10.0, 0.0)),
    ],
    ids=["ramp", "warm-up", "steep stretch", "saw-teeth", "many jumps"],
)
def test_what_is_no_sudden_jump_has_none(levels):
    assert not jumps_of(levels).any()


def test_falls_that_give_back_a_part_of_a_rise_are_taken_out():
    jumps = jumps_of(3 * T - 20 * (T >= 14) - 20 * (T >= 30) - 20 * (T >= 46))

    assert np.flatnonzero(jumps).tolist() == [13, 29, 45]
    assert jumps[13] == pytest.approx(-20)


def test_levels_after_many_falls_show_a_leak_that_quarters_hide():
    """Two releases one after the other lower a quarter, and yet every level after a fall lies on a rising line."""
    places = np.array([20, 26, 33, 50])
    levels = 100 + 2.0 * np.arange(64.0)
    for place in places:
        levels[place:] -= 11.0
    found = find_jumps(levels[None])
    assert np.flatnonzero(found[0] < 0).tolist() == (places - 1).tolist()


def test_a_flat_stretch_after_a_jump_is_no_fall():
    levels = np.concatenate([np.arange(30.0), 40 + np.zeros(5), 41 + np.arange(29.0)])
    assert (find_jumps(levels[None]) >= 0).all()
