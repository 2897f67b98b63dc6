"""The shipped notebook in JupyterLab and Notebook 7 in a real browser: its card and a dashboard, without complaints."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from alert_servers import find_free_port
from browser import HOW, find_chromium
from devtools import DEADLINE_S, Page, open_page
from processes import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason=HOW),
]

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "notebooks" / "01_memwatch.ipynb"
FIRST_CELLS = 5
"""Up to the first measured cell."""

PHONE_PX = 380
MIN_CONTRAST = 4.5
"""Of a text to what is behind it, as WCAG 2 asks for."""

TOKEN = "only-for-this-test"  # noqa: S105 - of a server on 127.0.0.1 that ends with the test
SETTINGS = {
    "IdentityProvider": {"token": TOKEN},
    "LabApp": {"news_url": None},
    "ServerApp": {"open_browser": False, "allow_root": True, "ip": "127.0.0.1", "port_retries": 0},
}
ADDRESSES = {"jupyterlab": "lab/tree/shown.ipynb", "notebook": "notebooks/shown.ipynb"}
"""Of the notebook, for each application: the name of its module, too."""

NOTEBOOK = "[...jupyterapp.shell.widgets('main')].find(each => each.context?.path === 'shown.ipynb')"
OUTPUTS = "[...document.querySelectorAll('.jp-OutputArea-output')].map(each => each.innerText).join(' ')"
CHART = "[...document.querySelectorAll('.jp-OutputArea-output svg[font-size]')].at(-1)?.outerHTML"
OVERFLOW = """
[...document.querySelectorAll('.memwatch-cell *, .jp-OutputArea-output')]
    .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
        || each.scrollWidth > each.clientWidth + 1 && each.matches('.jp-OutputArea-output'))
    .map(each => each.outerHTML.slice(0, 200))
"""
"""What is wider than the window."""

CONTRAST = """
(() => {
    const light = color => {
        const parts = color.match(/[0-9.]+/g).slice(0, 3).map(each => each / 255)
            .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
    const behind = node => {
        const color = getComputedStyle(node).backgroundColor
        return /, 0\\)$/.test(color) || color === 'transparent' ? behind(node.parentElement) : color
    }
    return Math.min(...[...document.querySelectorAll('.memwatch-cell div')].map(each => {
        const both = [light(getComputedStyle(each).color), light(behind(each))].sort((a, b) => b - a)
        return (both[0] + 0.05) / (both[1] + 0.05)
    }))
})()
"""
"""The least of a text on the card."""

THREADS = f"""
new Promise(done => {{
    const code = "import threading; print(sorted(each.name for each in threading.enumerate()))"
    const future = {NOTEBOOK}.context.sessionContext.session.kernel.requestExecute({{code}})
    future.onIOPub = message => message.header.msg_type === 'stream' && done(message.content.text)
}})
"""
"""The names of the kernel's threads."""

SHOW_LAST = f"{NOTEBOOK}.content.scrollToItem({FIRST_CELLS}, 'start')"


def copy_notebook(folder: Path) -> None:
    """Copy the beginning of the shipped notebook without its outputs, and a cell that shows the dashboard."""
    notebook = nbformat.read(SHIPPED, as_version=4)
    notebook.cells = [*notebook.cells[:FIRST_CELLS], nbformat.v4.new_code_cell("%memwatch dashboard")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / "shown.ipynb")


def start_server(application: str, folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start an application in a folder, with the settings of nobody."""
    (folder / "jupyter_server_config.json").write_text(json.dumps(SETTINGS))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "JUPYTER_CONFIG_DIR": str(folder)}
    options = ["--expose-app-in-browser", f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", application, *options]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def wait_for_server(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + DEADLINE_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=DEADLINE_S).close()
        except OSError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.1)
        else:
            return


@contextmanager
def open_notebook(application: str, folder: Path) -> Iterator[Page]:
    """The notebook in front of somebody, with its kernel ready."""
    port = find_free_port()
    copy_notebook(folder)
    with running(start_server(application, folder, port)) as server, open_page(folder) as page:
        wait_for_server(port, server)
        page.go(f"http://127.0.0.1:{port}/{ADDRESSES[application]}?token={TOKEN}")
        page.wait_for(f"window.jupyterapp && {NOTEBOOK}?.context.sessionContext.session?.kernel?.status === 'idle'")
        page.run(f"jupyterapp.shell.activateById({NOTEBOOK}.id)")
        page.wait_for(f"jupyterapp.shell.currentWidget === {NOTEBOOK}")
        page.wait_for("jupyterapp.commands.isEnabled('notebook:run-all-cells')")
        yield page
        server.terminate()
        server.wait(DEADLINE_S)


@pytest.mark.parametrize("application", ADDRESSES)
def test_the_card_and_the_dashboard_are_shown_and_nothing_complains(application: str, tmp_path: Path) -> None:
    if find_spec(application) is None:
        pytest.skip(f"needs {application}, which .ci/run installs")
    with open_notebook(application, tmp_path) as page:
        before = len(page.complaints)
        page.run("jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for(f"{OUTPUTS}.includes('Watching shown.')")
        shown = page.run(OUTPUTS)
        first = page.wait_for(CHART)
        page.wait_for(f"{CHART} !== {json.dumps(first)}")  # the dashboard moves
        threads = page.run(THREADS)
        page.run("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        page.wait_for("document.body.dataset.jpThemeLight === 'false'")
        contrast = page.run(CONTRAST)
        page.take_picture(tmp_path / "dark.png")
        if application == "jupyterlab":
            page.run("jupyterapp.commands.execute('application:toggle-left-area')")
        page.emulate(width_px=PHONE_PX)
        page.run(SHOW_LAST)
        page.wait_for(f"{CHART}.includes('0 0 400 ')")
        overflow = page.run(OVERFLOW)
        page.take_picture(tmp_path / "phone.png")
        page.run(f"{NOTEBOOK}.content.activeCellIndex = {FIRST_CELLS}")
        page.run("jupyterapp.commands.execute('notebook:delete-cell')")
        page.wait_for(f"{THREADS}.then(names => !names.includes('memwatch-dashboard'))")
        complaints = page.complaints[before:]

    assert "anomalies = (readings" in shown
    assert "memwatch-dashboard" in threads
    assert contrast >= MIN_CONTRAST
    assert overflow == []
    assert complaints == []
