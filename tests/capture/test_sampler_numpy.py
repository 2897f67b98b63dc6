"""The data of numpy arrays are sampled in every thread, and belong to whoever made the owner."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from needs import needs_sampler

from memanalysis.capture import sampler

BLOCK_BYTES = 16 * 2**20
"""32 sampling intervals: such a block is sampled for sure, and what is small beside it hardly ever."""

pytestmark = needs_sampler


@pytest.fixture(autouse=True)
def running() -> Iterator[None]:
    sampler.start()
    yield
    sampler.stop()


def sum_bytes(function: str) -> float:
    return sum(site.size_bytes for site in sampler.read_live().sites if function in site.functions)


def make_array() -> np.ndarray:
    return np.zeros(BLOCK_BYTES, dtype=np.uint8)


def test_arrays_of_the_main_thread_and_of_threads_are_seen():
    assert sampler.read_stats().is_numpy_followed
    kept = [make_array()]
    thread = threading.Thread(target=lambda: kept.append(make_array()))
    thread.start()
    thread.join()

    assert sum_bytes("make_array") == pytest.approx(2 * BLOCK_BYTES, abs=2000)
    kept.clear()
    assert sum_bytes("make_array") < BLOCK_BYTES / 10


def test_a_view_keeps_its_owner():
    view = make_array()[::2]
    view_of_view = view[:10]
    del view

    assert len(view_of_view) == 10
    assert sum_bytes("make_array") == pytest.approx(BLOCK_BYTES, abs=2000)


def test_an_array_resized_in_place_counts_once():
    array = make_array()
    array.resize(3 * BLOCK_BYTES, refcheck=False)

    sizes = [site.size_bytes for site in sampler.read_live().sites if site.size_bytes > BLOCK_BYTES / 2]
    assert sizes == pytest.approx([array.nbytes], abs=2000)


def test_arrays_from_before_the_start_and_after_the_stop_are_freed_as_ever():
    sampler.stop()
    before = make_array()
    sampler.start()
    kept = make_array()
    del before
    sampler.stop()
    del kept
    sampler.start()

    assert sum_bytes("make_array") == 0


def test_numpy_that_is_loaded_after_the_start_is_followed_from_the_next_check():
    code = (
        "from memanalysis.capture import sampler; import sys; sampler.start()\n"
        "assert 'numpy' not in sys.modules and sampler.check() and not sampler.read_stats().is_numpy_followed\n"
        "import numpy; sampler.check(); print(sampler.read_stats().is_numpy_followed)\n"
        "kept = numpy.zeros(2**24, dtype=numpy.uint8)\n"
        "print(any(site.size_bytes >= 2**24 for site in sampler.read_live().sites))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "True"]
