"""Whose line an allocation is."""

import json
import sysconfig
from pathlib import Path
from typing import Any

import IPython
import pytest

from memanalysis.notebook.lines import DEEP_LIBRARIES, Place, find_place, kind_of_file, sum_lines

LIBRARY = json.decoder.__file__
SITE_PACKAGE = str(Path(sysconfig.get_paths()["purelib"]) / "numpy" / "core.py")
TOOL = str(Path(IPython.__file__).parent / "core" / "displayhook.py")
USER = str(Path("project", "model.py").absolute())


def row(size: int, *frames: tuple[str, int], count: int = 1) -> dict[str, Any]:
    return {"traceback": [list(frame) for frame in frames], "size_bytes": size, "live_allocations": count}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("In[3]", "cell"),
        (USER, "user"),
        ("<string>", "user"),
        ("<magic-timeit>", "user"),
        ("<frozen importlib._bootstrap>", "library"),
        (LIBRARY, "library"),
        (SITE_PACKAGE, "library"),
        (TOOL, "tool"),
    ],
)
def test_each_kind_of_file_is_known(file: str, kind: str) -> None:
    assert kind_of_file(file) == kind


@pytest.mark.parametrize(
    ("traceback", "place"),
    [
        ([(TOOL, 1), ("In[3]", 2)], Place("In[3]", 2)),
        ([(TOOL, 1), ("In[3]", 2), (LIBRARY, 353)], Place("In[3]", 2, via="json/decoder.py:353")),
        ([("In[5]", 1), ("In[3]", 7)], Place("In[3]", 7)),
        ([("In[3]", 2), (USER, 30)], Place("In[3]", 2, via="model.py:30")),
        ([(USER, 12), (LIBRARY, 353)], Place(USER, 12, via="json/decoder.py:353")),
        ([("In[3]", 2), (TOOL, 8)], None),
        ([("In[3]", 2), (TOOL, 8), (LIBRARY, 353)], None),
        ([("In[3]", 1), (TOOL, 8), (USER, 5)], Place("In[3]", 1, via="model.py:5")),
        ([(LIBRARY, 1), (LIBRARY, 353)], Place(DEEP_LIBRARIES, 0, via="json/decoder.py:353")),
        ([], None),
    ],
    ids=[
        "in the cell itself",
        "in a library that the cell called",
        "in the cell that defined the function, not in the one that called it",
        "in a module of the user that the cell called",
        "in a library that a module called, without a cell",
        "by a tool that the cell called, such as display",
        "in a library that a tool called",
        "in a module that a tool ran, such as %run",
        "so deep in libraries that the caller is not known",
        "without a traceback",
    ],
)
def test_an_allocation_belongs_to(traceback: list[tuple[str, int]], place: Place | None) -> None:
    assert find_place(traceback) == place


def test_lines_are_the_difference_of_two_tables_the_most_bytes_first() -> None:
    """Line 2 grew by 30 in two sites, line 3 let go of 5, line 4 is as before, and the tool's is left out."""
    before = [row(10, ("In[1]", 2)), row(5, ("In[1]", 3)), row(7, ("In[1]", 4))]
    after = [
        row(15, ("In[1]", 2), count=2),
        row(25, ("In[1]", 2), (LIBRARY, 1), count=3),
        row(7, ("In[1]", 4)),
        row(99, (TOOL, 1)),
    ]

    lines = sum_lines(before, after)

    assert [(line.place.line, line.size_bytes, line.live_allocations) for line in lines] == [(2, 30, 4), (3, -5, -1)]
    assert lines[0].place.via == "json/decoder.py:1"  # the larger of its two sites
