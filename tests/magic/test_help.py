"""Help, completion, reload and installation of ``%memwatch`` in a real kernel."""

import inspect
from pathlib import Path

import pytest
from jupyter_core.utils import run_sync
from kernels import Kernel, run_kernel

pytestmark = pytest.mark.slow


def complete(kernel: Kernel, code: str) -> list[str]:
    """Ask the kernel as a notebook does when the Tab key is pressed at the end of the code."""

    async def ask() -> list[str]:
        client = kernel.client.kc
        asked = client.complete(code)
        while True:
            answer = client.get_shell_msg(timeout=30)
            answer = await answer if inspect.isawaitable(answer) else answer
            if answer["parent_header"].get("msg_id") == asked:
                return list(answer["content"]["matches"])

    return run_sync(ask)()  # in the event loop of the kernel's client, whatever others did with theirs


class TestHelp:
    def test_help_of_the_line_has_every_sub_command(self, kernel: Kernel) -> None:
        shown = kernel.run("%memwatch --help")

        assert "%memwatch report" in shown.stdout
        assert "%memwatch on --verbose" in shown.stdout
        assert not shown.stderr

    def test_help_of_a_sub_command_has_its_options(self, kernel: Kernel) -> None:
        assert "--ledger FOLDER" in kernel.run("%memwatch on --help").stdout

    @pytest.mark.parametrize("cell", ["%%memwatch --help", "%%memwatch --help\nran = True"])
    def test_help_of_a_cell_runs_nothing(self, kernel: Kernel, cell: str) -> None:
        shown = kernel.run(cell)

        assert "--frames CALLS" in shown.stdout
        assert not shown.displayed()
        assert kernel.run("'ran' in globals()").result == "False"


class TestCompletion:
    def test_the_tab_key_offers_sub_commands_and_options_and_nothing_else(self, kernel: Kernel) -> None:
        assert complete(kernel, "%memwatch re") == ["release", "report"]
        assert {"on", "off", "status"} <= set(complete(kernel, "x = 1\n%memwatch "))
        assert complete(kernel, "%memwatch on --tr") == ["--trace"]
        assert complete(kernel, "%%memwatch --fr") == ["--frames"]

    def test_other_lines_are_completed_as_ever(self, kernel: Kernel) -> None:
        assert "%memwatch" in complete(kernel, "%memw")


class TestReload:
    def test_reloading_goes_on_watching_and_forgets_no_cell(self, kernel: Kernel) -> None:
        kernel.run("%memwatch on --ledger reloaded")
        before = kernel.run("x = 1")
        kernel.run("%reload_ext memanalysis")
        after = kernel.run("x = 2")
        shown = kernel.run("%memwatch report").displayed()[0]
        off = kernel.run("%memwatch off")

        assert f"In[{before.execution_count}]" in shown
        assert f"In[{after.execution_count}]" in shown
        assert "3 cells in reloaded" in off.stdout


class TestInstall:
    def test_an_installed_extension_is_there_in_the_next_kernel(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        profile = tmp_path / "ipython" / "profile_default"
        with run_kernel(tmp_path) as first:
            first.run("%load_ext memanalysis")
            shown = first.run("%memwatch install").stdout
        with run_kernel(tmp_path) as second:
            status = second.run("%memwatch")
            second.run("%memwatch uninstall")

        assert f"Added one line to {profile}/ipython_config.py." in shown
        assert status.stdout.startswith("memwatch is off. Resident memory:")
        assert not (profile / "ipython_config.py").exists()
