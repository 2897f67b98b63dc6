import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from memanalysis.cli.programs import follow_programs, run_programs
from memanalysis.errors import CaptureError

FOR_EVER = ("-c", "import time\nwhile True: time.sleep(60)")
DEAF = (
    "-c",
    "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsys.stderr.write('deaf\\n')\n"
    "sys.stderr.flush()\nwhile True: time.sleep(60)",
)


def run(commands: Mapping[str, Sequence[str]], directory: Path, *, tick: Callable[[float], None]) -> None:
    """Run them for twenty seconds, noting their process ids in a file."""
    with run_programs(commands, log_directory=directory) as programs:
        (directory / "pids").write_text(" ".join(str(program.process.pid) for program in programs))
        follow_programs(programs, seconds=20, grace_s=60, tick=tick)


def any_is_left(directory: Path) -> bool:
    return any(map(psutil.pid_exists, map(int, (directory / "pids").read_text().split())))


@pytest.mark.slow
def test_programs_run_beside_each_other_until_all_have_ended(tmp_path: Path) -> None:
    seen: list[float] = []
    commands = {"one": ("-c", "import time; time.sleep(0.5)"), "two": ("-c", "import time; time.sleep(0.5)")}
    started = time.monotonic()
    with run_programs(commands, log_directory=tmp_path) as programs:
        follow_programs(programs, seconds=0.5, grace_s=60, tick=seen.append)
        assert [program.process.returncode for program in programs] == [0, 0]
        assert [program.read_rss_bytes() for program in programs] == [None, None]

    assert seen == sorted(seen)
    assert time.monotonic() - started >= 0.5


def test_a_running_program_shows_its_memory(tmp_path: Path) -> None:
    with run_programs({"one": FOR_EVER}, log_directory=tmp_path) as [program]:
        rss_bytes = program.read_rss_bytes()

    assert rss_bytes is not None
    assert rss_bytes > 0


def test_a_failing_program_is_reported_with_what_it_wrote_and_stops_the_others(tmp_path: Path) -> None:
    commands = {"good": FOR_EVER, "bad": ("-c", "import sys; sys.exit('no disk')")}
    with pytest.raises(CaptureError) as caught:
        run(commands, tmp_path, tick=lambda elapsed_s: None)

    assert str(caught.value) == "The program bad was to run for 20 s, but ended with code 1. It wrote:\nno disk"
    assert not any_is_left(tmp_path)


def test_a_program_that_does_not_end_in_time_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(CaptureError, match=r"The programs were to run for 0\.1 s, but after .* had not ended: slow\."),
        run_programs({"slow": FOR_EVER}, log_directory=tmp_path) as programs,
    ):
        follow_programs(programs, seconds=0.1, grace_s=0.1, tick=lambda elapsed_s: None)


def test_ctrl_c_leaves_no_program_behind(tmp_path: Path) -> None:
    def interrupt(elapsed_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run({"one": FOR_EVER}, tmp_path, tick=interrupt)

    assert not any_is_left(tmp_path)


def test_a_program_deaf_to_a_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memanalysis.cli.programs.STOP_S", 0.2)
    with run_programs({"deaf": DEAF}, log_directory=tmp_path) as [program]:
        deadline = time.monotonic() + 30
        while program.stderr.read_bytes() != b"deaf\n":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    assert program.process.returncode == -9


def test_control_c_amid_a_start_leaves_no_program_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when the program has begun, and before anybody has noted it."""
    started: list[subprocess.Popen[bytes]] = []

    class InterruptedStart(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", InterruptedStart)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            run_programs({"one": FOR_EVER, "two": FOR_EVER}, log_directory=tmp_path),
        ):
            raise AssertionError("the block was entered")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
        for process in started:
            process.kill()

    assert [process.returncode for process in started] == [-signal.SIGTERM]
