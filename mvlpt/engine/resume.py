"""The state that ``--resume`` reads: everything a run needs to continue as if it had never stopped.

One file in the run's folder, ``resume.pth.tar``, whole or absent. It holds weights, optimisers, schedules, gradient
scaler, random states, best score and the position (epoch and next batch), as tensors and plain containers only, and
belongs to one configuration, whose hash it carries.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvlpt.errors import CheckpointError
from mvlpt.io import read_tensors, write_tensors

FILE = "resume.pth.tar"
FORMAT = 1


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
    """Restores what :func:`random_state` returned."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


def save_resume_state(folder: str | Path, state: Mapping[str, Any]) -> None:
    """Writes ``state`` and the random states."""
    write_tensors({"format": FORMAT, "random": random_state(), **state}, Path(folder) / FILE)


def load_resume_state(folder: str | Path) -> dict[str, Any] | None:
    """What :func:`save_resume_state` wrote in ``folder``, or ``None`` if there is none.

    Raises:
        CheckpointError: the file is broken or of another format.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    state = read_tensors(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise CheckpointError(f"{path} has format {found}, this version reads {FORMAT}; delete it to start again")
    return state
