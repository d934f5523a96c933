"""UPT: text and visual prompts that a small network transforms together."""

from mvlpt.models.prompts.upt.learner import UnifiedPromptLearner
from mvlpt.models.prompts.upt.method import UPT, UPTOptions

__all__ = ["UPT", "UPTOptions", "UnifiedPromptLearner"]
