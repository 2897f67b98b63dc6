"""Templates: what is missing fails, what is foreign is escaped, and Jinja2 is loaded when HTML is rendered only."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jinja2
import pytest

from memanalysis._html import Markup, render_macro, render_template

ROOT = Path(__file__).parents[1]
TEMPLATES = sorted(
    item.name for item in files("memanalysis").joinpath("templates").iterdir() if item.name.endswith(".j2")
)


def test_a_value_that_a_template_needs_is_not_left_out_in_silence() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'service' is undefined"):
        render_template("report_section_failed.html.j2")


def test_only_what_is_marked_as_html_is_put_in_as_it_is() -> None:
    html = render_template("report_section_failed.html.j2", service="<b>\x1b\u202e", reason=Markup("<i>x</i>"))

    assert "The part of &lt;b&gt;\\u001b\\u202e cannot be drawn: <i>x</i>" in html


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_script_no_address_and_no_way_round_the_escaping(name: str) -> None:
    source = files("memanalysis").joinpath("templates", name).read_text(encoding="utf-8")

    assert "<script" not in source
    assert "://" not in source
    assert "javascript:" not in source
    assert "safe" not in source.replace("-", " ").split()
    assert "autoescape" not in source


def test_a_macro_gives_html_that_is_not_escaped_again() -> None:
    assert render_macro("table.html.j2", "badge", "high", "<") == (
        '<span class="ma-badge ma-high"><span aria-hidden="true">&lt;</span> high</span>'
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "is_loaded"),
    [
        ("import memanalysis", False),
        ("import memanalysis; memanalysis.watch('x', ledger=folder).stop()", False),
        ("from memanalysis.cli import main; main(['assess', 'sample_ledgers/leaking_service'])", False),
        ("import memanalysis; memanalysis.report('sample_ledgers/leaking_service').to_markdown()", False),
        ("import memanalysis; memanalysis.report('sample_ledgers/leaking_service').to_html()", True),
    ],
)
def test_jinja_is_loaded_where_html_is_rendered_and_nowhere_else(call: str, is_loaded: bool, tmp_path: Path) -> None:
    program = f"import sys; folder = sys.argv[1]\n{call}\nsys.stderr.write(str('jinja2' in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "ledger")], capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert done.stderr.endswith(str(is_loaded)), done.stderr
