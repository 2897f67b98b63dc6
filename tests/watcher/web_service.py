"""A web service written with FastAPI under uvicorn: ``web_service.py LEAKS LEDGER|- PORT_FILE``. Not a test itself."""

import contextlib
import os
import sys
import time
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from memanalysis import watch

app = FastAPI()
sessions: dict[int, dict[str, object]] = {}
recent: dict[int, list[str]] = {}
leaks = sys.argv[1] == "leaks"
watching = contextlib.ExitStack()


@app.get("/items/{number}")
async def read_item(number: int) -> dict[str, object]:
    rows = [f"item {number} row {row}" for row in range(40)]
    recent[number % 50] = rows
    if leaks:
        remember(number)
    return {"number": number, "rows": len(rows)}


@app.get("/cpu")
async def read_cpu() -> dict[str, float]:
    return {"seconds": time.process_time()}


@app.get("/watching/{state}")
async def switch_watching(state: str) -> None:
    """Begin a run (``on``), or end the one that is under way."""
    watching.close()
    if state == "on":
        watching.enter_context(start_watching())


def remember(number: int) -> None:
    sessions[number] = {"user": number, "page": bytearray(4000)}  # the leak


class Server(uvicorn.Server):
    """Writes its port once it listens."""

    async def startup(self, sockets=None):
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        ready = Path(sys.argv[3])
        ready.with_suffix(".new").write_text(str(port))
        ready.with_suffix(".new").replace(ready)


def start_watching() -> contextlib.AbstractContextManager[object]:
    ledger = sys.argv[2]
    interval_s, trace = float(os.environ.get("INTERVAL", "1.0")), os.environ.get("TRACE", "auto")
    if ledger == "-":
        return contextlib.nullcontext()
    max_overhead = float(os.environ.get("MAX_OVERHEAD", "0.05"))
    return watch("web", ledger=ledger, interval=interval_s, trace=trace, max_overhead=max_overhead, seal=False)


def main() -> None:
    with watching:
        watching.enter_context(start_watching())
        Server(uvicorn.Config(app, port=0, log_level="error", access_log=False)).run()


if __name__ == "__main__":
    main()
