from collections.abc import Mapping

import pandas as pd
import pytest

from memanalysis.analysis.leaks.site_ranking import rank_sites
from memanalysis.reports.site_history import choose_sites, read_site_lines
from memanalysis.units import MIB

START = pd.Timestamp("2025-06-15T15:00:00Z")


def sites_of(lines: Mapping[int, list[float]]) -> pd.DataFrame:
    """Rows of one run: by line of ``app.py``, MiB in each of its snapshots, ten seconds apart."""
    rows = [
        {
            "service": "api", "run_id": "r", "timestamp": START + pd.Timedelta(seconds=10 * at), "site_id": f"s{line}",
            "file": "app.py", "line": line, "function": "f", "size_bytes": round(mib * MIB),
        }
        for line, sizes in lines.items()
        for at, mib in enumerate(sizes)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_of_a_leak_the_lines_that_grow_come_first_and_crumbs_are_left_out() -> None:
    sites = sites_of({1: [1, 2, 3, 4, 5], 2: [9, 9, 9, 9, 9], 3: [0, 0.001, 0.002, 0.003, 0.004], 4: [0, 1, 2, 3, 3]})

    assert list(choose_sites(rank_sites(sites), sites, is_leak=True)["line"]) == [1, 4]


def test_the_line_that_keeps_what_leaked_is_shown_however_little_it_makes() -> None:
    """Twelve lines make 500 blocks of 40 KiB and more each, and a list of 8 bytes for each of them is line 99."""
    made = sites_of({line: [20 * at + line / 100 for at in (1, 2, 3, 4)] for line in range(12)})
    kept = sites_of({99: [4_000 * at / MIB for at in (1, 2, 3, 4)]})
    made["live_allocations"] = made["size_bytes"] // (40 * 1024)
    sites = pd.concat([made, kept.assign(live_allocations=1, file="registry.py")], ignore_index=True)
    shown = choose_sites(rank_sites(sites), sites, is_leak=True)

    assert len(shown) == 10
    assert shown[["file", "line", "is_retainer"]].iloc[-1].tolist() == ["registry.py", 99, True]


def test_without_a_leak_those_that_ever_held_the_most_come_first() -> None:
    """A batch of 24 MiB that is released before the end outranks what stays."""
    sites = sites_of({1: [0, 24, 0, 24, 0], 2: [1, 1, 1, 1, 1], 3: [0.001] * 5})
    chosen = choose_sites(rank_sites(sites), sites, is_leak=False)

    assert list(chosen["line"]) == [1, 2]
    assert list(chosen["peak_bytes"]) == [24 * MIB, MIB]


def test_one_line_is_shown_even_when_nothing_grew() -> None:
    sites = sites_of({1: [1, 1, 1], 2: [0.1, 0.1, 0.1]})

    assert len(choose_sites(rank_sites(sites), sites, is_leak=True)) == 1


def test_lines_over_time_are_on_the_clock_of_the_samples() -> None:
    sites = sites_of({1: [1, 2, 3], 2: [3, 2, 1]})
    samples = pd.DataFrame({"timestamp": [START - pd.Timedelta(seconds=5)]})
    lines = read_site_lines(sites, samples, rank_sites(sites))

    assert list(lines[lines["line"] == 2]["elapsed_s"]) == [5.0, 15.0, 25.0]
    assert list(lines[lines["line"] == 2]["size_bytes"]) == [3 * MIB, 2 * MIB, MIB]


def test_one_snapshot_is_no_line() -> None:
    sites = sites_of({1: [1]})

    assert read_site_lines(sites, pd.DataFrame({"timestamp": [START]}), rank_sites(sites)).empty
