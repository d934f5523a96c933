"""Affinities: the look-ahead against steps on a copy of the model, the first-order estimate against its formula."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from support.affinity_losses import TASKS, Bowls, bowls, clip_losses, cross_entropy
from support.tiny_clip import copy_of

from mvlpt.errors import GraphError
from mvlpt.graph.affinity import transferability_affinity
from mvlpt.graph.affinity.first_order import RandomProjection, gradient_affinity
from mvlpt.graph.affinity.lookahead import lookahead_affinity
from mvlpt.graph.affinity.prompt_gradients import PromptLosses, TaskBatch

METHODS = ("coop", "vpt", "upt")


def states(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(before, model):
    after = model.state_dict()
    return all(torch.equal(value, after[name]) for name, value in before.items())


def loss_by_hand(model, batch, task):
    return cross_entropy(model(batch.images, torch.full((len(batch.images),), task)), batch.label).mean()


def brute_force(model, batches, lr, steps):
    """TAG's affinity with ``torch.optim.SGD`` on deep copies of the whole model."""
    model = copy_of(model)
    count, total = len(batches), np.zeros((len(batches),) * 2)
    items = list(batches.values())
    for _ in range(steps):
        before = [loss_by_hand(model, batch, j).item() for j, batch in enumerate(items)]
        for i, batch in enumerate(items):
            moved = copy_of(model)
            step = torch.optim.SGD(moved.prompt_learner.parameters(), lr=lr)
            loss_by_hand(moved, batch, i).backward()
            step.step()
            after = [loss_by_hand(moved, other, j).item() for j, other in enumerate(items)]
            total[i] += [1 - a / b for a, b in zip(after, before, strict=True)]
        step = torch.optim.SGD(model.prompt_learner.parameters(), lr=lr)
        sum(loss_by_hand(model, batch, j) for j, batch in enumerate(items)).div(count).backward()
        step.step()
    return total / steps


