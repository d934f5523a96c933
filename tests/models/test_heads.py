"""Heads on frozen features against the papers' formulas, written once more with loops over numpy arrays."""

import numpy as np
import pytest
import torch
from support.tiny_clip import tiny_backbone
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models import LabelSpace
from mvlpt.models.heads import (
    CLAPHead,
    ClassTexts,
    CrossModalHead,
    KNNHead,
    LinearHead,
    LPPlusPlusHead,
    Support,
    TaskResHead,
    TipAdapterFHead,
    TipAdapterHead,
    class_texts,
)

CLASSES, WIDTH, IMAGES = 5, 16, 12
SCALE = torch.tensor(20.0)
TASKS = ((0, 3), (3, 5))


def rows(count, seed, norm=True):
    values = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return F.normalize(values, dim=-1) if norm else values


@pytest.fixture
def texts():
    raw = 7 * rows(CLASSES, 1, norm=False)
    samples = torch.cat([rows(CLASSES, 2), rows(CLASSES, 3)])
    owner = torch.tensor([0, 0, 0, 1, 1])
    return ClassTexts(F.normalize(raw, dim=-1), raw, samples, torch.arange(CLASSES).repeat(2), owner)


@pytest.fixture
def support():
    """Two views of twelve images of two tasks; an image of class 4 has class 3 as well, the last has no label."""
    features = torch.stack([rows(IMAGES, 4), rows(IMAGES, 5)])
    labels = [0, 1, 2, 0, 1, 2, 3, 4, 3, 4, 3, 0]
    shares = F.one_hot(torch.tensor(labels), CLASSES).float()
    shares[9] = torch.tensor([0, 0, 0, 0.5, 0.5])
    shares[11] = 0
    return Support(features, shares, torch.tensor([0] * 6 + [1] * 5 + [0]))


def made(kind, texts, images=IMAGES, **options):
    return kind(texts, SCALE, images, kind.options(**options))


def arrays(*tensors):
    return [tensor.detach().numpy().astype(np.float64) for tensor in tensors]


@pytest.mark.parametrize("kind", [TipAdapterHead, TipAdapterFHead])
def test_tip_adapter_is_the_papers_formula(texts, support, kind):
    head = made(kind, texts, alpha=1.7, beta=3.1)
    head.fit(support)
    images = rows(4, 9)
    f, w, views, values = arrays(images, texts.weights, support.features, support.shares)
    expected = np.zeros((4, CLASSES))
    for b in range(4):
        for k in range(CLASSES):
            expected[b, k] = 20 * f[b] @ w[k]
            for i in range(IMAGES):
                key = (views[0, i] + views[1, i]) / 2
                key /= np.linalg.norm(key)
                expected[b, k] += 1.7 * np.exp(-3.1 * (1 - f[b] @ key)) * values[i, k]
    np.testing.assert_allclose(head(images).detach(), expected, atol=1e-4)
    assert [name for name, p in head.named_parameters()] == (["keys"] if kind is TipAdapterFHead else [])


def test_tip_adapter_without_memory_is_zero_shot(texts, support):
    head = made(TipAdapterHead, texts, alpha=0.0)
    head.fit(support)
    images = rows(3, 8)
    torch.testing.assert_close(head(images), 20 * images @ texts.weights.t())


def test_the_keys_of_tip_adapter_f_get_the_gradient_of_the_formula(texts, support):
    """d/dkey_i of the memory's logits is alpha beta exp(-beta (1 - f.key_i)) L_ik f."""
    head = made(TipAdapterFHead, texts, alpha=2.0, beta=1.5)
    head.fit(support)
    image = rows(1, 8)
    head(image)[0, 1].backward()
    f, keys, values = arrays(image[0], head.keys, head.values)
    expected = np.stack(
        [2.0 * 1.5 * np.exp(-1.5 * (1 - f @ key)) * value[1] * f for key, value in zip(keys, values, strict=True)]
    )
    np.testing.assert_allclose(head.keys.grad, expected, atol=1e-5)


