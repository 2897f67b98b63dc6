"""Which engine finds the lines is chosen from what is asked for and what is there."""

import tracemalloc

import pytest

from memanalysis.watcher import trace_engine
from memanalysis.watcher.trace_engine import choose_engine


@pytest.fixture
def sampler_is(monkeypatch):
    """The compiled sampler is there (None), or missing for a reason."""
    return lambda reason: monkeypatch.setattr(trace_engine, "why_unavailable", lambda: reason)


@pytest.mark.parametrize("mode", ["windows", "full", "off"])
def test_what_needs_no_sampler_is_taken_as_asked(sampler_is, mode):
    sampler_is("it was not compiled")

    assert choose_engine(mode).name == mode


@pytest.mark.parametrize("mode", ["auto", "sampled"])
def test_the_sampler_is_taken_where_it_is_there(sampler_is, mode):
    sampler_is(None)

    assert choose_engine(mode).name == "sampled"


@pytest.mark.parametrize("mode", ["auto", "sampled"])
def test_without_the_sampler_windows_remain_and_the_reason_is_given(sampler_is, mode):
    sampler_is("it was not compiled")

    engine = choose_engine(mode)

    assert (engine.name, engine.reason) == ("windows", "The sampler is not there: it was not compiled.")


@pytest.mark.parametrize("mode", ["auto", "windows"])
def test_tracing_that_runs_already_is_joined(sampler_is, mode):
    sampler_is(None)
    tracemalloc.start(1)
    try:
        engine = choose_engine(mode)
    finally:
        tracemalloc.stop()

    assert (engine.name, engine.reason) == ("full", "tracemalloc traces already, which is joined.")
