"""Passes that are recorded and replayed give what they give when they are launched kernel by kernel.

Where there is no GPU a recording's place is taken by one that computes, and that forgets what a forward pass has left
for its backward pass once any other pass has run, as the shared memory of CUDA graphs does.
"""

import copy
import gc
import pickle
import weakref
from functools import partial

import pytest
import torch
from support.tiny_clip import NAMES, copy_of, outcome, tiny_backbone, tiny_images
from test_against_reference import PROMPTS

from mvlpt.models import ComputeOptimisations, build_prompted_clip
from mvlpt.models.towers import image, text
from mvlpt.models.towers.replay import COUNTED, KEPT, USES_BEFORE, Replays

KINDS = ["coop end", "coop middle", "coop csc", "vpt deep", "vpt shallow", "upt transformer"]
GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device and -m gpu"),
]


class Tape:
    """A recording that computes.

    Args:
        left: where it and the other recordings of a tower leave what the backward pass needs.
    """

    made = 0

    def __init__(self, left, function, inputs, memory):
        assert memory is None
        Tape.made += 1
        left.clear()  # what recording computes lies there, too
        self.left, self.function = left, function
        self.inputs = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in inputs]
        self.output = torch.full_like(function(*self.inputs), torch.nan).detach()
        self.slope = torch.full_like(self.output, torch.nan)
        self.gradients = [torch.full_like(t, torch.nan) if t.requires_grad else None for t in self.inputs]

    def forward(self):
        with torch.enable_grad():
            self.left.clear()
            self.left[self] = self.function(*self.inputs)
            self.output.copy_(self.left[self].detach())

    def backward(self):
        trained = [tensor for tensor in self.inputs if tensor.requires_grad]
        found = torch.autograd.grad(self.left.pop(self), trained, self.slope)  # KeyError: another pass has run
        for own, gradient in zip([g for g in self.gradients if g is not None], found, strict=True):
            own.copy_(gradient)


class Still:
    """A recording that keeps what it computed while it was made."""

    def __init__(self, function, inputs, memory):
        self.inputs = [tensor.detach().clone() for tensor in inputs]
        self.output = function(*inputs).detach()
        self.slope, self.gradients = torch.zeros_like(self.output), list(map(torch.zeros_like, inputs))
        self.forward = self.backward = lambda: None


def taped(weights):
    """Recordings on tapes that share one place."""
    return Replays(weights, partial(Tape, {}))


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


def square(x, y):
    return (x * x * y).sum(dim=-1)


def replays_of_square(weight=None):
    """Ready to record."""
    replays = taped([torch.ones(1) if weight is None else weight])
    for _ in range(USES_BEFORE):
        replays("a", square, torch.ones(1, 3, requires_grad=True), torch.ones(1, 3))
    return replays


def test_the_first_passes_are_not_recorded(tapes):
    replays_of_square()
    assert tapes.made == 0


def test_gradients_are_those_of_each_pass_whatever_ran_between(tapes):
    replays = replays_of_square()
    first, second = torch.tensor([[1.0, 2, 3]], requires_grad=True), torch.tensor([[4.0, 5, 6]], requires_grad=True)
    ones = torch.ones(1, 3)
    one, two = replays("a", square, first, ones), replays("a", square, second, 2 * ones)
    assert tapes.made == 1
    assert (one.item(), two.item()) == (14.0, 154.0)
    one.backward(retain_graph=True)
    two.backward()
    one.backward()
    assert first.grad.tolist() == [[4.0, 8.0, 12.0]]  # two times 2 x
    assert second.grad.tolist() == [[16.0, 20.0, 24.0]]


def test_results_belong_to_whoever_asked(tapes):
    """Neither a result nor a gradient changes when the next pass runs."""
    replays, x, ones = replays_of_square(), torch.tensor([[1.0, 2, 3]], requires_grad=True), torch.ones(1, 3)
    kept = replays("a", square, x, ones)
    kept.backward()
    gradient = x.grad
    x.grad = None
    replays("a", square, x, 5 * ones).backward()
    assert kept.item() == 14.0
    assert gradient.tolist() == [[2.0, 4.0, 6.0]]


def test_a_prompt_may_change_before_its_gradients_are_asked_for(tapes):
    replays, x = replays_of_square(), torch.tensor([[1.0, 2, 3]], requires_grad=True)
    one, two = (replays("a", square, x, scale * torch.ones(1, 3)) for scale in (1, 10))
    one.backward()
    with torch.no_grad():
        x.sub_(100)
    two.backward()
    assert x.grad.tolist() == [[22.0, 44.0, 66.0]]


def test_other_shapes_types_and_keys_are_recorded_apart(tapes):
    replays = replays_of_square()
    for _ in range(USES_BEFORE + 1):
        replays("a", square, torch.ones(1, 3, requires_grad=True), torch.ones(1, 3))
        replays("b", square, torch.ones(1, 3, requires_grad=True), torch.ones(1, 3))
        replays("a", square, torch.ones(2, 3, requires_grad=True), torch.ones(2, 3))
        replays("a", square, torch.ones(1, 3, requires_grad=True).double(), torch.ones(1, 3).double())
        replays("a", square, torch.ones(1, 3, requires_grad=True), torch.ones(1, 3, requires_grad=True))
    assert tapes.made == 5


