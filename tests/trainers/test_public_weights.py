"""Changes of the towers' weights against their authors' code, in ``MVLPT_PUBLIC_CODE``; skipped without it."""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import types

import pytest
import torch
from support.public_methods import PUBLIC, assert_gradient, assert_logits, package_module, repository, script
from support.tiny_clip import NAMES, tiny_backbone, tiny_images
from support.toy import toy_config
from torch.nn import functional as F

from mvlpt.engine import build_trainer, run_config
from mvlpt.models import build_prompted_clip
from mvlpt.trainers.mask_tuning import dropped

pytestmark = list(PUBLIC)
LABELS = torch.tensor([0, 1, 2, 1])


@pytest.fixture
def masked():
    """Our masked model, the public one with the same numbers behind its masks, and the numbers of that one."""
    layers = package_module(repository("R-AMT") / "code" / "modules", "masklayers")
    backbone = tiny_backbone()
    model = build_prompted_clip(backbone, NAMES, "mask", seed=1)
    learner, draws = model.prompt_learner, torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=draws))
    public, numbers = copy.deepcopy(backbone.model), []
    for block, in_proj, out_proj in zip(
        public.visual.transformer.resblocks, learner.in_proj, learner.out_proj, strict=True
    ):
        old, options = block.attn, {"threshold_fn": "binarizer", "threshold": 5e-3}
        new = layers.ElementWiseMultiheadAttention(old.embed_dim, old.num_heads, batch_first=True, **options)
        for name in ("in_proj_weight", "in_proj_bias"):
            getattr(new, name).data.copy_(getattr(old, name))
        new.out_proj.weight.data.copy_(old.out_proj.weight)
        new.out_proj.bias.data.copy_(old.out_proj.bias)
        new.mask_real.data.copy_(in_proj)
        new.out_proj.mask_real.data.copy_(out_proj)
        new.train(), new.out_proj.train()
        block.attn = new
        numbers += [new.mask_real, new.out_proj.mask_real]
    return backbone, model, public, numbers


def test_masks(masked):
    """Logits, gradients of both losses, and which entries of the gradient are kept."""
    backbone, model, public, numbers = masked
    learner, images = model.prompt_learner, tiny_images(backbone)
    ids = backbone.tokenize([f"a photo of a {name.replace('_', ' ')}." for name in NAMES])
    text = F.normalize(backbone.model.encode_text(ids), dim=-1)

    def logits(clip):
        return backbone.logit_scale.exp() * F.normalize(clip.encode_image(images), dim=-1) @ text.t()

    untuned = logits(backbone.model).softmax(-1)

    def losses(given, norms):
        cross = F.cross_entropy(given, LABELS) + 1e-4 * norms
        return cross, (-untuned * F.log_softmax(given, -1)).sum(1).mean()

    theirs, mine = logits(public), model(images)
    assert_logits(mine, theirs)
    norms = sum(torch.norm(one.view(-1), 2) for one in numbers)
    public_losses = losses(theirs, norms)
    parts = [learner.in_proj, learner.out_proj]
    own = [torch.autograd.grad(loss, parts, retain_graph=True) for loss in losses(mine, learner.penalty())]
    for loss, gradients in zip(public_losses, own, strict=True):
        expected = torch.autograd.grad(loss, numbers, retain_graph=True)
        for side, gradient in enumerate(gradients):
            assert_gradient(gradient, torch.stack(expected[side::2]))
    _drop_gradients(numbers, public_losses)
    torch.manual_seed(7)
    for number, parameter in enumerate(numbers):
        block, side = divmod(number, 2)
        found = dropped(own[0][side][block], own[1][side][block], 0.8)
        alike = torch.isclose(found, parameter.grad, rtol=1e-3, atol=1e-7)
        assert alike.float().mean() > 0.999  # an entry at the very edge of its probability may differ


def _drop_gradients(numbers, losses):
    """Leaves the public trainer's gradients, after its gradient dropout, in the numbers."""
    file = repository("R-AMT") / "code" / "trainers" / "masktuning.py"
    name = "graddrop_backward_and_update"
    tree = ast.parse(file.read_text())
    node = next(one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.name == name)
    found = {"torch": torch}
    exec(compile(ast.Module([node], []), str(file), "exec"), found)

    def clear(names=None):
        for one in numbers:
            one.grad = None

    trainer = types.SimpleNamespace(
        _models={"masks": torch.nn.ParameterList(numbers)},
        _optims={"masks": types.SimpleNamespace(step=lambda: None, zero_grad=clear)},
        model_zero_grad=clear,
        get_model_names=lambda names=None: ["masks"],
        detect_anomaly=lambda loss: None,
    )
    torch.manual_seed(7)
    found[name](trainer, *losses, 0.8)


