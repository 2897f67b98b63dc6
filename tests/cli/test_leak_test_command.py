"""``memanalysis test`` repeats a call or a statement, and its exit code shows whether that leaks."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pseudo_terminal import run_in_terminal

from memanalysis.cli import EXIT_ERROR, main
from memanalysis.cli.leak_test_command import EXIT_LEAK

BOUNDS = ["--max-calls", "200"]


@pytest.fixture(autouse=True)
def _same_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder of its own, and the path of imports as it was."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("leaky_module", None)


@pytest.mark.slow
def test_a_function_of_a_module_of_this_folder_leaks_on_its_line(tmp_path: Path) -> None:
    """In a process of its own, as it is typed: the frames of the command line hide no line."""
    (tmp_path / "leaky_module.py").write_text(
        "KEPT = []\n\n\ndef handle():\n    print('handled')\n    KEPT.append(bytes(1000))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "memanalysis", "test", "leaky_module:handle", *BOUNDS],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == EXIT_LEAK, done.stderr
    assert done.stdout.startswith("handle: A leak: each call keeps 1.0 KiB")
    assert "leaky_module.py:6 in handle" in done.stdout
    assert "leaky_module.KEPT -> list" in done.stdout
    assert "handled" not in done.stdout
    assert "handled" in done.stderr


def test_a_statement_sees_the_names_of_its_setup_and_json_has_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["test", "kept.append(bytes(1000))", "--setup", "kept = []; print('set up')", *BOUNDS, "--json"])
    finding = json.loads(capsys.readouterr().out)

    assert (code, finding["is_leak"]) == (EXIT_LEAK, True)
    assert 1000 <= finding["bytes_per_call"] <= 1100


def test_what_keeps_nothing_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "sorted([3, 1, 2])", "--max-calls", "2000"]) == 0
    assert "sorted([3, 1, 2]): No leak: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["raise SystemExit(0)"], "raise SystemExit(0) cannot be tested: it raised SystemExit: 0."),
        (["json:dumps"], "json:dumps cannot be tested: it raised TypeError: "),
        (["json:dumpz"], "json has no dumpz. Did you mean dump"),
        (["no_such_module:x"], "it raised ModuleNotFoundError: "),
        (["x y"], "memanalysis test needs Python, but 'x y' is none: "),
        (["1", "--setup", "("], "memanalysis test needs Python, but '(' is none: "),
        (["1", "--fail-on", "leaks"], "A test fails on some of leak, unknown, but got 'leaks'."),
        (["1", "--max-calls", "2"], "find_leak needs max_calls of at least 16"),
        (["json:__name__"], "find_leak needs a callable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_tested_is_an_error_and_no_pass(
    arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", *arguments]) == EXIT_ERROR
    assert error in capsys.readouterr().err


@pytest.mark.slow
def test_a_terminal_shows_beforehand_what_is_repeated_and_for_how_long() -> None:
    done = run_in_terminal("test", "kept.append(bytes(1000))", "--setup", "kept = []", *BOUNDS, "--max-s", "7.5")

    assert done.errors == (
        "Repeating kept.append(bytes(1000)) until it is known whether it leaks, for 7.5 s at most.\n"
    )
    assert done.code == EXIT_LEAK
    assert "Repeating" not in done.output
