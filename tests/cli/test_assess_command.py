import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pseudo_terminal import remove_escapes, run_in_terminal
from rich.cells import cell_len

from memanalysis._text import make_printable
from memanalysis.analysis.verdict import VERDICT_COLUMNS
from memanalysis.cli import EXIT_ERROR, main
from memanalysis.cli.assess_command import render_csv
from memanalysis.cli.check_command import EXIT_FOUND
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB

START = 1_750_000_000.0
"""2025-06-15 15:06:40 UTC."""

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_table_fits_80_columns_and_the_worst_comes_first(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assess", str(recorded)]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert [line for line in lines if len(line) > 80] == []
    assert lines[0].split() == ["service", "leak,", "growth", "time", "to"]
    assert lines[1].split() == ["responsible", "line", "shape", "severity", "per", "hour", "budget"]
    assert lines[3].split()[:3] == ["leaking_registry", "growing", "yes"]
    assert lines[4].split()[:2] == ["app/registry.py:42", "high"]


def test_a_sentence_a_service_follows_the_table(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["assess", str(recorded)])
    text = " ".join(capsys.readouterr().out.split())

    assert "leaking_registry: A leak: grows by " in text
    assert "of the traced growth comes from app/registry.py:42 in remember." in text
    assert "young: Too early to judge: needs 2 more samples: 3 of at least 5 are there." in text


def test_a_hostile_name_does_nothing_to_the_terminal(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "json", "markdown"):
        main(["assess", str(recorded), "--format", form])
        assert "\x1b" not in capsys.readouterr().out


def test_a_narrow_terminal_gets_the_verdicts_stacked(
    recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    main(["assess", str(recorded)])
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "service           leaking_registry"
    assert [line for line in lines if len(line) > 50] == []


def test_a_policy_gives_the_time_to_the_budget(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("memory_budgets: {global: {max_memory_mb: 100}}")
    main(["assess", str(recorded), "--policy", str(policy)])
    with_policy = capsys.readouterr().out
    main(["assess", str(recorded)])

    assert "no budget" not in with_policy
    assert "about 1.0 min" in " ".join(with_policy.split())
    assert "no budget" in capsys.readouterr().out


def test_json_and_csv_have_the_columns_of_the_frame(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["assess", str(recorded), "--format", "json"])
    rows = json.loads(capsys.readouterr().out)
    main(["assess", str(recorded), "--format", "csv"])
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    assert [list(row) for row in rows] == [list(VERDICT_COLUMNS)] * 4
    assert [row["service"] for row in table] == [make_printable(row["service"]) for row in rows]
    assert list(table[0]) == list(VERDICT_COLUMNS)


def test_a_check_fails_until_the_leak_is_accepted(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entries that are proposed are refused until somebody writes the reasons."""
    assert main(["check", str(recorded)]) == EXIT_FOUND
    capsys.readouterr()
    assert main(["assess", str(recorded), "--format", "known-leaks"]) == 0
    proposed = capsys.readouterr().out
    file = tmp_path / "known_leaks.yaml"
    file.write_text(proposed, encoding="utf-8")
    assert main(["assess", str(recorded), "--known-leaks", str(file)]) == EXIT_ERROR
    assert f"{file}:5: known_leaks[0].reason: needs a reason, but got nothing." in capsys.readouterr().err

    file.write_text(proposed.replace("reason:", "reason: mended in 2.4"), encoding="utf-8")
    assert main(["check", str(recorded), "--known-leaks", str(file)]) == 0
    assert main(["assess", str(recorded), "--known-leaks", str(file)]) == 0
    text = " ".join(capsys.readouterr().out.split())

    assert "growing accepted " in text
    assert ": mended in 2.4." in text


def test_an_expired_acceptance_fails_the_check_again(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["assess", str(recorded), "--format", "json"])
    fingerprint = next(row["fingerprint"] for row in json.loads(capsys.readouterr().out) if row["is_leak"])
    file = tmp_path / "known_leaks.yaml"
    entry = {"fingerprint": fingerprint, "reason": "old", "expires": "2020-02-29"}
    file.write_text(json.dumps({"known_leaks": [entry]}), encoding="utf-8")

    assert main(["check", str(recorded), "--known-leaks", str(file)]) == EXIT_FOUND
    assert "Was accepted until 2020-02-29: old." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("/x/\x1b]0;pwned\x07.py", "/x/\\u001b]0;pwned\\u0007.py"),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\u0009=1"),
        ("\r=1", "'\\u000d=1"),
        (" =1", "' =1"),
        ("a-b", "a-b"),
    ],
)
def test_comma_separated_values_steer_no_terminal_and_run_in_no_spreadsheet(cell: str, written: str) -> None:
    verdicts = pd.DataFrame({"service": [cell], "slope_bytes_per_s": [-2.5], "windows": [-3]})

    (row,) = csv.reader(io.StringIO(render_csv(verdicts).split("\n", 1)[1]))
    assert row == [written, "-2.5", "-3"]


@pytest.mark.parametrize("format_", ["table", "json"])
def test_a_verdict_loads_no_drawing_library(recorded: Path, format_: str) -> None:
    """Matplotlib takes a second to load, and nothing is drawn."""
    program = (
        "import sys\nfrom memanalysis.cli import main\nmain(sys.argv[1:])\n"
        "sys.exit('matplotlib is loaded' if 'matplotlib' in sys.modules else 0)"
    )
    command = [sys.executable, "-c", program, "assess", str(recorded), "--format", format_]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX")
def test_a_terminal_of_80_columns_gets_colour_on_one_stream_and_progress_on_the_other(recorded: Path) -> None:
    done = run_in_terminal("assess", str(recorded))
    lines = remove_escapes(done.output).splitlines()

    assert done.code == 0
    assert "\x1b[31myes" in done.output
    assert [line for line in lines if cell_len(line) > 80] == []
    assert any(line.startswith("  app/registry.py:42 ") for line in lines)
    assert "Reading " in done.errors or "Assessing " in done.errors
    assert done.errors.endswith("\x1b[2K")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX")
def test_no_color_leaves_a_terminal_without_colour(recorded: Path) -> None:
    done = run_in_terminal("assess", str(recorded), NO_COLOR="1")

    assert (done.code, "\x1b" in done.output) == (0, False)


def test_markup_of_rich_in_a_name_is_shown_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"service": "[red]a[/red] :bug:", "seq": at, "elapsed_s": float(at), "rss_bytes": MIB} for at in range(40)]
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps({"table": "samples", "run_id": "r"} | row) + "\n" for row in rows))

    assert main(["assess", str(path)]) == 0
    assert capsys.readouterr().out.count("[red]a[/red] :bug:") == 2


def test_a_terminal_shows_the_ten_worst_and_how_many_more_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.jsonl"
    with path.open("w") as stream:
        for number in range(60):
            grows = MIB if number == 57 else 0
            for at in range(40):
                row = {
                    "service": f"s{number:03}",
                    "seq": at,
                    "elapsed_s": float(at),
                    "rss_bytes": 100 * MIB + at * grows,
                }
                stream.write(json.dumps({"table": "samples", "run_id": "r"} | row) + "\n")

    assert main(["assess", str(path)]) == 0
    shown = capsys.readouterr().out
    sentences = [line.partition(":")[0] for line in shown.splitlines() if line[:1] == "s" and ": " in line]
    assert sentences == ["s057", *(f"s{number:03}" for number in range(9))]
    assert "Not shown: 50 more verdicts, 0 of them leaks. --top 60 shows them." in shown

    assert main(["assess", str(path), "--top", "2", "--format", "json"]) == 0
    assert [row["service"] for row in json.loads(capsys.readouterr().out)] == ["s057", "s000"]


def test_a_time_without_runs_is_not_a_ledger_without_samples(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assess", str(recorded), "--since", "2100-01-01"]) == 0
    assert capsys.readouterr().out == "No verdicts: no run was recorded since 2100-01-01.\n"


def add_run(ledger: Path, service: str, number: int, ending: dict[str, object]) -> None:
    run = {"run_id": f"r-{number}", "service": service, "pid": number, "started": START}
    writer = LedgerWriter(ledger, run=run, flush="manual")
    rows = [{"seq": at, "timestamp": START + at, "elapsed_s": float(at), "rss_bytes": 50 * MIB} for at in range(40)]
    writer.append("samples", rows)
    writer.close(ended=START + 40, ending=ending)


def test_services_that_died_are_named_with_how_and_the_command_that_shows_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "my ledger"
    for number in range(7):
        add_run(ledger, f"api-{number}", number, {"how": "gone", "oom_kills": 1})
    main(["assess", str(ledger)])
    lines = capsys.readouterr().out.splitlines()
    text = " ".join(" ".join(lines).split())

    assert text.count("was killed by the kernel for lack of memory (SIGKILL), at 50.0 MiB;") == 5
    assert "Died: At 2025-06-15 15:07:20 UTC api-" in text
    assert "2 more services died." in text
    assert lines[-1] == f"More on that: memanalysis report '{ledger}'"


def test_services_that_ended_in_order_or_go_on_did_not_die(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_run(tmp_path / "ledger", "api", 1, {"how": "returned"})
    main(["assess", str(tmp_path / "ledger")])

    assert "died" not in capsys.readouterr().out.lower()
