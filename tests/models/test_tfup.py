"""TFUP against the formulas of its authors' code, written once more with loops over numpy arrays in float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models.heads import ClassTexts, Support, TFUPHead

SCALE, WIDTH = 30.0, 12
TASKS = ((0, 3, 40), (3, 5, 25))  # first and last class, images
CLASSES = 5
OPTIONS = {"alpha": 0.7, "beta": 1.3, "sharpness": 8.0, "share": 0.4, "least": 3, "most": 4}


def rows(count, seed):
    return F.normalize(torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def texts():
    weights = rows(CLASSES, 1)
    return ClassTexts(weights, weights, weights, torch.arange(CLASSES), torch.tensor([0, 0, 0, 1, 1]))


@pytest.fixture
def support():
    features = rows(65, 2)
    features[7] = 0  # an image that cannot be read
    task = torch.tensor([number for number, (_, _, count) in enumerate(TASKS) for _ in range(count)])
    return Support(features[None], torch.rand(65, CLASSES, generator=torch.Generator().manual_seed(3)), task)


def softmax(values):
    values = np.exp(values - values.max())
    return values / values.sum()


def remembered(features, weights, first, last):
    """{class: images}: of the 2M most probable images those with the smallest sum of divergences to the others."""
    count = min(OPTIONS["most"], max(OPTIONS["least"], int(OPTIONS["share"] * len(features) / (last - first))))
    probability = np.array([softmax(OPTIONS["sharpness"] * weights[first:last] @ f) for f in features])
    found = {}
    for label in range(last - first):
        probable = np.argsort(-probability[:, label], kind="stable")[: 2 * count]
        p = probability[probable]
        sums = [sum((p[j] * np.log(p[j] / p[k])).sum() for k in range(len(p))) for j in range(len(p))]
        found[first + label] = features[probable[np.argsort(sums, kind="stable")[:count]]]
    return found


def expected(images, task, features, owner, weights):
    logits = SCALE * images @ weights.T
    for b, f in enumerate(images):
        first, last, _ = TASKS[task[b]]
        pool = np.array([x for x, own in zip(features, owner, strict=True) if own == task[b] and np.linalg.norm(x) > 0])
        memory = [(label, x) for label, kept in remembered(pool, weights, first, last).items() for x in kept]
        own = softmax(OPTIONS["sharpness"] * weights[first:last] @ f)
        gaps = np.array(
            [(own * np.log(own / softmax(OPTIONS["sharpness"] * weights[first:last] @ x))).sum() for _, x in memory]
        )
        normal = (gaps - gaps.mean()) / gaps.std(ddof=1)
        semantic = 2 * (1 - (normal - normal.min()) / (normal.max() - normal.min()))
        for (label, x), similarity in zip(memory, semantic, strict=True):
            logits[b, label] += OPTIONS["alpha"] * np.exp(-(OPTIONS["beta"] - OPTIONS["beta"] * (f @ x) * similarity))
    return logits


def test_it_is_the_authors_formula_within_each_task(texts, support):
    head = TFUPHead(texts, torch.tensor(SCALE), 0, TFUPHead.options(**OPTIONS))
    head.fit(support)
    images, task = rows(6, 9), torch.tensor([0, 1, 0, 1, 1, 0])
    given = [value.double().numpy() for value in (images, support.features[0], texts.weights)]
    wanted = expected(given[0], task.tolist(), given[1], support.task.tolist(), given[2])
    np.testing.assert_allclose(head(images, task).numpy(), wanted, rtol=1e-4, atol=1e-4)


def test_labels_of_training_images_are_not_read_and_other_images_of_a_batch_change_nothing(texts, support):
    heads = []
    for shares in (support.shares, torch.zeros_like(support.shares)):
        heads.append(TFUPHead(texts, torch.tensor(SCALE), 0, TFUPHead.options(**OPTIONS)))
        heads[-1].fit(Support(support.features, shares, support.task))
    assert all(torch.equal(a, b) for a, b in zip(*(head.state_dict().values() for head in heads), strict=True))
    images, task = rows(6, 9), torch.tensor([0, 1, 0, 1, 1, 0])
    alone = torch.cat([heads[0](images[i : i + 1], task[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(heads[0](images, task), alone)


def test_a_checkpoint_of_other_images_loads(texts, support):
    fitted, fresh = (TFUPHead(texts, torch.tensor(SCALE), 0, TFUPHead.options(**OPTIONS)) for _ in range(2))
    fitted.fit(support)
    fresh.expect(fitted.state_dict())
    fresh.load_state_dict(fitted.state_dict())
    images = rows(3, 4)
    assert torch.equal(fresh(images, torch.ones(3, dtype=torch.long)), fitted(images, torch.ones(3, dtype=torch.long)))


def test_the_published_numbers_of_images():
    options = TFUPHead.options()
    assert [options.per_class(images, 10) for images in (100, 400, 2000)] == [9, 12, 16]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "ALPHA"),
        ({"sharpness": 0.0}, "SHARPNESS"),
        ({"share": 1.5}, "SHARE"),
        ({"least": 20}, "LEAST"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(PromptError, match=message):
        TFUPHead.options(**options)
