"""Learning rates by epoch against torch's own schedulers chained by hand, and optimisers by name."""

import math

import pytest
import torch
from torch import nn

from mvlpt.config import get_cfg_default
from mvlpt.engine.optim import AVAI_OPTIMS, build_lr_scheduler, build_optimizer
from mvlpt.errors import ConfigError

BASE = 0.02


def make(**options):
    cfg = get_cfg_default()
    cfg.merge_from_list(
        [word for key, value in {"NAME": "sgd", "LR": BASE, **options}.items() for word in (f"OPTIM.{key}", value)]
    )
    return build_optimizer(nn.Linear(2, 2), cfg.OPTIM), cfg.OPTIM


def rates(epochs, **options):
    optim, node = make(MAX_EPOCH=epochs, **options)
    sched = build_lr_scheduler(optim, node)
    seen = []
    for _ in range(epochs):
        seen.append(optim.param_groups[0]["lr"])
        optim.step()
        sched.step()
    return seen


def torch_rates(epochs, make_successor, warmup, warmup_rate, recount=True, shift=0):
    """Dassl's rule with torch's schedulers: warm up while epoch < warmup, then hand over to a successor."""
    optim = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE)
    successor = make_successor(optim)
    if warmup and not recount:
        successor.last_epoch = warmup
    seen = []
    for epoch in range(epochs):
        if epoch < warmup:
            seen.append(warmup_rate(epoch))
            continue
        optim.param_groups[0]["lr"] = successor.get_last_lr()[0]
        seen.append(optim.param_groups[0]["lr"])
        optim.step()
        successor.step()
    return seen


SUCCESSORS = {
    "single_step": (lambda optim: torch.optim.lr_scheduler.StepLR(optim, 3, 0.1), {"STEPSIZE": (3,)}),
    "multi_step": (lambda optim: torch.optim.lr_scheduler.MultiStepLR(optim, [2, 5], 0.1), {"STEPSIZE": (2, 5)}),
    "cosine": (lambda optim: torch.optim.lr_scheduler.CosineAnnealingLR(optim, 12.0), {}),
}


@pytest.mark.parametrize("name", SUCCESSORS)
@pytest.mark.parametrize("warmup", [0, 1, 4])
@pytest.mark.parametrize("kind", ["constant", "linear"])
@pytest.mark.parametrize("recount", [True, False])
def test_rates_equal_torchs_schedulers_after_warm_up(name, warmup, kind, recount):
    successor, options = SUCCESSORS[name]

    def warmup_rate(epoch):
        return 1e-5 if kind == "constant" or epoch == 0 else BASE * epoch / warmup

    expected = torch_rates(12, successor, warmup, warmup_rate, recount)
    options = {**options, "WARMUP_EPOCH": warmup, "WARMUP_TYPE": kind, "WARMUP_RECOUNT": recount}
    got = rates(12, LR_SCHEDULER=name, **options)
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_coops_rates_by_the_known_formula():
    epochs = 50
    got = rates(epochs, LR_SCHEDULER="cosine", WARMUP_EPOCH=1, WARMUP_TYPE="constant", WARMUP_CONS_LR=1e-5)
    expected = [1e-5] + [BASE * 0.5 * (1 + math.cos(math.pi * (e - 2) / epochs)) for e in range(2, epochs + 1)]
    assert got == pytest.approx(expected, rel=1e-12)


def test_single_step_without_a_size_never_falls():
    assert rates(6, LR_SCHEDULER="single_step") == [BASE] * 6


def test_the_schedule_goes_on_from_its_state_even_past_its_end():
    whole = rates(8, LR_SCHEDULER="cosine", WARMUP_EPOCH=2)
    optim, node = make(MAX_EPOCH=8, LR_SCHEDULER="cosine", WARMUP_EPOCH=2)
    first = build_lr_scheduler(optim, node)
    for _ in range(3):
        optim.step()
        first.step()
    other, _ = make(MAX_EPOCH=8, LR_SCHEDULER="cosine", WARMUP_EPOCH=2)
    second = build_lr_scheduler(other, node)
    second.load_state_dict(first.state_dict())
    assert other.param_groups[0]["lr"] == whole[3]
    for expected in whole[4:]:
        other.step()
        second.step()
        assert other.param_groups[0]["lr"] == expected
    other.step()
    second.step()
    assert math.isfinite(other.param_groups[0]["lr"])