def test_neighbours_vote_by_similarity_within_their_task(texts, support):
    head = made(KNNHead, texts, neighbors=3, temperature=0.2)
    head.fit(support)
    images, task = rows(4, 9), torch.tensor([0, 1, 1, 0])
    f, views, values = arrays(images, support.features, support.shares)
    for b in range(4):
        votes = np.zeros(CLASSES)
        candidates = []
        for i in range(IMAGES - 1):  # the last has no label
            if int(support.task[i]) == int(task[b]):
                key = views[:, i].mean(axis=0)
                candidates.append((f[b] @ key / np.linalg.norm(key), i))
        for cosine, i in sorted(candidates, reverse=True)[:3]:
            votes += np.exp((cosine - 1) / 0.2) * values[i]
        start, stop = TASKS[int(task[b])]
        ours = head(images, task)[b, start:stop].exp()
        np.testing.assert_allclose(ours / ours.sum(), votes[start:stop] / votes.sum(), atol=1e-5)


def test_more_neighbours_than_images_are_all_images(texts, support):
    many, all_of_them = (made(KNNHead, texts, neighbors=count) for count in (500, IMAGES))
    for head in (many, all_of_them):
        head.fit(support)
    images = rows(2, 3)
    assert torch.equal(many(images), all_of_them(images))


def test_task_residuals_are_added_before_normalisation(texts):
    head = made(TaskResHead, texts, residual_scale=0.3)
    images = rows(4, 9)
    torch.testing.assert_close(head(images), 20 * images @ texts.weights.t())  # residuals start at zero
    with torch.no_grad():
        head.text_feature_residuals.copy_(rows(CLASSES, 12, norm=False))
    f, raw, residuals = arrays(images, texts.raw, head.text_feature_residuals)
    expected = np.zeros((4, CLASSES))
    for k in range(CLASSES):
        moved = raw[k] + 0.3 * residuals[k]
        expected[:, k] = 20 * f @ moved / np.linalg.norm(moved)
    np.testing.assert_allclose(head(images).detach(), expected, atol=1e-4)


@pytest.mark.parametrize("unseen", [None, 2])
def test_clap_weighs_classes_by_their_zero_shot_probability(texts, support, unseen):
    """A class without images competes for those of others, and stays as it is."""
    head = made(CLAPHead, texts)
    if unseen is not None:
        support.shares[:, unseen] = 0
    head.fit(support)
    views, raw, values = arrays(support.features, texts.raw, support.shares)
    directions = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    total, count = np.zeros(CLASSES), np.zeros(CLASSES)
    for i in range(IMAGES - 1):
        start, stop = TASKS[int(support.task[i])]
        probability = np.zeros(CLASSES)
        for view in views[:, i]:
            strength = np.exp(20 * directions[start:stop] @ view)
            probability[start:stop] += strength / strength.sum() / 2
        total += values[i] * probability
        count += values[i]
    multipliers = np.divide(total, count, out=np.ones(CLASSES), where=count > 0)
    np.testing.assert_allclose(head.multipliers, multipliers, atol=1e-5)
    assert head.penalty().item() == 0  # the weights start at the text features
    with torch.no_grad():
        head.prototypes.add_(0.5)
    expected = np.mean(multipliers * 0.25 * WIDTH)
    np.testing.assert_allclose(head.penalty().detach(), expected, rtol=1e-5)
    assert made(CLAPHead, texts, constraint=False).penalty() == 0


