"""What the sections of a configuration say about a prompt, as arguments of :func:`mvlpt.models.build_prompted_clip`."""

from __future__ import annotations

import logging
from typing import Any

from yacs.config import CfgNode

log = logging.getLogger(__name__)

TEXT_CONTEXTS, VISUAL_CONTEXTS, UNIFIED_CONTEXTS = 16, 16, 4  # where N_CTX is 0


def text_options(node: CfgNode, default: int = TEXT_CONTEXTS) -> dict[str, Any]:
    """Of a section like ``TRAINER.COOP`` or ``TRAINER.MVLPT.COOP``; ``CTX_INIT`` decides over ``N_CTX``, as in CoOp."""
    words = len(node.CTX_INIT.split())
    if words and node.N_CTX not in (0, words):
        log.warning("CTX_INIT '%s' makes %d contexts; N_CTX %d is ignored", node.CTX_INIT, words, node.N_CTX)
    return {
        "n_ctx": node.N_CTX or default,
        "ctx_init": node.CTX_INIT,
        "csc": node.CSC,
        "class_token_position": node.CLASS_TOKEN_POSITION,
    }


def visual_options(node: CfgNode, default: int = VISUAL_CONTEXTS) -> dict[str, Any]:
    """Of the section ``TRAINER.MVLPT.VPT``."""
    return {
        "vpt_n_ctx": node.N_CTX or default,
        "vpt_deep": node.DEEP,
        "vpt_dropout": node.DROPOUT,
        "vpt_project": node.PROJECT,
    }


def unified_options(node: CfgNode) -> dict[str, Any]:
    """Of the section ``TRAINER.MVLPT``: text and visual prompts, and how they meet."""
    return {
        **text_options(node.COOP, UNIFIED_CONTEXTS),
        **visual_options(node.VPT, UNIFIED_CONTEXTS),
        "project_method": node.PROJECT_METHOD,
        "project_dim": node.PROJECT_DIM,
    }
