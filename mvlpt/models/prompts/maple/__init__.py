"""MaPLe: deep text contexts, and visual prompts that are projected from them."""

from mvlpt.models.prompts.maple.learner import CoupledPromptLearner
from mvlpt.models.prompts.maple.method import MaPLe, MaPLeOptions

__all__ = ["CoupledPromptLearner", "MaPLe", "MaPLeOptions"]
