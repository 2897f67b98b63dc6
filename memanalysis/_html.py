"""Fill the HTML templates of the package: everything that is put into one is made printable and escaped.

Jinja2 is loaded with this module, so import it where HTML is rendered and not before.
"""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from memanalysis._text import make_printable

__all__ = ["Markup", "render_macro", "render_template"]


def render_template(name: str, **values: Any) -> Markup:
    """Return a template of ``memanalysis/templates`` filled with values; only `Markup` is put in as it is."""
    return Markup(_environment().get_template(name).render(**values))  # noqa: S704 - the template escapes


def render_macro(name: str, macro: str, *arguments: Any, **named: Any) -> Markup:
    """Return what one macro of a template renders."""
    return Markup(getattr(_environment().get_template(name).module, macro)(*arguments, **named))  # noqa: S704 - as above


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("memanalysis"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _make_harmless(value: Any) -> str:
    """Return HTML of ours as it is, and any other text without characters that hide or turn others."""
    return value if isinstance(value, Markup) else make_printable(value)
