"""The exact stratified test agrees with tables that were counted one by one."""

from itertools import combinations, product

import numpy as np
import pytest

from memanalysis.analysis.stratified_test import stratified_p_value, stratified_z_scores


def of(*numbers):
    return np.array(numbers)


def count_one_by_one(sizes, leaks, with_value, seen):
    """Return the share of all ways to place the leaks that give as many or more."""
    placed = [
        [sum(run < own for run in chosen) for chosen in combinations(range(size), leak)]
        for size, leak, own in zip(sizes, leaks, with_value, strict=True)
    ]
    sums = [sum(ways) for ways in product(*placed)]
    return sum(total >= seen for total in sums) / len(sums)


@pytest.mark.slow
def test_one_stratum_is_fishers_test():
    """Fisher (1935): of eight cups, all four with milk first are named: 1 of 70 ways."""
    assert stratified_p_value(of(8), of(4), of(4), 4) == pytest.approx(1 / 70)


@pytest.mark.parametrize("seen", range(5))
def test_several_strata_agree_with_every_way_to_place_the_leaks(seen):
    tables = (6, 5, 4), (2, 3, 1), (3, 2, 3)

    assert stratified_p_value(*map(np.array, tables), seen) == pytest.approx(count_one_by_one(*tables, seen))


def test_many_equal_strata_need_no_more_than_their_sum():
    many = stratified_p_value(np.full(300, 10), np.full(300, 1), np.full(300, 5), 170)

    assert many == pytest.approx(0.0118, abs=5e-4)  # 170 or more heads of 300 coins


def test_the_score_has_the_sign_of_the_excess():
    scores = stratified_z_scores(of(20), of(10), np.array([[10, 10, 10]]), np.array([[10, 5, 0]]))

    assert scores.tolist() == pytest.approx([np.sqrt(19), 0.0, -np.sqrt(19)])
