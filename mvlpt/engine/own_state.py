"""What a trainer keeps besides its registered models: counters, running averages, generators, modules of its own.

A trainer written for Dassl counts steps in an attribute, averages weights in a dictionary, or keeps a second module
that it does not register. The course of the run depends on all of it, so the state that ``--resume`` reads holds every
value that can be written as tensors and plain containers and that has changed since the trainer was built.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from mvlpt.engine.encoded_values import SCALARS, can_encode, decode, encode
from mvlpt.engine.meters import AverageMeter, MetricMeter

METERS = (AverageMeter, MetricMeter)
# Classes of these packages are not searched for values.
FOREIGN = {
    *("torch", "torchvision", "numpy", "builtins", "yacs", "PIL", "open_clip", "mvlpt", "collections", "logging"),
    *("pathlib", "functools", "argparse", "re", "types", "threading", "contextlib", "_io", "tqdm", "rich", "typing"),
    *("transformers", "tokenizers"),
}
# What the engine sets on a trainer and takes care of itself.
ENGINE = {
    *("_models", "_optims", "_scheds", "_writer", "_stop", "_progress", "_stack", "_watchers", "_saved_at"),
    *("_next_batch", "_own_state", "_pending", "_start_share"),
    *("cfg", "device", "dm", "evaluator", "output_dir", "scaler"),
    *("train_loader_x", "train_loader_u", "val_loader", "test_loader", "num_classes", "num_source_domains"),
    *("lab2cname", "start_epoch", "epoch", "max_epoch", "final_epoch", "batch_idx", "num_batches", "time_start"),
    *("best_result", "best_epoch", "task_scores"),
}
_MODULE = set(vars(nn.Module()))
DEEPEST = 25  # steps from the trainer to a value
LONGEST = 1000  # entries of a container that is searched for modules and objects; longer ones hold data

Path = tuple[str | int, ...]


class OwnState:
    """Collects and restores what a trainer's own code keeps.

    Args:
        trainer: a trainer whose models are built; what it holds now is what a new run begins with.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._initial = {path: _stamp(value) for path, value in self._values()}

    def collect(self) -> list[list[Any]]:
        """``[path, encoded value]`` of everything that differs from the beginning."""
        found = []
        for path, value in self._values():
            if path not in self._initial or not _same(self._initial[path], value):
                found.append([list(path), encode(value)])
        return found

    def restore(self, saved: list[list[Any]]) -> None:
        """Restores what :meth:`collect` returned, and nothing that it would not have collected.

        Values whose owner no longer exists are left out.
        """
        for path, value in saved:
            if not _is_own(path):
                continue
            owner = self._trainer
            for step in path[:-1]:
                owner = _get(owner, step)
                if not isinstance(owner, nn.Module) and not _holds_values(owner):
                    break
            else:
                _put(owner, path[-1], value, getattr(self._trainer, "device", None))

    def _values(self) -> Iterator[tuple[Path, Any]]:
        trainer = self._trainer
        covered: set[int] = {id(part) for part in (*trainer._optims.values(), *trainer._scheds.values())}
        for model in trainer._models.values():
            covered |= {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
        seen = {id(trainer)}  # an object may hold its trainer
        for name, value in vars(trainer).items():
            if name not in ENGINE:
                yield from _walk((name,), value, covered, seen)
        for name, model in trainer._models.items():
            yield from _walk(("_models", name), model, covered, seen)


def _walk(path: Path, value: Any, covered: set[int], seen: set[int]) -> Iterator[tuple[Path, Any]]:
    """The values that can be saved at and below ``path``, each once."""
    if id(value) in covered or len(path) > DEEPEST:
        return
    if isinstance(value, nn.Module):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield from _module_values(path, value, covered, seen)
    elif can_encode(value):
        yield path, value
    elif _holds_values(value) and id(value) not in seen:
        seen.add(id(value))
        for step, inner in _parts(value):
            yield from _walk((*path, step), inner, covered, seen)


def _holds_values(value: Any) -> bool:
    """Whether a value that cannot be saved itself may hold some that can, or modules."""
    return isinstance(value, (dict, list, tuple, *METERS)) or _is_plugin_object(value)


def _parts(value: Any) -> list[tuple[str | int, Any]]:
    """What a container or an object holds, by the step that leads there."""
    if isinstance(value, dict):
        parts = [(key, inner) for key, inner in value.items() if isinstance(key, str | int)]
    elif isinstance(value, list | tuple):
        parts = list(enumerate(value))
    else:
        return list(vars(value).items())
    return parts if len(parts) <= LONGEST else []


def _is_own(path: list[Any]) -> bool:
    """Whether a path leads to what :func:`_walk` may find: no value of the engine, and nothing of Python's."""
    first, *_ = path
    return (
        isinstance(first, str)
        and (first not in ENGINE or first == "_models")
        and all(isinstance(step, int) or (isinstance(step, str) and not step.startswith("__")) for step in path)
    )


def _get(owner: Any, step: str | int) -> Any:
    """What an owner holds at a step; ``None`` where there is nothing."""
    if isinstance(owner, dict):
        made = getattr(owner, "default_factory", None) in METERS  # a meter's averages are made when first used
        return owner[step] if made or step in owner else None
    if isinstance(owner, list | tuple):
        return owner[step] if isinstance(step, int) and 0 <= step < len(owner) else None
    return getattr(owner, step, None) if isinstance(step, str) else None


def _module_values(path: Path, module: nn.Module, covered: set[int], seen: set[int]) -> Iterator[tuple[Path, Any]]:
    for name, value in vars(module).items():
        if name not in _MODULE:
            yield from _walk((*path, name), value, covered, seen)
    for group in (module._parameters, module._buffers):
        for name, tensor in group.items():
            if tensor is not None and id(tensor) not in covered and id(tensor) not in seen:
                seen.add(id(tensor))
                yield (*path, name), tensor
    for name, child in module._modules.items():
        if child is not None:
            yield from _walk((*path, name), child, covered, seen)


def _is_plugin_object(value: Any) -> bool:
    kind = type(value)
    return (
        hasattr(value, "__dict__")
        and not isinstance(value, type)
        and kind.__module__.partition(".")[0] not in FOREIGN
        and not isinstance(value, dict | list | tuple | set)
    )


@torch.no_grad()
def _put(owner: Any, step: str | int, saved: list[Any], device: torch.device | None) -> None:
    kind, now = saved[0], _get(owner, step)
    if kind in ("random", "numpy random", "numpy generator", "torch generator", "state"):
        _put_state(now, kind, decode(saved))
        return
    value = decode(saved, device)
    if isinstance(now, torch.Tensor) and isinstance(value, torch.Tensor):
        value = value.to(now.device)
    if isinstance(now, torch.Tensor) and isinstance(value, torch.Tensor) and now.shape == value.shape:
        now.copy_(value)
    elif isinstance(now, dict) and isinstance(value, dict):
        now.clear()
        now.update(value)
    elif isinstance(now, list) and isinstance(value, list):
        now[:] = value
    elif isinstance(now, deque) and isinstance(value, deque):
        now.clear()
        now.extend(value)
    elif isinstance(owner, dict) or (isinstance(owner, list) and now is not None):
        owner[step] = value
    elif isinstance(step, str) and not isinstance(owner, list | tuple):
        setattr(owner, step, value)


def _put_state(now: Any, kind: str, state: Any) -> None:
    if now is None:
        return
    if kind == "random":
        now.setstate(state)
    elif kind == "numpy random":
        now.set_state(state)
    elif kind == "numpy generator":
        now.bit_generator.state = state
    elif kind == "torch generator":
        now.set_state(state)
    else:
        now.load_state_dict(state)


def _stamp(value: Any) -> Any:
    """What shows whether a value has changed: a tensor's version, a copy of anything else that is small."""
    if isinstance(value, torch.Tensor):
        return ("tensor", value, _version(value))
    if isinstance(value, dict):
        return ("dict", [(key, _stamp(inner)) for key, inner in value.items()])
    if isinstance(value, list | tuple | deque):
        return ("items", [_stamp(inner) for inner in value])
    return ("value", value) if isinstance(value, (*SCALARS, np.generic)) else ("other",)


def _same(stamp: Any, value: Any) -> bool:
    if stamp[0] == "tensor":
        return stamp[1] is value and stamp[2] is not None and stamp[2] == _version(value)
    if stamp[0] == "dict":
        if not isinstance(value, dict) or len(value) != len(stamp[1]):
            return False
        pairs = zip(stamp[1], value.items(), strict=True)
        return all(key == other and _same(inner, item) for (key, inner), (other, item) in pairs)
    if stamp[0] == "items":
        if not isinstance(value, list | tuple | deque) or len(value) != len(stamp[1]):
            return False
        return all(_same(inner, item) for inner, item in zip(stamp[1], value, strict=True))
    if stamp[0] == "value":
        return type(stamp[1]) is type(value) and stamp[1] == value
    return False


def _version(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version
