"""Prompts and low-rank changes against their authors' code, in the folder ``MVLPT_PUBLIC_CODE``; skipped without it.

Each public trainer runs on this engine, on the same random weights of CLIP's width, two blocks deep. A training step on
the same images gives the same loss and the same gradients.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from support.mini_coop import write_split_file
from support.public_methods import (
    PETS,
    PUBLIC,
    assert_gradient,
    assert_logits,
    names_of,
    package_module,
    plugin,
    random_batch,
    repository,
    settings,
    step,
    two_blocks,
)
from support.public_runs import write_weights
from support.tiny_clip import NAMES, tiny_backbone, tiny_images
from torch.nn import functional as F

import mvlpt.trainers as ours
from mvlpt.engine import build_trainer, shared_resources
from mvlpt.io import read_json, write_json
from mvlpt.models import build_prompted_clip

pytestmark = list(PUBLIC)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pictures of pets, and random weights."""
    root = tmp_path_factory.mktemp("public")
    path = write_split_file(root, "OxfordPets") / "split_zhou_OxfordPets.json"
    renamed = {split: [[a, b, PETS[b]] for a, b, _ in rows] for split, rows in read_json(path).items()}
    write_json(renamed, path)
    return root, write_weights(root / "ViT-B-16.pt")


@pytest.fixture
def build(files, tmp_path, monkeypatch):
    """Our trainer, with templates of its own; or the public one, inside of ``plugin``."""

    def build(name, options, templates=None, public=False):
        cfg = settings(name, *files, tmp_path / ("public" if public else "ours"), **options)
        if public:
            return build_trainer(cfg)
        if templates is not None:
            monkeypatch.setattr(getattr(ours, name), "templates_of", lambda self, task: list(templates))
        with shared_resources(two_blocks(files[1])):
            return build_trainer(cfg)

    return build


def copied(trainer, state):
    """Puts the public prompt, by our names, into ours."""
    learner = trainer.model.prompt_learner
    learner.load_state_dict({name: state[name].detach().clone() for name in learner.state_dict()})


def compare(public, mine, names, loss="loss"):
    """Logits before a step; its loss and its gradients, by our names of the public parameters."""
    batch = random_batch()
    copied(mine, names)
    public.set_model_mode("eval"), mine.set_model_mode("eval")
    with torch.no_grad():
        logits = public.model_inference(batch["img"])
        logits = logits[0] if isinstance(logits, tuple) else logits
        assert_logits(mine.model_inference(mine.parse_batch_train(batch)[0]), logits)
    theirs, own = step(public, batch), step(mine, batch)
    assert own["loss"] == pytest.approx(theirs[loss], rel=1e-4)
    for name, parameter in mine.model.prompt_learner.named_parameters():
        given = names[name]
        stacked = torch.stack([one.grad for one in given.parts]) if isinstance(given, _Stack) else given.grad
        assert_gradient(parameter.grad, stacked)


class _Stack:
    """Public parameters that are one of ours."""

    def __init__(self, parts):
        self.parts = list(parts)

    def detach(self):
        return torch.stack([part.detach() for part in self.parts])


def independent(model):
    """The prompts of both towers by our names."""
    text, image = model.text_encoder.transformer.resblocks, model.image_encoder.transformer.resblocks
    return {
        "ctx": model.prompt_learner.ctx,
        "ctx_deep": _Stack(block.VPT_shallow for block in text[1:]),
        "visual": model.image_encoder.VPT,
        "visual_deep": _Stack(block.VPT_shallow for block in image[1:]),
    }


DEPTHS = {"PREC": "fp32", "PROMPT_DEPTH_TEXT": 2, "PROMPT_DEPTH_VISION": 2}


def test_maple(build):
    options = {"TRAINER__MAPLE__PREC": "fp32", "TRAINER__MAPLE__PROMPT_DEPTH": 2}
    file = repository("MaPLe") / "trainers" / "maple.py"
    mine = build("MaPLe", options)
    with plugin(file):
        public = build("MaPLe", options, public=True)
        compare(public, mine, dict(public.model.prompt_learner.named_parameters()))


def test_ivlp(build):
    options = {f"TRAINER__IVLP__{key}": value for key, value in DEPTHS.items()}
    file = repository("MaPLe") / "trainers" / "independentVL.py"
    mine = build("IVLP", options)
    with plugin(file):
        public = build("IVLP", options, public=True)
        compare(public, mine, independent(public.model))


