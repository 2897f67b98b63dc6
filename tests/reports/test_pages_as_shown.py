"""The pages of reports as somebody has them: light and dark, wide and narrow, on a screen and in print."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import HOW, find_chromium
from devtools import Page, open_page
from ledger_makers import START, LedgerMaker

from memanalysis import report, trend
from memanalysis.units import MIB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason=HOW),
]

LEDGER = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"
PICTURES = os.environ.get("MEMANALYSIS_PICTURES")
"""A folder that keeps what the browser showed, for somebody who wants to see it."""

SHOWN = [
    (1280, "light", "screen"),
    (1280, "dark", "screen"),
    (400, "light", "screen"),
    (400, "dark", "screen"),
    (718, "light", "print"),  # what A4 leaves between the margins; browsers print light, whoever prefers dark
]

MIN_CONTRAST = 4.5
"""Of text and the colour behind it: Web Content Accessibility Guidelines 2.2, 1.4.3, level AA."""

MEASURE = """
(() => {
  const channels = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const page = document.documentElement, faint = [], cut = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let letters = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, text = texts.currentNode.textContent.trim();
    const box = element.getBoundingClientRect();
    if (!text || !box.width || element.closest("style, title, desc, metadata")) continue;
    letters += text.length;
    const style = getComputedStyle(element), svg = element.closest("svg");
    const ink = channels(svg ? style.fill : style.color);
    const [high, low] = [light(ink), light(behind(svg || element))].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < MIN_CONTRAST) faint.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
    const edge = svg ? svg.getBoundingClientRect() : {left: 0, right: page.clientWidth};
    if (box.left < edge.left - 1 || box.right > edge.right + 1) cut.push(text.slice(0, 40));
  }
  return {letters, faint, cut, beyond: page.scrollWidth - page.clientWidth,
          is_dark: light(behind(document.body)) < 0.2};
})()
""".replace("MIN_CONTRAST", str(MIN_CONTRAST))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A post-mortem whose names and code are long, a report on a leak and what weeks changed."""
    folder = tmp_path_factory.mktemp("pages")
    source = folder / "very_long_name_of_a_module_of_a_package.py"
    source.write_text("import shop\n" * 40 + f"def keep(): CACHE.append({'very_long_argument, ' * 12})\n" * 4)
    maker = LedgerMaker(folder / "dead")
    maker.add(
        "checkout_of_the_shop_in_all_regions_of_the_continent",
        lambda at: (40 + 2 * at) * MIB + at % 7 * 1000,
        n=120,
        limit_bytes=300 * MIB,
        sites=[(str(source), 42, "keep", lambda at: 2 * at * MIB)],
        events=[{"timestamp": START + 1, "kind": "mark", "level": "info", "message": "deploy 1.4"}],
        ending={"how": "gone", "seen_by": "parent", "exit_status": -9},
    )
    dead = report(folder / "dead", policy={"memory_budgets": {"services": {"checkout*": "250MB"}}})
    found = dead.sections[0].post_mortem
    assert found is not None
    assert found.sources
    return {
        "post-mortem": dead.to_html(),
        "report": report(LEDGER).to_html(),
        "trend": trend(LEDGER, weeks=1).to_html(),
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize(("width_px", "scheme", "media"), SHOWN)
@pytest.mark.parametrize("name", ["post-mortem", "report", "trend"])
def test_a_page_is_whole_and_readable_and_fetches_nothing(
    page: Page, pages: dict[str, str], tmp_path: Path, name: str, width_px: int, scheme: str, media: str
) -> None:
    file = tmp_path / "page.html"
    file.write_text(pages[name], encoding="utf-8")
    page.requests.clear()
    page.complaints.clear()
    page.emulate(width_px=width_px, scheme=scheme, media=media)
    page.go(file.as_uri())
    page.wait_for(f"document.readyState === 'complete' && location.href === {file.as_uri()!r}")
    found: dict[str, Any] = page.run(MEASURE)
    if PICTURES:
        page.take_picture(Path(PICTURES) / f"{name}-{width_px}-{scheme}-{media}.png")

    assert found["letters"] > 300
    assert (found["beyond"], found["cut"]) == (0, [])
    assert found["faint"] == []
    assert found["is_dark"] == (scheme == "dark")
    assert (page.requests, page.complaints) == ([file.as_uri()], [])
