"""The command line as a shell sees it: real processes, whole texts, exit codes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from processes import running

import memanalysis
from memanalysis.cli import commands, main

pytestmark = pytest.mark.slow

COMMANDS = (
    [],
    ["demo"],
    ["run"],
    ["record"],
    ["info"],
    ["assess"],
    ["report"],
    ["trend"],
    ["dashboard"],
    ["compact"],
    ["convert"],
    ["export"],
    ["import"],
    ["policy"],
    ["policy", "check"],
    ["check"],
    ["compare"],
    ["test"],
    ["pivot"],
    ["doctor"],
    ["schema"],
    ["sweep"],
    ["completion"],
    ["mcp"],
)
HEAVY = ("pandas", "numpy", "matplotlib", "pyarrow", "scipy", "rich", "jinja2", "IPython")


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
def test_every_command_has_a_help_with_examples_in_80_columns(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert main([*command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(
        line.startswith(f"  {' '.join(['memanalysis', *command])} ") for line in lines[lines.index("Examples:") :]
    )
    assert [line for line in lines if len(line) > 80] == []


def test_no_command_is_missing_in_the_help_that_is_tested() -> None:
    assert {name for (name, *_) in COMMANDS[1:]} == set(commands.modules)


def test_the_help_has_every_command_with_its_summary_and_the_exit_codes() -> None:
    shown = run("--help")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "  assess      Print a verdict on every service of a ledger.\n" in shown.stdout
    assert "\nExit codes:\n  0    success\n  1    a finding: " in shown.stdout
    assert " a leak (test, sweep), " in shown.stdout
    assert "  completion  Print the shell's completion script.\n" in shown.stdout


def test_the_help_lists_every_command_once_under_what_it_is_for() -> None:
    sections = re.split(r"^Commands .+:\n", run("--help").stdout.partition("\nExamples:")[0], flags=re.MULTILINE)[1:]
    listed = [re.findall(r"^  (\w+) ", section, re.MULTILINE) for section in sections]

    assert [names[0] for names in listed] == ["demo", "assess", "report", "info"]
    assert sorted(name for names in listed for name in names) == sorted(commands.modules)


def test_the_help_of_a_command_lists_its_arguments_and_keeps_the_lines_of_its_examples() -> None:
    shown = run("assess", "--help").stdout

    assert "Arguments:\n  LEDGER  Directory, file or URL of a ledger.\n" in shown
    assert "\n  memanalysis assess logs/ledger --json | jq '.[] | select(.is_leak)'\n" in shown


@pytest.mark.parametrize("command", COMMANDS[1:], ids=" ".join)
def test_an_option_that_is_required_is_marked_so_once(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0

    assert re.search(r"\[required\]\s+\[required\]", capsys.readouterr().out) is None


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == f"memanalysis {memanalysis.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["assess", "--help"], ["asess"], ["run", "missing.py"]])
def test_nothing_heavy_is_loaded_for_help_typos_and_run(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from memanalysis.cli import main\n"
        "main(sys.argv[1:])\n"
        f"sys.stdout.write('loaded: ' + str([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.endswith("loaded: []")


@pytest.mark.skipif(sys.platform == "win32", reason="processes are replaced on POSIX alone")
def test_run_loads_nothing_heavy_before_it_becomes_the_program(tmp_path: Path) -> None:
    """The interpreter itself lists what it imports, up to the moment at which it is replaced."""
    (tmp_path / "program.py").write_text("print('program')")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "memanalysis", "run", "program.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    _, before, in_the_program = done.stderr.split("imported package\n")
    loaded = {line.rpartition("|")[2].strip() for line in before.splitlines()}

    assert done.stdout == "program\n"
    assert {"click", "memanalysis.watcher.run_program"} <= loaded
    assert loaded.isdisjoint(HEAVY)
    assert "memanalysis.watcher.joining" in in_the_program


def test_an_error_is_one_line_without_a_traceback_and_code_2(tmp_path: Path) -> None:
    failed = run("assess", "nothing-here", cwd=tmp_path)

    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr.startswith("memanalysis: error: open_ledger needs a ledger, but nothing is at ")
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "error", "path"),
    [
        (["asess", "x"], "There is no command asess. Did you mean assess?", "memanalysis"),
        (["x\x1b[31m\ny"], "There is no command x\\u001b[31m y.", "memanalysis"),
        (["policy", "chek"], "There is no command chek. Did you mean check or schema?", "memanalysis policy"),
        (["--verson"], "There is no option --verson. Did you mean --version?", "memanalysis"),
        (
            ["assess", "x", "--formt", "json"],
            "There is no option --formt. Did you mean --format or --top?",
            "memanalysis assess",
        ),
        (
            ["policy", "show", "--format", "jsno"],
            "Invalid value for '--format': 'jsno' is not one of 'text', 'json'. Did you mean json?",
            "memanalysis policy show",
        ),
        (["assess", "x", "--zzz"], "There is no option --zzz.", "memanalysis assess"),
        (["assess"], "Missing argument 'LEDGER'.", "memanalysis assess"),
        (["record"], "Missing option '--pid'.", "memanalysis record"),
        (
            [],
            f"Missing command: one of {', '.join(commands.modules)}.",
            "memanalysis",
        ),
        (["policy"], "Missing command: one of check, show, schema, export.", "memanalysis policy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_two_lines_that_suggest_what_is_right(
    arguments: list[str], error: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        f"memanalysis: error: {error}\nRun '{path} --help' for its arguments and examples.\n"
    )


def test_wrong_arguments_are_code_2_for_a_shell() -> None:
    failed = run("assess", "x", "--format", "xml")

    assert (failed.returncode, failed.stdout) == (2, "")
    assert "'xml' is not one of 'table', 'json', " in failed.stderr
    assert failed.stderr.count("\n") == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_the_script_that_completes(shell: str) -> None:
    shown = run("completion", shell)

    assert shown.returncode == 0
    assert shown.stdout.strip() == run(_MEMANALYSIS_COMPLETE=f"{shell}_source").stdout.strip()
    assert f"_MEMANALYSIS_COMPLETE={shell}_complete" in shown.stdout


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("memanalysis re", ["plain,record", "plain,report"]),
        ("memanalysis assess --known", ["plain,--known-leaks", "plain,--known"]),
        ("memanalysis assess --format k", ["plain,known-leaks"]),
        ("memanalysis assess led", ["file,led"]),
        ("memanalysis policy ", ["plain,check", "plain,show", "plain,schema", "plain,export"]),
    ],
)
def test_commands_options_values_and_paths_are_completed(words: str, completions: list[str]) -> None:
    n_words = len(words.split(" ")) - 1
    shown = run(_MEMANALYSIS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(n_words))

    assert (shown.returncode, shown.stdout.split()) == (0, completions)


@pytest.mark.parametrize("command", [["report", "--format", "json"], ["assess"], ["info"]], ids=" ".join)
def test_a_reader_that_goes_away_early_ends_the_command_quietly(command: list[str], recorded: Path) -> None:
    with running(
        subprocess.Popen(
            [sys.executable, "-m", "memanalysis", *command, str(recorded)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
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
    """Code 1 would mean that a leak was found."""
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


def test_a_watched_program_loads_no_part_of_the_command_line(tmp_path: Path) -> None:
    code = (
        "import sys, time, memanalysis\n"
        "with memanalysis.watch('a', ledger='ledger', interval=0.05):\n"
        "    time.sleep(0.3)\n"
        "print([name for name in ('click', 'rich', 'jinja2', 'memanalysis.cli') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "[]\n"
