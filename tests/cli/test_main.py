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


CRASHING = """
import sys
from memanalysis import cli
from memanalysis.ledger import info

def crash(ledger):
    raise KeyError("rss\\n\x1b[31m")

info.describe_ledger = crash
sys.exit(cli.main(sys.argv[1:]))
"""


def run_crashing(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CRASHING, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_unexpected_error_is_one_line_and_code_2() -> None:
    """Code 1 would say that a leak was found."""
    failed = run_crashing("info", "x")

    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == (
        "memanalysis: error: unexpected KeyError at <string>:7: 'rss\\n\\x1b[31m'. "
        "This is a fault of memanalysis. Run the command again with --traceback, and report what it shows.\n"
    )


@pytest.mark.parametrize("arguments", [("--traceback", "info", "x"), ("info", "x", "--traceback")])
def test_the_traceback_of_an_unexpected_error_is_shown_on_request(arguments: tuple[str, ...]) -> None:
    failed = run_crashing(*arguments)

    assert failed.returncode == 2
    assert failed.stderr.startswith("Traceback (most recent call last):\n")
    assert "in crash" in failed.stderr
    assert failed.stderr.count("memanalysis: error: unexpected KeyError") == 1


@pytest.mark.parametrize("command", [("policy", "check"), ("info",), ("assess",), ("report",), ("convert",)])
@pytest.mark.parametrize("kind", ["pipe.jsonl", "pipe.yaml", "/dev/zero"])
def test_a_pipe_or_a_device_in_place_of_a_file_is_an_error_and_holds_nobody(
    command: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / kind
    if not path.exists():
        os.mkfifo(path)
    more = ["target"] if command == ("convert",) else []

    failed = run(*command, str(path), *more, cwd=tmp_path)

    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "regular file" in failed.stderr
