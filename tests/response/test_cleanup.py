"""Memory is freed by what the policy names, measured, and no hook that fails stops the others."""

import functools
import gc
import linecache
import logging
import re
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from memanalysis.classes.auto_cleanup_manager import AutoCleanupManager
from memanalysis.classes.leak_detector import LeakDetectionResult
from memanalysis.errors import InvalidArgumentError
from memanalysis.units import MIB


class Knot:
    """Held by itself, and by nobody else."""

    def __init__(self) -> None:
        self.self = self
        self.ballast = bytearray(MIB)


@pytest.fixture
def no_automatic_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def cleanup(*methods: str, **auto_cleanup: Any) -> AutoCleanupManager:
    return AutoCleanupManager({"leak_detection": {"auto_cleanup": {"methods": list(methods), **auto_cleanup}}})


def result(growth_mb: float, *, detected: bool = True) -> LeakDetectionResult:
    return LeakDetectionResult(detected, "high", growth_mb, 50.0, 0, 0.0)


@pytest.mark.parametrize(
    ("growth_mb", "detected", "triggers"), [(49.9, True, False), (50, True, True), (500, False, False)]
)
def test_a_leak_that_reaches_the_threshold_of_50_mb_triggers(growth_mb: float, detected: bool, triggers: bool) -> None:
    assert AutoCleanupManager({}).should_trigger_cleanup(result(growth_mb, detected=detected)) is triggers


def test_the_threshold_of_the_policy_acts() -> None:
    assert cleanup(threshold_mb=600).should_trigger_cleanup(result(599)) is False
    assert cleanup(threshold_mb=600).should_trigger_cleanup(result(600)) is True


def test_a_cleanup_that_is_off_is_never_triggered() -> None:
    assert cleanup(enabled=False).should_trigger_cleanup(result(10_000)) is False


def test_growth_that_is_unknown_does_not_trigger() -> None:
    assert AutoCleanupManager({}).should_trigger_cleanup(result(float("nan"))) is False


def test_the_methods_of_the_policy_run_in_its_order() -> None:
    assert list(cleanup("cache_flush", "garbage_collection").execute_cleanup()) == ["cache_flush", "garbage_collection"]
    assert list(AutoCleanupManager({}).execute_cleanup()) == ["garbage_collection", "resource_cleanup", "cache_flush"]
    assert cleanup().execute_cleanup() == {}


@pytest.mark.usefixtures("no_automatic_collection", "traced")
def test_garbage_is_really_collected_and_its_bytes_are_counted() -> None:
    for _ in range(20):
        Knot()
    report = cleanup("garbage_collection").execute_cleanup()["garbage_collection"]

    assert report["freed_bytes"] == pytest.approx(20 * MIB, rel=0.02)
    assert report["measured_by"] == "traced_bytes"
    collected = re.match(r"Collected (\d+) unreachable objects; ", report["did"])
    assert collected is not None
    assert int(collected[1]) >= 20


@pytest.mark.usefixtures("no_automatic_collection")
@pytest.mark.skipif(
    sys.platform != "linux", reason="RSS falls at once where the C library maps large blocks by themselves"
)
def test_without_tracing_resident_memory_tells_what_was_freed() -> None:
    for _ in range(20):
        Knot().ballast[:] = b"x" * MIB
    report = cleanup("garbage_collection").execute_cleanup()["garbage_collection"]

    assert report["measured_by"] == "rss_bytes"
    assert 15 * MIB <= report["freed_bytes"] <= 25 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can give memory back")
def test_the_report_says_whether_memory_went_back_to_the_system() -> None:
    did = cleanup("garbage_collection").execute_cleanup()["garbage_collection"]["did"]

    assert re.fullmatch(
        r"Collected \d+ unreachable objects?; (gave free memory back to the system"
        r"|the system had no free memory to take back|this C library cannot give memory back)\.",
        did,
    )


@pytest.mark.usefixtures("traced")
def test_hooks_run_and_what_they_free_is_counted() -> None:
    held = [bytearray(8 * MIB)]
    manager = cleanup("resource_cleanup")
    manager.register_resource("buffers", held.clear)
    report = manager.execute_cleanup()["resource_cleanup"]

    assert held == []
    assert report["did"] == "Ran 1 hook: buffers."
    assert report["freed_bytes"] == pytest.approx(8 * MIB, rel=0.01)
    assert report["errors"] == []


