"""Calls as programs make them, of the standard library, numpy and pandas: healthy ones."""

import asyncio
import concurrent.futures
import contextlib
import csv
import dataclasses
import datetime
import decimal
import email.message
import functools
import hashlib
import io
import itertools
import json
import logging
import logging.handlers
import lzma
import pathlib
import pickle
import random
import re
import socket
import sqlite3
import ssl
import string
import subprocess
import tempfile
import threading
import urllib.parse
import weakref
import xml.dom.minidom
import xml.etree.ElementTree as ElementTree
import zlib
import zoneinfo
from collections.abc import Callable

import numpy as np
import pandas as pd

__all__ = ["HEALTHY_CALLS", "TEXT", "XML", "Call", "Make", "Order"]

Call = Callable[[], object]
Make = Callable[[random.Random], Call]

TEXT = " ".join(f"word{number} {number % 7}" for number in range(300))
XML = "<rows>" + "".join(f'<row id="{n}"><name>n{n}</name></row>' for n in range(50)) + "</rows>"


@dataclasses.dataclass
class Order:
    """What a program passes around."""

    number: int
    lines: list[str]
    open: bool = False


def _orders(rng: random.Random) -> list[Order]:
    return [Order(rng.randrange(10**6), ["line"] * rng.randrange(1, 9)) for _ in range(20)]


def _regular_expressions(_rng: random.Random) -> Call:
    return lambda: (re.findall(r"word(\d+)", TEXT), re.sub(r"\d", "#", TEXT))


def _json_of_records(rng: random.Random) -> Call:
    rows = [dataclasses.asdict(order) for order in _orders(rng)]
    return lambda: json.loads(json.dumps(rows, indent=1, sort_keys=True))


def _database_of_its_own(_rng: random.Random) -> Call:
    def call() -> object:
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("create table t (a integer, b text)")
            connection.executemany("insert into t values (?, ?)", [(n, str(n)) for n in range(50)])
            return connection.execute("select sum(a), max(b) from t").fetchone()

    return call


def _queries_on_one_connection(rng: random.Random) -> Call:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a integer primary key, b text)")
    connection.executemany("insert into t values (?, ?)", [(n, str(n) * 9) for n in range(500)])
    return lambda: connection.execute("select b from t where a > ?", (rng.randrange(500),)).fetchall()


def _ssl_context(_rng: random.Random) -> Call:
    return ssl.create_default_context


def _hashes(rng: random.Random) -> Call:
    data = rng.randbytes(10_000)
    return lambda: (hashlib.sha256(data).hexdigest(), hashlib.pbkdf2_hmac("sha256", data[:16], b"salt", 200))


def _compression(rng: random.Random) -> Call:
    data = rng.randbytes(2_000) * 5
    return lambda: (zlib.decompress(zlib.compress(data)), lzma.decompress(lzma.compress(data, preset=0)))


def _xml_tree(_rng: random.Random) -> Call:
    return lambda: [row.findtext("name") for row in ElementTree.fromstring(XML)]  # noqa: S314  text of our own


def _xml_document(_rng: random.Random) -> Call:
    return lambda: len(xml.dom.minidom.parseString(XML).getElementsByTagName("row"))  # noqa: S318  as above


def _arrays(rng: random.Random) -> Call:
    numbers = np.random.default_rng(rng.randrange(2**31))

    def call() -> object:
        matrix = numbers.normal(size=(60, 60))
        return np.linalg.solve(matrix, matrix[0]).sum(), np.fft.rfft(np.sort(numbers.random(20_000))).real.max()

    return call


def _frames(rng: random.Random) -> Call:
    table = pd.DataFrame({"key": [rng.randrange(9) for _ in range(400)], "value": range(400)})
    return lambda: table.groupby("key").agg({"value": ["sum", "mean"]}).reset_index().to_dict()


def _merge_of_frames(rng: random.Random) -> Call:
    def call() -> object:
        table = pd.DataFrame({"key": np.arange(300) % 17, "value": rng.random()})
        return table.merge(table.drop_duplicates("key"), on="key").to_csv()

    return call


def _paths(_rng: random.Random) -> Call:
    place = pathlib.Path(tempfile.gettempdir())
    return lambda: [entry.with_suffix(".x").as_posix() for entry in itertools.islice(place.iterdir(), 20)]


def _temporary_files(rng: random.Random) -> Call:
    def call() -> object:
        with tempfile.TemporaryDirectory() as place:
            file = pathlib.Path(place) / f"{rng.randrange(100)}.txt"
            file.write_text(TEXT)
            return file.read_text().upper()

    return call


def _process(_rng: random.Random) -> Call:
    return lambda: subprocess.run(["/bin/echo", "here"], capture_output=True, check=True).stdout


def _thread(_rng: random.Random) -> Call:
    def call() -> None:
        thread = threading.Thread(target=sorted, args=(range(500),))
        thread.start()
        thread.join()

    return call


def _executor(_rng: random.Random) -> Call:
    def call() -> object:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(str, range(20)))

    return call


