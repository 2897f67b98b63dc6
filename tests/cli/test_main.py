"""The command line as a shell sees it: real processes, whole texts, exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import memanalysis

COMMANDS = ([], ["demo"], ["assess"], ["report"], ["policy"], ["policy", "check"])


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "memanalysis", *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "80"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_with_an_example_in_80_columns(command: list[str]) -> None:
    shown = run(*command, "--help")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "example" in shown.stdout
    assert f"memanalysis {' '.join(command)}".strip() in shown.stdout
    assert [line for line in shown.stdout.splitlines() if len(line) > 80] == []


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == f"memanalysis {memanalysis.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from memanalysis.cli import build_parser\n"
        "build_parser().format_help()\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'pandas', 'numpy', 'matplotlib', 'pyarrow', 'scipy', 'psutil', 'yaml', 'IPython'}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert loaded.stdout == "[]\n"


def test_an_error_is_one_line_without_a_traceback_and_code_2(tmp_path: Path) -> None:
    failed = run("assess", "nothing-here", cwd=tmp_path)

    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr.startswith("memanalysis: error: open_ledger needs a ledger, but nothing is at ")
    assert failed.stderr.count("\n") == 1


def test_wrong_arguments_are_code_2() -> None:
    failed = run("assess")

    assert failed.returncode == 2
    assert "the following arguments are required: LEDGER" in failed.stderr
    assert run().returncode == 2
    assert run("policy").returncode == 2


def test_a_reader_that_goes_away_early_ends_the_command_quietly(recorded: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "memanalysis", "report", str(recorded), "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == b""


def test_a_name_that_the_encoding_does_not_know_does_not_end_the_command(recorded: Path) -> None:
    shown = run("assess", str(recorded), PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert shown.returncode == 0
    assert "gr\\xf6\\xdfe" in shown.stdout
