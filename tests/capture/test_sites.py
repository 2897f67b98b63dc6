"""The table of allocation sites: tracemalloc's own totals, ours kept apart, and the same identity in every run."""

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from _tracemalloc import _get_traces
from pathlib import Path

import pytest

from memanalysis.capture import notebook_cells as cells
from memanalysis.capture import wrapper_frames as paths
from memanalysis.capture.notebook_cells import register_cell
from memanalysis.capture.sites import (
    build_site_table,
    find_own_groups,
    hash_site,
    make_rows,
    read_site_table,
)
from memanalysis.capture.snapshot import snapshot_sites
from memanalysis.capture.wrapper_frames import PACKAGE_FOLDER, make_portable, register_wrapper_frame
from memanalysis.errors import CaptureError

ROOT = Path(__file__).parents[2]
OURS = PACKAGE_FOLDER + "capture/sites.py"
EXAMPLE = PACKAGE_FOLDER + "examples/leaky_service.py"


class Registry:
    def __init__(self):
        self.held = []

    def remember(self):
        self.held.append(bytes(1_000_000))


def line_of(text):
    return next(number for number, line in enumerate(Path(__file__).read_text().splitlines(), 1) if text in line)


@pytest.fixture
def tracing():
    tracemalloc.start(25)
    yield
    tracemalloc.stop()


def test_the_biggest_site_comes_first_with_its_line_function_and_size(tracing):
    registry = Registry()
    for _ in range(3):
        registry.remember()

    row = snapshot_sites(top=1)[0]

    assert row["file"] == __file__
    assert row["line"] == line_of("bytes(1_000" + "_000)")
    assert row["function"] == "Registry.remember"
    assert row["size_bytes"] == pytest.approx(3_000_000, abs=1000)
    assert row["live_allocations"] >= 3
    assert row["traceback"][-1] == [row["file"], row["line"], row["function"]]  # most recent call last
    caller = test_the_biggest_site_comes_first_with_its_line_function_and_size.__name__
    assert [__file__, line_of("registry.remember" + "()"), caller] in row["traceback"]


@pytest.mark.slow
def test_rows_and_what_is_ours_add_up_to_the_standard_librarys_total(tracing):
    registry = Registry()
    registry.remember()
    traces = _get_traces()

    table = build_site_table(traces)

    statistics = tracemalloc.Snapshot(traces, 25).statistics("traceback")
    rows = make_rows(table.pick())
    assert sum(row["size_bytes"] for row in rows) + table.own_bytes == sum(stat.size for stat in statistics)
    assert sum(row["live_allocations"] for row in rows) + table.own_blocks == sum(stat.count for stat in statistics)


@pytest.mark.slow
def test_each_row_is_one_traceback_of_the_standard_library(tracing):
    kept = [Registry() for _ in range(20)]
    traces = _get_traces()

    rows = make_rows(build_site_table(traces).groups)

    statistics = {
        tuple((frame.filename, frame.lineno) for frame in stat.traceback): (stat.size, stat.count)
        for stat in tracemalloc.Snapshot(traces, 25).statistics("traceback")
    }
    for row in rows:
        key = tuple((file, line) for file, line, *_ in row["traceback"])
        assert statistics[key] == (row["size_bytes"], row["live_allocations"])
    assert len(kept) == 20


def test_top_limits_the_rows(tracing):
    kept = [bytes(900), bytes(901), {}, []]

    assert len(snapshot_sites(top=2)) == 2
    assert snapshot_sites(top=0) == []
    assert len(kept) == 4


def test_half_of_the_rows_go_to_the_sites_that_grew_most():
    """Forty static sites of a megabyte, and one of a kilobyte that grows: it is picked, at the end."""
    static = [(0, 2**20 + number, ((f"static{number}.py", 1),), 1) for number in range(40)]
    before = build_site_table([*static, (0, 1024, (("growing.py", 1),), 1)])
    after = build_site_table([*static, (0, 4096, (("growing.py", 1),), 1)])

    picked = after.pick(4, first_sizes=before.read_sizes(100))

    assert [frames[0][0] for frames, _, _ in picked] == ["static39.py", "static38.py", "static37.py", "growing.py"]
    assert "growing.py" not in [frames[0][0] for frames, _, _ in after.pick(4)]


def test_without_tracing_the_error_says_what_to_do():
    with pytest.raises(
        CaptureError, match=r"^A snapshot of allocation sites needs tracemalloc tracing, but it is off\."
    ):
        snapshot_sites()


def test_memory_of_the_tool_itself_makes_no_row(tracing):
    tables = [read_site_table() for _ in range(3)]

    table = read_site_table()

    assert table.own_bytes > 0
    assert not [frames for frames, _, _ in table.groups if frames[0][0].startswith(PACKAGE_FOLDER)]
    assert len(tables) == 3


