"""CoCoOp: text contexts that depend on the image."""

from mvlpt.models.prompts.cocoop.learner import ConditionalPromptLearner
from mvlpt.models.prompts.cocoop.method import CoCoOp

__all__ = ["CoCoOp", "ConditionalPromptLearner"]
