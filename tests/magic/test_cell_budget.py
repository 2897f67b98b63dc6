"""A cell over its budget is interrupted, and the kernel lives: in a real kernel."""

import pytest
from kernels import Kernel
from needs import needs_sampler

GROW = "kept = []\nwhile True:\n    kept.append(bytearray(10_000_000))"


def free(kernel: Kernel) -> None:
    kernel.run("%memwatch budget off")
    kernel.run("kept = None; import gc; gc.collect(); None")


@pytest.mark.slow
@needs_sampler
def test_a_cell_over_the_budget_of_the_session_ends_with_its_error_and_the_kernel_lives(kernel: Kernel) -> None:
    shown = kernel.run("%memwatch budget 600 MiB")
    over = kernel.run(GROW)
    above = kernel.run("kept.clear()")
    after = kernel.run("1 + 1")
    free(kernel)
    without = kernel.run("%memwatch budget")

    assert shown.stdout.startswith("Memory budget: 600 MiB of resident memory.")
    assert over.error is not None
    assert over.error.ename == "MemoryBudgetExceeded"
    assert f"In[{over.execution_count}]:3: `kept.append(bytearray(10_000_000))`" in over.traceback
    assert "`kept` (list) " in over.traceback
    assert "_on_interrupt" not in over.traceback
    assert "are resident, above the budget of 600 MiB" in above.stdout
    assert above.error is None
    assert after.result == "2"
    assert without.stdout.startswith("No memory budget.")


def test_a_measured_cell_has_a_budget_of_its_own_and_one_huge_array_is_refused(kernel: Kernel) -> None:
    huge = kernel.run("%%memwatch --budget 2GB\nkept = bytearray(100 * 10**9)")
    after = kernel.run("signal = __import__('signal'); signal.getsignal(signal.SIGINT).__name__")
    free(kernel)

    assert huge.error is not None
    assert huge.error.ename == "MemoryBudgetExceeded"
    assert "refused before it was made" in huge.traceback
    assert after.result == "'default_int_handler'"


def test_a_budget_that_is_none_is_one_clear_line(kernel: Kernel) -> None:
    for line in ("%memwatch budget -5MB", "%memwatch budget 0", "%memwatch budget 1MB", "%memwatch budget many"):
        shown = kernel.run(line)
        assert "UsageError" in shown.stderr + shown.traceback, line
    assert kernel.run("%memwatch budget").stdout.startswith("No memory budget.")


def test_an_error_of_the_cell_itself_stays_what_it_is(kernel: Kernel) -> None:
    kernel.run("%memwatch budget 900GB")
    own = kernel.run("raise MemoryError('mine')")
    other = kernel.run("1 / 0")
    free(kernel)

    assert other.error is not None
    assert other.error.ename == "ZeroDivisionError"
    assert own.error is not None