def test_lp_plus_plus_starts_and_steps_as_in_the_paper(texts, support):
    """Against gradient descent with momentum that is written out for three steps, the third moving alpha."""
    head = made(LPPlusPlusHead, texts, alpha_scale=10.0, alpha_every=3)
    head.fit(support)
    seen = support.shares.sum(dim=1) > 0
    f, t = arrays(support.features[:, seen].flatten(0, 1), texts.weights)
    y = support.shares[seen].repeat(2, 1).double().numpy()
    n = len(f)
    w = np.stack([(y[:, [k]] * f).sum(axis=0) / 2 for k in range(CLASSES)])
    own = [np.average(f @ t[k], weights=y[:, k]) for k in range(CLASSES)]
    alpha = np.full(CLASSES, 10 * np.mean(own))
    np.testing.assert_allclose(head.weight.detach(), w, atol=1e-5)
    np.testing.assert_allclose(head.alpha.detach(), alpha, rtol=1e-5)
    every = support.features.flatten(0, 1).double().numpy()
    rate_w = 4 * len(every) / np.linalg.eigvalsh(every.T @ every)[-1]
    rate_a = len(every) / (4 * max(((every @ t.T) ** 2).sum(axis=0)))
    optimizer, velocity = head.optimizer(), 0
    head.set_rates(optimizer)
    features, shares = support.features[:, seen].flatten(0, 1), support.shares[seen].repeat(2, 1)
    for step in range(3):
        optimizer.zero_grad()
        F.cross_entropy(head(features), shares).backward()
        head.before_update(step)
        optimizer.step()
        logits = f @ (w + alpha[:, None] * t).T
        error = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) - y) / n
        velocity = 0.9 * velocity + error.T @ f
        w = w - rate_w * velocity
        if step == 2:
            alpha = alpha - rate_a * (error * (f @ t.T)).sum(axis=0)
    np.testing.assert_allclose(head.weight.detach(), w, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(head.alpha.detach(), alpha, rtol=1e-4)


@pytest.mark.parametrize("per_task", [False, True])
def test_class_prompts_are_samples_of_the_cross_modal_probe(texts, per_task):
    """Among all classes, or each among those of its own task."""
    space = LabelSpace("per_task" if per_task else "joint", TASKS, CLASSES)
    head = made(CrossModalHead, texts, text_share=0.3)
    with torch.no_grad():
        head.weight.mul_(1.3)  # lengths count
    drawn = torch.randperm(2 * CLASSES, generator=torch.Generator().manual_seed(6))[:4].tolist()
    images, labels = rows(4, 9), torch.tensor([0, 1, 2, 1])
    f, samples, w = arrays(images, texts.samples, head.weight)
    losses, gradient = [], np.zeros((CLASSES, WIDTH))
    rows_of_both = [(f[b], int(labels[b]), 0.7 / 4) for b in range(4)]
    rows_of_both += [(samples[row], row % CLASSES, 0.3 / 4) for row in drawn]
    for row, label, weight in rows_of_both:
        start, stop = next(bounds for bounds in TASKS if label < bounds[1]) if per_task else (0, CLASSES)
        logits = np.full(CLASSES, -np.inf)
        logits[start:stop] = 20 * w[start:stop] @ row
        probability = np.exp(logits) / np.exp(logits).sum()
        losses.append(-weight * np.log(probability[label]))
        gradient += 20 * weight * np.outer(probability - np.eye(CLASSES)[label], row)

    def restrict(logits, added):
        return space.restrict(logits, space.tasks_of(torch.cat([labels, added]))) if per_task else logits

    loss, logits = head.backward(images, labels, lambda: torch.Generator().manual_seed(6), restrict)
    np.testing.assert_allclose(loss, np.sum(losses), rtol=1e-5)
    np.testing.assert_allclose(head.weight.grad, gradient, atol=1e-5)
    expected = head(images).detach()
    torch.testing.assert_close(logits, space.restrict(expected, torch.zeros(4, dtype=int)) if per_task else expected)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("kind", [CLAPHead, TaskResHead, LPPlusPlusHead, CrossModalHead])
def test_gradients_that_are_written_out_are_those_of_autograd(texts, support, kind, multi_label):
    """On images of two tasks that each compete with their own classes; among the rows is one without a label."""
    head = made(kind, texts, **({"text_share": 0.0} if kind is CrossModalHead else {}))
    head.fit(support)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    features, shares, task = support.mean_view(), support.shares, support.task
    if not multi_label:
        features, shares, task = features[:9], shares[:9], task[:9]
    targets = shares if multi_label else shares.argmax(dim=1)
    start, stop = (torch.tensor(bounds)[task][:, None] for bounds in zip(*TASKS, strict=True))
    foreign = (torch.arange(CLASSES) < start) | (torch.arange(CLASSES) >= stop)
    logs = head(features, task).masked_fill(foreign, -torch.inf).log_softmax(dim=-1)
    expected = -(shares * logs.masked_fill(foreign, 0)).sum(dim=-1).mean()
    (expected + head.penalty()).backward()
    gradients = {name: parameter.grad.clone() for name, parameter in head.named_parameters()}

    def restrict(logits, added):
        return logits.masked_fill(F.pad(foreign, (0, 0, 0, len(added))), -torch.inf)

    loss, _ = head.backward(features, targets, torch.Generator, restrict)
    torch.testing.assert_close(loss, expected.detach())
    for name, parameter in head.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-5)


