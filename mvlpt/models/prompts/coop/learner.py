"""The trained part of CoOp: contexts in place of words around the class name."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import explain_context_shape


class TextPromptLearner(PromptLearner):
    """Holds ``ctx``: (P, Dt), or (K, P, Dt) if every class has contexts of its own.

    Args:
        ctx: the initial contexts.
    """

    def __init__(self, ctx: Tensor) -> None:
        super().__init__()
        self.ctx = nn.Parameter(ctx)

    def forward(self) -> Prompts:
        """The contexts as they are."""
        return Prompts(text=self.ctx)

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Other classes, another width or another number of contexts."""
        return explain_context_shape(given, own) if name == "ctx" else ""