@pytest.mark.parametrize(
    ("frames", "is_own"),
    [
        ([(OURS, 3), ("app.py", 1)], True),
        ([("json/encoder.py", 9), (OURS, 3), ("threading.py", 1)], True),  # a library at work for us
        ([("app.py", 5), ("threading.py", 1)], False),
        ([(tracemalloc.__file__, 5), ("app.py", 1)], True),
        ([(EXAMPLE, 5)], False),
    ],
)
def test_a_block_is_ours_when_our_code_asked_for_it(frames, is_own):
    assert find_own_groups([(tuple(frames), 1, 1)]) == [is_own]


def test_what_is_allocated_beyond_a_wrapper_frame_is_the_programs(monkeypatch):
    wrapper = PACKAGE_FOLDER + "wrapper_of_this_test.py"
    monkeypatch.setattr(paths, "_wrapper_frames", set())
    register_wrapper_frame(wrapper)

    groups = [((("app.py", 5), (wrapper, 3), ("app.py", 1)), 1, 1), (((wrapper, 3), ("app.py", 1)), 1, 1)]

    assert find_own_groups(groups) == [False, True]


def test_the_program_is_the_program_whoever_of_ours_called_the_wrapper_frame(monkeypatch):
    """`python -m memanalysis.…` has frames of memanalysis below those of the call that is tested."""
    wrapper = PACKAGE_FOLDER + "wrapper_of_this_test.py"
    monkeypatch.setattr(paths, "_wrapper_frames", set())
    register_wrapper_frame(wrapper)

    groups = [
        ((("app.py", 5), (wrapper, 3), (OURS, 1)), 1, 1),
        ((("app.py", 5), (OURS, 7), (wrapper, 3), (OURS, 1)), 1, 1),
    ]

    assert find_own_groups(groups) == [False, True]


def test_cells_are_named_as_people_know_them(monkeypatch):
    monkeypatch.setattr(cells, "_names", {})
    register_cell("/run/ipykernel_77/123.py", "In[3]")

    row = make_rows(build_site_table([(0, 10, (("/run/ipykernel_77/123.py", 2), ("app.py", 1)), 2)]).groups)[0]

    assert (row["file"], row["line"]) == ("In[3]", 2)
    assert row["traceback"] == [["app.py", 1], ["In[3]", 2]]


def test_file_names_lose_the_folder_of_the_install():
    assert make_portable("/opt/a/venv/lib/python3.12/site-packages/pandas/core/frame.py") == "pandas/core/frame.py"
    assert make_portable("/usr/lib/python3/dist-packages/six.py") == "six.py"
    assert make_portable(json.decoder.__file__) == "json/decoder.py"
    assert make_portable("<frozen importlib._bootstrap>") == "<frozen importlib._bootstrap>"
    assert make_portable("/run/ipykernel_4711/3847563.py") == "ipykernel/3847563.py"
    assert make_portable("/nowhere/that/is/on/the/path.py") == "/nowhere/that/is/on/the/path.py"


def test_lines_and_order_of_calls_make_different_sites():
    ids = {
        hash_site(frames)
        for frames in (
            (("a.py", 1),),
            (("a.py", 2),),
            (("b.py", 1),),
            (("a.py", 1), ("b.py", 1)),
            (("b.py", 1), ("a.py", 1)),
        )
    }

    assert len(ids) == 5
    assert all(len(site_id) == 16 for site_id in ids)


PROGRAM = """\
import json, tracemalloc
from memanalysis.capture import snapshot_sites
tracemalloc.start(25)
import used
kept = [used.make() for _ in range(50)]
print(json.dumps([[row["site_id"], row["line"]] for row in snapshot_sites(top=2)]))
"""


@pytest.mark.slow
def test_sites_have_the_same_identity_in_every_run_and_folder(tmp_path):
    """The same program from two folders and two working folders, each in a process of its own."""
    answers = []
    for name in ("one", "two/deeper"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(PROGRAM)
        (folder / "used.py").write_text("def make():\n    return bytearray(5000)\n")
        for working_folder in (folder, tmp_path):
            shutil.rmtree(folder / "__pycache__", ignore_errors=True)
            done = subprocess.run(
                [sys.executable, str(folder / "app.py")],
                capture_output=True, text=True, check=True, cwd=working_folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(len(answers))},
            )  # fmt: skip
            answers.append(json.loads(done.stdout))

    assert answers[0][0][1] == 2
    assert all(answer[0] == answers[0][0] for answer in answers)


def test_cells_of_a_plain_ipython_are_called_by_their_number_without_the_magic():
    """In a process of its own: the shell is one a process. The second cell leaks 100 blocks of 5,000 bytes."""
    program = """
import tracemalloc
from IPython.core.interactiveshell import InteractiveShell
from memanalysis.capture import snapshot_sites
shell = InteractiveShell.instance()
tracemalloc.start(3)
shell.run_cell("kept = []", store_history=True)
shell.run_cell("for i in range(100):\\n    kept.append(bytearray(5000))", store_history=True)
row = snapshot_sites(top=1)[0]
print(row["file"], row["line"], row["traceback"][-1][:2])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip

    assert done.stdout == "In[2] 2 ['In[2]', 2]\n", done.stdout + done.stderr
