"""Functions by line, from code objects: of compiled modules, of running scripts, of live modules."""

import importlib.util
import json
import os
import py_compile
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from memanalysis.capture.functions import find_functions, name_functions

SOURCE = """\
import functools

TOP = [1]

class Shop:
    limit = 3

    def sell(self, number):
        return [number
                for _ in range(3)]

    @functools.cache
    def cached(self):
        def inner():
            return lambda: (
                0)
        return inner

def one_line(): return 1
"""


def test_lines_are_named_by_the_function_around_them():
    names = find_functions(compile(SOURCE, "shop.py", "exec"), range(1, 22))

    assert names[3] == "<module>"
    assert names[6] == "Shop"
    assert names[9] == names[10] == "Shop.sell"  # a comprehension is its function
    assert names[15] == names[16] == "Shop.cached.<locals>.inner"  # and so is a lambda
    assert names[17] == "Shop.cached"
    assert names[19] == "one_line"
    assert 2 not in names
    assert 21 not in names


def test_the_first_line_of_a_function_belongs_to_what_makes_it():
    names = find_functions(compile(SOURCE, "shop.py", "exec"), [8])

    assert names[8] == "Shop"


def test_a_module_with_a_current_pyc_is_read_from_it(tmp_path):
    source = tmp_path / "shop.py"
    source.write_text(SOURCE)
    py_compile.compile(str(source))

    assert name_functions([(str(source), 9), (str(source), 3), (str(source), 400)]) == {
        (str(source), 9): "Shop.sell",
        (str(source), 3): "<module>",
        (str(source), 400): None,
    }


@pytest.mark.parametrize("change", ["touch", "garbage", "cut"])
def test_a_pyc_that_does_not_fit_is_not_used(tmp_path, change):
    source = tmp_path / "shop.py"
    source.write_text(SOURCE)
    compiled = Path(py_compile.compile(str(source)))
    if change == "touch":
        os.utime(source, (1, 1))
    else:
        compiled.write_bytes(b"garbage" if change == "garbage" else compiled.read_bytes()[:40])

    assert name_functions([(str(source), 9)]) == {(str(source), 9): None}


def test_a_live_module_without_pyc_is_searched(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = tmp_path / "live_shop.py"
    source.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("live_shop", source)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "live_shop", module)
    spec.loader.exec_module(module)

    found = name_functions([(str(source), line) for line in (9, 15, 17, 19)])

    assert [found[str(source), line] for line in (9, 15, 17, 19)] == [
        "Shop.sell",
        "Shop.cached.<locals>.inner",
        "Shop.cached",
        "one_line",
    ]


class Proxy:
    """As web frameworks make them: asking for anything outside of a request raises."""

    @property
    def __class__(self):
        raise RuntimeError("working outside of request context")

    def __getattr__(self, name):
        raise RuntimeError("working outside of request context")


class LazyModule(ModuleType):
    def __getattribute__(self, name):
        raise AssertionError("the module was loaded")


def test_looking_for_functions_runs_nothing_of_the_program(tmp_path, monkeypatch):
    source = tmp_path / "proxied.py"
    source.write_text("def work():\n    return 1\n")
    module = ModuleType("proxied")
    exec(compile(source.read_text(), str(source), "exec"), vars(module))  # noqa: S102
    vars(module).update(__file__=str(source), request=Proxy(), odd=type("Odd", (type,), {})("Cls", (), {}))
    monkeypatch.setitem(sys.modules, "proxied", module)
    monkeypatch.setitem(sys.modules, "lazy", LazyModule("lazy"))
    monkeypatch.setitem(sys.modules, "no_module", 3)

    assert name_functions([(str(source), 2)])[str(source), 2] == "work"


def test_frozen_modules_are_known():
    file = "<frozen importlib._bootstrap>"
    code = sys.modules["importlib._bootstrap"]._find_and_load.__code__
    line = max(number for _, _, number in code.co_lines() if number)

    assert name_functions([(file, line)])[file, line] == "_find_and_load"


def test_what_nobody_knows_is_none_and_raises_nothing():
    places = [("<of no module>", 1), ("/no/such/file.py", 3), ("", 0), ("<unknown>", 0), ("relative.py", -1)]

    assert name_functions(places) == dict.fromkeys(places)


def test_a_running_script_is_read_from_its_frames(tmp_path):
    """A script has no .pyc: its code is on the stack of the main thread."""
    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys\n"
        "from memanalysis.capture.functions import name_functions\n"
        "def outer():\n"
        "    def inner():\n"
        "        return 1\n"
        "    return inner\n"
        "text = '\\d'\n"
        "names = name_functions((sys.argv[0], line) for line in (5, 6, 8))\n"
        "print(json.dumps([names[sys.argv[0], line] for line in (5, 6, 8)]))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip

    assert json.loads(done.stdout) == ["outer.<locals>.inner", "outer", "<module>"]


def test_naming_warns_of_nothing(tmp_path):
    """Reading somebody's code must not repeat the warnings of its compilation."""
    source = tmp_path / "warns.py"
    source.write_text("text = '\\d'\nassert (1, 'always')\n")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert name_functions([(str(source), 1)]) == {(str(source), 1): None}
