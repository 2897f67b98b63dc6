"""Callables of known truth, seeded: what they keep, how much, how often; and harmless ones that look as if they did."""

import collections
import ctypes
import gc
import itertools
import json
import logging
import random
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["BENIGN", "LEAKS", "Case", "list_leaks", "make_benign", "make_leak"]

Call = Callable[[], object]

SIZES = (8, 32, 100, 1_000, 10_000, 100_000)
EVERY = (1, 3, 10, 30, 100)
MIN_RATE = 4.0
"""Bytes a call: less is no leak by the default of ``find_leak``."""

REGISTRY: list[object] = []
LOCAL = threading.local()


@dataclass(frozen=True, slots=True)
class Case:
    """One callable.

    Parameters
    ----------
    name : str
        Its kind, and for a leak bytes and how often.
    call : callable
        What is repeated.
    is_leak : bool
        The truth.
    collect : bool
        Arguments of ``find_leak``.
    """

    name: str
    call: Call
    is_leak: bool
    collect: bool = True


class Node:
    """Something that can refer to itself."""

    def __init__(self, payload: object) -> None:
        self.payload = payload
        self.me = self


def list_leaks() -> Iterator[tuple[str, int, int]]:
    """Every kind with every size and frequency that keeps at least ``MIN_RATE`` bytes a call."""
    for kind, size, every in itertools.product(LEAKS, SIZES, EVERY):
        if size / every >= MIN_RATE:
            yield kind, size, every


def make_leak(kind: str, size: int, every: int, rng: random.Random) -> Case:
    """Leak ``size`` bytes at one call of ``every``; at each so-manieth call, or at random ones."""
    keep = LEAKS[kind](size)
    at_random = rng.random() < 0.5
    noise = rng.choice((0, 200, 5_000))
    calls = itertools.count()
    draws = random.Random(rng.random())

    def call() -> None:
        garbage = bytes(draws.randrange(noise + 1))
        if every == 1 or (draws.random() < 1 / every if at_random else next(calls) % every == every - 1):
            keep()
        del garbage

    name = f"{kind}, {size} B at 1 call of {every}{' at random' if at_random and every > 1 else ''}"
    return Case(name, call, True, collect=kind != "cycle")


def make_benign(kind: str, rng: random.Random) -> Case:
    """Make a harmless callable with a size of its own."""
    return Case(kind, BENIGN[kind](rng), False)


def _payload(size: int) -> Callable[[], object]:
    """Something new of about that size; of 8 bytes, nothing new: the slot that holds it is what leaks."""
    if size <= 8:
        return lambda: None
    if size <= 40:  # so small a bytes is shared: a float has 24 bytes, and its slot 8
        numbers = itertools.count()
        return lambda: float(next(numbers))
    return lambda: bytes(size - 33)


def _into_list(size: int) -> Call:
    kept: list[object] = []
    make = _payload(size)
    return lambda: kept.append(make())


def _into_dict(size: int) -> Call:
    kept: dict[int, object] = {}
    make, keys = _payload(size), itertools.count()
    return lambda: kept.update({next(keys): make()})


def _into_set(size: int) -> Call:
    kept: set[bytes] = set()
    keys = itertools.count()
    return lambda: kept.add(next(keys).to_bytes(8, "big") + bytes(max(0, size - 41)))


def _into_deque(size: int) -> Call:
    kept: collections.deque[object] = collections.deque()
    make = _payload(size)
    return lambda: kept.append(make())


def _into_cycle(size: int) -> Call:
    """Garbage that only a collector would free, in a program that has turned it off."""
    gc.disable()
    make = _payload(size)
    return lambda: (Node(make()), None)[1]


def _into_closure(size: int) -> Call:
    make = _payload(size)
    last: Callable[[], object] = lambda: None  # noqa: E731

    def call() -> None:
        nonlocal last
        before, payload = last, make()
        last = lambda: (before, payload)  # noqa: E731

    return call


def _into_registry(size: int) -> Call:
    make = _payload(size)
    return lambda: REGISTRY.append(Node(make()))


def _into_thread_local(size: int) -> Call:
    make = _payload(size)
    LOCAL.kept = []
    return lambda: LOCAL.kept.append(make())


def _into_malloc(size: int) -> Call:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    return lambda: libc.memset(libc.malloc(size), 1, size) and None


LEAKS: dict[str, Callable[[int], Call]] = {
    "list": _into_list,
    "dict": _into_dict,
    "set": _into_set,
    "deque": _into_deque,
    "cycle": _into_cycle,
    "closure": _into_closure,
    "registry": _into_registry,
    "thread-local": _into_thread_local,
    "malloc": _into_malloc,
}


def _pure(_rng: random.Random) -> Call:
    return lambda: sorted(range(200), key=lambda n: -n)


def _full_cache(rng: random.Random) -> Call:
    keys = itertools.count()
    cached = lru_cache(maxsize=rng.choice((100, 500, 1_000)))(lambda key: str(key) * 20)
    return lambda: cached(next(keys))


def _filling_cache(rng: random.Random) -> Call:
    keys = itertools.count()
    cached = lru_cache(maxsize=rng.choice((5_000, 50_000, 1_000_000)))(lambda key: str(key) * 20)
    return lambda: cached(next(keys))


