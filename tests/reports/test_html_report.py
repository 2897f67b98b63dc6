import json
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from memanalysis import report
from memanalysis.reports.make_report import MAX_SECTIONS, Report
from memanalysis.reports.theme import render_css_variables
from memanalysis.units import MIB

pytestmark = pytest.mark.slow

POLICY = {"memory_budgets": {"global": {"max_memory_mb": 128, "warning_threshold_percent": 50}}}
EVIL = '../../x<script>alert("1")</script>\x1b[31m\u202e'


@pytest.fixture(scope="module")
def page(three_services: Path) -> str:
    return report(three_services, policy=POLICY).to_html()


def test_the_page_is_well_formed_runs_nothing_and_fetches_nothing(page: str, read_page: Any) -> None:
    read = read_page(page)

    assert "script" not in read.tags
    assert read.handlers == []
    assert all(link.startswith("#") for link in read.links)
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page.replace("url(#", "")
    assert len(read.ids) == len(set(read.ids))


def test_the_page_says_what_leaks_where_and_how_long_it_has_got(page: str, read_page: Any) -> None:
    text = read_page(page).text

    assert "1 of 3 services leaks: leaking_registry grows by 1.76 GiB/h, at registry.py:42." in text
    assert "registry.py:42" in text
    assert "in remember" in text
    assert "deploy 1.4" in text
    assert (
        "Budget 128 MiB, warning from 64.0 MiB, critical from 122 MiB. At the end the service was 58.5 MiB below it."
        in text
    )
    assert "2025-06-15 15:06:40 to 15:07:39 UTC (59.0 s)" in text


def test_a_breach_is_listed_and_a_service_without_one_says_so(page: str, read_page: Any) -> None:
    """0.5 MiB/s from 40 MiB is at 64 MiB, half of the budget, after 48 s: at 15:07:28."""
    text = read_page(page).text

    assert "2025-06-15 15:07:28" in text
    assert text.count("None: it stayed below the warning level.") == 2


def test_every_chart_is_there_for_wide_and_for_narrow_screens(page: str, read_page: Any) -> None:
    """Three services, two of them with sites in several snapshots: five charts, each twice."""
    assert read_page(page).tags.count("svg") == 10
    assert page.count('role="img" aria-label="') == 5


def test_a_service_without_sites_says_why(page: str, read_page: Any) -> None:
    assert read_page(page).text.count("No allocation sites were recorded in this run: tracing was off.") == 1


def test_names_from_a_ledger_are_harmless(maker: Any, read_page: Any) -> None:
    maker.add(
        EVIL,
        lambda at: (40 + at) * MIB,
        sites=[(EVIL, 1, EVIL, lambda at: at * MIB)],
        events=[{"timestamp": 1_750_000_010.0, "kind": "mark", "level": EVIL, "message": EVIL}],
    )
    made = report(maker.path, policy=POLICY)
    page = made.to_html()
    read = read_page(page)

    assert "script" not in read.tags
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert '../../x<script>alert("1")</script>\\u001b[31m\\u202e' in read.text
    assert "<script" not in made._repr_html_()


def test_a_report_does_not_grow_with_its_run(maker: Any) -> None:
    """Two hours and two days of a sample a second make pages of nearly the same size."""
    maker.add("short", lambda at: (40 + at % 7) * MIB, n=7_200)
    short = len(report(maker.path).to_html())
    maker.path = maker.path.with_name("long")
    maker.add("short", lambda at: (40 + at % 7) * MIB, n=72_000)

    assert len(report(maker.path).to_html()) < 1.1 * short


def with_rows(made: Report, *, n: int) -> Report:
    """Return a report whose table has that number of runs, and as many parts as a report has at most."""
    rows = pd.concat([made.verdicts] * (n // len(made.verdicts) + 1), ignore_index=True).head(n)
    rows = rows.assign(run_id=[f"20250615T150640Z-{number}-{number:08x}" for number in range(n)])
    sections = list(islice(cycle(made.sections), MAX_SECTIONS))
    return replace(made, verdicts=rows, sections=sections, n_services=n)


def test_a_report_on_thousands_of_runs_lists_the_worst_and_counts_the_others(
    three_services: Path, read_page: Any
) -> None:
    """A page stays below 2 MB; JSON has every run."""
    made = with_rows(report(three_services, policy=POLICY), n=5_000)
    page = made.to_html()
    text = made.to_markdown()

    assert len(page.encode()) < 2_000_000
    assert "4,800 more runs are not shown; memanalysis assess --all --format csv lists them." in read_page(page).text
    assert page.count("run 0000") == 200
    assert "4,950 more runs are not shown; memanalysis assess --all --format csv lists them." in text
    assert text.count("(run 0000") == 50
    assert len(json.loads(made.to_json())["verdicts"]) == 5_000


def test_a_table_that_has_every_run_counts_no_others(page: str) -> None:
    assert "not shown; memanalysis" not in page


def test_too_few_samples_say_what_is_missing(maker: Any, read_page: Any) -> None:
    maker.add("young", lambda at: 50 * MIB, n=3)
    text = read_page(report(maker.path).to_html()).text

    assert "Too early to judge: needs 2 more samples: 3 of at least 5 are there." in text
    assert "No budget: neither a policy nor a limit of the container was given" in text


def test_the_lower_limit_of_a_container_counts(maker: Any, read_page: Any) -> None:
    maker.add("boxed", lambda at: (40 + at) * MIB, limit_bytes=112 * MIB)
    text = read_page(report(maker.path, policy=POLICY).to_html()).text

    assert "The limit of the container is 112 MiB, and counts." in text
    assert "container limit 112 MiB" in text


def test_a_notebook_shows_the_same_body(three_services: Path, read_page: Any) -> None:
    made = report(three_services)
    fragment = made._repr_html_()

    assert read_page(fragment).tags[0] == "div"
    assert fragment in made.to_html()


def test_the_same_ledger_gives_the_same_page(three_services: Path) -> None:
    assert report(three_services).to_html() == report(three_services).to_html()


def contrast(ink: str, paper: str) -> float:
    """Contrast ratio after WCAG 2.2, section 1.4.3."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_colour_reads_on_its_background_in_both_themes() -> None:
    """Text has a contrast of 4.5 at least (WCAG AA), lines of charts 3."""
    light, dark = (
        dict(pair.split(": ") for pair in block.split("}")[0].strip(" ;").split("; "))
        for block in render_css_variables().split(".memanalysis {")[1:3]
    )
    for theme in (light, dark):
        colours = {name.removeprefix("--ma-"): colour for name, colour in theme.items()}
        for name in ("ink", "soft", "text", "budget", "mark"):
            assert contrast(colours[name], colours["paper"]) >= 4.5, name
        for name in ("series", "line", *(f"site-{at}" for at in range(1, 6))):
            assert contrast(colours[name], colours["paper"]) >= 3, name
        for severity in ("none", "low", "medium", "high", "critical", "unknown"):
            assert contrast(colours[f"{severity}-ink"], colours[f"{severity}-paper"]) >= 4.5, severity
