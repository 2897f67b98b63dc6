"""Where rows wait that belong behind a URL: a ledger in a folder of this machine, one for each URL.

What is sealed there is uploaded and then removed; what a dead network or a killed process left is taken along by the
next run that writes to the same URL, or by ``memanalysis compact URL``. Standard library only.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["SPOOL_VARIABLE", "is_url", "local_path", "spool_folder"]

SPOOL_VARIABLE = "MEMANALYSIS_SPOOL"
"""Environment variable: folder of all spools, in place of ``~/.local/state/memanalysis``."""

_HASH_DIGITS = 16


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether it is a URL that is spooled; a path or a ``file://`` names a place on this machine."""
    text = os.fspath(path)
    return isinstance(text, str) and ("://" in text or "::" in text) and not text.startswith("file://")


def local_path(path: str | os.PathLike[str]) -> Path:
    """Path of this machine, also of a ``file://`` URL."""
    text = os.fspath(path)
    if not text.startswith("file://"):
        return Path(text)
    from urllib.request import url2pathname  # loads half of the network's modules

    return Path(url2pathname(urlsplit(text).path))


def spool_folder(url: str) -> Path:
    """Folder for what goes to a URL: the same in every run of a user, and outlasting a restart if there is a home."""
    digest = hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:_HASH_DIGITS]
    given = os.environ.get(SPOOL_VARIABLE) or os.environ.get("XDG_STATE_HOME")
    if given:
        base = Path(given) / ("" if os.environ.get(SPOOL_VARIABLE) else "memanalysis")
    else:
        home = Path(os.path.expanduser("~"))  # noqa: PTH111  pathlib's fails where there is no home
        own = home / ".local" / "state" / "memanalysis"
        usable = home.is_dir() and os.access(home, os.W_OK)
        base = own if usable else Path(tempfile.gettempdir()) / f"memanalysis-{home.name}"
    return base / digest
