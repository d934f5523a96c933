"""Batch metrics and distances, by Dassl's names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def compute_accuracy(
    output: torch.Tensor | Sequence[torch.Tensor], target: torch.Tensor, topk: Sequence[int] = (1,)
) -> list[torch.Tensor]:
    """Share of rows whose label is among the ``k`` highest scores, in percent.

    Args:
        output: scores (B, K), or a list or tuple that begins with them.
        target: labels (B,).
        topk: the values of ``k``.

    Returns:
        One scalar tensor for each ``k``.
    """
    output = output[0] if isinstance(output, list | tuple) else output
    highest = output.topk(min(max(topk), output.shape[1]), dim=1).indices
    hits = highest.eq(target.unsqueeze(1))
    return [hits[:, :k].any(dim=1).float().mean() * 100 for k in topk]


def euclidean_squared_distance(input1: torch.Tensor, input2: torch.Tensor) -> torch.Tensor:
    """Squared distances (M, N) between the rows of (M, D) and (N, D)."""
    squares = input1.square().sum(dim=1)[:, None] + input2.square().sum(dim=1)[None, :]
    return squares - 2 * input1 @ input2.T


def cosine_distance(input1: torch.Tensor, input2: torch.Tensor) -> torch.Tensor:
    """One minus the cosine (M, N) between the rows of (M, D) and (N, D)."""
    return 1 - functional.normalize(input1, dim=1) @ functional.normalize(input2, dim=1).T


def compute_distance_matrix(input1: torch.Tensor, input2: torch.Tensor, metric: str = "euclidean") -> torch.Tensor:
    """Distances (M, N) between the rows of (M, D) and (N, D).

    Args:
        input1, input2: the rows.
        metric: ``euclidean`` (squared, as Dassl's) or ``cosine``.

    Raises:
        ValueError: another metric, or shapes that do not fit.
    """
    if input1.ndim != 2 or input2.ndim != 2 or input1.shape[1] != input2.shape[1]:
        raise ValueError(f"Rows of equal width are needed, not {tuple(input1.shape)} and {tuple(input2.shape)}")
    known = {"euclidean": euclidean_squared_distance, "cosine": cosine_distance}
    if metric not in known:
        raise ValueError(f"The metric is '{metric}'; known: {', '.join(known)}")
    return known[metric](input1, input2)