def test_only_so_many_are_kept(tapes):
    replays = taped([])
    for key in range(KEPT + 4):
        for _ in range(USES_BEFORE + 2):
            assert replays(key, square, torch.ones(1, 3, requires_grad=True), torch.ones(1, 3)).item() == 3.0
    assert tapes.made == KEPT


def test_passes_that_never_come_again_are_forgotten(tapes):
    """Their keys hold tensors: the plans of all the sets of tasks that batches of one label space may have."""
    replays = taped([])
    keys = [Still(square, [torch.ones(1, 3)] * 2, None) for _ in range(10 * COUNTED)]
    known = [weakref.ref(key) for key in keys]
    while keys:
        replays(keys.pop(), square, torch.ones(1, 3, requires_grad=True), torch.ones(1, 3))
    assert sum(key() is not None for key in known) == COUNTED
    assert tapes.made == 0


def test_what_cannot_be_recorded_is_launched_as_ever(tapes, monkeypatch):
    tries = []

    def refuse(*_):
        tries.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    replays, x = Replays([], refuse), torch.ones(1, 3, requires_grad=True)
    for _ in range(USES_BEFORE + 3):
        replays("a", square, x, torch.ones(1, 3)).backward()
    assert x.grad.tolist() == [[2.0 * (USES_BEFORE + 3)] * 3]
    assert len(tries) == 1


def test_recordings_are_dropped_when_weights_move(tapes):
    weight = torch.nn.Parameter(torch.ones(1))
    replays, x = replays_of_square(weight), torch.ones(1, 3, requires_grad=True)
    replays("a", square, x, torch.ones(1, 3))
    assert tapes.made == 1
    weight.data = weight.data.clone()
    for _ in range(USES_BEFORE):
        replays("a", square, x, torch.ones(1, 3))
    assert tapes.made == 1
    replays("a", square, x, torch.ones(1, 3))
    assert tapes.made == 2


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


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_records_anew(copied):
    replays = Replays([torch.nn.Parameter(torch.ones(1))])
    replays._recordings["a"] = lambda: None  # as little as a CUDA graph can it be copied or pickled
    both = copied([replays._weights[0], replays])
    assert both[1]._weights[0] is both[0]
    assert not both[1]._recordings


def test_gradients_can_be_differentiated(tapes):
    replays, x = replays_of_square(), torch.tensor([[1.0, 2, 3]], requires_grad=True)
    y = torch.tensor([[2.0, 3, 4]])
    (gradient,) = torch.autograd.grad(replays("a", square, x, y).sum(), x, create_graph=True)
    assert gradient.tolist() == [[4.0, 12.0, 24.0]]  # 2 x y
    assert tapes.made == 1
    gradient.sum().backward()
    assert x.grad.tolist() == [[4.0, 6.0, 8.0]]  # 2 y


def steps(kind, replay, device="cpu", context=None, backbone=None):
    """Logits and gradients of five steps, on two batches that differ, with the prompt changed after each."""
    method, options = PROMPTS[kind]
    backbone = tiny_backbone() if backbone is None else backbone
    backbone.to(device)
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
    for (logits, gradients), (others, slopes) in zip(replayed, launched, strict=True):
        assert torch.equal(logits, others)
        assert gradients.keys() == slopes.keys()
        for name in gradients:
            assert torch.equal(gradients[name], slopes[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_towers_give_the_same(tapes, kind, monkeypatch):
    monkeypatch.setitem(text.make_plan.__globals__["PREFIX_COST"], "replayed", 0)  # the plan of a CPU
    monkeypatch.setitem(text.make_plan.__globals__["BATCH_COST"], "replayed", 24)
    replayed, prompted = steps(kind, True)
    assert tapes.made == prompted.trains_text + prompted.trains_image
    launched, _ = steps(kind, False)
    assert tapes.made == prompted.trains_text + prompted.trains_image
    assert_equal(replayed, launched)


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
@pytest.mark.parametrize("_gpu", [pytest.param(None, marks=GPU)])
def test_on_a_gpu(kind, dtype, _gpu, monkeypatch):
    """Real recordings, bit for bit, alone and under autocast."""
    for costs in ("PREFIX_COST", "BATCH_COST"):  # the same plan for both
        values = text.make_plan.__globals__[costs]
        monkeypatch.setitem(values, "cuda", values["replayed"])
    context = None if dtype is None else torch.autocast("cuda", dtype, cache_enabled=False)
    replayed, prompted = steps(kind, True, "cuda", context)
    recorded = [tower.replays._recordings for tower in (prompted.text_tower, prompted.image_tower)]
    assert list(map(len, recorded)) == [int(prompted.trains_text), int(prompted.trains_image)]
    launched, _ = steps(kind, False, "cuda", context)
    assert_equal(replayed, launched)
    here, _ = steps(kind, False)
    assert torch.allclose(replayed[0][0].cpu(), here[0][0], atol=1e-2 if dtype is None else 2.0)


@pytest.mark.parametrize("_gpu", [pytest.param(None, marks=GPU)])
def test_real_recordings_share_their_memory(_gpu):
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
        found.append([*losses, *(slope for each in gradients for slope in each)])
        if replay:
            prompted.backbone.to("cpu")
            prompted.backbone.to("cuda")
            prompted(images).sum().backward()
            assert not prompted.image_tower.replays._recordings
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
