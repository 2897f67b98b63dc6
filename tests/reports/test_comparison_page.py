"""The page of a comparison: every change with its interval, and nothing of a name that is run or fetched."""

import math
from pathlib import Path
from typing import Any

import pytest
from ledger_makers import LedgerMaker

from memanalysis import compare
from memanalysis.reports.comparison_page import render_comparison_page
from memanalysis.units import MIB

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A service that holds 20 MiB less than before, one that now leaks 0.5 MiB/s, and one that is healthy."""
    folder = tmp_path_factory.mktemp("sides")
    for side, slope, less in (("before", 0.0, 0), ("after", 0.5, 20)):
        maker = LedgerMaker(folder / side)
        maker.add(
            "checkout",
            lambda at, slope=slope: (40 + slope * at) * MIB + 20_000 * math.sin(7 * at),
            sites=[("/srv/app/registry.py", 42, "remember", lambda at, slope=slope: (1 + slope * at) * MIB)],
        )
        maker.add("search", lambda at, less=less: (80 - less) * MIB + 20_000 * math.sin(5 * at))
        maker.add(EVIL, lambda at: 50 * MIB + 20_000 * math.sin(5 * at))
    changes = compare(folder / "before", folder / "after")
    return render_comparison_page(changes, not_compared=["mail"], before="before", after=str(Path("after")))


def test_the_page_is_well_formed_runs_nothing_and_fetches_nothing(page: str, read_page: Any) -> None:
    read = read_page(page)

    assert "default-src 'none'" in page
    assert (read.handlers, [link for link in read.links if not link.startswith("#")]) == ([], [])
    assert "script" not in read.tags
    assert EVIL in read.text


def test_each_service_has_its_level_and_growth_before_and_after(page: str, read_page: Any) -> None:
    """60 MiB after 80 are 20 less; 0.5 MiB/s are 1.8 GiB/h."""
    text = " ".join(read_page(page).text.split())

    assert "Of 3 services: 1 worse, 1 better, 1 same." in text
    assert "▼ better80.0 MiB to 60.0 MiB-20.0 MiB" in text.replace(" <", "<")
    assert "Grows faster than before: by +1.8 GiB/h after " in text
    assert "mail" in text


def test_the_line_that_rose_is_listed_and_who_did_not_change_has_no_part(page: str, read_page: Any) -> None:
    read = read_page(page)

    assert "registry.py:42" in read.text
    assert 'title="/srv/app/registry.py:42"' in page
    assert read.tags.count("h2") == 3
    assert read.tags.count("svg") == 2
