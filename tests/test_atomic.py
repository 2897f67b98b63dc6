"""A whole file or none: what a reader finds while a file is written, and after the writer failed or was killed."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from memanalysis._atomic import open_atomic, write_atomic


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def write_half(path: Path, error: BaseException) -> None:
    with open_atomic(path) as stream:
        stream.write(b"half")
        raise error


@pytest.mark.slow
def test_a_new_file_has_the_content_and_the_permissions_less_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    before = os.umask(0o027)
    try:
        write_atomic(path, b"new", file_mode=0o664)
    finally:
        os.umask(before)

    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["a.json"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_old_content_is_there_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with open_atomic(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
        [temporary] = set(names_in(tmp_path)) - {"a.json"}
        assert temporary.startswith(".a.json.")
        assert temporary.endswith(".tmp")

    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["an error", "an interrupt"])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(type(error)):
        write_half(path, error)

    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.json"]


def test_a_rename_that_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    folder = tmp_path / "a.json"
    (folder / "x").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.json"):
        write_atomic(folder, b"new")

    assert names_in(tmp_path) == ["a.json"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_writer_that_is_killed_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    program = (
        "import os, sys; from pathlib import Path; from memanalysis._atomic import open_atomic\n"
        "with open_atomic(Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'half'); stream.flush(); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)

    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
