"""Towers whose training passes are replayed give the same logits and gradients, bit for bit, here and on a GPU."""

import gc
import weakref

import pytest
import torch
from support.recordings import Still, Tape, taped
from support.tiny_clip import NAMES, copy_of, outcome, tiny_backbone, tiny_images
from test_against_reference import PROMPTS

from mvlpt.models import ComputeOptimisations, build_prompted_clip
from mvlpt.models.towers import image, text, text_plan
from mvlpt.models.towers.replay import USES_BEFORE, Replays

KINDS = ["coop end", "coop middle", "coop csc", "vpt deep", "vpt shallow", "upt transformer"]


@pytest.fixture
def tapes(monkeypatch):
    """Towers that are built record on tapes."""
    monkeypatch.setattr(Tape, "made", 0)
    for tower in (text, image):
        monkeypatch.setattr(
            tower,
            "can_replay",
            lambda device, inputs: torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs),
        )
        monkeypatch.setattr(tower.Replays, "of", lambda model: taped(model.parameters()))
    return Tape


def steps(kind, replay, device="cpu", context=None):
    """Logits and gradients of five steps, on two batches that differ, with the prompt changed after each."""
    method, options = PROMPTS[kind]
    backbone = tiny_backbone().to(device)
    prompted = build_prompted_clip(
        backbone, NAMES, method, seed=0, optimisations=ComputeOptimisations(replay=replay), **options
    ).train()
    parameters = dict(prompted.prompt_learner.named_parameters())
    found = []
    for step in range(USES_BEFORE + 3):
        images = tiny_images(backbone).to(device) * (1 + step % 2)
        with context or torch.autocast("cpu", enabled=False):
            logits, gradients = outcome(prompted, parameters, images)
        found.append((logits, gradients))
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.sub_(0.1 * gradients[name])
    return found, prompted


def assert_equal(replayed, launched):
    for (logits, gradients), (others, grad_outputs) in zip(replayed, launched, strict=True):
        assert torch.equal(logits, others)
        assert gradients.keys() == grad_outputs.keys()
        for name in gradients:
            assert torch.equal(gradients[name], grad_outputs[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_towers_give_the_same(tapes, kind, monkeypatch):
    monkeypatch.setitem(text_plan.PREFIX_COST, "replayed", 0)  # the plan of a CPU
    monkeypatch.setitem(text_plan.BATCH_COST, "replayed", 24)
    replayed, prompted = steps(kind, True)
    assert tapes.made == prompted.trains_text + prompted.trains_image
    launched, _ = steps(kind, False)
    assert tapes.made == prompted.trains_text + prompted.trains_image
    assert_equal(replayed, launched)


def test_memory_is_given_back(tapes):
    """Once it is trained again, the first pass is recorded, and what was left to do is done."""
    _, prompted = steps("upt transformer", True)
    images = tiny_images(prompted.backbone)
    pending = prompted(images).sum()
    (expected,) = torch.autograd.grad(pending, [prompted.prompt_learner.ctx], retain_graph=True)
    assert tapes.made == 2
    prompted.release()
    assert not prompted.text_tower.replays._recordings
    assert not prompted.image_tower.replays._recordings
    prompted(images)
    assert tapes.made == 4
    (gradient,) = torch.autograd.grad(pending, [prompted.prompt_learner.ctx])
    assert torch.equal(gradient, expected)


def test_passes_that_are_not_for_training_are_not_recorded(tapes):
    prompted = build_prompted_clip(tiny_backbone(), NAMES, "upt", n_ctx=2, seed=0)
    for _ in range(USES_BEFORE + 2):
        with torch.no_grad():
            prompted(tiny_images(prompted.backbone))
    assert tapes.made == 0


def test_a_copied_model_trains_its_own_prompt(tapes):
    _, prompted = steps("upt transformer", True)
    other = copy_of(prompted)
    parameters = dict(other.prompt_learner.named_parameters())
    images = tiny_images(prompted.backbone)
    for _ in range(USES_BEFORE + 2):
        mine = outcome(other, parameters, images)
    assert_equal([mine], [outcome(prompted, dict(prompted.prompt_learner.named_parameters()), images)])


def test_a_model_is_freed_with_its_recordings(tapes, monkeypatch):
    """Without waiting for the garbage collector, which may come late or in the middle of a recording."""
    monkeypatch.setattr(text.Replays, "of", lambda model: Replays(model.parameters(), Still))
    _, prompted = steps("upt transformer", True)
    assert prompted.text_tower.replays._recordings
    gone = [weakref.ref(part) for part in (prompted, prompted.text_tower.replays, prompted.image_tower.replays)]
    gc.collect()
    gc.disable()
    try:
        del prompted
        assert [part() for part in gone] == [None] * 3
    finally:
        gc.enable()


def test_a_cpu_records_nothing():
    _, prompted = steps("upt transformer", True)
    assert not prompted.text_tower.replays._recordings
    assert not prompted.image_tower.replays._recordings
    _, prompted = steps("upt transformer", False)
    assert prompted.text_tower.replays is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [None, torch.float16, torch.bfloat16], ids=["fp32", "fp16", "bf16"])
@pytest.mark.gpu
def test_on_a_gpu(kind, dtype, monkeypatch):
    """Real recordings, bit for bit, alone and under autocast."""
    for costs in (text_plan.PREFIX_COST, text_plan.BATCH_COST):  # the same plan for both
        monkeypatch.setitem(costs, "cuda", costs["replayed"])
    context = None if dtype is None else torch.autocast("cuda", dtype, cache_enabled=False)
    replayed, prompted = steps(kind, True, "cuda", context)
    recorded = [tower.replays._recordings for tower in (prompted.text_tower, prompted.image_tower)]
    assert list(map(len, recorded)) == [int(prompted.trains_text), int(prompted.trains_image)]
    launched, _ = steps(kind, False, "cuda", context)
    assert_equal(replayed, launched)
    here, _ = steps(kind, False)
    assert torch.allclose(replayed[0][0].cpu(), here[0][0], atol=1e-2 if dtype is None else 2.0)


@pytest.mark.gpu
def test_real_recordings_share_their_memory():
    """Two numbers of images in turn, and a forward pass of one between the passes of the other."""
    found = []
    for replay in (True, False):
        prompted = build_prompted_clip(
            tiny_backbone().to("cuda"), NAMES, "upt", n_ctx=2, seed=0, optimisations=ComputeOptimisations(replay=replay)
        ).train()
        images = tiny_images(prompted.backbone, 6).cuda()
        parameters = list(prompted.prompt_learner.parameters())
        for _ in range(USES_BEFORE + 2):
            losses = [prompted(part).logsumexp(dim=-1).sum() for part in (images, images[:2], images[3:])]
            gradients = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
            gradients += [torch.autograd.grad(loss, parameters) for loss in reversed(losses)]
        found.append([*losses, *(grad_output for each in gradients for grad_output in each)])
        if replay:
            prompted.backbone.to("cpu")
            prompted.backbone.to("cuda")
            prompted(images).sum().backward()
            assert not prompted.image_tower.replays._recordings
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
