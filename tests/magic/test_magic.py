"""``%%memwatch`` and ``%memwatch`` in a real kernel."""

import re
from pathlib import Path

import pytest
from kernels import Kernel, sizes_at, sizes_of
from needs import needs_sampler

MIB = 2**20


@needs_sampler
class TestMeasuredCell:
    @pytest.mark.slow
    def test_the_line_that_keeps_memory_is_named_by_cell_and_line_with_its_text(self, kernel: Kernel) -> None:
        """64 MiB of bytearray made in the third line of the cell are shown at that line, to a tenth of a MiB."""
        shown = kernel.run("%%memwatch\nkept = []\nkept.append(bytearray(64 * 2**20))")

        text = shown.displayed()[0]
        line = f"In[{shown.execution_count}]:3"
        assert sizes_at(text, line) == [pytest.approx(64, abs=0.1)] * 2
        assert "kept.append(bytearray(64 * 2**20))" in text
        assert text.startswith(f"In[{shown.execution_count}] took ")
        assert "retained 64.0 MiB" in text

    def test_memory_that_is_gone_after_the_cell_counts_in_its_peak_only(self, kernel: Kernel) -> None:
        """48 MiB that live for a third of a second are in the peak, at their line, and retained by nobody."""
        shown = kernel.run("%%memwatch\nimport time\nbig = bytearray(48 * 2**20)\ntime.sleep(0.3)\ndel big")

        text = shown.displayed()[0]
        highest, *_ = sizes_at(text, f"In[{shown.execution_count}]:3")
        assert highest == pytest.approx(48, abs=0.1)
        assert re.search(r"memory rose by up to 4[89]\.\d MiB, most at In", text)
        assert not re.search(r"retained \d+(\.\d)? MiB", text)

    def test_garbage_of_earlier_cells_is_not_credited_to_the_cell(self, kernel: Kernel) -> None:
        """A cycle of 32 MiB left by the cell before is collected before the measurement begins."""
        kernel.run("import gc; gc.disable()\nloop = [bytearray(32 * 2**20)]; loop.append(loop); del loop")
        shown = kernel.run("%%memwatch\nsmall = bytearray(2 * 2**20)")
        kernel.run("gc.enable()")

        assert "retained 2.0 MiB" in shown.displayed()[0]

    def test_memory_allocated_in_a_library_is_shown_at_the_line_that_called_it(self, kernel: Kernel) -> None:
        kernel.run("import json\ntext = json.dumps([{'a': [1.5, 2.5]}] * 20_000)")
        shown = kernel.run("%%memwatch\n\nrecords = json.loads(text)")

        text = shown.displayed()[0]
        assert sizes_at(text, f"In[{shown.execution_count}]:3")[1] > 2
        assert "# in json/decoder.py" in text

    def test_a_function_defined_in_another_cell_keeps_the_name_of_that_cell(self, kernel: Kernel) -> None:
        defined = kernel.run("store = []\ndef add(size):\n    store.append(bytearray(size))")
        shown = kernel.run("%%memwatch\nadd(5 * 2**20)")

        assert sizes_at(shown.displayed()[0], f"In[{defined.execution_count}]:3")[1] == pytest.approx(5, abs=0.1)

    def test_no_file_name_of_the_kernel_is_shown(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nx = [str(number) for number in range(10_000)]")

        everything = shown.displayed()[0] + shown.displayed("text/html")[0]
        assert "ipykernel_" not in everything
        assert "IPython/" not in everything

    def test_the_peak_is_never_below_the_end(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nheld = [str(number) for number in range(200_000)]")

        peak, retained = sizes_of(shown.displayed()[0].splitlines()[0])
        assert peak >= retained > 5

    def test_the_html_has_the_same_numbers_and_fetches_nothing(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nx = bytearray(3 * 2**20)")

        html = shown.displayed("text/html")[0]
        assert f"In[{shown.execution_count}]:2" in html
        assert "3.0 MiB" in html
        assert "src=" not in html
        assert len(html) < 5_000
        assert "<script" not in html
        assert "<style" not in html

    def test_source_is_shown_escaped(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\ntag = bytearray(2**20) # <img src=x onerror=alert(1)>")

        assert "<img src=x" not in shown.displayed("text/html")[0]
        assert "&lt;img src=x" in shown.displayed("text/html")[0]

    def test_top_limits_the_lines_and_says_how_many_more_there_are(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch --top 1\na = bytearray(2**20)\nb = bytearray(2**21)\nc = bytearray(2**19)")

        text = shown.displayed()[0]
        assert f"In[{shown.execution_count}]:3" in text
        assert f"In[{shown.execution_count}]:2 " not in text
        assert "2 more lines: %%memwatch --top 3" in text


class TestTheCellIsAsWithoutTheMagic:
    def test_the_last_expression_is_displayed_and_held_in_out(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nnumber = 20\nnumber + 22")

        assert shown.result == "42"
        assert kernel.run(f"Out[{shown.execution_count}]").result == "42"

    def test_names_are_defined_for_the_cells_after(self, kernel: Kernel) -> None:
        kernel.run("%%memwatch\ndefined_here = 'yes'")

        assert kernel.run("defined_here").result == "'yes'"

    def test_an_error_is_shown_as_usual_at_the_line_where_it_stands(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\na = 1\na / 0")

        assert (shown.error.ename, shown.error.evalue) == ("ZeroDivisionError", "division by zero")
        assert f"Cell In[{shown.execution_count}], line 3" in shown.traceback
        assert "1 %%memwatch\n" in shown.traceback
        assert "run_cell_magic" not in shown.traceback
        assert "memanalysis" not in shown.traceback
        assert re.match(r"In\[\d+\] failed after \d+ ms", shown.displayed()[0])

    def test_a_syntax_error_is_shown_as_usual_and_nothing_is_left_on(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\na = = 1")

        assert shown.error.ename == "SyntaxError"
        assert not shown.displayed()
        assert kernel.run("import tracemalloc; tracemalloc.is_tracing()").result == "False"

    def test_await_works_at_top_level(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nimport asyncio\nawait asyncio.sleep(0.01)\nlate = bytearray(2**20)\n'awaited'")

        assert shown.result == "'awaited'"
        assert f"In[{shown.execution_count}]:4" in shown.displayed()[0]

    @needs_sampler
    def test_an_interrupted_cell_is_shown_as_usual_and_measured_so_far(self, kernel: Kernel) -> None:
        shown = kernel.run(
            "%%memwatch\nimport os, signal, time\nheld = bytearray(2**21)\n"
            "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)"
        )

        assert shown.error.ename == "KeyboardInterrupt"
        assert sizes_at(shown.displayed()[0], f"In[{shown.execution_count}]:3")[1] == pytest.approx(2, abs=0.1)
        assert kernel.run("import tracemalloc; tracemalloc.is_tracing()").result == "False"

    def test_magics_shell_commands_and_future_imports_may_stand_in_it(self, kernel: Kernel) -> None:
        shown = kernel.run(
            "%%memwatch\nfrom __future__ import annotations\n%timeit -n 1 -r 1 [bytes(100)]\n!echo shouted\n'done'"
        )

        assert shown.error is None
        assert shown.result == "'done'"
        assert "shouted" in shown.stdout

    def test_history_has_the_cell_as_it_was_typed(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\npasted = 1")

        assert kernel.run(f"In[{shown.execution_count}]").result is not None
        assert kernel.run(f"_i{shown.execution_count}").result == repr("%%memwatch\npasted = 1")

    @needs_sampler
    def test_another_cell_magic_may_follow_or_lead(self, kernel: Kernel) -> None:
        followed = kernel.run("%%memwatch\n%%time\nx = bytearray(2**20)")
        led = kernel.run("%%time\n%%memwatch\nx = bytearray(2**20)")

        for shown in (followed, led):
            assert "Wall time" in shown.stdout
            text = shown.displayed()[0]
            assert sizes_at(text, f"In[{shown.execution_count}]:3") == [1.0, 1.0]
            assert "1.0 MiB  x = bytearray(2**20)" in text

    def test_an_error_below_another_magic_is_shown_with_the_source(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\n%%time\na = 1\na / 0")

        assert "----> 2 a / 0" in shown.traceback
        assert "run_cell_magic" not in shown.traceback

    @needs_sampler
    def test_lines_of_a_timed_statement_and_of_threads_are_lines_of_the_cell(self, kernel: Kernel) -> None:
        timed = kernel.run("%%memwatch\n%%timeit -n 1 -r 1\ny = 1\nlarge_one = bytearray(2**22)")
        threads = kernel.run(
            "%%memwatch\nfrom concurrent.futures import ThreadPoolExecutor\nimport json\n"
            "text = json.dumps(list(range(400_000)))\nwith ThreadPoolExecutor(1) as pool:\n"
            "    numbers = list(pool.map(json.loads, [text]))"
        )

        assert sizes_at(timed.displayed()[0], f"In[{timed.execution_count}]:4") == [4]
        assert sizes_at(threads.displayed()[0], f"In[{threads.execution_count}]:5")[0] > 10

    def test_a_cell_inside_a_captured_cell_is_measured_into_the_capture(self, kernel: Kernel) -> None:
        shown = kernel.run("%%capture captured\n%%memwatch\nx = bytearray(2**20)")

        assert not shown.outputs
        text = kernel.run("print(captured.outputs[0].data['text/plain'])").stdout
        assert text.startswith(f"In[{shown.execution_count}] took")

    def test_code_can_be_measured_by_calling_the_magic(self, kernel: Kernel) -> None:
        shown = kernel.run("get_ipython().run_cell_magic('memwatch', '', 'y = bytearray(2**20)')")

        assert "y = bytearray(2**20)" in shown.displayed()[0]

    def test_a_cell_that_runs_code_in_the_shell_is_measured_to_its_own_end(self, kernel: Kernel) -> None:
        shown = kernel.run("%%memwatch\nget_ipython().run_cell('1 + 1')\nafter = bytearray(2**20)")

        assert len(shown.displayed()) == 1
        assert f"In[{shown.execution_count}]:3" in shown.displayed()[0]


@needs_sampler
class TestTracing:
    def test_tracing_that_the_magic_turned_on_is_off_afterwards(self, kernel: Kernel) -> None:
        kernel.run("%%memwatch\nx = 1")
        kernel.run("%%memwatch\n1 / 0")

        assert kernel.run("import tracemalloc\ntracemalloc.is_tracing()").result == "False"

    def test_tracing_that_was_on_is_left_on_with_its_frames_and_its_peak(self, kernel: Kernel) -> None:
        kernel.run("import tracemalloc; tracemalloc.start(1)\npeak = bytearray(2**23); del peak")
        shown = kernel.run("%%memwatch\nx = bytearray(2**20)")
        still_on = kernel.run("tracemalloc.is_tracing(), tracemalloc.get_traceback_limit()").result
        peak = kernel.run("tracemalloc.get_traced_memory()[1] > 2**23").result
        kernel.run("tracemalloc.stop()")

        assert still_on == "(True, 1)"
        assert peak == "True"
        assert "retained 1.0 MiB" in shown.displayed()[0]

    def test_a_cell_that_turns_tracing_off_is_reported_what_is_missing(self, kernel: Kernel) -> None:
        """That takes the sampler's hooks away, which were set above tracemalloc's."""
        kernel.run("import tracemalloc; tracemalloc.start(1)")
        shown = kernel.run("%%memwatch\ntracemalloc.stop()\nafter = bytearray(2**20)")

        assert "tracemalloc was turned off inside the cell" in shown.displayed()[0]
        assert "Resident memory (RSS)" in shown.displayed()[0]

    def test_a_process_that_is_sampled_already_is_measured_and_stays_sampled(self, kernel: Kernel) -> None:
        kernel.run("from memanalysis.capture import sampler; sampler.start()\nolder = bytearray(2**25)")
        shown = kernel.run("%%memwatch\nx = bytearray(2**24)")
        still_on = kernel.run("sampler.is_running(), sampler.read_live_bytes() > 2**25").result
        kernel.run("sampler.stop()")

        assert still_on == "(True, True)"
        assert sizes_at(shown.displayed()[0], f"In[{shown.execution_count}]:2") == [16, 16]
        assert "2**25" not in shown.displayed()[0]
        assert "This process is watched already" in shown.displayed()[0]


class TestWithoutTheCompiledSampler:
    def test_lines_are_named_by_resident_memory_and_nothing_stays_on(self, kernel: Kernel) -> None:
        kernel.run("import memanalysis.capture.sampler as s, sys, threading; compiled, s._sampler = s._sampler, None")
        shown = kernel.run(
            "%%memwatch\ndef make():\n    big = bytearray(48 * 2**20)\n    return len(big)\nmake()\n"
            "lasting = bytearray(32 * 2**20)"
        )
        left = kernel.run("s._sampler = compiled; sys.gettrace(), threading.gettrace()").result

        text = shown.displayed()[0]
        assert sizes_at(text, f"In[{shown.execution_count}]:3") == [pytest.approx(48, abs=0.5)]
        assert sizes_at(text, f"In[{shown.execution_count}]:6") == [pytest.approx(32, abs=0.5)]
        assert f"most at In[{shown.execution_count}]:3" in text
        assert "The compiled sampler is not there" in text
        assert left == "(None, None)"


class TestNativeMemory:
    @needs_sampler
    def test_what_python_did_not_allocate_is_shown_at_its_line_as_native(self, kernel: Kernel) -> None:
        """An anonymous map of 64 MiB, written to, is in resident memory and in no allocator of Python."""
        shown = kernel.run(
            "%%memwatch\nimport mmap\nheld = mmap.mmap(-1, 64 * 2**20)\n"
            "for start in range(0, len(held), 4096):\n    held[start] = 1"
        )
        kernel.run("held.close()")

        text = shown.displayed()[0]
        assert sizes_at(text, f"In[{shown.execution_count}]:5") == [pytest.approx(64, abs=4)] * 2
        assert "of what is retained is native: neither Python nor NumPy allocated it." in text

    @pytest.mark.slow
    def test_child_processes_are_counted_beside_the_cell(self, kernel: Kernel) -> None:
        code = "held = bytearray(b'1') * (100 * 2**20); import time; time.sleep(1.0)"
        shown = kernel.run(f"%%memwatch\nimport subprocess, sys\nsubprocess.run([sys.executable, '-c', {code!r}])")

        row = next(row for row in shown.displayed()[0].splitlines() if row.startswith("Child processes"))
        assert 100 < sizes_of(row)[0] < 130


class TestWrongWords:
    @pytest.mark.parametrize(
        ("typed", "sentence"),
        [
            ("%memwatch statsu", "%memwatch has no 'statsu': did you mean status? It has on, off, status,"),
            ("%memwatch xyz", "%memwatch has no 'xyz'. It has on, off, status,"),
            ("%memwatch --trace", "%memwatch needs a sub-command before '--trace', such as %memwatch on --trace."),
            ("%memwatch on --intervall 3", "nothing is known of '--intervall': did you mean --interval? See"),
            ("%memwatch on --interval soon", "argument --interval: seconds above 0 are needed, but got 'soon'."),
            ("%memwatch on --interval 0", "argument --interval: seconds above 0 are needed, but got '0'."),
            ("%memwatch on --ledger 'a", "%memwatch on could not read"),
            ("%memwatch off now", "%memwatch off: nothing is known of 'now'."),
            ("%memwatch release three", "%memwatch release needs numbers, such as 3 for Out[3], but got 'three'."),
            ("%%memwatch --topp 3\n1", "%%memwatch: nothing is known of '--topp': did you mean --top?"),
            ("%%memwatch --top 0\n1", "argument --top: a whole number of at least 1 is needed, but got '0'."),
            ("%%memwatch --frames none\n1", "argument --frames: a whole number of at least 1 is needed"),
            ("%%memwatch status\n1", "For status type %memwatch status."),
            ("%%memwatch", "Did you mean the line magic %memwatch"),
        ],
    )
    def test_one_sentence_and_no_traceback(self, kernel: Kernel, typed: str, sentence: str) -> None:
        shown = kernel.run(typed)

        assert shown.error is None
        assert sentence in shown.stderr
        assert len(shown.stderr.strip().splitlines()) == 1

    def test_a_folder_that_cannot_be_written_is_reported(self, kernel: Kernel, folder: Path) -> None:
        (folder / "file").write_text("")
        shown = kernel.run("%memwatch on --ledger file/below")

        assert "needs a folder for --ledger, but got file/below" in shown.stderr
        assert len(shown.stderr.strip().splitlines()) == 1
        assert kernel.run("%memwatch").stdout.startswith("memwatch is off.")

    def test_help_has_examples(self, kernel: Kernel) -> None:
        shown = kernel.run("print(get_ipython().find_line_magic('memwatch').__doc__)").stdout

        assert "%memwatch on --verbose" in shown
        assert "%%memwatch" in shown


class TestExtension:
    @needs_sampler
    def test_unloading_takes_everything_back_and_loading_again_works(self, kernel: Kernel) -> None:
        """Listeners, transformer, magics, and the light copies of IPython's functions."""
        left = """
            shell = get_ipython()
            callbacks = [each for some in shell.events.callbacks.values() for each in some]
            (
                [each for each in callbacks if "memanalysis" in repr(each)],
                [each for each in shell.input_transformers_cleanup if "memanalysis" in each.__module__],
                [kind for kind in ("line", "cell") if "memwatch" in shell.magics_manager.magics[kind]],
                [name for name in vars(shell) if name in ("run_cell_async", "showtraceback")],
            )
        """
        kernel.run("%memwatch on --ledger unloaded\n%unload_ext memanalysis")
        assert kernel.run(left).result == "([], [], [], [])"
        assert (
            kernel.run("import threading; [each.name for each in threading.enumerate() if 'mem' in each.name]").result
            == "[]"
        )

        kernel.run("%load_ext memanalysis")
        assert "retained 1.0 MiB" in kernel.run("%%memwatch\nx = bytearray(2**20)").displayed()[0]

    @pytest.mark.slow
    @pytest.mark.alone
    def test_ipythons_own_frames_make_tracing_no_slower(self, kernel: Kernel) -> None:
        """5,000 small strings traced with 8 frames: 5 times as slow on IPython's functions with their line tables."""
        cell = (
            "import time; began = time.perf_counter()\nx = [str(n) for n in range(5_000)]\ntime.perf_counter() - began"
        )
        seconds = {}
        for word in ("load", "unload", "load"):
            kernel.run(f"%{word}_ext memanalysis\nimport tracemalloc; tracemalloc.start(8)")
            seconds[word] = min(float(kernel.run(cell).result or "nan") for _ in range(3))
            kernel.run("tracemalloc.stop()")

        assert seconds["load"] < 0.5 * seconds["unload"]
