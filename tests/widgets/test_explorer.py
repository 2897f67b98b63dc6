"""The explorer as a widget: in this process, and with a real front end's messages in a real kernel."""

import base64
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from front_end import move_widget
from kernels import Kernel, run_kernel
from ledger_rows import run_row, sample_row

from memanalysis import explore, open_ledger
from memanalysis.errors import InvalidArgumentError, LedgerNotFoundError
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.widgets.number_controls import choose_step

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "sample_ledgers"


def write_service(path: Path, service: str, run_id: str, *, n: int = 40) -> None:
    writer = LedgerWriter(path, run=run_row(service, run_id))
    writer.append("samples", [sample_row(seq, rss_bytes=50 * 2**20 + seq * 2**20) for seq in range(n)])
    writer.close(ended=1735689600.0 + n)


def test_the_pickers_show_what_is_selected_and_hide_the_run_where_there_is_one() -> None:
    explorer = explore(SAMPLES / "leaking_service")

    assert explorer.service.value == "leaky_service"
    assert explorer.run.layout.display == "none"
    assert explorer.metric.value == "rss_bytes"
    assert explorer.first.slider.value == (0.0, explorer.first.slider.max)
    assert 55 < explorer.first.slider.max < 65
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d to \d\d:\d\d:\d\d UTC, 1.0 min", explorer.range_text.value)
    assert "leaky_service.py:58" in explorer.table.value
    assert "critical" in explorer.table.value
    assert "<svg" in explorer.picture.value
    explorer.close_all()


def test_beside_the_widget_stands_the_same_as_text_and_as_html_for_where_no_widgets_are() -> None:
    """As a terminal and a page saved by nbconvert show it."""
    explorer = explore(SAMPLES / "leaking_service")
    bundle = explorer._repr_mimebundle_() or {}
    explorer.metric.value = "traced_bytes"
    after = explorer._repr_mimebundle_() or {}
    explorer.close_all()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"].startswith("resident memory of leaky_service, 20")
    assert "leaky_service.py:58" in bundle["text/plain"]
    assert "A leak" in bundle["text/plain"]
    assert "<svg" in bundle["text/html"]
    assert "leaky_service.py:58" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert after["text/plain"].startswith("memory that Python allocated of leaky_service")


def test_an_empty_ledger_is_said_in_text_too(tmp_path: Path) -> None:
    LedgerWriter(tmp_path, run=run_row("api", "20250101T000000Z-1-00000001")).close(ended=1735689600.0)
    explorer = explore(tmp_path)
    bundle = explorer._repr_mimebundle_() or {}
    explorer.close_all()

    assert bundle["text/plain"] == f"No samples are in {tmp_path} yet."
    assert "No samples are in" in bundle["text/html"]


def test_a_new_metric_changes_the_picture_and_a_new_range_is_judged_again() -> None:
    explorer = explore(SAMPLES / "leaking_service")
    table, picture = explorer.table.value, explorer.picture.value

    explorer.metric.value = "traced_bytes"
    assert explorer.selection.metric == "traced_bytes"
    assert "memory that Python allocated of leaky_service" in explorer.picture.value
    assert explorer.picture.value != picture
    explorer.first.slider.value = (10.0, 20.0)
    assert (explorer.selection.start_s, explorer.selection.end_s) == (10.0, 20.0)
    assert "10.0 s" in explorer.range_text.value
    assert explorer.table.value != table
    assert "leaky_service.py:58" in table
    assert (explorer.first.start.value, explorer.first.end.value) == (10.0, 20.0)
    explorer.first.start.value = 5.0
    assert explorer.first.slider.value == (5.0, 20.0)
    explorer.close_all()


def test_the_thresholds_and_the_picture_follow_the_service_that_is_picked(tmp_path: Path) -> None:
    """Budgets of 100 and of 300 MiB, which the policy gives the two services by name."""
    write_service(tmp_path, "api", "20250101T000000Z-1-00000001")
    write_service(tmp_path, "worker", "20250101T000000Z-1-00000002", n=60)
    budgets = {name: {"max_memory_mb": size} for name, size in (("api", 100), ("worker", 300))}
    explorer = explore(tmp_path, policy={"memory_budgets": {"services": budgets}})
    assert (explorer.thresholds.budget.value, explorer.first.slider.max) == (100, 39.0)

    explorer.service.value = "worker"
    assert (explorer.thresholds.budget.value, explorer.first.slider.max) == (300, 59.0)
    assert "limit of 300 MiB" in explorer.picture.value
    assert "resident memory of worker, 20" in (explorer._repr_mimebundle_() or {})["text/plain"]
    assert "worker" in explorer.table.value
    assert "api" not in explorer.table.value
    assert "api" in explorer.ledger.value
    explorer.close_all()


