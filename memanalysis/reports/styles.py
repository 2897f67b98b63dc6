"""The styles of everything that is shown as HTML. Loads nothing that draws."""

from memanalysis._html import Markup, render_template
from memanalysis.reports.theme import render_css_variables

__all__ = ["render_styles"]


def render_styles() -> Markup:
    """Return a style element for elements inside the class ``memanalysis``, light or dark as the reader's theme."""
    variables = Markup(render_css_variables())
    return render_template("report_styles.html.j2", variables=variables)
