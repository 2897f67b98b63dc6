"""Which of the leaks that were found are accepted, and which are new? By their fingerprints and a day."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd

from memanalysis.analysis.input_frames import require_columns

__all__ = ["AcceptedLeak", "count_unaccepted", "mark_known"]


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


def mark_known(verdicts: pd.DataFrame, accepted: Iterable[AcceptedLeak], *, today: date) -> pd.DataFrame:
    """Say of each leak whether it is accepted, in the column ``known`` and in the sentence.

    Parameters
    ----------
    verdicts : DataFrame
        What ``assess_samples`` gives.
    accepted : iterable of AcceptedLeak
        What somebody accepted.
    today : date
        The day to judge by: an entry holds to the end of the day on which it expires.

    Returns
    -------
    DataFrame
        The same rows; ``known`` is ``accepted``, ``expired`` or ``new``, and None where no leak was shown. Neither the
        verdict nor its severity changes.

    Raises
    ------
    MissingColumnError
        A column that is needed is not there.
    """
    require_columns("mark_known", verdicts, ("service", "is_leak", "fingerprint", "sentence"))
    by_fingerprint = {leak.fingerprint: leak for leak in accepted}
    are_leaks = verdicts["is_leak"].to_numpy(dtype=bool)
    known: list[str | None] = ["new" if is_leak else None for is_leak in are_leaks.tolist()]
    sentences = verdicts["sentence"].to_list()
    for place in np.flatnonzero(are_leaks & verdicts["fingerprint"].isin(list(by_fingerprint)).to_numpy(dtype=bool)):
        leak = by_fingerprint[verdicts["fingerprint"].iloc[place]]
        if leak.service in (None, verdicts["service"].iloc[place]):
            known[place] = _judge(leak, today)
            sentences[place] += f" {_describe(leak, today)}"
    return verdicts.assign(
        known=pd.Series(known, index=verdicts.index, dtype=object),
        sentence=pd.Series(sentences, index=verdicts.index, dtype=verdicts["sentence"].dtype),
    )


def count_unaccepted(verdicts: pd.DataFrame) -> int:
    """How many rows are leaks that nobody accepted, or that are accepted no longer: what a gate fails on."""
    require_columns("count_unaccepted", verdicts, ["known"])
    return int(verdicts["known"].isin(["new", "expired"]).sum())


def _judge(leak: AcceptedLeak, today: date) -> str:
    return "accepted" if today <= leak.expires else "expired"


def _describe(leak: AcceptedLeak, today: date) -> str:
    verb = "Accepted until" if _judge(leak, today) == "accepted" else "Was accepted until"
    return f"{verb} {leak.expires.isoformat()}: {leak.reason.rstrip('.')}."
