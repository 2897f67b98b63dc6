import io
import sys
import threading
import time

import pytest

from memanalysis.cli.terminal import open_console, print_line, print_paragraph, show_progress


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def attach(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    """Make a stream standard output and standard error, for the test's own phase."""
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = attach(monkeypatch, Terminal())
    open_console().print("high", style="red")

    assert terminal.getvalue() == "\x1b[31mhigh\x1b[0m\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_a_dumb_terminal_get_plain_text(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    terminal = attach(monkeypatch, Terminal())
    open_console().print("high", style="bold red")

    assert terminal.getvalue() == "high\n"


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_a_pipe_gets_plain_text_whatever_the_environment_asks_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    pipe = attach(monkeypatch, io.StringIO())
    console = open_console()
    console.print("high", style="red")
    with show_progress("Assessing"):
        pass

    assert pipe.getvalue() == "high\n"


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("400", 120)])
def test_the_width_is_the_terminals_up_to_what_reads_well(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert open_console().width == width


def test_a_paragraph_is_broken_between_words_and_a_path_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = attach(monkeypatch, Terminal())
    console = open_console()
    print_paragraph(console, "api: grows by 1.2 MiB an hour")
    print_paragraph(console, "at a/very/long/path/registry.py:42 in f")
    print_paragraph(console, "日本語の 日本語の 日本語の")

    assert terminal.getvalue() == (
        "api: grows by 1.2\n  MiB an hour\n"
        "at\n  a/very/long/path/registry.py:42\n  in f\n"
        "日本語の 日本語の\n  日本語の\n"
    )


def test_escape_sequences_and_markup_are_shown_and_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = attach(monkeypatch, Terminal())
    console = open_console()
    print_line(console, "a\x1b[2Jb [red]c[/red] :warning:")
    print_paragraph(console, "[bold]d\x07[/nothing]")

    assert terminal.getvalue() == "a\\u001b[2Jb [red]c[/red] :warning:\n[bold]d\\u0007[/nothing]\n"


def test_progress_is_drawn_on_a_terminal_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, n_before = attach(monkeypatch, Terminal()), threading.active_count()
    with show_progress("Reading [red]x\x1b[31m[/red]") as show:
        show("Assessing [bold]y")

    deadline = time.monotonic() + 60  # for the own thread of rich, which it does not join
    while threading.active_count() > n_before and time.monotonic() < deadline:
        time.sleep(0.01)
    shown = terminal.getvalue()
    assert "Reading [red]x\\u001b[31m[/red]" in shown or "Assessing [bold]y" in shown
    assert shown.endswith("\x1b[2K")
