"""A real kernel for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import Kernel, run_kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with run_kernel(tmp_path_factory.mktemp("notebook")) as kernel:
        assert not kernel.run("%load_ext memanalysis").error
        yield kernel


@pytest.fixture
def folder(kernel: Kernel) -> Path:
    """Where the kernel works."""
    return Path(kernel.client.resources["metadata"]["path"])
