"""What the Tab key offers on a ``%memwatch`` line."""

import pytest

from memanalysis.notebook.memwatch_commands import COMMANDS
from memanalysis.notebook.memwatch_completion import complete_line


@pytest.mark.slow
def test_sub_commands_come_first():
    assert complete_line("%memwatch ") == list(COMMANDS)
    assert complete_line("%memwatch rep") == ["report"]
    assert complete_line("  %memwatch off") == ["off"]


def test_options_are_those_of_the_sub_command():
    assert complete_line("%memwatch on --v") == ["--verbose"]
    assert complete_line("%memwatch on --verbose --l") == ["--ledger"]
    assert complete_line("%memwatch off --v") == []
    assert complete_line("%%memwatch --t") == ["--top"]


@pytest.mark.parametrize(
    "line", ["%memwatch on --ledger ru", "%memwatch xyz a", "%memwatchs ", "%%memwatch rows", "memwatch ", "x = 1"]
)
def test_other_lines_are_left_to_other_completions(line: str):
    assert complete_line(line) is None
