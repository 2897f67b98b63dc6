"""Ledgers with known truth, written by the ledger's own writer, and a strict reader of pages."""

import math
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB

START = 1_750_000_000.0
"""2025-06-15 15:06:40 UTC."""


class LedgerMaker:
    """Writes runs of a second a sample into one directory ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._runs = 0

    def add(
        self,
        service: str,
        rss_bytes: Callable[[float], float],
        *,
        n: int = 60,
        step_s: float = 1.0,
        sites: Iterable[tuple[str, int, str, Callable[[float], float]]] = (),
        events: Iterable[dict[str, Any]] = (),
        limit_bytes: int | None = None,
        family_bytes: Callable[[float], float] | None = None,
        has_ended: bool = True,
        ending: dict[str, Any] | None = None,
    ) -> str:
        """Add a run whose memory is a function of its seconds; a snapshot of its sites every tenth sample.

        Where it has not ended its ledger holds no end of it, as that of a program that goes on. ``ending`` is how it
        ended.
        """
        self._runs += 1
        run_id = f"20250615T150640Z-{self._runs}-{self._runs:08x}"
        writer = LedgerWriter(
            self.path, run={"run_id": run_id, "service": service, "pid": self._runs, "started": START}, flush="manual"
        )
        times = [step_s * number for number in range(n)]
        writer.append(
            "samples",
            [
                {
                    "seq": number,
                    "timestamp": START + at,
                    "elapsed_s": at,
                    "rss_bytes": round(rss_bytes(at)),
                    "limit_bytes": limit_bytes,
                    "family_bytes": None if family_bytes is None else round(family_bytes(at)),
                }
                for number, at in enumerate(times)
            ],
        )
        sites = list(sites)
        writer.append(
            "sites",
            [
                {
                    "seq": number,
                    "timestamp": START + at,
                    "site_id": f"site-{file}-{line}",
                    "file": file,
                    "line": line,
                    "function": function,
                    "traceback": [[file, line]],
                    "size_bytes": round(size(at)),
                    "live_allocations": 10,
                }
                for number, at in list(enumerate(times))[::10]
                for file, line, function, size in sites
            ],
        )
        writer.append("events", list(events))
        writer.flush()
        if has_ended:
            writer.close(ended=START + times[-1], ending=ending)
        return run_id


@pytest.fixture
def maker(tmp_path: Path) -> LedgerMaker:
    return LedgerMaker(tmp_path / "ledger")


@pytest.fixture(scope="session")
def three_services(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leak of 0.5 MiB a second with its line, a cache that fills within 20 s, and a batch that swings; read only."""
    maker = LedgerMaker(tmp_path_factory.mktemp("three") / "ledger")
    maker.add(
        "leaking_registry",
        lambda at: (40 + 0.5 * at) * MIB + 20_000 * math.sin(7 * at),
        sites=[
            ("app/registry.py", 42, "remember", lambda at: 0.48 * at * MIB),
            ("app/parse.py", 7, "parse", lambda at: 0.02 * at * MIB),
            ("app/settings.py", 3, "<module>", lambda at: 1.5 * MIB),
        ],
        events=[
            {"timestamp": START, "kind": "start", "message": "recording"},
            {"timestamp": START + 30, "kind": "mark", "message": "deploy 1.4"},
        ],
    )
    maker.add(
        "warming_cache",
        lambda at: (30 + 20 * (1 - math.exp(-at / 6))) * MIB + 20_000 * math.sin(5 * at),
        sites=[("app/cache.py", 11, "load", lambda at: 20 * (1 - math.exp(-at / 6)) * MIB)],
    )
    maker.add("swinging_batch", lambda at: (30 + 25 * ((at % 6) / 6)) * MIB)
    return maker.path


VOID = {"meta", "br", "hr", "img", "link", "input"}
FETCHING = {"src", "href", "data", "action", "poster", "srcset", "xlink:href"}


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in FETCHING:
                self.links.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data


@pytest.fixture
def read_page() -> type[Page]:
    """Reader of pages, which fails on one that is not well formed."""
    return Page
