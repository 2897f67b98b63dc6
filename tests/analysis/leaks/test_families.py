"""Processes of one family have roles, and the sum of their memory has a verdict of its own."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.leaks.families import judge_families
from memanalysis.analysis.leaks.origin import RunSamples
from memanalysis.analysis.run_verdicts import assess_samples
from memanalysis.analysis.severity_rules import SeverityRules
from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS
from memanalysis.analysis.verdict import Reason, VerdictFrame
from memanalysis.units import MIB

START = pd.Timestamp("2025-06-15 12:00:00", tz="UTC")


class Processes:
    """Runs of one host, with readings of shared and private memory every two seconds."""

    def __init__(self):
        self.runs, self.samples = [], []

    def add(self, pid, parent, *, born=0.0, lives=60.0, rss, private=None, shared=None, program=1):
        """One process; sizes are MiB as functions of its own seconds."""
        at = np.arange(0.0, lives)
        run = {"run_id": f"run-{pid}", "service": "web", "host": "h", "pid": pid, "parent_pid": parent}
        self.runs.append(run | {"program_pid": program, "started": START + pd.Timedelta(seconds=born)})
        own = pd.DataFrame({"service": "web", "run_id": f"run-{pid}", "elapsed_s": at})
        own["rss_bytes"] = (rss(at) + 0.001 * np.sin(at)) * MIB
        read = at % 2 == 0
        for column, size in (("uss_bytes", private or rss), ("pss_bytes", shared or private or rss)):
            own[column] = np.where(read, size(at) * MIB, np.nan)
        self.samples.append(own)
        return self

    def judge(self):
        runs = pd.DataFrame(self.runs).astype({"parent_pid": "Int64", "program_pid": "Int64"})
        return assess_samples(pd.concat(self.samples, ignore_index=True), runs=runs).set_index("run_id")


def flat(at):
    return 50 + 0 * at


@pytest.mark.slow
def test_the_program_is_the_master_of_what_it_started():
    verdicts = Processes().add(1, 99, rss=flat).add(2, 1, rss=flat).add(3, 2, rss=flat).judge()

    roles = verdicts["role"].tolist()
    assert roles == ["master", "worker", "worker", "family"]
    assert set(verdicts["family_id"]) == {"run-1"}
    assert not verdicts["is_leak"].any()


def test_a_process_alone_has_no_family():
    verdicts = Processes().add(1, 99, rss=flat).add(2, 98, rss=flat, program=2).judge()

    assert verdicts["role"].isna().all()
    assert len(verdicts) == 2


def test_without_a_program_parents_are_followed_and_siblings_found():
    processes = Processes()
    for pid, parent in ((10, 9), (11, 10), (20, 19), (21, 19)):
        processes.add(pid, parent, rss=flat, program=None)
    verdicts = processes.judge()

    assert verdicts.loc["run-10", "role"] == "master"
    assert verdicts.loc["run-11", "family_id"] == "run-10"
    assert verdicts.loc[["run-20", "run-21"], "role"].tolist() == ["worker", "worker"]
    assert verdicts.loc[["run-20", "run-21"], "family_id"].tolist() == ["h-19", "h-19"]


def test_workers_that_grow_alike_are_a_leak_of_the_family():
    """Two workers of 0.5 MiB a second each: the sum grows by 1 MiB a second."""
    processes = Processes().add(1, 99, rss=flat)
    for pid in (2, 3):
        processes.add(pid, 1, rss=lambda at: 50 + 0.5 * at)
    row = processes.judge().loc["family run-1"]

    assert (row["is_leak"], row["metric"], row["role"]) == (True, "pss_bytes", "family")
    assert row["slope_bytes_per_s"] == pytest.approx(MIB, rel=0.02)
    assert (row["process_count"], row["growing_count"]) == (3, 2)
    assert "sum over 3 processes: each worker grows alike" in row["sentence"]


def test_a_master_that_grows_is_named():
    row = Processes().add(1, 99, rss=lambda at: 50 + 0.5 * at).add(2, 1, rss=flat).judge().loc["family run-1"]

    assert row["is_leak"]
    assert "the master grows" in row["sentence"]


def test_more_processes_are_no_leak_by_themselves():
    processes = Processes().add(1, 99, rss=flat)
    for number in range(20):
        processes.add(2 + number, 1, born=3.0 * number, lives=60.0 - 3 * number, rss=flat)
    row = processes.judge().loc["family run-1"]

    assert not row["is_leak"]
    assert "more processes" in row["sentence"]


def test_workers_that_are_replaced_are_no_leak():
    processes = Processes().add(1, 99, rss=flat, lives=120.0)
    for number in range(12):
        processes.add(2 + number, 1, born=10.0 * number, lives=10.0, rss=flat)
    verdicts = processes.judge()

    assert not verdicts["is_leak"].any()


def test_copies_of_workers_are_no_leak_of_the_family():
    processes = Processes().add(1, 99, rss=flat)
    for pid in (2, 3):
        copied = lambda at: 10 + 35 * (1 - np.exp(-at / 25))  # noqa: E731  one curve, two workers
        processes.add(pid, 1, rss=flat, private=copied)
    verdicts = processes.judge()

    assert not verdicts["is_leak"].any()
    assert verdicts["origin"].tolist() == ["unknown", "copy-on-write", "copy-on-write", "copy-on-write"]
    assert "gc.freeze()" in verdicts.loc["family run-1", "sentence"]


def test_shared_pages_that_are_counted_by_each_reader_are_no_leak():
    """Readers map a block of 60 MiB little by little; the sum stays what it is, for the block is the master's."""
    processes = Processes().add(1, 99, rss=lambda at: 100 + 0 * at, shared=lambda at: 100 - 0.5 * at)
    for pid in (2, 3):
        processes.add(pid, 1, rss=lambda at: 30 + at, private=flat, shared=lambda at: 10 + 0.25 * at)
    verdicts = processes.judge()

    assert not verdicts["is_leak"].any()
    assert verdicts.loc["run-2", "origin"] == "shared"
    assert verdicts.loc["run-2", "sentence"].startswith("No leak: it grew by ")


