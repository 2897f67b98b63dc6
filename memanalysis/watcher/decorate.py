"""How is a function watched while it runs? The wrapper of ``@watch(...)``, for plain, generator and async functions.

This module is a wrapper frame: it stands in the traceback of everything that the watched function allocates.
"""

import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from memanalysis.capture.wrapper_frames import register_wrapper_frame
from memanalysis.errors import InvalidArgumentError

__all__ = ["wrap_function"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

register_wrapper_frame(__file__)


def wrap_function(function: FunctionT, watching: AbstractContextManager[Any], *, name: str = "watch") -> FunctionT:
    """Wrap a function so that it runs inside ``watching``, which must be reusable, also from several threads.

    Raises
    ------
    InvalidArgumentError
        Not a function, or an async generator, whose end cannot be seen from outside.
    """
    if not callable(function) or isinstance(function, type) or inspect.isasyncgenfunction(function):
        raise InvalidArgumentError(
            f"@{name}(...) needs a plain, generator or async function, but got {function!r}. "
            f"Use `with {name}(...):` inside it instead."
        )
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            with watching:
                return await function(*args, **kwargs)

    elif inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with watching:
                return (yield from function(*args, **kwargs))

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with watching:
                return function(*args, **kwargs)

    return cast("FunctionT", wrapper)