def test_a_threshold_that_is_moved_reclassifies_at_once_and_goes_back_to_the_policy() -> None:
    """A budget of 1,000 MiB is far away; one of 90 MiB is exceeded by the end."""
    policy = {"memory_budgets": {"global": {"max_memory_mb": 1000}}, "leak_detection": {"sensitivity": "low"}}
    explorer = explore(SAMPLES / "leaking_service", policy=policy)
    thresholds = explorer.thresholds
    assert (thresholds.budget.value, thresholds.warning.value, thresholds.critical.value) == (1000, 80, 95)
    assert thresholds.sensitivity.value == "low"
    table, picture = explorer.table.value, explorer.picture.value

    thresholds.budget.slider.value = 60
    assert thresholds.budget.number.value == 60
    assert explorer.table.value != table
    assert ">critical</text>" in explorer.picture.value  # the breach, by name
    assert "budget 60" in explorer.picture.value
    thresholds.reset_button.click()
    assert (explorer.table.value, explorer.picture.value) == (table, picture)
    explorer.close_all()


def test_the_picture_has_fit_and_windows() -> None:
    explorer = explore(SAMPLES / "leaking_service")

    assert re.search(r">fitted \+2.8 GiB/h \(2.7 to 2.9\)</text>", explorer.picture.value)
    assert "baselines of windows" in explorer.picture.value
    explorer.close_all()


def test_two_ranges_are_judged_and_compared_beside_each_other() -> None:
    explorer = explore(SAMPLES / "leaking_service")
    assert explorer.second.layout.display == "none"
    explorer.is_comparing.value = True
    assert explorer.first.slider.value[1] == explorer.second.slider.value[0] == explorer.first.slider.max / 2
    assert explorer.second.layout.display is None
    half = explorer.table.value
    assert "range A" in half
    assert "range B" in half
    assert "B compared with A" in half
    assert "B: A leak" in explorer.picture.value
    explorer.second.slider.value = (40.0, 59.0)
    assert explorer.table.value != half
    explorer.is_comparing.value = False
    assert "range B" not in explorer.table.value
    explorer.close_all()


def test_the_range_is_exported_as_csv_png_and_page(tmp_path: Path) -> None:
    """Of the CSV as pandas reads it, of the PNG its signature and size, of the page that nothing is fetched."""
    explorer = explore(SAMPLES / "leaking_service")
    explorer.first.slider.value = (10.0, 20.0)
    rows = pd.read_csv(explorer.export(tmp_path / "range.csv"))
    png = explorer.export(tmp_path / "range.png").read_bytes()
    explorer.first.slider.value = (0.0, explorer.first.slider.max)
    page = explorer.export(tmp_path / "range.html").read_text(encoding="utf-8")

    assert list(rows.columns) == ["timestamp", "elapsed_s", "rss_bytes"]
    assert rows["elapsed_s"].max() - rows["elapsed_s"].min() <= 10.0
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20], "big") == 1760
    assert page.startswith("<!DOCTYPE html>")
    assert "leaky_service.py:58" in page
    assert not re.search(r"<script|https?://|src=", page)
    with pytest.raises(InvalidArgumentError, match=r"export needs a path that ends with .csv, .png or .html"):
        explorer.export(tmp_path / "range.txt")

    explorer._show_link("csv")
    name, address = re.findall(r'href="data:text/csv;base64,([^"]+)" download="([^"]+)"', explorer.link.value)[0][::-1]
    assert name == "leaky_service-rss_bytes.csv"
    assert base64.b64decode(address).startswith(b"timestamp,elapsed_s,rss_bytes\n")
    explorer.close_all()


def test_every_control_has_a_name_and_a_description_for_screen_readers() -> None:
    explorer = explore(SAMPLES / "leaking_service")
    controls = [each for each in list_inside(explorer) if hasattr(each, "description") and not is_text(each)]
    named = [each for each in controls if "Slider" not in type(each).__name__]

    assert len(controls) - len(named) == 7  # each slider has a number beside it, which has a name
    assert len(named) == 18
    assert [each for each in named if not each.description] == []
    assert [each for each in controls if not each.tooltip] == []
    explorer.close_all()