def two_stages(folder, **changes):
    """2SFS on the base classes of a toy task, with the public code's settings."""
    given = {
        "TRAINER__NAME": "2SFS",
        "DATASET__DATASET": "toy-all",
        "DATASET__SUBSAMPLE_CLASSES": "base",
        "OPTIM__NAME": "adamw",
        "OPTIM__LR": 2e-3,
        "OPTIM__WEIGHT_DECAY": 0.01,
        "OPTIM__MAX_EPOCH": 10,
        "DATALOADER__TRAIN_X__BATCH_SIZE": 32,
        **changes,
    }
    cfg = toy_config(folder, **given)
    cfg.freeze()
    return cfg


class _Tokens(torch.Tensor):
    """Token ids that stay where they are."""

    def to(self, *args, **options):
        return self.as_subclass(torch.Tensor)


def test_two_stages(toy_tasks, tmp_path, monkeypatch):
    """Ten steps end in the same norms and class weights, and so do the weights of new classes.

    The public optimiser holds the norms before and after the blocks, but their gradients are switched off; here they
    are trained, as in the paper.
    """
    base = build_trainer(two_stages(tmp_path / "base"))
    new = build_trainer(two_stages(tmp_path / "new", DATASET__SUBSAMPLE_CLASSES="new"))
    names, new_names = (list(trainer.dm.tasks[0].classnames) for trainer in (base, new))
    [train], [tests], [new_tests] = list(base.train_loader_x), list(base.test_loader), list(new.test_loader)
    public = copy.deepcopy(base.backbone.model)
    kept = _public_two_stages(public, base, train, (tests, new_tests), (names, new_names), monkeypatch)
    run_config(two_stages(tmp_path / "run"))
    base.load_model(str(tmp_path / "run")), new.load_model(str(tmp_path / "run"))
    learner, untuned = base.model.prompt_learner, base.backbone.model
    blocks = kept["clip"].visual.transformer.resblocks
    for mine, theirs, before in (
        (learner.text_last[0], kept["clip"].ln_final.weight, untuned.ln_final.weight),
        (learner.image_first[1], kept["clip"].visual.ln_pre.bias, untuned.visual.ln_pre.bias),
        (learner.image_blocks[1, 0, 0], blocks[1].ln_1.weight, untuned.visual.transformer.resblocks[1].ln_1.weight),
        (learner.classes.weight, kept["classifier"], torch.zeros(())),
    ):
        assert (mine - theirs).norm() <= 1e-3 * (theirs - before).norm()
    for trainer, of in ((base, names), (new, new_names)):
        assert_logits(trainer.model.text_features(), kept[tuple(of)])


def _public_two_stages(clip, base, train, tests, names, monkeypatch):
    """Runs the public code; returns its towers, class weights, and the class weights that it tested with."""
    kept, pair = {}, lambda batch: [(batch["img"], batch["label"])]
    monkeypatch.setattr(torch.amp, "autocast", lambda *args, **options: contextlib.nullcontext())
    plain = types.SimpleNamespace(
        scale=lambda loss: loss, step=lambda given: given.step(), get_scale=lambda: 1.0, update=lambda: None
    )
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *args: plain)
    with script(repository("2SFS"), "fs.twostage", ("clip",)) as module:
        evaluation, utils = (__import__(f"fs.utils.{name}", fromlist=["x"]) for name in ("eval_utils", "model_utils"))
        tokenize = types.SimpleNamespace(tokenize=lambda prompts: base.backbone.tokenize(prompts).as_subclass(_Tokens))
        evaluation.clip = utils.clip = tokenize
        module.cls_acc = lambda output, target: 0.0
        evaluate = module.evaluate_selective_inference

        def kept_evaluation(model, loader, template, classnames):
            result = evaluate(model, loader, template, classnames)
            kept.update({tuple(classnames): model.inference_classifier.clone(), "clip": model.clip_model})
            kept["classifier"] = model.classifier
            return result

        def named(model):  # the norms before and after the blocks count as the last block's
            for name, one in model.named_modules():
                outside = any(part in name for part in ("ln_post", "ln_final", "ln_pre"))
                parts = name.split("resblocks.")
                yield name, one, 99 if outside else -1 if len(parts) == 1 else int(parts[-1].split(".")[0])

        module.evaluate_selective_inference, utils.named_modules_with_index = kept_evaluation, named
        args = argparse.Namespace(
            peft="ln", ln_modality="both", ln_vision_start=0, ln_text_start=0, lr=2e-3, wd=0.01, n_iters=10, shots=1
        )
        args.n_iters_frac, args.debug, args.setting = 0.6, False, "base2new"
        data = types.SimpleNamespace(template=["a photo of a {}."], classnames=names[0], test_classnames=names[0])
        data.test_new_classnames = names[1]
        module.run_twostage(args, clip, 100, data, pair(train), None, tuple(map(pair, tests)))
    return kept
