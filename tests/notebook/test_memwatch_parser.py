"""What may follow ``%memwatch``, and the sentence for what may not."""

import pytest
from IPython.core.error import UsageError

from memanalysis.notebook.memwatch_parser import make_cell_parser, make_line_parser


def test_a_line_is_a_word_and_its_options():
    options = make_line_parser().parse_line("on --ledger 'runs/in may' --interval 0.5 --no-trace")

    assert (options.word, options.ledger, options.interval, options.trace) == ("on", "runs/in may", 0.5, False)
    assert make_line_parser().parse_line("").word == "status"
    assert make_line_parser().parse_line("release 3 4").cells == ["3", "4"]


def test_a_cell_takes_the_number_of_lines_and_frames():
    options = make_cell_parser().parse_line("--top 3 --frames 25")

    assert (options.top, options.frames) == (3, 25)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--tpo 3", r"^%%memwatch: unrecognized arguments: --tpo 3\. See %%memwatch\? for examples\.$"),
        ("--top many", r"^%%memwatch: argument --top: needs a whole number of 1 or more, but got 'many'\. See"),
        ("--top 0", r"^%%memwatch: argument --top: needs a whole number of 1 or more, but got '0'\. See"),
        ("--frames 0", r"^%%memwatch: argument --frames: needs a whole number of 1 or more, but got '0'\. See"),
        ("--top '3", r"^%%memwatch could not read \"--top '3\": No closing quotation\.$"),
    ],
)
def test_a_wrong_option_is_a_usage_error_of_one_sentence(line: str, message: str):
    with pytest.raises(UsageError, match=message):
        make_cell_parser().parse_line(line)
