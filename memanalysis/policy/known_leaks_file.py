"""Which leaks are known and accepted, and until when: the file ``known_leaks.yaml``.

::

    known_leaks:
      - fingerprint: leak-1a2b3c4d5e6f    # as `memanalysis assess` shows it
        reason: "session registry, fixed in 2.4 (#123)"
        expires: 2027-01-31               # the last day on which it is accepted
        service: api                      # optional: for no other service
        owner: team-payments              # optional: who answers for it
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from os import PathLike, fspath
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from memanalysis.errors import PolicyError
from memanalysis.policy.loader import read_text
from memanalysis.policy.places import Place, Problems, found, join_errors
from memanalysis.policy.validation import BROKEN, parse_keys

__all__ = ["KnownLeak", "parse_known_leaks", "read_known_leaks"]

_REQUIRED = {
    "fingerprint": "Write the fingerprint that memanalysis assess shows for the leak.",
    "reason": "Write why it may stay, for whoever reads it next year.",
    "expires": "Write the last day on which it is accepted, for example 2027-01-31.",
}


Fingerprint = Annotated[
    str,
    Meta(
        pattern="^leak-[0-9a-f]{12}$",
        extra={
            "needed": "a fingerprint, leak- and 12 digits from 0 to 9 and a to f",
            "cure": _REQUIRED["fingerprint"],
        },
    ),
]
Reason = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=r"\S",
        extra={"needed": "a reason", "cure": 'Write for example "fixed in 2.4, see issue 123".'},
    ),
]
LastDay = Annotated[date, Meta(extra={"needed": "a date as year-month-day", "cure": _REQUIRED["expires"]})]
OwnName = Annotated[
    Annotated[str, Meta(min_length=1, pattern=r"\S")] | None,
    Meta(extra={"needed": "a name", "cure": "Write for example api."}),
]


@dataclass(frozen=True, slots=True)
class KnownLeak:
    """A leak that somebody accepted: its fingerprint, why, and the last day on which that holds."""

    fingerprint: Fingerprint
    reason: Reason
    expires: LastDay
    service: OwnName = None
    owner: OwnName = None


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
    place = Place(source, line_of=document.line_of)
    return parse_known_leaks(document.data, place=place, problems=document.problems)


def parse_known_leaks(
    data: Any, *, place: Place | None = None, problems: Sequence[PolicyError] = ()
) -> tuple[KnownLeak, ...]:
    """Check what a file of known leaks holds: a mapping with the one key ``known_leaks``, a list of entries.

    Parameters
    ----------
    data : mapping
        What the file holds.
    place : Place, optional
        Where it stands, for errors.
    problems : sequence of PolicyError
        What is known to be wrong already, such as keys that stand twice.

    Raises
    ------
    PolicyError
        ``source:line: known_leaks[2].expires: what is needed, what was found. What to write.``
    """
    here = place or Place("known leaks")
    wrong: Problems = list(problems)
    leaks = _parse_entries(data, here, wrong)
    if wrong:
        raise join_errors(wrong)
    return leaks


def _parse_entries(data: Any, here: Place, problems: Problems) -> tuple[KnownLeak, ...]:
    if not isinstance(data, dict) or set(data) - {"known_leaks"}:
        problems.append(here.error("the one key known_leaks", _name_keys(data), "Write known_leaks: and the list."))
        return ()
    below, entries = here.child("known_leaks"), data.get("known_leaks", [])
    if not isinstance(entries, list):
        if entries is not BROKEN:
            problems.append(below.error("a list of entries", found(entries), "Write [] for none."))
        return ()
    leaks: dict[str, KnownLeak] = {}
    for index, entry in enumerate(entries):
        at = below.child(index)
        leak = None if entry is BROKEN else _parse_entry(entry, at, problems)
        if leak is not None and leak.fingerprint in leaks:
            again = at.child("fingerprint")
            cure = "Remove one of the entries."
            problems.append(again.error("each fingerprint once", f"{leak.fingerprint} again", cure))
        elif leak is not None:
            leaks[leak.fingerprint] = leak
    return tuple(leaks.values())


def _parse_entry(entry: Any, place: Place, problems: Problems) -> KnownLeak | None:
    before = len(problems)
    values = parse_keys(_EXAMPLE, entry, place, problems)
    for key, cure in _REQUIRED.items():
        if key not in values and isinstance(entry, dict) and key not in entry:
            problems.append(place.error(", ".join(_REQUIRED), f"no {key}", cure))
    return None if len(problems) > before or _REQUIRED.keys() - values.keys() else KnownLeak(**values)


def _name_keys(data: Any) -> str:
    return f"the keys {', '.join(map(str, data))}" if isinstance(data, dict) else found(data)
