"""What a prompt learner hands to the towers."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Prompts(NamedTuple):
    """Prompts as the towers take them (P contexts, K classes, L layers, Dt and Dv widths of text and vision).

    Attributes:
        text: (P, Dt), class-specific (K, P, Dt), or ``None``.
        first: (P, Dv) visual prompts of the first block, or ``None``.
        deep: (L - 1, P, Dv) visual prompts of the other blocks, or ``None``.
        dropout: probability of dropping numbers of visual prompts in this pass.
    """

    text: Tensor | None = None
    first: Tensor | None = None
    deep: Tensor | None = None
    dropout: float = 0.0
