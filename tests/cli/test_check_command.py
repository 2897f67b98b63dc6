"""The gate fails on what became worse than is allowed, never passes what was not recorded, and reports to machines."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from memanalysis.cli import EXIT_ERROR, main
from memanalysis.cli.check_command import EXIT_FOUND
from memanalysis.cli.findings_output import render_annotations
from memanalysis.units import MIB
from memanalysis.verdicts.gate import Finding


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def test_a_finding_is_a_line_with_the_place_and_the_code_is_1(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(recorded)]) == EXIT_FOUND
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].startswith("leak: leaking_registry: A leak: grows by ")
    assert "app/registry.py:42" in " ".join(lines)
    assert lines[-1] == "1 finding: 1 leak."


def test_a_sound_service_passes(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recorded), "--service", "größe"]) == 0
    assert capsys.readouterr().out == "Nothing was found that fails.\n"


def test_what_was_not_judged_fails_where_that_is_asked_for(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recorded), "--service", "young"]) == 0
    assert main(["check", str(recorded), "--service", "young", "--fail-on", "leak,unknown"]) == EXIT_FOUND
    assert "unknown: young: Too early to judge" in capsys.readouterr().out


def test_the_critical_level_of_a_budget_fails(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("memory_budgets: {global: {max_memory_mb: 52}}")
    assert main(["check", str(recorded), "--policy", str(policy), "--service", "größe"]) == EXIT_FOUND
    text = capsys.readouterr().out

    assert "breach: größe: At the critical level of its budget of 52.0 MiB once, for " in text
    assert main(["check", str(recorded), "--service", "größe"]) == 0


HUNGRY = """
import resource, time
from memanalysis import watch
with watch("api", ledger="ledger", interval=0.05, seal=False):
    time.sleep(0.5)
    resource.setrlimit(resource.RLIMIT_AS, (2 ** 31, 2 ** 31))
    bytearray(2 ** 31)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of address space of Linux")
def test_a_program_that_a_limit_refused_memory_fails_without_a_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks for 2 GiB under an RLIMIT_AS of 2 GiB, on its line 6, and dies of the MemoryError."""
    (tmp_path / "program.py").write_text(HUNGRY.lstrip())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=environment, capture_output=True, timeout=120
    )
    assert b"MemoryError" in ran.stderr

    for more in ([], ["--fail-on", "breach"]):
        assert main(["check", str(tmp_path / "ledger"), *more]) == EXIT_FOUND
        line, count = capsys.readouterr().out.splitlines()
        assert line.startswith("breach: api: Ended with a MemoryError in program.py:6 at ")
        assert line.endswith(" UTC: its limit of 2.0 GiB refused it memory.")
        assert count == "1 finding: 1 breach."
    assert main(["check", str(tmp_path / "ledger"), "--fail-on", "leak"]) == 0


def test_a_kill_by_the_kernel_fails_until_a_later_run_ends_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kernel counts a kill in the first run alone: the second, which came later, ended in order."""
    ledger = tmp_path / "ledger.jsonl"

    def write_run(run_id: str, hour: int, ending: dict[str, object]) -> None:
        run = {"service": "api", "run_id": run_id}
        rows: list[dict[str, object]] = [{"table": "runs", "started": f"2025-06-15T{hour}:00:00Z", "ending": ending}]
        rows += [
            {"table": "samples", "seq": at, "elapsed_s": float(at), "rss_bytes": 50 * MIB,
             "timestamp": f"2025-06-15T{hour}:00:{at:02}Z"}
            for at in range(60)
        ]  # fmt: skip
        with ledger.open("a") as stream:
            stream.writelines(json.dumps(row | run) + "\n" for row in rows)

    write_run("killed", 14, {"how": "gone", "oom_kills": 1})
    assert main(["check", str(ledger)]) == EXIT_FOUND
    assert "breach: api: Was killed by the kernel for lack of memory." in capsys.readouterr().out

    write_run("sound", 15, {"how": "returned"})
    assert main(["check", str(ledger)]) == 0
    assert main(["check", str(ledger), "--all"]) == EXIT_FOUND


def test_a_ledger_without_samples_is_an_error_and_never_passes(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(recorded), "--since", "2100-01-01"]) == EXIT_ERROR
    assert "There is nothing to check" in capsys.readouterr().err


def test_a_kind_that_does_not_exist_is_named_beside_those_that_do(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(recorded), "--fail-on", "leaks"]) == EXIT_ERROR
    assert "some of leak, breach, regression, unknown, but got 'leaks'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_ledger_is_no_regression_of_itself_and_a_leak_is_one_of_none(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = ["check", str(recorded), "--fail-on", "regression", "--baseline"]
    assert main([*check, str(recorded)]) == 0

    samples = tmp_path / "flat.jsonl"
    samples.write_text(
        "".join(
            json.dumps(
                {"run_id": "a", "service": "leaking_registry", "seq": at, "timestamp": f"2025-06-14T15:{at:02}:00Z",
                 "elapsed_s": at, "rss_bytes": 40 * 2**20 + at % 7 * 1000}
            ) + "\n"
            for at in range(60)
        )
    )  # fmt: skip
    capsys.readouterr()
    assert main([*check, str(samples)]) == EXIT_FOUND
    assert "regression: leaking_registry: Grows faster than in the baseline: by +1.8 GiB/h" in capsys.readouterr().out


