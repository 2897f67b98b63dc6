"""The report on a notebook's session comes from another process: this one loads nothing for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis import open_ledger
from memanalysis._tables import Column, Table
from memanalysis.errors import LedgerError
from memanalysis.notebook.child_report import read_report_of

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys, time
import memanalysis
from memanalysis._tables import Column, Table
from memanalysis.notebook.child_report import read_report_of
from memanalysis.notebook.session_show import SessionReport

with memanalysis.watch("earlier", ledger=sys.argv[1], interval=0.01, seal=False):
    pass
with memanalysis.watch("session", ledger=sys.argv[1], interval=0.01, seal=False) as recorder:
    cells = Table([Column("cell", "code"), Column("run", "number")], [["<b>In[1]\\udc80", "1"]])
    run_id = recorder.status().run_id
    shown = SessionReport([], read_report_of(sys.argv[1], run_id=run_id, headline="1 <watched> cell.", cells=cells))
loaded = sorted({"jinja2", "pandas", "matplotlib"} & set(sys.modules))
print(json.dumps({"html": shown._repr_html_(), "text": repr(shown), "loaded": loaded}))
"""


def test_cells_and_report_are_rendered_elsewhere_and_hostile_names_are_escaped(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "ledger")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)

    assert shown["loaded"] == []
    assert "1 &lt;watched&gt; cell." in shown["html"]
    assert "&lt;b&gt;In[1]\\udc80" in shown["html"]
    assert "Watched for " in shown["html"]
    assert "resident memory" in shown["html"]
    assert "/h" not in shown["text"]
    assert "earlier" not in shown["html"]
    assert shown["text"].splitlines()[0] == "1 <watched> cell."


def test_a_session_that_lasted_has_its_verdict_below_the_cells(tmp_path: Path) -> None:
    """A sample ledger of some minutes."""
    ledger = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"
    run_id = open_ledger(ledger).samples["run_id"].iloc[0]
    cells = Table([Column("cell", "code")], [["In[1]"]])

    shown = read_report_of(ledger, run_id=run_id, headline="1 watched cell.", cells=cells)

    assert shown.html.index("1 watched cell.") < shown.html.index("Memory of ")
    assert "Watched for " not in shown.html


def test_a_ledger_that_cannot_be_read_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^[^\n]*nothing[^\n]*$"):
        read_report_of(tmp_path / "nothing", run_id="x", headline="", cells=Table([Column("cell")], []))


def test_html_that_would_load_jinja_into_a_traced_kernel_is_left_to_the_text() -> None:
    program = (
        "import sys, tracemalloc; from memanalysis.notebook.plot import is_ready_for_html, load_drawing\n"
        "tracemalloc.start(); load_drawing(); print(is_ready_for_html(), 'jinja2' in sys.modules)\n"
        "tracemalloc.stop(); load_drawing(); print('jinja2' in sys.modules)\n"
        "tracemalloc.start(); print(is_ready_for_html()); tracemalloc.stop()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False", "True", "True"]
