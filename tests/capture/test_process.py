"""Readings of real processes, held against psutil and against what the test itself allocates."""

import contextlib
import ctypes
import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from processes import running

from memanalysis.capture.process import (
    ProcessReader,
    parse_pss_bytes,
    parse_rss_pages,
    parse_uss_bytes,
    read_allocator_free_bytes,
    read_allocator_used_bytes,
    read_limit_bytes,
)
from memanalysis.units import KIB, MIB

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

ROLLUP = """\
5597ebd99000-7ffd4821b000 ---p 00000000 00:00 0                          [rollup]
Rss:                1620 kB
Pss:                 330 kB
Pss_Dirty:           112 kB
Shared_Clean:       1464 kB
Private_Clean:        44 kB
Private_Dirty:       112 kB
Private_Hugetlb:       4 kB
"""


def fill(size_bytes):
    """Memory of its own pages, really used; given back when closed. No copy is made, which the heap would keep."""
    block = mmap.mmap(-1, size_bytes)
    for place in range(0, size_bytes, mmap.PAGESIZE):
        block[place] = 1
    return block


def test_resident_memory_is_what_psutil_reads():
    with ProcessReader() as reader:
        assert reader.read_rss_bytes() == pytest.approx(psutil.Process().memory_info().rss, abs=MIB)


def test_resident_memory_follows_what_is_allocated():
    with ProcessReader() as reader:
        before = reader.read_rss_bytes()
        block = fill(32 * MIB)
        during = reader.read_rss_bytes()
        block.close()

        assert during - before == pytest.approx(32 * MIB, abs=2 * MIB)
        assert reader.read_rss_bytes() == pytest.approx(before, abs=2 * MIB)


def test_pss_and_uss_are_what_psutil_reads():
    full = psutil.Process().memory_full_info()
    with ProcessReader() as reader:
        assert reader.read_uss_bytes() == pytest.approx(full.uss, abs=2 * MIB)
        assert reader.read_pss_bytes() == pytest.approx(full.pss, abs=2 * MIB)
        assert reader.read_pss_and_uss_bytes() == pytest.approx((full.pss, full.uss), abs=2 * MIB)


