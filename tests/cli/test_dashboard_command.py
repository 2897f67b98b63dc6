"""``memanalysis dashboard``: what is served, to whom, and the error where Voilà is absent."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from processes import running

from memanalysis import cli
from memanalysis.cli.dashboard_command import make_notebook

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "sample_ledgers"


def test_without_voila_one_line_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "voila", None)  # as where it is not installed

    assert cli.main(["dashboard", str(SAMPLES / "leaking_service")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("memanalysis: error: memanalysis dashboard needs voila, which is not installed.")
    assert "pip install 'memanalysis[voila]'" in error
    assert len(error.splitlines()) == 1


def test_the_notebook_shows_the_explorer_of_the_ledger_and_quotes_its_path() -> None:
    made = json.loads(make_notebook("/it's/here", "p.yaml"))
    source = made["cells"][0]["source"]

    assert source == "import memanalysis\nmemanalysis.explore(\"/it's/here\", policy='p.yaml')"
    compile(source, "cell", "exec")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("voila") is None, reason="needs voila")
def test_it_serves_those_who_have_the_token_and_leaves_nothing_when_it_is_ended(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "memanalysis", "dashboard", str(SAMPLES / "leaking_service")]
    with running(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=tmp_path)) as process:
        assert process.stdout is not None
        address = re.findall(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())[0]
        with urllib.request.urlopen(address.partition("?")[0], timeout=60) as answer:  # noqa: S310 - our own server
            assert "/login" in answer.url
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own server
            assert "/login" not in answer.url
        (server, *_) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        assert not server.is_running()
    assert list(tmp_path.iterdir()) == []