@pytest.mark.parametrize("warmup", [3, 5])
def test_a_warm_up_as_long_as_the_run_stays_finite(warmup):
    assert all(map(math.isfinite, rates(3, LR_SCHEDULER="cosine", WARMUP_EPOCH=warmup, WARMUP_RECOUNT=False)))


@pytest.mark.parametrize("name", AVAI_OPTIMS)
def test_every_optimizer_makes_a_step(name):
    model = nn.Linear(3, 1)
    cfg = get_cfg_default()
    cfg.OPTIM.NAME = name
    optim = build_optimizer(model, cfg.OPTIM)
    before = model.weight.detach().clone()
    model(torch.ones(2, 3)).sum().backward()
    optim.step()
    assert not torch.equal(before, model.weight)


def test_frozen_parameters_stay_as_they_are_and_nothing_to_train_is_an_error():
    model = nn.Linear(3, 1)
    model.bias.requires_grad_(False)
    cfg = get_cfg_default()
    frozen, optimizer = model.bias.clone(), build_optimizer(model, cfg.OPTIM)
    assert len(optimizer.param_groups[0]["params"]) == 2, "Dassl's checkpoints list them all"
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert torch.equal(model.bias, frozen)
    model.requires_grad_(False)
    with pytest.raises(ConfigError, match="nothing to train"):
        build_optimizer(model, cfg.OPTIM)


def test_staged_rates():
    model = nn.Sequential()
    model.add_module("old", nn.Linear(2, 2))
    model.add_module("new", nn.Linear(2, 2))
    cfg = get_cfg_default()
    cfg.merge_from_list(
        ["OPTIM.STAGED_LR", True, "OPTIM.NEW_LAYERS", ("new",), "OPTIM.LR", 0.1, "OPTIM.BASE_LR_MULT", 0.5]
    )
    for given in (model, nn.DataParallel(model)):
        base, new = build_optimizer(given, cfg.OPTIM).param_groups
        assert (base["lr"], new["lr"]) == (0.05, 0.1)
    cfg.OPTIM.NEW_LAYERS = ("newt",)
    with pytest.raises(ConfigError, match="did you mean 'new'"):
        build_optimizer(model, cfg.OPTIM)


def test_unknown_names():
    cfg = get_cfg_default()
    cfg.OPTIM.NAME = "sdg"
    with pytest.raises(ConfigError, match="did you mean 'sgd'"):
        build_optimizer(nn.Linear(1, 1), cfg.OPTIM)
    optim, node = make()
    node.LR_SCHEDULER = "cosinus"
    with pytest.raises(ConfigError, match="did you mean 'cosine'"):
        build_lr_scheduler(optim, node)
    node.LR_SCHEDULER, node.STEPSIZE = "multi_step", (-1,)
    with pytest.raises(ConfigError, match="multi_step needs the epochs"):
        build_lr_scheduler(optim, node)


@pytest.mark.parametrize("name", AVAI_OPTIMS)
def test_an_update_in_one_pass_is_the_same(name):
    moved = []
    for fused in (False, True):
        model = nn.Linear(3, 3)
        nn.init.constant_(model.weight, 0.5)
        nn.init.zeros_(model.bias)
        optim = build_optimizer(model, make(NAME=name, MOMENTUM=0.9, WEIGHT_DECAY=0.01)[1], fused=fused)
        for step in range(3):
            model.weight.grad = torch.linspace(-1, 1, 9).view(3, 3) * (step + 1)
            model.bias.grad = torch.ones(3)
            optim.step()
        moved.append(model.weight.detach())
    torch.testing.assert_close(*moved)
