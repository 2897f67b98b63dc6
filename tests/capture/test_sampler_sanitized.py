"""The compiled sampler under AddressSanitizer and UBSan: no access of memory that is not its own, nothing undefined."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from needs import needs_sampler

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("gcc")
DEADLINE_S = 300.0
FOUND = 86
"""Exit code of a program in which a sanitizer finds something."""

pytestmark = [needs_sampler, pytest.mark.slow]

TORTURE = """
import array, gc, os, sys, threading
import numpy as np
from memanalysis.capture import sampler

def churn(seed, rounds):
    held, names = [], {}
    for number in range(rounds):
        held.append([bytes(seed + number % 700) for _ in range(40)])
        grown = array.array("b")
        for _ in range(30):
            grown.extend(bytes(100))  # realloc
        exec(f"def f():\\n    return [b'x' * {number} for _ in range(3)]\\nf()", names)
        held.append((number for number in range(9)))
        held.append(np.ones(seed + number))
        if len(held) > 60:
            del held[::2]

for interval_bytes in (1, 64, 4096):
    for depth in (1, 25):
        assert sampler.start(interval_bytes=interval_bytes, max_frames=depth)
        threads = [threading.Thread(target=churn, args=(seed, 60)) for seed in range(1, 5)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            sampler.mark_peak()
            churn(7, 3)
            sampler.read_live(), sampler.read_peak(), sampler.check()
        for thread in threads:
            thread.join()
        child = os.fork()
        if child == 0:
            churn(3, 20)
            sampler.read_live()
            sampler.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        gc.collect()
        assert sampler.stop()
sampler.start(interval_bytes=64)  # left on: the interpreter ends under it
print("done")
"""


def find_runtime() -> str | None:
    """Return the path of AddressSanitizer's library, where the compiler has one."""
    if COMPILER is None:
        return None
    found = subprocess.run([COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    path = found.stdout.strip()
    return path if Path(path).is_absolute() else None


@pytest.mark.skipif(find_runtime() is None, reason="needs gcc with AddressSanitizer")
def test_threads_realloc_fork_and_compiled_code_touch_nothing_that_is_not_theirs(tmp_path: Path) -> None:
    package = tmp_path / "memanalysis"
    shutil.copytree(ROOT / "memanalysis", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    source = package / "capture" / "_sampler.c"
    target = source.with_name("_sampler" + sysconfig.get_config_var("EXT_SUFFIX"))
    flags = ["-std=gnu11", "-O1", "-g", "-fPIC", "-shared", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
    include = "-I" + sysconfig.get_paths()["include"]
    subprocess.run([str(COMPILER), *flags, include, str(source), "-o", str(target), "-lm"], check=True)
    options = f"exitcode={FOUND}:halt_on_error=1:print_stacktrace=1"
    done = subprocess.run(
        [sys.executable, "-c", TORTURE],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "LD_PRELOAD": str(find_runtime()),
            "ASAN_OPTIONS": f"detect_leaks=0:{options}",
            "UBSAN_OPTIONS": options,
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-5000:]
    assert "runtime error" not in done.stderr
