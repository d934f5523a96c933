"""The loss of a batch that may mix single-label and multi-label tasks.

Shapes: B batch, K classes of all tasks.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def prompt_losses(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of every image.

    An image with several labels is compared with the distribution that gives each the same share (the paper's rule for
    multi-label tasks); an image without any counts as zero. Logits may be ``-inf`` outside an image's task.

    Args:
        logits: (B, K).
        label: class ids (B,), int64, or multi-hot rows (B, K), float.

    Returns:
        (B,), fp32.
    """
    if label.ndim == 1:
        return F.cross_entropy(logits.float(), label, reduction="none")
    shares = class_shares(label)
    log_likelihood = F.log_softmax(logits.float(), dim=1)
    return -(shares * log_likelihood.masked_fill(shares == 0, 0)).sum(dim=1)


def class_shares(label: torch.Tensor) -> torch.Tensor:
    """Class ids (B,) as they are; of multi-hot rows (B, K) the share of each label, rows without any staying zero."""
    return label if label.ndim == 1 else label / label.sum(dim=1, keepdim=True).clamp_min(1)


def correct(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Whether each row's highest class is (one of) its labels: (B,), bool."""
    predicted = _highest(logits.detach())
    if label.ndim == 1:
        return predicted == label
    return label.gather(1, predicted.unsqueeze(1)).squeeze(1) > 0


def _highest(logits: torch.Tensor) -> torch.Tensor:
    """(B,) each row's highest class, the first of several; on the CPU by NumPy, which is faster at it."""
    if logits.device.type == "cpu" and logits.dtype == torch.float32:
        return torch.from_numpy(logits.numpy().argmax(axis=1))
    return logits.max(dim=1).indices
