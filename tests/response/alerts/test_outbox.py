"""No alert is lost between a program and a destination that fails, and the program is held up by none."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import running

from memanalysis.response.alerts import outbox as module
from memanalysis.response.alerts.alert import Alert, AlertLevel
from memanalysis.response.alerts.outbox import Outbox
from memanalysis.response.alerts.undelivered import UndeliveredFolder

DEADLINE_S = 60.0


def make_alert(number: int = 0, *, level: AlertLevel = "warning", fingerprint: str | None = None) -> Alert:
    return Alert(level, "api", f"alert {number}", 1e9 + number, fingerprint=fingerprint or f"problem {number}")


class Destination:
    """Takes alerts, unless it is down; both can be waited for."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.attempts = 0
        self.threads: set[threading.Thread] = set()
        self.down: set[str] = set()
        self.held = threading.Event()
        self.held.set()

    def send(self, alert: Alert, recipient: str) -> None:
        self.attempts += 1
        self.threads.add(threading.current_thread())
        self.held.wait(DEADLINE_S)
        if recipient in self.down:
            raise ConnectionRefusedError("nobody listens")
        self.taken.append((recipient, alert.message))


class Events:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str | None, Any]] = []

    def record(self, kind: str, *, level: str | None = None, message: str | None = None, data: Any = None) -> None:
        self.rows.append((kind, level, data))

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.rows]


