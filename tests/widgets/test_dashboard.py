"""The dashboard: in this process, and with a real front end's messages in a real kernel."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from front_end import move_widget
from kernels import Kernel, run_kernel
from needs import needs_sampler

from memanalysis import dashboard, watch
from memanalysis.capture import sampler
from memanalysis.errors import InvalidArgumentError
from memanalysis.units import MIB
from memanalysis.watcher.live_verdict import LiveRun
from memanalysis.watcher.recorder import Recorder
from memanalysis.widgets.dashboard import Dashboard
from memanalysis.widgets.dashboard_view import read_dashboard_view

POLICY = {"memory_budgets": {"global": {"max_memory_mb": 1000}}}
WIDE_POLICY = {"memory_budgets": {"global": {"max_memory_mb": 100 * 1024}}}  # more than the suite's process has
DEADLINE_S = 60.0


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def shown() -> Iterator[Dashboard]:
    made = dashboard(policy=WIDE_POLICY)
    yield made
    made.close()


def draw_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "memwatch-dashboard"]


@pytest.mark.slow
def test_it_shows_verdict_figures_budget_and_events(shown: Dashboard) -> None:
    shown.mark_text.value = "deploy <1.4>"
    shown.mark_button.click()

    assert "Watching notebook." in shown.head.value
    assert shown.recorder is not None
    verdict = shown.recorder.assess()
    assert verdict is not None
    assert verdict.sentence.split(":")[0] in shown.head.value
    assert re.search(r"100 GiB, [\d.]+ GiB left", shown.head.value)
    assert "deploy &lt;1.4&gt;" in shown.events.value
    assert "Marked: deploy" in shown.answer.value
    assert shown.mark_text.value == ""


def test_stop_start_and_collect_do_what_they_say(shown: Dashboard) -> None:
    assert shown.start_button.disabled
    shown.collect_button.click()
    assert re.search(r"Collected \d+ unreachable objects?; .* Freed ", shown.answer.value)
    assert "cleanup" in shown.events.value

    shown.stop_button.click()
    assert shown.recorder is not None
    assert not shown.recorder.status().running
    assert "Stopped: notebook." in shown.head.value
    assert (shown.stop_button.disabled, shown.mark_button.disabled) == (True, True)

    shown.start_button.click()
    assert shown.recorder.status().running


def test_it_keeps_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = dashboard()
    made.recorder.snapshot_now()
    made.close()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_its_thread_and_its_recorder_end_when_the_output_is_deleted(shown: Dashboard) -> None:
    """What a front end sends: one view more, one view less."""
    shown._repr_mimebundle_()
    assert shown.is_drawing
    shown._view_count = 1
    shown._view_count = 0
    wait_for(lambda: not shown.is_drawing)

    assert draw_threads() == []
    assert shown.recorder is not None
    assert not shown.recorder.status().running
    shown._view_count = 1  # an undeleted cell
    assert shown.is_drawing


def test_the_next_dashboard_takes_the_place_of_the_last_one(shown: Dashboard) -> None:
    """As when its cell is run again: the sampler of the process is the new one's from the start."""
    shown._repr_mimebundle_()
    again = dashboard()
    assert not shown.is_drawing
    assert shown.recorder is not None
    assert not shown.recorder.status().running
    assert "Stopped:" in shown.head.value
    assert again.recorder is not None
    assert again.recorder.status().running
    assert sampler.is_running() == (again.recorder.status().trace == "sampled")
    again.close()


@pytest.mark.slow
def test_a_cell_that_is_moved_goes_on(shown: Dashboard) -> None:
    shown._repr_mimebundle_()
    shown._view_count = 1
    shown._view_count = 0
    shown._view_count = 1
    before = shown.head.value
    wait_for(lambda: shown.head.value != before)

    assert shown.is_drawing


def test_a_page_that_is_loaded_again_counts_its_views_from_nothing(shown: Dashboard) -> None:
    shown._view_count = 1

    assert shown.get_state()["_view_count"] == 0


def test_a_recorder_of_the_user_goes_on_when_the_dashboard_is_closed(tmp_path: Path) -> None:
    with watch("api", ledger=tmp_path, interval=0.05) as recorder:
        made = dashboard(recorder)
        assert "Watching api." in made.head.value
        made.close()
        made.close()
        assert recorder.status().running


