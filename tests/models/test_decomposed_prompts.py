"""DePT against class prompts that are put together token by token and pass through the model's own blocks."""

import pytest
import torch
from support.tiny_clip import tiny_backbone, tiny_images
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models import ComputeOptimisations, build_prompted_clip

NAMES = ["cat", "red sports car", "dog"]
BOTH = [ComputeOptimisations(), ComputeOptimisations.none(), ComputeOptimisations(text_prefix=False)]


def plain_text_features(backbone, learner, words, scale):
    """[start, contexts, words that stay + name + full stop + end, each with the offset of its place after them]."""
    text, count, features = backbone.text, len(learner.ctx), []
    offsets = scale * learner.offset_down @ learner.offset_up
    for name in NAMES:
        ids = backbone.tokenize([f"{words} {name}."])[0]
        ids = ids[: int(ids.argmax()) + 1]
        rest = text.token_embedding(ids[1 + count :])
        x = torch.cat([text.token_embedding(ids[:1]), learner.ctx, rest + offsets[: len(rest)]])
        x = x + text.positional_embedding[: len(ids)]
        mask = torch.full((len(ids), len(ids)), float("-inf")).triu(1)
        for block in text.transformer.resblocks:
            x = block(x[None], attn_mask=mask)[0]
        features.append(text.ln_final(x[-1]) @ text.text_projection)
    return F.normalize(torch.stack(features), dim=-1)


@pytest.mark.parametrize("optimisations", BOTH)
@pytest.mark.parametrize(("words", "options"), [("a photo of a", {"ctx_init": "a_photo_of_a"}), ("x x", {"n_ctx": 2})])
def test_offsets_are_added_to_the_tokens_after_the_contexts(optimisations, words, options):
    backbone = tiny_backbone()
    prompted = build_prompted_clip(
        backbone, NAMES, "decomposed", seed=1, rank=3, alpha=2.0, optimisations=optimisations, text_chunk=12, **options
    )
    learner, images = prompted.prompt_learner, tiny_images(backbone)
    with torch.no_grad():
        learner.offset_up.normal_(generator=torch.Generator().manual_seed(2))
    text = plain_text_features(backbone, learner, words, 2.0 / 3**0.5)
    expected = backbone.logit_scale.exp() * F.normalize(backbone.encode_image(images), dim=-1) @ text.t()
    logits, parameters = prompted(images), list(learner.parameters())
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((logits * weights).sum(), parameters)
    theirs = torch.autograd.grad((expected * weights).sum(), parameters)
    for mine, other in zip(ours, theirs, strict=True):
        assert other.norm() > 0
        assert (mine - other).norm() <= 1e-3 * other.norm()


def test_it_starts_at_its_contexts_alone():
    backbone = tiny_backbone()
    images, options = tiny_images(backbone), {"n_ctx": 3, "seed": 1}
    ours = build_prompted_clip(backbone, NAMES, "decomposed", **options)
    torch.testing.assert_close(ours(images), build_prompted_clip(backbone, NAMES, "coop", **options)(images))
    assert sum(p.numel() for p in ours.prompt_learner.parameters()) == 3 * 48 + 10 * (77 - 4 + 48)


def test_a_rank_below_one_is_refused():
    with pytest.raises(PromptError, match="RANK = 0"):
        build_prompted_clip(tiny_backbone(), NAMES, "decomposed", rank=0)
