"""What may follow ``%memwatch``, and the sentence for what may not."""

import pytest
from IPython.core.error import UsageError

from memanalysis.notebook.memwatch_commands import COMMANDS
from memanalysis.notebook.memwatch_parser import make_cell_parser, parse_line, render_help


@pytest.mark.slow
def test_a_line_is_a_word_and_its_options():
    options = parse_line("on --ledger 'runs/in may' --interval 0.5 --no-trace")

    assert (options.word, options.ledger, options.interval, options.trace) == ("on", "runs/in may", 0.5, False)
    assert parse_line("").word == "status"
    assert parse_line("release 3 4").cells == ["3", "4"]


def test_a_cell_takes_the_number_of_lines_and_frames():
    options = make_cell_parser().parse_line("--top 3 --frames 25")

    assert (options.top, options.frames) == (3, 25)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--tpo 3", r"^%%memwatch: nothing is known of '--tpo': did you mean --top\? See %%memwatch --help\.$"),
        ("--top many", r"^%%memwatch: argument --top: a whole .* but got 'many'\. See %%memwatch --help\.$"),
        ("--top '3", r"^%%memwatch could not read \"--top '3\": No closing quotation\.$"),
    ],
)
def test_a_wrong_option_is_a_usage_error_of_one_sentence(line: str, message: str):
    with pytest.raises(UsageError, match=message):
        make_cell_parser().parse_line(line)


@pytest.mark.parametrize("word", COMMANDS)
def test_every_sub_command_has_help_with_an_example(word: str):
    shown = render_help(f"{word} --help")

    assert shown is not None
    assert COMMANDS[word].summary in shown
    assert f"  {COMMANDS[word].examples[0]}\n" in shown
    assert all(example.startswith(f"%memwatch {word}") for example in COMMANDS[word].examples)


def test_the_overview_has_every_sub_command():
    shown = render_help("--help")

    assert shown is not None
    assert all(f"%memwatch {word} " in shown for word in COMMANDS)


def test_a_line_that_asks_for_no_help_gets_none():
    assert render_help("") is None
    assert render_help("on --verbose") is None
    assert render_help("xyz --help") is None
    assert render_help("--top 3", is_cell=True) is None
