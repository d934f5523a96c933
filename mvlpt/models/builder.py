"""Builds a prompted CLIP from plain arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from mvlpt.errors import PromptError, suggest
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.label_space import LabelSpace
from mvlpt.models.optimisations import ComputeOptimisations, resolve_optimisations
from mvlpt.models.prompted_clip import PromptedCLIP
from mvlpt.models.prompts.cocoop.learner import ConditionalPromptLearner
from mvlpt.models.prompts.coop.learner import TextPromptLearner, initial_contexts
from mvlpt.models.prompts.upt.learner import UnifiedPromptLearner
from mvlpt.models.prompts.vpt.learner import VisualPromptLearner, initial_visual_prompts, visual_projection
from mvlpt.models.towers.text_layout import (
    PLAIN_TEMPLATE,
    clean_class_names,
    plain_layout,
    prompt_layout,
    warn_of_duplicates,
)

METHODS = ("coop", "vpt", "upt", "cocoop")
TEXT_CHUNK = 8192


def build_prompted_clip(
    backbone: Backbone,
    class_names: Sequence[Any],
    method: str = "coop",
    *,
    n_ctx: int = 16,
    ctx_init: str = "",
    class_token_position: str = "end",
    csc: bool = False,
    vpt_n_ctx: int | None = None,
    vpt_deep: bool = True,
    vpt_dropout: float = 0.0,
    vpt_project: int = -1,
    project_method: str = "transformer",
    project_dim: int = 128,
    legacy: bool = False,
    task_ranges: Sequence[tuple[int, int]] | None = None,
    label_space: str = "joint",
    optimisations: ComputeOptimisations | None = None,
    text_chunk: int = TEXT_CHUNK,
    seed: int | None = None,
    economy: ComputeOptimisations | None = None,
) -> PromptedCLIP:
    """A frozen CLIP with a fresh prompt.

    Args:
        backbone: the frozen model.
        class_names: the classes of all tasks, one after the other; of several synonyms the first is used.
        method: ``coop`` (text), ``vpt`` (visual), ``upt`` (both) or ``cocoop`` (text, conditioned on the image).
        n_ctx: contexts of the text prompt; of the visual one too unless ``vpt_n_ctx`` says otherwise.
        ctx_init: words to start the text contexts from; then there are as many contexts as words.
        class_token_position: ``end``, ``middle`` or ``front``.
        csc: text contexts of its own for every class.
        vpt_n_ctx: visual prompts in each block.
        vpt_deep: visual prompts in every block, not in the first only.
        vpt_dropout: dropout on visual prompts.
        vpt_project: train visual prompts of this width and project them; -1: at the vision width.
        project_method: how the prompts of ``upt`` meet: ``transformer``, ``mlp`` or ``identity``.
        project_dim: the width in which they meet.
        legacy: repeat upstream's slips; see ``docs/models.md``.
        task_ranges: (start, stop) of each task's classes; one task by default.
        label_space: ``joint`` or ``per_task``.
        optimisations: which to use, all by default.
        text_chunk: most text tokens that are encoded at once.
        seed: of the random prompt; ``None`` draws from torch's global generator.
        economy: former name of ``optimisations``.

    Raises:
        PromptError: names, contexts or options that do not fit.
        BackboneError: the backbone cannot carry the prompt.
    """
    if method not in METHODS:
        raise PromptError(f"Prompt method '{method}' is unknown{suggest(method, METHODS)}")
    if not 0.0 <= vpt_dropout < 1.0:
        raise PromptError(f"VPT.DROPOUT must lie in [0, 1), not {vpt_dropout}")
    if text_chunk < 1:
        raise PromptError(f"A text chunk needs at least one token, not {text_chunk}")
    names = clean_class_names(class_names)
    ranges = [(0, len(names))] if task_ranges is None else [(int(start), int(stop)) for start, stop in task_ranges]
    space = LabelSpace(label_space, tuple(ranges), len(names), legacy)
    warn_of_duplicates(names, ranges)
    backbone.require_text_prompts()
    if method in ("vpt", "upt"):
        backbone.require_visual_prompts()
    if method == "upt" and vpt_project > -1:
        raise PromptError("VPT.PROJECT cannot be joined with a unified prompt, which projects by itself; set it to -1")
    visual_n_ctx = n_ctx if vpt_n_ctx is None else vpt_n_ctx
    with _seeded(seed):
        if method == "vpt":
            learner: nn.Module = _visual_learner(backbone, visual_n_ctx, vpt_deep, vpt_dropout, vpt_project)
            texts = [PLAIN_TEMPLATE.format(name) for name in names]
            layout = plain_layout(backbone.tokenizer, texts, backbone.context_length)
        else:
            own = len(names) if csc and method != "cocoop" else None
            ctx, frozen = initial_contexts(backbone, n_ctx=n_ctx, ctx_init=ctx_init, n_classes=own)
            layout = prompt_layout(
                backbone.tokenizer,
                names,
                n_ctx=ctx.shape[-2],
                position="end" if method == "cocoop" else class_token_position,
                context_length=backbone.context_length,
                class_specific=ctx.dim() == 3,
                frozen_context=frozen,
            )
            if method == "coop":
                learner = TextPromptLearner(ctx)
            elif method == "cocoop":
                learner = ConditionalPromptLearner(ctx, backbone.embed_dim)
            else:
                first, deep = initial_visual_prompts(backbone, n_ctx=visual_n_ctx, deep=vpt_deep)
                learner = UnifiedPromptLearner(
                    ctx, first, deep, method=project_method, project_dim=project_dim, dropout=vpt_dropout, legacy=legacy
                )
    options = {
        "n_ctx": layout.n_ctx,
        "ctx_init": ctx_init,
        "class_token_position": class_token_position,
        "csc": layout.class_specific,
        "vpt_n_ctx": visual_n_ctx if method in ("vpt", "upt") else 0,
        "vpt_deep": vpt_deep,
        "vpt_dropout": float(vpt_dropout),
        "vpt_project": vpt_project,
        "project_method": project_method,
        "project_dim": project_dim,
        "legacy": legacy,
        "label_space": label_space,
    }
    return PromptedCLIP(
        backbone,
        learner,
        layout,
        space,
        optimisations=resolve_optimisations(optimisations, economy),
        text_chunk=text_chunk,
        class_names=names,
        options={"method": method, **options},
    )


def _visual_learner(backbone: Backbone, n_ctx: int, deep: bool, dropout: float, project: int) -> VisualPromptLearner:
    projection = nn.Identity() if project < 0 else visual_projection(backbone, project)
    first, others = initial_visual_prompts(backbone, n_ctx=n_ctx, deep=deep, width=None if project < 0 else project)
    return VisualPromptLearner(first, others, projection, dropout)


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Draws from a stream of its own, and leaves torch's global generator as it was, if there is a seed."""
    if seed is None:
        yield
        return
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
