"""Which entries of a ledger are kept: the newest ``max_entries``, none older than ``max_age_days``.

Pure, and standard library only: the moment "now" is handed in. `Retention` is what is wanted of a folder, where whole
files are dropped (`apply_retention` does that); `retained` picks entries one by one, as in the JSON array.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, TypeVar

from memanalysis.errors import InvalidArgumentError

__all__ = ["SECONDS_A_DAY", "Dated", "Retention", "retained"]

SECONDS_A_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What a folder keeps; None is no limit.

    Parameters
    ----------
    max_entries : int, optional
        Samples of each service: this number of the newest stay, and what lies in one file with them.
    max_age_days : float, optional
        A file whose newest row is older is dropped.
    max_bytes : int, optional
        Of all sealed files: the oldest are dropped until the rest is under it.
    downsample_after_days : float, optional
        Samples in files whose newest row is older become three rows an interval: minimum, maximum and mean.
    downsample_interval_s : float
        Length of such an interval.

    Raises
    ------
    InvalidArgumentError
        A limit is negative, or the interval not above 0.
    """

    max_entries: int | None = None
    max_age_days: float | None = None
    max_bytes: int | None = None
    downsample_after_days: float | None = None
    downsample_interval_s: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("max_entries", "max_age_days", "max_bytes", "downsample_after_days"):
            _check_limit(name, getattr(self, name))
        if not self.downsample_interval_s > 0:
            raise InvalidArgumentError(
                f"Retention needs downsample_interval_s above 0, but got {self.downsample_interval_s!r}. Pass seconds."
            )

    def to_mapping(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Retention":
        """Make it of plain values."""
        return cls(**{field.name: mapping[field.name] for field in fields(cls) if field.name in mapping})


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
        At most this number, the last of those not too old.
    max_age_days : float, optional
        None older than that, of 86,400 seconds each.

    Raises
    ------
    InvalidArgumentError
        A limit is negative.
    """
    for name, limit in (("max_entries", max_entries), ("max_age_days", max_age_days)):
        _check_limit(name, limit)
    kept = list(entries)
    if max_age_days is not None:
        oldest = now - max_age_days * SECONDS_A_DAY
        kept = [entry for entry in kept if entry.epoch_s >= oldest]
    if max_entries is not None:
        kept = kept[max(len(kept) - max_entries, 0) :]
    return kept


def _check_limit(name: str, limit: float | None) -> None:
    if limit is not None and not limit >= 0:
        raise InvalidArgumentError(f"Retention needs {name} of 0 or more, but got {limit!r}. Pass None for no limit.")
