"""``memanalysis doctor``: what this machine and this Python can measure, and a self-test of it."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from memanalysis._version import __version__
from memanalysis.cli.command_help import Command, add_json_option
from memanalysis.cli.self_test import SelfTest, describe_self_test, run_self_test
from memanalysis.units import format_bytes

__all__ = ["DoctorFindings", "command"]

PACKAGES = ("numpy", "pandas", "pyarrow", "matplotlib", "ipywidgets", "jinja2", "rich", "psutil", "pyyaml", "fsspec")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFindings:
    """What can be measured here; None is what cannot, and ``limit_bytes`` None where no limit is below the machine."""

    version: str
    python: str
    platform: str
    rss_bytes: int | None
    pss_bytes: int | None
    uss_bytes: int | None
    allocator_free_bytes: int | None
    limit_bytes: int | None
    fork_obstacle: str | None
    engine: str
    engine_reason: str
    packages: dict[str, str | None]
    self_test: SelfTest


@click.command(
    "doctor",
    cls=Command,
    help="Show what can be measured here: the engine that finds lines and why it is that one, the sources of memory "
    "figures, and versions. Then allocate 16 MiB and check that they are seen, and write a ledger and read it, in five "
    "seconds at most.",
    examples="memanalysis doctor > doctor.txt   # to be attached to a question",
    needs=("rich",),
)
@add_json_option
def command(is_json: bool) -> int:
    """Print what is there, test it, and return 1 where the test fails."""
    found = _examine()
    if is_json:
        from memanalysis.cli.json_output import print_json

        print_json(found)
    else:
        _print_findings(found)
    return 0 if found.self_test.is_passed else 1


def _examine() -> DoctorFindings:
    """Read what is there, and run the self-test."""
    from memanalysis.capture.forking import find_fork_obstacle
    from memanalysis.capture.process import ProcessReader, read_allocator_free_bytes, read_limit_bytes
    from memanalysis.cli.terminal import show_progress
    from memanalysis.watcher.trace_engine import choose_engine

    with ProcessReader() as process:
        rss_bytes, (pss_bytes, uss_bytes) = process.read_rss_bytes(), process.read_pss_and_uss_bytes()
    engine, obstacle = choose_engine("auto"), find_fork_obstacle()  # the thread that shows progress would be one
    with show_progress("Allocating 16 MiB, and writing a ledger"):
        self_test = run_self_test()
    return DoctorFindings(
        version=__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=platform.platform(terse=True),
        rss_bytes=rss_bytes,
        pss_bytes=pss_bytes,
        uss_bytes=uss_bytes,
        allocator_free_bytes=read_allocator_free_bytes(),
        limit_bytes=read_limit_bytes(),
        fork_obstacle=obstacle,
        engine=engine.name,
        engine_reason=engine.reason,
        packages={name: _find_version(name) for name in PACKAGES},
        self_test=self_test,
    )


def _print_findings(found: DoctorFindings) -> None:
    from memanalysis.cli.terminal import open_console, print_line, print_paragraph

    figures = {
        "resident (RSS)": found.rss_bytes,
        "shared pages split (PSS)": found.pss_bytes,
        "private (USS)": found.uss_bytes,
        "free in the allocator": found.allocator_free_bytes,
    }
    limit, obstacle = found.limit_bytes, found.fork_obstacle
    parts = {
        "memanalysis": f"{found.version} on {found.python}, {found.platform}",
        "memory": ", ".join(f"{name} {_show(size)}" for name, size in figures.items()),
        "limit": "none that is lower than the machine" if limit is None else format_bytes(limit),
        "snapshots": "in a forked copy" if obstacle is None else f"in the process itself: {obstacle}",
        "lines": f"{found.engine}. {found.engine_reason}",
        "packages": ", ".join(f"{name} {version or 'missing'}" for name, version in found.packages.items()),
    }
    console = open_console()
    for title, text in parts.items():
        print_paragraph(console, f"{title:<12}{text}", indent=12)
    print_line(console)
    print_paragraph(console, f"{'self-test':<12}{describe_self_test(found.self_test)}", indent=12)


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _show(size: int | None) -> str:
    return "not available" if size is None else format_bytes(size)
