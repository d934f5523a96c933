"""What a prompt is tuned for on one image: few classes for many views. No label takes part.

Shu et al., Test-Time Prompt Tuning for Zero-Shot Generalization in Vision-Language Models (NeurIPS 2022, arXiv
2209.07511), section 3.2. Shapes: V views, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def confident_views(logits: Tensor, share: float) -> Tensor:
    """Indices of the views whose predictions have the lowest entropy: a share of all, rounded down, but at least one.

    Args:
        logits: (V, K).
        share: above 0, at most 1.
    """
    logs = logits.log_softmax(dim=-1)
    entropy = -(logs.exp() * logs).sum(dim=-1)
    return entropy.sort(stable=True).indices[: max(1, int(len(logits) * share + 1e-6))]


def entropy_of_mean(logits: Tensor) -> Tensor:
    """The entropy of the mean of the views' predictions, a scalar: equation 3 of the paper.

    Args:
        logits: (V, K).
    """
    logs = logits.log_softmax(dim=-1)
    mean = logs.logsumexp(dim=0) - torch.log(torch.tensor(float(len(logits)), device=logits.device))
    return -(mean.exp() * mean).sum()
