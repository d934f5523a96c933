"""The state that ``--resume`` reads: everything a run needs to continue as if it had never stopped.

One file in the run's folder, ``resume.pth.tar``, whole or absent. It holds weights, optimisers, schedules, gradient
scaler, random states, best score and the position (epoch and next batch), as tensors and plain containers only, and
belongs to one configuration, whose hash it carries.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvlpt.errors import CheckpointError
from mvlpt.io import check_head, read_tensors, write_tensors

RESUME_FILE = "resume.pth.tar"
FORMAT = 1
REMEDY = "delete it to start again"
DAMAGE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RuntimeError,
    OverflowError,
)  # what reading one raises


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_best(value: Any) -> bool:
    """Whether it is the best score and its epoch."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], float) and _is_count(value[1])


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "identity": lambda value: isinstance(value, str),
    "epoch": _is_count,
    "next_batch": _is_count,
    "best": _is_best,
    "models": lambda value: isinstance(value, dict),
    "random": lambda value: isinstance(value, dict),
}


def random_state() -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's global generators, as plain containers."""
    version, internal, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(internal), gauss],
        "numpy": [torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restores what :func:`random_state` returned.

    Raises:
        CheckpointError: it is not such a state.
    """
    try:
        version, internal, gauss = state["python"]
        random.setstate((version, tuple(internal), gauss))
        keys, position, has_gauss, cached = state["numpy"]
        np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, cached))
        torch.set_rng_state(state["torch"])
        if state["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])
    except DAMAGE as error:
        raise CheckpointError(f"The saved random states cannot be used ({error}); start the run again") from error


def save_resume_state(folder: str | Path, state: Mapping[str, Any]) -> None:
    """Writes ``state`` and the random states."""
    write_tensors({"format": FORMAT, "random": random_state(), **state}, Path(folder) / RESUME_FILE)


def load_resume_state(folder: str | Path) -> dict[str, Any] | None:
    """What :func:`save_resume_state` wrote in ``folder``, or ``None`` if there is none.

    Raises:
        CheckpointError: the file is broken or of another format.
    """
    path = Path(folder) / RESUME_FILE
    if not path.is_file():
        return None
    state = read_tensors(path)
    check_head(state, path, "the state of a run", format=FORMAT, error=CheckpointError, remedy=REMEDY)
    wrong = [key for key, fits in _FIELDS.items() if not fits(state.get(key))]
    if wrong:
        raise CheckpointError(f"{path} is damaged: {', '.join(wrong)} missing or of the wrong kind; {REMEDY}")
    return state
