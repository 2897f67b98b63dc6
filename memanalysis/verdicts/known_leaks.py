"""Join the file of known leaks with the verdicts, and write the text of new entries for it."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from os import PathLike

import pandas as pd

from memanalysis._text import make_printable
from memanalysis.analysis.leaks.accepted_leaks import mark_known
from memanalysis.errors import InvalidArgumentError
from memanalysis.policy.known_leaks_file import KnownLeak, read_known_leaks

__all__ = ["KnownLeaksSource", "apply_known_leaks", "render_known_leaks", "resolve_known_leaks"]

KnownLeaksSource = str | PathLike[str] | Iterable[KnownLeak] | None

PROPOSED_DAYS = 90
"""A proposed entry expires after this many days: a quarter is long enough to mend it or to think again."""


def resolve_known_leaks(source: KnownLeaksSource, *, call: str) -> tuple[KnownLeak, ...]:
    """Read what was given, unless it is read already; None is no known leak.

    Raises
    ------
    InvalidArgumentError
        It is neither a path nor entries; `call` names the verb in the text.
    PolicyError
        The file is broken.
    """
    if source is None:
        return ()
    if isinstance(source, (str, PathLike)):
        return read_known_leaks(source)
    entries = tuple(source) if isinstance(source, Iterable) else (None,)
    if all(isinstance(entry, KnownLeak) for entry in entries):
        return tuple(entry for entry in entries if entry is not None)
    raise InvalidArgumentError(
        f"{call} needs known_leaks= as a path or KnownLeak entries, but got {type(source).__name__}. "
        "Pass the path of a file of known leaks, or None for none."
    )


def apply_known_leaks(verdicts: pd.DataFrame, known: Iterable[KnownLeak], *, today: date | None) -> pd.DataFrame:
    """Mark what is accepted, as of the day given, or of today in UTC; without entries the verdicts are as they were."""
    entries = tuple(known)
    return mark_known(verdicts, entries, today=_find_day(today)) if entries else verdicts


def render_known_leaks(verdicts: pd.DataFrame, *, today: date | None = None) -> str:
    """Text of a file of known leaks with an entry for each leak that nobody has accepted.

    The reasons are empty, and a file with an empty reason is refused: somebody has to write them.
    """
    expires = _find_day(today) + timedelta(days=PROPOSED_DAYS)
    wanted = verdicts[verdicts["known"].isin(["new", "expired"])].drop_duplicates("fingerprint")
    if wanted.empty:
        return "known_leaks: []\n"
    lines = ["known_leaks:"]
    for service, fingerprint, sentence in wanted[["service", "fingerprint", "sentence"]].itertuples(index=False):
        lines += [f"  # {make_printable(sentence)}", f"  - fingerprint: {fingerprint}"]
        lines += [] if pd.isna(service) else [f"    service: {_quote(service)}"]
        lines += ["    reason:  # why it may stay", f"    expires: {expires.isoformat()}"]
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """Text as YAML reads it back, in visible characters of ASCII only."""
    import yaml

    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=False, width=float("inf"))
    return quoted.strip()


def _find_day(today: date | None) -> date:
    return datetime.now(UTC).date() if today is None else today
