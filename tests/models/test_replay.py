"""Recorded passes give what the function gives, in any order.

A recording's place is taken by one that computes, and that forgets what a forward pass has left for its backward pass
once any other pass has run, as the shared memory of CUDA graphs does.
"""

import copy
import pickle
import threading
import weakref

import pytest
import torch
from support.recordings import Still, Tape, taped

from mvlpt.models.towers.replay import COUNTED, KEPT, USES_BEFORE, Replays


@pytest.fixture
def tapes(monkeypatch):
    """Counts recordings from none."""
    monkeypatch.setattr(Tape, "made", 0)
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


def test_what_cannot_be_recorded_is_launched_as_ever(monkeypatch):
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


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_records_anew(copied):
    replays = Replays([torch.nn.Parameter(torch.ones(1))])
    replays._recordings["a"] = threading.Lock()  # like a CUDA graph, it can be neither copied nor pickled
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
