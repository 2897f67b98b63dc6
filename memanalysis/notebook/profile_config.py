"""Load the extension in every notebook: one line of IPython's configuration, added and taken out again.

Nothing else of the file is touched, byte for byte. The line loads the extension only where memanalysis is installed,
because all environments of a user share the file.
"""

import stat
from pathlib import Path

from memanalysis._atomic import write_atomic
from memanalysis._links import resolve_links
from memanalysis.errors import InvalidArgumentError

__all__ = ["CONFIG_FILE", "LINE", "install_line", "remove_line"]

CONFIG_FILE = "ipython_config.py"
"""Read by terminals and kernels alike, from the folder of the profile."""

LINE = (
    '__import__("importlib.util").util.find_spec("memanalysis") and '
    'c.InteractiveShellApp.extensions.append("memanalysis")  # by %memwatch install'
)
"""What is added."""


def install_line(profile: Path) -> bool:
    """Add the line to the configuration of a profile; False where it stands there already.

    Raises
    ------
    InvalidArgumentError
        The file cannot be read or written.
    """
    path = profile / CONFIG_FILE
    content = _read(path, "install")
    ours = LINE.encode()
    if content is not None and ours in content:
        return False
    if content is None or content.endswith(b"\n"):
        _write(path, (content or b"") + ours + b"\n", "install")
    else:  # a file whose last line is not ended: it is not ended afterwards either
        _write(path, content + b"\n" + ours, "install")
    return True


def remove_line(profile: Path) -> bool:
    """Take the line out of the configuration of a profile; False where it does not stand there.

    Raises
    ------
    InvalidArgumentError
        The file cannot be read or written.
    """
    path = profile / CONFIG_FILE
    content, ours = _read(path, "uninstall"), LINE.encode()
    if content is None or ours not in content:
        return False
    if content == ours + b"\n":
        try:
            path.unlink()  # it was made for the line
        except OSError as exc:
            raise _cannot("uninstall", path, exc) from exc
        return True
    ended = ours + b"\n"
    rest = content.replace(ended, b"") if ended in content else content.replace(b"\n" + ours, b"")
    _write(path, rest, "uninstall")
    return True


def _read(path: Path, word: str) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _cannot(word, path, exc) from exc


def _write(path: Path, content: bytes, word: str) -> None:
    try:
        real = resolve_links(path)  # a link among a user's configuration files stays one
        real.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o666
        write_atomic(real, content, file_mode=mode)
    except OSError as exc:
        raise _cannot(word, path, exc) from exc


def _cannot(word: str, path: Path, exc: OSError) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"%memwatch {word} needs to read and write {path}, but that failed: {exc.strerror}. "
        "Load the extension by %load_ext memanalysis instead."
    )
