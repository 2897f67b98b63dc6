"""A report for others has names of files alone, in whatever an event carries, and no code."""

import json

import pandas as pd
import pytest

from memanalysis.reports.hidden_source import hide_in_tables, hide_message
from memanalysis.verdicts.run_ends import Cause, RunEnd


def hide(message, data, *, files=()):
    """Return message and data of one event, as a report for others has them."""
    columns = {"file": list(files), "user_file": list(files), "traceback": [None] * len(files)}
    sites = pd.DataFrame(columns, dtype=object)
    events = pd.DataFrame({"message": [message], "data": [data]}, dtype=object)
    hidden = hide_in_tables({"sites": sites, "events": events})["events"].iloc[0]
    return hidden["message"], hidden["data"]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("/srv/x/t/leak.py:4 in keep", "leak.py:4 in keep"),
        ("C:\\Users\\ann\\leak.py:4 in keep", "leak.py:4 in keep"),
        ("leak.py:4 in keep", "leak.py:4 in keep"),
        ("grows by 2.8 MiB/h and/or more", "grows by 2.8 MiB/h and/or more"),
        ("s3://bucket/ledger", "s3://bucket/ledger"),
    ],
)
def test_the_data_of_an_event_names_files_without_folders(place, shown):
    data = {"site_id": "a1", "place": place, "more": [{"verdict": {"place": place}}], "count": 3, "known": None}

    assert hide(place, data) == (
        shown,
        {"site_id": "a1", "place": shown, "more": [{"verdict": {"place": shown}}], "count": 3, "known": None},
    )


def test_a_folder_with_blanks_is_cut_where_a_table_has_the_file():
    place = "/home/ann/my work/leak.py"

    shown = hide(f"{place}:4 grows", {"place": f"{place}:4"}, files=[place])

    assert shown == ("leak.py:4 grows", {"place": "leak.py:4"})


def test_code_of_a_cell_is_left_out_at_any_depth():
    _, data = hide("In[4] begins.", {"source": "secret()", "earlier": {"text": "secret()", "line": 3}})

    assert data == {"earlier": {"line": 3}}


def test_the_text_of_an_exception_is_left_out():
    error = {"type": "ValueError", "message": "in /srv/x/leak.py: `secret()`", "file": "/srv/x/leak.py", "line": 4}
    end = RunEnd(run={}, ending={"how": "exception", "exception": error}, cause=Cause.EXCEPTION)

    hidden = hide_message(end)

    assert "secret" not in json.dumps(hidden.ending)
    assert hidden.ending["exception"] == {"type": "ValueError", "file": "/srv/x/leak.py", "line": 4}
    assert end.ending["exception"] == error
