"""Name a part of a ledger: some of its folders, and of their rows those of some runs."""

from dataclasses import dataclass

__all__ = ["WHOLE", "LedgerPart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPart:
    """What one piece of work reads of a ledger; all of it where nothing is set.

    Parameters
    ----------
    partitions : tuple of str, optional
        Folders ``service_key=<slug>``.
    run_ids : tuple of str, optional
        Of their rows those of these runs; None among them are rows without a run.
    """

    partitions: tuple[str, ...] | None = None
    run_ids: tuple[str | None, ...] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the ledger."""
        return self.partitions is None and self.run_ids is None


WHOLE = LedgerPart()
"""All of a ledger."""
