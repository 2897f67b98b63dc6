"""``%memwatch on``: every cell is watched, in a real kernel."""

import re
from pathlib import Path

import pytest
from kernels import Kernel, sizes_at
from needs import needs_sampler

from memanalysis import open_ledger

pytestmark = pytest.mark.slow

MIB = 2**20


class TestWatching:
    def test_each_cell_becomes_an_event_row(self, kernel: Kernel, folder: Path) -> None:
        """Four cells: one that keeps 40 MiB, one that fails, one that runs twice."""
        on = kernel.run("%memwatch on --ledger watched --service session --interval 0.05")
        big = kernel.run("import time\nheld = bytearray(40 * 2**20)")
        failed = kernel.run("1 / 0")
        again = [kernel.run("time.sleep(0.01)") for _ in range(2)]
        off = kernel.run("%memwatch off")

        assert "memwatch is on. Each cell adds a row to watched as 'session'" in on.stdout
        assert "4 cells in watched" in off.stdout
        cells = open_ledger(folder / "watched").events.query("kind == 'cell'").sort_values("timestamp")
        data = list(cells["data"])
        assert [each["cell"] for each in data] == [f"In[{each.execution_count}]" for each in (big, failed, *again)]
        assert data[0]["rss_delta_bytes"] == pytest.approx(40 * MIB, abs=4 * MIB)
        assert data[0]["rss_peak_bytes"] >= data[0]["rss_before_bytes"] + 36 * MIB
        assert data[0]["traced_retained_bytes"] is None
        assert [each["success"] for each in data] == [True, False, True, True]
        assert data[1]["error"] == "ZeroDivisionError"
        assert [each["run_number"] for each in data] == [1, 1, 1, 2]
        assert all(0.01 <= each["seconds"] < 1 for each in data[2:])
        assert set(cells["service"]) == {"session"}

    def test_a_measured_cell_puts_no_piece_of_a_traced_series_into_an_untraced_ledger(
        self, kernel: Kernel, folder: Path
    ) -> None:
        """Its rise from zero would be taken for a growth of the session."""
        kernel.run("%memwatch on --ledger untraced --interval 0.02")
        kernel.run(
            "%%memwatch\nimport time\nrising = []\nfor _ in range(30):\n"
            "    rising.append(bytearray(10_000)); time.sleep(0.01)"
        )
        kernel.run("%memwatch off")

        samples = open_ledger(folder / "untraced").samples
        assert len(samples) > 5
        assert samples["traced_bytes"].isna().all()
        assert samples["rss_bytes"].notna().all()

    def test_a_cell_that_retains_much_says_so_and_others_are_silent(self, kernel: Kernel) -> None:
        kernel.run("%memwatch on --ledger quiet")
        quiet = kernel.run("x = 1")
        loud = kernel.run("loud = bytearray(128 * 2**20)")
        kernel.run("%memwatch off")
        kernel.run("del loud")

        assert quiet.stdout == ""
        assert re.match(rf"memwatch: In\[{loud.execution_count}\] [\d.]+ m?s, resident \+128 MiB to", loud.stdout)

    def test_verbose_says_a_line_after_every_cell(self, kernel: Kernel) -> None:
        kernel.run("%memwatch on --ledger verbose --verbose")
        shown = kernel.run("x = 1")
        kernel.run("%memwatch off")

        assert shown.stdout.startswith(f"memwatch: In[{shown.execution_count}] ")

    @needs_sampler
    def test_with_trace_the_ledger_names_lines_of_cells_and_python_memory(self, kernel: Kernel, folder: Path) -> None:
        kernel.run("%memwatch on --trace --ledger traced")
        shown = kernel.run("leaked = []\nfor _ in range(100):\n    leaked.append(bytearray(100_000))")
        measured = kernel.run("%%memwatch\nmore = bytearray(2**21)")
        kernel.run("%memwatch off")

        ledger = open_ledger(folder / "traced")
        assert kernel.run("import tracemalloc; tracemalloc.is_tracing()").result == "False"
        site = ledger.sites.query("file.str.startswith('In[')").sort_values("size_bytes").iloc[-1]
        assert (site["file"], site["line"]) == (f"In[{shown.execution_count}]", 3)
        assert site["size_bytes"] == pytest.approx(100 * 100_000, rel=0.01)
        cells = ledger.events.query("kind == 'cell'")
        data = next(data for data in cells["data"] if data["cell"] == site["file"])
        assert data["traced_retained_bytes"] == pytest.approx(100 * 100_000, rel=0.01)
        assert not ledger.sites["file"].str.contains("ipykernel_").any()
        assert sizes_at(measured.displayed()[0], f"In[{measured.execution_count}]:2")[1] == pytest.approx(2, abs=0.1)

    def test_report_shows_the_cells_and_loads_nothing_into_the_kernel(self, kernel: Kernel) -> None:
        before = kernel.run("import sys; 'pandas' in sys.modules").result
        kernel.run("%memwatch on --ledger reported --service older\n%memwatch off")
        kernel.run("%memwatch on --ledger reported --service reported --interval 0.05")
        shown = kernel.run("# loads\nx = bytearray(2**20)")
        large = kernel.run("y = bytearray(40 * 2**20)")
        report = kernel.run("%memwatch report")
        kernel.run("%memwatch off")
        after = kernel.run("%memwatch report")

        assert before == "False"
        assert kernel.run("'pandas' in sys.modules").result == "False"
        first = f"2 watched cells. In[{large.execution_count}] kept the most: 40.0 MiB."
        assert report.displayed()[0].startswith(first)
        rows = [row.split()[0] for row in report.displayed()[0].splitlines()[2:4]]
        assert rows == [f"In[{large.execution_count}]", f"In[{shown.execution_count}]"]
        assert "x = bytearray(2**20)" in report.displayed("text/html")[0]
        assert "A verdict on the session as a whole needs 1" in report.displayed("text/html")[0]
        assert after.displayed()[0].startswith(first)

    def test_status_says_what_is_on(self, kernel: Kernel) -> None:
        assert "memwatch is off. Resident memory: " in kernel.run("%memwatch").stdout
        kernel.run("%memwatch on --ledger status --service mine")
        on = kernel.run("%memwatch status")
        twice = kernel.run("%memwatch on")
        off = kernel.run("%memwatch off")

        assert "memwatch is on: 0 cells of 'mine' in status." in on.stdout
        assert "%memwatch off first" in twice.stdout
        assert "memwatch is off." in off.stdout
        assert kernel.run("%memwatch off").stdout == "memwatch is off already.\n"

    def test_a_policy_holds_the_kernel_to_its_budget_and_alerts_below_the_cell(
        self, kernel: Kernel, folder: Path
    ) -> None:
        """A cell of 300 MiB is over a budget of 250 MB; it waits for the alerts of all three levels."""
        (folder / "policy.yaml").write_text(
            "memory_budgets: {services: {policed: {max_memory_mb: 250, metric: rss}}}\n"
            "enforcement: {grace_period_seconds: 0}\n"
        )
        on = kernel.run("%memwatch on --policy policy.yaml --ledger policed --service policed --interval 0.1")
        over = kernel.run(
            "import logging, threading\n"
            "alerted = threading.Event()\n"
            "class Waiter(logging.Handler):\n"
            "    def emit(self, record):\n"
            "        if record.alert.level == 'emergency': alerted.set()\n"
            "logging.getLogger('memanalysis.alerts').addHandler(Waiter())\n"
            "logging.getLogger('memanalysis.alerts').addHandler(logging.StreamHandler())\n"
            "over = bytearray(300 * 2**20)\n"
            "print(alerted.wait(60))"
        )
        kernel.run("%memwatch off\nlogging.getLogger('memanalysis.alerts').handlers.clear()")
        missing = kernel.run("%memwatch on --policy none.yaml")

        assert "memwatch is on, under policy.yaml. " in on.stdout
        assert over.stdout.startswith("True\n")
        levels = re.findall(r"^Memory (\w+): policed uses [\d.]+ MB, above its whole budget", over.stderr, re.MULTILINE)
        assert levels == ["warning", "critical", "emergency"]
        alerts = open_ledger(folder / "policed").events.query("kind == 'alert'")
        assert list(alerts["level"]) == levels
        assert "none.yaml: needs a policy file, but got no such file" in missing.stderr
