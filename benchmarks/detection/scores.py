"""Precision, recall, F1 and false alarms by source."""

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Score"]


@dataclass(slots=True)
class Score:
    """Counts of one detector."""

    hits: int = 0
    misses: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    silent: int = 0

    def add(self, name: str, *, is_leak: bool, is_called: bool) -> None:
        """Count one answer."""
        if is_leak:
            self.hits += is_called
            self.misses += [] if is_called else [name]
        else:
            self.silent += not is_called
            self.alarms += [name] if is_called else []

    def cells(self) -> list[str]:
        """Precision, recall, F1, false alarms, misses."""
        n_called, there = self.hits + len(self.alarms), self.hits + len(self.misses)
        precision = self.hits / n_called if n_called else float("nan")
        recall = self.hits / there if there else float("nan")
        f1 = 2 * self.hits / (n_called + there) if n_called + there else float("nan")
        quiet = self.silent + len(self.alarms)
        return [
            f"{precision:.2f}",
            f"{recall:.2f}",
            f"{f1:.2f}",
            f"{len(self.alarms)} of {quiet}",
            f"{len(self.misses)} of {there}",
        ]


def by_source(names: Iterable[str]) -> str:
    """How many of the names come from each source."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name.split("/")[0]] = counts.get(name.split("/")[0], 0) + 1
    return ", ".join(f"{source} {count}" for source, count in sorted(counts.items())) or "none"