def _cache_of_random_keys(rng: random.Random) -> Call:
    cached: dict[int, str] = {}
    most = rng.choice((300, 2_000))

    def call() -> None:
        key = rng.randrange(most)
        cached.setdefault(key, str(key) * 20)

    return call


def _own_bounded_cache(rng: random.Random) -> Call:
    cached: collections.OrderedDict[int, str] = collections.OrderedDict()
    keys, most = itertools.count(), rng.choice((200, 1_000, 3_000))

    def call() -> None:
        key = next(keys)
        cached[key] = str(key) * 20
        if len(cached) > most:
            cached.popitem(last=False)

    return call


def _bounded_deque(rng: random.Random) -> Call:
    kept: collections.deque[bytes] = collections.deque(maxlen=rng.choice((100, 1_000, 20_000)))
    return lambda: kept.append(bytes(rng.randrange(200)))


def _reused_buffer(rng: random.Random) -> Call:
    buffer = bytearray(rng.choice((1_000, 100_000)))

    def call() -> None:
        buffer[:] = bytes(len(buffer))

    return call


def _regex_cache(_rng: random.Random) -> Call:
    numbers = itertools.count()
    return lambda: re.compile(f"a{next(numbers)}b*").match("ab")


def _json(rng: random.Random) -> Call:
    record = {"numbers": [rng.random() for _ in range(50)], "name": "x" * 50}
    return lambda: json.loads(json.dumps(record))


def _interning(_rng: random.Random) -> Call:
    numbers = itertools.count()
    return lambda: sys.intern(f"name_{next(numbers)}") and None


def _classes(_rng: random.Random) -> Call:
    numbers = itertools.count()
    return lambda: type(f"Class{next(numbers)}", (Node,), {})(None)


def _logging(_rng: random.Random) -> Call:
    logger = logging.Logger("calls")
    logger.addHandler(logging.NullHandler())
    numbers = itertools.count()
    return lambda: logger.info("request %d", next(numbers))


def _memory_handler(rng: random.Random) -> Call:
    """A saw-tooth: records are kept until there are enough."""
    kept: list[str] = []
    numbers, most = itertools.count(), rng.choice((20, 200, 800))

    def call() -> None:
        kept.append(f"record {next(numbers)}" * 5)
        if len(kept) >= most:
            kept.clear()

    return call


def _random_garbage(rng: random.Random) -> Call:
    return lambda: [bytes(rng.randrange(20_000)) for _ in range(5)] and None


def _last_result(rng: random.Random) -> Call:
    kept: list[object] = [None]
    most = rng.choice((1_000, 20_000))

    def call() -> None:
        kept[0] = bytes(rng.randrange(most))

    return call


def _random_walk(rng: random.Random) -> Call:
    """A queue that gets longer and shorter at random, within bounds."""
    queue: list[bytes] = []

    def call() -> None:
        if rng.random() < 0.5 and len(queue) < 100:
            queue.append(bytes(500))
        elif queue:
            queue.pop()

    return call


def _cyclic_garbage(rng: random.Random) -> Call:
    size = rng.choice((100, 5_000))
    return lambda: (Node(bytes(size)), None)[1]


def _exceptions(_rng: random.Random) -> Call:
    def call() -> None:
        try:
            int("no number")
        except ValueError as error:
            error.add_note("seen")

    return call


def _threads(_rng: random.Random) -> Call:
    def call() -> None:
        thread = threading.Thread(target=bytes, args=(1_000,))
        thread.start()
        thread.join()

    return call


def _weak_registry(_rng: random.Random) -> Call:
    registry: weakref.WeakSet[Node] = weakref.WeakSet()
    return lambda: registry.add(Node(None))


def _pool(rng: random.Random) -> Call:
    """Objects are handed out and taken back; the pool has as many as were ever out at once."""
    pool: list[bytearray] = []

    def call() -> None:
        out = [pool.pop() if pool else bytearray(1_000) for _ in range(rng.randrange(1, 30))]
        pool.extend(out)

    return call


def _malloc_and_free(rng: random.Random) -> Call:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    return lambda: libc.free(libc.malloc(rng.randrange(1, 50_000)))


def _late_table(rng: random.Random) -> Call:
    """Something is loaded once, after some hundred calls."""
    kept: list[object] = []
    numbers, when = itertools.count(), rng.randrange(50, 800)

    def call() -> None:
        if next(numbers) == when:
            kept.append({key: str(key) for key in range(5_000)})

    return call


BENIGN: dict[str, Callable[[random.Random], Call]] = {
    "pure": _pure,
    "lru_cache, soon full": _full_cache,
    "lru_cache, filling": _filling_cache,
    "cache of random keys": _cache_of_random_keys,
    "bounded cache of its own": _own_bounded_cache,
    "deque with maxlen": _bounded_deque,
    "reused buffer": _reused_buffer,
    "regex cache": _regex_cache,
    "json": _json,
    "interned names": _interning,
    "classes made and collected": _classes,
    "logging": _logging,
    "buffer that is flushed": _memory_handler,
    "garbage of random size": _random_garbage,
    "last result is kept": _last_result,
    "queue at random": _random_walk,
    "cyclic garbage": _cyclic_garbage,
    "exceptions": _exceptions,
    "threads": _threads,
    "weak registry": _weak_registry,
    "pool": _pool,
    "malloc and free": _malloc_and_free,
    "table loaded late": _late_table,
}
