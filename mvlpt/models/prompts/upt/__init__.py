"""UPT: text and visual prompts that meet in a small network."""

from mvlpt.models.prompts.upt.learner import UnifiedPromptLearner
from mvlpt.models.prompts.upt.method import UPT, UPTOptions

__all__ = ["UPT", "UPTOptions", "UnifiedPromptLearner"]
