"""Reptile over the tasks of a run: its update by hand, what a run with it is, what it refuses."""

import pytest
import torch
from support.stopping import ctrl_c_after
from support.tiny_clip import copy_of
from support.toy import toy_config
from torch import nn

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine import run_config
from mvlpt.engine.registries import build_trainer
from mvlpt.errors import ConfigError
from mvlpt.models import load_prompt
from mvlpt.runtime import Interrupted
from mvlpt.trainers.frozen_clip import TaskInput
from mvlpt.trainers.reptile import Reptile

TASKS = {"DATASET__DATASET": "toy-warm,toy-cold", "DATALOADER__TASK_BATCHES": "single"}
META = {"TRAINER__MVLPT__META__INNER_STEPS": 3, "TRAINER__MVLPT__META__RATE": 0.5}


def made(folder, **options):
    cfg = toy_config(folder, **{**TASKS, **options})
    cfg.freeze()
    return build_trainer(cfg)


def tuned(folder, **options):
    cfg = toy_config(folder, **{**TASKS, **options})
    cfg.freeze()
    run_config(cfg)
    return load_prompt(folder / "prompt.safetensors").tensors


def meta_options(steps, rate, batch=0):
    return toy_config(".", **{f"TRAINER__MVLPT__META__{key}": value for key, value in [
        ("INNER_STEPS", steps), ("RATE", rate), ("BATCH", batch)
    ]}).TRAINER.MVLPT.META  # fmt: skip


@pytest.mark.parametrize(("batch", "parts"), [(0, [4, 4, 4]), (3, [3, 1, 3]), (2, [2, 2, 2]), (9, [4, 4, 4])])
def test_the_prompt_moves_a_share_of_the_way_on_bowls(batch, parts):
    """With L(x) = |x - c|^2 / 2 and plain descent, K steps lead to c + (1 - lr)^K (x - c)."""
    start, centre, lr, seen = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 1.0]), 0.1, []
    parameter = nn.Parameter(start.clone())

    def step(inputs_and_labels):
        seen.append(len(inputs_and_labels[1]))
        with torch.no_grad():
            parameter.sub_(lr * (parameter - centre))
        return {"loss": float(len(seen))}

    reptile = Reptile(meta_options(3, 0.5, batch), [parameter, nn.Parameter(torch.zeros(1), requires_grad=False)])
    input = TaskInput(torch.zeros(4, 1), None, torch.zeros(4, dtype=torch.int64))
    summary = reptile.outer_step(step, input, torch.arange(4), done=0.25)
    led = centre + (1 - lr) ** 3 * (start - centre)
    torch.testing.assert_close(parameter.detach(), start + 0.5 * 0.75 * (led - start))
    assert seen == parts
    assert summary == {"loss": 2.0}


def test_an_outer_step_is_three_steps_of_the_optimiser_and_the_way_back(toy_tasks, tmp_path):
    trainer = made(tmp_path, OPTIM__NAME="adam", **META)
    trainer.batch_idx, trainer.num_batches = 0, 2
    batch = next(iter(trainer.train_loader_x))
    input, label = trainer.parse_batch_train(batch)
    start = trainer.model.prompt_learner.ctx.detach().clone()
    model = copy_of(trainer.model)
    optimiser = torch.optim.Adam([model.prompt_learner.ctx], **{
        key: trainer.optim.param_groups[0][key] for key in ("lr", "betas", "eps", "weight_decay")
    })  # fmt: skip
    for _ in range(3):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(input.images, input.task), label).backward()
        optimiser.step()
    trainer.forward_backward(batch)
    expected = start + 0.5 * (model.prompt_learner.ctx.detach() - start)
    torch.testing.assert_close(trainer.model.prompt_learner.ctx.detach(), expected, rtol=1e-4, atol=1e-6)


def test_one_inner_step_and_the_full_way_is_plain_training(toy_tasks, tmp_path):
    plain = tuned(tmp_path / "plain", OPTIM__MAX_EPOCH=1)
    one = tuned(tmp_path / "one", OPTIM__MAX_EPOCH=1, TRAINER__MVLPT__META__INNER_STEPS=1)
    torch.testing.assert_close(one, plain, rtol=1e-5, atol=1e-6)  # rate 1 in the first and only epoch


def test_stopped_between_outer_steps_and_resumed_it_ends_the_same(toy_tasks, tmp_path):
    unbroken = tuned(tmp_path / "unbroken", **META)
    with ctrl_c_after(4), pytest.raises(Interrupted):
        tuned(tmp_path / "stopped", **META)
    resumed = tuned(tmp_path / "stopped", **META, RESUME=str(tmp_path / "stopped"))
    assert all(torch.equal(value, unbroken[name]) for name, value in resumed.items())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"DATALOADER__TASK_BATCHES": "mixed"}, "batches mix tasks; set DATALOADER.TASK_BATCHES single"),
        ({"TRAINER__MVLPT__PRIVATE__RANK": 2}, "private parts, which are not shared"),
        ({"TRAINER__NAME": "KgCoOp"}, "KgCoOp has no inner steps"),
    ],
)
def test_what_it_cannot_do_is_one_sentence(toy_tasks, tmp_path, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        made(tmp_path, **{**META, **options})
