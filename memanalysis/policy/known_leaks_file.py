"""Which leaks are known and accepted, and until when: the file ``known_leaks.yaml``.

::

    known_leaks:
      - fingerprint: leak-1a2b3c4d5e6f    # as `memanalysis assess` tells it
        reason: "session registry, fixed in 2.4 (#123)"
        expires: 2027-01-31               # the last day on which it is accepted
        service: api                      # optional: for no other service
        owner: team-payments              # optional: who answers for it
"""

import re
from dataclasses import dataclass, field
from datetime import date
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from memanalysis.policy.checks import Place, check_text, found
from memanalysis.policy.loader import read_text
from memanalysis.policy.sections import declare_key, parse_keys

__all__ = ["KnownLeak", "parse_known_leaks", "read_known_leaks"]

_FINGERPRINT = re.compile("leak-[0-9a-f]{12}")
_REQUIRED = {
    "fingerprint": "Write the fingerprint that memanalysis assess shows for the leak.",
    "reason": "Write why it may stay, for whoever reads it next year.",
    "expires": "Write the last day on which it is accepted, for example 2027-01-31.",
}


def _check_fingerprint(value: Any, place: Place) -> str:
    if isinstance(value, str) and _FINGERPRINT.fullmatch(value):
        return value
    raise place.error(
        f"needs a fingerprint, leak- and 12 digits from 0 to 9 and a to f, but got {found(value)}. "
        f"{_REQUIRED['fingerprint']}"
    )


def _check_date(value: Any, place: Place) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as exc:
        raise place.error(f"needs a date as year-month-day, but got {found(value)}. {_REQUIRED['expires']}") from exc


_check_reason = check_text("a reason", example='"fixed in 2.4, see issue 123"')
_check_name = check_text("a name", example="api")


@dataclass(frozen=True, slots=True)
class KnownLeak:
    """A leak that somebody accepted: its fingerprint, why, and the last day on which that holds."""

    fingerprint: str = field(metadata={"check": _check_fingerprint})
    reason: str = field(metadata={"check": _check_reason})
    expires: date = field(metadata={"check": _check_date})
    service: str | None = declare_key(None, _check_name)
    owner: str | None = declare_key(None, _check_name)


_EXAMPLE = KnownLeak("leak-1a2b3c4d5e6f", "fixed in 2.4", date(2027, 1, 31))


def read_known_leaks(path: str | PathLike[str]) -> tuple[KnownLeak, ...]:
    """Read and check a file of known leaks.

    Raises
    ------
    PolicyError
        No such file, not readable, not UTF-8, not YAML, or a wrong key or value: the text names file, line and key.
    """
    from memanalysis.policy.document import parse_document  # here, so that yaml is imported only when a file is read

    source = fspath(path)
    text = read_text(Path(path), Place(source), kind="file of known leaks", example="known_leaks.yaml")
    document = parse_document(text, source=source, needed="known leaks")
    return parse_known_leaks(document.data, place=Place(source, line_of=document.line_of))


def parse_known_leaks(data: Any, *, place: Place | None = None) -> tuple[KnownLeak, ...]:
    """Check what a file of known leaks holds: a mapping with the one key ``known_leaks``, a list of entries.

    Parameters
    ----------
    data : mapping
        What the file holds.
    place : Place, optional
        Where it stands, for errors.

    Raises
    ------
    PolicyError
        ``source:line: known_leaks[2].expires: what is needed, what was found. What to write.``
    """
    here = place or Place("known leaks")
    wrong = not isinstance(data, dict) or set(data) - {"known_leaks"}
    entries = None if wrong else data.get("known_leaks", [])
    below = here.child("known_leaks")
    if wrong:
        raise here.error(f"needs the one key known_leaks, but got {_name_keys(data)}. Write known_leaks: and the list.")
    if not isinstance(entries, list):
        raise below.error(f"needs a list of entries, but got {found(entries)}. Write [] for none.")
    leaks: dict[str, KnownLeak] = {}
    for index, entry in enumerate(entries):
        leak = _parse_entry(entry, below.child(index))
        if leak.fingerprint in leaks:
            problem = f"needs each fingerprint once, but got {leak.fingerprint} again. Remove one of the entries."
            raise below.child(index).child("fingerprint").error(problem)
        leaks[leak.fingerprint] = leak
    return tuple(leaks.values())


def _parse_entry(entry: Any, place: Place) -> KnownLeak:
    values = parse_keys(_EXAMPLE, entry, place)
    for key, cure in _REQUIRED.items():
        if key not in values:
            raise place.error(f"needs {', '.join(_REQUIRED)}, but got no {key}. {cure}")
    return KnownLeak(**values)


def _name_keys(data: Any) -> str:
    return f"the keys {', '.join(map(str, data))}" if isinstance(data, dict) else found(data)