def test_a_hook_that_fails_is_reported_and_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []

    def fail() -> None:
        raise RuntimeError("pool is busy")

    manager = cleanup("resource_cleanup", "cache_flush")
    manager.register_resource("first", lambda: ran.append("first"))
    manager.register_resource("pool", fail)
    manager.register_resource("last", lambda: ran.append("last"))
    with caplog.at_level(logging.WARNING):
        reports = manager.execute_cleanup()

    assert ran == ["first", "last"]
    assert reports["resource_cleanup"]["did"] == "Ran 2 hooks: first, last; 1 failed."
    assert reports["resource_cleanup"]["errors"] == [{"name": "pool", "error": "RuntimeError: pool is busy"}]
    assert [record.getMessage() for record in caplog.records] == ["The hook 'pool' failed during cleanup."]
    assert caplog.records[0].exc_info is not None
    assert "cache_flush" in reports


@pytest.mark.slow
def test_a_hook_that_hangs_is_left_behind_and_is_not_started_again() -> None:
    ran: list[str] = []
    released = threading.Event()
    manager = cleanup("resource_cleanup")
    manager.register_resource("stuck", lambda: ran.append("stuck") or released.wait(60))
    manager.register_resource("last", lambda: ran.append("last"))
    first = manager.execute_cleanup()["resource_cleanup"]
    second = manager.execute_cleanup()["resource_cleanup"]

    assert ran == ["stuck", "last", "last"]
    assert first["did"] == "Ran 1 hook: last; 1 failed."
    assert first["errors"] == [{"name": "stuck", "error": "TimeoutError: it still runs after 2 s"}]
    assert second["errors"] == [{"name": "stuck", "error": "TimeoutError: it still runs since an earlier cleanup"}]
    released.set()
    for thread in threading.enumerate():
        if thread.name == "memanalysis-cleanup":
            thread.join(60)
    assert manager.execute_cleanup()["resource_cleanup"]["errors"] == []
    assert ran[-2:] == ["stuck", "last"]


def test_a_hook_that_ends_its_thread_ends_nothing_else() -> None:
    manager = cleanup("resource_cleanup")
    manager.register_resource("leaves", sys.exit)
    report = manager.execute_cleanup()["resource_cleanup"]

    assert report["errors"] == [{"name": "leaves", "error": "RuntimeError: SystemExit()"}]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the C library gives memory back when it likes")
@pytest.mark.usefixtures("traced")
def test_each_hook_has_what_it_freed_in_traced_and_in_resident_bytes() -> None:
    """The second half of the blocks of 64 KiB lies below the first in the heap, which only a trim gives back."""
    blocks = {name: [bytearray(b"x" * 65_536) for _ in range(256)] for name in ("first", "second")}
    manager = cleanup("resource_cleanup")
    for name, held in blocks.items():
        manager.register_resource(name, held.clear)
    report = manager.execute_cleanup()["resource_cleanup"]

    assert [step["name"] for step in report["steps"]] == ["first", "second"]
    for step in report["steps"]:
        assert step["freed_traced_bytes"] == pytest.approx(16 * MIB, rel=0.05)
        assert step["freed_rss_bytes"] == pytest.approx(16 * MIB, rel=0.3)
    assert report["freed_traced_bytes"] == pytest.approx(32 * MIB, rel=0.05)


def test_caches_of_functools_are_emptied_where_their_module_was_named() -> None:
    @functools.cache
    def ours(number: int) -> int:
        return number

    @functools.lru_cache
    def theirs(number: int) -> int:
        return number

    theirs.__module__ = f"{__name__}_of_another_name"
    ours(1), theirs(1)
    manager = cleanup("cache_flush")
    manager.register_functools_caches(__name__)
    report = manager.execute_cleanup()["cache_flush"]

    assert (ours.cache_info().currsize, theirs.cache_info().currsize) == (0, 1)
    assert f"functools caches of {__name__}" in report["did"]
    with pytest.raises(InvalidArgumentError, match="needs the name of a module, but got"):
        manager.register_functools_caches("")


def test_where_the_process_grew_meanwhile_nothing_was_freed() -> None:
    grown: list[bytearray] = []
    manager = cleanup("resource_cleanup")
    manager.register_resource("grows", lambda: grown.append(bytearray(b"x") * 32 * MIB))

    assert manager.execute_cleanup()["resource_cleanup"]["freed_bytes"] == 0


