"""The shipped notebook in a real JupyterLab in a real browser: its card and a dashboard, without complaints."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from alert_servers import find_free_port
from browser import HOW, find_chromium
from devtools import DEADLINE_S, open_page
from processes import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason=HOW),
    pytest.mark.skipif(find_spec("jupyterlab") is None, reason="needs jupyterlab, which .ci/run installs"),
]

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "notebooks" / "01_memwatch.ipynb"
FIRST_CELLS = 5
"""Up to the first measured cell."""

TOKEN = "only-for-this-test"  # noqa: S105 - of a server on 127.0.0.1 that ends with the test
SETTINGS = {
    "IdentityProvider": {"token": TOKEN},
    "LabApp": {"expose_app_in_browser": True, "news_url": None},
    "ServerApp": {"open_browser": False, "allow_root": True, "ip": "127.0.0.1", "port_retries": 0},
}


NOTEBOOK = "[...jupyterapp.shell.widgets('main')].find(each => each.context?.path === 'shown.ipynb')"
OUTPUTS = "[...document.querySelectorAll('.jp-OutputArea-output')].map(each => each.innerText).join(' ')"


def copy_notebook(folder: Path) -> None:
    """Copy the beginning of the shipped notebook without its outputs, and a cell that shows the dashboard."""
    notebook = nbformat.read(SHIPPED, as_version=4)
    notebook.cells = [*notebook.cells[:FIRST_CELLS], nbformat.v4.new_code_cell("%memwatch dashboard")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / "shown.ipynb")


def start_lab(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start JupyterLab in a folder, with the settings of nobody."""
    (folder / "jupyter_server_config.json").write_text(json.dumps(SETTINGS))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "JUPYTER_CONFIG_DIR": str(folder)}
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def wait_for_server(port: int, lab: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + DEADLINE_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=DEADLINE_S).close()
        except OSError:
            assert lab.poll() is None, "JupyterLab has ended"
            assert time.monotonic() < until, "JupyterLab does not listen"
            time.sleep(0.1)
        else:
            return


def test_the_card_and_the_dashboard_are_shown_and_nothing_complains(tmp_path: Path) -> None:
    port = find_free_port()
    copy_notebook(tmp_path)
    with running(start_lab(tmp_path, port)) as lab, open_page(tmp_path) as page:
        wait_for_server(port, lab)
        page.go(f"http://127.0.0.1:{port}/lab/tree/shown.ipynb?token={TOKEN}")
        page.wait_for(f"window.jupyterapp && {NOTEBOOK}?.context.sessionContext.session?.kernel?.status === 'idle'")
        page.run(f"jupyterapp.shell.activateById({NOTEBOOK}.id)")
        page.wait_for(f"jupyterapp.shell.currentWidget === {NOTEBOOK}")
        before = len(page.complaints)
        page.run("jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for(f"{OUTPUTS}.includes('Watching shown.')")
        shown = page.run(OUTPUTS)
        complaints = page.complaints[before:]
        lab.terminate()
        lab.wait(DEADLINE_S)

    assert "anomalies = (readings" in shown
    assert "Watching shown." in shown
    assert complaints == []
