"""The line that holds what was allocated since growth began, by the real sampler."""

from pathlib import Path

from needs import needs_sampler

from memanalysis.capture import sampler
from memanalysis.capture.growing_line import SAMPLED_FROM_BYTES, GrowthSampling

pytestmark = needs_sampler


def test_growth_is_sampled_and_the_line_that_holds_it_named() -> None:
    sampling = GrowthSampling()
    sampling.on_reading(0)
    sampling.on_reading(SAMPLED_FROM_BYTES - 1)
    assert not sampler.is_running()
    assert sampling.find_line() is None
    try:
        sampling.on_reading(SAMPLED_FROM_BYTES)
        held = [bytearray(100_000) for _ in range(200)]
        found = sampling.find_line()
    finally:
        sampling.stop()

    line = next(n for n, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "held = [bytearray" in text)
    assert found == (__file__, line)
    assert len(held) == 200
    assert not sampler.is_running()


def test_a_sampler_that_runs_already_goes_on() -> None:
    assert sampler.start()
    try:
        sampling = GrowthSampling()
        sampling.on_reading(0)
        sampling.on_reading(SAMPLED_FROM_BYTES)
        sampling.stop()
        assert sampler.is_running()
    finally:
        sampler.stop()
