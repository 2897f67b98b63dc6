"""Lines of code that a magic compiled under a name of its own."""

import pytest

from memanalysis.capture.notebook_cells import register_cell
from memanalysis.notebook.nested_cells import body_offset, forget_body, locate, register_body


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raw_cell", "offset"),
    [
        ("x = 1", 0),
        ("%%memwatch\nx = 1", 0),
        ("%%memwatch --top 3\n%%time\nx = 1", 2),
        ("%%time\n%%memwatch\n\nx = 1", 1),
    ],
)
def test_the_body_begins_below_the_magics(raw_cell: str, offset: int) -> None:
    assert body_offset(raw_cell) == offset


def test_the_body_of_a_magic_is_the_cell_while_it_is_measured() -> None:
    register_body("In[7]", 2)
    measured = locate("<timed exec>", 3)
    forget_body()

    assert measured == ("In[7]", 5)
    assert locate("<timed exec>", 3) is None


def test_code_of_files_is_in_no_cell() -> None:
    register_cell("<test of nested cells>", "In[3]")

    assert locate("<test of nested cells>", 4) == ("In[3]", 4)
    assert locate(__file__, 4) is None
