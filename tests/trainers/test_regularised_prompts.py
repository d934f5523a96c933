"""KgCoOp, ProGrad and PromptSRC: their losses and steps against the papers' formulas."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.toy import toy_config
from torch.nn import functional as F

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine.registries import build_trainer
from mvlpt.models import zero_shot_text_features
from mvlpt.trainers.mask_tuning import dropped
from mvlpt.trainers.prograd import without_conflict
from mvlpt.trainers.promptsrc import epoch_weight


def made(folder, name, **options):
    cfg = toy_config(folder, TRAINER__NAME=name, DATASET__DATASET="toy-warm,toy-cold", **options)
    cfg.freeze()
    return build_trainer(cfg)


def first_batch(trainer):
    return trainer.parse_batch_train(next(iter(trainer.train_loader_x)))


def zero_shot(trainer):
    """(K, E), from the class names and templates of the tasks."""
    features = [zero_shot_text_features(trainer.backbone, t.classnames, list(t.templates)) for t in trainer.dm.tasks]
    return torch.cat(features)


@pytest.mark.parametrize("per_task", [False, True])
def test_kgcoop_adds_the_squared_distance_of_text_features(toy_tasks, tmp_path, per_task):
    trainer = made(tmp_path, "KgCoOp", DATASET__MULTITASK_LABEL_PERTASK=per_task, DATALOADER__TASK_BATCHES="single")
    input, label = first_batch(trainer)
    outputs = trainer._forward(input)
    classes = list(range(trainer.num_classes))
    if per_task:
        classes = [
            c for t in input.task.unique().tolist() for c in range(trainer.dm.tasks[t].start, trainer.dm.tasks[t].stop)
        ]
    tuned, untuned = trainer.model.text_features()[classes], zero_shot(trainer)[classes]
    expected = F.cross_entropy(outputs.logits, label, reduction="none")
    expected = expected + 8.0 * 0.5 * (tuned - untuned).square().sum(dim=1).mean()
    torch.testing.assert_close(trainer.losses(outputs, label), expected, atol=1e-5, rtol=1e-5)


def test_prograd_removes_what_conflicts_and_no_more():
    own, guide = torch.tensor([1.0, -2.0]), torch.tensor([0.0, 3.0])
    torch.testing.assert_close(without_conflict(own, guide, 1.0), torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(without_conflict(own, guide, 0.5), torch.tensor([1.0, -1.0]))
    assert without_conflict(own, -guide, 1.0) is own
    assert without_conflict(own, torch.zeros(2), 1.0) is own


@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_of_prograd_follows_the_two_gradients(toy_tasks, tmp_path, scaled):
    trainer = made(tmp_path, "ProGrad", OPTIM__NAME="sgd", OPTIM__MOMENTUM=0.0, OPTIM__LR=0.5, OPTIM__WEIGHT_DECAY=0.0)
    trainer.scaler = torch.amp.GradScaler("cpu") if scaled else None  # as in half precision
    batch = next(iter(trainer.train_loader_x))
    input, label = trainer.parse_batch_train(batch)
    before = trainer.model.prompt_learner.ctx.detach().clone()
    outputs = trainer._forward(input)
    scale = trainer.backbone.logit_scale.exp()
    target = (scale * outputs.image_features @ zero_shot(trainer).t()).softmax(dim=-1)
    divergence = F.kl_div(outputs.logits.log_softmax(dim=-1), target, reduction="batchmean")
    own = torch.autograd.grad(
        F.cross_entropy(outputs.logits, label), trainer.model.prompt_learner.ctx, retain_graph=True
    )[0]
    guide = torch.autograd.grad(divergence, trainer.model.prompt_learner.ctx)[0]
    a, b = own.double().numpy().ravel(), guide.double().numpy().ravel()
    step = a - (a @ b) / (b @ b) * b if a @ b < 0 else a
    trainer.batch_idx, trainer.num_batches, trainer.epoch = 0, 2, 0
    trainer.forward_backward(batch)
    moved = (before - trainer.model.prompt_learner.ctx.detach()).double().numpy().ravel()
    np.testing.assert_allclose(moved, 0.5 * step, rtol=1e-3, atol=1e-6)


def test_promptsrc_keeps_features_and_logits_near_the_untuned_models(toy_tasks, tmp_path):
    trainer = made(tmp_path, "PromptSRC")
    input, label = first_batch(trainer)
    outputs = trainer._forward(input)
    images = F.normalize(trainer.backbone.encode_image(input.images), dim=-1)
    backbone = trainer.backbone
    prompts = [[template.format(name) for template in t.templates] for t in trainer.dm.tasks for name in t.classnames]
    raw = torch.stack([backbone.encode_text(backbone.tokenize(of_class)).mean(dim=0) for of_class in prompts])
    texts = F.normalize(raw, dim=-1)
    reference = trainer.backbone.logit_scale.exp() * images @ texts.t()
    expected = F.cross_entropy(outputs.logits, label)
    expected = (
        expected + 25 * F.l1_loss(trainer.model.text_features(), texts) + 10 * F.l1_loss(outputs.image_features, images)
    )
    tuned, other = outputs.logits.log_softmax(dim=1), reference.log_softmax(dim=1)
    expected = expected + F.kl_div(tuned, other, reduction="sum", log_target=True) / outputs.logits.numel()
    ours = trainer.losses(outputs, label).mean()
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


def test_promptsrc_ends_in_the_weighted_average_of_its_epochs(toy_tasks, tmp_path):
    options = {"OPTIM__MAX_EPOCH": 3, "TRAINER__PROMPTSRC__GPA_MEAN": 2.0, "TRAINER__PROMPTSRC__GPA_STD": 1.5}
    trainer, seen = made(tmp_path, "PromptSRC", TEST__NO_TEST=True, VERBOSE=False, **options), []
    after_epoch = trainer.after_epoch

    def remember():
        seen.append(trainer.model.prompt_learner.ctx.detach().double().clone())
        after_epoch()

    trainer.after_epoch = remember
    trainer.train()
    density = [math.exp(-((epoch - 2.0) ** 2) / (2 * 1.5**2)) for epoch in (1, 2, 3)]
    expected = sum(weight * prompt for weight, prompt in zip(density, seen, strict=True)) / sum(density)
    torch.testing.assert_close(trainer.model.prompt_learner.ctx.detach().double(), expected, atol=1e-6, rtol=1e-6)


def test_an_average_far_beyond_the_last_epoch_is_the_last_prompt():
    options = SimpleNamespace(GPA_MEAN=1000.0, GPA_STD=1.0)
    assert [epoch_weight(epoch, 3, options) for epoch in range(3)] == [0.0, 0.0, 1.0]


def test_gradients_that_agree_with_the_guide_are_dropped_less():
    """The probability to keep g is (1 + sign(g) (g + h) / (|g| + |h|)) / 2 for the guide's gradient h."""
    torch.manual_seed(0)
    pairs = [
        (1.0, 2.0, 1.0),
        (-1.0, -0.1, 1.0),
        (1.0, 0.0, 1.0),
        (1.0, -1.0, 0.5),
        (2.0, -1.0, 2 / 3),
        (1.0, -3.0, 0.25),
    ]
    for own, guide, probability in pairs:
        result = dropped(torch.full((20_000,), own), torch.full((20_000,), guide), 1.0)
        assert set(result.unique().tolist()) <= {0.0, own}
        assert (result != 0).float().mean().item() == pytest.approx(probability, abs=0.02)
    weaker = dropped(torch.full((500,), 1.0), torch.full((500,), -3.0), 0.25)
    assert set(weaker.unique().tolist()) == {0.75, 1.0}


