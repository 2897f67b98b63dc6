"""A program's folder may have modules named as Python's: neither takes the other's place."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memanalysis.ledger.reading.ledger import open_ledger
from memanalysis.standard_library import drop_shadowing_folders, find_shadows, standard_library_first

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LIBRARY = str(Path(os.__file__).parent)

PLAIN = """
import sys
import time
print("begins", flush=True)
time.sleep(0.3)
for name in sys.argv[1:]:
    try:
        __import__(name)
        print(name, "is Python's")
    except SystemExit as exc:
        print(exc)
sys.exit(3)
"""

WATCHING = f"""
import sys
sys.path.append({str(ROOT)!r})
from memanalysis import watch
recorder = watch("api", ledger="ledger", interval=0.05)
recorder.start()
{PLAIN}
"""

PARENT = """
import sys, posix
program = sys.argv[0].replace("parent.py", "program.py")
child = posix.posix_spawn(sys.executable, [sys.executable, program, *sys.argv[1:]], posix.environ)
sys.exit(posix.waitpid(child, 0)[1] >> 8)
"""

LISTING = f"""
import sys, time
sys.path.append({str(ROOT)!r})
before = set(sys.modules)
from memanalysis import watch
recorder = watch("api", ledger="ledger", interval=0.05)
with recorder:
    time.sleep(0.3)
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} & sys.stdlib_module_names))
"""

WAYS = ["watch", "run", "child"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Names of Python's modules that a process loads because it is watched, but those that are part of the interpreter.

    No file takes the place of these, and which they are differs: Debian's Python has ``_pickle`` among them.
    """
    folder = tmp_path_factory.mktemp("listing")
    (folder / "listing.py").write_text(LISTING)
    done = _run(["listing.py"], folder)
    names = [name for name in done.stdout.split() if name not in sys.builtin_module_names]
    assert {"json", "threading", "logging"} <= set(names), done.stderr
    return names


@pytest.mark.skipif(sys.platform == "win32", reason="processes are replaced on POSIX alone")
@pytest.mark.parametrize("way", WAYS)
def test_a_folder_with_all_names_that_are_loaded_changes_nothing(tmp_path, loaded, way):
    _compare(tmp_path, way, loaded)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are replaced on POSIX alone")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["secrets", "json", "logging", "threading", "types", "random"])
def test_a_folder_with_one_such_name_changes_nothing(tmp_path, name, way):
    _compare(tmp_path, way, [name])


def test_names_are_found_ahead_of_pythons_own_folder_alone(tmp_path):
    (tmp_path / "json.py").touch()
    (tmp_path / "own.py").touch()
    (tmp_path / "logging").mkdir()  # log files, for example: no package
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "__init__.py").touch()

    assert find_shadows([str(tmp_path), LIBRARY]) == {"json", "email"}
    assert find_shadows([LIBRARY, str(tmp_path)]) == frozenset()
    assert drop_shadowing_folders([str(tmp_path), "x", LIBRARY, str(tmp_path)]) == ["x", LIBRARY, str(tmp_path)]


def test_the_programs_module_is_back_after_the_block(tmp_path, monkeypatch):
    (tmp_path / "this.py").write_text("own = True")
    monkeypatch.syspath_prepend(tmp_path)
    theirs = __import__("this")

    with standard_library_first() as standard_library:
        assert standard_library.has_shadows
        assert __import__("this").__file__.startswith(LIBRARY)

    assert sys.modules.pop("this") is theirs


def _run(arguments, folder):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=folder, timeout=100, check=False
    )


def _compare(tmp_path, way, names):
    """Run the program plain and watched: the ledger has a run of it, and it is the same program."""
    theirs, elsewhere = tmp_path / "theirs", tmp_path / "elsewhere"
    theirs.mkdir()
    elsewhere.mkdir()
    for name in names:
        (theirs / f"{name}.py").write_text(f"raise SystemExit('the program has its own {name}')\n")
    for script, source in (("program", PLAIN), ("watch", WATCHING), ("parent", PARENT)):
        (theirs / f"{script}.py").write_text(source)
    plain = _run([str(theirs / "program.py"), *names], elsewhere)
    if way == "watch":
        watched = _run([str(theirs / "watch.py"), *names], elsewhere)
        ledger = elsewhere / "ledger"
    else:
        script = str(theirs / ("program.py" if way == "run" else "parent.py"))
        ledger = elsewhere / "memanalysis-ledger"
        watched = _run(["-c", RUN, "--interval", "0.05", script, *names], elsewhere)

    assert plain.returncode == 3
    assert (watched.stdout, watched.stderr, watched.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert len(open_ledger(ledger).runs) == (2 if way == "child" else 1)


RUN = f"""
import sys
sys.path.append({str(ROOT)!r})
from memanalysis.cli import main
sys.exit(main(["run", *sys.argv[1:]]))
"""


ODD_PATH = f"""
import sys
from pathlib import Path
sys.path += [{str(ROOT)!r}, Path("/srv"), b"/srv", None, 3, ["a list"]]
from memanalysis import open_ledger, watch
recorder = watch("api", ledger="ledger", interval=60, trace="off")
with recorder:
    pass
print(len(open_ledger("ledger").runs), recorder.status().errors)
"""


def test_a_path_with_entries_that_python_passes_over_keeps_no_program_from_being_watched(run_program: Any) -> None:
    assert run_program(ODD_PATH).stdout == "1 0\n"
