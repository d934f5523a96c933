"""Prompt methods: one folder and one registration each. Importing this package registers the shipped ones."""

from mvlpt.models.prompts import cocoop, coop, upt, vpt
from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import ContextOptions, learned_contexts
from mvlpt.models.prompts.method import (
    PROMPT_METHODS,
    PromptCost,
    PromptMethod,
    plain_prompts,
    prompt_method,
    register_prompt_method,
)

__all__ = [
    "PROMPT_METHODS",
    "ContextOptions",
    "PromptCost",
    "PromptLearner",
    "PromptMethod",
    "Prompts",
    "cocoop",
    "coop",
    "learned_contexts",
    "plain_prompts",
    "prompt_method",
    "register_prompt_method",
    "upt",
    "vpt",
]
