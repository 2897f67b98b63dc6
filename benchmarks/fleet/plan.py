"""Which processes a fleet has, when they start and end, what they run, and which of them leak: drawn from a seed.

A service has some instances, each on a host. It is deployed now and then, at working hours, which restarts all of its
instances with the next release. An instance also restarts alone now and then. What is known of a run is truth to hold
verdicts against.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from memanalysis.units import MIB

__all__ = ["BEGIN", "DAY_S", "FleetPlan", "Leak", "PlannedRun", "ServiceTraits", "draw_leak", "plan_services"]

BEGIN = 1_748_822_400.0
"""2025-06-02 00:00 UTC, a Monday: the fleet is recorded from here on."""

DAY_S = 86_400.0

MEAN_DEPLOY_GAP_S = 5 * DAY_S
MEAN_RESTART_GAP_S = 12 * DAY_S
MAX_INSTANCES = 8

WORKING_HOURS = (8.0, 17.0)
WORKING_DAYS = 5

MIN_RUN_S = 900.0
"""Seconds between two starts of one process."""

PLATFORMS = ("Linux 5.15.0 x86_64", "Linux 6.1.0 x86_64", "Linux 6.8.0 x86_64", "Linux 6.1.0 aarch64")
PYTHONS = ("cpython 3.11.9", "cpython 3.12.4", "cpython 3.13.1")
PACKAGES = ("libfoo", "requests", "numpy", "grpcio", "sqlalchemy")
HOST_LABELS = {"region": 3, "zone": 6, "rack": 8, "machine": 3, "cluster": 4}
SERVICE_LABELS = {"team": 8, "tier": 3, "framework": 4, "queue": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """How large a fleet is, how long it is recorded, and what is planted in it.

    Parameters
    ----------
    seed : int
        The same seed is the same fleet.
    rows : int
        Samples in all, give or take a few.
    services, hosts : int
        How many there are. The time that is recorded follows from the samples.
    interval_s, table_interval_s : float
        Seconds between two samples, and between two tables of lines.
    lines : int
        Lines in a table; none are written where it is 0.
    file_s : float
        Seconds that a file spans.
    leaking : float
        Share of the services that leak, each since one of its releases.
    """

    seed: int = 7
    rows: int = 200_000
    services: int = 40
    hosts: int = 10
    interval_s: float = 60.0
    table_interval_s: float = 3600.0
    lines: int = 5
    file_s: float = DAY_S
    leaking: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What is planted in a run: bytes a second, and the line that keeps them."""

    bytes_per_s: float
    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTraits:
    """How the memory of a service moves, in bytes and seconds, and its limit."""

    level_bytes: float
    limit_bytes: int
    warm_up_bytes: float
    warm_up_s: float
    day_bytes: float
    tooth_bytes: float
    tooth_s: float
    noise_bytes: float
    traced_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One process, from its start to its end.

    Parameters
    ----------
    run_id, service, host, release, commit, python, platform : str
        As in the table ``runs``; labels and packages too.
    pid : int
        Its process.
    started, recorded_until : float
        Epoch seconds.
    has_ended : bool
        False where it lives when the ledger ends.
    leak : Leak or None
        What is planted.
    seed : tuple of int
        Of its noise.
    """

    run_id: str
    service: str
    host: str
    pid: int
    started: float
    recorded_until: float
    has_ended: bool
    release: str
    commit: str
    python: str
    platform: str
    labels: Mapping[str, str]
    packages: Mapping[str, str]
    traits: ServiceTraits
    leak: Leak | None
    seed: tuple[int, ...] = field(repr=False)

    @property
    def label_values(self) -> dict[str, str]:
        """All of its labels, as a pivot compares them."""
        own = {"host": self.host, "python": self.python, "platform": self.platform, "release": self.release}
        return {**self.packages, **own, "git_commit": self.commit, **self.labels}


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    platform: str
    labels: Mapping[str, str]


def plan_services(plan: FleetPlan) -> Iterator[list[PlannedRun]]:
    """Yield the runs of each service, one service after the other, so that no more than one has to be held."""
    rng = np.random.default_rng([plan.seed, 0])
    hosts = [_draw_host(rng, number) for number in range(plan.hosts)]
    instances = np.minimum(rng.geometric(0.4, size=plan.services), min(MAX_INSTANCES, plan.hosts))
    duration_s = plan.rows * plan.interval_s / float(instances.sum())
    n_leaking = round(plan.leaking * plan.services)
    leaking = set(rng.choice(plan.services, size=n_leaking, replace=False).tolist())
    for number in range(plan.services):
        yield _plan_service(plan, number, int(instances[number]), hosts, duration_s, leaks=number in leaking)


def draw_leak(rng: np.random.Generator, traits: ServiceTraits, *, module: str) -> Leak:
    """Return a leak that adds between a third and three times of the level of a service in a day."""
    bytes_per_s = traits.level_bytes * float(np.exp(rng.uniform(np.log(0.35), np.log(3)))) / DAY_S
    line = int(rng.integers(10, 400))
    return Leak(bytes_per_s=bytes_per_s, file=f"app/{module}.py", line=line, function=f"remember_{line}")


def _draw_host(rng: np.random.Generator, number: int) -> _Host:
    labels = {name: f"{name}-{rng.integers(count)}" for name, count in HOST_LABELS.items()}
    return _Host(f"node-{number:03d}", PLATFORMS[rng.integers(len(PLATFORMS))], labels)


def _draw_traits(rng: np.random.Generator) -> ServiceTraits:
    level = float(np.exp(rng.uniform(np.log(60), np.log(900)))) * MIB
    return ServiceTraits(
        level_bytes=level,
        limit_bytes=int(2 ** np.ceil(np.log2(2.5 * level))),
        warm_up_bytes=level * rng.uniform(0.02, 0.25),
        warm_up_s=float(np.exp(rng.uniform(np.log(120), np.log(5400)))),
        day_bytes=level * rng.uniform(0.0, 0.04),
        tooth_bytes=level * (rng.uniform(0.01, 0.06) if rng.random() < 0.4 else 0.0),
        tooth_s=rng.uniform(1200, 14_400),
        noise_bytes=level * rng.uniform(0.001, 0.008),
        traced_share=rng.uniform(0.3, 0.7),
    )


def _plan_service(
    plan: FleetPlan, number: int, n_instances: int, hosts: list[_Host], duration_s: float, *, leaks: bool
) -> list[PlannedRun]:
    rng = np.random.default_rng([plan.seed, 1, number])
    name, traits = f"service-{number:04d}", _draw_traits(rng)
    fixed = {label: f"{label}-{rng.integers(count)}" for label, count in SERVICE_LABELS.items()}
    python = PYTHONS[rng.integers(len(PYTHONS))]
    recorded_from = rng.uniform(*WORKING_HOURS) * 3600
    recorded_until = recorded_from + duration_s
    deploys = [recorded_from, *_draw_deploys(rng, recorded_from, recorded_until)]
    first_release, leaks_since = int(rng.integers(0, 3)), int(rng.integers(0, len(deploys)))
    planned_leak = draw_leak(rng, traits, module=f"module_{number}")
    runs: list[PlannedRun] = []
    for place in rng.choice(len(hosts), size=n_instances, replace=False).tolist():
        host = hosts[place]
        canary = str(rng.random() < 0.1).lower()
        for deploy, (begin, end) in enumerate(zip(deploys, [*deploys[1:], recorded_until], strict=True)):
            versions = np.random.default_rng([plan.seed, 2, number, deploy])
            packages = {package: f"2.{versions.integers(0, 4)}.0" for package in PACKAGES}
            commit = versions.bytes(20).hex()
            edges = [begin, *_draw_moments(rng, begin, end, MEAN_RESTART_GAP_S), end]
            for start, stop in pairwise(edges):
                pid, started = int(rng.integers(100, 4_000_000)), BEGIN + start
                runs.append(
                    PlannedRun(
                        run_id=f"{_stamp(started)}-{pid}-{rng.bytes(4).hex()}",
                        service=name,
                        host=host.name,
                        pid=pid,
                        started=started,
                        recorded_until=BEGIN + stop,
                        has_ended=stop < recorded_until,
                        release=f"1.{first_release + deploy}",
                        commit=commit,
                        python=python,
                        platform=host.platform,
                        labels={**host.labels, **fixed, "canary": canary},
                        packages=packages,
                        traits=traits,
                        leak=planned_leak if leaks and deploy >= leaks_since else None,
                        seed=(plan.seed, 3, number, len(runs)),
                    )
                )
    return runs


def _draw_deploys(rng: np.random.Generator, begin: float, end: float) -> list[float]:
    """Return moments at working hours of working days."""
    found: list[float] = []
    for moment in _draw_moments(rng, begin, end, MEAN_DEPLOY_GAP_S):
        day = moment // DAY_S
        at = day * DAY_S + rng.uniform(*WORKING_HOURS) * 3600
        if day % 7 < WORKING_DAYS and [begin, *found][-1] + MIN_RUN_S < at < end - MIN_RUN_S:
            found.append(at)
    return found


def _draw_moments(rng: np.random.Generator, begin: float, end: float, mean_gap_s: float) -> list[float]:
    """Return moments of a Poisson process, none of them near the ends."""
    count = rng.poisson((end - begin) / mean_gap_s)
    moments = np.sort(rng.uniform(begin, end, size=count))
    return [float(moment) for moment in moments if begin + MIN_RUN_S < moment < end - MIN_RUN_S]


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")