@pytest.mark.parametrize(("per_task", "scaled"), [(False, False), (True, True)])
def test_a_step_of_mask_tuning_follows_both_gradients(toy_tasks, tmp_path, per_task, scaled):
    plain = {"OPTIM__NAME": "sgd", "OPTIM__MOMENTUM": 0.0, "OPTIM__LR": 0.1, "OPTIM__WEIGHT_DECAY": 0.0}
    space = {"DATASET__MULTITASK_LABEL_PERTASK": per_task, "TRAINER__RAMT__T": 2.0}
    trainer = made(tmp_path, "R-AMT", **plain, **space, TRAINER__RAMT__NORM_WEIGHT=0.5)
    trainer.scaler = torch.amp.GradScaler("cpu") if scaled else None
    batch = next(iter(trainer.train_loader_x))
    input, label = trainer.parse_batch_train(batch)
    learner = trainer.model.prompt_learner
    with torch.no_grad():
        learner.in_proj.add_(0.01 * torch.randn(learner.in_proj.shape))
    before = learner.in_proj.detach().clone()
    outputs = trainer._forward(input)
    with torch.no_grad():
        images = F.normalize(trainer.backbone.encode_image(input.images), dim=-1)
        untuned = trainer.backbone.logit_scale.exp() * images @ outputs.text_features.t()
        if per_task:
            untuned = untuned.masked_fill(outputs.logits.isinf(), float("-inf"))
    own = F.cross_entropy(outputs.logits, label) + 0.5 * learner.penalty()
    tuned, target = (outputs.logits / 2).log_softmax(dim=-1), (untuned / 2).softmax(dim=-1)
    guide = -4 * (target * tuned.masked_fill(target == 0, 0)).sum(dim=-1).mean()
    (g,) = torch.autograd.grad(own, learner.in_proj, retain_graph=True)
    (h,) = torch.autograd.grad(guide, learner.in_proj)
    torch.manual_seed(3)
    trainer.epoch, trainer.batch_idx, trainer.num_batches = 0, 0, 2
    trainer.set_model_mode("train")
    trainer.forward_backward(batch)
    torch.manual_seed(3)
    torch.testing.assert_close(learner.in_proj, before - 0.1 * dropped(g, h, 1.0), atol=1e-5, rtol=1e-3)
