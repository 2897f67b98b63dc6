"""MkDocs hook: fills the parts of the documentation that come from the code when the site is built.

A page marks such a part with a comment::

    <!-- generated: commands -->                    each command's --help
    <!-- generated: policy keys -->                 each key of the policy, its default and meaning
    <!-- generated: policy file -->                 the shipped policy
    <!-- generated: ledger tables -->               the columns of the ledger, with their types
    <!-- generated: accuracy -->                    the figures that the benchmark of detection wrote
    <!-- output: memanalysis info LEDGER -->        what a command prints, run beside the sample ledgers

All other comments are left out of the built page: they are for the tests of the examples.
"""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
POLICY_FILE = ROOT / "config" / "memory_policy.yaml"
SCHEMA_FILE = ROOT / "memanalysis" / "schema.py"
ACCURACY_FILE = ROOT / "docs" / "accuracy.json"
SAMPLE_LEDGER = ROOT / "sample_ledgers" / "leaking_service"

COLUMNS = 76
"""Width of the printed help, in characters: it fits the page without scrolling."""

_COMMENT = re.compile(r"<!--\s*(?P<text>.*?)\s*-->\n?", re.DOTALL)
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LISTED = re.compile(r"[ \t]{1,6}(?P<name>[a-z][a-z-]*)[ \t]{2,}\S")
_BOX = str.maketrans(dict.fromkeys("│┃╭╮╰╯", " "))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page's text with its generated parts in place and without other comments; called by MkDocs."""
    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):
        pieces += [_fill(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*pieces, _fill(markdown[end:])])


def render_commands() -> str:
    """Return a section for each command and subcommand, with what its ``--help`` prints."""
    sections = []
    for words in list_commands():
        name = " ".join(["memanalysis", *words])
        sections.append(f"## {name}\n\n```text\n{print_help(words)}\n```")
    return "\n\n".join(sections)


def list_commands() -> list[tuple[str, ...]]:
    """Return the words of the program itself, of each command and of each subcommand, in the order of the help."""
    return [(), *_commands_below(())]


@cache
def print_help(words: tuple[str, ...]) -> str:
    """Return what ``memanalysis WORDS --help`` prints."""
    return run_command(["memanalysis", *words, "--help"])


