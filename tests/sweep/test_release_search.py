"""Which release is tried next, and the sentence on all of them."""

import pytest

from memanalysis.sweep.release_search import ReleaseResult, State, describe_results, find_first_leaking, next_release

MANY = [f"1.{n}" for n in range(33)]


def results(**states: State) -> dict[str, ReleaseResult]:
    """Results by version, which is written as v1_0."""
    versions = {name.removeprefix("v").replace("_", "."): state for name, state in states.items()}
    return {version: ReleaseResult(version=version, state=state, text="") for version, state in versions.items()}


def sweep(versions: list[str], states: dict[str, State]) -> dict[str, ReleaseResult]:
    """Try releases whose states are known, until nothing is left to try."""
    found: dict[str, ReleaseResult] = {}
    while (version := next_release(versions, found)) is not None:
        assert version not in found
        found[version] = ReleaseResult(version=version, state=states[version], text="")
    return found


@pytest.mark.parametrize("first", [1, 2, 16, 31, 32])
@pytest.mark.parametrize("broken", [set(), {15, 16, 17}, set(range(1, 33, 2))], ids=["none", "three", "every other"])
def test_many_releases_are_bisected_around_broken_ones(first: int, broken: set[int]):
    states: dict[str, State] = {
        version: "failed" if n in broken and n != 32 else "leaks" if n >= first else "clean"
        for n, version in enumerate(MANY)
    }
    found = sweep(MANY, states)

    assert find_first_leaking(MANY, found) == next(version for version in MANY if states[version] == "leaks")
    assert len(found) <= 8 + len(broken)


def test_many_releases_are_all_tried_where_the_last_is_clean():
    """A leak that was mended again is found."""
    states: dict[str, State] = dict.fromkeys(MANY, "clean")
    states["1.7"] = "leaks"
    found = sweep(MANY, states)

    assert find_first_leaking(MANY, found) == "1.7"
    assert len(found) == len(MANY)


def test_the_oldest_that_leaks_is_named_with_what_lies_between():
    known = results(v1_0="clean", v1_1="failed", v1_2="leaks", v1_3="leaks")

    assert describe_results("acme", list(known), known) == (
        "acme began to leak with 1.2: 1.0 does not leak. Between them 1.1 could not be judged."
    )


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (results(v1_0="leaks", v1_1="leaks"), "acme leaks in 1.0, the oldest release that could be judged."),
        (results(v1_0="clean", v1_1="undecided"), "No leak in acme 1.0."),
        (results(v1_0="failed"), "Nothing is known of acme: no release could be judged."),
    ],
)
def test_what_is_not_known_is_not_said(known: dict[str, ReleaseResult], sentence: str):
    assert describe_results("acme", list(known), known) == sentence
