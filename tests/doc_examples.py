"""The examples of a Markdown page, as steps that run one after another in one folder.

Blocks of ``python`` and ``console`` are run. A block with a title, such as ``title="app.py"``, is written to a file of
this name instead. Comments, which a reader does not see, complete them::

    <!-- setup ... -->       Python to run before the blocks that follow
    <!-- exit: 1 -->         the next console block ends with this exit code
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import running

__all__ = ["ConsoleBlock", "Example", "PythonBlock", "ShellNote", "WrittenFile", "read_examples", "run_console"]

TIMEOUT_S = 120

_PART = re.compile(
    r"<!--\s*(?P<comment>.*?)\s*-->"
    r"|^```(?P<language>[a-z]*)(?P<options>[^\n]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_COMMAND = re.compile(r"\$ |%+\w|(memanalysis|pip|python|curl|make) |(import|from) \w|\w+ = |\w+(\.\w+)*\(")
_TITLE = re.compile(r'\btitle="([^"]+)"')


@dataclass(frozen=True, slots=True)
class PythonBlock:
    """Code to run; ``is_shown`` is false for a setup."""

    text: str
    line: int
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class ConsoleBlock:
    """Commands of one console, and the exit code that they are to end with."""

    commands: tuple[str, ...]
    line: int
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that later blocks use."""

    text: str
    line: int
    name: str


@dataclass(frozen=True, slots=True)
class ShellNote:
    """Commands that are not run here, since they install something or are the suite itself."""

    commands: tuple[str, ...]
    line: int


Example = PythonBlock | ConsoleBlock | WrittenFile | ShellNote


def read_examples(page: str) -> Iterator[Example]:
    """Yield the examples of a page from top to bottom.

    Raises
    ------
    ValueError
        A block that would be neither run nor written nor plain text, or an unknown comment.
    """
    exit_code = 0
    for part in _PART.finditer(page):
        line = page.count("\n", 0, part.start()) + 1
        comment, language, text = part["comment"], part["language"], part["text"]
        if comment is not None:
            kind, _, subject = comment.partition("\n" if comment.startswith("setup\n") else ":")
            if kind == "setup":
                yield PythonBlock(subject.strip(), line, is_shown=False)
            elif kind == "exit":
                exit_code = int(subject)
            elif kind not in ("generated", "output", "thresholds", "/thresholds"):
                raise ValueError(f"line {line}: nothing is known of the comment {comment[:40]!r}")
        elif title := _TITLE.search(part["options"]):
            yield WrittenFile(text, line, title[1])
        elif language == "console":
            yield ConsoleBlock(_read_commands(text, line), line, exit_code)
            exit_code = 0
        elif language == "python":
            yield PythonBlock(text, line)
        elif language == "sh":
            yield ShellNote(tuple(text.splitlines()), line)
        elif language != "text":
            raise ValueError(f"line {line}: a block of {language or 'no language'!r} is neither run nor written")
        elif _COMMAND.match(text):
            raise ValueError(f"line {line}: a text block begins with a command or code that nobody runs")


def run_console(block: ConsoleBlock, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the commands of a block in one shell, in which ``memanalysis`` and ``python`` are those of this test."""
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    for name, arguments in (("memanalysis", "-m memanalysis "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        program.chmod(0o755)
    script = "\n".join(["set -e", "trap 'kill $(jobs -pr) 2>/dev/null || true' EXIT", *block.commands])
    with running(
        subprocess.Popen(
            ["bash", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"},
            start_new_session=True,
        )
    ) as shell:
        try:
            out, err = shell.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(script, shell.returncode, out, err)


def _read_commands(text: str, line: int) -> tuple[str, ...]:
    commands = tuple(command.removeprefix("$ ") for command in text.splitlines())
    if not all(command.startswith("$ ") for command in text.splitlines()):
        raise ValueError(f"line {line}: a console block holds commands that begin with '$ ', and no output")
    return commands