def test_another_process_is_read_and_is_unknown_when_it_is_gone():
    child = subprocess.Popen(
        [sys.executable, "-c", "data = b'x' * (40 << 20); print('ready', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child, ProcessReader(child.pid) as reader:
        assert child.stdout.readline() == b"ready\n"
        assert reader.read_rss_bytes() > 40 * MIB
        assert reader.read_uss_bytes() > 40 * MIB
        child.communicate(b"\n")

        assert reader.read_rss_bytes() is None
        assert reader.read_uss_bytes() is None
        assert reader.read_pss_bytes() is None


@linux_only
def test_a_forked_child_reads_itself_and_not_its_parent():
    """The child allocates 64 MiB: its own reading has them, and the parent's has not."""
    with ProcessReader() as reader:
        before = reader.read_rss_bytes()
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            block = fill(64 * MIB)
            os.write(write_end, str(reader.read_rss_bytes()).encode())
            block.close()
            os._exit(0)
        os.close(write_end)
        in_child = int(os.read(read_end, 32))
        os.close(read_end)
        os.waitpid(pid, 0)

        assert in_child >= 64 * MIB
        assert reader.read_rss_bytes() == pytest.approx(before, abs=4 * MIB)


@linux_only
def test_a_descriptor_closed_by_the_host_is_opened_again():
    """A program that becomes a daemon closes every descriptor that it finds."""
    with ProcessReader() as reader:
        before = reader.read_rss_bytes()
        os.close(reader._statm._descriptor.number)

        assert reader.read_rss_bytes() == pytest.approx(before, abs=MIB)


@linux_only
def test_a_descriptor_number_that_went_to_another_file_is_neither_read_nor_closed(tmp_path):
    (tmp_path / "other").write_bytes(b"not a statm")
    reader = ProcessReader()
    before = reader.read_rss_bytes()
    taken = reader._statm._descriptor.number
    other = os.open(tmp_path / "other", os.O_RDONLY)
    os.dup2(other, taken)
    os.close(other)
    try:
        assert reader.read_rss_bytes() == pytest.approx(before, abs=MIB)
        reader.close()
        assert os.read(taken, 20) == b"not a statm"
    finally:
        os.close(taken)


@linux_only
def test_closing_leaves_no_descriptor_open():
    before = psutil.Process().num_fds()
    with ProcessReader() as reader:
        reader.read_rss_bytes()
    reader.close()

    assert psutil.Process().num_fds() == before


def test_without_proc_psutil_is_asked(monkeypatch):
    monkeypatch.setattr("memanalysis.capture.process._has_proc", lambda: False)
    info = psutil.Process().memory_full_info()
    reader = ProcessReader()

    assert reader.read_rss_bytes() == pytest.approx(info.rss, abs=MIB)
    assert reader.read_uss_bytes() == pytest.approx(info.uss, abs=2 * MIB)
    assert reader.read_pss_and_uss_bytes()[1] == pytest.approx(info.uss, abs=2 * MIB)


def test_without_proc_a_process_that_is_gone_is_unknown(monkeypatch):
    monkeypatch.setattr("memanalysis.capture.process._has_proc", lambda: False)
    with running(subprocess.Popen([sys.executable, "-c", ""])) as child:
        child.wait()

    assert ProcessReader(child.pid).read_rss_bytes() is None


@pytest.mark.parametrize(
    ("statm", "pages"),
    [(b"1834 405 366 1 0 112 0\n", 405), (b"not a statm", None), (b"", None), (b"1 2 3\n", None)],
)
def test_statm_gives_its_second_number_and_other_bytes_give_nothing(statm, pages):
    assert parse_rss_pages(statm) == pages


def test_rollup_gives_pss_and_the_private_pages():
    """Saved text; 44 + 112 + 4 kB are private."""
    assert parse_pss_bytes(ROLLUP) == 330 * KIB
    assert parse_uss_bytes(ROLLUP) == 160 * KIB


def test_a_rollup_without_the_fields_is_unknown():
    assert parse_pss_bytes("") is None
    assert parse_uss_bytes("Rss: 12 kB\n") is None


def test_the_limit_is_bytes_or_none():
    limit = read_limit_bytes()

    assert limit is None or limit > MIB


def test_the_limit_of_a_process_that_is_not_there_is_none():
    assert read_limit_bytes(2**22 + 1) is None


@pytest.mark.skipif(read_allocator_used_bytes() is None, reason="the C library does not show it")
def test_what_the_allocator_hands_out_is_counted_to_the_byte():
    """malloc(3) rounds up to 16 bytes with a header of 8."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    before = read_allocator_used_bytes()
    blocks = [libc.malloc(20_000) for _ in range(50)]
    used = read_allocator_used_bytes() - before
    for block in blocks:
        libc.free(block)

    assert 50 * 20_008 <= used < 50 * 20_100


def test_the_allocators_free_bytes_are_known_with_glibc():
    free = read_allocator_free_bytes()

    assert free is None or 0 <= free < 2**40
    if sys.platform == "linux" and os.confstr("CS_GNU_LIBC_VERSION"):
        assert free is not None


def test_threads_and_descriptors_are_those_that_the_system_counts():
    """psutil counts them on its own, and a descriptor that it opens for that."""
    waiting = threading.Event()
    threads = [threading.Thread(target=waiting.wait) for _ in range(3)]
    with ProcessReader() as reader, contextlib.ExitStack() as opened:
        for thread in threads:
            thread.start()
        for _ in range(5):
            opened.enter_context(Path("/dev/null").open())
        info = psutil.Process()
        try:
            assert reader.read_thread_count() == info.num_threads()
            assert reader.read_descriptor_count() == info.num_fds() - 1
        finally:
            waiting.set()
            for thread in threads:
                thread.join()


def test_of_a_process_that_is_gone_they_are_unknown():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    with ProcessReader(done.pid) as reader:
        assert reader.read_thread_count() is None
        assert reader.read_descriptor_count() is None
