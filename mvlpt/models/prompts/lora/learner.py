"""The trained part of CLIP-LoRA: two thin matrices for each projection of queries, keys and values.

Shape legend: L blocks, R rank, D width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.towers.changes import BlockChange, LowRank, TowerChange

PROJECTIONS = "qkv"


class LowRankLearner(PromptLearner):
    """Holds ``text_down`` (L, 3, R, Dt), ``text_up`` (L, 3, Dt, R), ``image_down`` and ``image_up``.

    ``up`` starts at zero, so that training starts at the frozen model.

    Args:
        text: blocks and width of the text tower.
        image: blocks and width of the image tower.
        rank: R.
        scale: of what is added.
        dropout: of the tokens that ``down`` sees, while training.
        projections: which of "q", "k" and "v" change.
        dtype: of the matrices.
    """

    def __init__(
        self,
        text: tuple[int, int],
        image: tuple[int, int],
        *,
        rank: int,
        scale: float,
        dropout: float,
        projections: str,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.text_down, self.text_up = _matrices(*text, rank, dtype)
        self.image_down, self.image_up = _matrices(*image, rank, dtype)
        self._scale, self._dropout = scale, dropout
        chosen = torch.tensor([float(name in projections) for name in PROJECTIONS], dtype=dtype)
        self.register_buffer("_chosen", chosen[:, None, None], persistent=False)

    def forward(self) -> Prompts:
        """The changes of both towers."""
        return Prompts(
            text_change=self._change(self.text_down, self.text_up),
            image_change=self._change(self.image_down, self.image_up),
        )

    def _change(self, down: Tensor, up: Tensor) -> TowerChange:
        dropout = self._dropout if self.training else 0.0
        pairs = zip(down, up * self._chosen, strict=True)
        return TowerChange([BlockChange(LowRank(a, b, self._scale, dropout)) for a, b in pairs])

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another backbone or another rank."""
        if len(given) == 4 and list(given[:2]) == list(own[:2]):
            return " (it was trained with another rank, or for a backbone of another width)"
        return " (it was trained for a backbone of other blocks)"


def _matrices(blocks: int, width: int, rank: int, dtype: torch.dtype) -> tuple[nn.Parameter, nn.Parameter]:
    """``down`` as a linear layer starts, uniform within 1 / sqrt(width), and ``up`` at zero."""
    down = torch.empty(blocks, 3, rank, width, dtype=dtype).uniform_(-1 / math.sqrt(width), 1 / math.sqrt(width))
    return nn.Parameter(down), nn.Parameter(torch.zeros(blocks, 3, width, rank, dtype=dtype))