def test_a_recorder_and_a_policy_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="dashboard needs a recorder or a policy, but got both"):
        dashboard(watch("api", ledger=tmp_path), policy=POLICY)


def test_text_and_html_stand_beside_the_widget(shown: Dashboard) -> None:
    bundle = shown._repr_mimebundle_() or {}

    assert bundle["text/plain"].startswith("Watching notebook.\n")
    assert "Resident memory:" in bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "<svg" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]


def make_leaking_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A recorder whose series rise by 1 MiB a second for 200 s: a leak to a budget of 1000 MiB."""
    recorder = watch("api", ledger=tmp_path, policy=POLICY)
    live = LiveRun(budget_bytes=1000 * MIB)
    for second in range(200):
        live.add(
            {"elapsed_s": 5.0 + second, "timestamp": 1e9 + second, "rss_bytes": (100 + second) * MIB}
            | dict.fromkeys(("limit_bytes", "traced_bytes", "sampled_bytes", "label"))
        )
    live.add_event({"timestamp": 1e9 + 100, "kind": "mark", "level": None, "message": "deploy", "data": None})
    monkeypatch.setattr(recorder, "_live", live)
    assert recorder.policy_runtime is not None
    recorder.policy_runtime.used_bytes = 299 * MIB  # as at the last sample
    return recorder


def test_a_leak_is_forecast_by_the_verdicts_own_slope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 MiB a second for another 30 % of 199 s; the mark was 100 s after the first sample."""
    view = read_dashboard_view(make_leaking_run(tmp_path, monkeypatch), [])

    assert view.sentence.startswith("A leak: grows by 3.5 GiB/h")
    forecast = view.chart.forecast
    assert forecast is not None
    assert forecast.end_s - forecast.start_s == pytest.approx(0.3 * 199)
    assert forecast.middle_bytes - forecast.start_bytes == pytest.approx(0.3 * 199 * MIB, rel=0.01)
    assert view.chart.marks == [(100.0, "deploy")]
    assert [level.name for level in view.chart.levels] == ["warning", "critical", "budget"]
    figures = dict(view.figures)
    assert figures["Budget"] == "1000 MiB, 701 MiB left"
    assert figures["Time to the budget"].startswith("11.7 min")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with run_kernel(tmp_path_factory.mktemp("notebook")) as kernel:
        yield kernel


@pytest.mark.slow
@needs_sampler
def test_memwatch_dashboard_moves_while_a_cell_runs_and_names_its_line(kernel: Kernel) -> None:
    """The picture of a session: a cell that grows for some seconds, and buttons as a browser presses them."""
    on = kernel.run("%load_ext memanalysis\n%memwatch dashboard")
    assert not on.error, on.traceback
    assert "memwatch is on" in on.stdout
    kernel.run("from memanalysis.magic import _loaded\nshown = next(iter(_loaded.values()))._dashboards[0]")
    kernel.run(
        "import time\nheld, pictures = [], set()\nwhile len(pictures) < 3 or 'In[3]' not in shown.lines.value:\n"
        "    held.append(bytearray(500_000)); time.sleep(0.05); pictures.add(shown.picture.value)\n"
        "    assert len(held) < 1000"
    )
    grown = kernel.run("print(shown.lines.value)")
    assert "In[3]:4" in grown.stdout, grown.stdout

    model_id = kernel.run("print(shown.stop_button.model_id)").stdout.strip()
    states = move_widget(kernel, model_id, {"event": "click"}, method="custom")
    assert any("Stopped:" in str(state.get("value")) for state in states.values())
    assert "memwatch is off" in kernel.run("%memwatch status").stdout
    again = kernel.run("%memwatch dashboard")
    assert "memwatch is on" in again.stdout
    counted = kernel.run("shown._redraw.stop()\n%memwatch dashboard\nlen(next(iter(_loaded.values()))._dashboards)")
    assert counted.result == "2"  # the one that was ended is closed
    kernel.run("%unload_ext memanalysis")
    left = kernel.run("import threading\n[t.name for t in threading.enumerate() if 'dashboard' in t.name]")
    assert left.result == "[]"
