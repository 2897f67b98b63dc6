"""Do CPython's own tests end under the sampler as they do without it? Run both, and compare test by test.

    python .ci/cpython_suite.py [--interval BYTES] [TEST ...]

runs the tests of the Python that it is started with, whose ``test`` package must be installed: those named, ``all``, or
a short list of those that the sampler could harm. Tests that end differently are run once more in both ways, since some
depend on the time: those that still differ are printed, and the exit code is 1.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHORT_LIST = [
    "test_ast",
    "test_asyncgen",
    "test_atexit",
    "test_bytes",
    "test_capi",
    "test_code",
    "test_coroutines",
    "test_ctypes",
    "test_deque",
    "test_dict",
    "test_embed",
    "test_exceptions",
    "test_faulthandler",
    "test_fork1",
    "test_frame",
    "test_gc",
    "test_generators",
    "test_io",
    "test_json",
    "test_list",
    "test_memoryview",
    "test_monitoring",
    "test_pickle",
    "test_signal",
    "test_subprocess",
    "test_super",
    "test_sys",
    "test_sys_settrace",
    "test_threading",
    "test_threading_local",
    "test_traceback",
    "test_tracemalloc",
    "test_weakref",
]
TIMEOUT_S = 600
NAME_THE_ALLOCATOR = ("CmdLineTest.test_pythonmalloc", "CmdLineTest.test_xdev")
"""They ask Python for the name of its allocators, which it has none for while any hook is on, tracemalloc's too."""

SITECUSTOMIZE = """
import os
def _start(interval=float(os.environ.get("SAMPLER_INTERVAL") or 0), path=os.environ["SAMPLER_PATH"]):
    from importlib.machinery import ExtensionFileLoader, ModuleSpec
    from _imp import create_dynamic, exec_dynamic
    loader = ExtensionFileLoader("_sampler", path)
    spec = ModuleSpec("_sampler", loader, origin=path)
    if interval:
        try:
            module = create_dynamic(spec)
            exec_dynamic(module)
        except ImportError:  # another interpreter than the main one
            return
        module.start(interval, 32, 0)
_start()
del _start, os
"""


def main() -> int:
    """Run, compare, print what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", type=int, default=4096, metavar="BYTES", help="between two samples (4096)")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("tests", nargs="*", metavar="TEST")
    options = parser.parse_args()
    compiled = sorted(
        (ROOT / "memanalysis" / "capture").glob(f"_sampler.*{sys.version_info[0]}{sys.version_info[1]}*.so")
    )
    if not compiled:
        parser.error("the sampler is not compiled for this Python. Run: python setup.py build_ext --inplace")
    if find_spec("test.libregrtest") is None:
        parser.error("this Python has no test package. Use one that was built from its source.")
    tests = (
        [] if options.tests == ["all"] else [name for name in options.tests or SHORT_LIST if find_spec(f"test.{name}")]
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
        suite = Suite(Path(folder), compiled[0], options.jobs)
        differing = compare(suite.run(tests), suite.run(tests, interval=options.interval))
        if differing:
            files = {name.removeprefix("test.").split(".")[0] for name in differing}
            again = sorted(files - {"None"})  # a whole file that failed, which has no test of a name
            print("run again:", *again, flush=True)
            second = compare(suite.run(again), suite.run(again, interval=options.interval))
            differing = {name: ends for name, ends in second.items() if name in differing}
    for name, (plain, sampled) in sorted(differing.items()):
        print(f"{name}: {plain} without the sampler, {sampled} with it")
    return int(bool(differing))


class Suite:
    """Runs tests of this Python and reads how each ended."""

    def __init__(self, folder: Path, compiled: Path, jobs: int) -> None:
        self.folder, self.compiled, self.jobs = folder, compiled, jobs

    def run(self, tests: Sequence[str], *, interval: int = 0) -> dict[str, str]:
        """Give, by the name of each test, whether it passed, failed or was skipped."""
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "SAMPLER_PATH": str(self.compiled),
            "SAMPLER_INTERVAL": str(interval),
        }
        options = [f"-j{self.jobs}", "--timeout", str(TIMEOUT_S), "--junit-xml", str(report)]
        done = subprocess.run(
            [sys.executable, "-m", "test", *options, *tests],
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.folder,
            check=False,
        )
        print(f"interval {interval or 'none'}:", *done.stdout.splitlines()[-4:], sep="\n  ", flush=True)
        return {str(case.get("name")): read_end(case) for case in ET.parse(report).getroot().iter("testcase")}


def read_end(case: ET.Element) -> str:
    """Give how a test ended."""
    return next((kind for kind in ("error", "failure", "skipped") if case.find(kind) is not None), "passed")


def compare(plain: dict[str, str], sampled: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Give the tests that ended differently, and how."""
    names = [name for name in plain.keys() | sampled.keys() if not name.endswith(NAME_THE_ALLOCATOR)]
    ends = {name: (plain.get(name, "not run"), sampled.get(name, "not run")) for name in names}
    return {name: both for name, both in ends.items() if both[0] != both[1]}


if __name__ == "__main__":
    sys.exit(main())