@pytest.mark.parametrize("method", METHODS)
def test_lookahead_equals_steps_on_a_copy(method):
    model, batches, losses = clip_losses(method)
    before = states(model)
    found = lookahead_affinity(losses, lr=0.02, steps=2)
    assert np.abs(found).max() > 1e-3, "the comparison says nothing if no loss moves"
    np.testing.assert_allclose(found, brute_force(model, batches, 0.02, 2), atol=2e-5)
    assert same(before, model)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_first_order_equals_its_formula(method):
    model, batches, losses = clip_losses(method)
    before = states(model)
    found = gradient_affinity(losses, lr=0.02, steps=1, projection=None)
    rows, values = [], []
    for j, batch in enumerate(batches.values()):
        loss = loss_by_hand(model, batch, j)
        parameters = list(model.prompt_learner.parameters())
        grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        rows.append(
            torch.cat(
                [torch.zeros(p.numel()) if g is None else g.flatten() for p, g in zip(parameters, grads, strict=True)]
            ).double()
        )
        values.append(loss.item())
    expected = [[0.02 * float(a @ b) / value for b, value in zip(rows, values, strict=True)] for a in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert same(before, model)


def test_by_hand_on_bowls():
    """At x with gradients x - c: the first-order term, and the look-ahead that has the second-order term too."""
    losses, lr = bowls(), 0.1
    x, c = losses.point.numpy(), losses.centres.numpy()
    g = x - c
    values = (g**2).sum(1) / 2 + losses.floors
    first = lr * g @ g.T / values
    np.testing.assert_allclose(gradient_affinity(losses, lr=lr, steps=1, projection=None), first, rtol=1e-6)
    second = first - lr**2 * (g**2).sum(1)[:, None] / 2 / values
    np.testing.assert_allclose(lookahead_affinity(losses, lr=lr, steps=1), second, rtol=1e-9)


def test_joint_training_is_gradient_descent_on_the_mean():
    """After one step from x the point is x - lr * (x - mean c); the mean of both points' affinities is given."""
    losses, lr = bowls(), 0.1
    x, c = losses.point, losses.centres
    there = Bowls(losses.tasks, c, losses.floors, x - lr * (x - c.mean(0)))
    both = [lookahead_affinity(one, lr=lr, steps=1) for one in (losses, there)]
    np.testing.assert_allclose(lookahead_affinity(losses, lr=lr, steps=2), np.mean(both, axis=0), rtol=1e-9)
    assert torch.equal(losses.point, x)


def test_another_optimizer_trains_jointly_and_leaves_the_tried_step_alone():
    losses = bowls()
    options = {"lr": 0.1, "optimizer": lambda parameters: torch.optim.Adam(parameters, lr=0.5)}
    plain = lookahead_affinity(losses, lr=0.1, steps=1)
    np.testing.assert_array_equal(lookahead_affinity(losses, steps=1, **options), plain)
    assert not np.allclose(lookahead_affinity(losses, steps=2, **options), lookahead_affinity(losses, lr=0.1, steps=2))


def test_first_order_and_lookahead_agree_as_the_step_shrinks():
    """Their difference divided by lr falls with lr, that is, it is of second order."""
    losses = bowls()
    gaps = []
    for lr in (1e-1, 1e-2, 1e-3, 1e-4):
        a, b = lookahead_affinity(losses, lr=lr, steps=1), gradient_affinity(losses, lr=lr, steps=1)
        gaps.append(np.abs(a - b).max() / lr)
    assert all(0.05 < small / large < 0.2 for large, small in pairwise(gaps))


def test_agreement_on_the_clip():
    _, _, losses = clip_losses("upt")
    a, b = (measure(losses, lr=2e-5, steps=2) for measure in (lookahead_affinity, gradient_affinity))
    np.testing.assert_allclose(a, b, atol=0.05 * np.abs(b).max())


def test_the_projection_is_unbiased_and_converges():
    losses = bowls(count=3, width=20_000, seed=4)
    exact = gradient_affinity(losses, lr=0.1, steps=1, projection=None)
    lengths = np.sqrt(np.diag(exact))
    errors = {}
    for dimensions in (64, 1024):
        found = [gradient_affinity(losses, lr=0.1, steps=1, projection=dimensions, seed=s) for s in range(12)]
        errors[dimensions] = np.sqrt(np.mean([((one - exact) / exact.max()) ** 2 for one in found]))
        assert np.abs(np.mean(found, axis=0) - exact).max() < 5 * exact.max() / (12 * dimensions) ** 0.5
    assert errors[1024] < 0.5 * errors[64]  # sqrt(64 / 1024) = 0.25
    assert lengths.min() > 0


def test_the_projection_is_seeded_and_leaves_short_vectors_as_they_are():
    vector = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    project = RandomProjection(16, seed=1)
    first = project(vector)
    assert torch.equal(project(vector), first)
    assert torch.equal(RandomProjection(16, seed=1)(vector), first)
    assert not torch.equal(RandomProjection(16, seed=2)(vector), first)
    assert torch.equal(RandomProjection(5000)(vector), vector)


def test_the_projection_is_linear_with_four_entries_a_row():
    """The matrix, read off unit vectors: in each quarter of the dimensions one entry of 1 / 2 or -1 / 2."""
    project = RandomProjection(16, seed=1)
    matrix = torch.stack([project(row) for row in torch.eye(40)])
    assert (matrix.view(40, 4, 4).abs().sum(2) == 0.5).all()
    assert (matrix < 0).any()
    vector = torch.randn(40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(project(vector), vector @ matrix)


@pytest.mark.parametrize("measure", [lookahead_affinity, gradient_affinity])
@pytest.mark.parametrize("method", ["coop", "vpt"])
def test_the_order_of_tasks_does_not_matter(measure, method):
    order = [2, 0, 1]
    plain = measure(clip_losses(method)[2], lr=0.02, steps=2)
    turned = measure(clip_losses(method, order=order)[2], lr=0.02, steps=2)
    np.testing.assert_allclose(turned, plain[np.ix_(order, order)], rtol=1e-3, atol=1e-6)


def test_micro_batches_give_the_same_losses_and_gradients():
    _, _, whole = clip_losses("upt")
    _, _, parts = clip_losses("upt", micro_batch=4)
    for task in range(3):
        assert parts.value(task) == pytest.approx(whole.value(task), rel=1e-5)
        torch.testing.assert_close(parts.gradient(task)[1], whole.gradient(task)[1], rtol=1e-3, atol=1e-5)


def test_multi_label_batches_use_the_given_loss():
    model, batches, _ = clip_losses("coop")
    rows = torch.zeros(6, 7)
    rows[:, 0] = 1.0
    rows[0, 2] = 1.0
    seen = []

    def loss(logits, label):
        seen.append(label.dtype)
        return -(label * logits.log_softmax(1).masked_fill(label == 0, 0)).sum(1)

    losses = PromptLosses(model, {**batches, "animals": TaskBatch(batches["animals"].images, rows)}, loss)
    assert losses.value(0) > 0
    assert seen == [torch.float32]


def test_parameters_are_restored_after_an_error():
    losses = bowls()
    start = losses.point

    def broken(task):
        raise RuntimeError("stop")

    losses.value = broken
    with pytest.raises(RuntimeError):
        lookahead_affinity(losses, lr=0.1, steps=2)
    assert torch.equal(losses.point, start)


def test_invalid_input_is_refused():
    model, batches, losses = clip_losses("coop")
    with pytest.raises(GraphError, match="one point"):
        gradient_affinity(losses, lr=0.1, steps=0)
    with pytest.raises(GraphError, match="learning rate"):
        lookahead_affinity(losses, lr=0.0)
    with pytest.raises(GraphError, match="one dimension"):
        gradient_affinity(losses, lr=0.1, projection=0)
    with pytest.raises(GraphError, match="2 tasks"):
        PromptLosses(model, {name: batches[name] for name in TASKS[:2]}, cross_entropy)
    empty = TaskBatch(torch.zeros(0, 3, 24, 24), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(GraphError, match="'plants' has no training images"):
        PromptLosses(model, {**batches, "plants": empty}, cross_entropy)
    broken = bowls()
    for floor in (float("nan"), float("inf")):
        broken.floors[0] = floor
        for measure in (gradient_affinity, lookahead_affinity, transferability_affinity):
            with pytest.raises(GraphError, match="'t0' or its gradient is not finite at step 1; lower the learning"):
                measure(broken, lr=0.1)


def test_a_step_that_leads_to_infinite_losses_is_refused():
    losses = bowls()
    start = losses.point
    with pytest.raises(GraphError, match="'t0' is not finite after a step on task 't0'; lower the learning rate"):
        lookahead_affinity(losses, lr=1e200, steps=1)
    assert torch.equal(losses.point, start)
