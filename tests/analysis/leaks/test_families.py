"""Processes of one family have roles, and the sum of their memory has a verdict of its own."""

import numpy as np
import pandas as pd
import pytest

from memanalysis.analysis.run_verdicts import assess_samples
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
