"""Who holds what a measured cell made, in a real kernel."""

import pytest
from kernels import Kernel
from needs import needs_sampler

NEVER_REUSED = 2**26
"""Bytes that the C library always gets from the system: without the sampler a cell has what RSS rose by."""


class TestHolders:
    @pytest.mark.slow
    def test_a_shown_result_is_held_until_it_is_released(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nimport numpy as np\nbig = np.ones(4_000_000)\nbig")
        count = shown.execution_count

        assert f"IPython holds the shown result (30.5 MiB) as Out[{count}], _{count} and _." in shown.displayed()[0]
        kernel.run("import weakref; watcher = weakref.ref(big); del big")
        assert kernel.run("watcher() is None").result == "False"
        released = kernel.run(f"%memwatch release {count}")
        assert f"Released Out[{count}]." in released.stdout
        assert kernel.run("watcher() is None").result == "True"

    def test_a_view_is_reported_with_the_size_of_the_array_it_keeps_alive(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nimport numpy as np\nnp.ones(2_000_000)[:3]")

        assert "IPython holds the shown result (15.3 MiB)" in shown.displayed()[0]
        kernel.run("%memwatch release")

    def test_a_small_result_is_passed_over(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nlarge = bytearray(2**22)\nlen(large)")

        assert "IPython holds" not in shown.displayed()[0]

    def test_the_last_error_holds_variables_until_it_is_released(self, kernel: Kernel) -> None:
        shown = kernel.run(
            "%%memwatch\nimport weakref\nclass Big(bytearray): pass\ndef fail():\n    global seen\n"
            "    big = Big(2**22)\n    seen = weakref.ref(big)\n    raise ValueError('no')\nfail()"
        )

        assert "The traceback of this error holds `big` of fail() (4.0 MiB of 4.0 MiB)" in shown.displayed()[0]
        assert kernel.run("seen() is None").result == "False"
        kernel.run("%memwatch release")
        assert kernel.run("seen() is None").result == "True"
        assert kernel.run("large is not None").result == "True"

    def test_a_traceback_is_not_blamed_for_what_a_name_holds(self, kernel: Kernel) -> None:
        shown = kernel.run(f"%%memwatch\nnamed = bytearray({NEVER_REUSED})\nraise ValueError('no')")
        kernel.run("del named")

        assert "traceback" not in shown.displayed()[0]
        assert "Held by `named` (64.0 MiB). `del named` lets go." in shown.displayed()[0]

    @needs_sampler
    def test_the_old_value_of_a_name_is_taken_off_and_named(self, kernel: Kernel) -> None:
        kernel.run("import numpy as np\ntwice = np.ones(4_000_000)")
        shown = kernel.run("%%memwatch\ntwice = np.ones(4_000_000)")
        needed = kernel.run("%%memwatch\ntwice = twice * 2")
        kernel.run("del twice")

        text = shown.displayed()[0]
        assert "retained 30.5 MiB, net +0 B." in text
        assert "Freed from before the cell: the old `twice` (30.5 MiB)." in text
        assert "was alive while" in text
        assert "`del twice` before it lowers the peak." in text
        assert "made the new one." in needed.displayed()[0]
        assert "before it lowers" not in needed.displayed()[0]

    def test_what_an_item_and_an_attribute_hold_is_said(self, kernel: Kernel) -> None:
        kernel.run("cache = {}\nclass Model:\n    history = []")
        shown = kernel.run(
            f"%%memwatch\ncache['w'] = bytearray({NEVER_REUSED})\nModel.history.append(bytearray({2 * NEVER_REUSED}))"
        )
        kernel.run("del cache, Model")

        assert "Held by `Model.history[0]` (128 MiB) and `cache['w']` (64.0 MiB)." in shown.displayed()[0]

    @needs_sampler
    def test_deleting_a_name_is_not_recommended_where_a_cache_holds_the_value_too(self, kernel: Kernel) -> None:
        shown = kernel.run(
            "%%memwatch\nimport functools\n@functools.cache\ndef load(size):\n    return bytearray(size)\n"
            "cached = load(2**22)"
        )
        kernel.run("load.cache_clear()")

        assert "Held by `cached` (4.0 MiB). Something without a name holds it too." in shown.displayed()[0]

    def test_nothing_to_release_is_said(self, kernel: Kernel) -> None:
        assert "Released nothing" in kernel.run("%memwatch release 9999").stdout
