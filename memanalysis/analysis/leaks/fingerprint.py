"""The fingerprint of a leak: a short hash that stays the same from run to run, to recognize it by.

It is taken of the service and of where the leak is. Where a line is responsible, that is the end of its file's name and
its function: lines move from release to release, and folders from host to host. Where none is, it is the origin and the
metric. Two leaks in one function of one service share a fingerprint; the same leak has another where once a line is
named and once none.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from memanalysis.analysis.leaks.library_files import LIBRARY_FILE
from memanalysis.analysis.thresholds import Thresholds
from memanalysis.analysis.verdict import VerdictFrame

__all__ = ["add_fingerprint", "fingerprint_leak", "shorten_file"]

PREFIX = "leak-"
"""So that YAML takes no fingerprint for a number, and people find it by name."""

FINGERPRINT_DIGITS = 12
"""48 bits: of 10,000 leaks two agree by chance once in five million collections."""

KEPT_FOLDERS = 1
"""Folders kept of a file outside of installed packages: with more, each checkout would have its own leaks."""

_HASHED = ("service", "origin", "metric", "responsible_file", "responsible_function")

_CELL_FOLDER = re.compile(r".*/ipykernel_\d+/(.+)")


def add_fingerprint(frame: VerdictFrame, thresholds: Thresholds) -> VerdictFrame:
    """Add the fingerprint of each leak.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts with ``is_leak``, ``service``, ``origin``, ``metric`` and the line that is responsible.
    thresholds : Thresholds
        As every step takes them; no number is needed here.

    Returns
    -------
    VerdictFrame
        With ``fingerprint``: None where no leak was shown, or where the service is not known.
    """
    fingerprints = np.full(len(frame["is_leak"]), None, dtype=object)
    for i in np.flatnonzero(frame["is_leak"]) if "service" in frame else ():
        fingerprints[i] = fingerprint_leak({name: frame[name][i] for name in _HASHED})
    return frame | {"fingerprint": fingerprints}


def fingerprint_leak(verdict: Mapping[str, Any]) -> str:
    """Hash what stays the same of one leak.

    Parameters
    ----------
    verdict : mapping
        ``service``, ``origin``, ``metric``, ``responsible_file`` and ``responsible_function`` of a row of the verdict
        frame.

    Returns
    -------
    str
        ``leak-`` and twelve hexadecimal digits: BLAKE2b of the service, and of the shortened file with its function (of
        the file alone where the function is not known), or of origin and metric where no line is responsible.
    """
    file, function = verdict["responsible_file"], verdict["responsible_function"]
    if isinstance(file, str) and file:
        where = ["line", shorten_file(file), function if isinstance(function, str) else ""]
    else:
        where = ["no line", str(verdict["origin"]), str(verdict["metric"])]
    text = "\0".join([str(verdict["service"]), *where])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=FINGERPRINT_DIGITS // 2).hexdigest()
    return f"{PREFIX}{digest}"


def shorten_file(file: str) -> str:
    """End of a file's name that is the same on every machine, such as ``pandas/core/frame.py`` or ``app/views.py``.

    What comes after site-packages or the folder of the standard library is kept whole; of other files the name and the
    folder that it is in; of a notebook's cell its number.
    """
    name = file.replace("\\", "/")
    for pattern in (LIBRARY_FILE, _CELL_FOLDER):
        match = pattern.fullmatch(name)
        if match is not None:
            return str(next(part for part in match.groups() if part))
    return "/".join(name.rsplit("/", KEPT_FOLDERS + 1)[-(KEPT_FOLDERS + 1) :])
