"""Whether `pivot` names the label that explains a planted leak, on the ledgers of simulated fleets.

Each fleet has twenty labels or more. In one half of the fleets, most runs with one value of one label leak, and one
service leaks beside them. In the other half nothing that a label shows decides which runs leak.
``python -m benchmarks pivot`` judges a hundred fleets of each kind; ``--cases`` sets another number. The exit code is 1
where fewer than 95 of 100 planted values are named first, one is named that was not planted, or an answer takes longer
than a minute.
"""

import math
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.fleet.plan import DAY_S, FleetPlan, PlannedRun, draw_leak, plan_services
from benchmarks.fleet.simulate import write_fleet
from benchmarks.measure import Demand, print_demands, print_table
from memanalysis.verdicts.pivot import pivot

__all__ = ["Pivoted", "main", "pivot_fleet", "plant_by_chance", "plant_by_label"]

LEAKING_SHARE = 0.9
"""Of the runs with the value that leaks go with."""

CHANCE_SHARE = 0.1
"""Of all runs, where nothing decides which leak."""

MIN_SHARE, MAX_SHARE = 0.1, 0.5
"""Share of the runs that have the value: neither rare nor nearly everywhere."""

MIN_NAMED = 0.95
"""Share of the fleets in which the planted value is to be named first; none is to be named where nothing explains."""

MAX_ANSWER_S = 60.0
MIN_LABELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pivoted:
    """What was planted in a fleet, what is named first, and how long that took.

    Parameters
    ----------
    planted : str or None
        Label and value.
    first : tuple of str
        What is named first, and what nothing distinguishes from it; empty where nothing is named.
    labels : int
        How many were compared.
    seconds : float
        Of the whole answer, from the ledger to the sentence.
    """

    planted: str | None
    first: tuple[str, ...]
    labels: int
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether what was planted is named first, or nothing where nothing was."""
        return not self.first if self.planted is None else self.planted in self.first


def plan_fleet(seed: int) -> FleetPlan:
    """Return a fleet of forty services on twenty hosts, a sample every half an hour for some five days."""
    return FleetPlan(
        seed=seed, rows=10_000, services=40, hosts=20, interval_s=1800.0, lines=0, file_s=7 * DAY_S, leaking=0.025
    )


def plant_by_label(services: Sequence[Sequence[PlannedRun]], *, seed: int) -> tuple[list[list[PlannedRun]], str]:
    """Return the runs with a leak in most of those that have one value of one label, and that label and value."""
    rng = np.random.default_rng([seed, 4])
    runs = [run for planned in services for run in planned]
    counts = Counter((name, value) for run in runs for name, value in run.label_values.items())
    by_label: dict[str, list[str]] = {}
    for (name, value), count in sorted(counts.items()):
        if MIN_SHARE * len(runs) <= count <= MAX_SHARE * len(runs):
            by_label.setdefault(name, []).append(value)
    label = list(by_label)[rng.integers(len(by_label))]
    value = by_label[label][rng.integers(len(by_label[label]))]

    def plant(run: PlannedRun) -> PlannedRun:
        is_chosen = run.label_values.get(label) == value and rng.random() < LEAKING_SHARE
        return replace(run, leak=draw_leak(rng, run.traits, module="shared")) if is_chosen else run

    return [[plant(run) for run in planned] for planned in services], f"{label} {value}"


def plant_by_chance(services: Sequence[Sequence[PlannedRun]], *, seed: int) -> list[list[PlannedRun]]:
    """Return the runs with a leak in some of them, whatever their labels."""
    rng = np.random.default_rng([seed, 5])

    def plant(run: PlannedRun) -> PlannedRun:
        return replace(run, leak=draw_leak(rng, run.traits, module="any")) if rng.random() < CHANCE_SHARE else run

    return [[plant(run) for run in planned] for planned in services]


def pivot_fleet(seed: int, *, is_explained: bool) -> Pivoted:
    """Write the ledger of a fleet, and ask which label explains its leaks."""
    plan = plan_fleet(seed)
    services: list[list[PlannedRun]] = list(plan_services(plan))
    planted = None
    if is_explained:
        services, planted = plant_by_label(services, seed=seed)
    else:
        services = plant_by_chance(services, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger")
        write_fleet(plan, services, path)
        started = time.perf_counter()
        found = pivot(path)
        seconds = time.perf_counter() - started
    best = found.explanations[:1]
    first = tuple(name for one in best for name in (f"{one.label} {one.value}", *one.same_runs))
    return Pivoted(planted=planted, first=first, labels=found.labels, seconds=seconds)


def main(*, cases: int = 100, seed: int = 1) -> int:
    """Judge the fleets, print each that is not named right, and return how many demands are missed."""
    rows, demands = [], []
    for what, is_explained in (("a label explains them", True), ("nothing explains them", False)):
        judged = [pivot_fleet(seed + number, is_explained=is_explained) for number in range(cases)]
        for number, one in enumerate(judged):
            if not one.is_right:
                print(f"seed {seed + number}: planted {one.planted}, first {', '.join(one.first) or 'nothing'}")
        right = sum(one.is_right for one in judged)
        longest_s = max(one.seconds for one in judged)
        labels = min(one.labels for one in judged)
        rows.append([what, str(cases), str(labels), str(right), f"{longest_s:.1f} s"])
        needed = math.floor(MIN_NAMED * cases) if is_explained else cases
        longest = (f"{longest_s:.1f} s", f"at most {MAX_ANSWER_S:.0f} s", longest_s <= MAX_ANSWER_S)
        demands += [
            Demand(f"{what}: right", f"{right} of {cases}", f"at least {needed}", right >= needed),
            Demand(f"{what}: longest", *longest),
            Demand(f"{what}: labels", f"{labels}", f"at least {MIN_LABELS}", labels >= MIN_LABELS),
        ]
    print_table("Labels and leaks", ["leaks", "fleets", "labels at least", "right", "longest"], rows)
    return print_demands("Demands", demands)


if __name__ == "__main__":
    main()
