"""The user's own frame is found behind libraries, and is left out where it adds nothing."""

import json.decoder
import sysconfig
import tracemalloc
from pathlib import Path

import pytest

from memanalysis.capture.sites import describe_place, make_rows, read_site_table
from memanalysis.capture.user_frames import find_user_frame, is_library_file

STDLIB = sysconfig.get_paths()["stdlib"]
JSON = f"{STDLIB}/json/decoder.py"
PACKAGE = "/srv/venv/lib/python3.12/site-packages/httpx/_client.py"


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        (((JSON, 353), ("/srv/app/views.py", 12)), ("/srv/app/views.py", 12)),
        (((PACKAGE, 212), (JSON, 3), ("/srv/app/views.py", 12), ("/srv/app/main.py", 1)), ("/srv/app/views.py", 12)),
        ((("/srv/app/views.py", 12), (JSON, 353)), None),
        (((JSON, 353), ("<frozen runpy>", 88)), None),
        (((JSON, 353), ("<string>", 2)), ("<string>", 2)),
    ],
)
def test_the_innermost_frame_of_the_users_code_is_found_behind_a_library(frames, found):
    assert find_user_frame(frames) == found


def test_files_of_this_package_are_no_code_of_the_user():
    assert is_library_file(str(Path(json.decoder.__file__)))
    assert is_library_file(find_user_frame.__code__.co_filename)
    assert not is_library_file(__file__)


def test_what_json_allocates_is_given_to_the_line_that_called_it():
    text = json.dumps([{"name": f"session {number}"} for number in range(2_000)])
    tracemalloc.start(10)
    try:
        kept = json.loads(text)
        groups = read_site_table().groups
    finally:
        tracemalloc.stop()
    here = test_what_json_allocates_is_given_to_the_line_that_called_it
    row = make_rows(groups[:1])[0]

    assert len(kept) == 2_000
    assert row["file"].endswith(("json/decoder.py", "json/scanner.py"))
    assert row["user_file"] == __file__
    assert row["user_line"] == here.__code__.co_firstlineno + 4
    assert describe_place(row) == f"{__file__}:{row['user_line']} in {here.__name__}"
