from pathlib import Path
from typing import Any

import pytest

from memanalysis import assess, report
from memanalysis._tables import escape_markdown
from memanalysis.reports.markdown_report import render_verdicts_markdown
from memanalysis.units import MIB

GOLDEN_TABLE = """\
| service | shape | leak | severity | growth an hour | time to budget | guilty line |
| --- | --- | --- | --- | ---: | ---: | --- |
"""


@pytest.mark.slow
def test_the_table_has_a_row_a_service(three_services: Path) -> None:
    table = render_verdicts_markdown(assess(three_services))

    assert table.startswith(GOLDEN_TABLE)
    lines = table.removeprefix(GOLDEN_TABLE).splitlines()
    assert [line.split(" | ")[0] for line in lines] == [
        "| leaking_registry",
        "| swinging_batch",
        "| warming_cache",
    ]
    assert lines[0].startswith("| leaking_registry | growing | yes | ")
    assert lines[0].endswith("| no budget | registry.py:42 |")


def test_the_report_has_a_part_a_service(three_services: Path) -> None:
    text = report(three_services).to_markdown()

    headline = "1 of 3 services leaks: leaking_registry grows by 1.76 GiB/h, at registry.py:42."
    assert text.startswith(f"# Memory of 3 services\n\n**{headline}**\n\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## leaking_registry",
        "## swinging_batch",
        "## warming_cache",
    ]
    assert "| app/registry.py:42 (in remember) | 96% | +" in text
    assert "Recorded: 2025-06-15 15:06:40 to 15:07:39 UTC (59.0 s)" in text


def test_names_make_no_markup(maker: Any) -> None:
    maker.add("a|b](http://x) <i>*x*\n# y", lambda at: 40 * MIB)
    text = report(maker.path).to_markdown()

    assert "<i>" not in text
    assert "a\\|b\\](http" in text
    assert "\n# y" not in text
    assert escape_markdown("a|b_c _d_ 1.5") == "a\\|b_c \\_d\\_ 1.5"


def test_a_written_report_is_the_same(three_services: Path, tmp_path: Path) -> None:
    made = report(three_services)

    assert made.to_markdown(tmp_path / "r.md") == tmp_path / "r.md"
    assert (tmp_path / "r.md").read_text(encoding="utf-8") == made.to_markdown()
