"""One table, three formats."""

import pytest

from memanalysis._tables import (
    Cell,
    Column,
    Table,
    escape_markdown,
    render_html_table,
    render_markdown_table,
    render_text_table,
)

EVIL = '<script>alert("1")</script>\u202e|*x*'
TABLE = Table(
    [Column("service"), Column("growth", "number"), Column("line", "code")],
    [
        [Cell("shop", note="run 1", kind="name"), "+3.1 MiB/h", Cell("a.py:3", kind="code", hint="/srv/a.py:3")],
        ["cart", "-", ""],
    ],
    label="Verdicts",
)


def test_plain_text_aligns_numbers_to_the_right_and_ends_no_line_in_blanks() -> None:
    assert render_text_table(TABLE) == (
        "  service           growth  line\n  shop (run 1)  +3.1 MiB/h  a.py:3\n  cart                   -"
    )


def test_markdown_has_notes_in_parentheses_and_a_rule_that_aligns_numbers() -> None:
    assert render_markdown_table(TABLE) == (
        "| service | growth | line |\n| --- | ---: | --- |\n| shop (run 1) | +3.1 MiB/h | a.py:3 |\n| cart | - |  |\n"
    )


def test_html_shows_each_kind_of_cell_with_its_title_beside_it() -> None:
    html = render_html_table(TABLE)

    assert html.startswith('<table class="ma-table" aria-label="Verdicts">')
    assert '<th scope="col" class="ma-number">growth</th>' in html
    assert '<strong class="ma-name">shop</strong><span class="ma-sub">run 1</span>' in html
    assert '<td data-title="line"><div><code title="/srv/a.py:3">a.py:3</code></div></td>' in html
    assert '<td class="ma-number" data-title="growth"><div>-</div></td>' in html


def test_a_table_without_a_style_sheet_has_styles_of_its_own() -> None:
    html = render_html_table(TABLE, inline=True)

    assert "class=" not in html.replace('class="ma-name"', "").replace('class="ma-sub"', "")
    assert '<td style="padding:2px 12px 2px 0;text-align:right;white-space:nowrap;vertical-align:top">-</td>' in html


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.5, 7.0])
def test_a_bar_stays_within_its_cell(share: float) -> None:
    html = render_html_table(Table([Column("share")], [[Cell("x", kind="bar", share=share)]]))

    assert f"--share:{min(1.0, max(0.0, share)):.3f}" in html


@pytest.mark.parametrize("kind", ["text", "name", "code", "badge", "bar"])
def test_hostile_text_is_harmless_in_every_cell_and_title(kind: str) -> None:
    hostile = Cell(EVIL, note=EVIL, kind=kind, hint=EVIL, mark=EVIL)  # type: ignore[arg-type]
    table = Table([Column(EVIL), Column("plain")], [[hostile, EVIL]], label=EVIL)
    for inline in (False, True):
        html = render_html_table(table, inline=inline)
        assert "<script" not in html
        assert "\u202e" not in html
        assert html.count("&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;\\u202e|*x*") >= 4
    markdown = render_markdown_table(Table([Column("a")], [[hostile]]))
    assert "\\<script\\>" in markdown
    assert "\u202e" not in markdown


def test_markdown_keeps_an_underscore_within_a_word() -> None:
    assert escape_markdown("a|b_c _d_ 1.5") == "a\\|b_c \\_d\\_ 1.5"
