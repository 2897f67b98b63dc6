"""A web service of FastAPI under uvicorn, with a cache that has a bound: ``web_api PORT [leaks]``."""

import sys
from collections import OrderedDict

import uvicorn
from fastapi import FastAPI

from benchmarks.service_programs.fast_motion import watch_in_fast_motion

app = FastAPI()
pages: OrderedDict[int, list[str]] = OrderedDict()
sessions: list[bytearray] = []

MAX_PAGES = 300
SESSION_BYTES = 100_000


@app.get("/items/{number}")
async def read_item(number: int) -> dict[str, object]:
    """Render an item, or take it from the cache."""
    if number not in pages:
        pages[number] = [f"item {number} row {row}" for row in range(100)]
    pages.move_to_end(number)
    if len(pages) > MAX_PAGES:
        pages.popitem(last=False)
    if "leaks" in sys.argv:
        sessions.append(bytearray(SESSION_BYTES))
    return {"number": number, "rows": pages[number]}


if __name__ == "__main__":
    with watch_in_fast_motion():
        uvicorn.Server(uvicorn.Config(app, port=int(sys.argv[1]), log_level="error", access_log=False)).run()
