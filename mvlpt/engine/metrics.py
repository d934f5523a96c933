"""Batch metrics for the training log, by Dassl's names."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def compute_accuracy(output: torch.Tensor, target: torch.Tensor, topk: Sequence[int] = (1,)) -> list[torch.Tensor]:
    """Share of rows whose label is among the ``k`` highest scores, in percent.

    Args:
        output: scores (B, K).
        target: labels (B,).
        topk: the values of ``k``.

    Returns:
        One scalar tensor for each ``k``.
    """
    highest = output.topk(min(max(topk), output.shape[1]), dim=1).indices
    hits = highest.eq(target.unsqueeze(1))
    return [hits[:, :k].any(dim=1).float().mean() * 100 for k in topk]
