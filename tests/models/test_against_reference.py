"""Logits and prompt gradients equal the straightforward reference, for every prompt and every kind of backbone."""

import pytest
import torch
from support.tiny_clip import NAMES, RANGES, assert_same, compare, outcome, reference_of, tiny_backbone, tiny_images

from mvlpt.models import ComputeOptimisations, build_prompted_clip

PROMPTS = {
    "coop end": ("coop", {"n_ctx": 5}),
    "coop middle": ("coop", {"n_ctx": 5, "class_token_position": "middle"}),
    "coop front": ("coop", {"n_ctx": 5, "class_token_position": "front"}),
    "coop one context": ("coop", {"n_ctx": 1, "class_token_position": "middle"}),
    "coop csc": ("coop", {"n_ctx": 3, "csc": True}),
    "coop csc middle": ("coop", {"n_ctx": 4, "csc": True, "class_token_position": "middle"}),
    "coop words": ("coop", {"ctx_init": "a_photo_of a"}),
    "vpt deep": ("vpt", {"n_ctx": 3}),
    "vpt shallow": ("vpt", {"n_ctx": 3, "vpt_deep": False}),
    "vpt project": ("vpt", {"n_ctx": 3, "vpt_project": 7}),
    "vpt project shallow": ("vpt", {"n_ctx": 3, "vpt_project": 7, "vpt_deep": False}),
    "upt transformer": ("upt", {"n_ctx": 2}),
    "upt middle": ("upt", {"n_ctx": 4, "class_token_position": "middle"}),
    "upt shallow": ("upt", {"n_ctx": 2, "vpt_deep": False}),
    "upt csc": ("upt", {"n_ctx": 2, "csc": True}),
    "upt mlp": ("upt", {"n_ctx": 2, "project_method": "mlp"}),
    "upt identity": ("upt", {"n_ctx": 2, "project_method": "identity"}),
    "upt text width": ("upt", {"n_ctx": 2, "project_dim": 48}),
    "upt vision width": ("upt", {"n_ctx": 2, "vpt_n_ctx": 3, "project_dim": 64}),
    "cocoop": ("cocoop", {"n_ctx": 3}),
}
BACKBONES = {
    "openai": {},
    "laion": {"quick_gelu": False},
    "layer scale": {"vision": {"ls_init_value": 0.1}, "text": {"ls_init_value": 0.1}},
    "no ln_pre": {"vision": {"no_ln_pre": True}},
    "custom text": {"custom": True},
    "ln after pool": {"vision": {"final_ln_after_pool": True}},
}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_prompt(prompt):
    method, options = PROMPTS[prompt]
    compare(tiny_backbone(), method, **options)


@pytest.mark.parametrize("method", ["coop", "vpt", "upt"])
@pytest.mark.parametrize("kind", [kind for kind in BACKBONES if kind != "openai"])
def test_every_kind_of_backbone(kind, method):
    compare(tiny_backbone(**BACKBONES[kind]), method, n_ctx=2)


@pytest.mark.parametrize("method", ["coop", "vpt", "upt", "cocoop"])
@pytest.mark.parametrize("legacy", [False, True])
def test_per_task_labels(method, legacy):
    options = {"label_space": "per_task", "task_ranges": RANGES, "legacy": legacy, "project_method": "identity"}
    reference = {"ranges": RANGES, "per_task": True, "legacy": legacy}
    for task in ([0, 2, 2, 0], [1, 1, 1, 1], [0, 1, 2, 1]):
        compare(tiny_backbone(), method, n_ctx=2, task=torch.tensor(task), reference=reference, **options)


def test_legacy_unified_prompt_attends_to_nothing():
    compare(tiny_backbone(), "upt", n_ctx=2, legacy=True, reference={"legacy": True})


def test_unified_prompts_meet_unless_legacy():
    for legacy in (False, True):
        prompted = build_prompted_clip(tiny_backbone(), NAMES, "upt", n_ctx=2, seed=0, legacy=legacy)
        before = prompted.prompt_learner().text.detach().clone()
        with torch.no_grad():
            prompted.prompt_learner.vpt_embeddings.add_(torch.randn(prompted.prompt_learner.vpt_embeddings.shape))
        change = (prompted.prompt_learner().text - before).abs().max().item()
        assert (change == 0) is legacy


@pytest.mark.parametrize("deep", [True, False])
def test_dropout_draws_the_same_numbers_with_and_without_optimisations(deep):
    results = []
    for optimisations in (ComputeOptimisations(), ComputeOptimisations.none()):
        prompted = build_prompted_clip(
            tiny_backbone(), NAMES, "vpt", n_ctx=3, vpt_deep=deep, vpt_dropout=0.5, seed=0, optimisations=optimisations
        ).train()
        torch.manual_seed(1)
        parameters = dict(prompted.prompt_learner.named_parameters())
        results.append(outcome(prompted, parameters, tiny_images(prompted.backbone)))
    assert_same(*results)
    still = build_prompted_clip(tiny_backbone(), NAMES, "vpt", n_ctx=3, vpt_deep=deep, vpt_dropout=0.5, seed=0).eval()
    parameters = dict(still.prompt_learner.named_parameters())
    evaluated = outcome(still, parameters, tiny_images(still.backbone))
    assert_same(evaluated, outcome(reference_of(still), parameters, tiny_images(still.backbone)))
    assert (evaluated[0] - results[0][0]).abs().max() > 1e-3


def test_cached_image_features_give_the_same_logits():
    for method in ("coop", "cocoop"):
        prompted = build_prompted_clip(tiny_backbone(), NAMES, method, n_ctx=2, seed=0).train()
        images = tiny_images(prompted.backbone)
        with torch.no_grad():
            features = prompted.image_features(images)
        assert torch.allclose(prompted.forward_features(features), prompted(images), atol=1e-5)


def test_double_precision_agrees_far_beyond_fp32():
    backbone = tiny_backbone()
    backbone.model.double()
    prompted = build_prompted_clip(backbone, NAMES, "upt", n_ctx=2, seed=0).train()
    parameters = dict(prompted.prompt_learner.named_parameters())
    assert all(parameter.dtype is torch.float64 for parameter in parameters.values())
    images = tiny_images(backbone).double()
    ours, theirs = outcome(prompted, parameters, images), outcome(reference_of(prompted), parameters, images)
    assert_same(ours, theirs, logits=1e-10, gradients=1e-9)
