"""Which entries of a ledger are kept: the newest ``max_entries``, none older than ``max_age_days``.

Pure: the moment "now" is handed in.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from memanalysis.errors import InvalidArgumentError

__all__ = ["Dated", "retained"]

SECONDS_A_DAY = 86400.0


class Dated(Protocol):
    """Anything with a moment, in epoch seconds."""

    @property
    def epoch_s(self) -> float:
        """Epoch seconds."""


T = TypeVar("T", bound=Dated)


def retained(
    entries: Sequence[T], *, now: float, max_entries: int | None = None, max_age_days: float | None = None
) -> list[T]:
    """Entries that stay, in their order; None is no limit.

    Parameters
    ----------
    entries : sequence
        In the order they were recorded: of two, the later in the sequence is the newer.
    now : float
        Epoch seconds from which ages count; an entry of exactly ``max_age_days`` stays.
    max_entries : int, optional
        At most so many, the last of those not too old.
    max_age_days : float, optional
        None older than that, of 86,400 seconds each.

    Raises
    ------
    InvalidArgumentError
        A limit is negative.
    """
    for name, limit in (("max_entries", max_entries), ("max_age_days", max_age_days)):
        if limit is not None and limit < 0:
            raise InvalidArgumentError(
                f"Retention needs {name} of 0 or more, but got {limit!r}. Pass None for no limit."
            )
    kept = list(entries)
    if max_age_days is not None:
        oldest = now - max_age_days * SECONDS_A_DAY
        kept = [entry for entry in kept if entry.epoch_s >= oldest]
    if max_entries is not None:
        kept = kept[max(len(kept) - max_entries, 0) :]
    return kept