def wait_until(holds: Callable[[], bool], outbox: Outbox) -> None:
    """Wait, as a recorder does: with a tick now and then."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        outbox.wake()
        time.sleep(0.005)


@pytest.fixture
def destination() -> Destination:
    return Destination()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def outbox(tmp_path: Path, destination: Destination, events: Events) -> Iterator[Outbox]:
    outbox = Outbox(folder=tmp_path / "undelivered", first_backoff_s=0.01, max_backoff_s=0.02)
    outbox.begin({"chat": destination.send}, events.record)
    yield outbox
    destination.held.set()
    outbox.end()


@pytest.mark.slow
def test_alerts_are_sent_in_order_off_the_thread_that_raises_them(
    outbox: Outbox, destination: Destination, events: Events
) -> None:
    for number in range(5):
        outbox.put("chat", "a", make_alert(number))

    assert outbox.end() == []
    assert destination.taken == [("a", f"alert {number}") for number in range(5)]
    assert threading.current_thread() not in destination.threads
    assert events.rows == []


def test_a_destination_that_is_down_for_a_while_loses_nothing(
    outbox: Outbox, destination: Destination, events: Events
) -> None:
    destination.down = {"a"}
    for number in range(3):
        outbox.put("chat", "a", make_alert(number))
    wait_until(lambda: destination.attempts >= 4, outbox)
    destination.down = set()

    wait_until(lambda: not outbox.waiting, outbox)
    assert outbox.end() == []  # which waits for the thread

    assert sorted(destination.taken) == [("a", f"alert {number}") for number in range(3)]
    assert "delivered" in events.kinds()
    assert "undelivered" not in events.kinds()


@pytest.mark.parametrize("is_down", [True, False])
def test_an_alert_is_safe_once_it_is_on_disk_or_without_a_folder_once_it_is_delivered(
    tmp_path: Path, destination: Destination, is_down: bool
) -> None:
    destination.down = {"a"} if is_down else set()
    safe: list[Alert] = []
    outbox = Outbox(folder=tmp_path if is_down else None)
    outbox.on_safe = safe.append
    outbox.begin({"chat": destination.send})
    outbox.put("chat", "a", make_alert())
    wait_until(lambda: destination.attempts == 1 and not (outbox.waiting and not is_down), outbox)
    outbox.end()

    assert safe == [make_alert()]
    assert len(list(tmp_path.iterdir())) == is_down


def test_one_destination_that_is_down_does_not_hold_up_another(outbox: Outbox, destination: Destination) -> None:
    destination.down = {"a"}
    for number in range(20):
        outbox.put("chat", "a", make_alert(number))
        outbox.put("chat", "b", make_alert(number))

    wait_until(lambda: len(destination.taken) == 20, outbox)

    assert {recipient for recipient, _ in destination.taken} == {"b"}


def test_no_thread_waits_while_nothing_is_due(tmp_path: Path, destination: Destination) -> None:
    outbox = Outbox(folder=tmp_path)
    outbox.begin({"chat": destination.send})
    destination.down = {"a"}
    outbox.put("chat", "a", make_alert())
    wait_until(lambda: destination.attempts == 1, outbox)

    for thread in destination.threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    outbox.wake()
    assert destination.attempts == 1
    assert [alert.message for alert in outbox.end()] == ["alert 0"]


def test_the_same_problem_waits_once_with_its_newest_figures(outbox: Outbox, destination: Destination) -> None:
    destination.down = {"a"}
    outbox.put("chat", "a", make_alert(1, fingerprint="leak"))
    wait_until(lambda: destination.attempts >= 1, outbox)
    outbox.put("chat", "a", make_alert(2, fingerprint="leak"))
    outbox.put("chat", "a", make_alert(3, fingerprint="leak", level="critical"))
    destination.down = set()
    wait_until(lambda: not outbox.waiting, outbox)

    assert [message for _, message in destination.taken][-2:] == ["alert 2", "alert 3"]


def test_an_alert_that_is_replaced_while_it_waits_is_in_the_events_with_the_one_that_replaces_it(
    tmp_path: Path, destination: Destination, events: Events
) -> None:
    destination.down = {"a"}
    alerts = [make_alert(number, level="emergency", fingerprint="budget") for number in range(3)]
    outbox = Outbox(folder=tmp_path, first_backoff_s=DEADLINE_S)
    outbox.begin({"chat": destination.send}, events.record)
    outbox.put("chat", "a", alerts[0])
    wait_until(lambda: destination.attempts == 1, outbox)
    for thread in destination.threads:
        thread.join(DEADLINE_S)
    for alert in alerts[1:]:
        outbox.put("chat", "a", alert)
    destination.down = set()

    assert outbox.end(timeout_s=DEADLINE_S) == []
    assert list(tmp_path.iterdir()) == []
    replaced = [data for kind, _, data in events.rows if kind == "undelivered"]
    assert destination.taken == [("a", "alert 2")]
    assert [(data["alert"]["cue_id"], data["replaced_by"]) for data in replaced] == [
        (alerts[0].cue_id, alerts[1].cue_id),
        (alerts[1].cue_id, alerts[2].cue_id),
    ]


def test_what_an_ended_run_could_not_deliver_goes_out_at_the_next_start(
    tmp_path: Path, destination: Destination, events: Events
) -> None:
    destination.down = {"a"}
    first = Outbox(folder=tmp_path)
    first.begin({"chat": destination.send}, events.record)
    first.put("chat", "a", make_alert(7))
    left = first.end()
    undelivered = dict(events.rows[0][2])

    destination.down = set()
    second = Outbox(folder=tmp_path)
    second.begin({"chat": destination.send}, events.record)
    wait_until(lambda: not second.waiting, second)
    assert second.end() == []  # which waits for the thread

    assert left == [make_alert(7)]
    assert events.kinds() == ["undelivered", "delivered"]
    assert (undelivered["channel"], undelivered["recipient"]) == ("chat", "a")
    assert undelivered["alert"] == make_alert(7).to_mapping()
    assert destination.taken == [("a", "alert 7")]
    assert list(tmp_path.iterdir()) == []


def test_an_end_waits_no_longer_than_it_was_given(outbox: Outbox, destination: Destination, events: Events) -> None:
    destination.held.clear()
    outbox.put("chat", "a", make_alert())
    wait_until(lambda: destination.attempts == 1, outbox)

    assert outbox.end(timeout_s=0.05) == [make_alert()]
    assert events.kinds() == ["undelivered"]
    destination.held.set()
    for thread in destination.threads:
        thread.join(DEADLINE_S)


def test_a_second_end_waits_for_nothing_and_keeps_what_was_put_meanwhile(
    tmp_path: Path, outbox: Outbox, destination: Destination
) -> None:
    outbox.end()
    outbox.put("chat", "a", make_alert())
    began = time.monotonic()

    assert outbox.end(timeout_s=2 * DEADLINE_S) == [make_alert()]
    assert time.monotonic() - began < DEADLINE_S
    assert destination.attempts == 0
    assert len(list((tmp_path / "undelivered").iterdir())) == 1


def test_too_many_give_up_the_mildest_and_oldest_and_record_it(
    outbox: Outbox, destination: Destination, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    destination.down = {"a"}
    outbox.put("chat", "a", make_alert(0, level="emergency"))
    for number in range(1, 5):
        outbox.put("chat", "a", make_alert(number))
    waiting = {alert.message for _, _, alert in outbox.waiting}

    assert len(waiting) == 3
    assert {"alert 0", "alert 4"} <= waiting
    assert events.kinds().count("undelivered") == 2


@pytest.mark.parametrize("is_on_disk", [True, False])
def test_what_is_given_up_goes_out_at_the_next_start(
    tmp_path: Path, outbox: Outbox, destination: Destination, monkeypatch: pytest.MonkeyPatch, is_on_disk: bool
) -> None:
    """Also where the thread was held up by its destination, and had not written it to disk yet."""
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    destination.down = {"a"}
    if not is_on_disk:
        destination.held.clear()
    alerts: list[Alert] = []
    for number in range(5):
        alerts.append(make_alert(number))
        outbox.put("chat", "a", alerts[-1])
        wait_until(lambda: destination.attempts >= 1, outbox)
        if is_on_disk:
            wait_until(lambda: len(list((tmp_path / "undelivered").glob("*.json"))) == len(alerts), outbox)
    destination.held.set()
    outbox.end(timeout_s=DEADLINE_S)

    destination.down = set()
    second = Outbox(folder=tmp_path / "undelivered")
    second.begin({"chat": destination.send})
    wait_until(lambda: not second.waiting, second)

    assert second.end() == []
    assert destination.taken == [("a", f"alert {number}") for number in range(5)]
    assert list((tmp_path / "undelivered").iterdir()) == []


def test_the_folder_of_another_living_process_is_left_alone(tmp_path: Path) -> None:
    folder = UndeliveredFolder(tmp_path)
    path = folder.store("chat", "a", make_alert())
    path.rename(path.with_name(path.name.replace(str(os.getpid()), str(os.getppid()))))

    assert folder.take_abandoned(["chat"]) == []


def test_what_is_for_a_channel_that_a_process_has_not_is_left_to_the_others(
    tmp_path: Path, destination: Destination
) -> None:
    with running(subprocess.Popen([sys.executable, "-c", ""])) as ended:
        ended.wait(60)
    path = UndeliveredFolder(tmp_path).store("chat", "a", make_alert())
    left = path.rename(path.with_name(path.name.replace(str(os.getpid()), str(ended.pid), 1)))
    other = Outbox(folder=tmp_path)
    other.begin({"mail": destination.send})
    other.end()

    assert list(tmp_path.iterdir()) == [left]
    assert [found.recipient for found in UndeliveredFolder(tmp_path).take_abandoned(["chat"], at_start=False)] == ["a"]


def test_what_was_taken_over_is_left_to_its_new_process_though_that_began_after_the_alert(
    tmp_path: Path, run_program: Any
) -> None:
    with running(subprocess.Popen([sys.executable, "-c", ""])) as ended:
        ended.wait(60)
    path = UndeliveredFolder(tmp_path / "undelivered").store("chat", "a", make_alert())
    left = path.rename(path.with_name(path.name.replace(str(os.getpid()), str(ended.pid), 1)))
    os.utime(left, (1e9, 1e9))
    taken = UndeliveredFolder(tmp_path / "undelivered").take_abandoned(["chat"], at_start=False)
    other = run_program(
        "from pathlib import Path\n"
        "from memanalysis.response.alerts.undelivered import UndeliveredFolder\n"
        "print(len(UndeliveredFolder(Path('undelivered')).take_abandoned(['chat'])))"
    )

    assert [found.file for found in taken] == [path]
    assert other.stdout == "0\n"


def test_files_that_are_no_alerts_stay_where_they_are(tmp_path: Path) -> None:
    for name, content in {"1-x.json": b"{}", "0-y.json": b"\xff", "readme.txt": b"", "999999999-z.json": b"[]"}.items():
        (tmp_path / name).write_bytes(content)

    for at_start in (True, False):
        assert UndeliveredFolder(tmp_path).take_abandoned(["chat"], at_start=at_start) == []
    assert len(list(tmp_path.iterdir())) == 4


def test_a_disk_that_refuses_keeps_alerts_in_memory(tmp_path: Path, destination: Destination) -> None:
    (tmp_path / "file").write_bytes(b"")
    outbox = Outbox(folder=tmp_path / "file" / "undelivered")
    outbox.begin({"chat": destination.send})
    outbox.put("chat", "a", make_alert())

    assert outbox.end() == []
    assert destination.taken == [("a", "alert 0")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_sends_nothing_of_its_parent(run_program: Any, tmp_path: Path) -> None:
    done = run_program(
        "import os, time\n"
        "from pathlib import Path\n"
        "from memanalysis.response.alerts.alert import Alert\n"
        "from memanalysis.response.alerts.outbox import Outbox\n"
        "def send(alert, recipient):\n"
        "    if not Path('up').exists():\n"
        "        raise OSError('down')\n"
        "    print(os.getpid() == parent, flush=True)\n"
        "parent = os.getpid()\n"
        "outbox = Outbox(folder=Path('undelivered'))\n"
        "outbox.begin({'chat': send})\n"
        "outbox.put('chat', 'a', Alert('warning', 'api', 'm', 0.0))\n"
        "while not outbox.waiting or outbox._thread is not None: time.sleep(0.005)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    Path('up').touch()\n"
        "    assert outbox.waiting == () and outbox.end() == []\n"
        "    os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert len(list(Path('undelivered').iterdir())) == 1\n"
        "assert outbox.end() == []\n"
    )

    assert done.stdout == "True\n"


def test_what_a_killed_process_had_begun_to_write_is_removed_and_a_living_ones_stays(tmp_path: Path) -> None:
    with running(subprocess.Popen([sys.executable, "-c", ""])) as ended:
        ended.wait(60)
    torn = tmp_path / f".{ended.pid}-mem-1-0a.json.1f.tmp"
    torn.write_bytes(b"{")
    with running(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)) as living:
        written = tmp_path / f".{living.pid}-mem-1-0a.json.1f.tmp"
        written.write_bytes(b"{")
        assert UndeliveredFolder(tmp_path).take_abandoned(["chat"]) == []
        living.communicate(b"\n")

    assert list(tmp_path.iterdir()) == [written]
