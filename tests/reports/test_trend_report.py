"""The trend on paper: the same facts as text, Markdown, JSON and HTML."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleet_ledger import BEGIN, HOUR_S, LEAK_BYTES_PER_S, POLICY, make_sizes, write_run
from IPython.lib.pretty import pretty

from memanalysis import Trend, trend
from memanalysis.errors import InvalidArgumentError
from memanalysis.units import MIB

pytestmark = pytest.mark.slow

EVIL = '../../x<script>alert("1")</script>|`\x1b[31m\u202e'


@pytest.fixture(scope="module")
def made(fleet: Path) -> Trend:
    return trend(fleet, policy=POLICY)


def test_the_first_sentences_are_what_a_mail_needs(made: Trend) -> None:
    head, fastest, rest = made.headline.partition("the fastest: ")

    assert head + fastest == ("The 6 weeks to 2025-07-13: 3 of 12 services leak (1 new, 1 returned), the fastest: ")
    assert rest.split(" grows by ")[0] in {"cart", "payments", "search"}
    assert "1.0 MiB/h at " in rest
    assert "1 leak is gone: checkout since 2025-06-23." in rest
    assert "1 service reached the critical level of the budget in the last week: mailer." in rest
    assert rest.endswith("If that comes back, mailer reaches its limit of 512 MiB about 2025-07-15.")


def test_text_has_every_part_on_one_page(made: Trend) -> None:
    shown = pretty(made)

    assert len(shown.splitlines()) < 90
    for title in ("Growth", "Leaks", "What releases changed", "Breaches", "Limits that are reached", "Size, in the"):
        assert any(line.startswith(title) for line in shown.splitlines()), title
    row = next(line for line in shown.splitlines() if line.startswith("  checkout  gone"))
    assert row.split() == [
        "checkout", "gone", "2025-06-09", "(1.1)", "2025-06-22", "(1.2)", "2025-06-23", "(1.3)", "2", "orders.py:41"
    ]  # fmt: skip


def test_markdown_has_the_same_tables(made: Trend) -> None:
    text = made.to_markdown()

    assert text.startswith("# Memory over 6 weeks to 2025-07-13\n\n**The 6 weeks to")
    assert "| search | 1.2 to 1.3 | 2025-06-23 | +108 MiB | +1.0 MiB/h |" in text
    assert "| mailer | 512 MiB | 24 | 4 | 2.0 h | 2025-07-13 |" in text


def test_json_has_every_row_and_no_number_that_is_unknown(made: Trend) -> None:
    document = json.loads(made.to_json())

    assert (document["format"], document["format_version"], document["weeks"]) == ("memanalysis-trend", 1, 6)
    assert len(document["services"]) == 12
    assert {row["status"] for row in document["leaks"]} == {"new", "returned", "lasting", "unseen", "gone"}
    archiver = next(row for row in document["services"] if row["service"] == "archiver")
    assert archiver["level_bytes"] is None
    assert document["forecasts"][0]["next"].startswith("2025-07-15T")


def test_html_runs_nothing_fetches_nothing_and_has_a_chart_a_service(made: Trend, read_page: Any) -> None:
    page = made.to_html()
    read = read_page(page)

    assert read.tags.count("svg") == 12
    assert "script" not in read.tags
    assert read.handlers == []
    assert all(link.startswith("#") for link in read.links)
    assert "http:" not in page
    assert "https:" not in page
    assert len(read.ids) == len(set(read.ids))
    assert "memory (MiB)" in read.text
    assert "date (UTC)" in read.text
    assert made.headline in read.text
    assert len(page) < 500_000
    assert made._repr_html_() in page


def test_the_worst_are_shown_and_the_others_counted(fleet: Path, read_page: Any) -> None:
    made = trend(fleet, top=2)

    assert "10 more services are not shown." in made.to_markdown()
    assert read_page(made.to_html()).tags.count("svg") == 2
    assert len(json.loads(made.to_json())["services"]) == 12


def test_one_day_with_unknown_values_and_a_hostile_name_is_a_page(tmp_path: Path, read_page: Any) -> None:
    sizes = make_sizes(np.random.default_rng(1), level=100 * MIB, hours=24)
    write_run(tmp_path, EVIL, begin=BEGIN, sizes=sizes, release=EVIL).close(ended=BEGIN + 24 * HOUR_S)
    write_run(tmp_path, "unknown", begin=BEGIN, sizes=[None] * 24).close(ended=BEGIN + 24 * HOUR_S)
    made = trend(tmp_path)
    page = made.to_html()
    read = read_page(page)

    assert "script" not in read.tags
    assert "\x1b" not in page + made.to_markdown() + pretty(made)
    assert "\u202e" not in page
    assert "no sizes are known" in read.text
    assert "No leak was seen." in read.text
    assert "no policy was given" in read.text


def test_a_leak_without_a_line_or_a_release_is_described_without_them(tmp_path: Path) -> None:
    sizes = make_sizes(np.random.default_rng(1), level=100 * MIB, slope=LEAK_BYTES_PER_S)
    write_run(tmp_path, "untraced", begin=BEGIN, sizes=sizes).close(ended=BEGIN + 168 * HOUR_S)
    made = trend(tmp_path)

    assert made.headline == (
        "The 6 weeks to 2025-06-08: 1 of 1 service leaks (1 new): untraced grows by 1.0 MiB/h, first seen 2025-06-02."
    )
    assert "not traced: unknown" in made.to_markdown()
    assert made.headline in made.to_html()


def test_each_format_is_written_where_it_is_asked_for(made: Trend, tmp_path: Path) -> None:
    for write, name in ((made.to_html, "a.html"), (made.to_markdown, "a.md"), (made.to_json, "a.json")):
        assert write(tmp_path / name) == tmp_path / name
        assert (tmp_path / name).read_text(encoding="utf-8") == write()


@pytest.mark.parametrize("wrong", [{"weeks": 0}, {"weeks": 1.5}, {"weeks": 521}, {"top": 0}, {"weeks": True}])
def test_a_wrong_number_is_refused_by_name(fleet: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=f"trend needs {next(iter(wrong))}="):
        trend(fleet, **wrong)
