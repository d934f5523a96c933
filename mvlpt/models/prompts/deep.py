"""Contexts of the first blocks of a tower, as MaPLe, IVLP and the methods built on them start them.

Shape legend: P contexts, J blocks after the first with contexts of their own, D width of a token.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.contexts import (
    INIT_STD,
    ContextOptions,
    initial_contexts,
    parameter_dtype,
    split_words,
    word_embeddings,
)
from mvlpt.models.towers.text_layout import TextLayout, prompt_layout


def leading_contexts(
    backbone: Backbone, class_names: Sequence[str], n_ctx: int, ctx_init: str
) -> tuple[Tensor, TextLayout]:
    """Contexts (P, D) in the place of the first P tokens of some words, and the class prompts, which keep the others.

    MaPLe's rule: ``n_ctx`` 2 and "a photo of a" tune "a photo" and keep "of a". Without words, or with fewer tokens
    than contexts, contexts are random and no words stay.

    Raises:
        PromptError: contexts or names that are too long for the text tower.
    """
    backbone.require_text_prompts()
    tokens = backbone.tokenizer.encode(" ".join(split_words(ctx_init)))
    if len(tokens) < n_ctx:
        contexts, fixed = initial_contexts(backbone, ContextOptions(n_ctx))
    else:
        contexts, fixed = word_embeddings(backbone, tokens[:n_ctx]), tuple(tokens[n_ctx:])
    layout = prompt_layout(
        backbone.tokenizer,
        class_names,
        n_ctx=n_ctx,
        position="end",
        context_length=backbone.context_length,
        class_specific=False,
        frozen_context=fixed,
    )
    return contexts, layout


def leading_tokens(n_ctx: int, ctx_init: str) -> int:
    """Tokens of a class prompt besides the class name, for the estimate of its cost."""
    return max(n_ctx, len(split_words(ctx_init)))


def random_prompts(backbone: Backbone, n_ctx: int, width: int) -> Tensor:
    """Prompts (P, D), normal with standard deviation 0.02."""
    return torch.empty(n_ctx, width, dtype=parameter_dtype(backbone)).normal_(std=INIT_STD)


def further_prompts(first: Tensor, depth: int, *blocks: int) -> Tensor:
    """Random prompts (J, P, D) of the blocks after the first.

    Args:
        first: those of the first block (P, D).
        depth: blocks with prompts of their own, the first among them.
        blocks: how many there are, in each of the towers that they are for; a larger depth is cut.
    """
    return torch.empty(min(depth, *blocks) - 1, *first.shape, dtype=first.dtype).normal_(std=INIT_STD)
