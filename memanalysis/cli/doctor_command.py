"""``memanalysis doctor``: what this machine and this Python can measure, and a self-test of it."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import click

from memanalysis._version import __version__
from memanalysis.cli.command_help import Command
from memanalysis.units import MIB, format_bytes

__all__ = ["command"]

PACKAGES = ("numpy", "pandas", "pyarrow", "matplotlib", "ipywidgets", "jinja2", "rich", "psutil", "pyyaml", "fsspec")

TEST_BYTES = 16 * MIB
"""Allocated for the self-test; the sampler finds them to 9 % in 95 of 100 tries."""

TEST_BLOCK_BYTES = 4096


@click.command(
    "doctor",
    cls=Command,
    help="Show what can be measured here: the engine that finds lines and why it is that one, the sources of memory "
    "figures, and versions. Then allocate 16 MiB and look whether they are seen.",
    examples="memanalysis doctor > doctor.txt   # to be attached to a question",
    needs=("rich",),
)
def command() -> int:
    """Print what is there, test it, and return 1 where the test fails."""
    from memanalysis.cli.terminal import open_console, print_line, print_paragraph

    console = open_console()
    for title, text in [*_describe_python(), *_describe_sources(), *_describe_engine()]:
        print_paragraph(console, f"{title:<12}{text}", indent=12)
    print_paragraph(console, f"{'packages':<12}{', '.join(map(_describe_package, PACKAGES))}", indent=12)
    is_seen, result = _test_engine()
    print_line(console)
    print_paragraph(console, f"{'self-test':<12}{result}", indent=12)
    return 0 if is_seen else 1


def _describe_python() -> list[tuple[str, str]]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [("memanalysis", f"{__version__} on {python}, {platform.platform(terse=True)}")]


def _describe_sources() -> list[tuple[str, str]]:
    from memanalysis.capture.forking import find_fork_obstacle
    from memanalysis.capture.process import ProcessReader, read_allocator_free_bytes, read_limit_bytes

    with ProcessReader() as process:
        rss, (pss, uss) = process.read_rss_bytes(), process.read_pss_and_uss_bytes()
    limit, free, obstacle = read_limit_bytes(), read_allocator_free_bytes(), find_fork_obstacle()
    figures = {"resident": rss, "shared split": pss, "private": uss, "free in the allocator": free}
    known = ", ".join(f"{name} {_show(size)}" for name, size in figures.items())
    return [
        ("memory", known),
        ("limit", "none that is lower than the machine" if limit is None else format_bytes(limit)),
        ("snapshots", "in a forked copy" if obstacle is None else f"in the process itself: {obstacle}"),
    ]


def _describe_engine() -> list[tuple[str, str]]:
    from memanalysis.watcher.trace_engine import choose_engine

    engine = choose_engine("auto")
    return [("lines", f"{engine.name}. {engine.reason}")]


def _describe_package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} missing"


def _test_engine() -> tuple[bool, str]:
    """Return whether allocated memory is seen by the engine in use, and a sentence on it."""
    from memanalysis.capture import sampler
    from memanalysis.capture.process import ProcessReader

    with ProcessReader() as process:
        before = process.read_rss_bytes()
        is_sampled = sampler.why_unavailable() is None and sampler.start(interval_bytes=32 * 1024)
        try:
            blocks = [bytes(TEST_BLOCK_BYTES) for _ in range(TEST_BYTES // TEST_BLOCK_BYTES)]
            sampled = sampler.read_live_bytes() if is_sampled else None
        finally:
            if is_sampled:
                sampler.stop()
        after = process.read_rss_bytes()
    wanted = len(blocks) * (TEST_BLOCK_BYTES + sys.getsizeof(b""))
    grown = None if before is None or after is None else after - before
    is_seen = (grown is None or grown > wanted / 2) and (sampled is None or 0.7 < sampled / wanted < 1.3)
    text = f"{format_bytes(wanted)} were allocated. Resident memory grew by {_show(grown)}"
    text += f", the sampler saw {_show(sampled)}." if is_sampled else "."
    return is_seen, text + (" All is well." if is_seen else " That is not what was allocated.")


def _show(size: int | None) -> str:
    return "not available" if size is None else format_bytes(size)
