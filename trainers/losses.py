"""The loss of a batch that may mix single-label and multi-label tasks.

Shapes: B batch, K classes of all tasks.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def prompt_loss(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over a batch.

    A row with several labels is compared with the distribution that gives each the same share (the paper's rule for
    multi-label tasks); a row without any label counts as zero. Logits may be ``-inf`` outside an image's task.

    Args:
        logits: (B, K).
        label: class ids (B,), int64, or multi-hot rows (B, K), float.

    Returns:
        A scalar.
    """
    if label.ndim == 1:
        return F.cross_entropy(logits.float(), label)
    shares = label / label.sum(dim=1, keepdim=True).clamp_min(1)
    log_likelihood = F.log_softmax(logits.float(), dim=1)
    return -(shares * log_likelihood.masked_fill(shares == 0, 0)).sum(dim=1).mean()


def share_correct(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Percent of rows whose highest class is (one of) their labels; a scalar."""
    predicted = logits.argmax(dim=1)
    hits = predicted == label if label.ndim == 1 else label.gather(1, predicted.unsqueeze(1)).squeeze(1) > 0
    return 100 * hits.float().mean()
