"""Runs as Python starts, in programs that ``memanalysis run`` started and in their children, and watches them.

Python imports the first module of this name on its path. The one that would have been imported without us is imported
too, and our folder leaves ``sys.path`` before the program begins.
"""

import sys

_FOLDER = __file__.rpartition("sitecustomize")[0].rstrip("/\\")


def _give_way() -> None:
    """Import the program's own ``sitecustomize``, if it has one."""
    ours = sys.modules.pop(__name__)
    sys.path[:] = [folder for folder in sys.path if not isinstance(folder, str) or folder.rstrip("/\\") != _FOLDER]
    try:
        __import__(__name__)
    except ImportError as exc:
        if exc.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, ours)


def _join() -> None:
    try:
        from memanalysis.standard_library import standard_library_first
    except ImportError:  # another Python, or another environment, in which memanalysis is not installed
        return
    with standard_library_first(_find_program_folder()) as standard_library:
        from memanalysis.watcher.joining import join_ledger

        join_ledger(at_once=standard_library.has_shadows)


def _find_program_folder() -> list[str]:
    """Folder that Python will put first on ``sys.path``, after this module."""
    if sys.flags.safe_path or not getattr(sys, "argv", None):
        return []
    program = sys.argv[0]
    if program in ("", "-c", "-m"):
        return [""]
    path = sys.modules["os"].path
    return [program] if path.isdir(program) else [path.dirname(path.realpath(program))]


_join()
_give_way()
