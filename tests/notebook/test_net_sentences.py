"""What the sentences about a cell's holders give as sizes, from costs whose figures are known."""

import pytest

from memanalysis.notebook.cell_memory import CellMemory
from memanalysis.notebook.curve import MemoryCurve
from memanalysis.notebook.measure import CellCost, HighWater
from memanalysis.notebook.named_values import NamedValue
from memanalysis.notebook.net_change import NetChange
from memanalysis.notebook.net_sentences import describe_holders
from memanalysis.units import MIB


def cost_of(value_mib: float, *, retained_mib: float) -> CellCost:
    """Return the cost of a cell that made one value, and retained so much."""
    size_bytes = int(value_mib * MIB)
    value = NamedValue("named", "named", size_bytes, n_items=0, kind=bytes, reference=None)
    return CellCost(
        label="In[3]",
        seconds=1.0,
        rss=HighWater(before=100 * MIB, peak=130 * MIB, after=110 * MIB),
        curve=MemoryCurve(),
        memory=CellMemory(peak_bytes=30 * MIB),
        retained_bytes=int(retained_mib * MIB),
        net=NetChange(made=[value]),
    )


@pytest.mark.parametrize(
    ("value_mib", "retained_mib", "shown"),
    [
        (4.0, 4.0, "4.0 MiB"),
        (4.0, 3.9, "4.0 MiB"),  # the cell freed a little that was there before it
        (4.0, 6.0, "4.0 MiB"),
        (4.0, 2.0, "2.0 MiB"),  # the rest of the value was there before the cell
    ],
)
def test_a_value_has_its_own_size_unless_much_less_was_retained(value_mib, retained_mib, shown):
    sentences = describe_holders(cost_of(value_mib, retained_mib=retained_mib))

    assert sentences == [f"Held by `named` ({shown}). `del named` lets go."]


@pytest.mark.parametrize("retained_mib", [-1.0, 0.0, 0.5])
def test_a_value_that_was_there_before_the_cell_is_no_holder(retained_mib):
    assert describe_holders(cost_of(4.0, retained_mib=retained_mib)) == []
