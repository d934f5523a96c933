"""joint and per_task."""

import pytest
import torch
from support.tiny_clip import NAMES, RANGES, tiny_backbone, tiny_images

from mvlpt.errors import PromptError
from mvlpt.models import LabelSpace, build_prompted_clip


def space(kind="per_task", **options):
    return LabelSpace(kind, tuple(RANGES), 7, **options)


def test_other_tasks_are_excluded():
    logits = torch.arange(14.0).reshape(2, 7).requires_grad_()
    out = space().restrict(logits, torch.tensor([1, 2]))
    expected = torch.full((2, 7), float("-inf"))
    expected[0, 3:5], expected[1, 5:7] = logits[0, 3:5].detach(), logits[1, 5:7].detach()
    assert torch.equal(out, expected)
    torch.nn.functional.cross_entropy(out, torch.tensor([4, 5])).backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 0] == 0


def test_computed_columns_find_their_places():
    full = torch.randn(3, 7)
    task = torch.tensor([0, 2, 0])
    classes = space().classes_of([0, 2])
    assert classes == [0, 1, 2, 5, 6]
    assert torch.equal(space().restrict(full[:, classes], task, classes), space().restrict(full, task))


def test_legacy_puts_zero_for_other_tasks():
    out = space(legacy=True).restrict(torch.ones(1, 7), torch.tensor([1]))
    assert out.tolist() == [[0, 0, 0, 1, 1, 0, 0]]


def test_a_batch_must_say_its_tasks():
    prompted = build_prompted_clip(tiny_backbone(), NAMES, n_ctx=2, task_ranges=RANGES, label_space="per_task")
    images = tiny_images(prompted.backbone)
    with pytest.raises(PromptError, match="must name the task"):
        prompted(images)
    with pytest.raises(PromptError, match="names task 3 of 3"):
        prompted(images, torch.tensor([0, 1, 2, 3]))
    with pytest.raises(PromptError, match="names task -1"):
        prompted(images, torch.tensor([-1, 1, 2, 2]))
    image, text = prompted.image_features(images), prompted.text_features()
    task = torch.tensor([0, 1, 2, 2])
    assert torch.equal(prompted.logits(image, text, task).isinf(), prompted(images, task).isinf())


def test_joint_ignores_the_task():
    prompted = build_prompted_clip(tiny_backbone(), NAMES, n_ctx=2, task_ranges=RANGES)
    images = tiny_images(prompted.backbone)
    assert torch.equal(prompted(images), prompted(images, torch.tensor([0, 1, 2, 2])))
