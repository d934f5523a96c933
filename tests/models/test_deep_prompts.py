"""Deep text contexts, visual prompts of some blocks, adapted features: what methods may use, against plain loops."""

import pytest
import torch
from support.tiny_clip import NAMES, RANGES, TEXT, VISION, tiny_backbone, tiny_images
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models import ComputeOptimisations, build_prompted_clip
from mvlpt.models.prompts import PromptLearner, Prompts
from mvlpt.models.towers import ImageTower, TextTower, prompt_layout

P = 2


def plain_text(backbone, layout, contexts, deep):
    """Every class on its own, every token of it through every block."""
    text, features = backbone.text, []
    for k, row in enumerate(layout.rows):
        own = [layer[k] if layer.dim() == 3 else layer for layer in (contexts, *deep)]
        slots = [position for position, entry in enumerate(row) if entry < 0]
        x = text.token_embedding(torch.tensor([max(entry, 0) for entry in row]))
        x = torch.stack([own[0][-row[n] - 1] if n in slots else x[n] for n in range(len(row))])
        x = x + text.positional_embedding[: len(row)]
        mask = torch.full((len(row), len(row)), float("-inf")).triu(1)
        for number, block in enumerate(text.transformer.resblocks):
            if 0 < number < len(own):
                x = torch.stack([own[number][-row[n] - 1] if n in slots else x[n] for n in range(len(row))])
            x = block(x[None], attn_mask=mask)[0]
        features.append(text.ln_final(x[-1]) @ text.text_projection)
    return torch.stack(features)


@pytest.mark.parametrize("optimisations", [ComputeOptimisations(), ComputeOptimisations.none()])
@pytest.mark.parametrize("position", ["end", "middle", "front"])
@pytest.mark.parametrize("class_specific", [False, True])
@pytest.mark.parametrize("depth", [1, 2])
def test_deep_text_contexts(optimisations, position, class_specific, depth):
    backbone = tiny_backbone()
    options = {"context_length": 77, "class_specific": class_specific}
    layout = prompt_layout(backbone.tokenizer, ["cat", "red car", "dog"], n_ctx=P, position=position, **options)
    shape = (3, P, TEXT["width"]) if class_specific else (P, TEXT["width"])
    contexts, deep = (torch.randn(*size, requires_grad=True) for size in (shape, (depth, *shape)))
    ours = TextTower(backbone, optimisations, chunk_tokens=12).encode(layout, contexts, deep=deep)
    theirs = plain_text(backbone, layout, contexts, deep)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    weights = torch.randn_like(ours)
    for mine, other in zip(
        torch.autograd.grad((ours * weights).sum(), [contexts, deep]),
        torch.autograd.grad((theirs * weights).sum(), [contexts, deep]),
        strict=True,
    ):
        assert (mine - other).norm() <= 1e-3 * other.norm()


@pytest.mark.parametrize("optimisations", [ComputeOptimisations(), ComputeOptimisations.none()])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_visual_prompts_that_are_replaced_in_some_blocks(optimisations, depth):
    backbone = tiny_backbone()
    images = tiny_images(backbone)
    first, deep = torch.randn(P, VISION["width"]), torch.randn(depth, P, VISION["width"])
    ours = ImageTower(backbone, optimisations).encode(images, first, deep)
    x = backbone.visual._embeds(images)
    x = torch.cat([x[:, :1], first.expand(len(x), -1, -1), x[:, 1:]], dim=1)
    for number, block in enumerate(backbone.visual.transformer.resblocks):
        if 0 < number <= depth:
            x = torch.cat([x[:, :1], deep[number - 1].expand(len(x), -1, -1), x[:, 1 + P :]], dim=1)
        x = block(x)
    theirs = backbone.visual.ln_post(x[:, 0]) @ backbone.visual.proj
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_prompts_for_more_blocks_than_there_are():
    backbone = tiny_backbone()
    layout = prompt_layout(backbone.tokenizer, ["cat"], n_ctx=P, position="end", context_length=77)
    with pytest.raises(PromptError, match=r"text contexts for 4 blocks, but backbone 'tiny' has 3"):
        TextTower(backbone, ComputeOptimisations(), 99).encode(
            layout, torch.zeros(P, TEXT["width"]), deep=torch.zeros(3, P, TEXT["width"])
        )
    with pytest.raises(PromptError, match=r"visual prompts for 4 blocks, but backbone 'tiny' has 3"):
        ImageTower(backbone, ComputeOptimisations()).encode(
            tiny_images(backbone), torch.zeros(P, VISION["width"]), torch.zeros(3, P, VISION["width"])
        )


class Residual(PromptLearner):
    """As TaskRes (Yu et al. 2023): each class's feature gets a trained residual; the towers stay as they are."""

    def __init__(self):
        super().__init__()
        self.residual = torch.nn.Parameter(torch.randn(len(NAMES), 32))

    def forward(self):
        return Prompts()

    def adapt(self, image_features, text_features, classes):
        rows = self.residual if classes is None else self.residual[classes]
        return image_features, text_features + 0.5 * rows


def test_a_learner_may_adapt_features_behind_the_towers():
    options = {"n_ctx": P, "seed": 0, "label_space": "per_task", "task_ranges": RANGES}
    prompted = build_prompted_clip(tiny_backbone(), NAMES, "coop", **options)
    images, task = tiny_images(prompted.backbone), torch.tensor([0, 2, 2, 0])
    text = prompted.text_features().detach()
    ctx, residual = prompted.prompt_learner, Residual()
    residual.forward = ctx.forward
    prompted.prompt_learner = residual
    outputs = prompted.outputs(images, task)
    scale = prompted.backbone.logit_scale.exp()
    expected = scale * prompted.image_features(images) @ (text + 0.5 * residual.residual).t()
    allowed = torch.isfinite(outputs.logits)
    torch.testing.assert_close(outputs.logits[allowed], expected[allowed], atol=1e-3, rtol=1e-4)
    assert allowed.sum(1).tolist() == [3, 2, 2, 3]
    F.cross_entropy(outputs.logits, torch.tensor([0, 5, 6, 1])).backward()
    assert residual.residual.grad.norm() > 0
    torch.testing.assert_close(outputs.logits, prompted.outputs_of_features(outputs.image_features, task).logits)