def is_text(widget: Any) -> bool:
    return type(widget).__name__ == "HTML"


def list_inside(box: Any) -> list[Any]:
    return [each for part in getattr(box, "children", ()) for each in (part, *list_inside(part))]


@pytest.mark.parametrize(("length_s", "step"), [(59.87, 0.2), (86_400.0, 200.0), (1e-3, 2e-6)])
def test_the_slider_moves_by_round_numbers(length_s: float, step: float) -> None:
    assert choose_step(length_s) == pytest.approx(step)


def test_another_service_or_run_is_shown_whole(tmp_path: Path) -> None:
    write_service(tmp_path, "api", "20250101T000000Z-1-00000001")
    write_service(tmp_path, "api", "20250101T000000Z-1-00000002", n=20)
    write_service(tmp_path, "worker", "20250101T000000Z-1-00000003", n=90)
    explorer = explore(tmp_path)

    explorer.first.slider.value = (3.0, 6.0)
    explorer.service.value = "worker"
    assert (explorer.first.slider.value, explorer.first.slider.max) == ((0.0, 89.0), 89.0)
    assert explorer.run.layout.display == "none"
    explorer.service.value = "api"
    assert explorer.run.layout.display is None
    for run_id, length_s in zip(dict(explorer.run.options).values(), (39.0, 19.0), strict=True):
        explorer.run.value = run_id
        assert explorer.first.slider.value == (0.0, length_s)
        assert explorer.selection.run_id == run_id
    explorer.close_all()


def test_an_empty_ledger_says_how_to_fill_it(tmp_path: Path) -> None:
    LedgerWriter(tmp_path / "new", run=run_row("api")).close(ended=1735689601.0)
    explorer = explore(open_ledger(tmp_path / "new"))

    assert explorer.selection is None
    assert "No samples are in" in explorer.children[0].value
    assert "%memwatch on" in explorer.children[0].value
    explorer.close_all()


def test_a_missing_ledger_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LedgerNotFoundError):
        explore(tmp_path / "nowhere")


def test_names_from_a_ledger_are_text_and_never_markup(tmp_path: Path) -> None:
    name = "../../x<script>alert(1)</script>"
    write_service(tmp_path, name, "20250101T000000Z-1-00000001")
    explorer = explore(tmp_path)

    shown = explorer.table.value + explorer.picture.value + explorer.range_text.value
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    explorer.close_all()


def test_pyplot_is_not_loaded(json_array: Callable[[], Path]) -> None:
    """Its figures are global state; in a fresh process because other tests may have loaded it."""
    program = f"import sys, memanalysis; memanalysis.explore({str(json_array())!r})"
    code = f"{program}; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with run_kernel(tmp_path_factory.mktemp("notebook")) as kernel:
        yield kernel


def test_a_front_end_gets_the_widgets_and_its_moves_reach_the_kernel(kernel: Kernel) -> None:
    """What a browser would hold is what nbclient collects from the comm messages."""
    shown = kernel.run(
        f"import memanalysis, operator\nexplorer = memanalysis.explore({str(SAMPLES / 'leaking_service')!r})\nexplorer"
    )
    bundle = next(each.data for each in shown.outputs if each.output_type == "execute_result")
    model_id = bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    states = kernel.client.widget_state
    assert states[model_id]["_model_name"] == "VBoxModel"

    ids = dict(
        line.split()
        for line in kernel.run(
            "for name in ('metric', 'first.slider', 'picture'):\n"
            "    print(name, operator.attrgetter(name)(explorer).model_id)"
        ).stdout.splitlines()
    )
    assert states[ids["metric"]]["_options_labels"][:1] == ["resident memory"]
    assert "<svg" in states[ids["picture"]]["value"]

    labels = list(states[ids["metric"]]["_options_labels"])
    after_metric = move_widget(kernel, ids["metric"], {"index": labels.index("memory that Python allocated")})
    after_range = move_widget(kernel, ids["first.slider"], {"value": [10.0, 30.0]})
    selected = kernel.run("explorer.selection.metric, explorer.selection.start_s, explorer.selection.end_s").result

    assert "memory that Python allocated of leaky_service" in after_metric[ids["picture"]]["value"]
    assert after_range[ids["picture"]]["value"] != after_metric[ids["picture"]]["value"]
    assert selected == "('traced_bytes', 10.0, 30.0)"
