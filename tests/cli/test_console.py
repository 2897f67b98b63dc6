import io

import pytest

from memanalysis.cli.console import open_console, render_plain


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_gets_colour_and_a_live_line() -> None:
    console = open_console(Terminal())

    assert (console.colour, console.live, console.unicode) == (True, True, True)
    assert console.paint("high", "high") == "\x1b[31mhigh\x1b[0m"


def test_a_pipe_gets_plain_text() -> None:
    console = open_console(io.StringIO())

    assert (console.colour, console.live) == (False, False)
    assert console.paint("high", "high") == "high"


def test_no_color_and_a_dumb_terminal_are_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert (open_console(Terminal()).colour, open_console(Terminal()).live) == (False, True)

    monkeypatch.setenv("TERM", "dumb")
    assert (open_console(Terminal()).colour, open_console(Terminal()).live) == (False, False)


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("400", 120)])
def test_the_width_is_the_terminals_up_to_what_reads_well(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert open_console(Terminal()).width == width


def test_a_paragraph_is_broken_at_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    open_console(stream).say_wrapped("api: grew by +1.2 MiB an hour", indent="  ")

    assert stream.getvalue() == "api: grew by +1.2\n  MiB an hour\n"


def test_escape_sequences_are_shown_and_not_obeyed() -> None:
    assert render_plain("a\x1b[2Jb\nc") == "a\\u001b[2Jb\nc"