def test_promptsrc(build):
    weights = {"TEXT_LOSS_WEIGHT": 25, "IMAGE_LOSS_WEIGHT": 10}
    options = {f"TRAINER__PROMPTSRC__{key}": value for key, value in {**DEPTHS, **weights}.items()}
    file = repository("PromptSRC") / "trainers" / "promptsrc.py"
    with plugin(file):
        templates = names_of("PromptSRC")["IMAGENET_TEMPLATES"]
    mine = build("PromptSRC", options, templates)
    with plugin(file):
        public = build("PromptSRC", options, public=True)
        compare(public, mine, independent(public.model))


def test_kgcoop(build):
    options = {"TRAINER__COOP__PREC": "fp32"}
    file = repository("KgCoOp") / "KgCoOp" / "trainers" / "kgcoop.py"
    with plugin(file):
        template = names_of("KgCoOp")["CUSTOM_TEMPLATES"]["OxfordPets"]
    mine = build("KgCoOp", {**options, "TRAINER__COOP__CTX_INIT": "a photo of a"}, [template])
    with plugin(file):
        own = {"TRAINER__COOP__CTX_INIT": True, "TRAINER__COOP__W": 8.0}
        public = build("KgCoOp", {**options, **own}, public=True)
        compare(public, mine, {"ctx": public.model.prompt_learner.ctx})


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_prograd(build, strength):
    """Its losses; the step is in a fork of Dassl, of which the method is taken."""
    options = {"TRAINER__COOP__PREC": "fp32", "TRAINER__COOP__N_CTX": 4}
    file = repository("ProGrad") / "ProGrad.public" / "trainers" / "prograd.py"
    fork = repository("ProGrad") / "Dassl.ProGrad.pytorch" / "dassl" / "engine" / "trainer.py"
    with plugin(file):
        template = names_of("ProGrad")["CUSTOM_TEMPLATES"]["OxfordPets"]
    mine = build("ProGrad", {**options, "TRAINER__PROGRAD__LAMBDA": strength}, [template])
    with plugin(file):
        own = {"LOSS__NAME": "prograd", "LOSS__LAMBDA": strength, "LOSS__T": 1.0}
        public = build("ProGrad", {**options, **own}, public=True)
        public.prograd_backward_and_update = method_of(fork, "prograd_backward_and_update").__get__(public)
        compare(public, mine, {"ctx": public.model.prompt_learner.ctx}, loss="xe_loss")


def method_of(file, name):
    """A function of a source file, indented as it stands in its class."""
    import ast
    import textwrap

    source = file.read_text()
    node = next(one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.FunctionDef) and one.name == name)
    found = {"torch": torch}
    exec(textwrap.dedent(ast.get_source_segment(source, node, padded=True)), found)
    return found[name]


def test_clip_lora():
    """In every block, from random matrices; dropout is there, since it decides how they compute, but at 0."""
    utils = package_module(repository("CLIP-LoRA") / "loralib", "utils")
    backbone = tiny_backbone()
    model = build_prompted_clip(backbone, NAMES, "lora", seed=1, rank=2, lora_dropout=0.0).train()
    learner = model.prompt_learner
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    public = copy.deepcopy(backbone.model)
    args = SimpleNamespace(encoder="both", position="all", backbone="ViT-B/16", params=["q", "k", "v"], r=2, alpha=1)
    args.dropout_rate = 0.25
    layers = utils.apply_lora(args, public)
    utils.mark_only_lora_as_trainable(public)
    text, image = len(learner.text_down), len(learner.image_down)
    sides = ((layers[:text], learner.text_down, learner.text_up), (layers[text:], learner.image_down, learner.image_up))
    assert len(layers) == text + image
    for own, down, up in sides:
        for layer, a, b in zip(own, down, up, strict=True):
            for number, part in enumerate((layer.q_proj, layer.k_proj, layer.v_proj)):
                part.dropout.p = 0.0
                part.w_lora_A.data.copy_(a[number])
                part.w_lora_B.data.copy_(b[number])
    public.train()
    images, labels = tiny_images(backbone), torch.tensor([0, 1, 2, 3])
    ids = backbone.tokenize([f"a photo of a {name.replace('_', ' ')}." for name in NAMES])
    features = F.normalize(public.encode_image(images), dim=-1), F.normalize(public.encode_text(ids), dim=-1)
    logits = public.logit_scale.exp() * features[0] @ features[1].t()
    mine = model(images)
    assert_logits(mine, logits)
    F.cross_entropy(logits, labels).backward()
    F.cross_entropy(mine, labels).backward()
    for own, down, up in sides:
        for number, name in enumerate(("q_proj", "k_proj", "v_proj")):
            parts = [getattr(layer, name) for layer in own]
            assert_gradient(down.grad[:, number], torch.stack([part.w_lora_A.grad for part in parts]))
            assert_gradient(up.grad[:, number], torch.stack([part.w_lora_B.grad for part in parts]))
