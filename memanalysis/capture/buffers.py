"""The memory behind arrays, columns and tensors: buffers by address, so that views of one buffer are known as one.

Only libraries that are loaded are asked, by their own types. Sizes are whole buffers: a view of three numbers keeps all
of the array alive that it was cut from.
"""

import mmap
import sys
from collections.abc import Callable, Hashable, Iterator
from types import GetSetDescriptorType
from typing import Any

__all__ = ["Buffer", "find_buffers", "find_owner"]

Buffer = tuple[Hashable, int]
"""What distinguishes a buffer from others, and its bytes."""

MAX_CHUNKS = 1000
"""Chunks of an Arrow table that are listed; of one with more only the sum is asked."""


def find_buffers(item: Any) -> list[Buffer] | None:
    """Return the buffers that an array, Arrow or polars column, or tensor keeps alive; None for anything else.

    Memory that is mapped from a file or lies on another device counts nothing.
    """
    for module, name, read in _READERS:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and issubclass(type(item), kind):
            return read(item)
    return _read_declared(item)


def find_owner(item: Any) -> Any:
    """Return the array that a view was cut from, or the item itself."""
    kind = getattr(sys.modules.get("numpy"), "ndarray", None)
    return _find_root(item)[0] if kind is not None and issubclass(type(item), kind) else item


def _find_root(array: Any) -> tuple[Any, Any]:
    """Return the array that the memory was made for, and what that array took it from."""
    kind = sys.modules["numpy"].ndarray
    read_base = kind.__dict__["base"].__get__
    root, base = array, read_base(array)
    while issubclass(type(base), kind):
        root, base = base, read_base(base)
    return root, base


def _read_numpy(array: Any) -> list[Buffer]:
    kind = sys.modules["numpy"].ndarray
    root, base = _find_root(array)
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap):
        return []
    if isinstance(base, bytes | bytearray):
        return [(id(base), sys.getsizeof(base))]
    address = kind.__dict__["__array_interface__"].__get__(root)["data"][0]
    return [(("address", address), int(kind.__dict__["nbytes"].__get__(root)))]


def _read_arrow(item: Any) -> list[Buffer]:
    arrays = list(_list_arrays(item))
    if len(arrays) > MAX_CHUNKS:
        return [(id(item), int(item.get_total_buffer_size()))]
    found: dict[Hashable, int] = {}
    for array in arrays:
        for buffer in array.buffers():
            if buffer is not None:
                key = ("address", buffer.address)
                found[key] = max(found.get(key, 0), buffer.size)
    return list(found.items())


def _list_arrays(item: Any) -> Iterator[Any]:
    if hasattr(item, "columns"):
        for column in item.columns:
            yield from _list_arrays(column)
    elif hasattr(item, "chunks"):
        for chunk in item.chunks:
            yield from _list_arrays(chunk)
    else:
        yield item
        if hasattr(item, "dictionary"):
            yield from _list_arrays(item.dictionary)


def _read_arrow_buffer(buffer: Any) -> list[Buffer]:
    return [(("address", buffer.address), int(buffer.size))]


def _read_polars_frame(frame: Any) -> list[Buffer]:
    """Read each column; where its address is unknown, its place stands for it: the column is an object of this call."""
    columns = frame.get_columns()
    return [buffer for place, column in enumerate(columns) for buffer in _read_column(column, (id(frame), place))]


def _read_polars_series(series: Any) -> list[Buffer]:
    return _read_column(series, id(series))


def _read_column(series: Any, name: Hashable) -> list[Buffer]:
    size_bytes = int(series.estimated_size())
    try:
        address = series._get_buffer_info()[0]
    except Exception:  # of a column of several buffers, or a polars without it: polars has no public way to ask
        address = None
    return [(name if address is None else ("address", address), size_bytes)]


def _read_torch(tensor: Any) -> list[Buffer]:
    if tensor.device.type != "cpu":
        return []
    storage = tensor.untyped_storage()
    return [(("address", storage.data_ptr()), int(storage.nbytes()))]


def _read_memoryview(view: memoryview) -> list[Buffer]:
    return find_buffers(view.obj) or [(id(view.obj), sys.getsizeof(view.obj))]


_READERS: tuple[tuple[str, str, Callable[[Any], list[Buffer]]], ...] = (
    ("numpy", "ndarray", _read_numpy),
    ("pyarrow", "Table", _read_arrow),
    ("pyarrow", "RecordBatch", _read_arrow),
    ("pyarrow", "ChunkedArray", _read_arrow),
    ("pyarrow", "Array", _read_arrow),
    ("pyarrow", "Buffer", _read_arrow_buffer),
    ("polars", "DataFrame", _read_polars_frame),
    ("polars", "Series", _read_polars_series),
    ("torch", "Tensor", _read_torch),
    ("builtins", "memoryview", _read_memoryview),
)


def _read_declared(item: Any) -> list[Buffer] | None:
    """Return what a type written in C declares by ``nbytes``; None where there is none, or Python code would run."""
    for base in type.__dict__["__mro__"].__get__(type(item)):
        declared = type.__dict__["__dict__"].__get__(base).get("nbytes")
        if declared is not None:
            size = declared.__get__(item) if isinstance(declared, GetSetDescriptorType) else None
            return [((id(item), "nbytes"), size)] if isinstance(size, int) else None
    return None
