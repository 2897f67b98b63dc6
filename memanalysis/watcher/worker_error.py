"""Note the exception that ends a worker of `multiprocessing`, as the worker prints it.

Up to Python 3.12 the exit handlers of a worker run amid its exception. From 3.13 on the exception is over by then, and
only its printing shows it. It is not kept itself, since its frames hold what the program is about to free.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

from memanalysis.standard_library import standard_library_first

__all__ = ["note_printed_error"]


def note_printed_error(note: Callable[[BaseException], None]) -> None:
    """Have a function called with the exception that ends this worker, before it is printed.

    A stand-in takes the place of ``traceback.print_exc`` until then; it does the same for every other caller.

    Parameters
    ----------
    note : callable
        Raises nothing.
    """
    if sys.version_info < (3, 13):
        return
    with standard_library_first():
        import traceback
        from multiprocessing.process import BaseProcess
    replaced = traceback.print_exc
    worker_code = BaseProcess._bootstrap.__code__

    @functools.wraps(replaced)
    def print_exc(*arguments: Any, **options: Any) -> None:
        error = sys.exception()
        if error is not None and sys._getframe(1).f_code is worker_code:
            if traceback.print_exc is print_exc:
                setattr(traceback, "print_exc", replaced)  # noqa: B010 - mypy has it that functions do not change
            note(error)
        replaced(*arguments, **options)

    setattr(traceback, "print_exc", print_exc)  # noqa: B010
