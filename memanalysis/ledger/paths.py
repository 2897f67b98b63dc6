"""What things are called inside a ledger's folder: names that no service or run can break out of, on any system.

A directory ledger is ``<root>/ledger.json`` and ``<root>/<table>/service=<encoded>/<stem>.jsonl`` or ``.parquet``. The
encoding is percent-encoding of UTF-8, as Hive, DuckDB, Polars and pyarrow decode it, so a partition reads back as the
service's name. A name too long for a folder is cut and marked with ``~`` and a hash; the rows always hold the true one.
"""

import hashlib
import re
from urllib.parse import quote, unquote

from memanalysis.errors import InvalidArgumentError

__all__ = [
    "JSONL_SUFFIX",
    "MARKER_NAME",
    "PARQUET_SUFFIX",
    "SERVICE_PREFIX",
    "check_run_id",
    "decode_service",
    "encode_service",
    "is_hidden",
    "is_run_id",
    "run_of_stem",
]

MARKER_NAME = "ledger.json"
SERVICE_PREFIX = "service="
JSONL_SUFFIX = ".jsonl"
PARQUET_SUFFIX = ".parquet"

_MAX_ENCODED = 200
"""Bytes of an encoded name: file systems allow 255 a name, and the prefix and a margin for copies are left free."""

_NO_SERVICE = "__HIVE_DEFAULT_PARTITION__"
"""Hive's folder of the rows whose partition is null."""

_HASH_DIGITS = 16
_CUT_MARK = "~"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def encode_service(service: str | None) -> str:
    """Folder-safe form of a service name: ASCII letters, digits and ``_ - .`` stay, all else is percent-encoded.

    None, of rows of a foreign file that name no service, is Hive's word for null.

    Raises
    ------
    InvalidArgumentError
        The name is empty.
    """
    if service is None:
        return _NO_SERVICE
    if not service:
        raise InvalidArgumentError(
            "A ledger needs a service name of at least one character, but got ''. Name the service."
        )
    encoded = _percent_encode(service)
    if len(encoded) > _MAX_ENCODED:
        digest = hashlib.sha256(service.encode()).hexdigest()[:_HASH_DIGITS]
        return _cut_to(service, _MAX_ENCODED - _HASH_DIGITS - 1) + _CUT_MARK + digest
    return encoded


def decode_service(encoded: str) -> tuple[str, bool]:
    """Give the name behind a folder, and whether it is whole (a cut name is found in the rows only)."""
    if encoded == _NO_SERVICE:
        return "", False
    return unquote(encoded, errors="replace"), _CUT_MARK not in encoded


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
    """Tell whether a text can name a file on any system."""
    return _RUN_ID.fullmatch(text) is not None


def is_hidden(name: str) -> bool:
    """Tell whether readers pass over a file or folder of that name (``.`` and ``_`` first, as in Hive)."""
    return name.startswith((".", "_"))


def run_of_stem(stem: str) -> str:
    """Give the run of a file: its second file is ``<run_id>.2``, its first ``<run_id>``."""
    run, _, number = stem.rpartition(".")
    return run if run and number.isascii() and number.isdigit() else stem


def _percent_encode(text: str) -> str:
    encoded = quote(text, safe="").replace(_CUT_MARK, "%7E")
    if encoded == _NO_SERVICE:
        encoded = "%5F" + encoded[1:]
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if encoded.endswith("."):  # Windows drops a dot at the end of a name
        encoded = encoded[:-1] + "%2E"
    return encoded


def _cut_to(service: str, room: int) -> str:
    kept: list[str] = []
    for character in service:  # whole characters only: half of one is no UTF-8, and readers refuse the folder
        encoded = _percent_encode(character)
        room -= len(encoded)
        if room < 0:
            break
        kept.append(encoded)
    return "".join(kept)