def run_command(command: list[str]) -> str:
    """Return what a command of memanalysis prints, run in the folder of the repository; 1 is the exit code of a find.

    Raises
    ------
    RuntimeError
        It ended with another exit code.
    """
    plain = {"COLUMNS": str(COLUMNS), "TERMINAL_WIDTH": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(  # noqa: S603 - the commands of our own pages
        [sys.executable, "-m", *command],
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, **plain, "PYTHONUTF8": "1"},
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{shlex.join(command)} ended with exit code {done.returncode}: {done.stderr}")
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def render_policy_keys() -> str:
    """Return a table for each section of the policy: key, default, and the comment of the shipped file."""
    from memanalysis.policy.key_comments import KeyComments
    from memanalysis.policy.model import Policy

    comments = KeyComments(POLICY_FILE.read_text(encoding="utf-8"))
    tables: dict[str, list[str]] = {}
    for keys, default in _leaves(Policy().to_mapping()):
        meaning = comments.find(keys).replace("|", "\\|")
        shown = ", ".join(map(str, default)) if isinstance(default, list) else str(default).lower()
        tables.setdefault(keys[0], []).append(f"| `{'.'.join(keys[1:])}` | `{shown}` | {meaning} |")
    return "\n\n".join(
        "\n".join([f"## {section}", "", "| key | default | meaning |", "|---|---|---|", *rows])
        for section, rows in tables.items()
    )


def render_policy_file() -> str:
    """Return the shipped policy as a block of YAML."""
    return f"```yaml\n{POLICY_FILE.read_text(encoding='utf-8').rstrip()}\n```"


def render_ledger_tables() -> str:
    """Return a table of columns for each table of the ledger: types in the ledger and in a DataFrame."""
    from memanalysis import open_ledger
    from memanalysis.schema import TABLES

    ledger = open_ledger(SAMPLE_LEDGER)
    notes = read_notes(SCHEMA_FILE.read_text(encoding="utf-8"))
    sections = []
    for name, columns in TABLES.items():
        dtypes = ledger.read(name).dtypes
        rows = [f"| `{column}` | {kind} | {dtypes[column]} |" for column, kind in columns.items()]
        note = notes[name.upper()].replace("``", "`")
        header = ["| column | in the ledger | in a DataFrame |", "|---|---|---|"]
        sections.append("\n".join([f"## {name}", "", note, "", *header, *rows]))
    return "\n\n".join(sections)


def render_accuracy() -> str:
    """Return the tables of the accuracy page, from the file that ``python -m benchmarks detection --write`` wrote."""
    figures = json.loads(ACCURACY_FILE.read_text(encoding="utf-8"))
    detectors = figures["detectors"]
    sections = []
    for is_leak, title in ((True, "Leaks that are found"), (False, "Benign, and called a leak at any moment")):
        of_kind = [cell for cell in figures["ours"] if cell["is_leak"] == is_leak]
        shares = {(cell["kind"], cell["length"]): f"{cell['share']:.2f}" for cell in of_kind}
        kinds, lengths = dict.fromkeys(kind for kind, _ in shares), dict.fromkeys(length for _, length in shares)
        rows = [[kind, *(shares[kind, length] for length in lengths)] for kind in kinds]
        sections.append(f"## {title}\n\n{_table([f'{title.lower()}, by samples', *map(str, lengths)], rows)}")
    parts = []
    for group, title in {
        "found": "leaks found",
        "alarms": "benign, at any tenth",
        "benign": "benign, at the end",
    }.items():
        kinds = detectors["memanalysis"][group]
        rows = [[kind, *(f"{figure[group][kind]:.2f}" for figure in detectors.values())] for kind in kinds]
        parts.append(_table([title, *detectors], rows))
    sections.append("## Other detectors on the same series\n\n" + "\n\n".join(parts))
    lengths = detectors["memanalysis"]["smallest_growth"]
    rows = [
        [name, *(_or_none(figure["smallest_growth"][length]) for length in lengths)]
        for name, figure in detectors.items()
    ]
    sections.append("## The smallest leak that is found\n\n" + _table(["detector, by samples", *lengths], rows))
    return "\n\n".join(sections)


def read_notes(source: str) -> dict[str, str]:
    """Return the text that follows each constant of a module, by the constant's name."""
    body = ast.parse(source).body
    notes = {}
    for node, after in pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
            notes[node.target.id] = " ".join(str(ast.literal_eval(after.value)).split())
    return notes


GENERATED: Mapping[str, Callable[[], str]] = {
    "commands": render_commands,
    "policy keys": render_policy_keys,
    "policy file": render_policy_file,
    "ledger tables": render_ledger_tables,
    "accuracy": render_accuracy,
}


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows])


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def _fill(text: str) -> str:
    return _COMMENT.sub(lambda comment: _render_comment(comment["text"]), text)


def _render_comment(text: str) -> str:
    kind, _, subject = text.partition(":")
    if kind == "generated":
        return GENERATED[subject.strip()]() + "\n"
    if kind == "output":
        return f"```text\n{run_command(shlex.split(subject))}\n```\n"
    return ""


def _commands_below(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    is_list = False
    for line in print_help(words).translate(_BOX).splitlines():
        listed = _LISTED.match(line)
        if re.match(r"[ ─]*commands\b", line, re.IGNORECASE):
            is_list = True
        elif not line.strip():
            is_list = False
        elif is_list and listed:
            yield (*words, listed["name"])
            yield from _commands_below((*words, listed["name"]))


def _leaves(mapping: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each key that has no keys below it, with its value; an example of a service is not a key."""
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value