def test_a_family_with_an_unknown_member_has_no_sum():
    processes = Processes().add(1, 99, rss=lambda at: 50 + 0.5 * at)
    processes.add(2, 1, rss=flat, private=lambda at: np.full(at.size, np.nan))
    verdicts = processes.judge()

    assert verdicts["role"].tolist() == ["master", "worker"]


def objects(*values):
    """A column of words, lists or tuples."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def call_stable(processes: Processes, **columns) -> VerdictFrame:
    """Verdicts of the runs of processes before families are judged: none leaks but where that is given."""
    run_ids = [run["run_id"] for run in processes.runs]
    size = len(run_ids)
    words = {"service": "web", "origin": "unknown", "metric": "rss_bytes", "severity": "none", "shape": "stable"}
    lines = [f"{kind}_{name}" for kind in ("responsible", "allocated") for name in ("file", "line", "function")]
    frame = {name: objects(*[word] * size) for name, word in (words | {"reasons": ("own",)}).items()}
    frame |= {name: objects(*[None] * size) for name in [*lines, "held_by"]} | {"run_id": objects(*run_ids)}
    frame |= {name: np.full(size, np.nan) for name in ("responsible_share", "allocated_share")}
    frame |= {"is_leak": np.zeros(size, dtype=bool), "growth_bytes": np.zeros(size), "restarts": np.zeros(size, int)}
    return frame | {"time_to_exhaustion_s": np.full(size, np.nan)} | columns


def judge(processes: Processes, frame: VerdictFrame | None = None, *, runs=None, limits=None) -> VerdictFrame:
    samples, size = pd.concat(processes.samples), len(processes.runs)
    counts = np.array([len(own) for own in processes.samples])
    return judge_families(
        call_stable(processes) if frame is None else frame,
        DEFAULT_THRESHOLDS,
        runs=pd.DataFrame(processes.runs) if runs is None else runs,
        samples=RunSamples(frame=samples, counts=counts, elapsed_s=samples["elapsed_s"].to_numpy()),
        limits=np.full(size, np.nan) if limits is None else limits,
        rules=SeverityRules(),
    )


def grow_by(mib_per_s):
    return lambda at: 50 + mib_per_s * at


def test_of_one_run_the_table_of_runs_is_not_read():
    def read():
        raise AssertionError

    found = judge(Processes().add(1, 99, rss=flat), runs=read)
    assert found["role"].tolist() == found["family_id"].tolist() == [None]
    assert np.isnan([*found["process_count"], *found["growing_count"]]).all()


def test_a_table_without_parents_shows_no_family():
    processes = Processes().add(1, 99, rss=flat).add(2, 1, rss=flat)
    found = judge(processes, runs=pd.DataFrame(processes.runs).drop(columns="parent_pid"))

    assert found["role"].tolist() == [None, None]
    assert judge(processes, runs=lambda: pd.DataFrame(processes.runs))["role"].tolist()[:2] == ["master", "worker"]


def test_the_sum_runs_out_at_the_limit_of_the_master():
    """The sum is 100 + 0.5 t MiB and last read at second 57: 128.5, and 60 s below the limit of 158.5."""
    processes = Processes().add(2, 1, rss=grow_by(0.3)).add(1, 99, rss=grow_by(0.2))
    found = judge(processes, limits=np.array([200.0, 158.5]) * MIB)

    assert found["role"].tolist() == ["worker", "master", "family"]
    assert found["time_to_exhaustion_s"][-1] == pytest.approx(60, abs=0.1)
    assert found["slope_bytes_per_s"][-1] == pytest.approx(0.5 * MIB)


def test_rows_in_any_order_and_runs_without_samples_change_nothing():
    processes = Processes().add(1, 99, rss=grow_by(0.5)).add(2, 1, rss=flat)
    straight = judge(processes)
    mixed = Processes().add(1, 99, rss=grow_by(0.5)).add(3, 1, rss=flat).add(2, 1, rss=flat).add(4, 1, rss=flat)
    mixed.samples = [own.sample(frac=1, random_state=1) for own in mixed.samples]
    mixed.samples[1], mixed.samples[3] = mixed.samples[1].iloc[:0], mixed.samples[3].iloc[:0]
    found = judge(mixed)

    for name in ("slope_bytes_per_s", "growth_bytes", "growing_count", "is_leak"):
        assert found[name][-1] == straight[name][-1]
    assert found["is_leak"][-1]


@pytest.mark.parametrize(("lives", "roles"), [(21.0, ["master", "worker", "family"]), (20.0, ["master", "worker"])])
def test_a_family_of_less_than_twenty_seconds_has_roles_but_no_sum(lives: float, roles: list[str]):
    """Readings of 21 samples, one a second, are 20 s apart."""
    processes = Processes().add(1, 99, rss=flat, lives=lives).add(2, 1, rss=flat, lives=lives)
    assert judge(processes)["role"].tolist() == roles


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ((1.0, 0.35, 0.35, 0.25), Reason.GROWS_IN_EACH_WORKER),
        ((1.0, 0.35, 0.25, 0.25), Reason.GROWS_IN_SOME_WORKERS),
        ((1.0, 0.9, 0.0), Reason.GROWS_IN_SOME_WORKERS),
    ],
)
def test_most_workers_must_grow_by_much_of_what_the_worst_does(rates: tuple[float, ...], reason: Reason):
    """By 30 % of it, and 70 % of them."""
    processes = Processes().add(1, 99, rss=flat)
    for number, rate in enumerate(rates):
        processes.add(2 + number, 1, rss=grow_by(rate))
    found = judge(processes)

    assert reason in found["reasons"][-1]
    assert found["process_count"][-1] == 1 + len(rates)


@pytest.mark.parametrize(
    ("of_master", "of_worker", "reason"),
    [(0.5, 0.4, Reason.GROWS_IN_MASTER), (0.4, 0.5, Reason.GROWS_IN_SOME_WORKERS)],
)
def test_the_master_is_named_for_half_of_the_growth_and_what_shrinks_takes_nothing_off(of_master, of_worker, reason):
    """Of 0.9 MiB a second; the sum grows by 0.6, and 0.4 is more than half of that."""
    processes = Processes().add(1, 99, rss=grow_by(of_master))
    found = judge(processes.add(2, 1, rss=grow_by(of_worker)).add(3, 1, rss=grow_by(-0.3)))

    assert found["reasons"][-1][-1] == reason
    assert found["growing_count"][-1] == 2
    assert found["slope_bytes_per_s"][-1] == pytest.approx(0.6 * MIB)


@pytest.mark.parametrize("of_workers", [0.0, 0.2])
def test_nobody_is_named_where_most_of_the_growth_is_shared(of_workers: float):
    """Two siblings whose parent was not recorded: the sum grows by 1 MiB a second, each of them by less than half."""
    processes = Processes()
    for pid in (2, 3):
        processes.add(pid, 50, rss=grow_by(1.0), private=grow_by(of_workers), shared=grow_by(0.5), program=None)
    found = judge(processes)

    assert found["is_leak"][-1]
    assert found["reasons"][-1][-1] == Reason.GROWS_IN_SHARED_MEMORY


def test_a_worker_more_does_not_excuse_shared_memory_that_grows():
    """The sum grows by 60 MiB and more, a worker of 2 MiB is started."""
    processes = Processes().add(1, 99, rss=grow_by(1.0), private=flat, shared=grow_by(1.0))
    processes.add(2, 1, born=30.0, lives=30.0, rss=flat, private=lambda at: 2 + 0 * at)
    found = judge(processes)

    assert found["is_leak"][-1]
    assert found["reasons"][-1][-1] == Reason.GROWS_IN_SHARED_MEMORY


def test_workers_that_are_replaced_by_larger_ones_are_a_leak_and_no_further_processes():
    """Four at a time, for 20 s each, and every five seconds one begins that is 10 MiB larger than the one before."""
    processes = Processes().add(1, 99, rss=flat, lives=120.0)
    for number in range(24):
        size, born = 50 + 10 * number, 5.0 * number
        lives = min(20.0, 120.0 - born)
        processes.add(number + 2, 1, born=born, lives=lives, rss=lambda at, size=size: size + 0 * at)
    found = judge(processes)

    assert found["is_leak"][-1]
    assert found["reasons"][-1][-1] == Reason.GROWS_WITH_SUCCESSORS


def test_a_master_that_grows_beside_further_workers_is_not_said_to_grow_in_shared_memory():
    """By 30 MiB, and eleven workers of 3 MiB each are added one after the other: 33 MiB."""
    processes = Processes().add(1, 99, rss=grow_by(0.5))
    for number in range(11):
        born = 5.0 * (number + 1)
        processes.add(number + 2, 1, born=born, lives=60.0 - born, rss=flat, private=lambda at: 3 + 0 * at)
    found = judge(processes)

    assert Reason.GROWS_IN_SHARED_MEMORY not in found["reasons"][-1]


def test_nothing_is_explained_where_private_memory_was_not_read():
    processes = Processes().add(1, 99, rss=grow_by(1.0)).add(2, 1, rss=flat)
    for own in processes.samples:
        own["uss_bytes"] = np.nan
    found = judge(processes)

    assert found["is_leak"][-1]
    assert not {str(reason) for reason in found["reasons"][-1]} & {"grows_in_master", "grows_in_shared_memory"}


def test_the_line_of_a_family_is_that_of_the_member_that_grew_most_and_has_one():
    """4 grew most and has no line, 3 has one but no leak of its own; 2 grew more than 1."""
    processes = Processes()
    for pid, rate in ((1, 0.1), (2, 0.3), (3, 0.4), (4, 0.5)):
        processes.add(pid, 99, rss=grow_by(rate))
    frame = call_stable(
        processes,
        is_leak=np.array([True, True, False, True]),
        origin=objects("python", "python", "native", "native"),
        responsible_file=objects("one.py", "two.py", "three.py", None),
        responsible_line=objects(1, 2, 3, None),
        responsible_share=np.array([0.9, 0.8, 0.7, np.nan]),
    )
    found = judge(processes, frame)

    assert (found["responsible_file"][-1], found["responsible_line"][-1]) == ("two.py", 2)
    assert found["responsible_share"][-1] == 0.8
    assert found["reasons"][-1][-1] == Reason.ALLOCATED_BY_LINE
    assert found["origin"][-1] == "python"


def jump(at):
    return 50 + 40 * (at >= 30)


@pytest.mark.parametrize(
    ("metric", "moves_mib", "of_master", "is_leak"),
    [
        ("rss_bytes", 6.0, flat, False),
        ("rss_bytes", 9.0, flat, True),
        ("rss_bytes", np.nan, flat, True),
        ("traced_bytes", 6.0, flat, True),
        ("rss_bytes", 6.0, grow_by(1.0), True),
        ("rss_bytes", 6.0, jump, True),
    ],
)
def test_a_worker_is_cleared_only_where_its_private_memory_and_the_sum_stay(metric, moves_mib, of_master, is_leak):
    """It grew by 30 MiB, and a quarter of that is 7.5; the sum is flat, a leak of its own, or jumps by 40 MiB."""
    processes = Processes().add(1, 99, rss=flat, shared=of_master)
    processes.add(2, 1, rss=grow_by(0.5), private=lambda at: 50 + moves_mib * (at >= 30), shared=flat)
    frame = call_stable(processes, metric=objects("rss_bytes", metric), severity=objects("none", "high"))
    frame |= {"is_leak": np.array([False, True]), "growth_bytes": np.array([0.0, 30.0 * MIB])}
    frame["time_to_exhaustion_s"] = np.array([7.0, 9.0])
    before = {name: column.copy() for name, column in frame.items()}
    found = judge(processes, frame)

    assert found["is_leak"][1] == is_leak
    assert (found["origin"][1], found["severity"][1]) == (("unknown", "high") if is_leak else ("shared", "none"))
    assert found["reasons"][1] == (("own",) if is_leak else (Reason.SHARES_PAGES,))
    np.testing.assert_array_equal(found["time_to_exhaustion_s"][:2], [7, 9 if is_leak else np.nan])
    for name, column in before.items():
        np.testing.assert_array_equal(frame[name], column)


def test_every_column_has_a_row_for_each_family_in_the_order_of_their_names():
    processes = Processes()
    for pid, parent in ((30, 99), (31, 30), (10, 99), (11, 10)):
        processes.add(pid, parent, rss=flat, program=None)
    for own in processes.runs[:2]:
        own["service"] = "api"
    others = {"note": np.array(["a", "b", "c", "d"]), "is_known": np.ones(4, dtype=bool)}
    frame = call_stable(processes, service=objects("api", "api", "web", "web"), **others)
    found = judge(processes, frame)

    assert {len(column) for column in found.values()} == {6}
    assert found["run_id"].tolist()[4:] == ["family run-30", "family run-10"]
    assert found["note"].tolist() == ["a", "b", "c", "d", None, None]
    assert found["is_known"].dtype == bool
    assert found["is_known"].tolist() == [True] * 4 + [False] * 2
