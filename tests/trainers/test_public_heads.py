"""Heads on features against their authors' code, in the folder ``MVLPT_PUBLIC_CODE``; skipped without it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from support.public_methods import (
    PUBLIC,
    assert_gradient,
    assert_logits,
    names_of,
    package_module,
    plugin,
    repository,
    script,
)
from torch import nn
from torch.nn import functional as F

from mvlpt.models.heads import (
    CLAPHead,
    ClassTexts,
    LPPlusPlusHead,
    Support,
    TaskResHead,
    TipAdapterFHead,
    TipAdapterHead,
)

pytestmark = list(PUBLIC)
CLASSES, SHOTS, WIDTH, SCALE = 5, 4, 32, 100.0
RNG = torch.Generator().manual_seed(0)
CENTRES = torch.randn(CLASSES, WIDTH, generator=RNG)
LABELS = torch.arange(CLASSES).repeat_interleave(SHOTS)
FEATURES = F.normalize(CENTRES[LABELS] + 1.5 * torch.randn(len(LABELS), WIDTH, generator=RNG), dim=-1)
NEW = F.normalize(CENTRES + 2 * torch.randn(CLASSES, WIDTH, generator=RNG), dim=-1)
RAW = 3 * F.normalize(CENTRES + 2 * torch.randn(CLASSES, WIDTH, generator=RNG), dim=-1)
TEXTS = ClassTexts(F.normalize(RAW, dim=-1), RAW, F.normalize(RAW, dim=-1), torch.arange(CLASSES))
SUPPORT = Support(FEATURES[None], F.one_hot(LABELS).float(), torch.zeros(len(LABELS), dtype=torch.long))


def fitted(kind, **options):
    head = kind(TEXTS, torch.tensor(SCALE), len(LABELS), kind.options(**options))
    head.fit(SUPPORT)
    return head


def loss_gradient(head, parameter, extra=lambda: 0.0):
    return torch.autograd.grad(F.cross_entropy(head(FEATURES), LABELS) + extra(), parameter)[0]


def public_clip(names, **parts):
    """A ``CustomCLIP`` of a repository that takes features for images."""
    model = names["CustomCLIP"].__new__(names["CustomCLIP"])
    nn.Module.__init__(model)
    model.image_encoder, model.dtype = nn.Identity(), torch.float32
    model.logit_scale = nn.Parameter(torch.tensor(math.log(SCALE)))
    for name, part in parts.items():
        setattr(model, name, part)
    return model


def test_taskres():
    with plugin(repository("TaskRes") / "trainers" / "taskres.py"):
        names = names_of("TaskRes")
        cfg = SimpleNamespace(TRAINER=SimpleNamespace(TaskRes=SimpleNamespace(RESIDUAL_SCALE=0.5)))
        learner = names["TaskResLearner"](cfg, None, SimpleNamespace(dtype=torch.float32), RAW)
        public = public_clip(names, prompt_learner=learner)
        ours = fitted(TaskResHead, residual_scale=0.5)
        with torch.no_grad():
            ours.text_feature_residuals.copy_(torch.randn(RAW.shape, generator=RNG))
            learner.text_feature_residuals.copy_(ours.text_feature_residuals)
        assert_logits(ours(NEW), public(NEW))
        theirs = torch.autograd.grad(F.cross_entropy(public(FEATURES), LABELS), learner.text_feature_residuals)[0]
        assert_gradient(loss_gradient(ours, ours.text_feature_residuals), theirs)


@pytest.mark.parametrize("constraint", [True, False])
def test_clap_and_zs_lp(constraint):
    with plugin(repository("CLAP") / "trainers" / "adapters.py"):
        names = names_of("ADAPTER")
        options = SimpleNamespace(INIT="ZS", CONSTRAINT="l2" if constraint else "none")
        cfg = SimpleNamespace(TRAINER=SimpleNamespace(ADAPTER=options))
        scale = nn.Parameter(torch.tensor(math.log(SCALE)))
        adapter = names["AdapterMethod"](cfg, SimpleNamespace(dtype=torch.float32, logit_scale=scale), RAW)
        public = public_clip(names, adapter=adapter)
        adapter.init_lagrangian_multipliers(LABELS, public.forward_features(FEATURES).detach())
        ours = fitted(CLAPHead, constraint=constraint)
        assert_logits(ours.multipliers, adapter.alpha_constraint)
        with torch.no_grad():
            ours.prototypes.add_(torch.randn(RAW.shape, generator=RNG))
            adapter.prototypes.copy_(ours.prototypes)
        assert_logits(ours(NEW), public.forward_features(NEW))
        loss = F.cross_entropy(public.forward_features(FEATURES), LABELS)
        loss = loss + (adapter.zero_shot_constraint() if constraint else 0.0)
        theirs = torch.autograd.grad(loss, adapter.prototypes)[0]
        assert_gradient(loss_gradient(ours, ours.prototypes, ours.penalty), theirs)


def leaf_of(tensor):
    """The parameter that a tensor was computed from."""
    nodes = [tensor.grad_fn]
    while nodes:
        node = nodes.pop()
        if hasattr(node, "variable"):
            return node.variable
        nodes += [one for one, _ in node.next_functions if one is not None]
    raise AssertionError("no parameter")


def test_tip_adapter(tmp_path, capsys):
    """The logits that its two programs score; the fine-tuned one's first step."""
    with script(repository("Tip-Adapter"), "main", ("datasets", "datasets.utils", "clip")) as main:
        seen = []

        def record(output, target):
            gradient = None
            if output.requires_grad and not seen:
                gradient = torch.autograd.grad(F.cross_entropy(output, target), leaf_of(output), retain_graph=True)[0]
            seen.append((output.detach(), gradient))
            return 1.0

        main.cls_acc = record
        main.search_hp = lambda *_, **__: (5.5, 3.0)
        cfg = {"lr": 0.001, "train_epoch": 1, "init_beta": 5.5, "init_alpha": 3.0, "shots": SHOTS}
        cfg["cache_dir"] = str(tmp_path)
        values, weights = F.one_hot(LABELS).float(), TEXTS.weights.t()
        rest = (NEW, torch.arange(CLASSES), NEW, torch.arange(CLASSES), weights)
        main.run_tip_adapter(cfg, FEATURES.t().clone(), values, *rest)
        assert_logits(fitted(TipAdapterHead, alpha=3.0, beta=5.5)(NEW), seen[1][0])
        seen.clear()
        model = SimpleNamespace(dtype=torch.float32, encode_image=lambda images: images.clone())
        main.run_tip_adapter_F(cfg, FEATURES.t().clone(), values, *rest, model, [(FEATURES, LABELS)])
        ours = fitted(TipAdapterFHead, alpha=3.0, beta=5.5)
        assert_logits(ours(FEATURES), seen[0][0])
        assert_gradient(loss_gradient(ours, ours.keys), seen[0][1])


