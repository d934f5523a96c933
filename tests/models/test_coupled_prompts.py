"""MaPLe and IVLP against plain loops in MaPLe's own order: visual prompts last, before the first normalisation."""

import pytest
import torch
from support.tiny_clip import TEXT, VISION, tiny_backbone, tiny_images
from torch.nn import functional as F

from mvlpt.errors import BackboneError, PromptError
from mvlpt.models import ComputeOptimisations, build_prompted_clip

NAMES = ["cat", "red sports car", "dog"]
WORDS = "a photo of a"


def plain_image_features(backbone, images, layers):
    """Tokens of an image, prompts behind them, every block whole; prompts are replaced while there are new ones."""
    visual = backbone.visual
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
    count = len(layers[0])
    x = visual.ln_pre(torch.cat([x, layers[0].expand(len(x), -1, -1)], dim=1))
    for number, block in enumerate(visual.transformer.resblocks):
        if 0 < number < len(layers):
            x = torch.cat([x[:, :-count], layers[number].expand(len(x), -1, -1)], dim=1)
        x = block(x)
    return F.normalize(visual.ln_post(x[:, 0]) @ visual.proj, dim=-1)


def plain_text_features(backbone, layers, n_ctx):
    """Each class by itself: "a photo of a NAME." with its first tokens replaced in the first blocks."""
    text, features = backbone.text, []
    for name in NAMES:
        ids = backbone.tokenize([f"{WORDS} {name}."])[0]
        ids = ids[: int(ids.argmax()) + 1]
        x = torch.cat([text.token_embedding(ids[:1]), layers[0], text.token_embedding(ids[1 + n_ctx :])])
        x = x + text.positional_embedding[: len(ids)]
        mask = torch.full((len(ids), len(ids)), float("-inf")).triu(1)
        for number, block in enumerate(text.transformer.resblocks):
            if 0 < number < len(layers):
                x = torch.cat([x[:1], layers[number], x[1 + n_ctx :]])
            x = block(x[None], attn_mask=mask)[0]
        features.append(text.ln_final(x[-1]) @ text.text_projection)
    return F.normalize(torch.stack(features), dim=-1)


def maple_layers(learner):
    text = [learner.ctx, *learner.compound_prompts_text]
    maps = [learner.proj, *learner.compound_prompt_projections]
    return text, [F.linear(context, layer.weight, layer.bias) for context, layer in zip(text, maps, strict=True)]


def ivlp_layers(learner):
    text = [learner.ctx, *(() if learner.ctx_deep is None else learner.ctx_deep)]
    return text, [learner.visual, *(() if learner.visual_deep is None else learner.visual_deep)]


def ivlp(text, vision, text_depth, depth):
    lengths = {"n_ctx_text": text, "n_ctx_vision": vision}
    return {**lengths, "prompt_depth_text": text_depth, "prompt_depth_vision": depth}


CASES = {
    "MaPLe": ("maple", {"n_ctx": 2, "prompt_depth": 3}, maple_layers, 2),
    "shallow MaPLe": ("maple", {"n_ctx": 3, "prompt_depth": 1}, maple_layers, 3),
    "MaPLe deeper than the towers": ("maple", {"n_ctx": 2, "prompt_depth": 9}, maple_layers, 2),
    "IVLP": (
        "ivlp",
        {"n_ctx_text": 4, "n_ctx_vision": 2, "prompt_depth_text": 2, "prompt_depth_vision": 3},
        ivlp_layers,
        4,
    ),
    "IVLP, first blocks": ("ivlp", ivlp(text=1, vision=3, text_depth=1, depth=1), ivlp_layers, 1),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("optimisations", [ComputeOptimisations(), ComputeOptimisations.none()])
def test_logits_and_gradients_equal_the_plain_loops(case, optimisations):
    method, options, layers_of, n_ctx = CASES[case]
    backbone = tiny_backbone()
    prompted = build_prompted_clip(
        backbone, NAMES, method, ctx_init=WORDS, seed=1, optimisations=optimisations, **options
    )
    learner, images = prompted.prompt_learner, tiny_images(backbone)
    text, visual = layers_of(learner)
    scale = backbone.logit_scale.exp()
    expected = scale * plain_image_features(backbone, images, visual) @ plain_text_features(backbone, text, n_ctx).t()
    logits = prompted(images)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    parameters = dict(learner.named_parameters())
    ours = torch.autograd.grad((logits * weights).sum(), list(parameters.values()))
    theirs = torch.autograd.grad((expected * weights).sum(), list(parameters.values()))
    for name, mine, other in zip(parameters, ours, theirs, strict=True):
        assert (mine - other).norm() <= 1e-3 * other.norm(), name


def test_the_first_contexts_are_the_words():
    backbone = tiny_backbone()
    learner = build_prompted_clip(backbone, NAMES, "maple", n_ctx=2, ctx_init=WORDS, seed=1).prompt_learner
    ids = backbone.tokenizer.encode("a photo")
    assert torch.equal(learner.ctx, backbone.text.token_embedding(torch.tensor(ids)))
    assert learner.ctx.shape == (2, TEXT["width"])
    assert learner.proj.weight.shape == (VISION["width"], TEXT["width"])


def test_the_names_in_checkpoints_are_those_of_maple():
    state = build_prompted_clip(
        tiny_backbone(), NAMES, "maple", n_ctx=2, prompt_depth=3, seed=1
    ).prompt_learner.state_dict()
    deep = [f"compound_prompts_text.{i}" for i in range(2)]
    maps = [f"compound_prompt_projections.{i}.{part}" for i in range(2) for part in ("weight", "bias")]
    assert sorted(state) == sorted(["ctx", "proj.weight", "proj.bias", *deep, *maps])


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("maple", {"n_ctx": 0}),
        ("maple", {"prompt_depth": 0}),
        ("ivlp", {"n_ctx_vision": 0}),
        ("ivlp", {"prompt_depth_text": 0}),
    ],
)
def test_wrong_options_are_refused_by_name(method, options):
    with pytest.raises(PromptError, match=next(iter(options)).upper()):
        build_prompted_clip(tiny_backbone(), NAMES, method, seed=1, **options)


def test_a_backbone_without_class_token_is_refused():
    backbone = tiny_backbone(vision={"pool_type": "avg"})
    with pytest.raises(BackboneError):
        build_prompted_clip(backbone, NAMES, "maple", seed=1)