def test_without_hooks_the_report_says_so() -> None:
    assert cleanup("resource_cleanup").execute_cleanup()["resource_cleanup"]["did"] == "No hook is registered."


def test_the_same_name_again_replaces_a_hook() -> None:
    ran: list[int] = []
    manager = cleanup("resource_cleanup")
    for number in (1, 2):
        manager.register_resource("cell", functools.partial(ran.append, number))
    manager.execute_cleanup()

    assert ran == [2]


def test_a_hook_can_be_unregistered_also_by_another_hook() -> None:
    ran: list[str] = []
    manager = cleanup("resource_cleanup")
    manager.register_resource("once", lambda: ran.append("once") or manager.unregister_resource("once"))
    manager.execute_cleanup()
    manager.execute_cleanup()

    assert ran == ["once"]
    assert manager.unregister_resource("once") is False


def test_registered_caches_are_emptied() -> None:
    @functools.lru_cache
    def square(number: int) -> int:
        return number * number

    plain, other = {"a": 1}, {"b": 2}
    square(3)
    manager = cleanup("cache_flush")
    for cache in (square, plain, other, other):
        manager.register_cache(cache)
    manager.register_cache([1, 2], name="rows")
    report = manager.execute_cleanup()["cache_flush"]

    assert (square.cache_info().currsize, plain, other) == (0, {}, {})
    names = [step["name"] for step in report["steps"]]
    assert names[:6] == [
        f"{__name__}.{square.__qualname__}",
        "dict 1",
        "dict 2",
        "rows",
        "compiled regular expressions",
        "lines of source files",
    ]
    assert report["did"] == f"Emptied {len(names)} caches: {', '.join(names)}."


def test_a_cache_can_be_unregistered() -> None:
    plain = {"a": 1}
    manager = cleanup("cache_flush")
    manager.register_cache(plain, name="plain")

    assert manager.unregister_cache("plain")
    assert not manager.unregister_cache("plain")
    manager.execute_cleanup()
    assert plain == {"a": 1}


def test_a_cache_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn:
        def clear(self) -> None:
            raise OSError("locked")

    plain = {"a": 1}
    manager = cleanup("cache_flush")
    manager.register_cache(Stubborn(), name="stubborn")
    manager.register_cache(plain)
    report = manager.execute_cleanup()["cache_flush"]

    assert plain == {}
    assert report["errors"] == [{"name": "stubborn", "error": "OSError: locked"}]
    assert "The cache 'stubborn' failed during cleanup." in caplog.text


def test_compiled_expressions_are_forgotten() -> None:
    expression = re.compile("memanalysis-[a-z]+")
    cleanup("cache_flush").execute_cleanup()

    assert re.compile("memanalysis-[a-z]+") is not expression


def test_source_lines_of_files_are_forgotten_and_those_of_cells_are_kept() -> None:
    """A cell's source is nowhere else: without it tracebacks and inspect.getsource show nothing."""
    cell = "<ipython-input-7-memanalysis>"
    linecache.getlines(__file__)
    linecache.cache[cell] = (8, None, ["leak()\n"], cell)
    try:
        cleanup("cache_flush").execute_cleanup()

        assert __file__ not in linecache.cache
        assert linecache.getline(cell, 1) == "leak()\n"
    finally:
        del linecache.cache[cell]
    assert linecache.getline(__file__, 1).startswith('"""Memory is freed')


def test_an_lru_cache_that_nobody_registered_is_left_alone() -> None:
    @functools.lru_cache
    def connection() -> object:
        return object()

    before = connection()
    AutoCleanupManager({}).execute_cleanup()

    assert connection() is before


@pytest.mark.parametrize(
    ("register", "given", "text"),
    [
        (
            "register_resource",
            ("pool", 3),
            "register_resource needs a callable without arguments, but got int. "
            "Pass the function itself, without calling it.",
        ),
        (
            "register_cache",
            ("text",),
            "register_cache needs something with cache_clear() or clear(), but got str. "
            "Register a function that empties it with register_resource().",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(register: str, given: tuple[Any, ...], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        getattr(AutoCleanupManager({}), register)(*given)

    assert str(caught.value) == text
