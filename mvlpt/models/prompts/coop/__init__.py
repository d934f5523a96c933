"""CoOp: learned text contexts."""

from mvlpt.models.prompts.coop.learner import TextPromptLearner
from mvlpt.models.prompts.coop.method import CoOp, CoOpOptions, read_context_section

__all__ = ["CoOp", "CoOpOptions", "TextPromptLearner", "read_context_section"]
