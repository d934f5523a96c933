"""CLIP-LoRA and LayerNorm tuning against a copy of the model whose weights are changed in place."""

import copy

import pytest
import torch
from support.tiny_clip import tiny_backbone, tiny_images
from torch.nn import functional as F

from mvlpt.errors import BackboneError, PromptError
from mvlpt.models import ComputeOptimisations, build_prompted_clip
from mvlpt.models.towers.changes import LowRank

NAMES = ["cat", "red sports car", "dog"]
BOTH = [ComputeOptimisations(), ComputeOptimisations.none()]


def disturbed(backbone, method, **options):
    """A model of the method whose trained values are random."""
    prompted = build_prompted_clip(backbone, NAMES, method, seed=1, **options)
    noise = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in prompted.prompt_learner.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=noise))
    return prompted.eval()


def plain_logits(clip, backbone, images):
    """The whole model's own forward passes."""
    tokens = backbone.tokenize([f"a photo of a {name}." for name in NAMES])
    image, text = F.normalize(clip.encode_image(images), dim=-1), F.normalize(clip.encode_text(tokens), dim=-1)
    return clip.logit_scale.exp() * image @ text.t()


def towers(clip):
    return {"text": clip.transformer.resblocks, "image": clip.visual.transformer.resblocks}


def with_low_rank(clip, learner, scale, letters):
    """A copy in which up @ down is added to the packed weights, letter by letter."""
    other = copy.deepcopy(clip)
    for side, blocks in towers(other).items():
        for number, block in enumerate(blocks):
            width = block.attn.embed_dim
            rows = []
            for index, letter in enumerate("qkv"):
                base = block.attn.in_proj_weight[index * width : (index + 1) * width].detach()
                down, up = (getattr(learner, f"{side}_{part}")[number, index] for part in ("down", "up"))
                rows.append(base + scale * up @ down if letter in letters else base)
            del block.attn.in_proj_weight
            block.attn.in_proj_weight = torch.cat(rows)
    return other


def compare(prompted, expected, images):
    logits, parameters = prompted(images), dict(prompted.prompt_learner.named_parameters())
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((logits * weights).sum(), list(parameters.values()), allow_unused=True)
    theirs = torch.autograd.grad((expected * weights).sum(), list(parameters.values()), allow_unused=True)
    for name, mine, other in zip(parameters, ours, theirs, strict=True):
        assert other is None or (mine - other).norm() <= 1e-3 * other.norm() + 1e-6, name


@pytest.mark.parametrize("optimisations", BOTH)
@pytest.mark.parametrize(("letters", "rank"), [("qkv", 2), ("v", 1), ("qk", 3)])
def test_low_rank_changes_equal_changed_weights(optimisations, letters, rank):
    backbone = tiny_backbone()
    options = {"rank": rank, "alpha": 1.5, "params": letters, "optimisations": optimisations}
    prompted, images = disturbed(backbone, "lora", **options), tiny_images(backbone)
    other = with_low_rank(backbone.model, prompted.prompt_learner, 1.5 / rank**0.5, letters)
    torch.backends.mha.set_fastpath_enabled(False)  # it would not see that the weights have a history
    try:
        compare(prompted, plain_logits(other, backbone, images), images)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.parametrize("method", ["lora", "layer_norm", "two_stage", "mask"])
