"""A block measured by the sampler, statement by statement."""

import gc
import importlib
from collections.abc import Iterator

import pytest
from needs import needs_sampler

from memanalysis.capture import sampler
from memanalysis.capture.notebook_cells import register_cell
from memanalysis.notebook.cell_memory import CellMemory
from memanalysis.notebook.lines import Place
from memanalysis.notebook.sampled_cell import SampledCell

pytestmark = needs_sampler

MIB = 2**20
CELL = "In[907]"


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    register_cell("<sampled cell>", CELL)
    yield
    sampler.stop()


def call(depth: int) -> bytearray:
    """Allocate so deep."""
    return call(depth - 1) if depth else bytearray(65_536)


def measure(*statements: str) -> CellMemory:
    """Run statements as lines of one cell; the record of their memory."""
    names: dict[str, object] = {}
    codes = [compile("\n" * line + text, "<sampled cell>", "exec") for line, text in enumerate(statements)]
    cell = SampledCell()
    cell.start()
    for line, code in enumerate(codes, start=1):
        cell.before_statement(Place(CELL, line))
        exec(code, names)  # noqa: S102 - it stands for a cell
        cell.after_statement()
    cell.end()
    return cell.finish()


def test_the_highest_point_is_composed_of_what_lived_then() -> None:
    """16 MiB are kept, 64 MiB live for a while, and 8 MiB come after: 80 MiB at the highest."""
    memory = measure(
        f"kept = bytearray({16 * MIB})", f"gone = len(bytearray({64 * MIB}))", f"late = bytearray({8 * MIB})"
    )

    highest, retained = (
        {line.place.line: line.size_bytes for line in lines if line.place.file == CELL}  # not what runs the cell here
        for lines in (memory.highest, memory.retained)
    )
    assert highest == {2: pytest.approx(64 * MIB, rel=0.01), 1: pytest.approx(16 * MIB, rel=0.01)}
    assert retained == {1: pytest.approx(16 * MIB, rel=0.01), 3: pytest.approx(8 * MIB, rel=0.01)}
    assert memory.peak_place == Place(CELL, 2)
    assert memory.native_peak_bytes == 0


def test_what_was_allocated_and_not_touched_is_said_to_be_not_resident() -> None:
    """The system gives zeroed pages when they are first written."""
    importlib.import_module("numpy")  # some megabytes of its own, once
    memory = measure("import numpy", f"untouched = numpy.zeros({64 * MIB}, dtype='int8')")

    assert not memory.is_resident
    assert memory.peak_bytes == pytest.approx(64 * MIB, rel=0.05)
    assert memory.rss_peak_bytes is not None
    assert memory.rss_peak_bytes < 32 * MIB


def test_a_block_of_nothing_adds_nothing() -> None:
    memory = measure("pass")

    lines = [*memory.highest, *memory.retained]  # what runs the cell here allocates, and is sampled now and then
    assert [line for line in lines if line.place.file == CELL] == []
    assert memory.native_retained_bytes == 0


def test_what_was_read_is_let_go_with_the_measurement() -> None:
    """What many stacks hold takes megabytes, and the cell's record may wait for the next full collection."""
    cell = SampledCell()
    cell.start()
    cell.before_statement(Place(CELL, 1))
    kept = [call(depth) for depth in range(100) for _ in range(20)]
    cell.after_statement()
    gc.collect()
    n_read = len(gc.get_objects())
    cell.finish()
    n_left = len(gc.get_objects())

    assert len(kept) == 2000
    assert n_left < n_read - 80
