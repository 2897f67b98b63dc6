"""What the sub-commands of ``%memwatch`` do that answer with a sentence about IPython itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memanalysis.errors import InvalidArgumentError
from memanalysis.notebook.cell_holders import release
from memanalysis.notebook.profile_config import CONFIG_FILE, install_line, remove_line
from memanalysis.notebook.session import read_rss_text

__all__ = ["install_extension", "release_results", "uninstall_extension"]


def release_results(shell: Any, cells: Sequence[str]) -> str:
    """Let go of the shown results of some cells, by number; of all, and of the last error, where none is given."""
    counts = None
    if cells:
        try:
            counts = [int(text) for text in cells]
        except ValueError:
            raise InvalidArgumentError(
                f"%memwatch release needs numbers, such as 3 for Out[3], but got {' '.join(cells)!r}."
            ) from None
    before = read_rss_text()
    gone = release(shell, counts)
    names = [f"Out[{count}]" for count in gone.outputs] + (["the last error"] if gone.error else [])
    what = ", ".join(names) or "nothing: IPython holds none of that"
    return f"Released {what}. Resident memory: {before} before, {read_rss_text()} now."


def install_extension(shell: Any) -> str:
    """Load the extension in every notebook of the profile from now on."""
    path = _find_profile(shell) / CONFIG_FILE
    done = "Added one line to" if install_line(path.parent) else "The line stands already in"
    return (
        f"{done} {path}. Each notebook and IPython loads memanalysis from its next start on. "
        "%memwatch uninstall takes the line out again."
    )


def uninstall_extension(shell: Any) -> str:
    """Take back what `install_extension` did."""
    path = _find_profile(shell) / CONFIG_FILE
    done = "Took our line out of" if remove_line(path.parent) else "Our line does not stand in"
    return f"{done} {path}. What is loaded here stays loaded: %unload_ext memanalysis removes it."


def _find_profile(shell: Any) -> Path:
    profile = shell.profile_dir
    return Path(shell.ipython_dir) / "profile_default" if profile is None else Path(profile.location)
