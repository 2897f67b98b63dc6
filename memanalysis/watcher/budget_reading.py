"""How much memory counts against a service's budget now: the last known reading of what the policy names."""

from memanalysis.schema import BUDGET_METRICS, BYTE_METRICS, Row

__all__ = ["BudgetReading"]


class BudgetReading:
    """Remembers what is read now and then, so that each sample can be held against the budget.

    Attributes
    ----------
    column : str or None
        Column of ``samples`` that counted last; None while none is known.
    """

    def __init__(self) -> None:
        self.column: str | None = None
        self._last: dict[str, int] = {}

    def add(self, sample: Row, metric: str) -> int | None:
        """Take a sample, and return the bytes that count; None where none of the metric is known.

        Parameters
        ----------
        sample : row of ``samples``
        metric : str
            A word of ``BUDGET_METRICS``.
        """
        size: int | None
        for column in BUDGET_METRICS[metric]:
            size = sample.get(column)
            if column not in BYTE_METRICS:
                if size is not None:
                    self._last[column] = size
                size = self._last.get(column)
            if size is not None:
                self.column = column
                return size
        self.column = None
        return None
