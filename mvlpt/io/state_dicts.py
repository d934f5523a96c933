"""State dicts before they are loaded: names that are missing or unknown, shapes that differ, broken values."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mvlpt.errors import CheckpointError
from mvlpt.io.display import listed

if TYPE_CHECKING:
    from torch import Tensor

# of nn.DataParallel, torch.compile, FSDP and activation checkpointing; only DataParallel's is also an ordinary name,
# so that it counts at the beginning alone
_OTHERS = r"_orig_mod\.|_fsdp_wrapped_module\.|_checkpoint_wrapped_module\."
_WRAPPERS = re.compile(rf"^(?:module\.|{_OTHERS})+|(?<=\.)(?:{_OTHERS})+")


@dataclass(frozen=True)
class StateDifferences:
    """How a state dict differs from the one that a model has.

    Attributes:
        missing: names the model has and the state lacks.
        unknown: names the state has and the model lacks.
        shapes: name to the shape in the state and the shape in the model, where they differ.
    """

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unknown or self.shapes)

    def __str__(self) -> str:
        """``it lacks a, b; it holds c, which is unknown here; d is (2, 3) and not (2, 4)``."""
        parts = []
        if self.missing:
            parts.append(f"it lacks {listed(self.missing)}")
        if self.unknown:
            parts.append(f"it holds {listed(self.unknown)}, which is unknown here")
        if self.shapes:
            parts.append(listed([f"{key} is {given} and not {own}" for key, (given, own) in self.shapes.items()]))
        return "; ".join(parts)


def compare_states(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> StateDifferences:
    """Compares the state dict of a model with one that is to be loaded; the result is false if they fit.

    Args:
        own: the model's.
        given: the one to load.
    """
    return StateDifferences(
        missing=tuple(key for key in own if key not in given),
        unknown=tuple(str(key) for key in given if key not in own),
        shapes={
            key: (tuple(given[key].shape), tuple(own[key].shape))
            for key in own
            if key in given and given[key].shape != own[key].shape
        },
    )


def strip_wrappers(
    state: Mapping[str, Any], own: Container[str] = (), *, source: str = "The state dict"
) -> dict[str, Any]:
    """A state dict without the prefixes that wrappers of a model add to its names, in any combination.

    Args:
        state: values by name.
        own: names that the model itself has, which stay as they are.
        source: what to call the state in the message, such as the file's name.

    Raises:
        CheckpointError: two entries have the same name without their prefixes.
    """
    stripped: dict[str, Any] = {}
    for key, value in state.items():
        name = str(key) if key in own else _WRAPPERS.sub("", str(key))
        if name in stripped:
            raise CheckpointError(
                f"{source} holds '{name}' twice, with and without a wrapper's prefix; keep one of them"
            )
        stripped[name] = value
    return stripped


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """The names of tensors that hold NaN or infinite values."""
    return [key for key, value in state.items() if value.is_floating_point() and not _is_finite(value)]


def _is_finite(tensor: Tensor) -> bool:
    """Whether all values are. A sum is finite only then, and takes a fraction of the time; but it may overflow."""
    if tensor.itemsize == 1:  # torch neither sums nor tests all types of eight bits
        tensor = tensor.float()
    return bool(tensor.sum().isfinite() or tensor.isfinite().all())
