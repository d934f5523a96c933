"""Values as tensors and plain containers, which a file can hold and ``weights_only`` reads; and back."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import nn

SCALARS = (bool, int, float, str, bytes, type(None))


def can_encode(value: Any) -> bool:
    """Whether :func:`encode` takes the value."""
    if isinstance(value, (*SCALARS, torch.Tensor, np.generic)):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "bifu"
    if isinstance(value, list | tuple | set | frozenset | deque):
        return all(map(can_encode, value))
    if isinstance(value, dict):
        return all(isinstance(key, SCALARS) and can_encode(inner) for key, inner in value.items())
    if isinstance(value, random.Random | np.random.RandomState | np.random.Generator | torch.Generator):
        return True
    return _has_state(value) and can_encode(value.state_dict())


def encode(value: Any) -> Any:
    """A value as tensors and plain containers, with its kind."""
    match value:
        case torch.Tensor():
            kept = value.detach().cpu().clone()
            return ["tensor", kept] if value.device.type == "cpu" else ["tensor", kept, value.device.type]
        case np.generic():
            return ["scalar", value.item()]
        case bool() | int() | float() | str() | bytes() | None:
            return ["scalar", value]
        case np.ndarray():
            return ["array", torch.from_numpy(np.ascontiguousarray(value)).clone(), str(value.dtype)]
        case dict():
            return ["dict", [[key, encode(inner)] for key, inner in value.items()]]
        case list() | tuple() | set() | frozenset() | deque():
            kind = next(kind for kind in (list, tuple, set, frozenset, deque) if isinstance(value, kind))
            return [kind.__name__, [encode(inner) for inner in value]]
        case random.Random():
            return ["random", encode(value.getstate())]
        case np.random.RandomState():
            return ["numpy random", encode(value.get_state(legacy=False))]
        case np.random.Generator():
            return ["numpy generator", encode(value.bit_generator.state)]
        case torch.Generator():
            return ["torch generator", value.get_state()]
        case _:
            return ["state", encode(value.state_dict())]


def decode(saved: list[Any], device: torch.device | None = None) -> Any:
    """The value that :func:`encode` was given; generators and other objects as their state.

    Args:
        saved: what was returned.
        device: where tensors go that lay on a GPU.
    """
    kind, content = saved[0], saved[1]
    if kind == "tensor":
        on_gpu = len(saved) > 2
        return content.to(device) if on_gpu and device is not None else content
    if kind == "array":
        return content.numpy().astype(saved[2])
    if kind == "dict":
        return {key: decode(inner, device) for key, inner in content}
    containers = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "deque": deque}
    if kind in containers:
        return containers[kind](decode(inner, device) for inner in content)
    if kind in ("random", "numpy random", "numpy generator", "state"):
        return decode(content)
    return content


def _has_state(value: Any) -> bool:
    return not isinstance(value, type | nn.Module) and all(
        callable(getattr(value, name, None)) for name in ("state_dict", "load_state_dict")
    )
