"""Files of ``mprof run``: lines as memory_profiler 0.61 wrote them, and lines that it did not."""

import pytest

from memanalysis.errors import LedgerFormatError
from memanalysis.exchange.mprof_file import parse_mprof

MIB = 1024 * 1024

WRITTEN = b"""\
CMDLINE /usr/bin/python3 shop/leak.py --port 80
MEM 6.699219 1795970597.8730
FUNC __main__.work 11.0273 1795970597.9001 11.5000 1795970597.9500 1
MEM 11.027344 1795970597.9772
CHLD 24389 7.707031 1795970597.9800
MEM 16.714844 1795970598.0812
CHLD 24389 8.000000 1795970598.0900
"""


@pytest.mark.slow
def test_a_run_a_process_has_bytes_times_and_the_name_of_the_script() -> None:
    """MiB of 2**20 bytes: 6.699219 MiB are 7,024,640 bytes, 1,715 pages."""
    (program, child), left_out = parse_mprof(WRITTEN, name="m.dat")

    assert (program.service, program.pid, child.service, child.pid) == ("leak", None, "leak", 24389)
    assert [row["rss_bytes"] for row in program.samples] == [1715 * 4096, 2823 * 4096, 4279 * 4096]
    assert [row["timestamp"] for row in program.samples] == [1795970597.873, 1795970597.9772, 1795970598.0812]
    assert [row["elapsed_s"] for row in program.samples] == pytest.approx([0, 0.1042, 0.2082], abs=1e-5)
    assert [row["rss_bytes"] for row in child.samples] == [8081408, 8 * MIB]
    assert left_out == ["1 FUNC lines, which are no measurements over time"]


def test_the_last_sample_is_that_of_the_end_which_is_not_judged() -> None:
    runs, _ = parse_mprof(WRITTEN, name="m.dat")

    assert [[row.get("label") for row in run.samples] for run in runs] == [[None, None, "end"], [None, "end"]]


@pytest.mark.parametrize(
    ("first", "service"),
    [
        ("CMDLINE python -m shop.api --port 80\n", "shop.api"),
        ("CMDLINE ./server --port 80\n", "server"),
        ("CMDLINE python -c '\nimport sys\nMEMORY = 1\n'\n", "python"),
        ("", "mprofile_1"),
    ],
)
def test_a_service_is_named_by_the_command_line_which_may_have_lines(first: str, service: str) -> None:
    (run,), _ = parse_mprof(f"{first}MEM 1.0 1795970597.0\n".encode(), name="logs/mprofile_1.dat")

    assert (run.service, len(run.samples)) == (service, 1)


def test_a_last_line_without_its_end_is_left_out_because_its_number_may_be_cut() -> None:
    (run,), left_out = parse_mprof(b"MEM 1.0 1795970597.0\nMEM 2.0 17959", name="m.dat")

    assert len(run.samples) == 1
    assert left_out == ["the last line, which is cut off"]


def test_a_process_that_is_gone_has_no_memory_that_is_zero() -> None:
    """memory_profiler writes pid 0 and 0 MiB where a child cannot be read."""
    lines = b"MEM 1.0 1795970597.0\nCHLD 0 0.000000 1795970597.1\nMEM 0.000000 1795970598.0\n"

    (run,), _ = parse_mprof(lines, name="m.dat")

    assert [row["rss_bytes"] for row in run.samples] == [MIB, None]


def test_rows_lie_in_the_order_of_time_where_the_clock_was_set_back() -> None:
    (run,), _ = parse_mprof(b"MEM 1.0 1795970597.0\nMEM 2.0 1795970590.0\n", name="m.dat")

    assert [(row["seq"], row["elapsed_s"], row["rss_bytes"]) for row in run.samples] == [(0, 0, 2 * MIB), (1, 7, MIB)]


@pytest.mark.parametrize(
    "values", ["x 1795970597.0", "nan 1795970597.0", "-1 1795970597", "1.0", "1 2 3", "1e300 1", "1 0"]
)
def test_a_line_that_is_none_is_an_error_with_file_and_line(values: str) -> None:
    with pytest.raises(
        LedgerFormatError, match=r"^logs/m\.dat:3: MEM needs MiB and epoch seconds as two numbers, but got"
    ):
        parse_mprof(f"CMDLINE x\nMEM 1.0 1795970597.0\nMEM {values}\n".encode(), name="logs/m.dat")


def test_other_text_is_an_error_with_its_line() -> None:
    with pytest.raises(
        LedgerFormatError, match=r"^m\.dat:2: needs a line of mprof that begins with CMDLINE, MEM, CHLD"
    ):
        parse_mprof(b"MEM 1.0 1795970597.0\nhello\n", name="m.dat")
    with pytest.raises(LedgerFormatError, match=r"^m\.dat: needs MEM lines of mprof, but has none\."):
        parse_mprof(b"CMDLINE x\n", name="m.dat")
