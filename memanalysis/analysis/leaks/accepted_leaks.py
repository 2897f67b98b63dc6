"""Which of the leaks that were found are accepted, and which are new, by their fingerprints and a day."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Protocol

import numpy as np

from memanalysis.analysis.thresholds import DEFAULT_THRESHOLDS, Thresholds
from memanalysis.analysis.verdict import VERDICT_COLUMNS, Reason, VerdictFrame
from memanalysis.analysis.verdict_sentence import write_sentence
from memanalysis.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AcceptedLeak", "apply_known_leaks", "are_unaccepted", "mark_known"]

_CHANGED = ("known", "accepted_until", "accepted_reason", "reasons", "sentence")

_OF_ACCEPTANCE = (Reason.ACCEPTED, Reason.ACCEPTANCE_EXPIRED)


class AcceptedLeak(Protocol):
    """A leak that somebody accepted, such as ``policy.known.KnownLeak``."""

    @property
    def fingerprint(self) -> str:
        """As `fingerprint_leak` gives it."""

    @property
    def reason(self) -> str:
        """Why it may stay."""

    @property
    def expires(self) -> date:
        """The last day on which it may."""

    @property
    def service(self) -> str | None:
        """The only service in which it may; None: any."""


def apply_known_leaks(
    frame: VerdictFrame, thresholds: Thresholds, *, accepted: Iterable[AcceptedLeak] = (), today: date | None = None
) -> VerdictFrame:
    """Add whether each leak is accepted.

    Parameters
    ----------
    frame : VerdictFrame
        Verdicts with ``is_leak``, ``fingerprint`` and ``reasons``, and where anything is accepted ``service``.
    thresholds : Thresholds
        As every step takes them; no number is needed here.
    accepted : iterable of AcceptedLeak
        What somebody accepted.
    today : date, optional
        The day to judge by: an entry holds to the end of the day on which it expires. Needed where there are any.

    Returns
    -------
    VerdictFrame
        With ``known``, which is ``accepted``, ``expired`` or ``new``, and None where no leak was shown, and with
        ``accepted_until`` (a day as ISO 8601) and ``accepted_reason``. Neither the verdict nor its severity changes.
    """
    by_fingerprint = {leak.fingerprint: leak for leak in accepted}
    is_leak = np.asarray(frame["is_leak"], dtype=bool)
    until, why = np.full(is_leak.size, None, dtype=object), np.full(is_leak.size, None, dtype=object)
    known = np.where(is_leak, "new", until)
    reasons = frame["reasons"].copy()
    for i in np.flatnonzero(is_leak) if by_fingerprint else ():
        leak = by_fingerprint.get(frame["fingerprint"][i])
        if leak is None or leak.service not in (None, frame["service"][i]):
            continue
        if today is None:
            raise InvalidArgumentError("apply_known_leaks needs today= to judge acceptances, but got None. Pass a day.")
        is_valid = today <= leak.expires
        known[i], until[i], why[i] = "accepted" if is_valid else "expired", leak.expires.isoformat(), leak.reason
        reasons[i] = (*reasons[i], Reason.ACCEPTED if is_valid else Reason.ACCEPTANCE_EXPIRED)
    return frame | {"known": known, "accepted_until": until, "accepted_reason": why, "reasons": reasons}


def mark_known(
    verdicts: "pd.DataFrame",
    accepted: Iterable[AcceptedLeak],
    *,
    today: date,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> "pd.DataFrame":
    """Return finished verdicts with their acceptances: the last two steps, taken again.

    Parameters
    ----------
    verdicts : DataFrame
        What ``assess_samples`` gives.
    accepted : iterable of AcceptedLeak
        What somebody accepted.
    today : date
        The day to judge by: an entry holds to the end of the day on which it expires.
    thresholds : Thresholds, optional
        The numbers that the verdicts were judged by.

    Returns
    -------
    DataFrame
        The same rows, with ``known``, ``accepted_until``, ``accepted_reason``, ``reasons`` and ``sentence`` as
        `apply_known_leaks` and `write_sentence` give them.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    from memanalysis.analysis.input_frames import require_columns
    from memanalysis.analysis.verdict_frame import frame_from_table, table_from_frame

    require_columns("mark_known", verdicts, VERDICT_COLUMNS)
    before = frame_from_table(verdicts)
    cleared = [tuple(code for code in row if code not in _OF_ACCEPTANCE) for row in before["reasons"]]
    reasons = np.empty(len(cleared), dtype=object)
    reasons[:] = cleared
    marked = apply_known_leaks(before | {"reasons": reasons}, thresholds, accepted=accepted, today=today)
    table = table_from_frame(write_sentence(marked, thresholds), index=verdicts.index)
    return verdicts.assign(**{name: table[name] for name in _CHANGED})


def are_unaccepted(verdicts: "pd.DataFrame") -> "pd.Series[bool]":
    """Return which verdicts are leaks that nobody accepted, or whose acceptance has expired: what a gate fails on."""
    from memanalysis.analysis.input_frames import require_columns

    require_columns("are_unaccepted", verdicts, ["known"])
    return verdicts["known"].isin(["new", "expired"])
