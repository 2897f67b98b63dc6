"""Of the processes that see the same memory one alerts, and another only once that is past."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import running

from memanalysis.response.alerts.alert import BUDGET_PROBLEM, Alert, AlertLevel
from memanalysis.response.alerts.alert_claims import MAX_AGE_S, SAME_EPISODE_S, TAKE_OVER_INTERVAL_S, AlertClaims

NOW_S = time.time()  # processes that run now have begun before it


def make_alert(level: AlertLevel = "emergency", fingerprint: str = BUDGET_PROBLEM) -> Alert:
    return Alert(level, "api", "", NOW_S, fingerprint=fingerprint)


class Seen:
    """The claims of this process, at a time that is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.now_s = NOW_S
        self.claims = AlertClaims(folder, monotonic=lambda: self.now_s, wall=lambda: self.now_s)

    def claim(self, alert: Alert | None = None, *, group: str = "family 1", seconds: float = 0) -> bool:
        """Claim an alert, and send it if that is to be done."""
        alert = alert or make_alert()
        is_claimed = self.claims.claim(alert, group, seconds=seconds)
        if is_claimed:
            self.claims.note_sent(alert)
        return is_claimed


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path / "alerted")


def give_to(pid: int, seen: Seen, *, before: int | None = None) -> None:
    """Make the claims in the folder, this process's if no other is named, those of another process."""
    for path in (seen.claims._folder).iterdir():
        path.write_text(path.read_text().replace(f'"pid": {before or os.getpid()}', f'"pid": {pid}'))


@pytest.fixture
def ended_pid() -> int:
    with running(subprocess.Popen([sys.executable, "-c", ""])) as ended:
        ended.wait(60)
    return ended.pid


def test_a_process_may_alert_again_of_what_it_alerted_of_itself(seen: Seen) -> None:
    assert [seen.claim() for _ in range(3)] == [True] * 3


def test_what_a_living_process_has_alerted_of_and_still_sees_is_not_alerted_again(seen: Seen) -> None:
    assert seen.claim()
    give_to(os.getppid(), seen)
    seen.now_s += MAX_AGE_S

    assert not seen.claim()
    assert seen.claim(make_alert("warning"))
    assert seen.claim(make_alert(fingerprint="leak:api.py:12"))
    assert seen.claim(group="family 2")


@pytest.mark.parametrize("seconds", [0, 300])
def test_what_a_process_that_died_has_alerted_of_is_not_alerted_again_within_the_episode(
    seen: Seen, ended_pid: int, seconds: float
) -> None:
    assert seen.claim(seconds=seconds)
    give_to(ended_pid, seen)
    seen.now_s += max(SAME_EPISODE_S, seconds) - 1
    soon = seen.claim(seconds=seconds)
    seen.now_s += 2

    assert (soon, seen.claim(seconds=seconds)) == (False, True)


def test_a_level_that_was_left_may_be_alerted_of_by_another_after_the_episode(seen: Seen) -> None:
    assert seen.claim(make_alert("warning"))
    assert seen.claim(make_alert("emergency"))
    seen.claims.leave("warning")
    give_to(os.getppid(), seen)
    seen.now_s += SAME_EPISODE_S + 1

    assert not seen.claim(make_alert("warning"))
    assert seen.claim(make_alert("emergency"))


def test_who_still_sees_what_a_dead_process_alerted_of_keeps_the_others_quiet(seen: Seen, ended_pid: int) -> None:
    assert seen.claim()
    give_to(ended_pid, seen)
    assert not seen.claim()
    seen.claims.wake()
    seen.now_s += TAKE_OVER_INTERVAL_S + 1
    seen.claims.wake()
    give_to(os.getppid(), seen)  # as another process sees what this one has taken over
    seen.now_s += SAME_EPISODE_S

    assert not seen.claim()


def test_a_claim_that_was_taken_over_holds_though_its_process_began_after_the_alert(seen: Seen, ended_pid: int) -> None:
    seen.now_s -= 50 * 365 * 86400
    assert seen.claim()
    give_to(ended_pid, seen)
    assert not seen.claim()
    seen.now_s = NOW_S
    seen.claims.wake()
    give_to(os.getppid(), seen)

    assert not seen.claim()


def test_an_alert_that_was_lost_with_its_process_is_sent_by_one_that_still_sees_the_level(
    seen: Seen, ended_pid: int
) -> None:
    assert seen.claims.claim(make_alert(), "family 1", seconds=300)
    give_to(os.getppid(), seen)
    assert not seen.claim(seconds=300)
    assert seen.claims.wake() == []
    give_to(ended_pid, seen, before=os.getppid())
    seen.now_s += TAKE_OVER_INTERVAL_S

    assert seen.claims.wake() == [make_alert()]
    seen.claims.note_sent(make_alert())
    give_to(ended_pid, seen)
    assert not seen.claim(seconds=300)


def test_an_alert_that_was_lost_with_its_process_holds_back_no_later_one(seen: Seen, ended_pid: int) -> None:
    assert seen.claims.claim(make_alert(), "family 1", seconds=300)
    give_to(ended_pid, seen)

    assert seen.claim(seconds=300)


def test_what_is_long_past_is_removed_at_a_start_and_what_is_held_stays(seen: Seen, ended_pid: int) -> None:
    assert seen.claim(make_alert("warning"))
    give_to(ended_pid, seen)
    assert seen.claim(make_alert("critical"))
    seen.now_s += MAX_AGE_S + 3600
    seen.claims.begin()

    assert len(list(seen.claims._folder.iterdir())) == 1


def test_a_claim_that_is_torn_counts_from_its_time(seen: Seen) -> None:
    assert seen.claim()
    (path,) = seen.claims._folder.iterdir()
    path.write_bytes(b"")
    os.utime(path, (NOW_S, NOW_S))
    soon = seen.claim()
    seen.now_s += SAME_EPISODE_S + 1

    assert (soon, seen.claim()) == (False, True)


def test_where_the_disk_refuses_all_alert(tmp_path: Path) -> None:
    (tmp_path / "alerted").write_bytes(b"")
    seen = Seen(tmp_path / "alerted")
    seen.claims.begin()

    assert [seen.claim() for _ in range(2)] == [True, True]
    seen.claims.wake()
    seen.claims.end()


def _claim_at_once(folder: Path, start: Any, results: Any) -> None:
    seen = Seen(folder)
    seen.now_s = time.time()  # a claim that is just being written counts from the time of its file
    start.wait(60)
    results.put(seen.claim())
    start.wait(60)  # it runs as long as another may ask


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_of_processes_that_claim_at_the_same_moment_one_alerts(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(4), context.Queue()
    workers = [context.Process(target=_claim_at_once, args=(tmp_path, start, results), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)

    assert sorted(found) == [False, False, False, True]