def test_github_gets_an_annotation_at_the_line_and_a_summary(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert main(["check", str(recorded)]) == EXIT_FOUND
    first = capsys.readouterr().out.splitlines()[0]

    assert first.startswith("::error file=app/registry.py,line=42,title=Memory leak%3A leaking_registry::A leak: ")
    assert "| leak | leaking\\_registry: A leak: " in summary.read_text(encoding="utf-8")


def test_json_has_the_fields_of_a_finding(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(recorded), "--format", "json"])
    (finding,) = json.loads(capsys.readouterr().out)

    assert (finding["kind"], finding["service"], finding["line"]) == ("leak", "leaking_registry", 42)
    assert set(finding) == {"kind", "service", "run_id", "text", "file", "line"}


def test_junit_has_a_failed_case_a_finding_and_a_passed_one_without(recorded: Path, tmp_path: Path) -> None:
    file = tmp_path / "memory.xml"
    main(["check", str(recorded), "--junit", str(file)])
    suite = ET.parse(file).getroot()  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    (case,) = suite.iter("testcase")
    assert (case.get("classname"), case.get("file"), case.get("line")) == ("leaking_registry", "app/registry.py", "42")

    main(["check", str(recorded), "--service", "größe", "--junit", str(file)])
    suite = ET.parse(file).getroot()  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures"), len(list(suite.iter("failure")))) == ("1", "0", 0)


def test_a_file_that_cannot_be_written_is_an_error(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recorded), "--junit", "/nowhere/memory.xml"]) == EXIT_ERROR
    assert "--junit cannot write to /nowhere/memory.xml" in capsys.readouterr().err


def test_hostile_names_leave_the_xml_well_formed_and_a_finding_on_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with markup, controls, a line end, a surrogate and what ends an annotation, in 40 columns."""
    monkeypatch.setenv("COLUMNS", "40")
    name = "a<b>&\"'\x00\x1b[31m\r\n::error::x\ud800\ufffe]]>%0A,line=1"
    ledger, file = tmp_path / "ledger.jsonl", tmp_path / "memory.xml"
    rows = [
        {"service": name, "run_id": "r", "seq": at, "elapsed_s": float(at), "rss_bytes": MIB * at} for at in range(60)
    ]
    ledger.write_text("".join(json.dumps({"table": "samples"} | row) + "\n" for row in rows))

    assert main(["check", str(ledger), "--junit", str(file), "--format", "github"]) == EXIT_FOUND
    annotation, count = capsys.readouterr().out.splitlines()
    assert main(["check", str(ledger)]) == EXIT_FOUND
    line, _ = capsys.readouterr().out.splitlines()

    assert annotation.startswith("::error title=Memory leak%3A a<b>&")
    assert annotation.count("::") == 2 + annotation.rpartition("::")[0].count("::error::x")
    assert count == "1 finding: 1 leak."
    assert line.startswith("leak: a<b>&")
    (case,) = ET.parse(file).getroot().iter("testcase")  # noqa: S314 - our own file
    assert str(case.get("classname")).startswith("a<b>&\"'\\u0000\\u001b[31m\\u000d\\u000a::error::x")


def test_a_file_below_the_workspace_is_named_from_there() -> None:
    finding = Finding(kind="leak", service="a", run_id=None, text="grows", file="/srv/repo/src/a.py", line=3)

    assert render_annotations([finding], workspace="/srv/repo").startswith("::error file=src/a.py,line=3,")
    assert render_annotations([finding], workspace="/other").startswith("::error file=/srv/repo/src/a.py,line=3,")


def test_a_baseline_that_shares_no_service_does_not_pass(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.jsonl"
    rows = [
        {"service": "other", "run_id": "r", "seq": at, "elapsed_s": float(at), "rss_bytes": MIB} for at in range(60)
    ]
    other.write_text("".join(json.dumps({"table": "samples"} | row) + "\n" for row in rows))

    assert main(["check", str(recorded), "--baseline", str(other), "--service", "größe"]) == EXIT_ERROR
    assert "There is nothing to compare" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "needed"), [("regression", "a baseline"), ("breach", "budgets")])
def test_a_check_of_nothing_is_an_error(
    kind: str, needed: str, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(recorded), "--fail-on", kind]) == EXIT_ERROR
    assert f"needs {needed}" in capsys.readouterr().err


def test_a_service_that_was_not_compared_is_unknown(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.jsonl"
    rows = [
        {"service": "größe", "run_id": "r", "seq": at, "elapsed_s": float(at), "rss_bytes": 50 * MIB}
        for at in range(60)
    ]
    other.write_text("".join(json.dumps({"table": "samples"} | row) + "\n" for row in rows))
    check = ["check", str(recorded), "--baseline", str(other), "--service", "größe", "--service", "young"]

    assert main([*check, "--fail-on", "regression"]) == 0
    capsys.readouterr()
    assert main([*check, "--fail-on", "regression,unknown"]) == EXIT_FOUND
    assert "unknown: young: Was not compared: " in capsys.readouterr().out


def test_a_kind_and_a_service_that_were_mistyped_are_suggested(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(recorded), "--fail-on", "lek"]) == EXIT_ERROR
    assert "Did you mean leak?" in capsys.readouterr().err
    assert main(["check", str(recorded), "--service", "youngg"]) == EXIT_ERROR
    assert "Did you mean 'young'?" in capsys.readouterr().err