@pytest.mark.parametrize("optimisations", BOTH)
def test_untrained_changes_are_the_frozen_model(method, optimisations):
    backbone = tiny_backbone()
    prompted, images = build_prompted_clip(backbone, NAMES, method, seed=1).eval(), tiny_images(backbone)
    torch.testing.assert_close(prompted(images), plain_logits(backbone.model, backbone, images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("optimisations", BOTH)
def test_tuned_norms_equal_changed_norms(optimisations):
    backbone = tiny_backbone()
    prompted, images = disturbed(backbone, "layer_norm", optimisations=optimisations), tiny_images(backbone)
    learner, other = prompted.prompt_learner, copy.deepcopy(backbone.model)
    places = [(other.ln_final, learner.text_last), (other.visual.ln_post, learner.image_last)]
    places.append((other.visual.ln_pre, learner.image_first))
    for side, blocks in towers(other).items():
        for number, block in enumerate(blocks):
            own = getattr(learner, f"{side}_blocks")[number]
            places += [(block.ln_1, own[0]), (block.ln_2, own[1])]
    for norm, (weight, bias) in places:
        del norm.weight, norm.bias
        norm.weight, norm.bias = weight, bias
    compare(prompted, plain_logits(other, backbone, images), images)
    assert sum(p.numel() for p in learner.parameters()) == sum(2 * norm.normalized_shape[0] for norm, _ in places)


@pytest.mark.parametrize("optimisations", BOTH)
def test_masks_are_factors_of_the_weights(optimisations):
    """The gradient of a number is that of its factor, 1 or 0, as if there were no threshold between them."""
    backbone = tiny_backbone()
    prompted, images = disturbed(backbone, "mask", optimisations=optimisations), tiny_images(backbone)
    learner, other, factors = prompted.prompt_learner, copy.deepcopy(backbone.model), []
    for number, block in enumerate(other.visual.transformer.resblocks):
        for name, module in (("in_proj", block.attn), ("out_proj", block.attn.out_proj)):
            weight = "in_proj_weight" if name == "in_proj" else "weight"
            base = getattr(module, weight).detach()
            factor = (getattr(learner, name)[number] > 5e-3).float().requires_grad_()
            assert 0.2 < factor.mean() < 0.8
            delattr(module, weight)
            setattr(module, weight, base * factor)
            factors.append(factor)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        expected = plain_logits(other, backbone, images)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    logits = prompted(images)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    ours = torch.autograd.grad(logits.square().sum(), [learner.in_proj, learner.out_proj])
    theirs = torch.autograd.grad(expected.square().sum(), factors)
    for mine, wanted in zip(ours, (theirs[::2], theirs[1::2]), strict=True):
        wanted = torch.stack(wanted)
        assert (mine - wanted).norm() <= 1e-3 * wanted.norm()
    norms = sum(learner.in_proj[n].norm() + learner.out_proj[n].norm() for n in range(3))
    torch.testing.assert_close(learner.penalty(), norms)


def test_some_classes_have_weights_and_the_others_their_text():
    backbone = tiny_backbone()
    prompted, images = disturbed(backbone, "two_stage"), tiny_images(backbone)
    weight = prompted.prompt_learner.classes.weight
    with torch.no_grad():
        weight[1] = 0
    norms = build_prompted_clip(backbone, NAMES, "layer_norm", seed=1)
    norms.prompt_learner.load_state_dict(
        {name: value for name, value in prompted.prompt_learner.state_dict().items() if "classes" not in name}
    )
    text = norms.text_features().detach()
    rows = torch.stack([weight[0] / weight[0].norm(), text[1], weight[2] / weight[2].norm()])
    expected = backbone.logit_scale.exp() * norms.image_features(images).detach() @ rows.t()
    torch.testing.assert_close(prompted(images), expected, atol=1e-4, rtol=1e-4)
    ours, theirs = (torch.autograd.grad(logits.square().sum(), weight)[0] for logits in (prompted(images), expected))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def test_no_weight_of_the_model_is_touched():
    backbone = tiny_backbone()
    before = backbone.fingerprint
    prompted = disturbed(backbone, "layer_norm").train()
    prompted(tiny_images(backbone)).sum().backward()
    assert type(backbone)(backbone.model, backbone.tokenizer, name="again").fingerprint == before
    assert not backbone.visual.ln_pre._forward_hooks
    assert all(parameter.grad is None for parameter in backbone.model.parameters())


def test_dropout_is_drawn_for_each_projection_and_only_while_training():
    low_rank = LowRank(torch.ones(3, 1, 400), torch.ones(3, 400, 1), 1.0, 0.5)
    torch.manual_seed(0)
    q, k, v = low_rank.added(torch.ones(1, 400), 0, 3).chunk(3, dim=-1)
    sums = [part.unique() for part in (q, k, v)]
    assert all(len(part) == 1 for part in sums)  # each row is the sum of what was kept, doubled
    assert len({float(part) for part in sums}) == 3
    assert all(300 < float(part) < 500 for part in sums)
    backbone = tiny_backbone()
    prompted, images = disturbed(backbone, "lora", lora_dropout=0.5), tiny_images(backbone)
    with torch.no_grad():
        assert torch.equal(prompted(images), prompted(images))
        texts = prompted.text_features()
    prompted.train()
    assert not torch.equal(prompted(images), prompted(images))
    with torch.no_grad():
        assert not torch.equal(prompted.text_features(), prompted.text_features())
        assert torch.equal(prompted.eval().text_features(), texts)


def test_recomputed_chunks_repeat_their_dropout():
    """Gradients of a checkpointed text pass equal those of a whole one from the same random state."""
    backbone, found = tiny_backbone(), []
    for chunk in (8, 8192):
        prompted = disturbed(backbone, "lora", text_chunk=chunk, lora_dropout=0.3).train()
        torch.manual_seed(4)
        features = prompted.text_features()
        found.append(torch.autograd.grad(features.square().mean() + features[0, 0], prompted.prompt_learner.text_up))
        torch.manual_seed(4)
    assert all(torch.isfinite(gradient).all() for (gradient,) in found)
    prompted = disturbed(backbone, "lora", text_chunk=8, lora_dropout=0.3).train()
    step, up = 1e-2, prompted.prompt_learner.text_up

    def value(shift):
        torch.manual_seed(4)
        with torch.no_grad():
            up[0, 2] += shift
        result = prompted.text_features()[:, 0].sum().item()
        with torch.no_grad():
            up[0, 2] -= shift
        return result

    torch.manual_seed(4)
    (gradient,) = torch.autograd.grad(prompted.text_features()[:, 0].sum(), up)
    slope = (value(step) - value(-step)) / (2 * step)
    assert slope == pytest.approx(gradient[0, 2].sum().item(), rel=0.05, abs=1e-3)


def test_masks_that_keep_nothing_are_refused():
    for start in (0.0, float("nan")):
        with pytest.raises(PromptError, match="MASK_START"):
            build_prompted_clip(tiny_backbone(), NAMES, "mask", seed=1, mask_start=start)


@pytest.mark.parametrize("options", [{"rank": 0}, {"lora_dropout": 1.0}, {"params": "qx"}, {"params": ""}])
def test_wrong_options_are_refused_by_name(options):
    with pytest.raises(PromptError, match=next(iter(options)).upper()):
        build_prompted_clip(tiny_backbone(), NAMES, "lora", seed=1, **options)


@pytest.mark.parametrize("method", ["lora", "layer_norm", "two_stage", "mask"])
def test_a_backbone_that_cannot_be_stepped_is_refused(method):
    with pytest.raises(BackboneError, match="tiny"):
        build_prompted_clip(tiny_backbone(vision={"pool_type": "avg"}), NAMES, method, seed=1)
