"""The plugin for pytest: ``--memwatch``, the marks ``no_leak`` and ``memory_budget``, and the fixture ``memwatch``.

Pytest loads this file in every session, so it holds only what must be known before anybody asks. What measures is
loaded with the first option, mark or fixture that needs it.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from memanalysis.suite.memwatch_fixture import MemWatch

__all__ = ["memwatch", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure"]

HOOKS = "memanalysis.suite"
"""Name of the plugin that measures, for ``config.pluginmanager``."""

MARKS = (
    "no_leak(repeat=5): run the test again, and fail if every run keeps memory; at least 4 times",
    'memory_budget(limit): fail where the test adds more than this, such as "50 MiB", to the resident memory',
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("memwatch", "memory (memanalysis)")
    group.addoption(
        "--memwatch", action="store_true", help="Measure the memory of each test, and show the tests with the most."
    )
    group.addoption(
        "--memwatch-ledger",
        metavar="DIR",
        default=None,
        help="Write the figures of each test into this ledger; implies --memwatch.",
    )
    group.addoption(
        "--memwatch-repeat",
        type=int,
        metavar="N",
        default=0,
        help="Run each test that keeps memory up to N times more, and fail it if every run keeps some; at least 4. "
        "All checks together take 20 s, or 1.5 times as long as the suite itself. Implies --memwatch.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and what measures where an option asks for it."""
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    options = config.option
    if options.memwatch or options.memwatch_ledger or options.memwatch_repeat:
        _register_hooks(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Register what measures where a mark or the fixture asks for it."""
    for item in items:
        if (
            item.get_closest_marker("no_leak")
            or item.get_closest_marker("memory_budget")
            or "memwatch" in getattr(item, "fixturenames", ())
        ):
            _register_hooks(config)
            return


@pytest.fixture
def memwatch(request: pytest.FixtureRequest) -> "MemWatch":
    """Measure a part of the test: ``with memwatch.measure() as part``, or ``memwatch.find_leak(call)``."""
    from memanalysis.suite.memwatch_fixture import MemWatch

    hooks = request.config.pluginmanager.get_plugin(HOOKS)
    return MemWatch(note_peak=lambda: None if hooks is None else hooks.note_peak())


def _register_hooks(config: pytest.Config) -> None:
    if config.pluginmanager.has_plugin(HOOKS):
        return
    from memanalysis.suite.suite_hooks import register

    register(config, HOOKS)
