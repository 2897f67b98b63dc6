"""Turn the source of a ``%%memwatch`` cell into what IPython runs: the same lines, after a call that measures them."""

import re

__all__ = ["REST_OF_CELL", "replace_first_line"]

REST_OF_CELL = "# the rest of this cell"
"""Body of the call that stands in for the first line of a ``%%memwatch`` cell."""

_FIRST_LINE = re.compile(r"%%memwatch(?P<options>[ \t][^\n]*)?\n?")
_OTHER_MAGIC = re.compile(r"%%(?P<name>\w+)[ \t]*(?P<options>[^\n]*)\n?(?P<body>.*)", re.DOTALL)


def replace_first_line(lines: list[str]) -> list[str]:
    """Input transformer: the first line of a ``%%memwatch`` cell becomes the call that starts the measurement.

    The cell has its line numbers as before, unless another cell magic follows, which has to stand first. A first line
    that asks for help is all that runs.
    """
    match = _FIRST_LINE.fullmatch(lines[0]) if lines else None
    if match is None:
        return lines
    from memanalysis.notebook.memwatch_parser import HELP_WORDS

    options = (match["options"] or "").strip()
    call = f"get_ipython().run_cell_magic('memwatch', {options!r}, {REST_OF_CELL!r})\n"
    if not set(HELP_WORDS).isdisjoint(options.split()):
        return [call]
    if not "".join(lines[1:]).strip():
        return lines
    other = _OTHER_MAGIC.fullmatch("".join(lines[1:]).lstrip("\n"))
    if other is None:
        return [call, *lines[1:]]
    arguments = ", ".join(repr(other[part] or "") for part in ("name", "options", "body"))
    return [call, f"get_ipython().run_cell_magic({arguments})\n"]
