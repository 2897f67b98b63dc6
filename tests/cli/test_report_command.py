import errno
import json
import os
from pathlib import Path

import pytest

from memanalysis.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def test_html_goes_to_a_file_and_says_where(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(recorded)]) == 0

    assert capsys.readouterr().out == (
        "1 of 4 services leaks: leaking_registry grows by 1.76 GiB/h, at registry.py:42.\n"
        "1 cannot be judged yet: more samples are needed.\n"
        "Report: report.html\n"
    )
    assert Path("report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_another_file_and_standard_output(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(recorded), "-o", "r.md", "--format", "markdown"]) == 0
    assert Path("r.md").read_text(encoding="utf-8").startswith("# Memory of 4 services\n")
    capsys.readouterr()

    assert main(["report", str(recorded), "-o", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
    assert main(["report", str(recorded), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_services"] == 4
    assert not Path("report.html").exists()


@pytest.mark.parametrize(
    ("command", "name", "begin"),
    [
        ("report", "r.md", "# Memory of"),
        ("report", "r.json", "{"),
        ("report", "r.page", "<!DOCTYPE html>"),
        ("trend", "t.html", "<!DOCTYPE html>"),
        ("trend", "t.MD", "# "),
    ],
)
def test_the_ending_of_the_file_chooses_the_format(recorded: Path, command: str, name: str, begin: str) -> None:
    assert main([command, str(recorded), "-o", name]) == 0
    assert Path(name).read_text(encoding="utf-8").startswith(begin)


def test_a_format_that_is_named_counts_before_the_ending(recorded: Path) -> None:
    assert main(["report", str(recorded), "-o", "r.json", "--format", "markdown"]) == 0
    assert Path("r.json").read_text(encoding="utf-8").startswith("# Memory of")


def test_a_file_that_cannot_be_written_is_an_error(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(recorded), "-o", "no/such/folder.html"]) == 2
    assert capsys.readouterr().err == (
        "memanalysis: error: Report.to_html needs a path that it can write, but no/such/folder.html cannot be written: "
        f"{os.strerror(errno.ENOENT)}. Pass another path.\n"
    )


def test_a_broken_policy_is_an_error_that_names_file_line_and_key(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("policy.yaml").write_text("memory_budgets:\n  global:\n    max_memory_mb: -5\n")

    assert main(["report", str(recorded), "--policy", "policy.yaml"]) == 2
    assert capsys.readouterr().err.startswith(
        "memanalysis: error: policy.yaml:3: memory_budgets.global.max_memory_mb: "
    )
