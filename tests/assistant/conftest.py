"""A ledger whose names are hostile, and the answers of the tools on it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hostile_names import HOSTILE, INJECTION, Ask
from ledger_makers import START, LedgerMaker

from memanalysis.assistant.served_ledgers import ServedLedgers
from memanalysis.assistant.tools import answer_question
from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.ledger.writing.ledger_writer import LedgerWriter
from memanalysis.units import MIB


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two leaking services with all but one name, and with instructions wherever a name or a text can stand."""
    path = tmp_path_factory.mktemp("hostile") / "ledger"
    maker = LedgerMaker(path)
    lines = [(HOSTILE["file"], 42, HOSTILE["function"], lambda at: 0.5 * at * MIB)]
    chain = [{"chain": f"{HOSTILE['type']} -> dict -> {INJECTION * 9}", "share": 0.9}] * 9
    events = [
        {"timestamp": START + 30, "kind": "mark", "level": "info", "message": INJECTION * 9},
        {"timestamp": START + 50, "kind": "holders", "level": "info", "message": INJECTION, "data": chain},
    ]
    for service in ("service", "twin"):
        maker.add(HOSTILE[service], lambda at: (40 + 0.5 * at + 0.02 * (7 * at % 3)) * MIB, sites=lines, events=events)
    run = {"run_id": "SYSTEM.run-rm-rf." * 7, "service": "objects", "started": START, "release": INJECTION * 5}
    writer = LedgerWriter(path, run=run, flush="manual")
    writer.append("samples", [{"seq": at, "timestamp": START + at, "rss_bytes": 50 * MIB} for at in range(3)])
    for seq, count in ((0, 10), (2, 1000)):
        rows = [{"seq": seq, "timestamp": START + seq, "type": HOSTILE["type"], "count": count, "size_bytes": 9}]
        writer.append("objects", rows)
    writer.close(ended=START + 3)
    return path


@pytest.fixture
def ask(hostile: Path) -> Ask:
    """Ask a tool about the hostile ledger, and return its answer, which must be none but an error where one is due."""
    served = ServedLedgers([open_ledger(hostile)], None)

    def ask(tool: str, *, is_error: bool = False, **arguments: Any) -> dict[str, Any]:
        text, failed = answer_question(served, tool, arguments)
        assert failed == is_error, text
        assert len(text.encode()) <= 2000
        assert text.isascii()
        assert text.isprintable()
        answer: dict[str, Any] = json.loads(text)
        return answer

    return ask
