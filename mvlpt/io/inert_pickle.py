"""An unpickler that runs nothing: tensors, plain containers and NumPy numbers, and inert objects for all the rest.

Each class or function that a file names is looked up in a table; one that is not there becomes :class:`Inert`, which
ignores its arguments. Only inert objects get state: no file can set an attribute on anything in torch or Python, nor on
a container that it builds.

``torch.load`` takes this module as its ``pickle_module``, hence the names ``Unpickler``, ``load`` and ``loads``.
"""

from __future__ import annotations

import collections
import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch._utils

_NUMBER_KINDS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


class Inert:
    """Replaces an object that is not rebuilt; accepts whatever pickle does to an object."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Inert:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """Ignores a list item."""

    def extend(self, items: Any) -> None:
        """Ignores list items."""

    def add(self, item: Any) -> None:
        """Ignores a set item."""


class NumberKind(Inert):
    """A NumPy dtype of plain numbers, as pickles name it."""

    def __init__(self, kind: str = "", *_: Any) -> None:
        self.kind = kind if kind in _NUMBER_KINDS else None
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]


def read_number(kind: Any, data: Any = None) -> float | int | bool | Inert:
    """A NumPy scalar as Python's own number."""
    if not isinstance(kind, NumberKind) or kind.kind is None or not isinstance(data, (bytes, str)):
        return Inert()
    raw = data if isinstance(data, bytes) else data.encode("latin1")
    return np.frombuffer(raw, dtype=kind.order.replace("|", "=") + kind.kind, count=1)[0].item()


def encode_latin1(text: Any, encoding: str = "latin1") -> bytes:
    """``_codecs.encode`` as pickles of bytes use it."""
    return text.encode("latin1") if isinstance(text, str) else b""


NUMBERS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": NumberKind,
    "numpy.core.multiarray.scalar": read_number,
    "numpy._core.multiarray.scalar": read_number,
    "_codecs.encode": encode_latin1,
}
_TENSORS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor": torch._utils._rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": torch._utils._rebuild_parameter,
    "torch.Size": torch.Size,
    "torch.device": torch.device,
}


class InertUnpickler(pickle._Unpickler):
    """Python's unpickler with a table of the only things that it can reach.

    It extends the version in Python, not the one in C, because only there can the instruction that sets an object's
    state be replaced.
    """

    table: Mapping[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The table's entry, or :class:`Inert`."""
        return self.table.get(f"{module}.{name}", Inert)

    def load_build(self) -> None:
        """Gives inert objects their state; everything else stays as it is."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):
            self.stack[-1].__setstate__(state)

    dispatch = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # noqa: RUF012 - as the base class has it


class Unpickler(InertUnpickler):
    """Reads what ``torch.save`` writes."""

    table = {**_TENSORS, **NUMBERS}  # noqa: RUF012

    def find_class(self, module: str, name: str) -> Any:
        """Also torch's storages and number types."""
        if module == "torch" and name.isidentifier():
            found = getattr(torch, name, None)
            if isinstance(found, torch.dtype) or (name.endswith("Storage") and isinstance(found, type)):
                return found
        return super().find_class(module, name)


def load(file: Any, **kwargs: Any) -> Any:
    """As ``pickle.load``, restricted."""
    return Unpickler(file, **kwargs).load()


def loads(data: bytes, **kwargs: Any) -> Any:
    """As ``pickle.loads``, restricted."""
    return load(io.BytesIO(data), **kwargs)
