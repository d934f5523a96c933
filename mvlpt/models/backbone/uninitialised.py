"""Models without starting values, for those whose weights are loaded anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

DRAWS = (Tensor.normal_, Tensor.uniform_)


class Uninitialised(TorchFunctionMode):
    """Inside this block ``torch.nn.init`` and what it draws with leave tensors as they were allocated.

    Drawing starting values takes most of the time that open_clip needs to build a ViT. What loads the weights must be
    strict: a parameter that it leaves out holds whatever was in memory.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in DRAWS or getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
