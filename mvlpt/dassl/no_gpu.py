"""Running code that says ``.cuda()`` and ``.half()`` on a machine without a GPU.

The first leaves tensors and modules where they are, the second leaves them in fp32: code that halves a part of its
model, for the speed of a GPU, then adds and multiplies numbers of one type.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_originals: dict[tuple[type, str], Any] = {}


def accept_gpu_calls() -> None:
    """Makes ``.cuda()``, ``.to("cuda")`` and ``.half()`` of tensors and modules do nothing where torch sees no GPU.

    A machine with a GPU is left alone. :func:`refuse_gpu_calls` undoes it.
    """
    if torch.cuda.is_available() or _originals:
        return
    for kind in (torch.Tensor, nn.Module):
        _replace(kind, "cuda", _stay)
        _replace(kind, "half", _stay)
        _replace(kind, "to", _without_gpu(kind.to))


def refuse_gpu_calls() -> None:
    """Puts torch's own methods back."""
    for (kind, name), original in _originals.items():
        if original is None:
            delattr(kind, name)
        else:
            setattr(kind, name, original)
    _originals.clear()


def _replace(kind: type, name: str, method: Any) -> None:
    _originals[kind, name] = vars(kind).get(name)
    setattr(kind, name, method)


def _stay(self: Any, *_: Any, **__: Any) -> Any:
    """Stands in for ``cuda`` and ``half``."""
    return self


def _without_gpu(original: Any) -> Any:
    def to(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Stands in for ``to``: a CUDA device means the CPU."""
        args = tuple("cpu" if _is_gpu(arg) else arg for arg in args)
        kwargs = {key: "cpu" if key == "device" and _is_gpu(value) else value for key, value in kwargs.items()}
        return original(self, *args, **kwargs)

    return to


def _is_gpu(value: Any) -> bool:
    """Whether an argument of ``to`` is a GPU: its name, its device, or its number."""
    return str(value).startswith("cuda") if isinstance(value, str | torch.device) else type(value) is int
