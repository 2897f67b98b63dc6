"""`memanalysis compare` shows what became worse, for people and programs, and exits with 1 where something did."""

import json
from pathlib import Path

import pytest

from memanalysis.cli import EXIT_ERROR, main
from memanalysis.cli.compare_command import EXIT_WORSE
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    """The leaking service of the other ledger before it leaked, with a mark, and one that the other does not have."""
    path = tmp_path / "healthy"
    for service in ("leaking_registry", "elsewhere"):
        writer = LedgerWriter(path, run={"run_id": service, "service": service, "started": 0.0}, flush="manual")
        rows = [
            {"seq": at, "timestamp": at, "elapsed_s": at, "rss_bytes": 40 * MIB + at % 7 * 1000} for at in range(60)
        ]
        writer.append("samples", rows)
        writer.append("events", [{"timestamp": 30.0, "kind": "mark", "message": "deploy 2"}])
        writer.close(ended=60.0)
    return path


@pytest.mark.slow
def test_what_became_worse_is_shown_with_its_line_and_the_code_is_1(
    healthy: Path, recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["compare", str(healthy), str(recorded)]) == EXIT_WORSE
    text = capsys.readouterr().out

    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("worse: leaking_registry: Holds ")
    assert "Grows faster than before: by +1.8 GiB/h" in " ".join(text.split())
    assert "not compared: " in text
    assert text.splitlines()[-1] == "Of 1 service: 1 worse."


def test_a_ledger_and_itself_differ_by_nothing(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(recorded), str(recorded)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing changed in 3 services: what differs may be noise."


def test_json_has_a_row_a_figure_and_who_was_not_compared(
    healthy: Path, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(healthy), str(recorded), "--json"]) == EXIT_WORSE
    document = json.loads(capsys.readouterr().out)

    assert [service["verdict"] for service in document["services"]] == ["worse"]
    assert {row["what"] for row in document["changes"]} >= {"level_bytes", "slope_bytes_per_s"}
    assert "elsewhere" in document["not_compared"]


def test_a_page_is_written_with_what_became_worse_and_its_name_printed(
    healthy: Path, recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out.html"
    arguments = ["compare", str(healthy), str(recorded), "--format", "html", "-o", str(page)]

    assert main(arguments) == EXIT_WORSE
    assert capsys.readouterr().out.splitlines() == ["Of 1 service: 1 worse.", f"Comparison: {page}"]
    assert "leaking_registry" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("form", "start"), [("markdown", "**Nothing changed in 2 services"), ("csv", "service,what,")])
def test_a_mark_cuts_one_ledger(healthy: Path, capsys: pytest.CaptureFixture[str], form: str, start: str) -> None:
    assert main(["compare", str(healthy), "--mark", "deploy 2", "--format", form]) == 0
    assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "compare needs a second ledger, --mark, --release or --since-release beside"),
        (["--since-release", "1.4"], "needs runs of the release '1.4'"),
        (["--mark", "deploy 3"], "but it has ['deploy 2']"),
        (["--release", "1.3", "1.4"], "needs runs of the release '1.3'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    healthy: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert main(["compare", str(healthy), *arguments]) == EXIT_ERROR
    assert text in capsys.readouterr().err


def test_ledgers_without_a_service_to_compare_are_an_error_that_names_the_cure(
    healthy: Path, recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`young` has three samples, which is no evidence on either side."""
    short = tmp_path / "short"
    writer = LedgerWriter(short, run={"run_id": "a", "service": "young", "started": 0.0}, flush="manual")
    writer.append("samples", [{"seq": at, "timestamp": at, "elapsed_s": at, "rss_bytes": MIB} for at in range(3)])
    writer.close(ended=3.0)

    assert main(["compare", str(healthy), str(short), "--json"]) == EXIT_ERROR
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "the first holds elsewhere, leaking_registry, the second young. Record both under one name" in shown.err

    assert main(["compare", str(short), str(recorded)]) == EXIT_ERROR
    assert "but young has too few. Record each side for longer" in capsys.readouterr().err
