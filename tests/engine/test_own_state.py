"""What a resume file may change in a trainer: the trainer's own values, and nothing else."""

import random
import types
from collections import deque

import numpy as np
import pytest
import torch

from mvlpt.engine.meters import AverageMeter
from mvlpt.engine.own_state import OwnState, encode


def bare_trainer():
    """A trainer as far as :class:`OwnState` looks at it."""
    trainer = types.SimpleNamespace(_optims={}, _scheds={}, _models={"net": torch.nn.Linear(2, 1)})
    trainer.count, trainer.history, trainer.average = 0, [1], AverageMeter()
    trainer.library, trainer.output_dir = np, "runs/a"
    return trainer


def test_what_changed_is_collected_and_restored():
    trainer = bare_trainer()
    state = OwnState(trainer)
    assert state.collect() == []
    trainer.count, trainer.recent = 7, deque([1, 2])
    trainer.history.append(2)
    trainer.average.update(3.0)
    saved = state.collect()
    other = bare_trainer()
    OwnState(other).restore(saved)
    assert (other.count, other.history, other.recent) == (7, [1, 2], deque([1, 2]))
    assert (other.average.sum, other.average.count) == (3.0, 1)


@pytest.mark.parametrize(
    "path",
    [
        ["output_dir"],
        ["__class__"],
        ["count", "__class__"],
        ["library", "stolen"],
        ["library", "random", "stolen"],
        ["_models", "net", "__class__", "stolen"],
        ["average", "update", "stolen"],
        ["nowhere", "stolen"],
        [3],
    ],
)
def test_a_foreign_path_changes_nothing(path):
    trainer = bare_trainer()
    before = random.getstate()
    OwnState(trainer).restore([[path, encode("x")]])
    assert type(trainer) is types.SimpleNamespace
    assert trainer.output_dir == "runs/a"
    assert not hasattr(np, "stolen")
    assert not hasattr(np.random, "stolen")
    assert not hasattr(torch.nn.Linear, "stolen")
    assert not hasattr(AverageMeter.update, "stolen")
    assert random.getstate() == before
