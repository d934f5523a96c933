"""What a resume file may change in a trainer: the trainer's own values, and nothing else."""

import random
import types
from collections import deque

import numpy as np
import pytest
import torch

from mvlpt.engine.encoded_values import encode
from mvlpt.engine.meters import AverageMeter, MetricMeter
from mvlpt.engine.own_state import OwnState


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


def test_what_lay_on_a_gpu_comes_back_to_the_trainers_device():
    """In containers, whose tensors of now may be others, or none; ``meta`` stands for a device that is not the CPU."""
    trainer = bare_trainer()
    trainer.device, trainer.sums = torch.device("meta"), {}
    on_gpu, on_cpu = ["tensor", torch.ones(2), "cuda"], encode(torch.ones(2))
    OwnState(trainer).restore([[["sums"], ["dict", [["a", on_gpu], ["b", on_cpu], ["c", ["list", [on_gpu]]]]]]])
    assert trainer.sums["a"].device.type == trainer.sums["c"][0].device.type == "meta"
    assert trainer.sums["b"].tolist() == [1, 1]


class Ramp:
    """An object that is called, counts, and knows its trainer."""

    def __init__(self, trainer):
        self.calls, self.trainer = 0, trainer

    def __call__(self):
        self.calls += 1


def test_modules_and_objects_in_containers_are_restored_and_the_trainers_position_is_not():
    def build():
        trainer = bare_trainer()
        trainer.teachers = {"first": [torch.nn.Linear(2, 1)], 2: (Ramp(trainer), 0)}
        trainer.meters, trainer._next_batch, trainer.epoch = MetricMeter(), 0, 0
        return trainer

    trainer, other = build(), build()
    state = OwnState(trainer)
    with torch.no_grad():
        trainer.teachers["first"][0].weight.fill_(7)
    trainer.teachers[2][0]()
    trainer.meters.update({"loss": 2.0})
    trainer._next_batch, trainer.epoch = 3, 1
    OwnState(other).restore(state.collect())
    assert torch.equal(other.teachers["first"][0].weight, torch.full((1, 2), 7.0))
    assert other.teachers[2][0].calls == 1
    assert other.meters.meters["loss"].avg == 2.0
    assert (other._next_batch, other.epoch) == (0, 0)


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
        ["history", 5],
        ["history", "stolen"],
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
