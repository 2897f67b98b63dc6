"""One idea has one word, and the word is the field's: no name, message or page uses the words of the left column.

`NAMES` are looked for in identifiers, column names and file names, `PROSE` in whole texts: docstrings, comments,
messages, ``--help``, pages. Both leave ordinary English alone.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("memanalysis", "benchmarks", "docs", "examples", "notebooks", "sample_ledgers", "config", "tests", ".ci")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml", "mkdocs.yml")
SUFFIXES = {".py", ".pyi", ".md", ".ipynb", ".yaml", ".yml", ".toml", ".css", ".html", ".j2", ".jinja", ".txt", ".sh"}

NAMES = {
    r"purse|pay|paid": "overhead budget, spend",
    r"dear": "expensive",
    r"doors?": "wrapper frame",
    r"rooms?": "package, layer, remaining capacity",
    r"keepers?": "retainer, sealing worker",
    r"(find|bound|keep)_(kept|word)|kept_(bytes|bound|native|word)": "retainer, retained bytes, growth per call",
    r"tidy|tidies|tidied|tend|upkeep|look_after|keep_to": "apply_retention, maintain, rotate",
    r"look(s|ed)?(?!_(for|like|up)(_|$))": "check, update, on_sample, measure",
    r"spoilt|spoil|spoils": "corrupt",
    r"as_it_lies": "read_unordered",
    r"made_(file|line|share|at)": "allocated_file, allocated_line, allocated_share",
    r"founding": "classes, json_array",
    r"guests?": "watched process, isolation",
    r"host_(programs?|costs?)": "watched programs, watched costs",
    r"told": "shown, given, distinguished",
    r"anew": "again",
    r"floors?": "baseline",
}
"""Words of a name, split at underscores and capitals, as a pattern, and what to write instead."""

NAMES_OF_CODE = {
    r"^(least|most)_(?!squares)": "MIN_, MAX_",
    r"guilty_[a-z]+": "responsible_file, responsible_line, responsible_share",
    r"tell(s|ing)?|say|says|said": "describe, show",
}
"""The same for names that are no sentences: those of tests are, and may use these words."""

CLASSES = {
    "HostBoundary": "ErrorBoundary",
    "Trial": "LeakTest",
    "Reading": "measurement",
    "Readings": "measurement",
    "Part": "ScanRequest",
    "Like": "EqualLengthGroup",
    "Stack": "SeriesMatrix",
    "Findings": "TrendFits",
    "Damage": "SkippedLines",
    "Looks": "update",
    "Kept": "retainer",
}
"""Names of classes that mean nothing to a reader who does not know the package."""

PROSE = {
    r"purses?": "overhead budget",
    r"pay|pays|paid|paying": "spend, cost",
    r"dear|dearer|dearest": "expensive",
    r"doors?": "wrapper frame, entry point",
    r"rooms?": "package, layer, remaining capacity, free space",
    r"keepers?": "retainer, sealing worker",
    r"tidy|tidies|tidied|tidying|upkeep": "apply retention, maintain",
    r"(tend|tends|tended)(?! to)": "maintain",
    r"(keeps?|kept) to": "stay within",
    r"(look|looks|looked) (at|after)": "check, measure, maintain",
    r"spoilt|spoils": "corrupt",
    r"as it lies": "in the order of the file",
    r"(made|guilty)_(file|line|share|function)": "allocated_, responsible_",
    r"founding": "the specification, the class interface",
    r"seed (documents?|class(es)?|api)": "the specification, the class interface",
    r"guests?": "watched process, isolation",
    r"host programs?|(?<!on\s)the host(?!'?s? (name|machine|memory))": "watched process",
    r"(is|are|was|were|be|been|being) (not |then )?told|told (by|apart|of|from)|tells? of": "is shown, is given",
    r"say|says|said|saying|tell|tells|telling": "describe, show, distinguish, decide",
    r"anew": "again",
    r"of which": "whose",
    r"from which on": "from ... on",
    r"so many": "the number of",
    r"there well": "missing is fine",
    r"grew by \+[\d{]*": "grows by",
    r"(?<=[,;:]) for (it|they|he|she|there|nothing|nobody|none)": "because",
    r"(?<!ground\s)floors?(?! division)": "baseline",
}
"""Words of a sentence, as a pattern in which a space stands for any white space, and what to write instead."""

ALLOWED: dict[tuple[str, str], str] = {
    ("tests/capture/test_holders.py", "say"): "people do",
}
"""What stays, by file and words, with the reason."""

_NAME = re.compile(r"[^\W\d]\w*")
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAMES, _NAMES_OF_CODE = (
    {re.compile(rf"(?:^|_)(?:{pattern})(?:_|$|(?<=_))"): cure for pattern, cure in patterns.items()}
    for patterns in (NAMES, NAMES_OF_CODE)
)


def _compile_prose(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.])(?:{pattern})(?!\w)".replace(" ", r"(?:\s|#(?!\w)|\\n)+"), re.IGNORECASE)


_PROSE = {_compile_prose(pattern): cure for pattern, cure in PROSE.items()}
_ANY_PROSE = _compile_prose("|".join(PROSE))


@cache
def find_in_name(name: str) -> str | None:
    """Return what to write in place of a name, or None where the name may stay."""
    if name in CLASSES:
        return CLASSES[name]
    words = "_".join(word.lower() for part in name.split("_") for word in _WORD_ENDS.split(part) if word)
    patterns = _NAMES if words.startswith("test_") else _NAMES | _NAMES_OF_CODE
    return next((cure for pattern, cure in patterns.items() if pattern.search(words)), None)


def find_in_prose(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, words and cure of each place of a text that uses a word of the left column."""
    if _ANY_PROSE.search(text) is None:  # much quicker than one after the other
        return
    for pattern, cure in _PROSE.items():
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), cure


