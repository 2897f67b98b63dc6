"""A failing test does not wait for what it started."""

import signal
import subprocess
import sys

import pytest
from processes import running


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_failure_ends_the_process_and_comes_through() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with pytest.raises(ZeroDivisionError), running(process):
        _ = 1 / 0

    assert process.returncode == -signal.SIGKILL