def _socket_pair(_rng: random.Random) -> Call:
    def call() -> bytes:
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"x" * 5_000)
            return other.recv(5_000)

    return call


def _cache_that_gets_full(rng: random.Random) -> Call:
    keys = itertools.count()
    cached = functools.lru_cache(maxsize=rng.choice((64, 256, 1_024)))(lambda key: [key] * 10)
    return lambda: cached(next(keys))


def _logging_to_a_file(_rng: random.Random) -> Call:
    place = tempfile.TemporaryDirectory()
    logger = logging.Logger("calls")
    handler = logging.handlers.RotatingFileHandler(pathlib.Path(place.name) / "log", maxBytes=20_000, backupCount=1)
    weakref.finalize(logger, place.cleanup)
    weakref.finalize(logger, handler.close)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    numbers = itertools.count()
    return lambda: logger.warning("request %d of %s", next(numbers), TEXT[:100])


def _logging_in_bouts(_rng: random.Random) -> Call:
    logger = logging.Logger("calls")
    target = logging.StreamHandler(io.StringIO())
    memory = logging.handlers.MemoryHandler(100, target=target)
    logger.addHandler(memory)
    numbers = itertools.count()

    def call() -> None:
        logger.info("request %d", next(numbers))
        if not memory.buffer:
            target.setStream(io.StringIO())

    return call


def _decimals(rng: random.Random) -> Call:
    def call() -> object:
        with decimal.localcontext() as context:
            context.prec = 60
            return sum(decimal.Decimal(rng.random()).sqrt() for _ in range(20))

    return call


def _dates(rng: random.Random) -> Call:
    zone = zoneinfo.ZoneInfo("UTC")

    def call() -> object:
        day = datetime.datetime(2024, 1, 1, tzinfo=zone) + datetime.timedelta(minutes=rng.randrange(500_000))
        return datetime.datetime.strptime(day.strftime("%Y-%m-%d %H:%M:%S"), "%Y-%m-%d %H:%M:%S")

    return call


def _dataclasses(rng: random.Random) -> Call:
    orders = _orders(rng)
    return lambda: [dataclasses.asdict(dataclasses.replace(order, open=True)) for order in orders]


def _new_classes(_rng: random.Random) -> Call:
    return lambda: dataclasses.make_dataclass("Point", [("x", int), ("y", int)])(1, 2)


def _pickles(rng: random.Random) -> Call:
    orders = _orders(rng)
    return lambda: pickle.loads(pickle.dumps(orders))  # noqa: S301  data of our own


def _coroutines(_rng: random.Random) -> Call:
    async def call() -> object:
        return await asyncio.gather(*(asyncio.sleep(0, number) for number in range(10)))

    return call


def _new_loop(_rng: random.Random) -> Call:
    async def main() -> None:
        await asyncio.sleep(0)

    return lambda: asyncio.run(main())


def _tables_of_text(_rng: random.Random) -> Call:
    def call() -> object:
        out = io.StringIO()
        csv.writer(out).writerows([[number, "x" * number] for number in range(40)])
        return list(csv.DictReader(io.StringIO(out.getvalue())))

    return call


def _compiled_code(rng: random.Random) -> Call:
    def call() -> object:
        names: dict[str, object] = {}
        exec(compile(f"def f(x): return x + {rng.randrange(1000)}", "<call>", "exec"), names)  # noqa: S102  text of our own
        return names["f"](1)  # type: ignore[operator]

    return call


def _messages(rng: random.Random) -> Call:
    def call() -> object:
        message = email.message.EmailMessage()
        message["Subject"] = f"Order {rng.randrange(1000)}"
        message.set_content(TEXT)
        return urllib.parse.quote(message.as_string()), string.Template("$a").substitute(a=1)

    return call


HEALTHY_CALLS: dict[str, Make] = {
    "regular expressions": _regular_expressions,
    "json of records": _json_of_records,
    "sqlite3, a database a call": _database_of_its_own,
    "sqlite3, one connection": _queries_on_one_connection,
    "ssl context": _ssl_context,
    "hashlib": _hashes,
    "zlib and lzma": _compression,
    "xml, a tree": _xml_tree,
    "xml, a document of cycles": _xml_document,
    "numpy": _arrays,
    "pandas, groups": _frames,
    "pandas, a merge": _merge_of_frames,
    "pathlib": _paths,
    "temporary files": _temporary_files,
    "subprocess": _process,
    "a thread a call": _thread,
    "a pool of threads a call": _executor,
    "socket pair": _socket_pair,
    "lru_cache that gets full": _cache_that_gets_full,
    "logging to a file that rotates": _logging_to_a_file,
    "logging in bouts": _logging_in_bouts,
    "decimal": _decimals,
    "datetime": _dates,
    "dataclasses": _dataclasses,
    "new dataclasses": _new_classes,
    "pickle": _pickles,
    "coroutines": _coroutines,
    "an event loop a call": _new_loop,
    "csv": _tables_of_text,
    "compiled code": _compiled_code,
    "e-mail": _messages,
}
