"""``%memwatch log``, ``diff`` and the cells as objects, in a real kernel."""

from kernels import Kernel


def test_watched_and_measured_cells_are_in_the_log_and_are_objects(kernel: Kernel) -> None:
    assert "Empty DataFrame" in str(kernel.run("%memwatch log").result)
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
    assert kernel.run("list(log['cell'])").result == repr(labels)
    assert kernel.run("log['run_number'].tolist()").result == "[1, 1, 2, 1]"
    assert kernel.run("list(log['error'])[-1]").result == "'ZeroDivisionError'"
    assert kernel.run("round(log['net_bytes'][1] / 2**20), round(log['net_bytes'][2] / 2**20)").result == "(40, 0)"
    assert kernel.run("import memanalysis\nmemanalysis.cells[-1].error").result == "'ZeroDivisionError'"

    shown = kernel.run(f"%memwatch diff {labels[1]} {again.execution_count}").result
    assert str(shown).startswith(f"{labels[1]} and {labels[2]}, two runs of one source.")


def test_a_cell_that_is_not_there_is_one_sentence(kernel: Kernel) -> None:
    shown = kernel.run("%memwatch diff In[9998] In[9999]")

    assert "In[9998] was neither watched nor measured." in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1
    assert "SECOND" in kernel.run("%memwatch diff In[1]").stderr
    assert "the name of a variable is needed" in kernel.run("%%memwatch -o 3x\n1").stderr
