"""Leaky twins of the calls of `healthy_calls`: what programs keep by mistake."""

import asyncio
import collections
import ctypes
import functools
import itertools
import logging
import logging.handlers
import random
import re
import sqlite3
import ssl
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np

from benchmarks.detection.healthy_calls import HEALTHY_CALLS, TEXT, XML, Call, Make, Order

__all__ = ["LEAKY_CALLS"]


def _keep_results(make: Make) -> Make:
    """The same call, whose result somebody keeps."""

    def make_leaky(rng: random.Random) -> Call:
        kept: list[object] = []
        call = make(rng)
        return lambda: kept.append(call())

    return make_leaky


def _matches_kept(_rng: random.Random) -> Call:
    kept: dict[str, object] = {}
    numbers = itertools.count()
    return lambda: kept.setdefault(f"{next(numbers)}", re.match(r"(\w+)", TEXT))


def _statements_kept(_rng: random.Random) -> Call:
    connection = sqlite3.connect(":memory:")
    kept: list[object] = []
    return lambda: kept.append(connection.execute("select 1"))


def _database_that_grows(_rng: random.Random) -> Call:
    """Native memory: the database is in memory."""
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a text)")
    return lambda: connection.execute("insert into t values (?)", ("x" * 500,)).rowcount


def _contexts_kept(_rng: random.Random) -> Call:
    kept: list[object] = []
    return lambda: kept.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _compressors_kept(_rng: random.Random) -> Call:
    kept: list[object] = []
    return lambda: kept.append(zlib.compressobj())


def _references_lost(_rng: random.Random) -> Call:
    """What an extension does that forgets a Py_DECREF."""
    increase = ctypes.pythonapi.Py_IncRef
    increase.argtypes = [ctypes.py_object]
    return lambda: increase(bytearray(300))


def _arrays_kept(rng: random.Random) -> Call:
    numbers = np.random.default_rng(rng.randrange(2**31))
    kept: list[object] = []
    return lambda: kept.append(numbers.random(1_000)[:5])  # the view holds its array


def _handlers_added(_rng: random.Random) -> Call:
    logger = logging.Logger("calls")
    return lambda: logger.addHandler(logging.NullHandler())


def _threads_wait(_rng: random.Random) -> Call:
    """They wait for an event that nobody sets."""
    event = threading.Event()
    return lambda: threading.Thread(target=event.wait, daemon=True).start()


def _local_of_instances(_rng: random.Random) -> Call:
    """functools.lru_cache on a method, without a bound: it keeps each instance."""

    class Report:
        @functools.cache  # noqa: B019  the leak that is meant
        def total(self) -> int:
            return 1

    return lambda: Report().total()


def _tasks_wait(_rng: random.Random) -> Call:
    tasks: set[asyncio.Task[object]] = set()

    async def call() -> None:
        tasks.add(asyncio.ensure_future(asyncio.Event().wait()))

    return call


def _callbacks_registered(_rng: random.Random) -> Call:
    listeners: collections.defaultdict[str, list[object]] = collections.defaultdict(list)

    def call() -> None:
        order = Order(1, ["line"] * 5)
        listeners["open"].append(lambda: order.open)

    return call


def _sockets_kept(_rng: random.Random) -> Call:
    kept: collections.deque[object] = collections.deque(maxlen=None)
    return lambda: kept.append(urllib.parse.urlsplit(f"https://example.org/{len(kept)}"))


def _interned_for_ever(_rng: random.Random) -> Call:
    """Modules that programs make for plug-ins stay in sys.modules."""
    numbers = itertools.count()
    kind = type(sys)
    return lambda: sys.modules.setdefault(f"_plugin_{next(numbers)}", kind("plugin"))


LEAKY_CALLS: dict[str, Make] = {
    "regular expressions": _matches_kept,
    "json of records": _keep_results(HEALTHY_CALLS["json of records"]),
    "sqlite3, statements": _statements_kept,
    "sqlite3, a database in memory": _database_that_grows,
    "ssl context": _contexts_kept,
    "hashlib": _keep_results(HEALTHY_CALLS["hashlib"]),
    "zlib, compressors": _compressors_kept,
    "xml, a tree": _keep_results(lambda _rng: lambda: ElementTree.fromstring(XML)),  # noqa: S314  text of our own
    "extension, references": _references_lost,
    "numpy, views": _arrays_kept,
    "pandas, groups": _keep_results(HEALTHY_CALLS["pandas, groups"]),
    "temporary files": _keep_results(HEALTHY_CALLS["temporary files"]),
    "subprocess": _keep_results(HEALTHY_CALLS["subprocess"]),
    "threads that wait": _threads_wait,
    "cache on a method": _local_of_instances,
    "logging, handlers": _handlers_added,
    "decimal": _keep_results(HEALTHY_CALLS["decimal"]),
    "datetime": _keep_results(HEALTHY_CALLS["datetime"]),
    "new dataclasses": _keep_results(HEALTHY_CALLS["new dataclasses"]),
    "pickle": _keep_results(HEALTHY_CALLS["pickle"]),
    "tasks that wait": _tasks_wait,
    "callbacks": _callbacks_registered,
    "urls": _sockets_kept,
    "modules": _interned_for_ever,
}