def test_a_head_need_not_write_out_its_gradients(texts, support):
    class Plain(CLAPHead):
        linearise = LinearHead.linearise

    features, labels = support.features[0, :6], torch.tensor([0, 1, 2, 0, 1, 2])
    found = []
    for kind in (CLAPHead, Plain):
        head = made(kind, texts)
        head.fit(support)
        with torch.no_grad():
            head.prototypes.add_(0.5)
        head.backward(features, labels, torch.Generator)
        found.append(head.prototypes.grad)
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def test_texts_are_those_of_zero_shot_classification():
    from mvlpt.models import zero_shot_text_features

    backbone = tiny_backbone()
    tasks = [(["cat", "red car"], ["a photo of a {}.", "{}"]), (["sun"], ["a drawing of the {}."])]
    texts = class_texts(backbone, tasks)
    expected = torch.cat([zero_shot_text_features(backbone, names, templates) for names, templates in tasks])
    torch.testing.assert_close(texts.weights, expected)
    by_hand = [backbone.encode_text(backbone.tokenize([text]))[0] for text in ("a photo of a cat.", "cat")]
    torch.testing.assert_close(texts.raw[0], torch.stack(by_hand).mean(dim=0), rtol=1e-4, atol=1e-5)
    assert texts.labels.tolist() == [0, 1, 0, 1, 2]
    torch.testing.assert_close(texts.samples[2], F.normalize(by_hand[1], dim=0), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_another_number_of_images_fits(texts, support):
    fitted, fresh = made(TipAdapterFHead, texts), made(TipAdapterFHead, texts, images=0)
    fitted.fit(support)
    fresh.expect(fitted.state_dict())
    fresh.load_state_dict(fitted.state_dict())
    images = rows(3, 2)
    assert torch.equal(fresh(images), fitted(images))


@pytest.mark.parametrize("kind", [TipAdapterHead, TipAdapterFHead, KNNHead])
def test_a_memory_of_another_run_gives_way_to_the_runs_own_images(texts, support, kind):
    head, other, fresh = made(kind, texts), made(kind, texts, images=3), made(kind, texts)
    held = list(head.parameters())  # as an optimiser does
    head.expect(other.state_dict())
    head.load_state_dict(other.state_dict())
    for one in (head, fresh):
        one.fit(support)
    assert torch.equal(head(rows(3, 2)), fresh(rows(3, 2)))
    assert all(mine is before for mine, before in zip(head.parameters(), held, strict=True))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (TipAdapterHead, {"alpha": -1.0}),
        (TipAdapterHead, {"beta": float("nan")}),
        (KNNHead, {"neighbors": 0}),
        (KNNHead, {"temperature": 0.0}),
        (LPPlusPlusHead, {"alpha_every": 0}),
        (CrossModalHead, {"text_share": 1.5}),
    ],
)
def test_wrong_options_are_refused_by_name(kind, options):
    with pytest.raises(PromptError, match=f"TRAINER.{kind.section}.{next(iter(options)).upper()}"):
        kind.options(**options)
