"""``%memwatch vars``, ``holders`` and ``leak`` in a real kernel."""

import re

import pytest
from kernels import Kernel, sizes_of


@pytest.fixture(scope="module")
def filled(kernel: Kernel) -> Kernel:
    kernel.run(
        "import numpy as np\narr = np.ones(4_000_000); view = arr[:3]\nmany = list(range(10**7))\n"
        "class Model:\n    def __init__(self): self.weights = [0, arr]\nm = Model()\nalone = bytearray(10 * 2**20)"
    )
    return kernel


class TestVars:
    @pytest.mark.slow
    def test_variables_come_by_size_and_share_their_buffers(self, filled: Kernel) -> None:
        text = filled.run("%memwatch vars").result or ""

        rows = {row.split()[0]: row for row in text.splitlines()[2:]}
        assert sizes_of(rows["many"])[0] == pytest.approx(343, rel=0.02)
        assert sizes_of(rows["view"])[0] == sizes_of(rows["arr"])[0] == 30.5
        assert re.search(r"with (arr, m|m, arr)", rows["view"])
        assert sizes_of(rows["alone"])[0] == 10.0
        assert sizes_of(text.splitlines()[0])[0] == pytest.approx(343 + 30.5 + 10, rel=0.02)

    @pytest.mark.slow
    def test_ten_million_objects_take_a_second(self, filled: Kernel) -> None:
        filled.run("from memanalysis.capture.variable_sizes import measure_variables\nimport time")
        filled.run("found = measure_variables({'many': many, 'again': [many, many]}); cpu = time.process_time()")
        filled.run("found = measure_variables({'many': many}); cpu = time.process_time() - cpu")

        assert float(filled.run("cpu").result or "nan") < 1.0

    def test_top_limits_the_rows(self, filled: Kernel) -> None:
        text = filled.run("%memwatch vars --top 1").result or ""

        assert "many" in text
        assert "view" not in text
        assert "more variables: %memwatch vars --top" in text


class TestHolders:
    def test_names_containers_views_and_shown_results_are_named(self, filled: Kernel) -> None:
        count = filled.run("arr").execution_count
        text = filled.run("%memwatch holders arr").result or ""
        filled.run(f"%memwatch release {count}")

        assert f"Out[{count}]" in text
        assert "__main__.m -> __main__.Model.weights -> list[1]" in text
        assert re.search(r"view +keeps 30.5 MiB of it alive", text)
        assert f"%memwatch release {count}" in text
        assert "IPython" not in text.replace("what IPython shows", "")

    def test_a_variable_that_nothing_else_holds_can_be_deleted(self, filled: Kernel) -> None:
        text = filled.run("%memwatch holders alone").result or ""

        assert text.startswith("alone (10.0 MiB) is held by this name alone.")
        assert text.endswith("del alone frees 10.0 MiB.")

    @pytest.mark.slow
    def test_a_type_may_be_asked_for_too(self, filled: Kernel) -> None:
        text = filled.run("%memwatch holders Model").result or ""
        filled.run("del Model")
        of_type = filled.run("%memwatch holders Model").result or ""

        assert text.startswith("Model")
        assert "100%  __main__.m -> __main__.Model" in of_type

    def test_an_unknown_name_is_one_sentence(self, filled: Kernel) -> None:
        shown = filled.run("%memwatch holders alon")

        assert "'alon' is neither: did you mean alone?" in shown.stderr
        assert len(shown.stderr.strip().splitlines()) == 1


class TestLeak:
    @pytest.mark.slow
    def test_a_statement_that_keeps_memory_is_found_with_its_container(self, kernel: Kernel) -> None:
        kernel.run("cache = []")
        shown = kernel.run("%memwatch leak -n 200 cache.append(bytes(1000))")

        assert "A leak: each call keeps 1.0 KiB" in (shown.result or "")
        assert f"1.0 KiB  In[{shown.execution_count}]:1" in (shown.result or "")
        assert "__main__.cache -> list" in (shown.result or "")

    def test_braces_and_quotes_are_taken_as_they_are_typed(self, kernel: Kernel) -> None:
        kernel.run("a = 'replaced'")
        shown = kernel.run("%memwatch leak -n 16 -s 2 len({'a': 1, \"b c\": '{a}'})")

        assert (shown.result or "").startswith("len({'a': 1, \"b c\": '{a}'}): ")

    @pytest.mark.parametrize(
        ("typed", "sentence"),
        [
            ("%memwatch leak x = = 1", "needs Python, but 'x = = 1' is none: invalid syntax."),
            ("%memwatch leak -n 3 f()", "%memwatch leak needs -n of at least 16, but got 3."),
            ("%memwatch leak", "a statement is needed, but got ''."),
            ("%memwatch leak await f()", "%memwatch leak cannot await in a notebook"),
        ],
    )
    def test_what_cannot_be_repeated_is_one_sentence(self, kernel: Kernel, typed: str, sentence: str) -> None:
        shown = kernel.run(typed)

        assert sentence in shown.stderr
        assert len(shown.stderr.strip().splitlines()) == 1
