"""What a report and a trend share: each is returned as HTML, Markdown or JSON, or written to a file."""

import stat
from os import PathLike
from pathlib import Path
from typing import Literal, overload

from memanalysis._atomic import write_atomic
from memanalysis.errors import InvalidArgumentError

__all__ = ["PageFormat", "WrittenPage", "write_page"]

PageFormat = Literal["html", "markdown", "json"]


class WrittenPage:
    """A page in three formats; who derives from it renders them."""

    __slots__ = ()

    def _render(self, form: PageFormat) -> str:
        raise NotImplementedError

    @overload
    def to_html(self, path: None = None) -> str: ...
    @overload
    def to_html(self, path: str | PathLike[str]) -> Path: ...
    def to_html(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return one self-contained page without scripts; with a path write it there and return the path."""
        return self._write("html", path)

    @overload
    def to_markdown(self, path: None = None) -> str: ...
    @overload
    def to_markdown(self, path: str | PathLike[str]) -> Path: ...
    def to_markdown(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return sentences and tables as Markdown; with a path write them there and return the path."""
        return self._write("markdown", path)

    @overload
    def to_json(self, path: None = None) -> str: ...
    @overload
    def to_json(self, path: str | PathLike[str]) -> Path: ...
    def to_json(self, path: str | PathLike[str] | None = None) -> str | Path:
        """Return everything as JSON, for programs; with a path write it there and return the path."""
        return self._write("json", path)

    def _write(self, form: PageFormat, path: str | PathLike[str] | None) -> str | Path:
        text = self._render(form)
        return text if path is None else write_page(text, path, f"{type(self).__name__}.to_{form}")


def write_page(text: str, path: str | PathLike[str], call: str) -> Path:
    """Write a text whole, in place of what was there, and return where it is.

    Parameters
    ----------
    call : str
        What an error names.

    Raises
    ------
    InvalidArgumentError
        The path cannot be written.
    """
    target = Path(path)
    content = text.encode("utf-8", errors="backslashreplace")
    try:
        if target.exists() and not target.is_file():  # a device or a pipe is not replaced
            target.write_bytes(content)
        else:
            real = target.resolve()
            file_mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o666
            write_atomic(real, content, file_mode=file_mode)
    except OSError as exc:
        raise InvalidArgumentError(
            f"{call} needs a path that it can write, but {path} cannot be written: {exc.strerror}. Pass another path."
        ) from exc
    return target
