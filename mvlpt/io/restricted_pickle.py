"""Reads old Dassl checkpoints without running anything they ask for.

Such files hold a pickled scheduler with an optimiser inside and NumPy scalars, so ``weights_only`` refuses them. The
unpickler here builds tensors, plain containers and NumPy numbers; for every other class or function that a file names
it puts an inert stand-in, which swallows its arguments and state. No code of the file's choosing is ever called.

The module is passed to ``torch.load`` as its ``pickle_module``, hence the names ``Unpickler``, ``load`` and ``loads``.
"""

from __future__ import annotations

import collections
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch._utils

_NUMBER_KINDS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


class Inert:
    """Stands where a pickle named something that is not rebuilt; accepts whatever pickle does to an object."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Inert:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """Swallows a list item."""

    def extend(self, items: Any) -> None:
        """Swallows list items."""

    def add(self, item: Any) -> None:
        """Swallows a set item."""


class _NumberKind:
    """A NumPy dtype of plain numbers, as pickles name it."""

    def __init__(self, kind: str, *_: Any) -> None:
        self.kind = kind if kind in _NUMBER_KINDS else None
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]


def _number(kind: Any, data: Any = None) -> float | int | bool | Inert:
    """A NumPy scalar as Python's own number."""
    if not isinstance(kind, _NumberKind) or kind.kind is None or not isinstance(data, (bytes, str)):
        return Inert()
    raw = data if isinstance(data, bytes) else data.encode("latin1")
    return np.frombuffer(raw, dtype=kind.order.replace("|", "=") + kind.kind, count=1)[0].item()


_HARMLESS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("numpy", "dtype"): _NumberKind,
    ("numpy.core.multiarray", "scalar"): _number,
    ("numpy._core.multiarray", "scalar"): _number,
    ("_codecs", "encode"): lambda text, encoding="latin1": text.encode("latin1") if isinstance(text, str) else b"",
}


def _is_storage(name: str) -> bool:
    return name.endswith("Storage") and name.isidentifier()


class Unpickler(pickle.Unpickler):
    """Python's unpickler with :data:`_HARMLESS` as the only things it can reach."""

    def find_class(self, module: str, name: str) -> Any:
        """The harmless object of that name, or :class:`Inert`."""
        if (module, name) in _HARMLESS:
            return _HARMLESS[module, name]
        if module == "torch" and (_is_storage(name) or isinstance(getattr(torch, name, None), torch.dtype)):
            return getattr(torch, name)
        return Inert


def load(file: Any, **kwargs: Any) -> Any:
    """As ``pickle.load``, restricted."""
    return Unpickler(file, **kwargs).load()


def loads(data: bytes, **kwargs: Any) -> Any:
    """As ``pickle.loads``, restricted."""
    return load(io.BytesIO(data), **kwargs)
