"""Which label explains the leaks of a fleet, by its value? Labels against verdicts, with honest chances.

Two questions are asked of each value. *Within services*: do runs of one service leak more often with it than without?
Services that leak everywhere, or nowhere, have no part in that. *Between services*: do services that have it
throughout leak more often than those that never do? The smaller chance counts, doubled for the two questions, and is
adjusted for all values of all labels (Holm 1979). The best value is named, with those that the same runs have. Then its
runs are left out, and the rest is asked again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memanalysis.analysis.contrasts import adjust_p_values
from memanalysis.analysis.label_values import LabelValue, find_label_values
from memanalysis.analysis.stratified_test import stratified_p_value, stratified_z_scores
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, PivotThresholds

__all__ = ["Explanation", "LeakPivot", "pivot_leaks"]

Mask = NDArray[np.bool_]

_PLACE = "\0"
"""Name of a column that no label has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A value that leaks go with.

    Parameters
    ----------
    label, value, relation : str
        Such as ``libfoo``, ``2.3`` and ``is``, or ``release``, ``1.4`` and ``since``.
    same_runs : tuple of str
        Other values that the same runs have, so that the runs do not show which of them it is.
    unit : {"runs", "services"}
        What was counted. Runs of one service on one host with the same labels count once.
    with_value, leaks_with_value, without_value, leaks_without_value : int
        How many have the value and how many do not, and how many of each leak.
    p_value : float
        How likely chance does that, adjusted for all values of all labels.
    sentence : str
        The same in words.
    """

    label: str
    value: str
    relation: str
    same_runs: tuple[str, ...]
    unit: str
    with_value: int
    leaks_with_value: int
    without_value: int
    leaks_without_value: int
    p_value: float
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakPivot:
    """What explains the leaks of a fleet.

    Parameters
    ----------
    explanations : tuple of Explanation
        The best first; empty where nothing explains them.
    runs, leaking_runs, services, labels, values : int
        How many were compared.
    sentence : str
        The outcome in words.
    """

    explanations: tuple[Explanation, ...]
    runs: int
    leaking_runs: int
    services: int
    labels: int
    values: int
    sentence: str


@dataclass(frozen=True, slots=True)
class _Question:
    """Units in strata, which of them leak, which values they have, and for which they are asked, a column a value."""

    unit: str
    strata: NDArray[np.int64]
    leaks: Mask
    has: Mask
    is_asked: Mask


@dataclass(frozen=True, slots=True)
class _Answer:
    p_value: float
    unit: str
    counts: tuple[int, int, int, int]

    @property
    def difference(self) -> float:
        own, leaks, others, leaks_of_others = self.counts
        return leaks / max(own, 1) - leaks_of_others / max(others, 1)


def pivot_leaks(
    runs: pd.DataFrame,
    *,
    hosts: "pd.Series[str] | None" = None,
    rules: PivotThresholds = DEFAULT_THRESHOLDS.pivot,
) -> LeakPivot:
    """Return the values of labels that the leaks go with.

    Parameters
    ----------
    runs : DataFrame
        A row a judged run: ``service``, ``is_leak``, and a column a label, whose unknown values are None or NaN.
    hosts : Series, optional
        Where each run was, with the index of `runs`: runs on two hosts are two, also where no label distinguishes
        them.
    rules : PivotThresholds, optional
        What is significant and what matters.

    Notes
    -----
    Exact stratified test (Mehta, Patel and Gray 1985, J. Am. Stat. Assoc. 80, 969-973), one-sided, adjusted by Holm
    (1979), Scand. J. Stat. 6, 65-70. Runs of one service and host with the same labels are one unit: restarts are no
    evidence.

    Examples
    --------
    >>> import pandas as pd
    >>> hosts = [f"h{number}" for number in range(20)]
    >>> runs = pd.DataFrame({"service": "shop", "host": hosts, "libfoo": ["2.2", "2.3"] * 10})
    >>> found = pivot_leaks(runs.assign(is_leak=runs["libfoo"] == "2.3"))
    >>> found.explanations[0].sentence
    'Leaks go with libfoo 2.3: 10 of 10 runs with it leak, and 0 of 10 without it (p = 2e-05, adjusted for 2 values).'
    """
    names = [name for name in runs.columns if name not in ("service", "is_leak")]
    places = np.zeros(len(runs), dtype=np.int64) if hosts is None else pd.factorize(hosts)[0]
    keys = [runs["service"], *(runs[name] for name in names), pd.Series(places, index=runs.index, name=_PLACE)]
    units = runs.groupby(keys, dropna=False, sort=False, observed=True)["is_leak"].any().reset_index()
    values, n_labels = find_label_values(units[names], min_units=rules.min_units)
    explanations = tuple(_explain(units, values, rules)) if values and units["is_leak"].any() else ()
    n_leaks = int(runs["is_leak"].sum())
    return LeakPivot(
        explanations=explanations,
        runs=len(runs),
        leaking_runs=n_leaks,
        services=int(runs["service"].nunique()),
        labels=n_labels,
        values=len(values),
        sentence=_describe(explanations, len(runs), n_leaks, n_labels, len(values)),
    )


def _explain(units: pd.DataFrame, values: Mapping[LabelValue, Mask], rules: PivotThresholds) -> list[Explanation]:
    names, has = list(values), np.stack(list(values.values()), axis=1)
    services = pd.factorize(units["service"])[0].astype(np.int64)
    leaks = units["is_leak"].to_numpy(dtype=bool)
    remains = np.ones(len(units), dtype=bool)
    found: list[Explanation] = []
    while len(found) < rules.max_explanations and leaks[remains].any():
        own_has, own_services, own_leaks = has[remains], services[remains], leaks[remains]
        distinct = _find_distinct(own_has)
        answers = _ask(own_services, own_leaks, own_has[:, distinct], rules)
        adjusted = adjust_p_values([answer.p_value for answer in answers])
        good = [
            place
            for place, answer in enumerate(answers)
            if adjusted[place] <= rules.max_p_value and answer.difference >= rules.min_difference
        ]
        if not good:
            break
        best = min(good, key=lambda place: (answers[place].p_value, -answers[place].difference))
        chosen = distinct[best]
        same = _find_same(own_has, chosen, rules)
        found.append(_make_explanation(names, chosen, same, answers[best], adjusted[best], len(distinct)))
        remains &= ~has[:, chosen]
    return found


def _find_distinct(has: Mask) -> list[int]:
    """Return the first column of each kind that is neither true nor false throughout."""
    first: dict[bytes, int] = {}
    for place, column in enumerate(np.packbits(has, axis=0).T):
        if 0 < has[:, place].sum() < len(has):
            first.setdefault(column.tobytes(), place)
    return list(first.values())


def _find_same(has: Mask, chosen: int, rules: PivotThresholds) -> list[int]:
    own = has[:, chosen]
    both = (has & own[:, None]).sum(axis=0)
    either = (has | own[:, None]).sum(axis=0)
    return [place for place in np.flatnonzero(both >= rules.same_runs * either).tolist() if place != chosen]


def _ask(services: NDArray[np.int64], leaks: Mask, has: Mask, rules: PivotThresholds) -> list[_Answer]:
    questions = [_within_services(services, leaks, has), _between_services(services, leaks, has)]
    asked = [_answer(question, rules) for question in questions]
    doubled = [min(pair, key=lambda answer: answer.p_value) for pair in zip(*asked, strict=True)]
    return [_Answer(min(1.0, 2 * answer.p_value), answer.unit, answer.counts) for answer in doubled]


def _within_services(services: NDArray[np.int64], leaks: Mask, has: Mask) -> _Question:
    return _Question("runs", services, leaks, has, np.broadcast_to(np.True_, has.shape))


def _between_services(services: NDArray[np.int64], leaks: Mask, has: Mask) -> _Question:
    """Return the services as units: a service leaks where half of its runs do, and has what all of its runs have.

    One of whose runs some have a value is not asked for that value: it has a part in the question within services.
    """
    codes, numbers = np.unique(services, return_inverse=True)
    counts = np.bincount(numbers, minlength=len(codes))
    leaking = np.bincount(numbers, weights=leaks, minlength=len(codes)) * 2 >= counts
    order = np.argsort(numbers, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    shares = np.add.reduceat(has[order].astype(np.int64), starts, axis=0)
    is_pure: Mask = np.logical_or(shares == 0, shares == counts[:, None])
    return _Question("services", np.zeros(len(codes), dtype=np.int64), leaking, shares > 0, is_pure)


def _answer(question: _Question, rules: PivotThresholds) -> list[_Answer]:
    """Return the chance of each value; 1 where nothing supports it."""
    n_values = question.has.shape[1]
    strata = np.unique(question.strata, return_inverse=True)[1]
    sizes, leaks = np.bincount(strata), np.bincount(strata, weights=question.leaks).astype(np.int64)
    is_mixed = (leaks > 0) & (leaks < sizes)
    kept = is_mixed[strata]
    if not kept.any():
        return [_Answer(1.0, question.unit, (0, 0, 0, 0))] * n_values
    is_asked, is_leak = question.is_asked[kept], question.leaks[kept]
    has = question.has[kept] & is_asked
    order = np.argsort(strata[kept], kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes[is_mixed])[:-1]])

    def count(units: Mask) -> NDArray[np.int64]:
        return np.add.reduceat(units[order].astype(np.int64), starts, axis=0)

    asked, asked_leaks = count(is_asked), count(is_asked & is_leak[:, None])
    own, own_leaks = count(has), count(has & is_leak[:, None])
    z_scores = stratified_z_scores(asked, asked_leaks, own, own_leaks)
    answers = []
    for place in range(n_values):
        informative = (own[:, place] > 0) & (own[:, place] < asked[:, place])
        size, leak, n_own, n_own_leaks = (
            int(counts[informative, place].sum()) for counts in (asked, asked_leaks, own, own_leaks)
        )
        p_value = 1.0
        if z_scores[place] >= rules.min_z_score:
            n_leaks = int(own_leaks[:, place].sum())
            p_value = stratified_p_value(asked[:, place], asked_leaks[:, place], own[:, place], n_leaks)
        answers.append(_Answer(p_value, question.unit, (n_own, n_own_leaks, size - n_own, leak - n_own_leaks)))
    return answers


def _make_explanation(
    names: list[LabelValue], chosen: int, same: list[int], answer: _Answer, p_value: float, n_values: int
) -> Explanation:
    own, leaks, others, leaks_of_others = answer.counts
    name = names[chosen]
    others_too = tuple(names[place].describe() for place in same)
    also = f" (or {', '.join(others_too)}, which the same runs have)" if others_too else ""
    return Explanation(
        label=name.label,
        value=name.value,
        relation=name.relation,
        same_runs=others_too,
        unit=answer.unit,
        with_value=own,
        leaks_with_value=leaks,
        without_value=others,
        leaks_without_value=leaks_of_others,
        p_value=p_value,
        sentence=f"Leaks go with {name.describe()}{also}: {leaks:,} of {own:,} {answer.unit} with it leak, and "
        f"{leaks_of_others:,} of {others:,} without it ({_write_chance(p_value)}, adjusted for {n_values:,} values).",
    )


def _describe(explanations: tuple[Explanation, ...], n_runs: int, n_leaks: int, n_labels: int, n_values: int) -> str:
    compared = f"{n_leaks:,} of {n_runs:,} runs leak; {n_values:,} values of {n_labels:,} labels were compared."
    if explanations:
        return f"{compared} {' '.join(explanation.sentence for explanation in explanations)}"
    return f"{compared} None of them explains the leaks." if n_leaks else f"{compared} There is no leak to explain."


def _write_chance(p_value: float) -> str:
    """Return a p-value; below what a float can hold it is no zero."""
    return f"p = {p_value:.1g}" if p_value > 0 else "p < 1e-300"