@pytest.mark.parametrize("steps", [1, 10, 35])
def test_lp_plus_plus(steps, monkeypatch, capsys):
    """The loss after some steps of its program, but for the bias that it trains beside the paper's weights.

    Its gradient of the blending weights adds up from the first step on; ours is that of the step. So beyond the first
    update, after ten steps, it is compared with ours when that adds up, too.
    """
    repository("LP++")
    module = package_module(repository("LP++") / "methods", "linear_probe_p2")
    linear = SimpleNamespace(Linear=lambda i, o, bias: nn.Linear(i, o, bias=False), Module=nn.Module)
    monkeypatch.setattr(module, "nn", linear)
    utils = module.compute_centroids.__globals__
    monkeypatch.setitem(utils, "get_one_hot", lambda labels, num_classes: F.one_hot(labels, num_classes).float())
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    monkeypatch.setattr(nn.Module, "cuda", lambda self: self)
    model = SimpleNamespace(dtype=torch.float32, encode_image=lambda images: images.clone())
    args = {"train_epoch": steps, "shots": SHOTS, "dataset": "", "output_dir": ""}
    loader, test = [(FEATURES, LABELS)], (NEW, torch.arange(CLASSES))
    public = module.LinearProbe_P2.__new__(module.LinearProbe_P2)
    public.__dict__.update(epoch=steps, shot=SHOTS, dataset="", output_dir="", args=args)
    loss, _ = module.LinearProbe_P2.forward(public, loader, loader, *test, TEXTS.weights.t(), model, None)

    ours = fitted(LPPlusPlusHead)
    optimizer = ours.optimizer()
    ours.set_rates(optimizer)
    total = torch.zeros_like(ours.alpha)
    for epoch in range(steps):
        mine = F.cross_entropy(ours(FEATURES), LABELS)
        optimizer.zero_grad()
        mine.backward()
        total += ours.alpha.grad
        ours.alpha.grad = total.clone()
        ours.before_update(epoch)
        optimizer.step()
    assert float(mine) == pytest.approx(loss, rel=1e-4, abs=1e-7)
