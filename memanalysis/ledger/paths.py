"""Names of the folders and files inside a ledger: no service or run can break out of them, on any system.

A directory ledger is ``<root>/ledger.json``, ``<root>/<table>/service_key=<slug>/<stem>.parquet`` and, while a process
writes, ``<root>/live/<table>/service_key=<slug>/<stem>.jsonl``. The folder of a table holds Parquet and nothing else,
so that every reader of Parquet opens it with a plain call: pandas and PyArrow refuse JSON lines among Parquet, and
Polars refuses hidden files as well.

The slug of a service is its name where that has lowercase ASCII letters, digits and ``- _ .`` only, begins with a
letter and is short. Any other name is made readable so, and ends in ``--`` and a hash. Readers decode percent signs,
numbers, dates and words such as ``null`` in the names of folders, each in its own way; a slug has none of these. The
rows hold the true name.
"""

import hashlib
import re
from pathlib import Path

from memanalysis.errors import InvalidArgumentError

__all__ = [
    "DEFAULT_LEDGER",
    "INDEX_FOLDER",
    "INDEX_PREFIX",
    "JSONL_SUFFIX",
    "LIVE_FOLDER",
    "MARKER_NAME",
    "PARQUET_SUFFIX",
    "PARTITION_PREFIX",
    "check_run_id",
    "is_hidden",
    "is_run_id",
    "is_service_slug",
    "run_of_stem",
    "sealed_path",
    "service_of_slug",
    "slug_of_service",
]

DEFAULT_LEDGER = "memanalysis-ledger"
"""Folder in the working folder, where neither an argument nor a policy names one."""

MARKER_NAME = "ledger.json"
LIVE_FOLDER = "live"
INDEX_FOLDER = "_index"
"""Holds the index of runs, ``runs-<day>.parquet``: copies of rows, and no rows of its own."""

INDEX_PREFIX = "runs-"
PARTITION_PREFIX = "service_key="
JSONL_SUFFIX = ".jsonl"
PARQUET_SUFFIX = ".parquet"

_MAX_PLAIN = 80
"""Characters of a name that is its own slug: file systems allow 255 a folder, and paths on Windows 260 in all."""

_MAX_READABLE = 60
"""Characters before the hash."""

_HASH_DIGITS = 12
_HASH_MARK = "--"
_UNNAMED = "unnamed"

_RESERVED = frozenset(
    "epoch false inf infinity nan none now null today tomorrow true yesterday".split()  # noqa: SIM905  one a word
)
"""Words that a reader may take for null, a truth value, a number or a date."""

_PLAIN_SLUG = re.compile(r"[a-z](?:[a-z0-9_.-]*[a-z0-9_-])?")
_HASHED_SLUG = re.compile(rf"[a-z][a-z0-9_.-]*{_HASH_MARK}[0-9a-f]{{{_HASH_DIGITS}}}")
_NOT_IN_SLUG = re.compile(r"[^a-z0-9_.-]+")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def slug_of_service(service: str | None) -> str:
    """Return the name of a service's folder; None, of rows that name no service, has a slug of its own.

    Raises
    ------
    InvalidArgumentError
        The name is empty.
    """
    if service is None:
        return _hashed_slug("")
    if not service:
        raise InvalidArgumentError(
            "A ledger needs a service name of at least one character, but got ''. Name the service."
        )
    return service if _is_plain(service) else _hashed_slug(service)


def service_of_slug(slug: str) -> str | None:
    """Return the name behind a folder, or None where only the rows hold it."""
    return slug if _is_plain(slug) else None


def is_service_slug(text: str) -> bool:
    """Return whether `slug_of_service` could have made the text; a folder of another name was made by another tool."""
    return _is_plain(text) or _HASHED_SLUG.fullmatch(text) is not None


def sealed_path(lines: Path) -> Path:
    """Return the path of the Parquet file that a file of JSON lines is sealed into."""
    folder = lines.parents[3] / lines.parents[1].name / lines.parent.name
    return folder / f"{lines.stem}{PARQUET_SUFFIX}"


def check_run_id(run_id: object) -> str:
    """Give the run id back if it can name a file on any system.

    Raises
    ------
    InvalidArgumentError
        It is no text of 1 to 128 letters, digits and ``. _ -``, beginning with a letter or digit.
    """
    if not isinstance(run_id, str) or not is_run_id(run_id):
        raise InvalidArgumentError(
            "A run needs a run_id of 1 to 128 letters, digits and '._-' that begins with a letter or digit, "
            f"but got {run_id!r}. Use the form '20250101T120000Z-<pid>-<8 hex>'."
        )
    return run_id


def is_run_id(text: str) -> bool:
    """Return whether a text can name a file on any system."""
    return _RUN_ID.fullmatch(text) is not None


def is_hidden(name: str) -> bool:
    """Return whether readers pass over a file or folder of that name (``.`` and ``_`` first, as in Hive)."""
    return name.startswith((".", "_"))


def run_of_stem(stem: str) -> str:
    """Give the run of a file: its second file is ``<run_id>.2``, its first ``<run_id>``."""
    run, _, number = stem.rpartition(".")
    return run if run and number.isascii() and number.isdigit() else stem


def _is_plain(name: str) -> bool:
    return (
        len(name) <= _MAX_PLAIN
        and _PLAIN_SLUG.fullmatch(name) is not None
        and name not in _RESERVED
        and _HASHED_SLUG.fullmatch(name) is None
    )


def _hashed_slug(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{_make_readable(name)}{_HASH_MARK}{digest}"


def _make_readable(name: str) -> str:
    """Spell a name with the characters of a slug, as far as it can be."""
    text = name[:_MAX_PLAIN]
    if not text.isascii():
        import unicodedata  # loaded only for such a name

        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    text = _NOT_IN_SLUG.sub("-", text.lower()).strip("-._")[:_MAX_READABLE]
    if not text:
        return _UNNAMED
    return text if text[0].isalpha() else f"n{text}"
