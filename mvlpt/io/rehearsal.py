"""Goes through a pickle of torch's without making any tensor: what it would ask for is checked before memory is taken.

Functions that rebuild tensors only compare sizes here; all other classes and functions are inert, and those of torch
and Python that take memory of the size that a file names are refused as soon as they are called.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Mapping
from typing import IO, Any

from mvlpt.io.inert_pickle import NUMBERS, Inert, InertUnpickler

_ALLOCATING = ("Storage", "Tensor", "Parameter")
_OTHER_TENSORS = "it holds a tensor that is not plain: sparse, quantised, nested or without its content"


class _Storage(Inert):
    """A storage that is never read.

    Attributes:
        count: its values.
    """

    def __init__(self, count: int = 0) -> None:
        self.count = count


def _refused(name: str) -> type[Inert]:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError(f"it calls {name} with arguments of its own")

    return type("Refused", (Inert,), {"__new__": refuse, "called": name})


def _tensor(storage: Any, offset: Any = 0, size: Any = (), stride: Any = (), *_: Any) -> Inert:
    """Checks what ``_rebuild_tensor_v2`` would make."""
    numbers = [offset, *size, *stride] if isinstance(size, tuple) and isinstance(stride, tuple) else [None]
    if not isinstance(storage, _Storage) or not all(type(number) is int for number in numbers):
        raise ValueError("a tensor's storage, size or stride is of a wrong kind")
    if math.prod(size) > storage.count or any(number < 0 for number in numbers):
        raise ValueError(f"a tensor of shape {size!s:.60} does not fit its storage of {storage.count:,} values")
    return Inert()


def _first(value: Any = None, *_: Any) -> Any:
    return value


def _typed(function: Any = None, kind: Any = None, arguments: Any = (), *_: Any) -> Any:
    """Checks what ``_rebuild_from_type_v2`` would make."""
    if function not in (_tensor, _first) or not isinstance(arguments, tuple):
        raise ValueError(_OTHER_TENSORS)
    return function(*arguments)


def _bytes(value: Any = b"", *_: Any) -> Inert:
    if isinstance(value, int):
        raise ValueError("it asks for bytes that it does not hold")
    return Inert()


def _other(*_: Any) -> Any:
    raise ValueError(_OTHER_TENSORS)


_REBUILT: Mapping[str, Callable[..., Any]] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _tensor,
    "_rebuild_parameter": _first,
    "_rebuild_parameter_with_state": _first,
}


class _Rehearsal(InertUnpickler):
    def __init__(self, handle: IO[bytes], storage_bytes: Callable[[str, int], int]) -> None:
        super().__init__(handle)
        self._storage_bytes = storage_bytes

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch._utils", "torch._tensor") and name.startswith("_rebuild"):
            return _typed if name == "_rebuild_from_type_v2" else _REBUILT.get(name, _other)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if name == "bytearray":
            return _bytes
        if name.endswith(_ALLOCATING) and module.split(".")[0] == "torch":
            return _refused(f"{module}.{name}")
        return NUMBERS.get(f"{module}.{name}", Inert)

    def persistent_load(self, pid: Any) -> _Storage:
        kind, held, key, _, count, *_ = pid if isinstance(pid, tuple) and len(pid) >= 5 else (None,) * 5
        kind, key = (one.decode("latin1") if isinstance(one, bytes) else one for one in (kind, key))
        name = getattr(held, "called", "")
        if kind != "storage" or not name.endswith("Storage") or not isinstance(key, str) or type(count) is not int:
            raise ValueError("a tensor's storage is not in a known form")
        size = self._storage_bytes(key, count)
        if not 0 <= count <= size:
            raise ValueError(f"the storage {key[:60]} would have {count:,} values, but the file holds {size:,} bytes")
        return _Storage(count)


def rehearse(handle: IO[bytes], storage_bytes: Callable[[str, int], int]) -> None:
    """Reads one pickle and makes nothing.

    Args:
        handle: at its start.
        storage_bytes: the bytes that the file holds for a storage, from its key and how many values are asked for.

    Raises:
        ValueError: a tensor is larger than its storage, a storage larger than its part of the file, or something that
            takes memory is called.
    """
    try:
        _Rehearsal(handle, storage_bytes).load()
    except (ValueError, MemoryError, RecursionError):
        raise
    except Exception as problem:  # of a damaged pickle: any
        raise ValueError(f"it is damaged ({type(problem).__name__})") from None
