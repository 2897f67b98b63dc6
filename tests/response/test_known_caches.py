"""Caches that are found in a process are those of the libraries that it has loaded, and what is in use stays."""

import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import sys
from memanalysis.response.known_caches import find_known_caches

def flush():
    names = []
    for name, clear in list(find_known_caches()):
        clear()
        names.append(name)
    return names
"""


def run(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_nothing_is_imported_to_find_caches() -> None:
    lines = run("""
        print(flush())
        print([name for name in ("IPython", "matplotlib", "pyarrow", "torch", "numpy") if name in sys.modules])
    """)

    assert lines == ["['compiled regular expressions', 'lines of source files']", "[]"]


def test_results_of_earlier_cells_are_freed_and_the_last_three_stay() -> None:
    lines = run("""
        import weakref
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.displayhook.write_output_prompt = shell.displayhook.finish_displayhook = lambda *_: None
        shell.displayhook.write_format_data = lambda *_: None
        shell.run_cell("class Big: pass")
        for _ in range(5):
            shell.run_cell("Big()", store_history=True)
        first = weakref.ref(shell.user_ns["Out"][1])
        shell.run_cell("kept = Out[2]")
        names = flush()
        print("results of earlier notebook cells" in names, first() is None)
        print(sorted(shell.user_ns["Out"]), [name in shell.user_ns for name in ("_1", "_2", "_3", "_5")])
        print(type(shell.user_ns["kept"]).__name__, shell.run_cell("assert _ is Out[5]").success)
    """)

    assert lines == ["True True", "[3, 4, 5] [False, False, True, True]", "Big True"]


def test_what_a_stored_traceback_holds_is_freed_and_the_notebook_goes_on() -> None:
    lines = run("""
        import io, weakref
        from contextlib import redirect_stdout, redirect_stderr
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_cell("class Big: pass\\nimport weakref")
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            shell.run_cell("def fail():\\n    big = Big(); globals().update(held=weakref.ref(big)); 1 / 0\\nfail()")
        before = shell.user_ns["held"]() is not None
        names = flush()
        import gc; gc.collect()
        print(before, "the last traceback" in names, shell.user_ns["held"]() is None)
        with redirect_stdout(io.StringIO()) as shown, redirect_stderr(io.StringIO()):
            shell.run_cell("1 / 0")
        print("ZeroDivisionError" in shown.getvalue(), hasattr(sys, "last_value"))
    """)

    assert lines == ["True True True", "True True"]


@pytest.mark.slow
def test_figures_that_nobody_sees_are_closed_but_for_the_one_being_drawn() -> None:
    lines = run("""
        import matplotlib
        from matplotlib import pyplot
        for backend in ("module://matplotlib_inline.backend_inline", "agg"):
            matplotlib.rcParams._set("backend", "agg")
            while len(pyplot.get_fignums()) < 3:
                pyplot.figure()
            matplotlib.rcParams._set("backend", backend)
            flush()
            print(pyplot.get_fignums())
    """)

    assert lines == ["[1, 2, 3]", "[3]"]


@pytest.mark.slow
def test_memory_that_pyarrow_holds_free_is_released() -> None:
    lines = run("""
        import pyarrow
        array = pyarrow.array(range(200_000))
        del array
        print("free memory of pyarrow" in flush(), pyarrow.default_memory_pool().bytes_allocated())
    """)

    assert lines == ["True 0"]