def read_names(source: str) -> Iterator[tuple[int, str]]:
    """Names that a Python file defines, with their lines: functions, classes, arguments, variables, columns."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.keyword) and node.arg is not None:
            yield node.value.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
            yield node.lineno, node.value


def read_text(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def find_words(path: Path) -> list[str]:
    """Return each use of a word of the left column in a file: ``file:line: words -> cure``."""
    file, text = path.relative_to(ROOT).as_posix(), read_text(path)
    found = {(line, words, cure) for line, words, cure in find_in_prose(text)}
    names = {(0, part.partition(".")[0]) for part in Path(file).parts}
    names |= set(read_names(text)) if path.suffix in {".py", ".pyi"} else set()
    found |= {(line, name, cure) for line, name in names if (cure := find_in_name(name)) is not None}
    return [f"{file}:{line}: {words} -> {cure}" for line, words, cure in sorted(found) if (file, words) not in ALLOWED]


def read_groups() -> dict[str, list[Path]]:
    """Return the files of the project by the package or folder that they belong to."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    groups: dict[str, list[Path]] = {}
    for path in sorted({*paths, *(ROOT / page for page in PAGES)}):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and path != Path(__file__) and "__pycache__" not in parts:
            groups.setdefault("/".join(parts[:2]) if len(parts) > 2 else parts[0], []).append(path)
    return groups


GROUPS = read_groups()


@pytest.mark.parametrize("group", GROUPS)
def test_every_idea_has_the_word_of_the_field(group: str):
    found = [line for path in GROUPS[group] for line in find_words(path)]

    assert not found, "\n" + "\n".join(found)


def test_what_is_allowed_is_there():
    for file, words in ALLOWED:
        assert words in read_text(ROOT / file), f"{words!r} is not in {file} any more: take it off the list"


LEFT_NAMES = [
    "read_purse", "register_door", "KeeperProcess", "find_kept", "Kept", "look_at", "guilty_file", "MOST_EVENTS",
    "_LEAST_CALLS", "made_line", "read_as_it_lies", "founding_ledger", "_say", "test_a_good_guest_leaves_nothing",
    "test_it_is_told",
]  # fmt: skip

ORDINARY_NAMES = [
    "headroom_bytes", "lookup", "look_up", "keep_rows", "kept", "host", "hostname", "trend", "payload", "almost",
    "PartialResult", "reading", "extend", "StackSummary", "at_least", "outdoors", "least_squares", "looked_for",
    "test_it_says_so", "test_the_most_frequent_comes_first",
]  # fmt: skip

LEFT_SENTENCES = [
    "what the purse pays", "is told by its caller", "two files,\n    # of\n    # which one", "it grew by +2.8 GiB/h",
    "a good guest", "read anew", "Looks at it", "it stays, for it is small", "the floors rise", "the program's door",
]  # fmt: skip

ORDINARY_SENTENCES = [
    "rows that keep their order", "it tends to rise", "np.floor(x)", "floor division", "the headroom",
    "for it in rows", "a doorway", "a list of that which", "many of these", "the host name", "looks for a leak",
]  # fmt: skip


@pytest.mark.parametrize("name", LEFT_NAMES)
def test_a_name_of_the_left_column_is_found(name: str):
    assert find_in_name(name) is not None


@pytest.mark.parametrize("name", ORDINARY_NAMES)
def test_a_name_of_ordinary_english_stays(name: str):
    assert find_in_name(name) is None


@pytest.mark.parametrize("text", LEFT_SENTENCES)
def test_a_sentence_of_the_left_column_is_found(text: str):
    assert list(find_in_prose(text))


@pytest.mark.parametrize("text", ORDINARY_SENTENCES)
def test_a_sentence_of_ordinary_english_stays(text: str):
    assert not list(find_in_prose(text))
