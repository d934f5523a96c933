"""Nothing that was passed in is altered: weights, masks, buffers, inputs, random state."""

import pytest
import torch
from support.tiny_clip import NAMES, RANGES, tiny_backbone, tiny_images

from mvlpt.models import build_prompted_clip
from mvlpt.models.backbone.backbone import fingerprint_state


@pytest.mark.parametrize("method", ["coop", "vpt", "upt", "cocoop"])
def test_training_leaves_the_backbone_as_it_was(method):
    backbone = tiny_backbone()
    before, mask = fingerprint_state(backbone.model.state_dict()), backbone.model.attn_mask.clone()
    prompted = build_prompted_clip(
        backbone, NAMES, method, n_ctx=2, seed=0, task_ranges=RANGES, label_space="per_task"
    ).train()
    optimiser = torch.optim.SGD(prompted.prompt_learner.parameters(), lr=0.1)
    images, task = tiny_images(backbone), torch.tensor([0, 1, 2, 2])
    copies = images.clone(), task.clone()
    for _ in range(2):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(prompted(images, task), torch.tensor([0, 3, 5, 6])).backward()
        optimiser.step()
    assert fingerprint_state(backbone.model.state_dict()) == before == backbone.fingerprint
    assert torch.equal(backbone.model.attn_mask, mask)
    assert torch.equal(images, copies[0])
    assert torch.equal(task, copies[1])
    assert all(parameter.grad is None for parameter in backbone.model.parameters())


def test_only_the_prompt_learner_is_trained():
    prompted = build_prompted_clip(tiny_backbone(), NAMES, "upt", n_ctx=2)
    trained = [name for name, parameter in prompted.named_parameters() if parameter.requires_grad]
    assert trained
    assert all(name.startswith("prompt_learner.") for name in trained)


def test_the_backbone_stays_in_eval_mode():
    prompted = build_prompted_clip(tiny_backbone(vision={"patch_dropout": 0.5}), NAMES, "coop", n_ctx=2).train()
    assert prompted.prompt_learner.training
    assert not any(module.training for module in prompted.clip.modules())
    images = tiny_images(prompted.backbone)
    assert torch.equal(prompted(images), prompted(images))


def test_a_seed_makes_the_prompt_and_leaves_the_global_generator_alone():
    backbone = tiny_backbone()
    state = torch.get_rng_state()
    first, second, other = (build_prompted_clip(backbone, NAMES, "upt", n_ctx=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in first.prompt_learner.state_dict().items():
        assert torch.equal(value, second.prompt_learner.state_dict()[name]), name
    assert not torch.equal(first.prompt_learner.ctx, other.prompt_learner.ctx)


def test_training_is_bit_exact_on_a_cpu():
    ends = []
    for _ in range(2):
        prompted = build_prompted_clip(
            tiny_backbone(), NAMES, "upt", n_ctx=3, seed=1, class_token_position="middle", text_chunk=20
        ).train()
        optimiser = torch.optim.SGD(prompted.prompt_learner.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            labels = torch.tensor([0, 3, 5, 6])
            torch.nn.functional.cross_entropy(prompted(tiny_images(prompted.backbone)), labels).backward()
            optimiser.step()
        ends.append(prompted.prompt_learner.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
