"""``%memwatch log``, ``diff`` and the cells as objects, in a real kernel."""

import pytest
from kernels import Kernel

pytestmark = pytest.mark.slow


def test_a_cell_that_keeps_memory_each_run_is_named_once_and_warm_ups_are_not(kernel: Kernel) -> None:
    kernel.run("import memanalysis\n%memwatch on --ledger reruns")
    kernel.run("kept = []")
    leaking = [kernel.run("kept.append(bytearray(5 * 2**20))").stdout for _ in range(16)]
    bound = [kernel.run("bound = bytearray(20 * 2**20)").stdout for _ in range(16)]
    loaded = kernel.run("import sys; 'numpy' in sys.modules").result
    kernel.run("%memwatch off")

    sentences = [line for line in leaking if "each run" in line]
    assert len(sentences) == 1
    assert "memwatch: this cell keeps 5.0 MiB each run (13 runs, +65" in sentences[0]
    assert not [line for line in bound if "each run" in line]
    assert loaded == "False"
    kernel.run("log = %memwatch log\nrates = log.groupby('source')['bytes_per_run'].max()")
    assert kernel.run("round(rates['kept.append(bytearray(5 * 2**20))'] / 2**20, 1)").result in (
        "5.0",
        "np.float64(5.0)",
    )
    assert kernel.run("rates.count()").result in ("1", "np.int64(1)")


def test_an_empty_log_is_an_empty_frame(kernel: Kernel) -> None:
    assert kernel.run("memanalysis.notebook.cell_log.CellLog().to_frame().shape").result == "(0, 13)"


def test_watched_and_measured_cells_are_in_the_log_and_are_objects(kernel: Kernel) -> None:
    measured = kernel.run("%%memwatch -o result\na = 1\nx = bytearray(40 * 2**20)")
    kernel.run("%memwatch on --ledger logged")
    watched = kernel.run("y = bytearray(40 * 2**20)")
    again = kernel.run("y = bytearray(40 * 2**20)")
    failed = kernel.run("1 / 0")
    kernel.run("%memwatch off")

    assert kernel.run("result.peak_line, round(result.retained_bytes / 2**20)").result == (
        f"('In[{measured.execution_count}]:3', 40)"
    )
    kernel.run("log = %memwatch log")
    labels = [f"In[{each.execution_count}]" for each in (measured, watched, again, failed)]
    assert kernel.run("list(log['cell'])[-4:]").result == repr(labels)
    assert kernel.run("log['run_number'].tolist()[-4:]").result == "[1, 1, 2, 1]"
    assert kernel.run("list(log['error'])[-1]").result == "'ZeroDivisionError'"
    assert kernel.run("[round(size / 2**20) for size in log['net_bytes'].tolist()[-3:-1]]").result == "[40, 0]"
    assert kernel.run("import memanalysis\nmemanalysis.cells[-1].error").result == "'ZeroDivisionError'"

    shown = kernel.run(f"%memwatch diff {labels[1]} {again.execution_count}").result
    assert str(shown).startswith(f"{labels[1]} and {labels[2]}, two runs of one source.")


def test_a_cell_that_is_not_there_is_one_sentence(kernel: Kernel) -> None:
    shown = kernel.run("%memwatch diff In[9998] In[9999]")

    assert "In[9998] was neither watched nor measured." in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1
    assert "SECOND" in kernel.run("%memwatch diff In[1]").stderr
    assert "the name of a variable is needed" in kernel.run("%%memwatch -o 3x\n1").stderr
