"""CoOp: contexts in the place of the words before, around or after the class name.

Zhou et al., Learning to Prompt for Vision-Language Models (arXiv 2109.01134).
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import Prompts

logger = logging.getLogger(__name__)
INIT_STD = 0.02


class TextPromptLearner(nn.Module):
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


def initial_contexts(
    backbone: Backbone, *, n_ctx: int, ctx_init: str = "", n_classes: int | None = None
) -> tuple[Tensor, tuple[int, ...]]:
    """Random contexts, or the embeddings of words.

    As upstream's, an initialisation in words makes as many contexts as there are words, shared by all classes, whatever
    ``n_ctx`` and ``n_classes`` say. Where words are split into several tokens, the tokens that find no context stay in
    the prompt as fixed text behind the last context.

    Args:
        backbone: gives width and token embeddings.
        n_ctx: number P of contexts.
        ctx_init: words, ``_`` read as a space; empty for random contexts, normal with standard deviation 0.02.
        n_classes: number K of classes if every class has contexts of its own.

    Returns:
        Contexts (P, Dt) or (K, P, Dt), and the token ids that stay fixed behind them.

    Raises:
        PromptError: ``n_ctx`` is not positive.
    """
    dtype = parameter_dtype(backbone)
    words = ctx_init.replace("_", " ").split()
    if words:
        backbone.require_text_prompts()
        if n_classes is not None:
            logger.warning("CSC is ignored: contexts initialised from the words '%s' are shared", " ".join(words))
        tokens = backbone.tokenizer.encode(" ".join(words))
        ids = torch.tensor(tokens[: len(words)], device=backbone.device)
        vectors = F.embedding(ids, backbone.text.token_embedding.weight).detach()
        return vectors.to("cpu", dtype, copy=True), tuple(tokens[len(words) :])
    if n_ctx < 1:
        raise PromptError(f"A text prompt needs at least one context, not N_CTX = {n_ctx}")
    if n_ctx > backbone.context_length:  # the layout says it better, but after the contexts have been made
        raise PromptError(f"{n_ctx} text contexts do not fit: the model takes {backbone.context_length} tokens")
    shape = (n_ctx, backbone.text_width) if n_classes is None else (n_classes, n_ctx, backbone.text_width)
    return torch.empty(shape, dtype=dtype).normal_(std=INIT_STD), ()


def parameter_dtype(backbone: Backbone) -> torch.dtype:
    """Trained parameters are fp32 (a gradient scaler needs that), or fp64 for an fp64 model."""
    return torch.float64 if backbone.logit_scale.dtype is torch.float64 else torch.float32
