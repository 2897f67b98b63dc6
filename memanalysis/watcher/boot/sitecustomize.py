"""Runs as Python starts, in programs that ``memanalysis run`` started and in their children, and watches them.

Python imports the first module of this name on its path. The one that would have been imported without us is imported
too, and our folder leaves ``sys.path`` before the program begins.
"""

import sys

_FOLDER = __file__.rpartition("sitecustomize")[0].rstrip("/\\")


def _give_way() -> None:
    """Import the program's own ``sitecustomize``, if it has one."""
    ours = sys.modules.pop(__name__)
    sys.path[:] = [folder for folder in sys.path if folder.rstrip("/\\") != _FOLDER]
    try:
        __import__(__name__)
    except ImportError as exc:
        if exc.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, ours)


def _join() -> None:
    try:
        from memanalysis.watcher.joining import join_ledger
    except ImportError:  # another Python, or another environment, in which memanalysis is not installed
        return
    join_ledger()


_join()
_give_way()
