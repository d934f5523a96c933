"""Low precision, autocast and torch.compile run and stay near fp32."""

import pytest
import torch
from support.tiny_clip import NAMES, TOKENIZER, compare, outcome, tiny_backbone, tiny_clip, tiny_images

from mvlpt.models import Backbone, ComputeOptimisations, build_prompted_clip

METHODS = ["coop", "vpt", "upt", "cocoop"]


def run(backbone, method, context=None, optimisations=None):
    prompted = build_prompted_clip(backbone, NAMES, method, n_ctx=3, seed=0, optimisations=optimisations).train()
    parameters = dict(prompted.prompt_learner.named_parameters())
    with context or torch.autocast("cpu", enabled=False):
        return outcome(prompted, parameters, tiny_images(backbone))


def close(low, full) -> None:
    assert low[0].dtype is torch.float32
    assert (low[0] - full[0]).abs().max() < 2.0  # logits reach +-30 at a scale of e^4
    for name, gradient in full[1].items():
        assert low[1][name].dtype is torch.float32
        cosine = torch.nn.functional.cosine_similarity(low[1][name].flatten(), gradient.flatten(), dim=0)
        assert cosine > 0.95, name


@pytest.mark.parametrize("method", METHODS)
def test_autocast(method):
    close(run(tiny_backbone(), method, torch.autocast("cpu", torch.bfloat16)), run(tiny_backbone(), method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_weights(method, dtype):
    from open_clip.model import convert_weights_to_lp
    from open_clip.transformer import LayerNormFp32

    clip = tiny_clip()
    convert_weights_to_lp(clip, dtype)
    for module in clip.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.__class__ = LayerNormFp32
    close(run(Backbone(clip, TOKENIZER, name="tiny"), method), run(tiny_backbone(), method))


@pytest.mark.parametrize(("method", "names"), [("coop", NAMES), ("vpt", NAMES[:2]), ("upt", NAMES[:2])])
def test_compiled(method, names):
    """With classes of one batch or, which takes longer to trace, of two."""
    backbone = tiny_backbone(vision={"layers": 2}, text={"layers": 2})  # to trace a third takes as long as the second
    prompted = build_prompted_clip(backbone, names, method, n_ctx=3, seed=0).train()
    parameters = dict(prompted.prompt_learner.named_parameters())
    images = tiny_images(prompted.backbone)
    plain = outcome(prompted, parameters, images)
    outputs = torch.compile(prompted.outputs, backend="aot_eager")  # as the trainer compiles it
    compiled = outcome(lambda images: outputs(images).logits, parameters, images)
    assert torch.allclose(plain[0], compiled[0], atol=1e-4)
    for name in plain[1]:
        assert torch.allclose(plain[1][name], compiled[1][name], atol=1e-3), name


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_on_a_gpu(method):
    here = run(tiny_backbone(), method, optimisations=ComputeOptimisations.none())
    clip = tiny_clip().cuda()
    backbone = Backbone(clip, TOKENIZER, name="tiny")
    there = run(backbone, method)
    assert (there[0].cpu() - here[0]).abs().max() < 1e-2
    close((there[0].cpu(), {name: gradient.cpu() for name, gradient in there[1].items()}), here)


def test_a_moved_model_keeps_working():
    prompted = compare(tiny_backbone(), "upt", n_ctx=2)
    prompted.to(torch.device("cpu"))
    prompted(tiny_images(prompted.backbone)).sum().backward()
