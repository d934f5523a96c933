"""What a trainer keeps besides its registered models: counters, running averages, generators, modules of its own.

A trainer written for Dassl counts steps in an attribute, averages weights in a dictionary, or keeps a second module
that it does not register. The course of the run depends on all of it, so the state that ``--resume`` reads holds every
value that can be written as tensors and plain containers and that has changed since the trainer was built.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from mvlpt.engine.meters import AverageMeter, MetricMeter

SCALARS = (bool, int, float, str, bytes, type(None))
METERS = (AverageMeter, MetricMeter)
# Classes of these packages are not searched for values.
FOREIGN = {
    *("torch", "torchvision", "numpy", "builtins", "yacs", "PIL", "open_clip", "mvlpt", "collections", "logging"),
    *("pathlib", "functools", "argparse", "re", "types", "threading", "contextlib", "_io", "tqdm", "rich", "typing"),
}
# What the engine sets on a trainer and takes care of itself.
ENGINE = {
    *(
        "_models",
        "_optims",
        "_scheds",
        "_writer",
        "_stop",
        "_progress",
        "_stack",
        "_watchers",
        "_saved_at",
        "_next_batch",
    ),
    *("_own_state", "_pending", "_start_share", "_logged_at"),
    *("cfg", "device", "dm", "evaluator", "output_dir", "scaler"),
    *("train_loader_x", "train_loader_u", "val_loader", "test_loader", "num_classes", "num_source_domains"),
    *("lab2cname", "start_epoch", "epoch", "max_epoch", "final_epoch", "batch_idx", "num_batches", "time_start"),
    *("best_result", "best_epoch", "task_scores"),
}
_MODULE = set(vars(nn.Module()))
DEPTH = 5

Path = tuple[str, ...]


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
            if not all(isinstance(step, str) and not step.startswith("__") for step in path):
                continue
            if path[0] in ENGINE and path[0] != "_models":
                continue
            owner = self._trainer
            for step in path[:-1]:
                owner = owner.get(step) if isinstance(owner, dict) else getattr(owner, step, None)
                if not isinstance(owner, (dict, nn.Module, *METERS)) and not _is_plugin_object(owner):
                    break
            else:
                _put(owner, path[-1], value)

    def _values(self) -> Iterator[tuple[Path, Any]]:
        trainer = self._trainer
        covered: set[int] = {id(part) for part in (*trainer._optims.values(), *trainer._scheds.values())}
        for model in trainer._models.values():
            covered |= {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
        seen: set[int] = set()
        for name, value in vars(trainer).items():
            if name not in ENGINE:
                yield from _walk((name,), value, covered, seen)
        for name, model in trainer._models.items():
            yield from _walk(("_models", name), model, covered, seen)


def _walk(path: Path, value: Any, covered: set[int], seen: set[int]) -> Iterator[tuple[Path, Any]]:
    """The values that can be saved at and below ``path``, each once."""
    if id(value) in covered or len(path) > DEPTH + 20:
        return
    if isinstance(value, nn.Module):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield from _module_values(path, value, covered, seen)
    elif can_encode(value):
        yield path, value
    elif (isinstance(value, METERS) or _is_plugin_object(value)) and id(value) not in seen:
        seen.add(id(value))
        for name, inner in vars(value).items():
            yield from _walk((*path, name), inner, covered, seen)


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
        and not callable(value)
        and kind.__module__.partition(".")[0] not in FOREIGN
        and not isinstance(value, dict | list | tuple | set)
    )


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
            return ["tensor", value.detach().cpu().clone()]
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
    """The value that :func:`encode` was given; generators and other objects as their state."""
    kind, content = saved[0], saved[1]
    if kind == "tensor":
        return content if device is None else content.to(device)
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


@torch.no_grad()
def _put(owner: Any, name: str, saved: list[Any]) -> None:
    kind = saved[0]
    container = owner if isinstance(owner, dict) else None
    now = container.get(name) if container is not None else getattr(owner, name, None)
    if kind in ("random", "numpy random", "numpy generator", "torch generator", "state"):
        _put_state(now, kind, decode(saved))
        return
    value = decode(saved, getattr(now, "device", None) if isinstance(now, torch.Tensor) else None)
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
    else:
        setattr(owner, name, value)


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


def _has_state(value: Any) -> bool:
    return not isinstance(value, type | nn.Module) and all(
        callable(getattr(value, name, None)) for name in ("state_dict", "load_state_dict")
    )


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
