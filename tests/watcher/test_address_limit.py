"""The limit of private memory of this process is lowered, and put back as it was."""

import resource
import sys

import pytest

from memanalysis.watcher import address_limit
from memanalysis.watcher.address_limit import AddressLimit, parse_private_bytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system does not limit private memory")
GIB = 2**30


@pytest.fixture(autouse=True)
def _no_library_that_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process have loaded some."""
    monkeypatch.setattr(address_limit, "ABORTING_LIBRARIES", frozenset())


def test_it_is_lowered_and_restored() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit = AddressLimit()
    try:
        limit.follow(limit_bytes=64 * GIB, rss_bytes=GIB)
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        assert limit.is_lowered
        assert 63 * GIB < soft < 80 * GIB
        assert hard == before[1]
    finally:
        limit.restore()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert not limit.is_lowered


def test_a_limit_that_the_program_set_meanwhile_stays() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit = AddressLimit()
    limit.follow(limit_bytes=64 * GIB, rss_bytes=GIB)
    resource.setrlimit(resource.RLIMIT_DATA, (100 * GIB, before[1]))
    try:
        limit.restore()
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == 100 * GIB
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_nothing_is_lowered_beside_a_library_that_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.setattr(address_limit, "ABORTING_LIBRARIES", frozenset({"sys"}))
    limit = AddressLimit()
    limit.follow(limit_bytes=64 * GIB, rss_bytes=GIB)

    assert not limit.is_lowered
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize("statm", ["", "1 2 3", "1 2 3 4 5 x 7"])
def test_a_text_that_is_none_is_unknown(statm: str) -> None:
    assert parse_private_bytes(statm, page_bytes=4096) is None
