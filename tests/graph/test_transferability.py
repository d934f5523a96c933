"""Transferability of prompts: embeddings of tasks under prompts of their own, by hand and on a tiny CLIP."""

import copy

import numpy as np
import pytest
import torch
from support.affinity_losses import TASKS, bowls, clip_losses, cross_entropy
from support.tiny_clip import copy_of

from mvlpt.errors import GraphError
from mvlpt.graph.affinity import transferability_affinity


def by_hand(model, batches, lr, steps):
    """Every task's prompt tuned on a copy of the whole model; cosines of what these models give for their tasks."""
    embeddings = []
    for task, batch in enumerate(batches.values()):
        own = copy_of(model)
        step = torch.optim.SGD(own.prompt_learner.parameters(), lr=lr)
        ids = torch.full((len(batch.images),), task)
        for _ in range(steps):
            step.zero_grad()
            cross_entropy(own(batch.images, ids), batch.label).mean().backward()
            step.step()
        with torch.no_grad():
            outputs, classes = own.outputs(batch.images, ids), batch.label.unique()
        parts = [outputs.image_features.mean(0)] if own.trains_image else []
        if own.trains_text:
            parts.append(own.text_features().detach()[classes].mean(0))
        embeddings.append(torch.cat(parts).double().numpy())
    rows = np.stack(embeddings)
    norms = np.sqrt((rows**2).sum(1))
    return rows @ rows.T / np.outer(norms, norms)


@pytest.mark.parametrize("method", ["coop", "vpt", "upt"])
def test_it_is_the_cosine_of_features_under_each_tasks_own_prompt(method):
    model, batches, losses = clip_losses(method)
    before = copy.deepcopy(model.state_dict())
    model.eval()  # dropout would make the same step give another prompt
    found = transferability_affinity(losses, lr=0.05, steps=2)
    np.testing.assert_allclose(found, by_hand(model, batches, 0.05, 2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.diag(found), 1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_pair_depends_on_no_other_task_and_on_no_order():
    order = (2, 0, 1)
    first = transferability_affinity(clip_losses("coop")[2], lr=0.05, steps=1)
    other = transferability_affinity(clip_losses("coop", order=order)[2], lr=0.05, steps=1)
    np.testing.assert_allclose(other, first[np.ix_(order, order)], rtol=1e-6)
    assert len(TASKS) == 3


def test_progress_counts_the_steps_of_all_tasks_and_bad_settings_are_refused():
    losses, seen = clip_losses("coop")[2], []
    transferability_affinity(losses, lr=0.05, steps=1, progress=lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(GraphError, match="at least one step, not 0"):
        transferability_affinity(losses, lr=0.05, steps=0)
    with pytest.raises(GraphError, match="learning rate above 0"):
        transferability_affinity(bowls(), lr=0.0)
    losses = bowls()
    losses.features = lambda task: losses.point / (task == 0)  # infinite from the second task on
    with pytest.raises(GraphError, match="features of task 't1' are not finite under its own prompt"):
        transferability_affinity(losses, lr=0.1, steps=1)
