"""Each kind of page in a real browser: nothing fetched, nothing complained about, nothing cut off."""

import html
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from browser import HOW, find_chromium
from ledger_makers import LedgerMaker
from processes import running

from memanalysis import compare, report, trend
from memanalysis.exchange.export import export_heap
from memanalysis.reports.comparison_page import render_comparison_page
from memanalysis.units import MIB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason=HOW),
]

LEDGER = Path(__file__).parents[2] / "sample_ledgers" / "leaking_service"
WIDTHS_PX = (1280, 400)
DEADLINE_S = 200.0
MEASURE = """
function measure(frame) {
  const page = frame.contentDocument, width = page.documentElement.clientWidth, cut = [];
  for (const svg of page.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    for (const text of box.width ? svg.querySelectorAll("text") : []) {
      const own = text.getBoundingClientRect();
      if (own.width && (own.left < box.left - 1 || own.right > box.right + 1)) cut.push(text.textContent);
    }
  }
  return {
    name: frame.name, cut, fetched: frame.contentWindow.performance.getEntriesByType("resource").length,
    letters: page.body.innerText.length, beyond: page.documentElement.scrollWidth - width,
  };
}
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(measure);
  document.body.innerHTML = "<pre>" + JSON.stringify(found).replaceAll("&", "&amp;").replaceAll("<", "&lt;") + "</pre>";
});
"""


def show(pages: dict[str, str], folder: Path) -> tuple[list[dict[str, Any]], str]:
    """Show each page at each width, in a frame of a page whose script measures them; gives that and all complaints."""
    frames = [
        f'<iframe name="{name} at {width}" width="{width}" height="900" srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages.items()
        for width in WIDTHS_PX
    ]
    file = folder / "pages.html"
    file.write_text(f"<!doctype html><body>{''.join(frames)}<script>{MEASURE}</script>", encoding="utf-8")
    command = [str(find_chromium()), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    options = [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1000", "--dump-dom", file.as_uri()]
    with running(
        subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ) as process:
        dom, log = process.communicate(timeout=DEADLINE_S)
    shown = html.unescape(dom.partition("<pre>")[2].partition("</pre>")[0])
    return json.loads(shown), "\n".join(line for line in log.splitlines() if "CONSOLE" in line)


def compare_two(folder: Path) -> str:
    """Return the page of a comparison whose names are long."""
    for side, slope in (("before", 0.0), ("after", 0.5)):
        LedgerMaker(folder / side).add(
            "checkout_of_the_shop_in_all_regions_of_the_continent",
            lambda at, slope=slope: (40 + slope * at) * MIB + at % 7 * 1000,
            sites=[
                ("/srv/shop/very_long_name_of_a_module.py", 42, "f", lambda at, slope=slope: (1 + slope * at) * MIB)
            ],
        )
    changes = compare(folder / "before", folder / "after")
    return render_comparison_page(changes, not_compared=[], before=str(folder / "before"), after=str(folder / "after"))


def test_every_page_fits_a_screen_and_a_phone_and_fetches_nothing(tmp_path: Path) -> None:
    pages = {
        "comparison": compare_two(tmp_path),
        "report": report(LEDGER).to_html(),
        "trend": trend(LEDGER, weeks=1).to_html(),
        "flame graph": export_heap(LEDGER, None, form="flamegraph").content.decode("utf-8"),
    }
    found, complaints = show(pages, tmp_path)

    assert len(found) == len(pages) * len(WIDTHS_PX)
    assert complaints == ""
    for page in found:
        assert (page["fetched"], page["beyond"], page["cut"]) == (0, 0, []), page["name"]
        assert page["letters"] > 300, page["name"]
