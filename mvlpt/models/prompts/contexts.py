"""Learned text contexts: their number, initial values and class prompts. Shared by the methods that tune text.

Shape legend: K classes, P contexts, Dt width of a text token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.towers.text_layout import TextLayout, prompt_layout

INIT_STD = 0.02


@dataclass(frozen=True)
class ContextOptions:
    """Number and initial values of the contexts.

    Attributes:
        n_ctx: number of contexts.
        ctx_init: words to start from, ``_`` read as a space; then ``n_ctx`` becomes the number of words.
    """

    n_ctx: int = 16
    ctx_init: str = ""

    def __post_init__(self) -> None:
        words = split_words(self.ctx_init)
        if words:
            object.__setattr__(self, "n_ctx", len(words))
        if self.n_ctx < 1:
            raise PromptError(f"A text prompt needs at least one context, not N_CTX = {self.n_ctx}")


def split_words(ctx_init: str) -> list[str]:
    """The words of an initialisation, ``_`` read as a space."""
    return ctx_init.replace("_", " ").split()


def learned_contexts(
    backbone: Backbone,
    class_names: Sequence[str],
    options: ContextOptions,
    *,
    position: str = "end",
    class_specific: bool = False,
) -> tuple[Tensor, TextLayout]:
    """Initial contexts (P, Dt), or (K, P, Dt) if every class has its own, and the class prompts that hold them.

    Raises:
        PromptError: contexts or names that are too long for the text tower.
    """
    contexts, fixed = initial_contexts(backbone, options, n_classes=len(class_names) if class_specific else None)
    layout = prompt_layout(
        backbone.tokenizer,
        class_names,
        n_ctx=contexts.shape[-2],
        position=position,
        context_length=backbone.context_length,
        class_specific=class_specific,
        frozen_context=fixed,
    )
    return contexts, layout


def initial_contexts(
    backbone: Backbone, options: ContextOptions, n_classes: int | None = None
) -> tuple[Tensor, tuple[int, ...]]:
    """Random contexts, normal with standard deviation 0.02, or the embeddings of words, shared by all classes.

    As in upstream's code, an initialisation in words gives as many contexts as there are words. Where words are split
    into several tokens, the remaining tokens stay in the prompt as fixed text after the last context.

    Args:
        backbone: gives width and token embeddings.
        options: how many contexts, and the words.
        n_classes: number K of classes if every class has contexts of its own.

    Returns:
        Contexts (P, Dt) or (K, P, Dt), and the token ids that stay fixed after them.

    Raises:
        PromptError: there are more contexts than the text tower takes tokens.
    """
    dtype, n_ctx, words = parameter_dtype(backbone), options.n_ctx, split_words(options.ctx_init)
    if words:
        backbone.require_text_prompts()
        tokens = backbone.tokenizer.encode(" ".join(words))
        return word_embeddings(backbone, tokens[: len(words)]), tuple(tokens[len(words) :])
    if n_ctx > backbone.context_length:  # the layout's message says more, but comes after the allocation
        raise PromptError(f"{n_ctx} text contexts do not fit: the model takes {backbone.context_length} tokens")
    shape = (n_ctx, backbone.text_width) if n_classes is None else (n_classes, n_ctx, backbone.text_width)
    return torch.empty(shape, dtype=dtype).normal_(std=INIT_STD), ()


def word_embeddings(backbone: Backbone, tokens: Sequence[int]) -> Tensor:
    """A copy of the text tower's embeddings of some tokens (P, Dt), as initial values of parameters."""
    ids = torch.tensor(tokens, device=backbone.device)
    vectors = F.embedding(ids, backbone.text.token_embedding.weight).detach()
    return vectors.to("cpu", parameter_dtype(backbone), copy=True)


def explain_context_shape(given: Sequence[int], own: Sequence[int]) -> str:
    """Why contexts of shape ``given`` do not fit into those of shape ``own``."""
    if len(own) != len(given):
        return " (one prompt is class-specific (CSC), the other is not)"
    if len(own) == 3 and own[0] != given[0]:
        return f" (it was trained for {given[0]} classes, there are {own[0]})"
    return explain_prompt_shape(given, own)


def explain_prompt_shape(given: Sequence[int], own: Sequence[int]) -> str:
    """Why prompts (..., P, D) of shape ``given`` do not fit into those of shape ``own``."""
    if own[-1] != given[-1]:
        return " (it was trained for a backbone of another width)"
    if own[-2] != given[-2]:
        return f" (it has {given[-2]} contexts, the configuration asks for {own[-2]})"
    return ""


def parameter_dtype(backbone: Backbone) -> torch.dtype:
    """Trained parameters are fp32 (a gradient scaler needs that), or fp64 for an fp64 model."""
    return torch.float64 if backbone.logit_scale.dtype is torch.float64 else torch.float32
