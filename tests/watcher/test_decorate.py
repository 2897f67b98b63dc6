"""A decorated function is watched from its first call that begins to its last that ends."""

import asyncio
from pathlib import Path

import pytest

from memanalysis.errors import InvalidArgumentError

THIS_FILE = Path(__file__)


def line_of(text):
    return next(number for number, line in enumerate(THIS_FILE.read_text().splitlines(), 1) if text in line)


def test_a_function_is_watched_while_it_runs(record, ledger):
    recorder = record()

    @recorder
    def work(number):
        """Work."""
        assert recorder.status().running
        return number + 1

    assert work(2) == 3
    assert work.__name__ == "work"
    assert work.__doc__ == "Work."
    assert not recorder.status().running
    assert len(ledger().runs) == 1


@pytest.mark.slow
def test_an_error_of_the_function_comes_through_and_ends_the_watching(record):
    recorder = record()

    @recorder
    def fail():
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fail()
    assert not recorder.status().running


@pytest.mark.slow
def test_async_functions_are_watched_until_the_last_one_ends(record):
    recorder = record()
    seen = []

    @recorder
    async def work(seconds):
        await asyncio.sleep(seconds)
        seen.append(recorder.status().running)
        return seconds

    async def both():
        return await asyncio.gather(work(0.01), work(0.05))

    assert asyncio.run(both()) == [0.01, 0.05]
    assert seen == [True, True]
    assert not recorder.status().running


@pytest.mark.slow
def test_generators_are_watched_until_they_end(record):
    recorder = record()

    @recorder
    def count():
        got = yield 1
        yield got
        return "end"

    numbers = count()
    assert next(numbers) == 1
    assert recorder.status().running
    assert numbers.send(7) == 7
    with pytest.raises(StopIteration, match="end"):
        next(numbers)
    assert not recorder.status().running


@pytest.mark.parametrize("thing", [3, int])
def test_what_is_no_function_cannot_be_decorated(record, thing):
    with pytest.raises(InvalidArgumentError, match="needs a plain, generator or async function"):
        record()(thing)


def test_an_async_generator_cannot_be_decorated(record):
    async def numbers():
        yield 1

    with pytest.raises(InvalidArgumentError, match="needs a plain, generator or async function"):
        record()(numbers)


@pytest.mark.slow
def test_what_a_decorated_function_allocates_is_its_own_and_not_the_tools(record, ledger):
    """The decorator of memanalysis stands in the traceback of all that the function allocates."""
    recorder = record()
    kept = []

    @recorder
    def work():
        kept.append(bytearray(700_000))
        recorder.snapshot_now()

    work()

    sites = ledger().sites
    assert sites["size_bytes"].max() == pytest.approx(700_000, abs=1000)
    assert sites.nlargest(1, "size_bytes")["line"].item() == line_of("kept.append(bytearray(700" + "_000))")
