"""What several runs in one process share."""

import torch

from mvlpt.engine import Resources


def test_a_run_draws_the_same_numbers_whether_its_backbone_is_loaded_or_shared():
    resources, states = Resources(), []
    for _ in range(2):  # loaded, then shared
        torch.manual_seed(1)
        resources.backbone("embedded", "", torch.device("cpu"), "fp32")
        states.append(torch.get_rng_state())
    assert torch.equal(*states)
